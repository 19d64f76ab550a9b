//! The JSON Schema of the picture, for programs that read it.

use serde_json::{Map, Value, json};

use super::VERSION;

/// The JSON Schema (draft 2020-12) of what [`super::json`] writes.
pub fn schema() -> String {
    let mut document = object(&[
        ("version", json!({ "const": VERSION })),
        (
            "tool",
            object(&[
                ("name", json!({ "const": "surefoot" })),
                ("version", text()),
            ]),
        ),
        ("exact", json!({ "type": "boolean" })),
        ("tables", list(table())),
        ("hooks", list(hook())),
        ("apart", list(apart())),
        ("chains", list(chain())),
        ("sets", list(set())),
        ("missing", list(text())),
    ]);
    document["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    document["title"] = json!("What `surefoot firewall show --format json` writes");
    let text = serde_json::to_string_pretty(&document);
    text.expect("a value has text keys only, and writing to memory does not fail") + "\n"
}

fn table() -> Value {
    object(&[
        (
            "backend",
            words(&["iptables-legacy", "iptables-nft", "iptables", "nft"]),
        ),
        (
            "family",
            words(&["ip", "ip6", "inet", "arp", "bridge", "netdev"]),
        ),
        ("name", text()),
        ("dormant", json!({ "type": "boolean" })),
        ("chains", count()),
        ("rules", count()),
        ("others", list(text())),
    ])
}

fn hook_name() -> Value {
    words(&[
        "ingress",
        "prerouting",
        "input",
        "forward",
        "output",
        "postrouting",
        "egress",
    ])
}

fn hook() -> Value {
    object(&[
        ("layer", words(&["device", "bridge", "arp", "ip"])),
        ("hook", hook_name()),
        ("chains", list(count())),
    ])
}

fn apart() -> Value {
    let why = [
        "selected",
        "deep",
        "dormant",
        "unsure",
        "uncalled",
        "unreached",
    ];
    object(&[("chain", count()), ("why", words(&why))])
}

fn chain() -> Value {
    let base = object(&[
        ("hook", hook_name()),
        ("priority", json!({ "type": "integer" })),
        ("kind", words(&["filter", "nat", "route"])),
        ("policy", words(&["accept", "drop"])),
        ("devices", list(text())),
        ("packets", or_null(count())),
        ("bytes", or_null(count())),
    ]);
    object(&[
        ("table", count()),
        ("name", text()),
        ("base", or_null(base)),
        ("callers", count()),
        ("rules", list(rule())),
    ])
}

fn call() -> Value {
    let drawn = ["here", "elsewhere", "loop", "deeper"];
    or_null(object(&[
        ("name", text()),
        ("chain", or_null(count())),
        ("drawn", words(&drawn)),
    ]))
}

fn rule() -> Value {
    let way = object(&[("keys", text()), ("verdict", text()), ("call", call())]);
    object(&[
        ("number", json!({ "type": "integer", "minimum": 1 })),
        ("handle", or_null(count())),
        ("packets", or_null(count())),
        ("bytes", or_null(count())),
        ("verdict", text()),
        ("call", call()),
        ("words", text()),
        ("comment", or_null(text())),
        ("ways", list(way)),
        ("source", or_null(text())),
        ("line", or_null(json!({ "type": "integer", "minimum": 1 }))),
        ("text", text()),
    ])
}

fn set() -> Value {
    object(&[
        ("of", text()),
        ("name", text()),
        ("kind", text()),
        ("map", json!({ "type": "boolean" })),
        ("elements", or_null(count())),
        ("dynamic", json!({ "type": "boolean" })),
        ("uses", count()),
    ])
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn count() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn words(words: &[&str]) -> Value {
    json!({ "enum": words })
}

fn list(of: Value) -> Value {
    let mut list = json!({ "type": "array" });
    list["items"] = of;
    list
}

fn or_null(of: Value) -> Value {
    let options = vec![of, json!({ "type": "null" })];
    json!({ "oneOf": Value::Array(options) })
}

/// An object with exactly these fields.
fn object(fields: &[(&str, Value)]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false,
    })
}
