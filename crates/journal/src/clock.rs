//! Time as the journal needs it: the wall's for people, the machine's for deadlines.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::ClockId;

use crate::moment::UnixMoment;

/// Where the journal has the time from.
pub trait JournalClock: Send + Sync {
    /// The wall clock.
    fn now(&self) -> UnixMoment;
    /// Milliseconds since the machine was started, sleep included.
    fn uptime(&self) -> u64;
    /// The name of this boot.
    fn boot(&self) -> String;
}

/// The clocks of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl JournalClock for SystemClock {
    fn now(&self) -> UnixMoment {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        UnixMoment {
            seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
            nanoseconds: since.subsec_nanos(),
        }
    }

    fn uptime(&self) -> u64 {
        let time = rustix::time::clock_gettime(ClockId::Boottime);
        let number = |value: i64| u64::try_from(value).unwrap_or(0);
        number(time.tv_sec) * 1000 + number(time.tv_nsec) / 1_000_000
    }

    fn boot(&self) -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap_or_default()
            .trim()
            .to_owned()
    }
}
