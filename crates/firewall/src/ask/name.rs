//! How a rule, a policy and a chain are called when one speaks of them.

use surefoot_report::Place;

use surefoot_netfilter::semantics::Decider;
use surefoot_ruleset::model::chain_name;
use surefoot_ruleset::model::{Chain, Firewall, Rule, RuleAt, Table};

/// A rule, a policy or the kernel itself, as an administrator finds it again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Named {
    /// Such as `rule 4 of filter INPUT`.
    pub name: String,
    /// The rule's words; empty for a policy.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Its comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What it has counted, where it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
}

impl Named {
    /// Names a rule.
    pub(crate) fn rule(firewall: &Firewall, at: RuleAt) -> Self {
        let (table, chain, rule) = find(firewall, at);
        Self {
            name: format!("rule {} of {}", rule.number, chain_name(table, chain)),
            text: rule_text(firewall, rule),
            comment: rule.comment.clone(),
            place: place(firewall, rule.place),
            packets: rule.counters.map(|counters| counters.packets),
        }
    }

    /// Names what decided.
    pub(crate) fn decider(firewall: &Firewall, by: Decider) -> Self {
        match by {
            Decider::Rule(at) => Self::rule(firewall, at),
            Decider::Policy { table, chain } => {
                let table = &firewall.tables[table];
                let chain = &table.chains[chain];
                Self {
                    name: format!("the policy of {}", chain_name(table, chain)),
                    text: String::new(),
                    comment: None,
                    place: place(firewall, chain.place),
                    packets: chain.policy_counters.map(|counters| counters.packets),
                }
            }
            Decider::Kernel => Self {
                name: "no rule".into(),
                text: String::new(),
                comment: None,
                place: None,
                packets: None,
            },
        }
    }
}

/// The table, the chain and the rule at a place of the evaluator's.
pub(crate) fn find(firewall: &Firewall, at: RuleAt) -> (&Table, &Chain, &Rule) {
    let table = &firewall.tables[at.table];
    let chain = &table.chains[at.chain];
    (table, chain, &chain.rules[at.rule])
}

/// The rule's own words on one line.
pub(crate) fn rule_text(firewall: &Firewall, rule: &Rule) -> String {
    let words = firewall.text(rule.place).split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}

pub(crate) fn place(firewall: &Firewall, place: surefoot_ruleset::model::Place) -> Option<Place> {
    let (source, position) = firewall.position(place)?;
    Some(Place::Line {
        source: source.to_owned(),
        line: position.line,
        column: None,
    })
}
