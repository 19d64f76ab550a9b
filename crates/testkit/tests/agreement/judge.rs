//! Whether the evaluator says what the kernel did.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use surefoot_netfilter::Surroundings;
use surefoot_netfilter::lookup::CompiledRules;
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::{
    Decider, End, Evaluation, EventKind, RecordLevel, RuleIndex, evaluate,
};
use surefoot_ruleset::model::{
    Backend, ChainKind, Effect, Family, Firewall, Hook, Match, Policy, RuleAt, SetRef, Statement,
    Table, Verdict,
};
use surefoot_testkit::{Observation, Step, What};

/// How an answer compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// One answer, and it is the kernel's: end, decider, and every rule on the way.
    Agrees,
    /// Several answers, as something is not known; the kernel's is among them.
    Among,
    /// The kernel says something else; the words say what.
    Differs(String),
}

/// Asks the evaluator and compares.
pub(crate) fn judge(
    firewall: &Firewall,
    index: &RuleIndex,
    surroundings: &Surroundings,
    packet: &Packet,
    seen: &Observation,
) -> Judgement {
    let evaluation = evaluate(firewall, index, surroundings, packet, RecordLevel::Mattered);
    match compare(firewall, &evaluation, seen) {
        Ok(true) => Judgement::Agrees,
        Ok(false) => Judgement::Among,
        Err(why) => {
            let mut words = format!("{why}\nthe kernel: passed {}\n", seen.passed);
            for step in &seen.steps {
                let text = Place::of_step(firewall, step).map_or("", |place| place.text(firewall));
                let _ = writeln!(
                    words,
                    "    {} {} {:?} {:?}: {text}",
                    step.table, step.chain, step.rule, step.what
                );
            }
            let _ = writeln!(words, "the evaluator: {:?}", evaluation.outcomes);
            for event in &evaluation.events {
                let _ = writeln!(words, "    {event:?}");
            }
            for note in &evaluation.notes {
                let _ = writeln!(words, "    note: {note}");
            }
            Judgement::Differs(words)
        }
    }
}

fn compare(
    firewall: &Firewall,
    evaluation: &Evaluation,
    seen: &Observation,
) -> Result<bool, String> {
    let steps: Vec<Place> = seen
        .steps
        .iter()
        .map(|step| Place::of_step(firewall, step).ok_or(format!("not in the model: {step:?}")))
        .collect::<Result<_, String>>()?;
    let (end, by) = decided(firewall, seen, &steps);
    let fits = |outcome: &surefoot_netfilter::semantics::Outcome| {
        outcome.end == End::Unknown
            || outcome.end == end && by.is_none_or(|by| seen_decider(outcome.by) == by)
    };
    let open = evaluation
        .events
        .iter()
        .any(|event| matches!(event.what, EventKind::Perhaps(_)))
        || evaluation.several_ways;
    if let ([outcome], false) = (evaluation.outcomes.as_slice(), open)
        && outcome.end != End::Unknown
    {
        if !fits(outcome) {
            return Err(format!("the kernel ends with {end:?} by {by:?}"));
        }
        // The order of what legacy tables count is not known.
        let (mut there, mut here) = (steps, Place::of_events(evaluation));
        if seen.steps.iter().any(|step| step.legacy) {
            there.sort();
            here.sort();
        }
        if there != here {
            return Err(format!(
                "the way differs\n  kernel    {there:?}\n  evaluator {here:?}"
            ));
        }
        return Ok(true);
    }
    if evaluation.outcomes.iter().any(fits) {
        Ok(false)
    } else {
        Err(format!("the kernel ends with {end:?} by {by:?}"))
    }
}

/// Compares what the look-up says; where it leaves the answer to the evaluator it is open.
pub(crate) fn judge_lookup(
    firewall: &Firewall,
    lookup: &CompiledRules,
    packet: &Packet,
    seen: &Observation,
) -> Judgement {
    let key = lookup.key(packet);
    let Some((end, by)) = key.and_then(|key| lookup.judge(&key)) else {
        return Judgement::Among;
    };
    let steps = seen.steps.iter().map(|step| Place::of_step(firewall, step));
    let Some(steps) = steps.collect::<Option<Vec<Place>>>() else {
        return Judgement::Differs("a step that is not in the model".into());
    };
    let (kernel, kernel_by) = decided(firewall, seen, &steps);
    if end == kernel && kernel_by.is_none_or(|kernel_by| kernel_by == by) {
        return Judgement::Agrees;
    }
    Judgement::Differs(format!(
        "the kernel ends with {kernel:?} by {kernel_by:?}, the look-up with {end:?} by {by:?}\n{seen:?}\n"
    ))
}

/// How the kernel ended it, if every step is one of the model's.
pub(crate) fn kernel_end(firewall: &Firewall, seen: &Observation) -> Option<End> {
    let steps: Option<Vec<Place>> = seen
        .steps
        .iter()
        .map(|step| Place::of_step(firewall, step))
        .collect();
    Some(decided(firewall, seen, &steps?).0)
}

/// What the packet met that makes it worth a count of its own.
pub(crate) fn met(firewall: &Firewall, seen: &Observation) -> BTreeSet<&'static str> {
    let places = seen
        .steps
        .iter()
        .filter_map(|step| Place::of_step(firewall, step));
    let mut met = BTreeSet::new();
    for place in places {
        met.extend(place.statements(firewall).iter().filter_map(kind_of));
    }
    met
}

fn kind_of(statement: &Statement) -> Option<&'static str> {
    match statement {
        Statement::Verdict(Verdict::Nat(_)) => Some("NAT"),
        Statement::Effect(Effect::SetMark { .. } | Effect::CopyMark { .. }) => Some("marks"),
        Statement::Effect(Effect::NoTrack) => Some("notrack"),
        Statement::VerdictMap(_) => Some("verdict maps"),
        Statement::Match(Match::Lookup(lookup)) => match lookup.set {
            SetRef::Ipset(_) => Some("ipset"),
            _ => Some("sets"),
        },
        _ => None,
    }
}

/// The kernel numbers chains without a name over all its tables, so a rule set of ours has one.
fn same_name(ours: &str, theirs: &str) -> bool {
    let nameless = |name: &str| name.starts_with("__chain");
    ours == theirs || nameless(ours) && nameless(theirs)
}

/// A rule of the model, or a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    table: usize,
    chain: usize,
    rule: Option<usize>,
}

impl Place {
    fn of_step(firewall: &Firewall, step: &Step) -> Option<Self> {
        let family = match step.family {
            1 => Family::Inet,
            5 => Family::Netdev,
            2 => Family::Ip,
            10 => Family::Ip6,
            _ => return None,
        };
        let table = firewall.tables.iter().position(|table| {
            (table.backend == Backend::IptablesLegacy) == step.legacy
                && table.family == family
                && table.name == step.table
        })?;
        let chains = &firewall.tables[table].chains;
        let chain = chains
            .iter()
            .position(|chain| same_name(&chain.name, &step.chain))?;
        if let Some(rule) = step.rule {
            chains[chain].rules.get(rule)?;
        }
        Some(Self {
            table,
            chain,
            rule: step.rule,
        })
    }

    fn of_events(evaluation: &Evaluation) -> Vec<Self> {
        evaluation
            .events
            .iter()
            .filter(|event| matches!(event.what, EventKind::Matched | EventKind::Policy))
            .map(|event| Self {
                table: event.table,
                chain: event.chain,
                rule: event.rule,
            })
            .collect()
    }

    fn decider(self) -> Decider {
        let Self { table, chain, rule } = self;
        match rule {
            Some(rule) => Decider::Rule(RuleAt { table, chain, rule }),
            None => Decider::Policy { table, chain },
        }
    }

    fn statements(self, firewall: &Firewall) -> &[Statement] {
        self.rule.map_or(&[], |rule| {
            &firewall.tables[self.table].chains[self.chain].rules[rule].statements
        })
    }

    fn text(self, firewall: &Firewall) -> &str {
        self.rule.map_or("", |rule| {
            let rule = &firewall.tables[self.table].chains[self.chain].rules[rule];
            firewall.text(rule.place).trim()
        })
    }

    fn verdict(self, firewall: &Firewall) -> Option<&Verdict> {
        self.statements(firewall)
            .iter()
            .find_map(|statement| match statement {
                Statement::Verdict(verdict) => Some(verdict),
                _ => None,
            })
    }

    fn policy(self, firewall: &Firewall) -> Option<Policy> {
        let base = firewall.tables[self.table].chains[self.chain].base.as_ref();
        self.rule
            .is_none()
            .then(|| base.map(|base| base.policy))
            .flatten()
    }
}

/// How the kernel ended it, and by what where that can be told.
fn decided(firewall: &Firewall, seen: &Observation, steps: &[Place]) -> (End, Option<Decider>) {
    if seen.passed {
        return (End::Accepted, accepted_by(firewall, seen, steps));
    }
    let last = seen
        .steps
        .iter()
        .zip(steps)
        .rev()
        .find(|(step, place)| match step.what {
            What::Drop | What::Queue => true,
            What::Accept | What::On => false,
            What::Counted => {
                matches!(
                    place.verdict(firewall),
                    Some(Verdict::Drop | Verdict::Reject { .. } | Verdict::Queue { .. })
                ) || place.policy(firewall) == Some(Policy::Drop)
            }
        });
    let Some((_, place)) = last else {
        return (End::Dropped, Some(Decider::Kernel));
    };
    let end = match place.verdict(firewall) {
        Some(Verdict::Reject { .. }) => End::Rejected,
        Some(Verdict::Queue { .. }) => End::Queued,
        _ => End::Dropped,
    };
    (end, Some(place.decider()))
}

/// A decider as far as it is seen: why the kernel drops a packet itself, it does not say.
fn seen_decider(by: Decider) -> Decider {
    match by {
        Decider::Refusal(_) => Decider::Kernel,
        other => other,
    }
}

/// What accepted it, by the rule that [`surefoot_netfilter::semantics::Outcome::by`] tells of. The
/// order in which legacy tables were met is not known, and so neither is this.
fn accepted_by(firewall: &Firewall, seen: &Observation, steps: &[Place]) -> Option<Decider> {
    if seen.steps.iter().any(|step| step.legacy) {
        return None;
    }
    let mut best: Option<(u8, Place)> = None;
    let mut main = false;
    for (step, place) in seen.steps.iter().zip(steps) {
        let table: &Table = &firewall.tables[place.table];
        if let Some(base) = &table.chains[place.chain].base {
            main = matches!(base.hook, Hook::Input | Hook::Forward | Hook::Output)
                && base.kind == ChainKind::Filter;
        }
        if step.what != What::Accept {
            continue;
        }
        let weight = u8::from(main) * 2 + u8::from(place.rule.is_some());
        if best.is_none_or(|(other, _)| other <= weight) {
            best = Some((weight, *place));
        }
    }
    Some(best.map_or(Decider::Kernel, |(_, place)| place.decider()))
}
