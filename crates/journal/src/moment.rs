//! Moments as text that people and programs read: RFC 3339, in UTC, to the nanosecond if need be.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A point in time since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct UnixMoment {
    /// Whole seconds.
    pub seconds: i64,
    /// Nanoseconds on top.
    pub nanoseconds: u32,
}

impl UnixMoment {
    /// A moment at a whole second.
    pub fn at(seconds: i64) -> Self {
        Self {
            seconds,
            nanoseconds: 0,
        }
    }

    /// So many seconds later.
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Self {
            seconds: self.seconds.saturating_add(seconds),
            ..self
        }
    }
}

impl fmt::Display for UnixMoment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, second) = (
            self.seconds.div_euclid(86_400),
            self.seconds.rem_euclid(86_400),
        );
        let (year, month, day) = civil_from_days(day);
        let (hour, minute) = (second / 3600, second / 60 % 60);
        if (0..=9999).contains(&year) {
            write!(f, "{year:04}")?;
        } else {
            write!(f, "{year:+}")?;
        }
        write!(
            f,
            "-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}",
            second % 60
        )?;
        if self.nanoseconds > 0 {
            let mut digits = String::new();
            write!(digits, "{:09}", self.nanoseconds)?;
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("Z")
    }
}

/// A text that is no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a moment such as 2026-11-27T15:40:00Z")]
pub struct MomentError(String);

impl FromStr for UnixMoment {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        parse_moment(text).ok_or_else(|| MomentError(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for UnixMoment {
    type Error = MomentError;

    fn try_from(text: String) -> Result<Self, MomentError> {
        text.parse()
    }
}

impl From<UnixMoment> for String {
    fn from(moment: UnixMoment) -> Self {
        moment.to_string()
    }
}

fn parse_moment(text: &str) -> Option<UnixMoment> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (year_and_month, day) = date.rsplit_once('-')?;
    let (year, month) = year_and_month.rsplit_once('-')?;
    let (year, month, day): (i64, i64, i64) =
        (year.parse().ok()?, number(month, 12)?, number(day, 31)?);
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = clock.split(':');
    let hour = number(parts.next()?, 23)?;
    let minute = number(parts.next()?, 59)?;
    let second = number(parts.next()?, 60)?;
    let plausible = (-400_000_000_000..=400_000_000_000).contains(&year) && month > 0 && day > 0;
    if parts.next().is_some() || fraction.len() > 9 || !plausible {
        return None;
    }
    let nanoseconds = format!("{fraction:0<9}");
    if !nanoseconds.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let days = days_from_civil(year, month, day);
    Some(UnixMoment {
        seconds: days
            .checked_mul(86_400)?
            .checked_add(hour * 3600 + minute * 60 + second)?,
        nanoseconds: nanoseconds.parse().ok()?,
    })
}

fn number(text: &str, most: i64) -> Option<i64> {
    let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = text.parse().ok().filter(|value| *value <= most);
    if digits { value } else { None }
}

/// The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Years begin in
/// March here, so that the leap day is the last of its year.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::UnixMoment;

    #[track_caller]
    fn check(seconds: i64, nanoseconds: u32, text: &str) {
        let moment = UnixMoment {
            seconds,
            nanoseconds,
        };
        assert_eq!(moment.to_string(), text);
        assert_eq!(text.parse(), Ok(moment));
    }

    #[test]
    fn moments_are_written_as_date_prints_them() {
        // `date -u -d @N +%FT%TZ` gives the same.
        check(0, 0, "1970-01-01T00:00:00Z");
        check(951_782_400, 0, "2000-02-29T00:00:00Z");
        check(1_795_794_000, 120_000_000, "2026-11-27T15:40:00.12Z");
        check(-1, 1, "1969-12-31T23:59:59.000000001Z");
        check(4_107_542_399, 999_999_999, "2100-02-28T23:59:59.999999999Z");
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "Z",
            "2026-11-27",
            "2026-13-01T00:00:00Z",
            "2026-11-27T15:40Z",
            "9-1-1T1:1:1Z",
        ] {
            assert!(text.parse::<UnixMoment>().is_err(), "{text}");
        }
    }
}
