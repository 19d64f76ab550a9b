//! When the next bytes may go, so that a rate is kept without a loop that spins.

use std::time::Duration;

/// Keeps a rate. Time is a parameter: how long ago sending began.
#[derive(Clone, Debug)]
pub(crate) struct Pacer {
    /// Bytes per second.
    rate: f64,
    /// Bytes that were sent.
    sent: f64,
    /// When the bytes that went would have gone at twice the rate.
    fast: Duration,
}

/// What is sent at once is at most what the rate sends in this time.
pub(crate) const LONGEST_BURST: Duration = Duration::from_millis(1);

/// Behind by more than this, the pacer catches up at twice the rate and not at once: a machine
/// that did not let us run for a moment must not flood the receiver's buffer after.
const LARGEST_BACKLOG: Duration = Duration::from_millis(5);

impl Pacer {
    /// Keeps so many bits per second.
    pub(crate) fn new(bits_per_second: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a rate")]
        let rate = (bits_per_second.max(1) as f64) / 8.0;
        Self {
            rate,
            sent: 0.0,
            fast: Duration::ZERO,
        }
    }

    /// How many bytes make a burst, at least one unit and at most `most` bytes.
    pub(crate) fn burst(&self, unit: usize, most: usize) -> usize {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a size that saturates"
        )]
        let due = (self.rate * LONGEST_BURST.as_secs_f64()) as usize;
        (due / unit.max(1) * unit).clamp(unit.min(most), most.max(1))
    }

    /// How long to wait before the next bytes; zero is now.
    pub(crate) fn wait(&self, now: Duration) -> Duration {
        let due = Duration::try_from_secs_f64(self.sent / self.rate).unwrap_or(Duration::MAX);
        if let Some(early) = due.checked_sub(now) {
            return early;
        }
        if now.saturating_sub(due) <= LARGEST_BACKLOG {
            return Duration::ZERO;
        }
        self.fast.saturating_sub(now)
    }

    /// Notes bytes that went.
    pub(crate) fn note(&mut self, bytes: usize, now: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "a sum that only paces")]
        let bytes = bytes as f64;
        self.sent += bytes;
        let time = Duration::try_from_secs_f64(bytes / (2.0 * self.rate));
        // A thread that slept for too long may make up at once for what is below the backlog.
        let earliest = now.saturating_sub(LARGEST_BACKLOG);
        self.fast = self.fast.max(earliest) + time.unwrap_or(Duration::MAX / 4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLISECOND: Duration = Duration::from_millis(1);

    #[test]
    fn bytes_wait_for_their_time() {
        let mut pacer = Pacer::new(8_000_000);
        assert_eq!(pacer.wait(Duration::ZERO), Duration::ZERO);
        pacer.note(1000, Duration::ZERO);
        assert_eq!(pacer.wait(Duration::ZERO), MILLISECOND);
        assert_eq!(pacer.wait(MILLISECOND), Duration::ZERO);
    }

    #[test]
    fn a_long_pause_is_made_up_for_in_steps() {
        let mut pacer = Pacer::new(8_000_000);
        let late = Duration::from_secs(1);
        for _ in 0..10 {
            assert_eq!(pacer.wait(late), Duration::ZERO);
            pacer.note(1000, late);
        }
        pacer.note(1000, late);
        assert_eq!(pacer.wait(late), MILLISECOND / 2);
        assert_eq!(pacer.wait(late + MILLISECOND / 2), Duration::ZERO);
    }

    #[test]
    fn a_burst_is_a_millisecond_in_whole_units() {
        let pacer = Pacer::new(100_000_000);
        assert_eq!(pacer.burst(1000, 60_000), 12_000);
        assert_eq!(pacer.burst(5000, 60_000), 10_000);
        assert_eq!(pacer.burst(30_000, 60_000), 30_000);
        assert_eq!(pacer.burst(100, 500), 500);
    }
}
