//! Why a process will or will not end, in words, with what frees it.

use std::fmt::Write as _;

use serde::Serialize;
use surefoot_host::{Host, MountedAt, Process, ProcessDetail};
use surefoot_report::{Remedy, quoted};

use crate::plight::{
    ProcessPlight, SignalHandling, SignalOutcome, WaitCause, classify, handling_of,
    is_namespace_init, outcome_of_kill, outcome_of_term,
};
use crate::signal::{KILL, STOP, TERM, mask_has, signal_name, signals_in};

/// What is known of a process about to be stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StopExplanation {
    /// The state.
    #[serde(flatten)]
    pub plight: ProcessPlight,
    /// What the program does about TERM.
    pub term: SignalHandling,
    /// What comes of TERM.
    pub on_term: SignalOutcome,
    /// What comes of KILL.
    pub on_kill: SignalOutcome,
    /// Sentences that say why.
    pub why: Vec<String>,
    /// What frees it, best first.
    pub remedies: Vec<Remedy>,
    /// The capability that is missing to send it a signal at all.
    pub needs: Option<&'static str>,
}

/// Who wants to send the signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignalSender {
    /// The process that sends.
    pub pid: u32,
    /// Its effective user.
    pub uid: u32,
    /// Its effective capabilities, as a mask.
    pub capabilities: u64,
}

impl SignalSender {
    /// The sender that is one of the host's processes.
    pub fn of(host: &Host, pid: u32) -> Self {
        let process = host.process(pid);
        Self {
            pid,
            uid: process.map_or(u32::MAX, |process| process.uid),
            capabilities: process.map_or(0, |process| process.capabilities),
        }
    }

    /// The capability that is missing to send a signal to a process; none if none is.
    pub fn lacks(&self, target: &Process) -> Option<&'static str> {
        const CAP_KILL: u64 = 1 << 5;
        let may = self.uid == target.uid || self.capabilities & CAP_KILL != 0;
        (!may).then_some("CAP_KILL")
    }
}

/// Explains a process.
pub fn explain_process(
    detail: &ProcessDetail,
    host: &Host,
    sender: &SignalSender,
) -> StopExplanation {
    let plight = classify(detail, host);
    let mut explanation = StopExplanation {
        term: handling_of(detail, TERM),
        on_term: outcome_of_term(detail, &plight),
        on_kill: outcome_of_kill(&plight),
        why: Vec::new(),
        remedies: Vec::new(),
        needs: sender.lacks(&detail.process),
        plight,
    };
    explanation.say_state(detail, host);
    explanation.say_term(detail, host);
    if let Some(capability) = explanation.needs {
        explanation.why.push(format!(
            "it belongs to user {}, and you may not send it a signal: that takes {capability}",
            detail.process.uid
        ));
        explanation.advise("run it as root", &[]);
    }
    explanation
}

/// A process by name and number.
pub fn named(host: &Host, pid: u32) -> String {
    match host.process(pid) {
        Some(process) => format!("{} (pid {pid})", process.name),
        None => format!("pid {pid}"),
    }
}

impl StopExplanation {
    fn advise(&mut self, what: &str, commands: &[String]) {
        self.remedies.push(Remedy {
            what: what.to_owned(),
            commands: commands.to_vec(),
        });
    }

    fn say_state(&mut self, detail: &ProcessDetail, host: &Host) {
        let pid = detail.process.pid;
        match self.plight.clone() {
            ProcessPlight::Plain | ProcessPlight::NamespaceInit => {}
            ProcessPlight::Stopped => self.why.push(
                "it is stopped (SIGSTOP, Ctrl-Z): TERM waits until CONT, KILL works at once".to_owned(),
            ),
            ProcessPlight::Zombie { parent } => self.say_zombie(parent, host),
            ProcessPlight::DeadLeader { living } => self.why.push(format!(
                "it looks like a zombie and is none: its first thread has ended, {living} {} on",
                if living == 1 { "other runs" } else { "others run" }
            )),
            ProcessPlight::VforkParent { child } => {
                let child = child.map_or_else(|| "its child".to_owned(), |child| named(host, child));
                self.why.push(format!(
                    "it waits inside the kernel (state D) until {child} runs another program or ends; KILL works nevertheless"
                ));
            }
            ProcessPlight::Uninterruptible { function, cause, killable, call } => {
                let function = function.unwrap_or_else(|| "an unknown function".to_owned());
                let mut why = format!("it waits inside the kernel, in {function}");
                if let Some(name) = call.as_ref().and_then(|call| call.name.as_deref()) {
                    let _ = write!(why, ", called by {name}(2)");
                }
                if let Some(path) = call.as_ref().and_then(|call| call.path.as_deref()) {
                    let _ = write!(why, " for {path}");
                }
                self.why.push(why);
                self.say_cause(cause, call.as_ref().and_then(|call| call.mount.as_ref()));
                self.why.push(
                    match killable {
                        Some(true) => "KILL gets through",
                        Some(false) => "every signal waits, KILL too, until that is over",
                        None => "whether KILL gets through depends on the kernel's function and is unknown",
                    }
                    .to_owned(),
                );
            }
            ProcessPlight::FrozenOld { group } => {
                self.why.push(format!(
                    "the freezer holds it: {} is frozen (control groups, version 1); every signal waits, KILL too, until it is thawed",
                    group.folder
                ));
                self.why.push("no disk is at fault, though its state is D".to_owned());
                self.advise("Thaw the group after the signal was sent; a container's runtime does it by `unpause`", &[thaw(&group)]);
            }
            ProcessPlight::FrozenUnified { group } => {
                self.why.push(format!(
                    "the freezer holds it: {} is frozen (control groups, version 2); a handler runs only when it is thawed, KILL works at once",
                    group.folder
                ));
                self.advise("Thaw the group after the signal was sent; a container's runtime does it by `unpause`", &[thaw(&group)]);
            }
            ProcessPlight::Traced { tracer, tracer_stopped, .. } => {
                let name = named(host, tracer);
                if tracer_stopped {
                    self.why.push(format!("{name} traces it and is stopped itself: signals wait for the tracer; KILL too if the tracer asked to see the end (PTRACE_O_TRACEEXIT), and a zombie is left in any case"));
                    self.advise("Let the tracer go on, or end it; the process goes free then", &[
                        format!("kill -CONT {tracer}"),
                        format!("surefoot stop {tracer}"),
                    ]);
                } else {
                    self.why.push(format!("{name} traces it and holds it: TERM waits for the tracer, KILL works"));
                    self.advise("Let it go from the tracer (`detach` or `continue` in gdb), or end the tracer", &[
                        format!("surefoot stop {tracer}"),
                    ]);
                }
            }
            ProcessPlight::KernelThread => self.why.push(
                "it is a thread of the kernel: no signal ends it; it goes with what it serves (a module, a mount, a device) or at the next reboot".to_owned(),
            ),
            ProcessPlight::FirstProcess => {
                self.why.push("it is process 1: the kernel drops every signal for it that it has no handler for, KILL always; if it ends by itself, the machine (or this container) stops".to_owned());
            }
        }
        if is_namespace_init(detail) && !matches!(self.plight, ProcessPlight::Zombie { .. }) {
            let inside =
                host.processes.iter().flatten().filter(|process| {
                    process.pid != pid && host.ancestors(process.pid).contains(&pid)
                });
            let count = inside.count();
            self.why.push(format!(
                "it is process 1 of its own PID namespace: KILL from outside ends it and all that is in there ({count} {})",
                if count == 1 { "other process" } else { "other processes" }
            ));
        }
    }

    fn say_zombie(&mut self, parent: u32, host: &Host) {
        let name = named(host, parent);
        self.why.push(format!(
            "it is dead already (a zombie): no signal does anything; only its number is left, until {name} asks how it ended"
        ));
        let Some(process) = host.process(parent) else {
            return;
        };
        if parent == 1 {
            self.why
                .push("process 1 reaps it within seconds".to_owned());
            return;
        }
        if mask_has(process.signals.ignored, 17) {
            self.why
                .push(format!("{name} ignores CHLD, so CHLD does not remind it"));
        }
        if process.state == 'T' {
            self.advise(
                "The parent is stopped: let it go on",
                &[format!("kill -CONT {parent}")],
            );
        }
        self.advise(
            "Mend or stop the parent: process 1 (or a subreaper) then reaps its dead children",
            &[format!("surefoot stop --dry-run {parent}")],
        );
    }

    fn say_cause(&mut self, cause: WaitCause, mount: Option<&MountedAt>) {
        let place =
            |mount: &MountedAt| format!("{} ({} from {})", mount.point, mount.kind, mount.source);
        match (cause, mount) {
            (WaitCause::FrozenFileSystem, Some(mount)) => {
                self.why
                    .push(format!("the file system {} is frozen", place(mount)));
                self.advise(
                    "Thaw the file system",
                    &[format!("fsfreeze -u {}", quoted(&mount.point))],
                );
            }
            (WaitCause::FrozenFileSystem, None) => {
                self.why
                    .push("it wants to write to a file system that is frozen".to_owned());
                self.advise(
                    "Find what froze it (a snapshot, a backup) and thaw it",
                    &["fsfreeze -u MOUNTPOINT".to_owned()],
                );
            }
            (WaitCause::FuseDaemon, Some(mount)) => {
                self.why.push(format!(
                    "the program that serves {} does not answer",
                    place(mount)
                ));
                self.advise(
                    "Cut the connection to that program; every user of the mount gets an error",
                    &[
                        // Many containers have not mounted it.
                        "mountpoint -q /sys/fs/fuse/connections || mount -t fusectl fusectl /sys/fs/fuse/connections"
                            .to_owned(),
                        format!("echo 1 > /sys/fs/fuse/connections/{}/abort", mount.minor),
                    ],
                );
            }
            (WaitCause::FuseDaemon, None) => {
                self.why
                    .push("the program that serves a FUSE file system does not answer".to_owned());
                self.advise(
                    "Find it and end it, or abort its connection below /sys/fs/fuse/connections",
                    &["grep fuse /proc/self/mountinfo".to_owned()],
                );
            }
            (WaitCause::NetworkFileSystem, Some(mount)) => {
                self.why.push(format!(
                    "the server behind {} does not answer",
                    place(mount)
                ));
                self.advise(
                    "Bring the server back, or give the mount up",
                    &[format!("umount -f -l {}", quoted(&mount.point))],
                );
            }
            (WaitCause::NetworkFileSystem, None) => {
                self.why
                    .push("the server of a network file system does not answer".to_owned());
                self.advise(
                    "See which mount it is, and bring its server back",
                    &["findmnt -t nfs,nfs4,cifs,smb3,ceph,9p,afs".to_owned()],
                );
            }
            (WaitCause::BlockDevice, Some(mount)) => {
                self.why.push(format!(
                    "the device behind {} does not answer",
                    place(mount)
                ));
                self.advise("See whether the device fails; if it never answers, only a reboot ends the wait", &[
                    "dmesg | tail -50".to_owned(),
                ]);
            }
            (WaitCause::BlockDevice, None) => {
                self.why.push("a block device does not answer".to_owned());
                self.advise(
                    "See whether a device fails; if it never answers, only a reboot ends the wait",
                    &["dmesg | tail -50".to_owned()],
                );
            }
            (WaitCause::Other, Some(mount)) => {
                self.why.push(format!("the file is on {}", place(mount)));
            }
            (WaitCause::Other, None) => {}
        }
    }

    fn say_term(&mut self, detail: &ProcessDetail, host: &Host) {
        if matches!(
            self.plight,
            ProcessPlight::Zombie { .. }
                | ProcessPlight::KernelThread
                | ProcessPlight::FirstProcess
        ) {
            return;
        }
        let pending = detail.process.signals.pending;
        match self.term {
            SignalHandling::Default if is_namespace_init(detail) => self.why.push(
                "it has no handler for TERM, and the kernel drops TERM for the first process of a namespace".to_owned(),
            ),
            SignalHandling::Default => {}
            SignalHandling::Caught => match waiting_shell(detail, host) {
                Some(child) => self.why.push(format!(
                    "it catches TERM, but a shell runs its trap only when its foreground command ends: {}",
                    named(host, child)
                )),
                None if mask_has(detail.read_from_file, TERM) => self.why.push(
                    "it reads TERM from a signalfd: the program decides when to end".to_owned(),
                ),
                None => self.why.push("it catches TERM: the program decides when to end".to_owned()),
            },
            SignalHandling::Ignored => self.why.push("it ignores TERM: TERM vanishes".to_owned()),
            SignalHandling::Blocked => {
                let pending = if mask_has(pending, TERM) { "; one is pending already" } else { "" };
                self.why.push(format!("every thread of it blocks TERM: TERM stays pending{pending}"));
            }
        }
        if mask_has(pending, KILL) {
            self.why.push("KILL is pending already".to_owned());
        }
    }
}

fn thaw(group: &surefoot_host::FrozenGroup) -> String {
    format!("echo {} > {}", group.thaw, quoted(&group.file))
}

/// Whether a process runs a shell.
pub(crate) fn is_shell(process: &Process) -> bool {
    const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "zsh", "mksh", "busybox"];
    let program = process
        .exe
        .as_deref()
        .and_then(|exe| exe.rsplit('/').next());
    SHELLS
        .iter()
        .any(|name| program.unwrap_or(&process.name) == *name)
}

/// The foreground command that a shell waits for while it keeps a trap back.
pub fn waiting_shell(detail: &ProcessDetail, host: &Host) -> Option<u32> {
    foreground_of(&detail.process, host)
}

/// The foreground command that a process waits for, if it is a shell.
pub(crate) fn foreground_of(process: &Process, host: &Host) -> Option<u32> {
    let shell = is_shell(process);
    let waits = process
        .wait_channel
        .as_deref()
        .is_some_and(|function| function.contains("do_wait"));
    if !(shell && waits) {
        return None;
    }
    let mut children = host
        .children(process.pid)
        .filter(|child| child.state != 'Z' && child.group == process.group);
    children.next().map(|child| child.pid)
}

/// The signals other than those of the C library that a process handles in its own way, in one line
/// a kind; for a person who looks at one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalReport {
    /// The process.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// How many threads it has.
    pub threads: usize,
    /// Every signal that is not left alone, lowest first.
    pub signals: Vec<SignalLine>,
    /// What stands in the way of signals, and what TERM and KILL would do.
    pub explanation: StopExplanation,
}

/// A signal and what a process does about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalLine {
    /// Its number.
    pub number: u8,
    /// Its name.
    pub name: String,
    /// What the process does.
    pub handling: SignalHandling,
    /// Whether it is pending.
    pub pending: bool,
    /// How many of the living threads block it.
    pub blocked_in: usize,
    /// What the default would do.
    pub by_default: &'static str,
}

/// Reports what a process does about its signals.
pub fn report_signals(detail: &ProcessDetail, host: &Host, sender: &SignalSender) -> SignalReport {
    let signals = &detail.process.signals;
    let threads = &detail.threads;
    let of_threads = |mask: fn(&surefoot_host::ThreadState) -> u64| {
        threads.iter().fold(0, |all, thread| all | mask(thread))
    };
    let pending = signals.pending | of_threads(|thread| thread.pending);
    let blocked = signals.blocked | of_threads(|thread| thread.blocked);
    let lines = signals_in(signals.caught | signals.ignored | blocked | pending)
        .into_iter()
        .filter(|number| !matches!(*number, KILL | STOP) || mask_has(pending, *number))
        .map(|number| SignalLine {
            number,
            name: signal_name(number),
            handling: handling_of(detail, number),
            pending: mask_has(pending, number),
            blocked_in: threads
                .iter()
                .filter(|it| mask_has(it.blocked, number))
                .count(),
            by_default: crate::signal::signal_page(number)
                .map_or("ends the process", |page| page.default.words()),
        })
        .collect();
    SignalReport {
        pid: detail.process.pid,
        name: detail.process.name.clone(),
        threads: threads.len(),
        signals: lines,
        explanation: explain_process(detail, host, sender),
    }
}
