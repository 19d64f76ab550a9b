//! Several units at once: lines of which each alone is enough for the symptom.
//!
//! What keeps the symptom when it is left out stays out, until what is left cures or nothing more can go.

use std::collections::BTreeSet;

use super::verdict::SearchAnswer;
use super::{BisectSearch, StageEnd, TestOracle, TestOutcome};
use crate::tree::UnitId;

/// Tries with a part of the units, as one of the others may make the same symptom when it is left out.
const TRIES_BY_CHANCE: usize = 24;

impl<O: TestOracle> BisectSearch<'_, O> {
    /// Looks for a set of units that cures.
    pub(super) fn by_several(
        &mut self,
        roots: &[UnitId],
    ) -> Result<Option<SearchAnswer>, StageEnd<O::Stop>> {
        self.collect_and_judge(roots, &BTreeSet::new())
    }

    /// The same, each time with a part of the units held back.
    pub(super) fn by_chance(
        &mut self,
        roots: &[UnitId],
    ) -> Result<Option<SearchAnswer>, StageEnd<O::Stop>> {
        for _ in 0..TRIES_BY_CHANCE {
            let leaves: Vec<UnitId> = self.tree.ids().collect();
            let mut held = BTreeSet::new();
            for leaf in leaves {
                if self.tree.unit(leaf).children.is_empty() && self.chance().is_multiple_of(3) {
                    held.insert(leaf);
                }
            }
            if let Some(answer) = self.collect_and_judge(roots, &held)? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }

    fn collect_and_judge(
        &mut self,
        roots: &[UnitId],
        held: &BTreeSet<UnitId>,
    ) -> Result<Option<SearchAnswer>, StageEnd<O::Stop>> {
        let mut out = Vec::new();
        if !self.collect(roots, held, &mut out)? {
            return Ok(None);
        }
        let cure = self.minimise(vec![], out)?;
        self.judge_joint(cure).map(Some)
    }

    /// Leaves out what keeps the symptom. True when what is out cures.
    fn collect(
        &mut self,
        list: &[UnitId],
        held: &BTreeSet<UnitId>,
        out: &mut Vec<UnitId>,
    ) -> Result<bool, StageEnd<O::Stop>> {
        let mut units = Vec::new();
        for unit in list {
            self.free_parts(*unit, held, &mut units);
        }
        let mut groups = vec![units];
        while let Some(group) = groups.pop() {
            if group.is_empty() {
                continue;
            }
            let all = out.iter().chain(&group).copied().collect::<Vec<_>>();
            match self.without(all)? {
                TestOutcome::Symptom => out.extend(group),
                TestOutcome::Fine => {
                    out.extend(group);
                    return Ok(true);
                }
                TestOutcome::Other | TestOutcome::Rejected => {
                    if let [unit] = group[..] {
                        groups.push(self.parts(unit));
                    } else {
                        let (first, second) = group.split_at(group.len() / 2);
                        groups.push(second.to_vec());
                        groups.push(first.to_vec());
                    }
                }
            }
        }
        Ok(false)
    }

    /// A unit, or what of it is not held back and not needed.
    pub(super) fn free_parts(
        &self,
        unit: UnitId,
        held: &BTreeSet<UnitId>,
        units: &mut Vec<UnitId>,
    ) {
        let parts = self.parts(unit);
        let is_free = |id: &UnitId| !held.contains(id) && !self.needed.contains(id);
        if parts.is_empty() {
            if is_free(&unit) {
                units.push(unit);
            }
        } else if is_free(&unit) && self.all_free(unit, held) {
            units.push(unit);
        } else {
            for part in parts {
                self.free_parts(part, held, units);
            }
        }
    }

    fn all_free(&self, unit: UnitId, held: &BTreeSet<UnitId>) -> bool {
        let children = &self.tree.unit(unit).children;
        !held.contains(&unit)
            && !self.needed.contains(&unit)
            && children.iter().all(|child| self.all_free(*child, held))
    }
}
