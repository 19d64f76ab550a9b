//! Rules that can never match because one earlier rule of the chain takes every packet they ask
//! for.
//!
//! Only what is plain from *one* earlier rule is reported; the interval engine finds it.

use surefoot_report::{Evidence, Finding, Page, Severity};

use super::super::evidence::{FindingExt, counted_noun, finding, full_name, words_about_the_rest};
use crate::LoadedRules;
use crate::commands::{iptables_program, nft_checked, quoted, shell_words, specification};
use crate::makers;
use surefoot_netfilter::boxes::{self, Budget};
use surefoot_netfilter::exact::WhyDead;
use surefoot_ruleset::model::{Chain, Rule, RuleAt, Statement, Table, Verdict};

pub(in crate::lint) const PAGE: Page = Page {
    code: "FW022",
    title: "rules that can never match",
    severity: Severity::Warning,
    text: "\
## What it is
Rules are read from the top to the first that decides. Here a rule decides every packet that a
later one could match, so that none reaches the later one: an ACCEPT for one port behind a DROP
for all, or the same rule twice.

## Why it matters
If the two do the same, the second is only in the way. If they do different things, the second
was written to change something and does not: a port that should be open is shut, or an address
that should be blocked gets in.

## How to see it yourself
    iptables -L INPUT -nv --line-numbers        a rule that never counts anything
    surefoot firewall explain PACKET             which rule decides

## How to mend it
Where both want the same, delete the later one. Where an exception stands behind the rule that
it is an exception to, move it in front: insert it there first, look whether it counts, then
delete the old one. Take care with a rule that drops: in front it drops for the first time,
perhaps your own connection, so let it be REJECT or LOG first and keep a second session open.

## When it is fine
A list that a program fills may hold an entry twice. Only what one earlier rule of the same
chain covers is reported here; what several rules together hide is FW025.
",
};

/// Pairs that a finding shows.
const MOST_PAIRS: usize = 3;

/// Steps of the search, for one rule and for all.
const BUDGET: Budget = Budget {
    rule: 2_000,
    all: 4_000_000,
};

/// A rule and the one earlier rule that takes all its packets.
pub(super) struct ShadowedRule {
    pub(super) at: RuleAt,
    by: RuleAt,
    /// Whether the earlier rule does something else with them.
    differs: bool,
}

pub(super) fn report_shadowed(loaded: &LoadedRules, shadowed: &[ShadowedRule]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for in_table in shadowed.chunk_by(|a, b| a.at.table == b.at.table) {
        for in_chain in in_table.chunk_by(|a, b| a.at.chain == b.at.chain) {
            let differ = in_chain.iter().filter(|rule| rule.differs);
            let pairs: Vec<_> = differ.map(|rule| (rule.at, rule.by)).collect();
            if let Some((first, _)) = pairs.first() {
                findings.push(pairs_finding(
                    loaded,
                    &chain_of(loaded, *first),
                    &pairs,
                    true,
                ));
            }
        }
        let same = in_table.iter().filter(|rule| !rule.differs);
        let pairs: Vec<_> = same.map(|rule| (rule.at, rule.by)).collect();
        if let Some((first, _)) = pairs.first() {
            let one_chain = pairs.iter().all(|(dead, _)| dead.chain == first.chain);
            let name = if one_chain {
                chain_of(loaded, *first)
            } else {
                table_of(loaded, *first)
            };
            findings.push(pairs_finding(loaded, &name, &pairs, false));
        }
    }
    findings
}

fn chain_of(loaded: &LoadedRules, at: RuleAt) -> String {
    let (table, chain) = (loaded.table(at), loaded.chain(at));
    let both = table.zip(chain);
    both.map_or_else(String::new, |(table, chain)| full_name(table, chain))
}

fn table_of(loaded: &LoadedRules, at: RuleAt) -> String {
    loaded.table(at).map_or_else(String::new, |table| {
        format!("the table {} {}", table.family.word(), table.name)
    })
}

/// Returns the rules that one earlier rule of their chain hides.
pub(super) fn shadowed_rules(loaded: &LoadedRules) -> Vec<ShadowedRule> {
    let written_by_hand = |table: &Table, chain: &Chain| {
        chain.rules.len() > 1 && makers::of_chain(table, chain).is_none()
    };
    let dead = boxes::dead_rules_of(&loaded.firewall, BUDGET, written_by_hand).dead;
    let shadowed = dead.into_iter().filter_map(|rule| match rule.why {
        WhyDead::Hidden(by) => match by.as_slice() {
            [one] => Some(ShadowedRule {
                at: rule.at,
                by: one.at,
                differs: one.differs,
            }),
            _ => None,
        },
        WhyDead::Impossible | WhyDead::NeverSent => None,
    });
    shadowed.collect()
}

/// The verdict that a rule gives to what it matches.
fn verdict(rule: &Rule) -> Option<&Verdict> {
    rule.statements
        .iter()
        .find_map(|statement| match statement {
            Statement::Verdict(verdict) => Some(verdict),
            _ => None,
        })
}

fn pairs_finding(
    loaded: &LoadedRules,
    name: &str,
    pairs: &[(RuleAt, RuleAt)],
    differ: bool,
) -> Finding {
    let title = match pairs {
        [(dead, by)] => format!(
            "rule {} of {name} can never match: rule {} takes all its packets",
            dead.rule + 1,
            by.rule + 1
        ),
        _ => format!(
            "{} of {name} can never match",
            counted_noun(pairs.len(), "rule")
        ),
    };
    let evidence: Vec<Evidence> = pairs
        .iter()
        .take(MOST_PAIRS)
        .flat_map(|(dead, by)| {
            let mut dead = loaded.show_rule(*dead);
            dead.what = format!("never matches: {}", dead.what);
            let mut by = loaded.show_rule(*by);
            by.what = format!("because of: {}", by.what);
            [dead, by]
        })
        .collect();
    let report = finding(
        &PAGE,
        title,
        if differ {
            "they have no effect: an earlier rule decides every packet that they match, in another way"
        } else {
            "they change nothing and make the chain harder to read"
        },
    )
    .with_severity(if differ {
        Severity::Warning
    } else {
        Severity::Note
    })
    .shown_by(evidence);
    if differ {
        // One at a time: an insert moves the numbers of all that follow.
        let commands = pairs
            .first()
            .map(|(dead, by)| shadow_commands(loaded, *dead, *by));
        return report.mend(
            format!(
                "Put it before the rule that hides it if it is an exception, else delete it{}",
                words_about_the_rest(pairs.len())
            ),
            commands.unwrap_or_default(),
        );
    }
    // From the last to the first, so that the numbers of the earlier ones stay right.
    let some: Vec<_> = pairs.iter().take(MOST_PAIRS).collect();
    let commands = some
        .into_iter()
        .rev()
        .flat_map(|(dead, by)| shadow_commands(loaded, *dead, *by))
        .collect();
    report.mend("Delete the later ones", commands)
}

/// Deletes the dead rule; one that accepts is first put where it matches.
fn shadow_commands(loaded: &LoadedRules, dead: RuleAt, by: RuleAt) -> Vec<String> {
    let (Some(table), Some(chain), Some(rule), Some(earlier)) = (
        loaded.table(dead),
        loaded.chain(dead),
        loaded.rule(dead),
        loaded.rule(by),
    ) else {
        return Vec::new();
    };
    let words = loaded.firewall.text(rule.place).trim();
    let rescue = matches!(verdict(rule), Some(Verdict::Accept))
        && matches!(
            verdict(earlier),
            Some(Verdict::Drop | Verdict::Reject { .. })
        );
    if table.backend.is_iptables() {
        let (program, name) = (iptables_program(table), quoted(&chain.name));
        let mut commands = Vec::new();
        let mut number = dead.rule + 1;
        if rescue && let Some(specification) = specification(loaded, dead) {
            commands.push(format!(
                "{program} -I {name} {} {}",
                by.rule + 1,
                shell_words(specification)
            ));
            number += 1;
        }
        commands.push(format!("{program} -D {name} {number}"));
        return commands;
    }
    let place = format!("{} {} {}", table.family.word(), table.name, chain.name);
    let Some(handle) = rule.handle else {
        return vec![format!("nft -a list chain {place}")];
    };
    let mut commands = Vec::new();
    if rescue && let Some(before) = earlier.handle {
        let words = words.split("# handle").next().unwrap_or(words).trim();
        commands.extend(nft_checked(&format!(
            "insert rule {place} position {before} {words}"
        )));
    }
    commands.extend(nft_checked(&format!("delete rule {place} handle {handle}")));
    commands
}
