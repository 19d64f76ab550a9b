//! One process in depth: what decides how it takes a signal, and what keeps it from ending.
//!
//! [`Process`] has what is cheap to read of every process. This is read of one, when
//! it is to be stopped: its threads, the freezer above it, the system call that it waits in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Host, Process};

/// A process with what is read of one process only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessDetail {
    /// What is known of every process.
    pub process: Process,
    /// Its threads by number; the first thread has the process's own number.
    pub threads: Vec<ThreadState>,
    /// Signals that it reads from a file (`signalfd`), as a mask: it blocks them so that they go there.
    pub read_from_file: u64,
    /// The control group whose freezer holds it.
    pub frozen_by: Option<FrozenGroup>,
    /// The system call that its stuck thread waits in; none if it runs or may not be read.
    pub waits_in: Option<WaitingCall>,
    /// Functions of the kernel on the stack of its stuck thread, innermost first; root only.
    pub stack: Vec<String>,
    /// The control group by its path, of the unified hierarchy or of systemd's.
    pub control_group: Option<String>,
    /// What supervisors leave in the environment: `SUPERVISOR_PROCESS_NAME` and its like.
    pub supervision: BTreeMap<String, String>,
    /// Its working directory.
    pub directory: Option<String>,
    /// Why something of it could not be read.
    pub missing: Vec<String>,
}

/// A thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadState {
    /// Its number.
    pub tid: u32,
    /// The state, as in [`Process`].
    pub state: char,
    /// The kernel function that it sleeps in.
    pub wait_channel: Option<String>,
    /// Signals pending for this thread alone (`SigPnd`), as a mask.
    pub pending: u64,
    /// Signals that it blocks (`SigBlk`), as a mask.
    pub blocked: u64,
}

/// A control group that is frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenGroup {
    /// 1 for the freezer of old, 2 for the unified hierarchy.
    pub version: u8,
    /// The folder of the group that was told to freeze; its members below freeze with it.
    pub folder: String,
    /// The file that thaws it.
    pub file: String,
    /// What is to be written there.
    pub thaw: String,
}

/// A system call that a thread waits in, with the file that it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingCall {
    /// The thread.
    pub tid: u32,
    /// The system call's number.
    pub number: i64,
    /// Its name; none if this version does not know the number.
    pub name: Option<String>,
    /// The file that it is about.
    pub path: Option<String>,
    /// The mount that has the file.
    pub mount: Option<MountedAt>,
}

/// A mount, as `/proc/PID/mountinfo` shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MountedAt {
    /// Where it is mounted.
    pub point: String,
    /// The file system, such as `ext4` or `fuse.sshfs`.
    pub kind: String,
    /// What is mounted: a device, a server's export.
    pub source: String,
    /// The number after the colon of its device, by which FUSE names a connection.
    pub minor: u32,
}

/// What distinguishes a process from a later one with the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// Its number.
    pub pid: u32,
    /// When it began, in ticks since the kernel was started.
    pub start_ticks: u64,
}

/// The little of a process that places it in a tree; cheap to read of all processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessLink {
    /// Its number.
    pub pid: u32,
    /// Its parent's number.
    pub parent: u32,
    /// Its process group.
    pub group: u32,
    /// Its session.
    pub session: u32,
    /// The state, as in [`Process`].
    pub state: char,
    /// When it began, in ticks since the kernel was started.
    pub start_ticks: u64,
}

impl Process {
    /// Returns what distinguishes it from a later one with its number.
    pub fn identity(&self) -> ProcessIdentity {
        ProcessIdentity {
            pid: self.pid,
            start_ticks: self.start_ticks,
        }
    }
}

impl Host {
    /// The children of a process.
    pub fn children(&self, pid: u32) -> impl Iterator<Item = &Process> {
        let all = self.processes.iter().flatten();
        all.filter(move |process| process.parent == pid)
    }

    /// The ancestors of a process, its parent first.
    pub fn ancestors(&self, pid: u32) -> Vec<u32> {
        let mut above: Vec<u32> = Vec::new();
        let mut next = self.process(pid).map_or(0, |process| process.parent);
        while next != 0 && !above.contains(&next) {
            above.push(next);
            next = self.process(next).map_or(0, |process| process.parent);
        }
        above
    }
}
