//! A test as a page: rate, round-trip time and losses over time, in one file without scripts.

use std::fmt::Write as _;

use crate::client::{ClientReport, IntervalReport};
use crate::quantity::{show_bytes, show_rate};
use crate::summary::{
    ProtocolKind, StreamDirection, TestSummary, TrafficFigures, TransportName, as_float,
};
use crate::text::limiter_sentence;

/// A curve of a chart.
struct ChartCurve {
    name: &'static str,
    class: &'static str,
    /// Seconds and values; a gap where there is none.
    points: Vec<(f64, Option<f64>)>,
}

/// A chart: some curves over the same time.
struct TimeChart {
    title: &'static str,
    show: fn(f64) -> String,
    /// The scale reaches at least this far.
    least: f64,
    curves: Vec<ChartCurve>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 180.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 24.0;

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--faint:#d5d9de;--up:#0b65c2;--down:#b3500b;--note:#57606a}\n\
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--paper:#15181c;--faint:#3a4048;--up:#6cb2ff;--down:#f2a65a;--note:#9aa4af}}\n\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:50rem;margin:2rem auto;padding:0 1rem}\n\
h1{font-size:1.4rem;margin-bottom:.2rem}h2{font-size:1.05rem;margin:1.6rem 0 .2rem}\n\
p{margin:.3rem 0}.note{color:var(--note)}.answer{border-left:4px solid var(--up);padding-left:.8rem;margin:1rem 0}\n\
svg{width:100%;height:auto;display:block}svg text{font:12px system-ui,sans-serif;fill:var(--note)}\n\
.grid{stroke:var(--faint);stroke-width:1}.up{stroke:var(--up)}.down{stroke:var(--down)}.curve{fill:none;stroke-width:2;stroke-linejoin:round}\n\
.dot{stroke:none}.dot.up{fill:var(--up)}.dot.down{fill:var(--down)}\n\
.key{display:inline-block;width:1.2rem;height:.2rem;margin:0 .4rem 0 1rem;vertical-align:middle}.key.up{background:var(--up)}.key.down{background:var(--down)}\n\
table{border-collapse:collapse;margin-top:.4rem;font-variant-numeric:tabular-nums;display:block;overflow-x:auto}\n\
td,th{text-align:right;padding:.15rem .7rem;border-bottom:1px solid var(--faint)}th:first-child,td:first-child{text-align:left}\n";

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            char if char.is_control() => safe.push('\u{fffd}'),
            char => safe.push(char),
        }
    }
    safe
}

fn class_of(direction: StreamDirection) -> (&'static str, &'static str) {
    match direction {
        StreamDirection::ToServer => ("to the server", "up"),
        StreamDirection::ToClient => ("from the server", "down"),
    }
}

const DIRECTIONS: [StreamDirection; 2] = [StreamDirection::ToServer, StreamDirection::ToClient];

/// The middle of an interval; tests that follow each other are laid end to end.
fn middles(intervals: &[&IntervalReport]) -> Vec<f64> {
    let mut shift = 0.0;
    let mut last = 0.0;
    let mut middles = Vec::with_capacity(intervals.len());
    for interval in intervals {
        if interval.start + shift + 1e-9 < last {
            shift = last;
        }
        middles.push(shift + f64::midpoint(interval.start, interval.end));
        last = shift + interval.end;
    }
    middles
}

/// A curve for each direction of which there is a value.
fn curves(
    intervals: &[&IntervalReport],
    value: impl Fn(&IntervalReport, StreamDirection) -> Option<f64>,
) -> Vec<ChartCurve> {
    let middles = middles(intervals);
    let curves = DIRECTIONS.into_iter().map(|direction| {
        let (name, class) = class_of(direction);
        let points = middles
            .iter()
            .zip(intervals)
            .map(|(middle, interval)| (*middle, value(interval, direction)));
        ChartCurve {
            name,
            class,
            points: points.collect(),
        }
    });
    curves
        .filter(|curve| curve.points.iter().any(|(_, value)| value.is_some()))
        .collect()
}

fn charts(report: &ClientReport) -> Vec<TimeChart> {
    let length = |interval: &IntervalReport| interval.end - interval.start;
    let longest = report.intervals.iter().map(length).fold(0.0, f64::max);
    // What is left after the last whole interval is no point of a curve.
    let intervals: Vec<&IntervalReport> = report
        .intervals
        .iter()
        .filter(|interval| !interval.omitted && length(interval) > longest / 2.0)
        .collect();
    let sum = |interval: &IntervalReport,
               direction: StreamDirection,
               value: &dyn Fn(&crate::client::IntervalRow) -> Option<f64>| {
        let rows = interval.rows.iter();
        let values: Vec<f64> = rows
            .filter(|row| row.direction == direction)
            .filter_map(value)
            .collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>())
    };
    let milliseconds = |value: f64| format!("{value:.2} ms");
    let count = |value: f64| format!("{value:.0}");
    let all = [
        TimeChart {
            title: "Rate",
            show: show_rate,
            least: 1.0,
            curves: curves(&intervals, |interval, direction| {
                let bytes = sum(interval, direction, &|row| Some(as_float(row.bytes)))?;
                Some(bytes * 8.0 / (interval.end - interval.start))
            }),
        },
        TimeChart {
            title: "Round-trip time, the longest of all streams",
            show: milliseconds,
            least: 0.01,
            curves: curves(&intervals, |interval, direction| {
                let rows = interval
                    .rows
                    .iter()
                    .filter(|row| row.direction == direction);
                let longest = rows.filter_map(|row| row.round_trip_us).max()?;
                Some(f64::from(longest) / 1000.0)
            }),
        },
        TimeChart {
            title: "Segments sent again",
            show: count,
            least: 2.0,
            curves: curves(&intervals, |interval, direction| {
                sum(interval, direction, &|row| row.retransmits.map(as_float))
            }),
        },
        TimeChart {
            title: "Datagrams lost",
            show: count,
            least: 2.0,
            curves: curves(&intervals, |interval, direction| {
                sum(interval, direction, &|row| {
                    // A sender does not know.
                    let known = row.direction == StreamDirection::ToClient;
                    Some(as_float(row.datagrams.filter(|_| known)?.lost))
                })
            }),
        },
    ];
    all.into_iter()
        .filter(|chart| !chart.curves.is_empty())
        .collect()
}

fn draw(chart: &TimeChart) -> String {
    let points = || chart.curves.iter().flat_map(|curve| &curve.points);
    let longest = points().map(|(time, _)| *time).fold(0.1, f64::max) * 1.02;
    let highest = points()
        .filter_map(|(_, value)| *value)
        .fold(chart.least, f64::max)
        * 1.1;
    let x = |time: f64| LEFT + time / longest * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| TOP + (1.0 - value / highest) * (HEIGHT - TOP - BOTTOM);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n",
        chart.title
    );
    for (part, anchor) in [(0.0, "middle"), (0.5, "middle"), (1.0, "end")] {
        let value = highest / 1.1 * part;
        let (height, edge) = (y(value), WIDTH - RIGHT);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{edge}\" y1=\"{height:.1}\" y2=\"{height:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            height + 4.0,
            (chart.show)(value)
        );
        let time = longest * part;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{time:.1} s</text>",
            x(time),
            HEIGHT - 6.0
        );
    }
    for curve in &chart.curves {
        let known: Vec<(f64, f64)> = curve
            .points
            .iter()
            .filter_map(|(time, value)| Some((*time, (*value)?)))
            .collect();
        let path: Vec<String> = known
            .iter()
            .map(|(time, value)| format!("{:.1},{:.1}", x(*time), y(*value)))
            .collect();
        let _ = writeln!(
            svg,
            "<polyline class=\"curve {}\" points=\"{}\"/>",
            curve.class,
            path.join(" ")
        );
        if known.len() <= 120 {
            for (time, value) in &known {
                let _ = writeln!(
                    svg,
                    "<circle class=\"dot {}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.5\">\
                     <title>{}, {time:.1} s</title></circle>",
                    curve.class,
                    x(*time),
                    y(*value),
                    (chart.show)(*value)
                );
            }
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The page of a test that was made at a time; `title` stands above it.
pub fn html_page(report: &ClientReport, title: Option<&str>, time: &str) -> String {
    let protocol = match report.protocol {
        ProtocolKind::Iperf2 => "iperf 2",
        ProtocolKind::Iperf3 => "iperf3",
    };
    let transport = match report.tests.first().map(|test| test.transport) {
        Some(TransportName::Udp) => "UDP",
        _ => "TCP",
    };
    let server = report.server;
    let heading = title.map_or_else(|| format!("Throughput to {}", server.ip()), escape);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>{heading}</title>\n<style>\n{STYLE}</style></head><body>\n\
         <h1>{heading}</h1>\n<p class=\"note\">{server}, {transport}, {protocol} protocol, {}</p>\n",
        escape(time)
    );
    for test in &report.tests {
        if let Some(answer) = &test.limiter {
            let _ = writeln!(
                page,
                "<div class=\"answer\"><p><strong>Limited by {}</strong></p>",
                escape(&limiter_sentence(answer))
            );
            if let Some(advice) = answer.advice {
                let _ = writeln!(page, "<p>{}</p>", escape(advice));
            }
            if let (Some(idle), Some(loaded)) =
                (answer.idle_round_trip_us, answer.loaded_round_trip_us)
            {
                let (idle, loaded) = (f64::from(idle) / 1000.0, f64::from(loaded) / 1000.0);
                let _ = writeln!(
                    page,
                    "<p class=\"note\">Round trip: {idle:.2} ms idle, {loaded:.2} ms loaded</p>"
                );
            }
            page.push_str("</div>\n");
        }
    }
    page.push_str(&table(&report.tests));
    let charts = charts(report);
    for chart in &charts {
        let _ = write!(page, "<h2>{}", chart.title);
        for curve in &chart.curves {
            let _ = write!(
                page,
                "<span class=\"key {}\"></span>{}",
                curve.class, curve.name
            );
        }
        page.push_str("</h2>\n");
        page.push_str(&draw(chart));
    }
    if charts.is_empty() {
        page.push_str("<p class=\"note\">No interval was reported: the test was too short, or -i was 0.</p>\n");
    }
    page.push_str("</body></html>\n");
    page
}

fn table(tests: &[TestSummary]) -> String {
    let mut text = String::from(
        "<table><tr><th>stream</th><th>direction</th><th>sent</th><th>arrived</th><th>rate</th>\
         <th>sent again</th><th>lost</th></tr>\n",
    );
    for stream in tests.iter().flat_map(|test| &test.streams) {
        let unknown = || "unknown".to_owned();
        let bytes = |figures: Option<TrafficFigures>| {
            figures.map_or_else(unknown, |figures| show_bytes(figures.bytes))
        };
        let heard = stream.received.or(stream.sent);
        let rate = heard.map_or_else(unknown, |figures| show_rate(figures.bits_per_second()));
        let again = stream.sent.and_then(|figures| figures.retransmits);
        let lost = stream.received.and_then(|figures| figures.datagrams);
        let _ = writeln!(
            text,
            "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{rate}</td><td>{}</td><td>{}</td></tr>",
            stream.id,
            class_of(stream.direction).0,
            bytes(stream.sent),
            bytes(stream.received),
            again.map_or_else(|| "–".to_owned(), |number| number.to_string()),
            lost.map_or_else(
                || "–".to_owned(),
                |counted| format!(
                    "{} of {} ({:.2} %)",
                    counted.lost,
                    counted.packets,
                    counted.lost_percent()
                )
            )
        );
    }
    text + "</table>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::IntervalRow;

    fn interval(start: f64, bytes: u64, direction: StreamDirection) -> IntervalReport {
        IntervalReport {
            start,
            end: start + 1.0,
            omitted: false,
            rows: vec![IntervalRow {
                id: 1,
                direction,
                bytes,
                retransmits: Some(3),
                congestion_window: None,
                round_trip_us: Some(1500),
                round_trip_variation_us: None,
                path_mtu: None,
                peer_window: None,
                datagrams: None,
            }],
        }
    }

    fn report(intervals: Vec<IntervalReport>) -> ClientReport {
        ClientReport {
            server: "192.0.2.1:5201".parse().expect("an address"),
            protocol: ProtocolKind::Iperf3,
            tests: Vec::new(),
            intervals,
        }
    }

    #[test]
    fn a_chart_has_a_point_for_each_interval() {
        let up = StreamDirection::ToServer;
        let page = html_page(
            &report(vec![interval(0.0, 1000, up), interval(1.0, 2000, up)]),
            None,
            "now",
        );
        // Rate, round trip, sent again.
        assert_eq!(page.matches("<polyline").count(), 3, "{page}");
        assert_eq!(page.matches("<circle").count(), 6);
        assert!(page.contains("16.0 Kbits/sec"), "{page}");
    }

    #[test]
    fn turns_are_laid_end_to_end() {
        let (up, down) = (StreamDirection::ToServer, StreamDirection::ToClient);
        let intervals = [interval(0.0, 1, up), interval(0.0, 1, down)];
        let places: Vec<&IntervalReport> = intervals.iter().collect();
        assert_eq!(middles(&places), [0.5, 1.5]);
    }

    #[test]
    fn a_title_cannot_add_to_the_page() {
        let page = html_page(&report(vec![]), Some("<script>alert(1)</script>"), "<b>");
        assert!(!page.contains("<script"), "{page}");
        assert!(!page.contains("<b>"), "{page}");
        assert!(page.contains("No interval was reported"));
    }
}
