//! Tells the two protocols apart by the first bytes of a connection or a datagram.
//!
//! An iperf3 connection opens with 36 letters or digits and a NUL. An iperf 2 connection opens
//! with a word of flags, or, from clients that send no header, with the pattern `0123456789`. So
//! one port can serve both.

use super::iperf2::{ClientHeader, DatagramShape};
use super::iperf3::COOKIE_LENGTH;

/// What the first bytes of a TCP connection say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamOpening {
    /// Too few bytes to tell.
    Undecided,
    /// A whole iperf3 cookie.
    Iperf3,
    /// An iperf 2 client with a header.
    Iperf2Header,
    /// An iperf 2 client that sends data only.
    Iperf2Data,
    /// Neither: what came belongs to another protocol.
    Foreign,
}

/// What the first datagram of a UDP flow says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatagramOpening {
    /// An iperf3 client that asks for a stream.
    Iperf3Hello,
    /// An iperf 2 client, with the shape of its datagrams.
    Iperf2(DatagramShape),
    /// The end of an iperf 2 test that is over.
    Iperf2Late,
    /// Neither.
    Foreign,
}

/// Bytes of an iperf 2 flag word.
const FLAG_WORD: usize = 4;

/// Judges the bytes that have come so far on a TCP connection.
pub fn recognise_stream(bytes: &[u8]) -> StreamOpening {
    let Some(first) = bytes.get(..FLAG_WORD) else {
        return StreamOpening::Undecided;
    };
    if first == b"0123" {
        return StreamOpening::Iperf2Data;
    }
    if first.iter().all(|byte| is_cookie_byte(*byte)) {
        return recognise_cookie(bytes);
    }
    if ClientHeader::flags_are_plausible(u32::from_be_bytes([
        first[0], first[1], first[2], first[3],
    ])) {
        StreamOpening::Iperf2Header
    } else {
        StreamOpening::Foreign
    }
}

fn recognise_cookie(bytes: &[u8]) -> StreamOpening {
    let part = &bytes[..bytes.len().min(COOKIE_LENGTH)];
    // Before 3.2 the text could be shorter than the field, which is filled up with NULs.
    let text = part.split(|byte| *byte == 0).next().unwrap_or_default();
    if !text.iter().all(|byte| is_cookie_byte(*byte)) {
        return StreamOpening::Foreign;
    }
    match part.len() {
        COOKIE_LENGTH if part[COOKIE_LENGTH - 1] == 0 => StreamOpening::Iperf3,
        COOKIE_LENGTH => StreamOpening::Foreign,
        _ => StreamOpening::Undecided,
    }
}

/// Letters and digits since 3.2; before, a host name, the time and hexadecimal digits.
fn is_cookie_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_')
}

/// Judges the first datagram from an address.
pub fn recognise_datagram(bytes: &[u8]) -> DatagramOpening {
    if bytes.len() == FLAG_WORD {
        return DatagramOpening::Iperf3Hello;
    }
    match DatagramShape::recognise(bytes) {
        Some((_, id)) if id < 0 => DatagramOpening::Iperf2Late,
        Some((shape, _)) => DatagramOpening::Iperf2(shape),
        None => DatagramOpening::Foreign,
    }
}
