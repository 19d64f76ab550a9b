//! Watches a test that runs: the reports of its intervals.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::ClientEvent;
use crate::engine::{MeterReading, PATIENCE, RunningStream};
use crate::summary::{DatagramFigures, StreamDirection, TrafficFigures};

/// A stream in an interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntervalRow {
    /// The number of the stream.
    pub id: u32,
    /// Which way it goes.
    pub direction: StreamDirection,
    /// Bytes sent or received by us.
    pub bytes: u64,
    /// Segments that TCP sent again; `None` is unknown.
    pub retransmits: Option<u64>,
    /// The congestion window in bytes.
    pub congestion_window: Option<u64>,
    /// The smoothed round-trip time in microseconds.
    pub round_trip_us: Option<u32>,
    /// Its variation in microseconds.
    pub round_trip_variation_us: Option<u32>,
    /// The path's MTU.
    pub path_mtu: Option<u32>,
    /// The window that the peer announces, in bytes.
    pub peer_window: Option<u32>,
    /// The figures of UDP.
    pub datagrams: Option<DatagramFigures>,
}

impl IntervalRow {
    /// The rows of one direction as one.
    pub(crate) fn sum(rows: &[&Self]) -> Self {
        let parts: Vec<TrafficFigures> = rows
            .iter()
            .map(|row| TrafficFigures {
                bytes: row.bytes,
                seconds: 0.0,
                retransmits: row.retransmits,
                datagrams: row.datagrams,
            })
            .collect();
        let sum = TrafficFigures::sum(&parts);
        Self {
            bytes: sum.bytes,
            retransmits: sum.retransmits,
            datagrams: sum.datagrams,
            congestion_window: None,
            round_trip_us: None,
            ..rows[0].clone()
        }
    }
}

/// What went in an interval.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IntervalReport {
    /// Seconds since counting began.
    pub start: f64,
    /// Likewise, at its end.
    pub end: f64,
    /// Whether it counts.
    pub omitted: bool,
    /// The streams.
    pub rows: Vec<IntervalRow>,
}

/// Makes reports of intervals.
pub(crate) struct ProgressWatch<'a> {
    begin: Instant,
    omit: Duration,
    interval: Duration,
    ids: Vec<u32>,
    before: Vec<(MeterReading, Option<u64>)>,
    last: Instant,
    next: Option<Instant>,
    at_server: bool,
    tell: &'a mut dyn FnMut(ClientEvent),
}

/// An interval shorter than this at the end of a test says nothing.
const SHORTEST: Duration = Duration::from_millis(50);

impl<'a> ProgressWatch<'a> {
    /// Begins.
    pub(crate) fn new(
        begin: Instant,
        omit: Duration,
        interval: Duration,
        ids: Vec<u32>,
        tell: &'a mut dyn FnMut(ClientEvent),
    ) -> Self {
        let before = vec![(MeterReading::default(), Some(0)); ids.len()];
        let first = if omit.is_zero() {
            interval
        } else {
            interval.min(omit)
        };
        Self {
            begin,
            omit,
            interval,
            ids,
            before,
            last: begin,
            next: (!interval.is_zero()).then(|| begin + first),
            at_server: false,
            tell,
        }
    }

    /// Of a server: what it sends goes to the client.
    pub(crate) fn at_server(self) -> Self {
        Self {
            at_server: true,
            ..self
        }
    }

    /// How long to wait at most until the next report.
    pub(crate) fn patience(&self) -> Duration {
        self.next.map_or(PATIENCE, |next| {
            PATIENCE.min(next.saturating_duration_since(Instant::now()))
        })
    }

    /// Reports the interval if it is over.
    pub(crate) fn pass(&mut self, streams: &[RunningStream]) {
        let now = Instant::now();
        if let Some(due) = self.next.filter(|due| now >= *due) {
            self.report(now, streams);
            let counted = self.begin + self.omit;
            // By the plan and not by when we woke, so that delays do not add up.
            let planned = due + self.interval;
            let next = if planned > now {
                planned
            } else {
                now + self.interval
            };
            // The end of what does not count is the end of an interval.
            let cut = self.last < counted && next > counted;
            self.next = Some(if cut { counted } else { next });
        }
    }

    /// Reports what is left when the test is over.
    pub(crate) fn finish(&mut self, streams: &[RunningStream]) {
        let now = Instant::now();
        if self.next.is_some()
            && (self.last == self.begin || now.saturating_duration_since(self.last) >= SHORTEST)
        {
            self.report(now, streams);
        }
    }

    fn report(&mut self, now: Instant, streams: &[RunningStream]) {
        let mut rows = Vec::with_capacity(streams.len());
        for (place, stream) in streams.iter().enumerate() {
            let reading = stream.read();
            let (before, resent) = self.before[place];
            let statistics = stream.socket.statistics();
            let retransmits = if stream.sends {
                stream.retransmits()
            } else {
                None
            };
            let counted = reading.since(before);
            let sender = statistics.filter(|_| stream.sends);
            rows.push(IntervalRow {
                id: self.ids[place],
                direction: if stream.sends == self.at_server {
                    StreamDirection::ToClient
                } else {
                    StreamDirection::ToServer
                },
                bytes: counted.bytes,
                retransmits: retransmits.map(|now| now.saturating_sub(resent.unwrap_or(0))),
                congestion_window: sender.map(|known| {
                    u64::from(known.congestion_window) * u64::from(known.send_segment)
                }),
                round_trip_us: sender.map(|known| known.round_trip),
                round_trip_variation_us: sender.map(|known| known.round_trip_variation),
                path_mtu: sender.map(|known| known.path_mtu),
                peer_window: sender.map(|known| known.peer_window),
                datagrams: statistics.is_none().then(|| DatagramFigures {
                    packets: counted.packets,
                    lost: counted.lost,
                    lost_in_host: (!stream.sends).then_some(counted.host_drops),
                    out_of_order: counted.out_of_order,
                    jitter_ms: counted.jitter.as_secs_f64() * 1000.0,
                }),
            });
            self.before[place] = (reading, retransmits);
        }
        let counted = self.begin + self.omit;
        let omitted = self.last + SHORTEST < counted;
        // What does not count has a time of its own, as in iperf3.
        let zero = if omitted { self.begin } else { counted };
        let seconds = |moment: Instant| moment.saturating_duration_since(zero).as_secs_f64();
        let report = IntervalReport {
            start: seconds(self.last),
            end: seconds(now),
            omitted,
            rows,
        };
        self.last = now;
        (self.tell)(ClientEvent::Interval(report));
    }
}
