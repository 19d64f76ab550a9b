//! Packets as bytes.

use std::net::IpAddr;

/// A packet with all its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wire {
    /// Source address.
    pub source: IpAddr,
    /// Destination address, of the same family.
    pub destination: IpAddr,
    /// Transport protocol.
    pub protocol: u8,
    /// What follows the IP header.
    pub transport: Transport,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// IPv4 identification.
    pub id: u16,
    /// IPv4 flags and fragment offset.
    pub fragment: u16,
    /// Bytes behind the transport header.
    pub payload: u16,
    /// Whether the transport checksum is wrong.
    pub broken: bool,
    /// Whether an IPv6 header of destination options stands before the transport header.
    pub options: bool,
}

/// The header of destination options, as a next header.
pub const DESTINATION_OPTIONS: u8 = 60;

/// What follows the IP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP, UDP-Lite; for other protocols, eight bytes that start with the ports.
    Ports {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
    },
    /// TCP.
    Tcp {
        /// Source port.
        source: u16,
        /// Destination port.
        destination: u16,
        /// The byte of flags.
        flags: u8,
        /// Whether it carries a maximum segment size.
        mss: bool,
    },
    /// ICMP, or `ICMPv6`.
    Icmp {
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
        /// The packet that an error is about.
        about: Option<Box<Wire>>,
    },
    /// Nothing that is known.
    Other,
}

/// An Ethernet frame around a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Destination hardware address.
    pub to: [u8; 6],
    /// Source hardware address.
    pub from: [u8; 6],
    /// What it carries.
    pub packet: Wire,
}

impl Frame {
    /// The frame's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        bytes.extend(self.to);
        bytes.extend(self.from);
        let kind: u16 = if self.packet.is_v6() { 0x86dd } else { 0x0800 };
        bytes.extend(kind.to_be_bytes());
        bytes.extend(self.packet.bytes());
        bytes
    }
}

impl Wire {
    /// Whether it is an IPv6 packet.
    pub fn is_v6(&self) -> bool {
        self.source.is_ipv6()
    }

    /// Its length from the IP header on.
    pub fn length(&self) -> usize {
        self.bytes().len()
    }

    /// The packet's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut body = self.body();
        let next = if self.options && self.is_v6() {
            // Eight bytes, of which six are padding.
            body.splice(..0, [self.protocol, 0, 1, 4, 0, 0, 0, 0]);
            DESTINATION_OPTIONS
        } else {
            self.protocol
        };
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
        let mut bytes = Vec::with_capacity(40 + body.len());
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                bytes.extend([0x45, self.tos]);
                bytes.extend(length.saturating_add(20).to_be_bytes());
                bytes.extend(self.id.to_be_bytes());
                bytes.extend(self.fragment.to_be_bytes());
                bytes.extend([self.ttl, self.protocol, 0, 0]);
                bytes.extend(source.octets());
                bytes.extend(destination.octets());
                let sum = checksum(&[&bytes]);
                bytes[10..12].copy_from_slice(&sum.to_be_bytes());
            }
            (source, destination) => {
                bytes.extend([0x60 | self.tos >> 4, self.tos << 4, 0, 0]);
                bytes.extend(length.to_be_bytes());
                bytes.extend([next, self.ttl]);
                bytes.extend(octets(source));
                bytes.extend(octets(destination));
            }
        }
        bytes.extend(body);
        bytes
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let at = match &self.transport {
            Transport::Ports {
                source,
                destination,
            } => {
                body.extend(source.to_be_bytes());
                body.extend(destination.to_be_bytes());
                body.extend((8 + self.payload).to_be_bytes());
                body.extend([0, 0]);
                matches!(self.protocol, 17 | 136).then_some(6)
            }
            Transport::Tcp {
                source,
                destination,
                flags,
                mss,
            } => {
                body.extend(source.to_be_bytes());
                body.extend(destination.to_be_bytes());
                body.extend([0, 0, 0, 1, 0, 0, 0, 1]);
                body.extend([if *mss { 0x60 } else { 0x50 }, *flags]);
                body.extend([0xff, 0xff, 0, 0, 0, 0]);
                if *mss {
                    body.extend([2, 4, 5, 0xb4]);
                }
                Some(16)
            }
            Transport::Icmp { kind, code, about } => {
                body.extend([*kind, *code, 0, 0, 0, 7, 0, 1]);
                if let Some(about) = about {
                    body.extend(about.bytes());
                }
                Some(2)
            }
            Transport::Other => {
                body.extend([0; 8]);
                None
            }
        };
        body.extend(std::iter::repeat_n(b'.', self.payload.into()));
        if let Some(at) = at {
            let pseudo = self.pseudo_header(body.len());
            let mut sum = checksum(&[&pseudo, &body]);
            // UDP says "no checksum" with 0, and 0 with its complement.
            if sum == 0 && self.protocol == 17 {
                sum = 0xffff;
            }
            if self.broken {
                // Not to 0, which says that there is none.
                sum ^= if sum == 0x0f0f { 0xf0f0 } else { 0x0f0f };
            }
            body[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        body
    }

    fn pseudo_header(&self, length: usize) -> Vec<u8> {
        if self.protocol == 1 {
            return Vec::new();
        }
        let mut bytes = octets(self.source);
        bytes.extend(octets(self.destination));
        bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
        bytes.extend([0, 0, 0, self.protocol]);
        bytes
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// The Internet checksum (RFC 1071) of parts of which only the last may have an odd length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            let low = pair.get(1).copied().unwrap_or(0);
            sum += u32::from(u16::from_be_bytes([pair[0], low]));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}
