//! What one rule does to the flows that reach it.

use super::flow::{Flow, merge_flows};
use super::lookup::{ElementFound, find_element};
use super::matching::test_match;
use super::nat::rewrite_addresses;
use super::walk::{MOST_FLOWS, PacketWalk, WalkRest, may_jump};
use super::{Decider, End, EventKind, FieldRewrite, ObservedField, ObservedMatch, RecordLevel};
use crate::packet::FieldValue;
use crate::truth::Truth;
use surefoot_ruleset::model::RuleAt;
use surefoot_ruleset::model::{
    ChainId, Effect, ElementValue, Field, KeyPart, Match, Rule, Statement, Verdict, ct_state,
};

/// How deep the rule stands.
#[derive(Clone, Copy)]
pub(super) struct CallDepth {
    pub(super) jumps: u32,
    pub(super) all: u32,
}

/// What a rule leaves behind.
#[derive(Default)]
pub(super) struct AfterRule {
    pub(super) rest: WalkRest,
    pub(super) changed: bool,
    calls: Vec<(ChainId, bool, Vec<Flow>)>,
}

impl PacketWalk<'_> {
    pub(super) fn walk_rule(
        &mut self,
        at: RuleAt,
        flows: Vec<Flow>,
        depth: CallDepth,
    ) -> AfterRule {
        let mut after = AfterRule::default();
        self.mixed = flows.len() > 1;
        for flow in flows {
            self.run_rule(at, flow, &mut after, depth);
        }
        self.mixed = false;
        for (to, goto, flows) in std::mem::take(&mut after.calls) {
            self.call_chain(
                at,
                to,
                goto,
                merge_flows(flows, MOST_FLOWS),
                &mut after.rest,
                depth,
            );
        }
        after
    }

    /// Whether one of the first conditions of the rule fails, so that it does nothing.
    pub(super) fn fails_at_once(&self, at: RuleAt, flow: &Flow) -> bool {
        let table = &self.firewall.tables[at.table];
        let statements = &table.chains[at.chain].rules[at.rule].statements;
        statements
            .iter()
            .map_while(|statement| match statement {
                Statement::Match(wanted) => Some(wanted),
                _ => None,
            })
            .any(|wanted| test_match(self.firewall, table, flow, wanted) == Truth::No)
    }

    fn run_rule(&mut self, at: RuleAt, mut flow: Flow, after: &mut AfterRule, depth: CallDepth) {
        let firewall = self.firewall;
        let table = &firewall.tables[at.table];
        let rule = &table.chains[at.chain].rules[at.rule];
        if self.supposed.without.contains(&at) {
            after.rest.on.push(flow);
            return;
        }
        let mut perhaps = Vec::new();
        let mut saw = Vec::new();
        let mut next = 0;
        while let Some(statement) = rule.statements.get(next) {
            match statement {
                Statement::Match(_) => {
                    let first = next;
                    let mut unknown: Vec<(usize, &Match)> = Vec::new();
                    while let Some(Statement::Match(wanted)) = rule.statements.get(next) {
                        let answer = test_match(firewall, table, &flow, wanted);
                        match answer {
                            Truth::Yes => {}
                            Truth::Maybe => unknown.push((next, wanted)),
                            Truth::No => {
                                self.record_failed(at, &flow, depth);
                                after.rest.on.push(flow);
                                return;
                            }
                        }
                        next += 1;
                    }
                    if self.record != RecordLevel::Nothing {
                        let matches = rule.statements[first..next].iter().zip(first..);
                        saw.extend(matches.filter_map(|(statement, at)| match statement {
                            Statement::Match(wanted) => Some(sight_of(&flow, at, wanted)),
                            _ => None,
                        }));
                    }
                    if unknown.is_empty() {
                        continue;
                    }
                    after.changed = true;
                    let hangs = self.record != RecordLevel::Nothing && rule_matters(rule);
                    let supposed = self.supposed.answers.get(&at).copied();
                    if supposed != Some(true) {
                        let mut missed = flow.clone();
                        if let [(_, one)] = unknown.as_slice() {
                            missed.assume_answer(one, false);
                        }
                        if hangs {
                            missed.hangs.extend(unknown.iter().map(|(s, _)| (at, *s)));
                        }
                        after.rest.on.push(missed);
                    }
                    if supposed == Some(false) {
                        return;
                    }
                    if hangs {
                        flow.hangs.extend(unknown.iter().map(|(s, _)| (at, *s)));
                    }
                    for (statement, one) in unknown {
                        perhaps.push(statement);
                        flow.assume_answer(one, true);
                    }
                }
                Statement::Effect(effect) => {
                    after.changed |= apply_effect(effect, &mut flow);
                    next += 1;
                }
                Statement::Verdict(verdict) => {
                    next += 1;
                    if *verdict == Verdict::Continue {
                        continue;
                    }
                    self.record_matched(at, perhaps, saw, depth);
                    self.apply_verdict(at, verdict, flow, after, depth);
                    return;
                }
                Statement::VerdictMap(map) => {
                    if self.record != RecordLevel::Nothing {
                        let sights = map.key.iter().map(|part| part_sight(&flow, *part));
                        saw.push(ObservedMatch {
                            statement: next,
                            sights: sights.collect(),
                        });
                    }
                    next += 1;
                    match find_element(firewall, table, &flow, &map.key, &map.map) {
                        ElementFound::No => {
                            self.record_failed(at, &flow, depth);
                            after.rest.on.push(flow);
                            return;
                        }
                        ElementFound::Yes(Some(ElementValue::Verdict(Verdict::Continue))) => {}
                        ElementFound::Yes(Some(ElementValue::Verdict(verdict))) => {
                            self.record_matched(at, perhaps, saw, depth);
                            self.apply_verdict(at, verdict, flow, after, depth);
                            return;
                        }
                        found => {
                            after.changed = true;
                            perhaps.push(next - 1);
                            self.record_matched(at, perhaps, saw, depth);
                            if self.record != RecordLevel::Nothing {
                                flow.hangs.insert((at, next - 1));
                            }
                            match found {
                                ElementFound::Maybe(Some(values)) => {
                                    for value in values {
                                        if let ElementValue::Verdict(verdict) = value {
                                            self.apply_verdict(
                                                at,
                                                verdict,
                                                flow.clone(),
                                                after,
                                                depth,
                                            );
                                        }
                                    }
                                }
                                _ => self.end(&flow, End::Unknown, Decider::Rule(at)),
                            }
                            after.rest.on.push(flow);
                            return;
                        }
                    }
                }
            }
        }
        self.record_matched(at, perhaps, saw, depth);
        after.rest.on.push(flow);
    }

    /// Records that a rule failed, and at what: always if all is kept, else only if it asks for
    /// the packet's own port or type, so that a reader may have expected it to match.
    pub(super) fn record_failed(&mut self, at: RuleAt, flow: &Flow, depth: CallDepth) {
        let table = &self.firewall.tables[at.table];
        let rule = &table.chains[at.chain].rules[at.rule];
        if self.record == RecordLevel::Nothing
            || self.record == RecordLevel::Mattered && !self.mixed && !asks_for(rule, flow)
        {
            return;
        }
        let failed = rule
            .statements
            .iter()
            .enumerate()
            .find(|(_, statement)| match statement {
                Statement::Match(wanted) => {
                    test_match(self.firewall, table, flow, wanted) == Truth::No
                }
                Statement::VerdictMap(_) => true,
                Statement::Effect(_) | Statement::Verdict(_) => false,
            });
        let Some((statement, kind)) = failed else {
            return;
        };
        let saw = match kind {
            Statement::Match(wanted) => sight_of(flow, statement, wanted),
            Statement::VerdictMap(map) => ObservedMatch {
                statement,
                sights: map.key.iter().map(|part| part_sight(flow, *part)).collect(),
            },
            Statement::Effect(_) | Statement::Verdict(_) => return,
        };
        let what = EventKind::Failed(statement);
        self.record_event(
            at.table,
            at.chain,
            Some(at.rule),
            what,
            depth.all,
            vec![saw],
        );
    }

    fn record_matched(
        &mut self,
        at: RuleAt,
        perhaps: Vec<usize>,
        saw: Vec<ObservedMatch>,
        depth: CallDepth,
    ) {
        let what = if perhaps.is_empty() {
            EventKind::Matched
        } else {
            EventKind::Perhaps(perhaps)
        };
        self.record_event(at.table, at.chain, Some(at.rule), what, depth.all, saw);
    }

    fn apply_verdict(
        &mut self,
        at: RuleAt,
        verdict: &Verdict,
        mut flow: Flow,
        after: &mut AfterRule,
        depth: CallDepth,
    ) {
        let by = Decider::Rule(at);
        match verdict {
            Verdict::Accept => {
                self.decide_by(&mut flow, by);
                after.rest.accepted.push(flow);
            }
            Verdict::Drop => self.end(&flow, End::Dropped, by),
            Verdict::Reject { .. } => self.end(&flow, End::Rejected, by),
            Verdict::Queue { .. } => self.end(&flow, End::Queued, by),
            Verdict::Return => after.rest.returned.push(flow),
            Verdict::Continue => after.rest.on.push(flow),
            Verdict::Nat(nat) => {
                let before = flow.clone();
                rewrite_addresses(&mut flow, nat, self.place.hook, self.surroundings);
                for what in rewrites_between(&before, &flow) {
                    let what = EventKind::Rewritten(what);
                    self.record_event(
                        at.table,
                        at.chain,
                        Some(at.rule),
                        what,
                        depth.all,
                        Vec::new(),
                    );
                }
                self.decide_by(&mut flow, by);
                after.rest.accepted.push(flow);
            }
            Verdict::Jump(to) | Verdict::Goto(to) => {
                let goto = matches!(verdict, Verdict::Goto(_));
                after.changed = true;
                match after
                    .calls
                    .iter_mut()
                    .find(|(chain, kind, _)| chain == to && *kind == goto)
                {
                    Some((.., flows)) => flows.push(flow),
                    None => after.calls.push((*to, goto, vec![flow])),
                }
            }
            Verdict::Unknown(opaque) => {
                after.changed = true;
                let statements = &self.firewall.tables[at.table].chains[at.chain].rules[at.rule];
                let here = statements.statements.iter().position(|statement| {
                    matches!(statement, Statement::Verdict(Verdict::Unknown(one)) if one == opaque)
                });
                if self.record != RecordLevel::Nothing {
                    flow.hangs.insert((at, here.unwrap_or_default()));
                }
                self.end(&flow, End::Unknown, by);
                after.rest.on.push(flow);
            }
        }
    }

    fn call_chain(
        &mut self,
        at: RuleAt,
        to: ChainId,
        goto: bool,
        flows: Vec<Flow>,
        rest: &mut WalkRest,
        depth: CallDepth,
    ) {
        let Some(to) = usize::try_from(to.0)
            .ok()
            .filter(|to| *to < self.firewall.tables[at.table].chains.len())
        else {
            rest.on.extend(flows);
            return;
        };
        let deeper = CallDepth {
            jumps: depth.jumps + u32::from(!goto),
            all: depth.all + 1,
        };
        let backend = self.firewall.tables[at.table].backend;
        if !may_jump(backend, deeper.jumps, deeper.all) {
            self.note("jumps are nested deeper than the kernel allows, or in a loop: it would not load these rules".into());
            for flow in &flows {
                self.end(flow, End::Unknown, Decider::Rule(at));
            }
            return;
        }
        let inner = self.walk_chain(at.table, to, flows, deeper);
        rest.accepted.extend(inner.accepted);
        if !inner.on.is_empty() {
            let what = EventKind::Returned;
            self.record_event(at.table, to, None, what, deeper.all, Vec::new());
        }
        if goto {
            // The end of a chain that was gone to is the end of the chain that went.
            rest.returned.extend(inner.on);
        } else {
            rest.on.extend(inner.on);
        }
    }
}

/// What a match looks at.
fn sight_of(flow: &Flow, statement: usize, wanted: &Match) -> ObservedMatch {
    let mut sights = Vec::new();
    look_at(flow, wanted, &mut sights);
    ObservedMatch { statement, sights }
}

fn look_at(flow: &Flow, wanted: &Match, sights: &mut Vec<ObservedField>) {
    match wanted {
        Match::Field { operand, .. } => {
            sights.push(ObservedField::Field(operand.field, flow.get(operand.field)));
        }
        Match::InInterface { .. } => sights.push(ObservedField::Input(flow.input.clone())),
        Match::OutInterface { .. } => sights.push(ObservedField::Output(flow.output.clone())),
        Match::Lookup(lookup) => {
            sights.extend(lookup.key.iter().map(|part| part_sight(flow, *part)));
        }
        Match::Any { of, .. } => {
            for one in of {
                look_at(flow, one, sights);
            }
        }
        Match::Never | Match::Opaque(_) => {}
    }
}

fn part_sight(flow: &Flow, part: KeyPart) -> ObservedField {
    match part {
        KeyPart::Number(operand) => ObservedField::Field(operand.field, flow.get(operand.field)),
        KeyPart::InInterface => ObservedField::Input(flow.input.clone()),
        KeyPart::OutInterface => ObservedField::Output(flow.output.clone()),
    }
}

/// Whether the rule names the packet's own destination port or ICMP type.
fn asks_for(rule: &Rule, flow: &Flow) -> bool {
    rule.statements.iter().any(|statement| {
        let Statement::Match(Match::Field {
            operand,
            negated: false,
            ranges,
        }) = statement
        else {
            return false;
        };
        let own = matches!(
            operand.field,
            Field::DstPort | Field::IcmpType | Field::Icmp6Type
        );
        own && matches!(flow.get(operand.field), FieldValue::Known(number)
            if ranges.iter().any(|range| range.contains(number)))
    })
}

fn rewrites_between(before: &Flow, after: &Flow) -> Vec<FieldRewrite> {
    let v6 = before.get(Field::NfProto) == FieldValue::Known(10);
    let fields = if v6 {
        [Field::Ip6Dst, Field::Ip6Src]
    } else {
        [Field::Ip4Dst, Field::Ip4Src]
    };
    let ports = [Field::DstPort, Field::SrcPort];
    let ends = fields.into_iter().zip(ports).enumerate();
    ends.filter_map(|(at, (address, port))| {
        let from = (before.get(address), before.get(port));
        let to = (after.get(address), after.get(port));
        (from != to).then_some(FieldRewrite {
            source: at == 1,
            from,
            to,
        })
    })
    .collect()
}

/// Applies an effect; whether it could change what later rules say.
fn apply_effect(effect: &Effect, flow: &mut Flow) -> bool {
    match effect {
        Effect::SetMark { field, and, xor } => {
            let value = match flow.get(*field) {
                FieldValue::Known(old) => {
                    FieldValue::Known((old & u128::from(*and)) ^ u128::from(*xor))
                }
                FieldValue::Unknown if *and == 0 => FieldValue::Known((*xor).into()),
                other => other,
            };
            flow.put(*field, value);
        }
        Effect::CopyMark {
            from,
            from_mask,
            to,
            to_mask,
        } => {
            let value = match (flow.get(*from), flow.get(*to)) {
                (FieldValue::Known(from), FieldValue::Known(to)) => FieldValue::Known(
                    (to & !u128::from(*to_mask)) ^ (from & u128::from(*from_mask)),
                ),
                (FieldValue::Absent, to) | (_, to @ FieldValue::Absent) => to,
                (FieldValue::Known(from), FieldValue::Unknown) if *to_mask == u32::MAX => {
                    FieldValue::Known(from & u128::from(*from_mask))
                }
                _ => FieldValue::Unknown,
            };
            flow.put(*to, value);
        }
        // Once a packet is tracked it stays so (`nft_notrack_eval`).
        Effect::NoTrack
            if !matches!(
                flow.get(Field::CtState),
                FieldValue::Known(ct_state::INVALID | ct_state::UNTRACKED)
            ) => {}
        Effect::NoTrack => {
            for field in crate::packet::Packet::connection_fields() {
                flow.put(*field, FieldValue::Absent);
            }
            flow.put(Field::CtState, FieldValue::Known(ct_state::UNTRACKED));
            flow.untracked = true;
        }
        Effect::Set { field, .. } | Effect::Forget { field }
            if flow.get(*field) == FieldValue::Absent =>
        {
            return false;
        }
        Effect::Set { field, value } => flow.put(*field, FieldValue::Known(*value)),
        Effect::Forget { field } => flow.put(*field, FieldValue::Unknown),
        Effect::CtZone(_)
        | Effect::Log { .. }
        | Effect::UpdateSet { .. }
        | Effect::Remember { .. }
        | Effect::Other { .. } => {
            return false;
        }
    }
    true
}

/// Whether the rule can change what becomes of a packet.
pub(crate) fn rule_matters(rule: &Rule) -> bool {
    rule.statements.iter().any(|statement| match statement {
        Statement::Verdict(Verdict::Continue) | Statement::Match(_) => false,
        Statement::Effect(effect) => !matches!(effect, Effect::Log { .. } | Effect::Other { .. }),
        Statement::Verdict(_) | Statement::VerdictMap(_) => true,
    })
}
