//! Amounts as the two programs write and read them, digit for digit.

use crate::quantity::QuantityError;
use crate::summary::as_float;

/// The letter of `-f`: lower case for bits, upper case for bytes, `a` for what fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitLetter(char);

impl UnitLetter {
    /// Bits in the unit that fits.
    pub const FITTING: Self = Self('a');
    /// Bytes in the unit that fits.
    pub const FITTING_BYTES: Self = Self('A');

    /// A letter that is one.
    pub fn from_letter(letter: char) -> Option<Self> {
        "kmgtaKMGTA".contains(letter).then_some(Self(letter))
    }

    /// The unit of bytes for amounts beside rates in this unit.
    #[must_use]
    pub fn of_bytes(self) -> Self {
        Self(self.0.to_ascii_uppercase())
    }

    fn power(self) -> Option<usize> {
        "kmgt"
            .find(self.0.to_ascii_lowercase())
            .map(|place| place + 1)
    }
}

const PREFIXES: [&str; 5] = ["", "K", "M", "G", "T"];

/// An amount of bytes, or of bits made from bytes, with three digits where they fit.
fn show(bytes: f64, letter: UnitLetter) -> String {
    let in_bits = letter.0.is_ascii_lowercase();
    let (mut number, step, name) = if in_bits {
        (bytes * 8.0, 1000.0, "bits")
    } else {
        (bytes, 1024.0, "Bytes")
    };
    let mut place = 0;
    match letter.power() {
        Some(power) => {
            for _ in 0..power {
                number /= step;
            }
            place = power;
        }
        None => {
            while number >= step && place + 1 < PREFIXES.len() {
                number /= step;
                place += 1;
            }
        }
    }
    let prefix = PREFIXES[place];
    // The bounds are those at which rounding gives another digit.
    if number < 9.995 {
        format!("{number:4.2} {prefix}{name}")
    } else if number < 99.95 {
        format!("{number:4.1} {prefix}{name}")
    } else {
        format!("{number:4.0} {prefix}{name}")
    }
}

/// Bytes: ` 945 MBytes`.
pub(super) fn show_amount(bytes: u64, letter: UnitLetter) -> String {
    show(as_float(bytes), letter)
}

/// Bytes in a time as a rate: `8.59 Gbits/sec`.
pub(super) fn show_speed(bytes: u64, seconds: f64, letter: UnitLetter) -> String {
    let rate = if seconds > 0.0 {
        as_float(bytes) / seconds
    } else {
        0.0
    };
    show(rate, letter) + "/sec"
}

/// A number as C's `%.2g` writes it.
pub(super) fn show_percent(percent: f64) -> String {
    if percent <= 0.0 {
        return "0".to_owned();
    }
    let scientific = format!("{percent:.1e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trim = |text: &str| {
        let text = text.trim_end_matches('0');
        text.trim_end_matches('.').to_owned()
    };
    if (-4..2).contains(&exponent) {
        let places = usize::try_from(1 - exponent).unwrap_or(0);
        let text = format!("{percent:.places$}");
        return if text.contains('.') {
            trim(&text)
        } else {
            text
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    let digits = if digits.contains('.') {
        trim(digits)
    } else {
        digits.to_owned()
    };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// Reads a number with a unit; `small` is what a lower-case letter means, `large` an upper-case one.
pub(super) fn read_amount(text: &str, small: f64, large: f64) -> Result<u64, QuantityError> {
    let malformed = || QuantityError::Malformed(text.to_owned());
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = &text[digits.len()..];
    let step = if unit.chars().all(char::is_lowercase) {
        small
    } else {
        large
    };
    let power = match unit.to_ascii_lowercase().as_str() {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return Err(malformed()),
    };
    let plain = |letter: char| letter.is_ascii_digit() || letter == '.';
    if digits.is_empty() || !digits.chars().all(plain) {
        return Err(malformed());
    }
    let number: f64 = digits.parse().map_err(|_| malformed())?;
    let amount = number * step.powi(power);
    if amount >= 9e18 {
        return Err(QuantityError::TooLarge(text.to_owned()));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded above, and no sign was read"
    )]
    let amount = amount as u64;
    Ok(amount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_the_digits_of_the_original() {
        let bytes = UnitLetter::FITTING_BYTES;
        for (amount, expected) in [
            (0, "0.00 Bytes"),
            (1023, "1023 Bytes"),
            (1024 * 1023, "1023 KBytes"),
            (1 << 20, "1.00 MBytes"),
            (945 << 20, " 945 MBytes"),
            (1024 * 1024 * 1024, "1.00 GBytes"),
        ] {
            assert_eq!(show_amount(amount, bytes), expected);
        }
    }

    #[test]
    fn rates_follow_the_letter() {
        let rate = |letter| {
            let letter = UnitLetter::from_letter(letter).expect("a letter");
            show_speed(2_006_250_000, 1.0, letter)
        };
        assert_eq!(rate('a'), "16.1 Gbits/sec");
        assert_eq!(rate('m'), "16050 Mbits/sec");
        assert_eq!(rate('K'), "1959229 KBytes/sec");
        assert_eq!(show_speed(5, 0.0, UnitLetter::FITTING), "0.00 bits/sec");
        assert_eq!(UnitLetter::from_letter('x'), None);
    }

    #[test]
    fn percentages_have_two_digits() {
        for (percent, expected) in [
            (0.0, "0"),
            (0.549_45, "0.55"),
            (5.0, "5"),
            (1.1, "1.1"),
            (12.34, "12"),
            (99.4, "99"),
            (99.6, "1e+02"),
            (100.0, "1e+02"),
            (0.000_012, "1.2e-05"),
        ] {
            assert_eq!(show_percent(percent), expected, "{percent}");
        }
    }

    #[test]
    fn letters_mean_what_the_program_says() {
        assert_eq!(read_amount("10M", 1000.0, 1024.0), Ok(10_485_760));
        assert_eq!(read_amount("10m", 1000.0, 1024.0), Ok(10_000_000));
        assert_eq!(read_amount("10M", 1000.0, 1000.0), Ok(10_000_000));
        assert!(read_amount("x", 1000.0, 1000.0).is_err());
        assert!(read_amount("-1", 1000.0, 1000.0).is_err());
    }
}
