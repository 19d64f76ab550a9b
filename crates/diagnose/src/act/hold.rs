//! Daemons held for a moment: an armed entry of the journal that is always taken back.
//!
//! Their processes are stopped by SIGSTOP and go on with SIGCONT. Nothing is ended and nothing has to start again:
//! that they go on needs nothing but the kernel, and whoever finds the entry can send it.

use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use surefoot_journal::{Change, ChangeDescription, ChangeStanding, EntryRoom, JournalError};

/// How long the kernel may take to stop a process, or to let it go on.
const SETTLE: Duration = Duration::from_millis(500);

/// Processes that are held.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DaemonHold {
    title: String,
    processes: Vec<HeldProcess>,
}

/// A process by its number and its start, which together name it within a boot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HeldProcess {
    pub(super) pid: u32,
    /// Clock ticks from the boot to its start.
    pub(super) begun: u64,
    pub(super) name: String,
}

impl DaemonHold {
    /// The name of this kind of change.
    pub const KIND: &'static str = "hold";

    pub(super) fn new(title: String, processes: Vec<HeldProcess>) -> Self {
        Self { title, processes }
    }

    fn all_in(&self, is_meant: impl Fn(&HeldProcess, Option<char>) -> bool) -> bool {
        let begun = Instant::now();
        loop {
            let mut there = self.processes.iter();
            if there.all(|process| is_meant(process, process.state())) {
                return true;
            }
            if begun.elapsed() > SETTLE {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

/// State and start of a process.
pub(super) fn state_and_start(pid: u32) -> Option<(char, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    let state = words.next()?.chars().next()?;
    Some((state, words.nth(18)?.parse().ok()?))
}

impl HeldProcess {
    /// Its state; nothing if it has ended.
    fn state(&self) -> Option<char> {
        let (state, begun) = state_and_start(self.pid)?;
        (begun == self.begun && !matches!(state, 'Z' | 'X')).then_some(state)
    }

    /// Sends it a signal, through a descriptor that cannot mean another process. False if it has ended.
    fn send(&self, signal: Signal) -> Result<bool, std::io::Error> {
        let number = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        let Some(number) = number else {
            return Ok(false);
        };
        let descriptor = match pidfd_open(number, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            Err(rustix::io::Errno::SRCH | rustix::io::Errno::INVAL) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        // The descriptor is older than this look, so that what was looked at is what gets the signal.
        if self.state().is_none() {
            return Ok(false);
        }
        match pidfd_send_signal(&descriptor, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn failed(&self, action: &'static str, source: std::io::Error) -> JournalError {
        JournalError::Io {
            action,
            path: format!("/proc/{}", self.pid).into(),
            source,
        }
    }
}

impl Change for DaemonHold {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn describe(&self, _room: &EntryRoom<'_>) -> Result<ChangeDescription, JournalError> {
        Ok(ChangeDescription {
            title: self.title.clone(),
            diff: String::new(),
            touches: self
                .processes
                .iter()
                .map(|process| format!("process {} ({})", process.pid, process.name))
                .collect(),
        })
    }

    fn back_up(&mut self, _room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        Ok(())
    }

    fn apply(&self, _room: &EntryRoom<'_>) -> Result<(), JournalError> {
        // The first is the one that would start others in their place.
        for process in &self.processes {
            process
                .send(Signal::STOP)
                .map_err(|error| process.failed("hold", error))?;
        }
        self.all_in(|_, state| matches!(state, None | Some('T' | 't')));
        Ok(())
    }

    fn verify(&self, _room: &EntryRoom<'_>) -> Result<ChangeStanding, JournalError> {
        let states: Vec<char> = self
            .processes
            .iter()
            .filter_map(HeldProcess::state)
            .collect();
        let held = states
            .iter()
            .filter(|state| matches!(state, 'T' | 't'))
            .count();
        Ok(if held == 0 {
            ChangeStanding::Before
        } else if held == states.len() {
            ChangeStanding::After
        } else {
            ChangeStanding::Between
        })
    }

    fn revert(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        if !room.is_same_boot() {
            return Ok(());
        }
        let mut failed = Ok(());
        for process in self.processes.iter().rev() {
            match process.send(Signal::CONT) {
                Ok(true) => {}
                Ok(false) => room.warn(format!(
                    "process {} ({}) ended while it was held",
                    process.pid, process.name
                )),
                // One that cannot go on does not keep the others.
                Err(error) => failed = Err(process.failed("let go on", error)),
            }
        }
        failed?;
        if !self.all_in(|_, state| !matches!(state, Some('T' | 't'))) {
            room.warn("a process is still stopped: another program holds it".to_owned());
        }
        Ok(())
    }

    fn reversal(&self, _room: &EntryRoom<'_>) -> Result<Box<dyn Change>, JournalError> {
        Err(JournalError::NothingToChange)
    }

    fn to_record(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
