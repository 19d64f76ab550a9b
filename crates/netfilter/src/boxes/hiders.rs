//! Which earlier rules hide a dead one.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::cover::{CoverSearch, CoverTree, covers_sides};
use super::product::RuleBoxes;
use super::scale::Run;
use super::tree::BoxTree;
use super::world::ChainWorld;
use crate::exact::HidingRule;
use surefoot_ruleset::model::{Rule, RuleAt};

/// Rules that take something from a dead one and are looked at one by one.
const MOST_TAKERS: usize = 64;
/// Boxes that intersect a dead rule and could take something from it.
const MOST_CANDIDATES: usize = 1024;
/// Steps for the names of one rule's hiders.
const STEPS: u64 = 20_000;

/// What the hiders of a rule are looked for with.
pub(super) struct Dead<'a> {
    pub(super) rules: &'a [Rule],
    pub(super) boxes: &'a RuleBoxes,
    pub(super) tree: &'a BoxTree,
    pub(super) world: &'a ChainWorld,
    pub(super) at: RuleAt,
    /// Boxes that are known to hold all that the rule matches.
    pub(super) proof: &'a [usize],
}

impl Dead<'_> {
    /// The rules that take its packets, all those that do something else among them; of the others
    /// none could be missing. Where more than 64 rules take part, or it takes long to find them, it
    /// is those that prove it dead.
    pub(super) fn hiders(&self, search: &mut CoverSearch) -> Vec<HidingRule> {
        let takers = self.taking_rules(search).unwrap_or_else(|| {
            let proof = self.proof.iter().map(|one| self.boxes.rule_of_box(*one));
            proof.collect()
        });
        let mut kept = self.named_hiders(takers.into_iter());
        if kept.len() > MOST_TAKERS {
            return kept;
        }
        let others: Vec<HidingRule> = kept
            .iter()
            .rev()
            .filter(|one| !one.differs)
            .copied()
            .collect();
        for candidate in others {
            if kept.len() < 2 {
                break;
            }
            let rest: Vec<usize> = kept
                .iter()
                .filter(|hider| hider.at != candidate.at)
                .flat_map(|hider| self.taken_by(hider.at.rule))
                .collect();
            if self.is_held(search, &rest) {
                kept.retain(|hider| hider.at != candidate.at);
            }
        }
        kept
    }

    /// The earlier rules at which packets that it matches stop, up to the rule after which none is
    /// left.
    fn taking_rules(&self, search: &mut CoverSearch) -> Option<Vec<u32>> {
        let own = self.boxes.boxes_of_rule(self.at.rule);
        let rule = u32::try_from(self.at.rule).unwrap_or(u32::MAX);
        // After a rule that takes all of it alone, no rule gets any.
        let mut end = rule;
        if own.len() == 1 {
            let sides = self.boxes.sides_at(own.start);
            let corner: Vec<Run> = sides.iter().map(|(lo, _)| (*lo, *lo)).collect();
            let _ = self
                .tree
                .find_meeting::<()>(self.boxes, &corner, rule, |one| {
                    if covers_sides(self.boxes.sides_at(one), sides) {
                        end = end.min(self.boxes.rule_of_box(one) + 1);
                    }
                    ControlFlow::Continue(())
                });
        }
        let mut candidates: Vec<(u32, usize, usize)> = Vec::new();
        for own in own {
            let sides = self.boxes.sides_at(own);
            let all = self.tree.find_meeting(self.boxes, sides, end, |one| {
                candidates.push((self.boxes.rule_of_box(one), one, own));
                if candidates.len() > MOST_CANDIDATES {
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            });
            if all.is_break() {
                return None;
            }
        }
        candidates.sort_unstable();
        let mut takers: Vec<u32> = Vec::new();
        search.steps = STEPS;
        for (theirs, one, own) in candidates {
            if takers.last() == Some(&theirs) {
                continue;
            }
            let both: Vec<Run> = self
                .boxes
                .sides_at(one)
                .iter()
                .zip(self.boxes.sides_at(own))
                .map(|(a, b)| (a.0.max(b.0), a.1.min(b.1)))
                .collect();
            let cover = CoverTree::Before(self.tree, theirs);
            let both = std::iter::once(both.as_slice());
            let found = search
                .find_outside(self.boxes, self.world, both, cover)
                .ok()?;
            if found.is_some() {
                if takers.len() == MOST_TAKERS {
                    return None;
                }
                takers.push(theirs);
            }
        }
        Some(takers)
    }

    fn is_held(&self, search: &mut CoverSearch, by: &[usize]) -> bool {
        let own = self
            .boxes
            .boxes_of_rule(self.at.rule)
            .map(|one| self.boxes.sides_at(one));
        search.steps = STEPS;
        let outside = search.find_outside(self.boxes, self.world, own, CoverTree::These(by));
        outside == Ok(None)
    }

    fn taken_by(&self, rule: usize) -> impl Iterator<Item = usize> + '_ {
        self.boxes
            .boxes_of_rule(rule)
            .filter(|one| self.boxes.takes_packets(*one))
    }

    fn named_hiders(&self, rules: impl Iterator<Item = u32>) -> Vec<HidingRule> {
        let rules: BTreeSet<u32> = rules.collect();
        rules
            .into_iter()
            .map(|rule| HidingRule::new(self.rules, self.at, rule as usize))
            .collect()
    }
}
