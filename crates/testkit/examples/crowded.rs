//! A crowded machine to measure on: opens sockets, loads rules, then runs a command and times it.
//!
//! `unshare -n crowded SOCKETS RULES RUNS COMMAND...` prints the seconds of each run, one a line.
//! It must be run in a network namespace of its own; it refuses the initial one.

use std::fmt::Write as _;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "crowded: {why}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<(), String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [sockets, rules, runs, program, arguments @ ..] = words.as_slice() else {
        return Err("usage: crowded SOCKETS RULES RUNS COMMAND...".to_owned());
    };
    let number = |word: &String| {
        word.parse::<usize>()
            .map_err(|_| format!("`{word}` is no number"))
    };
    let (sockets, rules, runs) = (number(sockets)?, number(rules)?, number(runs)?);
    refuse_the_initial_namespace()?;
    sh("ip link set lo up")?;
    raise_the_limit_of_open_files(sockets)?;
    load(rules)?;
    let _held = open(sockets)?;
    for _ in 0..runs {
        let begin = Instant::now();
        let status = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(|error| format!("cannot run `{program}`: {error}"))?;
        let seconds = begin.elapsed().as_secs_f64();
        // 1 means findings, which is what a crowded machine has.
        if !matches!(status.code(), Some(0 | 1)) {
            return Err(format!("`{program}` ended with {status}"));
        }
        writeln!(std::io::stdout(), "{seconds:.4}").map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A new namespace has the loopback device, and those that the kernel's tunnels add by themselves.
fn refuse_the_initial_namespace() -> Result<(), String> {
    const OWN: &[&str] = &[
        "lo", "tunl0", "sit0", "ip6tnl0", "gre0", "gretap0", "erspan0", "ip6gre0", "ip_vti0",
        "ip6_vti0", "teql0",
    ];
    let text = std::fs::read_to_string("/proc/net/dev").map_err(|error| error.to_string())?;
    let names = text
        .lines()
        .skip(2)
        .filter_map(|line| line.split(':').next());
    let others: Vec<&str> = names
        .map(str::trim)
        .filter(|name| !OWN.contains(name))
        .collect();
    if others.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "run it under `unshare -n`: this network has {}",
            others.join(", ")
        ))
    }
}

fn sh(line: &str) -> Result<(), String> {
    let status = Command::new("sh")
        .args(["-c", line])
        .status()
        .map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{line}` ended with {status}"))
    }
}

fn raise_the_limit_of_open_files(sockets: usize) -> Result<(), String> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let wanted = Some(sockets as u64 + 100);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: wanted,
            maximum: wanted,
        },
    )
    .map_err(|error| format!("cannot open {sockets} files: {error}"))
}

/// Loads a rule set of so many rules, with jumps, ports, addresses and comments.
fn load(rules: usize) -> Result<(), String> {
    let mut text = "*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:SERVICES - [0:0]\n".to_owned();
    text.push_str("-A INPUT -i lo -j ACCEPT\n-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n-A INPUT -j SERVICES\n");
    for rule in 0..rules.saturating_sub(3) {
        let (third, fourth) = (rule / 256 % 256, rule % 256);
        let port = 1024 + rule % 60000;
        let _ = writeln!(
            text,
            "-A SERVICES -s 203.0.{third}.{fourth}/32 -p tcp -m tcp --dport {port} -m comment --comment \"service {rule}\" -j ACCEPT"
        );
    }
    text.push_str("COMMIT\n");
    let mut child = Command::new("iptables-nft-restore")
        .stdin(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run iptables-nft-restore: {error}"))?;
    let mut input = child
        .stdin
        .take()
        .ok_or("iptables-nft-restore has no input")?;
    input
        .write_all(text.as_bytes())
        .map_err(|error| error.to_string())?;
    drop(input);
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err("iptables-nft-restore refused the rules".to_owned())
    }
}

/// Listens on so many ports: TCP first, what is left as UDP.
fn open(sockets: usize) -> Result<(Vec<TcpListener>, Vec<UdpSocket>), String> {
    let tcp = sockets.min(10_000);
    let failed = |error: std::io::Error| format!("cannot open a socket: {error}");
    let first = 20_000_u16;
    let ports = |count: usize| (0..count).map(move |at| first + u16::try_from(at).unwrap_or(0));
    let listeners = ports(tcp)
        .map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    let datagrams = ports(sockets - tcp)
        .map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    Ok((listeners, datagrams))
}
