//! What both sides of an iperf3 test do with its streams: time, counting, results.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::engine::{
    DatagramCodec, LONGEST_SILENCE, MeterReading, PATIENCE, RunningStream, SendWaiting,
    SendersStop, StreamSocket, is_timeout,
};
use crate::summary::{DatagramFigures, StreamDirection, StreamSummary, TrafficFigures};
use crate::wire::iperf3::{CounterWidth, StreamResult, TestParameters, TestResults, stream_id};

/// What can go wrong on a control connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ControlError {
    /// Nothing came in time.
    #[error("the peer says nothing")]
    Silent,
    /// The connection is closed.
    #[error("the peer closed the connection")]
    Closed,
    /// Something came that is not due.
    #[error("the peer sent {0}")]
    Odd(String),
}

impl From<io::Error> for ControlError {
    fn from(error: io::Error) -> Self {
        if is_timeout(&error) {
            Self::Silent
        } else {
            Self::Closed
        }
    }
}

/// How datagrams of a test are stamped.
pub(crate) fn codec_of(parameters: &TestParameters) -> DatagramCodec {
    DatagramCodec::Iperf3(if parameters.wide_counters {
        CounterWidth::Wide
    } else {
        CounterWidth::Narrow
    })
}

/// How long a sender of a rate may be silent: five seconds, or three blocks if they are rarer.
pub(crate) fn silence_limit(block: u32, rate: Option<u64>) -> Duration {
    let Some(rate) = rate.filter(|rate| *rate > 0) else {
        return LONGEST_SILENCE;
    };
    let microseconds = u64::from(block).saturating_mul(8_000_000) / rate;
    LONGEST_SILENCE.max(Duration::from_micros(microseconds.saturating_mul(3)))
}

/// The time of a test: when it began, what does not count, when it ended.
#[derive(Debug)]
pub(crate) struct TestClock {
    /// The beginning.
    pub(crate) begin: Instant,
    omit: Duration,
    /// How long it is to take, if it is timed.
    meant: Option<Duration>,
    /// The readings at the end of what does not count.
    baseline: Option<(Instant, Vec<MeterReading>)>,
    /// When each stream ended, with its counters.
    ended: Vec<Option<(Instant, MeterReading)>>,
    /// What the streams that we send waited for.
    waiting: Vec<SendWaiting>,
}

/// A stream that is over.
#[derive(Clone, Debug)]
pub(crate) struct FinishedStream {
    /// Its number.
    pub(crate) id: u32,
    /// Whether we sent.
    pub(crate) sends: bool,
    /// Our address.
    pub(crate) local: Option<SocketAddr>,
    /// The peer's address.
    pub(crate) peer: Option<SocketAddr>,
    /// What counts.
    pub(crate) counted: MeterReading,
    /// What came before.
    pub(crate) omitted: MeterReading,
    /// Segments sent again.
    pub(crate) retransmits: Option<u64>,
    /// Seconds that count.
    pub(crate) seconds: f64,
    /// Whether it is UDP.
    pub(crate) is_udp: bool,
}

/// All streams of a test that is over.
#[derive(Clone, Debug)]
pub(crate) struct FinishedStreams {
    /// The streams.
    pub(crate) streams: Vec<FinishedStream>,
    /// CPU time in percent of one core: total, user space, kernel.
    pub(crate) cpu_percent: [f64; 3],
    /// The congestion control algorithm.
    pub(crate) congestion: Option<String>,
    /// What the streams that we sent waited for.
    pub(crate) waiting: Vec<SendWaiting>,
}

impl TestClock {
    /// Starts.
    pub(crate) fn new(begin: Instant, omit: Duration, time: Option<Duration>) -> Self {
        Self {
            meant: time.map(|time| omit + time),
            begin,
            omit,
            baseline: None,
            ended: Vec::new(),
            waiting: Vec::new(),
        }
    }

    /// How long to wait at most so as not to miss the moment from which all counts.
    pub(crate) fn patience(&self) -> Duration {
        if self.baseline.is_some() || self.omit.is_zero() {
            return PATIENCE;
        }
        PATIENCE.min(self.omit.saturating_sub(self.begin.elapsed()))
    }

    /// Takes the baseline once the time that does not count is over.
    pub(crate) fn pass(&mut self, streams: &[RunningStream]) {
        if self.baseline.is_none() && !self.omit.is_zero() && self.begin.elapsed() >= self.omit {
            self.baseline = Some((Instant::now(), read_all(streams)));
        }
    }

    /// Notes what the streams waited for, before they wait for the end.
    pub(crate) fn note_waiting(&mut self, streams: &[RunningStream]) {
        self.waiting = streams.iter().filter_map(RunningStream::waiting).collect();
    }

    /// Ends the streams of one direction: what is counted after does not count.
    pub(crate) fn end(&mut self, streams: &[RunningStream], sends: bool) {
        self.ended.resize(streams.len(), None);
        let now = Instant::now();
        for (end, stream) in self.ended.iter_mut().zip(streams) {
            if stream.sends != sends {
                continue;
            }
            // What a receiver waited for after its last bytes is no time of the test.
            let moment = if sends {
                now
            } else {
                let meant = self.meant.map_or(self.begin, |meant| self.begin + meant);
                stream.meter.last_counted().max(meant).min(now)
            };
            end.get_or_insert_with(|| (moment, stream.read_at_end()));
        }
    }

    /// Ends the streams that send. Where next to nothing was left to arrive when they stopped, that is when
    /// the time ends: acknowledgements that the peer held back are no part of it.
    pub(crate) fn end_senders(&mut self, streams: &[RunningStream], stopped: &SendersStop) {
        self.ended.resize(streams.len(), None);
        let end = stopped.end_of_time(streams, self.begin);
        for (place, stream) in streams.iter().enumerate() {
            if stream.sends {
                let reading = stopped.reading(place, stream);
                self.ended[place].get_or_insert((end, reading));
            }
        }
    }

    /// Waits for the threads and sums up.
    pub(crate) fn collect(&self, streams: &mut [RunningStream]) -> FinishedStreams {
        let (begin, baseline) = self
            .baseline
            .clone()
            .unwrap_or_else(|| (self.begin, vec![MeterReading::default(); streams.len()]));
        let whole = self.begin.elapsed().as_secs_f64();
        let mut cpu = [0.0; 3];
        let mut finished = Vec::with_capacity(streams.len());
        let mut congestion = None;
        for (place, stream) in streams.iter_mut().enumerate() {
            let end = self.ended.get(place).copied().flatten();
            let (end, reading) = end.unwrap_or_else(|| (Instant::now(), stream.read()));
            let retransmits = if stream.sends {
                stream.retransmits()
            } else {
                None
            };
            if let StreamSocket::Tcp(socket) = &stream.socket {
                congestion = rustix::net::sockopt::tcp_congestion(&**socket).ok();
            }
            let (local, peer) = (stream.socket.local(), stream.socket.peer());
            let spent = stream.join().cpu;
            cpu[1] += spent.user.as_secs_f64();
            cpu[2] += spent.system.as_secs_f64();
            finished.push(FinishedStream {
                id: stream_id(u32::try_from(place).unwrap_or(u32::MAX)),
                sends: stream.sends,
                local,
                peer,
                counted: reading.since(baseline[place]),
                omitted: baseline[place],
                retransmits,
                seconds: end.saturating_duration_since(begin).as_secs_f64(),
                is_udp: matches!(stream.socket, StreamSocket::Udp(_)),
            });
        }
        for part in &mut cpu {
            *part *= if whole > 0.0 { 100.0 / whole } else { 0.0 };
        }
        cpu[0] = cpu[1] + cpu[2];
        FinishedStreams {
            waiting: self.waiting.clone(),
            streams: finished,
            cpu_percent: cpu,
            congestion,
        }
    }
}

fn read_all(streams: &[RunningStream]) -> Vec<MeterReading> {
    streams.iter().map(RunningStream::read).collect()
}

impl FinishedStream {
    /// Our figures.
    pub(crate) fn figures(&self) -> TrafficFigures {
        TrafficFigures {
            bytes: self.counted.bytes,
            seconds: self.seconds,
            retransmits: self.retransmits,
            datagrams: self.is_udp.then(|| DatagramFigures {
                packets: self.counted.packets,
                lost: self.counted.lost,
                lost_in_host: (!self.sends).then_some(self.counted.host_drops),
                out_of_order: self.counted.out_of_order,
                jitter_ms: self.counted.jitter.as_secs_f64() * 1000.0,
            }),
        }
    }
}

/// The results to send to the other side. They are totals: the part that does not count is told
/// apart where it matters.
pub(crate) fn results_of(finished: &FinishedStreams) -> TestResults {
    let streams = finished.streams.iter().map(|stream| StreamResult {
        id: stream.id,
        bytes: stream.counted.bytes,
        retransmits: stream.retransmits,
        jitter: stream.counted.jitter.as_secs_f64(),
        lost: stream.counted.lost + stream.omitted.lost,
        omitted_lost: Some(stream.omitted.lost),
        packets: stream.counted.packets + stream.omitted.packets,
        omitted_packets: Some(stream.omitted.packets),
        start_time: 0.0,
        end_time: stream.seconds,
    });
    let sends = finished.streams.iter().any(|stream| stream.sends);
    TestResults {
        cpu_percent: finished.cpu_percent,
        has_retransmits: sends.then(|| finished.streams.iter().any(|s| s.retransmits.is_some())),
        congestion: finished.congestion.clone(),
        streams: streams.collect(),
        server_output_text: None,
        server_output_json: None,
    }
}

/// Puts our figures and those of the other side together.
pub(crate) fn stream_summaries(
    finished: &FinishedStreams,
    theirs: Option<&TestResults>,
    we_are_client: bool,
) -> Vec<StreamSummary> {
    let summaries = finished.streams.iter().map(|stream| {
        let other = theirs
            .and_then(|results| results.streams.iter().find(|other| other.id == stream.id))
            .map(|other| their_figures(other, stream));
        let (sent, received) = if stream.sends {
            (Some(stream.figures()), other)
        } else {
            (other, Some(stream.figures()))
        };
        StreamSummary {
            id: stream.id,
            direction: if stream.sends == we_are_client {
                StreamDirection::ToServer
            } else {
                StreamDirection::ToClient
            },
            local: stream.local,
            peer: stream.peer,
            sent,
            received,
        }
    });
    summaries.collect()
}

fn their_figures(other: &StreamResult, stream: &FinishedStream) -> TrafficFigures {
    // Before 3.2 the times are missing.
    let seconds = if other.end_time > other.start_time {
        other.end_time - other.start_time
    } else {
        stream.seconds
    };
    TrafficFigures {
        bytes: other.bytes,
        seconds,
        retransmits: other.retransmits.filter(|_| !stream.sends),
        datagrams: stream.is_udp.then(|| DatagramFigures {
            packets: other
                .packets
                .saturating_sub(other.omitted_packets.unwrap_or(0)),
            lost: other.lost.saturating_sub(other.omitted_lost.unwrap_or(0)),
            lost_in_host: None,
            out_of_order: 0,
            jitter_ms: other.jitter * 1000.0,
        }),
    }
}
