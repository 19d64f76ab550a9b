//! Loss, order and jitter, from the numbers and times in datagrams.

use std::time::Duration;

use super::MeterReading;

/// What a receiver knows of a stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct ArrivalLedger {
    highest: u64,
    lost: u64,
    out_of_order: u64,
    /// In sixteenths of a microsecond, as RFC 1889 smooths it.
    jitter: f64,
    transit: Option<i64>,
}

impl ArrivalLedger {
    /// Takes a datagram: its number, the first being 1, and the microseconds that it took, by any
    /// two clocks.
    pub(crate) fn record(&mut self, number: u64, transit: i64) {
        if number > self.highest {
            self.lost += number - self.highest - 1;
            self.highest = number;
        } else {
            self.out_of_order += 1;
            self.lost = self.lost.saturating_sub(1);
        }
        if let Some(earlier) = self.transit.replace(transit) {
            #[expect(clippy::cast_precision_loss, reason = "microseconds of one step")]
            let step = transit.wrapping_sub(earlier).unsigned_abs() as f64;
            self.jitter += (step - self.jitter) / 16.0;
        }
    }

    /// The figures, with the count of datagrams for which this machine had no room.
    pub(crate) fn reading(&self, host_drops: u64) -> MeterReading {
        MeterReading {
            bytes: 0,
            packets: self.highest,
            lost: self.lost,
            out_of_order: self.out_of_order,
            host_drops,
            jitter: Duration::try_from_secs_f64(self.jitter / 1e6).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(arrivals: &[(u64, i64)]) -> MeterReading {
        let mut ledger = ArrivalLedger::default();
        for (number, transit) in arrivals {
            ledger.record(*number, *transit);
        }
        ledger.reading(0)
    }

    #[test]
    fn a_gap_is_loss_and_a_late_datagram_takes_it_back() {
        let reading = after(&[(1, 0), (4, 0), (2, 0)]);
        assert_eq!(
            (reading.packets, reading.lost, reading.out_of_order),
            (4, 1, 1)
        );
    }

    #[test]
    fn a_first_datagram_that_is_missing_is_lost() {
        assert_eq!(after(&[(3, 0)]).lost, 2);
    }

    #[test]
    fn jitter_is_a_sixteenth_of_each_step() {
        assert_eq!(after(&[(1, 500), (2, 500)]).jitter, Duration::ZERO);
        assert_eq!(after(&[(1, 0), (2, 160)]).jitter, Duration::from_micros(10));
        assert_eq!(after(&[(1, 160), (2, 0)]).jitter, Duration::from_micros(10));
    }
}
