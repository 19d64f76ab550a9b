//! The walk of all packets at once through one chain, rule by rule.

use super::condition::{RulePlace, reads_transport};
use super::diagram::{Exhausted, Packets};
use super::ends::OutcomeSets;
use super::follow::{ChainSummary, Flows, RunStatement, SymbolicWalk};
use super::lookup;
use super::side_effects::kept_ends;
use super::space::{UnknownAnswer, UnknownTopic};
use super::state::{InInterface, PacketRewrite};
use crate::packet::PacketPath;
use crate::semantics::{End, may_jump, rule_matters};
use surefoot_ruleset::model::{
    Backend, ChainId, Effect, ElementValue, Field, Rule, RuleAt, SideEffect, Statement, Verdict,
};

#[derive(Clone, Copy)]
pub(super) struct SummaryDepth {
    pub(super) jumps: u32,
    pub(super) all: u32,
}

impl SummaryDepth {
    /// The depth of a chain that is called here; none if that is too deep.
    fn one_deeper(self, goto: bool, backend: Backend) -> Option<Self> {
        let deeper = Self {
            jumps: self.jumps + u32::from(!goto),
            all: self.all + 1,
        };
        may_jump(backend, deeper.jumps, deeper.all).then_some(deeper)
    }
}

/// A chain of the same table that a rule calls, by index.
#[derive(Clone, Copy)]
struct ChainCall {
    chain: usize,
    goto: bool,
    depth: SummaryDepth,
}

/// What a rule does with the packets that reach it.
#[derive(Default)]
struct ChainRest {
    on: Vec<(PacketRewrite, Packets)>,
    accepted: Vec<(PacketRewrite, Packets)>,
    returned: Vec<(PacketRewrite, Packets)>,
    ends: OutcomeSets,
    jumps: Vec<Jump>,
    hits: Vec<(Packets, Packets)>,
}

/// The chain that packets jump to, whether by goto, and who they are.
type Jump = (ChainId, bool, Vec<(PacketRewrite, Packets)>);

/// What has left a chain other than by its end.
#[derive(Default)]
struct ChainExits {
    accepted: Vec<(PacketRewrite, Packets)>,
    returned: Vec<(PacketRewrite, Packets)>,
    ends: OutcomeSets,
}

/// How packets leave a chain by a rule that changes nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ExitKind {
    Accepted,
    Returned,
    Ended(End),
}

/// Rules behind each other by which packets leave in the same way. What they match together is
/// what is missing after them, which costs less than to join what each of them matches.
struct SameVerdictRun {
    leaves: ExitKind,
    start: Flows,
}

/// The verdict of a rule that changes nothing else.
fn only_verdict(rule: &Rule) -> Option<&Verdict> {
    let (last, before) = rule.statements.split_last()?;
    let Statement::Verdict(verdict) = last else {
        return None;
    };
    let changes = before.iter().any(|one| {
        !matches!(
            one,
            Statement::Match(_)
                | Statement::Effect(
                    Effect::Log { .. }
                        | Effect::Other { .. }
                        | Effect::UpdateSet { .. }
                        | Effect::Remember { .. }
                )
        )
    });
    (!changes).then_some(verdict)
}

/// How packets leave by the rule, if it changes nothing else.
fn exit_of(verdict: &Verdict) -> Option<ExitKind> {
    match verdict {
        Verdict::Accept => Some(ExitKind::Accepted),
        Verdict::Return => Some(ExitKind::Returned),
        Verdict::Drop => Some(ExitKind::Ended(End::Dropped)),
        Verdict::Reject { .. } => Some(ExitKind::Ended(End::Rejected)),
        Verdict::Queue { .. } => Some(ExitKind::Ended(End::Queued)),
        _ => None,
    }
}

impl<'a> SymbolicWalk<'a> {
    /// What a chain does to packets in this state; `on` and RETURN both leave it by its end.
    fn summarize_chain(
        &mut self,
        (t, c): (usize, usize),
        state: &PacketRewrite,
        depth: SummaryDepth,
    ) -> Result<usize, Exhausted> {
        let key = (self.place, t, c, state.clone());
        if let Some(known) = self.known.get(&key) {
            return Ok(*known);
        }
        let asks = self.space.asks;
        let index = self.pass_chain((t, c), (state, Packets::ALL), depth)?;
        let ends = std::mem::take(&mut self.course.passages[index].ends);
        self.course.passages[index].ends = ends.united_by_end(&mut self.space.store)?;
        // A packet that comes a second time may get other answers from what counts; where none
        // comes back, none comes twice. Of two firewalls, one may send no packet back to where the
        // other does: there each way has answers of its own.
        let once = self.course.passages[index].on.is_empty() && self.space.twins.is_none();
        if self.space.asks == asks || once {
            self.known.insert(key, index);
        }
        Ok(index)
    }

    /// Goes through a chain with these packets.
    pub(super) fn pass_chain(
        &mut self,
        (t, c): (usize, usize),
        (state, packets): (&PacketRewrite, Packets),
        depth: SummaryDepth,
    ) -> Result<usize, Exhausted> {
        let firewall = self.firewall;
        let table = &firewall.tables[t];
        let mut passage = ChainSummary {
            chain: (t, c),
            by_loopback: match self.space.path {
                PacketPath::Input => Some(state.input != InInterface::Packet),
                PacketPath::Forward => Some(false),
                PacketPath::Output => state.looped.then_some(true),
            },
            ..ChainSummary::default()
        };
        let of_caller = std::mem::take(&mut self.side_effects);
        let mut flows = Flows::from([(state.clone(), packets)]);
        let mut gone = ChainExits::default();
        let mut run: Option<SameVerdictRun> = None;
        for (r, rule) in table.chains[c].rules.iter().enumerate() {
            let at = RuleAt {
                table: t,
                chain: c,
                rule: r,
            };
            let here = RulePlace {
                firewall,
                table,
                at,
            };
            let calls = passage.calls.len();
            passage.called_by.resize(calls, r.saturating_sub(1));
            let reach = self
                .space
                .store
                .unite_all(flows.values().copied().collect())?;
            passage.reach.push(reach);
            if flows.is_empty() {
                // No packet arrives; the matches of the rule tell why.
                let holds = self.rule_condition(here, rule, (state, Packets::NONE), false)?;
                passage.hits.push(vec![(Packets::NONE, holds)]);
                continue;
            }
            if !rule_matters(rule) {
                let mut hits = Vec::with_capacity(flows.len());
                for (state, packets) in &flows {
                    let holds = self.rule_condition(here, rule, (state, *packets), false)?;
                    hits.push((*packets, holds));
                }
                passage.hits.push(hits);
                continue;
            }
            let verdict = only_verdict(rule).filter(|_| self.reads_fragments_right());
            let plain = verdict.and_then(exit_of);
            if run.as_ref().map(|run| run.leaves) != plain
                && let Some(run) = run.take()
            {
                self.end_run(run, &flows, &mut gone)?;
            }
            if let Some(leaves) = plain {
                run.get_or_insert_with(|| SameVerdictRun {
                    leaves,
                    start: flows.clone(),
                });
                let mut hits = Vec::with_capacity(flows.len());
                for (state, packets) in &mut flows {
                    let holds = self.rule_condition(here, rule, (state, *packets), true)?;
                    hits.push((*packets, holds));
                    *packets = self.space.store.minus(*packets, holds)?;
                }
                passage.hits.push(hits);
                continue;
            }
            if let Some(call) = verdict.and_then(|verdict| self.called_chain(t, verdict, depth)) {
                flows = self.follow_jump(here, rule, call, flows, (&mut passage, &mut gone))?;
                continue;
            }
            let mut rest = ChainRest::default();
            for (state, packets) in flows {
                self.follow_rule(here, rule, (state, packets), &mut rest)?;
            }
            for (to, goto, called) in std::mem::take(&mut rest.jumps) {
                for (state, packets) in self.gather_flows(called)? {
                    let flow = (state, packets);
                    self.space.callers.push(at);
                    self.follow_call(t, (to, goto), flow, &mut rest, &mut passage.calls, depth)?;
                    self.space.callers.pop();
                }
            }
            passage.hits.push(rest.hits);
            gone.ends.extend(rest.ends);
            gone.accepted.extend(rest.accepted);
            gone.returned.extend(rest.returned);
            flows = self.gather_flows(rest.on)?;
        }
        passage.side_effects = std::mem::replace(&mut self.side_effects, of_caller);
        let last = table.chains[c].rules.len().saturating_sub(1);
        passage.called_by.resize(passage.calls.len(), last);
        if let Some(run) = run {
            self.end_run(run, &flows, &mut gone)?;
        }
        passage.ends = gone.ends;
        passage.accepted = self.gather_flows(gone.accepted)?;
        passage.on = self.gather_flows(flows.into_iter().chain(gone.returned).collect())?;
        self.course.passages.push(passage);
        Ok(self.course.passages.len() - 1)
    }

    /// Whether every later fragment is seen for what it is.
    fn reads_fragments_right(&self) -> bool {
        self.space.tracking || self.place.backend == Backend::IptablesLegacy
    }

    /// The packets in this state for which all conditions of a rule hold that changes nothing;
    /// where nothing is to be decided, whatever counters and clocks may say.
    fn rule_condition(
        &mut self,
        here: RulePlace<'a>,
        rule: &Rule,
        (state, packets): (&PacketRewrite, Packets),
        decides: bool,
    ) -> Result<Packets, Exhausted> {
        let mut holds = Vec::with_capacity(rule.statements.len());
        for (number, statement) in rule.statements.iter().enumerate() {
            if let Some(effect) = self.kept_side_effect(here, statement) {
                let so_far = self.space.store.intersect_all(holds.clone())?;
                self.keep_side_effect(here, number, (state, &effect), (packets, so_far));
            }
            if let Statement::Match(wanted) = statement
                && (decides || !wanted.asks_past())
            {
                holds.push(self.space.match_condition(here, state, wanted)?);
            }
        }
        self.space.store.intersect_all(holds)
    }

    /// The side effect of this statement, where two firewalls are compared and it may differ.
    fn kept_side_effect(&self, here: RulePlace<'a>, statement: &Statement) -> Option<SideEffect> {
        let compared = &self.space.twins.as_ref()?.side_effects;
        compared.of(statement, here.table, here.firewall)
    }

    fn keep_side_effect(
        &mut self,
        here: RulePlace,
        statement: usize,
        (state, effect): (&PacketRewrite, &SideEffect),
        (reach, holds): (Packets, Packets),
    ) {
        let mut rewritten = Vec::new();
        for source in kept_ends(effect) {
            rewritten.extend(state.rewritten_end(source));
        }
        self.side_effects.push(RunStatement {
            rule: here.at.rule,
            statement,
            reach,
            holds,
            rewritten,
        });
    }

    /// What has left the chain since a run of rules began, left as those rules say.
    fn end_run(
        &mut self,
        run: SameVerdictRun,
        flows: &Flows,
        gone: &mut ChainExits,
    ) -> Result<(), Exhausted> {
        for (state, packets) in run.start {
            let stays = flows.get(&state).copied().unwrap_or(Packets::NONE);
            if run.leaves == ExitKind::Ended(End::Dropped) {
                continue;
            }
            let left = self.space.store.minus(packets, stays)?;
            match run.leaves {
                ExitKind::Accepted => gone.accepted.push((state, left)),
                ExitKind::Returned => gone.returned.push((state, left)),
                ExitKind::Ended(end) => gone.ends.add(end, left),
            }
        }
        Ok(())
    }

    /// The chain that a verdict leads to, whether by goto, and how deep that is.
    fn called_chain(&self, t: usize, verdict: &Verdict, depth: SummaryDepth) -> Option<ChainCall> {
        let (Verdict::Jump(to) | Verdict::Goto(to)) = verdict else {
            return None;
        };
        let chains = self.firewall.tables[t].chains.len();
        let chain = usize::try_from(to.0).ok().filter(|to| *to < chains)?;
        let goto = matches!(verdict, Verdict::Goto(_));
        let depth = depth.one_deeper(goto, self.place.backend)?;
        Some(ChainCall { chain, goto, depth })
    }

    /// Runs a rule that does nothing but send packets to another chain. Few rules look at as many
    /// fields as the packets differ in: what the rule and the chain do is joined first, so that the
    /// packets themselves are split as few times as can be.
    fn follow_jump(
        &mut self,
        here: RulePlace<'a>,
        rule: &Rule,
        call: ChainCall,
        flows: Flows,
        (passage, gone): (&mut ChainSummary, &mut ChainExits),
    ) -> Result<Flows, Exhausted> {
        let mut on = Vec::with_capacity(flows.len());
        let mut hits = Vec::with_capacity(flows.len());
        for (state, packets) in flows {
            let holds = self.rule_condition(here, rule, (&state, packets), true)?;
            hits.push((packets, holds));
            if !self.space.store.sets_meet(packets, holds) {
                on.push((state, packets));
                continue;
            }
            self.space.callers.push(here.at);
            let at = self.summarize_chain((here.at.table, call.chain), &state, call.depth)?;
            self.space.callers.pop();
            passage.calls.push((at, packets, holds));
            let called = &self.course.passages[at];
            let (ends, accepted, back) = (
                called.ends.clone(),
                called.accepted.clone(),
                called.on.clone(),
            );
            let store = &mut self.space.store;
            let ends = ends.restricted_to(store, holds)?;
            gone.ends.extend(ends.restricted_to(store, packets)?);
            for (after, part) in accepted {
                let part = store.and(holds, part)?;
                gone.accepted.push((after, store.and(packets, part)?));
            }
            let mut stays = !holds;
            for (after, part) in back {
                let part = store.and(holds, part)?;
                if !call.goto && after == state {
                    stays = store.or(stays, part)?;
                    continue;
                }
                let part = store.and(packets, part)?;
                if call.goto {
                    // The end of a chain that was gone to is the end of the chain that went.
                    gone.returned.push((after, part));
                } else {
                    on.push((after, part));
                }
            }
            on.push((state, store.and(packets, stays)?));
        }
        passage.hits.push(hits);
        self.gather_flows(on)
    }

    /// Runs one rule for the packets of one state.
    fn follow_rule(
        &mut self,
        here: RulePlace<'a>,
        rule: &'a Rule,
        (mut state, mut packets): (PacketRewrite, Packets),
        rest: &mut ChainRest,
    ) -> Result<(), Exhausted> {
        let (start, mut asked) = (packets, Packets::ALL);
        let mut next = 0;
        while let Some(statement) = rule.statements.get(next) {
            if !matches!(statement, Statement::Match(_))
                && let Some(effect) = self.kept_side_effect(here, statement)
            {
                self.keep_side_effect(here, next, (&state, &effect), (start, packets));
            }
            match statement {
                Statement::Match(_) => {
                    let matches = rule.statements[next..].iter().map_while(|one| match one {
                        Statement::Match(wanted) => Some(wanted),
                        _ => None,
                    });
                    let mut holds = Packets::ALL;
                    let mut doubt = self.fragments(packets)?;
                    let mut transport = false;
                    for wanted in matches {
                        if let Some(effect) = self.kept_side_effect(here, &rule.statements[next]) {
                            let so_far = self.space.store.and(packets, holds)?;
                            self.keep_side_effect(here, next, (&state, &effect), (start, so_far));
                        }
                        next += 1;
                        let one = self.space.match_condition(here, &state, wanted)?;
                        holds = self.space.store.and(holds, one)?;
                        if reads_transport(wanted) {
                            transport = true;
                        } else if !doubt.is_none() {
                            doubt = self.space.store.and(doubt, one)?;
                        }
                    }
                    if transport && !doubt.is_none() {
                        // `nf_tables` may read a later fragment's data as a header.
                        rest.ends.add(End::Unknown, doubt);
                        packets = self.space.store.minus(packets, doubt)?;
                    }
                    asked = self.space.store.and(asked, holds)?;
                    let missed = self.space.store.minus(packets, holds)?;
                    packets = self.space.store.and(packets, holds)?;
                    rest.on.push((state.clone(), missed));
                    if packets.is_none() {
                        rest.hits.push((start, asked));
                        return Ok(());
                    }
                }
                Statement::Effect(effect) => {
                    next += 1;
                    self.space.apply_effect(here.at, &mut state, effect)?;
                }
                Statement::Verdict(Verdict::Continue) => next += 1,
                Statement::Verdict(verdict) => {
                    rest.hits.push((start, asked));
                    return self.apply_verdict(here.at, verdict, (state, packets), rest);
                }
                Statement::VerdictMap(map) => {
                    next += 1;
                    let found =
                        lookup::looked_up_values(self.space, here, &state, &map.key, &map.map)?;
                    let Some(found) = found else {
                        rest.hits.push((start, asked));
                        return self.follow_undecided(here.at, (state, packets), rest);
                    };
                    let mut missed = packets;
                    let mut continued = Packets::NONE;
                    for (value, fits) in found {
                        let taken = self.space.store.and(packets, fits)?;
                        missed = self.space.store.minus(missed, fits)?;
                        if taken.is_none() {
                            continue;
                        }
                        match value {
                            ElementValue::Verdict(Verdict::Continue) => {
                                continued = self.space.store.or(continued, taken)?;
                            }
                            ElementValue::Verdict(verdict) => {
                                rest.hits.push((taken, Packets::ALL));
                                self.apply_verdict(here.at, verdict, (state.clone(), taken), rest)?;
                            }
                            ElementValue::Data(_) => rest.ends.add(End::Unknown, taken),
                        }
                    }
                    rest.on.push((state.clone(), missed));
                    packets = continued;
                    if packets.is_none() {
                        return Ok(());
                    }
                }
            }
        }
        rest.hits.push((start, asked));
        rest.on.push((state, packets));
        Ok(())
    }

    /// Follows packets of which it is unknown whether the rule decides about them, or how.
    fn follow_undecided(
        &mut self,
        at: RuleAt,
        (state, packets): (PacketRewrite, Packets),
        rest: &mut ChainRest,
    ) -> Result<(), Exhausted> {
        let decides = self
            .space
            .ask_in(&state, UnknownAnswer::Rule(at), &UnknownTopic::Target)?;
        let taken = self.space.store.and(packets, decides)?;
        rest.ends.add(End::Unknown, taken);
        let missed = self.space.store.minus(packets, decides)?;
        rest.on.push((state, missed));
        Ok(())
    }

    /// The later fragments among the packets, where the kernel may misread them.
    fn fragments(&mut self, packets: Packets) -> Result<Packets, Exhausted> {
        if self.reads_fragments_right() {
            return Ok(Packets::NONE);
        }
        let later = self.space.field_is(Field::IsLaterFragment, 1)?;
        self.space.store.and(packets, later)
    }

    fn apply_verdict(
        &mut self,
        at: RuleAt,
        verdict: &Verdict,
        (state, packets): (PacketRewrite, Packets),
        rest: &mut ChainRest,
    ) -> Result<(), Exhausted> {
        match verdict {
            Verdict::Accept => rest.accepted.push((state, packets)),
            Verdict::Drop => rest.ends.add(End::Dropped, packets),
            Verdict::Reject { .. } => rest.ends.add(End::Rejected, packets),
            Verdict::Queue { .. } => rest.ends.add(End::Queued, packets),
            Verdict::Return => rest.returned.push((state, packets)),
            Verdict::Continue => rest.on.push((state, packets)),
            Verdict::Nat(nat) => {
                let flow = (&state, packets);
                let (hook, surroundings) = (self.place.hook, self.surroundings);
                let translated = self.space.apply_nat(at, flow, nat, hook, surroundings)?;
                let mut lost = packets;
                for (_, packets) in &translated {
                    lost = self.space.store.minus(lost, *packets)?;
                }
                rest.ends.add_nowhere(lost);
                rest.accepted.extend(translated);
            }
            Verdict::Jump(to) | Verdict::Goto(to) => {
                let goto = matches!(verdict, Verdict::Goto(_));
                let mut jumps = rest.jumps.iter_mut();
                match jumps.find(|(chain, kind, _)| chain == to && *kind == goto) {
                    Some((.., flows)) => flows.push((state, packets)),
                    None => rest.jumps.push((*to, goto, vec![(state, packets)])),
                }
            }
            Verdict::Unknown(_) => self.follow_undecided(at, (state, packets), rest)?,
        }
        Ok(())
    }

    /// Sends packets of one state through another chain of the table.
    fn follow_call(
        &mut self,
        table: usize,
        (to, goto): (ChainId, bool),
        (state, packets): (PacketRewrite, Packets),
        rest: &mut ChainRest,
        calls: &mut Vec<(usize, Packets, Packets)>,
        depth: SummaryDepth,
    ) -> Result<(), Exhausted> {
        let chains = self.firewall.tables[table].chains.len();
        let Some(to) = usize::try_from(to.0).ok().filter(|to| *to < chains) else {
            rest.on.push((state, packets));
            return Ok(());
        };
        let Some(deeper) = depth.one_deeper(goto, self.place.backend) else {
            rest.ends.add(End::Unknown, packets);
            return Ok(());
        };
        let at = self.summarize_chain((table, to), &state, deeper)?;
        calls.push((at, packets, Packets::ALL));
        let passage = self.course.passages[at].clone();
        let ends = passage.ends.restricted_to(&mut self.space.store, packets)?;
        rest.ends.extend(ends);
        for (state, part) in passage.accepted {
            rest.accepted
                .push((state, self.space.store.and(part, packets)?));
        }
        for (state, part) in passage.on {
            let part = self.space.store.and(part, packets)?;
            if goto {
                // The end of a chain that was gone to is the end of the chain that went.
                rest.returned.push((state, part));
            } else {
                rest.on.push((state, part));
            }
        }
        Ok(())
    }
}
