//! iperf 2: no control channel. The settings of a test stand in front of a TCP stream and in every
//! UDP datagram.

mod client_header;
mod datagram;
mod report;

pub use client_header::{
    AckLayout, ClientHeader, HeaderError, HeaderExtension, HeaderFlags, TestAmount, TestMode,
    UpperFlags, header_acknowledgement,
};
pub use datagram::{DatagramHeader, DatagramShape};
pub use report::ServerReport;

/// The shortest client header: that of 1.7 and later.
pub const SHORT_HEADER: usize = 24;

/// The longest client header.
pub const LONGEST_HEADER: usize = 256;
