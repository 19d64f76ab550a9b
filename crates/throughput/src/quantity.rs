//! Amounts with units, read and shown as iperf does: bytes in steps of 1024, bits in steps of 1000.

use thiserror::Error;

use crate::summary::as_float;

/// What is no amount.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// No number, or an unknown unit.
    #[error("`{0}` is no amount; write a number, with K, M, G or T behind it for more")]
    Malformed(String),
    /// More than there is room for.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// Reads bytes: `K` is 1024.
pub fn parse_bytes(text: &str) -> Result<u64, QuantityError> {
    parse(text, 1024.0)
}

/// Reads bits per second: `K` is 1000.
pub fn parse_rate(text: &str) -> Result<u64, QuantityError> {
    parse(text, 1000.0)
}

fn parse(text: &str, step: f64) -> Result<u64, QuantityError> {
    let malformed = || QuantityError::Malformed(text.to_owned());
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let power = match &text[digits.len()..] {
        "" => 0,
        "k" | "K" => 1,
        "m" | "M" => 2,
        "g" | "G" => 3,
        "t" | "T" => 4,
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
    let amount = amount.round() as u64;
    Ok(amount)
}

/// Bytes with three digits: `11.9 MBytes`.
pub fn show_bytes(bytes: u64) -> String {
    let names = ["Bytes", "KBytes", "MBytes", "GBytes", "TBytes"];
    show(as_float(bytes), 1024.0, &names)
}

/// Bits per second with three digits: `94.2 Mbits/sec`.
pub fn show_rate(rate: f64) -> String {
    let names = [
        "bits/sec",
        "Kbits/sec",
        "Mbits/sec",
        "Gbits/sec",
        "Tbits/sec",
    ];
    show(rate, 1000.0, &names)
}

fn show(mut number: f64, step: f64, names: &[&str]) -> String {
    let mut place = 0;
    while number >= 999.5 && place + 1 < names.len() {
        number /= step;
        place += 1;
    }
    let name = names[place];
    // The bounds are those at which rounding gives another digit.
    if number < 9.995 {
        format!("{number:.2} {name}")
    } else if number < 99.95 {
        format!("{number:.1} {name}")
    } else {
        format!("{number:.0} {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read() {
        assert_eq!(parse_bytes("128K"), Ok(131_072));
        assert_eq!(parse_bytes("1.5m"), Ok(1_572_864));
        assert_eq!(parse_rate("1G"), Ok(1_000_000_000));
        assert_eq!(parse_rate("0"), Ok(0));
        assert_eq!(parse_bytes("2T"), Ok(2 << 40));
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in ["", "K", "-1", "1e9", "12Q", "1.2.3", "١", "1 M", "inf"] {
            assert!(
                matches!(parse_rate(text), Err(QuantityError::Malformed(_))),
                "{text}"
            );
        }
        assert_eq!(
            parse_bytes("99999999999T"),
            Err(QuantityError::TooLarge("99999999999T".into()))
        );
    }

    #[test]
    fn amounts_are_shown_with_three_digits() {
        assert_eq!(show_bytes(0), "0.00 Bytes");
        assert_eq!(show_bytes(999), "999 Bytes");
        assert_eq!(show_bytes(1 << 20), "1.00 MBytes");
        assert_eq!(show_rate(9_994_000.0), "9.99 Mbits/sec");
        assert_eq!(show_rate(9_996_000.0), "10.0 Mbits/sec");
        assert_eq!(show_rate(1e9), "1.00 Gbits/sec");
        assert_eq!(show_rate(999_600_000.0), "1.00 Gbits/sec");
    }
}
