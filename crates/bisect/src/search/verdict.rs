//! What a search found, and no more than was shown.

use serde::Serialize;

use super::{BisectSearch, StageEnd, TestOracle, TestOutcome};
use crate::tree::{ConfigEdit, UnitId};

/// How much the tests have shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum BisectVerdict {
    /// The change cures, and no part of it does.
    #[serde(rename = "1-minimal")]
    OneMinimal,
    /// The change cures; a part of it may do so as well.
    #[serde(rename = "sufficient")]
    Sufficient,
    /// The change of an order cures.
    #[serde(rename = "an order")]
    Order,
    /// The untouched configuration does not show the symptom.
    #[serde(rename = "not reproducible")]
    NotReproducible,
    /// No deletion and no move that was tested cures.
    #[serde(rename = "not solved")]
    NotSolved,
}

/// What causes the symptom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum BisectCause {
    /// One unit.
    One {
        /// The unit.
        unit: UnitId,
    },
    /// Several that are all needed for the symptom: without any one of them it is gone.
    All {
        /// The units.
        units: Vec<UnitId>,
    },
    /// Several that must all go: with any one of them left, and the others gone, the symptom stays.
    Any {
        /// The units.
        units: Vec<UnitId>,
    },
    /// Several that must go together; without all of them gone something is wrong, if not always the symptom.
    Together {
        /// The units.
        units: Vec<UnitId>,
    },
    /// One stands before another.
    Order {
        /// The one that stands first.
        first: UnitId,
        /// The one behind it.
        second: UnitId,
        /// Whether leaving one of them out cures as well.
        deletion_cures: Option<UnitId>,
    },
    /// A unit stands in a block and should not, or a block has a header that should go.
    Place {
        /// The unit, or the block with the header.
        unit: UnitId,
        /// The block around the unit; nothing if it is the header that should go.
        block: Option<UnitId>,
    },
    /// Unknown.
    Unknown,
}

/// A test that an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofStep {
    /// What was changed.
    pub edit: ConfigEdit,
    /// What the test said.
    pub outcome: TestOutcome,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchAnswer {
    /// How much was shown.
    pub verdict: BisectVerdict,
    /// What causes the symptom.
    pub cause: BisectCause,
    /// The smallest change that cures.
    pub cure: ConfigEdit,
    /// The tests that show it.
    pub proof: Vec<ProofStep>,
    /// What the untouched configuration did, if that was not the symptom.
    pub untouched: Option<TestOutcome>,
    /// Whether the search came to its end.
    pub is_complete: bool,
}

impl SearchAnswer {
    fn new(verdict: BisectVerdict, cause: BisectCause, cure: ConfigEdit) -> Self {
        Self {
            verdict,
            cause,
            cure,
            proof: vec![],
            untouched: None,
            is_complete: true,
        }
    }

    pub(crate) fn not_reproducible(untouched: TestOutcome) -> Self {
        Self {
            untouched: Some(untouched),
            ..Self::new(
                BisectVerdict::NotReproducible,
                BisectCause::Unknown,
                ConfigEdit::default(),
            )
        }
    }

    /// What was found did not cure when it was tested once more.
    pub(crate) fn not_confirmed(cured: TestOutcome) -> Self {
        Self {
            proof: vec![],
            untouched: Some(cured),
            ..Self::unsolved()
        }
    }

    pub(super) fn unsolved() -> Self {
        Self::new(
            BisectVerdict::NotSolved,
            BisectCause::Unknown,
            ConfigEdit::default(),
        )
    }
}

impl<O: TestOracle> BisectSearch<'_, O> {
    /// The cures that hold no other.
    fn deepest_cures(&self) -> Vec<UnitId> {
        let mut deepest: Vec<UnitId> = self
            .cures
            .iter()
            .copied()
            .filter(|cure| {
                let mut others = self.cures.iter();
                !others.any(|other| self.tree.is_inside(*other, *cure))
            })
            .collect();
        deepest.sort_unstable();
        deepest.dedup();
        deepest
    }

    /// What is known of the cures without another test.
    pub(super) fn describe_cures(&self, is_cut_off: bool) -> SearchAnswer {
        let cures = self.deepest_cures();
        let cause = match cures[..] {
            [] => {
                return SearchAnswer {
                    is_complete: !is_cut_off,
                    ..SearchAnswer::unsolved()
                };
            }
            [unit] => BisectCause::One { unit },
            _ => BisectCause::All {
                units: cures.clone(),
            },
        };
        let cure = ConfigEdit::without(cures.first().copied());
        // One unit has no part, and a block was opened before it was called a cure.
        let verdict = if is_cut_off {
            BisectVerdict::Sufficient
        } else {
            BisectVerdict::OneMinimal
        };
        let mut answer = SearchAnswer::new(verdict, cause, cure);
        answer.is_complete = !is_cut_off;
        let edits = cures.into_iter().map(|unit| ConfigEdit::without([unit]));
        answer.proof = self.remembered(std::iter::once(ConfigEdit::default()).chain(edits));
        answer
    }

    /// Judges units that each cure alone.
    pub(super) fn judge_cures(&mut self) -> Result<SearchAnswer, StageEnd<O::Stop>> {
        let cures = self.deepest_cures();
        if let [unit] = cures[..] {
            // A block of which no single part cures: several parts together may.
            let parts = self.parts(unit);
            if parts.len() > 1 && self.without(parts.iter().copied())? == TestOutcome::Fine {
                let cure = self.minimise(vec![], parts)?;
                if cure.len() > 1 {
                    return self.judge_joint(cure);
                }
            }
        }
        let answer = self.describe_cures(false);
        let found = match cures[..] {
            [unit] => self.order_of(unit)?,
            [one, other] => self.order_between(one, other)?,
            _ => None,
        };
        let Some((first, second, edit)) = found else {
            return Ok(answer);
        };
        let mut proof = answer.proof;
        proof.extend(self.remembered([edit.clone()]));
        let cause = BisectCause::Order {
            first,
            second,
            deletion_cures: cures.first().copied(),
        };
        Ok(SearchAnswer {
            proof,
            ..SearchAnswer::new(BisectVerdict::Order, cause, edit)
        })
    }

    /// Judges units that cure if all of them go, and of which none can stay.
    pub(super) fn judge_joint(
        &mut self,
        cure: Vec<UnitId>,
    ) -> Result<SearchAnswer, StageEnd<O::Stop>> {
        if let [unit] = cure[..] {
            self.cures.push(unit);
            return self.judge_cures();
        }
        let mut units = cure;
        units.sort_unstable();
        let edit = ConfigEdit::without(units.iter().copied());
        let mut edits = vec![ConfigEdit::default(), edit.clone()];
        let mut each_is_enough = true;
        for unit in &units {
            let less = ConfigEdit::without(units.iter().copied().filter(|other| other != unit));
            each_is_enough &= self.ask(&less)? == TestOutcome::Symptom;
            edits.push(less);
        }
        let cause = if each_is_enough {
            BisectCause::Any { units }
        } else {
            BisectCause::Together { units }
        };
        let mut answer = SearchAnswer::new(BisectVerdict::OneMinimal, cause, edit);
        answer.proof = self.remembered(edits);
        Ok(answer)
    }

    /// The answer of a move that cures where no deletion does.
    pub(super) fn judge_order(
        &self,
        first: UnitId,
        second: UnitId,
        edit: ConfigEdit,
    ) -> SearchAnswer {
        let cause = BisectCause::Order {
            first,
            second,
            deletion_cures: None,
        };
        let mut answer = SearchAnswer::new(BisectVerdict::Order, cause, edit.clone());
        answer.proof = self.remembered([ConfigEdit::default(), edit]);
        answer
    }

    /// The answer of a unit that cures outside of its block, or of a block without its header.
    pub(super) fn judge_place(
        &self,
        unit: UnitId,
        block: Option<UnitId>,
        edit: ConfigEdit,
    ) -> SearchAnswer {
        let verdict = match block {
            Some(_) => BisectVerdict::Order,
            None => BisectVerdict::OneMinimal,
        };
        let cause = BisectCause::Place { unit, block };
        let mut answer = SearchAnswer::new(verdict, cause, edit.clone());
        answer.proof = self.remembered([ConfigEdit::default(), ConfigEdit::without([unit]), edit]);
        answer
    }

    fn remembered(&self, edits: impl IntoIterator<Item = ConfigEdit>) -> Vec<ProofStep> {
        let steps = edits.into_iter().filter_map(|edit| {
            let outcome = *self.memo.get(&self.tree.normalised(&edit))?;
            Some(ProofStep { edit, outcome })
        });
        steps.collect()
    }
}
