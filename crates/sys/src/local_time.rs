//! The local time, by the time zone of the system.

use std::io;

/// A moment in local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The year.
    pub year: i32,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day of the month.
    pub day: u8,
    /// The hour.
    pub hour: u8,
    /// The minute.
    pub minute: u8,
    /// The second; 60 in a leap second.
    pub second: u8,
    /// Seconds ahead of UTC.
    pub offset: i64,
}

impl LocalTime {
    /// The local time at so many seconds since 1970.
    pub fn at(seconds: i64) -> io::Result<Self> {
        // SAFETY: all-zero bytes are a valid value of this plain structure; its pointer is not read.
        let mut parts: libc::tm = unsafe { std::mem::zeroed() };
        // SAFETY: the library reads the number and writes one structure; both live long enough.
        if unsafe { libc::localtime_r(&raw const seconds, &raw mut parts) }.is_null() {
            return Err(io::Error::last_os_error());
        }
        let small = |number: libc::c_int| u8::try_from(number).unwrap_or(0);
        Ok(Self {
            year: parts.tm_year + 1900,
            month: small(parts.tm_mon + 1),
            day: small(parts.tm_mday),
            hour: small(parts.tm_hour),
            minute: small(parts.tm_min),
            second: small(parts.tm_sec),
            offset: parts.tm_gmtoff,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_lies_within_a_day_of_the_same_one_in_utc() {
        // 2026-11-27 12:00 UTC; time zones are at most 14 hours away.
        let time = LocalTime::at(1_795_780_800).expect("a time");
        assert_eq!((time.year, time.month), (2026, 11));
        assert!((26..=28).contains(&time.day), "{time:?}");
        assert!(time.second == 0, "{time:?}");
        let minutes = i64::from(time.hour) * 60 + i64::from(time.minute);
        let in_utc = (minutes * 60 - time.offset).rem_euclid(86_400);
        assert_eq!(in_utc, 12 * 3600, "{time:?}");
    }
}
