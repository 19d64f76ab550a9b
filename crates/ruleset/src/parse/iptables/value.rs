//! Values of options: addresses, masks, ranges, marks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::names::{number, port};
use crate::model::Range;

/// An address with its mask, both as numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::parse) struct Net {
    pub(in crate::parse) ip6: bool,
    pub(in crate::parse) address: u128,
    pub(in crate::parse) mask: u128,
}

fn all_ones(ip6: bool) -> u128 {
    if ip6 { u128::MAX } else { u128::from(u32::MAX) }
}

fn prefix_mask(ip6: bool, length: u32) -> Option<u128> {
    let width: u32 = if ip6 { 128 } else { 32 };
    let zeros = width.checked_sub(length)?;
    let low = 1_u128.checked_shl(zeros).map_or(u128::MAX, |bit| bit - 1);
    Some(all_ones(ip6) & !low)
}

/// The number of an address.
pub(in crate::parse) fn address_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// The address of a number; too large ones are IPv6.
pub(in crate::parse) fn address_of(ip6: bool, number: u128) -> IpAddr {
    match u32::try_from(number) {
        Ok(small) if !ip6 => IpAddr::V4(Ipv4Addr::from(small)),
        _ => IpAddr::V6(Ipv6Addr::from(number)),
    }
}

impl Net {
    /// Reads `10.0.0.0/8`, `10.0.0.0/255.0.0.0`, `10/8`, `2001:db8::/32` and single addresses.
    pub(in crate::parse) fn parse(word: &str) -> Option<Self> {
        let (address, mask) = match word.split_once('/') {
            Some((address, mask)) => (address, Some(mask)),
            None => (word, None),
        };
        let ip6 = address.contains(':');
        let address = if ip6 {
            u128::from(address.parse::<Ipv6Addr>().ok()?)
        } else {
            dotted(address, mask.is_some())?
        };
        let mask = match mask {
            None => all_ones(ip6),
            Some(mask) if !ip6 && mask.contains('.') => dotted(mask, false)?,
            Some(mask) if ip6 && mask.contains(':') => u128::from(mask.parse::<Ipv6Addr>().ok()?),
            Some(mask) => prefix_mask(ip6, mask.parse().ok()?)?,
        };
        Some(Self {
            ip6,
            address: address & mask,
            mask,
        })
    }

    /// The length of the mask if it is a prefix.
    pub(in crate::parse) fn prefix(&self) -> Option<u32> {
        let ones = self.mask.count_ones();
        (prefix_mask(self.ip6, ones) == Some(self.mask)).then_some(ones)
    }

    /// The addresses, if they stand in a row.
    pub(in crate::parse) fn range(&self) -> Option<Range> {
        self.prefix()?;
        Some(Range {
            lo: self.address,
            hi: self.address | (all_ones(self.ip6) & !self.mask),
        })
    }

    fn canonical(&self) -> String {
        let address = address_of(self.ip6, self.address);
        match self.prefix() {
            Some(length) => format!("{address}/{length}"),
            None => format!("{address}/{}", address_of(self.ip6, self.mask)),
        }
    }
}

/// An IPv4 address; with `short`, missing bytes at the end are 0, as in `10/8`.
fn dotted(word: &str, short: bool) -> Option<u128> {
    if let Ok(address) = word.parse::<Ipv4Addr>() {
        return Some(u128::from(u32::from(address)));
    }
    if !short {
        return None;
    }
    let mut bytes = [0_u8; 4];
    let mut parts = word.split('.');
    for slot in &mut bytes {
        match parts.next() {
            Some(part) => *slot = part.parse().ok()?,
            None => break,
        }
    }
    parts
        .next()
        .is_none()
        .then(|| u128::from(u32::from_be_bytes(bytes)))
}

/// A list of addresses in the spelling of `iptables-save`; what is no address stays.
pub(in crate::parse) fn canonical_addresses(list: &str) -> String {
    let words = list.split(',').map(|word| {
        Net::parse(word).map_or_else(
            || {
                let mut out = String::new();
                super::rule::quote_into(word, &mut out);
                out
            },
            |net| net.canonical(),
        )
    });
    if list
        .bytes()
        .any(|byte| byte <= b' ' || matches!(byte, b'"' | b'\\' | b'\''))
    {
        let mut out = String::new();
        super::rule::quote_into(list, &mut out);
        return out;
    }
    words.collect::<Vec<_>>().join(",")
}

/// Sorts ranges and joins those that overlap.
pub(in crate::parse) fn tidy(mut ranges: Vec<Range>) -> Vec<Range> {
    if ranges.len() < 2 {
        return ranges;
    }
    ranges.sort_unstable();
    let mut out: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match out.last_mut() {
            Some(last) if range.lo <= last.hi => last.hi = last.hi.max(range.hi),
            _ => out.push(range),
        }
    }
    out
}

/// A port or `from:to`, either end of which may be left out.
pub(in crate::parse) fn port_range(word: &str) -> Option<Range> {
    let end = |word: &str, missing: u16| {
        if word.is_empty() {
            Some(missing)
        } else {
            port(word)
        }
    };
    let (lo, hi) = if let Some((lo, hi)) = word.split_once(':') {
        (end(lo, 0)?, end(hi, u16::MAX)?)
    } else {
        let one = port(word)?;
        (one, one)
    };
    (lo <= hi).then(|| Range {
        lo: lo.into(),
        hi: hi.into(),
    })
}

/// A list of ports and ranges, as `multiport` has it.
pub(in crate::parse) fn port_list(word: &str) -> Option<Vec<Range>> {
    word.split(',')
        .map(port_range)
        .collect::<Option<Vec<_>>>()
        .map(tidy)
}

/// A number or `from:to` below `max`, either end of which may be left out.
pub(in crate::parse) fn number_range(word: &str, separator: char, max: u64) -> Option<Range> {
    let end = |word: &str, missing: u64| {
        if word.is_empty() {
            Some(missing)
        } else {
            number(word).filter(|n| *n <= max)
        }
    };
    let (lo, hi) = if let Some((lo, hi)) = word.split_once(separator) {
        (end(lo, 0)?, end(hi, max)?)
    } else {
        let one = number(word).filter(|n| *n <= max)?;
        (one, one)
    };
    (lo <= hi).then(|| Range {
        lo: lo.into(),
        hi: hi.into(),
    })
}

/// `value[/mask]` of 32 bits.
pub(in crate::parse) fn mark(word: &str) -> Option<(u32, Option<u32>)> {
    let bits = |word: &str| number(word).and_then(|number| u32::try_from(number).ok());
    match word.split_once('/') {
        Some((value, mask)) => Some((bits(value)?, Some(bits(mask)?))),
        None => Some((bits(word)?, None)),
    }
}

/// `first[-last]` of addresses.
pub(in crate::parse) fn address_range(word: &str) -> Option<(IpAddr, IpAddr)> {
    let (first, last) = word.split_once('-').unwrap_or((word, word));
    let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
    (first.is_ipv4() == last.is_ipv4() && first <= last).then_some((first, last))
}

/// A hardware address as a number of 48 bits.
pub fn mac(word: &str) -> Option<u128> {
    let mut number = 0_u128;
    let mut count = 0;
    for part in word.split([':', '-']) {
        let byte = (!part.is_empty() && part.len() <= 2).then(|| u8::from_str_radix(part, 16).ok());
        number = number << 8 | u128::from(byte.flatten()?);
        count += 1;
        if count > 6 {
            return None;
        }
    }
    (count == 6).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: &str, canonical: &str) {
        assert_eq!(canonical_addresses(word), canonical);
    }

    #[test]
    fn addresses_have_one_spelling() {
        check("10.1.2.3", "10.1.2.3/32");
        check("10.1.2.3/255.0.0.0", "10.0.0.0/8");
        check("10/8", "10.0.0.0/8");
        check("0.0.0.0/0", "0.0.0.0/0");
        check("10.0.0.1/255.0.255.0", "10.0.0.0/255.0.255.0");
        check("2001:DB8::1/32,::/0", "2001:db8::/32,::/0");
        check("host.example", "host.example");
        check("10.0.0.0/33", "10.0.0.0/33");
    }

    #[test]
    fn ranges_are_read_with_open_ends() {
        assert_eq!(port_range(":1023"), Some(Range { lo: 0, hi: 1023 }));
        assert_eq!(
            port_range("1024:"),
            Some(Range {
                lo: 1024,
                hi: 65535
            })
        );
        assert_eq!(port_range("ssh"), Some(Range::one(22)));
        assert_eq!(port_range("9:8"), None);
        assert_eq!(port_range("65536"), None);
    }

    #[test]
    fn a_mac_has_six_bytes() {
        assert_eq!(mac("00:00:00:00:01:02"), Some(0x102));
        assert_eq!(mac("XX:XX:XX:XX:XX:XX"), None);
        assert_eq!(mac("0:0:0:0:0"), None);
    }
}
