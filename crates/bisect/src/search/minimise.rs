//! From a deletion that cures to one of which no part can be spared.

use super::probdd::run_probdd;
use super::{BisectSearch, StageEnd, TestOracle, TestOutcome};
use crate::tree::UnitId;

/// A cure of more units than this is made smaller by chance, too.
const LARGE: usize = 6;

impl<O: TestOracle> BisectSearch<'_, O> {
    /// Makes a cure smaller: `needed` and `spare` together cure. What is given back cures, and no unit of it
    /// can stay.
    pub(super) fn minimise(
        &mut self,
        needed: Vec<UnitId>,
        spare: Vec<UnitId>,
    ) -> Result<Vec<UnitId>, StageEnd<O::Stop>> {
        let (mut needed, mut spare) = (needed, spare);
        // So many of the spare ones alone are known not to cure.
        let mut floor = 0;
        while !spare.is_empty() && !self.cures(&needed)? {
            let (mut low, mut high) = (floor, spare.len());
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if self.cures(&[&needed, &spare[..middle]].concat())? {
                    high = middle;
                } else {
                    low = middle;
                }
            }
            floor = 0;
            spare.truncate(high);
            let Some(last) = spare.pop() else { break };
            let parts = self.parts(last);
            if !parts.is_empty() && self.cures(&[&needed[..], &spare, &parts].concat())? {
                floor = spare.len();
                spare.extend(parts);
            } else {
                needed.push(last);
            }
        }
        let mut cure = self.open_blocks(needed)?;
        if cure.len() > LARGE {
            cure = self.minimise_by_chance(&cure)?;
        }
        self.spare_each(cure)
    }

    fn cures(&mut self, units: &[UnitId]) -> Result<bool, StageEnd<O::Stop>> {
        Ok(self.without(units.iter().copied())? == TestOutcome::Fine)
    }

    /// Replaces blocks by what in them must go, where that cures as well.
    fn open_blocks(&mut self, cure: Vec<UnitId>) -> Result<Vec<UnitId>, StageEnd<O::Stop>> {
        let mut cure = cure;
        let mut at = 0;
        while at < cure.len() {
            let parts = self.parts(cure[at]);
            let mut opened = cure.clone();
            opened.splice(at..=at, parts.iter().copied());
            if !parts.is_empty() && self.cures(&opened)? {
                cure = self.spare_each(opened)?;
                at = 0;
            } else {
                at += 1;
            }
        }
        Ok(cure)
    }

    /// Leaves every unit in that can be left in: each test that fails shows that one cannot.
    fn spare_each(&mut self, cure: Vec<UnitId>) -> Result<Vec<UnitId>, StageEnd<O::Stop>> {
        let mut cure = cure;
        let mut at = 0;
        while at < cure.len() && cure.len() > 1 {
            let mut less = cure.clone();
            less.remove(at);
            if self.cures(&less)? {
                cure = less;
                at = 0;
            } else {
                at += 1;
            }
        }
        Ok(cure)
    }

    fn minimise_by_chance(&mut self, cure: &[UnitId]) -> Result<Vec<UnitId>, StageEnd<O::Stop>> {
        let mut failed = None;
        let run = run_probdd(cure.len(), |kept| {
            let units: Vec<UnitId> = kept.iter().map(|at| cure[*at]).collect();
            match self.cures(&units) {
                Ok(cures) => cures,
                Err(end) => {
                    failed.get_or_insert(end);
                    false
                }
            }
        });
        match failed {
            Some(end) => Err(end),
            None => Ok(run.kept.into_iter().map(|at| cure[at]).collect()),
        }
    }
}
