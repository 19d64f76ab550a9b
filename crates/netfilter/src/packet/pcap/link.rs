//! What stands before the IP header: Ethernet, Linux' cooked captures, nflog.

use super::CaptureError;
use super::bytes::{ByteOrder, big_endian};
use super::file::CapturedFrame;
use crate::packet::{FieldValue, Packet};
use surefoot_ruleset::model::Field;

/// The IP packet in a frame, and what the link layer says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LinkPayload<'a> {
    pub(super) ip: &'a [u8],
    pub(super) link: LinkFields,
}

/// What stands beside an IP packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LinkFields {
    /// Source hardware address, 48 bits.
    pub source: Option<u64>,
    /// Destination hardware address, 48 bits.
    pub destination: Option<u64>,
    pub(crate) packet_type: Option<u8>,
    pub(crate) mark: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    /// Whether the capturing host sent it, where the link header tells.
    pub outgoing: bool,
    /// VLAN number.
    pub vlan: Option<u16>,
}

impl LinkFields {
    /// Writes what is known of the link into a packet.
    pub fn put(&self, packet: &mut Packet) {
        let fields = [
            (Field::MacSrc, self.source.map(u128::from)),
            (Field::MacDst, self.destination.map(u128::from)),
            (Field::PacketType, self.packet_type.map(u128::from)),
            (Field::Mark, self.mark.map(u128::from)),
            (Field::Uid, self.uid.map(u128::from)),
            (Field::Gid, self.gid.map(u128::from)),
        ];
        for (field, number) in fields {
            if let Some(number) = number {
                packet.put(field, FieldValue::Known(number));
            }
        }
    }
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Finds the IP packet by the link type (<https://www.tcpdump.org/linktypes.html>).
pub(super) fn payload_of<'a>(frame: &CapturedFrame<'a>) -> Result<LinkPayload<'a>, CaptureError> {
    let bytes = frame.bytes;
    let found = match frame.about.link {
        1 => read_ethernet(bytes)?,
        // The loopback of the BSDs: a family, then the packet.
        0 | 108 => plain_payload(bytes.get(4..)),
        12 | 14 | 101 | 228 | 229 => plain_payload(Some(bytes)),
        113 => read_cooked(bytes)?,
        276 => read_cooked2(bytes)?,
        239 => read_nflog(frame),
        other => {
            let mut error = CaptureError::new(format!("packets of link type {other} are not read"));
            error.hint = Some("capture on an Ethernet interface or with `-i any`".into());
            return Err(error);
        }
    };
    found.ok_or_else(|| CaptureError::new("too little of the packet was captured"))
}

fn plain_payload(ip: Option<&[u8]>) -> Option<LinkPayload<'_>> {
    Some(LinkPayload {
        ip: ip?,
        ..LinkPayload::default()
    })
}

fn read_ethernet(bytes: &[u8]) -> Result<Option<LinkPayload<'_>>, CaptureError> {
    let (Some(to), Some(from)) = (bytes.get(..6), bytes.get(6..12)) else {
        return Ok(None);
    };
    let mut at = 12;
    let mut vlan = None;
    // The kernel takes off two tags; more are rare and seen only by bridges.
    while let Some(0x8100 | 0x88a8 | 0x9100) = ByteOrder::Big.u16(bytes, at)
        && at < 28
    {
        vlan = ByteOrder::Big.u16(bytes, at + 2).map(|tag| tag & 0xfff);
        at += 4;
    }
    let Some(kind) = ByteOrder::Big.u16(bytes, at) else {
        return Ok(None);
    };
    is_ip(kind)?;
    let packet_type = match to {
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => Some(1),
        [first, ..] if first & 1 == 1 => Some(2),
        _ => None,
    };
    let link = LinkFields {
        source: hardware_address(from),
        destination: hardware_address(to),
        packet_type,
        vlan,
        ..LinkFields::default()
    };
    Ok(bytes.get(at + 2..).map(|ip| LinkPayload { ip, link }))
}

fn is_ip(kind: u16) -> Result<(), CaptureError> {
    match kind {
        IPV4 | IPV6 => Ok(()),
        0x0806 => Err(CaptureError::new(
            "an ARP packet: the rules for IP do not see it",
        )),
        kind if kind < 0x0600 => Err(CaptureError::new(
            "no IP packet but an IEEE 802.3 frame: the rules for IP do not see it",
        )),
        kind => Err(CaptureError::new(format!(
            "no IP packet but Ethernet type {kind:#06x}: the rules for IP do not see it"
        ))),
    }
}

/// `LINUX_SLL`: packet type, hardware type, address length, address, protocol.
fn read_cooked(bytes: &[u8]) -> Result<Option<LinkPayload<'_>>, CaptureError> {
    let (Some(kind), Some(length), Some(protocol)) = (
        ByteOrder::Big.u16(bytes, 0),
        ByteOrder::Big.u16(bytes, 4),
        ByteOrder::Big.u16(bytes, 14),
    ) else {
        return Ok(None);
    };
    is_ip(protocol)?;
    Ok(cooked_payload(
        kind,
        length,
        bytes.get(6..12),
        bytes.get(16..),
    ))
}

/// `LINUX_SLL2`: protocol, reserved, interface index, hardware type, packet type, address.
fn read_cooked2(bytes: &[u8]) -> Result<Option<LinkPayload<'_>>, CaptureError> {
    let (Some(protocol), Some(kind), Some(length)) =
        (ByteOrder::Big.u16(bytes, 0), bytes.get(10), bytes.get(11))
    else {
        return Ok(None);
    };
    is_ip(protocol)?;
    let (kind, length) = (u16::from(*kind), u16::from(*length));
    Ok(cooked_payload(
        kind,
        length,
        bytes.get(12..18),
        bytes.get(20..),
    ))
}

fn cooked_payload<'a>(
    kind: u16,
    length: u16,
    address: Option<&[u8]>,
    ip: Option<&'a [u8]>,
) -> Option<LinkPayload<'a>> {
    let link = LinkFields {
        source: address.filter(|_| length == 6).and_then(hardware_address),
        // `PACKET_HOST` to `PACKET_OTHERHOST`; 4 is `PACKET_OUTGOING`.
        packet_type: u8::try_from(kind).ok().filter(|kind| *kind < 4),
        outgoing: kind == 4,
        ..LinkFields::default()
    };
    Some(LinkPayload { ip: ip?, link })
}

/// `tcpdump -i nflog`: attributes of `NFULNL`, whose lengths have the machine's byte order.
fn read_nflog<'a>(frame: &CapturedFrame<'a>) -> Option<LinkPayload<'a>> {
    let mut rest = frame.bytes.get(4..)?;
    let mut found = LinkPayload::default();
    let mut ip = None;
    while let (Some(length), Some(kind)) = (
        frame.about.order.u16(rest, 0),
        frame.about.order.u16(rest, 2),
    ) {
        let length = usize::from(length);
        let Some(value) = rest.get(4..length) else {
            break;
        };
        let word = || ByteOrder::Big.u32(value, 0);
        match kind {
            2 => found.link.mark = word(),
            9 => ip = Some(value),
            11 => found.link.uid = word(),
            14 => found.link.gid = word(),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found.link.outgoing = found.link.uid.is_some();
    found.ip = ip?;
    Some(found)
}

/// A hardware address as a number.
fn hardware_address(bytes: &[u8]) -> Option<u64> {
    u64::try_from(big_endian(bytes)).ok()
}
