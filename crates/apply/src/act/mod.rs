//! What reads and loads rules: the only part of the crate that runs programs.

mod change;
mod rehearse;
mod tools;

pub use change::RulesChange;
pub use rehearse::{Rehearsal, loaded_alone, rehearse};
pub use tools::{RuleTools, read_state, rules_in_force};
