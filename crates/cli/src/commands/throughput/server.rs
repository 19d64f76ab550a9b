//! `surefoot throughput server`: serves clients of iperf 2 and iperf3.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::{Args, ValueEnum};
use surefoot_report::escape;
use surefoot_throughput::metrics::ServerMetrics;
use surefoot_throughput::metrics_port::MetricsPort;
use surefoot_throughput::privileges::{PrivilegeError, become_nobody};
use surefoot_throughput::server::{
    AddressFamilies, NetworkPrefix, Server, ServerError, ServerEvent, ServerLimits, ServerOptions,
};
use surefoot_throughput::{quantity, text};

use super::Status;
use super::daemon::{self, DaemonStep};
use super::imitate::LineSink;
use crate::error::Failure;
use crate::output::Output;

/// Serve clients of iperf, iperf3 and surefoot, all at once
///
/// Listens on 5201 (iperf3) and 5001 (iperf 2), TCP and UDP. Each port takes both protocols: they
/// are told apart by their first bytes. A client that is gone or silent is noticed within five
/// seconds and never keeps another one waiting. Started as root, it becomes the user nobody once
/// it has its ports.
///
/// Not there: bounce-back tests of iperf 2, RSA authentication, MPTCP.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  surefoot throughput server
  surefoot throughput server -p 8080 --one-off
  surefoot throughput server --allow 192.0.2.0/24 --allow 2001:db8::/32
  surefoot throughput server --max-rate 100M --max-time 30
  surefoot throughput server --format json  # one line for each test
  surefoot throughput server --daemon --log throughput.log
  surefoot throughput server --metrics 127.0.0.1:9201
  surefoot throughput server --unit > surefoot-throughput.service

Exit status:
  0  ended after --one-off
  2  bad usage, or a port is taken
  3  not permitted")]
pub(crate) struct ServerArgs {
    /// A port; may be repeated [default: 5201 and 5001]
    #[arg(short, long = "port", value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Vec<u16>,
    /// The address to listen on [default: all]
    #[arg(short = 'B', long, value_name = "ADDRESS")]
    bind: Option<IpAddr>,
    /// IPv4 only
    #[arg(short = '4', long, conflicts_with_all = ["version6", "bind"])]
    version4: bool,
    /// IPv6 only
    #[arg(short = '6', long, conflicts_with = "bind")]
    version6: bool,
    /// End after one test
    #[arg(short = '1', long)]
    one_off: bool,
    /// Serve clients of this network only; may be repeated
    #[arg(long, value_name = "NETWORK")]
    allow: Vec<NetworkPrefix>,
    /// The most bit/s of a test; one that asks for more, or for no limit, is refused (iperf3) or
    /// slowed down (iperf 2, where the server sends)
    #[arg(long, value_name = "RATE", value_parser = quantity::parse_rate)]
    max_rate: Option<u64>,
    /// The longest test in seconds
    #[arg(long, value_name = "SECONDS")]
    max_time: Option<u32>,
    /// The most streams of a test in each direction
    #[arg(long, value_name = "NUMBER", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=128))]
    max_streams: u32,
    /// Copy what is received out of the kernel, as iperf does, instead of discarding it there
    #[arg(long)]
    copy: bool,
    /// Serve in the background, once the ports are there
    #[arg(short = 'D', long)]
    daemon: bool,
    /// Add the answers to a file instead of printing them
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    log: Option<PathBuf>,
    /// Give `OpenMetrics` text at http://ADDRESS:PORT/metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
    /// Print a unit file for systemd and exit
    #[arg(long, exclusive = true)]
    unit: bool,
    /// Stay root
    #[arg(long)]
    keep_root: bool,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ServerFormat::Text)]
    format: ServerFormat,
}

/// The unit file that is shipped.
const UNIT: &str = include_str!("../../../../../docs/systemd/surefoot-throughput.service");

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ServerFormat {
    Text,
    /// A line of JSON for each test
    Json,
}

pub(super) fn run(args: &ServerArgs, output: &Output) -> Result<Status, Failure> {
    if args.unit {
        output.answer(UNIT)?;
        return Ok(Status::Clean);
    }
    let daemon = if args.daemon {
        match daemon::start(output)? {
            DaemonStep::AtTerminal(true) => return Ok(Status::Clean),
            DaemonStep::AtTerminal(false) => return Err(Failure::silent()),
            DaemonStep::Serving(daemon) => Some(daemon),
        }
    } else {
        None
    };
    let mut sink = LineSink::open(args.log.as_deref(), output)?;
    let port = args.metrics.map(|address| {
        MetricsPort::bind(address)
            .map_err(|error| Failure::io(format!("cannot listen on {address} (--metrics)"), &error))
    });
    let port = port.transpose()?;
    let (sender, events) = channel();
    let server = Server::bind(options(args), sender).map_err(|error| failure(&error))?;
    if !args.keep_root {
        give_up_root(output)?;
    }
    for address in server.addresses() {
        let line = format!("listening on {address}, TCP and UDP, for iperf3 and iperf 2\n");
        output.remark(&line);
    }
    if let Some(daemon) = daemon {
        daemon.let_go(output)?;
    }
    let metrics = Arc::new(Mutex::new(ServerMetrics::default()));
    if let Some(port) = port {
        let metrics = metrics.clone();
        let text = move || {
            metrics
                .lock()
                .map(|metrics| metrics.text())
                .unwrap_or_default()
        };
        // It ends with the process.
        std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(move || port.serve(text))
            .map_err(|error| Failure::io("cannot start a thread", &error))?;
    }
    let thread = std::thread::Builder::new()
        .name("server".to_owned())
        .spawn(move || server.run())
        .map_err(|error| Failure::io("cannot start a thread", &error))?;
    // Ends when the server and all its sessions have let go of the other end.
    for event in events {
        if let Ok(mut metrics) = metrics.lock() {
            metrics.count(&event);
        }
        tell(&event, args.format, output, &mut sink)?;
    }
    match thread.join() {
        Ok(outcome) => outcome.map_err(|error| failure(&error))?,
        Err(panic) => std::panic::resume_unwind(panic),
    }
    Ok(Status::Clean)
}

fn options(args: &ServerArgs) -> ServerOptions {
    let defaults = ServerOptions::default();
    ServerOptions {
        ports: if args.port.is_empty() {
            defaults.ports.clone()
        } else {
            args.port.clone()
        },
        bind: args.bind,
        families: match (args.version4, args.version6) {
            (true, _) => AddressFamilies::OnlyV4,
            (false, true) => AddressFamilies::OnlyV6,
            (false, false) => AddressFamilies::Both,
        },
        one_off: args.one_off,
        allow: args.allow.clone(),
        limits: ServerLimits {
            rate: args.max_rate,
            duration: args
                .max_time
                .map(|time| Duration::from_secs(u64::from(time))),
            streams: args.max_streams,
            ..defaults.limits
        },
        copy: args.copy,
        ..defaults
    }
}

pub(super) fn give_up_root(output: &Output) -> Result<(), Failure> {
    match become_nobody() {
        Ok(_) => Ok(()),
        // Root of a user namespace has no rights outside of it.
        Err(error @ PrivilegeError::NoUser) => {
            output.remark(&format!("stays root of its user namespace: {error}\n"));
            Ok(())
        }
        Err(error) => Err(Failure::denied("cannot give up the rights of root")
            .caused_by(&error)
            .hint("`--keep-root` serves as root")),
    }
}

fn failure(error: &ServerError) -> Failure {
    match error {
        ServerError::Listen { address, source } => {
            let failure = Failure::io(format!("cannot listen on {address}"), source);
            if source.kind() == std::io::ErrorKind::AddrInUse {
                let port = address.port();
                failure.hint(format!(
                    "see who has it: `ss -lntup sport = :{port}`; take another with -p"
                ))
            } else {
                failure
            }
        }
        ServerError::System(source) => Failure::io("the server cannot go on", source),
    }
}

fn tell(
    event: &ServerEvent,
    format: ServerFormat,
    output: &Output,
    sink: &mut LineSink<'_>,
) -> Result<(), Failure> {
    match (event, format) {
        (ServerEvent::Ended { summary, .. }, ServerFormat::Json) => {
            let line = serde_json::to_string(summary).map_err(|error| {
                Failure::input("cannot write the answer as JSON").caused_by(&error)
            })?;
            sink.write(&(surefoot_report::escape_json(line) + "\n"))
        }
        (ServerEvent::Ended { summary, .. }, ServerFormat::Text) => {
            sink.write(&text::server_report(summary))
        }
        (ServerEvent::BareConnection { peer, .. }, ServerFormat::Text) => {
            sink.write(&text::bare_connection(*peer))
        }
        (ServerEvent::TurnedAway { peer, why }, _) => {
            output.remark(&format!("{peer}: turned away: {}\n", escape(why)));
            Ok(())
        }
        (ServerEvent::Opened(opened), _) => {
            if output.verbose() {
                output.remark(&text::server_start(opened));
            }
            Ok(())
        }
        (ServerEvent::BareConnection { .. }, ServerFormat::Json)
        | (ServerEvent::Interval { .. }, _) => Ok(()),
    }
}
