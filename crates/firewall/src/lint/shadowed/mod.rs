//! Rules that can never match because one earlier rule of the chain takes every packet they ask
//! for.
//!
//! Only what is plain from *one* earlier rule is said.

mod cover;
#[cfg(test)]
mod tests;

use surefoot_report::{Evidence, Finding, Page, Severity};

use super::Facts;
use super::commands::{iptables, nft_checked, quoted, shell_words};
use super::evidence::{Say, count, finding, full_name, likewise};
use super::makers;
use crate::semantics::RuleAt;
use cover::{Pair, changed_fields, covered, kind};

pub(super) const PAGE: Page = Page {
    code: "FW022",
    title: "rules that can never match",
    severity: Severity::Warning,
    text: "\
## What it is
Rules are read from the top to the first that decides. Here a rule decides every packet that a
later one asks for, so that the later one is never asked: an ACCEPT for one port behind a DROP
for all, or the same rule twice.

## Why it matters
If the two want the same, the second is only in the way. If they want different things, somebody
wrote the second to change something and believes that it does: a port that should be open is
shut, or an address that should be blocked gets in.

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

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (t, table) in facts.firewall.tables.iter().enumerate() {
        let changed = changed_fields(table);
        let mut repeated = Vec::new();
        for (c, chain) in table.chains.iter().enumerate() {
            if makers::of_chain(table, chain).is_some() || chain.rules.len() < 2 {
                continue;
            }
            let at = |rule| RuleAt {
                table: t,
                chain: c,
                rule,
            };
            let pairs = covered(table, chain, &changed);
            let (differ, same): (Vec<Pair>, Vec<Pair>) =
                pairs.into_iter().partition(|pair| pair.differ);
            let placed = |pair: Pair| (at(pair.dead), at(pair.by));
            if !differ.is_empty() {
                let pairs: Vec<_> = differ.into_iter().map(placed).collect();
                findings.push(report(facts, &full_name(table, chain), &pairs, true));
            }
            repeated.extend(same.into_iter().map(placed));
        }
        if let Some((first, _)) = repeated.first() {
            let one_chain = repeated.iter().all(|(dead, _)| dead.chain == first.chain);
            let name = match facts.chain(*first) {
                Some(chain) if one_chain => full_name(table, chain),
                _ => format!("the table {} {}", table.family.word(), table.name),
            };
            findings.push(report(facts, &name, &repeated, false));
        }
    }
    findings
}

/// The rules that one earlier rule of their chain hides.
pub(super) fn hidden(facts: &Facts<'_>) -> Vec<RuleAt> {
    let mut hidden = Vec::new();
    for (t, table) in facts.firewall.tables.iter().enumerate() {
        let changed = changed_fields(table);
        for (c, chain) in table.chains.iter().enumerate() {
            let pairs = covered(table, chain, &changed).into_iter();
            hidden.extend(pairs.map(|pair| RuleAt {
                table: t,
                chain: c,
                rule: pair.dead,
            }));
        }
    }
    hidden
}

fn report(facts: &Facts<'_>, name: &str, pairs: &[(RuleAt, RuleAt)], differ: bool) -> Finding {
    let title = match pairs {
        [(dead, by)] => format!(
            "rule {} of {name} can never match: rule {} takes all its packets",
            dead.rule + 1,
            by.rule + 1
        ),
        _ => format!("{} of {name} can never match", count(pairs.len(), "rule")),
    };
    let evidence: Vec<Evidence> = pairs
        .iter()
        .take(MOST_PAIRS)
        .flat_map(|(dead, by)| {
            let mut dead = facts.show_rule(*dead);
            dead.what = format!("never matches: {}", dead.what);
            let mut by = facts.show_rule(*by);
            by.what = format!("because of: {}", by.what);
            [dead, by]
        })
        .collect();
    let report = finding(
        &PAGE,
        title,
        if differ {
            "whoever wrote them wants something else done with these packets, and it is not done"
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
        let commands = pairs.first().map(|(dead, by)| remedy(facts, *dead, *by));
        return report.mend(
            format!(
                "Put it before the rule that hides it if it is an exception, else delete it{}",
                likewise(pairs.len())
            ),
            commands.unwrap_or_default(),
        );
    }
    // From the last to the first, so that the numbers of the earlier ones stay right.
    let some: Vec<_> = pairs.iter().take(MOST_PAIRS).collect();
    let commands = some
        .into_iter()
        .rev()
        .flat_map(|(dead, by)| remedy(facts, *dead, *by))
        .collect();
    report.mend("Delete the later ones", commands)
}

/// Deletes the dead rule; one that accepts is first put where it matches.
fn remedy(facts: &Facts<'_>, dead: RuleAt, by: RuleAt) -> Vec<String> {
    let (Some(table), Some(chain), Some(rule), Some(earlier)) = (
        facts.table(dead),
        facts.chain(dead),
        facts.rule(dead),
        facts.rule(by),
    ) else {
        return Vec::new();
    };
    let words = facts.firewall.text(rule.place).trim();
    let rescue = kind(rule) == 1 && kind(earlier) == 2;
    if table.backend.is_iptables() {
        let (program, name) = (iptables(table), quoted(&chain.name));
        let rest = words
            .split_once("-A ")
            .and_then(|(_, rest)| rest.trim_start().strip_prefix(chain.name.as_str()))
            .map(str::trim);
        let mut commands = Vec::new();
        let mut number = dead.rule + 1;
        if rescue && let Some(rest) = rest {
            commands.push(format!(
                "{program} -I {name} {} {}",
                by.rule + 1,
                shell_words(rest)
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
