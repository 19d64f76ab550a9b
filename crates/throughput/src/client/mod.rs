//! The client: finds out which server answers, runs a test with it, and says what came of it.

mod answer;
mod detection;
mod iperf2;
mod iperf3;
mod options;
mod progress;

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use serde::Serialize;
use thiserror::Error;

pub use crate::summary::TcpBeginning;
use crate::summary::{ProtocolKind, TestOutcome, TestSummary};
use crate::wire::iperf3::{Cookie, ServerFault};
pub use options::{ClientOptions, ProtocolChoice, RandomBytes, TestLength, TrafficPattern};
pub(crate) use progress::ProgressWatch;
pub use progress::{IntervalReport, IntervalRow};

/// Why a test could not be made.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The name of the server has no address.
    #[error("cannot find the address of `{host}`: {why}")]
    Resolve {
        /// The name.
        host: String,
        /// Why.
        why: String,
    },
    /// No server listens.
    #[error("connection refused by {}: no server listens there", list(.0))]
    Refused(Vec<SocketAddr>),
    /// The server cannot be reached.
    #[error("cannot connect to {address}: {why}")]
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// Why.
        why: String,
    },
    /// The server serves another client.
    #[error("the server at {0} is busy running a test")]
    Busy(SocketAddr),
    /// The server closes before it has asked for anything.
    #[error("the server at {0} closes the connection at once")]
    Closed(SocketAddr),
    /// The server refuses, and says why by a number.
    #[error("the server at {address} ends the test: {} (code {}, errno {})", .fault.meaning(), .fault.code, .fault.errno)]
    Fault {
        /// The address.
        address: SocketAddr,
        /// Its reason.
        fault: ServerFault,
    },
    /// The server was interrupted.
    #[error("the server at {0} was interrupted")]
    Interrupted(SocketAddr),
    /// The server stopped talking.
    #[error("the server at {address} {why}")]
    Lost {
        /// The address.
        address: SocketAddr,
        /// What it did.
        why: String,
    },
    /// The protocol cannot do what is asked for.
    #[error("{0}")]
    Impossible(String),
    /// The system refuses something.
    #[error("cannot {what}: {source}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
}

fn list(addresses: &[SocketAddr]) -> String {
    let words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    words.join(" and ")
}

impl ClientReport {
    /// Whether it tells of a part only, as the test was interrupted here.
    pub fn is_interrupted(&self) -> bool {
        let mut tests = self.tests.iter();
        tests.any(|test| test.outcome == TestOutcome::Interrupted)
    }
}

impl ClientError {
    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Refused(_) => Some(
                "start one there with `surefoot throughput server`, `iperf3 -s` or `iperf -s`, or give its port with -p",
            ),
            Self::Unreachable { .. } => {
                Some("see whether the address is right and a firewall lets the port through")
            }
            Self::Busy(_) => Some(
                "wait until its test is over; `surefoot throughput server` serves all clients at once",
            ),
            Self::Closed(_) => Some(
                "it may be about to serve another client, or speak another protocol (--iperf2)",
            ),
            Self::Resolve { .. } => Some("give an address, or see what the resolver says"),
            Self::Impossible(_)
            | Self::Fault { .. }
            | Self::Interrupted(_)
            | Self::Lost { .. }
            | Self::System { .. } => None,
        }
    }
}

/// What a client has to say while it runs.
#[derive(Clone, Debug)]
pub enum ClientEvent {
    /// The streams are there.
    Connected {
        /// The protocol.
        protocol: ProtocolKind,
        /// The server.
        server: SocketAddr,
        /// The local addresses of the streams, with their numbers.
        streams: Vec<(u32, SocketAddr)>,
        /// Bytes of a block or datagram.
        block: u32,
        /// The cookie of the test, for iperf3.
        cookie: Option<String>,
        /// Bytes of a TCP segment of the first stream.
        segment_size: Option<u32>,
        /// Bytes of the send and the receive buffer of the first stream.
        buffers: [u64; 2],
        /// The state in which the streams begin, in their order; none over UDP.
        beginnings: Vec<Option<TcpBeginning>>,
    },
    /// An iperf 2 server has connected back.
    ConnectedBack {
        /// The streams: their numbers, our addresses and the server's.
        streams: Vec<(u32, SocketAddr, SocketAddr)>,
    },
    /// An interval is over.
    Interval(IntervalReport),
}

/// What came of all.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientReport {
    /// The server.
    pub server: SocketAddr,
    /// The protocol.
    pub protocol: ProtocolKind,
    /// The tests: two if the directions took turns over iperf3, else one.
    pub tests: Vec<TestSummary>,
    /// The intervals.
    pub intervals: Vec<IntervalReport>,
}

/// Runs a test.
pub fn run_client(
    options: &ClientOptions,
    random: &mut dyn RandomBytes,
    tell: &mut dyn FnMut(&ClientEvent),
) -> Result<ClientReport, ClientError> {
    run_client_until(options, random, tell, &|| false)
}

/// Runs a test, or the part of it that is over when it is interrupted: what was measured until then is
/// reported.
pub fn run_client_until(
    options: &ClientOptions,
    random: &mut dyn RandomBytes,
    tell: &mut dyn FnMut(&ClientEvent),
    is_interrupted: &dyn Fn() -> bool,
) -> Result<ClientReport, ClientError> {
    let mut intervals = Vec::new();
    let mut record = |event: ClientEvent| {
        tell(&event);
        if let ClientEvent::Interval(report) = event {
            intervals.push(report);
        }
    };
    let (protocol, server, tests) =
        match detection::find_server(options, random)? {
            detection::FoundServer::Iperf3 {
                control,
                server,
                greeting,
            } => {
                let patterns = turns(options.pattern);
                let mut run =
                    |control, greeting: Option<Cookie>, pattern: TrafficPattern| {
                        let cookie = greeting.unwrap_or_else(|| detection::new_cookie(random));
                        iperf3::Iperf3Client::new(options, server, cookie, pattern, is_interrupted)
                            .run(control, greeting.is_some(), &mut record)
                    };
                let mut tests = vec![run(control, greeting, patterns[0])?];
                for pattern in &patterns[1..] {
                    if tests
                        .iter()
                        .any(|test| test.outcome == TestOutcome::Interrupted)
                    {
                        break;
                    }
                    tests.push(again_while_busy(|| {
                        run(detection::open_control(options, server)?, None, *pattern)
                    })?);
                }
                (ProtocolKind::Iperf3, server, tests)
            }
            detection::FoundServer::Iperf2 { server, refused } => {
                let test =
                    iperf2::run(options, server, &mut record, is_interrupted).map_err(|error| {
                        match error {
                            ClientError::Refused(more) => {
                                ClientError::Refused([refused, more].concat())
                            }
                            other => other,
                        }
                    })?;
                (ProtocolKind::Iperf2, server, vec![test])
            }
        };
    Ok(ClientReport {
        server,
        protocol,
        tests,
        intervals,
    })
}

/// A server of the reference that has just ended a test of ours is busy for a moment longer, and
/// then opens its port anew.
fn again_while_busy<T>(
    mut attempt: impl FnMut() -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    for _ in 0..20 {
        match attempt() {
            Err(
                ClientError::Busy(_)
                | ClientError::Refused(_)
                | ClientError::Closed(_)
                | ClientError::Unreachable { .. },
            ) => {
                std::thread::sleep(Duration::from_millis(100));
            }
            outcome => return outcome,
        }
    }
    attempt()
}

/// The tests that make up a pattern over iperf3, which has no turns of its own.
fn turns(pattern: TrafficPattern) -> &'static [TrafficPattern] {
    match pattern {
        TrafficPattern::Forward => &[TrafficPattern::Forward],
        TrafficPattern::Reverse => &[TrafficPattern::Reverse],
        TrafficPattern::BothAtOnce | TrafficPattern::FullDuplex => &[TrafficPattern::BothAtOnce],
        TrafficPattern::InTurns => &[TrafficPattern::Forward, TrafficPattern::Reverse],
    }
}

/// The addresses of the server, in the order in which the resolver gives them.
fn resolve(options: &ClientOptions, port: u16) -> Result<Vec<SocketAddr>, ClientError> {
    let host = options.host.as_str();
    let failed = |why: String| ClientError::Resolve {
        host: host.to_owned(),
        why,
    };
    let found = (host, port)
        .to_socket_addrs()
        .map_err(|error| failed(error.to_string()))?;
    let wanted = |address: &SocketAddr| match options.bind {
        Some(IpAddr::V4(_)) => address.is_ipv4(),
        Some(IpAddr::V6(_)) => address.is_ipv6(),
        None => options.families.takes(address.ip()),
    };
    let addresses: Vec<SocketAddr> = found.filter(wanted).collect();
    if addresses.is_empty() {
        return Err(failed(
            "it has no address of the IP version asked for".to_owned(),
        ));
    }
    Ok(addresses)
}

/// How long a connection may take to be made, unless another time is asked for.
const CONNECT_TIME: Duration = Duration::from_secs(5);
