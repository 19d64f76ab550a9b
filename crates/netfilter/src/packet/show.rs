//! A packet and its fields in words.

use std::fmt::Write;
use std::net::IpAddr;

use super::settle::number_to_address;
use super::{Packet, PacketInterface, PacketPath};
use crate::language::{self, can_be_a_name, only_code_0};
use surefoot_ruleset::model::{Field, ct_state};
use surefoot_ruleset::parse::names;

/// What a person calls a field.
pub fn field_words(field: Field) -> String {
    let words = match field {
        Field::NfProto => "family",
        Field::EtherType => "Ethernet type",
        Field::L4Proto => "protocol",
        Field::Ip4Protocol => "protocol field",
        Field::Ip6NextHeader => "next header",
        Field::Ip4Src | Field::Ip6Src => "source address",
        Field::Ip4Dst | Field::Ip6Dst => "destination address",
        Field::SrcPort | Field::SetSrcPort => "source port",
        Field::DstPort | Field::SetDstPort => "destination port",
        Field::TcpFlags => "TCP flags",
        Field::TcpOption(number) => return format!("TCP option {number}"),
        Field::IcmpType | Field::Icmp6Type => "ICMP type",
        Field::IcmpCode | Field::Icmp6Code => "ICMP code",
        Field::CtState => "connection state",
        Field::CtStatus => "connection status",
        Field::CtDirection => "direction in its connection",
        Field::CtMark => "connection mark",
        Field::Mark => "mark",
        Field::MacSrc => "source hardware address",
        Field::MacDst => "destination hardware address",
        Field::PacketType => "packet type",
        Field::Uid => "sender's user id",
        Field::Gid => "sender's group id",
        Field::Length => "length",
        Field::Ttl => "time to live",
        Field::HopLimit => "hop limit",
        Field::Ip4Dscp | Field::Ip6Dscp => "DSCP",
        Field::Tos => "type of service",
        Field::TrafficClass => "traffic class",
        Field::Ip4Id => "identification",
        Field::Ip4FragmentOffset => "fragment offset",
        Field::IsLaterFragment => "fragment",
        Field::SrcAddressType => "source address type",
        Field::DstAddressType => "destination address type",
        Field::CtOriginalIp4Src | Field::CtOriginalIp6Src => "connection's original source",
        Field::CtOriginalIp4Dst | Field::CtOriginalIp6Dst => "connection's original destination",
        Field::CtOriginalSrcPort => "connection's original source port",
        Field::CtOriginalDstPort => "connection's original destination port",
        Field::CtProtocol => "connection's protocol",
    };
    words.to_owned()
}

const STATUS: [(u128, &str); 6] = [
    (1, "expected"),
    (2, "seen-reply"),
    (4, "assured"),
    (8, "confirmed"),
    (16, "snat"),
    (32, "dnat"),
];

const FLAGS: [(u128, &str); 8] = [
    (1, "fin"),
    (2, "syn"),
    (4, "rst"),
    (8, "psh"),
    (16, "ack"),
    (32, "urg"),
    (64, "ece"),
    (128, "cwr"),
];

const ADDRESS_TYPES: [&str; 9] = [
    "unspec",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
];

/// What a person calls a number in a field.
pub fn value_words(field: Field, number: u128) -> String {
    let named = |names: &[&str]| {
        let found = usize::try_from(number).ok().and_then(|at| names.get(at));
        found.map(|name| (*name).to_owned())
    };
    let words = match field {
        Field::NfProto => match number {
            2 => Some("IPv4".to_owned()),
            10 => Some("IPv6".to_owned()),
            _ => None,
        },
        Field::EtherType => Some(format!("0x{number:04x}")),
        Field::L4Proto | Field::Ip4Protocol | Field::Ip6NextHeader | Field::CtProtocol => {
            Some(protocol_word(number))
        }
        Field::Ip4Src | Field::Ip4Dst | Field::CtOriginalIp4Src | Field::CtOriginalIp4Dst => {
            Some(number_to_address(number, false).to_string())
        }
        Field::Ip6Src | Field::Ip6Dst | Field::CtOriginalIp6Src | Field::CtOriginalIp6Dst => {
            Some(number_to_address(number, true).to_string())
        }
        Field::TcpFlags => Some(bit_names(number, &FLAGS)),
        Field::CtState => Some(state_word(number)),
        Field::CtStatus => Some(bit_names(number, &STATUS)),
        Field::CtDirection => named(&["original", "reply"]),
        Field::CtMark
        | Field::Mark
        | Field::Tos
        | Field::TrafficClass
        | Field::Ip4FragmentOffset => Some(format!("{number:#x}")),
        Field::MacSrc | Field::MacDst => {
            let bytes = number.to_be_bytes();
            let parts: Vec<String> = bytes[10..]
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            Some(parts.join(":"))
        }
        Field::PacketType => named(&["unicast", "broadcast", "multicast", "for another host"]),
        Field::IsLaterFragment => named(&["whole, or the first", "not the first"]),
        Field::TcpOption(_) => named(&["not there", "there"]),
        Field::SrcAddressType | Field::DstAddressType => named(&ADDRESS_TYPES),
        Field::IcmpType => icmp_word(number, false),
        Field::Icmp6Type => icmp_word(number, true),
        _ => None,
    };
    words.unwrap_or_else(|| number.to_string())
}

fn icmp_word(number: u128, v6: bool) -> Option<String> {
    let kind = u8::try_from(number).ok()?;
    names::icmp_name(kind, v6).map(str::to_owned)
}

fn state_word(number: u128) -> String {
    let word = match number {
        ct_state::INVALID => "invalid",
        ct_state::ESTABLISHED => "established",
        ct_state::RELATED => "related",
        ct_state::NEW => "new",
        ct_state::UNTRACKED => "untracked",
        _ => return format!("{number:#x}"),
    };
    word.to_owned()
}

fn protocol_word(number: u128) -> String {
    match number {
        // The words of the packet language, where the usual list of protocols has others.
        58 => "icmpv6".to_owned(),
        _ => u8::try_from(number)
            .ok()
            .and_then(names::protocol_name)
            .map_or_else(|| format!("protocol {number}"), str::to_owned),
    }
}

fn bit_names(number: u128, names: &[(u128, &str)]) -> String {
    let set: Vec<&str> = names
        .iter()
        .filter(|(bit, _)| number & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    if set.is_empty() {
        "none".to_owned()
    } else {
        set.join(",")
    }
}

impl Packet {
    /// The packet in the words of [`super::words`], which read back as the same packet.
    pub fn words(&self) -> String {
        let mut out = Vec::new();
        let v6 = self.is_v6();
        let protocol = self.known(Field::L4Proto);
        match protocol {
            Some(number) => {
                let word = protocol_word(number);
                out.push(match word.strip_prefix("protocol ") {
                    Some(number) => format!("proto {number}"),
                    None if names::protocol_name(u8::try_from(number).unwrap_or(0)).is_some()
                        && language::protocol(&word).is_some() =>
                    {
                        word
                    }
                    None => format!("proto {word}"),
                });
            }
            None => out.push(if v6 { "ipv6" } else { "ipv4" }.to_owned()),
        }
        let (source, destination) = if v6 {
            (Field::Ip6Src, Field::Ip6Dst)
        } else {
            (Field::Ip4Src, Field::Ip4Dst)
        };
        for (key, address, port) in [
            ("from", source, Field::SrcPort),
            ("to", destination, Field::DstPort),
        ] {
            if let Some(end) = self.end_words(address, port, v6) {
                out.push(format!("{key} {end}"));
            }
        }
        for (key, option, interface) in [("in", "-i", &self.input), ("out", "-o", &self.output)] {
            if let PacketInterface::Named(name) = interface {
                let plain = can_be_a_name(name);
                out.push(format!("{} {name}", if plain { key } else { option }));
            }
        }
        match self.path {
            PacketPath::Output if self.output == PacketInterface::Unknown => out.push("out".into()),
            PacketPath::Forward
                if [&self.input, &self.output].contains(&&PacketInterface::Unknown) =>
            {
                out.push("forwarded".into());
            }
            _ => {}
        }
        if let Some(state) = self.known(Field::CtState) {
            out.push(state_word(state));
        }
        if self.known(Field::CtDirection) == Some(1) {
            out.push("reply".into());
        }
        if let Some(flags) = self.known(Field::TcpFlags) {
            out.push(match bit_names(flags, &FLAGS).as_str() {
                "syn" => "syn".into(),
                flags => format!("flags {flags}"),
            });
        }
        let (of_type, of_code) = if v6 {
            (Field::Icmp6Type, Field::Icmp6Code)
        } else {
            (Field::IcmpType, Field::IcmpCode)
        };
        if let Some(kind) = self.known(of_type) {
            let name = u8::try_from(kind)
                .ok()
                .and_then(|kind| names::icmp_name(kind, v6));
            let code = self.known(of_code);
            out.push(match (name, code) {
                (Some(name), None | Some(0)) if only_code_0(kind, v6) => name.into(),
                (_, Some(code)) => format!("type {kind}/{code}"),
                (Some(name), None) => name.into(),
                (None, None) => format!("type {kind}"),
            });
        }
        if self.known(Field::IsLaterFragment) == Some(1) {
            out.push("fragment".into());
        }
        let (ttl, dscp) = if v6 {
            (Field::HopLimit, Field::Ip6Dscp)
        } else {
            (Field::Ttl, Field::Ip4Dscp)
        };
        for (key, field, usual) in [
            ("mark", Field::Mark, Some(0)),
            ("ctmark", Field::CtMark, Some(0)),
            ("uid", Field::Uid, None),
            ("gid", Field::Gid, None),
            ("length", Field::Length, None),
            ("ttl", ttl, None),
            ("dscp", dscp, None),
            ("mac", Field::MacSrc, None),
        ] {
            if let Some(number) = self.known(field).filter(|number| Some(*number) != usual) {
                out.push(format!("{key} {}", value_words(field, number)));
            }
        }
        match self.known(Field::PacketType) {
            Some(1) => out.push("broadcast".into()),
            Some(2) => out.push("multicast".into()),
            _ => {}
        }
        out.join(" ")
    }

    fn end_words(&self, address: Field, port: Field, v6: bool) -> Option<String> {
        let address = self
            .known(address)
            .map(|number| number_to_address(number, v6));
        let port = self.known(port);
        let mut out = String::new();
        match (address, port) {
            (None, None) => return None,
            (Some(IpAddr::V6(address)), Some(_)) => write!(out, "[{address}]"),
            (Some(address), _) => write!(out, "{address}"),
            (None, Some(_)) => Ok(()),
        }
        .ok()?;
        if let Some(port) = port {
            write!(out, ":{port}").ok()?;
        }
        Some(out)
    }

    /// The way in words, such as `from this host`.
    pub fn way_words(&self) -> &'static str {
        match self.path {
            PacketPath::Input => "to this host",
            PacketPath::Forward => "through this host",
            PacketPath::Output => "from this host",
        }
    }
}
