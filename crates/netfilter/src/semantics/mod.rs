//! What the kernel does with a packet, rule by rule.
//!
//! Every table of every backend that sees the packet's family takes part, hook after hook, in the
//! order of priorities. A match that cannot be known splits the packet into flows, one that
//! matched and one that did not; the answer is the set of all ends they come to. If these are all
//! of one kind, the answer is certain whatever the unknown matches say.

mod bases;
mod flow;
mod index;
mod lookup;
mod matching;
mod nat;
mod route;
mod rule;
mod tracking;
mod walk;
mod way;

pub use bases::{
    BaseAt, ChainOrder, LoadOrder, base_chains, bridge_chains, can_do_nothing, has_flowtable,
    is_before_tracking, sees,
};
pub(crate) use flow::ROUTED_BY;
pub use index::RuleIndex;
pub use lookup::resolve_set;
pub(crate) use nat::{chosen_among, own_address};
pub(crate) use route::{interface_to, policy_may_route};
pub(crate) use rule::rule_matters;
pub use tracking::tracks_connections;
pub(crate) use walk::may_jump;
pub use walk::{evaluate, evaluate_supposing};

pub use crate::refusals::Refusal;

use crate::packet::{FieldValue, PacketInterface};
use std::collections::{BTreeMap, BTreeSet};
use surefoot_ruleset::model::{Field, Hook, Policy, RuleAt};

/// What decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Decider {
    /// A rule.
    Rule(RuleAt),
    /// The policy of a base chain.
    Policy {
        /// Index of the table.
        table: usize,
        /// Index of the chain in its table.
        chain: usize,
    },
    /// The kernel besides the rules: it refuses such packets.
    Refusal(Refusal),
    /// Nothing: no rule stood in the way, or it is unknown what did.
    Kernel,
}

/// How a packet can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// It passes.
    Accepted,
    /// It vanishes.
    Dropped,
    /// It is answered with an error.
    Rejected,
    /// A program in user space decides.
    Queued,
    /// It is unknown.
    Unknown,
}

/// One of the ends that a packet can come to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The end.
    pub end: End,
    /// What decided; of several base chains that accept, the one that looks hardest: the last
    /// rule of a filter chain at input, forward or output.
    pub by: Decider,
    /// The rules that the packet passed with something unknown in them, each with the index
    /// of the statement. Not all of them need to matter: see [`Assumptions::answers`]. None are kept
    /// with [`RecordLevel::Nothing`].
    pub hangs: BTreeSet<(RuleAt, usize)>,
}

/// What to take for granted against the text, to learn what an answer depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumptions {
    /// What is unknown at these rules matches, or does not.
    pub answers: BTreeMap<RuleAt, bool>,
    /// These rules are not there.
    pub without: BTreeSet<RuleAt>,
    /// These base chains, by table and chain, have another policy.
    pub policies: BTreeMap<(usize, usize), Policy>,
}

/// What happened at a rule or at the end of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceEvent {
    /// The hook.
    pub hook: Hook,
    /// Index of the table.
    pub table: usize,
    /// Index of the chain in its table.
    pub chain: usize,
    /// Index of the rule; none is the chain's end.
    pub rule: Option<usize>,
    /// What happened.
    pub what: EventKind,
    /// How many jumps deep.
    pub depth: u32,
    /// What the statements saw: of a rule that failed only the one that did.
    pub saw: Vec<ObservedMatch>,
}

/// What a statement saw of the packet, which NAT or an earlier rule may have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedMatch {
    /// The index of the statement in its rule.
    pub statement: usize,
    /// What it looked at.
    pub sights: Vec<ObservedField>,
}

/// One thing that a statement looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObservedField {
    /// A field, whole even if the statement masks it.
    Field(Field, FieldValue),
    /// The interface by which the packet came in.
    Input(PacketInterface),
    /// The interface by which it leaves.
    Output(PacketInterface),
}

/// The rewriting of one end of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldRewrite {
    /// Whether it is the source.
    pub source: bool,
    /// Address and port before.
    pub from: (FieldValue, FieldValue),
    /// Address and port after.
    pub to: (FieldValue, FieldValue),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The rule matched.
    Matched,
    /// It may have matched; the indices of the statements that are unknown.
    Perhaps(Vec<usize>),
    /// It did not match; the index of the first statement that failed.
    Failed(usize),
    /// The rule rewrote an address or a port.
    Rewritten(FieldRewrite),
    /// The base chain's policy was applied.
    Policy,
    /// The user chain ended and the caller goes on.
    Returned,
}

/// Which events are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordLevel {
    /// None.
    #[default]
    Nothing,
    /// The rules that matched, or perhaps, and a few that ask for the packet's own destination
    /// port or ICMP type but failed for another reason.
    Mattered,
    /// All rules that were looked at.
    All,
}

/// What becomes of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evaluation {
    /// All ends it can come to, without duplicates.
    pub outcomes: Vec<Outcome>,
    /// What happened on the way.
    pub events: Vec<TraceEvent>,
    /// What the answer could not take into account, or took for granted.
    pub notes: Vec<String>,
    /// Whether a fact about the way through the hooks was unknown, and the packet was followed
    /// whichever way it is: the events are then those of several ways.
    pub several_ways: bool,
    /// Rules, times the states that looked at them: how long the answer took.
    pub steps: u64,
}

impl Evaluation {
    /// The end, if there is only one kind.
    pub fn certain(&self) -> Option<End> {
        let first = self.outcomes.first()?.end;
        self.outcomes
            .iter()
            .all(|outcome| outcome.end == first && first != End::Unknown)
            .then_some(first)
    }
}

#[cfg(test)]
mod tests;
