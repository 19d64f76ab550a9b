//! Numbers of a field as people write them.

use std::fmt::Write as _;

use surefoot_netfilter::packet::to_address;
use surefoot_ruleset::model::{Component, Field, KeyPart, NamePattern, Operand, Range};
use surefoot_ruleset::parse::nft;

/// More values than this in a row are counted, unless everything is asked for.
const SHOWN: usize = 8;

/// How much of a long list is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MostShown(usize);

impl MostShown {
    /// All of it, or a handful.
    pub(super) fn of(exact: bool) -> Self {
        Self(if exact { usize::MAX } else { SHOWN })
    }

    /// Joins the words of a list; `total` is how many there are.
    pub(super) fn join(self, words: impl Iterator<Item = String>, total: usize) -> String {
        // One more than the limit is shown: "and 1 more" takes as much room.
        let shown = if total <= self.0.saturating_add(1) {
            total
        } else {
            self.0
        };
        let mut out = String::new();
        for (at, word) in words.take(shown).enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(&word);
        }
        if total > shown {
            let _ = write!(out, ",… {} more", total - shown);
        }
        out
    }
}

/// What a rule calls a field.
pub(super) fn field_word(field: Field) -> String {
    let word = match field {
        Field::NfProto => "family",
        Field::EtherType => "ethertype",
        Field::L4Proto => "proto",
        Field::Ip4Protocol => "ip protocol",
        Field::Ip6NextHeader => "ip6 nexthdr",
        Field::Ip4Src | Field::Ip6Src => "from",
        Field::Ip4Dst | Field::Ip6Dst => "to",
        Field::SrcPort | Field::SetSrcPort => "sport",
        Field::DstPort | Field::SetDstPort => "dport",
        Field::TcpFlags => "tcp flags",
        Field::TcpOption(number) => return format!("tcp option {number}"),
        Field::IcmpType => "icmp type",
        Field::IcmpCode => "icmp code",
        Field::Icmp6Type => "icmpv6 type",
        Field::Icmp6Code => "icmpv6 code",
        Field::CtState => "state",
        Field::CtStatus => "ct status",
        Field::CtDirection => "ct direction",
        Field::CtMark => "ct mark",
        Field::Mark => "mark",
        Field::MacSrc => "from mac",
        Field::MacDst => "to mac",
        Field::PacketType => "pkttype",
        Field::Uid => "uid",
        Field::Gid => "gid",
        Field::Length => "length",
        Field::Ttl => "ttl",
        Field::HopLimit => "hoplimit",
        Field::Ip4Dscp | Field::Ip6Dscp => "dscp",
        Field::Tos => "tos",
        Field::TrafficClass => "traffic class",
        Field::Ip4Id => "ip id",
        Field::Ip4FragmentOffset => "ip frag-off",
        Field::IsLaterFragment => "later fragment",
        Field::SrcAddressType => "from type",
        Field::DstAddressType => "to type",
        Field::CtOriginalIp4Src | Field::CtOriginalIp6Src => "ct original from",
        Field::CtOriginalIp4Dst | Field::CtOriginalIp6Dst => "ct original to",
        Field::CtOriginalSrcPort => "ct original sport",
        Field::CtOriginalDstPort => "ct original dport",
        Field::CtProtocol => "ct proto",
    };
    word.to_owned()
}

/// The numbers that a condition allows, such as `80,443` or `10.0.0.0/8`.
pub(super) fn value_list(operand: Operand, ranges: &[Range], most: MostShown) -> String {
    let field = operand.field;
    if let Some(mask) = operand.mask {
        let words = ranges.iter().map(|range| masked_words(field, *range, mask));
        return most.join(words, ranges.len());
    }
    // States are single bits, so what lies between two of them is nothing.
    if field == Field::CtState {
        let bits = (0..8).map(|bit| 1_u128 << bit);
        let allowed: Vec<u128> = bits
            .filter(|bit| ranges.iter().any(|range| range.contains(*bit)))
            .filter(|bit| nft::word(field, *bit).is_some())
            .collect();
        if !allowed.is_empty() {
            let words = allowed.iter().map(|bit| number_words(field, *bit));
            return most.join(words, allowed.len());
        }
    }
    most.join(
        ranges.iter().map(|range| span_words(field, *range)),
        ranges.len(),
    )
}

/// One number.
pub(super) fn number_words(field: Field, value: u128) -> String {
    if let Some(word) = nft::word(field, value) {
        return word.to_owned();
    }
    match field {
        Field::Ip4Src | Field::Ip4Dst | Field::CtOriginalIp4Src | Field::CtOriginalIp4Dst => {
            to_address(value, false).to_string()
        }
        Field::Ip6Src | Field::Ip6Dst | Field::CtOriginalIp6Src | Field::CtOriginalIp6Dst => {
            to_address(value, true).to_string()
        }
        Field::MacSrc | Field::MacDst => {
            let bytes = value.to_be_bytes();
            let parts = bytes.iter().skip(10).map(|byte| format!("{byte:02x}"));
            parts.collect::<Vec<_>>().join(":")
        }
        Field::TcpFlags | Field::CtStatus => bit_words(field, value),
        Field::Mark
        | Field::CtMark
        | Field::Tos
        | Field::TrafficClass
        | Field::Ip4FragmentOffset
        | Field::EtherType => format!("{value:#x}"),
        _ => value.to_string(),
    }
}

/// `syn,ack`; what has no name as a number.
pub(super) fn bit_words(field: Field, value: u128) -> String {
    let mut rest = value;
    let mut words: Vec<String> = Vec::new();
    for bit in (0..16).map(|bit| 1_u128 << bit) {
        if value & bit != 0
            && let Some(word) = nft::word(field, bit)
        {
            words.push(word.to_owned());
            rest &= !bit;
        }
    }
    if rest != 0 {
        words.push(format!("{rest:#x}"));
    }
    if words.is_empty() {
        words.push("none".to_owned());
    }
    words.join(",")
}

fn masked_words(field: Field, range: Range, mask: u128) -> String {
    let value = match field {
        Field::TcpFlags | Field::CtStatus => {
            return format!("{}/{}", bit_words(field, range.lo), bit_words(field, mask));
        }
        _ if range.lo == range.hi => number_words(field, range.lo),
        _ => format!(
            "{}-{}",
            number_words(field, range.lo),
            number_words(field, range.hi)
        ),
    };
    match bit_width(field) {
        Some(_) => format!("{value}/{}", number_words(field, mask)),
        None => format!("{value}/{mask:#x}"),
    }
}

/// `10.0.0.0/8`, `1024-65535`, `22`.
fn span_words(field: Field, range: Range) -> String {
    let Range { lo, hi } = range;
    if lo == hi {
        return number_words(field, lo);
    }
    if let Some(width) = bit_width(field)
        && let Some(size) = hi.checked_sub(lo)
        && size & size.wrapping_add(1) == 0
        && lo & size == 0
    {
        let host_bits = size.count_ones();
        return format!(
            "{}/{}",
            number_words(field, lo),
            width.saturating_sub(host_bits)
        );
    }
    // A few numbers that have names are better shown by name.
    if nft::word(field, lo).is_some() && (lo..lo.saturating_add(3)).contains(&hi) {
        let mut words = Vec::new();
        for value in lo..=hi {
            words.push(number_words(field, value));
        }
        return words.join(",");
    }
    format!("{}-{}", number_words(field, lo), number_words(field, hi))
}

/// How many bits an address has; none for what is no address.
fn bit_width(field: Field) -> Option<u32> {
    match field {
        Field::Ip4Src | Field::Ip4Dst | Field::CtOriginalIp4Src | Field::CtOriginalIp4Dst => {
            Some(32)
        }
        Field::Ip6Src | Field::Ip6Dst | Field::CtOriginalIp6Src | Field::CtOriginalIp6Dst => {
            Some(128)
        }
        _ => None,
    }
}

/// An interface name, or the start of one with a star.
pub(super) fn pattern_words(pattern: &NamePattern) -> String {
    match (pattern.text.as_str(), pattern.prefix) {
        ("", false) => "none".to_owned(),
        (text, false) => text.to_owned(),
        (text, true) => format!("{text}*"),
    }
}

/// One element of a set, dimension by dimension.
pub(super) fn element_words(parts: &[KeyPart], key: &[Component]) -> String {
    let mut words = Vec::with_capacity(key.len());
    for (at, component) in key.iter().enumerate() {
        words.push(match (component, parts.get(at)) {
            (Component::Name(pattern), _) => pattern_words(pattern),
            (Component::Numbers(range), Some(KeyPart::Number(operand))) => {
                span_words(operand.field, *range)
            }
            (Component::Numbers(range), _) if range.lo == range.hi => range.lo.to_string(),
            (Component::Numbers(range), _) => format!("{}-{}", range.lo, range.hi),
        });
    }
    words.join(" . ")
}

/// What is looked up in a set: `from . dport`.
pub(super) fn key_words(parts: &[KeyPart]) -> String {
    let words: Vec<String> = parts
        .iter()
        .map(|part| match part {
            KeyPart::InInterface => "in".to_owned(),
            KeyPart::OutInterface => "out".to_owned(),
            KeyPart::Number(Operand { field, mask: None }) => field_word(*field),
            KeyPart::Number(Operand {
                field,
                mask: Some(mask),
            }) => format!("{}/{}", field_word(*field), number_words(*field, *mask)),
        })
        .collect();
    words.join(" . ")
}
