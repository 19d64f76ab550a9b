//! What one rule does to the flows that reach it.

use super::flow::{Flow, merge};
use super::lookup::{Found, find};
use super::matching::{Truth, test};
use super::nat::rewrite;
use super::walk::{DEEPEST, DEEPEST_JUMP, MOST_FLOWS, Rest, Walk};
use super::{Decider, End, Happened, Record, Rewrite, Saw, Sight};
use crate::packet::Value;
use surefoot_ruleset::model::RuleAt;
use surefoot_ruleset::model::{
    ChainId, Effect, ElementValue, Field, KeyPart, Match, Rule, Statement, Verdict, ct_state,
};

/// How deep the rule stands.
#[derive(Clone, Copy)]
pub(super) struct Depth {
    pub(super) jumps: u32,
    pub(super) all: u32,
}

/// What a rule leaves behind.
#[derive(Default)]
pub(super) struct After {
    pub(super) rest: Rest,
    pub(super) changed: bool,
    calls: Vec<(ChainId, bool, Vec<Flow>)>,
}

impl Walk<'_> {
    pub(super) fn rule(&mut self, at: RuleAt, flows: Vec<Flow>, depth: Depth) -> After {
        let mut after = After::default();
        self.mixed = flows.len() > 1;
        for flow in flows {
            self.run_rule(at, flow, &mut after, depth);
        }
        self.mixed = false;
        for (to, goto, flows) in std::mem::take(&mut after.calls) {
            self.call(
                at,
                to,
                goto,
                merge(flows, MOST_FLOWS),
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
            .any(|wanted| test(self.firewall, table, flow, wanted) == Truth::No)
    }

    fn run_rule(&mut self, at: RuleAt, mut flow: Flow, after: &mut After, depth: Depth) {
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
                        let answer = test(firewall, table, &flow, wanted);
                        match answer {
                            Truth::Yes => {}
                            Truth::Maybe => unknown.push((next, wanted)),
                            Truth::No => {
                                self.failed(at, &flow, depth);
                                after.rest.on.push(flow);
                                return;
                            }
                        }
                        next += 1;
                    }
                    if self.record != Record::Nothing {
                        let matches = rule.statements[first..next].iter().zip(first..);
                        saw.extend(matches.filter_map(|(statement, at)| match statement {
                            Statement::Match(wanted) => Some(sight(&flow, at, wanted)),
                            _ => None,
                        }));
                    }
                    if unknown.is_empty() {
                        continue;
                    }
                    after.changed = true;
                    let hangs = self.record != Record::Nothing && matters(rule);
                    let supposed = self.supposed.answers.get(&at).copied();
                    if supposed != Some(true) {
                        let mut missed = flow.clone();
                        if let [(_, one)] = unknown.as_slice() {
                            missed.assume(one, false);
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
                        flow.assume(one, true);
                    }
                }
                Statement::Effect(effect) => {
                    after.changed |= apply(effect, &mut flow);
                    next += 1;
                }
                Statement::Verdict(verdict) => {
                    next += 1;
                    if *verdict == Verdict::Continue {
                        continue;
                    }
                    self.matched(at, perhaps, saw, depth);
                    self.verdict(at, verdict, flow, after, depth);
                    return;
                }
                Statement::VerdictMap(map) => {
                    if self.record != Record::Nothing {
                        let sights = map.key.iter().map(|part| part_sight(&flow, *part));
                        saw.push(Saw {
                            statement: next,
                            sights: sights.collect(),
                        });
                    }
                    next += 1;
                    match find(firewall, table, &flow, &map.key, &map.map) {
                        Found::No => {
                            self.failed(at, &flow, depth);
                            after.rest.on.push(flow);
                            return;
                        }
                        Found::Yes(Some(ElementValue::Verdict(Verdict::Continue))) => {}
                        Found::Yes(Some(ElementValue::Verdict(verdict))) => {
                            self.matched(at, perhaps, saw, depth);
                            self.verdict(at, verdict, flow, after, depth);
                            return;
                        }
                        found => {
                            after.changed = true;
                            perhaps.push(next - 1);
                            self.matched(at, perhaps, saw, depth);
                            if self.record != Record::Nothing {
                                flow.hangs.insert((at, next - 1));
                            }
                            match found {
                                Found::Maybe(Some(values)) => {
                                    for value in values {
                                        if let ElementValue::Verdict(verdict) = value {
                                            self.verdict(at, verdict, flow.clone(), after, depth);
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
        self.matched(at, perhaps, saw, depth);
        after.rest.on.push(flow);
    }

    /// Records that a rule failed, and at what: always if all is kept, else only if it asks for
    /// the packet's own port or type, so that a reader may have expected it to match.
    pub(super) fn failed(&mut self, at: RuleAt, flow: &Flow, depth: Depth) {
        let table = &self.firewall.tables[at.table];
        let rule = &table.chains[at.chain].rules[at.rule];
        if self.record == Record::Nothing
            || self.record == Record::Mattered && !self.mixed && !asks_for(rule, flow)
        {
            return;
        }
        let failed = rule
            .statements
            .iter()
            .enumerate()
            .find(|(_, statement)| match statement {
                Statement::Match(wanted) => test(self.firewall, table, flow, wanted) == Truth::No,
                Statement::VerdictMap(_) => true,
                Statement::Effect(_) | Statement::Verdict(_) => false,
            });
        let Some((statement, kind)) = failed else {
            return;
        };
        let saw = match kind {
            Statement::Match(wanted) => sight(flow, statement, wanted),
            Statement::VerdictMap(map) => Saw {
                statement,
                sights: map.key.iter().map(|part| part_sight(flow, *part)).collect(),
            },
            Statement::Effect(_) | Statement::Verdict(_) => return,
        };
        let what = Happened::Failed(statement);
        self.event(
            at.table,
            at.chain,
            Some(at.rule),
            what,
            depth.all,
            vec![saw],
        );
    }

    fn matched(&mut self, at: RuleAt, perhaps: Vec<usize>, saw: Vec<Saw>, depth: Depth) {
        let what = if perhaps.is_empty() {
            Happened::Matched
        } else {
            Happened::Perhaps(perhaps)
        };
        self.event(at.table, at.chain, Some(at.rule), what, depth.all, saw);
    }

    fn verdict(
        &mut self,
        at: RuleAt,
        verdict: &Verdict,
        mut flow: Flow,
        after: &mut After,
        depth: Depth,
    ) {
        let by = Decider::Rule(at);
        match verdict {
            Verdict::Accept => {
                self.decide(&mut flow, by);
                after.rest.accepted.push(flow);
            }
            Verdict::Drop => self.end(&flow, End::Dropped, by),
            Verdict::Reject { .. } => self.end(&flow, End::Rejected, by),
            Verdict::Queue { .. } => self.end(&flow, End::Queued, by),
            Verdict::Return => after.rest.returned.push(flow),
            Verdict::Continue => after.rest.on.push(flow),
            Verdict::Nat(nat) => {
                let before = flow.clone();
                rewrite(&mut flow, nat, self.place.hook, self.surroundings);
                for what in rewrites(&before, &flow) {
                    let what = Happened::Rewritten(what);
                    self.event(
                        at.table,
                        at.chain,
                        Some(at.rule),
                        what,
                        depth.all,
                        Vec::new(),
                    );
                }
                self.decide(&mut flow, by);
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
                if self.record != Record::Nothing {
                    flow.hangs.insert((at, here.unwrap_or_default()));
                }
                self.end(&flow, End::Unknown, by);
                after.rest.on.push(flow);
            }
        }
    }

    fn call(
        &mut self,
        at: RuleAt,
        to: ChainId,
        goto: bool,
        flows: Vec<Flow>,
        rest: &mut Rest,
        depth: Depth,
    ) {
        let Some(to) = usize::try_from(to.0)
            .ok()
            .filter(|to| *to < self.firewall.tables[at.table].chains.len())
        else {
            rest.on.extend(flows);
            return;
        };
        let deeper = Depth {
            jumps: depth.jumps + u32::from(!goto),
            all: depth.all + 1,
        };
        if deeper.jumps > DEEPEST_JUMP || deeper.all > DEEPEST {
            self.note("jumps are nested deeper than the kernel allows, or in a loop: it would not load these rules".into());
            for flow in &flows {
                self.end(flow, End::Unknown, Decider::Rule(at));
            }
            return;
        }
        let inner = self.chain(at.table, to, flows, deeper);
        rest.accepted.extend(inner.accepted);
        if !inner.on.is_empty() {
            let what = Happened::Returned;
            self.event(at.table, to, None, what, deeper.all, Vec::new());
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
fn sight(flow: &Flow, statement: usize, wanted: &Match) -> Saw {
    let mut sights = Vec::new();
    look(flow, wanted, &mut sights);
    Saw { statement, sights }
}

fn look(flow: &Flow, wanted: &Match, sights: &mut Vec<Sight>) {
    match wanted {
        Match::Field { operand, .. } => {
            sights.push(Sight::Field(operand.field, flow.get(operand.field)));
        }
        Match::InInterface { .. } => sights.push(Sight::Input(flow.input.clone())),
        Match::OutInterface { .. } => sights.push(Sight::Output(flow.output.clone())),
        Match::Lookup(lookup) => {
            sights.extend(lookup.key.iter().map(|part| part_sight(flow, *part)));
        }
        Match::Any { of, .. } => {
            for one in of {
                look(flow, one, sights);
            }
        }
        Match::Never | Match::Opaque(_) => {}
    }
}

fn part_sight(flow: &Flow, part: KeyPart) -> Sight {
    match part {
        KeyPart::Number(operand) => Sight::Field(operand.field, flow.get(operand.field)),
        KeyPart::InInterface => Sight::Input(flow.input.clone()),
        KeyPart::OutInterface => Sight::Output(flow.output.clone()),
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
        own && matches!(flow.get(operand.field), Value::Known(number)
            if ranges.iter().any(|range| range.contains(number)))
    })
}

fn rewrites(before: &Flow, after: &Flow) -> Vec<Rewrite> {
    let v6 = before.get(Field::NfProto) == Value::Known(10);
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
        (from != to).then_some(Rewrite {
            source: at == 1,
            from,
            to,
        })
    })
    .collect()
}

/// Applies an effect; whether it could change what later rules say.
fn apply(effect: &Effect, flow: &mut Flow) -> bool {
    match effect {
        Effect::SetMark { field, and, xor } => {
            let value = match flow.get(*field) {
                Value::Known(old) => Value::Known((old & u128::from(*and)) ^ u128::from(*xor)),
                Value::Unknown if *and == 0 => Value::Known((*xor).into()),
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
                (Value::Known(from), Value::Known(to)) => {
                    Value::Known((to & !u128::from(*to_mask)) ^ (from & u128::from(*from_mask)))
                }
                (Value::Absent, to) | (_, to @ Value::Absent) => to,
                (Value::Known(from), Value::Unknown) if *to_mask == u32::MAX => {
                    Value::Known(from & u128::from(*from_mask))
                }
                _ => Value::Unknown,
            };
            flow.put(*to, value);
        }
        // Once a packet is tracked it stays so (`nft_notrack_eval`).
        Effect::NoTrack
            if !matches!(
                flow.get(Field::CtState),
                Value::Known(ct_state::INVALID | ct_state::UNTRACKED)
            ) => {}
        Effect::NoTrack => {
            for field in crate::packet::Packet::connection_fields() {
                flow.put(*field, Value::Absent);
            }
            flow.put(Field::CtState, Value::Known(ct_state::UNTRACKED));
            flow.untracked = true;
        }
        Effect::Set { field, .. } | Effect::Forget { field }
            if flow.get(*field) == Value::Absent =>
        {
            return false;
        }
        Effect::Set { field, value } => flow.put(*field, Value::Known(*value)),
        Effect::Forget { field } => flow.put(*field, Value::Unknown),
        Effect::CtZone(_)
        | Effect::Log { .. }
        | Effect::UpdateSet { .. }
        | Effect::Other { .. } => {
            return false;
        }
    }
    true
}

/// Whether the rule can change what becomes of a packet.
pub(crate) fn matters(rule: &Rule) -> bool {
    rule.statements.iter().any(|statement| match statement {
        Statement::Verdict(Verdict::Continue) | Statement::Match(_) => false,
        Statement::Effect(effect) => !matches!(effect, Effect::Log { .. } | Effect::Other { .. }),
        Statement::Verdict(_) | Statement::VerdictMap(_) => true,
    })
}
