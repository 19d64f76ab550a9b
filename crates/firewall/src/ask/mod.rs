//! Questions about a rule set, one module each.

mod diff;
mod explain;
mod find;
mod flush;
mod lines;
mod make;
mod name;
mod obstacle;
mod phrase;
mod prove;
mod reach;
mod reason;
mod replay;
mod simplify;
mod spoof;
mod why_not;

pub use diff::{DecidedEnd, DiffSide, DiffVerdict, DiffWitness, Difference, FateChange, diff};
pub use explain::{
    BaseChain, EndCondition, ExplainedStep, Explanation, HookPart, PossibleEnd, RuleMatched,
    StepKind, explain,
};
pub use find::{FindAnswer, FoundPacket, find};
pub use flush::{FlushedRules, SessionAfter, flush, flush_text};
pub use make::{MadeRule, MadeRules, MakeOutcome, RulePlace, make};
pub use name::NamedDecider;
pub use prove::{PacketScope, Proof, ProofVerdict, prove};
pub use reach::{ReachAnswer, ReachRow, ServiceKind, reach, reach_svg};
pub use replay::{
    ChangedConnection, DecidingRule, FateGroup, InGroup, NotJudged, Replay, Replayed, Totals,
};
pub use simplify::{NotSimpler, RemovedRule, SimplerRules, simplify};
pub use spoof::{ForgedPackets, ReversePath, SpoofAnswer, spoof, spoof_text};
pub use why_not::{Obstacle, RuleInsertion, WantedEnd, WhyNot, why_not};
