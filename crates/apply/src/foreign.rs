//! What other programs changed in tables and sets since rules were loaded: found, and its elements kept when the
//! old rules come back. No I/O.
//!
//! fail2ban and its like add elements to sets, and take them out. Those are carried over to the old rules where
//! these have the same set. What covers the address of an ssh client is not: the way back is there to give access.
//! Rules that others made are not carried over, as their place in the old rules is unknown: they are told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use surefoot_host::RulesOrigin;

use crate::units::{RuleState, RuleUnit, UnitKey, split_outside_quotes, without_counts};

/// Elements and lines that are told of each kind; the log of the entry has all.
const MOST_TOLD: usize = 20;

/// Elements of a set by what they are, without times and counters, each as it is listed.
type SetElements = BTreeMap<String, String>;

/// Elements that were carried over to the old rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CarriedElements {
    /// The table and the set, or the set of ipset.
    pub(crate) set: String,
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
}

/// What other programs changed since rules were loaded.
pub(crate) struct ForeignChanges {
    /// The elements of it that the old rules can have as well.
    pub(crate) carried: Vec<CarriedElements>,
    /// From the rules that were loaded to those that are there.
    pub(crate) diff: String,
}

impl ForeignChanges {
    /// What of it is kept, where the elements could be carried over, and what it was.
    pub(crate) fn in_words(&self, is_merged: bool) -> String {
        let mut text = "other programs changed these rules since they were loaded".to_owned();
        if is_merged {
            text.push_str("; the old rules have of that");
            for carried in &self.carried {
                let _ = write!(text, " in {}:", carried.set);
                for (sign, words) in [("+", &carried.added), ("-", &carried.removed)] {
                    for word in words.iter().take(MOST_TOLD) {
                        let _ = write!(text, " {sign}{word}");
                    }
                    if words.len() > MOST_TOLD {
                        let _ = write!(text, " and {} more {sign}", words.len() - MOST_TOLD);
                    }
                }
                text.push(',');
            }
            text.push_str(" and nothing else");
        } else {
            text.push_str("; the old rules have nothing of that");
        }
        let is_change = |line: &&str| {
            (line.starts_with('+') || line.starts_with('-'))
                && !line.starts_with("+++ ")
                && !line.starts_with("--- ")
        };
        let lines: Vec<String> = self
            .diff
            .lines()
            .filter(is_change)
            .map(|line| format!("{} {}", &line[..1], line[1..].trim()))
            .collect();
        if !lines.is_empty() {
            text.push_str("; they changed: ");
            text.push_str(&lines[..lines.len().min(MOST_TOLD)].join(", "));
        }
        if lines.len() > MOST_TOLD {
            let _ = write!(text, ", and {} lines more", lines.len() - MOST_TOLD);
        }
        text
    }
}

/// The units that are neither as they were loaded nor as they were before.
pub(crate) fn foreign_units(
    before: &RuleState,
    after: &RuleState,
    now: &RuleState,
    keys: &[UnitKey],
) -> Vec<UnitKey> {
    let is_foreign = |key: &&UnitKey| {
        let there = now.normal(key);
        there != before.normal(key) && there != after.normal(key)
    };
    keys.iter().filter(is_foreign).cloned().collect()
}

/// The old rules with the elements that other programs added and removed since, but for those that cover a
/// client.
pub(crate) fn carry_elements(
    before: &RuleState,
    after: &RuleState,
    now: &RuleState,
    (keys, clients): (&[UnitKey], &[IpAddr]),
) -> (RuleState, Vec<CarriedElements>) {
    let mut merged = before.clone();
    let mut carried = Vec::new();
    for unit in &mut merged.units {
        if !keys.contains(&unit.key) {
            continue;
        }
        let (Some(made), Some(there)) = (after.unit(&unit.key), now.unit(&unit.key)) else {
            continue;
        };
        let mut old_sets = sets_of(unit);
        let (made, there) = (sets_of(made), sets_of(there));
        let mut is_changed = false;
        for (name, elements) in &mut old_sets {
            let (Some(made), Some(there)) = (made.get(name), there.get(name)) else {
                continue;
            };
            let is_free = |word: &&String| !clients.iter().any(|client| mentions(word, *client));
            let added: Vec<String> = there
                .keys()
                .filter(|word| !made.contains_key(*word) && !elements.contains_key(*word))
                .filter(is_free)
                .cloned()
                .collect();
            let removed: Vec<String> = made
                .keys()
                .filter(|word| !there.contains_key(*word) && elements.contains_key(*word))
                .filter(is_free)
                .cloned()
                .collect();
            for word in &added {
                elements.insert(word.clone(), there[word].clone());
            }
            for word in &removed {
                elements.remove(word);
            }
            if !added.is_empty() || !removed.is_empty() {
                is_changed = true;
                let set = if unit.key.origin == RulesOrigin::Ipset {
                    unit.key.to_string()
                } else {
                    format!("set {name} of {}", unit.key)
                };
                carried.push(CarriedElements {
                    set,
                    added,
                    removed,
                });
            }
        }
        if is_changed {
            unit.text = with_sets(unit, &old_sets);
        }
    }
    (merged, carried)
}

/// The sets of a table with what they hold, or the one set of ipset.
fn sets_of(unit: &RuleUnit) -> BTreeMap<String, SetElements> {
    let mut sets: BTreeMap<String, SetElements> = BTreeMap::new();
    match unit.key.origin {
        RulesOrigin::Ipset => {
            let elements = sets.entry(unit.key.name.clone()).or_default();
            for line in unit.text.lines().filter(|line| line.starts_with("add ")) {
                elements.insert(entry_of(line), line.to_owned());
            }
        }
        RulesOrigin::Nft => {
            let (mut current, mut gathered) = (None, None::<String>);
            for line in unit.text.lines() {
                let word = line.trim();
                if let Some(name) = set_opened_by(line) {
                    current = Some(name.to_owned());
                    sets.entry(name.to_owned()).or_default();
                }
                if let Some(rest) = word.strip_prefix("elements = {") {
                    gathered = Some(rest.to_owned());
                } else if let Some(text) = &mut gathered {
                    text.push(' ');
                    text.push_str(word);
                }
                if let Some(text) = gathered.take_if(|text| text.ends_with('}'))
                    && let Some(elements) = current.as_ref().and_then(|name| sets.get_mut(name))
                {
                    let text = text.trim_end_matches('}');
                    for element in split_outside_quotes(text, ',') {
                        let element = element.trim();
                        if !element.is_empty() {
                            elements.insert(identity_of(element), element.to_owned());
                        }
                    }
                }
                if line == "\t}" {
                    current = None;
                }
            }
        }
        _ => {}
    }
    sets
}

/// The set whose block a line of nft opens.
fn set_opened_by(line: &str) -> Option<&str> {
    let word = line.strip_prefix('\t')?.strip_suffix(" {")?;
    word.strip_prefix("set ")
        .or_else(|| word.strip_prefix("map "))
}

/// A unit's text with other elements in its sets.
fn with_sets(unit: &RuleUnit, sets: &BTreeMap<String, SetElements>) -> String {
    let mut text = String::new();
    if unit.key.origin == RulesOrigin::Ipset {
        let heads = unit.text.lines().filter(|line| !line.starts_with("add "));
        let elements = sets.values().flat_map(BTreeMap::values);
        for line in heads.chain(elements.map(String::as_str)) {
            text.push_str(line);
            text.push('\n');
        }
        return text;
    }
    let (mut current, mut skips) = (None, false);
    for line in unit.text.lines() {
        if let Some(name) = set_opened_by(line) {
            current = Some(name);
        }
        skips |= line.trim_start().starts_with("elements = {");
        if skips {
            skips = !line.ends_with('}');
            continue;
        }
        if line == "\t}"
            && let Some(elements) = current.take().and_then(|name| sets.get(name))
            && !elements.is_empty()
        {
            let elements: Vec<&str> = elements.values().map(String::as_str).collect();
            text.push_str("\t\telements = { ");
            text.push_str(&elements.join(", "));
            text.push_str(" }\n");
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// An element of nft without its counter and its times.
fn identity_of(element: &str) -> String {
    let bare = without_counts(element);
    let mut kept: Vec<&str> = Vec::new();
    let mut words = bare.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "timeout" => drop(words.next()),
            "counter" => {}
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

/// An entry of ipset without the name of the set, its counters and its time.
fn entry_of(line: &str) -> String {
    let mut words = line.split_whitespace().skip(2);
    let mut kept: Vec<&str> = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "timeout" | "packets" | "bytes" => drop(words.next()),
            _ => kept.push(word),
        }
    }
    kept.join(" ")
}

/// Whether an element names an address, a network or a range that an address is in.
fn mentions(element: &str, address: IpAddr) -> bool {
    let address = address.to_canonical();
    let words = element.split([' ', ',']).map(|word| word.trim_matches('"'));
    words.into_iter().any(|word| covers(word, address))
}

fn covers(word: &str, address: IpAddr) -> bool {
    if let Some((low, high)) = word.split_once('-')
        && let (Ok(low), Ok(high)) = (low.parse::<IpAddr>(), high.parse::<IpAddr>())
    {
        return low <= address && address <= high;
    }
    let (network, length) = match word.split_once('/') {
        Some((network, length)) => (network, length.parse::<u32>().ok()),
        None => (word, None),
    };
    let Ok(network) = network.parse::<IpAddr>() else {
        return false;
    };
    let leading = |bits: u128, width: u32| {
        let length = length.unwrap_or(width).min(width);
        bits.checked_shr(width - length).unwrap_or(0)
    };
    match (network, address) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            leading(one.to_bits().into(), 32) == leading(other.to_bits().into(), 32)
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => {
            leading(one.to_bits(), 128) == leading(other.to_bits(), 128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nft(elements: &str, rule: &str) -> RuleState {
        let text = format!(
            "table inet f {{\n\tset ban {{\n\t\ttype ipv4_addr\n{elements}\t}}\n\n\tchain i {{\n\t\ttype filter hook \
             input priority filter; policy drop;\n\t\t{rule}\n\t}}\n}}\n"
        );
        RuleState::of_listings(&[(RulesOrigin::Nft, text)].into())
    }

    fn ipset(entries: &str) -> RuleState {
        let text = format!("create ban hash:net family inet\n{entries}");
        RuleState::of_listings(&[(RulesOrigin::Ipset, text)].into())
    }

    fn carry(states: [&RuleState; 3]) -> (RuleState, Vec<CarriedElements>) {
        let [before, after, now] = states;
        let keys: Vec<UnitKey> = before.units.iter().map(|unit| unit.key.clone()).collect();
        let client: IpAddr = "198.51.100.9".parse().unwrap();
        carry_elements(before, after, now, (&keys, &[client]))
    }

    #[test]
    fn elements_that_came_and_went_are_carried_over_but_for_the_clients() {
        let before = nft("\t\telements = { 203.0.113.1, 203.0.113.2 }\n", "drop");
        let after = nft("\t\telements = { 203.0.113.1 }\n", "accept");
        let now = nft(
            "\t\telements = { 203.0.113.66, 198.51.100.9,\n\t\t\t     198.51.100.0/24 timeout 1h expires 3m }\n",
            "accept",
        );
        let (merged, carried) = carry([&before, &after, &now]);
        let wanted = nft("\t\telements = { 203.0.113.2, 203.0.113.66 }\n", "drop");
        assert_eq!(merged, wanted);
        let set = "set ban of nft table inet f".to_owned();
        let (added, removed) = (
            vec!["203.0.113.66".to_owned()],
            vec!["203.0.113.1".to_owned()],
        );
        assert_eq!(
            carried,
            [CarriedElements {
                set,
                added,
                removed
            }]
        );
        // Once more, from where that led.
        assert_eq!(carry([&before, &after, &merged]).0, merged);
        assert_eq!(carry([&before, &after, &after]).1, []);
    }

    #[test]
    fn entries_of_ipset_are_carried_over() {
        let before = ipset("add ban 203.0.113.0/28\n");
        let after = ipset("");
        let now = ipset("add ban 203.0.113.64/28 packets 3 bytes 9\nadd ban 198.51.0.0/16\n");
        let (merged, carried) = carry([&before, &after, &now]);
        let text = "add ban 203.0.113.0/28\nadd ban 203.0.113.64/28 packets 3 bytes 9\n";
        assert_eq!(merged, ipset(text));
        assert_eq!(carried[0].set, "ipset ban");
    }

    #[test]
    fn a_set_that_the_old_rules_lack_is_told_only() {
        let other = nft("", "drop");
        let before = RuleState {
            units: vec![RuleUnit {
                key: other.units[0].key.clone(),
                text: "table inet f {\n}\n".to_owned(),
            }],
        };
        let now = nft("\t\telements = { 203.0.113.66 }\n", "drop");
        let (merged, carried) = carry([&before, &other, &now]);
        assert_eq!((merged, carried), (before.clone(), vec![]));
        let keys = [other.units[0].key.clone()];
        assert_eq!(foreign_units(&before, &other, &now, &keys), keys);
        assert_eq!(foreign_units(&before, &other, &other, &keys), []);
    }
}
