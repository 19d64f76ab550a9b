//! Findings for programs.

use serde::Serialize;
use serde_json::{Value, json};

use crate::{Area, Finding, Report, Severity, Unknown};

/// The version of the document; it goes up when a field changes its meaning or goes away.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    version: u32,
    tool: Tool,
    subject: &'a str,
    findings: &'a [Finding],
    unknowns: &'a [Unknown],
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

/// The report as a JSON document with a version; [`schema`] describes it.
pub fn json(report: &Report) -> String {
    let document = Document {
        version: VERSION,
        tool: Tool {
            name: "surefoot",
            version: env!("CARGO_PKG_VERSION"),
        },
        subject: &report.subject,
        findings: &report.findings,
        unknowns: &report.unknowns,
    };
    pretty(&document)
}

/// A value of ours as indented JSON with a newline at its end.
pub(crate) fn pretty(value: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(value);
    let text = text.expect("our values have text keys only, and writing to memory does not fail");
    crate::escape_json(text) + "\n"
}

/// The JSON Schema (draft 2020-12) of what [`json`] writes about these areas.
pub fn schema<'a>(areas: impl IntoIterator<Item = &'a Area>) -> String {
    let words = |all: Vec<&str>| json!({ "enum": all });
    let text = json!({ "type": "string" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let line = json!({ "type": "integer", "minimum": 1 });
    let areas = areas.into_iter().map(|area| area.word).collect();
    let place = json!({ "oneOf": [
        object(&[("kind", json!({ "const": "line" })), ("source", text.clone()), ("line", line.clone())], &[("column", line)]),
        object(&[("kind", json!({ "const": "file" })), ("path", text.clone())], &[]),
        object(&[("kind", json!({ "const": "kernel" })), ("name", text.clone())], &[]),
    ]});
    let evidence = object(
        &[("place", place), ("what", text.clone())],
        &[("packets", count)],
    );
    let remedy = object(&[("what", text.clone()), ("commands", list(&text))], &[]);
    let finding = object(
        &[
            (
                "code",
                json!({ "type": "string", "pattern": "^[A-Z]{2}[0-9]{3}$" }),
            ),
            (
                "severity",
                words(Severity::ALL.map(Severity::word).to_vec()),
            ),
            ("certainty", words(vec!["possibly", "certainly"])),
            ("area", words(areas)),
            ("title", text.clone()),
            ("impact", text.clone()),
            ("evidence", list(&evidence)),
            ("remedies", list(&remedy)),
        ],
        &[],
    );
    let unknown = object(
        &[
            ("fact", text.clone()),
            ("why", text.clone()),
            ("leaves_open", text.clone()),
        ],
        &[],
    );
    let tool = object(
        &[
            ("name", json!({ "const": "surefoot" })),
            ("version", text.clone()),
        ],
        &[],
    );
    let mut document = object(
        &[
            ("version", json!({ "const": VERSION })),
            ("tool", tool),
            ("subject", text),
            ("findings", list(&finding)),
            ("unknowns", list(&unknown)),
        ],
        &[],
    );
    document["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    document["title"] = json!("What `surefoot check --format json` writes");
    pretty(&document)
}

fn list(of: &Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// An object with these fields, the second ones optional, and no others.
fn object(required: &[(&str, Value)], optional: &[(&str, Value)]) -> Value {
    let fields = required.iter().chain(optional).cloned();
    let properties: serde_json::Map<String, Value> = fields
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let names: Vec<&str> = required.iter().map(|(name, _)| *name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::area::AREA;
    use crate::{Certainty, Evidence, Place, Remedy};

    /// Says where a value is not what the schema wants; knows the words that the schema uses.
    fn breach(schema: &Value, value: &Value, at: &str) -> Option<String> {
        if let Some(options) = schema["oneOf"].as_array() {
            let fits = options
                .iter()
                .filter(|option| breach(option, value, at).is_none())
                .count();
            return (fits != 1).then(|| format!("{at}: fits {fits} of the options"));
        }
        if let Some(constant) = schema.get("const") {
            return (constant != value).then(|| format!("{at}: {value} is not {constant}"));
        }
        if let Some(words) = schema["enum"].as_array() {
            return (!words.contains(value)).then(|| format!("{at}: {value} is no word of it"));
        }
        if let Some(pattern) = schema.get("pattern") {
            assert_eq!(pattern, "^[A-Z]{2}[0-9]{3}$", "the only pattern known here");
            let code = value.as_str().unwrap_or_default().as_bytes();
            let fits = code.len() == 5
                && code[..2].iter().all(u8::is_ascii_uppercase)
                && code[2..].iter().all(u8::is_ascii_digit);
            return (!fits).then(|| format!("{at}: {value} is no code"));
        }
        match schema["type"].as_str().expect("the schema gives a type") {
            "string" if value.is_string() => None,
            "integer" if value.is_u64() => None,
            "array" => match value.as_array() {
                None => Some(format!("{at}: {value} is no list")),
                Some(items) => items
                    .iter()
                    .find_map(|item| breach(&schema["items"], item, at)),
            },
            "object" => {
                let Some(fields) = value.as_object() else {
                    return Some(format!("{at}: {value} is no object"));
                };
                let required = schema["required"].as_array().expect("a list");
                let absent = required
                    .iter()
                    .find(|name| value.get(name.as_str().expect("a name")).is_none());
                if let Some(name) = absent {
                    return Some(format!("{at}: {name} is missing"));
                }
                fields
                    .iter()
                    .find_map(|(name, field)| match schema["properties"].get(name) {
                        Some(schema) => breach(schema, field, &format!("{at}.{name}")),
                        None => Some(format!("{at}: {name} is not in the schema")),
                    })
            }
            kind => Some(format!("{at}: {value} is no {kind}")),
        }
    }

    fn report() -> Report {
        let places = [
            Place::Line {
                source: "r".into(),
                line: 1,
                column: Some(2),
            },
            Place::Line {
                source: "r".into(),
                line: 1,
                column: None,
            },
            Place::File { path: "/f".into() },
            Place::Kernel {
                name: "pid 1".into(),
            },
        ];
        let evidence = |place: Place| Evidence {
            place,
            what: "w".into(),
            packets: Some(1),
        };
        Report {
            subject: "web1".into(),
            findings: vec![Finding {
                code: "FW001".into(),
                severity: Severity::High,
                certainty: Certainty::Certainly,
                area: &AREA,
                title: "t".into(),
                impact: "i".into(),
                evidence: places.into_iter().map(evidence).collect(),
                remedies: vec![Remedy {
                    what: "r".into(),
                    commands: vec!["c".into()],
                }],
            }],
            unknowns: vec![Unknown {
                fact: "f".into(),
                why: "w".into(),
                leaves_open: "l".into(),
            }],
        }
    }

    #[test]
    fn the_schema_describes_the_document() {
        let schema: Value = serde_json::from_str(&schema([&AREA])).unwrap();
        let mut value: Value = serde_json::from_str(&json(&report())).unwrap();
        assert_eq!(breach(&schema, &value, "report"), None);
        for (field, bad) in [
            ("severity", json!("dreadful")),
            ("code", json!("fw1")),
            ("evidence", json!([1])),
            ("more", json!(1)),
        ] {
            let before = value["findings"][0].clone();
            value["findings"][0][field] = bad;
            assert!(
                breach(&schema, &value, "report").is_some(),
                "{field} can fail"
            );
            value["findings"][0] = before;
        }
    }
}
