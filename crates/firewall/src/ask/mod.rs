//! Questions that people ask of a rule set, one module each.

mod diff;
mod explain;
mod find;
mod flush;
mod lines;
mod name;
mod phrase;
mod prove;
mod reach;
mod reason;
mod replay;
mod simplify;
mod spoof;
mod why_not;

pub use diff::{Change, Decided, Difference, Side, Verdict as DiffVerdict, Witness, diff};
pub use explain::{
    Answer, BaseChain, Condition, Explanation, HookPart, Matched, Step, StepKind, explain,
};
pub use find::{Found, Search, find};
pub use flush::{Flushed, SessionAfter, flush, flush_text};
pub use name::Named;
pub use prove::{Proof, Scope, Verdict, prove};
pub use reach::{Reach, Row, ServiceKind, reach, reach_svg};
pub use replay::{Changed, Deciding, Group, InGroup, NotJudged, Replay, Replayed, Totals};
pub use simplify::{NotSimpler, Removed, Simpler, simplify};
pub use spoof::{Passing, ReversePath, Spoof, spoof, spoof_text};
pub use why_not::{Insertion, Obstacle, Want, WhyNot, why_not};
