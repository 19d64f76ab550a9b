//! The counters of a stream: one thread adds, any thread reads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The counters of a stream, and whether its thread is to stop.
#[derive(Debug)]
pub(crate) struct StreamMeter {
    made: Instant,
    /// Nanoseconds after it was made at which bytes were last counted.
    last: AtomicU64,
    bytes: AtomicU64,
    packets: AtomicU64,
    lost: AtomicU64,
    out_of_order: AtomicU64,
    host_drops: AtomicU64,
    jitter_nanoseconds: AtomicU64,
    stop: AtomicBool,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MeterReading {
    /// Bytes sent or received.
    pub(crate) bytes: u64,
    /// Datagrams: sent, or the highest number seen.
    pub(crate) packets: u64,
    /// Datagrams lost.
    pub(crate) lost: u64,
    /// Datagrams out of order.
    pub(crate) out_of_order: u64,
    /// Datagrams that this machine had no room for.
    pub(crate) host_drops: u64,
    /// Jitter.
    pub(crate) jitter: Duration,
}

impl MeterReading {
    /// What was added since an earlier reading; jitter is no sum and stays.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(earlier.bytes),
            packets: self.packets.saturating_sub(earlier.packets),
            lost: self.lost.saturating_sub(earlier.lost),
            out_of_order: self.out_of_order.saturating_sub(earlier.out_of_order),
            host_drops: self.host_drops.saturating_sub(earlier.host_drops),
            jitter: self.jitter,
        }
    }
}

impl Default for StreamMeter {
    fn default() -> Self {
        Self {
            made: Instant::now(),
            last: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            packets: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            out_of_order: AtomicU64::new(0),
            host_drops: AtomicU64::new(0),
            jitter_nanoseconds: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }
}

impl StreamMeter {
    /// Counts bytes.
    pub(crate) fn add_bytes(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let now = u64::try_from(self.made.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.last.store(now, Ordering::Relaxed);
    }

    /// When bytes were last counted.
    pub(crate) fn last_counted(&self) -> Instant {
        self.made + Duration::from_nanos(self.last.load(Ordering::Relaxed))
    }

    /// Counts datagrams that were sent.
    pub(crate) fn add_packets(&self, packets: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
    }

    /// Takes over the figures of a receiver's ledger.
    pub(crate) fn set_arrivals(&self, reading: MeterReading) {
        self.packets.store(reading.packets, Ordering::Relaxed);
        self.lost.store(reading.lost, Ordering::Relaxed);
        self.out_of_order
            .store(reading.out_of_order, Ordering::Relaxed);
        self.host_drops.store(reading.host_drops, Ordering::Relaxed);
        let jitter = u64::try_from(reading.jitter.as_nanos()).unwrap_or(u64::MAX);
        self.jitter_nanoseconds.store(jitter, Ordering::Relaxed);
    }

    /// Reads all counters.
    pub(crate) fn read(&self) -> MeterReading {
        MeterReading {
            bytes: self.bytes.load(Ordering::Relaxed),
            packets: self.packets.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            out_of_order: self.out_of_order.load(Ordering::Relaxed),
            host_drops: self.host_drops.load(Ordering::Relaxed),
            jitter: Duration::from_nanos(self.jitter_nanoseconds.load(Ordering::Relaxed)),
        }
    }

    /// Waits until nothing has been counted for a moment, at most so long.
    pub(crate) fn wait_for_quiet(&self, most: Duration) {
        const MOMENT: Duration = Duration::from_millis(10);
        let begin = Instant::now();
        let (mut seen, mut since) = (self.read().bytes, begin);
        while since.elapsed() < MOMENT && begin.elapsed() < most {
            std::thread::sleep(MOMENT / 10);
            let bytes = self.read().bytes;
            if bytes != seen {
                (seen, since) = (bytes, Instant::now());
            }
        }
    }

    /// Asks the thread to stop; it does within the patience of a call.
    pub(crate) fn request_stop(&self) {
        self.stop.store(true, Ordering::Release);
    }

    /// Whether the thread is to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}
