//! What a server says at the end of a UDP test.

use super::{DatagramShape, HeaderFlags};
use crate::wire::big_endian::{join_halves, read_u32, split_halves, write_u32};

/// The figures of the side that received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServerReport {
    /// Bytes received.
    pub bytes: u64,
    /// Microseconds from the first to the last datagram.
    pub microseconds: u64,
    /// Datagrams lost.
    pub lost: u64,
    /// Datagrams out of order.
    pub out_of_order: u64,
    /// Datagrams that were sent, by the highest number seen.
    pub datagrams: u64,
    /// Jitter in microseconds.
    pub jitter_microseconds: u64,
}

/// Bytes of the report in 2.0.5.
const CLASSIC: usize = 40;
/// Bytes of the report in 2.1.8.
const EXTENDED: usize = 112;
/// Where the upper halves of the counts are.
const UPPER_HALVES: usize = 100;

impl ServerReport {
    /// Reads the datagram of a server; `None` if it holds no report.
    pub fn from_wire(datagram: &[u8], shape: DatagramShape) -> Option<Self> {
        let bytes = datagram.get(shape.length()..)?;
        bytes.get(..CLASSIC)?;
        let flags = HeaderFlags(read_u32(bytes, 0)?);
        if !flags.has(HeaderFlags::VERSION1) {
            return None;
        }
        let upper = |place: usize| {
            if flags.has(HeaderFlags::WIDE_SEQUENCE) {
                read_u32(bytes, UPPER_HALVES + 4 * place).unwrap_or(0)
            } else {
                0
            }
        };
        let microseconds = |at: usize| {
            let seconds = u64::from(read_u32(bytes, at)?);
            Some(seconds * 1_000_000 + u64::from(read_u32(bytes, at + 4)?))
        };
        Some(Self {
            bytes: join_halves(read_u32(bytes, 8)?, read_u32(bytes, 4)?),
            microseconds: microseconds(12)?,
            lost: join_halves(read_u32(bytes, 20)?, upper(0)),
            out_of_order: join_halves(read_u32(bytes, 24)?, upper(1)),
            datagrams: join_halves(read_u32(bytes, 28)?, upper(2)),
            jitter_microseconds: microseconds(32)?,
        })
    }

    /// The datagram to send to a client whose datagrams have a shape.
    pub fn to_wire(self, shape: DatagramShape) -> Vec<u8> {
        let wide = matches!(shape, DatagramShape::Long { .. });
        let start = shape.length();
        let mut datagram = vec![0; start + if wide { EXTENDED } else { CLASSIC }];
        let bytes = &mut datagram[start..];
        let flags = HeaderFlags::VERSION1 | if wide { HeaderFlags::WIDE_SEQUENCE } else { 0 };
        write_u32(bytes, 0, flags);
        let (low, high) = split_halves(self.bytes);
        write_u32(bytes, 4, high);
        write_u32(bytes, 8, low);
        let mut put_time = |at: usize, microseconds: u64| {
            let seconds = u32::try_from(microseconds / 1_000_000).unwrap_or(u32::MAX);
            let rest = u32::try_from(microseconds % 1_000_000).unwrap_or(0);
            write_u32(bytes, at, seconds);
            write_u32(bytes, at + 4, rest);
        };
        put_time(12, self.microseconds);
        put_time(32, self.jitter_microseconds);
        let counts = [self.lost, self.out_of_order, self.datagrams];
        for (place, count) in counts.into_iter().enumerate() {
            let (low, high) = split_halves(count);
            write_u32(bytes, 20 + 4 * place, low);
            if wide {
                write_u32(bytes, UPPER_HALVES + 4 * place, high);
            }
        }
        datagram
    }
}
