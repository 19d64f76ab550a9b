//! Types of service, as numbers and by the names that both programs know.

/// Reads a number in decimal, octal (`064`) or hexadecimal (`0x34`).
pub(super) fn read_number(text: &str) -> Option<u32> {
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok();
    }
    if text.len() > 1 && text.starts_with('0') {
        return u32::from_str_radix(text, 8).ok();
    }
    text.parse().ok()
}

/// Reads a DSCP value or its name; the answer is the type of service, of which it is six bits.
pub(super) fn read_dscp(text: &str) -> Option<u8> {
    let value = named(&text.to_ascii_lowercase()).or_else(|| read_number(text))?;
    let value = u8::try_from(value).ok().filter(|value| *value < 64)?;
    Some(value << 2)
}

/// Reads a type of service, or the name of a DSCP value.
pub(super) fn read_type_of_service(text: &str) -> Option<u8> {
    match text.to_ascii_lowercase().as_str() {
        "lowdelay" => Some(0x10),
        "throughput" => Some(0x08),
        "reliability" => Some(0x04),
        name => match named(name) {
            Some(value) => u8::try_from(value << 2).ok(),
            None => u8::try_from(read_number(text)?).ok(),
        },
    }
}

fn named(name: &str) -> Option<u32> {
    if let Some(class) = name.strip_prefix("cs") {
        return class
            .parse()
            .ok()
            .filter(|class| *class < 8)
            .map(|class: u32| class << 3);
    }
    if let Some(digits) = name.strip_prefix("af") {
        let number: u32 = digits.parse().ok()?;
        let (class, drop) = (number / 10, number % 10);
        let valid = (1..=4).contains(&class) && (1..=3).contains(&drop);
        return valid.then_some((class << 3) + (drop << 1));
    }
    match name {
        "ef" => Some(46),
        "le" => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_three_bases_and_names() {
        for (text, expected) in [
            ("52", Some(52)),
            ("064", Some(52)),
            ("0x34", Some(52)),
            ("0", Some(0)),
            ("256", None),
            ("af41", Some(34 << 2)),
            ("cs7", Some(56 << 2)),
            ("cs8", None),
            ("af14", None),
            ("EF", Some(46 << 2)),
            ("lowdelay", Some(0x10)),
            ("x", None),
        ] {
            assert_eq!(read_type_of_service(text), expected, "{text}");
        }
        assert_eq!(read_dscp("46"), Some(46 << 2));
        assert_eq!(read_dscp("64"), None);
        assert_eq!(read_dscp("af11"), Some(10 << 2));
    }
}
