//! Tests that have their streams: what a server tells about them before they end.

use std::net::SocketAddr;

use crate::summary::{ProtocolKind, StreamDirection, TcpBeginning, TransportName};

/// A stream of a test that has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedStream {
    /// Its number.
    pub id: u32,
    /// Which way it goes.
    pub direction: StreamDirection,
    /// Our address.
    pub local: Option<SocketAddr>,
    /// The peer's address.
    pub peer: Option<SocketAddr>,
}

/// What a client asked for, as far as it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TestRequest {
    /// Whether we send.
    pub reverse: bool,
    /// Whether both send.
    pub both: bool,
    /// Streams in each direction.
    pub parallel: u32,
    /// Bytes of a block or datagram.
    pub block: u32,
    /// Seconds that do not count.
    pub omit: u32,
    /// Seconds to measure, or 0.
    pub seconds: u32,
    /// Bytes to send, or 0.
    pub bytes: u64,
    /// Blocks to send, or 0.
    pub blocks: u64,
    /// Bit/s of a stream, or 0.
    pub rate: u64,
    /// Bytes of the socket buffers that were asked for, or 0.
    pub window: u32,
    /// Type of service.
    pub type_of_service: u32,
}

/// A test that has its streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedTest {
    /// Its number among the tests of this server.
    pub test: u64,
    /// The protocol.
    pub protocol: ProtocolKind,
    /// The transport.
    pub transport: TransportName,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub peer: SocketAddr,
    /// What was asked for.
    pub request: TestRequest,
    /// The cookie of the test, for iperf3.
    pub cookie: Option<String>,
    /// Bytes of a TCP segment of the first stream.
    pub segment_size: Option<u32>,
    /// Bytes of the send and the receive buffer of the first stream.
    pub buffers: [u64; 2],
    /// The state in which the first stream begins; none over UDP.
    pub beginning: Option<TcpBeginning>,
    /// The streams.
    pub streams: Vec<OpenedStream>,
}
