//! Results as the JSON that `iperf3 -J` prints, key for key, for scripts that read it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::client::{ClientEvent, ClientOptions, ClientReport, IntervalReport, IntervalRow};
use crate::client::{TestLength, TrafficPattern};
use crate::server::OpenedTest;
use crate::summary::{
    DatagramFigures, StreamDirection, StreamSummary, TrafficFigures, TransportName, as_float,
};

/// Collects what the document needs while a test runs.
#[derive(Clone, Debug)]
pub struct Iperf3Document {
    start: Map<String, Value>,
    /// What stands beside the three parts.
    more: Map<String, Value>,
    at_server: bool,
    udp: bool,
    reverse: bool,
    sockets: BTreeMap<u32, u32>,
    options: ClientOptions,
}

/// The number of the first stream's socket in iperf3, which scripts take for a name.
const FIRST_SOCKET: u32 = 5;

impl Iperf3Document {
    /// Begins at so many seconds since 1970, on a system with a name.
    pub fn new(options: &ClientOptions, seconds: u64, system: &str) -> Self {
        let mut start = Map::new();
        start.insert("connected".to_owned(), json!([]));
        let version = format!("surefoot {}", env!("CARGO_PKG_VERSION"));
        start.insert("version".to_owned(), json!(version));
        start.insert("system_info".to_owned(), json!(system));
        start.insert(
            "timestamp".to_owned(),
            json!({"time": http_date(seconds), "timesecs": seconds}),
        );
        let port = options.port.unwrap_or(5201);
        let address = json!({"host": options.host, "port": port});
        start.insert("connecting_to".to_owned(), address);
        let mut more = Map::new();
        if let Some(title) = &options.title {
            more.insert("title".to_owned(), json!(title));
        }
        Self {
            start,
            more,
            at_server: false,
            udp: options.transport == TransportName::Udp,
            reverse: options.pattern == TrafficPattern::Reverse,
            sockets: BTreeMap::new(),
            options: options.clone(),
        }
    }

    /// Begins for a test of a server.
    pub fn of_server(test: &OpenedTest, seconds: u64, system: &str) -> Self {
        let request = &test.request;
        let options = ClientOptions {
            transport: test.transport,
            pattern: match (request.both, request.reverse) {
                (true, _) => TrafficPattern::BothAtOnce,
                (false, true) => TrafficPattern::Reverse,
                (false, false) => TrafficPattern::Forward,
            },
            parallel: request.parallel,
            length: match (request.bytes, request.blocks) {
                (0, 0) => TestLength::Time(Duration::from_secs(u64::from(request.seconds))),
                (0, blocks) => TestLength::Blocks(blocks),
                (bytes, _) => TestLength::Bytes(bytes),
            },
            omit: Duration::from_secs(u64::from(request.omit)),
            rate: Some(request.rate),
            window: Some(request.window),
            type_of_service: u8::try_from(request.type_of_service).unwrap_or(0),
            ..ClientOptions::new("")
        };
        let mut document = Self::new(&options, seconds, system);
        document.at_server = true;
        document.start.remove("connecting_to");
        let peer = test.peer;
        document.start.insert(
            "accepted_connection".to_owned(),
            json!({"host": peer.ip().to_canonical().to_string(), "port": peer.port()}),
        );
        let streams = test.streams.iter();
        let addresses: Vec<(u32, SocketAddr, SocketAddr)> = streams
            .map(|stream| {
                let local = stream.local.unwrap_or(test.local);
                (stream.id, local, stream.peer.unwrap_or(peer))
            })
            .collect();
        let segment = test.segment_size;
        document.open(&addresses, request.block, segment, test.buffers);
        document
            .start
            .insert("cookie".to_owned(), json!(test.cookie));
        document
    }

    /// Names another program and version than surefoot's.
    #[must_use]
    pub fn with_version(mut self, version: &str) -> Self {
        self.start.insert("version".to_owned(), json!(version));
        self
    }

    /// Repeats a text beside the three parts.
    #[must_use]
    pub fn with_extra_data(mut self, text: Option<&str>) -> Self {
        if let Some(text) = text {
            self.more.insert("extra_data".to_owned(), json!(text));
        }
        self
    }

    /// Takes what happens.
    pub fn event(&mut self, event: &ClientEvent) {
        let ClientEvent::Connected {
            server,
            streams,
            block,
            cookie,
            segment_size,
            buffers,
            ..
        } = event
        else {
            return;
        };
        let addresses: Vec<(u32, SocketAddr, SocketAddr)> = streams
            .iter()
            .map(|(id, local)| (*id, *local, *server))
            .collect();
        self.open(&addresses, *block, *segment_size, *buffers);
        self.start.insert("cookie".to_owned(), json!(cookie));
    }

    /// Takes the streams: their numbers, our addresses, the peer's.
    fn open(
        &mut self,
        streams: &[(u32, SocketAddr, SocketAddr)],
        block: u32,
        segment_size: Option<u32>,
        buffers: [u64; 2],
    ) {
        let mut connected = Vec::new();
        for (place, (id, local, remote)) in (0..).zip(streams) {
            let socket = FIRST_SOCKET + 2 * place;
            self.sockets.insert(*id, socket);
            connected.push(json!({
                "socket": socket,
                "local_host": local.ip().to_canonical().to_string(),
                "local_port": local.port(),
                "remote_host": remote.ip().to_canonical().to_string(),
                "remote_port": remote.port(),
            }));
        }
        let mut put = |key: &str, value: Value| self.start.insert(key.to_owned(), value);
        put("connected", json!(connected));
        if !self.udp {
            // Under the one name where it was asked for, under the other where it was not.
            match self.options.segment_size {
                Some(asked) => put("tcp_mss", json!(asked)),
                None => put("tcp_mss_default", json!(segment_size)),
            };
        }
        let rate = self.options.rate_limit().unwrap_or(0);
        put("target_bitrate", json!(rate));
        put("fq_rate", json!(self.options.pacing_rate.unwrap_or(0)));
        put("sock_bufsize", json!(self.options.window.unwrap_or(0)));
        put("sndbuf_actual", json!(buffers[0]));
        put("rcvbuf_actual", json!(buffers[1]));
        let (duration, bytes, blocks) = match self.options.length {
            TestLength::Time(time) => (time.as_secs(), 0, 0),
            TestLength::Bytes(bytes) => (0, bytes, 0),
            TestLength::Blocks(blocks) => (0, 0, blocks),
        };
        let both = [TrafficPattern::BothAtOnce, TrafficPattern::FullDuplex];
        put(
            "test_start",
            json!({
                "protocol": if self.udp { "UDP" } else { "TCP" },
                "num_streams": self.options.parallel,
                "blksize": block,
                "omit": self.options.omit.as_secs(),
                "duration": duration,
                "bytes": bytes,
                "blocks": blocks,
                "reverse": u8::from(self.reverse),
                "tos": self.options.type_of_service,
                "target_bitrate": rate,
                "bidir": u8::from(both.contains(&self.options.pattern)),
                "fqrate": self.options.pacing_rate.unwrap_or(0),
            }),
        );
    }

    /// The document of a test that failed.
    pub fn failure(&self, error: &str) -> Value {
        self.with_more(json!({
            "start": self.start,
            "intervals": [],
            "end": {},
            "error": error,
        }))
    }

    fn with_more(&self, mut document: Value) -> Value {
        for (key, value) in &self.more {
            document[key] = value.clone();
        }
        document
    }

    /// The document of a test.
    pub fn report(&self, report: &ClientReport) -> Value {
        let intervals: Vec<Value> = report
            .intervals
            .iter()
            .map(|one| self.interval(one))
            .collect();
        let mut document = self.with_more(json!({
            "start": self.start,
            "intervals": intervals,
            "end": self.end(report),
        }));
        if let Some(test) = report.tests.first() {
            // Debian's server goes on sending it to those who come after one that asked.
            let wanted = self.options.wants_server_output;
            if let Some(output) = test.peer_output.as_ref().filter(|_| wanted) {
                document["server_output_text"] = json!(output);
            }
            if let Some(output) = &test.peer_document {
                document["server_output_json"] = output.clone();
            }
        }
        document
    }

    /// The beginning as an event of `--json-stream`.
    pub fn start_event(&self) -> String {
        event_line("start", &json!(self.start))
    }

    /// An interval as an event of `--json-stream`.
    pub fn interval_event(&self, report: &IntervalReport) -> String {
        event_line("interval", &self.interval(report))
    }

    /// The end as an event of `--json-stream`.
    pub fn end_event(&self, report: &ClientReport) -> String {
        event_line("end", &self.end(report))
    }

    /// A failure as an event of `--json-stream`.
    pub fn error_event(error: &str) -> String {
        event_line("error", &json!(error))
    }

    /// Whether this side sends what goes in a direction.
    fn is_sent(&self, direction: StreamDirection) -> bool {
        (direction == StreamDirection::ToServer) != self.at_server
    }

    fn socket(&self, id: u32) -> u32 {
        self.sockets.get(&id).copied().unwrap_or(id)
    }

    /// The direction that iperf3 names without a suffix.
    fn first_direction(&self) -> StreamDirection {
        if self.reverse {
            StreamDirection::ToClient
        } else {
            StreamDirection::ToServer
        }
    }

    fn directions(&self) -> [(StreamDirection, &'static str); 2] {
        let first = self.first_direction();
        let second = match first {
            StreamDirection::ToServer => StreamDirection::ToClient,
            StreamDirection::ToClient => StreamDirection::ToServer,
        };
        [(first, ""), (second, "_bidir_reverse")]
    }

    fn interval(&self, report: &IntervalReport) -> Value {
        let mut interval = Map::new();
        let rows = report.rows.iter().map(|row| {
            let mut value = interval_figures(report, row, self.is_sent(row.direction));
            value.insert("socket".to_owned(), json!(self.socket(row.id)));
            let tcp = [
                ("snd_cwnd", row.congestion_window),
                ("snd_wnd", row.peer_window.map(u64::from)),
                ("rtt", row.round_trip_us.map(u64::from)),
                ("rttvar", row.round_trip_variation_us.map(u64::from)),
                ("pmtu", row.path_mtu.map(u64::from)),
            ];
            for (key, number) in tcp {
                if let Some(number) = number {
                    value.insert(key.to_owned(), json!(number));
                }
            }
            Value::Object(value)
        });
        interval.insert("streams".to_owned(), rows.collect());
        for (direction, suffix) in self.directions() {
            let these = report.rows.iter().filter(|row| row.direction == direction);
            let rows: Vec<&IntervalRow> = these.collect();
            if !rows.is_empty() {
                let row = IntervalRow::sum(&rows);
                let figures = interval_figures(report, &row, self.is_sent(direction));
                interval.insert(format!("sum{suffix}"), Value::Object(figures));
            }
        }
        Value::Object(interval)
    }

    fn end(&self, report: &ClientReport) -> Value {
        let mut end = Map::new();
        let all: Vec<&StreamSummary> = report.tests.iter().flat_map(|test| &test.streams).collect();
        let rows = all.iter().map(|stream| {
            if self.udp {
                json!({"udp": self.udp_stream(stream)})
            } else {
                json!({
                    "sender": self.tcp_side(report, stream, true),
                    "receiver": self.tcp_side(report, stream, false),
                })
            }
        });
        end.insert("streams".to_owned(), rows.collect());
        for (direction, suffix) in self.directions() {
            let these = all.iter().filter(|stream| stream.direction == direction);
            let streams: Vec<&StreamSummary> = these.copied().collect();
            if streams.is_empty() {
                continue;
            }
            let sender = self.is_sent(direction);
            let sum = |parts: Vec<Option<TrafficFigures>>| {
                TrafficFigures::sum(&parts.into_iter().flatten().collect::<Vec<_>>())
            };
            let sent = sum(streams.iter().map(|stream| stream.sent).collect());
            let received = sum(streams.iter().map(|stream| stream.received).collect());
            if self.udp {
                let heard = if received.bytes > 0 { received } else { sent };
                let total = end_figures(&heard, sender, true);
                end.insert(format!("sum{suffix}"), Value::Object(total));
            }
            let names = [
                ("sum_sent", sent, self.udp || sender),
                ("sum_received", received, !self.udp && sender),
            ];
            for (name, figures, flag) in names {
                let value = end_figures(&figures, flag, self.udp);
                end.insert(format!("{name}{suffix}"), Value::Object(value));
            }
        }
        let test = report.tests.first();
        let host = test.map_or([0.0; 3], |test| test.cpu_percent);
        let remote = test
            .and_then(|test| test.peer_cpu_percent)
            .unwrap_or_default();
        end.insert(
            "cpu_utilization_percent".to_owned(),
            json!({
                "host_total": host[0], "host_user": host[1], "host_system": host[2],
                "remote_total": remote[0], "remote_user": remote[1], "remote_system": remote[2],
            }),
        );
        if let Some(test) = test.filter(|_| !self.udp) {
            let theirs = test.peer_congestion.as_ref().or(test.congestion.as_ref());
            let (sender, receiver) = if self.reverse == self.at_server {
                (test.congestion.as_ref(), theirs)
            } else {
                (theirs, test.congestion.as_ref())
            };
            end.insert("sender_tcp_congestion".to_owned(), json!(sender));
            end.insert("receiver_tcp_congestion".to_owned(), json!(receiver));
        }
        Value::Object(end)
    }

    fn tcp_side(&self, report: &ClientReport, stream: &StreamSummary, sent: bool) -> Value {
        let figures = if sent { stream.sent } else { stream.received };
        let ours = self.is_sent(stream.direction);
        let mut value = end_figures(&figures.unwrap_or_default(), ours, false);
        value.insert("socket".to_owned(), json!(self.socket(stream.id)));
        if !sent {
            value.remove("retransmits");
            return Value::Object(value);
        }
        // Of a sender at the other end these are unknown, which iperf3 writes as 0.
        let rows = report.intervals.iter().flat_map(|interval| &interval.rows);
        let rows: Vec<&IntervalRow> = rows.filter(|row| row.id == stream.id).collect();
        let times: Vec<u32> = rows.iter().filter_map(|row| row.round_trip_us).collect();
        let total: u64 = times.iter().copied().map(u64::from).sum();
        let mean = total.checked_div(times.len() as u64).unwrap_or(0);
        let windows = rows.iter().filter_map(|row| row.congestion_window);
        let announced = rows.iter().filter_map(|row| row.peer_window);
        for (key, number) in [
            ("max_snd_cwnd", windows.max().unwrap_or(0)),
            ("max_snd_wnd", announced.max().map_or(0, u64::from)),
            ("max_rtt", times.iter().max().copied().map_or(0, u64::from)),
            ("min_rtt", times.iter().min().copied().map_or(0, u64::from)),
            ("mean_rtt", mean),
        ] {
            value.insert(key.to_owned(), json!(number));
        }
        Value::Object(value)
    }

    fn udp_stream(&self, stream: &StreamSummary) -> Value {
        let ours = self.is_sent(stream.direction);
        let sent = stream.sent.unwrap_or_default();
        let received = stream.received.unwrap_or_default();
        let base = if ours { sent } else { received };
        let figures = TrafficFigures {
            datagrams: received.datagrams.or(sent.datagrams),
            ..base
        };
        let mut value = end_figures(&figures, ours, true);
        value.insert("socket".to_owned(), json!(self.socket(stream.id)));
        let late = figures
            .datagrams
            .map_or(0, |datagrams| datagrams.out_of_order);
        value.insert("out_of_order".to_owned(), json!(late));
        Value::Object(value)
    }
}

/// A line of `--json-stream`; the name of the event comes first, where scripts look for it.
fn event_line(name: &str, data: &Value) -> String {
    format!("{{\"event\":\"{name}\",\"data\":{data}}}\n")
}

fn interval_figures(
    report: &IntervalReport,
    row: &IntervalRow,
    sender: bool,
) -> Map<String, Value> {
    let seconds = report.end - report.start;
    let rate = if seconds > 0.0 {
        as_float(row.bytes) * 8.0 / seconds
    } else {
        0.0
    };
    let mut value = Map::new();
    let mut put = |key: &str, number: Value| value.insert(key.to_owned(), number);
    put("start", json!(report.start));
    put("end", json!(report.end));
    put("seconds", json!(seconds));
    put("bytes", json!(row.bytes));
    put("bits_per_second", json!(rate));
    put("omitted", json!(report.omitted));
    put("sender", json!(sender));
    if let Some(datagrams) = row.datagrams {
        put("packets", json!(datagrams.packets));
        if !sender {
            put_loss(&mut value, &datagrams);
        }
    } else if let (Some(retransmits), true) = (row.retransmits, sender) {
        put("retransmits", json!(retransmits));
    }
    value
}

fn end_figures(figures: &TrafficFigures, sender: bool, udp: bool) -> Map<String, Value> {
    let mut value = Map::new();
    let mut put = |key: &str, number: Value| value.insert(key.to_owned(), number);
    put("start", json!(0));
    put("end", json!(figures.seconds));
    put("seconds", json!(figures.seconds));
    put("bytes", json!(figures.bytes));
    put("bits_per_second", json!(figures.bits_per_second()));
    put("sender", json!(sender));
    if udp {
        let datagrams = figures.datagrams.unwrap_or_default();
        put("packets", json!(datagrams.packets));
        put_loss(&mut value, &datagrams);
    } else if let Some(retransmits) = figures.retransmits {
        put("retransmits", json!(retransmits));
    }
    value
}

fn put_loss(value: &mut Map<String, Value>, datagrams: &DatagramFigures) {
    value.insert("jitter_ms".to_owned(), json!(datagrams.jitter_ms));
    value.insert("lost_packets".to_owned(), json!(datagrams.lost));
    value.insert("lost_percent".to_owned(), json!(datagrams.lost_percent()));
}

/// A time as HTTP writes it: `Fri, 27 Nov 2026 16:51:36 GMT`.
pub fn http_date(seconds: u64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let weekday = DAYS[usize::try_from(days % 7).unwrap_or(0)];
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    format!(
        "{weekday}, {:02} {} {year} {:02}:{:02}:{:02} GMT",
        days + 1,
        MONTHS[month],
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::http_date;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(http_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(1_795_798_296), "Fri, 27 Nov 2026 16:51:36 GMT");
        assert_eq!(http_date(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(http_date(4_102_444_799), "Thu, 31 Dec 2099 23:59:59 GMT");
    }
}
