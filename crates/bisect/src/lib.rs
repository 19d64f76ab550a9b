//! Bisection of a configuration: which of its lines cause a symptom.
//!
//! The structure of the files is read first ([`ConfigLens`]), so that a candidate never splits a block.
//! The search starts from the full configuration, as an empty one is fine for hardly any daemon, and
//! looks for the smallest deletion or move that cures. A test has four answers ([`TestOutcome`]):
//! what is broken in another way is never taken for the symptom, nor for a cure.
//!
//! The crate reads nothing and runs nothing outside of its folder `act`: a candidate is a value, and
//! the answer to it comes from a [`TestOracle`].

mod lens;
mod search;
mod tree;

pub use lens::{ConfigLens, ConfigNode, parse_config};
pub use search::{
    BisectCause, BisectSearch, BisectVerdict, ProbDdRun, ProofStep, SearchAnswer, SearchCost,
    TestOracle, TestOutcome, run_probdd,
};
pub use tree::{ConfigEdit, ConfigTree, ConfigUnit, SourceFile, UnitId};
