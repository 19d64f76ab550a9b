//! `surefoot` called as iperf or iperf3, beside that program itself: the same lines, numbers apart.

mod common;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use surefoot_testkit::Namespace;

/// Where a pair of programs runs.
fn network() -> Namespace {
    let namespace = Namespace::new().expect("root, or unshare -Urnm");
    namespace
        .run(&["ip", "link", "set", "lo", "up"])
        .expect("ip");
    namespace
}

/// What a program printed, and its exit status.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Printed {
    text: String,
    errors: String,
    status: Option<i32>,
}

fn start(network: &Namespace, program: &Path, words: &str) -> Child {
    network
        .within(|| {
            Command::new(program)
                .args(words.split_whitespace())
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        })
        .expect("the program of a Debian package")
}

/// Waits for the end of a program, and ends it if it takes too long.
fn finish(mut child: Child, words: &str) -> Printed {
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait().expect("it can be waited for").is_none() {
        if Instant::now() > end {
            child.kill().expect("it is ours");
            child.wait().expect("it ends");
            panic!("`{words}` does not end within 20 s");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut text = String::new();
    let mut errors = String::new();
    let stdout = child.stdout.as_mut().expect("a pipe");
    stdout.read_to_string(&mut text).expect("text");
    let stderr = child.stderr.as_mut().expect("a pipe");
    stderr.read_to_string(&mut errors).expect("text");
    let status = child.wait().expect("it ended").code();
    Printed {
        text,
        errors,
        status,
    }
}

/// Waits until something listens on a port of TCP.
fn wait_for_listener(network: &Namespace, port: u16) {
    let end = Instant::now() + Duration::from_secs(10);
    let wanted = format!("sport = :{port}");
    loop {
        let sockets = network.run(&["ss", "-Hltun", &wanted]).expect("ss");
        if !sockets.trim().is_empty() {
            return;
        }
        assert!(Instant::now() < end, "nothing listens on {port}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Numbers, units and blanks that vary from run to run, and the program's own name for itself.
fn masked(text: &str) -> Vec<String> {
    let mask = |line: &str| {
        let line = line.trim_start_matches("      ");
        if line.starts_with("Cookie: ") {
            return "Cookie".to_owned();
        }
        let line = line.replace(&format!(" (surefoot {})", env!("CARGO_PKG_VERSION")), "");
        let mut out = String::new();
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            let digits = word.chars().any(|char| char.is_ascii_digit());
            let unit = ["Bytes", "Byte", "bits/sec"]
                .iter()
                .find(|unit| word.ends_with(*unit));
            if digits && !word.starts_with('[') && !word.ends_with(']') {
                let kept = word
                    .chars()
                    .filter(|char| !char.is_ascii_digit() && *char != '.');
                out.extend(kept);
                out.push('#');
            } else if let Some(unit) = unit {
                out.push_str(unit);
            } else {
                out.push_str(word);
            }
            out.push(' ');
        }
        out
    };
    text.lines().map(mask).collect()
}

/// A folder with links to `surefoot` that bear the name of a program.
fn links() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    for name in ["iperf", "iperf3"] {
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_surefoot"), folder.path().join(name))
            .expect("a link");
    }
    folder
}

/// Runs a server and a client of one kind; what both printed.
fn pair(program: &Path, server: &str, client: &str) -> (Printed, Printed) {
    let network = network();
    let serving = start(&network, program, server);
    wait_for_listener(&network, 5201);
    let measuring = start(&network, program, client);
    let client = finish(measuring, client);
    (client, finish(serving, server))
}

const CASES: &[&str] = &[
    "",
    "-R",
    "-P 2",
    "--bidir -P 2",
    "-u -b 10M",
    "-u -b 10M -R",
    "-u -b 10M --bidir",
    "-u -b 10M -P 2",
    "-O 1",
    "-V",
    "-T hello",
    "-f m",
    "-f K",
    "-i 0",
    "-i .5",
    "--get-server-output",
];

#[test]
fn text_is_that_of_iperf3_line_by_line() {
    let links = links();
    let ours = links.path().join("iperf3");
    std::thread::scope(|scope| {
        for case in CASES {
            let ours = ours.clone();
            scope.spawn(move || {
                // At a rate that leaves time for all the other pairs.
                let client = format!("-c 127.0.0.1 -t 1 -b 20M {case}");
                let theirs = pair(&PathBuf::from("iperf3"), "-s -1 -4", &client);
                let ours = pair(&ours, "-s -1 -4", &client);
                assert_eq!(ours.0.errors, "", "{case}");
                assert_eq!((ours.0.status, ours.1.status), (Some(0), Some(0)), "{case}");
                assert_eq!(
                    without_races(&ours.0.text),
                    without_races(&theirs.0.text),
                    "the client, {case}\n{}\n{}",
                    ours.0.text,
                    theirs.0.text
                );
                assert_eq!(
                    without_races(&ours.1.text),
                    without_races(&theirs.1.text),
                    "the server, {case}\n{}\n{}",
                    ours.1.text,
                    theirs.1.text
                );
            });
        }
    });
}

/// The lines without those that iperf3 prints in one run and not in another: the row of the last
/// milliseconds at the server and the rule before it, and the heading of columns for what it sends
/// where it sends nothing.
fn without_races(text: &str) -> String {
    let lines = text.lines().filter(|line| {
        let times = line.split_whitespace().find(|word| {
            word.split_once('-').is_some_and(|(start, end)| {
                start.parse::<f64>().is_ok() && end.parse::<f64>().is_ok()
            })
        });
        let Some((start, _)) = times.and_then(|word| word.split_once('-')) else {
            return !line.starts_with("- - -") && !line.ends_with("CPU");
        };
        let summed = line.ends_with("sender") || line.ends_with("receiver");
        summed || start.parse::<f64>().is_ok_and(|start| start < 0.99)
    });
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    let text = lines.join("\n");
    let text = text.replace("         Retr  Cwnd", "");
    masked(&text)
        .into_iter()
        .filter(|line| !line.starts_with("CPU Utilization"))
        .map(|line| socket_numbers_apart(&line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The numbers of sockets depend on what else a program has open.
fn socket_numbers_apart(line: &str) -> String {
    let words = line.split(' ').map(|word| match word.strip_suffix(']') {
        Some(number) if number.parse::<u32>().is_ok() => "#]",
        _ => word,
    });
    let roles = words.map(|word| match word.split_once("][") {
        Some((number, role)) if number.parse::<u32>().is_ok() => format!("#][{role}"),
        _ => word.to_owned(),
    });
    roles.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_failure_has_status_1_and_the_words_that_scripts_look_for() {
    let links = links();
    let network = network();
    let ours = links.path().join("iperf3");
    for (words, expected) in [
        (
            "-c 127.0.0.1",
            "iperf3: error - unable to connect to server: Connection refused\n",
        ),
        (
            "-s -c x",
            "iperf3: parameter error - cannot be both server and client\n",
        ),
        ("-Q", "iperf3: invalid option -- 'Q'\n"),
        (
            "-c x --sctp",
            "iperf3: parameter error - surefoot does not have --sctp\n",
        ),
    ] {
        let printed = finish(start(&network, &ours, words), words);
        assert_eq!(
            (printed.status, printed.text.as_str()),
            (Some(1), ""),
            "{words}"
        );
        assert!(
            printed.errors.starts_with(expected),
            "{words}: {}",
            printed.errors
        );
    }
    for words in ["-c 127.0.0.1 -J", "-c 127.0.0.1 --json-stream"] {
        let printed = finish(start(&network, &ours, words), words);
        assert_eq!(
            (printed.status, printed.errors.as_str()),
            (Some(1), ""),
            "{words}"
        );
        let wanted = "unable to connect to server: Connection refused";
        assert!(printed.text.contains(wanted), "{words}: {}", printed.text);
    }
}

#[test]
fn the_stream_of_json_has_one_event_a_line() {
    let links = links();
    let ours = links.path().join("iperf3");
    let words = "-c 127.0.0.1 -t 1 -i .5 --json-stream";
    let (client, server) = pair(&ours, "-s -1 --json-stream", words);
    for (who, printed) in [("client", client), ("server", server)] {
        let names: Vec<String> = printed
            .text
            .lines()
            .map(|line| {
                let event: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
                event["event"].as_str().expect("it has a name").to_owned()
            })
            .collect();
        assert!(
            names.len() >= 3
                && names[0] == "start"
                && names[1] == "interval"
                && names.last().is_some_and(|name| name == "end"),
            "{who}: {names:?}"
        );
    }
}

#[test]
fn the_option_as_does_what_a_link_does() {
    let ran = common::run(&["throughput", "--as", "iperf3", "--", "-v"]);
    assert_eq!(ran.status, 0);
    assert!(ran.out.starts_with("iperf 3.12 (surefoot "), "{}", ran.out);
    let ran = common::run(&["throughput", "--as", "iperf3", "--", "-c", "x", "-P", "200"]);
    assert_eq!(ran.status, 1);
    let wanted = "iperf3: parameter error - number of parallel streams too large (maximum = 128)\n";
    assert!(ran.err.starts_with(wanted), "{}", ran.err);
}

/// Runs a server of iperf 2 in a network of its own and a client; ends the server. What both printed.
fn pair_of_iperf2(program: &Path, server: &str, client: &str) -> (Printed, Printed) {
    let network = network();
    let mut serving = start(&network, program, server);
    wait_for_listener(&network, 5001);
    let measuring = start(&network, program, client);
    let client = finish(measuring, client);
    // The server prints the last row a moment after the client has ended.
    std::thread::sleep(Duration::from_millis(400));
    serving.kill().expect("it is ours");
    let mut text = String::new();
    let stdout = serving.stdout.as_mut().expect("a pipe");
    stdout.read_to_string(&mut text).expect("text");
    serving.wait().expect("it ended");
    let server = Printed {
        text,
        errors: String::new(),
        status: None,
    };
    (client, server)
}

/// The masked lines of iperf 2, in an order of their own: streams that run at once print as they come.
fn sorted(text: &str, values: bool) -> String {
    let lines = text.lines().filter(|line| {
        // What depends on the run.
        !line.contains("received out-of-order") && !is_rest(line)
    });
    let lines = lines.map(|line| match line.split_once(" (icwnd/mss/irtt=") {
        Some((line, _)) => line.to_owned(),
        None => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let mut lines: Vec<String> = if values {
        text.lines()
            .map(|line| format!("{} values", line.split(',').count()))
            .collect()
    } else {
        masked(&text)
            .iter()
            .map(|line| socket_numbers_apart(line))
            .collect()
    };
    lines.sort();
    // Threads that print at the same moment may both print the heading.
    lines.dedup_by(|one, other| one == other && one.starts_with("[ ID]"));
    lines.join("\n")
}

/// Whether a row is of what is left after the last whole interval: some runs have one.
fn is_rest(line: &str) -> bool {
    let mut times = line
        .split([' ', ','])
        .filter_map(|word| word.split_once('-'));
    times.any(
        |(start, end)| match (start.parse::<f64>(), end.parse::<f64>()) {
            (Ok(start), Ok(_)) => start > 0.79,
            _ => false,
        },
    )
}

const CASES_OF_IPERF2: &[(&str, &str)] = &[
    ("", ""),
    ("-i .4", "-i .4"),
    ("", "-R"),
    ("", "-P 2"),
    ("", "-d -L 5002"),
    ("", "-r -L 5002"),
    ("", "--full-duplex"),
    ("", "-f m"),
    ("", "-f K"),
    ("", "-n 1M"),
    ("-u", "-u"),
    ("-u", "-u -b 10M -i .4"),
    ("-u", "-u -R"),
    ("-u", "-u -P 2"),
    ("-y C", "-y C -i .4"),
    ("-u -y C", "-u -y C -i .4"),
];

#[test]
fn text_is_that_of_iperf_line_by_line() {
    let links = links();
    let ours = links.path().join("iperf");
    std::thread::scope(|scope| {
        for (server, client) in CASES_OF_IPERF2 {
            let ours = ours.clone();
            scope.spawn(move || {
                let (server, client) = (
                    format!("-s {server}"),
                    format!("-c 127.0.0.1 -t 1 -b 20M {client}"),
                );
                let theirs = pair_of_iperf2(&PathBuf::from("iperf"), &server, &client);
                let ours = pair_of_iperf2(&ours, &server, &client);
                assert_eq!(
                    (ours.0.status, ours.0.errors.as_str()),
                    (Some(0), ""),
                    "{client}"
                );
                let values = client.contains("-y");
                assert_eq!(
                    sorted(&ours.0.text, values),
                    sorted(&theirs.0.text, values),
                    "the client, {client}\n{}\n{}",
                    ours.0.text,
                    theirs.0.text
                );
                // Where the server connects back, ours says so when all is over.
                if client.contains("-L") {
                    return;
                }
                assert_eq!(
                    sorted(&ours.1.text, values),
                    sorted(&theirs.1.text, values),
                    "the server, {client}\n{}\n{}",
                    ours.1.text,
                    theirs.1.text
                );
            });
        }
    });
}

#[test]
fn a_bare_connection_gives_the_row_that_scripts_wait_for() {
    let links = links();
    let network = network();
    let mut serving = start(&network, &links.path().join("iperf"), "-s");
    wait_for_listener(&network, 5001);
    network
        .within(|| std::net::TcpStream::connect("127.0.0.1:5001").map(drop))
        .expect("a connection");
    std::thread::sleep(Duration::from_millis(300));
    serving.kill().expect("it is ours");
    let mut text = String::new();
    let stdout = serving.stdout.as_mut().expect("a pipe");
    stdout.read_to_string(&mut text).expect("text");
    serving.wait().expect("it ended");
    assert!(text.contains("sec  0.00 Bytes  0.00 bits/sec\n"), "{text}");
}

#[test]
fn failures_of_iperf_have_status_1_too() {
    let links = links();
    let network = network();
    let ours = links.path().join("iperf");
    for (words, expected) in [
        ("-c 127.0.0.1", "tcp connect failed: Connection refused\n"),
        ("-c nosuch.invalid", "nosuch.invalid: Unknown host\n"),
        ("-Q", "iperf: invalid option -- 'Q'\n"),
        (
            "-c x --trip-times",
            "iperf: parameter error - surefoot does not have --trip-times\n",
        ),
    ] {
        let printed = finish(start(&network, &ours, words), words);
        assert_eq!(
            (printed.status, printed.text.as_str()),
            (Some(1), ""),
            "{words}"
        );
        assert!(
            printed.errors.starts_with(expected),
            "{words}: {}",
            printed.errors
        );
    }
}

/// Ends what listens on a port there.
fn end_what_listens(network: &Namespace, port: u16) {
    let wanted = format!("sport = :{port}");
    let sockets = network.run(&["ss", "-Hltunp", &wanted]).expect("ss");
    let pid = sockets
        .split_once("pid=")
        .and_then(|(_, rest)| rest.split([',', ')']).next())
        .expect("it has a process");
    network.run(&["kill", pid]).expect("kill");
}

#[test]
fn a_daemon_serves_when_the_first_process_has_ended() {
    let links = links();
    let log = links.path().join("log");
    let shown = log.display();
    for (name, port, words) in [
        ("iperf3", 5201, format!("-s -D --logfile {shown}")),
        ("iperf", 5001, format!("-s -D -o {shown}")),
    ] {
        let network = network();
        let program = links.path().join(name);
        let printed = finish(start(&network, &program, &words), &words);
        assert_eq!(
            (printed.status, printed.text.as_str()),
            (Some(0), ""),
            "{name}"
        );
        let client = finish(start(&network, &program, "-c 127.0.0.1 -n 1K"), "-n 1K");
        assert_eq!(client.status, Some(0), "{client:?}");
        // A second one finds the port taken, and says so where it was started.
        let second = finish(start(&network, &program, &words), &words);
        assert_eq!(second.status, Some(1), "{name}");
        assert!(second.errors.contains("ddress"), "{second:?}");
        let end = Instant::now() + Duration::from_secs(5);
        while !std::fs::read_to_string(&log).is_ok_and(|text| text.contains("/sec")) {
            assert!(Instant::now() < end, "{name}: no row in the log");
            std::thread::sleep(Duration::from_millis(20));
        }
        end_what_listens(&network, port);
        std::fs::remove_file(&log).expect("the log");
    }
}

/// Runs a program, sends it a signal once it is under way, and gives what it said.
fn signalled(network: &Namespace, program: &Path, words: &str, signal: &str) -> Printed {
    let child = start(network, program, words);
    let pid = child.id().to_string();
    if words.contains("-s") {
        let port = if words.contains("5001") { 5001 } else { 5201 };
        wait_for_listener(network, port);
        // It takes its signals right after it listens.
        std::thread::sleep(Duration::from_millis(300));
    } else {
        std::thread::sleep(Duration::from_millis(1300));
    }
    let sent = Command::new("kill").args(["-s", signal, &pid]).status();
    assert!(
        sent.is_ok_and(|status| status.success()),
        "kill -s {signal} {pid}"
    );
    finish(child, words)
}

#[test]
fn a_server_that_is_ended_by_a_signal_says_so_as_iperf3_does() {
    let links = links();
    let ours = links.path().join("iperf3");
    for (words, signal) in [
        ("-s", "INT"),
        ("-s", "TERM"),
        ("-s", "HUP"),
        ("-s -J", "INT"),
    ] {
        let real = signalled(&network(), Path::new("iperf3"), words, signal);
        let said = signalled(&network(), &ours, words, signal);
        assert_eq!(
            (said.status, real.status),
            (Some(1), Some(1)),
            "{words}, {signal}"
        );
        assert_eq!(said.errors, real.errors, "{words}, {signal}");
        if words == "-s" {
            assert_eq!(masked(&said.text), masked(&real.text), "{words}, {signal}");
        } else {
            let json = |printed: &Printed| -> serde_json::Value {
                serde_json::from_str(&printed.text).expect("JSON")
            };
            let (said, real) = (json(&said), json(&real));
            for key in ["error", "intervals", "end"] {
                assert_eq!(said[key], real[key], "{key}");
            }
            assert_eq!(said["start"]["connected"], real["start"]["connected"]);
        }
    }
    // iperf ends in silence and with status 0.
    let ours = links.path().join("iperf");
    for signal in ["INT", "TERM"] {
        let said = signalled(&network(), &ours, "-s -p 5001", signal);
        assert_eq!(
            (said.status, said.errors.as_str()),
            (Some(0), ""),
            "{signal}"
        );
    }
}

#[test]
fn a_client_that_is_terminated_tells_what_was_measured() {
    let links = links();
    for (program, server, client) in [
        ("iperf3", "-s -1", "-c 127.0.0.1 -t 20 -b 8M"),
        ("iperf", "-s -p 5001", "-c 127.0.0.1 -p 5001 -t 20 -b 8M"),
    ] {
        let network = network();
        let mut served = start(&network, Path::new(program), server);
        wait_for_listener(&network, if program == "iperf" { 5001 } else { 5201 });
        let said = signalled(&network, &links.path().join(program), client, "TERM");
        let _ = served.kill();
        let _ = served.wait();
        let rows = said
            .text
            .lines()
            .filter(|line| line.contains("Mbits/sec"))
            .count();
        let status = Some(i32::from(program == "iperf3"));
        assert!(said.status == status && rows > 0, "{said:?}");
        if program == "iperf3" {
            assert_eq!(
                said.errors,
                "iperf3: interrupt - the client has terminated\n"
            );
            let zero = said.text.lines().find(|line| line.ends_with("receiver"));
            assert!(
                zero.is_some_and(|line| line.contains("0.00 Bytes")),
                "{said:?}"
            );
        }
    }
}

#[test]
fn a_side_runs_on_the_processor_that_is_asked_for() {
    let links = links();
    let ours = links.path().join("iperf3");
    let network = network();
    let mut server = start(&network, &ours, "-s -A 0");
    wait_for_listener(&network, 5201);
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.id())).expect("it runs");
    for thread in threads.flatten() {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let allowed = status
            .lines()
            .find(|line| line.starts_with("Cpus_allowed_list:"));
        let allowed = allowed.and_then(|line| line.split_whitespace().nth(1));
        assert_eq!(allowed, Some("0"), "{status}");
    }
    let words = "-c 127.0.0.1 -A 0 -n 100K";
    let said = finish(start(&network, &ours, words), words);
    let _ = server.kill();
    let _ = server.wait();
    assert_eq!((said.status, said.errors.as_str()), (Some(0), ""));
    for (words, why) in [
        ("-c 127.0.0.1 -A 1023", "unable to set CPU affinity"),
        ("-c 127.0.0.1 -A many", "unable to set CPU affinity"),
        ("-c 127.0.0.1 -A 0,1", "of its own"),
    ] {
        let said = finish(start(&network, &ours, words), words);
        assert!(
            said.status == Some(1) && said.errors.contains(why),
            "{words}: {said:?}"
        );
    }
}
