//! The walk through base chains, rules and jumps.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::flow::{DecidedBy, Flow, merge_flows, transport_fields};
use super::index::{FlowHull, RuleBlock, RuleIndex};
use super::rule::CallDepth;
use super::{
    Assumptions, Decider, End, Evaluation, EventKind, ObservedMatch, Outcome, RecordLevel,
    TraceEvent,
};
use crate::Surroundings;
use crate::packet::{FieldValue, Packet};
use crate::refusals::KernelRefusals;
use surefoot_ruleset::model::RuleAt;
use surefoot_ruleset::model::{Backend, ChainKind, Field, Firewall, Hook, Policy};

/// Rules that nearly matched and are recorded in one chain.
const MOST_NEAR: usize = 8;
/// Rules, times the flows that look at them, before the walk gives up and says so.
const MOST_STEPS: u64 = 1_000_000;
/// What it costs to go into a chain, in such steps.
const STEPS_OF_A_CALL: u64 = 256;
/// Events that are kept; a longer way is not for people.
const MOST_EVENTS: usize = 100_000;
/// Flows that are kept apart for the sake of who decided.
pub(super) const MOST_FLOWS: usize = 32;
/// Flows at which the walk gives up and says so.
const TOO_MANY_FLOWS: usize = 4096;
/// `NFT_JUMP_STACK_SIZE`.
const DEEPEST_JUMP: u32 = 16;
/// Jumps and gotos together, for surefoot's own sake.
const DEEPEST: u32 = 128;

/// Whether so many jumps, and jumps and gotos together, may stand in one another: `ip_tables` has no
/// bound of its own (`xt_jumpstack_alloc` takes one place for each chain).
pub(crate) fn may_jump(backend: Backend, jumps: u32, all: u32) -> bool {
    all <= DEEPEST && (backend == Backend::IptablesLegacy || jumps <= DEEPEST_JUMP)
}

/// Follows a settled packet through the rules.
pub fn evaluate(
    firewall: &Firewall,
    index: &RuleIndex,
    surroundings: &Surroundings,
    packet: &Packet,
    record: RecordLevel,
) -> Evaluation {
    let supposed = Assumptions::default();
    evaluate_supposing(firewall, index, surroundings, packet, record, &supposed)
}

/// Follows a settled packet through the rules as they would be.
pub fn evaluate_supposing(
    firewall: &Firewall,
    index: &RuleIndex,
    surroundings: &Surroundings,
    packet: &Packet,
    record: RecordLevel,
    supposed: &Assumptions,
) -> Evaluation {
    let walk = |as_read| {
        let mut walk = PacketWalk {
            firewall,
            index,
            surroundings,
            packet,
            record,
            supposed,
            refusals: None,
            mixed: false,
            as_read,
            order_unknown: false,
            steps: 0,
            exhausted: false,
            outcomes: BTreeSet::new(),
            events: Vec::new(),
            notes: Vec::new(),
            several_ways: false,
            place: WalkPosition {
                hook: Hook::Prerouting,
                kind: ChainKind::Filter,
            },
        };
        walk.run();
        walk
    };
    let mut answer = walk(true);
    if answer.order_unknown {
        let other = walk(false);
        answer.outcomes.extend(other.outcomes);
        answer.several_ways = true;
        for note in other.notes {
            answer.note(note);
        }
    }
    let mut notes = packet.notes.clone();
    notes.extend(answer.notes);
    notes.dedup();
    Evaluation {
        outcomes: answer.outcomes.into_iter().collect(),
        events: answer.events,
        notes,
        several_ways: answer.several_ways,
        steps: answer.steps,
    }
}

pub(super) struct PacketWalk<'a> {
    pub(super) firewall: &'a Firewall,
    pub(super) index: &'a RuleIndex,
    pub(super) surroundings: &'a Surroundings,
    pub(super) packet: &'a Packet,
    pub(super) record: RecordLevel,
    pub(super) supposed: &'a Assumptions,
    /// What the kernel refuses besides the rules, once it has been computed.
    pub(super) refusals: Option<Rc<KernelRefusals>>,
    /// Whether several flows look at the rule, so that one that fails is of interest, too.
    pub(super) mixed: bool,
    /// Whether what was read first is taken to have been loaded first.
    pub(super) as_read: bool,
    /// Whether there were chains whose order is unknown.
    pub(super) order_unknown: bool,
    steps: u64,
    exhausted: bool,
    pub(super) outcomes: BTreeSet<Outcome>,
    events: Vec<TraceEvent>,
    notes: Vec<String>,
    pub(super) several_ways: bool,
    pub(super) place: WalkPosition,
}

#[derive(Clone, Copy)]
pub(super) struct WalkPosition {
    pub(super) hook: Hook,
    pub(super) kind: ChainKind,
}

/// What is left after a rule or a chain.
#[derive(Default)]
pub(super) struct WalkRest {
    /// Goes on with the next rule, or with the caller.
    pub(super) on: Vec<Flow>,
    /// Left this base chain by accept.
    pub(super) accepted: Vec<Flow>,
    /// RETURN: leaves this chain.
    pub(super) returned: Vec<Flow>,
}

impl PacketWalk<'_> {
    pub(super) fn end(&mut self, flow: &Flow, end: End, by: Decider) {
        self.outcomes.insert(Outcome {
            end,
            by,
            hangs: flow.hangs.clone(),
        });
    }

    pub(super) fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Notes that a fact is unknown, and that the packet was followed whichever way it is.
    pub(super) fn note_several_ways(&mut self, note: String) {
        self.several_ways = true;
        self.note(note);
    }

    pub(super) fn base_chain(
        &mut self,
        t: usize,
        c: usize,
        policy: Policy,
        flows: Vec<Flow>,
    ) -> Vec<Flow> {
        if flows.is_empty() {
            return flows;
        }
        let backend = self.firewall.tables[t].backend;
        let flows = flows
            .into_iter()
            .map(|flow| read_fragment(flow, backend))
            .collect();
        let rest = self.walk_chain(t, c, flows, CallDepth { jumps: 0, all: 0 });
        let mut passed = rest.accepted;
        let by = Decider::Policy { table: t, chain: c };
        if !rest.on.is_empty() {
            self.record_event(t, c, None, EventKind::Policy, 0, Vec::new());
        }
        let supposed = self.supposed.policies.get(&(t, c));
        let policy = supposed.copied().unwrap_or(policy);
        for mut flow in rest.on {
            match policy {
                Policy::Accept => {
                    self.decide_by(&mut flow, by);
                    passed.push(flow);
                }
                Policy::Drop => self.end(&flow, End::Dropped, by),
            }
        }
        passed
    }

    pub(super) fn decide_by(&self, flow: &mut Flow, by: Decider) {
        let main = matches!(self.place.hook, Hook::Input | Hook::Forward | Hook::Output)
            && self.place.kind == ChainKind::Filter;
        let rule = matches!(by, Decider::Rule(_));
        let weight = u8::from(main) * 2 + u8::from(rule);
        if flow
            .decided
            .as_ref()
            .is_none_or(|decided| decided.weight <= weight)
        {
            flow.decided = Some(DecidedBy { weight, by });
        }
    }

    pub(super) fn record_event(
        &mut self,
        table: usize,
        chain: usize,
        rule: Option<usize>,
        what: EventKind,
        depth: u32,
        saw: Vec<ObservedMatch>,
    ) {
        if self.record == RecordLevel::Nothing || self.events.len() > MOST_EVENTS {
            return;
        }
        if self.events.len() == MOST_EVENTS {
            self.note("the way is too long to be shown in full".into());
        }
        self.events.push(TraceEvent {
            hook: self.place.hook,
            table,
            chain,
            rule,
            what,
            depth,
            saw,
        });
    }

    /// Runs a chain; `on` and RETURN both leave it by its end.
    pub(super) fn walk_chain(
        &mut self,
        t: usize,
        c: usize,
        mut flows: Vec<Flow>,
        depth: CallDepth,
    ) -> WalkRest {
        let mut rest = WalkRest::default();
        self.steps += STEPS_OF_A_CALL;
        let firewall = self.firewall;
        let chain = &firewall.tables[t].chains[c];
        let mut ended = Vec::new();
        let mut at = 0;
        let mut near = MOST_NEAR;
        let mut room = TOO_MANY_FLOWS;
        let mut block = RuleBlock::new();
        let mut questions: Vec<FlowHull> = flows.iter().map(FlowHull::new).collect();
        while !flows.is_empty() && at < chain.rules.len() {
            if self.record != RecordLevel::All {
                let next = self.index.next(t, c, at, &questions, &mut block);
                if self.record == RecordLevel::Mattered {
                    let last = next.unwrap_or(chain.rules.len());
                    self.near_misses((t, c, at..last), &flows, &questions, depth, &mut near);
                }
                match next {
                    Some(next) => at = next,
                    None => break,
                }
            }
            self.steps += u64::try_from(flows.len()).unwrap_or(u64::MAX);
            if self.steps > MOST_STEPS || flows.len() > TOO_MANY_FLOWS {
                self.give_up(&flows);
                return rest;
            }
            let here = RuleAt {
                table: t,
                chain: c,
                rule: at,
            };
            if flows.iter().all(|flow| self.fails_at_once(here, flow)) {
                if self.record != RecordLevel::Nothing && !self.supposed.without.contains(&here) {
                    for flow in &flows {
                        self.record_failed(here, flow, depth);
                    }
                }
                at += 1;
                continue;
            }
            let before = flows.len();
            let after = self.walk_rule(here, flows, depth);
            let changed = before != after.rest.on.len() || after.changed;
            flows = after.rest.on;
            rest.accepted.extend(after.rest.accepted);
            ended.extend(after.rest.returned);
            if rest.accepted.len() > room {
                rest.accepted = merge_flows(rest.accepted, MOST_FLOWS);
                room = TOO_MANY_FLOWS.max(2 * rest.accepted.len());
                if rest.accepted.len() > TOO_MANY_FLOWS {
                    self.give_up(&rest.accepted);
                    self.give_up(&flows);
                    return WalkRest::default();
                }
            }
            if changed {
                flows = merge_flows(flows, MOST_FLOWS);
                questions = flows.iter().map(FlowHull::new).collect();
                block = RuleBlock::new();
            }
            at += 1;
        }
        ended.extend(flows);
        rest.on = merge_flows(ended, MOST_FLOWS);
        rest.accepted = merge_flows(rest.accepted, MOST_FLOWS);
        rest
    }

    /// Records rules that ask for the packet's own port but that it cannot match otherwise.
    fn near_misses(
        &mut self,
        (t, c, mut rules): (usize, usize, std::ops::Range<usize>),
        flows: &[Flow],
        questions: &[FlowHull],
        depth: CallDepth,
        left: &mut usize,
    ) {
        let (Some(flow), Some(question)) = (flows.first(), questions.first()) else {
            return;
        };
        while *left > 0
            && let Some(rule) = self.index.same_port(t, c, rules.clone(), question)
        {
            *left -= 1;
            let at = RuleAt {
                table: t,
                chain: c,
                rule,
            };
            self.record_failed(at, flow, depth);
            rules.start = rule + 1;
        }
    }

    fn give_up(&mut self, flows: &[Flow]) {
        if !self.exhausted {
            self.exhausted = true;
            self.note("too many possible ways through the rules: the search was stopped".into());
        }
        for flow in flows.iter().take(1) {
            self.end(flow, End::Unknown, Decider::Kernel);
        }
    }
}

/// A fragment that is not the first has no transport header, and `ip_tables` knows that. In
/// `nf_tables` a comparison that the kernel has a short cut for reads the fragment's data as if it
/// were one (seen with 6.18 in `tcp dport 22` and in what `iptables-nft -p tcp --dport 22` makes).
fn read_fragment(mut flow: Flow, backend: Backend) -> Flow {
    if flow.get(Field::IsLaterFragment) != FieldValue::Known(1) {
        return flow;
    }
    let value = if backend == Backend::IptablesLegacy {
        FieldValue::Absent
    } else {
        FieldValue::Unknown
    };
    for field in transport_fields(&flow) {
        flow.put(*field, value);
    }
    flow
}
