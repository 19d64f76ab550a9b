//! Findings for people: worst first, evidence and commands under each.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;

use crate::style::Paint;
use crate::wrap::wrap;
use crate::{Area, Certainty, Evidence, Finding, Report, Severity, Style, Unknown, escape};

/// More evidence than this is counted, not shown; JSON has all of it.
const SHOWN: usize = 12;

/// Advice is wrapped at this column at most.
const ADVICE_WIDTH: usize = 80;

/// Gives the page of a code.
pub type PageOf = dyn Fn(&str) -> Option<String>;

/// How a report is shown.
#[derive(Clone, Copy)]
pub struct TextOptions<'a> {
    /// Whether it is painted.
    pub style: Style,
    /// Columns to wrap sentences at; places and commands are never wrapped.
    pub width: usize,
    /// Gives the page of a code, to be printed under the last finding that has the code.
    pub page: Option<&'a PageOf>,
}

impl std::fmt::Debug for TextOptions<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextOptions")
            .field("style", &self.style)
            .field("width", &self.width)
            .field("page", &self.page.is_some())
            .finish()
    }
}

/// The report as text, worst first, that ends with a line that counts the findings.
pub fn text(report: &Report, options: &TextOptions<'_>) -> String {
    let mut out = String::new();
    let mut findings: Vec<&Finding> = report.findings.iter().collect();
    findings.sort_by_key(|found| Reverse((found.severity, found.certainty)));
    let last_of_code: HashMap<&str, usize> = findings
        .iter()
        .enumerate()
        .map(|(at, found)| (found.code.as_str(), at))
        .collect();
    for advice in advice(&findings) {
        for line in wrap(advice, options.width.min(ADVICE_WIDTH)) {
            let _ = writeln!(out, "{line}");
        }
        out.push('\n');
    }
    for (at, found) in findings.iter().enumerate() {
        finding(&mut out, found, options);
        if last_of_code.get(found.code.as_str()) == Some(&at)
            && let Some(page) = options.page.and_then(|page| page(&found.code))
        {
            for line in page.trim_end().lines() {
                let _ = writeln!(out, "  | {}", escape(line));
            }
            out.push('\n');
        }
    }
    for unknown in &report.unknowns {
        gap(&mut out, unknown, options);
    }
    if !report.unknowns.is_empty() {
        out.push('\n');
    }
    let _ = writeln!(out, "{}: {}", escape(&report.subject), summary(report));
    out
}

/// The advice of each area that has several findings with remedies, in the order of the findings.
fn advice(findings: &[&Finding]) -> Vec<&'static str> {
    let with_remedy = findings.iter().filter(|found| !found.remedies.is_empty());
    let areas: Vec<&'static Area> = with_remedy.map(|found| found.area).collect();
    let mut seen: Vec<&'static Area> = Vec::new();
    for area in &areas {
        if !seen.contains(area) && areas.iter().filter(|other| *other == area).count() > 1 {
            seen.push(area);
        }
    }
    seen.iter().filter_map(|area| area.advice).collect()
}

fn finding(out: &mut String, found: &Finding, options: &TextOptions<'_>) {
    let style = options.style;
    let doubt = if found.certainty == Certainty::Possibly {
        ", possibly"
    } else {
        ""
    };
    let _ = writeln!(
        out,
        "{}{doubt}: {} [{}]",
        style.severity(found.severity),
        style.paint(Paint::Strong, &escape(&found.title)),
        escape(&found.code)
    );
    for line in wrap(&escape(&found.impact), options.width.saturating_sub(2)) {
        let _ = writeln!(out, "  {line}");
    }
    for shown in found.evidence.iter().take(SHOWN) {
        evidence(out, shown, style);
    }
    let more = found.evidence.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(out, "    and {more} more; --format json shows all");
    }
    for remedy in &found.remedies {
        let _ = writeln!(
            out,
            "  {} {}:",
            style.paint(Paint::Green, "→"),
            escape(&remedy.what)
        );
        for command in &remedy.commands {
            let _ = writeln!(out, "      {}", style.paint(Paint::Blue, &escape(command)));
        }
    }
    out.push('\n');
}

fn evidence(out: &mut String, shown: &Evidence, style: Style) {
    let place = shown.place.to_string();
    let place = style.paint(Paint::Faint, &escape(&place));
    let packets = shown
        .packets
        .map_or_else(String::new, |count| format!("  ({count} packets)"));
    if shown.place.to_string() == shown.what {
        let _ = writeln!(out, "    {}{packets}", escape(&shown.what));
        return;
    }
    let _ = writeln!(out, "    {place}  {}{packets}", escape(&shown.what));
}

fn gap(out: &mut String, unknown: &Unknown, options: &TextOptions<'_>) {
    let lead = "unknown:";
    let sentence = format!(
        "{lead} {} ({}). This leaves open {}.",
        escape(&unknown.fact),
        escape(&unknown.why),
        escape(&unknown.leaves_open)
    );
    for (at, line) in wrap(&sentence, options.width.saturating_sub(2))
        .iter()
        .enumerate()
    {
        let _ = match line.strip_prefix(lead) {
            Some(rest) if at == 0 => {
                writeln!(out, "{}{rest}", options.style.paint(Paint::Yellow, lead))
            }
            _ => writeln!(out, "  {line}"),
        };
    }
}

/// `1 critical, 2 warnings`, and what is unknown: nothing found is not nothing wrong.
fn summary(report: &Report) -> String {
    let unknown = match report.unknowns.len() {
        0 => None,
        1 => Some("1 fact unknown".to_owned()),
        count => Some(format!("{count} facts unknown")),
    };
    let mut parts: Vec<String> = Severity::ALL
        .iter()
        .rev()
        .filter_map(|severity| {
            let count = report
                .findings
                .iter()
                .filter(|it| it.severity == *severity)
                .count();
            let word = match (severity, count) {
                (_, 0) => return None,
                (Severity::Warning, 2..) => "warnings",
                (Severity::Note, 2..) => "notes",
                _ => severity.word(),
            };
            Some(format!("{count} {word}"))
        })
        .collect();
    if parts.is_empty() {
        return match unknown {
            None => "nothing to report".to_owned(),
            Some(unknown) => {
                format!("no findings, but {unknown}, so this is not a clean bill of health")
            }
        };
    }
    parts.extend(unknown);
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::area::AREA;
    use crate::{Place, Remedy};

    const PLAIN: TextOptions<'_> = TextOptions {
        style: Style::Plain,
        width: 60,
        page: None,
    };

    fn report() -> Report {
        Report {
            subject: "web1".into(),
            findings: vec![Finding {
                code: "FW001".into(),
                severity: Severity::Critical,
                certainty: Certainty::Possibly,
                area: &AREA,
                title: "a flush locks you out".into(),
                impact: "The policy is DROP and nothing but rules lets you in.".into(),
                evidence: vec![Evidence {
                    place: Place::Line {
                        source: "rules\u{1b}".into(),
                        line: 3,
                        column: Some(1),
                    },
                    what: ":INPUT DROP".into(),
                    packets: Some(7),
                }],
                remedies: vec![Remedy {
                    what: "Let a rule do what the policy does".into(),
                    commands: vec!["iptables -P INPUT ACCEPT".into()],
                }],
            }],
            unknowns: vec![Unknown {
                fact: "sockets".into(),
                why: "permission denied".into(),
                leaves_open: "who listens".into(),
            }],
        }
    }

    #[test]
    fn a_finding_shows_what_why_where_and_how_to_mend_it() {
        let expected = "\
critical, possibly: a flush locks you out [FW001]
  The policy is DROP and nothing but rules lets you in.
    rules\\u{1b}:3:1  :INPUT DROP  (7 packets)
  → Let a rule do what the policy does:
      iptables -P INPUT ACCEPT

unknown: sockets (permission denied). This leaves open who
  listens.

web1: 1 critical, 1 fact unknown
";
        assert_eq!(text(&report(), &PLAIN), expected);
    }

    #[test]
    fn nothing_found_still_says_what_is_not_known() {
        let mut report = report();
        report.findings.clear();
        let shown = text(&report, &PLAIN);
        assert!(
            shown.ends_with(
                "web1: no findings, but 1 fact unknown, so this is not a clean bill of health\n"
            ),
            "{shown}"
        );
        report.unknowns.clear();
        assert_eq!(text(&report, &PLAIN), "web1: nothing to report\n");
    }

    #[test]
    fn the_worst_comes_first_whatever_the_order_of_the_report() {
        let mut report = report();
        let mut mild = report.findings[0].clone();
        mild.severity = Severity::Note;
        mild.title = "mild".into();
        report.findings.insert(0, mild);
        let shown = text(&report, &PLAIN);
        assert!(
            shown.find("critical, ") < shown.find("note, ")
                && shown.ends_with("web1: 1 critical, 1 note, 1 fact unknown\n"),
            "{shown}"
        );
    }

    #[test]
    fn commands_are_never_wrapped_and_words_of_a_machine_never_raw() {
        let mut report = report();
        let command = format!("iptables {}", "-m comment --comment x ".repeat(20));
        let found = &mut report.findings[0];
        found.remedies[0].commands = vec![command.clone()];
        for words in [
            &mut found.title,
            &mut found.impact,
            &mut found.code,
            &mut found.evidence[0].what,
            &mut found.remedies[0].what,
            &mut report.unknowns[0].fact,
            &mut report.subject,
        ] {
            words.push_str("\u{1b}]0;owned\u{7}\u{202e}\n");
        }
        let shown = text(&report, &PLAIN);
        assert!(shown.contains(&format!("\n      {command}\n")), "{shown}");
        assert!(
            !shown.contains(['\u{1b}', '\u{7}', '\u{202e}']) && !shown.contains("\n\n\n"),
            "{shown}"
        );
    }

    #[test]
    fn colour_changes_nothing_but_the_colour() {
        let painted = text(
            &report(),
            &TextOptions {
                style: Style::Colour,
                ..PLAIN
            },
        );
        assert!(
            painted.starts_with("\u{1b}[1;31mcritical\u{1b}[0m"),
            "{painted}"
        );
        let mut bare = String::new();
        for (at, part) in painted.split("\u{1b}[").enumerate() {
            bare.push_str(if at == 0 {
                part
            } else {
                part.split_once('m').expect("a colour ends with m").1
            });
        }
        assert_eq!(bare, text(&report(), &PLAIN));
    }

    #[test]
    fn a_page_is_printed_once_for_each_code() {
        let mut report = report();
        let mut other = report.findings[0].clone();
        other.code = "FW002".into();
        report.findings.push(other);
        report.findings.push(report.findings[0].clone());
        let page = |code: &str| Some(format!("page of {code}\n"));
        let shown = text(
            &report,
            &TextOptions {
                page: Some(&page),
                ..PLAIN
            },
        );
        assert_eq!(shown.matches("  | page of FW001\n").count(), 1, "{shown}");
    }
}
