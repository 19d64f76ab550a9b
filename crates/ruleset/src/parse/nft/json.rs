//! `nft -j list ruleset` as the text of `nft list ruleset`.
//!
//! JSON has no lines that a person could look up, so it is written out the way nft prints it, and
//! that text is what is parsed and pointed at (libnftables-json(5) has the format). What has no
//! words here becomes `unknown KIND "…"`, which the parser keeps as opaque.

use std::fmt::Write as _;

use serde_json::Value;

/// Deeper nesting than this no rule has.
const DEEPEST: u32 = 64;

/// Writes the ruleset of a JSON document as text; says why where it is not one.
pub fn json_to_text(json: &str) -> Result<String, String> {
    let document: Value = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let objects = document
        .get("nftables")
        .and_then(Value::as_array)
        .ok_or("it has no list `nftables`")?;
    let mut tables: Vec<JsonTable<'_>> = Vec::new();
    for object in objects {
        let Some((kind, body)) = object.as_object().and_then(|object| object.iter().next()) else {
            return Err("something in the list `nftables` is no object".to_owned());
        };
        place(&mut tables, kind, body)?;
    }
    let mut text = String::with_capacity(json.len() / 3);
    for table in &tables {
        table.write(&mut text);
    }
    Ok(text)
}

/// A table and what belongs to it, in the order of the document.
struct JsonTable<'a> {
    family: &'a str,
    name: &'a str,
    body: &'a Value,
    objects: Vec<(&'a str, &'a Value)>,
    chains: Vec<(&'a str, &'a Value, Vec<&'a Value>)>,
}

/// Puts an object of the document where it belongs.
fn place<'a>(
    tables: &mut Vec<JsonTable<'a>>,
    kind: &'a str,
    body: &'a Value,
) -> Result<(), String> {
    if kind == "metainfo" {
        return Ok(());
    }
    let word = |key: &str| {
        body.get(key)
            .and_then(Value::as_str)
            .ok_or_else(|| format!("a `{kind}` has no `{key}`"))
    };
    let family = word("family")?;
    if kind == "table" {
        let name = word("name")?;
        tables.push(JsonTable {
            family,
            name,
            body,
            objects: Vec::new(),
            chains: Vec::new(),
        });
        return Ok(());
    }
    let name = word("table")?;
    let table = tables
        .iter_mut()
        .rev()
        .find(|table| table.family == family && table.name == name)
        .ok_or_else(|| format!("the table `{family} {name}` of a `{kind}` is not there"))?;
    match kind {
        "chain" => table.chains.push((word("name")?, body, Vec::new())),
        "rule" => {
            let chain = word("chain")?;
            let found = table
                .chains
                .iter_mut()
                .rev()
                .find(|(name, _, _)| *name == chain);
            let (_, _, rules) =
                found.ok_or_else(|| format!("the chain `{chain}` of a rule is not there"))?;
            rules.push(body);
        }
        _ => table.objects.push((kind, body)),
    }
    Ok(())
}

impl JsonTable<'_> {
    fn write(&self, out: &mut String) {
        let _ = writeln!(out, "table {} {} {{", self.family, name(self.name));
        if let Some(flags) = self.body.get("flags") {
            let _ = writeln!(out, "\tflags {}", list(flags, ","));
        }
        for (kind, body) in &self.objects {
            object(out, kind, body);
        }
        for (chain, body, rules) in &self.chains {
            let _ = writeln!(out, "\tchain {} {{", name(chain));
            hook(out, body);
            for rule in rules {
                let _ = writeln!(out, "\t\t{}", rule_text(rule));
            }
            out.push_str("\t}\n");
        }
        out.push_str("}\n");
    }
}

/// `type filter hook input priority 0; policy drop;`, where the chain is hooked.
fn hook(out: &mut String, chain: &Value) {
    let word = |key: &str| chain.get(key).and_then(Value::as_str);
    let Some(hook) = word("hook") else {
        return;
    };
    let _ = write!(
        out,
        "\t\ttype {} hook {hook}",
        word("type").unwrap_or("unknown")
    );
    if let Some(device) = chain.get("dev") {
        let names: Vec<String> = match device {
            Value::Array(names) => names.iter().filter_map(Value::as_str).map(quoted).collect(),
            one => one.as_str().map(quoted).into_iter().collect(),
        };
        let _ = write!(out, " devices = {{ {} }}", names.join(", "));
    }
    let priority = chain
        .get("prio")
        .map_or_else(|| "unknown".to_owned(), scalar);
    let _ = writeln!(
        out,
        " priority {priority}; policy {};",
        word("policy").unwrap_or("accept")
    );
}

fn rule_text(rule: &Value) -> String {
    let mut words: Vec<String> = rule
        .get("expr")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|one| statement(one).unwrap_or_else(|| unknown(one)))
        .collect();
    if let Some(comment) = rule.get("comment").and_then(Value::as_str) {
        words.push(format!("comment {}", quoted(comment)));
    }
    if let Some(handle) = rule.get("handle").and_then(Value::as_u64) {
        words.push(format!("# handle {handle}"));
    }
    words.join(" ")
}

/// The word before what has no words here.
pub(super) const UNKNOWN: &str = "unknown";

/// What has no words here, kept so that it can be read, behind the kind of statement that it is.
fn unknown(value: &Value) -> String {
    let kind = only(value).map_or("statement", |(kind, _)| kind);
    let kind = kind.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
    format!("{UNKNOWN} {kind} {}", quoted(&value.to_string()))
}

/// A set, a map, or one of the small objects of a table.
fn object(out: &mut String, kind: &str, body: &Value) {
    let given = body.get("name").and_then(Value::as_str).unwrap_or_default();
    if !matches!(kind, "set" | "map") {
        if kind != "element" {
            let _ = writeln!(out, "\t{kind} {}{}", name(given), object_body(kind, body));
        }
        return;
    }
    let _ = writeln!(out, "\t{kind} {} {{", name(given));
    let typed = body.get("type").and_then(types);
    let data = body
        .get("map")
        .and_then(types)
        .map_or_else(String::new, |data| format!(" : {data}"));
    match (typed, body.get("type").and_then(|kind| kind.get("typeof"))) {
        (Some(typed), _) => {
            let _ = writeln!(out, "\t\ttype {typed}{data}");
        }
        (None, Some(of)) => {
            let of = expression(of, 0).unwrap_or_else(|| unknown(of));
            let data = body
                .get("map")
                .and_then(|map| map.get("typeof"))
                .and_then(|of| expression(of, 0));
            let data = data.map_or_else(String::new, |data| format!(" : {data}"));
            let _ = writeln!(out, "\t\ttypeof {of}{data}");
        }
        (None, None) => {}
    }
    if let Some(flags) = body.get("flags") {
        let _ = writeln!(out, "\t\tflags {}", list(flags, ","));
    }
    for (key, unit) in [("size", ""), ("timeout", "s"), ("gc-interval", "s")] {
        if let Some(value) = body.get(key) {
            let _ = writeln!(out, "\t\t{key} {}{unit}", scalar(value));
        }
    }
    for one in body
        .get("stmt")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let words = statement(one).unwrap_or_else(|| unknown(one));
        let _ = writeln!(out, "\t\t{words}");
    }
    if let Some(elements) = body.get("elem").and_then(Value::as_array) {
        let elements: Vec<String> = elements
            .iter()
            .map(|one| element(one, 0).unwrap_or_else(|| unknown(one)))
            .collect();
        let _ = writeln!(out, "\t\telements = {{ {} }}", elements.join(", "));
    }
    out.push_str("\t}\n");
}

/// What an object does, as nft lists it; of what is listed in more ways than one, its JSON.
fn object_body(kind: &str, body: &Value) -> String {
    let inside = match kind {
        "limit" => limit(body).map(|text| text.replacen("limit ", "", 1)),
        "quota" => body.get("bytes").map(|bytes| {
            let over = if is_inverted(body) { "over " } else { "" };
            format!("{over}{} bytes", scalar(bytes))
        }),
        "synproxy" => Some(synproxy(body).replacen("synproxy ", "", 1)),
        "ct helper" => word(body, "type").map(|helper| {
            let key = |key: &str| word(body, key).unwrap_or("unknown");
            let helper = quoted(helper);
            format!(
                "type {helper} protocol {} l3proto {}",
                key("protocol"),
                key("l3proto")
            )
        }),
        "counter" => None,
        _ => {
            let mut body = body.clone();
            if let Some(body) = body.as_object_mut() {
                body.retain(|key, _| !matches!(&**key, "handle" | "name" | "family" | "table"));
            }
            Some(quoted(&body.to_string()))
        }
    };
    inside.map_or_else(String::new, |inside| format!(" {{ {inside} }}"))
}

/// `ipv4_addr . inet_service`.
fn types(value: &Value) -> Option<String> {
    match value {
        Value::String(one) => Some(one.clone()),
        Value::Array(parts) => {
            let parts: Option<Vec<&str>> = parts.iter().map(Value::as_str).collect();
            Some(parts?.join(" . "))
        }
        _ => None,
    }
}

/// A key, or `[key, value]` of a map.
fn element(value: &Value, depth: u32) -> Option<String> {
    match value.as_array().map(Vec::as_slice) {
        Some([key, data]) => {
            let data = verdict(data).or_else(|| expression(data, depth + 1))?;
            Some(format!("{} : {data}", expression(key, depth + 1)?))
        }
        Some(_) => None,
        None => expression(value, depth + 1),
    }
}

fn verdict(value: &Value) -> Option<String> {
    let (kind, body) = only(value)?;
    match kind {
        "accept" | "drop" | "continue" | "return" => Some(kind.to_owned()),
        "jump" | "goto" => Some(format!("{kind} {}", name(body.get("target")?.as_str()?))),
        _ => None,
    }
}

/// The only field of an object.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object()?;
    let (key, body) = object.iter().next()?;
    (object.len() == 1).then_some((key, body))
}

fn statement(value: &Value) -> Option<String> {
    if let Some(verdict) = verdict(value) {
        return Some(verdict);
    }
    let (kind, body) = only(value)?;
    let text = |value: &Value| expression(value, 0);
    match kind {
        "match" => comparison(body),
        "vmap" => Some(format!(
            "{} vmap {}",
            text(body.get("key")?)?,
            text(body.get("data")?)?
        )),
        "counter" => Some(match body {
            Value::String(counter) => format!("counter name {}", quoted(counter)),
            Value::Object(counter) if counter.contains_key("packets") => format!(
                "counter packets {} bytes {}",
                scalar(counter.get("packets")?),
                scalar(counter.get("bytes")?)
            ),
            _ => "counter".to_owned(),
        }),
        "mangle" => {
            let key = text(body.get("key")?)?;
            let value = text(body.get("value")?)?;
            Some(format!("{key} set {}", as_mark(&key, value)))
        }
        "limit" => limit(body),
        "log" => log(body),
        "reject" => reject(body),
        "snat" | "dnat" | "masquerade" | "redirect" => nat(kind, body),
        "queue" => {
            let number = body.get("num").and_then(text);
            Some(number.map_or_else(
                || "queue".to_owned(),
                |number| format!("queue num {number}"),
            ))
        }
        "notrack" => Some("notrack".to_owned()),
        "set" | "map" => update(kind, body),
        "ct helper" | "ct timeout" | "ct expectation" => {
            let helper = kind.strip_prefix("ct ")?;
            Some(format!("ct {helper} set {}", quoted(body.as_str()?)))
        }
        "last" => Some("counter".to_owned()),
        "quota" => quota(body),
        "ct count" => {
            let over = if is_inverted(body) { "over " } else { "" };
            Some(format!("ct count {over}{}", scalar(body.get("val")?)))
        }
        "dup" => {
            let device = body.get("dev").and_then(text);
            let device = device.map_or_else(String::new, |name| format!(" device {name}"));
            Some(format!("dup to {}{device}", text(body.get("addr")?)?))
        }
        "synproxy" => Some(synproxy(body)),
        "flow" => Some(format!("flow add {}", word(body, "flowtable")?)),
        "xt" => Some(format!(
            "xt {} {}",
            word(body, "type")?,
            quoted(word(body, "name")?)
        )),
        _ => None,
    }
}

/// Selectors whose values are bits: a plain value asks whether any of the bits is set, `==`
/// compares them all.
fn has_bits(left: &Value) -> bool {
    match only(left) {
        Some(("ct", body)) => matches!(
            word(body, "key"),
            Some("state" | "status" | "label" | "event")
        ),
        Some(("payload", body)) => word(body, "field") == Some("flags"),
        _ => false,
    }
}

fn word<'a>(body: &'a Value, key: &str) -> Option<&'a str> {
    body.get(key).and_then(Value::as_str)
}

fn comparison(body: &Value) -> Option<String> {
    let (left, right) = (body.get("left")?, body.get("right")?);
    let bits = has_bits(left);
    let is_set = matches!(only(right), Some(("set", _)))
        || right.as_str().is_some_and(|it| it.starts_with('@'));
    let masked = only(left).is_some_and(|(kind, _)| matches!(kind, "&" | "|" | "^" | "<<" | ">>"));
    let operator = match word(body, "op")? {
        // Neither bits nor a masked value have a short form.
        "==" if masked || (bits && !is_set) => "== ",
        "in" | "==" => "",
        "!=" => "!= ",
        "!" => "! ",
        "<" => "< ",
        ">" => "> ",
        "<=" => "<= ",
        ">=" => ">= ",
        _ => return None,
    };
    let right = match right {
        Value::Array(parts) => {
            let parts: Option<Vec<String>> = parts.iter().map(|part| expression(part, 1)).collect();
            parts?.join(if bits { "," } else { "|" })
        }
        Value::Bool(true) => "exists".to_owned(),
        Value::Bool(false) => "missing".to_owned(),
        // `tcp flags == (syn | ack)` prints its bits with commas.
        other => expression(other, 0)?,
    };
    let left = expression(left, 0)?;
    Some(format!(
        "{} {operator}{}",
        as_mark(&left, left.clone()),
        as_mark(&left, right)
    ))
}

/// Writes the numbers of a mark in hexadecimal, as they are bits.
fn as_mark(key: &str, text: String) -> String {
    if !key.split(' ').any(|word| word == "mark") {
        return text;
    }
    let bits = |word: &str| {
        word.parse::<u32>()
            .map_or_else(|_| word.to_owned(), |bits| format!("{bits:#010x}"))
    };
    text.split(' ').map(bits).collect::<Vec<_>>().join(" ")
}

fn limit(body: &Value) -> Option<String> {
    if let Some(limit) = body.as_str() {
        return Some(format!("limit name {}", quoted(limit)));
    }
    let over = if is_inverted(body) { "over " } else { "" };
    let (rate, per) = (scalar(body.get("rate")?), word(body, "per")?);
    let unit = word(body, "rate_unit").map_or_else(String::new, |unit| format!(" {unit}"));
    // Five packets is the kernel's default.
    let said = body.get("burst").filter(|burst| burst.as_u64() != Some(5));
    let burst = said.map_or_else(String::new, |burst| {
        format!(
            " burst {} {}",
            scalar(burst),
            word(body, "burst_unit").unwrap_or("packets")
        )
    });
    Some(format!("limit rate {over}{rate}{unit}/{per}{burst}"))
}

fn is_inverted(body: &Value) -> bool {
    body.get("inv").and_then(Value::as_bool) == Some(true)
}

fn quota(body: &Value) -> Option<String> {
    if let Some(quota) = body.as_str() {
        return Some(format!("quota name {}", quoted(quota)));
    }
    let over = if is_inverted(body) { "over " } else { "" };
    let unit = |key: &str| word(body, key).unwrap_or("bytes");
    let used = body.get("used").filter(|used| used.as_u64() != Some(0));
    let used = used.map_or_else(String::new, |used| {
        format!(" used {} {}", scalar(used), unit("used_unit"))
    });
    let most = scalar(body.get("val")?);
    Some(format!("quota {over}{most} {}{used}", unit("val_unit")))
}

fn synproxy(body: &Value) -> String {
    if let Some(named) = body.as_str() {
        return format!("synproxy name {}", quoted(named));
    }
    let mut text = "synproxy".to_owned();
    for key in ["mss", "wscale"] {
        if let Some(value) = body.get(key) {
            let _ = write!(text, " {key} {}", scalar(value));
        }
    }
    if let Some(flags) = body.get("flags") {
        let _ = write!(text, " {}", list(flags, " "));
    }
    text
}

fn log(body: &Value) -> Option<String> {
    let mut text = "log".to_owned();
    if body.is_null() {
        return Some(text);
    }
    for (key, value) in body.as_object()? {
        let value = match (key.as_str(), value) {
            ("prefix", value) => quoted(value.as_str()?),
            ("flags", value) => list(value, " flags "),
            (_, value) => scalar(value),
        };
        let _ = write!(text, " {key} {value}");
    }
    Some(text)
}

fn reject(body: &Value) -> Option<String> {
    let Some(kind) = word(body, "type") else {
        return Some("reject".to_owned());
    };
    if kind == "tcp reset" {
        return Some("reject with tcp reset".to_owned());
    }
    Some(format!("reject with {kind} {}", scalar(body.get("expr")?)))
}

fn nat(kind: &str, body: &Value) -> Option<String> {
    let mut text = kind.to_owned();
    if body.is_null() {
        return Some(text);
    }
    if let Some(family) = word(body, "family") {
        let _ = write!(text, " {family}");
    }
    let address = body
        .get("addr")
        .map(|address| expression(address, 0).ok_or(()));
    let port = body.get("port").map(|port| expression(port, 0).ok_or(()));
    match (address.transpose().ok()?, port.transpose().ok()?) {
        (None, None) => {}
        (Some(address), None) => {
            let _ = write!(text, " to {address}");
        }
        (None, Some(port)) => {
            let _ = write!(text, " to :{port}");
        }
        (Some(address), Some(port)) if address.contains(':') => {
            let _ = write!(text, " to [{address}]:{port}");
        }
        (Some(address), Some(port)) => {
            let _ = write!(text, " to {address}:{port}");
        }
    }
    if let Some(flags) = body.get("flags") {
        let _ = write!(text, " {}", list(flags, ","));
    }
    Some(text)
}

/// `update @s { ip saddr timeout 60s limit rate 3/minute }`.
fn update(kind: &str, body: &Value) -> Option<String> {
    let operation = word(body, "op")?;
    let set = word(body, kind)?;
    let mut inside = expression(body.get("elem")?, 0)?;
    if let Some(data) = body.get("data") {
        let _ = write!(inside, " : {}", expression(data, 0)?);
    }
    for one in body
        .get("stmt")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let _ = write!(inside, " {}", statement(one)?);
    }
    Some(format!("{operation} {set} {{ {inside} }}"))
}

/// An expression in nft's words.
fn expression(value: &Value, depth: u32) -> Option<String> {
    if depth > DEEPEST {
        return None;
    }
    let deeper = |value: &Value| expression(value, depth + 1);
    match value {
        Value::String(text) => return Some(symbol(text)),
        Value::Number(_) => return Some(scalar(value)),
        Value::Bool(_) | Value::Null => return None,
        Value::Array(parts) => {
            let parts: Option<Vec<String>> = parts.iter().map(deeper).collect();
            return Some(parts?.join(","));
        }
        Value::Object(_) => {}
    }
    let (kind, body) = only(value)?;
    match kind {
        "payload" => payload(body),
        "meta" => Some(meta(word(body, "key")?)),
        "ct" => {
            let direction = word(body, "dir").map_or_else(String::new, |dir| format!("{dir} "));
            let family =
                word(body, "family").map_or_else(String::new, |family| format!("{family} "));
            Some(format!("ct {direction}{family}{}", word(body, "key")?))
        }
        "fib" => {
            let flags = body
                .get("flags")
                .map_or_else(String::new, |flags| list(flags, " . "));
            Some(format!("fib {flags} {}", word(body, "result")?))
        }
        "rt" => {
            let family =
                word(body, "family").map_or_else(String::new, |family| format!("{family} "));
            Some(format!("rt {family}{}", word(body, "key")?))
        }
        "socket" => Some(format!("socket {}", word(body, "key")?)),
        "exthdr" => {
            let header = word(body, "name")?;
            Some(match word(body, "field") {
                Some(field) => format!("{header} {field}"),
                None => format!("exthdr {header}"),
            })
        }
        "tcp option" | "ip option" | "sctp chunk" => {
            let option = word(body, "name")?;
            let field = word(body, "field").map_or_else(String::new, |field| format!(" {field}"));
            Some(format!("{kind} {option}{field}"))
        }
        "prefix" => Some(format!(
            "{}/{}",
            deeper(body.get("addr")?)?,
            scalar(body.get("len")?)
        )),
        "range" => match body.as_array()?.as_slice() {
            [from, to] => {
                let (from, to) = (deeper(from)?, deeper(to)?);
                let names = from.contains('-') || to.contains('-');
                let dash = if names { " - " } else { "-" };
                Some(format!("{from}{dash}{to}"))
            }
            _ => None,
        },
        "set" => {
            let elements: Option<Vec<String>> = match body {
                Value::Array(all) => all.iter().map(|one| element(one, depth)).collect(),
                one => Some(vec![element(one, depth)?]),
            };
            Some(format!("{{ {} }}", elements?.join(", ")))
        }
        "map" => Some(format!(
            "{} map {}",
            deeper(body.get("key")?)?,
            deeper(body.get("data")?)?
        )),
        "concat" => {
            let parts: Option<Vec<String>> = body.as_array()?.iter().map(deeper).collect();
            Some(parts?.join(" . "))
        }
        "elem" => {
            let mut text = deeper(body.get("val")?)?;
            for kind in ["counter", "limit", "quota", "ct count", "last"] {
                if let Some(asked) = body.get(kind) {
                    let asked = serde_json::json!({ kind: asked });
                    let _ = write!(text, " {}", statement(&asked)?);
                }
            }
            for key in ["timeout", "expires"] {
                if let Some(seconds) = body.get(key) {
                    let _ = write!(text, " {key} {}s", scalar(seconds));
                }
            }
            if let Some(comment) = word(body, "comment") {
                let _ = write!(text, " comment {}", quoted(comment));
            }
            Some(text)
        }
        "|" | "&" | "^" | "<<" | ">>" => operation(kind, body, depth),
        "numgen" => Some(format!(
            "numgen {} mod {}",
            word(body, "mode")?,
            scalar(body.get("mod")?)
        )),
        "jhash" | "symhash" => {
            let hashed = body.get("expr").and_then(deeper);
            let hashed = hashed.map_or_else(String::new, |hashed| format!("{hashed} "));
            Some(format!("{kind} {hashed}mod {}", scalar(body.get("mod")?)))
        }
        _ => None,
    }
}

fn operation(operator: &str, body: &Value, depth: u32) -> Option<String> {
    // How closely nft's grammar binds; it reads from the left.
    let binds = |operator: &str| match operator {
        "|" => Some(0),
        "^" => Some(1),
        "&" => Some(2),
        "<<" | ">>" => Some(3),
        _ => None,
    };
    let own = binds(operator)?;
    let sides = body.as_array()?;
    let mut parts = Vec::with_capacity(sides.len());
    for side in sides {
        let text = expression(side, depth + 1)?;
        let nested = only(side).and_then(|(kind, _)| binds(kind));
        let bracket =
            nested.is_some_and(|nested| nested < own || nested == own && !parts.is_empty());
        let list = matches!(side, Value::Array(_));
        parts.push(match (bracket, list) {
            (true, _) => format!("({text})"),
            (false, true) => format!("({})", text.replace(',', " | ")),
            (false, false) => text,
        });
    }
    Some(parts.join(&format!(" {operator} ")))
}

fn payload(body: &Value) -> Option<String> {
    if let Some(base) = word(body, "base") {
        return Some(format!(
            "@{base},{},{}",
            scalar(body.get("offset")?),
            scalar(body.get("len")?)
        ));
    }
    Some(format!(
        "{} {}",
        word(body, "protocol")?,
        word(body, "field")?
    ))
}

/// `meta` is left out where nft leaves it out.
fn meta(key: &str) -> String {
    const BARE: &[&str] = &[
        "iif",
        "iifname",
        "iiftype",
        "iifgroup",
        "oif",
        "oifname",
        "oiftype",
        "oifgroup",
        "skuid",
        "skgid",
        "nftrace",
        "rtclassid",
        "ibrname",
        "obrname",
        "pkttype",
        "cpu",
        "cgroup",
    ];
    if BARE.contains(&key) {
        key.to_owned()
    } else {
        format!("meta {key}")
    }
}

/// A string that is a symbol, an address, a set's name or an interface's name.
fn symbol(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@/-".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// The name of a table, chain or set.
fn name(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._/-\\".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// Text between quotes; nft has no way to write a quote or a line end inside.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "'").replace(['\n', '\r'], " "))
}

/// A number or a string as it is.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => symbol(text),
        other => other.to_string(),
    }
}

/// One word, or several joined.
fn list(value: &Value, between: &str) -> String {
    match value {
        Value::Array(all) => all.iter().map(scalar).collect::<Vec<_>>().join(between),
        one => scalar(one),
    }
}
