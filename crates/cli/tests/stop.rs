//! The words of `surefoot stop`: what is said before a signal is sent, which children get none, what a shell
//! waits for, and what is refused.

mod common;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{Ran, run};

/// A process of the test in a session of its own, which ends with this value and takes its session along.
struct OwnSession(Child);

impl OwnSession {
    /// Runs a script and waits for its first line.
    fn run(shell: &str, script: &str) -> Self {
        let mut child = Command::new("setsid")
            .args([shell, "-c", script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("setsid is there");
        let output = child.stdout.take().expect("it has an output");
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .expect("it says that it runs");
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    /// Its children, once there are so many.
    fn children(&self, count: usize) -> Vec<String> {
        let path = format!("/proc/{0}/task/{0}/children", self.pid());
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let children: Vec<String> = text.split_whitespace().map(ToOwned::to_owned).collect();
            let run_sleep = |pid: &String| {
                std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it == "sleep\n")
            };
            if children.len() == count && children.iter().all(run_sleep) {
                return children;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{count} children take too long: {children:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for OwnSession {
    fn drop(&mut self) {
        // The session has the number of its first process, and nothing else is in it.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill")
            .args(["-s", "KILL", "--", &group])
            .stderr(Stdio::null())
            .status();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn says(ran: &Ran, status: i32, lines: &[&str]) {
    assert_eq!(ran.status, status, "{ran:?}");
    for line in lines {
        assert!(ran.out.lines().any(|it| it == *line), "`{line}`: {ran:?}");
    }
}

fn is_there(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|text| !text.contains(") Z "))
}

#[test]
fn children_that_get_no_signal_are_told_before_and_run_on() {
    let shell = OwnSession::run("sh", "echo ready; sleep 120 & sleep 121 & wait");
    let children = shell.children(2);
    let both = children.join(", ");
    let told = format!("  its children get no signal: {both} (`--tree` stops them, too)");
    let will = "  will: TERM (ends it), KILL after 10 s if it still runs (ends it)";
    let dry = run(&["stop", &shell.pid(), "--dry-run"]);
    says(&dry, 0, &[&told, will]);
    assert!(is_there(&shell.pid()), "a dry run sends nothing: {dry:?}");
    let left = format!("children that run on: {both}");
    says(&run(&["stop", &shell.pid()]), 0, &[&told, will, &left]);
    assert!(children.iter().all(|pid| is_there(pid)));
}

#[test]
fn a_tree_takes_the_children_along() {
    let shell = OwnSession::run("sh", "echo ready; sleep 120 & sleep 121 & wait");
    let children = shell.children(2);
    let ran = run(&["stop", &shell.pid(), "--tree"]);
    says(&ran, 0, &["2 children ended too, by TERM"]);
    assert!(!ran.out.contains("get no signal"), "{ran:?}");
    assert!(!children.iter().any(|pid| is_there(pid)));
}

#[test]
fn the_command_that_a_shell_waits_for_is_told_and_the_trap_runs() {
    let shell = OwnSession::run("bash", "trap 'exit 3' TERM; echo ready; sleep 120; :");
    let child = shell.children(1).remove(0);
    let caught = format!(
        "  it catches TERM, but a shell runs its trap only when its foreground command ends: sleep (pid {child})"
    );
    let along = |mood: &str| {
        format!("{mood} be stopped along with it: sleep {child}: a shell waits for it")
    };
    let dry = run(&["stop", &shell.pid(), "--dry-run"]);
    says(&dry, 0, &[&caught, &along("would")]);
    let ran = run(&["stop", &shell.pid()]);
    says(
        &ran,
        0,
        &[&caught, &along("will"), "1 child ended too, by TERM"],
    );
    assert!(ran.out.contains("s: exit code 3\n"), "{ran:?}");
}

#[test]
fn a_script_that_waits_for_the_target_is_told_and_so_is_what_it_starts_again() {
    let shell = OwnSession::run("bash", "echo ready; while :; do sleep 120; done");
    let child = shell.children(1).remove(0);
    let waits = format!(
        "  a shell waits for it (pid {}): its script goes on then, and may start it again",
        shell.pid()
    );
    let ran = run(&["stop", &child]);
    let proper = format!("  surefoot stop {} --tree", shell.pid());
    says(&ran, 1, &[&waits, &proper]);
    let again = shell.children(1).remove(0);
    let told = format!(
        "started again: sleep (pid {again}), by bash (pid {}), which has to be stopped first",
        shell.pid()
    );
    says(&ran, 1, &[&told]);
}

#[test]
fn process_one_is_refused_and_nothing_is_sent() {
    let ran = run(&["stop", "1"]);
    says(
        &ran,
        1,
        &[
            "  will: nothing, since no signal does anything",
            "nothing was sent",
        ],
    );
    let refused = ran.out.lines().find(|line| line.starts_with("refused: "));
    let why = "(pid 1): it is process 1, and the machine (or this container) stops with it";
    assert!(refused.is_some_and(|line| line.ends_with(why)), "{ran:?}");
    assert!(!ran.out.contains("--yes"), "no word makes it so: {ran:?}");
}

#[test]
fn the_parent_of_this_command_is_refused_without_a_word_for_it() {
    let ran = run(&["stop", &std::process::id().to_string()]);
    says(
        &ran,
        1,
        &["  `--yes` does it nevertheless", "nothing was sent"],
    );
}

/// What a script says on a machine with an ssh daemon, in namespaces of its own that end with it.
fn at_a_machine_with_ssh() -> String {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let output = Command::new("timeout")
        .args(["-k", "5", "60", "unshare", "-n", "-m", "-p", "-f"])
        .args(["--mount-proc", "--kill-child", "bash", "-c"])
        .arg(include_str!("remote/logins.sh"))
        .env("surefoot", env!("CARGO_BIN_EXE_surefoot"))
        .env("folder", scratch.path())
        .stdin(Stdio::null())
        .output()
        .expect("unshare is there");
    common::both_outputs(&output)
}

#[test]
fn what_carries_the_session_and_the_last_login_are_refused_over_a_real_ssh() {
    let said = at_a_machine_with_ssh();
    let has = |name: &str, words: &str| {
        let start = format!("{name}: ");
        let mut lines = said.lines().filter(|line| line.starts_with(&start));
        lines.any(|line| line.contains(words))
    };
    for (name, why, status) in [
        ("session", "it carries the session that you work in", 1),
        ("daemon of it", "it carries the session that you work in", 1),
        ("last", "it is the last login", 1),
        ("carrier", "it is the last login", 1),
        ("daemon", "will: TERM", 0),
        ("one-of-two", "will: TERM", 0),
        ("both", "it is the last login", 1),
        ("both-carriers", "it is the last login", 1),
        ("carried", "ended: sshd", 0),
        ("insisted", "ended: bash", 0),
    ] {
        assert!(has(name, why), "{name}, {why}: {said}");
        assert!(has(name, &format!("status {status}")), "{name}: {said}");
    }
    assert!(said.contains("login one is gone"), "{said}");
}
