//! The rows of iperf 2, as text and as comma-separated values.

use std::fmt::Write as _;
use std::net::SocketAddr;

use super::units::{UnitLetter, show_amount, show_percent, show_speed};
use crate::summary::{TrafficFigures, as_float};

/// Which columns a row has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowColumns {
    /// Amount and rate.
    Plain,
    /// Jitter and loss too.
    Loss,
}

impl RowColumns {
    /// The heading.
    pub(super) fn head(self) -> &'static str {
        match self {
            Self::Plain => "[ ID] Interval       Transfer     Bandwidth\n",
            Self::Loss => {
                "[ ID] Interval       Transfer     Bandwidth        Jitter   Lost/Total Datagrams\n"
            }
        }
    }
}

/// A row of text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Iperf2Row {
    /// The number of the stream; none for the sum of all.
    pub(super) number: Option<u32>,
    /// Whether it goes against the direction of the connection.
    pub(super) reversed: bool,
    /// Seconds at the start.
    pub(super) start: f64,
    /// Seconds at the end.
    pub(super) end: f64,
    /// What went.
    pub(super) figures: TrafficFigures,
}

impl Iperf2Row {
    /// The row.
    pub(super) fn show(&self, columns: RowColumns, unit: UnitLetter) -> String {
        let id = match (self.number, self.reversed) {
            (None, _) => "SUM".to_owned(),
            (Some(number), false) => format!("{number:3}"),
            (Some(number), true) => format!("{:>3}", format!("*{number}")),
        };
        let (bytes, seconds) = (self.figures.bytes, self.end - self.start);
        let mut text = format!(
            "[{id}] {:.4}-{:.4} sec  {}  {}",
            self.start,
            self.end,
            show_amount(bytes, unit.of_bytes()),
            show_speed(bytes, seconds, unit)
        );
        let mut late = 0;
        if let (Some(counted), RowColumns::Loss) = (self.figures.datagrams, columns) {
            let lost = format!(
                "{}/{} ({}%)",
                counted.lost,
                counted.packets,
                show_percent(counted.lost_percent())
            );
            let _ = match self.number {
                Some(_) => write!(text, "  {:6.3} ms {lost}", counted.jitter_ms),
                None => write!(text, "   {lost}"),
            };
            late = counted.out_of_order;
        }
        text.push('\n');
        if late > 0 {
            let _ = writeln!(
                text,
                "[{id}] {:.4}-{:.4} sec  {late} datagrams received out-of-order",
                self.start, self.end
            );
        }
        text
    }
}

/// A row of comma-separated values: the sender first, then the receiver.
#[derive(Clone, Copy, Debug)]
pub(super) struct CsvRow<'a> {
    /// The local time, `20261127200707`.
    pub(super) time: &'a str,
    /// Who sends.
    pub(super) from: SocketAddr,
    /// Who receives.
    pub(super) to: SocketAddr,
    /// The number of the stream.
    pub(super) number: u32,
    /// Seconds at the start.
    pub(super) start: f64,
    /// Seconds at the end.
    pub(super) end: f64,
    /// What went.
    pub(super) figures: TrafficFigures,
}

impl CsvRow<'_> {
    /// The row.
    pub(super) fn show(&self) -> String {
        let seconds = self.end - self.start;
        let rate = if seconds > 0.0 {
            as_float(self.figures.bytes) * 8.0 / seconds
        } else {
            0.0
        };
        let mut text = format!(
            "{},{},{},{},{},{},{:.1}-{:.1},{},{rate:.0}",
            self.time,
            self.from.ip().to_canonical(),
            self.from.port(),
            self.to.ip().to_canonical(),
            self.to.port(),
            self.number,
            self.start,
            self.end,
            self.figures.bytes
        );
        if let Some(counted) = self.figures.datagrams {
            let _ = write!(
                text,
                ",{:.3},{},{},{:.3},{}",
                counted.jitter_ms,
                counted.lost,
                counted.packets,
                counted.lost_percent(),
                counted.out_of_order
            );
        }
        text + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::DatagramFigures;

    fn udp() -> TrafficFigures {
        TrafficFigures {
            bytes: 267_540,
            seconds: 2.0203,
            retransmits: None,
            datagrams: Some(DatagramFigures {
                packets: 182,
                lost: 1,
                lost_in_host: None,
                out_of_order: 0,
                jitter_ms: 0.0061,
            }),
        }
    }

    #[test]
    fn rows_are_those_of_the_program() {
        let mut row = Iperf2Row {
            number: Some(1),
            reversed: false,
            start: 0.0,
            end: 2.0203,
            figures: udp(),
        };
        assert_eq!(
            row.show(RowColumns::Loss, UnitLetter::FITTING),
            "[  1] 0.0000-2.0203 sec   261 KBytes  1.06 Mbits/sec   0.006 ms 1/182 (0.55%)\n"
        );
        row.reversed = true;
        assert_eq!(
            row.show(RowColumns::Plain, UnitLetter::FITTING),
            "[ *1] 0.0000-2.0203 sec   261 KBytes  1.06 Mbits/sec\n"
        );
        row.number = None;
        assert_eq!(
            row.show(RowColumns::Loss, UnitLetter::FITTING),
            "[SUM] 0.0000-2.0203 sec   261 KBytes  1.06 Mbits/sec   1/182 (0.55%)\n"
        );
        let unit = UnitLetter::from_letter('m').expect("a letter");
        assert_eq!(
            row.show(RowColumns::Plain, unit),
            "[SUM] 0.0000-2.0203 sec  0.26 MBytes  1.06 Mbits/sec\n"
        );
    }

    #[test]
    fn values_are_separated_by_commas() {
        let row = CsvRow {
            time: "20261127200824",
            from: "127.0.0.1:34722".parse().expect("an address"),
            to: "127.0.0.1:6301".parse().expect("an address"),
            number: 1,
            start: 0.0,
            end: 2.0203,
            figures: udp(),
        };
        assert_eq!(
            row.show(),
            "20261127200824,127.0.0.1,34722,127.0.0.1,6301,1,0.0-2.0,267540,1059407,0.006,1,182,0.549,0\n"
        );
    }
}
