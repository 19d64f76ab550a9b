//! How a rule, a policy and a chain are called when one speaks of them.

use surefoot_report::Place;

use surefoot_netfilter::semantics::Decider;
use surefoot_ruleset::model::chain_name;
use surefoot_ruleset::model::{
    Chain, Field, Firewall, KeyPart, Match, Rule, RuleAt, Statement, Table,
};

/// A rule, a policy or the kernel itself, as an administrator finds it again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct NamedDecider {
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
    /// What it is.
    #[serde(skip)]
    pub(crate) kind: NamedKind,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NamedKind {
    /// A rule.
    Rule {
        /// Its number in the chain, from 1.
        number: u32,
        /// Such as `filter INPUT`.
        chain: String,
        /// Whether it tells packets by their source, as a ban does.
        by_source: bool,
    },
    /// The policy of a chain.
    Policy,
    /// The kernel, where no rule and no policy decides.
    Kernel,
}

/// Whether a rule asks for the source, by an address or a set.
fn tells_sources(rule: &Rule) -> bool {
    let of_source = |field: Field| matches!(field, Field::Ip4Src | Field::Ip6Src | Field::MacSrc);
    let asks = |one: &Match| match one {
        Match::Field { operand, .. } => of_source(operand.field),
        Match::Lookup(lookup) => lookup
            .key
            .iter()
            .any(|part| matches!(part, KeyPart::Number(operand) if of_source(operand.field))),
        _ => false,
    };
    rule.statements.iter().any(|statement| match statement {
        Statement::Match(wanted) => wanted.has_part(&asks),
        _ => false,
    })
}

impl NamedDecider {
    /// Names a rule.
    pub(crate) fn rule(firewall: &Firewall, at: RuleAt) -> Self {
        let (table, chain, rule) = rule_at(firewall, at);
        let chain = chain_name(table, chain);
        Self {
            name: format!("rule {} of {chain}", rule.number),
            text: rule_text(firewall, rule),
            comment: rule.comment.clone(),
            place: place_of(firewall, rule.place),
            packets: rule.counters.map(|counters| counters.packets),
            kind: NamedKind::Rule {
                number: rule.number,
                chain,
                by_source: tells_sources(rule),
            },
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
                    place: place_of(firewall, chain.place),
                    packets: chain.policy_counters.map(|counters| counters.packets),
                    kind: NamedKind::Policy,
                }
            }
            Decider::Refusal(_) | Decider::Kernel => Self {
                name: match by {
                    Decider::Refusal(why) => format!("no rule but the kernel: {why}"),
                    _ => "no rule".into(),
                },
                text: String::new(),
                comment: None,
                place: None,
                packets: None,
                kind: NamedKind::Kernel,
            },
        }
    }
}

impl NamedDecider {
    /// Whether it is a rule that tells packets by their source, as a ban does.
    pub fn is_by_source(&self) -> bool {
        matches!(
            self.kind,
            NamedKind::Rule {
                by_source: true,
                ..
            }
        )
    }

    /// The chain of a rule, such as `filter INPUT`.
    pub(crate) fn chain(&self) -> Option<&str> {
        match &self.kind {
            NamedKind::Rule { chain, .. } => Some(chain),
            NamedKind::Policy | NamedKind::Kernel => None,
        }
    }

    /// The number of a rule in its chain; nothing for what is no rule.
    pub(crate) fn number(&self) -> String {
        match &self.kind {
            NamedKind::Rule { number, .. } => number.to_string(),
            NamedKind::Policy | NamedKind::Kernel => String::new(),
        }
    }
}

/// The table, the chain and the rule at a place of the evaluator's.
pub(crate) fn rule_at(firewall: &Firewall, at: RuleAt) -> (&Table, &Chain, &Rule) {
    let table = &firewall.tables[at.table];
    let chain = &table.chains[at.chain];
    (table, chain, &chain.rules[at.rule])
}

/// The rule's own words on one line.
pub(crate) fn rule_text(firewall: &Firewall, rule: &Rule) -> String {
    let words = firewall.text(rule.place).split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}

pub(crate) fn place_of(
    firewall: &Firewall,
    place: surefoot_ruleset::model::Place,
) -> Option<Place> {
    let (source, position) = firewall.position(place)?;
    Some(Place::Line {
        source: source.to_owned(),
        line: position.line,
        column: None,
    })
}
