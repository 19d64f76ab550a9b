//! Findings for code-scanning pages: SARIF 2.1.0 (OASIS, sections 3.13 to 3.49).

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::json::pretty;
use crate::{Certainty, Evidence, Finding, Page, Place, Report, Severity};

/// The report as one SARIF run; `pages` are the rules that it may name.
pub fn sarif(report: &Report, pages: &[&Page]) -> String {
    // Findings that look the same are distinguished by their order.
    let mut before: HashMap<String, usize> = HashMap::new();
    let mut numbered = |found: &Finding| {
        let print = fingerprint(found);
        let number = before.entry(print.clone()).or_default();
        *number += 1;
        format!("{print}:{number}")
    };
    let results: Vec<Value> = report
        .findings
        .iter()
        .map(|found| result(found, &numbered(found), pages))
        .collect();
    let notifications: Vec<Value> = report
        .unknowns
        .iter()
        .map(|unknown| {
            let text = format!(
                "{}: {}; open: {}",
                unknown.fact, unknown.why, unknown.leaves_open
            );
            json!({ "level": "warning", "message": { "text": text } })
        })
        .collect();
    pretty(&json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "surefoot",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": pages.iter().map(|page| rule(page)).collect::<Vec<_>>(),
            }},
            "properties": { "subject": report.subject },
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notifications,
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn band(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Warning => "5.5",
        Severity::Note => "2.0",
    }
}

fn rule(page: &Page) -> Value {
    json!({
        "id": page.code,
        "shortDescription": { "text": page.title },
        "fullDescription": { "text": page.title },
        "help": { "text": page.text },
        "defaultConfiguration": { "level": level(page.severity) },
        // What code-scanning pages sort by: CVSS's bands, since SARIF has no level above `error`.
        "properties": { "security-severity": band(page.severity), "tags": ["security"] },
    })
}

fn result(found: &Finding, fingerprint: &str, pages: &[&Page]) -> Value {
    let mut text = format!("{}. {}", found.title, found.impact);
    for remedy in &found.remedies {
        let _ = writeln!(text, "\n{}:", remedy.what);
        for command in &remedy.commands {
            let _ = writeln!(text, "    {command}");
        }
    }
    let mut result = json!({
        "ruleId": found.code,
        "level": level(found.severity),
        "message": { "text": text },
        "locations": found.evidence.iter().map(location).collect::<Vec<_>>(),
        "partialFingerprints": { "finding/v1": fingerprint },
        "properties": {
            "severity": found.severity,
            "certainty": found.certainty,
            "area": found.area,
        },
    });
    if let Some(at) = pages.iter().position(|page| page.code == found.code) {
        result["ruleIndex"] = json!(at);
    }
    if found.certainty == Certainty::Possibly {
        result["kind"] = json!("review");
        // Section 3.27.10: a level goes with the kind `fail` only.
        result["level"] = json!("none");
    }
    result
}

fn location(evidence: &Evidence) -> Value {
    let message = json!({ "text": evidence.what });
    match &evidence.place {
        Place::Line {
            source,
            line,
            column,
        } => {
            // Both count from 1; a log with a 0 is refused as a whole.
            let mut region = json!({ "startLine": line.max(&1) });
            if let Some(column) = column {
                region["startColumn"] = json!(column.max(&1));
            }
            json!({
                "physicalLocation": {
                    "artifactLocation": { "uri": uri(source) },
                    "region": region,
                },
                "message": message,
            })
        }
        Place::File { path } => json!({
            "physicalLocation": { "artifactLocation": { "uri": uri(path) } },
            "message": message,
        }),
        Place::Kernel { name } => json!({
            "logicalLocations": [{ "fullyQualifiedName": name }],
            "message": message,
        }),
    }
}

/// A path, or a command line, as a URI reference (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(byte));
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}

/// The same for the same finding in the next run, wherever its lines have moved: FNV-1a over the
/// code, the texts of the evidence and the files that hold them.
fn fingerprint(found: &Finding) -> String {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |text: &str| {
        for byte in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    add(&found.code);
    for evidence in &found.evidence {
        add(match &evidence.place {
            Place::Line { source, .. } => source,
            Place::File { path } => path,
            // A process has another number in the next run.
            Place::Kernel { .. } => "",
        });
        add(&evidence.what);
    }
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::area::AREA;
    use crate::{Remedy, Unknown};

    const PAGE: Page = Page {
        code: "FW001",
        title: "t",
        severity: Severity::Critical,
        text: "long\n",
    };

    fn run(certainty: Certainty) -> Value {
        let place = |place: Place| Evidence {
            place,
            what: "-j DROP".into(),
            packets: None,
        };
        let report = Report {
            subject: "web1".into(),
            findings: vec![Finding {
                code: "FW001".into(),
                severity: Severity::Critical,
                certainty,
                area: &AREA,
                title: "t".into(),
                impact: "i".into(),
                evidence: vec![
                    place(Place::Line {
                        source: "/etc/my rules".into(),
                        line: 3,
                        column: Some(2),
                    }),
                    place(Place::Kernel {
                        name: "pid 1".into(),
                    }),
                ],
                remedies: vec![Remedy {
                    what: "do".into(),
                    commands: vec!["c".into()],
                }],
            }],
            unknowns: vec![Unknown {
                fact: "f".into(),
                why: "w".into(),
                leaves_open: "l".into(),
            }],
        };
        let log: Value = serde_json::from_str(&sarif(&report, &[&PAGE])).unwrap();
        log["runs"][0].clone()
    }

    #[test]
    fn a_finding_becomes_a_result_of_a_rule_with_places() {
        let run = run(Certainty::Certainly);
        assert_eq!(run["tool"]["driver"]["rules"][0]["help"]["text"], "long\n");
        let result = &run["results"][0];
        assert_eq!(
            (&result["ruleIndex"], &result["level"]),
            (&json!(0), &json!("error"))
        );
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "/etc/my%20rules");
        assert_eq!(place["region"], json!({ "startLine": 3, "startColumn": 2 }));
        let kernel = &result["locations"][1]["logicalLocations"][0];
        assert_eq!(kernel["fullyQualifiedName"], "pid 1");
        let notes = &run["invocations"][0]["toolExecutionNotifications"];
        assert_eq!(notes[0]["message"]["text"], "f: w; open: l");
    }

    #[test]
    fn the_fingerprint_follows_what_stands_there_and_not_where() {
        let finding = |line: u32, what: &str| Finding {
            code: "FW001".into(),
            severity: Severity::High,
            certainty: Certainty::Certainly,
            area: &AREA,
            title: format!("rule at line {line}"),
            impact: "i".into(),
            evidence: vec![Evidence {
                place: Place::Line {
                    source: "r".into(),
                    line,
                    column: None,
                },
                what: what.into(),
                packets: Some(u64::from(line)),
            }],
            remedies: vec![],
        };
        let report = Report {
            findings: vec![finding(3, "-j DROP"), finding(9, "-j DROP")],
            ..Report::default()
        };
        let log: Value = serde_json::from_str(&sarif(&report, &[])).unwrap();
        let print = |at: usize| &log["runs"][0]["results"][at]["partialFingerprints"]["finding/v1"];
        assert_ne!(print(0), print(1), "two findings of one run are two");
        let first = fingerprint(&finding(3, "-j DROP"));
        assert_eq!(first, fingerprint(&finding(9, "-j DROP")));
        assert_ne!(first, fingerprint(&finding(3, "-j ACCEPT")));
        let mut elsewhere = finding(3, "-j DROP");
        elsewhere.evidence[0].place = Place::File { path: "r6".into() };
        assert_ne!(first, fingerprint(&elsewhere));
        let zero = location(&finding(0, "x").evidence[0]);
        assert_eq!(
            zero["physicalLocation"]["region"],
            json!({ "startLine": 1 })
        );
    }

    #[test]
    fn a_possible_finding_is_for_review() {
        let result = &run(Certainty::Possibly)["results"][0];
        assert_eq!(
            (&result["kind"], &result["level"]),
            (&json!("review"), &json!("none"))
        );
    }
}
