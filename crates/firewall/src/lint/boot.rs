//! The rules that will be there after the next boot, and how they compare with those in force.

use std::collections::HashMap;

use super::comparable_rule::ComparableRule;
use crate::LoadedRules;
use crate::makers;
use surefoot_netfilter::SavedRules;
use surefoot_ruleset::model::{Backend, Chain, Family, Firewall, RuleAt, Table};
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

/// The files on disk, read; none where they are unknown.
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
    let list = |side: Option<(&Firewall, &Table, &Chain)>| -> Vec<(usize, ComparableRule)> {
        let Some((firewall, table, chain)) = side else {
            return Vec::new();
        };
        chain
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| makers::of_rule(table, chain, rule).is_none())
            .map(|(at, rule)| (at, ComparableRule::new(firewall, table, rule)))
            .collect()
    };
    let (first, second) = (list(first), list(second));
    let mut both = first.iter().zip(&second);
    if first.len() == second.len() && both.all(|(one, other)| one.1 == other.1) {
        return ChainDifference::default();
    }
    let only_first = missing_rules(&first, &second);
    let only_second = missing_rules(&second, &first);
    ChainDifference {
        order: only_first.is_empty() && only_second.is_empty(),
        only_first,
        only_second,
    }
}

/// The rules of the one list that the other does not have, counted.
fn missing_rules(
    list: &[(usize, ComparableRule)],
    other: &[(usize, ComparableRule)],
) -> Vec<usize> {
    let mut there: HashMap<&ComparableRule, usize> = HashMap::new();
    for (_, rule) in other {
        *there.entry(rule).or_default() += 1;
    }
    let mut absent = Vec::new();
    for (at, rule) in list {
        match there.get_mut(rule) {
            Some(left) if *left > 0 => *left -= 1,
            _ => absent.push(*at),
        }
    }
    absent
}
