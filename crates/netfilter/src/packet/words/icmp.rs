//! ICMP types by every name that is in use: of iptables, of nft, of ping.

use crate::packet::Packet;
use surefoot_ruleset::model::{Field, ct_state};
use surefoot_ruleset::parse::names;

/// The names beyond those of iptables: whether of version 6, type and code.
const MORE: &[(&str, bool, u8, Option<u8>)] = &[
    ("ping4", false, 8, None),
    ("ping6", true, 128, None),
    ("pong4", false, 0, None),
    ("pong6", true, 129, None),
    // nft's `icmp type` and `icmp code`.
    ("info-request", false, 15, None),
    ("info-reply", false, 16, None),
    ("net-unreachable", false, 3, Some(0)),
    ("prot-unreachable", false, 3, Some(2)),
    ("frag-needed", false, 3, Some(4)),
    ("net-prohibited", false, 3, Some(9)),
    ("admin-prohibited", false, 3, Some(13)),
    // nft's `icmpv6 type` and `icmpv6 code`.
    ("mld-listener-query", true, 130, None),
    ("mld-listener-report", true, 131, None),
    ("mld-listener-done", true, 132, None),
    ("mld-listener-reduction", true, 132, None),
    ("nd-router-solicit", true, 133, None),
    ("nd-router-advert", true, 134, None),
    ("nd-neighbor-solicit", true, 135, None),
    ("nd-neighbour-solicit", true, 135, None),
    ("nd-neighbor-advert", true, 136, None),
    ("nd-neighbour-advert", true, 136, None),
    ("nd-redirect", true, 137, None),
    ("router-renumbering", true, 138, None),
    ("ind-neighbor-solicit", true, 141, None),
    ("ind-neighbor-advert", true, 142, None),
    ("mld2-listener-report", true, 143, None),
    ("admin-prohibited", true, 1, Some(1)),
    ("addr-unreachable", true, 1, Some(3)),
    ("policy-fail", true, 1, Some(5)),
];

/// Type and code by name, beginning of a name, or number.
pub(super) fn find_type(word: &str, v6: bool) -> Option<(Option<u8>, Option<u8>)> {
    let more = MORE
        .iter()
        .find(|(name, six, ..)| *six == v6 && name.eq_ignore_ascii_case(word));
    match more {
        Some((_, _, kind, code)) => Some((Some(*kind), *code)),
        None => names::icmp(word, v6),
    }
}

/// Whether a word is the whole name of a type.
pub(super) fn is_name(word: &str) -> bool {
    type_names().any(|name| name.eq_ignore_ascii_case(word))
}

/// All names.
pub(super) fn type_names() -> impl Iterator<Item = &'static str> {
    names::icmp_names().chain(MORE.iter().map(|(name, ..)| *name))
}

/// What conntrack says of a type that opens no connection, where it is not said.
pub(super) fn usual_state(packet: &Packet, v6: bool) -> Option<(u128, &'static str)> {
    let kind = packet.known(if v6 {
        Field::Icmp6Type
    } else {
        Field::IcmpType
    })?;
    match (v6, kind) {
        // `valid_new`: echo, timestamp, information and address requests; node information.
        (false, 8 | 13 | 15 | 17) | (true, 128 | 139) => None,
        // Errors quote the packet that they are about.
        (false, 3 | 4 | 5 | 11 | 12) | (true, 0..=127) => Some((
            ct_state::RELATED,
            "taken as an error about a known connection (`related`); else it is `invalid`",
        )),
        (false, 0 | 14 | 16 | 18) | (true, 129 | 140) => Some((
            ct_state::ESTABLISHED,
            "taken as an answer that was asked for (`established`); else it is `invalid`",
        )),
        // `noct_valid_new`.
        (true, 130..=136 | 143) => Some((
            ct_state::UNTRACKED,
            "conntrack does not follow packets of this type (`untracked`)",
        )),
        // `invmap` has no answer to it.
        _ => Some((
            ct_state::INVALID,
            "conntrack knows no connection of this type (`invalid`)",
        )),
    }
}
