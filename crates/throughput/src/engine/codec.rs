//! What stands at the head of a datagram, in either protocol.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::wire::iperf2::{DatagramHeader, DatagramShape};
use crate::wire::iperf3::{CounterWidth, DatagramStamp};

/// Writes and reads the heads of datagrams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DatagramCodec {
    /// iperf 2.
    Iperf2(DatagramShape),
    /// iperf3.
    Iperf3(CounterWidth),
}

impl DatagramCodec {
    /// The time by the clock that the protocol stamps with.
    pub(crate) fn clock(&self) -> Duration {
        let clock = match self {
            Self::Iperf2(_) => ClockId::Realtime,
            Self::Iperf3(_) => ClockId::Monotonic,
        };
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    }

    /// Stamps a datagram with its number and a time.
    pub(crate) fn stamp(&self, datagram: &mut [u8], number: i64, time: Duration) {
        // The field holds 32 bits, so the time wraps in 2106.
        let seconds = u32::try_from(time.as_secs() & 0xffff_ffff).unwrap_or(0);
        let microseconds = time.subsec_micros();
        match self {
            Self::Iperf2(shape) => DatagramHeader {
                id: number,
                seconds,
                microseconds,
            }
            .write(datagram, *shape),
            Self::Iperf3(width) => DatagramStamp {
                seconds,
                microseconds,
                count: number.unsigned_abs(),
            }
            .write(datagram, *width),
        }
    }

    /// The number of a datagram and its time in microseconds; `None` for one without a head.
    pub(crate) fn read(&self, datagram: &[u8]) -> Option<(i64, i64)> {
        let microseconds =
            |seconds: u32, rest: u32| i64::from(seconds) * 1_000_000 + i64::from(rest);
        match self {
            Self::Iperf2(shape) => {
                let head = DatagramHeader::from_wire(datagram, *shape)?;
                Some((head.id, microseconds(head.seconds, head.microseconds)))
            }
            Self::Iperf3(width) => {
                let stamp = DatagramStamp::from_wire(datagram, *width)?;
                let number = i64::try_from(stamp.count).unwrap_or(0);
                Some((number, microseconds(stamp.seconds, stamp.microseconds)))
            }
        }
    }
}
