//! Every state is made on the real kernel and told before a signal is sent; then signals are sent,
//! and the kernel says whether what was foretold is so.

mod subject;

use std::process::Command;
use std::time::Duration;

use subject::{Subject, explained, runs, send, state, tell_progress, until};
use surefoot_processes::{SignalHandling, SignalOutcome, StopExplanation};

#[track_caller]
fn told(
    explanation: &StopExplanation,
    word: &str,
    term: SignalHandling,
    outcomes: [SignalOutcome; 2],
) {
    let found = (
        explanation.plight.word(),
        explanation.term,
        [explanation.on_term, explanation.on_kill],
    );
    assert_eq!(found, (word, term, outcomes), "{explanation:#?}");
}

/// Whether a process has ended, reaped or not.
fn has_ended(pid: u32) -> bool {
    matches!(state(pid), 'Z' | 'X' | '-')
}

/// Sends a signal and holds what was foretold against what comes of it.
#[track_caller]
fn holds(pid: u32, name: &str, foretold: SignalOutcome) {
    send(pid, name);
    match foretold {
        Ends => until("the end", || has_ended(pid)),
        Nothing | Waits => {
            std::thread::sleep(Duration::from_millis(60));
            assert!(!has_ended(pid), "{name} ends {pid}, and should not");
        }
        ProgramDecides | Unknown => {}
    }
}

#[track_caller]
fn again_and_again(
    kind: &str,
    prepare: impl Fn(&Subject),
    word: &str,
    term: SignalHandling,
    outcomes: [SignalOutcome; 2],
) {
    for _ in 0..runs() {
        let subject = Subject::start(&[kind]);
        prepare(&subject);
        told(&explained(subject.pid), word, term, outcomes);
        holds(subject.pid, "TERM", outcomes[0]);
        if outcomes[0] != Ends {
            holds(subject.pid, "KILL", outcomes[1]);
        }
    }
    tell_rightly(kind, word);
}

/// Says that a state was told rightly each time; a test ends at the first time that it was not.
fn tell_rightly(kind: &str, word: &str) {
    let runs = runs();
    tell_progress(&format!("{kind}: told as {word}, {runs} of {runs}"));
}

use SignalHandling::{Blocked, Caught, Default as ByDefault, Ignored};
use SignalOutcome::{Ends, Nothing, ProgramDecides, Unknown, Waits};

#[test]
fn a_plain_process_ends_on_term() {
    again_and_again("plain", |_| {}, "plain", ByDefault, [Ends, Ends]);
}

#[test]
fn term_is_ignored_caught_or_blocked() {
    again_and_again("ignores", |_| {}, "plain", Ignored, [Nothing, Ends]);
    again_and_again(
        "catches-only",
        |_| {},
        "plain",
        Caught,
        [ProgramDecides, Ends],
    );
    again_and_again("blocks", |_| {}, "plain", Blocked, [Waits, Ends]);
    again_and_again(
        "reads-signals",
        |_| {},
        "plain",
        Caught,
        [ProgramDecides, Ends],
    );
    again_and_again("blocks-in-one", |_| {}, "plain", ByDefault, [Ends, Ends]);
}

#[test]
fn a_stopped_process_takes_term_after_cont_and_kill_at_once() {
    let stop = |subject: &Subject| {
        subject.signal("STOP");
        until("the stop", || state(subject.pid) == 'T');
    };
    again_and_again("plain", stop, "stopped", ByDefault, [Waits, Ends]);
    let subject = Subject::start(&["plain"]);
    stop(&subject);
    subject.signal("TERM");
    subject.signal("CONT");
    until("the end", || has_ended(subject.pid));
}

#[test]
fn a_zombie_takes_no_signal_and_its_parent_is_named() {
    for _ in 0..runs() {
        let subject = Subject::start(&["zombie"]);
        let explanation = explained(subject.pid);
        assert_eq!(explanation.plight.word(), "zombie");
        assert_eq!(
            [explanation.on_term, explanation.on_kill],
            [Nothing, Nothing]
        );
        let parent = format!("(pid {})", subject.child.id());
        assert!(
            explanation.why.iter().any(|why| why.contains(&parent)),
            "{explanation:?}"
        );
        send(subject.pid, "KILL");
        assert_eq!(state(subject.pid), 'Z');
    }
    tell_rightly("zombie", "zombie");
}

#[test]
fn a_dead_leader_is_no_zombie() {
    let wait = |subject: &Subject| until("the leader's end", || state(subject.pid) == 'Z');
    for signal in ["TERM", "KILL"] {
        for _ in 0..runs() {
            let subject = Subject::start(&["dead-leader"]);
            wait(&subject);
            told(
                &explained(subject.pid),
                "dead-leader",
                ByDefault,
                [Ends, Ends],
            );
            let threads = || {
                std::fs::read_dir(format!("/proc/{}/task", subject.pid)).map_or(0, Iterator::count)
            };
            assert_eq!(threads(), 2);
            send(subject.pid, signal);
            until("the end of its threads", || threads() < 2);
        }
        tell_rightly(&format!("dead leader, {signal}"), "dead-leader");
    }
}

#[test]
fn a_vfork_parent_is_in_d_and_can_be_killed() {
    let wait = |subject: &Subject| until("state D", || state(subject.pid) == 'D');
    for signal in ["TERM", "KILL"] {
        for _ in 0..runs() {
            let subject = Subject::start(&["vfork-parent"]);
            wait(&subject);
            let explanation = explained(subject.pid);
            told(&explanation, "vfork-parent", ByDefault, [Ends, Ends]);
            let host = surefoot_host::Host::live_processes(&surefoot_host::LiveOptions::default());
            let child = host.children(subject.pid).next().expect("its child").pid;
            send(subject.pid, signal);
            until("the end", || has_ended(subject.pid));
            send(child, "KILL");
        }
        tell_rightly(&format!("parent in vfork, {signal}"), "vfork-parent");
    }
}

#[test]
fn a_stopped_tracer_keeps_signals_away() {
    // KILL waits only if the tracer wants to see the end, which nothing shows beforehand.
    for (kind, comes_of_kill) in [("traced", Ends), ("traced-to-the-end", Waits)] {
        for _ in 0..runs() {
            let subject = Subject::start(&[kind]);
            until("the tracer's stop", || state(subject.child.id()) == 'T');
            told(
                &explained(subject.pid),
                "traced",
                ByDefault,
                [Waits, Unknown],
            );
            holds(subject.pid, "TERM", Waits);
            holds(subject.pid, "KILL", comes_of_kill);
            // The end of the tracer frees it.
            subject.signal("KILL");
            until("the end", || has_ended(subject.pid));
        }
        tell_rightly(kind, "traced");
    }
}

#[test]
fn the_first_process_of_a_namespace_drops_term() {
    for _ in 0..runs() {
        let mut outside = Command::new("unshare");
        outside
            .args(["-p", "-f", "--kill-child", "--"])
            .arg(subject::program())
            .arg("plain");
        let outside = Subject::start_by(&mut outside);
        let host = surefoot_host::Host::live_processes(&surefoot_host::LiveOptions::default());
        let init = host
            .children(outside.child.id())
            .next()
            .expect("the init")
            .pid;
        told(
            &explained(init),
            "namespace-init",
            ByDefault,
            [Nothing, Ends],
        );
        holds(init, "TERM", Nothing);
        holds(init, "KILL", Ends);
    }
    tell_rightly("first of a namespace", "namespace-init");
}

#[test]
fn kernel_threads_and_process_one_are_told() {
    let host = surefoot_host::Host::live_processes(&surefoot_host::LiveOptions::default());
    assert_eq!(explained(1).plight.word(), "first-process");
    assert_eq!(explained(1).on_kill, Nothing);
    // In a container no thread of the kernel is to be seen.
    for thread in host
        .processes
        .iter()
        .flatten()
        .filter(|process| process.kernel)
        .take(runs())
    {
        let explanation = explained(thread.pid);
        told(
            &explanation,
            "kernel-thread",
            explanation.term,
            [Nothing, Nothing],
        );
    }
}
