//! Many processes in every state at the same moment: each is told from one look at the machine, then signals
//! are sent, and the kernel says how many were told rightly.

mod subject;

use std::process::Command;
use std::time::Duration;

use subject::{Subject, detail, number_of, send, state, tell_progress, until};
use surefoot_host::{Host, LiveOptions};
use surefoot_processes::{SignalOutcome, SignalSender, StopExplanation, explain_process};

use SignalOutcome::{Ends, Nothing, ProgramDecides, Unknown, Waits};

/// How many processes an ordinary run makes; `SUREFOOT_STOP_MIXED` says otherwise.
const PROCESSES: usize = 56;

/// A state, the words for it, and what is foretold of TERM and KILL.
type MixedState = (&'static str, &'static str, [SignalOutcome; 2]);

const STATES: &[MixedState] = &[
    ("plain", "plain", [Ends, Ends]),
    ("ignores", "plain", [Nothing, Ends]),
    ("catches", "plain", [ProgramDecides, Ends]),
    ("catches-only", "plain", [ProgramDecides, Ends]),
    ("blocks", "plain", [Waits, Ends]),
    ("reads-signals", "plain", [ProgramDecides, Ends]),
    ("blocks-in-one", "plain", [Ends, Ends]),
    ("stopped", "stopped", [Waits, Ends]),
    ("zombie", "zombie", [Nothing, Nothing]),
    ("dead-leader", "dead-leader", [Ends, Ends]),
    ("vfork-parent", "vfork-parent", [Ends, Ends]),
    ("traced", "traced", [Waits, Unknown]),
    ("traced-to-the-end", "traced", [Waits, Unknown]),
    ("namespace-init", "namespace-init", [Nothing, Ends]),
];

/// A process in a state, and the one that made it.
struct MixedProcess {
    state: MixedState,
    pid: u32,
    /// Ended and reaped with this value.
    _subject: Subject,
}

impl MixedProcess {
    fn make(state: MixedState) -> Self {
        let subject = match state.0 {
            "stopped" => Subject::start(&["plain"]),
            "namespace-init" => {
                let mut outside = Command::new("unshare");
                outside.args(["-p", "-f", "--kill-child", "--"]);
                outside.arg(subject::program()).arg("plain");
                Subject::start_by(&mut outside)
            }
            kind => Subject::start(&[kind]),
        };
        let mut pid = subject.pid;
        match state.0 {
            "stopped" => {
                subject.signal("STOP");
                until("the stop", || self::state(pid) == 'T');
            }
            "dead-leader" => until("the leader's end", || self::state(pid) == 'Z'),
            "vfork-parent" => until("state D", || self::state(pid) == 'D'),
            "namespace-init" => {
                let links = surefoot_host::ProcessLink::live_all().expect("processes can be read");
                let init = links.iter().find(|link| link.parent == subject.child.id());
                pid = init.expect("the first process of the namespace").pid;
            }
            kind if kind.starts_with("traced") => {
                until("the tracer's stop", || {
                    self::state(subject.child.id()) == 'T'
                });
            }
            _ => {}
        }
        Self {
            state,
            pid,
            _subject: subject,
        }
    }

    /// Whether it has ended, reaped or not; a leader that was dead before has when its last thread has.
    fn has_ended(&self) -> bool {
        if self.state.0 == "dead-leader" {
            let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid));
            return tasks.map_or(0, Iterator::count) < 2;
        }
        matches!(state(self.pid), 'Z' | 'X' | '-')
    }

    /// Whether what comes of a signal is what was foretold, a while after it was sent.
    fn has_come(&self, foretold: SignalOutcome) -> bool {
        match foretold {
            Ends => self.has_ended(),
            Nothing | Waits => self.state.0 == "zombie" || !self.has_ended(),
            ProgramDecides | Unknown => true,
        }
    }
}

#[test]
fn of_many_processes_in_every_state_all_are_told_rightly() {
    let count = number_of("SUREFOOT_STOP_MIXED").unwrap_or(PROCESSES);
    let made: Vec<MixedProcess> = (0..count)
        .map(|number| MixedProcess::make(STATES[number % STATES.len()]))
        .collect();
    let host = Host::live_processes(&LiveOptions::default());
    let sender = SignalSender::of(&host, std::process::id());
    let told: Vec<StopExplanation> = made
        .iter()
        .map(|process| explain_process(&detail(process.pid), &host, &sender))
        .collect();
    let mut wrong: Vec<String> = Vec::new();
    for (process, told) in made.iter().zip(&told) {
        let (kind, word, outcomes) = process.state;
        if (told.plight.word(), [told.on_term, told.on_kill]) != (word, outcomes) {
            wrong.push(format!("{kind}: {told:?}"));
        }
    }
    for (name, which) in [("TERM", 0), ("KILL", 1)] {
        let there: Vec<bool> = made.iter().map(|process| !process.has_ended()).collect();
        for process in made.iter().filter(|process| state(process.pid) != '-') {
            send(process.pid, name);
        }
        std::thread::sleep(Duration::from_millis(500));
        for ((process, told), there) in made.iter().zip(&told).zip(there) {
            let foretold = [told.on_term, told.on_kill][which];
            if there && !process.has_come(foretold) {
                let (kind, now) = (process.state.0, state(process.pid));
                wrong.push(format!(
                    "{kind}: {name}, {foretold:?} was foretold, it is {now}"
                ));
            }
        }
    }
    let right = count - wrong.len().min(count);
    tell_progress(&format!("mixed: {right} of {count} processes told rightly"));
    assert!(
        wrong.len() * 100 <= count,
        "{} wrong: {wrong:#?}",
        wrong.len()
    );
}
