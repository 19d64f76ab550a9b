//! nft's grammar as data: what can stand left of a comparison, how it is compared, what a rule can do.

/// What can be compared, with two of its values.
pub(crate) struct Selector {
    /// nft's words.
    pub(crate) words: &'static str,
    /// Two values of it, the smaller first.
    pub(crate) values: [&'static str; 2],
    /// Whether its values can be put in order and masked.
    pub(crate) number: bool,
}

const fn number(words: &'static str, low: &'static str, high: &'static str) -> Selector {
    Selector {
        words,
        values: [low, high],
        number: true,
    }
}

const fn name(words: &'static str, one: &'static str, other: &'static str) -> Selector {
    Selector {
        words,
        values: [one, other],
        number: false,
    }
}

/// The selectors of `nft describe` and of nft(8), in an `inet` table's forward chain.
pub(crate) const SELECTORS: &[Selector] = &[
    number("meta length", "100", "1000"),
    name("meta protocol", "ip", "ip6"),
    name("meta nfproto", "ipv4", "ipv6"),
    name("meta l4proto", "tcp", "udp"),
    number("meta mark", "0x00000001", "0x00000010"),
    number("meta priority", "1", "2"),
    name("iif", "\"lo\"", "\"lo\""),
    name("iifname", "\"eth0\"", "\"eth1\""),
    name("meta iiftype", "ether", "loopback"),
    number("meta iifgroup", "1", "2"),
    name("oifname", "\"eth0\"", "\"ppp*\""),
    name("meta oiftype", "ether", "ppp"),
    number("meta oifgroup", "3", "4"),
    name("meta skuid", "1000", "2000"),
    name("meta skgid", "1000", "2000"),
    number("meta rtclassid", "1", "2"),
    name("meta pkttype", "unicast", "broadcast"),
    number("meta cpu", "0", "1"),
    number("meta cgroup", "1", "2"),
    name("meta day", "\"Monday\"", "\"Friday\""),
    name("meta hour", "\"08:00\"", "\"17:00\""),
    name("meta ipsec", "exists", "missing"),
    name("ct state", "established", "new"),
    name("ct direction", "original", "reply"),
    name("ct status", "dnat", "snat"),
    number("ct mark", "0x00000001", "0x00000002"),
    name("ct expiration", "1m", "10m"),
    name("ct helper", "\"ftp\"", "\"sip\""),
    name("ct protocol", "tcp", "udp"),
    name("ct original ip saddr", "10.0.0.1", "10.0.0.2"),
    name("ct original ip6 daddr", "2001:db8::1", "2001:db8::2"),
    name("ct reply ip daddr", "10.0.0.3", "10.0.0.4"),
    number("ct original proto-dst", "22", "80"),
    number("ct reply proto-src", "22", "80"),
    name("ct original protocol", "tcp", "udp"),
    number("ct original packets", "10", "20"),
    number("ct reply bytes", "1000", "2000"),
    number("ct avgpkt", "100", "200"),
    number("ct zone", "1", "2"),
    number("ct id", "1", "2"),
    name("ether saddr", "00:11:22:33:44:55", "00:11:22:33:44:66"),
    name("ether daddr", "00:11:22:33:44:55", "00:11:22:33:44:66"),
    name("ether type", "ip", "ip6"),
    number("vlan id", "1", "100"),
    number("vlan pcp", "1", "3"),
    number("ip version", "4", "5"),
    number("ip hdrlength", "5", "6"),
    name("ip dscp", "cs1", "af21"),
    name("ip ecn", "ect0", "ce"),
    number("ip length", "100", "1000"),
    number("ip id", "1", "2"),
    number("ip frag-off", "0", "100"),
    number("ip ttl", "5", "64"),
    name("ip protocol", "tcp", "udp"),
    number("ip checksum", "1", "2"),
    name("ip saddr", "10.0.0.1", "10.0.0.9"),
    name("ip daddr", "192.168.0.0/24", "192.168.1.0/24"),
    name("ip option ra", "exists", "missing"),
    number("ip6 version", "5", "6"),
    name("ip6 dscp", "cs1", "af21"),
    name("ip6 ecn", "ect0", "ce"),
    number("ip6 flowlabel", "1", "2"),
    number("ip6 length", "100", "1000"),
    name("ip6 nexthdr", "tcp", "udp"),
    number("ip6 hoplimit", "1", "64"),
    name("ip6 saddr", "2001:db8::1", "2001:db8::2"),
    name("ip6 daddr", "2001:db8:1::/48", "2001:db8:2::/48"),
    name("icmp type", "echo-request", "echo-reply"),
    number("icmp code", "1", "3"),
    number("icmp id", "1", "2"),
    number("icmp sequence", "1", "2"),
    number("icmp mtu", "500", "1000"),
    name("igmp type", "membership-query", "membership-report-v1"),
    name("icmpv6 type", "echo-request", "nd-neighbor-solicit"),
    number("icmpv6 code", "1", "3"),
    number("icmpv6 id", "1", "2"),
    number("tcp sport", "1024", "2048"),
    number("tcp dport", "22", "80"),
    number("tcp sequence", "1", "2"),
    number("tcp ackseq", "1", "2"),
    number("tcp doff", "5", "6"),
    name("tcp flags", "syn", "ack"),
    number("tcp window", "1", "2"),
    number("tcp checksum", "1", "2"),
    number("tcp urgptr", "1", "2"),
    name("tcp option maxseg", "exists", "missing"),
    number("tcp option maxseg size", "500", "1400"),
    name("tcp option sack-perm", "exists", "missing"),
    number("tcp option window count", "1", "2"),
    number("tcp option timestamp tsval", "1", "2"),
    number("udp sport", "1024", "2048"),
    number("udp dport", "53", "123"),
    number("udp length", "100", "200"),
    number("udp checksum", "1", "2"),
    number("udplite dport", "53", "123"),
    number("udplite checksum", "1", "2"),
    number("sctp sport", "1024", "2048"),
    number("sctp dport", "53", "123"),
    number("sctp vtag", "1", "2"),
    name("sctp chunk data", "exists", "missing"),
    number("dccp dport", "53", "123"),
    name("dccp type", "request", "data"),
    number("ah spi", "1", "2"),
    number("ah sequence", "1", "2"),
    number("esp spi", "1", "2"),
    number("esp sequence", "1", "2"),
    name("comp nexthdr", "tcp", "udp"),
    number("comp cpi", "1", "2"),
    number("th dport", "53", "123"),
    number("th sport", "53", "123"),
    number("@th,16,16", "22", "53"),
    number("@nh,64,8", "6", "17"),
    number("@ll,0,48", "1", "2"),
    name("exthdr hbh", "exists", "missing"),
    name("exthdr frag", "exists", "missing"),
    number("frag frag-off", "1", "2"),
    number("frag more-fragments", "0", "1"),
    number("rt type", "0", "4"),
    number("hbh hdrlength", "1", "2"),
    number("dst hdrlength", "1", "2"),
    number("mh checksum", "1", "2"),
    name("fib saddr type", "local", "multicast"),
    name("fib daddr type", "local", "broadcast"),
    name("fib daddr . iif type", "local", "unicast"),
    name("fib saddr . iif oif", "exists", "missing"),
    name("fib saddr oifname", "\"eth0\"", "\"eth1\""),
    name("rt classid", "1", "2"),
    name("rt ip nexthop", "10.0.0.1", "10.0.0.2"),
    number("rt mtu", "1000", "1500"),
    name("rt ipsec", "exists", "missing"),
    number("socket mark", "0x00000001", "0x00000002"),
    name("socket transparent", "0", "1"),
    name("osf name", "\"Linux\"", "\"Windows\""),
    number("numgen random mod 10", "1", "2"),
    number("jhash ip saddr mod 10", "1", "2"),
    number("symhash mod 10", "1", "2"),
    number("ipsec in reqid", "1", "2"),
];

/// How something is compared; `{s}` is it, `{a}` and `{b}` its values.
pub(crate) const COMPARISONS: &[&str] = &[
    "{s} {a}",
    "{s} == {a}",
    "{s} != {a}",
    "{s} { {a}, {b} }",
    "{s} != { {a}, {b} }",
];

/// How numbers are compared besides.
pub(crate) const OF_NUMBERS: &[&str] = &[
    "{s} < {b}",
    "{s} >= {a}",
    "{s} le {b}",
    "{s} gt {a}",
    "{s} {a}-{b}",
    "{s} {a} - {b}",
    "{s} {a} | {b}",
    "{s} { {a} -{b}, {b} & {a} }",
    "{s} & 0x3 == 0x1",
    "{s} & 0x3 != 0",
    "{s} and 1 eq 1",
];

/// What a statement must be read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Does {
    /// Nothing that a verdict depends on.
    Nothing,
    /// It may end the rule.
    Asks,
    /// It writes the packet's mark.
    Mark,
    /// It writes the connection's mark.
    CtMark,
    /// It writes into the packet's header.
    Header,
    /// It fills a set.
    Set,
    /// It decides.
    Decides,
}

/// What a rule can do before its verdict.
pub(crate) const STATEMENTS: &[(&str, Does)] = &[
    ("counter", Does::Nothing),
    ("log prefix \"x \" level info", Does::Nothing),
    ("log group 2 snaplen 80", Does::Nothing),
    ("limit rate 5/second burst 10 packets", Does::Asks),
    ("limit rate over 1 mbytes/second", Does::Asks),
    ("limit name \"few\"", Does::Asks),
    ("quota over 10 mbytes", Does::Asks),
    ("ct count over 20", Does::Asks),
    ("meta mark set 0x10", Does::Mark),
    ("meta mark set ct mark", Does::Mark),
    ("meta mark set meta mark | 0x4", Does::Mark),
    ("meta mark set tcp dport map { 22 : 1, 80 : 2 }", Does::Mark),
    ("meta mark set numgen inc mod 4", Does::Mark),
    ("meta mark set jhash ip saddr mod 4", Does::Mark),
    ("ct mark set 0x10", Does::CtMark),
    ("ct mark set meta mark", Does::CtMark),
    ("ct mark set ip saddr map { 10.0.0.1 : 1 }", Does::CtMark),
    ("meta priority set 1:2", Does::Nothing),
    ("meta nftrace set 1", Does::Nothing),
    ("meta pkttype set host", Does::Header),
    ("ct event set new", Does::Nothing),
    ("ct helper set \"ftp-help\"", Does::Nothing),
    ("ip dscp set af21", Does::Header),
    ("ip ttl set 5", Does::Header),
    ("ip saddr set 10.0.0.5", Does::Header),
    ("ip6 hoplimit set 5", Does::Header),
    ("tcp dport set 8080", Does::Header),
    ("tcp option maxseg size set 1400", Does::Nothing),
    ("tcp option maxseg size set rt mtu", Does::Nothing),
    ("add @seen { ip saddr }", Does::Set),
    (
        "update @seen { ip saddr timeout 10s limit rate over 5/second }",
        Does::Set,
    ),
    ("delete @seen { ip saddr }", Does::Set),
    ("last", Does::Nothing),
    ("dup to 10.0.0.7", Does::Nothing),
    ("tcp dport vmap { 22 : drop, 80 : accept }", Does::Decides),
    (
        "ip saddr . tcp dport vmap { 10.0.0.1 . 22 : jump other }",
        Does::Decides,
    ),
    ("meta cpu vmap { 0 : drop }", Does::Decides),
    ("ct zone vmap @zones", Does::Decides),
    ("synproxy mss 1460 wscale 7", Does::Decides),
];

/// How a rule ends.
pub(crate) const ENDS: &[&str] = &[
    "accept",
    "drop",
    "reject",
    "reject with tcp reset",
    "reject with icmpx admin-prohibited",
    "queue num 3 bypass",
    "return",
    "jump other",
    "goto other",
    "continue",
];

/// What the rules stand in.
pub(crate) const HEAD: &str = "\
flush ruleset
table inet t {
	limit few {
		rate 5/second
	}
	ct helper ftp-help {
		type \"ftp\" protocol tcp
	}
	set seen {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
	}
	map zones {
		typeof ct zone : verdict
		elements = { 1 : drop }
	}
	chain other {
		counter
	}
	chain forward {
		type filter hook forward priority filter; policy accept;
";
