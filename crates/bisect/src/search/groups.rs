//! Groups left out alone: what to do where a daemon needs a part of its configuration.
//!
//! A group whose absence keeps the symptom holds no culprit, as a rule: unless it also holds something whose
//! absence makes the same symptom. Such groups are looked into last.

use std::collections::VecDeque;

use super::{BisectSearch, StageEnd, TestOracle, TestOutcome};
use crate::tree::UnitId;

impl<O: TestOracle> BisectSearch<'_, O> {
    /// How many statements of a list may be left out.
    pub(super) fn count_leaves(&self, list: &[UnitId]) -> usize {
        let counts = list.iter().map(|unit| {
            let parts = self.parts(*unit);
            self.count_leaves(&parts).max(1)
        });
        counts.sum()
    }

    /// Leaves each statement out alone; then, if none cures, each block, the inner ones first.
    pub(super) fn by_single_units(&mut self, list: &[UnitId]) -> Result<(), StageEnd<O::Stop>> {
        let mut blocks = Vec::new();
        let mut waiting: VecDeque<UnitId> = list.iter().copied().collect();
        while let Some(unit) = waiting.pop_front() {
            let parts = self.parts(unit);
            if parts.is_empty() {
                self.try_unit(unit)?;
            } else {
                blocks.push(unit);
                waiting.extend(parts);
            }
        }
        // Breadth first: the last ones are the innermost.
        while let (Some(block), true) = (blocks.pop(), self.cures.is_empty()) {
            self.try_unit(block)?;
        }
        Ok(())
    }

    fn try_unit(&mut self, unit: UnitId) -> Result<(), StageEnd<O::Stop>> {
        match self.without([unit])? {
            TestOutcome::Fine => self.cures.push(unit),
            TestOutcome::Symptom => {}
            TestOutcome::Other | TestOutcome::Rejected => {
                self.needed.insert(unit);
            }
        }
        Ok(())
    }

    /// Looks for single units that cure.
    pub(super) fn by_groups(&mut self, list: &[UnitId]) -> Result<(), StageEnd<O::Stop>> {
        if list.is_empty() {
            return Ok(());
        }
        let outcome = self.without(list.iter().copied())?;
        if outcome == TestOutcome::Symptom {
            self.silent.push(list.to_vec());
            return Ok(());
        }
        if let [unit] = list {
            return self.open_unit(*unit, outcome);
        }
        let (first, second) = list.split_at(list.len() / 2);
        self.by_groups(first)?;
        self.by_groups(second)
    }

    /// Looks into a unit that does not keep the symptom when it is left out alone.
    fn open_unit(&mut self, unit: UnitId, outcome: TestOutcome) -> Result<(), StageEnd<O::Stop>> {
        let before = self.cures.len();
        let parts = self.parts(unit);
        self.by_groups(&parts)?;
        match outcome {
            // A part of it that cures is the better answer.
            TestOutcome::Fine if self.cures.len() == before => self.cures.push(unit),
            TestOutcome::Other | TestOutcome::Rejected => {
                self.needed.insert(unit);
            }
            _ => {}
        }
        Ok(())
    }

    /// Looks once more into the groups that kept the symptom only because of something in them whose absence
    /// makes it, too. With a cure made, that shows.
    pub(super) fn unmask(&mut self) -> Result<(), StageEnd<O::Stop>> {
        let Some(cure) = self.cures.first().copied() else {
            return Ok(());
        };
        let silent = std::mem::take(&mut self.silent);
        let mut all = Vec::new();
        for unit in silent.iter().flatten() {
            self.free_parts(*unit, &self.makers, &mut all);
        }
        self.find_makers(cure, &all)?;
        let makers = self.makers.clone();
        for group in silent {
            let mut rest = Vec::new();
            for unit in &group {
                self.free_parts(*unit, &makers, &mut rest);
            }
            if rest != group {
                self.by_groups(&rest)?;
            }
        }
        Ok(())
    }

    fn find_makers(&mut self, cure: UnitId, list: &[UnitId]) -> Result<(), StageEnd<O::Stop>> {
        let list: Vec<UnitId> = list
            .iter()
            .copied()
            .filter(|unit| *unit != cure && !self.tree.is_inside(cure, *unit))
            .collect();
        if list.is_empty() {
            return Ok(());
        }
        let outcome = self.without(list.iter().copied().chain([cure]))?;
        if outcome == TestOutcome::Fine {
            return Ok(());
        }
        if let [unit] = list[..] {
            let parts = self.parts(unit);
            let before = self.makers.len();
            self.find_makers(cure, &parts)?;
            if outcome == TestOutcome::Symptom && self.makers.len() == before {
                self.makers.insert(unit);
            }
            return Ok(());
        }
        let (first, second) = list.split_at(list.len() / 2);
        self.find_makers(cure, first)?;
        self.find_makers(cure, second)
    }

    /// Looks into the groups that keep the symptom, the largest first, until a unit cures.
    pub(super) fn by_silent_groups(&mut self, list: &[UnitId]) -> Result<(), StageEnd<O::Stop>> {
        let mut queue: VecDeque<Vec<UnitId>> = VecDeque::from([list.to_vec()]);
        while let Some(group) = queue.pop_front() {
            if let [unit] = group[..] {
                let parts = self.parts(unit);
                if !parts.is_empty() {
                    self.look_into(parts, &mut queue)?;
                }
            } else if !group.is_empty() {
                let (first, second) = group.split_at(group.len() / 2);
                for half in [first, second] {
                    self.look_into(half.to_vec(), &mut queue)?;
                }
            }
            if !self.cures.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn look_into(
        &mut self,
        group: Vec<UnitId>,
        queue: &mut VecDeque<Vec<UnitId>>,
    ) -> Result<(), StageEnd<O::Stop>> {
        if self.without(group.iter().copied())? == TestOutcome::Fine {
            self.by_groups(&group)?;
        }
        queue.push_back(group);
        Ok(())
    }
}
