//! The IP header and what follows it.

use super::CaptureError;
use super::bytes::{ByteOrder, big_endian};
use crate::packet::settle::has_ports;
use crate::packet::{FieldValue, Packet};
use surefoot_ruleset::model::Field;

/// What conntrack tells a flow by: for ICMP the identifier stands for both ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowTuple {
    /// Whether the addresses are of IPv6.
    pub v6: bool,
    /// The protocol of the transport header.
    pub protocol: u8,
    /// Source address and port.
    pub from: (u128, u16),
    /// Destination address and port.
    pub to: (u128, u16),
}

impl FlowTuple {
    /// The same flow, seen from the other end.
    #[must_use]
    pub fn with_ends_swapped(self) -> Self {
        Self {
            from: self.to,
            to: self.from,
            ..self
        }
    }
}

/// The headers of a packet, as far as rules can ask for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IpHeaders {
    /// Whether it is IPv6.
    pub v6: bool,
    /// Source address.
    pub from: u128,
    /// Destination address.
    pub to: u128,
    /// Type of service, or traffic class.
    pub class: u8,
    /// Time to live, or hop limit.
    pub hops: u8,
    /// Identification of IPv4; 0 with IPv6.
    pub id: u16,
    /// IPv4's flags and fragment offset.
    pub fragment: u16,
    /// The protocol that the fixed header names.
    pub next: u8,
    /// Length of the packet in bytes, if the header tells.
    pub length: Option<u32>,
    /// What stands behind the IP headers; none if the capture ends before.
    pub transport: Option<TransportHeader>,
}

/// What stands behind the IP headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct TransportHeader {
    /// The protocol of the transport header.
    pub protocol: u8,
    /// Whether it is a fragment without a transport header.
    pub later_fragment: bool,
    /// Whether an authentication header of IPv6 stands before it: `nf_tables` takes that for the
    /// transport header, `ip6_tables` does not.
    pub authenticated: bool,
    /// Source port.
    pub source: Option<u16>,
    /// Destination port.
    pub destination: Option<u16>,
    /// TCP flags, as the header has them.
    pub flags: Option<u8>,
    /// A bit for each of TCP's options up to 63, if they were captured.
    pub options: Option<u64>,
    /// Type and code of an ICMP message.
    pub icmp: [Option<u8>; 2],
    /// The flow that the packet belongs to.
    pub flow: Option<FlowTuple>,
    /// The flow that an ICMP error speaks of.
    pub about: Option<FlowTuple>,
}

/// The bytes behind the IP headers.
struct BehindHeader<'a> {
    protocol: u8,
    bytes: &'a [u8],
    later_fragment: bool,
    authenticated: bool,
}

impl IpHeaders {
    /// Reads the headers of a packet that was so long on the wire.
    pub(super) fn read(bytes: &[u8], on_wire: usize) -> Result<Self, CaptureError> {
        let mut headers = Self::default();
        let Some(behind) = headers.read_fixed(bytes, on_wire)? else {
            return Ok(headers);
        };
        let mut transport = TransportHeader {
            protocol: behind.protocol,
            later_fragment: behind.later_fragment,
            authenticated: behind.authenticated,
            ..TransportHeader::default()
        };
        if !behind.later_fragment {
            transport.read(behind.bytes);
            transport.flow = headers.ends_of(&behind);
            transport.about = embedded_ends(&behind);
        }
        headers.transport = Some(transport);
        Ok(headers)
    }

    fn read_fixed<'a>(
        &mut self,
        bytes: &'a [u8],
        on_wire: usize,
    ) -> Result<Option<BehindHeader<'a>>, CaptureError> {
        match bytes.first().map(|byte| byte >> 4) {
            Some(4) => self.read_ip4(bytes, on_wire).map(Some),
            Some(6) => self.read_ip6(bytes),
            Some(version) => {
                let what = format!("no IP packet: its version is {version}");
                Err(CaptureError::new(what))
            }
            None => Err(CaptureError::new("nothing of the packet was captured")),
        }
    }

    /// Gives a packet what was read.
    pub fn put(&self, packet: &mut Packet) {
        let fields = if self.v6 {
            [
                (Field::NfProto, 10),
                (Field::Ip6Src, self.from),
                (Field::Ip6Dst, self.to),
                (Field::TrafficClass, self.class.into()),
                (Field::HopLimit, self.hops.into()),
                (Field::Ip6NextHeader, self.next.into()),
            ]
        } else {
            put(packet, Field::Ip4Id, self.id);
            put(packet, Field::Ip4FragmentOffset, self.fragment);
            [
                (Field::NfProto, 2),
                (Field::Ip4Src, self.from),
                (Field::Ip4Dst, self.to),
                (Field::Tos, self.class.into()),
                (Field::Ttl, self.hops.into()),
                (Field::Ip4Protocol, self.next.into()),
            ]
        };
        for (field, number) in fields {
            put(packet, field, number);
        }
        if let Some(length) = self.length {
            put(packet, Field::Length, length);
        }
        if let Some(transport) = &self.transport {
            transport.put(packet);
        }
    }
}

impl TransportHeader {
    fn read(&mut self, bytes: &[u8]) {
        if has_ports(self.protocol.into()) {
            self.source = ByteOrder::Big.u16(bytes, 0);
            self.destination = ByteOrder::Big.u16(bytes, 2);
        }
        match self.protocol {
            6 => {
                self.flags = bytes.get(13).copied();
                self.options = tcp_options(bytes);
            }
            1 | 58 => self.icmp = [bytes.first().copied(), bytes.get(1).copied()],
            _ => {}
        }
    }

    fn put(&self, packet: &mut Packet) {
        put(
            packet,
            Field::IsLaterFragment,
            u8::from(self.later_fragment),
        );
        if self.authenticated {
            packet.notes.push(
                "nf_tables takes its authentication header for the transport header, ip6_tables the one behind it: what rules ask of either is unknown".into(),
            );
            return;
        }
        put(packet, Field::L4Proto, self.protocol);
        let icmp = if self.protocol == 1 {
            [Field::IcmpType, Field::IcmpCode]
        } else {
            [Field::Icmp6Type, Field::Icmp6Code]
        };
        let ports = [
            (Field::SrcPort, self.source),
            (Field::DstPort, self.destination),
        ];
        let bytes = [
            (Field::TcpFlags, self.flags),
            (icmp[0], self.icmp[0]),
            (icmp[1], self.icmp[1]),
        ];
        for (field, number) in ports {
            if let Some(number) = number {
                put(packet, field, number);
            }
        }
        for (field, number) in bytes {
            if let Some(number) = number {
                put(packet, field, number);
            }
        }
        if let Some(options) = self.options {
            for kind in TCP_OPTIONS {
                let there = options >> kind & 1;
                put(packet, Field::TcpOption(kind), there);
            }
        }
    }
}

fn put(packet: &mut Packet, field: Field, number: impl Into<u128>) {
    packet.put(field, FieldValue::Known(number.into()));
}

fn too_short() -> CaptureError {
    CaptureError::new("too little of the packet was captured for its IP header")
}

impl IpHeaders {
    fn read_ip4<'a>(
        &mut self,
        bytes: &'a [u8],
        on_wire: usize,
    ) -> Result<BehindHeader<'a>, CaptureError> {
        let header = bytes.get(..20).ok_or_else(too_short)?;
        let length = usize::from(header[0] & 0xf) * 4;
        if length < 20 {
            return Err(CaptureError::new(
                "its IPv4 header says that it is shorter than it can be",
            ));
        }
        let word = |at| ByteOrder::Big.u16(header, at).unwrap_or_default();
        let total = usize::from(word(2));
        self.from = big_endian(&header[12..16]);
        self.to = big_endian(&header[16..20]);
        self.class = header[1];
        self.hops = header[8];
        self.id = word(4);
        self.fragment = word(6);
        self.next = header[9];
        // A packet that the network card will cut may have no length of its own.
        let seen = if total == 0 { on_wire } else { total };
        self.length = u32::try_from(seen).ok();
        let end = if total == 0 {
            bytes.len()
        } else {
            total.min(bytes.len())
        };
        Ok(BehindHeader {
            protocol: header[9],
            bytes: bytes.get(length..end).unwrap_or_default(),
            later_fragment: self.fragment & 0x1fff != 0,
            authenticated: false,
        })
    }

    fn read_ip6<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<BehindHeader<'a>>, CaptureError> {
        let header = bytes.get(..40).ok_or_else(too_short)?;
        self.v6 = true;
        self.from = big_endian(&header[8..24]);
        self.to = big_endian(&header[24..40]);
        self.class = (header[0] << 4) | (header[1] >> 4);
        self.hops = header[7];
        self.next = header[6];
        let length = ByteOrder::Big.u16(header, 4).filter(|length| *length > 0);
        self.length = length.map(|length| u32::from(length) + 40);
        let mut next = header[6];
        let mut at = 40_usize;
        let (mut later_fragment, mut authenticated) = (false, false);
        // `nf_ip6_ext_hdr`: the headers that the kernel walks over, in any order.
        while matches!(next, 0 | 43 | 44 | 51 | 60) && !later_fragment {
            let Some([following, size, high, low, ..]) = bytes.get(at..at.saturating_add(8)) else {
                return Ok(None);
            };
            let units = usize::from(*size);
            authenticated |= next == 51;
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
        Ok(Some(BehindHeader {
            protocol: next,
            bytes: bytes.get(at..).unwrap_or_default(),
            later_fragment,
            authenticated,
        }))
    }

    fn ends_of(&self, behind: &BehindHeader<'_>) -> Option<FlowTuple> {
        let bytes = behind.bytes;
        let (from, to) = match behind.protocol {
            protocol if has_ports(protocol.into()) => {
                (ByteOrder::Big.u16(bytes, 0)?, ByteOrder::Big.u16(bytes, 2)?)
            }
            1 | 58 => {
                // Requests and their replies share an identifier; other messages have no flow.
                let asks = matches!(
                    (behind.protocol, bytes.first()?),
                    (1, 0 | 8 | 13..=18) | (58, 128 | 129)
                );
                let identifier = asks.then(|| ByteOrder::Big.u16(bytes, 4))??;
                (identifier, identifier)
            }
            _ => (0, 0),
        };
        Some(FlowTuple {
            v6: self.v6,
            protocol: behind.protocol,
            from: (self.from, from),
            to: (self.to, to),
        })
    }
}

/// The options that a rule set asks for in practice.
const TCP_OPTIONS: std::ops::RangeInclusive<u8> = 2..=34;

/// A bit for each option that is there. Of options that are not well formed iptables and nft
/// (`tcp_find_option`, `nft_exthdr_tcp_eval`) find different ones, so that none is known.
fn tcp_options(bytes: &[u8]) -> Option<u64> {
    let end = bytes.get(12).map(|byte| usize::from(byte >> 4) * 4);
    let mut rest = end.and_then(|end| bytes.get(20..end))?;
    let mut seen = 0;
    while let Some(kind) = rest.first() {
        let length = match kind {
            // Behind the end of the list there is padding only.
            0 if rest.iter().any(|byte| *byte != 0) => return None,
            0 => break,
            1 => 1,
            _ => {
                seen |= 1_u64.checked_shl(u32::from(*kind)).unwrap_or_default();
                usize::from(*rest.get(1).filter(|length| **length > 1)?)
            }
        };
        rest = rest.get(length..)?;
    }
    Some(seen)
}

/// The flow that an ICMP error speaks of: the packet that it quotes.
fn embedded_ends(behind: &BehindHeader<'_>) -> Option<FlowTuple> {
    let error = matches!(
        (behind.protocol, behind.bytes.first()?),
        (1, 3 | 4 | 5 | 11 | 12) | (58, 1..=4)
    );
    let bytes = behind.bytes.get(8..).filter(|_| error)?;
    // What is quoted quotes nothing itself, so that this ends.
    let mut quoted = IpHeaders::default();
    let behind = quoted.read_fixed(bytes, bytes.len()).ok()??;
    if behind.later_fragment {
        return None;
    }
    quoted.ends_of(&behind)
}
