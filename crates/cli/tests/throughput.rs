//! The forms in which `surefoot throughput` answers, over a network of their own.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use surefoot_testkit::Namespace;

/// A server in a network of its own.
struct Measured {
    network: Namespace,
    server: Child,
}

impl Measured {
    fn new(more: &[&str]) -> Self {
        let network = Namespace::new().expect("root, or unshare -Urnm");
        network.run(&["ip", "link", "set", "lo", "up"]).expect("ip");
        let words = [&["throughput", "server", "--format", "json"], more].concat();
        let server = start(&network, &words);
        let end = Instant::now() + Duration::from_secs(10);
        let listens = || {
            let sockets = network.run(&["ss", "-Hltn", "sport = :5201"]);
            !sockets.expect("ss").trim().is_empty()
        };
        while !listens() {
            assert!(Instant::now() < end, "the server does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { network, server }
    }

    /// Runs a client; its answer.
    fn client(&self, more: &[&str]) -> String {
        let words = [&["throughput", "client", "127.0.0.1"], more].concat();
        let output = start(&self.network, &words)
            .wait_with_output()
            .expect("it ends");
        let ran = common::ran(output);
        assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{more:?}");
        ran.out
    }

    /// Ends the server; what it printed.
    fn end(mut self) -> String {
        // Its last line may be on its way.
        std::thread::sleep(Duration::from_millis(300));
        self.server.kill().expect("it is ours");
        let mut text = String::new();
        let stdout = self.server.stdout.as_mut().expect("a pipe");
        stdout.read_to_string(&mut text).expect("text");
        self.server.wait().expect("it ended");
        text
    }
}

impl Drop for Measured {
    /// A test that fails leaves no server behind.
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn start(network: &Namespace, words: &[&str]) -> Child {
    network
        .within(|| {
            Command::new(env!("CARGO_BIN_EXE_surefoot"))
                .args(words)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        })
        .expect("the program")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Where a value is not as the schema says; only the words that our schemas use.
fn breach(schema: &Value, root: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(target) = schema["$ref"].as_str() {
        let target = root.pointer(&target[1..]).expect("a definition");
        return breach(target, root, value, at);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let is = |wanted: &Value| wanted == kind || (wanted == "number" && kind == "integer");
    let fits = match &schema["type"] {
        Value::Null => true,
        Value::Array(kinds) => kinds.iter().any(is),
        one => is(one),
    };
    if !fits {
        return Some(format!("{at} is {kind}, not {}", schema["type"]));
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
    {
        return Some(format!("{at} is {value}"));
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        return Some(format!("{at} is {value}"));
    }
    if let Value::Object(keys) = value {
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            if !keys.contains_key(name) {
                return Some(format!("{at} lacks {name}"));
            }
        }
        let known = schema["properties"].as_object().expect("properties");
        for (name, value) in keys {
            let at = format!("{at}.{name}");
            let Some(schema) = known.get(name) else {
                return Some(format!("{at} is not in the schema"));
            };
            if let Some(found) = breach(schema, root, value, &at) {
                return Some(found);
            }
        }
    }
    let items = value.as_array().into_iter().flatten().enumerate();
    let mut found = items.filter_map(|(place, value)| {
        breach(&schema["items"], root, value, &format!("{at}[{place}]"))
    });
    found.next()
}

#[test]
fn the_schema_describes_what_both_sides_print() {
    let schema = json(&common::run(&["throughput", "client", "--schema"]).out);
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/throughput.json");
    let published = std::fs::read_to_string(published).expect("the published one");
    assert_eq!(schema, json(&published));
    let measured = Measured::new(&[]);
    for more in [
        &["-t", "1"][..],
        &["-t", "1", "-u", "-b", "1M", "--bidir"],
        &["-t", "1", "-b", "10M", "--iperf2", "-r"],
        &["-n", "1K", "-R"],
    ] {
        let words = [more, &["--format", "json"]].concat();
        let answer = json(&measured.client(&words));
        assert_eq!(breach(&schema, &schema, &answer, ""), None, "{more:?}");
    }
    let lines = measured.end();
    assert_eq!(lines.lines().count(), 4, "{lines}");
    for line in lines.lines() {
        let found = breach(&schema["$defs"]["test"], &schema, &json(line), "");
        assert_eq!(found, None, "{line}");
    }
    // It can fail.
    assert!(breach(&schema, &schema, &json(r#"{"version":2}"#), "").is_some());
}

#[test]
fn values_lines_of_json_metrics_and_a_plot() {
    let measured = Measured::new(&[]);
    let values = measured.client(&["-t", "1", "-y", "C", "-b", "10M", "-i", "0.4"]);
    for line in values.lines() {
        let parts: Vec<&str> = line.split(',').collect();
        assert_eq!((parts.len(), parts[0].len()), (9, 14), "{values}");
    }
    assert!(values.lines().count() >= 3, "{values}");
    let stream = measured.client(&["-t", "1", "--json-stream", "-b", "10M"]);
    let names: Vec<Value> = stream
        .lines()
        .map(|line| json(line)["event"].clone())
        .collect();
    // A machine that is busy may add an interval of a moment.
    assert_eq!(names[..2], ["start", "interval"], "{stream}");
    assert_eq!(
        names.last().map(|name| name == "end"),
        Some(true),
        "{stream}"
    );
    let metrics = measured.client(&["-t", "1", "--format", "openmetrics", "-b", "10M"]);
    assert!(metrics.ends_with("\n# EOF\n"), "{metrics}");
    let wanted = "surefoot_throughput_bits_per_second{server=\"127.0.0.1:5201\",transport=\"tcp\",\
                  direction=\"to_server\"} ";
    assert!(metrics.contains(wanted), "{metrics}");
    let plot = measured.client(&["-t", "1", "--plot", "-b", "10M"]);
    assert!(plot.lines().any(|line| line.ends_with('█')), "{plot}");
    measured.end();
}

#[test]
fn a_page_is_written_and_refused_before_the_test() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let page = folder.path().join("test.html");
    let shown = page.display().to_string();
    let measured = Measured::new(&[]);
    measured.client(&["-t", "1", "-b", "10M", "-i", "0.4", "--html", &shown]);
    let text = std::fs::read_to_string(&page).expect("the page");
    assert!(text.starts_with("<!doctype html>") && text.ends_with("</html>\n"));
    assert!(text.matches("<circle").count() >= 4, "{text}");
    measured.end();
    let ran = common::run(&[
        "throughput",
        "client",
        "192.0.2.1",
        "--html",
        "/nowhere/x.html",
    ]);
    assert_eq!(ran.status, 2);
    let wanted = "error: cannot write /nowhere/x.html (--html)\n";
    assert!(ran.err.starts_with(wanted), "{}", ran.err);
}

#[test]
fn a_server_gives_its_metrics_and_refuses_who_is_not_allowed() {
    let more = ["--metrics", "127.0.0.1:9201", "--allow", "192.0.2.0/24"];
    let measured = Measured::new(&more);
    let refused = start(
        &measured.network,
        &["throughput", "client", "127.0.0.1", "-n", "1K"],
    );
    let ran = common::ran(refused.wait_with_output().expect("it ends"));
    assert_eq!(ran.status, 2);
    let wanted = "error: the server at 127.0.0.1:5201 ends the test: the server does not serve this \
                  client: its address is not allowed there";
    assert!(ran.err.starts_with(wanted), "{}", ran.err);
    // iperf3 has one sentence for it.
    let iperf3 = measured.network.run(&["iperf3", "-c", "127.0.0.1"]);
    let error = iperf3.expect_err("refused").to_string();
    assert!(error.contains("test authorization failed"), "{error}");
    let mut stream = measured
        .network
        .within(|| TcpStream::connect("127.0.0.1:9201"))
        .expect("the port of the metrics");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a time");
    stream
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let wanted = "\nsurefoot_throughput_server_turned_away_total ";
    let count = answer
        .split(wanted)
        .nth(1)
        .and_then(|rest| rest.lines().next());
    assert!(count.is_some_and(|count| count != "0"), "{answer}");
    measured.end();
}

#[test]
fn the_unit_file_is_the_one_that_is_shipped() {
    let ran = common::run(&["throughput", "server", "--unit"]);
    assert_eq!(ran.status, 0);
    assert!(
        ran.out
            .contains("\nExecStart=/usr/local/bin/surefoot throughput server ")
    );
    assert!(ran.out.contains("\nDynamicUser=yes\n"));
}

/// Interrupts a client as Ctrl-C does, once it has run for a while.
fn interrupted(network: &Namespace, words: &[&str]) -> common::Ran {
    let mut child = start(network, words);
    // Its streams are there when the kernel has connections of it; then it measures.
    let end = Instant::now() + Duration::from_secs(10);
    let pid = child.id().to_string();
    let is_measuring = || {
        let sockets = network.run(&["ss", "-Htnp", "state", "established"]);
        let sockets = sockets.expect("ss");
        let ours = sockets
            .lines()
            .filter(|line| line.contains(&format!("pid={pid},")));
        // The streams of iperf 2 have no connection beside them, and UDP has none of its own.
        let one = words.contains(&"--iperf2") || words.contains(&"-u");
        ours.count() >= if one { 1 } else { 2 }
    };
    while !is_measuring() {
        assert!(Instant::now() < end, "{words:?} does not measure");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(700));
    let status = Command::new("kill").args(["-s", "INT", &pid]).status();
    assert!(status.expect("kill is there").success());
    let end = Instant::now() + Duration::from_secs(10);
    while child.try_wait().expect("a child").is_none() {
        assert!(Instant::now() < end, "{words:?} does not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    common::ran(child.wait_with_output().expect("it has ended"))
}

#[test]
fn an_interrupt_tells_what_was_measured() {
    let measured = Measured::new(&[]);
    let words = |more: &[&'static str]| {
        [
            &["throughput", "client", "127.0.0.1", "-t", "60", "-b", "50M"],
            more,
        ]
        .concat()
    };
    for more in [
        [].as_slice(),
        &["-R"],
        &["-u"],
        &["--iperf2"],
        &["--iperf2", "-R"],
    ] {
        let ran = interrupted(&measured.network, &words(more));
        assert_eq!(ran.status, 1, "{more:?}: {ran:?}");
        assert!(ran.err.contains("interrupted: "), "{more:?}: {ran:?}");
        let who = if more.contains(&"-R") {
            "receiver"
        } else {
            "sender"
        };
        let rows = ran.out.lines().filter(|line| line.ends_with(who));
        assert_eq!(rows.count(), 1, "{more:?}: {ran:?}");
    }
    let json = interrupted(&measured.network, &words(&["--format", "json"]));
    let value: Value = serde_json::from_str(&json.out).expect("JSON");
    let outcome = &value["answer"]["tests"][0]["outcome"]["how"];
    assert_eq!((json.status, outcome), (1, &Value::from("interrupted")));
    let sent = &value["answer"]["tests"][0]["streams"][0]["sent"]["bytes"];
    assert!(sent.as_u64().is_some_and(|bytes| bytes > 0), "{json:?}");

    // Called as iperf3 it says what that program says.
    let words = [
        "throughput",
        "--as",
        "iperf3",
        "--",
        "-c",
        "127.0.0.1",
        "-t",
        "60",
        "-b",
        "50M",
    ];
    let ran = interrupted(&measured.network, &words);
    let said = "iperf3: interrupt - the client has terminated\n";
    assert_eq!((ran.status, ran.err.as_str()), (1, said), "{ran:?}");
    assert!(
        ran.out.contains("sender\n") && !ran.out.contains("iperf Done."),
        "{ran:?}"
    );
    // The server serves on.
    let served = measured.client(&["-n", "1K"]);
    assert!(served.contains("sender"), "{served}");
}

/// A group with a quota of a tenth of a CPU, in the hierarchy of the version that has the controller.
struct QuotaGroup(std::path::PathBuf);

impl QuotaGroup {
    fn make() -> Self {
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
        let place = |wanted: &dyn Fn(&str, &str) -> bool| {
            mounts.lines().find_map(|line| {
                let words: Vec<&str> = line.split(' ').collect();
                wanted(words[2], words[3]).then(|| Path::new(words[1]).to_owned())
            })
        };
        let one = place(&|kind, options| {
            kind == "cgroup" && options.split(',').any(|option| option == "cpu")
        });
        let two = place(&|kind, _| kind == "cgroup2");
        let (root, file, quota) = match (one, two) {
            (Some(root), _) => (root, "cpu.cfs_quota_us", "10000"),
            (None, Some(root)) => {
                // It may be given on already.
                let _ = std::fs::write(root.join("cgroup.subtree_control"), "+cpu");
                (root, "cpu.max", "10000 100000")
            }
            (None, None) => panic!("this test needs control groups that are mounted"),
        };
        let group = Self(root.join(format!("surefoot-quota-{}", std::process::id())));
        let made =
            std::fs::create_dir(&group.0).and_then(|()| std::fs::write(group.0.join(file), quota));
        assert!(
            made.is_ok(),
            "this test needs root and CPU quotas of control groups: {made:?}"
        );
        group
    }
}

impl Drop for QuotaGroup {
    fn drop(&mut self) {
        for _ in 0..100 {
            if std::fs::remove_dir(&self.0).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_cpu_quota_is_named_as_what_limited_the_test() {
    let measured = Measured::new(&[]);
    let group = QuotaGroup::make();
    let script = "echo $$ > \"$0/cgroup.procs\" && exec \"$@\"";
    let run = |inside: bool| {
        let child = measured.network.within(|| {
            let mut command = Command::new("sh");
            let script = if inside { script } else { "exec \"$@\"" };
            command.args(["-c", script]).arg(&group.0);
            command.arg(env!("CARGO_BIN_EXE_surefoot"));
            command.args([
                "throughput",
                "client",
                "127.0.0.1",
                "-t",
                "2",
                "--format",
                "json",
            ]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()
        });
        let output = child
            .expect("it starts")
            .wait_with_output()
            .expect("it ends");
        let value: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        value["answer"]["tests"][0]["limiter"].clone()
    };
    let limited = run(true);
    assert_eq!(limited["limiter"], "cpu-quota", "{limited}");
    assert_eq!(limited["certainty"], "certainly", "{limited}");
    let free = run(false);
    assert_ne!(free["limiter"], "cpu-quota", "{free}");
}
