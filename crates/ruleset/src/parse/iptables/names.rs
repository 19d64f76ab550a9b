//! Names that stand for numbers: protocols, services, ICMP types and the like.
//!
//! iptables asks the host's `/etc/protocols` and `/etc/services`; these are the entries that are
//! the same everywhere.

const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("dccp", 33),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("skip", 57),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("eigrp", 88),
    ("ospf", 89),
    ("ipip", 94),
    ("etherip", 97),
    ("encap", 98),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("fc", 133),
    ("mobility-header", 135),
    ("udplite", 136),
    ("mpls-in-ip", 137),
    // Other spellings, after those that are printed.
    ("icmpv6", 58),
    ("icmp6", 58),
    ("mh", 135),
    ("ipv6-mh", 135),
    ("ipip4", 4),
    ("ospfigp", 89),
    ("hopopt", 0),
];

/// The number of a protocol, by name or number; 0 is every protocol.
pub fn protocol_number(word: &str) -> Option<u8> {
    if let Some(number) = number(word) {
        return u8::try_from(number).ok();
    }
    if word.eq_ignore_ascii_case("all") {
        return Some(0);
    }
    let found = PROTOCOLS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, number)| *number)
}

/// The name of a protocol.
pub fn protocol_name(number: u8) -> Option<&'static str> {
    let found = PROTOCOLS.iter().find(|(_, known)| *known == number);
    found.map(|(name, _)| *name).filter(|_| number != 0)
}

/// The spelling of `iptables-save`.
pub(in crate::parse) fn canonical_protocol(word: &str) -> String {
    match protocol_number(word) {
        Some(0) => "all".to_owned(),
        Some(number) => protocol_name(number).map_or_else(|| number.to_string(), str::to_owned),
        None => {
            let mut out = String::new();
            super::rule::quote_into(word, &mut out);
            out
        }
    }
}

/// A number in C's notation: decimal, `0x` hexadecimal, or octal with a leading 0.
pub fn number(word: &str) -> Option<u64> {
    let digits = |text: &str, radix| {
        let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain
            .then(|| u64::from_str_radix(text, radix).ok())
            .flatten()
    };
    if let Some(hex) = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")) {
        digits(hex, 16)
    } else if word.len() > 1 && word.starts_with('0') {
        digits(word, 8)
    } else {
        digits(word, 10)
    }
}

const SERVICES: &[(&str, u16)] = &[
    ("tcpmux", 1),
    ("echo", 7),
    ("discard", 9),
    ("systat", 11),
    ("daytime", 13),
    ("netstat", 15),
    ("qotd", 17),
    ("chargen", 19),
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("mail", 25),
    ("time", 37),
    ("whois", 43),
    ("tacacs", 49),
    ("domain", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("gopher", 70),
    ("finger", 79),
    ("http", 80),
    ("www", 80),
    ("kerberos", 88),
    ("pop3", 110),
    ("pop-3", 110),
    ("sunrpc", 111),
    ("portmapper", 111),
    ("auth", 113),
    ("ident", 113),
    ("nntp", 119),
    ("ntp", 123),
    ("epmap", 135),
    ("loc-srv", 135),
    ("netbios-ns", 137),
    ("netbios-dgm", 138),
    ("netbios-ssn", 139),
    ("imap", 143),
    ("imap2", 143),
    ("snmp", 161),
    ("snmp-trap", 162),
    ("snmptrap", 162),
    ("xdmcp", 177),
    ("bgp", 179),
    ("irc", 194),
    ("qmtp", 209),
    ("imap3", 220),
    ("ldap", 389),
    ("https", 443),
    ("microsoft-ds", 445),
    ("kpasswd", 464),
    ("submissions", 465),
    ("ssmtp", 465),
    ("urd", 465),
    ("smtps", 465),
    ("isakmp", 500),
    ("exec", 512),
    ("login", 513),
    ("who", 513),
    ("shell", 514),
    ("syslog", 514),
    ("printer", 515),
    ("ntalk", 518),
    ("route", 520),
    ("uucp", 540),
    ("rtsp", 554),
    ("nntps", 563),
    ("submission", 587),
    ("ipp", 631),
    ("ldaps", 636),
    ("rsync", 873),
    ("ftps-data", 989),
    ("ftps", 990),
    ("telnets", 992),
    ("imaps", 993),
    ("pop3s", 995),
    ("socks", 1080),
    ("openvpn", 1194),
    ("ms-sql-s", 1433),
    ("ms-sql-m", 1434),
    ("l2f", 1701),
    ("pptp", 1723),
    ("radius", 1812),
    ("radius-acct", 1813),
    ("nfs", 2049),
    ("cvspserver", 2401),
    ("iscsi-target", 3260),
    ("mysql", 3306),
    ("ms-wbt-server", 3389),
    ("svn", 3690),
    ("ipsec-nat-t", 4500),
    ("sip", 5060),
    ("sip-tls", 5061),
    ("xmpp-client", 5222),
    ("xmpp-server", 5269),
    ("mdns", 5353),
    ("postgresql", 5432),
    ("amqp", 5672),
    ("x11", 6000),
    ("redis", 6379),
    ("http-alt", 8080),
    ("webcache", 8080),
    ("bacula-dir", 9101),
    ("bacula-fd", 9102),
    ("bacula-sd", 9103),
    ("git", 9418),
];

/// The port of a service, by name or number.
pub fn port(word: &str) -> Option<u16> {
    if let Some(number) = number(word) {
        return u16::try_from(number).ok();
    }
    let found = SERVICES.iter().find(|(name, _)| *name == word);
    found.map(|(_, port)| *port)
}

/// Type and code; no code means every code, no type every type.
pub(in crate::parse) type IcmpName = (&'static str, Option<u8>, Option<u8>);

const ICMP: &[IcmpName] = &[
    ("any", None, None),
    ("echo-reply", Some(0), None),
    ("pong", Some(0), None),
    ("destination-unreachable", Some(3), None),
    ("network-unreachable", Some(3), Some(0)),
    ("host-unreachable", Some(3), Some(1)),
    ("protocol-unreachable", Some(3), Some(2)),
    ("port-unreachable", Some(3), Some(3)),
    ("fragmentation-needed", Some(3), Some(4)),
    ("source-route-failed", Some(3), Some(5)),
    ("network-unknown", Some(3), Some(6)),
    ("host-unknown", Some(3), Some(7)),
    ("network-prohibited", Some(3), Some(9)),
    ("host-prohibited", Some(3), Some(10)),
    ("TOS-network-unreachable", Some(3), Some(11)),
    ("TOS-host-unreachable", Some(3), Some(12)),
    ("communication-prohibited", Some(3), Some(13)),
    ("host-precedence-violation", Some(3), Some(14)),
    ("precedence-cutoff", Some(3), Some(15)),
    ("source-quench", Some(4), None),
    ("redirect", Some(5), None),
    ("network-redirect", Some(5), Some(0)),
    ("host-redirect", Some(5), Some(1)),
    ("TOS-network-redirect", Some(5), Some(2)),
    ("TOS-host-redirect", Some(5), Some(3)),
    ("echo-request", Some(8), None),
    ("ping", Some(8), None),
    ("router-advertisement", Some(9), None),
    ("router-solicitation", Some(10), None),
    ("time-exceeded", Some(11), None),
    ("ttl-exceeded", Some(11), None),
    ("ttl-zero-during-transit", Some(11), Some(0)),
    ("ttl-zero-during-reassembly", Some(11), Some(1)),
    ("parameter-problem", Some(12), None),
    ("ip-header-bad", Some(12), Some(0)),
    ("required-option-missing", Some(12), Some(1)),
    ("timestamp-request", Some(13), None),
    ("timestamp-reply", Some(14), None),
    ("address-mask-request", Some(17), None),
    ("address-mask-reply", Some(18), None),
];

const ICMP6: &[IcmpName] = &[
    ("destination-unreachable", Some(1), None),
    ("no-route", Some(1), Some(0)),
    ("communication-prohibited", Some(1), Some(1)),
    ("beyond-scope", Some(1), Some(2)),
    ("address-unreachable", Some(1), Some(3)),
    ("port-unreachable", Some(1), Some(4)),
    ("failed-policy", Some(1), Some(5)),
    ("reject-route", Some(1), Some(6)),
    ("packet-too-big", Some(2), None),
    ("time-exceeded", Some(3), None),
    ("ttl-exceeded", Some(3), None),
    ("ttl-zero-during-transit", Some(3), Some(0)),
    ("ttl-zero-during-reassembly", Some(3), Some(1)),
    ("parameter-problem", Some(4), None),
    ("bad-header", Some(4), Some(0)),
    ("unknown-header-type", Some(4), Some(1)),
    ("unknown-option", Some(4), Some(2)),
    ("echo-request", Some(128), None),
    ("ping", Some(128), None),
    ("echo-reply", Some(129), None),
    ("pong", Some(129), None),
    ("router-solicitation", Some(133), None),
    ("router-advertisement", Some(134), None),
    ("neighbour-solicitation", Some(135), None),
    ("neighbor-solicitation", Some(135), None),
    ("neighbour-advertisement", Some(136), None),
    ("neighbor-advertisement", Some(136), None),
    ("redirect", Some(137), None),
];

/// The names of all ICMP types of both versions but the one that means every type.
pub fn icmp_names() -> impl Iterator<Item = &'static str> {
    let all = ICMP.iter().chain(ICMP6).filter(|entry| entry.1.is_some());
    all.map(|entry| entry.0)
}

/// The name of an ICMP type, whatever its code.
pub fn icmp_name(kind: u8, version6: bool) -> Option<&'static str> {
    let names = if version6 { ICMP6 } else { ICMP };
    let found = names
        .iter()
        .find(|entry| entry.1 == Some(kind) && entry.2.is_none());
    found.map(|entry| entry.0)
}

/// Type and code of an ICMP type by name, beginning of a name, or number.
pub fn icmp(word: &str, version6: bool) -> Option<(Option<u8>, Option<u8>)> {
    let byte = |word: &str| number(word).and_then(|number| u8::try_from(number).ok());
    if word.starts_with(|first: char| first.is_ascii_digit()) {
        let (kind, code) = match word.split_once('/') {
            Some((kind, code)) => (kind, Some(byte(code)?)),
            None => (word, None),
        };
        let kind = byte(kind)?;
        // IPv4's match reads 255 as "any"; in IPv6 it is a type like any other.
        return Some(match kind {
            255 if !version6 => (None, None),
            kind => (Some(kind), code),
        });
    }
    let names = if version6 { ICMP6 } else { ICMP };
    let lower = word.to_ascii_lowercase();
    let exact = names
        .iter()
        .find(|entry| entry.0.eq_ignore_ascii_case(word));
    let mut starts = names
        .iter()
        .filter(|entry| entry.0.to_ascii_lowercase().starts_with(&lower));
    let found = match exact {
        Some(entry) => entry,
        None => starts
            .next()
            .filter(|_| starts.next().is_none() && !word.is_empty())?,
    };
    Some((found.1, found.2))
}

/// The number of a class of differentiated services.
pub fn dscp_class(word: &str) -> Option<u8> {
    let upper = word.to_ascii_uppercase();
    let digit = |at: usize| upper.as_bytes().get(at).map(|byte| byte.wrapping_sub(b'0'));
    match (upper.as_str(), upper.len()) {
        ("BE", _) => Some(0),
        ("EF", _) => Some(0x2e),
        (name, 3) if name.starts_with("CS") => digit(2).filter(|n| *n < 8).map(|n| n << 3),
        (name, 4) if name.starts_with("AF") => {
            let class = digit(2).filter(|n| (1..=4).contains(n))?;
            let drop = digit(3).filter(|n| (1..=3).contains(n))?;
            Some(class << 3 | drop << 1)
        }
        _ => None,
    }
}

/// The value of a type of service by name.
pub(in crate::parse) fn tos_name(word: &str) -> Option<u8> {
    match word.to_ascii_lowercase().as_str() {
        "minimize-delay" => Some(0x10),
        "maximize-throughput" => Some(0x08),
        "maximize-reliability" => Some(0x04),
        "minimize-cost" => Some(0x02),
        "normal-service" => Some(0),
        _ => None,
    }
}

/// `RTN_*` of an address type.
pub(in crate::parse) fn address_type(word: &str) -> Option<u128> {
    const NAMES: [&str; 12] = [
        "UNSPEC",
        "UNICAST",
        "LOCAL",
        "BROADCAST",
        "ANYCAST",
        "MULTICAST",
        "BLACKHOLE",
        "UNREACHABLE",
        "PROHIBIT",
        "THROW",
        "NAT",
        "XRESOLVE",
    ];
    let at = NAMES
        .iter()
        .position(|name| name.eq_ignore_ascii_case(word))?;
    u128::try_from(at).ok()
}

/// The flags of TCP in a list such as `SYN,ACK`.
pub(in crate::parse) fn tcp_flags(list: &str) -> Option<u128> {
    list.split(',').try_fold(0, |sum, flag| {
        let bits = match flag.to_ascii_uppercase().as_str() {
            "FIN" => 1,
            "SYN" => 2,
            "RST" => 4,
            "PSH" => 8,
            "ACK" => 16,
            "URG" => 32,
            "ALL" => 63,
            "NONE" => 0,
            _ => return None,
        };
        Some(sum | bits)
    })
}
