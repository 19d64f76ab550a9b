//! The JSON Schema of the picture, for programs that read it.

use serde_json::{Map, Value, json};

use super::VERSION;

/// The JSON Schema (draft 2020-12) of what [`super::json`] writes.
pub fn schema() -> String {
    let mut document = object_of(&[
        ("version", json!({ "const": VERSION })),
        (
            "tool",
            object_of(&[
                ("name", json!({ "const": "surefoot" })),
                ("version", text_schema()),
            ]),
        ),
        ("exact", json!({ "type": "boolean" })),
        ("tables", list_of(table_schema())),
        ("hooks", list_of(hook_schema())),
        ("apart", list_of(apart_schema())),
        ("chains", list_of(chain_schema())),
        ("sets", list_of(set_schema())),
        ("missing", list_of(text_schema())),
    ]);
    document["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    document["title"] = json!("What `surefoot firewall show --format json` writes");
    let text = serde_json::to_string_pretty(&document);
    text.expect("a value has text keys only, and writing to memory does not fail") + "\n"
}

fn table_schema() -> Value {
    object_of(&[
        (
            "backend",
            word_schema(&["iptables-legacy", "iptables-nft", "iptables", "nft"]),
        ),
        (
            "family",
            word_schema(&["ip", "ip6", "inet", "arp", "bridge", "netdev"]),
        ),
        ("name", text_schema()),
        ("dormant", json!({ "type": "boolean" })),
        ("chains", count_schema()),
        ("rules", count_schema()),
        ("others", list_of(text_schema())),
    ])
}

fn hook_name() -> Value {
    word_schema(&[
        "ingress",
        "prerouting",
        "input",
        "forward",
        "output",
        "postrouting",
        "egress",
    ])
}

fn hook_schema() -> Value {
    object_of(&[
        ("layer", word_schema(&["device", "bridge", "arp", "ip"])),
        ("hook", hook_name()),
        ("chains", list_of(count_schema())),
    ])
}

fn apart_schema() -> Value {
    let why = [
        "selected",
        "deep",
        "dormant",
        "unsure",
        "uncalled",
        "unreached",
    ];
    object_of(&[("chain", count_schema()), ("why", word_schema(&why))])
}

fn chain_schema() -> Value {
    let base = object_of(&[
        ("hook", hook_name()),
        ("priority", json!({ "type": "integer" })),
        ("kind", word_schema(&["filter", "nat", "route"])),
        ("policy", word_schema(&["accept", "drop"])),
        ("devices", list_of(text_schema())),
        ("packets", or_null(count_schema())),
        ("bytes", or_null(count_schema())),
    ]);
    object_of(&[
        ("table", count_schema()),
        ("name", text_schema()),
        ("base", or_null(base)),
        ("callers", count_schema()),
        ("rules", list_of(rule_schema())),
    ])
}

fn call_schema() -> Value {
    let drawn = ["here", "elsewhere", "loop", "deeper"];
    or_null(object_of(&[
        ("name", text_schema()),
        ("chain", or_null(count_schema())),
        ("drawn", word_schema(&drawn)),
    ]))
}

fn rule_schema() -> Value {
    let way = object_of(&[
        ("keys", text_schema()),
        ("verdict", text_schema()),
        ("call", call_schema()),
    ]);
    object_of(&[
        ("number", json!({ "type": "integer", "minimum": 1 })),
        ("handle", or_null(count_schema())),
        ("packets", or_null(count_schema())),
        ("bytes", or_null(count_schema())),
        ("verdict", text_schema()),
        ("call", call_schema()),
        ("words", text_schema()),
        ("comment", or_null(text_schema())),
        ("ways", list_of(way)),
        ("source", or_null(text_schema())),
        ("line", or_null(json!({ "type": "integer", "minimum": 1 }))),
        ("text", text_schema()),
    ])
}

fn set_schema() -> Value {
    object_of(&[
        ("of", text_schema()),
        ("name", text_schema()),
        ("kind", text_schema()),
        ("map", json!({ "type": "boolean" })),
        ("elements", or_null(count_schema())),
        ("dynamic", json!({ "type": "boolean" })),
        ("uses", count_schema()),
    ])
}

fn text_schema() -> Value {
    json!({ "type": "string" })
}

fn count_schema() -> Value {
    json!({ "type": "integer", "minimum": 0 })
}

fn word_schema(words: &[&str]) -> Value {
    json!({ "enum": words })
}

fn list_of(of: Value) -> Value {
    let mut list = json!({ "type": "array" });
    list["items"] = of;
    list
}

fn or_null(of: Value) -> Value {
    let options = vec![of, json!({ "type": "null" })];
    json!({ "oneOf": Value::Array(options) })
}

/// An object with exactly these fields.
fn object_of(fields: &[(&str, Value)]) -> Value {
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
