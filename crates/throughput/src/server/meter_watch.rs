//! Reports the intervals of a stream of an iperf 2 client.

use std::time::{Duration, Instant};

use super::ServerEvent;
use super::admission::ServerState;
use crate::client::{IntervalReport, IntervalRow};
use crate::engine::{MeterReading, StreamMeter};
use crate::summary::{DatagramFigures, StreamDirection, TransportName};

/// Looks at a meter from time to time.
pub(super) struct MeterWatch<'a> {
    state: &'a ServerState,
    test: u64,
    id: u32,
    direction: StreamDirection,
    transport: TransportName,
    begin: Instant,
    /// How many intervals are over.
    passed: u32,
    before: MeterReading,
}

impl<'a> MeterWatch<'a> {
    /// Begins.
    pub(super) fn new(
        state: &'a ServerState,
        test: u64,
        id: u32,
        direction: StreamDirection,
        transport: TransportName,
    ) -> Self {
        Self {
            state,
            test,
            id,
            direction,
            transport,
            begin: Instant::now(),
            passed: 0,
            before: MeterReading::default(),
        }
    }

    /// Reports the interval if it is over.
    pub(super) fn pass(&mut self, meter: &StreamMeter) {
        let interval = self.state.options.interval;
        if interval.is_zero() || self.begin.elapsed() < interval * (self.passed + 1) {
            return;
        }
        let reading = meter.read();
        let counted = reading.since(self.before);
        self.before = reading;
        let seconds = |count: u32| Duration::as_secs_f64(&interval) * f64::from(count);
        let received = self.direction == StreamDirection::ToServer;
        let report = IntervalReport {
            start: seconds(self.passed),
            end: seconds(self.passed + 1),
            omitted: false,
            rows: vec![IntervalRow {
                id: self.id,
                direction: self.direction,
                bytes: counted.bytes,
                retransmits: None,
                congestion_window: None,
                round_trip_us: None,
                round_trip_variation_us: None,
                path_mtu: None,
                peer_window: None,
                datagrams: (self.transport == TransportName::Udp).then(|| DatagramFigures {
                    packets: counted.packets,
                    lost: counted.lost,
                    lost_in_host: received.then_some(counted.host_drops),
                    out_of_order: counted.out_of_order,
                    jitter_ms: counted.jitter.as_secs_f64() * 1000.0,
                }),
            }],
        };
        self.passed += 1;
        let test = self.test;
        self.state.tell(ServerEvent::Interval { test, report });
    }
}
