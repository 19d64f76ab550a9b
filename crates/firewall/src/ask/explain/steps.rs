//! From what the evaluator recorded to the steps that a person reads.

use super::{BaseChain, ExplainedStep, HookPart, RuleMatched, StepKind, end_decided_by};
use crate::ask::name::{place_of, rule_at, rule_text};
use crate::ask::reason::{RuleContext, failed_words, matched_words, unknown_words};
use surefoot_netfilter::packet::{FieldValue, Packet, value_words};
use surefoot_netfilter::semantics::{
    Decider, Evaluation, EventKind, FieldRewrite, TraceEvent, is_before_tracking,
};
use surefoot_ruleset::model::{Base, Field, Firewall, Hook, Policy, RuleAt, Verdict};
use surefoot_ruleset::model::{backend_word, chain_name};

/// The hooks, chains and rules on the packet's way.
pub(super) fn hook_parts(
    firewall: &Firewall,
    packet: &Packet,
    evaluation: &Evaluation,
) -> Vec<HookPart> {
    let mut builder = StepBuilder {
        firewall,
        packet,
        evaluation,
        hooks: Vec::new(),
        base: None,
        open: Vec::new(),
    };
    for event in &evaluation.events {
        builder.add_event(event);
    }
    builder.hooks
}

/// A chain that is being run.
struct OpenChain {
    chain: usize,
    depth: u32,
    /// The rules before this one are accounted for.
    next: usize,
    /// The rule that was shown last.
    last: Option<usize>,
}

struct StepBuilder<'a> {
    firewall: &'a Firewall,
    packet: &'a Packet,
    evaluation: &'a Evaluation,
    hooks: Vec<HookPart>,
    base: Option<(Hook, usize, usize)>,
    open: Vec<OpenChain>,
}

impl StepBuilder<'_> {
    fn add_event(&mut self, event: &TraceEvent) {
        self.open_chain(event);
        match (&event.what, event.rule) {
            (EventKind::Policy, _) => self.add_policy(event),
            (EventKind::Returned, _) => {
                self.skip_to_end(event);
                let chain = &self.firewall.tables[event.table].chains[event.chain];
                let chain = chain.name.clone();
                self.push_step(event.depth, StepKind::Left { chain });
                self.open.pop();
            }
            (EventKind::Rewritten(rewrite), _) => {
                let kind = self.rewritten_step(rewrite);
                self.push_step(event.depth, kind);
            }
            (EventKind::Matched | EventKind::Perhaps(_) | EventKind::Failed(_), Some(rule)) => {
                self.add_rule(event, rule);
            }
            (_, None) => {}
        }
    }

    /// Opens the hook, the base chain and the called chain of an event.
    fn open_chain(&mut self, event: &TraceEvent) {
        if self
            .hooks
            .last()
            .is_none_or(|hook| hook.hook != event.hook.word())
        {
            self.base = None;
            self.hooks.push(HookPart {
                hook: event.hook.word(),
                chains: Vec::new(),
            });
        }
        if event.depth == 0 {
            let base = (event.hook, event.table, event.chain);
            if self.base != Some(base) {
                self.base = Some(base);
                self.open.clear();
                self.begin_chain(event);
            }
        }
        while self
            .open
            .last()
            .is_some_and(|open| open.depth > event.depth)
        {
            self.open.pop();
        }
        let here = |open: &OpenChain| open.depth == event.depth && open.chain == event.chain;
        if !self.open.last().is_some_and(here) {
            if self
                .open
                .last()
                .is_some_and(|open| open.depth == event.depth)
            {
                self.open.pop();
            }
            if event.depth > 0 {
                let chain = &self.firewall.tables[event.table].chains[event.chain];
                let chain = chain.name.clone();
                self.push_step(event.depth, StepKind::Enter { chain });
            }
            self.open.push(OpenChain {
                chain: event.chain,
                depth: event.depth,
                next: 0,
                last: None,
            });
        }
    }

    fn begin_chain(&mut self, event: &TraceEvent) {
        let table = &self.firewall.tables[event.table];
        let chain = &table.chains[event.chain];
        let Some(base) = &chain.base else { return };
        let part = BaseChain {
            name: chain_name(table, chain),
            backend: backend_word(table.backend),
            priority: base.priority,
            policy: policy_word(base.policy),
            steps: Vec::new(),
        };
        if let Some(hook) = self.hooks.last_mut() {
            hook.chains.push(part);
        }
    }

    fn open_steps(&mut self) -> Option<&mut Vec<ExplainedStep>> {
        let hook = self.hooks.last_mut()?;
        hook.chains.last_mut().map(|chain| &mut chain.steps)
    }

    fn push_step(&mut self, depth: u32, kind: StepKind) {
        if let Some(steps) = self.open_steps() {
            steps.push(ExplainedStep { depth, kind });
        }
    }

    fn skip_rules(&mut self, depth: u32, to: usize) {
        let Some(open) = self.open.last_mut() else {
            return;
        };
        let rules = to.saturating_sub(open.next);
        open.next = open.next.max(to);
        if rules > 0 {
            self.push_step(depth, StepKind::Skipped { rules });
        }
    }

    fn skip_to_end(&mut self, event: &TraceEvent) {
        let rules = &self.firewall.tables[event.table].chains[event.chain].rules;
        self.skip_rules(event.depth, rules.len());
    }

    fn add_policy(&mut self, event: &TraceEvent) {
        self.skip_to_end(event);
        let chain = &self.firewall.tables[event.table].chains[event.chain];
        let Some(base) = &chain.base else { return };
        let by = Decider::Policy {
            table: event.table,
            chain: event.chain,
        };
        let kind = StepKind::Policy {
            policy: policy_word(base.policy),
            packets: chain.policy_counters.map(|counters| counters.packets),
            decides: end_decided_by(self.evaluation, by),
        };
        self.push_step(event.depth, kind);
    }

    fn add_rule(&mut self, event: &TraceEvent, index: usize) {
        let at = RuleAt {
            table: event.table,
            chain: event.chain,
            rule: index,
        };
        let (table, chain, rule) = rule_at(self.firewall, at);
        let place = RuleContext {
            firewall: self.firewall,
            table,
            rule,
            untracked_yet: self.base_of(event).and_then(is_before_tracking) == Some(true),
        };
        let (answer, why) = match &event.what {
            EventKind::Failed(_) => {
                let why = event.saw.first().map(|saw| failed_words(place, saw));
                (RuleMatched::No, why.into_iter().collect())
            }
            EventKind::Perhaps(statements) => {
                let statements = statements.iter();
                let why = statements.map(|one| unknown_words(place, *one, &event.saw).0);
                (RuleMatched::Maybe, why.collect())
            }
            _ => {
                let why = matched_words(place, &event.saw);
                let why = if why.is_empty() && rule.statements.iter().all(always_holds) {
                    "every packet".to_owned()
                } else {
                    why
                };
                (RuleMatched::Yes, vec![why])
            }
        };
        let why: Vec<String> = why.into_iter().filter(|why| !why.is_empty()).collect();
        if self.same_rule_again(index, answer, &why) {
            return;
        }
        self.skip_rules(event.depth, index);
        let leaves = answer == RuleMatched::Yes && rule.statements.iter().any(leaves_chain);
        if let Some(open) = self.open.last_mut() {
            // What stands behind a RETURN or a goto is not reached, so it is not counted.
            open.next = if leaves { chain.rules.len() } else { index + 1 };
            open.last = Some(index);
        }
        let decides = end_decided_by(self.evaluation, Decider::Rule(at))
            .filter(|_| answer != RuleMatched::No);
        let kind = StepKind::Rule {
            number: rule.number,
            chain: chain.name.clone(),
            text: rule_text(self.firewall, rule),
            place: place_of(self.firewall, rule.place),
            packets: rule.counters.map(|counters| counters.packets),
            matched: answer,
            why,
            decides,
        };
        self.push_step(event.depth, kind);
    }

    fn base_of(&self, event: &TraceEvent) -> Option<&Base> {
        let (_, table, chain) = self.base?;
        debug_assert_eq!(table, event.table, "jumps stay in a table");
        self.firewall.tables[table].chains[chain].base.as_ref()
    }

    /// One rule can be looked at by several flows: where they differ, it only may match.
    fn same_rule_again(&mut self, index: usize, answer: RuleMatched, why: &[String]) -> bool {
        let again = self
            .open
            .last()
            .is_some_and(|open| open.last == Some(index));
        if !again {
            return false;
        }
        let last = self.open_steps().and_then(|steps| {
            let mut kinds = steps.iter_mut().rev().map(|step| &mut step.kind);
            kinds.find_map(|kind| match kind {
                StepKind::Rule { matched, why, .. } => Some((matched, why)),
                _ => None,
            })
        });
        let Some((matched, reasons)) = last else {
            return false;
        };
        if *matched != answer {
            *matched = RuleMatched::Maybe;
        }
        for reason in why {
            if !reasons.contains(reason) {
                reasons.push(reason.clone());
            }
        }
        true
    }

    fn rewritten_step(&self, rewrite: &FieldRewrite) -> StepKind {
        let v6 = self.packet.is_v6();
        let field = if v6 { Field::Ip6Src } else { Field::Ip4Src };
        let (from, to) = (rewrite.from, rewrite.to);
        StepKind::Rewritten {
            end: if rewrite.source {
                "source"
            } else {
                "destination"
            },
            from: end_words(field, from),
            to: end_words(field, to),
        }
    }
}

fn end_words(field: Field, (address, port): (FieldValue, FieldValue)) -> String {
    let words = match address {
        FieldValue::Known(number)
            if field == Field::Ip6Src && matches!(port, FieldValue::Known(_)) =>
        {
            format!("[{}]", value_words(field, number))
        }
        FieldValue::Known(number) => value_words(field, number),
        FieldValue::Absent | FieldValue::Unknown => "an unknown address".to_owned(),
    };
    match (port, address) {
        (FieldValue::Known(port), FieldValue::Known(_)) => format!("{words}:{port}"),
        (FieldValue::Known(port), _) => format!("{words}, port {port}"),
        (FieldValue::Unknown, FieldValue::Known(_)) => format!("{words}, an unknown port"),
        _ => words,
    }
}

fn always_holds(statement: &surefoot_ruleset::model::Statement) -> bool {
    !matches!(
        statement,
        surefoot_ruleset::model::Statement::Match(_)
            | surefoot_ruleset::model::Statement::VerdictMap(_)
    )
}

/// Whether a rule that matches is the last one of its chain that is looked at.
fn leaves_chain(statement: &surefoot_ruleset::model::Statement) -> bool {
    matches!(
        statement,
        surefoot_ruleset::model::Statement::Verdict(Verdict::Return | Verdict::Goto(_))
            | surefoot_ruleset::model::Statement::VerdictMap(_)
    )
}

fn policy_word(policy: Policy) -> &'static str {
    match policy {
        Policy::Accept => "accept",
        Policy::Drop => "drop",
    }
}
