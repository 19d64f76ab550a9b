//! The CPU time of this process.

use std::io;
use std::time::Duration;

/// CPU time by where it was spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In user space.
    pub user: Duration,
    /// In the kernel.
    pub system: Duration,
}

impl CpuTime {
    /// What this process has used so far, all threads together.
    pub fn of_process() -> io::Result<Self> {
        Self::read(libc::RUSAGE_SELF)
    }

    /// What the calling thread has used so far.
    pub fn of_thread() -> io::Result<Self> {
        Self::read(libc::RUSAGE_THREAD)
    }

    fn read(subject: libc::c_int) -> io::Result<Self> {
        // SAFETY: all-zero bytes are a valid value of this plain structure.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel writes one structure.
        if unsafe { libc::getrusage(subject, &raw mut usage) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let duration = |time: libc::timeval| {
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            let microseconds = u64::try_from(time.tv_usec).unwrap_or(0);
            Duration::from_secs(seconds) + Duration::from_micros(microseconds)
        };
        Ok(Self {
            user: duration(usage.ru_utime),
            system: duration(usage.ru_stime),
        })
    }
}
