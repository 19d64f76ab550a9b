//! The rules of a machine in the pieces that are loaded as one: a table, or a set of ipset. No I/O.
//!
//! A unit keeps the text that its own program printed, from which it can be loaded again, and has a normal
//! form for comparison: without counters, times that run down, and what packets add to it by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use surefoot_host::RulesOrigin;
use surefoot_ruleset::model::{Backend, Family};
use surefoot_ruleset::{Format, Input};

/// A table or a set, by the mechanism that holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct UnitKey {
    /// The mechanism.
    pub origin: RulesOrigin,
    /// `filter`, `inet f`, or the name of a set.
    pub name: String,
}

impl fmt::Display for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.origin {
            RulesOrigin::IptablesLegacy => write!(f, "table {name} of iptables-legacy"),
            RulesOrigin::Ip6tablesLegacy => write!(f, "table {name} of ip6tables-legacy"),
            RulesOrigin::IptablesNft => write!(f, "table {name} of iptables-nft"),
            RulesOrigin::Ip6tablesNft => write!(f, "table {name} of ip6tables-nft"),
            RulesOrigin::Nft => write!(f, "nft table {name}"),
            RulesOrigin::Ipset => write!(f, "ipset {name}"),
        }
    }
}

/// A table or a set as its program printed it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleUnit {
    /// Which one it is.
    pub key: UnitKey,
    /// What loads it.
    pub text: String,
}

/// The rules of a machine, in the order in which they were printed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleState {
    /// Its tables and sets.
    pub units: Vec<RuleUnit>,
}

impl RuleState {
    /// Cuts what the programs printed into units. What iptables made in nft's tables, nft prints as well;
    /// it counts once, as iptables'.
    pub fn of_listings(listings: &BTreeMap<RulesOrigin, String>) -> Self {
        let nft = listings
            .get(&RulesOrigin::Nft)
            .map(|text| nft_tables(text))
            .unwrap_or_default();
        let mut units = Vec::new();
        for (origin, text) in listings {
            match origin {
                RulesOrigin::Nft => {}
                RulesOrigin::Ipset => units.extend(ipset_sets(text)),
                _ => {
                    let has_nft = listings.contains_key(&RulesOrigin::Nft);
                    units.extend(iptables_tables(*origin, text, has_nft.then_some(&nft)));
                }
            }
        }
        let of_iptables: BTreeSet<String> = units.iter().filter_map(nft_name).collect();
        units.extend(
            nft.into_iter()
                .filter(|unit| !of_iptables.contains(&unit.key.name)),
        );
        Self { units }
    }

    /// The unit of that name.
    pub fn unit(&self, key: &UnitKey) -> Option<&RuleUnit> {
        self.units.iter().find(|unit| unit.key == *key)
    }

    /// The units that are in one of the two only, or differ.
    pub fn changed_units(&self, other: &Self) -> Vec<UnitKey> {
        let mut keys: Vec<UnitKey> = Vec::new();
        for unit in self.units.iter().chain(&other.units) {
            let is_new = !keys.contains(&unit.key);
            if is_new && self.normal(&unit.key) != other.normal(&unit.key) {
                keys.push(unit.key.clone());
            }
        }
        keys
    }

    /// The normal form of a unit, if it is there.
    pub fn normal(&self, key: &UnitKey) -> Option<String> {
        self.unit(key).map(RuleUnit::normal_text)
    }

    /// These units, and of the others those of another state.
    #[must_use]
    pub fn with_units_of(&self, other: &Self, keys: &[UnitKey]) -> Self {
        let mut units: Vec<RuleUnit> = Vec::new();
        for unit in &self.units {
            if !keys.contains(&unit.key) {
                units.push(unit.clone());
            } else if let Some(changed) = other.unit(&unit.key) {
                units.push(changed.clone());
            }
        }
        for unit in &other.units {
            let is_there = units.iter().any(|one| one.key == unit.key);
            if keys.contains(&unit.key) && !is_there {
                units.push(unit.clone());
            }
        }
        Self { units }
    }

    /// The texts that load it, one a mechanism, for the parsers.
    pub fn inputs(&self) -> Vec<Input> {
        let mut texts: BTreeMap<RulesOrigin, String> = BTreeMap::new();
        for unit in &self.units {
            texts
                .entry(unit.key.origin)
                .or_default()
                .push_str(&unit.text);
        }
        let input = |(origin, text)| Input {
            name: listing_name(origin).to_owned(),
            text,
            format: Some(format_of(origin)),
        };
        texts.into_iter().map(input).collect()
    }
}

/// The command that prints a mechanism's rules.
fn listing_name(origin: RulesOrigin) -> &'static str {
    match origin {
        RulesOrigin::IptablesLegacy => "iptables-legacy-save -c",
        RulesOrigin::Ip6tablesLegacy => "ip6tables-legacy-save -c",
        RulesOrigin::IptablesNft => "iptables-nft-save -c",
        RulesOrigin::Ip6tablesNft => "ip6tables-nft-save -c",
        RulesOrigin::Nft => "nft list ruleset",
        RulesOrigin::Ipset => "ipset save",
    }
}

fn format_of(origin: RulesOrigin) -> Format {
    let iptables = |family, backend| Format::Iptables { family, backend };
    match origin {
        RulesOrigin::IptablesLegacy => iptables(Family::Ip, Backend::IptablesLegacy),
        RulesOrigin::Ip6tablesLegacy => iptables(Family::Ip6, Backend::IptablesLegacy),
        RulesOrigin::IptablesNft => iptables(Family::Ip, Backend::IptablesNft),
        RulesOrigin::Ip6tablesNft => iptables(Family::Ip6, Backend::IptablesNft),
        RulesOrigin::Nft => Format::NftText,
        RulesOrigin::Ipset => Format::Ipset,
    }
}

impl RuleUnit {
    /// Its text without what changes by itself.
    pub fn normal_text(&self) -> String {
        match self.key.origin {
            RulesOrigin::Nft => normal_nft(&self.text),
            RulesOrigin::Ipset => normal_ipset(&self.text),
            _ => normal_iptables(&self.text),
        }
    }
}

/// How nft names a table of iptables-nft.
pub(crate) fn nft_name(unit: &RuleUnit) -> Option<String> {
    nft_name_of(&unit.key)
}

pub(crate) fn nft_name_of(key: &UnitKey) -> Option<String> {
    match key.origin {
        RulesOrigin::IptablesNft => Some(format!("ip {}", key.name)),
        RulesOrigin::Ip6tablesNft => Some(format!("ip6 {}", key.name)),
        _ => None,
    }
}

/// The chains that the kernel calls, by table.
pub(crate) fn builtin_chains(table: &str) -> &'static [&'static str] {
    match table {
        "nat" => &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
        "mangle" => &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
        "raw" => &["PREROUTING", "OUTPUT"],
        _ => &["INPUT", "FORWARD", "OUTPUT"],
    }
}

/// The tables of `iptables-save`. `nft` has the same tables as nft prints them, where nft could be asked:
/// iptables prints chains that are not there.
fn iptables_tables(origin: RulesOrigin, text: &str, nft: Option<&Vec<RuleUnit>>) -> Vec<RuleUnit> {
    let is_legacy = matches!(
        origin,
        RulesOrigin::IptablesLegacy | RulesOrigin::Ip6tablesLegacy
    );
    let nft = nft.filter(|_| !is_legacy);
    let mut foreign: Vec<&str> = Vec::new();
    let mut units = Vec::new();
    let mut current: Option<RuleUnit> = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# Table `") {
            foreign.extend(rest.split('\'').next());
        }
        if let Some(name) = line.strip_prefix('*') {
            let key = UnitKey {
                origin,
                name: name.trim().to_owned(),
            };
            current = Some(RuleUnit {
                key,
                text: String::new(),
            });
        }
        let Some(unit) = &mut current else {
            continue;
        };
        if line.starts_with('#') {
            continue;
        }
        unit.text.push_str(line);
        unit.text.push('\n');
        if line.trim() == "COMMIT" {
            units.extend(current.take());
        }
    }
    units.retain(|unit| !foreign.contains(&unit.key.name.as_str()));
    match nft {
        Some(tables) => {
            for unit in &mut units {
                let name = nft_name_of(&unit.key).unwrap_or_default();
                let table = tables.iter().find(|table| table.key.name == name);
                let there = table.map_or("", |table| table.text.as_str());
                unit.text = without_absent_chains(&unit.text, there);
            }
        }
        None => units.retain(|unit| !is_untouched(unit)),
    }
    units
}

/// Leaves out the chains that nft does not have.
fn without_absent_chains(text: &str, nft: &str) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        let chain = line
            .strip_prefix(':')
            .and_then(|rest| rest.split_whitespace().next());
        let is_there = chain.is_none_or(|chain| {
            let opening = format!("chain {chain} {{");
            nft.lines().any(|line| line.trim() == opening)
        });
        if is_there {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Whether a table is as the kernel makes it: a legacy table that was used once cannot be removed.
fn is_untouched(unit: &RuleUnit) -> bool {
    unit.text.lines().all(|line| {
        line.starts_with('*')
            || line.trim() == "COMMIT"
            || line.starts_with(':') && line.split_whitespace().nth(1) == Some("ACCEPT")
    })
}

/// The tables of `nft list ruleset`.
fn nft_tables(text: &str) -> Vec<RuleUnit> {
    let mut units = Vec::new();
    let mut current: Option<RuleUnit> = None;
    for line in text.lines() {
        if let (None, Some(rest)) = (&current, line.strip_prefix("table ")) {
            let name = rest.trim_end().trim_end_matches('{').trim();
            let key = UnitKey {
                origin: RulesOrigin::Nft,
                name: name.to_owned(),
            };
            current = Some(RuleUnit {
                key,
                text: String::new(),
            });
        }
        let Some(unit) = &mut current else {
            continue;
        };
        unit.text.push_str(line);
        unit.text.push('\n');
        if line == "}" {
            units.extend(current.take());
        }
    }
    units
}

/// The sets of `ipset save`.
fn ipset_sets(text: &str) -> Vec<RuleUnit> {
    let mut units: Vec<RuleUnit> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let (Some(_), Some(name)) = (words.next(), words.next()) else {
            continue;
        };
        let at = units.iter().position(|unit| unit.key.name == name);
        let at = at.unwrap_or_else(|| {
            let key = UnitKey {
                origin: RulesOrigin::Ipset,
                name: name.to_owned(),
            };
            units.push(RuleUnit {
                key,
                text: String::new(),
            });
            units.len() - 1
        });
        units[at].text.push_str(line);
        units[at].text.push('\n');
    }
    units
}

/// Without counters.
fn normal_iptables(text: &str) -> String {
    let mut normal = String::new();
    for line in text.lines() {
        let line = if line.starts_with('[') {
            line.split_once("] ").map_or(line, |(_, rest)| rest)
        } else if line.starts_with(':') {
            line.split_once(" [").map_or(line, |(rest, _)| rest)
        } else {
            line
        };
        normal.push_str(line.trim_end());
        normal.push('\n');
    }
    normal
}

/// Its text to be kept, without counters; sets keep what they hold.
pub(crate) fn normal_lines(unit: &RuleUnit) -> String {
    match unit.key.origin {
        RulesOrigin::Nft => unit.text.lines().fold(String::new(), |mut text, line| {
            text.push_str(&without_counts(line));
            text.push('\n');
            text
        }),
        RulesOrigin::Ipset => unit.text.clone(),
        _ => normal_iptables(&unit.text)
            .lines()
            .fold(String::new(), |mut text, line| {
                text.push_str(line);
                // Old versions want the counters of chains.
                text.push_str(if line.starts_with(':') {
                    " [0:0]\n"
                } else {
                    "\n"
                });
                text
            }),
    }
}

/// Without counters, with the elements in order; those that packets add or time removes are left out.
fn normal_nft(text: &str) -> String {
    let mut normal = String::new();
    let mut lines = text.lines();
    let mut passes = false;
    while let Some(line) = lines.next() {
        let word = line.trim();
        if word.starts_with("set ") || word.starts_with("map ") {
            passes = false;
        }
        if word.starts_with("timeout ")
            || word.starts_with("flags ") && (word.contains("dynamic") || word.contains("timeout"))
        {
            passes = true;
        }
        let Some(first) = word.strip_prefix("elements = {") else {
            normal.push_str(&without_counts(line));
            normal.push('\n');
            continue;
        };
        let mut elements = first.to_owned();
        while !ends_outside_quotes(&elements, '}') {
            let Some(next) = lines.next() else { break };
            elements.push(' ');
            elements.push_str(next.trim());
        }
        if passes {
            continue;
        }
        let elements = elements.trim_end().trim_end_matches('}');
        let mut parts: Vec<String> = split_outside_quotes(elements, ',')
            .into_iter()
            .map(|part| without_counts(part.trim()))
            .filter(|part| !part.is_empty())
            .collect();
        parts.sort();
        for part in parts {
            normal.push_str("\t\telement ");
            normal.push_str(&part);
            normal.push('\n');
        }
    }
    normal
}

/// Whether a text ends with a letter that stands in no quotes.
fn ends_outside_quotes(text: &str, end: char) -> bool {
    text.trim_end().ends_with(end) && text.matches('"').count().is_multiple_of(2)
}

pub(crate) fn split_outside_quotes(text: &str, at: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut begin, mut quoted) = (0, false);
    for (index, letter) in text.char_indices() {
        if letter == '"' {
            quoted = !quoted;
        } else if letter == at && !quoted {
            parts.push(&text[begin..index]);
            begin = index + letter.len_utf8();
        }
    }
    parts.push(&text[begin..]);
    parts
}

/// Without `packets 3 bytes 180`, `used 5 bytes`, `expires 59m`.
pub(crate) fn without_counts(line: &str) -> String {
    let indent = line.len() - line.trim_start().len();
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_number = |at: usize| {
        words
            .get(at)
            .is_some_and(|word| word.parse::<u64>().is_ok())
    };
    let mut kept: Vec<&str> = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        at += match *word {
            "packets" if is_number(at + 1) && words.get(at + 2) == Some(&"bytes") => 4,
            "used" if is_number(at + 1) => 3,
            "expires" if words.len() > at + 1 => 2,
            _ => {
                kept.push(word);
                1
            }
        };
    }
    format!("{}{}", &line[..indent], kept.join(" "))
}

/// Without what the kernel chooses itself, the entries in order; those that time removes are left out.
fn normal_ipset(text: &str) -> String {
    let mut head = String::new();
    let mut entries = Vec::new();
    let mut is_timed = false;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_create = words.first() == Some(&"create");
        is_timed |= is_create && words.contains(&"timeout");
        let mut kept: Vec<&str> = Vec::new();
        let mut permanent = !is_timed;
        let mut at = 0;
        while let Some(word) = words.get(at) {
            let drops = match *word {
                "initval" | "hashsize" => is_create,
                "packets" | "bytes" => !is_create,
                "timeout" if !is_create => {
                    permanent = words.get(at + 1) == Some(&"0");
                    true
                }
                _ => false,
            };
            if !drops {
                kept.push(word);
            }
            at += if drops { 2 } else { 1 };
        }
        let line = kept.join(" ");
        if is_create {
            head = line;
        } else if permanent {
            entries.push(line);
        }
    }
    entries.sort();
    entries.insert(0, head);
    entries.join("\n") + "\n"
}
