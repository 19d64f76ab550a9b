//! What the sets and objects that a rule names are defined to do, in words that two firewalls share
//! if it is the same: a rule that tests `limit name "l"` is the same rule only if `l` is the same
//! limit.

use crate::semantics::resolve_set;
use surefoot_ruleset::model::{
    Content, Effect, Firewall, Rule, Set, SetRef, Statement, Table, Verdict,
};

/// The definitions of everything that the rule names, but for the elements of sets that are known.
pub(super) fn definitions_of(firewall: &Firewall, table: &Table, rule: &Rule) -> String {
    let mut found: Vec<String> = Vec::new();
    for set in rule.statements.iter().filter_map(named_set) {
        found.extend(set_definition(firewall, table, set));
    }
    if !table.others.is_empty() {
        let text = firewall.text(rule.place);
        found.extend(objects_named(table, text));
    }
    found.retain(|one| !one.is_empty());
    found.sort();
    found.dedup();
    found.join("; ")
}

/// The definitions of the table's objects that a text names.
pub(super) fn objects_named(table: &Table, text: &str) -> Vec<String> {
    let split = |letter: char| letter.is_whitespace() || matches!(letter, '"' | ';' | '{' | '}');
    let words: Vec<&str> = text.split(split).filter(|word| !word.is_empty()).collect();
    let objects = table.others.iter().filter_map(|line| {
        let (kind, name) = object_name(line)?;
        let counts = matches!(kind, "counter" | "comment");
        (!counts && words.contains(&name)).then(|| object_words(line))
    });
    objects.collect()
}

/// The kind and the name of `limit l { ... }`, `ct helper h { ... }`.
fn object_name(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    let kind = words.next()?;
    if kind == "ct" {
        words.next()?;
    }
    Some((kind, words.next()?.trim_matches('"')))
}

/// The words of an object without what it has counted, in one spelling.
fn object_words(line: &str) -> String {
    let split = |letter: char| letter.is_whitespace() || matches!(letter, ';');
    let mut words = line.split(split).filter(|word| !word.is_empty()).peekable();
    let mut kept: Vec<String> = Vec::new();
    while let Some(word) = words.next() {
        let unit = words.peek().map_or(1, |unit| bytes_in(unit));
        match word {
            // What a quota has used.
            "used" => {
                words.next();
                words.next();
            }
            number if unit > 1 && number.parse::<u64>().is_ok() => {
                let number = number.parse::<u64>().unwrap_or_default();
                kept.push(format!("{} bytes", number.saturating_mul(unit)));
                words.next();
            }
            _ => kept.push(word.to_owned()),
        }
    }
    // The default of the kernel.
    kept.join(" ").replace(" burst 5 packets", "")
}

fn bytes_in(unit: &str) -> u64 {
    match unit {
        "kbytes" => 1 << 10,
        "mbytes" => 1 << 20,
        "gbytes" => 1 << 30,
        _ => 1,
    }
}

fn named_set(statement: &Statement) -> Option<&SetRef> {
    match statement {
        Statement::Match(surefoot_ruleset::model::Match::Lookup(look)) => Some(&look.set),
        Statement::VerdictMap(look) => Some(&look.map),
        Statement::Effect(Effect::UpdateSet { set, .. }) => Some(set),
        Statement::Verdict(Verdict::Nat(nat)) => nat.by_map.as_ref().map(|map| &map.1),
        _ => None,
    }
}

/// What a set does to its elements: how long they stay, how many there can be, what they test.
pub(super) fn set_definition(firewall: &Firewall, table: &Table, set: &SetRef) -> Option<String> {
    let named = matches!(set, SetRef::Named(_) | SetRef::Ipset(_));
    let set = resolve_set(firewall, table, set).filter(|_| named)?;
    let changes = !matches!(set.content, Content::Known(_));
    let text = firewall.text(set.place);
    if text.starts_with("create") {
        return changes.then(|| ipset_words(text));
    }
    Some(set_words(text, changes, is_filled(table, set)))
}

/// Whether rules of the table add elements or take them away.
fn is_filled(table: &Table, wanted: &Set) -> bool {
    let rules = table.chains.iter().flat_map(|chain| &chain.rules);
    let mut statements = rules.flat_map(|rule| &rule.statements);
    statements.any(|one| {
        let Statement::Effect(Effect::UpdateSet {
            set: SetRef::Named(at),
            ..
        }) = one
        else {
            return false;
        };
        let set = usize::try_from(*at).ok().and_then(|at| table.sets.get(at));
        set.is_some_and(|set| set.name == wanted.name)
    })
}

/// The options of `create` that decide how long elements stay and how many there are.
fn ipset_words(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let mut words = line.split_whitespace().skip(2);
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "hashsize" | "bucketsize" | "initval" => drop(words.next()),
            "counters" | "comment" => {}
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

/// The properties of a set of nft, in one spelling; of a set that only its administrator changes, the
/// elements, too.
fn set_words(text: &str, changes: bool, filled: bool) -> String {
    let body = text.split_once('{').map_or("", |(_, body)| body);
    let (body, elements) = match body.split_once("elements") {
        Some((before, rest)) => {
            let (elements, after) = rest.split_once('}').unwrap_or((rest, ""));
            (format!("{before}\n{after}"), elements)
        }
        None => (body.to_owned(), ""),
    };
    let mut kept: Vec<String> = Vec::new();
    for line in body.split(['\n', ';', '}']) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["timeout", time] if changes => kept.push(format!("timeout {}", seconds(time))),
            // The default of the kernel.
            ["size", most] if changes && most != "65535" => kept.push(format!("size {most}")),
            ["limit" | "quota", ..] | ["ct", "count", ..] => kept.push(object_words(line)),
            _ => {}
        }
    }
    if changes && !filled {
        let elements = elements.split(',').map(element_words);
        let mut elements: Vec<String> = elements.filter(|one| !one.is_empty()).collect();
        elements.sort();
        kept.extend(elements);
    }
    kept.sort();
    kept.join(", ")
}

/// An element with its timeout, and without what is left of that or was counted.
fn element_words(text: &str) -> String {
    let mut kept: Vec<String> = Vec::new();
    let split = |letter: char| letter.is_whitespace() || matches!(letter, '{' | '}' | '=');
    let mut words = text.split(split).filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        match word {
            "expires" => drop(words.next()),
            "counter" | "comment" | "limit" | "quota" | "ct" | "last" => break,
            "timeout" => {
                let time = words.next().unwrap_or_default();
                kept.push(format!("timeout {}", seconds(time)));
            }
            word => kept.push(word.to_owned()),
        }
    }
    kept.join(" ")
}

/// `1h30m` in seconds; words that are no time stay.
fn seconds(text: &str) -> String {
    let (mut total, mut number) = (0_u64, String::new());
    for letter in text.chars() {
        let unit = match letter {
            '0'..='9' => {
                number.push(letter);
                continue;
            }
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return text.to_owned(),
        };
        let Ok(count) = std::mem::take(&mut number).parse::<u64>() else {
            return text.to_owned();
        };
        total = total.saturating_add(count.saturating_mul(unit));
    }
    let rest = number.parse().unwrap_or(0);
    total.saturating_add(rest).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_definition_are_one() {
        assert_eq!(
            object_words("limit l { rate 1/second ; }"),
            object_words("limit l { rate 1/second burst 5 packets }")
        );
        assert_eq!(
            object_words("quota q { over 2 mbytes used 7 bytes }"),
            object_words("quota q { over 2097152 bytes }")
        );
        assert_ne!(
            object_words("quota q { over 300 bytes }"),
            object_words("quota q { over 1000 mbytes }")
        );
        let set = |inside: &str| set_words(&format!("set s {{ {inside} }}"), true, false);
        assert_eq!(
            set("type ipv4_addr; flags dynamic; timeout 1m30s"),
            set("type ipv4_addr; size 65535; timeout 90s")
        );
        assert_ne!(set("timeout 1m"), set("timeout 1h"));
        assert_ne!(set("size 1"), set("size 100"));
        assert_eq!(
            set("elements = { 10.0.0.2, 10.0.0.1 timeout 1h expires 5m }"),
            set("elements = { 10.0.0.1 timeout 60m expires 7s, 10.0.0.2 expires 1s }")
        );
        assert_ne!(
            set("elements = { 10.0.0.1 timeout 1h }"),
            set("elements = { 10.0.0.1 timeout 1m }")
        );
    }
}
