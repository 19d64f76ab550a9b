//! Which state a process is in, as far as signals are concerned, and what TERM and KILL do to it.
//!
//! The state letter alone misleads: D may be killable, Z may be a process that runs, S may be frozen.
//! Each case here was seen on a real kernel; `tests/states.rs` makes them again.

use serde::Serialize;
use surefoot_host::{FrozenGroup, Host, ProcessDetail, WaitingCall};

use crate::signal::{TERM, mask_has};

/// What a program does about a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalHandling {
    /// The kernel does the default.
    Default,
    /// A handler of the program runs.
    Caught,
    /// The signal vanishes.
    Ignored,
    /// Every thread blocks it: it stays pending.
    Blocked,
}

/// What comes of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalOutcome {
    /// The process ends.
    Ends,
    /// The program decides.
    ProgramDecides,
    /// Nothing happens, now or later.
    Nothing,
    /// It stays pending until what holds the process lets go.
    Waits,
    /// It cannot be known beforehand.
    Unknown,
}

/// The state of a process, as far as signals are concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum ProcessPlight {
    /// Nothing is in the way.
    Plain,
    /// Stopped by a signal, until CONT.
    Stopped,
    /// Dead; its parent has not asked how it ended.
    Zombie {
        /// The parent.
        parent: u32,
    },
    /// Its first thread has ended and looks like a zombie; others run.
    DeadLeader {
        /// How many threads live.
        living: usize,
    },
    /// It waits for a child of vfork(2) to run another program or end: state D, and killable.
    VforkParent {
        /// The child.
        child: Option<u32>,
    },
    /// It waits inside the kernel.
    Uninterruptible {
        /// The kernel's function.
        function: Option<String>,
        /// What is behind it.
        cause: WaitCause,
        /// Whether KILL gets through; none if that cannot be told.
        killable: Option<bool>,
        /// The system call and the file.
        call: Option<WaitingCall>,
    },
    /// The freezer of version 1 holds it.
    #[serde(rename = "frozen-v1")]
    FrozenOld {
        /// The group.
        group: FrozenGroup,
    },
    /// The freezer of version 2 holds it.
    #[serde(rename = "frozen-v2")]
    FrozenUnified {
        /// The group.
        group: FrozenGroup,
    },
    /// A debugger or tracer holds it.
    Traced {
        /// The tracer.
        tracer: u32,
        /// Whether the tracer itself is stopped.
        tracer_stopped: bool,
        /// Whether it stands still for its tracer right now.
        held: bool,
    },
    /// The first process of a PID namespace: a container's init.
    NamespaceInit,
    /// A thread of the kernel.
    KernelThread,
    /// Process 1.
    FirstProcess,
}

/// What a process waits for inside the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitCause {
    /// A file system that is frozen, as by `fsfreeze`.
    FrozenFileSystem,
    /// A program that serves a FUSE file system.
    FuseDaemon,
    /// A server of NFS.
    NetworkFileSystem,
    /// A disk or other block device.
    BlockDevice,
    /// Something else, or unknown.
    Other,
}

impl WaitCause {
    /// What does not answer, in words; none if that is unknown.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Self::FrozenFileSystem => Some("a frozen file system"),
            Self::FuseDaemon => Some("the program behind a FUSE file system"),
            Self::NetworkFileSystem => Some("the server of a network file system"),
            Self::BlockDevice => Some("a block device"),
            Self::Other => None,
        }
    }
}

impl ProcessPlight {
    /// The word that JSON and tests use.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Stopped => "stopped",
            Self::Zombie { .. } => "zombie",
            Self::DeadLeader { .. } => "dead-leader",
            Self::VforkParent { .. } => "vfork-parent",
            Self::Uninterruptible { .. } => "uninterruptible",
            Self::FrozenOld { .. } => "frozen-v1",
            Self::FrozenUnified { .. } => "frozen-v2",
            Self::Traced { .. } => "traced",
            Self::NamespaceInit => "namespace-init",
            Self::KernelThread => "kernel-thread",
            Self::FirstProcess => "first-process",
        }
    }
}

/// What a process does about a signal: a signal is blocked only if every living thread blocks it.
pub fn handling_of(detail: &ProcessDetail, signal: u8) -> SignalHandling {
    let signals = &detail.process.signals;
    let mut living = living_threads(detail).peekable();
    let blocked = if living.peek().is_none() {
        mask_has(signals.blocked, signal)
    } else {
        living.all(|thread| mask_has(thread.blocked, signal))
    };
    if mask_has(signals.ignored, signal) {
        SignalHandling::Ignored
    } else if blocked && mask_has(detail.read_from_file, signal) {
        SignalHandling::Caught
    } else if blocked {
        SignalHandling::Blocked
    } else if mask_has(signals.caught, signal) {
        SignalHandling::Caught
    } else {
        SignalHandling::Default
    }
}

fn living_threads(detail: &ProcessDetail) -> impl Iterator<Item = &surefoot_host::ThreadState> {
    let dead = |state| matches!(state, 'Z' | 'X');
    detail
        .threads
        .iter()
        .filter(move |thread| !dead(thread.state))
}

/// Whether a process is the first of a PID namespace below ours.
pub fn is_namespace_init(detail: &ProcessDetail) -> bool {
    let numbers = &detail.process.namespace_pids;
    numbers.len() > 1 && numbers.last() == Some(&1)
}

/// Tells the state of a process. `host` has the processes around it.
pub fn classify(detail: &ProcessDetail, host: &Host) -> ProcessPlight {
    let process = &detail.process;
    if process.pid == 1 {
        return ProcessPlight::FirstProcess;
    }
    if process.kernel {
        return ProcessPlight::KernelThread;
    }
    if matches!(process.state, 'Z' | 'X') {
        let living = living_threads(detail).count();
        return if living > 0 {
            ProcessPlight::DeadLeader { living }
        } else {
            ProcessPlight::Zombie {
                parent: process.parent,
            }
        };
    }
    if let Some(group) = &detail.frozen_by {
        let group = group.clone();
        return if group.version == 1 {
            ProcessPlight::FrozenOld { group }
        } else {
            ProcessPlight::FrozenUnified { group }
        };
    }
    let held = process.state == 't' || detail.threads.iter().any(|thread| thread.state == 't');
    if process.tracer != 0 {
        let tracer = host.process(process.tracer);
        let tracer_stopped = tracer.is_some_and(|tracer| matches!(tracer.state, 'T' | 't'));
        if held || tracer_stopped {
            return ProcessPlight::Traced {
                tracer: process.tracer,
                tracer_stopped,
                held,
            };
        }
    }
    if process.state == 'T' {
        return ProcessPlight::Stopped;
    }
    if let Some(stuck) = stuck(detail, host) {
        return stuck;
    }
    if is_namespace_init(detail) {
        return ProcessPlight::NamespaceInit;
    }
    ProcessPlight::Plain
}

/// The functions in which a parent waits for its vfork child, of kernels old and new.
const VFORK: &[&str] = &["kernel_clone", "_do_fork", "do_fork", "wait_for_vfork_done"];

/// The function in which a process waits for the answer of a FUSE daemon.
const FUSE: &str = "request_wait_answer";

fn stuck(detail: &ProcessDetail, host: &Host) -> Option<ProcessPlight> {
    let thread = detail.threads.iter().find(|thread| {
        // The first wait for a FUSE daemon is an ordinary sleep, and the first signal makes it D.
        thread.state == 'D' || thread.wait_channel.as_deref() == Some(FUSE)
    })?;
    let function = thread
        .wait_channel
        .clone()
        .or_else(|| detail.stack.first().cloned());
    let name = function.as_deref().unwrap_or_default();
    if VFORK.contains(&name) {
        let child = host.children(detail.process.pid).next();
        return Some(ProcessPlight::VforkParent {
            child: child.map(|child| child.pid),
        });
    }
    let cause = cause_of(name, detail);
    Some(ProcessPlight::Uninterruptible {
        killable: killable(name, cause),
        cause,
        call: detail.waits_in.clone(),
        function,
    })
}

fn cause_of(function: &str, detail: &ProcessDetail) -> WaitCause {
    let frames: Vec<&str> = detail
        .stack
        .iter()
        .map(String::as_str)
        .chain([function])
        .collect();
    let mount = detail
        .waits_in
        .as_ref()
        .and_then(|call| call.mount.as_ref());
    let kind = mount.map_or("", |mount| mount.kind.as_str());
    cause_of_frames(&frames, kind)
}

/// What a process waits for in a function of the kernel, as far as the function alone tells.
pub(crate) fn cause_of_function(function: &str) -> WaitCause {
    cause_of_frames(&[function], "")
}

/// File systems that a server keeps, and the functions of their parts of the kernel.
const NETWORK_KINDS: &[&str] = &["nfs", "cifs", "smb3", "ceph", "9p", "afs"];
const NETWORK_FRAMES: &[&str] = &[
    "rpc_",
    "nfs",
    "cifs_",
    "smb2_",
    "ceph_",
    "p9_client_",
    "afs_",
];

/// The functions on the stack, and the kind of the file system that the call is about.
fn cause_of_frames(frames: &[&str], kind: &str) -> WaitCause {
    let on_stack = |words: &[&str]| {
        let mut all = frames.iter();
        all.any(|frame| words.iter().any(|word| frame.contains(word)))
    };
    // `kernfs`, which serves sysfs, is none of the network.
    let begins = |words: &[&str]| {
        let mut bare = frames.iter().map(|frame| frame.trim_start_matches('_'));
        bare.any(|frame| words.iter().any(|word| frame.starts_with(word)))
    };
    if on_stack(&["fuse_", FUSE]) || kind.starts_with("fuse") {
        WaitCause::FuseDaemon
    } else if on_stack(&[
        "percpu_rwsem_wait",
        "percpu_down_read",
        "sb_start_write",
        "mnt_want_write",
    ]) {
        WaitCause::FrozenFileSystem
    } else if begins(NETWORK_FRAMES) || NETWORK_KINDS.iter().any(|it| kind.starts_with(it)) {
        WaitCause::NetworkFileSystem
    } else if on_stack(&[
        "blk_",
        "io_schedule",
        "wait_on_buffer",
        "bit_wait_io",
        "jbd2_",
        "submit_bio",
    ]) {
        WaitCause::BlockDevice
    } else {
        WaitCause::Other
    }
}

fn killable(function: &str, cause: WaitCause) -> Option<bool> {
    if function.contains("killable") {
        return Some(true);
    }
    match cause {
        WaitCause::FrozenFileSystem => Some(false),
        // NFS waits killably, save where it holds a lock for somebody else.
        WaitCause::FuseDaemon
        | WaitCause::NetworkFileSystem
        | WaitCause::BlockDevice
        | WaitCause::Other => None,
    }
}

/// What comes of TERM, or of another signal whose default is to end the process.
pub fn outcome_of_request(
    plight: &ProcessPlight,
    handling: SignalHandling,
    namespace_init: bool,
) -> SignalOutcome {
    use ProcessPlight as State;
    use SignalOutcome::{Ends, Nothing, ProgramDecides, Unknown, Waits};
    if matches!(
        plight,
        State::Zombie { .. } | State::KernelThread | State::FirstProcess
    ) {
        return Nothing;
    }
    match handling {
        SignalHandling::Ignored => return Nothing,
        SignalHandling::Blocked => return Waits,
        // Without a handler the kernel drops it for the first process of a namespace.
        SignalHandling::Default if namespace_init => return Nothing,
        SignalHandling::Default | SignalHandling::Caught => {}
    }
    let default = handling == SignalHandling::Default;
    match plight {
        State::Stopped | State::FrozenOld { .. } | State::Traced { .. } => Waits,
        // The kernel turns a deadly default into KILL at once, and KILL gets through here.
        State::FrozenUnified { .. } | State::VforkParent { .. } => {
            if default {
                Ends
            } else {
                Waits
            }
        }
        State::Uninterruptible { killable, .. } => match killable {
            Some(true) if default => Ends,
            Some(_) => Waits,
            None => Unknown,
        },
        _ if default => Ends,
        _ => ProgramDecides,
    }
}

/// What comes of TERM.
pub fn outcome_of_term(detail: &ProcessDetail, plight: &ProcessPlight) -> SignalOutcome {
    outcome_of_request(plight, handling_of(detail, TERM), is_namespace_init(detail))
}

/// What comes of KILL.
pub fn outcome_of_kill(plight: &ProcessPlight) -> SignalOutcome {
    match plight {
        ProcessPlight::Zombie { .. }
        | ProcessPlight::KernelThread
        | ProcessPlight::FirstProcess => SignalOutcome::Nothing,
        ProcessPlight::FrozenOld { .. } => SignalOutcome::Waits,
        // Whether the tracer wants to see the end of the process is a setting that nothing shows.
        ProcessPlight::Traced { tracer_stopped, .. } if *tracer_stopped => SignalOutcome::Unknown,
        ProcessPlight::Uninterruptible { killable, .. } => match killable {
            Some(true) => SignalOutcome::Ends,
            Some(false) => SignalOutcome::Waits,
            None => SignalOutcome::Unknown,
        },
        _ => SignalOutcome::Ends,
    }
}
