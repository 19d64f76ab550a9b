//! Rules that no packet can match, proved over all packets.

use std::collections::BTreeSet;

use surefoot_report::{Finding, Page, Severity};

use super::listing_command;
use super::shadowed::ShadowedRule;
use crate::LoadedRules;
use crate::lint::evidence::{FindingExt, counted_noun, finding, full_name};
use crate::makers;
use surefoot_netfilter::exact::{DeadRule, WhyDead};
use surefoot_ruleset::model::RuleAt;

pub(in crate::lint) const PAGE: Page = Page {
    code: "FW025",
    title: "rules that no packet can match",
    severity: Severity::Warning,
    text: "\
## What it is
All packets were followed at once, and none of them matches this rule: several earlier rules
together take every packet that it could match, or no such packet is ever sent to its chain, or
it contradicts itself. Where the rules are too many for that, each chain was looked at by
itself, and the finding says so.

## Why it matters
The rule was written to do something, and does nothing. If an earlier rule does something else
with the packets, a port that should be open is shut, or the other way round.

## How to see it yourself
    iptables -L CHAIN -nv --line-numbers         a rule that never counts anything
    surefoot firewall explain PACKET             a packet that it asks for, and who takes it

## How to mend it
Look at the rules that hide it. Where all of them want the same, delete the dead one. Where one
of them wants something else, decide who is right, and put the exception in front.

## When it is fine
A list that a program fills may hold an entry twice. Rules for another way (a chain that INPUT
and FORWARD share) are only named if no packet of any way matches them.
",
};

/// Rules that one finding shows.
const MOST_SHOWN: usize = 4;
/// Hiders of each that it shows.
const MOST_HIDERS: usize = 4;

pub(super) fn report_dead(
    loaded: &LoadedRules,
    dead: Vec<DeadRule>,
    within_chain: bool,
    shadowed: &[ShadowedRule],
) -> Vec<Finding> {
    let plain: BTreeSet<RuleAt> = shadowed.iter().map(|rule| rule.at).collect();
    let mut by_chain: Vec<Vec<DeadRule>> = Vec::new();
    for one in dead {
        let (Some(table), Some(chain)) = (loaded.table(one.at), loaded.chain(one.at)) else {
            continue;
        };
        if plain.contains(&one.at) || makers::of_chain(table, chain).is_some() {
            continue;
        }
        match by_chain.last_mut() {
            Some(same) if (same[0].at.table, same[0].at.chain) == (one.at.table, one.at.chain) => {
                same.push(one);
            }
            _ => by_chain.push(vec![one]),
        }
    }
    by_chain
        .iter()
        .filter_map(|dead| of_chain(loaded, dead, within_chain))
        .collect()
}

fn of_chain(loaded: &LoadedRules, dead: &[DeadRule], within_chain: bool) -> Option<Finding> {
    let first = dead.first()?;
    let (table, chain) = (loaded.table(first.at)?, loaded.chain(first.at)?);
    let name = full_name(table, chain);
    let differs = dead.iter().any(|one| match &one.why {
        WhyDead::Hidden(by) => by.iter().any(|hider| hider.differs),
        WhyDead::Impossible | WhyDead::NeverSent => true,
    });
    let title = match dead {
        [one] => format!("no packet can match rule {} of {name}", one.at.rule + 1),
        _ => format!(
            "no packet can match {} of {name}",
            counted_noun(dead.len(), "rule")
        ),
    };
    let mut evidence = Vec::new();
    for one in dead.iter().take(MOST_SHOWN) {
        let mut shown = loaded.show_rule(one.at);
        shown.what = match &one.why {
            WhyDead::Impossible => {
                format!("contradicts itself, no packet can match: {}", shown.what)
            }
            WhyDead::NeverSent => format!(
                "asks for packets that never reach its chain: {}",
                shown.what
            ),
            WhyDead::Hidden(_) => format!("never matches: {}", shown.what),
        };
        evidence.push(shown);
        if let WhyDead::Hidden(by) = &one.why {
            for hider in by.iter().take(MOST_HIDERS) {
                let mut shown = loaded.show_rule(hider.at);
                let else_ = if hider.differs {
                    ", which does something else"
                } else {
                    ""
                };
                shown.what = format!(
                    "because of rule {}{else_}: {}",
                    hider.at.rule + 1,
                    shown.what
                );
                evidence.push(shown);
            }
        }
    }
    let impact = if differs {
        "they have no effect: earlier rules decide every packet that they match, in another way"
    } else {
        "they change nothing and make the chain harder to read"
    };
    let mut impact = impact.to_owned();
    if within_chain {
        impact.push_str(
            "; with so many rules only those of the same chain were looked at, so there may be more",
        );
    }
    Some(
        finding(&PAGE, title, impact)
            .with_severity(if differs {
                Severity::Warning
            } else {
                Severity::Note
            })
            .shown_by(evidence)
            .mend(
                "Look at the rules that hide them; then delete them, or put the exception in front",
                vec![listing_command(table, chain)],
            ),
    )
}

#[cfg(test)]
mod tests {
    use surefoot_report::Finding;

    use super::super::{BUDGET, check_within};
    use crate::LoadedRules;

    use surefoot_netfilter::exact::Budget;

    use surefoot_ruleset::Input;

    fn findings(text: &str, budget: Budget) -> Vec<Finding> {
        let loaded = LoadedRules::of_texts(vec![Input {
            name: "t".into(),
            text: text.into(),
            format: None,
        }]);
        let mut findings = check_within(&loaded, budget);
        findings.retain(|finding| finding.code == "FW025");
        findings
    }

    const HALVES: &str = "*filter\n:INPUT DROP [0:0]\n\
        -A INPUT -s 10.0.0.0/9 -j DROP\n\
        -A INPUT -s 10.128.0.0/9 -j ACCEPT\n\
        -A INPUT -s 10.0.0.0/8 -p tcp -j ACCEPT\nCOMMIT\n";

    #[test]
    fn beyond_the_budget_each_chain_is_looked_at_and_the_finding_says_so() {
        let small = Budget {
            nodes: 100,
            steps: 100,
        };
        let [by_boxes] = &findings(HALVES, small)[..] else {
            panic!("one finding");
        };
        let [exact] = &findings(HALVES, BUDGET)[..] else {
            panic!("one finding");
        };
        assert_eq!(by_boxes.title, exact.title);
        assert_eq!(by_boxes.evidence, exact.evidence);
        assert!(by_boxes.impact.contains("only those of the same chain"));
        assert!(!exact.impact.contains("the same chain"));
    }
}
