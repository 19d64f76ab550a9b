//! What iperf 2 prints, line for line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use super::iperf2_arguments::Iperf2Printing;
use super::iperf2_rows::{CsvRow, Iperf2Row, RowColumns};
use super::units::{UnitLetter, show_amount};
use crate::client::{ClientError, ClientEvent, ClientOptions, ClientReport, IntervalReport};
use crate::client::{TcpBeginning, TrafficPattern};
use crate::summary::{StreamDirection, StreamSummary, TrafficFigures, TransportName};

const LINE: &str = "------------------------------------------------------------\n";

/// A stream, as it is numbered and marked in the rows.
#[derive(Clone, Copy, Debug)]
struct ShownStream {
    number: u32,
    reversed: bool,
    local: SocketAddr,
    peer: SocketAddr,
}

/// Writes what an iperf 2 client says about its test.
#[derive(Clone, Debug)]
pub struct Iperf2ClientLines {
    printing: Iperf2Printing,
    pattern: TrafficPattern,
    block: Option<u32>,
    rate: Option<u64>,
    congestion: Option<String>,
    reply_port: u16,
    streams: BTreeMap<u32, ShownStream>,
    head: Option<RowColumns>,
}

impl Iperf2ClientLines {
    /// The lines of a test.
    pub fn new(options: &ClientOptions, printing: &Iperf2Printing) -> Self {
        Self {
            printing: printing.clone(),
            pattern: options.pattern,
            block: options.block,
            rate: options.rate_limit(),
            congestion: options.congestion.clone(),
            reply_port: options.reply_port.unwrap_or(printing.port),
            streams: BTreeMap::new(),
            head: None,
        }
    }

    fn is_udp(&self) -> bool {
        self.printing.transport == TransportName::Udp
    }

    /// The lines for what happens, at a local time that `-y C` shows.
    pub fn event(&mut self, event: &ClientEvent, time: &str) -> String {
        match event {
            ClientEvent::Connected {
                server,
                streams,
                block,
                buffers,
                beginnings,
                ..
            } => {
                self.block = Some(*block);
                let mut text = self.banner(*server, *buffers);
                let both = self.pattern == TrafficPattern::FullDuplex;
                let reversed = self.pattern == TrafficPattern::Reverse;
                for (place, (id, local)) in streams.iter().enumerate() {
                    let shown = ShownStream {
                        number: *id,
                        reversed,
                        local: *local,
                        peer: *server,
                    };
                    if both {
                        // Two directions of one connection follow each other.
                        self.streams.insert(2 * id - 1, shown);
                        let reversed = true;
                        self.streams
                            .insert(2 * id, ShownStream { reversed, ..shown });
                    } else {
                        self.streams.insert(*id, shown);
                    }
                    let beginning = beginnings.get(place).copied().flatten();
                    let mark = match self.pattern {
                        TrafficPattern::Reverse => " (reverse)",
                        TrafficPattern::FullDuplex if self.is_udp() => {
                            " (full-duplex) (no-udp-fin)"
                        }
                        TrafficPattern::FullDuplex => " (full-duplex)",
                        _ => "",
                    };
                    text.push_str(&connection(*id, *local, *server, mark, beginning));
                }
                self.unless_values(text)
            }
            ClientEvent::ConnectedBack { streams } => {
                let mut text = String::new();
                for (id, local, peer) in streams {
                    let shown = ShownStream {
                        number: *id,
                        reversed: false,
                        local: *local,
                        peer: *peer,
                    };
                    self.streams.insert(*id, shown);
                    text.push_str(&connection(*id, *local, *peer, "", None));
                }
                self.unless_values(text)
            }
            ClientEvent::Interval(report) => self.interval(report, time),
        }
    }

    fn unless_values(&self, text: String) -> String {
        if self.printing.values {
            String::new()
        } else {
            text
        }
    }

    fn banner(&self, server: SocketAddr, [send, receive]: [u64; 2]) -> String {
        let mut text = String::new();
        let back = [TrafficPattern::BothAtOnce, TrafficPattern::InTurns];
        if back.contains(&self.pattern) {
            text.push_str(&listening(&self.printing, self.reply_port, receive));
        }
        let name = if self.is_udp() { "UDP" } else { "TCP" };
        let (host, port) = (server.ip().to_canonical(), server.port());
        let _ = writeln!(
            text,
            "{LINE}Client connecting to {host}, {name} port {port}"
        );
        if let (true, Some(block)) = (self.is_udp(), self.block) {
            let rate = self.rate.filter(|rate| *rate > 0);
            #[expect(clippy::cast_precision_loss, reason = "shown with two places")]
            let gap = rate.map_or(0.0, |rate| f64::from(block) * 8e6 / rate as f64);
            let _ = writeln!(
                text,
                "Sending {block} byte datagrams, IPG target: {gap:.2} us (kalman adjust)"
            );
        }
        if let Some(name) = &self.congestion {
            let _ = writeln!(text, "TCP congestion control set to {name}");
        }
        text.push_str(&window_line(&self.printing, send));
        text + LINE
    }

    fn interval(&mut self, report: &IntervalReport, time: &str) -> String {
        if !self.printing.intervals {
            return String::new();
        }
        let mut rows = Vec::new();
        for row in &report.rows {
            let sent = row.direction == StreamDirection::ToServer;
            if let Some(stream) = self.streams.get(&row.id) {
                let figures = TrafficFigures {
                    bytes: row.bytes,
                    seconds: report.end - report.start,
                    retransmits: None,
                    datagrams: row.datagrams,
                };
                rows.push((*stream, sent, figures));
            }
        }
        self.rows(&rows, report.start, Some(report.end), time)
    }

    /// Rows of streams, and their sum if there are several.
    fn rows(
        &mut self,
        rows: &[(ShownStream, bool, TrafficFigures)],
        start: f64,
        end: Option<f64>,
        time: &str,
    ) -> String {
        let mut text = String::new();
        for (stream, sent, figures) in rows {
            let end = end.unwrap_or(figures.seconds);
            if self.printing.values {
                let (from, to) = if *sent {
                    (stream.local, stream.peer)
                } else {
                    (stream.peer, stream.local)
                };
                text.push_str(
                    &CsvRow {
                        time,
                        from,
                        to,
                        number: stream.number,
                        start,
                        end,
                        figures: *figures,
                    }
                    .show(),
                );
                continue;
            }
            let columns = if self.is_udp() && !sent {
                RowColumns::Loss
            } else {
                RowColumns::Plain
            };
            if self.head != Some(columns) {
                self.head = Some(columns);
                text.push_str(columns.head());
            }
            let row = Iperf2Row {
                number: Some(stream.number),
                reversed: stream.reversed,
                start,
                end,
                figures: *figures,
            };
            if !self.printing.only_sums || rows.len() == 1 {
                text.push_str(&row.show(columns, self.printing.unit));
            }
        }
        let replies = [TrafficPattern::BothAtOnce, TrafficPattern::InTurns];
        let least = if replies.contains(&self.pattern) {
            3
        } else {
            2
        };
        if rows.len() >= least && !self.printing.values {
            let parts: Vec<TrafficFigures> = rows.iter().map(|(_, _, figures)| *figures).collect();
            let figures = TrafficFigures::sum(&parts);
            let row = Iperf2Row {
                number: None,
                reversed: false,
                start,
                end: end.unwrap_or(figures.seconds),
                figures,
            };
            text.push_str(&row.show(RowColumns::Plain, self.printing.unit));
        }
        text
    }

    /// The end of the test.
    pub fn end(&mut self, report: &ClientReport, time: &str) -> String {
        let mut text = String::new();
        let streams: Vec<&StreamSummary> =
            report.tests.iter().flat_map(|test| &test.streams).collect();
        let mut rows = Vec::new();
        for stream in &streams {
            let sent = stream.direction == StreamDirection::ToServer;
            let figures = if sent { stream.sent } else { stream.received };
            if let (Some(shown), Some(figures)) = (self.streams.get(&stream.id), figures) {
                rows.push((*shown, sent, figures));
            }
        }
        text.push_str(&self.rows(&rows, 0.0, None, time));
        if !self.is_udp() || self.printing.values {
            return text;
        }
        let mut datagrams = 0;
        let mut senders = 0_u32;
        for (stream, sent, figures) in &rows {
            if let (true, Some(counted)) = (*sent, figures.datagrams) {
                senders += 1;
                datagrams += counted.packets;
                let _ = writeln!(
                    text,
                    "[{:3}] Sent {} datagrams",
                    stream.number, counted.packets
                );
            }
        }
        if senders > 1 {
            let _ = writeln!(text, "[SUM-{senders}] Sent {datagrams} datagrams");
        }
        for stream in streams {
            let (Some(shown), StreamDirection::ToServer) =
                (self.streams.get(&stream.id), stream.direction)
            else {
                continue;
            };
            let number = shown.number;
            match stream.received {
                Some(figures) => {
                    let _ = writeln!(text, "[{number:3}] Server Report:");
                    text.push_str(RowColumns::Loss.head());
                    let row = Iperf2Row {
                        number: Some(number),
                        reversed: false,
                        start: 0.0,
                        end: figures.seconds,
                        figures,
                    };
                    text.push_str(&row.show(RowColumns::Loss, self.printing.unit));
                }
                None if self.pattern == TrafficPattern::FullDuplex => {}
                None => {
                    let _ = writeln!(
                        text,
                        "[{number:3}] WARNING: did not receive ack of last datagram after 10 tries."
                    );
                }
            }
        }
        text
    }
}

/// The lines with which a program says that it waits.
pub(super) fn listening(printing: &Iperf2Printing, port: u16, buffer: u64) -> String {
    let name = match printing.transport {
        TransportName::Tcp => "TCP",
        TransportName::Udp => "UDP",
    };
    let window = window_line(printing, buffer);
    format!("{LINE}Server listening on {name} port {port}\n{window}{LINE}")
}

fn window_line(printing: &Iperf2Printing, buffer: u64) -> String {
    // Singular here, plural in the rows.
    let show = |bytes| {
        let text = show_amount(bytes, UnitLetter::FITTING_BYTES);
        text.trim_end_matches('s').to_owned()
    };
    let name = match printing.transport {
        TransportName::Tcp => "TCP window size",
        TransportName::Udp => "UDP buffer size",
    };
    match printing.window {
        Some(asked) if u64::from(asked) != buffer => {
            let asked = show(u64::from(asked));
            format!("{name}: {} (WARNING: requested {asked})\n", show(buffer))
        }
        Some(_) => format!("{name}: {}\n", show(buffer)),
        None => format!("{name}: {} (default)\n", show(buffer)),
    }
}

pub(super) fn connection(
    number: u32,
    local: SocketAddr,
    peer: SocketAddr,
    mark: &str,
    beginning: Option<TcpBeginning>,
) -> String {
    let ip = |ip: IpAddr| ip.to_canonical();
    let mut text = format!(
        "[{number:3}] local {} port {} connected with {} port {}{mark}",
        ip(local.ip()),
        local.port(),
        ip(peer.ip()),
        peer.port()
    );
    if let Some(known) = beginning {
        let _ = write!(
            text,
            " (icwnd/mss/irtt={}/{}/{})",
            known.congestion_window / 1024,
            known.segment_size,
            known.round_trip_us
        );
    }
    text + "\n"
}

/// The words in which iperf 2 says why there is no result.
pub fn iperf2_error_text(error: &ClientError) -> String {
    match error {
        ClientError::Refused(_) => "tcp connect failed: Connection refused".to_owned(),
        ClientError::Resolve { host, .. } => format!("{host}: Unknown host"),
        ClientError::Unreachable { why, .. } if why == "no answer" => {
            "tcp connect failed: Connection timed out".to_owned()
        }
        ClientError::Unreachable { why, .. } => format!("tcp connect failed: {why}"),
        other => other.to_string(),
    }
}
