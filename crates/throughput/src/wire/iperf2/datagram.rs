//! The head of a UDP datagram: a number and a time. The client's header follows in each.

use super::{ClientHeader, HeaderFlags};
use crate::wire::big_endian::{join_halves, read_u32, split_halves, write_u32};

/// Which layout the datagrams of a client have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramShape {
    /// Numbers of 32 bits, 12 bytes: up to 2.0.9.
    Short,
    /// Room for numbers of 64 bits, 16 bytes; whether the upper half counts is in the flags.
    Long {
        /// The number has 64 bits.
        wide: bool,
    },
}

/// A number and a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramHeader {
    /// The place in the stream; the first is 0 or 1. A negative one ends the stream.
    pub id: i64,
    /// When it was sent, seconds since 1970.
    pub seconds: u32,
    /// The part of a second.
    pub microseconds: u32,
}

impl DatagramShape {
    /// Bytes in front of the client's header.
    pub fn length(self) -> usize {
        match self {
            Self::Short => 12,
            Self::Long { .. } => 16,
        }
    }

    /// Finds the shape of a first datagram, and its number.
    pub fn recognise(bytes: &[u8]) -> Option<(Self, i64)> {
        // The shortest datagram of 2.1.8 has 18 bytes, of which only two are of the header.
        if bytes.len() < 18 {
            return None;
        }
        let at_long = HeaderFlags(read_u32(bytes, 16).unwrap_or(0));
        let extended = HeaderFlags::EXTEND | HeaderFlags::VERSION1 | HeaderFlags::WIDE_SEQUENCE;
        let shape = if at_long.has(extended) && ClientHeader::flags_are_plausible(at_long.0) {
            Self::Long {
                wide: at_long.has(HeaderFlags::WIDE_SEQUENCE),
            }
        } else if bytes.len() < 20 {
            Self::Long { wide: true }
        } else {
            Self::recognise_short(bytes)?
        };
        let id = DatagramHeader::from_wire(bytes, shape)?.id;
        Some((shape, id))
    }

    /// A client of 2.0.5 has its flags at 12, and plausible classic fields after.
    fn recognise_short(bytes: &[u8]) -> Option<Self> {
        let flags = read_u32(bytes, 12)?;
        let threads = read_u32(bytes, 16)?;
        let port = read_u32(bytes, 20)?;
        let classic = matches!(flags, 0 | 0x8000_0000 | 0x8000_0001);
        let sane = (1..=0x000f_ffff).contains(&threads) && port <= 0xffff;
        (classic && sane).then_some(Self::Short)
    }
}

impl DatagramHeader {
    /// Reads the head; `None` if the datagram is too short for one.
    pub fn from_wire(bytes: &[u8], shape: DatagramShape) -> Option<Self> {
        let low = read_u32(bytes, 0)?;
        let id = match shape {
            DatagramShape::Long { wide: true } => {
                join_halves(low, read_u32(bytes, 12)?).cast_signed()
            }
            DatagramShape::Long { wide: false } | DatagramShape::Short => {
                i64::from(low.cast_signed())
            }
        };
        Some(Self {
            id,
            seconds: read_u32(bytes, 4)?,
            microseconds: read_u32(bytes, 8)?,
        })
    }

    /// Writes the head into a datagram; does nothing if there is no room.
    pub fn write(self, datagram: &mut [u8], shape: DatagramShape) {
        if datagram.len() < shape.length() {
            return;
        }
        let (low, high) = split_halves(self.id.cast_unsigned());
        write_u32(datagram, 0, low);
        write_u32(datagram, 4, self.seconds);
        write_u32(datagram, 8, self.microseconds);
        if let DatagramShape::Long { wide } = shape {
            write_u32(datagram, 12, if wide { high } else { 0 });
        }
    }
}
