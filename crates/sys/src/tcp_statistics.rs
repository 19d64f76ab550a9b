//! What the kernel knows about a TCP connection (`TCP_INFO`).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use crate::socket_options::socket_length;

/// The part of `struct tcp_info` that is used. A field that the kernel does not have is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpStatistics {
    /// Bytes of a segment that is sent.
    pub send_segment: u32,
    /// Smoothed round-trip time, microseconds.
    pub round_trip: u32,
    /// Its variation, microseconds.
    pub round_trip_variation: u32,
    /// The congestion window in segments.
    pub congestion_window: u32,
    /// Segments that are taken for lost now, and those that were sent again and are not acknowledged.
    pub lost: u32,
    /// Segments sent again, since the beginning.
    pub retransmits: u32,
    /// The path's MTU.
    pub path_mtu: u32,
    /// Bytes that the peer has acknowledged.
    pub acknowledged: u64,
    /// The least round-trip time, microseconds.
    pub least_round_trip: u32,
    /// Microseconds in which there was something to send.
    pub busy: u64,
    /// Of these, while the peer's window was full.
    pub limited_by_window: u64,
    /// Of these, while the send buffer was full.
    pub limited_by_buffer: u64,
    /// The window that the peer announces; 0 before Linux 5.4.
    pub peer_window: u32,
}

/// As long as the structure has ever been, and then some.
const ROOM: usize = 512;

impl TcpStatistics {
    /// Asks the kernel.
    pub fn of(socket: impl AsFd) -> io::Result<Self> {
        let mut bytes = [0_u8; ROOM];
        let mut length = socket_length(ROOM);
        // SAFETY: the kernel writes at most `length` bytes into the buffer.
        let result = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::IPPROTO_TCP,
                libc::TCP_INFO,
                bytes.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let word = |at: usize| {
            let field = bytes
                .get(at..at + 4)
                .and_then(|field| field.try_into().ok());
            u32::from_ne_bytes(field.unwrap_or_default())
        };
        let long = |at: usize| {
            let field = bytes
                .get(at..at + 8)
                .and_then(|field| field.try_into().ok());
            u64::from_ne_bytes(field.unwrap_or_default())
        };
        // The places of the fields in <linux/tcp.h>; the structure only ever grows at its end.
        Ok(Self {
            send_segment: word(16),
            path_mtu: word(60),
            round_trip: word(68),
            round_trip_variation: word(72),
            lost: word(32).saturating_add(word(36)),
            congestion_window: word(80),
            retransmits: word(100),
            acknowledged: long(120),
            least_round_trip: word(148),
            busy: long(168),
            limited_by_window: long(176),
            limited_by_buffer: long(184),
            peer_window: word(228),
        })
    }
}
