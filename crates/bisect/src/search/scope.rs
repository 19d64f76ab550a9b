//! Scopes: a line in a block that belongs outside of it, or a header that takes what stands below it.
//!
//! The usual case is a line that was added to the end of `sshd_config` and went under the last `Match`.

use super::verdict::SearchAnswer;
use super::{BisectSearch, StageEnd, TestOracle, TestOutcome};
use crate::lens::ConfigLens;
use crate::tree::{ConfigEdit, UnitId};

impl<O: TestOracle> BisectSearch<'_, O> {
    /// Looks for a unit that cures outside of its block, then for a block that cures without its header.
    pub(super) fn by_scope(&mut self) -> Result<Option<SearchAnswer>, StageEnd<O::Stop>> {
        let blocks: Vec<UnitId> = self
            .tree
            .ids()
            .filter(|id| {
                let unit = self.tree.unit(*id);
                let file = &self.tree.files[unit.file];
                // In YAML a block is its indentation.
                let has_scopes = !file.is_fixed && file.lens != ConfigLens::Yaml;
                unit.is_block && !unit.is_protected && has_scopes
            })
            .collect();
        for block in &blocks {
            let units = self.liftable(*block);
            if let Some(unit) = self.find_lifted(&units)? {
                let edit = ConfigEdit::lifting([unit]);
                return Ok(Some(self.judge_place(unit, Some(*block), edit)));
            }
        }
        for block in blocks {
            let is_named = self.deferred.contains(&block);
            let is_empty = self.tree.unit(block).children.is_empty();
            if self.tree.must_stay(block) || is_empty || is_named {
                continue;
            }
            let edit = ConfigEdit::unwrapping(block);
            if self.ask(&edit)? == TestOutcome::Fine {
                return Ok(Some(self.judge_place(block, None, edit)));
            }
        }
        Ok(None)
    }

    /// What in a block may stand outside of it.
    fn liftable(&self, block: UnitId) -> Vec<UnitId> {
        let file = self.tree.unit(block).file;
        // There every line belongs to a section.
        if matches!(
            self.tree.files[file].lens,
            ConfigLens::Haproxy | ConfigLens::Ini
        ) {
            return Vec::new();
        }
        let units = self.tree.unit(block).children.iter().copied();
        let may_move = |id: &UnitId| {
            let unit = self.tree.unit(*id);
            unit.file == file && !unit.goes_with_block && !self.tree.must_stay(*id)
        };
        units.filter(may_move).collect()
    }

    /// One unit that cures outside; several at once say where none is worth a look.
    fn find_lifted(&mut self, units: &[UnitId]) -> Result<Option<UnitId>, StageEnd<O::Stop>> {
        if units.is_empty() {
            return Ok(None);
        }
        let outcome = self.ask(&ConfigEdit::lifting(units.iter().copied()))?;
        if let [unit] = units {
            return Ok((outcome == TestOutcome::Fine).then_some(*unit));
        }
        if outcome == TestOutcome::Symptom {
            return Ok(None);
        }
        let (first, second) = units.split_at(units.len() / 2);
        match self.find_lifted(first)? {
            Some(unit) => Ok(Some(unit)),
            None => self.find_lifted(second),
        }
    }
}
