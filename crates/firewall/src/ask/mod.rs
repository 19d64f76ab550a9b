//! Questions that people ask of a rule set, one module each.

mod explain;
mod name;
mod phrase;
mod reason;

pub use explain::{
    Answer, BaseChain, Condition, Explanation, HookPart, Matched, Step, StepKind, explain,
};
pub use name::Named;
