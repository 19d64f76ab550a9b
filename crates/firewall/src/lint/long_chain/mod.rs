//! A chain that is one long list, and how it could be split without changing what it does.

mod gather;
mod split;

use surefoot_report::{Finding, Page, Severity};

use crate::LoadedRules;
use crate::makers;
use gather::{longest_run, propose_set};
use split::{propose_split, split};
use surefoot_ruleset::model::RuleAt;

pub(super) const PAGE: Page = Page {
    code: "FW010",
    title: "a long chain that should be split",
    severity: Severity::Note,
    text: "\
## What it is
A chain holds a hundred rules or more in one list, and there is a way to split it that changes
nothing of what it does.

## Why it matters
Rules are tried one after the other: the packet that matches none of three hundred pays for
three hundred. And such a list cannot be read: whether a rule in the middle does anything
depends on all those above it.

## How to see it yourself
    iptables -S INPUT | wc -l
    iptables -L INPUT -nvx --line-numbers        where the packets are, and how far down

## How to mend it
Where the rules differ only in an address, put the addresses in a set and look it up once: `ipset`
with `-m set --match-set NAME src`, in nft `ip saddr @NAME`. A set of thousands costs one
look-up. Where the rules all match on an interface or a protocol, make a chain for each and jump
to it:
    iptables -N INPUT-eth0
    iptables -I INPUT 12 -i eth0 -j INPUT-eth0
The finding proposes one of the two with the numbers of the rules. Fill the new chain first,
then put the jump in front of the old rules; they never match again, which their counters show,
and can be deleted. Rules with RETURN or goto are left where they are: they would end another
chain.

## When it is fine
If the list is made by a program, change it there. If established traffic is accepted at the
top, the list is only paid for by new connections, and the gain is in reading it.
",
};

/// Rules from which on a chain is long.
const LONG: usize = 100;
/// Rules that a split has to gather.
const WORTH: usize = 32;

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (t, table) in loaded.firewall.tables.iter().enumerate() {
        for (c, chain) in table.chains.iter().enumerate() {
            if chain.rules.len() < LONG || makers::of_chain(table, chain).is_some() {
                continue;
            }
            let at = RuleAt {
                table: t,
                chain: c,
                rule: 0,
            };
            let set = longest_run(chain).filter(|run| run.len >= WORTH);
            let split = split(chain).filter(|split| split.saving >= WORTH);
            match (set, split) {
                (Some(run), split) if split.as_ref().is_none_or(|split| split.saving < run.len) => {
                    findings.extend(propose_set(loaded, at, &run));
                }
                (_, Some(split)) => findings.push(propose_split(loaded, at, &split)),
                _ => {}
            }
        }
    }
    findings
}
