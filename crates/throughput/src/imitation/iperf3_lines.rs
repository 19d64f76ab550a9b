//! What iperf3 prints, column for column.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use super::iperf3_version;
use super::units::{UnitLetter, show_amount, show_percent, show_speed};
use crate::client::{ClientError, ClientEvent, ClientReport, IntervalReport, IntervalRow};
use crate::client::{ClientOptions, TestLength, TrafficPattern};
use crate::server::OpenedTest;
use crate::summary::{
    DatagramFigures, StreamDirection, StreamSummary, TestSummary, TrafficFigures, TransportName,
};

const RULE: &str = "- - - - - - - - - - - - - - - - - - - - - - - - -\n";
const LINE: &str = "-----------------------------------------------------------\n";

/// What goes to the server stands above what comes from it, on both sides.
const DIRECTIONS: [StreamDirection; 2] = [StreamDirection::ToServer, StreamDirection::ToClient];

/// Writes what iperf3 says about one test.
#[derive(Clone, Debug)]
pub struct Iperf3Lines {
    at_server: bool,
    udp: bool,
    both: bool,
    /// Whether there is a stream that we send.
    sends: bool,
    unit: UnitLetter,
    verbose: bool,
    title: Option<String>,
    reverse: bool,
    head_is_due: bool,
    sockets: BTreeMap<u32, u32>,
    /// What is said of the test, for `-V`.
    terms: String,
    /// The rate of each stream, if it is limited.
    rate: Option<u64>,
}

impl Iperf3Lines {
    /// The lines of a client.
    pub fn of_client(options: &ClientOptions, unit: UnitLetter, verbose: bool) -> Self {
        let both = [TrafficPattern::BothAtOnce, TrafficPattern::FullDuplex];
        let reverse = options.pattern == TrafficPattern::Reverse;
        Self {
            at_server: false,
            udp: options.transport == TransportName::Udp,
            both: both.contains(&options.pattern),
            sends: !reverse,
            unit,
            verbose,
            title: options.title.clone(),
            reverse,
            head_is_due: true,
            sockets: BTreeMap::new(),
            terms: terms_of(options),
            rate: options.rate_limit(),
        }
    }

    /// The lines of a server about a test.
    pub fn of_server(test: &OpenedTest, unit: UnitLetter, verbose: bool) -> Self {
        let both = test.request.both;
        let mut lines = Self {
            at_server: true,
            udp: test.transport == TransportName::Udp,
            both,
            sends: both || test.request.reverse,
            unit,
            verbose,
            title: None,
            reverse: test.request.reverse,
            head_is_due: true,
            sockets: BTreeMap::new(),
            terms: String::new(),
            rate: None,
        };
        for (place, stream) in (0..).zip(&test.streams) {
            lines.sockets.insert(stream.id, lines.socket_at(place));
        }
        lines
    }

    /// The numbers of sockets that iperf3 shows as those of streams.
    fn socket_at(&self, place: u32) -> u32 {
        match (self.at_server, self.udp) {
            (false, _) => 5 + 2 * place,
            (true, true) => 5 + place,
            (true, false) => 5 + 2 * place + u32::from(place > 0),
        }
    }

    /// The lines of a server whose test has its streams.
    pub fn opened(&self, test: &OpenedTest) -> String {
        let peer = test.peer;
        let mut text = format!(
            "Accepted connection from {}, port {}\n",
            peer.ip().to_canonical(),
            peer.port()
        );
        for stream in &test.streams {
            let number = self.sockets.get(&stream.id).copied().unwrap_or(0);
            text.push_str(&connection(number, stream.local, stream.peer));
        }
        text
    }

    /// The lines of a client for what happens.
    pub fn event(&mut self, event: &ClientEvent, system: &str, time: &str) -> String {
        let text = match event {
            ClientEvent::Connected {
                server,
                streams,
                cookie,
                segment_size,
                block,
                ..
            } => {
                let host = server.ip().to_canonical();
                let mut text = String::new();
                if self.verbose {
                    let _ = writeln!(text, "{}\n{system}", iperf3_version());
                    if let Some(segment) = segment_size {
                        let _ = writeln!(text, "Control connection MSS {segment}");
                    }
                    if self.udp {
                        let _ = writeln!(text, "Setting UDP block size to {block}");
                    }
                    let _ = writeln!(text, "Time: {time}");
                }
                let _ = writeln!(text, "Connecting to host {host}, port {}", server.port());
                if self.reverse {
                    let _ = writeln!(text, "Reverse mode, remote host {host} is sending");
                }
                if self.verbose {
                    if let Some(cookie) = cookie {
                        let _ = writeln!(text, "      Cookie: {cookie}");
                    }
                    if let (Some(segment), false) = (segment_size, self.udp) {
                        let _ = writeln!(text, "      TCP MSS: {segment} (default)");
                    }
                    if let Some(rate) = self.rate {
                        let _ = writeln!(text, "      Target Bitrate: {rate}");
                    }
                }
                for (place, (id, local)) in (0..).zip(streams) {
                    let number = self.socket_at(place);
                    self.sockets.insert(*id, number);
                    text.push_str(&connection(number, Some(*local), Some(*server)));
                }
                if self.verbose {
                    let protocol = if self.udp { "UDP" } else { "TCP" };
                    let _ = writeln!(
                        text,
                        "Starting Test: protocol: {protocol}, {}",
                        self.terms.replacen("{}", &block.to_string(), 1)
                    );
                }
                text
            }
            ClientEvent::ConnectedBack { .. } => return String::new(),
            ClientEvent::Interval(report) => return self.interval(report),
        };
        self.titled(&text)
    }

    /// The rows of an interval.
    pub fn interval(&mut self, report: &IntervalReport) -> String {
        let mut text = String::new();
        let several = report.rows.len() > if self.both { 2 } else { 1 };
        if std::mem::take(&mut self.head_is_due) {
            text.push_str(&self.head(true));
        } else if several {
            text.push_str(RULE);
        }
        for direction in DIRECTIONS {
            let rows: Vec<&IntervalRow> = report
                .rows
                .iter()
                .filter(|row| row.direction == direction)
                .collect();
            for row in &rows {
                let number = self.sockets.get(&row.id).copied().unwrap_or(row.id);
                text.push_str(&self.row(&format!("{number:3}"), report, row));
            }
            if rows.len() > 1 {
                text.push_str(&self.row("SUM", report, &IntervalRow::sum(&rows)));
            }
        }
        self.titled(&text)
    }

    fn is_sent(&self, direction: StreamDirection) -> bool {
        (direction == StreamDirection::ToServer) != self.at_server
    }

    fn role(&self, sent: bool) -> &'static str {
        match (self.both, sent, self.at_server) {
            (false, _, _) => "",
            (true, true, false) => "[TX-C]",
            (true, false, false) => "[RX-C]",
            (true, true, true) => "[TX-S]",
            (true, false, true) => "[RX-S]",
        }
    }

    fn head(&self, of_intervals: bool) -> String {
        let role = if self.both { "[Role]" } else { "" };
        let columns = match (self.udp, self.sends, of_intervals) {
            (true, true, true) if !self.both => "         Total Datagrams",
            (true, _, _) => "         Jitter    Lost/Total Datagrams",
            (false, true, true) => "         Retr  Cwnd",
            (false, true, false) => "         Retr",
            (false, false, true) => "",
            (false, false, false) => {
                if self.at_server {
                    ""
                } else {
                    "         Retr"
                }
            }
        };
        format!("[ ID]{role} Interval           Transfer     Bitrate{columns}\n")
    }

    fn row(&self, id: &str, report: &IntervalReport, row: &IntervalRow) -> String {
        let sent = self.is_sent(row.direction);
        let seconds = report.end - report.start;
        let mut text = self.start_of_row(id, sent, report.start, report.end, row.bytes, seconds);
        match (row.datagrams, sent) {
            (Some(datagrams), true) if self.both => {
                let _ = write!(text, "            {}  ", datagrams.packets);
            }
            (Some(datagrams), true) => {
                let _ = write!(text, "  {}  ", datagrams.packets);
            }
            (Some(datagrams), false) => text.push_str(&loss(&datagrams)),
            (None, true) => match row.congestion_window {
                Some(window) => {
                    let again = row.retransmits.unwrap_or(0);
                    let window = show_amount(window, UnitLetter::FITTING_BYTES);
                    let _ = write!(text, "  {again:3}   {window}       ");
                }
                None => {
                    let _ = write!(text, "  {:3}             ", row.retransmits.unwrap_or(0));
                }
            },
            (None, false) => text.push_str("                  "),
        }
        text.push_str(if report.omitted { "(omitted)\n" } else { "\n" });
        text
    }

    fn start_of_row(
        &self,
        id: &str,
        sent: bool,
        start: f64,
        end: f64,
        bytes: u64,
        seconds: f64,
    ) -> String {
        format!(
            "[{id}]{} {start:6.2}-{end:<6.2} sec  {}  {}",
            self.role(sent),
            show_amount(bytes, UnitLetter::FITTING_BYTES),
            show_speed(bytes, seconds, self.unit)
        )
    }

    /// The end of a client's test.
    pub fn client_end(&self, report: &ClientReport) -> String {
        let mut text = String::from(RULE);
        if self.verbose {
            text.push_str("Test Complete. Summary Results:\n");
        }
        text.push_str(&self.head(false));
        let Some(test) = report.tests.first() else {
            return self.titled(&text);
        };
        let is_whole = !report.is_interrupted();
        for direction in DIRECTIONS {
            text.push_str(&self.end_rows(test, direction, is_whole));
            let any = test.streams.iter().any(|one| one.direction == direction);
            if self.verbose && any && direction == self.first_direction() {
                text.push_str(&self.verbose_end(test));
            }
        }
        if let Some(output) = &test.peer_output {
            let _ = write!(text, "\nServer output:\n{output}\n");
        }
        if !report.is_interrupted() {
            text.push_str("\niperf Done.\n");
        }
        self.titled(&text)
    }

    fn first_direction(&self) -> StreamDirection {
        if self.reverse {
            StreamDirection::ToClient
        } else {
            StreamDirection::ToServer
        }
    }

    fn verbose_end(&self, test: &TestSummary) -> String {
        let mut text = String::new();
        let [total, user, system] = test.cpu_percent;
        let [peer_total, peer_user, peer_system] = test.peer_cpu_percent.unwrap_or_default();
        let (here, there) = if self.reverse {
            ("receiver", "sender")
        } else {
            ("sender", "receiver")
        };
        let _ = writeln!(
            text,
            "CPU Utilization: local/{here} {total:.1}% ({user:.1}%u/{system:.1}%s), \
             remote/{there} {peer_total:.1}% ({peer_user:.1}%u/{peer_system:.1}%s)"
        );
        let (ours, theirs) = (&test.congestion, &test.peer_congestion);
        let (sender, receiver) = if self.reverse {
            (theirs, ours)
        } else {
            (ours, theirs)
        };
        if !self.udp {
            for (name, algorithm) in [("snd", sender), ("rcv", receiver)] {
                if let Some(algorithm) = algorithm {
                    let _ = writeln!(text, "{name}_tcp_congestion {algorithm}");
                }
            }
        }
        text
    }

    /// The end of a server's test.
    pub fn server_end(&self, test: &TestSummary) -> String {
        let mut text = String::from(RULE);
        text.push_str(&self.head(false));
        for direction in DIRECTIONS {
            text.push_str(&self.end_rows(test, direction, true));
        }
        text
    }

    fn end_rows(&self, test: &TestSummary, direction: StreamDirection, is_whole: bool) -> String {
        let mut text = String::new();
        let streams: Vec<&StreamSummary> = test
            .streams
            .iter()
            .filter(|stream| stream.direction == direction)
            .collect();
        for stream in &streams {
            let number = self.sockets.get(&stream.id).copied().unwrap_or(stream.id);
            let id = format!("{number:3}");
            let (sent, received) = sides_of(stream, is_whole);
            text.push_str(&self.end_pair(&id, direction, sent, received));
        }
        if streams.len() > 1 {
            let sides = streams.iter().map(|stream| sides_of(stream, is_whole));
            let (sent, received): (Vec<_>, Vec<_>) = sides.unzip();
            let sent: Option<Vec<_>> = sent.into_iter().collect();
            let received: Option<Vec<_>> = received.into_iter().collect();
            let sum = |parts: Option<Vec<_>>| parts.map(|parts| TrafficFigures::sum(&parts));
            text.push_str(&self.end_pair("SUM", direction, sum(sent), sum(received)));
        }
        text
    }

    fn end_pair(
        &self,
        id: &str,
        direction: StreamDirection,
        sent: Option<TrafficFigures>,
        received: Option<TrafficFigures>,
    ) -> String {
        let ours = self.is_sent(direction);
        let mut text = String::new();
        for (figures, who) in [(sent, "sender"), (received, "receiver")] {
            // A server knows its own side only.
            if self.at_server && ours != (who == "sender") {
                continue;
            }
            let Some(figures) = figures else { continue };
            let seconds = figures.seconds;
            text.push_str(&self.start_of_row(id, ours, 0.0, seconds, figures.bytes, seconds));
            match (figures.datagrams, who) {
                (Some(datagrams), _) => {
                    let jitter_ms = if who == "sender" {
                        0.0
                    } else {
                        datagrams.jitter_ms
                    };
                    text.push_str(&loss(&DatagramFigures {
                        jitter_ms,
                        lost: if who == "sender" { 0 } else { datagrams.lost },
                        ..datagrams
                    }));
                }
                (None, "sender") => {
                    let _ = write!(
                        text,
                        "  {:3}             ",
                        figures.retransmits.unwrap_or(0)
                    );
                }
                (None, _) => text.push_str("                  "),
            }
            let _ = writeln!(text, "{who}");
        }
        text
    }

    fn titled(&self, text: &str) -> String {
        let Some(title) = &self.title else {
            return text.to_owned();
        };
        let lines = text.lines().map(|line| format!("{title}:  {line}\n"));
        lines.collect()
    }

    /// The lines with which a server waits for its test of a number.
    pub fn listening(port: u16, number: u64) -> String {
        format!("{LINE}Server listening on {port} (test #{number})\n{LINE}")
    }
}

fn connection(number: u32, local: Option<SocketAddr>, peer: Option<SocketAddr>) -> String {
    let (Some(local), Some(peer)) = (local, peer) else {
        return String::new();
    };
    format!(
        "[{number:3}] local {} port {} connected to {} port {}\n",
        local.ip().to_canonical(),
        local.port(),
        peer.ip().to_canonical(),
        peer.port()
    )
}

fn loss(datagrams: &DatagramFigures) -> String {
    format!(
        "  {:5.3} ms  {}/{} ({}%)  ",
        datagrams.jitter_ms,
        datagrams.lost,
        datagrams.packets,
        show_percent(datagrams.lost_percent())
    )
}

/// What `-V` says of a test; the place of the block size is left open.
fn terms_of(options: &ClientOptions) -> String {
    let length = match options.length {
        TestLength::Time(time) => format!("{} second test", time.as_secs()),
        TestLength::Bytes(bytes) => format!("{bytes} bytes to send"),
        TestLength::Blocks(blocks) => format!("{blocks} blocks to send"),
    };
    format!(
        "{} streams, {{}} byte blocks, omitting {} seconds, {length}, tos {}",
        options.parallel,
        options.omit.as_secs(),
        options.type_of_service
    )
}

/// The words in which iperf3 says why there is no result; scripts look for some of them.
pub fn iperf3_error_text(error: &ClientError) -> String {
    match error {
        ClientError::Refused(_) => "unable to connect to server: Connection refused".to_owned(),
        ClientError::Resolve { why, .. } => {
            let why = why.trim_start_matches("failed to lookup address information: ");
            format!("unable to connect to server: {why}")
        }
        ClientError::Unreachable { why, .. } if why == "no answer" => {
            "unable to connect to server: Connection timed out".to_owned()
        }
        ClientError::Unreachable { why, .. } => format!("unable to connect to server: {why}"),
        ClientError::Busy(_) => "the server is busy running a test. try again later".to_owned(),
        ClientError::Closed(_) => "control socket has closed unexpectedly".to_owned(),
        ClientError::Interrupted(_) => "the server has terminated".to_owned(),
        other => other.to_string(),
    }
}
/// What both sides counted. Of the other side of a test that was interrupted nothing was heard, which iperf3 writes
/// as zero.
fn sides_of(
    stream: &StreamSummary,
    is_whole: bool,
) -> (Option<TrafficFigures>, Option<TrafficFigures>) {
    let zero = |other: TrafficFigures| TrafficFigures {
        seconds: other.seconds,
        retransmits: other.retransmits.map(|_| 0),
        datagrams: other.datagrams.map(|_| DatagramFigures::default()),
        ..TrafficFigures::default()
    };
    match (stream.sent, stream.received) {
        (sent, received) if is_whole => (sent, received),
        (sent, received) => (
            sent.or_else(|| received.map(zero)),
            received.or_else(|| sent.map(zero)),
        ),
    }
}
