//! ICMP types by every name that is in use: of iptables, of nft, of ping.

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
pub(crate) fn find_type(word: &str, v6: bool) -> Option<(Option<u8>, Option<u8>)> {
    let more = MORE
        .iter()
        .find(|(name, six, ..)| *six == v6 && name.eq_ignore_ascii_case(word));
    match more {
        Some((_, _, kind, code)) => Some((Some(*kind), *code)),
        None => names::icmp(word, v6),
    }
}

/// Whether a word is the whole name of a type.
pub(crate) fn is_type_name(word: &str) -> bool {
    type_names().any(|name| name.eq_ignore_ascii_case(word))
}

/// All names.
pub(crate) fn type_names() -> impl Iterator<Item = &'static str> {
    names::icmp_names().chain(MORE.iter().map(|(name, ..)| *name))
}
