//! Bisection of a configuration: which of its lines cause a symptom.
//!
//! The structure of the files is read first ([`ConfigLens`]), so that a candidate never splits a block.
//! The search starts from the full configuration, as an empty one is fine for hardly any daemon, and
//! looks for the smallest deletion or move that cures. A test has four answers ([`TestOutcome`]):
//! what is broken in another way is never taken for the symptom, nor for a cure.
//!
//! The crate reads nothing and runs nothing outside of its folder `act`: a candidate is a value, and
//! the answer to it comes from a [`TestOracle`].

mod act;
mod answer;
mod error;
mod lens;
mod repeat;
mod search;
mod tree;

pub use act::{
    BisectOptions, BisectProgress, BisectRun, ChangedFile, ChangedFiles, ConfigIntervention,
    GuardLink, GuardOutcome, GuardStarter, InterventionSetting, LoadedConfig, RestoredState,
    TestCommands, UntouchedState, gather_changes, guard_bisection, load_config, run_bisect,
    run_changes,
};
pub use answer::{
    CauseKind, NamedAnswer, NamedUnit, ShownTest, cure_diff, describe_edit, earlier_diff,
    name_answer, name_unit, outcome_words,
};
pub use error::BisectError;
pub use lens::{ConfigLens, ConfigNode, parse_config};
pub use repeat::{
    LOOKS_WITHOUT, TestSteadiness, UntouchedLook, judge_untouched, needed_repeats, repeat_test,
};
pub use search::{
    BisectCause, BisectSearch, BisectVerdict, ProbDdRun, ProofStep, SearchAnswer, SearchCost,
    TestOracle, TestOutcome, run_probdd,
};
pub use tree::{ConfigEdit, ConfigTree, ConfigUnit, SourceFile, UnitId};
