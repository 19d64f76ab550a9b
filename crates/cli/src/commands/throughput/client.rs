//! `surefoot throughput client`: measures the way to a server.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use surefoot_throughput::client::{
    ClientError, ClientEvent, ClientOptions, ProtocolChoice, RandomBytes, TestLength,
    TrafficPattern, run_client_until,
};
use surefoot_throughput::html_page::html_page;
use surefoot_throughput::imitation::{Iperf2ClientLines, Iperf2Printing};
use surefoot_throughput::iperf3_json::{Iperf3Document, http_date};
use surefoot_throughput::metrics::client_metrics;
use surefoot_throughput::quantity;
use surefoot_throughput::server::AddressFamilies;
use surefoot_throughput::summary::TransportName;
use surefoot_throughput::text::ClientText;

use super::Status;
use crate::error::Failure;
use crate::output::Output;

/// Measure the way to a server of iperf, iperf3 or surefoot
///
/// Finds out which server answers: iperf3 on 5201, else iperf 2 on 5001; on a port that is given, by
/// what the server says. What arrives is discarded in the kernel, and over UDP the kernel cuts and
/// joins datagrams, so that less CPU is in the way of the measurement; --copy and --no-gso measure
/// the classic way.
///
/// The letters are those of iperf3, and of iperf 2 where iperf3 has none; the guide has the table.
///
/// Not there: zero copy (-Z), CPU affinity (-A), a file to send
/// (-F), authentication, MPTCP, multicast, trip times and bounce-back of iperf 2.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  surefoot throughput client 192.0.2.1
  surefoot throughput client 192.0.2.1 -R         # the server sends
  surefoot throughput client 192.0.2.1 -d         # both at once
  surefoot throughput client 192.0.2.1 -r         # one after the other
  surefoot throughput client 192.0.2.1 -u -b 200M # UDP, paced
  surefoot throughput client 192.0.2.1 -P 4 -t 30 --format json
  surefoot throughput client 192.0.2.1 -J | jq .end
  surefoot throughput client 192.0.2.1 --plot --html test.html

Exit status:
  0  measured
  1  interrupted: what was measured until then is told
  2  bad usage, or the test could not be made
  3  not permitted")]
pub(crate) struct ClientArgs {
    /// The name or address of the server
    #[arg(value_name = "HOST", required_unless_present = "schema")]
    host: Option<String>,
    /// Print the JSON Schema of `--format json` and exit
    #[arg(long, exclusive = true)]
    schema: bool,
    /// The port of the server [default: 5201, then 5001]
    #[arg(short, long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Speak the protocol of iperf 2
    #[arg(long, conflicts_with = "iperf3")]
    iperf2: bool,
    /// Speak the protocol of iperf3
    #[arg(long)]
    iperf3: bool,
    /// UDP instead of TCP
    #[arg(short, long)]
    udp: bool,
    /// The server sends
    #[arg(short = 'R', long, conflicts_with_all = ["both", "bidir", "in_turns"])]
    reverse: bool,
    /// Both send at once; an iperf 2 server connects back for it
    #[arg(short = 'd', long, conflicts_with_all = ["bidir", "in_turns"])]
    both: bool,
    /// Both send at once over our own connections, as NAT and firewalls want it
    #[arg(long, conflicts_with = "in_turns")]
    bidir: bool,
    /// We send, then the server does
    #[arg(short = 'r', long)]
    in_turns: bool,
    /// Streams in each direction
    #[arg(short = 'P', long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=128))]
    parallel: u32,
    /// Seconds to measure; iperf3 takes whole ones
    #[arg(short, long, value_name = "SECONDS", default_value = "10", conflicts_with_all = ["bytes", "blockcount"], value_parser = parse_duration)]
    time: Duration,
    /// Bytes to send instead: of all streams together (iperf3), of each (iperf 2)
    #[arg(short = 'n', long, value_name = "BYTES", conflicts_with = "blockcount", value_parser = parse_amount)]
    bytes: Option<u64>,
    /// Blocks to send instead
    #[arg(short = 'k', long, value_name = "NUMBER", value_parser = parse_amount)]
    blockcount: Option<u64>,
    /// Seconds at the start that do not count (iperf3 only)
    #[arg(short = 'O', long, value_name = "SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=600))]
    omit: u32,
    /// Seconds between two reports; 0 is none
    #[arg(short, long, value_name = "SECONDS", default_value = "1", value_parser = parse_seconds)]
    interval: Duration,
    /// Bit/s of each stream; 0 is without a limit [default: 1.05M for UDP, no limit for TCP]
    #[arg(short = 'b', long = "bitrate", alias = "bandwidth", value_name = "RATE", value_parser = quantity::parse_rate)]
    bitrate: Option<u64>,
    /// Bytes of a block or datagram [default: 128K for TCP, what fits into a packet for UDP]
    #[arg(short, long, value_name = "BYTES", value_parser = parse_size)]
    length: Option<u32>,
    /// Bytes of the socket buffers [default: the system's for TCP, up to 8M for UDP]
    #[arg(short, long, value_name = "BYTES", value_parser = parse_size)]
    window: Option<u32>,
    /// The maximum segment size of TCP
    #[arg(short = 'M', long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(88..=32_767))]
    set_mss: Option<u32>,
    /// Send small segments at once (`TCP_NODELAY`)
    #[arg(short = 'N', long)]
    no_delay: bool,
    /// The congestion control algorithm of TCP
    #[arg(short = 'C', long, value_name = "NAME")]
    congestion: Option<String>,
    /// Type of service, 0 to 255
    #[arg(short = 'S', long, value_name = "NUMBER", default_value_t = 0)]
    tos: u8,
    /// The local address
    #[arg(short = 'B', long, value_name = "ADDRESS")]
    bind: Option<IpAddr>,
    /// The local port of the first stream (iperf3 only)
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    cport: Option<u16>,
    /// IPv4 only
    #[arg(short = '4', long, conflicts_with = "version6")]
    version4: bool,
    /// IPv6 only
    #[arg(short = '6', long)]
    version6: bool,
    /// A title for the answer
    #[arg(short = 'T', long, value_name = "TEXT")]
    title: Option<String>,
    /// Let the kernel pace at so many bit/s
    #[arg(long, value_name = "RATE", value_parser = quantity::parse_rate)]
    fq_rate: Option<u64>,
    /// Never fragment datagrams over IPv4
    #[arg(long, requires = "udp")]
    dont_fragment: bool,
    /// Milliseconds that a connection may take to be made
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(1..))]
    connect_timeout: Option<u32>,
    /// Copy what is received out of the kernel, as iperf does, instead of discarding it there
    #[arg(long)]
    copy: bool,
    /// One call for each datagram, as iperf does
    #[arg(long, requires = "udp")]
    no_gso: bool,
    /// Answer with the JSON of `iperf3 -J`, key for key, errors too
    #[arg(short = 'J', long, conflicts_with = "format")]
    json: bool,
    /// Answer with a line of JSON for each event, as `iperf3 --json-stream` does
    #[arg(long, conflicts_with_all = ["format", "json"])]
    json_stream: bool,
    /// Answer with comma-separated values in the style of iperf 2; C is the only one
    #[arg(short = 'y', long, value_name = "STYLE", value_parser = ["C", "c"], conflicts_with_all = ["format", "json", "json_stream"])]
    reportstyle: Option<String>,
    /// Draw the rate of each interval beside its row
    #[arg(long, conflicts_with_all = ["format", "json", "json_stream", "reportstyle"])]
    plot: bool,
    /// Write a page with the rate, the round-trip time and losses over time
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    html: Option<PathBuf>,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ClientFormat::Text)]
    format: ClientFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClientFormat {
    Text,
    Json,
    /// Metrics for a monitoring system
    Openmetrics,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| format!("`{text}` is no number of seconds"))?;
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err(format!("{text} seconds are not within 0 to 86400"));
    }
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    match parse_seconds(text) {
        Ok(time) if time < Duration::from_millis(10) => {
            Err("a test takes at least 0.01 seconds".to_owned())
        }
        outcome => outcome,
    }
}

fn parse_amount(text: &str) -> Result<u64, String> {
    match quantity::parse_bytes(text) {
        Ok(0) => Err("0 is no amount to send".to_owned()),
        Ok(amount) => Ok(amount),
        Err(error) => Err(error.to_string()),
    }
}

fn parse_size(text: &str) -> Result<u32, String> {
    const MOST: u64 = 1 << 30;
    match quantity::parse_bytes(text) {
        Ok(0) => Err("0 bytes are no size".to_owned()),
        Ok(size) if size > MOST => Err(format!("{text} is more than 1G")),
        Ok(size) => Ok(u32::try_from(size).unwrap_or(u32::MAX)),
        Err(error) => Err(error.to_string()),
    }
}

/// The system's random numbers.
pub(super) struct SystemRandom(std::fs::File);

impl SystemRandom {
    pub(super) fn open() -> Result<Self, Failure> {
        std::fs::File::open("/dev/urandom")
            .map(Self)
            .map_err(|error| Failure::io("cannot read /dev/urandom", &error))
    }
}

impl RandomBytes for SystemRandom {
    fn fill(&mut self, buffer: &mut [u8]) {
        self.0
            .read_exact(buffer)
            .expect("the kernel's random numbers never end");
    }
}

/// What an answer is made of while the test runs.
enum LiveAnswer {
    Text(ClientText),
    Values(Iperf2ClientLines),
    Stream,
    AtEnd,
}

pub(super) fn run(args: &ClientArgs, output: &Output) -> Result<Status, Failure> {
    if args.schema {
        output.answer(include_str!("client.schema.json"))?;
        return Ok(Status::Clean);
    }
    let options = options(args)?;
    let mut random = SystemRandom::open()?;
    // A page that cannot be written is reported before the test, not after it.
    let mut page = args.html.as_deref().map(open_page).transpose()?;
    let both = args.both || args.bidir || args.in_turns;
    let mut live = if args.json_stream {
        LiveAnswer::Stream
    } else if args.reportstyle.is_some() {
        let printing = Iperf2Printing::of_values(options.transport, !options.interval.is_zero());
        LiveAnswer::Values(Iperf2ClientLines::new(&options, &printing))
    } else if args.json || args.format != ClientFormat::Text {
        LiveAnswer::AtEnd
    } else {
        let text = ClientText::new(options.transport, both);
        LiveAnswer::Text(if args.plot { text.with_plot() } else { text })
    };
    let time = seconds_since_1970();
    let mut document = Iperf3Document::new(&options, time, &system_name());
    let mut broken = None;
    let mut tell = |event: &ClientEvent| {
        heed_interrupt(event);
        document.event(event);
        let text = match (&mut live, event) {
            (LiveAnswer::Text(text), event) => text.event(event),
            (LiveAnswer::Values(lines), event) => lines.event(event, &local_stamp()),
            (LiveAnswer::Stream, ClientEvent::Connected { .. }) => document.start_event(),
            (LiveAnswer::Stream, ClientEvent::Interval(report)) => document.interval_event(report),
            (LiveAnswer::Stream, ClientEvent::ConnectedBack { .. }) | (LiveAnswer::AtEnd, _) => {
                return;
            }
        };
        if broken.is_none() {
            broken = output.answer(&surefoot_report::escape_json(text)).err();
        }
    };
    let outcome = run_client_until(
        &options,
        &mut random,
        &mut tell,
        &surefoot_sys::take_interrupt,
    );
    if let Some(failure) = broken {
        return Err(failure);
    }
    let report = match outcome {
        Ok(report) => report,
        Err(error) => {
            // Programs read the reason where they read the answer.
            if args.json {
                output.answer(&output.json(&document.failure(&error.to_string()))?)?;
            } else if args.json_stream {
                output.answer(&Iperf3Document::error_event(&error.to_string()))?;
            }
            return Err(failure(&error));
        }
    };
    if let Some(page) = &mut page {
        let text = html_page(&report, options.title.as_deref(), &http_date(time));
        page.write_all(text.as_bytes())
            .map_err(|error| Failure::io("cannot write the page", &error))?;
    }
    let answer = match &mut live {
        LiveAnswer::Text(text) => text.report(&report),
        LiveAnswer::Values(lines) => lines.end(&report, &local_stamp()),
        LiveAnswer::Stream => document.end_event(&report),
        LiveAnswer::AtEnd if args.json => output.json(&document.report(&report))?,
        LiveAnswer::AtEnd => match args.format {
            ClientFormat::Openmetrics => client_metrics(&report),
            ClientFormat::Text | ClientFormat::Json => output.json_answer("throughput", &report)?,
        },
    };
    output.answer(&answer)?;
    if report.is_interrupted() {
        output.complain("interrupted: this is what was measured until then\n");
        return Ok(Status::Findings);
    }
    Ok(Status::Clean)
}

/// Once data flow, Ctrl-C ends the measuring and not the program, so that the results up to then
/// are shown. Before, there are none.
pub(super) fn heed_interrupt(event: &ClientEvent) {
    if matches!(event, ClientEvent::Connected { .. }) {
        // Where it cannot be heeded it ends the program.
        let _ = surefoot_sys::watch_interrupt();
    }
}

fn open_page(path: &Path) -> Result<std::fs::File, Failure> {
    std::fs::File::create(path)
        .map_err(|error| Failure::io(format!("cannot write {} (--html)", path.display()), &error))
}

/// The local time as iperf 2 writes it in comma-separated values.
pub(super) fn local_stamp() -> String {
    let seconds = i64::try_from(seconds_since_1970()).unwrap_or(0);
    surefoot_sys::LocalTime::at(seconds).map_or_else(
        |_| "19700101000000".to_owned(),
        |time| {
            format!(
                "{:04}{:02}{:02}{:02}{:02}{:02}",
                time.year, time.month, time.day, time.hour, time.minute, time.second
            )
        },
    )
}

pub(super) fn seconds_since_1970() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}

/// The system as `uname -a` names it.
pub(super) fn system_name() -> String {
    let uname = rustix::system::uname();
    let parts = [
        uname.sysname(),
        uname.nodename(),
        uname.release(),
        uname.version(),
        uname.machine(),
    ];
    parts
        .map(|part| part.to_string_lossy().into_owned())
        .join(" ")
}

fn options(args: &ClientArgs) -> Result<ClientOptions, Failure> {
    let length = match (args.bytes, args.blockcount) {
        (Some(bytes), _) => TestLength::Bytes(bytes),
        (None, Some(blocks)) => TestLength::Blocks(blocks),
        (None, None) => TestLength::Time(args.time),
    };
    let transport = if args.udp {
        TransportName::Udp
    } else {
        TransportName::Tcp
    };
    let (shortest, longest) = if args.udp { (16, 65_507) } else { (1, 1 << 20) };
    if let Some(length) = args.length
        && !(shortest..=longest).contains(&length)
    {
        let name = if args.udp { "datagram" } else { "block" };
        return Err(Failure::input(format!(
            "a {name} of {length} bytes is not within {shortest} to {longest} (-l)"
        )));
    }
    Ok(ClientOptions {
        port: args.port,
        protocol: match (args.iperf2, args.iperf3) {
            (true, _) => ProtocolChoice::Iperf2,
            (false, true) => ProtocolChoice::Iperf3,
            (false, false) => ProtocolChoice::Find,
        },
        families: match (args.version4, args.version6) {
            (true, _) => AddressFamilies::OnlyV4,
            (false, true) => AddressFamilies::OnlyV6,
            (false, false) => AddressFamilies::Both,
        },
        bind: args.bind,
        client_port: args.cport,
        transport,
        pattern: if args.reverse {
            TrafficPattern::Reverse
        } else if args.both {
            TrafficPattern::BothAtOnce
        } else if args.bidir {
            TrafficPattern::FullDuplex
        } else if args.in_turns {
            TrafficPattern::InTurns
        } else {
            TrafficPattern::Forward
        },
        parallel: args.parallel,
        length,
        omit: Duration::from_secs(u64::from(args.omit)),
        interval: args.interval,
        rate: args.bitrate,
        block: args.length,
        window: args.window,
        segment_size: args.set_mss,
        no_delay: args.no_delay,
        congestion: args.congestion.clone(),
        type_of_service: args.tos,
        pacing_rate: args.fq_rate,
        title: args.title.clone(),
        dont_fragment: args.dont_fragment,
        copy: args.copy,
        segmentation: !args.no_gso,
        connect_time: args
            .connect_timeout
            .map(|time| Duration::from_millis(u64::from(time))),
        ..ClientOptions::new(args.host.as_deref().unwrap_or_default())
    })
}

fn failure(error: &ClientError) -> Failure {
    let mut failure = match error {
        ClientError::System { what, source } => Failure::io(format!("cannot {what}"), source),
        other => Failure::input(surefoot_report::escape(&other.to_string()).to_string()),
    };
    if let Some(hint) = error.hint() {
        failure = failure.hint(hint);
    }
    failure
}
