//! A base chain whose policy drops what no rule decides: a flush takes the rules and leaves the
//! policy.

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, finding, full_name};
use super::probe::is_filter;
use crate::LoadedRules;
use crate::commands::{add_rule, iptables_program, nft_checked, quoted};
use crate::makers;
use surefoot_ruleset::model::{Chain, Hook, Policy, Rule, Statement, Table, Verdict};

pub(super) const PAGE: Page = Page {
    code: "FW001",
    title: "policy DROP without an explicit last rule: a flush locks you out",
    severity: Severity::Critical,
    text: "\
## What it is
The chain ends in its policy, and the policy is DROP. No last rule drops or rejects the rest.

## Why it matters
`iptables -F` deletes the rules of a chain and leaves its policy. After it no rule accepts
anything and the policy drops everything: the connection in which the command was typed is dead
before the prompt comes back, and the machine can only be reached at its console. It need not be
you: a start script, a package's upgrade or a colleague flushes rules too. `nft flush table` and
`nft flush chain` do the same to a chain of nft; `nft flush ruleset` removes the chains with
their policies and leaves the machine open instead.

## How to see it yourself
    iptables -S INPUT | head -1        shows `-P INPUT DROP`
    iptables -S INPUT | tail -1        shows the last rule
    nft list chain inet filter input   shows `policy drop`

## How to mend it
Write the drop down as the last rule, and only then set the policy to ACCEPT, in this order.
What is dropped stays dropped; a flush now leaves the machine open for a moment rather than
unreachable. While you test, let the last rule be REJECT: refused clients get an error. A rule
that is added later with `-A` would stand behind the last rule: insert it with `-I`.

## When it is fine
Where the console is at hand and an open machine is worse than an unreachable one, keep the
policy; and never flush by hand: load a whole new rule set with `iptables-restore` or `nft -f`,
which replaces rules and policies in one step.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in &loaded.firewall.tables {
        for chain in &table.chains {
            if cuts_off(table, chain) && !chain.rules.last().is_some_and(decides_all) {
                findings.push(chain_finding(loaded, table, chain));
            }
        }
    }
    findings
}

/// Whether a flush of this chain drops what its rules let through before, on the way to or from
/// this host.
pub(super) fn cuts_off(table: &Table, chain: &Chain) -> bool {
    let drops = chain
        .base
        .as_ref()
        .is_some_and(|base| base.policy == Policy::Drop && base.hook != Hook::Forward);
    drops && !table.dormant && chain.rules.iter().any(lets_through)
}

/// Whether the rule could let a packet pass that the policy would drop.
fn lets_through(rule: &Rule) -> bool {
    rule.statements.iter().any(|statement| {
        matches!(
            statement,
            Statement::VerdictMap(_)
                | Statement::Verdict(
                    Verdict::Accept
                        | Verdict::Jump(_)
                        | Verdict::Goto(_)
                        | Verdict::Nat(_)
                        | Verdict::Queue { .. }
                        | Verdict::Unknown(_)
                )
        )
    })
}

/// Whether the rule drops or rejects every packet.
pub(super) fn decides_all(rule: &Rule) -> bool {
    for statement in &rule.statements {
        match statement {
            Statement::Effect(_) => {}
            Statement::Verdict(Verdict::Drop | Verdict::Reject { .. }) => return true,
            _ => return false,
        }
    }
    false
}

fn chain_finding(loaded: &LoadedRules, table: &Table, chain: &Chain) -> Finding {
    let name = full_name(table, chain);
    let is_iptables = table.backend.is_iptables();
    let flush = if is_iptables {
        format!("{} -F", iptables_program(table))
    } else {
        format!("nft flush table {} {}", table.family.word(), table.name)
    };
    // Only these hooks, and of iptables only this table, can answer.
    let answers = is_filter(chain, Hook::Input) || is_filter(chain, Hook::Output);
    let (iptables_words, nft_words) = if answers && (!is_iptables || table.name == "filter") {
        ("-j REJECT", "counter reject")
    } else {
        ("-j DROP", "counter drop")
    };
    let mut commands = add_rule(table, chain, None, iptables_words, nft_words);
    let returns = chain.rules.iter().any(leads_to_policy);
    let mut advice = "Write the last rule down, then let the policy accept (in this order)";
    if let Some(maker) = makers::maker_of_table(table) {
        // A rule of ours would be gone at the program's next start, and so would the policy.
        advice = "Never flush by hand what a program has made; this loads its rules afresh";
        commands = vec![match maker {
            "ufw" => "ufw reload".to_owned(),
            _ => "firewall-cmd --reload".to_owned(),
        }];
    } else if returns {
        // RETURN and goto end at the policy too, so it must go on dropping.
        advice = "Write the last rule down; the policy has to stay, as RETURN or a goto in this chain leads to it";
    } else if is_iptables {
        let chain = quoted(&chain.name);
        commands.push(format!("{} -P {chain} ACCEPT", iptables_program(table)));
    } else {
        commands.extend(nft_checked(&format!(
            "chain {} {} {} {{ policy accept; }}",
            table.family.word(),
            table.name,
            chain.name
        )));
    }
    finding(
        &PAGE,
        format!("{name} has policy DROP and no last DROP or REJECT rule"),
        format!(
            "`{flush}` deletes the rules and keeps the policy: every connection to this host ends, \
             including the one in which you type it"
        ),
    )
    .with_severity(if is_iptables {
        Severity::Critical
    } else {
        // nft's own idiom, `flush ruleset`, takes the policy with it.
        Severity::Warning
    })
    .shown_by([loaded.show_policy(table, chain)])
    .shown_by(last_rule(loaded, chain))
    .mend(advice, commands)
}

/// Whether the rule may hand a packet to the policy before the chain's end.
pub(super) fn leads_to_policy(rule: &Rule) -> bool {
    rule.statements.iter().any(|statement| {
        matches!(
            statement,
            Statement::Verdict(Verdict::Return | Verdict::Goto(_)) | Statement::VerdictMap(_)
        )
    })
}

fn last_rule(loaded: &LoadedRules, chain: &Chain) -> Option<surefoot_report::Evidence> {
    let rule = chain.rules.last()?;
    let words = loaded.firewall.text(rule.place).trim();
    let packets = rule.counters.map(|counters| counters.packets);
    Some(loaded.at(rule.place, format!("the last rule: {words}"), packets))
}
