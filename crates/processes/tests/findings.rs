//! What `surefoot check` says of processes that do not take signals, and near misses.

use surefoot_host::{Host, Process, Signals};
use surefoot_processes::check;

/// The mask of TERM.
const TERM: u64 = 1 << 14;

fn process(pid: u32, name: &str) -> Process {
    Process {
        pid,
        parent: 1,
        name: name.to_owned(),
        state: 'S',
        threads: 1,
        started: 1000,
        ..Process::default()
    }
}

fn deaf(pid: u32, name: &str) -> Process {
    Process {
        signals: Signals {
            ignored: TERM,
            ..Signals::default()
        },
        ..process(pid, name)
    }
}

/// The titles of what is found.
#[track_caller]
fn titles(processes: Vec<Process>) -> Vec<String> {
    let host = Host {
        taken: 2000,
        running: true,
        processes: Some(processes),
        ..Host::default()
    };
    check(&host).into_iter().map(|found| found.title).collect()
}

#[test]
fn a_program_that_ignores_term_is_found() {
    let found = titles(vec![deaf(7, "worker"), process(8, "nginx")]);
    assert_eq!(found, ["ignoring TERM: worker"]);
}

#[test]
fn what_ignores_term_by_habit_or_for_a_moment_is_not_found() {
    let on_terminal = Process {
        terminal: 34816,
        ..deaf(7, "bash")
    };
    let young = Process {
        started: 1990,
        ..deaf(8, "worker")
    };
    let thread = Process {
        kernel: true,
        ..deaf(9, "kthreadd")
    };
    let dead = Process {
        state: 'Z',
        started: 1999,
        ..deaf(10, "worker")
    };
    let none: [String; 0] = [];
    assert_eq!(
        titles(vec![on_terminal, young, thread, dead, deaf(1, "init")]),
        none
    );
    // A script is no shell that somebody works with.
    assert_eq!(titles(vec![deaf(7, "sh")]), ["ignoring TERM: sh"]);
}

#[test]
fn a_wait_inside_the_kernel_comes_with_its_reason() {
    let stuck = |pid, function: &str| Process {
        state: 'D',
        wait_channel: Some(function.to_owned()),
        ..process(pid, "cp")
    };
    for (function, reason) in [
        (
            "rpc_wait_bit_killable",
            ", for the server of a network file system",
        ),
        (
            "request_wait_answer",
            ", for the program behind a FUSE file system",
        ),
        ("percpu_rwsem_wait", ", for a frozen file system"),
        ("folio_wait_bit_io_schedule", ", for a block device"),
        ("do_something_else", ""),
    ] {
        let host = Host {
            taken: 2000,
            processes: Some(vec![stuck(7, function)]),
            ..Host::default()
        };
        let found = check(&host);
        let evidence = &found[0].evidence[0].what;
        let wanted = format!("cp, 1000 s old, waits in {function}{reason}");
        assert_eq!(evidence, &wanted);
    }
}
