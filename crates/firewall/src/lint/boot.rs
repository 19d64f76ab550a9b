//! The rules that will be there after the next boot, and how they compare with those in force.

use std::collections::HashMap;

use crate::LoadedRules;
use crate::makers;
use surefoot_netfilter::SavedRules;
use surefoot_ruleset::model::{
    Backend, Chain, ChainId, Content, Effect, Family, Firewall, KeyPart, Match, Rule, RuleAt, Set,
    SetKind, SetRef, Statement, Table, Verdict,
};
use surefoot_ruleset::{Format, Input};

/// Rules that one program loads for one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum RulesGroup {
    /// iptables.
    V4,
    /// ip6tables.
    V6,
    /// nft, all families.
    Nft,
}

impl RulesGroup {
    pub(super) const ALL: [Self; 3] = [Self::V4, Self::V6, Self::Nft];

    pub(super) fn of(table: &Table) -> Self {
        match (table.backend, table.family) {
            (Backend::Nft, _) => Self::Nft,
            (_, Family::Ip6) => Self::V6,
            _ => Self::V4,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::V4 => "IPv4 (iptables)",
            Self::V6 => "IPv6 (ip6tables)",
            Self::Nft => "nft",
        }
    }
}

/// A rule file, read.
pub(super) struct SavedText<'a> {
    pub(super) file: &'a SavedRules,
    pub(super) rules: LoadedRules,
}

impl SavedText<'_> {
    /// Whether something loads it at boot.
    pub(super) fn boots(&self) -> bool {
        !self.file.loaders.is_empty()
    }

    /// Whether it was understood to the last word, and says all itself.
    pub(super) fn is_understood(&self) -> bool {
        self.rules.problems.is_empty() && !self.includes()
    }

    /// Whether more rules come from files that it names.
    pub(super) fn includes(&self) -> bool {
        let lines = self.file.text.lines();
        lines
            .map(str::trim_start)
            .any(|line| line.starts_with("include "))
    }

    /// Whether it says something about these rules.
    pub(super) fn holds(&self, group: RulesGroup) -> bool {
        self.rules
            .firewall
            .tables
            .iter()
            .any(|table| RulesGroup::of(table) == group)
            || (group == RulesGroup::Nft && self.includes())
    }
}

/// The files on disk, read; none where they are not known.
pub(super) fn saved_files<'a>(loaded: &'a LoadedRules) -> Option<Vec<SavedText<'a>>> {
    let files = loaded.surroundings.saved.as_ref()?;
    let read = |file: &'a SavedRules| SavedText {
        file,
        rules: LoadedRules::of_texts(vec![Input {
            name: file.path.clone(),
            text: file.text.clone(),
            format: format_by_name(file),
        }])
        .on_host(loaded.surroundings.clone()),
    };
    Some(files.iter().map(read).collect())
}

/// An iptables file does not say its family; its path does, by custom.
fn format_by_name(file: &SavedRules) -> Option<Format> {
    let name = file.path.rsplit('/').next().unwrap_or_default();
    let v6 = name.contains("ip6") || name.ends_with("v6") || name.contains("rules6");
    let iptables = file
        .text
        .lines()
        .any(|line| ["*filter", "*nat", "*mangle", "*raw"].contains(&line.trim()));
    iptables.then_some(Format::Iptables {
        family: if v6 { Family::Ip6 } else { Family::Ip },
        backend: Backend::Iptables,
    })
}

/// The rules in force that a person wrote, group by group. What docker and its like have made is
/// made again when they start.
pub(super) fn written_by_hand(loaded: &LoadedRules, group: RulesGroup) -> Vec<RuleAt> {
    let mut found = Vec::new();
    for (t, table) in loaded.firewall.tables.iter().enumerate() {
        if RulesGroup::of(table) != group {
            continue;
        }
        for (c, chain) in table.chains.iter().enumerate() {
            for (r, rule) in chain.rules.iter().enumerate() {
                if makers::of_rule(table, chain, rule).is_none() {
                    found.push(RuleAt {
                        table: t,
                        chain: c,
                        rule: r,
                    });
                }
            }
        }
    }
    found
}

/// A rule in words that are equal for equal rules of two texts.
pub(super) fn comparable_words(firewall: &Firewall, table: &Table, rule: &Rule) -> String {
    let mut words: Vec<String> = rule
        .statements
        .iter()
        .filter_map(|statement| statement_words(firewall, table, statement))
        .collect();
    if table.backend.is_iptables() {
        // iptables shows the matches of a rule in an order of its own.
        words.sort();
    }
    words.join(" ")
}

fn statement_words(firewall: &Firewall, table: &Table, statement: &Statement) -> Option<String> {
    let nft = table.backend == Backend::Nft;
    Some(match statement {
        Statement::Match(Match::Field { operand, .. }) if nft && is_implied(operand.field) => {
            return None;
        }
        Statement::Match(wanted) => match_words(firewall, table, wanted),
        Statement::Effect(Effect::Other { .. }) if nft => return None,
        Statement::Effect(Effect::UpdateSet { set, .. }) => {
            format!("update {}", set_words(firewall, table, set))
        }
        Statement::Effect(effect) => format!("{effect:?}"),
        Statement::Verdict(Verdict::Jump(to)) => format!("jump {}", chain_name(table, *to)),
        Statement::Verdict(Verdict::Goto(to)) => format!("goto {}", chain_name(table, *to)),
        Statement::Verdict(Verdict::Reject { .. }) if nft => "reject".to_owned(),
        Statement::Verdict(Verdict::Nat(nat)) => {
            let map = nat
                .by_map
                .as_ref()
                .map(|map| set_words(firewall, table, &map.1));
            format!("{:?} {:?} {:?} {map:?}", nat.kind, nat.addresses, nat.ports)
        }
        Statement::Verdict(verdict) => format!("{verdict:?}"),
        Statement::VerdictMap(lookup) => {
            let map = set_words(firewall, table, &lookup.map);
            format!("{} vmap {map}", key_words(&lookup.key))
        }
    })
}

/// What nft adds or leaves out of its own accord.
fn is_implied(field: surefoot_ruleset::model::Field) -> bool {
    use surefoot_ruleset::model::Field;
    matches!(field, Field::L4Proto | Field::NfProto | Field::EtherType)
}

fn match_words(firewall: &Firewall, table: &Table, wanted: &Match) -> String {
    match wanted {
        Match::Lookup(lookup) => {
            let set = set_words(firewall, table, &lookup.set);
            format!("{} in {} {set}", key_words(&lookup.key), !lookup.negated)
        }
        Match::Any { negated, of } => {
            let of: Vec<String> = of
                .iter()
                .map(|one| match_words(firewall, table, one))
                .collect();
            format!("any {negated} {of:?}")
        }
        wanted => format!("{wanted:?}"),
    }
}

fn key_words(key: &[KeyPart]) -> String {
    format!("{key:?}")
}

fn set_words(firewall: &Firewall, table: &Table, set: &SetRef) -> String {
    let named = |sets: &[Set], at: u32| {
        let set = usize::try_from(at).ok().and_then(|at| sets.get(at));
        set.map_or_else(String::new, |set| set.name.clone())
    };
    match set {
        SetRef::Ipset(at) => named(&firewall.ipsets, *at),
        SetRef::Named(at) => named(&table.sets, *at),
        SetRef::Missing(name) => name.clone(),
        SetRef::Inline(set) => {
            let mut elements: Vec<String> = match &set.content {
                Content::Known(elements) | Content::Dynamic(elements) => elements
                    .iter()
                    .map(|element| match &element.value {
                        Some(surefoot_ruleset::model::ElementValue::Verdict(
                            Verdict::Jump(to) | Verdict::Goto(to),
                        )) => format!("{:?} {}", element.key, chain_name(table, *to)),
                        value => format!("{:?} {value:?}", element.key),
                    })
                    .collect(),
                Content::Unknown => Vec::new(),
            };
            elements.sort();
            let map = matches!(set.kind, SetKind::Nft { map: true, .. });
            format!("{{{map} {}}}", elements.join(", "))
        }
    }
}

fn chain_name(table: &Table, to: ChainId) -> String {
    usize::try_from(to.0)
        .ok()
        .and_then(|to| table.chains.get(to))
        .map_or_else(String::new, |chain| chain.name.clone())
}

/// How the rules of one chain differ; indices into the two chains.
#[derive(Debug, Default)]
pub(super) struct ChainDifference {
    pub(super) only_first: Vec<usize>,
    pub(super) only_second: Vec<usize>,
    pub(super) order: bool,
}

/// Compares two chains, what programs made left out.
pub(super) fn compare_chains(
    first: Option<(&Firewall, &Table, &Chain)>,
    second: Option<(&Firewall, &Table, &Chain)>,
) -> ChainDifference {
    let list = |side: Option<(&Firewall, &Table, &Chain)>| -> Vec<(usize, String)> {
        let Some((firewall, table, chain)) = side else {
            return Vec::new();
        };
        chain
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| makers::of_rule(table, chain, rule).is_none())
            .map(|(at, rule)| (at, comparable_words(firewall, table, rule)))
            .collect()
    };
    let (first, second) = (list(first), list(second));
    let plain = |list: &[(usize, String)]| -> Vec<String> {
        list.iter().map(|(_, words)| words.clone()).collect()
    };
    if plain(&first) == plain(&second) {
        return ChainDifference::default();
    }
    let only_first = missing_lines(&first, &second);
    let only_second = missing_lines(&second, &first);
    ChainDifference {
        order: only_first.is_empty() && only_second.is_empty(),
        only_first,
        only_second,
    }
}

/// The rules of the one list that the other does not have, counted.
fn missing_lines(list: &[(usize, String)], other: &[(usize, String)]) -> Vec<usize> {
    let mut there: HashMap<&str, usize> = HashMap::new();
    for (_, words) in other {
        *there.entry(words).or_default() += 1;
    }
    let mut absent = Vec::new();
    for (at, words) in list {
        match there.get_mut(words.as_str()) {
            Some(left) if *left > 0 => *left -= 1,
            _ => absent.push(*at),
        }
    }
    absent
}
