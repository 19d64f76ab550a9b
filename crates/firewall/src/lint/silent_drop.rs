//! A last rule that drops packets without an answer to their senders.

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, MOST_SHOWN, finding, full_name};
use super::policy_drop::decides_all;
use super::probe::is_filter;
use crate::LoadedRules;
use crate::commands::{iptables_program, nft_checked, quoted};
use crate::makers;
use surefoot_ruleset::model::{Chain, Hook, Rule, RuleAt, Statement, Table, Verdict};

pub(super) const PAGE: Page = Page {
    code: "FW008",
    title: "DROP where REJECT would help",
    severity: Severity::Warning,
    text: "\
## What it is
The last rule of a chain drops what no rule accepted, without a word to the sender. REJECT does
the same and answers: a TCP reset, or `port unreachable`.

## Why it matters
A DROP makes clients wait. A client tries again for a minute or two before it says `timed out`,
and you cannot tell a firewall from a dead host, a lost route or a wrong address. With REJECT
the error comes at once and names its cause. In OUTPUT it is this machine itself that waits:
a program that looks up a name or sends a mail hangs, instead of failing with a message.

## How to see it yourself
    nc -vz -w 5 HOST 9                           `timed out` or `refused`?
    surefoot firewall explain PACKET             which rule it was

## How to mend it
    iptables -R INPUT NUMBER -j REJECT
replaces the rule in place, with no moment in between. Do it at least while you test; go back to
DROP afterwards, if you want that, with the same command.

## When it is fine
Towards the internet DROP is a matter of taste: it slows a scan down and answers no forged
sender. It hides nothing, as a host that is not there would be reported by its router. In OUTPUT
and between your own networks REJECT is always the better one.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut found: Vec<(RuleAt, Hook)> = Vec::new();
    for (t, table) in loaded.firewall.tables.iter().enumerate() {
        if table.dormant || (table.backend.is_iptables() && table.name != "filter") {
            continue;
        }
        for (c, chain) in table.chains.iter().enumerate() {
            let hooks = [Hook::Output, Hook::Input];
            let Some(hook) = hooks.into_iter().find(|hook| is_filter(chain, *hook)) else {
                continue;
            };
            if makers::of_chain(table, chain).is_some() || !accepts_something(chain) {
                continue;
            }
            if let Some(last) = chain.rules.len().checked_sub(1)
                && drops_all(&chain.rules[last])
            {
                let at = RuleAt {
                    table: t,
                    chain: c,
                    rule: last,
                };
                found.push((at, hook));
            }
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    found.sort_by_key(|(_, hook)| *hook != Hook::Output);
    let names: Vec<String> = found
        .iter()
        .filter_map(|(at, _)| Some(full_name(loaded.table(*at)?, loaded.chain(*at)?)))
        .collect();
    let outgoing = found.iter().any(|(_, hook)| *hook == Hook::Output);
    vec![
        finding(
            &PAGE,
            format!("the last rule drops without an answer: {}", names.join(", ")),
            if outgoing {
                "programs on this machine hang until they time out, instead of getting an error at once"
            } else {
                "refused clients wait for a timeout, and a test cannot tell a firewall from a dead host"
            },
        )
        .with_severity(if outgoing {
            Severity::Warning
        } else {
            Severity::Note
        })
        .shown_by(found.iter().take(MOST_SHOWN).map(|(at, _)| loaded.show_rule(*at)))
        .mend(
            "Use REJECT, at least while you test",
            found
                .iter()
                .filter_map(|(at, _)| {
                    replacing_commands(loaded.table(*at)?, loaded.chain(*at)?, at.rule)
                })
                .flatten()
                .collect(),
        ),
    ]
}

fn accepts_something(chain: &Chain) -> bool {
    chain
        .rules
        .iter()
        .flat_map(|rule| &rule.statements)
        .any(|statement| {
            matches!(
                statement,
                Statement::Verdict(Verdict::Accept | Verdict::Jump(_)) | Statement::VerdictMap(_)
            )
        })
}

fn drops_all(rule: &Rule) -> bool {
    decides_all(rule)
        && rule
            .statements
            .iter()
            .any(|statement| matches!(statement, Statement::Verdict(Verdict::Drop)))
}

fn replacing_commands(table: &Table, chain: &Chain, rule: usize) -> Option<Vec<String>> {
    if table.backend.is_iptables() {
        let (program, name) = (iptables_program(table), quoted(&chain.name));
        return Some(vec![format!("{program} -R {name} {} -j REJECT", rule + 1)]);
    }
    let place = format!("{} {} {}", table.family.word(), table.name, chain.name);
    // In front of the drop it decides all the same.
    Some(match chain.rules.get(rule)?.handle {
        Some(handle) => nft_checked(&format!(
            "replace rule {place} handle {handle} counter reject"
        )),
        None => nft_checked(&format!("insert rule {place} index {rule} counter reject")),
    })
}
