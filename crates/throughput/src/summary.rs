//! What a test comes to: plain data, the same from both protocols, from client and server.

use std::net::SocketAddr;

use serde::Serialize;

use crate::limiter::LimiterAnswer;

/// The protocol of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProtocolKind {
    /// iperf 2.
    Iperf2,
    /// iperf3.
    Iperf3,
}

/// The transport of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TransportName {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// Which way a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamDirection {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "how", content = "why")]
pub enum TestOutcome {
    /// As it was meant to.
    Complete,
    /// The peer closed the connection, or its machine is gone.
    PeerVanished,
    /// The peer said nothing although it was to.
    PeerSilent,
    /// The peer was interrupted.
    PeerInterrupted,
    /// We were interrupted.
    Interrupted,
    /// The test was refused or could not be made.
    Refused(String),
}

/// Loss and order of datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct DatagramFigures {
    /// Datagrams that were sent, as far as the side knows.
    pub packets: u64,
    /// Datagrams that were lost.
    pub lost: u64,
    /// Of these, datagrams for which the receiving machine had no room; `None` is unknown.
    pub lost_in_host: Option<u64>,
    /// Datagrams out of order.
    pub out_of_order: u64,
    /// Jitter in milliseconds.
    pub jitter_ms: f64,
}

impl DatagramFigures {
    /// The lost part in percent.
    pub fn lost_percent(&self) -> f64 {
        if self.packets == 0 {
            return 0.0;
        }
        as_float(self.lost) * 100.0 / as_float(self.packets)
    }
}

/// What one side counted of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TrafficFigures {
    /// Bytes of payload.
    pub bytes: u64,
    /// The time in which they went.
    pub seconds: f64,
    /// Segments that TCP sent again; `None` is unknown.
    pub retransmits: Option<u64>,
    /// The figures of UDP.
    pub datagrams: Option<DatagramFigures>,
}

impl TrafficFigures {
    /// Bits per second.
    pub fn bits_per_second(&self) -> f64 {
        if self.seconds <= 0.0 {
            return 0.0;
        }
        as_float(self.bytes) * 8.0 / self.seconds
    }

    /// The sum of several streams; the time is the longest, the jitter the mean.
    pub fn sum(parts: &[Self]) -> Self {
        let mut sum = Self::default();
        for part in parts {
            sum.bytes += part.bytes;
            sum.seconds = sum.seconds.max(part.seconds);
            if let Some(retransmits) = part.retransmits {
                *sum.retransmits.get_or_insert(0) += retransmits;
            }
            if let Some(datagrams) = part.datagrams {
                let total = sum.datagrams.get_or_insert_default();
                total.packets += datagrams.packets;
                total.lost += datagrams.lost;
                total.out_of_order += datagrams.out_of_order;
                if let Some(drops) = datagrams.lost_in_host {
                    *total.lost_in_host.get_or_insert(0) += drops;
                }
                total.jitter_ms += datagrams.jitter_ms / as_float(parts.len() as u64);
            }
        }
        sum
    }
}

/// A count as a floating-point number. Counts beyond 2^53 lose their last digits.
#[expect(
    clippy::cast_precision_loss,
    reason = "figures are shown with three digits"
)]
pub(crate) fn as_float(count: u64) -> f64 {
    count as f64
}

/// The state in which a TCP stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpBeginning {
    /// Bytes of the congestion window.
    pub congestion_window: u64,
    /// Bytes of a segment.
    pub segment_size: u32,
    /// The round-trip time in microseconds.
    pub round_trip_us: u32,
}

/// A stream, by the counts of both sides where both are known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamSummary {
    /// Its number.
    pub id: u32,
    /// Which way it went.
    pub direction: StreamDirection,
    /// Our address.
    pub local: Option<SocketAddr>,
    /// The peer's address.
    pub peer: Option<SocketAddr>,
    /// What the sender counted; `None` if it did not say.
    pub sent: Option<TrafficFigures>,
    /// What the receiver counted; `None` if it did not say.
    pub received: Option<TrafficFigures>,
}

/// A test that is over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestSummary {
    /// The protocol.
    pub protocol: ProtocolKind,
    /// The transport.
    pub transport: TransportName,
    /// Our address.
    pub local: SocketAddr,
    /// The peer's address.
    pub peer: SocketAddr,
    /// The title that the client gave.
    pub title: Option<String>,
    /// The streams.
    pub streams: Vec<StreamSummary>,
    /// CPU time here in percent of one core: total, user space, kernel.
    pub cpu_percent: [f64; 3],
    /// CPU time of the peer, likewise; `None` is unknown.
    pub peer_cpu_percent: Option<[f64; 3]>,
    /// The congestion control algorithm here.
    pub congestion: Option<String>,
    /// That of the peer; `None` is unknown.
    pub peer_congestion: Option<String>,
    /// What limited it; `None` from a server, which leaves that to the client.
    pub limiter: Option<LimiterAnswer>,
    /// What an iperf3 server printed, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_output: Option<String>,
    /// The same as JSON, if the server printed that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer_document: Option<serde_json::Value>,
    /// How it ended.
    pub outcome: TestOutcome,
}
