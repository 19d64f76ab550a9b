//! UDP streams of iperf3: how they open, and the stamp at the head of each datagram.

use crate::wire::big_endian::{join_halves, read_u32, split_halves, write_u32};

/// What a client sends to open a stream, since 3.12. Before, it was another number: a server takes
/// any four bytes.
pub const HELLO: [u8; 4] = *b"9876";

/// What a server answers. Clients before 3.12 take anything.
pub const REPLY: [u8; 4] = *b"6789";

/// What servers before 3.12 answer.
const OLD_REPLY: [u8; 4] = [0xb1, 0x68, 0xde, 0x3a];

/// Whether a datagram is a server's answer to [`HELLO`].
pub fn is_reply(datagram: &[u8]) -> bool {
    datagram == REPLY || datagram == OLD_REPLY
}

/// How wide the counter in a stamp is; the client chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterWidth {
    /// 32 bits.
    Narrow,
    /// 64 bits.
    Wide,
}

impl CounterWidth {
    /// Bytes of a stamp with such a counter.
    pub fn stamp_length(self) -> usize {
        match self {
            Self::Narrow => 12,
            Self::Wide => 16,
        }
    }
}

/// The head of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DatagramStamp {
    /// When it was sent, by a clock that only differences are taken of.
    pub seconds: u32,
    /// The part of a second.
    pub microseconds: u32,
    /// Its place in the stream; the first is 1.
    pub count: u64,
}

impl DatagramStamp {
    /// Reads a stamp; `None` if the datagram is too short for one.
    pub fn from_wire(bytes: &[u8], width: CounterWidth) -> Option<Self> {
        let first = read_u32(bytes, 8)?;
        let count = match width {
            CounterWidth::Narrow => u64::from(first),
            CounterWidth::Wide => join_halves(read_u32(bytes, 12)?, first),
        };
        Some(Self {
            seconds: read_u32(bytes, 0)?,
            microseconds: read_u32(bytes, 4)?,
            count,
        })
    }

    /// Writes the stamp at the head of a datagram; does nothing if there is no room.
    pub fn write(self, datagram: &mut [u8], width: CounterWidth) {
        if datagram.len() < width.stamp_length() {
            return;
        }
        let (low, high) = split_halves(self.count);
        write_u32(datagram, 0, self.seconds);
        write_u32(datagram, 4, self.microseconds);
        match width {
            CounterWidth::Narrow => write_u32(datagram, 8, low),
            CounterWidth::Wide => {
                write_u32(datagram, 8, high);
                write_u32(datagram, 12, low);
            }
        }
    }
}
