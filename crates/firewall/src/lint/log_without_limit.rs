//! A LOG rule that writes a line for every packet that a stranger cares to send.

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{
    FindingExt, MOST_SHOWN, counted_noun, finding, full_name, words_about_the_rest,
};
use crate::LoadedRules;
use crate::commands::{iptables_program, nft_checked, quoted, shell_words, specification};
use crate::makers;
use surefoot_ruleset::model::{ChainId, Effect, Match, Rule, RuleAt, Statement, Table, Verdict};

pub(super) const PAGE: Page = Page {
    code: "FW018",
    title: "LOG without a limit",
    severity: Severity::Warning,
    text: "\
## What it is
A rule writes a line to the kernel's log for each packet that it matches, and nothing bounds how
many that are: no `limit`, no `hashlimit`, neither in the rule nor before the jump that leads to
it.

## Why it matters
Any host that can send packets decides how much is written. A flood of small packets becomes a
flood of log lines of ten times their size: the journal rotates away what you would have wanted to
read, the disk fills, and with a serial console the machine stands still while the lines go out
at 115,200 bits a second.

## How to see it yourself
    iptables -S | grep -w LOG
    journalctl -k --since -1min | grep -c 'IN='

## How to mend it
Add a limit to the rule: `-m limit --limit 5/min --limit-burst 10` logs the first ten and then
one every twelve seconds, which is enough to see what is going on. In nft: `limit rate 5/minute
burst 10 packets log`. The limit bounds the log only; what happens to the packet stays in the
next rule. With `-m hashlimit --hashlimit-mode srcip` one noisy sender does not hide the others.

## When it is fine
For a few minutes while you look for a fault, or where the match is so narrow that only a known
peer can reach the rule. NFLOG to a program that does its own counting is not meant.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut found: Vec<RuleAt> = Vec::new();
    for (t, table) in loaded.firewall.tables.iter().enumerate() {
        if table.dormant {
            continue;
        }
        let bounded = bounded_chains(table);
        for (c, chain) in table.chains.iter().enumerate() {
            if bounded[c] || makers::of_chain(table, chain).is_some() {
                continue;
            }
            let unlimited = (0..)
                .zip(&chain.rules)
                .filter(|(_, rule)| logs_freely(rule));
            found.extend(unlimited.map(|(rule, _)| RuleAt {
                table: t,
                chain: c,
                rule,
            }));
        }
    }
    let Some(first) = found.first().copied() else {
        return Vec::new();
    };
    let mut report = finding(
        &PAGE,
        format!(
            "{} {} for every packet, without a limit",
            counted_noun(found.len(), "rule"),
            if found.len() == 1 { "logs" } else { "log" }
        ),
        "a sender who wants to can fill the log, and the disk with it, and hide what matters in it",
    )
    .shown_by(
        found
            .iter()
            .take(MOST_SHOWN)
            .map(|at| loaded.show_rule(*at)),
    );
    if let Some(commands) = limit_commands(loaded, first) {
        let name = loaded
            .table(first)
            .zip(loaded.chain(first))
            .map_or_else(String::new, |(table, chain)| full_name(table, chain));
        report = report.mend(
            format!(
                "Put a limit on rule {} of {name}{}",
                first.rule + 1,
                words_about_the_rest(found.len())
            ),
            commands,
        );
    }
    vec![report]
}

/// Whether the rule logs before anything bounds how often.
fn logs_freely(rule: &Rule) -> bool {
    for statement in &rule.statements {
        match statement {
            Statement::Match(wanted) if bounds_rate(wanted) => return false,
            Statement::Effect(Effect::Log { .. }) => return true,
            _ => {}
        }
    }
    false
}

fn bounds_rate(wanted: &Match) -> bool {
    matches!(wanted, Match::Opaque(opaque) if opaque.stateful)
}

/// User chains that are called from limited rules only, so that what stands in them is limited too.
fn bounded_chains(table: &Table) -> Vec<bool> {
    let mut calls = vec![(0_usize, 0_usize); table.chains.len()];
    for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
        let limited = rule
            .statements
            .iter()
            .any(|statement| matches!(statement, Statement::Match(wanted) if bounds_rate(wanted)));
        for statement in &rule.statements {
            if let Statement::Verdict(Verdict::Jump(ChainId(to)) | Verdict::Goto(ChainId(to))) =
                statement
                && let Some(calls) = usize::try_from(*to).ok().and_then(|to| calls.get_mut(to))
            {
                calls.0 += 1;
                calls.1 += usize::from(limited);
            }
        }
    }
    calls
        .into_iter()
        .map(|(all, limited)| all > 0 && all == limited)
        .collect()
}

fn limit_commands(loaded: &LoadedRules, at: RuleAt) -> Option<Vec<String>> {
    let (table, chain, rule) = (loaded.table(at)?, loaded.chain(at)?, loaded.rule(at)?);
    let words = loaded.firewall.text(rule.place).trim();
    if table.backend.is_iptables() {
        let (matches, target) = specification(loaded, at)?.split_once("-j LOG")?;
        return Some(vec![format!(
            "{} -R {} {} {}",
            iptables_program(table),
            quoted(&chain.name),
            at.rule + 1,
            shell_words(&format!(
                "{matches}-m limit --limit 5/min --limit-burst 10 -j LOG{target}"
            )),
        )]);
    }
    let (before, after) = words.split_once("log")?;
    let handle = rule.handle?;
    let after = after.split("# handle").next().unwrap_or(after).trim_end();
    Some(nft_checked(&format!(
        "replace rule {} {} {} handle {handle} {before}limit rate 5/minute burst 10 packets log{after}",
        table.family.word(),
        table.name,
        chain.name,
    )))
}
