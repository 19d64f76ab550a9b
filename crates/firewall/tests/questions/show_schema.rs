//! The published schema of the picture is the one that the code has, and the JSON keeps to it.
//! `cargo xtask docs` writes the published file, and so does `UPDATE=1` here.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files"
)]

use std::path::Path;

use serde_json::{Value, json};
use surefoot_firewall::show::{self, Selection, picture};
use surefoot_ruleset::{Input, load};

/// Says where a value is not what a schema wants; knows the words that our schemas use.
fn breach(schema: &Value, value: &Value, at: &str) -> Option<String> {
    for word in schema.as_object().expect("a schema is an object").keys() {
        let known = [
            "$schema",
            "title",
            "type",
            "properties",
            "required",
            "additionalProperties",
            "items",
            "oneOf",
            "const",
            "enum",
            "minimum",
        ];
        assert!(known.contains(&word.as_str()), "{word} is not checked here");
    }
    if let Some(options) = schema["oneOf"].as_array() {
        let flaws: Vec<Option<String>> = options.iter().map(|it| breach(it, value, at)).collect();
        let fits = flaws.iter().filter(|flaw| flaw.is_none()).count();
        return (fits != 1).then(|| format!("{at}: fits {fits} of the options: {flaws:?}"));
    }
    if let Some(constant) = schema.get("const") {
        return (constant != value).then(|| format!("{at}: {value} is not {constant}"));
    }
    if let Some(words) = schema["enum"].as_array() {
        return (!words.contains(value)).then(|| format!("{at}: {value} is no word of it"));
    }
    let fits = match schema["type"].as_str().expect("the schema gives a type") {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => match (value.as_u64(), schema["minimum"].as_u64()) {
            (Some(number), Some(least)) => number >= least,
            (None, None) => value.is_i64(),
            (number, _) => number.is_some(),
        },
        "array" => {
            let Some(items) = value.as_array() else {
                return Some(format!("{at}: {value} is no list"));
            };
            let flaw = |(number, item): (usize, &Value)| {
                breach(&schema["items"], item, &format!("{at}[{number}]"))
            };
            return items.iter().enumerate().find_map(flaw);
        }
        "object" => {
            let Some(fields) = value.as_object() else {
                return Some(format!("{at}: {value} is no object"));
            };
            let required = schema["required"].as_array().expect("a list");
            let mut names = required.iter().map(|name| name.as_str().expect("a name"));
            if let Some(name) = names.find(|name| !fields.contains_key(*name)) {
                return Some(format!("{at}: {name} is missing"));
            }
            return fields
                .iter()
                .find_map(|(name, field)| match schema["properties"].get(name) {
                    Some(schema) => breach(schema, field, &format!("{at}.{name}")),
                    None => Some(format!("{at}: {name} is not in the schema")),
                });
        }
        kind => panic!("{kind} is not checked here"),
    };
    (!fits).then(|| format!("{at}: {value} is no {}", schema["type"]))
}

fn drawn() -> Value {
    let nft = "\
table netdev d { chain i { type filter hook ingress device \"eth0\" priority 5; policy accept; } }
table inet t {
  set s { type ipv4_addr; flags dynamic; elements = { 192.0.2.1 } }
  flowtable f { hook ingress priority 0; devices = { eth0 }; }
  chain c {
    type filter hook input priority -10; policy drop;
    ip saddr @s counter packets 3 bytes 9 jump d comment \"a\"
    tcp dport vmap { 22 : jump d, 80 : accept }
    jump e
  }
  chain d { return; }
  chain e { jump e; }
  chain loose { drop; }
}
";
    let iptables = "*filter\n:INPUT DROP [1:2]\n[3:4] -A INPUT -j ACCEPT\nCOMMIT\n";
    let inputs = [nft, iptables].map(|text| Input {
        name: "r".to_owned(),
        text: text.to_owned(),
        format: None,
    });
    let picture = picture(&load(inputs.into()).firewall, &Selection::default());
    serde_json::from_str(&show::json(&picture)).unwrap()
}

#[test]
fn the_schema_describes_the_picture() {
    let schema: Value = serde_json::from_str(&show::schema()).unwrap();
    let picture = drawn();
    assert_eq!(breach(&schema, &picture, "picture"), None);
    // Everything that a picture can have is in this one, so nothing goes unchecked.
    for list in ["tables", "hooks", "apart", "chains", "sets"] {
        assert!(!picture[list].as_array().unwrap().is_empty(), "{list}");
    }
    for (place, bad) in [
        ("/version", json!(2)),
        ("/chains/0/base/policy", json!("queue")),
        ("/chains/0/rules", json!({})),
        ("/chains/1/rules/0/call/drawn", json!(null)),
        ("/chains/1/rules/0/number", json!(0)),
        ("/sets/0/elements", json!(-1)),
        ("/hooks/0", json!({})),
    ] {
        let mut picture = picture.clone();
        *picture.pointer_mut(place).expect(place) = bad;
        assert!(breach(&schema, &picture, "picture").is_some(), "{place}");
    }
}

#[test]
fn the_published_schema_is_this_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema/firewall-show.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, show::schema()).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert_eq!(published, show::schema(), "`cargo xtask docs` writes it");
}
