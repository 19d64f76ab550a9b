//! Figures for monitoring systems, in the text form of `OpenMetrics`.

use std::fmt::Write as _;

use crate::client::ClientReport;
use crate::limiter::LimiterKind;
use crate::server::ServerEvent;
use crate::summary::{
    StreamDirection, TestOutcome, TestSummary, TrafficFigures, TransportName, as_float,
};

/// The media type of the text.
pub const METRICS_MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A family of metrics, as it grows line by line.
struct MetricFamily<'a> {
    text: &'a mut String,
    name: &'static str,
    suffix: &'static str,
}

impl<'a> MetricFamily<'a> {
    fn new(
        text: &'a mut String,
        name: &'static str,
        kind: &str,
        unit: Option<&str>,
        help: &str,
    ) -> Self {
        let _ = writeln!(text, "# TYPE {name} {kind}");
        if let Some(unit) = unit {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(text, "# HELP {name} {help}");
        let suffix = if kind == "counter" { "_total" } else { "" };
        Self { text, name, suffix }
    }

    fn put(&mut self, labels: &[(&str, &str)], value: f64) {
        let Self { name, suffix, .. } = self;
        let labels: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}=\"{}\"", escape_label(value)))
            .collect();
        let braces = if labels.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", labels.join(","))
        };
        let _ = writeln!(self.text, "{name}{suffix}{braces} {value}");
    }
}

fn escape_label(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn transport_word(transport: TransportName) -> &'static str {
    match transport {
        TransportName::Tcp => "tcp",
        TransportName::Udp => "udp",
    }
}

fn direction_word(direction: StreamDirection) -> &'static str {
    match direction {
        StreamDirection::ToServer => "to_server",
        StreamDirection::ToClient => "to_client",
    }
}

const DIRECTIONS: [StreamDirection; 2] = [StreamDirection::ToServer, StreamDirection::ToClient];

/// The sum of what one end counted of a direction; none, if a part is unknown or there is no stream.
fn sum_of(test: &TestSummary, direction: StreamDirection, sent: bool) -> Option<TrafficFigures> {
    let parts: Option<Vec<TrafficFigures>> = test
        .streams
        .iter()
        .filter(|stream| stream.direction == direction)
        .map(|stream| if sent { stream.sent } else { stream.received })
        .collect();
    let parts = parts.filter(|parts| !parts.is_empty())?;
    Some(TrafficFigures::sum(&parts))
}

/// Reads a value of a direction of a test.
type MetricReader = fn(&TestSummary, StreamDirection) -> Option<f64>;

/// The metrics of a client's test.
pub fn client_metrics(report: &ClientReport) -> String {
    let mut text = String::new();
    let server = report.server.to_string();
    // Each direction once, by the first test that has it.
    let mut directions = Vec::new();
    for direction in DIRECTIONS {
        let test = report.tests.iter().find(|test| {
            let mut streams = test.streams.iter();
            streams.any(|stream| stream.direction == direction)
        });
        if let Some(test) = test {
            directions.push((direction, test));
        }
    }
    let labels = |direction: StreamDirection, test: &TestSummary| {
        [
            ("server", server.clone()),
            ("transport", transport_word(test.transport).to_owned()),
            ("direction", direction_word(direction).to_owned()),
        ]
    };
    let families: [(&'static str, &str, Option<&str>, &str, MetricReader); 6] = [
        (
            "surefoot_throughput_bits_per_second",
            "gauge",
            None,
            "Bits a second that arrived, or that were sent if the receiver does not say.",
            |test, direction| {
                let heard = sum_of(test, direction, false).or(sum_of(test, direction, true))?;
                Some(heard.bits_per_second())
            },
        ),
        (
            "surefoot_throughput_sent_bytes",
            "gauge",
            Some("bytes"),
            "Bytes that were sent.",
            |test, direction| Some(as_float(sum_of(test, direction, true)?.bytes)),
        ),
        (
            "surefoot_throughput_received_bytes",
            "gauge",
            Some("bytes"),
            "Bytes that arrived.",
            |test, direction| Some(as_float(sum_of(test, direction, false)?.bytes)),
        ),
        (
            "surefoot_throughput_retransmits",
            "gauge",
            None,
            "Segments that TCP sent again.",
            |test, direction| Some(as_float(sum_of(test, direction, true)?.retransmits?)),
        ),
        (
            "surefoot_throughput_lost_ratio",
            "gauge",
            Some("ratio"),
            "The lost part of the datagrams.",
            |test, direction| {
                let counted = sum_of(test, direction, false)?.datagrams?;
                Some(counted.lost_percent() / 100.0)
            },
        ),
        (
            "surefoot_throughput_jitter_seconds",
            "gauge",
            Some("seconds"),
            "The jitter of the datagrams.",
            |test, direction| {
                let counted = sum_of(test, direction, false)?.datagrams?;
                Some(counted.jitter_ms / 1000.0)
            },
        ),
    ];
    for (name, kind, unit, help, read) in families {
        let values: Vec<_> = directions
            .iter()
            .filter_map(|(direction, test)| Some((*direction, *test, read(test, *direction)?)))
            .collect();
        if values.is_empty() {
            continue;
        }
        let mut family = MetricFamily::new(&mut text, name, kind, unit, help);
        for (direction, test, value) in values {
            let labels = labels(direction, test);
            let labels: Vec<(&str, &str)> = labels
                .iter()
                .map(|(key, value)| (*key, value.as_str()))
                .collect();
            family.put(&labels, value);
        }
    }
    let answer = report.tests.first().and_then(|test| test.limiter.as_ref());
    if let Some(answer) = answer {
        let times = [
            ("idle", answer.idle_round_trip_us),
            ("loaded", answer.loaded_round_trip_us),
        ];
        if times.iter().any(|(_, time)| time.is_some()) {
            let mut family = MetricFamily::new(
                &mut text,
                "surefoot_throughput_round_trip_seconds",
                "gauge",
                Some("seconds"),
                "The round-trip time before the test and while it ran.",
            );
            for (state, time) in times {
                if let Some(time) = time {
                    let labels = [("server", server.as_str()), ("state", state)];
                    family.put(&labels, f64::from(time) / 1e6);
                }
            }
        }
        let mut family = MetricFamily::new(
            &mut text,
            "surefoot_throughput_limited",
            "gauge",
            None,
            "What limited the test: 1 for the answer.",
        );
        let by = limiter_word(answer.limiter);
        family.put(&[("server", server.as_str()), ("by", by)], 1.0);
    }
    text.push_str("# EOF\n");
    text
}

fn limiter_word(limiter: LimiterKind) -> &'static str {
    match limiter {
        LimiterKind::AskedRate => "asked-rate",
        LimiterKind::Link => "link",
        LimiterKind::CpuQuota => "cpu-quota",
        LimiterKind::SenderCpu => "sender-cpu",
        LimiterKind::ReceiverCpu => "receiver-cpu",
        LimiterKind::ReceiveWindow => "receive-window",
        LimiterKind::SendBuffer => "send-buffer",
        LimiterKind::Loss => "loss",
        LimiterKind::ReceivingHost => "receiving-host",
        LimiterKind::Path => "path",
        LimiterKind::Unknown => "unknown",
    }
}

/// What a server counts over its life.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerMetrics {
    running: u64,
    complete: u64,
    cut_off: u64,
    refused: u64,
    turned_away: u64,
    received: [u64; 2],
    sent: [u64; 2],
    datagrams: u64,
    lost: u64,
}

impl ServerMetrics {
    /// Counts an event.
    pub fn count(&mut self, event: &ServerEvent) {
        match event {
            ServerEvent::Opened(_) => self.running += 1,
            ServerEvent::Ended { summary, .. } => {
                self.running = self.running.saturating_sub(1);
                self.count_test(summary);
            }
            ServerEvent::TurnedAway { .. } => self.turned_away += 1,
            ServerEvent::Interval { .. } | ServerEvent::BareConnection { .. } => {}
        }
    }

    fn count_test(&mut self, summary: &TestSummary) {
        match summary.outcome {
            TestOutcome::Complete => self.complete += 1,
            TestOutcome::Refused(_) => self.refused += 1,
            TestOutcome::PeerVanished
            | TestOutcome::PeerSilent
            | TestOutcome::PeerInterrupted
            | TestOutcome::Interrupted => self.cut_off += 1,
        }
        let place = usize::from(summary.transport == TransportName::Udp);
        for stream in &summary.streams {
            match (stream.direction, stream.received, stream.sent) {
                (StreamDirection::ToServer, Some(received), _) => {
                    // What a client says of itself may be anything.
                    let bytes = &mut self.received[place];
                    *bytes = bytes.saturating_add(received.bytes);
                    if let Some(counted) = received.datagrams {
                        self.datagrams = self.datagrams.saturating_add(counted.packets);
                        self.lost = self.lost.saturating_add(counted.lost);
                    }
                }
                (StreamDirection::ToClient, _, Some(sent)) => {
                    self.sent[place] = self.sent[place].saturating_add(sent.bytes);
                }
                _ => {}
            }
        }
    }

    /// The metrics.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut family = MetricFamily::new(
            &mut text,
            "surefoot_throughput_server_running_tests",
            "gauge",
            None,
            "Tests that run.",
        );
        family.put(&[], as_float(self.running));
        let mut family = MetricFamily::new(
            &mut text,
            "surefoot_throughput_server_tests",
            "counter",
            None,
            "Tests that ended, by how.",
        );
        for (how, number) in [
            ("complete", self.complete),
            ("cut_off", self.cut_off),
            ("refused", self.refused),
        ] {
            family.put(&[("outcome", how)], as_float(number));
        }
        let mut family = MetricFamily::new(
            &mut text,
            "surefoot_throughput_server_turned_away",
            "counter",
            None,
            "Connections that were closed because of where they came from or what they sent.",
        );
        family.put(&[], as_float(self.turned_away));
        for (name, help, bytes) in [
            (
                "surefoot_throughput_server_received_bytes",
                "Bytes that arrived in tests that ended.",
                self.received,
            ),
            (
                "surefoot_throughput_server_sent_bytes",
                "Bytes that were sent in tests that ended.",
                self.sent,
            ),
        ] {
            let mut family = MetricFamily::new(&mut text, name, "counter", Some("bytes"), help);
            for (place, transport) in ["tcp", "udp"].into_iter().enumerate() {
                family.put(&[("transport", transport)], as_float(bytes[place]));
            }
        }
        for (name, help, number) in [
            (
                "surefoot_throughput_server_datagrams",
                "Datagrams that were sent to the server in tests that ended.",
                self.datagrams,
            ),
            (
                "surefoot_throughput_server_lost_datagrams",
                "Of these, datagrams that were lost.",
                self.lost,
            ),
        ] {
            let mut family = MetricFamily::new(&mut text, name, "counter", None, help);
            family.put(&[], as_float(number));
        }
        text.push_str("# EOF\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = String::new();
        let mut family = MetricFamily::new(&mut text, "a", "gauge", None, "b");
        family.put(&[("x", "a\"b\\c\nd")], 1.5);
        assert!(text.ends_with("a{x=\"a\\\"b\\\\c\\nd\"} 1.5\n"), "{text}");
    }

    #[test]
    fn a_server_counts_what_it_turned_away() {
        let mut metrics = ServerMetrics::default();
        metrics.count(&ServerEvent::TurnedAway {
            peer: "192.0.2.1:1".parse().expect("an address"),
            why: String::new(),
        });
        let text = metrics.text();
        assert!(text.contains("\nsurefoot_throughput_server_turned_away_total 1\n"));
        assert!(text.ends_with("\n# EOF\n"));
        // Every family is declared before its samples, once.
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split(['{', ' ']).next().unwrap_or_default();
            let family = name.trim_end_matches("_total");
            assert_eq!(
                text.matches(&format!("# TYPE {family} ")).count(),
                1,
                "{line}"
            );
        }
    }
}
