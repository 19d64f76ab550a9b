//! Thousands of sets without a name, which nft loads in quadratic time.

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, MOST_SHOWN, finding};
use crate::LoadedRules;
use surefoot_ruleset::model::{Backend, Field, Match, Rule, RuleAt, SetRef, Statement, Table};

pub(super) const PAGE: Page = Page {
    code: "FW021",
    title: "thousands of anonymous sets",
    severity: Severity::Warning,
    text: "\
## What it is
`tcp dport { 80, 443 }` makes a set that has no name and belongs to its rule. A few are what
they are for. Here one table holds thousands of them.

## Why it matters
The kernel gives each set a name of its own and looks for a free one by going through all there
are, so that the time to load grows with the square of their number. Measured: 100,000 rules
with 20,000 anonymous sets took 185 seconds to load, without them 13. While it loads nothing
else can be changed, and a way back that has to load the old rules takes as long: it may come
after the moment in which you needed it.

## How to see it yourself
    nft list ruleset | grep -c '{ .*, .* }'
    time nft -c -f /etc/nftables.conf

## How to mend it
Make one named set or map of what many rules have in common, and one rule that looks it up:
    set web { type ipv4_addr . inet_service; elements = { 192.0.2.1 . 80, 192.0.2.1 . 443 } }
    ip daddr . tcp dport @web accept
A verdict map (`vmap`) replaces many rules with different verdicts or jumps. Elements are added
and removed without touching the rules, and a look-up costs the same for ten as for ten
thousand.

## When it is fine
Where the rules are loaded once at boot and loading time does not matter.
",
};

/// Sets of one table from which on loading is felt.
const MANY: usize = 1000;

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let tables = loaded.firewall.tables.iter().enumerate();
    tables
        .filter(|(_, table)| table.backend == Backend::Nft)
        .filter_map(|(t, table)| table_finding(loaded, t, table))
        .collect()
}

fn table_finding(loaded: &LoadedRules, t: usize, table: &Table) -> Option<Finding> {
    let mut number = 0;
    let mut shown = Vec::new();
    for (c, chain) in table.chains.iter().enumerate() {
        for (rule, words) in chain.rules.iter().enumerate() {
            let sets = anonymous_sets(words);
            if sets > 0 && shown.len() < MOST_SHOWN {
                shown.push(RuleAt {
                    table: t,
                    chain: c,
                    rule,
                });
            }
            number += sets;
        }
    }
    if number < MANY {
        return None;
    }
    let name = format!("{} {}", table.family.word(), table.name);
    Some(
        finding(
            &PAGE,
            format!("the table {name} holds {number} sets without a name"),
            "loading takes time with the square of their number; so does a way back",
        )
        .with_severity(if number < 5 * MANY {
            Severity::Note
        } else {
            Severity::Warning
        })
        .shown_by(shown.into_iter().map(|at| loaded.show_rule(at)))
        .mend(
            "Measure it without loading, then gather the values in a named set or map",
            vec!["nft list ruleset > /root/ruleset.nft && time nft -c -f /root/ruleset.nft".into()],
        ),
    )
}

/// How many anonymous sets a rule makes. Sets of plain numbers are ranges in the model.
fn anonymous_sets(rule: &Rule) -> usize {
    rule.statements
        .iter()
        .filter(|statement| match statement {
            Statement::Match(Match::Field {
                operand, ranges, ..
            }) => {
                // `ct state established,related` is a mask and no set.
                let flags = matches!(
                    operand.field,
                    Field::CtState | Field::CtStatus | Field::TcpFlags
                );
                ranges.len() > 1 && !flags
            }
            Statement::Match(
                Match::InInterface { names, .. } | Match::OutInterface { names, .. },
            ) => names.len() > 1,
            Statement::Match(Match::Lookup(lookup)) => matches!(lookup.set, SetRef::Inline(_)),
            Statement::VerdictMap(lookup) => matches!(lookup.map, SetRef::Inline(_)),
            _ => false,
        })
        .count()
}
