//! Which packets have which fields, as far as one chain can tell.
//!
//! What is not certain is left open: a packet more than there are can only make a rule look alive.

use surefoot_ruleset::model::{Field, Range, ct_state};

/// Whether packets have a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FieldPresence {
    /// None of this family has it.
    Never,
    /// All have it.
    Always,
    /// Whole packets of these transport protocols have it, and no others.
    With(&'static [u128]),
    /// Some have it, and nothing here says which.
    Perhaps,
}

/// What has ports where TCP has them.
const PORTS: &[u128] = &[6, 17, 33, 132, 136];

/// The protocols that some field belongs to.
pub(super) const PROTOCOLS: &[u128] = &[1, 6, 17, 33, 58, 132, 136];

/// Whether packets of the family have the field.
pub(super) fn presence_of(field: Field, v6: bool) -> FieldPresence {
    let of_family = |six: bool| {
        if six == v6 {
            FieldPresence::Always
        } else {
            FieldPresence::Never
        }
    };
    match field {
        Field::Ip4Src
        | Field::Ip4Dst
        | Field::Ip4Protocol
        | Field::Ttl
        | Field::Tos
        | Field::Ip4Dscp
        | Field::Ip4Id
        | Field::Ip4FragmentOffset => of_family(false),
        Field::Ip6Src
        | Field::Ip6Dst
        | Field::Ip6NextHeader
        | Field::HopLimit
        | Field::TrafficClass
        | Field::Ip6Dscp => of_family(true),
        Field::CtOriginalIp4Src | Field::CtOriginalIp4Dst | Field::IcmpType | Field::IcmpCode
            if v6 =>
        {
            FieldPresence::Never
        }
        Field::CtOriginalIp6Src | Field::CtOriginalIp6Dst | Field::Icmp6Type | Field::Icmp6Code
            if !v6 =>
        {
            FieldPresence::Never
        }
        Field::IcmpType | Field::IcmpCode => FieldPresence::With(&[1]),
        Field::Icmp6Type | Field::Icmp6Code => FieldPresence::With(&[58]),
        Field::SrcPort | Field::DstPort => FieldPresence::With(PORTS),
        Field::TcpFlags | Field::TcpOption(_) => FieldPresence::With(&[6]),
        Field::NfProto
        | Field::EtherType
        | Field::L4Proto
        | Field::CtState
        | Field::Mark
        | Field::Length
        | Field::PacketType
        | Field::SrcAddressType
        | Field::DstAddressType
        | Field::IsLaterFragment => FieldPresence::Always,
        _ => FieldPresence::Perhaps,
    }
}

/// The field that holds the same number in packets of the family.
pub(super) fn same_as(field: Field, v6: bool) -> Field {
    match field {
        Field::Ip4Protocol if !v6 => Field::L4Proto,
        other => other,
    }
}

/// The number that all packets of the family have in the field.
pub(super) fn constant_value(field: Field, v6: bool) -> Option<u128> {
    match (field, v6) {
        (Field::NfProto, false) => Some(2),
        (Field::NfProto, true) => Some(10),
        (Field::EtherType, false) => Some(0x0800),
        (Field::EtherType, true) => Some(0x86dd),
        _ => None,
    }
}

/// The largest number of a field.
pub(super) fn largest_value(field: Field) -> u128 {
    let bits = match field {
        Field::Ip6Src | Field::Ip6Dst | Field::CtOriginalIp6Src | Field::CtOriginalIp6Dst => {
            return u128::MAX;
        }
        Field::MacSrc | Field::MacDst => 48,
        Field::Ip4Src
        | Field::Ip4Dst
        | Field::CtOriginalIp4Src
        | Field::CtOriginalIp4Dst
        | Field::Mark
        | Field::CtMark
        | Field::Uid
        | Field::Gid => 32,
        Field::Length => 17,
        Field::SrcPort
        | Field::DstPort
        | Field::SetSrcPort
        | Field::SetDstPort
        | Field::CtOriginalSrcPort
        | Field::CtOriginalDstPort
        | Field::CtStatus
        | Field::Ip4Id
        | Field::Ip4FragmentOffset
        | Field::EtherType => 16,
        Field::IsLaterFragment | Field::CtDirection | Field::TcpOption(_) => 1,
        Field::PacketType => 3,
        Field::SrcAddressType | Field::DstAddressType => 4,
        Field::Ip4Dscp | Field::Ip6Dscp => 6,
        Field::CtState => 7,
        Field::NfProto
        | Field::L4Proto
        | Field::Ip4Protocol
        | Field::Ip6NextHeader
        | Field::TcpFlags
        | Field::IcmpType
        | Field::IcmpCode
        | Field::Icmp6Type
        | Field::Icmp6Code
        | Field::Ttl
        | Field::HopLimit
        | Field::Tos
        | Field::TrafficClass
        | Field::CtProtocol => 8,
    };
    (1 << bits) - 1
}

/// The numbers of a field that has few.
pub(super) fn only_values(field: Field) -> Option<&'static [u128]> {
    (field == Field::CtState).then_some(&[
        ct_state::NEW,
        ct_state::ESTABLISHED,
        ct_state::RELATED,
        ct_state::INVALID,
        ct_state::UNTRACKED,
    ])
}

/// What is left of the numbers up to the largest without the ascending ranges.
pub(super) fn complement_ranges(ranges: &[Range], largest: u128) -> Vec<Range> {
    let mut rest = Vec::with_capacity(ranges.len() + 1);
    let mut next = Some(0);
    for range in ranges {
        let Some(lo) = next else { break };
        if let Some(hi) = range.lo.checked_sub(1).map(|hi| hi.min(largest))
            && lo <= hi
        {
            rest.push(Range { lo, hi });
        }
        next = range.hi.checked_add(1).filter(|next| *next <= largest);
    }
    if let Some(lo) = next {
        rest.push(Range { lo, hi: largest });
    }
    rest
}
