//! What stands left of a comparison: `tcp dport`, `ct state`, `ip saddr . iifname`.

use super::lex::{NftToken, TokenKind};
use super::names;
use super::value::Type;
use crate::model::{Field, KeyPart, Operand};

/// What stands left of a comparison.
#[derive(Clone, Copy)]
pub(super) struct Selector {
    pub(super) part: KeyPart,
    pub(super) kind: Type,
    /// The protocol that the words imply, of the transport or of the network.
    pub(super) implied: Option<(Field, u128)>,
    /// Whether the words read bytes behind the header of whatever protocol there is.
    pub(super) any_transport: bool,
    /// How much the field counts more than the words do.
    pub(super) more: u128,
}

/// Protocols that begin with two ports.
pub(super) const WITH_PORTS: [u128; 5] = [6, 17, 33, 132, 136];

fn plain(field: Field, kind: Type) -> Selector {
    Selector {
        part: KeyPart::Number(field.into()),
        kind,
        implied: None,
        any_transport: false,
        more: 0,
    }
}

fn interface(part: KeyPart, kind: Type) -> Selector {
    Selector {
        part,
        ..plain(Field::NfProto, kind)
    }
}

/// Some bits of a field.
fn bits(field: Field, mask: u128, table: names::Table) -> Selector {
    Selector {
        part: KeyPart::Number(Operand {
            field,
            mask: Some(mask),
        }),
        ..plain(field, Type::Number(table))
    }
}

/// Reads a selector at the start of the words; gives it and how many words it takes.
pub(super) fn selector(words: &[NftToken<'_>]) -> Option<(Selector, usize)> {
    use Field as F;
    let word = |at: usize| {
        words
            .get(at)
            .filter(|w| w.kind == TokenKind::Word)
            .map_or("", |w| w.text)
    };
    let any = Type::Number(names::NONE);
    let proto = Type::Number(names::PROTOCOL);
    let ports = |field, protocol| Selector {
        implied: Some((F::L4Proto, protocol)),
        ..plain(field, Type::Port)
    };
    let bare_ports = |field, kind| Selector {
        any_transport: true,
        ..plain(field, kind)
    };
    let length = |family, more| Selector {
        implied: Some((F::NfProto, family)),
        more,
        ..plain(F::Length, any)
    };
    let pair = |found| Some((found, 2));
    let transport = |protocol: u128| match word(1) {
        "sport" => pair(ports(F::SrcPort, protocol)),
        "dport" => pair(ports(F::DstPort, protocol)),
        "flags" if protocol == 6 => pair(Selector {
            implied: Some((F::L4Proto, 6)),
            ..plain(F::TcpFlags, Type::Flags(names::TCP_FLAGS))
        }),
        _ => None,
    };
    match word(0) {
        // Raw bytes at the place of the ports; `@th , 16 , 16` is cut at its commas.
        "@th" => {
            let text = |at: usize| words.get(at).map_or("", |w| w.text);
            let field = match [text(1), text(2), text(3), text(4)] {
                [",", "0", ",", "16"] => F::SrcPort,
                [",", "16", ",", "16"] => F::DstPort,
                _ => return None,
            };
            Some((bare_ports(field, any), 5))
        }
        "tcp" if word(1) == "option" => {
            let (_, number) = names::TCP_OPTIONS
                .iter()
                .find(|(name, _)| *name == word(2))?;
            let next = words.get(3).map_or("", |word| word.text);
            let asked = matches!(next, "exists" | "missing" | "==" | "!=" | "eq" | "ne");
            asked.then_some(())?;
            let option = Selector {
                implied: Some((F::L4Proto, 6)),
                ..plain(F::TcpOption(*number), Type::Number(names::EXISTS))
            };
            Some((option, 3))
        }
        "tcp" => transport(6),
        "udp" => transport(17),
        "th" => match word(1) {
            "sport" => pair(bare_ports(F::SrcPort, Type::Port)),
            "dport" => pair(bare_ports(F::DstPort, Type::Port)),
            _ => None,
        },
        "udplite" => transport(136),
        "sctp" => transport(132),
        "dccp" => transport(33),
        "ip" => pair(match word(1) {
            "saddr" => plain(F::Ip4Src, Type::Ip4),
            "daddr" => plain(F::Ip4Dst, Type::Ip4),
            "protocol" => plain(F::Ip4Protocol, proto),
            "dscp" => plain(F::Ip4Dscp, Type::Number(names::DSCP)),
            "ecn" => bits(F::Tos, 3, names::ECN),
            "length" => length(2, 0),
            "ttl" => plain(F::Ttl, any),
            "id" => plain(F::Ip4Id, any),
            "frag-off" => plain(F::Ip4FragmentOffset, any),
            _ => return None,
        }),
        "ip6" => pair(match word(1) {
            "saddr" => plain(F::Ip6Src, Type::Ip6),
            "daddr" => plain(F::Ip6Dst, Type::Ip6),
            "nexthdr" => plain(F::Ip6NextHeader, proto),
            "dscp" => plain(F::Ip6Dscp, Type::Number(names::DSCP)),
            "ecn" => bits(F::TrafficClass, 3, names::ECN),
            // Without the fixed header.
            "length" => length(10, 40),
            "hoplimit" => plain(F::HopLimit, any),
            _ => return None,
        }),
        "icmp" => pair(match word(1) {
            "type" => plain(F::IcmpType, Type::Number(names::ICMP_TYPE)),
            "code" => plain(F::IcmpCode, Type::Number(names::ICMP_CODE)),
            _ => return None,
        }),
        "icmpv6" => pair(match word(1) {
            "type" => plain(F::Icmp6Type, Type::Number(names::ICMP6_TYPE)),
            "code" => plain(F::Icmp6Code, Type::Number(names::ICMP6_CODE)),
            _ => return None,
        }),
        "ether" => pair(match word(1) {
            "saddr" => plain(F::MacSrc, Type::Mac),
            "daddr" => plain(F::MacDst, Type::Mac),
            "type" => plain(F::EtherType, Type::Number(names::ETHER_TYPE)),
            _ => return None,
        }),
        "ct" => match word(1) {
            "state" => pair(plain(F::CtState, Type::Flags(names::CT_STATE))),
            "status" => pair(plain(F::CtStatus, Type::Flags(names::CT_STATUS))),
            "direction" => pair(plain(F::CtDirection, Type::Number(names::CT_DIRECTION))),
            "mark" => pair(plain(F::CtMark, any)),
            // So nft lists `ct original protocol`.
            "protocol" => pair(plain(F::CtProtocol, proto)),
            "original" => Some((
                match (word(2), word(3)) {
                    ("ip", "saddr") => plain(F::CtOriginalIp4Src, Type::Ip4),
                    ("ip", "daddr") => plain(F::CtOriginalIp4Dst, Type::Ip4),
                    ("ip6", "saddr") => plain(F::CtOriginalIp6Src, Type::Ip6),
                    ("ip6", "daddr") => plain(F::CtOriginalIp6Dst, Type::Ip6),
                    ("proto-src", _) => return Some((plain(F::CtOriginalSrcPort, Type::Port), 3)),
                    ("proto-dst", _) => return Some((plain(F::CtOriginalDstPort, Type::Port), 3)),
                    ("protocol", _) => return Some((plain(F::CtProtocol, proto), 3)),
                    // `nft -j` leaves the family to the value.
                    ("saddr", _) if is_ip6(words)? => {
                        return Some((plain(F::CtOriginalIp6Src, Type::Ip6), 3));
                    }
                    ("daddr", _) if is_ip6(words)? => {
                        return Some((plain(F::CtOriginalIp6Dst, Type::Ip6), 3));
                    }
                    ("saddr", _) => return Some((plain(F::CtOriginalIp4Src, Type::Ip4), 3)),
                    ("daddr", _) => return Some((plain(F::CtOriginalIp4Dst, Type::Ip4), 3)),
                    _ => return None,
                },
                4,
            )),
            _ => None,
        },
        "fib" => {
            let field = match (word(1), word(2)) {
                ("saddr", "type") => F::SrcAddressType,
                ("daddr", "type") => F::DstAddressType,
                _ => return None,
            };
            Some((plain(field, Type::Number(names::ADDRESS_TYPE)), 3))
        }
        "meta" => meta(word(1)).map(|found| (found, 2)),
        bare @ ("iif" | "iifname" | "oif" | "oifname" | "mark" | "skuid" | "skgid" | "pkttype"
        | "length" | "nfproto" | "l4proto") => meta(bare).map(|found| (found, 1)),
        _ => None,
    }
}

/// Whether the first address among the words is one of IPv6; none if there is none.
fn is_ip6(words: &[NftToken<'_>]) -> Option<bool> {
    words.iter().find_map(|word| {
        let range = [Type::Ip4, Type::Ip6].map(|kind| kind.range(word.text).is_some());
        range.contains(&true).then_some(range[1])
    })
}

fn meta(key: &str) -> Option<Selector> {
    let any = Type::Number(names::NONE);
    Some(match key {
        "mark" => plain(Field::Mark, any),
        "l4proto" => plain(Field::L4Proto, Type::Number(names::PROTOCOL)),
        "nfproto" => plain(Field::NfProto, Type::Number(names::NFPROTO)),
        "protocol" => plain(Field::EtherType, Type::Number(names::ETHER_TYPE)),
        "skuid" => plain(Field::Uid, any),
        "skgid" => plain(Field::Gid, any),
        "pkttype" => plain(Field::PacketType, Type::Number(names::PACKET_TYPE)),
        "length" => plain(Field::Length, any),
        "iif" => interface(KeyPart::InInterface, Type::Index),
        "iifname" => interface(KeyPart::InInterface, Type::Name),
        "oif" => interface(KeyPart::OutInterface, Type::Index),
        "oifname" => interface(KeyPart::OutInterface, Type::Name),
        _ => return None,
    })
}

/// Reads `a . b` into selectors.
pub(super) fn selectors(words: &[NftToken<'_>]) -> Option<(Vec<Selector>, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let (one, taken) = selector(words.get(at..)?)?;
        found.push(one);
        at += taken;
        if words
            .get(at)
            .is_none_or(|word| word.text != "." || word.kind != TokenKind::Word)
        {
            return Some((found, at));
        }
        at += 1;
    }
}

/// The types of `typeof ip saddr . tcp dport`.
pub(super) fn selector_types(words: &[NftToken<'_>]) -> Option<Vec<Type>> {
    if words.is_empty() {
        return Some(Vec::new());
    }
    let (found, taken) = selectors(words)?;
    (taken == words.len()).then(|| found.iter().map(|one| one.kind).collect())
}
