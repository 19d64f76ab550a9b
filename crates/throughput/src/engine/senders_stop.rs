//! The moment at which streams stop sending, and what of theirs was still to arrive then.
//!
//! A peer may hold its last acknowledgement back for 40 ms or more. What TCP has handed to the network, has
//! not lost and has had time to arrive is taken for arrived; a test that waited for the acknowledgement
//! would last longer than it sent, and its rate would seem lower.

use std::time::{Duration, Instant};

use surefoot_sys::{TcpStatistics, unacknowledged_bytes, unsent_bytes};

use super::{MeterReading, RunningStream, StreamSocket};

/// What a machine may take beside the way there and back.
const AT_THE_PEER: Duration = Duration::from_millis(2);

/// Of what was sent, and of the time that it took, the part that does not matter: one in so many.
const HARDLY_ANY: u32 = 500;

/// When the streams stopped.
pub(crate) struct SendersStop {
    at: Instant,
    /// What each stream had not seen acknowledged then.
    waiting: Vec<u64>,
}

impl SendersStop {
    /// Now. A last segment that is not full, which TCP would keep until what went before it is acknowledged, is
    /// sent.
    pub(crate) fn now(streams: &[RunningStream]) -> Self {
        let at = Instant::now();
        let waiting = streams.iter().map(waiting_bytes).collect();
        for stream in streams.iter().filter(|stream| stream.sends) {
            if let StreamSocket::Tcp(socket) = &stream.socket {
                // Where it is refused, the segment comes with the acknowledgement.
                let _ = socket.set_nodelay(true);
            }
        }
        Self { at, waiting }
    }

    /// Waits until all has arrived, at most so long.
    pub(crate) fn wait_until_arrived(&self, streams: &[RunningStream], most: Duration) {
        let all_there = || streams.iter().all(|stream| self.has_arrived(stream));
        while self.at.elapsed() < most && !all_there() {
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Until when the streams sent that began then.
    pub(crate) fn end_of_time(&self, streams: &[RunningStream], begin: Instant) -> Instant {
        let sent = streams.iter().filter(|stream| stream.sends);
        let sent: u64 = sent.map(|stream| stream.read().bytes).sum();
        let waiting: u64 = self.waiting.iter().sum();
        let were_few = waiting.saturating_mul(u64::from(HARDLY_ANY)) <= sent;
        let now = Instant::now();
        let was_soon = (now - self.at) * HARDLY_ANY <= self.at - begin;
        if were_few || was_soon { self.at } else { now }
    }

    /// The counters of a stream without what may never arrive.
    pub(crate) fn reading(&self, place: usize, stream: &RunningStream) -> MeterReading {
        let had_waiting = self.waiting.get(place).is_some_and(|bytes| *bytes > 0);
        if had_waiting && !self.has_arrived(stream) {
            stream.read_at_end()
        } else {
            stream.read()
        }
    }

    /// Whether what a stream sent is at the peer.
    fn has_arrived(&self, stream: &RunningStream) -> bool {
        let (StreamSocket::Tcp(socket), true) = (&stream.socket, stream.sends) else {
            return true;
        };
        if waiting_bytes(stream) == 0 {
            return true;
        }
        let is_on_its_way = unsent_bytes(&**socket).is_ok_and(|bytes| bytes == 0);
        TcpStatistics::of(&**socket).is_ok_and(|known| {
            let there_and_back = Duration::from_micros(u64::from(known.least_round_trip));
            is_on_its_way
                && known.lost == 0
                && known.least_round_trip < u32::MAX
                && self.at.elapsed() >= there_and_back + AT_THE_PEER
        })
    }
}

fn waiting_bytes(stream: &RunningStream) -> u64 {
    match (&stream.socket, stream.sends) {
        (StreamSocket::Tcp(socket), true) => {
            u64::from(unacknowledged_bytes(&**socket).unwrap_or(0))
        }
        _ => 0,
    }
}
