//! Counters short enough for a column.

/// `1234`, `12K`, `3.4M`; never more than what was counted. In full if `exact`.
pub(super) fn short_count(number: u64, exact: bool) -> String {
    const UNITS: [char; 6] = ['K', 'M', 'G', 'T', 'P', 'E'];
    if exact || number < 10_000 {
        return number.to_string();
    }
    let mut unit = 1_000_u64;
    let mut name = UNITS[0];
    for next in &UNITS[1..] {
        if number / unit < 1_000 {
            break;
        }
        unit = unit.saturating_mul(1_000);
        name = *next;
    }
    let (whole, tenth) = (number / unit, number % unit / (unit / 10));
    if whole < 10 {
        format!("{whole}.{tenth}{name}")
    } else {
        format!("{whole}{name}")
    }
}

/// `1 rule`, `2 rules`.
pub(super) fn number_of(number: usize, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {one}{ending}")
}

#[cfg(test)]
mod tests {
    use super::short_count;

    #[test]
    fn counters_are_short_and_never_too_high() {
        let short = |number| short_count(number, false);
        assert_eq!(short(0), "0");
        assert_eq!(short(9_999), "9999");
        assert_eq!(short(10_000), "10K");
        assert_eq!(short(999_999), "999K");
        assert_eq!(short(1_000_000), "1.0M");
        assert_eq!(short(3_480_000_000), "3.4G");
        assert_eq!(short(u64::MAX), "18E");
        assert_eq!(short_count(u64::MAX, true), "18446744073709551615");
    }
}
