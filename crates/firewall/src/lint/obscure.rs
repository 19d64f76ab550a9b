//! Rules whose purpose cannot be read from their words, and that do not say it.

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{
    FindingExt, MOST_SHOWN, counted_noun, finding, full_name, words_about_the_rest,
};
use crate::LoadedRules;
use crate::commands::{iptables_program, quoted, shell_words, specification};
use crate::makers;
use surefoot_ruleset::model::{Field, Match, Rule, RuleAt, Statement, Table, Verdict};

pub(super) const PAGE: Page = Page {
    code: "FW009",
    title: "obscure rules without a comment",
    severity: Severity::Note,
    text: "\
## What it is
A rule looks at bytes of the packet by number, at a mark that something else has set, at chance,
the time of day or a text inside; or it puts many conditions at once. It carries no comment.

## Why it matters
You can work out what such a rule does, but not what it is *for*. The next administrator does
not dare to delete it, and it stays for ever; or deletes it, and learns what it was for.

## How to see it yourself
    iptables-save | grep -e u32 -e string -e statistic -e '--mark'
    iptables -L -nv --line-numbers               does it count anything?

## How to mend it
Write down what it is for, while you remember:
    iptables -R INPUT NUMBER ... -m comment --comment 'why, who, when'
In nft: `comment \"why\"` at the end of the rule. 256 characters fit in iptables, 128 in nft.
Where that is forgotten, look whether it counts, and log what it catches for a week before you
delete it.

## When it is fine
Where the file from which the rules are loaded has the comment: `iptables-save` does not show
what stands behind a `#` there. Rules that programs make are not reported.
",
};

/// Modules and words of nft that say how a packet looks, and not why that matters.
const OBSCURE: &[(&str, &str)] = &[
    ("u32", "bytes by number"),
    ("bpf", "a program"),
    ("string", "a text inside the packet"),
    ("statistic", "chance"),
    ("nth", "chance"),
    ("quota", "a quota"),
    ("time", "the time of day"),
    ("rateest", "a rate estimate"),
    ("cpu", "the processor"),
    ("realm", "a routing realm"),
    ("osf", "a guess at the sender's system"),
    ("ecn", "congestion bits"),
    ("@th", "bytes by number"),
    ("@nh", "bytes by number"),
    ("@ll", "bytes by number"),
    ("numgen", "chance"),
    ("jhash", "a hash"),
];
/// Conditions from which on a rule asks for a word of explanation.
const MANY_CONDITIONS: usize = 8;

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut found: Vec<(RuleAt, &str)> = Vec::new();
    for (t, table) in loaded.firewall.tables.iter().enumerate() {
        for (c, chain) in table.chains.iter().enumerate() {
            if makers::of_chain(table, chain).is_some() {
                continue;
            }
            for (r, rule) in chain.rules.iter().enumerate() {
                let why = why_obscure(loaded, table, rule);
                if let Some(why) = why
                    && rule.comment.is_none()
                    && makers::of_rule(table, chain, rule).is_none()
                {
                    let at = RuleAt {
                        table: t,
                        chain: c,
                        rule: r,
                    };
                    found.push((at, why));
                }
            }
        }
    }
    let Some((first, _)) = found.first().copied() else {
        return Vec::new();
    };
    let report = finding(
        &PAGE,
        format!(
            "{} without a comment that would need one",
            counted_noun(found.len(), "rule")
        ),
        "what they do can be worked out, what they are for cannot; nothing says whether they may be changed",
    )
    .shown_by(found.iter().take(MOST_SHOWN).map(|(at, why)| {
        let mut shown = loaded.show_rule(*at);
        shown.what = format!("{} (asks for {why})", shown.what);
        shown
    }));
    let commands = commenting_commands(loaded, first).unwrap_or_default();
    vec![report.mend(
        format!(
            "Say what the rule is for, in the rule itself{}",
            words_about_the_rest(found.len())
        ),
        commands,
    )]
}

fn why_obscure(loaded: &LoadedRules, table: &Table, rule: &Rule) -> Option<&'static str> {
    let mut conditions = 0;
    for statement in &rule.statements {
        let Statement::Match(wanted) = statement else {
            // A jump says by the chain's name what it is for.
            if matches!(statement, Statement::Verdict(Verdict::Jump(_))) {
                return None;
            }
            continue;
        };
        conditions += 1;
        if let Match::Field { operand, .. } = wanted
            && matches!(operand.field, Field::Mark | Field::CtMark)
            && operand.mask.is_some()
        {
            return Some("bits of a mark");
        }
    }
    if conditions >= MANY_CONDITIONS {
        return Some("many things at once");
    }
    let iptables = table.backend.is_iptables();
    let words = loaded.firewall.text(rule.place);
    let mut after_module = false;
    for word in words.split_whitespace() {
        let known = OBSCURE.iter().find(|(obscure, _)| {
            if iptables {
                after_module && *obscure == word
            } else {
                (obscure.starts_with('@') && word.starts_with(obscure) && word.contains(','))
                    || (*obscure == word && matches!(*obscure, "numgen" | "jhash" | "osf"))
            }
        });
        if let Some((_, why)) = known {
            return Some(why);
        }
        after_module = word == "-m" || word == "--match";
    }
    None
}

fn commenting_commands(loaded: &LoadedRules, at: RuleAt) -> Option<Vec<String>> {
    let (table, chain, rule) = (loaded.table(at)?, loaded.chain(at)?, loaded.rule(at)?);
    let words = loaded.firewall.text(rule.place).trim();
    if table.backend.is_iptables() {
        return Some(vec![format!(
            "{} -R {} {} -m comment --comment 'say here what it is for' {}",
            iptables_program(table),
            quoted(&chain.name),
            at.rule + 1,
            shell_words(specification(loaded, at)?),
        )]);
    }
    let place = full_name(table, chain);
    let Some(handle) = rule.handle else {
        return Some(vec![format!("nft -a list chain {place}")]);
    };
    let words = words.split("# handle").next().unwrap_or(words).trim();
    Some(crate::commands::nft_checked(&format!(
        "replace rule {place} handle {handle} {words} comment \"say here what it is for\""
    )))
}
