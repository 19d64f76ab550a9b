//! Results as text for people, in the rows that scripts have always parsed: the columns of iperf3.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::client::{ClientEvent, ClientReport, IntervalReport, IntervalRow};
use crate::limiter::{LimiterAnswer, LimiterCertainty, LimiterKind, milliseconds};
use crate::quantity::{show_bytes, show_rate};
use crate::server::OpenedTest;
use crate::summary::{
    DatagramFigures, ProtocolKind, StreamDirection, StreamSummary, TestOutcome, TestSummary,
    TrafficFigures, TransportName,
};

const RULE: &str = "- - - - - - - - - - - - - - - - - - - - - - - - -\n";

/// Writes what a client says while it runs.
#[derive(Clone, Debug)]
pub struct ClientText {
    udp: bool,
    both: bool,
    head_is_due: bool,
    /// The highest rate so far, if rates are drawn.
    plot: Option<f64>,
}

impl ClientText {
    /// For a test over a transport; with both directions at once, rows say which one they are of.
    pub fn new(transport: TransportName, both: bool) -> Self {
        Self {
            udp: transport == TransportName::Udp,
            both,
            head_is_due: true,
            plot: None,
        }
    }

    /// Draws the rate of each interval beside its row.
    #[must_use]
    pub fn with_plot(mut self) -> Self {
        self.plot = Some(0.0);
        self
    }

    /// The text of an event.
    pub fn event(&mut self, event: &ClientEvent) -> String {
        match event {
            ClientEvent::Connected {
                protocol,
                server,
                streams,
                ..
            } => {
                self.head_is_due = true;
                let mut text = String::new();
                let name = protocol_name(*protocol);
                let (ip, port) = (server.ip(), server.port());
                let _ = writeln!(text, "Connecting to host {ip}, port {port} ({name})");
                for (id, local) in streams {
                    let (from, number) = (local.ip(), local.port());
                    let _ = writeln!(
                        text,
                        "[{id:3}] local {from} port {number} connected to {ip} port {port}"
                    );
                }
                text
            }
            ClientEvent::ConnectedBack { streams } => {
                let mut text = String::new();
                for (id, local, peer) in streams {
                    let _ = writeln!(
                        text,
                        "[{id:3}] local {} port {} connected from {} port {}",
                        local.ip(),
                        local.port(),
                        peer.ip(),
                        peer.port()
                    );
                }
                text
            }
            ClientEvent::Interval(report) => self.interval(report),
        }
    }

    fn interval(&mut self, report: &IntervalReport) -> String {
        self.widen_scale(report);
        let mut text = String::new();
        let sends = report
            .rows
            .iter()
            .any(|row| row.direction == StreamDirection::ToServer);
        if std::mem::take(&mut self.head_is_due) {
            text.push_str(&self.head(sends));
        } else if report.rows.len() > 1 {
            text.push_str(RULE);
        }
        for row in &report.rows {
            text.push_str(&self.row(report, &format!("{:3}", row.id), row));
        }
        for direction in [StreamDirection::ToServer, StreamDirection::ToClient] {
            let these = report.rows.iter().filter(|row| row.direction == direction);
            let rows: Vec<&IntervalRow> = these.collect();
            if rows.len() > 1 {
                text.push_str(&self.row(report, "SUM", &IntervalRow::sum(&rows)));
            }
        }
        text
    }

    fn head(&self, sends: bool) -> String {
        let role = if self.both { "[Role]" } else { "" };
        let columns = match (self.udp, sends) {
            (true, true) => "  Total Datagrams",
            (true, false) => "  Jitter    Lost/Total Datagrams",
            (false, true) => "  Retr  Cwnd",
            (false, false) => "",
        };
        format!("[ ID]{role} Interval           Transfer     Bitrate       {columns}\n")
    }

    fn row(&self, report: &IntervalReport, id: &str, row: &IntervalRow) -> String {
        let sends = row.direction == StreamDirection::ToServer;
        let seconds = report.end - report.start;
        let figures = TrafficFigures {
            bytes: row.bytes,
            seconds,
            retransmits: row.retransmits,
            datagrams: row.datagrams,
        };
        let mut text = self.start_of_row(id, sends, report.start, report.end, &figures);
        match (row.datagrams, sends) {
            (Some(datagrams), true) => {
                let _ = write!(text, "  {}", datagrams.packets);
            }
            (Some(datagrams), false) => text.push_str(&loss(&datagrams)),
            (None, true) => {
                if let Some(retransmits) = row.retransmits {
                    let _ = write!(text, "  {retransmits:4}");
                }
                if let Some(window) = row.congestion_window {
                    let _ = write!(text, "  {:>11}", show_bytes(window));
                }
                if let Some(time) = row.round_trip_us {
                    let _ = write!(text, "  rtt {} ms", milliseconds(time));
                }
            }
            (None, false) => {}
        }
        if report.omitted {
            text.push_str("  (omitted)");
        }
        if let Some(highest) = self.plot {
            let width = text.chars().count();
            text.push_str(&" ".repeat(PLOT_COLUMN.saturating_sub(width).max(2)));
            text.push_str(&bar(figures.bits_per_second(), highest));
        }
        text.push('\n');
        text
    }

    /// Takes the rates of an interval into the scale of the bars.
    fn widen_scale(&mut self, report: &IntervalReport) {
        let Some(highest) = &mut self.plot else {
            return;
        };
        let seconds = report.end - report.start;
        for direction in [StreamDirection::ToServer, StreamDirection::ToClient] {
            let rows = report.rows.iter().filter(|row| row.direction == direction);
            let bytes = rows.map(|row| row.bytes).sum();
            let figures = TrafficFigures {
                bytes,
                seconds,
                ..TrafficFigures::default()
            };
            *highest = highest.max(figures.bits_per_second());
        }
    }

    fn start_of_row(
        &self,
        id: &str,
        sends: bool,
        start: f64,
        end: f64,
        figures: &TrafficFigures,
    ) -> String {
        let role = match (self.both, sends) {
            (false, _) => "",
            (true, true) => "[TX-C]",
            (true, false) => "[RX-C]",
        };
        format!(
            "[{id}]{role} {start:6.2}-{end:<6.2} sec  {:>11}  {:>14}",
            show_bytes(figures.bytes),
            show_rate(figures.bits_per_second())
        )
    }

    /// The figures at the end.
    pub fn report(&self, report: &ClientReport) -> String {
        let mut text = String::from(RULE);
        let columns = if self.udp {
            "  Jitter    Lost/Total Datagrams"
        } else {
            "  Retr"
        };
        let role = if self.both { "[Role]" } else { "" };
        let _ = writeln!(
            text,
            "[ ID]{role} Interval           Transfer     Bitrate       {columns}"
        );
        for test in &report.tests {
            for stream in &test.streams {
                let id = format!("{:3}", stream.id);
                text.push_str(&self.end_rows(&id, stream.direction, stream.sent, stream.received));
            }
            for direction in [StreamDirection::ToServer, StreamDirection::ToClient] {
                let these = test
                    .streams
                    .iter()
                    .filter(|stream| stream.direction == direction);
                let streams: Vec<&StreamSummary> = these.collect();
                if streams.len() > 1 {
                    let (sent, received) = sums(&streams);
                    text.push_str(&self.end_rows("SUM", direction, sent, received));
                }
            }
        }
        for test in &report.tests {
            if let Some(answer) = &test.limiter {
                text.push_str(&limiter_lines(answer));
            }
        }
        text
    }

    fn end_rows(
        &self,
        id: &str,
        direction: StreamDirection,
        sent: Option<TrafficFigures>,
        received: Option<TrafficFigures>,
    ) -> String {
        let mut text = String::new();
        let ours = direction == StreamDirection::ToServer;
        for (figures, who) in [(sent, "sender"), (received, "receiver")] {
            let Some(figures) = figures else { continue };
            text.push_str(&self.start_of_row(id, ours, 0.0, figures.seconds, &figures));
            match (figures.datagrams, figures.retransmits) {
                (Some(datagrams), _) => text.push_str(&loss(&datagrams)),
                (None, Some(retransmits)) => {
                    let _ = write!(text, "  {retransmits:4}");
                }
                (None, None) => text.push_str("      "),
            }
            let _ = writeln!(text, "  {who}");
        }
        if received.is_none() && ours {
            let _ = writeln!(text, "[{id}] the server does not say what it received");
        }
        text
    }
}

/// Where the bars of a plot begin.
const PLOT_COLUMN: usize = 86;
/// How long they are at most.
const PLOT_WIDTH: u32 = 30;

/// A bar whose length is the part of the highest rate.
fn bar(rate: f64, highest: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if highest <= 0.0 {
        return String::new();
    }
    let eighths = (rate / highest).clamp(0.0, 1.0) * f64::from(PLOT_WIDTH * 8);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "bounded by the width"
    )]
    let eighths = eighths.round() as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// What limited a test, in words.
pub(crate) fn limiter_sentence(answer: &LimiterAnswer) -> String {
    let what = match answer.limiter {
        LimiterKind::AskedRate => "the rate asked for",
        LimiterKind::Link => "the rate of the link",
        LimiterKind::CpuQuota => "the CPU quota of this side",
        LimiterKind::SenderCpu => "the CPU of the sender",
        LimiterKind::ReceiverCpu => "the CPU of the receiver",
        LimiterKind::ReceiveWindow => "the window of the receiver",
        LimiterKind::SendBuffer => "the send buffer",
        LimiterKind::Loss => "loss on the way",
        LimiterKind::ReceivingHost => "the buffer of the receiving host",
        LimiterKind::Path => "the capacity of the path",
        LimiterKind::Unknown => "unknown",
    };
    let sure = if answer.certainty == LimiterCertainty::Probably {
        ", probably"
    } else {
        ""
    };
    format!("{what}{sure} ({})", answer.because)
}

/// What limited a test, and what to do, for people.
fn limiter_lines(answer: &LimiterAnswer) -> String {
    let mut text = format!("\nlimited by: {}\n", limiter_sentence(answer));
    if let Some(advice) = answer.advice {
        let _ = writeln!(text, "  → {advice}");
    }
    if let (Some(idle), Some(loaded)) = (answer.idle_round_trip_us, answer.loaded_round_trip_us) {
        let (idle, loaded) = (milliseconds(idle), milliseconds(loaded));
        let _ = writeln!(text, "round trip: {idle} ms idle, {loaded} ms loaded");
    }
    text
}

fn protocol_name(protocol: ProtocolKind) -> &'static str {
    match protocol {
        ProtocolKind::Iperf2 => "iperf 2",
        ProtocolKind::Iperf3 => "iperf3",
    }
}

fn loss(datagrams: &DatagramFigures) -> String {
    let mut text = format!(
        "  {:.3} ms  {}/{} ({:.2}%)",
        datagrams.jitter_ms,
        datagrams.lost,
        datagrams.packets,
        datagrams.lost_percent()
    );
    if let Some(drops) = datagrams.lost_in_host.filter(|drops| *drops > 0) {
        let _ = write!(text, ", at least {drops} of them lost in this host");
    }
    text
}

/// The sums of what both sides counted; a sum that lacks a part is unknown.
fn sums(streams: &[&StreamSummary]) -> (Option<TrafficFigures>, Option<TrafficFigures>) {
    let sum = |parts: Option<Vec<TrafficFigures>>| parts.map(|parts| TrafficFigures::sum(&parts));
    let sent = streams.iter().map(|stream| stream.sent).collect();
    let received = streams.iter().map(|stream| stream.received).collect();
    (sum(sent), sum(received))
}

/// The line of a server for a test that begins.
pub fn server_start(test: &OpenedTest) -> String {
    let transport = match test.transport {
        TransportName::Tcp => "TCP",
        TransportName::Udp => "UDP",
    };
    let name = protocol_name(test.protocol);
    format!("{}: {name}, {transport}, begins\n", test.peer)
}

/// The rows of a server for a test that is over.
pub fn server_report(summary: &TestSummary) -> String {
    let mut text = String::new();
    let transport = match summary.transport {
        TransportName::Tcp => "TCP",
        TransportName::Udp => "UDP",
    };
    let name = protocol_name(summary.protocol);
    let peer = summary.peer;
    let _ = writeln!(
        text,
        "{peer}: {name}, {transport}, {}",
        outcome_words(&summary.outcome)
    );
    for stream in &summary.streams {
        let (figures, who) = match stream.direction {
            StreamDirection::ToServer => (stream.received, "receiver"),
            StreamDirection::ToClient => (stream.sent, "sender"),
        };
        let Some(figures) = figures else { continue };
        text.push_str(&server_row(&format!("{:3}", stream.id), &figures, who));
    }
    for (direction, who) in [
        (StreamDirection::ToServer, "receiver"),
        (StreamDirection::ToClient, "sender"),
    ] {
        let these = summary
            .streams
            .iter()
            .filter(|stream| stream.direction == direction);
        let streams: Vec<&StreamSummary> = these.collect();
        if streams.len() > 1 {
            let (sent, received) = sums(&streams);
            let figures = if who == "sender" { sent } else { received };
            if let Some(figures) = figures {
                text.push_str(&server_row("SUM", &figures, who));
            }
        }
    }
    text
}

fn server_row(id: &str, figures: &TrafficFigures, who: &str) -> String {
    let mut text = format!(
        "[{id}] {:6.2}-{:<6.2} sec  {:>11}  {:>14}",
        0.0,
        figures.seconds,
        show_bytes(figures.bytes),
        show_rate(figures.bits_per_second())
    );
    if let Some(datagrams) = figures.datagrams.filter(|_| who == "receiver") {
        text.push_str(&loss(&datagrams));
    }
    let _ = writeln!(text, "  {who}");
    text
}

/// The row for a connection that closed without a byte: scripts wait for one to see that a server
/// is there.
pub fn bare_connection(peer: SocketAddr) -> String {
    let row = server_row("  1", &TrafficFigures::default(), "receiver");
    format!("{peer}: a connection without data\n{row}")
}

fn outcome_words(outcome: &TestOutcome) -> String {
    match outcome {
        TestOutcome::Complete => "complete".to_owned(),
        TestOutcome::PeerVanished => "cut off: the client is gone".to_owned(),
        TestOutcome::PeerSilent => "cut off: the client fell silent".to_owned(),
        TestOutcome::PeerInterrupted => "cut off: the client was interrupted".to_owned(),
        TestOutcome::Interrupted => "cut off: the server was interrupted".to_owned(),
        TestOutcome::Refused(why) => format!("refused: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> TestSummary {
        let address: SocketAddr = "192.0.2.1:40000".parse().expect("an address");
        TestSummary {
            protocol: ProtocolKind::Iperf3,
            transport: TransportName::Udp,
            local: address,
            peer: address,
            title: None,
            streams: vec![StreamSummary {
                id: 1,
                direction: StreamDirection::ToServer,
                local: None,
                peer: None,
                sent: None,
                received: Some(TrafficFigures {
                    bytes: 12_500_000,
                    seconds: 10.0,
                    retransmits: None,
                    datagrams: Some(DatagramFigures {
                        packets: 8928,
                        lost: 89,
                        lost_in_host: Some(80),
                        out_of_order: 0,
                        jitter_ms: 0.0125,
                    }),
                }),
            }],
            cpu_percent: [0.0; 3],
            peer_cpu_percent: None,
            congestion: None,
            peer_congestion: None,
            limiter: None,
            peer_output: None,
            peer_document: None,
            outcome: TestOutcome::Complete,
        }
    }

    #[test]
    fn the_row_of_a_server_tells_loss_here_from_loss_on_the_way() {
        assert_eq!(
            server_report(&summary()),
            "192.0.2.1:40000: iperf3, UDP, complete\n\
             [  1]   0.00-10.00  sec  11.9 MBytes  10.0 Mbits/sec  0.013 ms  89/8928 (1.00%), \
             at least 80 of them lost in this host  receiver\n"
        );
    }

    #[test]
    fn the_rate_is_the_seventh_word_of_a_row() {
        let mut client = summary();
        client.streams[0].sent = client.streams[0].received;
        let report = ClientReport {
            server: client.peer,
            protocol: client.protocol,
            tests: vec![client],
            intervals: vec![],
        };
        let text = ClientText::new(TransportName::Tcp, false).report(&report);
        let row = text
            .lines()
            .find(|line| line.ends_with("receiver"))
            .expect("a row");
        let words: Vec<&str> = row.split_whitespace().collect();
        assert_eq!(words[6..8], ["10.0", "Mbits/sec"]);
    }
}
