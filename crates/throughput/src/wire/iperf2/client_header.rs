//! The client's header: a word of flags, the classic fields, and an extension since 2.0.10.
//!
//! Its length differs between versions and is in the flag word; what follows the fields known here
//! is read and left alone.

use thiserror::Error;

use super::{LONGEST_HEADER, SHORT_HEADER};
use crate::wire::big_endian::{
    join_halves, read_i32, read_u16, read_u32, split_halves, write_u16, write_u32,
};

/// The flag word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderFlags(pub u32);

impl HeaderFlags {
    /// The classic fields are valid, and the client wants traffic back on another connection.
    pub const VERSION1: u32 = 0x8000_0000;
    /// The extension follows.
    pub const EXTEND: u32 = 0x4000_0000;
    /// Flags of UDP tests are valid.
    pub const UDP_TESTS: u32 = 0x2000_0000;
    /// A key is appended.
    pub const KEY_CHECK: u32 = 0x1000_0000;
    /// Sequence numbers of datagrams have 64 bits.
    pub const WIDE_SEQUENCE: u32 = 0x0800_0000;
    /// Traffic back on the same connection.
    pub const VERSION2: u32 = 0x0400_0000;
    /// The client waits for an acknowledgement of its header.
    pub const PEER_DETECT: u32 = 0x0200_0000;
    /// A test of latency by small messages to and fro.
    pub const BOUNCE_BACK: u32 = 0x0080_0000;
    /// Tiny datagrams with times and no header.
    pub const SMALL_TRIP_TIMES: u32 = 0x0002_0000;
    /// The length of the header is in the word.
    pub const LENGTH_IS_GIVEN: u32 = 0x0001_0000;
    /// Traffic back at once; without, it comes after.
    pub const RUN_NOW: u32 = 0x0000_0001;

    const LENGTH_MASK: u32 = 0x0000_01fe;

    /// Whether a flag is set.
    pub fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// The length of the header on a TCP connection: from its first byte.
    pub fn header_length(self) -> usize {
        let given = usize::try_from((self.0 & Self::LENGTH_MASK) >> 1).unwrap_or(0);
        if self.has(Self::LENGTH_IS_GIVEN) && given >= SHORT_HEADER {
            return given.min(LONGEST_HEADER);
        }
        if self.has(Self::VERSION2 | Self::EXTEND) {
            SHORT_HEADER + HeaderExtension::LENGTH
        } else {
            SHORT_HEADER
        }
    }
}

/// Flags of the extension.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpperFlags(pub u16);

impl UpperFlags {
    /// No exchange at the end of a UDP test.
    pub const NO_UDP_FIN: u16 = 0x0008;
    /// Start times follow.
    pub const TRIP_TIME: u16 = 0x0010;
    /// The rate counts packets, not bits.
    pub const PACKET_RATE: u16 = 0x0080;
    /// The rate is valid.
    pub const RATE_IS_SET: u16 = 0x0100;
    /// The server sends on the client's connection.
    pub const REVERSE: u16 = 0x0400;
    /// Both send on the client's connection.
    pub const FULL_DUPLEX: u16 = 0x0800;

    /// Whether a flag is set.
    pub fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }
}

/// What ends a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestAmount {
    /// So many steps of 10 ms.
    Centiseconds(u32),
    /// So many bytes.
    Bytes(u64),
}

impl Default for TestAmount {
    fn default() -> Self {
        Self::Centiseconds(1000)
    }
}

impl TestAmount {
    fn from_field(field: i32) -> Self {
        if field < 0 {
            Self::Centiseconds(field.unsigned_abs())
        } else {
            Self::Bytes(u64::from(field.unsigned_abs()))
        }
    }

    fn to_field(self) -> u32 {
        match self {
            Self::Centiseconds(number) => {
                let number = i32::try_from(number).unwrap_or(i32::MAX);
                number.wrapping_neg().cast_unsigned()
            }
            Self::Bytes(number) => u32::try_from(number & 0x7fff_ffff).unwrap_or(0),
        }
    }
}

/// Which way the traffic of a test goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TestMode {
    /// The client sends.
    #[default]
    Forward,
    /// The server sends on the client's connection.
    Reverse,
    /// Both send on the client's connection.
    FullDuplex,
    /// The server connects back at once.
    Dual,
    /// The server connects back when the client has sent all.
    Tradeoff,
}

/// The fields since 2.0.10. Since 2.2 a field follows that is not needed here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HeaderExtension {
    /// The upper flags.
    pub upper: UpperFlags,
    /// The lower flags.
    pub lower: u16,
    /// The version: `00020001 00080003` is 2.1.8.
    pub version: [u32; 2],
    /// Type of service.
    pub type_of_service: u8,
    /// Bit/s, or packets per second; 56 bits.
    pub rate: u64,
}

impl HeaderExtension {
    /// Bytes of the fields.
    pub const LENGTH: usize = 36;

    fn from_wire(bytes: &[u8]) -> Option<Self> {
        let low = read_u32(bytes, 24)?;
        // The high part is shifted by eight bits on the wire.
        let high = read_u32(bytes, 28)? >> 8;
        bytes.get(..Self::LENGTH)?;
        Some(Self {
            upper: UpperFlags(read_u16(bytes, 8)?),
            lower: read_u16(bytes, 10)?,
            version: [read_u32(bytes, 12)?, read_u32(bytes, 16)?],
            type_of_service: read_u16(bytes, 22)?.to_be_bytes()[1],
            rate: join_halves(low, high),
        })
    }

    fn write(self, bytes: &mut [u8]) {
        let (low, high) = split_halves(self.rate);
        write_u16(bytes, 8, self.upper.0);
        write_u16(bytes, 10, self.lower);
        write_u32(bytes, 12, self.version[0]);
        write_u32(bytes, 16, self.version[1]);
        write_u16(bytes, 22, u16::from(self.type_of_service));
        write_u32(bytes, 24, low);
        write_u32(bytes, 28, high << 8);
    }
}

/// Why a header cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// The header ends early.
    #[error("the header of the client ends early")]
    Short,
    /// Flags that no client sends.
    #[error("the flags {0:08x} are of no iperf 2 client")]
    Flags(u32),
}

/// What an iperf 2 client asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientHeader {
    /// The flags.
    pub flags: HeaderFlags,
    /// How many connections the client makes.
    pub thread_count: u32,
    /// The port on which the client waits for traffic back.
    pub reply_port: u16,
    /// The length of a block, or 0.
    pub block_length: u32,
    /// The rate of UDP or the window of TCP in 2.0.5; else 0.
    pub window_or_rate: u32,
    /// What ends the test.
    pub amount: TestAmount,
    /// The extension, if the client sends one.
    pub extension: Option<HeaderExtension>,
}

impl ClientHeader {
    /// Whether a first word may be flags of a client.
    pub fn flags_are_plausible(word: u32) -> bool {
        let flags = HeaderFlags(word);
        if flags.has(HeaderFlags::LENGTH_IS_GIVEN) {
            let extended = flags.has(HeaderFlags::EXTEND | HeaderFlags::BOUNCE_BACK);
            return extended && (word & 0x0000_fe00) == 0;
        }
        let known = HeaderFlags::VERSION1
            | HeaderFlags::EXTEND
            | HeaderFlags::UDP_TESTS
            | HeaderFlags::KEY_CHECK
            | HeaderFlags::WIDE_SEQUENCE
            | HeaderFlags::VERSION2
            | HeaderFlags::PEER_DETECT
            | HeaderFlags::BOUNCE_BACK
            | HeaderFlags::SMALL_TRIP_TIMES
            | HeaderFlags::RUN_NOW;
        word & !known == 0
    }

    /// Reads a header that starts at the first byte.
    pub fn from_wire(bytes: &[u8]) -> Result<Self, HeaderError> {
        let word = read_u32(bytes, 0).ok_or(HeaderError::Short)?;
        if !Self::flags_are_plausible(word) {
            return Err(HeaderError::Flags(word));
        }
        Self::read_fields(bytes, HeaderFlags(word)).ok_or(HeaderError::Short)
    }

    fn read_fields(bytes: &[u8], flags: HeaderFlags) -> Option<Self> {
        let threads = read_u32(bytes, 4)?;
        // Since 2.2 the upper bits may hold the number of a transfer.
        let thread_count = if threads & 0x8000_0000 == 0 {
            threads
        } else {
            threads & 0x000f_ffff
        };
        let extended = flags.has(HeaderFlags::EXTEND | HeaderFlags::VERSION2);
        let amount = TestAmount::from_field(read_i32(bytes, 20)?);
        Some(Self {
            flags,
            thread_count: thread_count.clamp(1, 0x000f_ffff),
            reply_port: u16::try_from(read_u32(bytes, 8)?).unwrap_or(0),
            block_length: u32::try_from(read_i32(bytes, 12)?).unwrap_or(0),
            window_or_rate: u32::try_from(read_i32(bytes, 16)?).unwrap_or(0),
            amount,
            extension: if extended {
                bytes
                    .get(SHORT_HEADER..)
                    .and_then(HeaderExtension::from_wire)
            } else {
                None
            },
        })
    }

    /// Which way the traffic goes.
    pub fn mode(&self) -> TestMode {
        let upper = self.extension.unwrap_or_default().upper;
        if self.flags.has(HeaderFlags::VERSION2) {
            if upper.has(UpperFlags::REVERSE) {
                return TestMode::Reverse;
            }
            if upper.has(UpperFlags::FULL_DUPLEX) {
                return TestMode::FullDuplex;
            }
        }
        match (
            self.flags.has(HeaderFlags::VERSION1),
            self.flags.has(HeaderFlags::RUN_NOW),
        ) {
            (true, true) => TestMode::Dual,
            (true, false) => TestMode::Tradeoff,
            (false, _) => TestMode::Forward,
        }
    }

    /// The rate in bit/s that the client asks for, for packets of a length in bytes.
    pub fn rate(&self, packet_length: u64) -> Option<u64> {
        let Some(extension) = self.extension else {
            return (self.window_or_rate > 0).then_some(u64::from(self.window_or_rate));
        };
        if extension.rate == 0 {
            return None;
        }
        Some(if extension.upper.has(UpperFlags::PACKET_RATE) {
            extension
                .rate
                .saturating_mul(packet_length.saturating_mul(8))
        } else {
            extension.rate
        })
    }

    /// Whether a server acknowledges the header on a TCP connection.
    pub fn wants_acknowledgement(&self) -> bool {
        let extended = self.flags.has(HeaderFlags::EXTEND);
        let second = self.flags.has(HeaderFlags::VERSION2);
        (extended && !second) || self.flags.has(HeaderFlags::PEER_DETECT)
    }

    /// The bytes to send. The extension is written if there is one; the length that the flag word
    /// names is that of the bytes, which `padded` fills up with zeros, and of the datagram's head in
    /// front of them, if there is one.
    pub fn to_wire(&self, padded: usize, in_front: usize) -> Vec<u8> {
        let own = SHORT_HEADER + self.extension.map_or(0, |_| HeaderExtension::LENGTH);
        let mut bytes = vec![0; own.max(padded.min(LONGEST_HEADER))];
        let mut word = self.flags.0;
        if self.extension.is_some() {
            word &= !HeaderFlags::LENGTH_MASK;
            word |= HeaderFlags::LENGTH_IS_GIVEN | HeaderFlags::EXTEND;
            word |= u32::try_from((in_front + bytes.len()) << 1).unwrap_or(0)
                & HeaderFlags::LENGTH_MASK;
        }
        write_u32(&mut bytes, 0, word);
        write_u32(&mut bytes, 4, self.thread_count);
        write_u32(&mut bytes, 8, u32::from(self.reply_port));
        write_u32(&mut bytes, 12, self.block_length);
        write_u32(&mut bytes, 16, self.window_or_rate);
        write_u32(&mut bytes, 20, self.amount.to_field());
        if let Some(extension) = self.extension {
            extension.write(&mut bytes[SHORT_HEADER..]);
        }
        bytes
    }
}

/// How long an acknowledgement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckLayout {
    /// 28 bytes.
    Plain,
    /// 52 bytes, with times that are left at zero.
    WithTimes,
}

/// What a server answers to a header on a TCP connection.
pub fn header_acknowledgement(layout: AckLayout, version: [u32; 2]) -> Vec<u8> {
    const KIND: u32 = 2;
    let length: u32 = match layout {
        AckLayout::Plain => 28,
        AckLayout::WithTimes => 52,
    };
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(28)];
    write_u32(&mut bytes, 0, KIND);
    write_u32(&mut bytes, 4, length);
    write_u32(&mut bytes, 12, version[0]);
    write_u32(&mut bytes, 16, version[1]);
    bytes
}
