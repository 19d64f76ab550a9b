//! The command line of iperf3.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::ImitationError;
use super::getopt::{GivenOption, OptionForm, ValueRule, help_lines, read_options};
use super::service_types;
use super::units::{UnitLetter, read_amount};
use crate::client::{ClientOptions, ProtocolChoice, TestLength, TrafficPattern};
use crate::server::{AddressFamilies, ServerLimits, ServerOptions};
use crate::summary::TransportName;

/// What iperf3 is asked to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Iperf3Order {
    /// Say how it is used.
    Help,
    /// Say its version.
    Version,
    /// Run a test.
    Client(Box<ClientOptions>, Box<Iperf3Printing>),
    /// Serve.
    Server(Box<ServerOptions>, Box<Iperf3Printing>),
}

/// The form of what iperf3 prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Iperf3Form {
    /// Text.
    #[default]
    Text,
    /// One document at the end.
    Document,
    /// A line of JSON for each event.
    Stream,
}

/// How iperf3 is to print, and what it does beside the test.
#[derive(Clone, Debug, PartialEq)]
pub struct Iperf3Printing {
    /// The form.
    pub form: Iperf3Form,
    /// Whether more is said.
    pub verbose: bool,
    /// The unit of rates.
    pub unit: UnitLetter,
    /// Where the output goes instead of standard output.
    pub log: Option<PathBuf>,
    /// Where the number of the process is written.
    pub pid_file: Option<PathBuf>,
    /// Whether it goes on without its terminal.
    pub daemon: bool,
    /// The server's own output is shown too.
    pub server_output: bool,
    /// Text that is repeated in the JSON.
    pub extra_data: Option<String>,
    /// The processor that this side runs on.
    pub processor: Option<usize>,
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
    value(Some('p'), "port", "PORT", "the port [5201]"),
    value(
        Some('f'),
        "format",
        "[kmgtKMGT]",
        "the unit of rates: bits or Bytes",
    ),
    value(
        Some('i'),
        "interval",
        "SECONDS",
        "the time between two reports [1]",
    ),
    value(
        Some('I'),
        "pidfile",
        "FILE",
        "write the process number to a file",
    ),
    value(Some('F'), "file", "FILE", ""),
    value(Some('A'), "affinity", "N", "run on this processor"),
    value(Some('B'), "bind", "ADDRESS", "the local address"),
    value(None, "bind-dev", "DEVICE", ""),
    flag(Some('V'), "verbose", "say more"),
    flag(Some('J'), "json", "print one JSON document"),
    flag(None, "json-stream", "print a line of JSON for each event"),
    flag(None, "json-stream-full-output", ""),
    value(None, "logfile", "FILE", "append the output to a file"),
    flag(None, "forceflush", "accepted: every line is flushed"),
    OptionForm {
        letter: None,
        name: "timestamps",
        value: ValueRule::Perhaps,
        metavariable: "FORMAT",
        help: "",
    },
    value(
        None,
        "rcv-timeout",
        "MS",
        "accepted: a silent peer is noticed within 5 s",
    ),
    value(
        None,
        "snd-timeout",
        "MS",
        "accepted: a silent peer is noticed within 5 s",
    ),
    OptionForm {
        letter: Some('d'),
        name: "debug",
        value: ValueRule::Perhaps,
        metavariable: "LEVEL",
        help: "accepted, without effect",
    },
    flag(Some('v'), "version", "print the version"),
    flag(Some('h'), "help", "print this help"),
    flag(Some('D'), "daemon", "serve in the background"),
    flag(Some('1'), "one-off", "end after one test"),
    value(
        None,
        "server-bitrate-limit",
        "RATE",
        "refuse tests that ask for more",
    ),
    value(
        None,
        "server-max-duration",
        "SECONDS",
        "refuse tests that take longer",
    ),
    value(
        None,
        "idle-timeout",
        "SECONDS",
        "accepted: the server never gets stuck",
    ),
    value(None, "rsa-private-key-path", "FILE", ""),
    value(None, "authorized-users-path", "FILE", ""),
    value(None, "time-skew-threshold", "SECONDS", ""),
    flag(None, "use-pkcs1-padding", ""),
    flag(None, "sctp", ""),
    value(Some('X'), "xbind", "NAME", ""),
    value(None, "nstreams", "NUMBER", ""),
    flag(Some('u'), "udp", "UDP instead of TCP"),
    value(
        None,
        "connect-timeout",
        "MS",
        "the time in which the server must answer",
    ),
    value(
        Some('b'),
        "bitrate",
        "RATE[/BURST]",
        "bit/s of each stream; 0 is no limit [UDP: 1M]",
    ),
    value(None, "bandwidth", "RATE", ""),
    value(
        None,
        "pacing-timer",
        "US",
        "accepted: the kernel or a sleeping timer paces",
    ),
    value(
        None,
        "fq-rate",
        "RATE",
        "let the kernel pace at so many bit/s",
    ),
    flag(None, "no-fq-socket-pacing", "accepted"),
    value(Some('t'), "time", "SECONDS", "the time to measure for [10]"),
    value(Some('n'), "bytes", "AMOUNT", "bytes to send instead"),
    value(Some('k'), "blockcount", "NUMBER", "blocks to send instead"),
    value(Some('l'), "length", "BYTES", "bytes of a block or datagram"),
    value(None, "cport", "PORT", "the local port"),
    value(Some('P'), "parallel", "NUMBER", "streams"),
    flag(Some('R'), "reverse", "the server sends"),
    flag(None, "bidir", "both send"),
    value(Some('w'), "window", "BYTES", "bytes of the socket buffers"),
    value(
        Some('C'),
        "congestion",
        "NAME",
        "the congestion control algorithm",
    ),
    value(None, "linux-congestion", "NAME", ""),
    value(Some('M'), "set-mss", "BYTES", "the maximum segment size"),
    flag(Some('N'), "no-delay", "send small segments at once"),
    flag(Some('4'), "version4", "IPv4 only"),
    flag(Some('6'), "version6", "IPv6 only"),
    value(Some('S'), "tos", "NUMBER", "the type of service, 0 to 255"),
    value(
        None,
        "dscp",
        "NUMBER|NAME",
        "the DSCP value, 0 to 63 or a name",
    ),
    value(Some('L'), "flowlabel", "NUMBER", ""),
    flag(
        Some('Z'),
        "zerocopy",
        "accepted: the kernel copies as little as it can anyway",
    ),
    value(
        Some('O'),
        "omit",
        "SECONDS",
        "the time at the start that does not count",
    ),
    value(Some('T'), "title", "TEXT", "stands before every line"),
    value(None, "extra-data", "TEXT", "is repeated in the JSON"),
    flag(None, "get-server-output", "show the server's output too"),
    flag(None, "udp-counters-64bit", "wide counters in datagrams"),
    flag(
        None,
        "repeating-payload",
        "accepted: the payload repeats anyway",
    ),
    flag(
        None,
        "dont-fragment",
        "datagrams over IPv4 are not fragmented",
    ),
    flag(
        None,
        "skip-rx-copy",
        "discard what arrives in the kernel (the default here)",
    ),
    flag(
        None,
        "gsro",
        "several datagrams in a call (the default here)",
    ),
    flag(None, "no-gsro", ""),
    flag(Some('m'), "mptcp", ""),
    value(None, "username", "NAME", ""),
    value(None, "rsa-public-key-path", "FILE", ""),
];

/// Options that surefoot does not have; a test without them would not be what was asked for.
const MISSING: &[&str] = &[
    "file",
    "bind-dev",
    "timestamps",
    "rsa-private-key-path",
    "authorized-users-path",
    "time-skew-threshold",
    "use-pkcs1-padding",
    "sctp",
    "xbind",
    "nstreams",
    "flowlabel",
    "mptcp",
    "username",
    "rsa-public-key-path",
];

const SERVER_ONLY: &[&str] = &[
    "daemon",
    "one-off",
    "server-bitrate-limit",
    "server-max-duration",
    "idle-timeout",
];

/// All that are not named are for both.
const FOR_BOTH: &[&str] = &[
    "server",
    "client",
    "port",
    "format",
    "interval",
    "pidfile",
    "bind",
    "verbose",
    "json",
    "json-stream",
    "json-stream-full-output",
    "logfile",
    "forceflush",
    "rcv-timeout",
    "snd-timeout",
    "debug",
    "version4",
    "version6",
    "affinity",
    "skip-rx-copy",
    "gsro",
    "no-gsro",
];

/// How iperf3 is used.
pub fn iperf3_help() -> String {
    format!(
        "Usage: iperf3 [-s|-c host] [options]\n       iperf3 [-h|--help] [-v|--version]\n\n{}",
        help_lines(FORMS)
    )
}

fn wrong(why: impl Into<String>) -> ImitationError {
    ImitationError::Parameter(why.into())
}

/// Reads the command line of iperf3, without the name of the program.
pub fn read_iperf3_arguments(words: &[String]) -> Result<Iperf3Order, ImitationError> {
    let (given, rest) = read_options(FORMS, words)?;
    let has = |name: &str| given.iter().any(|option| option.name == name);
    if has("help") {
        return Ok(Iperf3Order::Help);
    }
    if has("version") {
        return Ok(Iperf3Order::Version);
    }
    if let Some(word) = rest.first() {
        return Err(wrong(format!(
            "`{word}` is no option; the server is given with -c"
        )));
    }
    if let Some(missing) = given.iter().find(|option| MISSING.contains(&option.name)) {
        return Err(wrong(format!("surefoot does not have --{}", missing.name)));
    }
    let printing = Box::new(printing_of(&given)?);
    match (has("server"), has("client")) {
        (true, true) => Err(wrong("cannot be both server and client")),
        (false, false) => Err(wrong("must either be a client (-c) or server (-s)")),
        (true, false) => {
            let for_server = |name: &str| SERVER_ONLY.contains(&name) || FOR_BOTH.contains(&name);
            if given.iter().any(|option| !for_server(option.name)) {
                return Err(wrong("some option you are trying to set is client only"));
            }
            Ok(Iperf3Order::Server(Box::new(server_of(&given)?), printing))
        }
        (false, true) => {
            if given
                .iter()
                .any(|option| SERVER_ONLY.contains(&option.name))
            {
                return Err(wrong("some option you are trying to set is server only"));
            }
            Ok(Iperf3Order::Client(Box::new(client_of(&given)?), printing))
        }
    }
}

fn printing_of(given: &[GivenOption]) -> Result<Iperf3Printing, ImitationError> {
    let mut printing = Iperf3Printing {
        form: Iperf3Form::Text,
        verbose: false,
        unit: UnitLetter::FITTING,
        log: None,
        pid_file: None,
        daemon: false,
        server_output: false,
        extra_data: None,
        processor: None,
    };
    for option in given {
        let text = option.value.as_deref().unwrap_or_default();
        match option.name {
            "json" if printing.form == Iperf3Form::Text => {
                printing.form = Iperf3Form::Document;
            }
            "json-stream" => printing.form = Iperf3Form::Stream,
            "verbose" => printing.verbose = true,
            "format" => {
                let letter = text.chars().next();
                printing.unit = letter.and_then(UnitLetter::from_letter).ok_or_else(|| {
                    wrong(format!(
                        "bad format specifier `{text}` (-f); valid are k, m, g, t, K, M, G and T"
                    ))
                })?;
            }
            "logfile" => printing.log = Some(text.into()),
            "pidfile" => printing.pid_file = Some(text.into()),
            "daemon" => printing.daemon = true,
            "get-server-output" => printing.server_output = true,
            "extra-data" => printing.extra_data = Some(text.to_owned()),
            "affinity" => printing.processor = Some(processor(text)?),
            _ => {}
        }
    }
    Ok(printing)
}

/// A processor's number; the other side's, after a comma, is for its own command line.
fn processor(text: &str) -> Result<usize, ImitationError> {
    /// As many as a set of processors of the C library has.
    const ALL: usize = 1024;
    if text.contains(',') {
        return Err(wrong(format!(
            "surefoot pins its own side alone, not the server as in `-A {text}`; give the server a `-A` of its own"
        )));
    }
    let number = text.parse().ok().filter(|number| *number < ALL);
    number.ok_or_else(|| {
        wrong(format!(
            "unable to set CPU affinity: `{text}` is no processor"
        ))
    })
}

fn number<T: std::str::FromStr>(option: &GivenOption) -> Result<T, ImitationError> {
    let text = option.value.as_deref().unwrap_or_default();
    text.parse()
        .map_err(|_| wrong(format!("`{text}` is no number (--{})", option.name)))
}

fn bytes(option: &GivenOption) -> Result<u64, ImitationError> {
    amount(option, 1024.0)
}

fn rate(text: &str, option: &GivenOption) -> Result<u64, ImitationError> {
    read_amount(text, 1000.0, 1000.0).map_err(|error| wrong(format!("{error} (--{})", option.name)))
}

fn amount(option: &GivenOption, step: f64) -> Result<u64, ImitationError> {
    let text = option.value.as_deref().unwrap_or_default();
    read_amount(text, step, step).map_err(|error| wrong(format!("{error} (--{})", option.name)))
}

fn port(option: &GivenOption) -> Result<u16, ImitationError> {
    let number: u32 = number(option)?;
    u16::try_from(number)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| wrong("port number must be between 1 and 65535 inclusive"))
}

fn interval(option: &GivenOption) -> Result<Duration, ImitationError> {
    let seconds: f64 = number(option)?;
    if seconds == 0.0 {
        return Ok(super::ONE_INTERVAL);
    }
    if !(0.1..=60.0).contains(&seconds) {
        return Err(wrong(
            "invalid report interval (min = 0.1, max = 60 seconds)",
        ));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn address(option: &GivenOption) -> Result<IpAddr, ImitationError> {
    let text = option.value.as_deref().unwrap_or_default();
    text.parse()
        .map_err(|_| wrong(format!("`{text}` is no address (-B)")))
}

fn server_of(given: &[GivenOption]) -> Result<ServerOptions, ImitationError> {
    let mut options = ServerOptions {
        ports: vec![5201],
        interval: Duration::from_secs(1),
        ..ServerOptions::default()
    };
    let mut limits = ServerLimits::default();
    for option in given {
        let text = option.value.as_deref().unwrap_or_default();
        match option.name {
            "port" => options.ports = vec![port(option)?],
            "interval" => options.interval = interval(option)?,
            "bind" => options.bind = Some(address(option)?),
            "version4" => options.families = AddressFamilies::OnlyV4,
            "version6" => options.families = AddressFamilies::OnlyV6,
            "one-off" => options.one_off = true,
            "server-bitrate-limit" => {
                let text = text.split('/').next().unwrap_or_default();
                limits.rate = Some(rate(text, option)?).filter(|rate| *rate > 0);
            }
            "server-max-duration" => {
                limits.duration = Some(Duration::from_secs(number(option)?));
            }
            _ => {}
        }
    }
    options.limits = limits;
    Ok(options)
}

fn client_of(given: &[GivenOption]) -> Result<ClientOptions, ImitationError> {
    let has = |name: &str| given.iter().any(|option| option.name == name);
    let mut options = ClientOptions {
        protocol: ProtocolChoice::Iperf3,
        wide_counters: false,
        transport: if has("udp") {
            TransportName::Udp
        } else {
            TransportName::Tcp
        },
        pattern: match (has("reverse"), has("bidir")) {
            (true, true) => {
                return Err(wrong("cannot be both reverse and bidirectional"));
            }
            (true, false) => TrafficPattern::Reverse,
            (false, true) => TrafficPattern::BothAtOnce,
            (false, false) => TrafficPattern::Forward,
        },
        no_delay: has("no-delay"),
        dont_fragment: has("dont-fragment"),
        wants_server_output: has("get-server-output"),
        segmentation: !has("no-gsro"),
        steady_datagrams: false,
        ..ClientOptions::new("")
    };
    options.wide_counters = has("udp-counters-64bit");
    let mut ends = 0;
    for option in given {
        let text = option.value.as_deref().unwrap_or_default();
        match option.name {
            "client" => text.clone_into(&mut options.host),
            "port" => options.port = Some(port(option)?),
            "cport" => options.client_port = Some(port(option)?),
            "interval" => options.interval = interval(option)?,
            "bind" => options.bind = Some(address(option)?),
            "version4" => options.families = AddressFamilies::OnlyV4,
            "version6" => options.families = AddressFamilies::OnlyV6,
            "connect-timeout" => {
                options.connect_time = Some(Duration::from_millis(number(option)?));
            }
            "bitrate" | "bandwidth" => {
                let (text, burst) = text.split_once('/').unwrap_or((text, "0"));
                options.rate = Some(rate(text, option)?);
                options.burst = burst
                    .parse()
                    .ok()
                    .filter(|burst| *burst <= 1000)
                    .ok_or_else(|| wrong("invalid burst count (maximum = 1000)"))?;
            }
            "fq-rate" => options.pacing_rate = Some(rate(text, option)?),
            "time" => {
                ends += 1;
                let seconds: u64 = number(option)?;
                if seconds > 86_400 {
                    return Err(wrong("test duration too long (maximum = 86400 seconds)"));
                }
                options.length = TestLength::Time(Duration::from_secs(seconds));
            }
            "bytes" => {
                ends += 1;
                options.length = TestLength::Bytes(bytes(option)?);
            }
            "blockcount" => {
                ends += 1;
                options.length = TestLength::Blocks(bytes(option)?);
            }
            "length" => options.block = Some(block(option, has("udp"))?),
            "parallel" => {
                options.parallel = number(option)?;
                if options.parallel > 128 {
                    return Err(wrong(
                        "number of parallel streams too large (maximum = 128)",
                    ));
                }
                options.parallel = options.parallel.max(1);
            }
            "window" => {
                options.window = u32::try_from(bytes(option)?).ok();
                if options.window.is_none_or(|window| window > 512 << 20) {
                    return Err(wrong(
                        "socket buffer size too large (maximum = 536870912 bytes)",
                    ));
                }
            }
            "congestion" | "linux-congestion" => options.congestion = Some(text.to_owned()),
            "set-mss" => {
                options.segment_size = Some(number(option)?);
                if options.segment_size > Some(32_767) {
                    return Err(wrong("TCP MSS too large (maximum = 32767 bytes)"));
                }
            }
            "tos" => {
                options.type_of_service = service_types::read_type_of_service(text)
                    .ok_or_else(|| wrong("bad TOS value (must be between 0 and 255 inclusive)"))?;
            }
            "dscp" => {
                options.type_of_service = service_types::read_dscp(text)
                    .ok_or_else(|| wrong("bad DSCP value (must be between 0 and 63 inclusive)"))?;
            }
            "omit" => {
                let seconds: u64 = number(option)?;
                if seconds > 600 {
                    return Err(wrong("bogus value for --omit"));
                }
                options.omit = Duration::from_secs(seconds);
            }
            "title" => options.title = Some(text.to_owned()),
            _ => {}
        }
    }
    if ends > 1 {
        return Err(wrong(
            "only one test end condition (-t, -n, -k) may be specified",
        ));
    }
    Ok(options)
}

fn block(option: &GivenOption, udp: bool) -> Result<u32, ImitationError> {
    let length = u32::try_from(bytes(option)?).unwrap_or(u32::MAX);
    if udp && !(16..=65_507).contains(&length) {
        return Err(wrong(
            "block size invalid (minimum = 16 bytes, maximum = 65507 bytes)",
        ));
    }
    if length > 1 << 20 {
        return Err(wrong("block size too large (maximum = 1048576 bytes)"));
    }
    Ok(length.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Iperf3Order, ImitationError> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        read_iperf3_arguments(&words)
    }

    fn client(line: &str) -> ClientOptions {
        match read(line) {
            Ok(Iperf3Order::Client(options, _)) => *options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_letters_that_scripts_use() {
        let options = client("-c 192.0.2.1 -u -b 10M -t 5 -P 4 -R -i 0.5 -l 1400 -p 5300 -f m -O2");
        assert_eq!(options.host, "192.0.2.1");
        assert_eq!(options.port, Some(5300));
        assert_eq!(options.transport, TransportName::Udp);
        assert_eq!(options.rate, Some(10_000_000));
        assert_eq!(options.length, TestLength::Time(Duration::from_secs(5)));
        assert_eq!(options.parallel, 4);
        assert_eq!(options.pattern, TrafficPattern::Reverse);
        assert_eq!(options.interval, Duration::from_millis(500));
        assert_eq!(options.block, Some(1400));
        assert_eq!(options.omit, Duration::from_secs(2));
        let options = client("--client h --bitrate=1G/10 -S 0x10 -w 256K -n 1M");
        assert_eq!(options.burst, 10);
        assert_eq!(options.type_of_service, 16);
        assert_eq!(options.window, Some(262_144));
        assert_eq!(options.length, TestLength::Bytes(1 << 20));
        assert_eq!(client("-c h --dscp ef").type_of_service, 46 << 2);
    }

    #[test]
    fn a_server_is_set_up_as_asked() {
        let Ok(Iperf3Order::Server(options, printing)) =
            read("-s -D -1 -p 5300 -B 192.0.2.1 --logfile x -I y --server-bitrate-limit 1G/5")
        else {
            panic!("a server");
        };
        assert_eq!(options.ports, [5300]);
        assert!(options.one_off);
        assert_eq!(options.limits.rate, Some(1_000_000_000));
        assert!(printing.daemon);
        assert_eq!(printing.log, Some("x".into()));
        assert_eq!(printing.pid_file, Some("y".into()));
    }

    #[test]
    fn errors_are_those_of_the_original() {
        for (line, expected) in [
            ("", "must either be a client (-c) or server (-s)"),
            ("-s -c x", "cannot be both server and client"),
            ("-s -R", "some option you are trying to set is client only"),
            (
                "-c x -1",
                "some option you are trying to set is server only",
            ),
            (
                "-c x -P 200",
                "number of parallel streams too large (maximum = 128)",
            ),
            (
                "-c x -l 99M",
                "block size too large (maximum = 1048576 bytes)",
            ),
            (
                "-c x -u -l 4",
                "block size invalid (minimum = 16 bytes, maximum = 65507 bytes)",
            ),
            (
                "-c x -R --bidir",
                "cannot be both reverse and bidirectional",
            ),
            (
                "-c x -i 0.01",
                "invalid report interval (min = 0.1, max = 60 seconds)",
            ),
            (
                "-c x -t 5 -n 5",
                "only one test end condition (-t, -n, -k) may be specified",
            ),
            ("-c x --sctp", "surefoot does not have --sctp"),
            ("-c x -t abc", "`abc` is no number (--time)"),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert_eq!(error, format!("parameter error - {expected}"), "{line}");
        }
        assert_eq!(
            read("-Q").expect_err("no option").to_string(),
            "invalid option -- 'Q'"
        );
    }
}
