//! A process that is held by a file descriptor: a signal through it reaches this process or none,
//! whatever becomes of its number.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, test_kill_process};
use serde::Serialize;
use surefoot_host::{ProcessIdentity, ProcessLink};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ProcessEnd {
    /// By itself.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// By a signal.
    Killed {
        /// The signal.
        signal: u8,
        /// Whether a core was dumped.
        core: bool,
    },
    /// It ended; the kernel does not say how.
    Unknown,
}

impl ProcessEnd {
    /// Reads a wait status (wait(2)).
    pub fn of_wait_status(status: i32) -> Self {
        let signal = u8::try_from(status & 0x7f).unwrap_or(0);
        if signal == 0 {
            Self::Exited {
                code: (status >> 8) & 0xff,
            }
        } else {
            Self::Killed {
                signal,
                core: status & 0x80 != 0,
            }
        }
    }
}

/// A process that is held.
#[derive(Debug)]
pub(crate) struct HeldProcess {
    pidfd: OwnedFd,
    identity: ProcessIdentity,
}

/// What came of trying to hold a process.
#[derive(Debug)]
pub(crate) enum HoldAttempt {
    /// It is held.
    Held(HeldProcess),
    /// It is gone, or another one has its number.
    Gone,
}

impl HeldProcess {
    /// Holds the process of this identity.
    pub(crate) fn open(identity: &ProcessIdentity) -> io::Result<HoldAttempt> {
        let number = i32::try_from(identity.pid).ok().and_then(Pid::from_raw);
        let pid = number.ok_or_else(|| io::Error::from(Errno::INVAL))?;
        let pidfd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => pidfd,
            Err(Errno::SRCH | Errno::INVAL) if test_kill_process(pid) == Err(Errno::SRCH) => {
                return Ok(HoldAttempt::Gone);
            }
            Err(error) => return Err(error.into()),
        };
        let held = Self {
            pidfd,
            identity: identity.clone(),
        };
        // The number is looked at first and the end after it: a process that has not ended had its
        // number all the time, so what was read was read of it.
        let same = ProcessIdentity::live(identity.pid).as_ref() == Some(identity);
        if same && !held.has_ended() {
            Ok(HoldAttempt::Held(held))
        } else {
            Ok(HoldAttempt::Gone)
        }
    }

    /// Its identity.
    pub(crate) fn identity(&self) -> &ProcessIdentity {
        &self.identity
    }

    /// Its place in the tree now; none if it is gone.
    pub(crate) fn link(&self) -> Option<ProcessLink> {
        let link = ProcessLink::live(self.identity.pid)?;
        (link.start_ticks == self.identity.start_ticks).then_some(link)
    }

    /// Whether it has ended, reaped or not.
    pub(crate) fn has_ended(&self) -> bool {
        let mut places = [PollFd::new(&self.pidfd, PollFlags::IN)];
        poll(&mut places, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }

    /// Sends a signal; false if it is gone.
    pub(crate) fn send(&self, signal: u8) -> io::Result<bool> {
        let signal = Signal::from_named_raw(i32::from(signal))
            .ok_or_else(|| io::Error::from(Errno::INVAL))?;
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) => Ok(true),
            Err(Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// A place in a list to poll; it is ready when the process has ended.
    pub(crate) fn poll_place(&self) -> PollFd<'_> {
        PollFd::new(&self.pidfd, PollFlags::IN)
    }

    /// How it ended.
    pub(crate) fn end(&self) -> ProcessEnd {
        if let Ok(Some(status)) = surefoot_sys::wait_status_of(self.pidfd.as_fd()) {
            return ProcessEnd::of_wait_status(status);
        }
        // Before it is reaped `/proc` has the status, for root and its own user.
        if let Some(status) = ProcessLink::wait_status(&self.identity) {
            return ProcessEnd::of_wait_status(status);
        }
        match surefoot_sys::wait_status_of(self.pidfd.as_fd()) {
            Ok(Some(status)) => ProcessEnd::of_wait_status(status),
            _ => ProcessEnd::Unknown,
        }
    }
}
