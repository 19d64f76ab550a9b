//! The little of a certificate that is needed: when it is valid, and for which names.

use crate::observation::CertificateFacts;

/// A value: its tag and its content.
type DerValue<'a> = (u8, &'a [u8]);

/// The next value and what follows it.
fn next(bytes: &[u8]) -> Option<(DerValue<'_>, &[u8])> {
    let [tag, length, rest @ ..] = bytes else {
        return None;
    };
    let (length, rest) = match length {
        short @ 0..=0x7f => (usize::from(*short), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => {
            let pair: [u8; 2] = rest.get(..2)?.try_into().ok()?;
            (usize::from(u16::from_be_bytes(pair)), rest.get(2..)?)
        }
        _ => return None,
    };
    Some(((*tag, rest.get(..length)?), rest.get(length..)?))
}

/// Reads a certificate.
pub(super) fn read_certificate(bytes: &[u8]) -> Option<CertificateFacts> {
    let ((0x30, certificate), _) = next(bytes)? else {
        return None;
    };
    let ((0x30, mut rest), _) = next(certificate)? else {
        return None;
    };
    let mut values = Vec::new();
    while let Some((value, tail)) = next(rest) {
        values.push(value);
        rest = tail;
    }
    // The version is optional; then serial number, signature, issuer, validity, subject, key, extensions.
    let first = usize::from(values.first()?.0 == 0xa0);
    let (0x30, validity) = *values.get(first + 3)? else {
        return None;
    };
    let (begin, tail) = next(validity)?;
    let (end, _) = next(tail)?;
    let mut names = Vec::new();
    if let Some((0xa3, extensions)) = values.last() {
        names = alternative_names(extensions).unwrap_or_default();
    }
    if names.is_empty() {
        names.extend(values.get(first + 4).and_then(|it| common_name(it.1)));
    }
    Some(CertificateFacts {
        not_before: time(begin)?,
        not_after: time(end)?,
        names,
    })
}

/// The DNS names of `subjectAltName`.
fn alternative_names(bytes: &[u8]) -> Option<Vec<String>> {
    const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
    let ((0x30, mut rest), _) = next(bytes)? else {
        return None;
    };
    while let Some(((0x30, extension), tail)) = next(rest) {
        rest = tail;
        let ((6, kind), mut values) = next(extension)? else {
            return None;
        };
        if kind != SUBJECT_ALT_NAME {
            continue;
        }
        while let Some(((tag, value), tail)) = next(values) {
            values = tail;
            if tag != 4 {
                continue;
            }
            let ((0x30, mut list), _) = next(value)? else {
                return None;
            };
            let mut names = Vec::new();
            while let Some(((tag, name), tail)) = next(list) {
                list = tail;
                if tag == 0x82 {
                    names.push(String::from_utf8_lossy(name).into_owned());
                }
            }
            return Some(names);
        }
    }
    None
}

/// `CN` of a name.
fn common_name(bytes: &[u8]) -> Option<String> {
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    let mut rest = bytes;
    while let Some(((0x31, set), tail)) = next(rest) {
        rest = tail;
        let ((0x30, pair), _) = next(set)? else {
            return None;
        };
        let ((6, kind), value) = next(pair)? else {
            return None;
        };
        if kind == COMMON_NAME {
            let ((_, text), _) = next(value)?;
            return Some(String::from_utf8_lossy(text).into_owned());
        }
    }
    None
}

/// `UTCTime` or `GeneralizedTime` as seconds since 1970.
fn time((tag, text): DerValue<'_>) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, rest) = match tag {
        0x17 => {
            let short = number(0..2)?;
            (short + if short < 50 { 2000 } else { 1900 }, 2)
        }
        0x18 => (number(0..4)?, 4),
        _ => return None,
    };
    let at = |place: usize| number(rest + 2 * place..rest + 2 * place + 2);
    let (month, day) = (at(0)?, at(1)?);
    let seconds = at(2)? * 3600 + at(3)? * 60 + at(4)?;
    Some(days_since_1970(year, month, day) * 86_400 + seconds)
}

/// Days of the Gregorian calendar, years counted from March.
pub(crate) fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(days_since_1970(1970, 1, 1), 0);
        assert_eq!(days_since_1970(2000, 2, 29), 11_016);
        assert_eq!(time((0x17, b"260102030405Z")), Some(1_767_323_045));
        assert_eq!(time((0x18, b"20260102030405Z")), Some(1_767_323_045));
        assert_eq!(time((0x17, b"26")), None);
    }
}
