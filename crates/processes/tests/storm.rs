//! A storm of forks in a small space of numbers: a number means another process within milliseconds, and
//! no signal goes to a process that was not meant.

mod subject;

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use subject::{Subject, number_of, tell_progress};
use surefoot_host::ProcessIdentity;
use surefoot_processes::{StopOptions, StopPlan, StopTarget, carry_out, gather_stop_plan};

/// How many forks an ordinary run sees; `SUREFOOT_STORM_FORKS` says otherwise.
const FORKS: usize = 10_000;

/// How long the storm may last.
const PATIENCE: Duration = Duration::from_secs(300);

/// After how many forks the test says how far it is.
const TELL_EVERY: usize = 10_000;

/// How many processes end between their plans and what is made of these, each time.
const VICTIMS: usize = 8;

#[test]
fn in_a_storm_of_forks_no_signal_goes_to_another_process() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let hits = scratch.path().join("hits");
    let this = std::env::current_exe().expect("the test program has a name");
    let mut output = Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(this)
        .args(["--exact", "inside", "--nocapture"])
        .env("STORM_HITS", &hits)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("unshare is there");
    let mut errors = String::new();
    let lines = BufReader::new(output.stderr.take().expect("it has one"));
    for line in lines.lines().map_while(Result::ok) {
        tell_progress(&line);
        errors.push_str(&line);
        errors.push('\n');
    }
    let output = output.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && errors.lines().any(|line| line.starts_with("storm: ")),
        "this test needs root, for a PID namespace: {said}\n{errors}"
    );
    let hits = std::fs::read(&hits).expect("the storm has made it");
    assert_eq!(hits.len(), 0, "TERM went to processes that were not meant");
}

/// What goes on in the namespace.
#[test]
fn inside() {
    let Ok(hits) = std::env::var("STORM_HITS") else {
        return;
    };
    let wanted = number_of("SUREFOOT_STORM_FORKS").unwrap_or(FORKS);
    let counted = format!("{hits}-count");
    let mut storm = Subject::start(&["storm", &hits, &counted]);
    let forks = || -> usize {
        let text = std::fs::read_to_string(&counted).expect("the storm has made it");
        text.trim().parse().unwrap_or(0)
    };
    let begun = Instant::now();
    let (mut reused, mut stopped, mut told) = (0, 0, 0);
    while forks() < wanted || reused < VICTIMS {
        assert!(
            begun.elapsed() < PATIENCE,
            "{} forks, {reused} reused",
            forks()
        );
        assert!(storm.goes_on(), "the storm has ended by itself");
        // Their numbers are those of other processes before the plans are carried out.
        let victims: Vec<Subject> = (0..VICTIMS).map(|_| Subject::start(&["plain"])).collect();
        let late: Vec<StopPlan> = victims.iter().map(|victim| plan(victim.pid)).collect();
        drop(victims);
        for late in late {
            if !is_used_again(&late.members[0].identity, &mut storm) {
                continue;
            }
            let report = carry_out(&late, std::process::id(), &mut |_| {});
            let report = report.expect("it is carried out");
            assert!(report.survivors.is_empty(), "{report:?}");
            let after = report.ended[0].after;
            assert_eq!(after, None, "it had ended before: {report:?}");
            reused += 1;
        }
        // One that is there is found and stopped all the same.
        let victim = Subject::start(&["plain"]);
        let report = carry_out(&plan(victim.pid), std::process::id(), &mut |_| {});
        let report = report.expect("it is carried out");
        assert!(report.ended[0].after.is_some(), "{report:?}");
        stopped += 1;
        let forks = forks();
        if forks >= told + TELL_EVERY {
            told = forks;
            tell_progress(&format!("the storm goes on: {forks} forks of {wanted}"));
        }
    }
    let forks = forks();
    tell_progress(&format!(
        "storm: {forks} forks, {reused} plans for numbers used again, {stopped} stopped"
    ));
}

fn plan(pid: u32) -> StopPlan {
    let options = StopOptions {
        grace: Some(5),
        ..StopOptions::default()
    };
    gather_stop_plan(&[StopTarget::Pid(pid)], options, 0, std::process::id()).expect("a plan")
}

/// Waits until another process has the number, while the storm goes on.
fn is_used_again(identity: &ProcessIdentity, storm: &mut Subject) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) && storm.goes_on() {
        if ProcessIdentity::live(identity.pid).is_some_and(|now| now != *identity) {
            return true;
        }
        std::thread::yield_now();
    }
    false
}
