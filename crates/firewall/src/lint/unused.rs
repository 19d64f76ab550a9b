//! Chains and sets that nothing refers to.

use std::collections::{BTreeSet, HashMap};

use surefoot_report::{Evidence, Finding, Page, Severity};

use super::evidence::{FindingExt, MOST_SHOWN, counted_noun, finding, full_name};
use crate::LoadedRules;
use crate::commands::{iptables_program, nft_checked, quoted};
use crate::makers;
use surefoot_ruleset::model::{
    Chain, ChainId, Effect, ElementValue, Firewall, Match, Nat, Rule, SetKind, SetRef, Statement,
    Table, Verdict,
};

pub(super) const PAGE: Page = Page {
    code: "FW019",
    title: "chains or sets that nothing uses",
    severity: Severity::Note,
    text: "\
## What it is
A user chain is only run when a rule jumps to it, a set is only looked up when a rule names it. Here
are chains that no packet can reach from any hook, and sets that no rule names.

## Why it matters
They change nothing, and that is the trouble: a chain `block-list` looks as if it
blocks. Either the jump was lost, in which case a protection is missing, or it is left over from
something that is gone and makes the rules harder to read. A set that something still fills
costs memory.

## How to see it yourself
    iptables -L -n | grep '(0 references)'
    ipset list -t | grep -B6 'References: 0'
    nft list ruleset | grep -w NAME

## How to mend it
Find out which of the two it is. If the jump is missing, put it where the chain was meant to
stand. If not, empty and delete it: `iptables -F NAME` and `iptables -X NAME`, `ipset destroy
NAME`, `nft delete chain FAMILY TABLE NAME`, `nft delete set FAMILY TABLE NAME`. The kernel
refuses to delete what is still in use, so nothing can go wrong by it.

## When it is fine
A program may keep a chain or a set ready for what it adds at run time; chains of docker,
kube-proxy, ufw, firewalld, fail2ban and the like are left out here for that reason.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let firewall = &loaded.firewall;
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut commands = Vec::new();
    let mut names = Vec::new();
    let mut used_ipsets = BTreeSet::new();
    let mut any_iptables = false;
    for table in &firewall.tables {
        any_iptables |= table.backend.is_iptables();
        let mut uses = UsedSets::of(table);
        uses.add_by_name(firewall, table);
        used_ipsets.extend(uses.ipsets);
        for (at, chain) in table.chains.iter().enumerate() {
            if uses.chains[at] || makers::of_chain(table, chain).is_some() {
                continue;
            }
            names.push(full_name(table, chain));
            evidence.push(loaded.at(chain.place, chain_words(table, chain), None));
            commands.extend(delete_chain(table, chain));
        }
        if makers::of_table(table).is_some() {
            continue;
        }
        for (at, set) in (0..).zip(&table.sets) {
            if uses.sets.contains(&at) {
                continue;
            }
            names.push(set.name.clone());
            let what = format!("set {}: no rule names it", set.name);
            evidence.push(loaded.at(set.place, what, None));
            let kind = match &set.kind {
                SetKind::Nft { map: true, .. } => "map",
                _ => "set",
            };
            let words = format!(
                "delete {kind} {} {} {}",
                table.family.word(),
                table.name,
                set.name
            );
            commands.extend(nft_checked(&words));
        }
    }
    // Only the rules of the running kernel are all the rules there are.
    if loaded.surroundings.live || any_iptables {
        for at in unused_ipsets(firewall, &used_ipsets) {
            let set = &firewall.ipsets[at];
            names.push(set.name.clone());
            evidence.push(loaded.at(
                set.place,
                format!("ipset {}: no rule names it", set.name),
                None,
            ));
            commands.push(format!("ipset destroy {}", quoted(&set.name)));
        }
    }
    if names.is_empty() {
        return Vec::new();
    }
    let title = match names.as_slice() {
        [one] => format!("nothing uses {one}"),
        [first, ..] => format!("nothing uses {first} and {} more", names.len() - 1),
        [] => return Vec::new(),
    };
    commands.truncate(MOST_SHOWN * 2);
    evidence.truncate(MOST_SHOWN);
    vec![
        finding(
            &PAGE,
            title,
            "what they were meant to do is not done; or they are left over and in the reader's way",
        )
        .possibly(!loaded.surroundings.live)
        .shown_by(evidence)
        .mend(
            "If no jump was lost, delete them; the kernel refuses what is in use",
            commands,
        ),
    ]
}

fn chain_words(table: &Table, chain: &Chain) -> String {
    let rules = counted_noun(chain.rules.len(), "rule");
    let name = full_name(table, chain);
    format!("chain {name}: {rules}, not reached from any hook")
}

fn delete_chain(table: &Table, chain: &Chain) -> Vec<String> {
    if table.backend.is_iptables() {
        let (program, name) = (iptables_program(table), quoted(&chain.name));
        return vec![format!("{program} -F {name} && {program} -X {name}")];
    }
    nft_checked(&format!(
        "delete chain {} {} {}",
        table.family.word(),
        table.name,
        chain.name
    ))
}

fn unused_ipsets(firewall: &Firewall, used: &BTreeSet<u32>) -> Vec<usize> {
    let mut used = used.clone();
    for (at, set) in (0..).zip(&firewall.ipsets) {
        if let SetKind::List { members } = &set.kind
            && used.contains(&at)
        {
            for member in members {
                if let SetRef::Ipset(member) = member {
                    used.insert(*member);
                }
            }
        }
    }
    let generated = |name: &str| {
        name.starts_with("f2b-") || name.starts_with("KUBE-") || name.starts_with("cali")
    };
    (0..)
        .zip(&firewall.ipsets)
        .filter(|(at, set)| !used.contains(at) && !generated(&set.name))
        .filter_map(|(at, _)| usize::try_from(at).ok())
        .collect()
}

/// What the rules of a table refer to.
struct UsedSets {
    chains: Vec<bool>,
    sets: BTreeSet<u32>,
    ipsets: BTreeSet<u32>,
}

impl UsedSets {
    fn of(table: &Table) -> Self {
        let mut uses = Self {
            chains: vec![false; table.chains.len()],
            sets: BTreeSet::new(),
            ipsets: BTreeSet::new(),
        };
        let bases = table.chains.iter().enumerate();
        let mut open: Vec<usize> = bases
            .filter(|(_, chain)| chain.base.is_some())
            .map(|(at, _)| at)
            .collect();
        for at in &open {
            uses.chains[*at] = true;
        }
        // A verdict map may jump as well, and is taken as used: what a program adds to it later
        // could name any chain that it holds now.
        let mut by_map: Vec<ChainId> = Vec::new();
        for set in &table.sets {
            for element in set.content.elements() {
                if let Some(ElementValue::Verdict(Verdict::Jump(to) | Verdict::Goto(to))) =
                    &element.value
                {
                    by_map.push(*to);
                }
            }
        }
        let reach = |to: ChainId, uses: &mut Self, open: &mut Vec<usize>| {
            if let Ok(at) = usize::try_from(to.0)
                && uses.chains.get(at) == Some(&false)
            {
                uses.chains[at] = true;
                open.push(at);
            }
        };
        for to in by_map {
            reach(to, &mut uses, &mut open);
        }
        while let Some(at) = open.pop() {
            let mut called = Vec::new();
            for rule in &table.chains[at].rules {
                uses.count_rule(rule, &mut called);
            }
            for to in called {
                reach(to, &mut uses, &mut open);
            }
        }
        // A set that only an unreachable chain names is part of that chain's finding.
        let mut ignored = Vec::new();
        for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
            uses.count_rule(rule, &mut ignored);
        }
        uses
    }

    /// Sets that are named in words that are not modelled.
    fn add_by_name(&mut self, firewall: &Firewall, table: &Table) {
        let rules = || table.chains.iter().flat_map(|chain| &chain.rules);
        let names: HashMap<&str, u32> = if table.backend.is_iptables() {
            let sets = (0..).zip(&firewall.ipsets);
            sets.map(|(at, set)| (set.name.as_str(), at)).collect()
        } else {
            let sets = (0..).zip(&table.sets);
            sets.map(|(at, set)| (set.name.as_str(), at)).collect()
        };
        if names.is_empty() {
            return;
        }
        for rule in rules() {
            for word in firewall.text(rule.place).split_whitespace() {
                let name = word
                    .trim_start_matches('@')
                    .trim_end_matches([',', ';', '}']);
                if let Some(at) = names.get(name) {
                    if table.backend.is_iptables() {
                        self.ipsets.insert(*at);
                    } else if word.starts_with('@') {
                        self.sets.insert(*at);
                    }
                }
            }
        }
    }

    fn count_rule(&mut self, rule: &Rule, called: &mut Vec<ChainId>) {
        for statement in &rule.statements {
            match statement {
                Statement::Match(wanted) => self.count_match(wanted),
                Statement::Effect(Effect::UpdateSet { set, .. }) => self.count_set(set),
                Statement::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) => called.push(*to),
                Statement::Verdict(Verdict::Nat(Nat {
                    by_map: Some(map), ..
                })) => self.count_set(&map.1),
                Statement::VerdictMap(lookup) => {
                    self.count_set(&lookup.map);
                    if let SetRef::Inline(set) = &lookup.map {
                        for element in set.content.elements() {
                            if let Some(ElementValue::Verdict(
                                Verdict::Jump(to) | Verdict::Goto(to),
                            )) = &element.value
                            {
                                called.push(*to);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn count_match(&mut self, wanted: &Match) {
        match wanted {
            Match::Lookup(lookup) => self.count_set(&lookup.set),
            Match::Any { of, .. } => of.iter().for_each(|one| self.count_match(one)),
            _ => {}
        }
    }

    fn count_set(&mut self, set: &SetRef) {
        match set {
            SetRef::Ipset(at) => drop(self.ipsets.insert(*at)),
            SetRef::Named(at) => drop(self.sets.insert(*at)),
            SetRef::Inline(_) | SetRef::Missing(_) => {}
        }
    }
}
