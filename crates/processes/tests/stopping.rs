//! Real processes are stopped, and the kernel says what is left of them.

mod subject;

use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use subject::{Subject, send, state, tell_progress, until};
use surefoot_host::{Host, LiveOptions};
use surefoot_processes::{
    ProcessEnd, SignalOutcome, StopOptions, StopPlan, StopReport, StopTarget, carry_out,
    gather_stop_plan,
};

const QUICK: StopOptions = StopOptions {
    grace: Some(1),
    signal: None,
    tree: false,
    kill: None,
    yes: false,
    all: false,
};

fn plan(target: &StopTarget, options: StopOptions) -> StopPlan {
    gather_stop_plan(std::slice::from_ref(target), options, 0, std::process::id()).expect("a plan")
}

fn stop(pid: u32, options: StopOptions) -> StopReport {
    let plan = plan(&StopTarget::Pid(pid), options);
    assert_eq!(plan.refusals, []);
    carry_out(&plan, std::process::id(), &mut |_| {}).expect("it is carried out")
}

#[track_caller]
fn ended(report: &StopReport, pid: u32) -> (ProcessEnd, bool) {
    assert_eq!(report.survivors, []);
    let ended = report.ended.iter().find(|ended| ended.pid == pid);
    let ended = ended.unwrap_or_else(|| panic!("{pid} is not in {report:?}"));
    (ended.end, ended.killed)
}

fn by(signal: u8) -> ProcessEnd {
    ProcessEnd::Killed {
        signal,
        core: false,
    }
}

#[test]
fn the_way_it_ended_is_told() {
    let subject = Subject::start(&["plain"]);
    assert_eq!(
        ended(&stop(subject.pid, QUICK), subject.pid),
        (by(15), false)
    );
    let subject = Subject::start(&["catches"]);
    let exited = ProcessEnd::Exited { code: 7 };
    assert_eq!(
        ended(&stop(subject.pid, QUICK), subject.pid),
        (exited, false)
    );
    for kind in ["ignores", "blocks", "catches-only"] {
        let subject = Subject::start(&[kind]);
        let begun = Instant::now();
        assert_eq!(
            ended(&stop(subject.pid, QUICK), subject.pid),
            (by(9), true),
            "{kind}"
        );
        assert!(
            begun.elapsed() >= Duration::from_secs(1),
            "{kind}: the grace is kept"
        );
    }
    let subject = Subject::start(&["plain"]);
    let quit = StopOptions {
        signal: Some(12),
        ..QUICK
    };
    assert_eq!(
        ended(&stop(subject.pid, quit), subject.pid),
        (by(12), false)
    );
}

#[test]
fn an_end_is_told_within_five_milliseconds() {
    let scratch = tempfile::tempdir().expect("a folder for scratch");
    let word = scratch.path().join("word");
    let shown = word.to_str().expect("text");
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        time.tv_sec * 1_000_000_000 + time.tv_nsec
    };
    let mut late: Vec<i64> = Vec::new();
    for _ in 0..20 {
        let subject = Subject::start(&["ends-with-a-word", shown]);
        let plan = plan(&StopTarget::Pid(subject.pid), QUICK);
        let mut told = 0;
        carry_out(&plan, std::process::id(), &mut |_| told = now()).expect("it is carried out");
        let ended = std::fs::read_to_string(&word).expect("it is written");
        let ended: i64 = ended.trim().parse().expect("a number");
        late.push((told - ended) / 1000);
    }
    late.sort_unstable();
    tell_progress(&format!(
        "told after the end: median {} us, at most {} us",
        late[10], late[19]
    ));
    // What else the machine does may hold up the one or the other.
    assert!(late[0] >= 0 && late[10] < 5000, "{late:?}");
}

#[test]
fn what_a_script_starts_again_is_told() {
    let program = subject::program().display();
    // Only the first one has somebody to say `ready` to.
    let script =
        format!("{program} plain; while :; do {program} plain > /dev/null; sleep 0.2; done");
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    let shell = Subject::start_by(&mut command);
    let made = plan(&StopTarget::Pid(shell.pid), QUICK);
    assert_eq!(made.members[0].script, Some(shell.child.id()));
    let report = carry_out(&made, std::process::id(), &mut |_| {}).expect("it is carried out");
    let [again] = &report.restarted[..] else {
        panic!("{report:?}")
    };
    assert_eq!((again.instead_of, again.by), (shell.pid, shell.child.id()));
    assert_ne!(again.pid, shell.pid);
    // With the shell it stays down.
    let tree = StopOptions {
        tree: true,
        ..QUICK
    };
    let report = stop(shell.child.id(), tree);
    assert_eq!(
        (report.survivors.len(), report.restarted.len()),
        (0, 0),
        "{report:?}"
    );
}

#[test]
fn kill_as_the_first_signal_is_waited_for() {
    for _ in 0..20 {
        let subject = Subject::start(&["plain"]);
        let options = StopOptions {
            signal: Some(9),
            ..StopOptions::default()
        };
        let report = stop(subject.pid, options);
        assert!(report.survivors.is_empty(), "{report:?}");
        assert_eq!(ended(&report, subject.pid).0, by(9));
    }
}

#[test]
fn a_stopped_process_gets_term_and_goes_on_to_take_it() {
    let subject = Subject::start(&["catches"]);
    subject.signal("STOP");
    until("the stop", || state(subject.pid) == 'T');
    let exited = ProcessEnd::Exited { code: 7 };
    assert_eq!(
        ended(&stop(subject.pid, QUICK), subject.pid),
        (exited, false)
    );
}

#[test]
fn a_dead_leader_a_vfork_parent_and_a_namespace_init_are_ended() {
    let subject = Subject::start(&["dead-leader"]);
    until("the leader's end", || state(subject.pid) == 'Z');
    assert_eq!(
        ended(&stop(subject.pid, QUICK), subject.pid),
        (by(15), false)
    );
    let subject = Subject::start(&["vfork-parent"]);
    until("state D", || state(subject.pid) == 'D');
    let tree = StopOptions {
        tree: true,
        ..QUICK
    };
    assert_eq!(ended(&stop(subject.pid, tree), subject.pid).0, by(15));
    let mut outside = Command::new("unshare");
    outside
        .args(["-p", "-f", "--kill-child", "--"])
        .arg(subject::program())
        .arg("plain");
    let outside = Subject::start_by(&mut outside);
    let host = Host::live_processes(&LiveOptions::default());
    let init = host
        .children(outside.child.id())
        .next()
        .expect("the init")
        .pid;
    // The kernel drops TERM for it: nothing is to be waited for.
    let long = StopOptions {
        grace: Some(60),
        ..QUICK
    };
    let begun = Instant::now();
    assert_eq!(ended(&stop(init, long), init), (by(9), true));
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[test]
fn what_no_signal_ends_is_left_alone_and_explained() {
    let subject = Subject::start(&["zombie"]);
    let report = stop(subject.pid, QUICK);
    let [survivor] = report.survivors.as_slice() else {
        panic!("{report:?}");
    };
    let explanation = survivor.explanation.as_ref().expect("it is explained");
    assert_eq!(explanation.plight.word(), "zombie");
    assert!(!survivor.killed && !explanation.remedies.is_empty());

    let subject = Subject::start(&["traced-to-the-end"]);
    until("the tracer's stop", || state(subject.child.id()) == 'T');
    let report = stop(subject.pid, QUICK);
    let [survivor] = report.survivors.as_slice() else {
        panic!("{report:?}");
    };
    let explanation = survivor.explanation.as_ref().expect("it is explained");
    assert!(
        survivor.killed && explanation.plight.word() == "traced",
        "{survivor:?}"
    );
    let tracer = subject.child.id().to_string();
    let commands = explanation
        .remedies
        .iter()
        .flat_map(|remedy| &remedy.commands);
    assert!(
        commands
            .into_iter()
            .any(|command| command.ends_with(&tracer))
    );
}

#[test]
fn the_end_is_told_within_moments() {
    for _ in 0..20 {
        let subject = Subject::start(&["plain"]);
        let plan = plan(&StopTarget::Pid(subject.pid), QUICK);
        let begun = Instant::now();
        let mut told = None;
        carry_out(&plan, std::process::id(), &mut |_| {
            told = Some(begun.elapsed());
        })
        .expect("it ends");
        let told = told.expect("it was told");
        // Moments, with room for a machine that is busy with other tests.
        assert!(told < Duration::from_millis(500), "{told:?}");
    }
}

#[test]
fn a_port_means_its_listener_and_never_a_client() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("it is bound").port();
    let client = TcpStream::connect(("127.0.0.1", port)).expect("it is served");
    // Both ends are ours, so the listener is; a connection of another process's to this port is not.
    let local = client.local_addr().expect("it is connected").port();
    let targets = [StopTarget::Port(port)];
    let plan = gather_stop_plan(&targets, QUICK, 0, 1).expect("a plan");
    assert_eq!(plan.members.len(), 1);
    let member = &plan.members[0];
    assert_eq!(member.identity.pid, std::process::id());
    assert!(
        member.serves.contains(&format!("tcp 127.0.0.1:{port}")),
        "{:?}",
        member.serves
    );
    let error = gather_stop_plan(&[StopTarget::Port(local)], QUICK, 0, 1);
    assert!(error.is_err_and(|error| error.to_string().contains("nothing listens")));
}

#[test]
fn a_file_and_a_control_group_name_their_users() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let file = folder.path().join("file");
    let open = std::fs::File::create(&file).expect("it can be written");
    let mut command = Command::new(subject::program());
    command.arg("plain").stderr(open);
    let subject = Subject::start_by(&mut command);
    drop(command);
    let path = file.to_str().expect("text").to_owned();
    let plan = plan(&StopTarget::File(path), QUICK);
    let pids: Vec<u32> = plan
        .members
        .iter()
        .map(|member| member.identity.pid)
        .collect();
    assert_eq!(pids, [subject.pid]);
}

#[test]
fn what_carries_this_test_is_refused() {
    let parent = std::os::unix::process::parent_id();
    let refused = plan(&StopTarget::Pid(parent), QUICK);
    assert_eq!(refused.refusals.len(), 1, "{:?}", refused.refusals);
    assert_eq!(plan(&StopTarget::Pid(1), QUICK).refusals.len(), 1);
}

/// A shell with a trap that waits for its foreground command tidies up if the command is ended.
#[test]
fn a_trap_runs_since_the_foreground_command_is_stopped_along() {
    let folder = tempfile::tempdir().expect("a folder for scratch");
    let note = folder.path().join("tidied");
    let script = format!(
        "trap 'echo tidied > {}; exit 3' TERM; echo ready $$; sleep 300; :",
        note.display()
    );
    let mut command = Command::new("setsid");
    command.args(["bash", "-c", &script]);
    let subject = Subject::start_by(&mut command);
    let waits = || subject::detail(subject.pid).process.wait_channel == Some("do_wait".into());
    until("the wait for the command", waits);
    let report = stop(
        subject.pid,
        StopOptions {
            grace: Some(5),
            ..QUICK
        },
    );
    let exited = ProcessEnd::Exited { code: 3 };
    assert_eq!(ended(&report, subject.pid), (exited, false));
    assert!(note.exists() && report.ended.len() == 2, "{report:?}");
}

#[test]
fn a_number_that_is_used_again_is_not_signalled() {
    // The plan is for a process that has ended since.
    let subject = Subject::start(&["plain"]);
    let mut plan = plan(&StopTarget::Pid(subject.pid), QUICK);
    let other = Subject::start(&["plain"]);
    // Another process has the number now, as far as the plan can tell.
    plan.members[0].identity.pid = other.pid;
    plan.members[0].identity.start_ticks -= 1;
    let report = carry_out(&plan, std::process::id(), &mut |_| {}).expect("nothing to do");
    assert!(report.survivors.is_empty() && report.ended[0].after.is_none());
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!((state(other.pid), state(subject.pid)), ('S', 'S'));
}

#[test]
fn what_is_foretold_for_an_ignored_signal_is_that_it_does_nothing() {
    let subject = Subject::start(&["ignores"]);
    let plan = plan(&StopTarget::Pid(subject.pid), QUICK);
    assert_eq!(plan.members[0].outcome, SignalOutcome::Nothing);
    // A plan alone sends nothing.
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(state(subject.pid), 'S');
    send(subject.pid, "KILL");
}

#[test]
fn what_is_stopped_ends_by_term_as_cont_follows_and_that_is_foretold() {
    for (kind, outcome, end) in [
        ("plain", SignalOutcome::Ends, by(15)),
        (
            "catches",
            SignalOutcome::ProgramDecides,
            ProcessEnd::Exited { code: 7 },
        ),
    ] {
        let subject = Subject::start(&[kind]);
        subject.signal("STOP");
        until("it is stopped", || state(subject.pid) == 'T');
        let plan = plan(&StopTarget::Pid(subject.pid), QUICK);
        let member = &plan.members[0];
        assert!(member.resume, "{kind}");
        assert_eq!(member.outcome, outcome, "{kind}");
        // By itself TERM would wait.
        assert_eq!(member.explanation.on_term, SignalOutcome::Waits, "{kind}");
        let report = carry_out(&plan, std::process::id(), &mut |_| {}).expect("it is done");
        assert_eq!(ended(&report, subject.pid), (end, false), "{kind}");
    }
}
