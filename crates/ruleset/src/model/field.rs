//! What a match can look at.

/// A property of a packet or of its connection that has a number.
///
/// A match on a field that the packet does not have (a port of an ICMP message, an IPv4 address
/// of an IPv6 packet) fails whether it is negated or not, as in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// `NFPROTO_IPV4` is 2, `NFPROTO_IPV6` is 10.
    NfProto,
    /// Ethernet type, `meta protocol`: 0x0800 or `0x86dd`.
    EtherType,
    /// Transport protocol; with IPv6 that of the last header. iptables' `-p`, `meta l4proto`.
    L4Proto,
    /// The protocol field of the IPv4 header.
    Ip4Protocol,
    /// The next-header field of the fixed IPv6 header.
    Ip6NextHeader,
    /// IPv4 source address.
    Ip4Src,
    /// IPv4 destination address.
    Ip4Dst,
    /// IPv6 source address.
    Ip6Src,
    /// IPv6 destination address.
    Ip6Dst,
    /// Source port of TCP, UDP, UDP-Lite, SCTP, DCCP. Absent in a fragment that is not the first.
    SrcPort,
    /// Destination port, likewise.
    DstPort,
    /// ipset's port of the source: the port, or type * 256 + code of an ICMP message.
    SetSrcPort,
    /// ipset's port of the destination.
    SetDstPort,
    /// The flags byte of TCP (FIN is 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128).
    TcpFlags,
    /// 1 if the TCP header has the option of this number, else 0.
    TcpOption(u8),
    /// `ICMPv4` type.
    IcmpType,
    /// `ICMPv4` code.
    IcmpCode,
    /// `ICMPv6` type.
    Icmp6Type,
    /// `ICMPv6` code.
    Icmp6Code,
    /// One bit of [`ct_state`].
    CtState,
    /// Bits of [`ct_status`].
    CtStatus,
    /// 0 original, 1 reply.
    CtDirection,
    /// The connection's mark.
    CtMark,
    /// The packet's mark; 0 at entry.
    Mark,
    /// Source hardware address, 48 bits.
    MacSrc,
    /// Destination hardware address, 48 bits.
    MacDst,
    /// `PACKET_HOST` 0, `PACKET_BROADCAST` 1, `PACKET_MULTICAST` 2, `PACKET_OTHERHOST` 3.
    PacketType,
    /// User id of the sending socket; only on output.
    Uid,
    /// Group id of the sending socket; only on output.
    Gid,
    /// Length of the packet from the IP header on, in bytes.
    Length,
    /// IPv4 time to live.
    Ttl,
    /// IPv6 hop limit.
    HopLimit,
    /// The 6 bits of differentiated services, IPv4.
    Ip4Dscp,
    /// Likewise, IPv6.
    Ip6Dscp,
    /// The whole byte of IPv4's type of service.
    Tos,
    /// The whole byte of IPv6's traffic class.
    TrafficClass,
    /// IPv4 identification.
    Ip4Id,
    /// The 16 bits of IPv4's flags and fragment offset.
    Ip4FragmentOffset,
    /// 1 for a fragment that is not the first, else 0: iptables' `-f`, and the implicit test of
    /// port matches.
    IsLaterFragment,
    /// `RTN_*` of the source address (`include/uapi/linux/rtnetlink.h`): `RTN_UNICAST` 1, `RTN_LOCAL` 2,
    /// `RTN_BROADCAST` 3, `RTN_ANYCAST` 4, `RTN_MULTICAST` 5 and so on.
    SrcAddressType,
    /// `RTN_*` of the destination address.
    DstAddressType,
    /// Conntrack's original source address, IPv4.
    CtOriginalIp4Src,
    /// Conntrack's original destination address, IPv4.
    CtOriginalIp4Dst,
    /// Conntrack's original source address, IPv6.
    CtOriginalIp6Src,
    /// Conntrack's original destination address, IPv6.
    CtOriginalIp6Dst,
    /// Conntrack's original source port.
    CtOriginalSrcPort,
    /// Conntrack's original destination port.
    CtOriginalDstPort,
    /// Conntrack's transport protocol.
    CtProtocol,
}

/// A field, or some of its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Operand {
    /// The field.
    pub field: Field,
    /// The bits that count; none means all.
    pub mask: Option<u128>,
}

impl From<Field> for Operand {
    fn from(field: Field) -> Self {
        Self { field, mask: None }
    }
}

/// Numbers from `lo` to `hi`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// First.
    pub lo: u128,
    /// Last.
    pub hi: u128,
}

impl Range {
    /// Just one number.
    pub fn one(value: u128) -> Self {
        Self {
            lo: value,
            hi: value,
        }
    }

    /// Whether it holds the number.
    pub fn contains(&self, value: u128) -> bool {
        self.lo <= value && value <= self.hi
    }
}

/// An interface name, or the start of one (`eth+`, `eth*`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamePattern {
    /// The name, or its start. Empty with `prefix` matches every interface and none.
    pub text: String,
    /// Whether more may follow.
    pub prefix: bool,
}

impl NamePattern {
    /// Whether the name fits; the empty name stands for "no interface".
    pub fn matches(&self, name: &str) -> bool {
        if self.prefix {
            name.starts_with(&self.text)
        } else {
            name == self.text
        }
    }
}

/// `NF_CT_STATE_BIT`: the kernel's numbers for `ct state`. A packet has exactly one.
pub mod ct_state {
    /// Broken, or no room to track it.
    pub const INVALID: u128 = 1;
    /// Belongs to a connection that has seen packets both ways.
    pub const ESTABLISHED: u128 = 2;
    /// Starts something that a known connection announced, or an ICMP error about one.
    pub const RELATED: u128 = 4;
    /// Starts a connection.
    pub const NEW: u128 = 8;
    /// Was exempted from tracking.
    pub const UNTRACKED: u128 = 64;
    /// All of them.
    pub const ALL: u128 = INVALID | ESTABLISHED | RELATED | NEW | UNTRACKED;
}

/// `enum ip_conntrack_status`: bits beside the state.
pub mod ct_status {
    /// Expected by a helper.
    pub const EXPECTED: u128 = 1;
    /// Packets were seen both ways.
    pub const SEEN_REPLY: u128 = 2;
    /// Never dropped early.
    pub const ASSURED: u128 = 4;
    /// Past the last hook.
    pub const CONFIRMED: u128 = 8;
    /// The source is rewritten: iptables' state SNAT.
    pub const SNAT: u128 = 0x10;
    /// The destination is rewritten: iptables' state DNAT.
    pub const DNAT: u128 = 0x20;
}
