//! The search for the smallest deletion or move that cures, from the full configuration on.
//!
//! Stages, each only where the one before gave nothing:
//!
//! 1. *Prefixes* (`prefix`): where leaving out everything cures, the shortest prefix that cures ends in a
//!    culprit; structure first, so that a candidate never splits a block.
//! 2. *Groups* (`groups`): where it does not, as the daemon needs a part of its configuration, groups are left
//!    out alone, and what does not keep the symptom is halved.
//! 3. *Several at once* (`several`): what keeps the symptom is left out for good, until what is left cures or
//!    nothing more can go; that finds lines of which each alone is enough.
//! 4. *Orders* (`order`): siblings change places.
//! 5. *Scopes* (`scope`): a line is moved out of its block, a header goes and its content stays.
//!
//! No stage believes that the test is monotone: an answer is given only with the outcomes that show it.

mod groups;
mod minimise;
mod order;
mod prefix;
mod probdd;
mod scope;
mod several;
mod verdict;

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use crate::lens::base_units;
use crate::tree::{ConfigEdit, ConfigTree, UnitId};

pub use probdd::{ProbDdRun, run_probdd};
pub use verdict::{BisectCause, BisectVerdict, ProofStep, SearchAnswer};

/// So many statements are left out one by one.
const SMALL: usize = 64;

/// What a test says of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    /// No symptom, and nothing else is wrong.
    Fine,
    /// The symptom.
    Symptom,
    /// Something else is wrong.
    Other,
    /// The daemon would not take the configuration: it was not put in force.
    Rejected,
}

/// Answers what a candidate does.
pub trait TestOracle {
    /// Why the search must end.
    type Stop;
    /// Tests a candidate.
    fn test(&mut self, edit: &ConfigEdit) -> Result<TestOutcome, Self::Stop>;
}

/// What a search has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SearchCost {
    /// Candidates that were put in force.
    pub restarts: usize,
    /// Candidates that the syntax test refused.
    pub rejected: usize,
}

/// A search over a configuration.
pub struct BisectSearch<'a, O> {
    tree: &'a ConfigTree,
    oracle: &'a mut O,
    memo: HashMap<ConfigEdit, TestOutcome>,
    /// What it has cost so far.
    pub cost: SearchCost,
    /// Units that the daemon needs, as leaving them out alone breaks something else.
    needed: BTreeSet<UnitId>,
    /// Units that cure when left out alone, so far.
    pub cures: Vec<UnitId>,
    /// Groups whose absence keeps the symptom.
    silent: Vec<Vec<UnitId>>,
    /// Units whose absence makes the symptom even where a cure is made.
    pub makers: BTreeSet<UnitId>,
    /// What is looked at last, while the others are looked at; then it is empty.
    deferred: BTreeSet<UnitId>,
    /// How many candidates may be put in force.
    most_restarts: usize,
    random: u64,
}

/// How a stage ends before its end: the oracle says so, or it has cost enough.
enum StageEnd<S> {
    Stopped(S),
    Enough,
}

impl<S> From<S> for StageEnd<S> {
    fn from(stop: S) -> Self {
        Self::Stopped(stop)
    }
}

impl<'a, O: TestOracle> BisectSearch<'a, O> {
    /// A search with this number of chance.
    pub fn new(tree: &'a ConfigTree, oracle: &'a mut O, most_restarts: usize, seed: u64) -> Self {
        Self {
            tree,
            oracle,
            memo: HashMap::new(),
            cost: SearchCost::default(),
            needed: BTreeSet::new(),
            cures: vec![],
            silent: vec![],
            makers: BTreeSet::new(),
            deferred: base_units(tree),
            most_restarts,
            random: seed | 1,
        }
    }

    /// Searches.
    pub fn run(&mut self) -> Result<SearchAnswer, O::Stop> {
        match self.search() {
            Ok(answer) => Ok(answer),
            Err(StageEnd::Stopped(stop)) => Err(stop),
            Err(StageEnd::Enough) => Ok(self.partial()),
        }
    }

    /// What can be said when the search ends early.
    pub fn partial(&self) -> SearchAnswer {
        self.describe_cures(true)
    }

    fn search(&mut self) -> Result<SearchAnswer, StageEnd<O::Stop>> {
        let first = self.ask(&ConfigEdit::default())?;
        if first != TestOutcome::Symptom {
            return Ok(SearchAnswer::not_reproducible(first));
        }
        let answer = self.search_all()?;
        if answer.verdict != BisectVerdict::NotSolved || self.deferred.is_empty() {
            return Ok(answer);
        }
        self.deferred.clear();
        self.silent.clear();
        self.search_all()
    }

    /// Searches all that is not deferred.
    fn search_all(&mut self) -> Result<SearchAnswer, StageEnd<O::Stop>> {
        let roots = self.may_go(self.tree.roots());
        if self.without(roots.clone())? == TestOutcome::Fine
            && let Some(answer) = self.by_prefixes(roots.clone())?
        {
            return Ok(answer);
        }
        // Where every third line or so is needed, which is usual, groups save nothing.
        let is_small = self.count_leaves(&roots) <= SMALL;
        if is_small {
            self.by_single_units(&roots)?;
        } else {
            self.by_groups(&roots)?;
        }
        if self.cures.is_empty() {
            if let Some(answer) = self.by_order()? {
                return Ok(answer);
            }
            if let Some(answer) = self.by_several(&roots)? {
                return Ok(answer);
            }
            if !is_small {
                self.by_silent_groups(&roots)?;
            }
        }
        if self.cures.is_empty() {
            if let Some(answer) = self.by_scope()? {
                return Ok(answer);
            }
            if let Some(answer) = self.by_chance(&roots)? {
                return Ok(answer);
            }
            return Ok(SearchAnswer::unsolved());
        }
        if !is_small {
            self.unmask()?;
        }
        self.judge_cures()
    }

    /// Asks the oracle, once a candidate.
    fn ask(&mut self, edit: &ConfigEdit) -> Result<TestOutcome, StageEnd<O::Stop>> {
        let edit = self.tree.normalised(edit);
        if let Some(known) = self.memo.get(&edit) {
            return Ok(*known);
        }
        if self.cost.restarts >= self.most_restarts
            || self.cost.rejected >= self.most_restarts.saturating_mul(20)
        {
            return Err(StageEnd::Enough);
        }
        let outcome = self.oracle.test(&edit)?;
        if outcome == TestOutcome::Rejected {
            self.cost.rejected += 1;
        } else if !edit.is_empty() {
            self.cost.restarts += 1;
        }
        self.memo.insert(edit, outcome);
        Ok(outcome)
    }

    fn without(
        &mut self,
        units: impl IntoIterator<Item = UnitId>,
    ) -> Result<TestOutcome, StageEnd<O::Stop>> {
        self.ask(&ConfigEdit::without(units))
    }

    /// The units of a list that may be left out; a block with something that must stay is opened.
    fn may_go(&self, list: &[UnitId]) -> Vec<UnitId> {
        let mut units = Vec::new();
        for id in list {
            if self.tree.unit(*id).goes_with_block {
                continue;
            }
            let stays = self.tree.must_stay(*id) || self.deferred.contains(id);
            if !stays {
                units.push(*id);
            } else if !self.tree.unit(*id).is_protected {
                units.extend(self.may_go(&self.tree.unit(*id).children));
            }
        }
        units
    }

    /// What in a unit may be left out.
    fn parts(&self, id: UnitId) -> Vec<UnitId> {
        self.may_go(&self.tree.unit(id).children)
    }

    fn chance(&mut self) -> u64 {
        // xorshift64: only to choose, never to keep a secret.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}
