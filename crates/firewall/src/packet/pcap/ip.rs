//! The IP header and what follows it.

use super::CaptureError;
use super::bytes::{Order, number};
use crate::model::Field;
use crate::packet::settle::has_ports;
use crate::packet::{Packet, Value};

/// What the state is guessed by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Headers {
    pub(super) flow: Option<Ends>,
    /// The flow that an ICMP error speaks of.
    pub(super) about: Option<Ends>,
    pub(super) notes: Vec<String>,
}

/// What conntrack tells a flow by: for ICMP the identifier stands for both ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) protocol: u8,
    pub(super) from: (u128, u16),
    pub(super) to: (u128, u16),
}

impl Ends {
    /// The same flow, seen from the other end.
    pub(super) fn turned(self) -> Self {
        Self {
            from: self.to,
            to: self.from,
            ..self
        }
    }
}

/// What stands behind the IP headers.
struct Transport<'a> {
    protocol: u8,
    from: u128,
    to: u128,
    bytes: &'a [u8],
    later_fragment: bool,
}

/// Reads the headers into the packet's fields.
pub(super) fn read(
    bytes: &[u8],
    on_wire: usize,
    packet: &mut Packet,
) -> Result<Headers, CaptureError> {
    let mut headers = Headers::default();
    let transport = match bytes.first().map(|byte| byte >> 4) {
        Some(4) => ip4(bytes, on_wire, packet)?,
        Some(6) => ip6(bytes, packet, &mut headers)?,
        Some(version) => {
            let what = format!("no IP packet: its version is {version}");
            return Err(CaptureError::new(what));
        }
        None => return Err(CaptureError::new("nothing of the packet was captured")),
    };
    let Some(transport) = transport else {
        return Ok(headers);
    };
    put(packet, Field::L4Proto, transport.protocol);
    if transport.later_fragment {
        put(packet, Field::IsLaterFragment, 1_u8);
        return Ok(headers);
    }
    put(packet, Field::IsLaterFragment, 0_u8);
    fields(&transport, packet);
    headers.flow = ends(&transport);
    headers.about = about(&transport);
    Ok(headers)
}

/// The flow of a packet and the one that it speaks of, without reading its fields.
pub(super) fn flow(bytes: &[u8]) -> Option<Ends> {
    let mut unused = Packet::new(crate::packet::Path::Input);
    read(bytes, bytes.len(), &mut unused).ok()?.flow
}

fn put(packet: &mut Packet, field: Field, number: impl Into<u128>) {
    packet.put(field, Value::Known(number.into()));
}

fn too_short() -> CaptureError {
    CaptureError::new("too little of the packet was captured for its IP header")
}

fn ip4<'a>(
    bytes: &'a [u8],
    on_wire: usize,
    packet: &mut Packet,
) -> Result<Option<Transport<'a>>, CaptureError> {
    let header = bytes.get(..20).ok_or_else(too_short)?;
    let length = usize::from(header[0] & 0xf) * 4;
    if length < 20 {
        return Err(CaptureError::new(
            "its IPv4 header says that it is shorter than it can be",
        ));
    }
    let total = usize::from(Order::Big.u16(header, 2).unwrap_or_default());
    let fragment = Order::Big.u16(header, 6).unwrap_or_default();
    let (from, to) = (number(&header[12..16]), number(&header[16..20]));
    put(packet, Field::NfProto, 2_u8);
    put(packet, Field::Ip4Src, from);
    put(packet, Field::Ip4Dst, to);
    put(packet, Field::Tos, header[1]);
    put(packet, Field::Ttl, header[8]);
    put(packet, Field::Ip4Id, number(&header[4..6]));
    put(packet, Field::Ip4FragmentOffset, fragment);
    put(packet, Field::Ip4Protocol, header[9]);
    // A packet that the network card will cut may have no length of its own.
    let seen = if total == 0 { on_wire } else { total };
    put(
        packet,
        Field::Length,
        u128::try_from(seen).unwrap_or_default(),
    );
    let end = if total == 0 {
        bytes.len()
    } else {
        total.min(bytes.len())
    };
    Ok(Some(Transport {
        protocol: header[9],
        from,
        to,
        bytes: bytes.get(length..end).unwrap_or_default(),
        later_fragment: fragment & 0x1fff != 0,
    }))
}

fn ip6<'a>(
    bytes: &'a [u8],
    packet: &mut Packet,
    headers: &mut Headers,
) -> Result<Option<Transport<'a>>, CaptureError> {
    let header = bytes.get(..40).ok_or_else(too_short)?;
    let (from, to) = (number(&header[8..24]), number(&header[24..40]));
    let class = (header[0] << 4) | (header[1] >> 4);
    let length = usize::from(Order::Big.u16(header, 4).unwrap_or_default());
    put(packet, Field::NfProto, 10_u8);
    put(packet, Field::Ip6Src, from);
    put(packet, Field::Ip6Dst, to);
    put(packet, Field::TrafficClass, class);
    put(packet, Field::HopLimit, header[7]);
    put(packet, Field::Ip6NextHeader, header[6]);
    if length > 0 {
        put(
            packet,
            Field::Length,
            u128::try_from(length + 40).unwrap_or_default(),
        );
    }
    let mut next = header[6];
    let mut at = 40_usize;
    let mut later_fragment = false;
    // `nf_ip6_ext_hdr`: the headers that the kernel walks over, in any order.
    while matches!(next, 0 | 43 | 44 | 51 | 60) && !later_fragment {
        let Some([following, size, high, low, ..]) = bytes.get(at..at.saturating_add(8)) else {
            headers
                .notes
                .push("the capture ends before its transport header".into());
            return Ok(None);
        };
        let units = usize::from(*size);
        at += match next {
            44 => {
                later_fragment = u16::from_be_bytes([*high, *low]) & 0xfff8 != 0;
                8
            }
            51 => (units + 2) * 4,
            _ => (units + 1) * 8,
        };
        next = *following;
    }
    Ok(Some(Transport {
        protocol: next,
        from,
        to,
        bytes: bytes.get(at..).unwrap_or_default(),
        later_fragment,
    }))
}

fn fields(transport: &Transport<'_>, packet: &mut Packet) {
    let bytes = transport.bytes;
    if has_ports(transport.protocol.into()) {
        for (at, field) in [(0, Field::SrcPort), (2, Field::DstPort)] {
            if let Some(port) = Order::Big.u16(bytes, at) {
                put(packet, field, port);
            }
        }
    }
    match transport.protocol {
        6 => {
            if let Some(flags) = bytes.get(13) {
                put(packet, Field::TcpFlags, *flags);
            }
            tcp_options(bytes, packet);
        }
        1 | 58 => {
            let fields = if transport.protocol == 1 {
                [Field::IcmpType, Field::IcmpCode]
            } else {
                [Field::Icmp6Type, Field::Icmp6Code]
            };
            for (field, byte) in fields.into_iter().zip(bytes) {
                put(packet, field, *byte);
            }
        }
        _ => {}
    }
}

/// The options that a rule set asks for in practice.
const TCP_OPTIONS: std::ops::RangeInclusive<u8> = 2..=34;

fn tcp_options(bytes: &[u8], packet: &mut Packet) {
    let end = bytes.get(12).map(|byte| usize::from(byte >> 4) * 4);
    let Some(mut rest) = end.and_then(|end| bytes.get(20..end)) else {
        return;
    };
    let mut seen = Vec::new();
    while let Some(kind) = rest.first() {
        let length = match kind {
            0 => break,
            1 => 1,
            _ => {
                seen.push(*kind);
                usize::from(rest.get(1).copied().unwrap_or_default()).max(2)
            }
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    for kind in TCP_OPTIONS {
        put(
            packet,
            Field::TcpOption(kind),
            u8::from(seen.contains(&kind)),
        );
    }
}

fn ends(transport: &Transport<'_>) -> Option<Ends> {
    let bytes = transport.bytes;
    let (from, to) = match transport.protocol {
        protocol if has_ports(protocol.into()) => {
            (Order::Big.u16(bytes, 0)?, Order::Big.u16(bytes, 2)?)
        }
        1 | 58 => {
            // Requests and their replies share an identifier; other messages have no flow.
            let asks = matches!(
                (transport.protocol, bytes.first()?),
                (1, 0 | 8 | 13..=18) | (58, 128 | 129)
            );
            let identifier = asks.then(|| Order::Big.u16(bytes, 4))??;
            (identifier, identifier)
        }
        _ => (0, 0),
    };
    Some(Ends {
        protocol: transport.protocol,
        from: (transport.from, from),
        to: (transport.to, to),
    })
}

/// The flow that an ICMP error speaks of: the packet that it quotes.
fn about(transport: &Transport<'_>) -> Option<Ends> {
    let error = matches!(
        (transport.protocol, transport.bytes.first()?),
        (1, 3 | 4 | 5 | 11 | 12) | (58, 1..=4)
    );
    let quoted = transport.bytes.get(8..).filter(|_| error)?;
    // What is quoted quotes nothing itself, so that this ends.
    let mut unused = Packet::new(crate::packet::Path::Input);
    let quoted = match quoted.first()? >> 4 {
        4 => ip4(quoted, quoted.len(), &mut unused).ok()??,
        6 => ip6(quoted, &mut unused, &mut Headers::default()).ok()??,
        _ => return None,
    };
    if quoted.later_fragment {
        return None;
    }
    ends(&quoted)
}
