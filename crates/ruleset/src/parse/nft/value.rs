//! Values: addresses, ports, ranges and words, once their type is known.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::names;
use crate::model::{Component, NamePattern, Range};

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    /// `ipv4_addr`.
    Ip4,
    /// `ipv6_addr`.
    Ip6,
    /// `ether_addr`.
    Mac,
    /// `ifname`.
    Name,
    /// `iface_index`, by its name; the number of an interface is known to the kernel alone.
    Index,
    /// `inet_service`.
    Port,
    /// A number, or one of these words.
    Number(names::Table),
    /// Bits with these names.
    Flags(names::Table),
}

impl Type {
    /// The type of a set's key by nft's name for it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ipv4_addr" => Self::Ip4,
            "ipv6_addr" => Self::Ip6,
            "ether_addr" | "lladdr" => Self::Mac,
            "ifname" => Self::Name,
            "iface_index" => Self::Index,
            "inet_service" => Self::Port,
            "inet_proto" => Self::Number(names::PROTOCOL),
            "ether_type" => Self::Number(names::ETHER_TYPE),
            "nf_proto" => Self::Number(names::NFPROTO),
            "icmp_type" => Self::Number(names::ICMP_TYPE),
            "icmp_code" => Self::Number(names::ICMP_CODE),
            "icmpv6_type" => Self::Number(names::ICMP6_TYPE),
            "icmpv6_code" => Self::Number(names::ICMP6_CODE),
            "pkt_type" => Self::Number(names::PACKET_TYPE),
            "fib_addrtype" => Self::Number(names::ADDRESS_TYPE),
            "ct_dir" => Self::Number(names::CT_DIRECTION),
            "dscp" => Self::Number(names::DSCP),
            "mark" | "uid" | "gid" | "integer" => Self::Number(names::NONE),
            "ct_state" => Self::Flags(names::CT_STATE),
            "ct_status" => Self::Flags(names::CT_STATUS),
            "tcp_flag" => Self::Flags(names::TCP_FLAGS),
            _ => return None,
        })
    }

    /// Reads one value, prefix or range; none where the word is not of this type.
    pub(super) fn read(self, word: &str) -> Option<Component> {
        match self {
            Self::Name => return Some(Component::Name(name(word))),
            Self::Index => return index(word).map(Component::Name),
            _ => {}
        }
        if word == "*" {
            return Some(Component::Numbers(Range {
                lo: 0,
                hi: u128::MAX,
            }));
        }
        self.range(word).map(Component::Numbers)
    }

    /// Reads numbers.
    pub(super) fn range(self, word: &str) -> Option<Range> {
        if let Some(value) = self.single(word) {
            return Some(Range::one(value));
        }
        if let Some((base, length)) = word.split_once('/') {
            return self.prefix(base, length);
        }
        let (lo, hi) = word.split_once('-')?;
        let (lo, hi) = (self.single(lo)?, self.single(hi)?);
        (lo <= hi).then_some(Range { lo, hi })
    }

    fn prefix(self, base: &str, length: &str) -> Option<Range> {
        self.prefix_of(self.single(base)?, length)
    }

    /// The addresses that begin like this one, by the length of the beginning or its mask.
    pub(super) fn prefix_of(self, base: u128, length: &str) -> Option<Range> {
        let width: u32 = match self {
            Self::Ip4 => 32,
            Self::Ip6 => 128,
            _ => return None,
        };
        let length: u32 = match (length.parse(), length.parse::<Ipv4Addr>()) {
            (Ok(length), _) => length,
            (_, Ok(mask)) if u32::from(mask).leading_ones() == u32::from(mask).count_ones() => {
                u32::from(mask).leading_ones()
            }
            _ => return None,
        };
        let free = width.checked_sub(length)?;
        let host = u128::MAX.checked_shr(128 - free).unwrap_or(0);
        Some(Range {
            lo: base & !host,
            hi: base | host,
        })
    }

    /// Reads one number.
    pub(super) fn single(self, word: &str) -> Option<u128> {
        match self {
            Self::Ip4 => word.parse::<Ipv4Addr>().ok().map(|a| u32::from(a).into()),
            Self::Ip6 => {
                let word = word.trim_start_matches('[').trim_end_matches(']');
                word.parse::<Ipv6Addr>().ok().map(u128::from)
            }
            Self::Mac => mac(word),
            Self::Name | Self::Index => None,
            Self::Port => number(word)
                .filter(|port| *port <= 0xffff)
                .or_else(|| service(word)),
            Self::Number(table) | Self::Flags(table) => number(word).or_else(|| {
                let found = table.iter().find(|(name, _)| *name == word);
                found.map(|(_, value)| *value)
            }),
        }
    }
}

fn service(word: &str) -> Option<u128> {
    crate::parse::iptables::names::port(word).map(u128::from)
}

/// The interface of an index that is written as a name; 0 says that there is none.
fn index(word: &str) -> Option<NamePattern> {
    match number(word) {
        Some(0) => Some(name("")),
        Some(_) => None,
        None => Some(NamePattern {
            text: word.to_owned(),
            prefix: false,
        }),
    }
}

/// `eth*` is the start of a name, `eth\*` a name with a star.
pub(super) fn name(word: &str) -> NamePattern {
    match word.strip_suffix("\\*") {
        Some(text) => NamePattern {
            text: format!("{text}*"),
            prefix: false,
        },
        None => match word.strip_suffix('*') {
            Some(text) => NamePattern {
                text: text.to_owned(),
                prefix: true,
            },
            None => NamePattern {
                text: word.to_owned(),
                prefix: false,
            },
        },
    }
}

/// A decimal, hexadecimal or octal number, as `strtoull` with base 0 reads it.
pub(super) fn number(word: &str) -> Option<u128> {
    if let Some(digits) = word.strip_prefix("0x") {
        return u128::from_str_radix(digits, 16).ok();
    }
    match word.strip_prefix('0') {
        Some(digits) if !digits.is_empty() => u128::from_str_radix(digits, 8).ok(),
        _ => word.parse().ok(),
    }
}

fn mac(word: &str) -> Option<u128> {
    let mut value = 0;
    let mut count = 0;
    for part in word.split(':') {
        value = (value << 8) | u128::from(u8::from_str_radix(part, 16).ok()?);
        count += 1;
        if count > 6 {
            return None;
        }
    }
    (count == 6).then_some(value)
}

/// Sorts ranges and joins those that touch.
pub(super) fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut joined: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.lo <= last.hi.saturating_add(1) => last.hi = last.hi.max(range.hi),
            _ => joined.push(range),
        }
    }
    joined
}
