//! Prefix bisection over the structure.
//!
//! Units are left out from the first one on. The shortest prefix that ends the symptom ends in a unit that
//! matters; everything before it does not, and stays out. A block is then opened and the same is done with
//! what is in it, the block itself being the last candidate.

use std::collections::BTreeSet;

use super::verdict::SearchAnswer;
use super::{BisectSearch, StageEnd, TestOracle, TestOutcome};
use crate::tree::UnitId;

/// After so many units that the daemon needs, groups are the better way.
const MOST_NEEDED: usize = 3;

/// A culprit, and what was left out when it was found.
pub(super) struct FoundCulprit {
    pub(super) unit: UnitId,
    pub(super) out: BTreeSet<UnitId>,
}

impl<O: TestOracle> BisectSearch<'_, O> {
    /// Searches where leaving out all of a list is known to cure. Nothing if the daemon needs too much of it.
    pub(super) fn by_prefixes(
        &mut self,
        list: Vec<UnitId>,
    ) -> Result<Option<SearchAnswer>, StageEnd<O::Stop>> {
        let mut out: BTreeSet<UnitId> = BTreeSet::new();
        let mut found: Vec<FoundCulprit> = Vec::new();
        let mut needed = 0;
        let mut list = list;
        // Leaving out so many of the list is known to end the symptom.
        let mut known = Some(list.len());
        loop {
            let end = match known.take() {
                Some(end) => end,
                None if list.is_empty() => break,
                None => {
                    let all = out.iter().chain(&list).copied().collect::<Vec<_>>();
                    if self.without(all)? == TestOutcome::Symptom {
                        out.extend(list);
                        break;
                    }
                    list.len()
                }
            };
            let (mut low, mut high) = (0, end);
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                let some: Vec<UnitId> = out.iter().chain(&list[..middle]).copied().collect();
                if self.without(some)? == TestOutcome::Symptom {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            out.extend(&list[..low]);
            let unit = list[low];
            let rest = list.split_off(low + 1);
            // The block that was opened last is no candidate any more once something in it is found.
            let rest: Vec<UnitId> = rest
                .into_iter()
                .filter(|other| !self.tree.is_inside(unit, *other))
                .collect();
            let parts = self.parts(unit);
            let opened = parts.iter().all(|part| out.contains(part));
            if !parts.is_empty() && !opened {
                list = parts;
                list.push(unit);
                known = Some(list.len());
                list.extend(rest);
                continue;
            }
            let alone = out.iter().copied().chain([unit]).collect::<Vec<_>>();
            if self.without(alone)? == TestOutcome::Fine {
                found.push(FoundCulprit {
                    unit,
                    out: out.clone(),
                });
            } else {
                needed += 1;
                self.needed.insert(unit);
                if needed > MOST_NEEDED {
                    return Ok(None);
                }
            }
            list = rest;
        }
        self.judge_found(found)
    }

    /// What the culprits of a prefix search are: each alone a cure, or one of several that must go.
    fn judge_found(
        &mut self,
        found: Vec<FoundCulprit>,
    ) -> Result<Option<SearchAnswer>, StageEnd<O::Stop>> {
        let mut joint = None;
        for FoundCulprit { unit, out } in found {
            if self.without([unit])? == TestOutcome::Fine {
                self.cures.push(unit);
            } else {
                joint.get_or_insert((unit, out));
            }
        }
        if !self.cures.is_empty() {
            return self.judge_cures().map(Some);
        }
        let Some((unit, out)) = joint else {
            return Ok(None);
        };
        let cure = self.minimise(vec![unit], out.into_iter().collect())?;
        self.judge_joint(cure).map(Some)
    }
}
