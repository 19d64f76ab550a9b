//! Chains that rules lead to and that no packet enters.

use surefoot_report::{Finding, Page, Severity};

use super::listing_command;
use crate::LoadedRules;
use crate::lint::evidence::{FindingExt, MOST_SHOWN, finding, full_name};
use crate::makers;
use surefoot_ruleset::model::{RuleAt, Statement, Verdict};

pub(in crate::lint) const PAGE: Page = Page {
    code: "FW027",
    title: "chains that no packet enters",
    severity: Severity::Warning,
    text: "\
## What it is
Rules jump to these chains, but none of those rules is ever matched by a packet: all packets were
followed at once, and those that the rules could match are taken before, or do not exist.

## Why it matters
Everything in such a chain is idle. If it was meant to protect something, that is not protected;
if it was meant to let something in, that is shut out.

## How to see it yourself
    iptables -L CHAIN -nv                        no rule counts anything
    surefoot firewall check                      FW025 and FW022 name what hides the jump

## How to mend it
Move the jump before the rules that take its packets, or widen its match. If the chain is
left over, delete the jump and then the chain.

## When it is fine
While a chain is being built, before the jump to it is put where it belongs.
",
};

pub(super) fn report_chains(loaded: &LoadedRules, chains: &[(usize, usize)]) -> Option<Finding> {
    let mut evidence = Vec::new();
    let mut names = Vec::new();
    let mut commands = Vec::new();
    for (t, c) in chains {
        let table = &loaded.firewall.tables[*t];
        let chain = &table.chains[*c];
        if chain.rules.is_empty() || makers::of_chain(table, chain).is_some() {
            continue;
        }
        names.push(full_name(table, chain));
        commands.push(listing_command(table, chain));
        for (from, caller) in table.chains.iter().enumerate() {
            for (rule, content) in caller.rules.iter().enumerate() {
                let leads = content.statements.iter().any(|one| match one {
                    Statement::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) => {
                        usize::try_from(to.0) == Ok(*c)
                    }
                    _ => false,
                });
                if leads {
                    let mut shown = loaded.show_rule(RuleAt {
                        table: *t,
                        chain: from,
                        rule,
                    });
                    shown.what = format!("leads there, for no packet: {}", shown.what);
                    evidence.push(shown);
                }
            }
        }
    }
    let title = match names.as_slice() {
        [] => return None,
        [one] => format!("no packet enters {one}"),
        [first, ..] => format!("no packet enters {first} and {} more", names.len() - 1),
    };
    evidence.truncate(MOST_SHOWN);
    commands.truncate(MOST_SHOWN);
    Some(
        finding(&PAGE, title, "no rule of these chains ever has an effect")
            .shown_by(evidence)
            .mend(
                "Put the jump before the rules that take its packets, or delete jump and chain",
                commands,
            ),
    )
}
