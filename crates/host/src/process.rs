//! Processes, as `/proc` shows them.

use serde::{Deserialize, Serialize};

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its parent's number.
    pub parent: u32,
    /// The kernel's short name for it, at most 15 bytes.
    pub name: String,
    /// The arguments; empty for kernel threads and zombies. Words that look secret are `***`.
    pub command: Vec<String>,
    /// The program file; none without permission and for kernel threads.
    pub exe: Option<String>,
    /// Effective user.
    pub uid: u32,
    /// `R` running, `S` sleeping, `D` uninterruptible, `T` stopped, `t` traced, `Z` zombie, `I` idle.
    pub state: char,
    /// How many threads.
    pub threads: u32,
    /// Whether it is a thread of the kernel.
    pub kernel: bool,
    /// Seconds since 1970 at which it began.
    pub started: u64,
    /// The kernel function that it sleeps in, where it is known.
    pub wait_channel: Option<String>,
    /// Signals as masks; bit 14 is TERM.
    pub signals: Signals,
    /// Effective capabilities as a mask.
    pub capabilities: u64,
    /// The process that traces it; 0 if none.
    pub tracer: u32,
    /// The device number of its terminal; 0 if none.
    pub terminal: u32,
    /// The systemd unit, from its control group.
    pub unit: Option<String>,
    /// The container's identifier, from its control group.
    pub container: Option<String>,
    /// Whether it runs in this network namespace; none without permission.
    pub same_network: Option<bool>,
    /// The inode of its network namespace; none without permission.
    #[serde(default)]
    pub network: Option<u64>,
    /// Its process group.
    #[serde(default)]
    pub group: u32,
    /// Its session.
    #[serde(default)]
    pub session: u32,
    /// When it began, in ticks since the kernel was started; with the number this is its identity.
    #[serde(default)]
    pub start_ticks: u64,
    /// Its numbers in the PID namespaces that it is in, outermost first; the last is its own view.
    #[serde(default)]
    pub namespace_pids: Vec<u32>,
    /// Whether libwrap, the library of tcpwrappers, is in its memory; none if not looked at.
    pub wrapped: Option<bool>,
}

/// Signal masks of `/proc/PID/status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    /// Pending for the process (`ShdPnd`).
    pub pending: u64,
    /// Blocked (`SigBlk`) in the main thread.
    pub blocked: u64,
    /// Ignored (`SigIgn`).
    pub ignored: u64,
    /// Caught (`SigCgt`).
    pub caught: u64,
}
