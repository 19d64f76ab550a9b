//! Neighbouring rules that differ in one address only: one rule with a set.

use surefoot_report::Finding;

use super::PAGE;
use crate::LoadedRules;
use crate::commands::{iptables_program, quoted, shell_words, specification};
use crate::lint::evidence::{FindingExt, finding, full_name};
use surefoot_ruleset::model::{Chain, Effect, Field, Match, Rule, RuleAt, Statement};

/// Neighbouring rules that are the same but for one field.
pub(super) struct RuleRun {
    start: usize,
    pub(super) len: usize,
    field: Field,
}

/// The longest run of rules that differ in one address or port.
pub(super) fn longest_run(chain: &Chain) -> Option<RuleRun> {
    let fields = [
        Field::Ip4Src,
        Field::Ip6Src,
        Field::Ip4Dst,
        Field::Ip6Dst,
        Field::DstPort,
    ];
    let mut best: Option<RuleRun> = None;
    for field in fields {
        let mut start = 0;
        let mut before: Option<Vec<&Statement>> = None;
        for at in 0..=chain.rules.len() {
            let rest = chain
                .rules
                .get(at)
                .and_then(|rule| without_field(rule, field));
            if rest.is_some() && rest == before {
                continue;
            }
            let len = at - start;
            if before.is_some() && best.as_ref().is_none_or(|best| len > best.len) {
                best = Some(RuleRun { start, len, field });
            }
            start = at;
            before = rest;
        }
    }
    best.filter(|best| best.len > 1)
}

/// The rule without its plain question for the field; nothing if it has none, or does more than
/// decide.
fn without_field(rule: &Rule, field: Field) -> Option<Vec<&Statement>> {
    let mut asked = false;
    let mut rest = Vec::new();
    for statement in &rule.statements {
        match statement {
            Statement::Match(Match::Field {
                operand,
                negated: false,
                ranges,
            }) if operand.field == field && operand.mask.is_none() && ranges.len() == 1 => {
                asked = true;
            }
            Statement::Match(Match::Opaque(opaque)) if opaque.stateful => return None,
            Statement::Effect(Effect::Other { .. }) => {}
            other => rest.push(other),
        }
    }
    asked.then_some(rest)
}

/// One rule with a set in place of the run.
pub(super) fn propose_set(loaded: &LoadedRules, at: RuleAt, run: &RuleRun) -> Option<Finding> {
    let (table, chain) = (loaded.table(at)?, loaded.chain(at)?);
    let name = full_name(table, chain);
    let (first, last) = (run.start + 1, run.start + run.len);
    let (word, option, ipset, kind, nft) = match run.field {
        Field::Ip4Src => ("source", "-s", "hash:net family inet", "src", "ip saddr"),
        Field::Ip6Src => ("source", "-s", "hash:net family inet6", "src", "ip6 saddr"),
        Field::Ip4Dst => (
            "destination",
            "-d",
            "hash:net family inet",
            "dst",
            "ip daddr",
        ),
        Field::Ip6Dst => (
            "destination",
            "-d",
            "hash:net family inet6",
            "dst",
            "ip6 daddr",
        ),
        _ => (
            "port",
            "--dport",
            "bitmap:port range 0-65535",
            "dst",
            "th dport",
        ),
    };
    // The name stands inside another program's quotes below, so it has letters and digits only.
    let letters = chain.name.to_lowercase();
    let letters: String = letters
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        .take(20)
        .collect();
    let set = format!("{letters}-{first}");
    let first_rule = RuleAt {
        rule: run.start,
        ..at
    };
    let commands = if table.backend.is_iptables() {
        let rest = specification(loaded, first_rule)?;
        let value = value_after(rest, option)?;
        let matches = format!("-m set --match-set {} {kind}", quoted(&set));
        let one = shell_words(rest).replacen(&format!("{option} {value}"), &matches, 1);
        let (program, chain_word) = (iptables_program(table), quoted(&chain.name));
        vec![
            format!("ipset create {} {ipset}", quoted(&set)),
            // Line 1 of `-S` is the policy, so rule N is line N + 1.
            format!(
                "{program} -S {chain_word} | sed -n '{},{}s/.* {option} \\([^ ]*\\).*/add {set} \\1/p' | ipset -exist restore",
                first + 1,
                last + 1
            ),
            format!("{program} -I {chain_word} {first} {one}"),
        ]
    } else {
        vec![format!(
            "nft -a list chain {} {} {}",
            table.family.word(),
            table.name,
            chain.name
        )]
    };
    let last_at = RuleAt {
        rule: last - 1,
        ..at
    };
    Some(
        finding(
            &PAGE,
            format!("{name} holds {} rules; {first} to {last} differ in the {word} only", chain.rules.len()),
            format!(
                "one rule with a set (in nft: `{nft} @{set}`) does the same with one look-up instead of {}",
                run.len
            ),
        )
        .shown_by([
            loaded.show_rule(first_rule),
            loaded.show_rule(last_at),
        ])
        .mend(
            "Fill a set, and look it up in front of the old rules, which never match then and can be deleted",
            commands,
        ),
    )
}

/// The word after an option.
fn value_after<'a>(words: &'a str, option: &str) -> Option<&'a str> {
    let mut words = words.split_whitespace();
    words.find(|word| *word == option)?;
    words.next()
}
