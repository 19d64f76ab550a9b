//! Rules that could go without any packet noticing.

use surefoot_report::{Finding, Page, Severity};

use super::listing_command;
use crate::LoadedRules;
use crate::lint::evidence::{FindingExt, MOST_SHOWN, counted_noun, finding, full_name};
use crate::makers;
use surefoot_ruleset::model::RuleAt;

pub(in crate::lint) const PAGE: Page = Page {
    code: "FW026",
    title: "rules without which nothing would change",
    severity: Severity::Note,
    text: "\
## What it is
These rules match packets, but the rules behind them in the same chain, or the policy at its end,
would do the same with every one of those packets. That is proved for all packets. All the rules
named can be deleted together; a rule that logs, or has a limit, is never named, and neither is
one whose packets would reach such a rule instead.

## Why it matters
It does no harm today. A rule that repeats another has to be changed with it: if you
later close the port in one place only, it stays open. And rules that are not needed make a
chain longer to read in an emergency.

## How to see it yourself
    surefoot firewall find anything state any is decided by INPUT:3
    surefoot firewall diff OLD NEW               with the rule taken out of a copy: equal

## How to mend it
Take the rules out of a copy of the file, compare with `surefoot firewall diff`, and load it. Where
a rule is there to make sure, keep it and say so in a comment.

## When it is fine
Rules that count something, rules that match early so that long chains are not traversed for
every packet, and an explicit last rule that says what the policy says too: the last one is left
out here.
",
};

pub(super) fn report_redundant(loaded: &LoadedRules, redundant: &[RuleAt]) -> Vec<Finding> {
    let in_chain =
        |one: &RuleAt, other: &RuleAt| (one.table, one.chain) == (other.table, other.chain);
    redundant
        .chunk_by(in_chain)
        .filter_map(|rules| of_chain(loaded, rules))
        .collect()
}

fn of_chain(loaded: &LoadedRules, rules: &[RuleAt]) -> Option<Finding> {
    let first = *rules.first()?;
    let (table, chain) = (loaded.table(first)?, loaded.chain(first)?);
    if makers::of_chain(table, chain).is_some() {
        return None;
    }
    let name = full_name(table, chain);
    let title = match rules {
        [one] => format!(
            "without rule {} of {name} nothing would change",
            one.rule + 1
        ),
        _ => format!(
            "without {} of {name} nothing would change",
            counted_noun(rules.len(), "rule")
        ),
    };
    let evidence = rules.iter().take(MOST_SHOWN).map(|at| {
        let mut shown = loaded.show_rule(*at);
        shown.what = format!("rule {}: {}", at.rule + 1, shown.what);
        shown
    });
    Some(
        finding(
            &PAGE,
            title,
            "what comes behind them in the chain does the same with all their packets, so that a change of one place alone has no effect",
        )
        .shown_by(evidence)
        .mend(
            "Look at what follows them; delete what is not needed, or say in a comment why it stays",
            vec![listing_command(table, chain)],
        ),
    )
}
