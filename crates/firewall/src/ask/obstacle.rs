//! What decides otherwise than is wanted, in the order of the kernel.

use std::collections::BTreeSet;

use surefoot_netfilter::semantics::{Decider, End, Evaluation, EventKind};
use surefoot_ruleset::model::RuleAt;

/// What decides otherwise first, and the index of the event in which that was seen; none if the kernel
/// decides without a rule.
pub(super) fn first_obstacle(
    evaluation: &Evaluation,
    wanted: &BTreeSet<End>,
) -> Option<(Decider, Option<usize>)> {
    let wrong: Vec<Decider> = evaluation
        .outcomes
        .iter()
        .filter(|outcome| !wanted.contains(&outcome.end))
        .map(|outcome| outcome.by)
        .collect();
    let mut events = evaluation.events.iter().enumerate();
    let seen = events.find_map(|(at, event)| {
        let by = match (event.rule, &event.what) {
            (Some(rule), EventKind::Matched | EventKind::Perhaps(_)) => Decider::Rule(RuleAt {
                table: event.table,
                chain: event.chain,
                rule,
            }),
            (None, EventKind::Policy) => Decider::Policy {
                table: event.table,
                chain: event.chain,
            },
            _ => return None,
        };
        wrong.contains(&by).then_some((by, Some(at)))
    });
    seen.or_else(|| wrong.first().map(|by| (*by, None)))
}
