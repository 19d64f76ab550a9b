//! Rules that could go without any packet noticing.
//!
//! A rule is not needed if the rules behind it in its chain, and the chain's end, do the same with
//! everything that it takes. This is asked from the last rule to the first, and a rule that is not
//! needed counts as gone for those before it, so that all that are named can go together. A packet
//! that would come to a rule which logs, counts against a limit or sends it elsewhere is taken to
//! notice.

use std::collections::BTreeMap;

use super::dead::RuleSurvey;
use super::diagram::{Diagrams, Exhausted, Packets};
use surefoot_ruleset::model::{Backend, Chain, Effect, Policy, Rule, RuleAt, Statement, Verdict};

/// How a chain lets go of packets without anything else happening to them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RuleOutcome {
    Accepted,
    Dropped,
    Returned,
}

/// What becomes of packets from some rule of a chain on.
struct BehindRule {
    accepted: Packets,
    dropped: Packets,
    returned: Packets,
}

impl RuleSurvey<'_> {
    /// The rules, besides the dead ones, that are not needed.
    ///
    /// # Errors
    ///
    /// If the budget does not suffice.
    pub fn redundant_rules(&mut self, dead: &[RuleAt]) -> Result<Vec<RuleAt>, Exhausted> {
        let mut of_chain: BTreeMap<(usize, usize), Vec<(usize, usize)>> = BTreeMap::new();
        for (way, exact) in self.ways.iter().enumerate() {
            let entered = exact.followed.passages.iter().zip(&exact.followed.entered);
            for (at, (passage, entered)) in entered.enumerate() {
                if !entered.is_none() {
                    of_chain.entry(passage.chain).or_default().push((way, at));
                }
            }
        }
        let mut redundant = Vec::new();
        for ((table, chain), passages) in of_chain {
            redundant.extend(self.redundant_in((table, chain), &passages, dead)?);
        }
        Ok(redundant)
    }

    /// Looks at one chain over all its passages, each by its way and index.
    fn redundant_in(
        &mut self,
        (table, chain): (usize, usize),
        passages: &[(usize, usize)],
        dead: &[RuleAt],
    ) -> Result<Vec<RuleAt>, Exhausted> {
        let content = &self.firewall.tables[table].chains[chain];
        let mut found = Vec::new();
        let of_table = &self.firewall.tables[table];
        let may_change = of_table
            .chains
            .iter()
            .flat_map(|chain| &chain.rules)
            .any(changes_packets);
        let legacy = of_table.backend == Backend::IptablesLegacy;
        let mut ways = passages.iter().map(|(way, _)| &self.ways[*way]);
        if !legacy && ways.any(|exact| !exact.space.tracking) {
            // A later fragment may be misread by any rule.
            return Ok(found);
        }
        let mut behind: Vec<BehindRule> = passages
            .iter()
            .map(|_| BehindRule::chain_outcome(content))
            .collect();
        for (r, rule) in content.rules.iter().enumerate().rev() {
            let at = RuleAt {
                table,
                chain,
                rule: r,
            };
            if dead.contains(&at) {
                continue;
            }
            let outcome = rule_outcome(content, rule);
            let mut needed = outcome.is_none() || is_last_word(content, r);
            for ((way, passage), behind) in passages.iter().zip(&behind) {
                let exact = &mut self.ways[*way];
                let (Some(outcome), false) = (outcome, needed) else {
                    break;
                };
                let entered = exact.followed.entered[*passage];
                let passage = &exact.followed.passages[*passage];
                let [(reach, holds)] = passage.hits[r][..] else {
                    needed = true;
                    break;
                };
                let store = &mut exact.space.store;
                let others = store.minus(holds, behind.packets_with(outcome))?;
                needed = store.three_meet([others, reach, entered]);
            }
            if !needed {
                found.push(at);
                continue;
            }
            if is_quiet(rule) {
                continue;
            }
            let opaque = changes_packets(rule) || may_change && hands_on(rule);
            for ((way, at), behind) in passages.iter().zip(&mut behind) {
                let exact = &mut self.ways[*way];
                let first_unknown = exact.space.first_unknown;
                let hits = &exact.followed.passages[*at].hits[r];
                behind.outcome_before(
                    &mut exact.space.store,
                    (outcome, opaque),
                    hits,
                    first_unknown,
                )?;
            }
        }
        found.reverse();
        Ok(found)
    }
}

/// What the rule does with what it matches, if nothing else happens by it.
fn rule_outcome(chain: &Chain, rule: &Rule) -> Option<RuleOutcome> {
    let (last, before) = rule.statements.split_last()?;
    let quiet = before.iter().all(|one| match one {
        Statement::Match(wanted) => !wanted.asks_past(),
        _ => false,
    });
    let Statement::Verdict(verdict) = last else {
        return None;
    };
    match (verdict, &chain.base) {
        _ if !quiet => None,
        (Verdict::Accept, _) => Some(RuleOutcome::Accepted),
        (Verdict::Drop, _) => Some(RuleOutcome::Dropped),
        (Verdict::Return, None) => Some(RuleOutcome::Returned),
        (Verdict::Return, Some(base)) => Some(match base.policy {
            Policy::Accept => RuleOutcome::Accepted,
            Policy::Drop => RuleOutcome::Dropped,
        }),
        _ => None,
    }
}

/// Whether later rules may see other packets than this one did.
fn changes_packets(rule: &Rule) -> bool {
    rule.statements.iter().any(|one| match one {
        Statement::Effect(effect) => !matches!(
            effect,
            Effect::Log { .. }
                | Effect::Other { .. }
                | Effect::UpdateSet { .. }
                | Effect::Remember { .. }
        ),
        Statement::Verdict(Verdict::Nat(_) | Verdict::Unknown(_)) => true,
        _ => false,
    })
}

/// Whether the rule hands packets to another chain.
fn hands_on(rule: &Rule) -> bool {
    rule.statements.iter().any(|one| {
        matches!(
            one,
            Statement::Verdict(Verdict::Jump(_) | Verdict::Goto(_)) | Statement::VerdictMap(_)
        )
    })
}

/// Whether the rule only counts.
fn is_quiet(rule: &Rule) -> bool {
    rule.statements.iter().all(|one| match one {
        Statement::Match(wanted) => !wanted.asks_past(),
        Statement::Verdict(Verdict::Continue) => true,
        _ => false,
    })
}

/// Whether the rule says at the end of a chain what becomes of all others: many write it so that
/// the policy need not be looked up.
fn is_last_word(chain: &Chain, rule: usize) -> bool {
    let content = &chain.rules[rule];
    let asks = |one: &Statement| matches!(one, Statement::Match(_));
    rule + 1 == chain.rules.len() && !content.statements.iter().any(asks)
}

impl BehindRule {
    /// Behind the last rule.
    fn chain_outcome(chain: &Chain) -> Self {
        let all_if = |is: bool| if is { Packets::ALL } else { Packets::NONE };
        let policy = chain.base.as_ref().map(|base| base.policy);
        Self {
            accepted: all_if(policy == Some(Policy::Accept)),
            dropped: all_if(policy == Some(Policy::Drop)),
            returned: all_if(policy.is_none()),
        }
    }

    fn packets_with(&self, outcome: RuleOutcome) -> Packets {
        match outcome {
            RuleOutcome::Accepted => self.accepted,
            RuleOutcome::Dropped => self.dropped,
            RuleOutcome::Returned => self.returned,
        }
    }

    /// Puts a rule before those that were looked at: `hits` are the packets that reach it and
    /// those that it holds for, in each state; what an opaque rule does is not looked at.
    fn outcome_before(
        &mut self,
        store: &mut Diagrams,
        (outcome, opaque): (Option<RuleOutcome>, bool),
        hits: &[(Packets, Packets)],
        first_unknown: u32,
    ) -> Result<(), Exhausted> {
        let taken = match (outcome, hits) {
            (Some(_), [(_, holds)]) => *holds,
            (None, _) if !opaque => {
                // What a limit answers does not matter here: to be asked is enough.
                let asked = store.unite_all(hits.iter().map(|(_, holds)| *holds).collect())?;
                store.possibly(asked, first_unknown)?
            }
            _ => {
                *self = Self {
                    accepted: Packets::NONE,
                    dropped: Packets::NONE,
                    returned: Packets::NONE,
                };
                return Ok(());
            }
        };
        for set in [&mut self.accepted, &mut self.dropped, &mut self.returned] {
            *set = store.minus(*set, taken)?;
        }
        let set = match outcome {
            Some(RuleOutcome::Accepted) => &mut self.accepted,
            Some(RuleOutcome::Dropped) => &mut self.dropped,
            Some(RuleOutcome::Returned) => &mut self.returned,
            None => return Ok(()),
        };
        *set = store.or(*set, taken)?;
        Ok(())
    }
}
