//! Real processes in the states that this crate tells apart, made by a small program in C.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use surefoot_host::{Host, LiveOptions, ProcessDetail};
use surefoot_processes::{SignalSender, StopExplanation, explain_process};

/// How often each state is made in an ordinary run; `SUREFOOT_STOP_RUNS` says otherwise.
const RUNS: usize = 5;

/// How often each state is made.
pub(crate) fn runs() -> usize {
    number_of("SUREFOOT_STOP_RUNS").unwrap_or(RUNS)
}

/// A number that the environment asks for.
pub(crate) fn number_of(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Says how far a test is, past what the test program keeps to itself.
pub(crate) fn tell_progress(line: &str) {
    let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// The program, compiled once for a run of tests.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/subject/subject.c");
        let made = folder.join(format!("subject-{}", std::process::id()));
        let status = Command::new("gcc")
            .args(["-O1", "-pthread", "-o"])
            .arg(&made)
            .arg(source)
            .status()
            .expect("gcc is needed for this test");
        assert!(status.success());
        let last = folder.join("subject");
        // Renamed into place, so that test programs that run side by side do not meet a half.
        std::fs::rename(&made, &last).expect("it can be renamed");
        last
    })
}

/// A process of a test, ended and reaped with this value.
pub(crate) struct Subject {
    pub(crate) child: Child,
    /// The process that is looked at: the program itself, or a child of it.
    pub(crate) pid: u32,
}

impl Subject {
    /// Starts the program and waits until it is in the state.
    pub(crate) fn start(words: &[&str]) -> Self {
        Self::start_by(Command::new(program()).args(words))
    }

    /// Starts a command that prints `ready PID` in its own time.
    pub(crate) fn start_by(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let output = child.stdout.take().expect("it has an output");
        let mut output = BufReader::new(output);
        output
            .read_line(&mut line)
            .expect("it says that it is ready");
        let word = line.trim().strip_prefix("ready ");
        let pid = word.and_then(|word| word.parse().ok());
        let pid = pid.unwrap_or_else(|| panic!("`ready PID` is expected, not `{line}`"));
        Self { child, pid }
    }

    /// Whether it has not ended yet.
    pub(crate) fn goes_on(&mut self) -> bool {
        self.child.try_wait().expect("it can be asked").is_none()
    }

    /// Writes a line to its standard input.
    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("it has an input");
        writeln!(input, "{line}").expect("it reads");
    }

    /// Sends it a signal by the number of the process that was started.
    pub(crate) fn signal(&self, name: &str) {
        send(self.child.id(), name);
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process of the test.
pub(crate) fn send(pid: u32, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, "--", &pid.to_string()])
        .status()
        .expect("kill is there");
    assert!(status.success(), "kill -s {name} {pid}");
}

pub(crate) fn detail(pid: u32) -> ProcessDetail {
    ProcessDetail::live(pid, false)
        .expect("it can be read")
        .expect("it is there")
}

/// What is said of a process now.
pub(crate) fn explained(pid: u32) -> StopExplanation {
    let detail = detail(pid);
    let host = Host::live_processes(&LiveOptions::default());
    let sender = SignalSender::of(&host, std::process::id());
    explain_process(&detail, &host, &sender)
}

/// Waits until something is so, for five seconds at most.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{what} takes too long"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn state(pid: u32) -> char {
    surefoot_host::ProcessLink::live(pid).map_or('-', |link| link.state)
}
