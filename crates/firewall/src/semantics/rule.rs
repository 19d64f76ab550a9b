//! What one rule does to the flows that reach it.

use super::flow::{Flow, merge};
use super::lookup::{Found, find};
use super::matching::{Truth, test};
use super::nat::rewrite;
use super::walk::{DEEPEST, DEEPEST_JUMP, MOST_FLOWS, Rest, Walk};
use super::{Decider, End, Happened, RuleAt};
use crate::model::{
    ChainId, Effect, ElementValue, Field, Match, Rule, Statement, Verdict, ct_state,
};
use crate::packet::Value;

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
        for flow in flows {
            self.run_rule(at, flow, &mut after, depth);
        }
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

    fn run_rule(&mut self, at: RuleAt, mut flow: Flow, after: &mut After, depth: Depth) {
        let firewall = self.firewall;
        let table = &firewall.tables[at.table];
        let rule = &table.chains[at.chain].rules[at.rule];
        let mut perhaps = String::new();
        let mut next = 0;
        while let Some(statement) = rule.statements.get(next) {
            match statement {
                Statement::Match(_) => {
                    let mut unknown: Vec<&Match> = Vec::new();
                    while let Some(Statement::Match(wanted)) = rule.statements.get(next) {
                        match test(firewall, table, &flow, wanted) {
                            Truth::Yes => {}
                            Truth::Maybe => unknown.push(wanted),
                            Truth::No => {
                                self.event_of(at, Happened::Failed(next), depth);
                                after.rest.on.push(flow);
                                return;
                            }
                        }
                        next += 1;
                    }
                    if unknown.is_empty() {
                        continue;
                    }
                    after.changed = true;
                    let words = self.words(rule, &unknown);
                    if matters(rule) {
                        flow.hangs.insert((at, words.clone()));
                    }
                    perhaps = words;
                    let mut missed = flow.clone();
                    if let [one] = unknown.as_slice() {
                        missed.assume(one, false);
                    }
                    after.rest.on.push(missed);
                    for one in unknown {
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
                    self.event_matched(at, &perhaps, depth);
                    self.verdict(at, verdict, flow, after);
                    return;
                }
                Statement::VerdictMap(map) => {
                    next += 1;
                    match find(firewall, table, &flow, &map.key, &map.map) {
                        Found::No => {
                            self.event_of(at, Happened::Failed(next - 1), depth);
                            after.rest.on.push(flow);
                            return;
                        }
                        Found::Yes(Some(ElementValue::Verdict(Verdict::Continue))) => {}
                        Found::Yes(Some(ElementValue::Verdict(verdict))) => {
                            self.event_matched(at, &perhaps, depth);
                            self.verdict(at, verdict, flow, after);
                            return;
                        }
                        found => {
                            after.changed = true;
                            let words = "the element of the map that fits is not known";
                            self.event_matched(at, words, depth);
                            flow.hangs.insert((at, words.to_owned()));
                            match found {
                                Found::Maybe(Some(values)) => {
                                    for value in values {
                                        if let ElementValue::Verdict(verdict) = value {
                                            self.verdict(at, verdict, flow.clone(), after);
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
        self.event_matched(at, &perhaps, depth);
        after.rest.on.push(flow);
    }

    fn event_of(&mut self, at: RuleAt, what: Happened, depth: Depth) {
        if !matches!(what, Happened::Failed(_)) || self.record == super::Record::All {
            self.event(at.table, at.chain, Some(at.rule), what, depth.all);
        }
    }

    fn event_matched(&mut self, at: RuleAt, perhaps: &str, depth: Depth) {
        let what = if perhaps.is_empty() {
            Happened::Matched
        } else {
            Happened::Perhaps(perhaps.to_owned())
        };
        self.event_of(at, what, depth);
    }

    fn words(&self, rule: &Rule, unknown: &[&Match]) -> String {
        let words: Vec<String> = unknown
            .iter()
            .map(|wanted| match wanted {
                Match::Opaque(opaque) => format!("`{}`", opaque.text),
                Match::Field { operand, .. } => {
                    format!("{:?} of the packet is not known", operand.field)
                }
                Match::InInterface { .. } => "the incoming interface is not known".into(),
                Match::OutInterface { .. } => "the outgoing interface is not known".into(),
                Match::Lookup(_) | Match::Any { .. } | Match::Never => {
                    format!(
                        "a set or a list in `{}`",
                        self.firewall.text(rule.place).trim()
                    )
                }
            })
            .collect();
        words.join(", ")
    }

    fn verdict(&mut self, at: RuleAt, verdict: &Verdict, mut flow: Flow, after: &mut After) {
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
                rewrite(&mut flow, nat, self.place.hook, self.surroundings);
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
                flow.hangs
                    .insert((at, format!("what `{}` decides", opaque.text)));
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
        if goto {
            // The end of a chain that was gone to is the end of the chain that went.
            rest.returned.extend(inner.on);
        } else {
            if !inner.on.is_empty() {
                self.event(at.table, to, None, Happened::Returned, deeper.all);
            }
            rest.on.extend(inner.on);
        }
    }
}

/// Applies an effect; whether it could change what later rules say.
fn apply(effect: &Effect, flow: &mut Flow) -> bool {
    match effect {
        Effect::SetMark { field, and, xor } => {
            let value = match flow.get(*field) {
                Value::Known(old) => Value::Known((old & u128::from(*and)) ^ u128::from(*xor)),
                _ if *and == 0 => Value::Known((*xor).into()),
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
        Effect::NoTrack => {
            for field in crate::packet::Packet::connection_fields() {
                flow.put(*field, Value::Absent);
            }
            flow.put(Field::CtState, Value::Known(ct_state::UNTRACKED));
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
fn matters(rule: &Rule) -> bool {
    rule.statements.iter().any(|statement| match statement {
        Statement::Verdict(Verdict::Continue) | Statement::Match(_) => false,
        Statement::Effect(effect) => !matches!(effect, Effect::Log { .. } | Effect::Other { .. }),
        Statement::Verdict(_) | Statement::VerdictMap(_) => true,
    })
}
