//! The words of the packet language, with the other spellings that are understood.

use surefoot_ruleset::model::ct_state;
use surefoot_ruleset::parse::names;

use super::{did_you_mean, is_address, port, service_names, type_names};

pub(crate) const PROTOCOLS: &[(&str, u8)] = &[
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

pub(crate) const STATES: &[(&str, u128)] = &[
    ("new", ct_state::NEW),
    ("established", ct_state::ESTABLISHED),
    ("related", ct_state::RELATED),
    ("invalid", ct_state::INVALID),
    ("untracked", ct_state::UNTRACKED),
];

pub(crate) const FLAGS: &[(&str, u8)] = &[
    ("fin", 1),
    ("syn", 2),
    ("rst", 4),
    ("psh", 8),
    ("ack", 16),
    ("urg", 32),
    ("ece", 64),
    ("cwr", 128),
];

pub(crate) const LINKS: &[(&str, u8)] = &[("unicast", 0), ("broadcast", 1), ("multicast", 2)];

/// The words for this host.
pub(crate) const ME: &[&str] = &["me", "self", "myself", "this-host"];

/// Words that say nothing.
pub(super) const FILLERS: &[&str] = &[
    "traffic",
    "packets",
    "packet",
    "anything",
    "everything",
    "and",
    ",",
];

/// The words that another word follows, with the option spellings of iptables.
pub(crate) const KEYS: &[(&str, &[&str])] = &[
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
pub(crate) const SINGLE: &[(&str, &[&str])] = &[
    ("ipv4", &["--ipv4", "-4", "ip4", "ip"]),
    ("ipv6", &["--ipv6", "-6", "ip6"]),
    ("forwarded", &["forward", "--forward"]),
    ("original", &[]),
    ("reply", &[]),
    ("fragment", &["--fragment", "-f", "frag"]),
];

/// The first spelling of a word.
pub(crate) fn named(table: &[(&'static str, &[&str])], word: &str) -> Option<&'static str> {
    let found = table
        .iter()
        .find(|(name, others)| *name == word || others.contains(&word));
    found.map(|(name, _)| *name)
}

/// What a name stands for.
pub(crate) fn value_of<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    let found = table
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, value)| *value)
}

/// The number of a protocol that is a word by itself.
pub(crate) fn protocol(word: &str) -> Option<u8> {
    value_of(PROTOCOLS, word)
}

/// What stands behind a key.
pub(crate) fn expected_after(key: &str) -> &'static str {
    match key {
        "from" | "to" => "an address, such as 192.0.2.1, 192.0.2.1:22 or [2001:db8::1]:22",
        "proto" => "a protocol's name or number",
        "sport" | "dport" | "port" => "a port",
        "in" | "out" => "an interface's name",
        "state" => "new, established, related, invalid or untracked",
        "flags" => "TCP flags, such as syn,ack",
        "type" => "an ICMP type, such as echo-request, 3 or 3/4",
        "mac" => "a hardware address, such as 02:00:5e:10:00:01",
        "pkttype" => "unicast, broadcast or multicast",
        "dscp" => "a number up to 63 or a class, such as ef",
        _ => "a number",
    }
}

/// Every word that can be meant by a mistyped one.
fn known_words() -> impl Iterator<Item = &'static str> {
    let keys = KEYS.iter().chain(SINGLE).flat_map(|(name, others)| {
        std::iter::once(*name).chain(others.iter().copied().filter(|other| other.len() > 2))
    });
    keys.chain(PROTOCOLS.iter().map(|(name, _)| *name))
        .chain(STATES.iter().map(|(name, _)| *name))
        .chain(FLAGS.iter().map(|(name, _)| *name))
        .chain(LINKS.iter().map(|(name, _)| *name))
        .chain(service_names())
        .chain(type_names())
}

/// What a word that is none of the language was likely meant to be.
pub(crate) fn likely_meant(text: &str) -> Option<String> {
    if is_address(text) {
        return Some(format!("write `from {text}` or `to {text}`"));
    }
    if let Some(port) = text.strip_prefix(':').filter(|rest| port(rest).is_some()) {
        return Some(format!("write `to :{port}` for a port of this host"));
    }
    if port(text).is_some() && names::number(text).is_some() {
        return Some(format!("a port? write `to :{text}`"));
    }
    if let Some(words) = like_ufw(text) {
        return Some(format!("write `{words}`"));
    }
    let near = did_you_mean(text, known_words());
    if near.is_some() {
        return near;
    }
    if names::port(text).is_some() {
        return Some(format!("a service? write `to :{text}`"));
    }
    looks_like_interface(text).then(|| format!("an interface? write `in {text}` or `out {text}`"))
}

/// `22/tcp` and `tcp/22` in our words.
fn like_ufw(text: &str) -> Option<String> {
    let (one, other) = text.split_once('/')?;
    let (number, name) = if protocol(one).is_some() {
        (other, one)
    } else {
        (one, other)
    };
    port(number)?;
    protocol(name)?;
    Some(format!("{name} to :{number}"))
}

fn looks_like_interface(text: &str) -> bool {
    let starts = [
        "eth", "en", "wl", "br", "docker", "veth", "tun", "tap", "wg", "ppp", "bond", "virbr", "lo",
    ];
    text.len() <= 15
        && starts.iter().any(|start| text.starts_with(start))
        && (text == "lo" || text.contains(|c: char| c.is_ascii_digit()))
}
