//! Processes that are dead and not reaped, stuck in the kernel, stopped, or deaf to TERM.

use std::collections::BTreeMap;

use surefoot_host::{Host, Process};
use surefoot_report::{Area, Certainty, Evidence, Finding, Page, Place, Remedy, Severity, quoted};

use crate::explanation::is_shell;
use crate::plight::cause_of_function;
use crate::signal::{TERM, mask_has};

/// Seconds after which a state is no longer the blink between two events.
const SETTLED: u64 = 60;

/// As many zombies of one parent are a fault of the parent, not of the moment.
const PILE: usize = 10;

/// As many processes are shown as evidence.
const SHOWN: usize = 8;

/// The area that `surefoot check` knows as `processes`, with the codes PR001 to PR004.
pub static AREA: Area = Area {
    word: "processes",
    pages: PAGES,
    advice: None,
};

const PAGES: &[Page] = &[
    Page {
        code: "PR001",
        title: "zombie processes",
        severity: Severity::Note,
        text: "\
What it is
  A process has ended, and its parent has not asked how (wait(2)). It uses no memory and no
  CPU; it keeps its number and its line in the process table.

Why it matters
  One zombie does no harm. A pile that grows uses up process numbers (kernel.pid_max), and it
  shows that the parent is broken or hangs.

See it yourself
  ps -eo pid,ppid,stat,etime,comm | awk '$3 ~ /^Z/'

Mend it
  A zombie cannot be killed: it is dead already. Mend or restart the parent; when the parent
  ends, process 1 reaps its children.

When it is fine
  A few zombies for a moment are normal.
",
    },
    Page {
        code: "PR002",
        title: "processes in uninterruptible sleep",
        severity: Severity::Warning,
        text: "\
What it is
  A process waits inside the kernel (state D) and takes no signals, often not even KILL, until
  what it waits for happens: a disk, an NFS server, a frozen file system, a FUSE daemon.

Why it matters
  Every program that touches the same thing hangs, too; the load average rises; shutting down
  may hang as well.

See it yourself
  ps -eo pid,stat,wchan:32,etime,args | awk '$2 ~ /^D/'
  cat /proc/PID/stack

Mend it
  Mend what it waits for: bring the server back, `umount -f -l` a dead NFS mount, thaw the
  file system (`fsfreeze -u`), look at `dmesg` for disk errors. KILL works on some: a process
  that waits for its vfork child, or in a killable sleep.

When it is fine
  For a moment, under heavy disk traffic. surefoot looks once, so look again after a minute.
",
    },
    Page {
        code: "PR003",
        title: "stopped processes",
        severity: Severity::Note,
        text: "\
What it is
  A process was stopped by a signal (state T) and does nothing until it gets CONT. Its sockets
  still accept connections, which then hang.

Why it matters
  A stopped daemon looks alive: it is in the process list and its port answers the handshake.

See it yourself
  ps -eo pid,ppid,stat,etime,args | awk '$3 ~ /^T/'

Mend it
  kill -CONT PID, or end it: TERM stays pending while it is stopped, so send CONT after it.

When it is fine
  A job that was suspended with Ctrl-Z.
",
    },
    Page {
        code: "PR004",
        title: "processes that ignore TERM",
        severity: Severity::Note,
        text: "\
What it is
  A program has set SIGTERM to be ignored, or was started by one that had (`nohup` does so for HUP, a
  careless wrapper for TERM): the usual request to end vanishes.

Why it matters
  `kill` seems to do nothing. Stopping its service, and every shutdown, waits until KILL: 90 seconds
  under systemd, and KILL leaves it no time to tidy up.

See it yourself
  surefoot signals PID
  grep SigIgn /proc/PID/status      # bit 15 from the right (4000) is TERM

Mend it
  Correct the program, or the wrapper that starts it. In a unit of systemd, `KillSignal=` names the
  signal that does end it.

When it is fine
  Interactive shells do it (they are left out here), and programs that end on another signal.
",
    },
];

/// Zombies by parent, stuck and stopped processes.
pub fn check(host: &Host) -> Vec<Finding> {
    let Some(processes) = &host.processes else {
        return Vec::new();
    };
    let mut found = zombies(host, processes);
    found.extend(stuck(host, processes));
    found.extend(stopped(host, processes));
    found.extend(deaf(host, processes));
    found
}

/// Seconds that a process has been there.
fn age(host: &Host, process: &Process) -> u64 {
    host.taken.saturating_sub(process.started)
}

fn evidence(host: &Host, process: &Process, what: &str) -> Evidence {
    Evidence {
        place: Place::Kernel {
            name: format!("pid {}", process.pid),
        },
        what: format!("{}, {} s old{what}", process.name, age(host, process)),
        packets: None,
    }
}

fn zombies(host: &Host, processes: &[Process]) -> Vec<Finding> {
    let mut by_parent: BTreeMap<u32, Vec<&Process>> = BTreeMap::new();
    for process in processes {
        // A leader that is dead while its threads live is no zombie that could be reaped.
        if process.state == 'Z' && process.threads <= 1 && age(host, process) > SETTLED {
            by_parent.entry(process.parent).or_default().push(process);
        }
    }
    by_parent
        .into_iter()
        .map(|(parent, zombies)| {
            let name = host.process(parent).map_or("a process", |process| process.name.as_str());
            let count = zombies.len();
            let title = if count == 1 {
                format!("{name} (pid {parent}) has not reaped a zombie child")
            } else {
                format!("{name} (pid {parent}) has not reaped {count} zombie children")
            };
            let mut found = AREA.finding(
            "PR001",
Certainty::Certainly,
                title,
                "Each keeps a process number; a growing pile ends with none left for new processes.",
            );
            if count >= PILE {
                found.severity = Severity::Warning;
            }
            found.evidence =
                zombies.iter().take(SHOWN).map(|zombie| evidence(host, zombie, "")).collect();
            found.remedies = vec![parent_remedy(host, parent)];
            found
        })
        .collect()
}

fn parent_remedy(host: &Host, parent: u32) -> Remedy {
    let unit = host
        .process(parent)
        .and_then(|process| process.unit.as_deref());
    let service = unit.filter(|unit| unit.ends_with("service"));
    match service {
        Some(unit) => Remedy {
            what: "Restart the parent; process 1 then reaps them".to_owned(),
            commands: vec![format!("systemctl restart -- {}", quoted(unit))],
        },
        None => Remedy {
            what: "See what the parent does, then restart it the way it was started".to_owned(),
            commands: vec![format!(
                "ps -o pid,ppid,stat,wchan:32,etime,args -p {parent}"
            )],
        },
    }
}

/// The first names, and how many more there are.
fn names(processes: &[&Process]) -> String {
    let mut names: Vec<&str> = processes
        .iter()
        .map(|process| process.name.as_str())
        .collect();
    names.dedup();
    let more = names.len().saturating_sub(3);
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    if more == 0 {
        shown
    } else {
        format!("{shown} and {more} more")
    }
}

fn stuck(host: &Host, processes: &[Process]) -> Option<Finding> {
    let stuck: Vec<&Process> = processes
        .iter()
        .filter(|process| process.state == 'D' && !process.kernel && age(host, process) > SETTLED)
        .collect();
    let first = stuck.first()?;
    let mut found = AREA.finding(
            "PR002",
Certainty::Possibly,
        format!(
            "asleep inside the kernel, taking no signals: {}",
            names(&stuck)
        ),
        "If it lasts, they cannot be ended, and what they wait for is broken. This is one look; look again.",
    );
    found.evidence = stuck
        .iter()
        .take(SHOWN)
        .map(|process| {
            let function = process
                .wait_channel
                .as_deref()
                .unwrap_or("an unknown function");
            let what = match cause_of_function(function).words() {
                Some(cause) => format!(", waits in {function}, for {cause}"),
                None => format!(", waits in {function}"),
            };
            evidence(host, process, &what)
        })
        .collect();
    found.remedies = vec![Remedy {
        what: "See whether it lasts, and what it waits for".to_owned(),
        commands: vec![
            "ps -eo pid,stat,wchan:32,etime,args | awk '$2 ~ /^D/'".to_owned(),
            format!("surefoot stop --dry-run {}", first.pid),
        ],
    }];
    Some(found)
}

/// Programs that ignore TERM; shells that somebody works with do so by habit.
fn deaf(host: &Host, processes: &[Process]) -> Option<Finding> {
    let deaf: Vec<&Process> = processes
        .iter()
        .filter(|process| {
            let lives = !process.kernel && process.pid != 1 && !matches!(process.state, 'Z' | 'X');
            let interactive = process.terminal != 0 && is_shell(process);
            lives
                && !interactive
                && mask_has(process.signals.ignored, TERM)
                && age(host, process) > SETTLED
        })
        .collect();
    let first = deaf.first()?;
    let mut found = AREA.finding(
        "PR004",
        Certainty::Certainly,
        format!("ignoring TERM: {}", names(&deaf)),
        "The usual request to end vanishes; stopping it and every shutdown wait until KILL.",
    );
    found.evidence = deaf
        .iter()
        .take(SHOWN)
        .map(|it| evidence(host, it, ""))
        .collect();
    found.remedies = vec![Remedy {
        what: "See what it does about signals; `surefoot stop` sends KILL after a grace".to_owned(),
        commands: vec![format!("surefoot signals {}", first.pid)],
    }];
    Some(found)
}

fn stopped(host: &Host, processes: &[Process]) -> Option<Finding> {
    let stopped: Vec<&Process> = processes
        .iter()
        .filter(|process| process.state == 'T')
        .collect();
    let first = stopped.first()?;
    let listens = |process: &&&Process| {
        let sockets = host.sockets.iter().flatten();
        sockets
            .filter(|socket| socket.waits())
            .any(|socket| socket.owners.contains(&process.pid))
    };
    let mut found = AREA.finding(
        "PR003",
        Certainty::Certainly,
        format!("stopped and doing nothing: {}", names(&stopped)),
        "A stopped program looks alive and answers nothing.",
    );
    if stopped.iter().filter(listens).count() > 0 {
        found.severity = Severity::High;
        "One of them listens: its clients connect and then hang.".clone_into(&mut found.impact);
    }
    found.evidence = stopped
        .iter()
        .take(SHOWN)
        .map(|it| evidence(host, it, ""))
        .collect();
    found.remedies = vec![Remedy {
        what: "Let it go on".to_owned(),
        commands: vec![format!("kill -CONT {}", first.pid)],
    }];
    Some(found)
}
