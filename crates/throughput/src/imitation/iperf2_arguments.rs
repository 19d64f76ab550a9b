//! The command line of iperf 2.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::ImitationError;
use super::getopt::{GivenOption, OptionForm, ValueRule, help_lines, read_options};
use super::service_types;
use super::units::{UnitLetter, read_amount};
use crate::client::{ClientOptions, ProtocolChoice, TestLength, TrafficPattern};
use crate::server::{AddressFamilies, ServerOptions};
use crate::summary::TransportName;

/// What iperf 2 is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Iperf2Order {
    /// Say how it is used.
    Help,
    /// Say its version.
    Version,
    /// Run a test.
    Client(Box<ClientOptions>, Box<Iperf2Printing>),
    /// Serve.
    Server(Box<ServerOptions>, Box<Iperf2Printing>),
}

/// How iperf 2 is to print, and what it does beside the test.
#[derive(Clone, Debug, PartialEq)]
pub struct Iperf2Printing {
    /// Comma-separated values (`-y C`).
    pub values: bool,
    /// More columns (`-e`).
    pub enhanced: bool,
    /// The unit of amounts and rates.
    pub unit: UnitLetter,
    /// Whether intervals are reported.
    pub intervals: bool,
    /// Whether the segment size is shown (`-m`).
    pub segment_size: bool,
    /// Where the output goes instead of standard output.
    pub log: Option<PathBuf>,
    /// Whether it goes on without its terminal.
    pub daemon: bool,
    /// The transport.
    pub transport: TransportName,
    /// The port.
    pub port: u16,
    /// The size of the socket buffers that was asked for.
    pub window: Option<u32>,
    /// Only the rows of all streams together.
    pub only_sums: bool,
}

impl Iperf2Printing {
    /// Comma-separated values and nothing else.
    pub fn of_values(transport: TransportName, intervals: bool) -> Self {
        Self {
            values: true,
            enhanced: false,
            unit: UnitLetter::FITTING,
            intervals,
            segment_size: false,
            log: None,
            daemon: false,
            transport,
            port: 5001,
            window: None,
            only_sums: false,
        }
    }
}

const fn flag(letter: Option<char>, name: &'static str, help: &'static str) -> OptionForm {
    OptionForm {
        letter,
        name,
        value: ValueRule::Never,
        metavariable: "",
        help,
    }
}

const fn value(
    letter: Option<char>,
    name: &'static str,
    metavariable: &'static str,
    help: &'static str,
) -> OptionForm {
    OptionForm {
        letter,
        name,
        value: ValueRule::Always,
        metavariable,
        help,
    }
}

const FORMS: &[OptionForm] = &[
    flag(Some('s'), "server", "serve"),
    value(Some('c'), "client", "HOST", "run a test with a server"),
    value(Some('p'), "port", "PORT", "the port [5001]"),
    flag(Some('u'), "udp", "UDP instead of TCP"),
    value(
        Some('b'),
        "bandwidth",
        "RATE",
        "bit/s of each stream [UDP: 1M]",
    ),
    flag(
        Some('e'),
        "enhanced",
        "more columns, where surefoot counts them",
    ),
    value(Some('f'), "format", "[kmgaKMGA]", "the unit: bits or Bytes"),
    value(
        Some('i'),
        "interval",
        "SECONDS",
        "the time between two reports",
    ),
    value(Some('l'), "len", "BYTES", "bytes of a block or datagram"),
    flag(Some('m'), "print_mss", "show the maximum segment size"),
    value(Some('o'), "output", "FILE", "append the output to a file"),
    value(Some('w'), "window", "BYTES", "bytes of the socket buffers"),
    flag(Some('z'), "realtime", "accepted, without effect"),
    value(Some('B'), "bind", "ADDRESS", "the local address"),
    flag(
        Some('C'),
        "compatibility",
        "accepted: an old server understands what is sent",
    ),
    value(Some('M'), "mss", "BYTES", "the maximum segment size"),
    flag(Some('N'), "nodelay", "send small segments at once"),
    value(Some('S'), "tos", "NUMBER|NAME", "the type of service"),
    value(
        Some('Z'),
        "tcp-congestion",
        "NAME",
        "the congestion control algorithm",
    ),
    value(None, "linux-congestion", "NAME", ""),
    flag(Some('V'), "ipv6_domain", "IPv6"),
    flag(Some('1'), "singleclient", "end after one test"),
    flag(Some('U'), "single_udp", "accepted, without effect"),
    flag(Some('D'), "daemon", "serve in the background"),
    flag(
        Some('d'),
        "dualtest",
        "both send at once; the server connects back",
    ),
    flag(
        Some('r'),
        "tradeoff",
        "one sends, then the other; the server connects back",
    ),
    flag(
        None,
        "full-duplex",
        "both send at once over the same connection",
    ),
    flag(Some('R'), "reverse", "the server sends"),
    value(
        Some('L'),
        "listenport",
        "PORT",
        "where the server connects back to",
    ),
    value(
        Some('n'),
        "num",
        "AMOUNT",
        "bytes to send instead of a time",
    ),
    value(Some('t'), "time", "SECONDS", "the time to measure for [10]"),
    value(Some('P'), "parallel", "NUMBER", "streams"),
    value(
        None,
        "fq-rate",
        "RATE",
        "let the kernel pace at so many bit/s",
    ),
    value(Some('T'), "ttl", "NUMBER", ""),
    value(Some('F'), "fileinput", "FILE", ""),
    flag(Some('I'), "stdin", ""),
    value(Some('H'), "ssm-host", "HOST", ""),
    flag(Some('X'), "peer-detect", "accepted, without effect"),
    flag(None, "trip-times", ""),
    OptionForm {
        letter: None,
        name: "bounceback",
        value: ValueRule::Perhaps,
        metavariable: "",
        help: "",
    },
    flag(None, "isochronous", ""),
    OptionForm {
        letter: None,
        name: "permit-key",
        value: ValueRule::Perhaps,
        metavariable: "",
        help: "",
    },
    flag(None, "sum-only", "only the rows of all streams together"),
    flag(None, "no-udp-fin", ""),
    value(
        Some('x'),
        "reportexclude",
        "[CDMSV]",
        "accepted, without effect",
    ),
    value(Some('y'), "reportstyle", "C", "comma-separated values"),
    flag(Some('h'), "help", "print this help"),
    flag(Some('v'), "version", "print the version"),
];

/// Options that surefoot does not have; a test without them would not be what was asked for.
const MISSING: &[&str] = &[
    "ttl",
    "fileinput",
    "stdin",
    "ssm-host",
    "trip-times",
    "bounceback",
    "isochronous",
    "permit-key",
    "no-udp-fin",
];

/// How iperf 2 is used.
pub fn iperf2_help() -> String {
    format!(
        "Usage: iperf [-s|-c host] [options]\n       iperf [-h|--help] [-v|--version]\n\n{}",
        help_lines(FORMS)
    )
}

fn wrong(why: impl Into<String>) -> ImitationError {
    ImitationError::Parameter(why.into())
}

/// Reads the command line of iperf 2, without the name of the program.
pub fn read_iperf2_arguments(words: &[String]) -> Result<Iperf2Order, ImitationError> {
    let (given, rest) = read_options(FORMS, words)?;
    let has = |name: &str| given.iter().any(|option| option.name == name);
    if has("help") {
        return Ok(Iperf2Order::Help);
    }
    if has("version") {
        return Ok(Iperf2Order::Version);
    }
    if let Some(word) = rest.first() {
        return Err(wrong(format!(
            "`{word}` is no option; the server is given with -c"
        )));
    }
    if let Some(missing) = given.iter().find(|option| MISSING.contains(&option.name)) {
        return Err(wrong(format!("surefoot does not have --{}", missing.name)));
    }
    let printing = printing_of(&given)?;
    match (has("server"), has("client")) {
        (true, true) => Err(wrong("cannot be both server and client")),
        (false, false) => Err(wrong("must either be a client (-c) or server (-s)")),
        (true, false) => {
            let options = server_of(&given, &printing)?;
            Ok(Iperf2Order::Server(Box::new(options), Box::new(printing)))
        }
        (false, true) => {
            let options = client_of(&given, &printing)?;
            Ok(Iperf2Order::Client(Box::new(options), Box::new(printing)))
        }
    }
}

fn printing_of(given: &[GivenOption]) -> Result<Iperf2Printing, ImitationError> {
    let has = |name: &str| given.iter().any(|option| option.name == name);
    let mut printing = Iperf2Printing {
        values: false,
        enhanced: has("enhanced"),
        unit: UnitLetter::FITTING,
        intervals: false,
        segment_size: has("print_mss"),
        log: None,
        daemon: has("daemon"),
        transport: if has("udp") {
            TransportName::Udp
        } else {
            TransportName::Tcp
        },
        port: 5001,
        window: None,
        only_sums: has("sum-only"),
    };
    for option in given {
        let text = option.value.as_deref().unwrap_or_default();
        match option.name {
            "reportstyle" => match text {
                "C" | "c" => printing.values = true,
                _ => {
                    return Err(wrong(format!(
                        "`{text}` is no style of reports; -y takes C"
                    )));
                }
            },
            "format" => {
                let letter = text.chars().next();
                printing.unit = letter.and_then(UnitLetter::from_letter).ok_or_else(|| {
                    wrong(format!(
                        "`{text}` is no format; -f takes k, m, g, a, K, M, G or A"
                    ))
                })?;
            }
            "interval" => printing.intervals = true,
            "output" => printing.log = Some(text.into()),
            "port" => printing.port = port(option)?,
            "window" => {
                printing.window = u32::try_from(bytes(option)?).ok();
                if printing.window.is_none_or(|window| window > 1 << 30) {
                    return Err(wrong("a window of more than 1G is too large (-w)"));
                }
            }
            _ => {}
        }
    }
    Ok(printing)
}

fn number<T: std::str::FromStr>(option: &GivenOption) -> Result<T, ImitationError> {
    let text = option.value.as_deref().unwrap_or_default();
    text.parse()
        .map_err(|_| wrong(format!("`{text}` is no number (--{})", option.name)))
}

/// An amount or a rate: small letters are powers of 1000, capital ones of 1024.
fn bytes(option: &GivenOption) -> Result<u64, ImitationError> {
    let text = option.value.as_deref().unwrap_or_default();
    read_amount(text, 1000.0, 1024.0).map_err(|error| wrong(format!("{error} (--{})", option.name)))
}

fn port(option: &GivenOption) -> Result<u16, ImitationError> {
    let text = option.value.as_deref().unwrap_or_default();
    text.parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| wrong(format!("`{text}` is no port (--{})", option.name)))
}

fn seconds(option: &GivenOption) -> Result<Duration, ImitationError> {
    let seconds: f64 = number(option)?;
    if !(0.0..=31_536_000.0).contains(&seconds) {
        return Err(wrong(format!(
            "{seconds} seconds are too many (--{})",
            option.name
        )));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn interval(option: &GivenOption) -> Result<Duration, ImitationError> {
    let interval = seconds(option)?;
    if !interval.is_zero() && interval < Duration::from_millis(5) {
        return Err(wrong("an interval is at least 0.005 seconds (-i)"));
    }
    Ok(interval)
}

/// An address, with the port behind a colon that iperf 2 also takes.
fn address(option: &GivenOption) -> Result<IpAddr, ImitationError> {
    let text = option.value.as_deref().unwrap_or_default();
    let without_port = text.split_once(':').filter(|(_, port)| !port.contains(':'));
    let host = without_port.map_or(text, |(host, _)| host);
    host.trim_matches(['[', ']'])
        .parse()
        .map_err(|_| wrong(format!("`{text}` is no address (-B)")))
}

fn server_of(
    given: &[GivenOption],
    printing: &Iperf2Printing,
) -> Result<ServerOptions, ImitationError> {
    let mut options = ServerOptions {
        ports: vec![printing.port],
        transport: Some(printing.transport),
        ..ServerOptions::default()
    };
    for option in given {
        match option.name {
            "bind" => options.bind = Some(address(option)?),
            "interval" => options.interval = interval(option)?,
            "singleclient" => options.one_off = true,
            _ => {}
        }
    }
    Ok(options)
}

fn client_of(
    given: &[GivenOption],
    printing: &Iperf2Printing,
) -> Result<ClientOptions, ImitationError> {
    let has = |name: &str| given.iter().any(|option| option.name == name);
    let patterns = [
        ("dualtest", TrafficPattern::BothAtOnce),
        ("tradeoff", TrafficPattern::InTurns),
        ("full-duplex", TrafficPattern::FullDuplex),
        ("reverse", TrafficPattern::Reverse),
    ];
    let mut asked = patterns.iter().filter(|(name, _)| has(name));
    let pattern = match (asked.next(), asked.next()) {
        (Some((first, _)), Some((second, _))) => {
            return Err(wrong(format!(
                "--{first} and --{second} do not go together"
            )));
        }
        (Some((_, pattern)), None) => *pattern,
        (None, _) => TrafficPattern::Forward,
    };
    let mut options = ClientOptions {
        protocol: ProtocolChoice::Iperf2,
        transport: printing.transport,
        port: Some(printing.port),
        reply_port: Some(printing.port),
        pattern,
        no_delay: has("nodelay"),
        window: printing.window,
        interval: Duration::ZERO,
        families: if has("ipv6_domain") {
            AddressFamilies::OnlyV6
        } else {
            AddressFamilies::Both
        },
        ..ClientOptions::new("")
    };
    for option in given {
        let text = option.value.as_deref().unwrap_or_default();
        match option.name {
            "client" => text.clone_into(&mut options.host),
            "bind" => options.bind = Some(address(option)?),
            "interval" => options.interval = interval(option)?,
            "bandwidth" => {
                if text.ends_with("pps") {
                    return Err(wrong("surefoot has no rate in packets (-b)"));
                }
                options.rate = Some(bytes(option)?);
            }
            "fq-rate" => options.pacing_rate = Some(bytes(option)?),
            "len" => options.block = Some(block(option, printing.transport)?),
            "mss" => {
                options.segment_size = Some(number(option)?);
                if options.segment_size > Some(32_767) {
                    return Err(wrong("a segment has at most 32767 bytes (-M)"));
                }
            }
            "tos" => {
                options.type_of_service = service_types::read_type_of_service(text)
                    .ok_or_else(|| wrong(format!("`{text}` is no type of service (-S)")))?;
            }
            "tcp-congestion" | "linux-congestion" => options.congestion = Some(text.to_owned()),
            "listenport" => options.reply_port = Some(port(option)?),
            "num" => options.length = TestLength::Bytes(bytes(option)?),
            "time" => options.length = TestLength::Time(seconds(option)?),
            "parallel" => {
                options.parallel = number(option)?;
                if !(1..=128).contains(&options.parallel) {
                    return Err(wrong("1 to 128 streams can be asked for (-P)"));
                }
            }
            _ => {}
        }
    }
    if options.host.is_empty() {
        return Err(wrong("the name of the server is empty (-c)"));
    }
    Ok(options)
}

fn block(option: &GivenOption, transport: TransportName) -> Result<u32, ImitationError> {
    let length = u32::try_from(bytes(option)?).unwrap_or(u32::MAX);
    let range = match transport {
        TransportName::Tcp => 1..=1 << 20,
        TransportName::Udp => 16..=65_507,
    };
    if range.contains(&length) {
        return Ok(length);
    }
    let (least, most) = (range.start(), range.end());
    Err(wrong(format!(
        "{length} bytes are not within {least} to {most} (-l)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Iperf2Order, ImitationError> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        read_iperf2_arguments(&words)
    }

    fn client(line: &str) -> (ClientOptions, Iperf2Printing) {
        match read(line) {
            Ok(Iperf2Order::Client(options, printing)) => (*options, *printing),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_letters_that_scripts_use() {
        let (options, printing) =
            client("-c 192.0.2.1 -u -b 10M -t 5 -i 1 -p 5300 -f m -l 1400 -P 4 -y C -e");
        assert_eq!(options.host, "192.0.2.1");
        assert_eq!(options.port, Some(5300));
        assert_eq!(options.transport, TransportName::Udp);
        assert_eq!(options.rate, Some(10_485_760));
        assert_eq!(options.length, TestLength::Time(Duration::from_secs(5)));
        assert_eq!(options.interval, Duration::from_secs(1));
        assert_eq!(options.block, Some(1400));
        assert_eq!(options.parallel, 4);
        assert!(printing.values && printing.enhanced && printing.intervals);
        let (options, _) = client("-c h -d -L 6000 -w 256k -Z reno -S 0x10 -n 1m -V");
        assert_eq!(options.pattern, TrafficPattern::BothAtOnce);
        assert_eq!(options.reply_port, Some(6000));
        assert_eq!(options.window, Some(256_000));
        assert_eq!(options.congestion.as_deref(), Some("reno"));
        assert_eq!(options.length, TestLength::Bytes(1_000_000));
        assert_eq!(options.families, AddressFamilies::OnlyV6);
        let (options, _) = client("-c h -B 192.0.2.2:6001");
        assert_eq!(options.bind, Some("192.0.2.2".parse().expect("an address")));
        let (options, _) = client("-c h -B 2001:db8::1");
        assert_eq!(
            options.bind,
            Some("2001:db8::1".parse().expect("an address"))
        );
    }

    #[test]
    fn a_server_listens_for_one_transport() {
        for (line, transport) in [
            ("-s -D", TransportName::Tcp),
            ("-s -u -i 1", TransportName::Udp),
        ] {
            let Ok(Iperf2Order::Server(options, printing)) = read(line) else {
                panic!("{line}");
            };
            assert_eq!(options.transport, Some(transport));
            assert_eq!(options.ports, [5001]);
            assert_eq!(printing.daemon, line.contains('D'));
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (line, expected) in [
            ("", "must either be a client (-c) or server (-s)"),
            ("-s -c x", "cannot be both server and client"),
            ("-c x -d -r", "--dualtest and --tradeoff do not go together"),
            ("-c x --trip-times", "surefoot does not have --trip-times"),
            ("-c x -t abc", "`abc` is no number (--time)"),
            ("-c x -p 0", "`0` is no port (--port)"),
            ("-c x -P 0", "1 to 128 streams can be asked for (-P)"),
            ("-c x -b 100pps", "surefoot has no rate in packets (-b)"),
            ("-c x -y X", "`X` is no style of reports; -y takes C"),
            ("-c x -u -l 5", "5 bytes are not within 16 to 65507 (-l)"),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert_eq!(error, format!("parameter error - {expected}"), "{line}");
        }
    }
}
