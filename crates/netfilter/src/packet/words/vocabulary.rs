//! The words of the packet language, with the other spellings that are understood.

use super::{icmp, services};
use surefoot_ruleset::model::ct_state;

pub(super) const PROTOCOLS: &[(&str, u8)] = &[
    ("tcp", 6),
    ("udp", 17),
    ("icmp", 1),
    ("icmpv6", 58),
    ("icmp6", 58),
    ("ipv6-icmp", 58),
    ("sctp", 132),
    ("dccp", 33),
    ("udplite", 136),
    ("esp", 50),
    ("ah", 51),
    ("gre", 47),
    ("igmp", 2),
    ("ipip", 4),
    ("ospf", 89),
    ("vrrp", 112),
    ("pim", 103),
    ("l2tp", 115),
];

pub(super) const STATES: &[(&str, u128)] = &[
    ("new", ct_state::NEW),
    ("established", ct_state::ESTABLISHED),
    ("related", ct_state::RELATED),
    ("invalid", ct_state::INVALID),
    ("untracked", ct_state::UNTRACKED),
];

pub(super) const FLAGS: &[(&str, u8)] = &[
    ("fin", 1),
    ("syn", 2),
    ("rst", 4),
    ("psh", 8),
    ("ack", 16),
    ("urg", 32),
    ("ece", 64),
    ("cwr", 128),
];

pub(super) const LINKS: &[(&str, u8)] = &[("unicast", 0), ("broadcast", 1), ("multicast", 2)];

/// The words that another word follows, with the option spellings of iptables.
pub(super) const KEYS: &[(&str, &[&str])] = &[
    ("proto", &["protocol", "--proto", "--protocol", "-p"]),
    (
        "from",
        &[
            "source", "src", "saddr", "--source", "--src", "--from", "-s",
        ],
    ),
    (
        "to",
        &[
            "destination",
            "dst",
            "daddr",
            "--destination",
            "--dst",
            "--to",
            "-d",
        ],
    ),
    ("sport", &["--sport", "--source-port", "--sports"]),
    ("dport", &["--dport", "--destination-port", "--dports"]),
    ("port", &["--port"]),
    ("in", &["iif", "iifname", "--in-interface", "--in", "-i"]),
    ("out", &["oif", "oifname", "--out-interface", "--out", "-o"]),
    ("state", &["--state", "--ctstate"]),
    ("flags", &["--tcp-flags", "--flags"]),
    ("type", &["--icmp-type", "--icmpv6-type", "--type"]),
    ("code", &["--code"]),
    ("mark", &["--mark"]),
    ("ctmark", &["connmark", "--ctmark", "--connmark"]),
    ("uid", &["--uid", "--uid-owner", "skuid"]),
    ("gid", &["--gid", "--gid-owner", "skgid"]),
    ("length", &["--length"]),
    (
        "ttl",
        &["--ttl", "--ttl-eq", "hoplimit", "hl", "--hl-eq", "--hl"],
    ),
    ("dscp", &["--dscp", "--dscp-class"]),
    ("tos", &["--tos"]),
    ("mac", &["--mac", "--mac-source"]),
    ("pkttype", &["--pkt-type", "--pkttype"]),
];

/// The words that stand alone and are in no table above, with other spellings.
pub(super) const SINGLE: &[(&str, &[&str])] = &[
    ("ipv4", &["--ipv4", "-4", "ip4", "ip"]),
    ("ipv6", &["--ipv6", "-6", "ip6"]),
    ("forwarded", &["forward", "--forward"]),
    ("original", &[]),
    ("reply", &[]),
    ("fragment", &["--fragment", "-f", "frag"]),
    ("syn", &["--syn"]),
];

/// The first spelling of a word.
pub(super) fn named(table: &[(&'static str, &[&str])], word: &str) -> Option<&'static str> {
    let found = table
        .iter()
        .find(|(name, others)| *name == word || others.contains(&word));
    found.map(|(name, _)| *name)
}

/// What a name stands for.
pub(super) fn value_of<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    let found = table
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, value)| *value)
}

/// The number of a protocol that is a word by itself.
pub(super) fn protocol(word: &str) -> Option<u8> {
    value_of(PROTOCOLS, word)
}

/// Every word that can be meant by a mistyped one.
pub(super) fn known_words() -> impl Iterator<Item = &'static str> {
    let keys = KEYS.iter().chain(SINGLE).flat_map(|(name, others)| {
        std::iter::once(*name).chain(others.iter().copied().filter(|other| other.len() > 2))
    });
    keys.chain(PROTOCOLS.iter().map(|(name, _)| *name))
        .chain(STATES.iter().map(|(name, _)| *name))
        .chain(FLAGS.iter().map(|(name, _)| *name))
        .chain(LINKS.iter().map(|(name, _)| *name))
        .chain(services::names())
        .chain(icmp::type_names())
}

/// Whether a word says something by itself, so that it is no interface's name behind `in` or `out`.
pub(super) fn is_word(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let word = lower.as_str();
    named(KEYS, word).is_some()
        || named(SINGLE, word).is_some()
        || protocol(word).is_some()
        || value_of(STATES, word).is_some()
        || value_of(FLAGS, word).is_some()
        || value_of(LINKS, word).is_some()
        || services::service(word).is_some()
        || icmp::is_name(word)
}
