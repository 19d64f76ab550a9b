//! From a draft to a packet that can be, in bytes and as the model sees it.

use std::fmt;
use std::net::IpAddr;

use surefoot_netfilter::Surroundings;
use surefoot_netfilter::packet::{FieldValue, Packet, PacketInterface, PacketPath};
use surefoot_ruleset::model::{Field, ct_state, ct_status};
use surefoot_testkit::{DESTINATION_OPTIONS, Frame, Port, Transport, Wire};

use crate::chance::Chance;
use crate::draft::Draft;
use crate::flows::Flows;

/// A packet to send.
#[derive(Clone, Debug)]
pub(crate) struct Shot {
    pub(crate) path: PacketPath,
    /// By which interface it comes in, or is sent.
    pub(crate) interface: String,
    pub(crate) frame: Frame,
    /// The packet in the model's words.
    pub(crate) packet: Packet,
    /// The connection that it belongs to, if there is one.
    pub(crate) flow: Option<usize>,
}

impl fmt::Display for Shot {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        writeln!(
            f,
            "packet: {:?} by {}, flow {:?}",
            self.path, self.interface, self.flow
        )?;
        writeln!(f, "    {:?}", self.frame.packet)?;
        write!(
            f,
            "    in {:?} out {:?}",
            self.packet.input, self.packet.output
        )?;
        for (field, value) in self.packet.values() {
            if let FieldValue::Known(number) = value {
                write!(f, ", {field:?} {number}")?;
            }
        }
        writeln!(f)
    }
}

/// What the namespace does with packets at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Phase<'a> {
    /// The interface that packets for other addresses than the host's own leave by; without one
    /// everything is for this host.
    pub(crate) forward_to: Option<&'a str>,
    /// Whether packets are tracked, and so also put together from fragments.
    pub(crate) conntrack: bool,
}

/// Makes the draft a packet that the kernel will show to the rules.
pub(crate) fn make(
    mut draft: Draft,
    phase: Phase,
    ports: &[Port],
    flows: &Flows,
    surroundings: &Surroundings,
    chance: &mut Chance,
) -> Shot {
    let v6 = draft.v6;
    let own: Vec<IpAddr> = ports
        .iter()
        .flat_map(|port| &port.addresses)
        .map(|(address, _)| *address)
        .filter(|address| address.is_ipv6() == v6)
        .collect();
    if draft.path == PacketPath::Forward && phase.forward_to.is_none() {
        draft.path = PacketPath::Input;
    }
    if let Some(output) = phase.forward_to {
        output.clone_into(&mut draft.output);
    }
    let known = (chance.percent(25) && phase.conntrack && draft.path != PacketPath::Output)
        .then(|| flows.pick(v6, chance))
        .flatten();
    let (mut wire, state) = match known {
        Some((at, flow)) => {
            let (wire, reply, state) = flow.packet(chance);
            (wire, Some((at, flow, reply, state)))
        }
        None => (plain(&draft, phase, chance), None),
    };
    if state.is_none() {
        place(&mut wire, &draft, phase, &own, chance);
    }
    if own.contains(&wire.destination) && draft.path == PacketPath::Forward {
        draft.path = PacketPath::Input;
    } else if !own.contains(&wire.destination)
        && draft.path == PacketPath::Input
        && phase.forward_to.is_some()
    {
        draft.path = PacketPath::Forward;
    }
    // What is for this host is put together before the rules of its input see it.
    let whole = phase.conntrack || v6 || draft.path == PacketPath::Input;
    if draft.fields.get(&Field::IsLaterFragment) == Some(&1) && !whole {
        wire.fragment = 185;
    }
    let from = draft
        .fields
        .get(&Field::MacSrc)
        .map_or([2, 0, 0, 0, 0x99, 1], |mac| {
            let bytes = mac.to_be_bytes();
            [
                bytes[10], bytes[11], bytes[12], bytes[13], bytes[14], bytes[15],
            ]
        });
    let interface = match draft.path {
        PacketPath::Output => draft.output.clone(),
        _ => draft.input.clone(),
    };
    let to = ports
        .iter()
        .find(|port| port.name == interface)
        .map_or([0xff; 6], |port| port.mac);
    let frame = Frame {
        to,
        from,
        packet: wire,
    };
    let mut packet = describe(&draft, &frame);
    let tracked = match &state {
        Some((_, flow, reply, state)) => {
            let direction = u128::from(*reply);
            packet = flow
                .describe(packet)
                .with(Field::CtStatus, {
                    ct_status::SEEN_REPLY | ct_status::ASSURED | ct_status::CONFIRMED
                })
                .with(Field::CtDirection, direction);
            *state
        }
        None => tracked(draft.path, &frame.packet),
    };
    Shot {
        path: draft.path,
        interface,
        packet: packet.with(Field::CtState, tracked).settle(surroundings),
        frame,
        flow: state.map(|(at, ..)| at),
    }
}

/// A packet of no known connection.
fn plain(draft: &Draft, phase: Phase, chance: &mut Chance) -> Wire {
    let v6 = draft.v6;
    let get = |field: Field| draft.fields.get(&field).copied();
    let wants_icmp = [
        Field::IcmpType,
        Field::IcmpCode,
        Field::Icmp6Type,
        Field::Icmp6Code,
    ];
    let mut protocol = match get(Field::L4Proto)
        .or(get(Field::Ip4Protocol))
        .or(get(Field::Ip6NextHeader))
    {
        Some(number) => u8::try_from(number).unwrap_or(6),
        None if get(Field::TcpFlags).is_some() => 6,
        None if wants_icmp.into_iter().any(|field| get(field).is_some()) && chance.percent(50) => 1,
        None => *chance.pick(&[1, 6, 6, 17, 17, 17, 47, 136]).unwrap(),
    };
    match (protocol, v6) {
        (1, true) if phase.conntrack || chance.percent(90) => protocol = 58,
        (58, false) if phase.conntrack || chance.percent(90) => protocol = 1,
        // Conntrack reads more of these than we write.
        (33 | 132 | 136, _) if phase.conntrack => protocol = 50,
        // An extension header is not a transport protocol, and IP in IP is not ours to unpack.
        (0 | 4 | 41 | 43 | 44 | 51 | 59 | 60 | 135, _) => protocol = 50,
        _ => {}
    }
    let port = |field: Field, set: Field, chance: &mut Chance| {
        let number = get(field).or(get(set)).unwrap_or_else(|| {
            let usual = [0_u32, 1, 22, 53, 80, 443, 1023, 1024, 32768, 65535];
            u128::from(*chance.pick(&usual).unwrap())
        });
        u16::try_from(number & 0xffff).unwrap()
    };
    let byte = |field: Field| get(field).and_then(|number| u8::try_from(number & 0xff).ok());
    let transport = match protocol {
        6 => Transport::Tcp {
            source: port(Field::SrcPort, Field::SetSrcPort, chance),
            destination: port(Field::DstPort, Field::SetDstPort, chance),
            flags: byte(Field::TcpFlags)
                .unwrap_or_else(|| *chance.pick(&[2, 2, 2, 16, 18, 20, 4, 1, 0]).unwrap()),
            mss: chance.percent(50),
        },
        1 | 58 if (protocol == 58) == v6 => {
            let word = get(Field::SetDstPort).filter(|_| chance.percent(50));
            let fields = if v6 {
                (Field::Icmp6Type, Field::Icmp6Code)
            } else {
                (Field::IcmpType, Field::IcmpCode)
            };
            let usual: &[u8] = if v6 {
                &[128, 128, 129, 1, 2, 135, 136, 133]
            } else {
                &[8, 8, 0, 3, 11, 13, 17]
            };
            let (kind, code) = match word {
                Some(word) => (word >> 8 & 0xff, word & 0xff),
                None => (
                    u128::from(byte(fields.0).unwrap_or_else(|| *chance.pick(usual).unwrap())),
                    u128::from(byte(fields.1).unwrap_or(0)),
                ),
            };
            Transport::Icmp {
                kind: u8::try_from(kind).unwrap(),
                code: u8::try_from(code).unwrap(),
                about: None,
            }
        }
        17 | 33 | 132 | 136 => Transport::Ports {
            source: port(Field::SrcPort, Field::SetSrcPort, chance),
            destination: port(Field::DstPort, Field::SetDstPort, chance),
        },
        _ => Transport::Other,
    };
    let (tos, dscp) = if v6 {
        (Field::TrafficClass, Field::Ip6Dscp)
    } else {
        (Field::Tos, Field::Ip4Dscp)
    };
    let tos = byte(tos).unwrap_or_else(|| byte(dscp).unwrap_or(0) << 2);
    let ttl = byte(if v6 { Field::HopLimit } else { Field::Ttl }).unwrap_or(64);
    let mut wire = Wire {
        source: address(draft, true),
        destination: address(draft, false),
        protocol,
        transport,
        ttl,
        tos,
        id: u16::try_from(get(Field::Ip4Id).unwrap_or(1) & 0xffff)
            .unwrap()
            .max(1),
        fragment: 0,
        payload: u16::from(chance.percent(30)) * 20,
        broken: phase.conntrack && chance.percent(4),
        options: v6 && chance.percent(15),
    };
    if let Some(length) = get(Field::Length)
        && let Ok(length) = usize::try_from(length)
        && length <= 1400
    {
        wire.payload = 0;
        let payload = length.saturating_sub(wire.length());
        wire.payload = u16::try_from(payload).unwrap();
    }
    wire
}

fn address(draft: &Draft, source: bool) -> IpAddr {
    let field = match (draft.v6, source) {
        (false, true) => Field::Ip4Src,
        (false, false) => Field::Ip4Dst,
        (true, true) => Field::Ip6Src,
        (true, false) => Field::Ip6Dst,
    };
    match (draft.v6, draft.fields.get(&field)) {
        (false, Some(number)) => IpAddr::V4(u32::try_from(*number).unwrap_or(0).into()),
        (true, Some(number)) => IpAddr::V6((*number).into()),
        (false, None) => IpAddr::from([203, 0, 113, if source { 9 } else { 99 }]),
        (true, None) => IpAddr::from([
            0x2001,
            0xdb8,
            0xf,
            0,
            0,
            0,
            0,
            if source { 9 } else { 0x99 },
        ]),
    }
}

/// Puts addresses that routing would not take, or that lead somewhere else, where they belong.
fn place(wire: &mut Wire, draft: &Draft, phase: Phase, own: &[IpAddr], chance: &mut Chance) {
    let v6 = draft.v6;
    let other = |last: u8| -> IpAddr {
        if v6 {
            [0x2001, 0xdb8, 0xe, 0, 0, 0, 0, last.into()].into()
        } else {
            [198, 51, 100, last].into()
        }
    };
    if !routable(wire.source) {
        wire.source = other(7);
    }
    if !routable(wire.destination) {
        wire.destination = other(8);
    }
    match draft.path {
        PacketPath::Input if phase.forward_to.is_some() => {
            if !own.contains(&wire.destination) {
                wire.destination = *chance.pick(own).unwrap();
            }
        }
        PacketPath::Input => {
            if chance.percent(20) {
                wire.destination = *chance.pick(own).unwrap();
            }
        }
        PacketPath::Output => {
            if own.contains(&wire.destination) {
                wire.destination = other(8);
            }
            if chance.percent(60) {
                wire.source = *chance.pick(own).unwrap();
            }
        }
        PacketPath::Forward => {}
    }
}

/// Whether routing takes the address for one of a single machine somewhere.
pub(crate) fn routable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, .., last] = address.octets();
            // The networks of our interfaces have broadcast addresses.
            let broadcast = address.octets()[..2] == [192, 0] && last == 255;
            !broadcast && !matches!(first, 0 | 127 | 224..)
        }
        IpAddr::V6(address) => {
            // The first address of a network of ours means any router on it, which we are.
            let segments = address.segments();
            let any_router = segments[..3] == [0x2001, 0xdb8, 0] && segments[4..] == [0; 4];
            !any_router
                && !address.is_multicast()
                && !address.is_loopback()
                && !address.is_unspecified()
                && !address.is_unicast_link_local()
                && address.to_ipv4().is_none()
        }
    }
}

/// The packet in the model's words, but for its connection.
fn describe(draft: &Draft, frame: &Frame) -> Packet {
    let wire = &frame.packet;
    let mut packet = Packet::new(draft.path)
        .from(wire.source)
        .to(wire.destination)
        .with(Field::L4Proto, wire.protocol)
        .with(Field::Length, u128::try_from(wire.length()).unwrap());
    if draft.path != PacketPath::Output {
        packet.input = PacketInterface::named(&draft.input);
        let number = |mac: [u8; 6]| mac.iter().fold(0, |sum, byte| sum << 8 | u128::from(*byte));
        packet = packet
            .with(Field::MacSrc, number(frame.from))
            .with(Field::MacDst, number(frame.to))
            .with(Field::PacketType, 0_u8);
    }
    if draft.path != PacketPath::Input {
        packet.output = PacketInterface::named(&draft.output);
    }
    if draft.path == PacketPath::Output {
        packet = packet.with(Field::Uid, 0_u8).with(Field::Gid, 0_u8);
    }
    if wire.is_v6() {
        let next = if wire.options {
            DESTINATION_OPTIONS
        } else {
            wire.protocol
        };
        packet = packet
            .with(Field::Ip6NextHeader, next)
            .with(Field::HopLimit, wire.ttl)
            .with(Field::TrafficClass, wire.tos);
    } else {
        packet = packet
            .with(Field::Ttl, wire.ttl)
            .with(Field::Tos, wire.tos)
            .with(Field::Ip4Id, wire.id)
            .with(Field::Ip4FragmentOffset, wire.fragment)
            .with(Field::IsLaterFragment, u8::from(wire.fragment & 0x1fff > 0));
    }
    match wire.transport {
        Transport::Ports {
            source,
            destination,
        } => packet
            .with(Field::SrcPort, source)
            .with(Field::DstPort, destination),
        Transport::Tcp {
            source,
            destination,
            flags,
            mss,
        } => packet
            .with(Field::SrcPort, source)
            .with(Field::DstPort, destination)
            .with(Field::TcpFlags, flags)
            .with(Field::TcpOption(2), u8::from(mss)),
        Transport::Icmp { kind, code, .. } => {
            let fields = if wire.is_v6() {
                (Field::Icmp6Type, Field::Icmp6Code)
            } else {
                (Field::IcmpType, Field::IcmpCode)
            };
            packet.with(fields.0, kind).with(fields.1, code)
        }
        Transport::Other => packet,
    }
}

/// What conntrack makes of a packet of no known connection (`nf_conntrack_proto_*.c`).
fn tracked(path: PacketPath, wire: &Wire) -> u128 {
    // Checksums of this host's own packets are not looked at.
    let broken = wire.broken && path != PacketPath::Output;
    match &wire.transport {
        Transport::Tcp { flags, .. } => {
            // PSH, ECE and CWR do not count.
            match flags & 0x37 {
                _ if broken => ct_state::INVALID,
                0x02 | 0x22 | 0x10 | 0x30 => ct_state::NEW,
                _ => ct_state::INVALID,
            }
        }
        Transport::Icmp { .. } if broken => ct_state::INVALID,
        Transport::Icmp { kind, .. } if wire.is_v6() => match kind {
            130..=136 | 143 => ct_state::UNTRACKED,
            128 | 139 => ct_state::NEW,
            _ => ct_state::INVALID,
        },
        Transport::Icmp {
            kind: 8 | 13 | 15 | 17,
            ..
        } => ct_state::NEW,
        Transport::Icmp { .. } => ct_state::INVALID,
        Transport::Ports { .. } if broken && matches!(wire.protocol, 17 | 136) => ct_state::INVALID,
        _ => ct_state::NEW,
    }
}
