//! What follows from what was said of a packet.

use std::net::IpAddr;

use super::beginning::FirstPacket;
use super::{FieldValue, Packet, PacketInterface, PacketPath};
use crate::Surroundings;
use surefoot_ruleset::model::{Field, ct_state};

const V4_ONLY: &[Field] = &[
    Field::Ip4Protocol,
    Field::Ip4Src,
    Field::Ip4Dst,
    Field::Ttl,
    Field::Ip4Dscp,
    Field::Tos,
    Field::Ip4Id,
    Field::Ip4FragmentOffset,
    Field::IcmpType,
    Field::IcmpCode,
    Field::CtOriginalIp4Src,
    Field::CtOriginalIp4Dst,
];

const V6_ONLY: &[Field] = &[
    Field::Ip6NextHeader,
    Field::Ip6Src,
    Field::Ip6Dst,
    Field::HopLimit,
    Field::Ip6Dscp,
    Field::TrafficClass,
    Field::Icmp6Type,
    Field::Icmp6Code,
    Field::CtOriginalIp6Src,
    Field::CtOriginalIp6Dst,
];

const TRANSPORT: &[Field] = &[
    Field::SrcPort,
    Field::DstPort,
    Field::SetSrcPort,
    Field::SetDstPort,
    Field::TcpFlags,
    Field::IcmpType,
    Field::IcmpCode,
    Field::Icmp6Type,
    Field::Icmp6Code,
];

/// The conntrack fields beside the state.
const CONNECTION: &[Field] = &[
    Field::CtStatus,
    Field::CtDirection,
    Field::CtMark,
    Field::CtOriginalIp4Src,
    Field::CtOriginalIp4Dst,
    Field::CtOriginalIp6Src,
    Field::CtOriginalIp6Dst,
    Field::CtOriginalSrcPort,
    Field::CtOriginalDstPort,
    Field::CtProtocol,
];

impl Packet {
    /// Fills in what follows from the values that are there. A value that was given stays,
    /// unless the packet cannot have the field.
    #[must_use]
    pub fn settle(mut self, surroundings: &Surroundings) -> Self {
        if self.known(Field::NfProto).is_none() {
            let v6 = self.known(Field::L4Proto) == Some(58);
            self.put(Field::NfProto, FieldValue::Known(if v6 { 10 } else { 2 }));
            if !v6 {
                self.notes
                    .push("taken as IPv4, as no address says otherwise".into());
            }
        }
        let v6 = self.is_v6();
        self.settle_way(v6, surroundings);
        self.put_default(Field::EtherType, if v6 { 0x86dd } else { 0x0800 });
        self.put_absent(if v6 { V4_ONLY } else { V6_ONLY });
        self.put_default(Field::Mark, 0);
        self.put_default(Field::IsLaterFragment, 0);
        self.settle_transport(v6);
        for (whole, dscp) in [
            (Field::Tos, Field::Ip4Dscp),
            (Field::TrafficClass, Field::Ip6Dscp),
        ] {
            if let Some(byte) = self.known(whole) {
                self.put_default(dscp, byte >> 2);
            }
        }
        if self.path == PacketPath::Output {
            self.put_absent(&[Field::MacSrc, Field::MacDst]);
        } else {
            self.put_absent(&[Field::Uid, Field::Gid]);
        }
        self.settle_addresses(v6, surroundings);
        self.settle_connection();
        self
    }

    /// Takes back the options that were given to a packet without a TCP header.
    fn no_tcp_options(&mut self) {
        let given: Vec<Field> = self
            .values
            .keys()
            .copied()
            .filter(|field| matches!(field, Field::TcpOption(_)))
            .collect();
        self.put_absent(&given);
    }

    fn settle_transport(&mut self, v6: bool) {
        let later = self.known(Field::IsLaterFragment) == Some(1);
        if later {
            self.put_absent(TRANSPORT);
            self.no_tcp_options();
        }
        let Some(protocol) = self.known(Field::L4Proto) else {
            return;
        };
        if !v6 {
            self.put_default(Field::Ip4Protocol, protocol);
        }
        if has_ports(protocol) {
            for (port, in_set) in [
                (Field::SrcPort, Field::SetSrcPort),
                (Field::DstPort, Field::SetDstPort),
            ] {
                // ipset reads no ports of DCCP.
                let value = if protocol == 33 {
                    FieldValue::Absent
                } else {
                    self.get(port)
                };
                self.put(in_set, value);
            }
        } else {
            self.put_absent(&[Field::SrcPort, Field::DstPort]);
            let icmp = match protocol {
                1 if !v6 => Some((Field::IcmpType, Field::IcmpCode)),
                58 if v6 => Some((Field::Icmp6Type, Field::Icmp6Code)),
                _ => None,
            };
            let word = match icmp.map(|(kind, code)| (self.get(kind), self.get(code))) {
                Some((FieldValue::Known(kind), FieldValue::Known(code))) => {
                    FieldValue::Known(kind << 8 | code)
                }
                Some((FieldValue::Unknown, _) | (_, FieldValue::Unknown)) => FieldValue::Unknown,
                _ => FieldValue::Absent,
            };
            self.put(Field::SetSrcPort, word);
            self.put(Field::SetDstPort, word);
        }
        if protocol != 6 {
            self.put_absent(&[Field::TcpFlags]);
            self.no_tcp_options();
        }
        if protocol != 1 {
            self.put_absent(&[Field::IcmpType, Field::IcmpCode]);
        }
        if protocol != 58 {
            self.put_absent(&[Field::Icmp6Type, Field::Icmp6Code]);
        }
    }

    fn settle_addresses(&mut self, v6: bool, surroundings: &Surroundings) {
        let (source, destination) = if v6 {
            (Field::Ip6Src, Field::Ip6Dst)
        } else {
            (Field::Ip4Src, Field::Ip4Dst)
        };
        for (field, kind) in [
            (source, Field::SrcAddressType),
            (destination, Field::DstAddressType),
        ] {
            if let Some(number) = self.known(field)
                && let Some(kind_number) = address_type(number_to_address(number, v6), surroundings)
            {
                self.put_default(kind, kind_number);
            }
        }
        let local = match self.path {
            PacketPath::Input => Some(Field::DstAddressType),
            PacketPath::Output => Some(Field::SrcAddressType),
            PacketPath::Forward => None,
        };
        if let Some(local) = local
            && self
                .known(if self.path == PacketPath::Input {
                    destination
                } else {
                    source
                })
                .is_none()
        {
            self.put_default(local, 2);
        }
        if self.path != PacketPath::Output
            && matches!(self.known(Field::DstAddressType), Some(1 | 2))
        {
            self.put_default(Field::PacketType, 0);
        }
    }

    fn settle_connection(&mut self) {
        if self.get(Field::CtState) == FieldValue::Unknown {
            let icmp = self.known(Field::IcmpType);
            let state = FirstPacket {
                protocol: self.known(Field::L4Proto),
                tcp_flags: self.known(Field::TcpFlags),
                icmp_type: icmp.or_else(|| self.known(Field::Icmp6Type)),
            }
            .state();
            self.put(Field::CtState, FieldValue::Known(state));
            let note = match state {
                ct_state::NEW => "taken as the first packet of a connection (`new`)",
                ct_state::UNTRACKED => "messages of its type are not tracked (`untracked`)",
                _ => {
                    "taken as a packet of no connection, which such a packet cannot begin (`invalid`)"
                }
            };
            self.notes.push(note.into());
        }
        match self.known(Field::CtState) {
            Some(ct_state::NEW) => {
                self.put_default(Field::CtStatus, 0);
                self.put_default(Field::CtDirection, 0);
                self.put_default(Field::CtMark, 0);
                for (field, like) in [
                    (Field::CtOriginalIp4Src, Field::Ip4Src),
                    (Field::CtOriginalIp4Dst, Field::Ip4Dst),
                    (Field::CtOriginalIp6Src, Field::Ip6Src),
                    (Field::CtOriginalIp6Dst, Field::Ip6Dst),
                    (Field::CtProtocol, Field::L4Proto),
                ] {
                    if self.get(field) == FieldValue::Unknown {
                        self.put(field, self.get(like));
                    }
                }
                self.settle_original_ports();
            }
            Some(ct_state::INVALID | ct_state::UNTRACKED) => self.put_absent(CONNECTION),
            _ => {}
        }
    }

    /// Conntrack keeps ports for every protocol: the identifier of an ICMP request for the source,
    /// its type and code for the destination (`union nf_conntrack_man_proto`), and 0 where it
    /// reads none.
    fn settle_original_ports(&mut self) {
        let protocol = self.get(Field::L4Proto);
        for (original, port, in_set) in [
            (
                Field::CtOriginalSrcPort,
                Field::SrcPort,
                FieldValue::Unknown,
            ),
            (
                Field::CtOriginalDstPort,
                Field::DstPort,
                self.get(Field::SetDstPort),
            ),
        ] {
            let value = match protocol {
                FieldValue::Known(number) if has_ports(number) => self.get(port),
                FieldValue::Known(1 | 58) => in_set,
                // Of PPTP's calls, GRE has a key.
                FieldValue::Known(47) | FieldValue::Unknown | FieldValue::Absent => {
                    FieldValue::Unknown
                }
                FieldValue::Known(_) => FieldValue::Known(0),
            };
            // What the packet does not show, conntrack may have read elsewhere.
            if let (FieldValue::Unknown, FieldValue::Known(number)) = (self.get(original), value) {
                self.put(original, FieldValue::Known(number));
            }
        }
    }

    pub(super) fn put_default(&mut self, field: Field, number: u128) {
        if self.get(field) == FieldValue::Unknown {
            self.put(field, FieldValue::Known(number));
        }
    }

    fn put_absent(&mut self, fields: &[Field]) {
        for field in fields {
            self.put(*field, FieldValue::Absent);
        }
    }

    /// Whether only IPv4 packets have the field.
    pub fn is_only_v4(field: Field) -> bool {
        V4_ONLY.contains(&field)
    }

    /// Whether only IPv6 packets have the field.
    pub fn is_only_v6(field: Field) -> bool {
        V6_ONLY.contains(&field)
    }

    /// The packet as chains before conntrack see it: iptables and nft both call that INVALID.
    pub(crate) fn connection_fields() -> &'static [Field] {
        CONNECTION
    }
}

/// Whether a protocol has ports where TCP has them.
pub fn has_ports(protocol: u128) -> bool {
    matches!(protocol, 6 | 17 | 33 | 132 | 136)
}

/// The address that a number in an address field means.
pub fn number_to_address(number: u128, v6: bool) -> IpAddr {
    if v6 {
        IpAddr::V6(number.into())
    } else {
        IpAddr::V4(u32::try_from(number).unwrap_or(u32::MAX).into())
    }
}

/// `RTN_*` of an address, where it can be known.
pub fn address_type(address: IpAddr, surroundings: &Surroundings) -> Option<u128> {
    match address {
        _ if address.is_multicast() => return Some(5),
        _ if address.is_loopback() => return Some(2),
        // Nobody has an address in 0.0.0.0/8 (`inet_addr_type`).
        IpAddr::V4(v4) if v4.is_broadcast() || v4.octets()[0] == 0 => return Some(3),
        _ => {}
    }
    let interfaces = surroundings.interfaces.as_ref()?;
    let mut addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
    if addresses.clone().any(|(own, _)| *own == address) {
        return Some(2);
    }
    let broadcast = addresses.any(|(own, length)| match (own, address) {
        (IpAddr::V4(own), IpAddr::V4(address)) if *length < 31 => {
            let host = u32::MAX.checked_shr(u32::from(*length)).unwrap_or(0);
            own.to_bits() | host == address.to_bits()
        }
        _ => false,
    });
    if broadcast {
        return Some(3);
    }
    let mut addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
    if addresses.any(|own| is_any_router(address, *own)) {
        match surroundings.sysctls.get("net.ipv6.conf.all.forwarding") {
            Some(value) if value.trim() == "0" => {}
            Some(_) => return Some(4),
            None => return None,
        }
    }
    // Routes that refuse or lead nowhere make no address this host's own (`inet_addr_type`).
    let special = surroundings.routes.as_ref().is_none_or(|routes| {
        routes
            .iter()
            .any(|route| matches!(route.kind, 2..=5) && covers(route.destination, address))
    });
    (!special).then_some(1)
}

/// Whether it is the first address of an IPv6 network that this host is in: it means any router
/// there, and a host that forwards takes it for its own (`addrconf_join_anycast`).
fn is_any_router(address: IpAddr, (own, length): (IpAddr, u8)) -> bool {
    let (IpAddr::V6(own), IpAddr::V6(address)) = (own, address) else {
        return false;
    };
    let network = u128::MAX
        .checked_shl(128_u32.saturating_sub(length.into()))
        .unwrap_or(0);
    length < 127 && network != 0 && own.to_bits() & network == address.to_bits()
}

/// Whether an address lies in a network.
pub fn covers((network, length): (IpAddr, u8), address: IpAddr) -> bool {
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            let shift = 32_u32.saturating_sub(length.into());
            (network.to_bits() ^ address.to_bits())
                .checked_shr(shift)
                .unwrap_or(0)
                == 0
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            let shift = 128_u32.saturating_sub(length.into());
            (network.to_bits() ^ address.to_bits())
                .checked_shr(shift)
                .unwrap_or(0)
                == 0
        }
        _ => false,
    }
}

impl PacketInterface {
    /// The interface of that name.
    pub fn named(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::address_type;
    use crate::{Interface, Route, Surroundings};

    #[track_caller]
    fn check(address: &str, kind: Option<u128>) {
        let sysctl = ("net.ipv6.conf.all.forwarding".to_owned(), "1".to_owned());
        let surroundings = Surroundings {
            interfaces: Some(vec![Interface {
                name: "eth0".into(),
                loopback: false,
                up: true,
                addresses: vec![
                    ("192.0.2.1".parse().unwrap(), 24),
                    ("2001:db8::1".parse().unwrap(), 64),
                ],
            }]),
            routes: Some(Vec::new()),
            sysctls: [sysctl].into(),
            ..Surroundings::default()
        };
        let address = address.parse().unwrap();
        assert_eq!(address_type(address, &surroundings), kind, "{address}");
    }

    #[test]
    fn a_route_that_refuses_makes_no_address_this_hosts_own() {
        let kind = |kind: u8| {
            let surroundings = Surroundings {
                interfaces: Some(Vec::new()),
                routes: Some(vec![Route {
                    destination: ("0.0.0.0".parse().unwrap(), 0),
                    interface: None,
                    table: 100,
                    metric: 0,
                    kind,
                }]),
                ..Surroundings::default()
            };
            address_type("10.8.0.3".parse().unwrap(), &surroundings)
        };
        assert_eq!(kind(6), Some(1));
        assert_eq!(kind(9), Some(1));
        assert_eq!(kind(2), None);
    }

    #[test]
    fn addresses_are_of_the_kinds_that_the_kernel_takes_them_for() {
        check("192.0.2.1", Some(2));
        check("192.0.2.2", Some(1));
        check("192.0.2.255", Some(3));
        check("0.0.0.0", Some(3));
        check("224.0.0.1", Some(5));
        check("2001:db8::1", Some(2));
        check("2001:db8::2", Some(1));
        check("2001:db8::", Some(4));
    }
}
