//! What an iperf 2 server prints. It numbers all connections, and sums up those of one client that
//! run at the same time.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::iperf2_arguments::Iperf2Printing;
use super::iperf2_lines::{connection, listening};
use super::iperf2_rows::{CsvRow, Iperf2Row, RowColumns};
use crate::client::IntervalReport;
use crate::server::OpenedTest;
use crate::summary::{StreamDirection, StreamSummary, TestSummary, TrafficFigures, TransportName};

/// A connection or flow that is served.
#[derive(Clone, Debug)]
struct ServedConnection {
    number: u32,
    local: SocketAddr,
    peer: SocketAddr,
    both: bool,
}

/// The connections of one client that run at the same time.
#[derive(Clone, Debug, Default)]
struct ClientGroup {
    running: usize,
    ended: Vec<TrafficFigures>,
    /// The rows of each interval, by its start in milliseconds.
    intervals: BTreeMap<u64, Vec<(f64, TrafficFigures)>>,
}

/// Writes what an iperf 2 server says.
#[derive(Clone, Debug)]
pub struct Iperf2ServerLines {
    printing: Iperf2Printing,
    numbers: u32,
    tests: HashMap<u64, ServedConnection>,
    groups: HashMap<IpAddr, ClientGroup>,
    head: Option<RowColumns>,
}

impl Iperf2ServerLines {
    /// The lines of a server.
    pub fn new(printing: &Iperf2Printing) -> Self {
        Self {
            printing: printing.clone(),
            numbers: 0,
            tests: HashMap::new(),
            groups: HashMap::new(),
            head: None,
        }
    }

    /// The lines with which it waits; `buffer` is the size of its receive buffer.
    pub fn listening(&self, buffer: u64) -> String {
        if self.printing.values {
            return String::new();
        }
        listening(&self.printing, self.printing.port, buffer)
    }

    /// The line of a connection that has begun.
    pub fn opened(&mut self, test: &OpenedTest) -> String {
        self.numbers += 1;
        let served = ServedConnection {
            number: self.numbers,
            local: test.local,
            peer: test.peer,
            both: test.request.both,
        };
        let mut mark = match (test.request.both, test.request.reverse) {
            (true, _) => " (full-duplex)",
            (_, true) => " (reverse)",
            (false, false) => "",
        }
        .to_owned();
        if !mark.is_empty() && self.printing.transport == TransportName::Udp {
            mark.push_str(" (no-udp-fin)");
        }
        let text = connection(served.number, test.local, test.peer, &mark, test.beginning);
        self.tests.insert(test.test, served);
        let group = self.groups.entry(test.peer.ip()).or_default();
        group.running += 1;
        self.head = None;
        if self.printing.values {
            String::new()
        } else {
            text
        }
    }

    /// The row of an interval.
    pub fn interval(&mut self, test: u64, report: &IntervalReport, time: &str) -> String {
        let Some(served) = self.tests.get(&test).cloned() else {
            return String::new();
        };
        let mut text = String::new();
        for row in &report.rows {
            let figures = TrafficFigures {
                bytes: row.bytes,
                seconds: report.end - report.start,
                retransmits: None,
                datagrams: row.datagrams,
            };
            let span = (report.start, report.end);
            text.push_str(&self.row(&served, row.direction, span, &figures, time));
            let group = self.groups.entry(served.peer.ip()).or_default();
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a name for the interval"
            )]
            let start = (report.start * 1000.0).round() as u64;
            if group.running < 2 && !served.both {
                continue;
            }
            let rows = group.intervals.entry(start).or_default();
            rows.push((report.end, figures));
            if rows.len() == group.running.max(2) {
                let rows = group.intervals.remove(&start).unwrap_or_default();
                let parts: Vec<TrafficFigures> = rows.into_iter().map(|(_, part)| part).collect();
                text.push_str(&self.sum(&parts, span));
            }
        }
        text
    }

    /// The rows at the end of a connection.
    pub fn end(&mut self, test: u64, summary: &TestSummary, time: &str) -> String {
        let Some(served) = self.tests.remove(&test) else {
            return String::new();
        };
        let mut text = String::new();
        let mut parts = Vec::new();
        for stream in &summary.streams {
            let received = stream.direction == StreamDirection::ToServer;
            let figures = if received {
                stream.received
            } else {
                stream.sent
            };
            let Some(figures) = figures else { continue };
            let span = (0.0, figures.seconds);
            match self.back(&served, stream) {
                Some((back, line)) => {
                    text.push_str(&line);
                    text.push_str(&self.row(&back, stream.direction, span, &figures, time));
                }
                None => text.push_str(&self.row(&served, stream.direction, span, &figures, time)),
            }
            parts.push(figures);
            let sent = figures
                .datagrams
                .filter(|_| !received && !self.printing.values);
            if let Some(counted) = sent {
                let number = served.number;
                let _ = writeln!(text, "[{number:3}] Sent {} datagrams", counted.packets);
            }
        }
        if served.both && parts.len() > 1 {
            let figures = TrafficFigures::sum(&parts);
            text.push_str(&self.sum(&parts, (0.0, figures.seconds)));
        }
        let group = self.groups.entry(served.peer.ip()).or_default();
        group.ended.extend(&parts);
        group.running = group.running.saturating_sub(1);
        if group.running == 0 {
            let group = self.groups.remove(&served.peer.ip()).unwrap_or_default();
            if group.ended.len() > 1 && !served.both {
                let seconds = TrafficFigures::sum(&group.ended).seconds;
                text.push_str(&self.sum(&group.ended, (0.0, seconds)));
            }
        }
        text
    }

    /// A stream for which we connected back to the client is one of its own.
    fn back(
        &mut self,
        served: &ServedConnection,
        stream: &StreamSummary,
    ) -> Option<(ServedConnection, String)> {
        let (local, peer) = (stream.local?, stream.peer?);
        if local.port() == served.local.port() {
            return None;
        }
        self.numbers += 1;
        let back = ServedConnection {
            number: self.numbers,
            local,
            peer,
            both: true,
        };
        let line = connection(back.number, local, peer, " (reverse)", None);
        let shown = if self.printing.values {
            String::new()
        } else {
            line
        };
        Some((back, shown))
    }

    fn row(
        &mut self,
        served: &ServedConnection,
        direction: StreamDirection,
        (start, end): (f64, f64),
        figures: &TrafficFigures,
        time: &str,
    ) -> String {
        let received = direction == StreamDirection::ToServer;
        if self.printing.values {
            let (from, to) = if received {
                (served.peer, served.local)
            } else {
                (served.local, served.peer)
            };
            let row = CsvRow {
                time,
                from,
                to,
                number: served.number,
                start,
                end,
                figures: *figures,
            };
            return row.show();
        }
        let udp = self.printing.transport == TransportName::Udp;
        let columns = if udp && received {
            RowColumns::Loss
        } else {
            RowColumns::Plain
        };
        let mut text = self.head_of(columns);
        let row = Iperf2Row {
            number: Some(served.number),
            reversed: served.both && !received,
            start,
            end,
            figures: *figures,
        };
        text.push_str(&row.show(columns, self.printing.unit));
        text
    }

    fn head_of(&mut self, columns: RowColumns) -> String {
        if self.head.replace(columns) == Some(columns) {
            String::new()
        } else {
            columns.head().to_owned()
        }
    }

    fn sum(&mut self, parts: &[TrafficFigures], (start, end): (f64, f64)) -> String {
        if self.printing.values {
            return String::new();
        }
        let row = Iperf2Row {
            number: None,
            reversed: false,
            start,
            end,
            figures: TrafficFigures::sum(parts),
        };
        let udp = self.printing.transport == TransportName::Udp;
        // The sum of datagrams has a heading of its own.
        let mut text = if udp {
            self.head_of(RowColumns::Plain)
        } else {
            String::new()
        };
        let columns = if udp {
            RowColumns::Loss
        } else {
            RowColumns::Plain
        };
        text.push_str(&row.show(columns, self.printing.unit));
        text
    }

    /// The row of a connection that closed without a byte, for which scripts wait to see that a
    /// server is there.
    pub fn bare_connection(&mut self) -> String {
        if self.printing.values {
            return String::new();
        }
        self.numbers += 1;
        let mut text = self.head_of(RowColumns::Plain);
        let row = Iperf2Row {
            number: Some(self.numbers),
            reversed: false,
            start: 0.0,
            end: 0.0,
            figures: TrafficFigures::default(),
        };
        text.push_str(&row.show(RowColumns::Plain, self.printing.unit));
        text
    }
}
