//! What a client is asked to do.

use std::net::IpAddr;
use std::time::Duration;

use crate::server::AddressFamilies;
use crate::summary::TransportName;

/// Which protocol to speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProtocolChoice {
    /// That of the server that answers.
    #[default]
    Find,
    /// iperf 2.
    Iperf2,
    /// iperf3.
    Iperf3,
}

/// Which way the traffic goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrafficPattern {
    /// The client sends.
    #[default]
    Forward,
    /// The server sends.
    Reverse,
    /// Both send at once. An iperf 2 server connects back.
    BothAtOnce,
    /// Both send at once on the client's connections.
    FullDuplex,
    /// The client sends, then the server.
    InTurns,
}

/// What ends a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestLength {
    /// A time.
    Time(Duration),
    /// Bytes, of all streams together over iperf3, of each over iperf 2.
    Bytes(u64),
    /// Blocks.
    Blocks(u64),
}

/// Where random bytes come from.
pub trait RandomBytes {
    /// Fills a buffer.
    fn fill(&mut self, buffer: &mut [u8]);
}

/// What a client is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// The name or address of the server.
    pub host: String,
    /// The port; else 5201 and 5001.
    pub port: Option<u16>,
    /// The protocol.
    pub protocol: ProtocolChoice,
    /// The IP versions.
    pub families: AddressFamilies,
    /// The local address.
    pub bind: Option<IpAddr>,
    /// The local port of the first stream.
    pub client_port: Option<u16>,
    /// TCP or UDP.
    pub transport: TransportName,
    /// Which way the traffic goes.
    pub pattern: TrafficPattern,
    /// Streams in each direction.
    pub parallel: u32,
    /// What ends the test.
    pub length: TestLength,
    /// The time at the start that does not count.
    pub omit: Duration,
    /// The time between two reports; none if zero.
    pub interval: Duration,
    /// Bit/s of each stream: `None` is the default, 0 without a limit.
    pub rate: Option<u64>,
    /// Bytes of a block or datagram; `None` is the default.
    pub block: Option<u32>,
    /// The size of the socket buffers.
    pub window: Option<u32>,
    /// The maximum segment size.
    pub segment_size: Option<u32>,
    /// Whether Nagle's algorithm is off.
    pub no_delay: bool,
    /// The congestion control algorithm.
    pub congestion: Option<String>,
    /// Type of service.
    pub type_of_service: u8,
    /// Bit/s for the kernel's pacing.
    pub pacing_rate: Option<u64>,
    /// A title for the output.
    pub title: Option<String>,
    /// Datagrams have counters of 64 bits.
    pub wide_counters: bool,
    /// Datagrams are not fragmented.
    pub dont_fragment: bool,
    /// Whether a slow rate takes smaller datagrams than the path has room for, so that it is kept.
    pub steady_datagrams: bool,
    /// Received bytes are copied out of the kernel.
    pub copy: bool,
    /// Several datagrams may go in one call.
    pub segmentation: bool,
    /// How long a connection may take to be made.
    pub connect_time: Option<Duration>,
    /// Datagrams or blocks that may go at once, as iperf3 announces it; 0 is the default.
    pub burst: u32,
    /// Whether an iperf3 server is to send its own output along.
    pub wants_server_output: bool,
    /// The port on which an iperf 2 client waits for the server's traffic.
    pub reply_port: Option<u16>,
}

impl ClientOptions {
    /// The defaults, for a server.
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            port: None,
            protocol: ProtocolChoice::Find,
            families: AddressFamilies::Both,
            bind: None,
            client_port: None,
            transport: TransportName::Tcp,
            pattern: TrafficPattern::Forward,
            parallel: 1,
            length: TestLength::Time(Duration::from_secs(10)),
            omit: Duration::ZERO,
            interval: Duration::from_secs(1),
            rate: None,
            block: None,
            window: None,
            segment_size: None,
            no_delay: false,
            congestion: None,
            type_of_service: 0,
            pacing_rate: None,
            title: None,
            wide_counters: true,
            dont_fragment: false,
            steady_datagrams: true,
            copy: false,
            segmentation: true,
            connect_time: None,
            burst: 0,
            wants_server_output: false,
            reply_port: None,
        }
    }

    /// How long a connection may take to be made.
    pub(super) fn patience(&self) -> Duration {
        self.connect_time.unwrap_or(super::CONNECT_TIME)
    }

    /// Bit/s of each stream, if it is limited.
    pub(crate) fn rate_limit(&self) -> Option<u64> {
        match (self.rate, self.transport) {
            (Some(rate), _) => (rate > 0).then_some(rate),
            (None, TransportName::Udp) => Some(DEFAULT_UDP_RATE),
            (None, TransportName::Tcp) => None,
        }
    }

    /// How the sockets are set up.
    pub(super) fn settings(&self) -> crate::engine::SocketSettings {
        crate::engine::SocketSettings {
            window: self.window.unwrap_or(0),
            segment_size: self.segment_size.unwrap_or(0),
            no_delay: self.no_delay,
            congestion: self.congestion.clone(),
            type_of_service: u32::from(self.type_of_service),
            pacing_rate: self.pacing_rate.unwrap_or(0),
            dont_fragment: self.dont_fragment,
        }
    }
}

/// What both programs send over UDP unless told otherwise.
const DEFAULT_UDP_RATE: u64 = 1 << 20;
