//! nft's words for numbers.

use crate::model::Field;

/// Words and their numbers.
pub(super) type Table = &'static [(&'static str, u128)];

/// `ct state`.
pub(super) const CT_STATE: Table = &[
    ("invalid", 1),
    ("established", 2),
    ("related", 4),
    ("new", 8),
    ("untracked", 64),
];
/// `ct status`.
pub(super) const CT_STATUS: Table = &[
    ("expected", 1),
    ("seen-reply", 2),
    ("assured", 4),
    ("confirmed", 8),
    ("snat", 16),
    ("dnat", 32),
    ("dying", 512),
];
/// `ct direction`.
pub(super) const CT_DIRECTION: Table = &[("original", 0), ("reply", 1)];
/// `tcp flags`.
pub(super) const TCP_FLAGS: Table = &[
    ("fin", 1),
    ("syn", 2),
    ("rst", 4),
    ("psh", 8),
    ("ack", 16),
    ("urg", 32),
    ("ecn", 64),
    ("cwr", 128),
];
/// `meta nfproto`.
pub(super) const NFPROTO: Table = &[("ipv4", 2), ("ipv6", 10)];
/// `meta protocol`, `ether type`.
pub(super) const ETHER_TYPE: Table = &[
    ("ip", 0x0800),
    ("arp", 0x0806),
    ("ip6", 0x86dd),
    ("vlan", 0x8100),
    ("8021q", 0x8100),
    ("8021ad", 0x88a8),
];
/// `meta l4proto`, `ip protocol`, `ip6 nexthdr`.
pub(super) const PROTOCOL: Table = &[
    ("tcp", 6),
    ("udp", 17),
    ("icmp", 1),
    ("icmpv6", 58),
    ("ipv6-icmp", 58),
    ("ip", 0),
    ("igmp", 2),
    ("ipencap", 4),
    ("ipip", 4),
    ("ipv6", 41),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("comp", 108),
    ("ipcomp", 108),
    ("sctp", 132),
    ("dccp", 33),
    ("udplite", 136),
    ("ospf", 89),
    ("vrrp", 112),
    ("pim", 103),
    ("l2tp", 115),
    ("hopopt", 0),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
];
/// `meta pkttype`.
pub(super) const PACKET_TYPE: Table = &[
    ("host", 0),
    ("unicast", 0),
    ("broadcast", 1),
    ("multicast", 2),
    ("other", 3),
];
/// `fib ... type`.
pub(super) const ADDRESS_TYPE: Table = &[
    ("unspec", 0),
    ("unicast", 1),
    ("local", 2),
    ("broadcast", 3),
    ("anycast", 4),
    ("multicast", 5),
    ("blackhole", 6),
    ("unreachable", 7),
    ("prohibit", 8),
];
/// Whether something is there.
pub(super) const EXISTS: Table = &[("missing", 0), ("exists", 1)];
/// `tcp option`, by the kind's number.
pub(super) const TCP_OPTIONS: &[(&str, u8)] = &[
    ("maxseg", 2),
    ("window", 3),
    ("sack-perm", 4),
    ("sack-permitted", 4),
    ("sack", 5),
    ("timestamp", 8),
    ("md5sig", 19),
    ("mptcp", 30),
    ("fastopen", 34),
];
/// `icmp type`.
pub(super) const ICMP_TYPE: Table = &[
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
    ("timestamp-reply", 14),
    ("info-request", 15),
    ("info-reply", 16),
    ("address-mask-request", 17),
    ("address-mask-reply", 18),
];
/// `icmp code`.
pub(super) const ICMP_CODE: Table = &[
    ("net-unreachable", 0),
    ("host-unreachable", 1),
    ("prot-unreachable", 2),
    ("port-unreachable", 3),
    ("frag-needed", 4),
    ("net-prohibited", 9),
    ("host-prohibited", 10),
    ("admin-prohibited", 13),
];
/// `icmpv6 type`.
pub(super) const ICMP6_TYPE: Table = &[
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("mld-listener-reduction", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
    ("router-renumbering", 138),
    ("ind-neighbor-solicit", 141),
    ("ind-neighbor-advert", 142),
    ("mld2-listener-report", 143),
];
/// `icmpv6 code`.
pub(super) const ICMP6_CODE: Table = &[
    ("no-route", 0),
    ("admin-prohibited", 1),
    ("addr-unreachable", 3),
    ("port-unreachable", 4),
    ("policy-fail", 5),
    ("reject-route", 6),
];
/// `ip dscp`.
pub(super) const DSCP: Table = &[
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("df", 0),
    ("be", 0),
    ("lephb", 1),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("va", 44),
    ("ef", 46),
];
/// `ip ecn`.
pub(super) const ECN: Table = &[("not-ect", 0), ("ect1", 1), ("ect0", 2), ("ce", 3)];
/// Values that are numbers only.
pub(super) const NONE: Table = &[];

/// nft's word for a number in a field, where it has one.
pub fn word(field: Field, number: u128) -> Option<&'static str> {
    let table = match field {
        Field::NfProto => NFPROTO,
        Field::EtherType => ETHER_TYPE,
        Field::L4Proto | Field::Ip4Protocol | Field::Ip6NextHeader | Field::CtProtocol => PROTOCOL,
        Field::CtState => CT_STATE,
        Field::CtStatus => CT_STATUS,
        Field::CtDirection => CT_DIRECTION,
        Field::TcpFlags => TCP_FLAGS,
        Field::PacketType => PACKET_TYPE,
        Field::SrcAddressType | Field::DstAddressType => ADDRESS_TYPE,
        Field::IcmpType => ICMP_TYPE,
        Field::IcmpCode => ICMP_CODE,
        Field::Icmp6Type => ICMP6_TYPE,
        Field::Icmp6Code => ICMP6_CODE,
        Field::Ip4Dscp | Field::Ip6Dscp => DSCP,
        _ => NONE,
    };
    let found = table.iter().find(|(_, known)| *known == number);
    found.map(|(word, _)| *word)
}
