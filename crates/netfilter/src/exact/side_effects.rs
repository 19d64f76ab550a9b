//! What two firewalls do besides deciding, and for which packets one does it and the other does not.
//!
//! A packet that is written into a list, or put into another zone, comes to the same end in both;
//! later ones may not. For each thing that statements do, the packets that run such a statement are
//! compared.

use std::collections::{BTreeMap, BTreeSet};

use super::FollowedQuestion;
use super::definitions::{objects_named, set_definition};
use super::diagram::{Exhausted, Packets};
use super::pair::RulePair;
use super::space::PacketSpace;
use super::turns::{Turns, in_turn};
use super::word::BitVector;
use surefoot_ruleset::model::{
    Effect, Field, Firewall, KernelMemory, RuleAt, SideEffect, Statement, Table, Verdict,
};

/// Packets for which only one of two firewalls has a side effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferingSideEffect {
    /// The side effect.
    pub effect: SideEffect,
    /// Whether the first firewall has it, and the second has not.
    pub only_first: bool,
    /// A rule that has it.
    pub by: RuleAt,
    /// The packets for which that is so whatever the unknown answers are.
    pub certainly: Packets,
    /// The others for which it may be so.
    pub possibly: Packets,
}

/// A side effect, and what rules had changed of the addresses by which it keeps something.
type KeptEffect = (SideEffect, Vec<(Field, BitVector)>);

/// The packets that run statements of one kind, by their rules.
type RunBy = BTreeMap<KeptEffect, Vec<(RuleAt, Packets)>>;

/// The side effects by which two firewalls are compared.
#[derive(Clone, Debug)]
pub(crate) struct ComparedSideEffects {
    kinds: BTreeSet<SideEffect>,
    /// The parts that are written and tested, and are not modelled.
    parts: BTreeSet<KernelMemory>,
}

impl ComparedSideEffects {
    /// Those for which it matters which firewall has them: state that rules test later, and effects
    /// that do not follow from the end alone.
    pub(super) fn new(firewalls: [&Firewall; 2]) -> Self {
        let parts = asked_parts(firewalls);
        let mut kinds = BTreeSet::new();
        let (mut refusals, mut queues) = (BTreeSet::new(), BTreeSet::new());
        for (firewall, table, statement) in firewalls.into_iter().flat_map(statements) {
            let kind = SideEffect::of(statement, table, &firewall.ipsets);
            let kind = kind.map(|kind| kind.among(&parts));
            match statement {
                Statement::Verdict(Verdict::Reject { .. }) => refusals.extend(kind),
                Statement::Verdict(Verdict::Queue { .. }) => queues.extend(kind),
                _ => kinds.extend(kind),
            }
        }
        // Where all refusals are of one kind, who is refused says it.
        for verdicts in [refusals, queues] {
            if verdicts.len() > 1 {
                kinds.extend(verdicts);
            }
        }
        let memories: BTreeSet<KernelMemory> = kinds
            .iter()
            .filter_map(|kind| match kind {
                SideEffect::Remembered { memory, .. } => Some(memory.clone()),
                SideEffect::Shaped { .. } | SideEffect::Asked { .. } => None,
            })
            .collect();
        let asked: BTreeSet<&KernelMemory> = memories
            .iter()
            .filter(|memory| {
                // Where only one tests it, the difference shows in the ends of the packets that it
                // tests.
                memory.is_asked_by_kernel() || is_asked(memory, firewalls)
            })
            .collect();
        kinds.retain(|kind| kind.memory().is_none_or(|memory| asked.contains(memory)));
        Self { kinds, parts }
    }

    /// The side effect of a statement, if it is compared.
    pub(super) fn of(
        &self,
        statement: &Statement,
        table: &Table,
        firewall: &Firewall,
    ) -> Option<SideEffect> {
        if self.kinds.is_empty() {
            return None;
        }
        let effect = SideEffect::of(statement, table, &firewall.ipsets)?.among(&self.parts);
        self.kinds.contains(&effect).then_some(effect)
    }
}

/// Whether both firewalls test what is kept there.
fn is_asked(memory: &KernelMemory, firewalls: [&Firewall; 2]) -> bool {
    firewalls.iter().all(|firewall| {
        statements(firewall)
            .any(|(_, table, statement)| memory.is_asked_by(statement, table, &firewall.ipsets))
    })
}

/// The parts of packets that are not modelled and that both firewalls match on.
fn asked_parts(firewalls: [&Firewall; 2]) -> BTreeSet<KernelMemory> {
    let mut parts = BTreeSet::new();
    for (firewall, table, statement) in firewalls.into_iter().flat_map(statements) {
        let effect = SideEffect::of(statement, table, &firewall.ipsets);
        let memory = effect.as_ref().and_then(SideEffect::memory);
        parts.extend(
            memory
                .filter(|it| matches!(it, KernelMemory::PacketPart(_)))
                .cloned(),
        );
    }
    parts.retain(|part| is_asked(part, firewalls));
    parts
}

/// The ends of a packet by which a side effect keeps something, the source as true.
pub(super) fn kept_ends(effect: &SideEffect) -> impl Iterator<Item = bool> {
    let words = match effect {
        SideEffect::Remembered {
            memory: KernelMemory::Set(_) | KernelMemory::RecentList(_) | KernelMemory::HashLimit(_),
            words,
        } => words.as_str(),
        _ => "",
    };
    let any = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    let recent = words.contains("-m recent") && !any(&["--rdest"]);
    let source = recent || any(&["saddr", "sport", "src"]);
    let destination = any(&["daddr", "dport", "dst", "--rdest"]);
    [(source, true), (destination, false)]
        .into_iter()
        .filter_map(|(is_kept, end)| is_kept.then_some(end))
}

impl RulePair {
    /// The side effects that differ, as far as the packets of this family and way go.
    ///
    /// # Errors
    ///
    /// If the budget does not suffice.
    pub fn differing_side_effects(
        &mut self,
        firewalls: [&Firewall; 2],
    ) -> Result<Vec<DifferingSideEffect>, Exhausted> {
        let Some(compared) = self.space.twins.as_ref().map(|it| it.side_effects.clone()) else {
            return Ok(Vec::new());
        };
        if compared.kinds.is_empty() {
            return Ok(Vec::new());
        }
        let [first, second] = firewalls;
        let old = run_by(&mut self.space, &mut self.old, (first, &compared))?;
        let new = run_by(&mut self.space, &mut self.new, (second, &compared))?;
        let mut found = Vec::new();
        self.only_in_one((&old, &new), &mut found)?;
        let old = in_turn(&mut self.space, &self.old, (first, &compared))?;
        let new = in_turn(&mut self.space, &self.new, (second, &compared))?;
        self.other_turns((&old, &new), &mut found)?;
        Ok(found)
    }

    fn only_in_one(
        &mut self,
        (old, new): (&RunBy, &RunBy),
        found: &mut Vec<DifferingSideEffect>,
    ) -> Result<(), Exhausted> {
        for (only_first, here, there) in [(true, old, new), (false, new, old)] {
            for (kept, rules) in here {
                if matches!(kept.0, SideEffect::Asked { .. }) {
                    continue;
                }
                let others = there.get(kept).map_or(&[][..], Vec::as_slice);
                let others = self.all_of(others)?;
                let packets = self.all_of(rules)?;
                let only = self.space.store.minus(packets, others)?;
                let mut by = rules.iter();
                let by = by.find(|(_, packets)| self.space.store.sets_meet(*packets, only));
                if let Some((by, _)) = by {
                    found.extend(self.differing(&kept.0, (only_first, *by), only)?);
                }
            }
        }
        Ok(())
    }

    fn differing(
        &mut self,
        effect: &SideEffect,
        (only_first, by): (bool, RuleAt),
        only: Packets,
    ) -> Result<Option<DifferingSideEffect>, Exhausted> {
        let (certainly, possibly) = self.sure_and_open(only)?;
        let is_none = certainly.is_none() && possibly.is_none();
        Ok((!is_none).then(|| DifferingSideEffect {
            effect: effect.clone(),
            only_first,
            by,
            certainly,
            possibly,
        }))
    }

    /// The packets that do in both what is kept at one place, but in another order, or more often.
    fn other_turns(
        &mut self,
        (old, new): (&Turns, &Turns),
        found: &mut Vec<DifferingSideEffect>,
    ) -> Result<(), Exhausted> {
        for (only_first, here, there) in [(true, old, new), (false, new, old)] {
            for (turn, (by, packets)) in &here.pairs {
                let (memory, first, second) = turn;
                let mut only = *packets;
                for words in [first, second] {
                    let other = there.runs_of(memory, words);
                    only = self.space.store.and(only, other)?;
                }
                let other = there.pairs.get(turn).map_or(Packets::NONE, |pair| pair.1);
                let only = self.space.store.minus(only, other)?;
                let effect = SideEffect::Remembered {
                    memory: memory.clone(),
                    words: format!("{first}, then {second}"),
                };
                found.extend(self.differing(&effect, (only_first, *by), only)?);
            }
            for (done, times) in &here.times {
                let (memory, words) = done;
                let others = there.times.get(done).map_or(&[][..], Vec::as_slice);
                for (at, (by, packets)) in times.iter().enumerate().skip(1) {
                    let other = there.runs_of(memory, words);
                    let only = self.space.store.and(*packets, other)?;
                    let as_often = others.get(at).map_or(Packets::NONE, |other| other.1);
                    let only = self.space.store.minus(only, as_often)?;
                    let effect = SideEffect::Remembered {
                        memory: memory.clone(),
                        words: format!("{words}, {} times", at + 1),
                    };
                    found.extend(self.differing(&effect, (only_first, *by), only)?);
                }
            }
        }
        Ok(())
    }

    fn all_of(&mut self, rules: &[(RuleAt, Packets)]) -> Result<Packets, Exhausted> {
        let packets = rules.iter().map(|(_, packets)| *packets).collect();
        self.space.store.unite_all(packets)
    }
}

fn statements(firewall: &Firewall) -> impl Iterator<Item = (&Firewall, &Table, &Statement)> {
    firewall.tables.iter().flat_map(move |table| {
        let rules = table.chains.iter().flat_map(|chain| &chain.rules);
        let all = rules.flat_map(|rule| &rule.statements);
        all.map(move |statement| (firewall, table, statement))
    })
}

/// The effect with the definition of what it fills or names.
fn with_definition(
    effect: SideEffect,
    statement: &Statement,
    (firewall, table): (&Firewall, &Table),
) -> SideEffect {
    let SideEffect::Remembered { memory, words } = effect else {
        return effect;
    };
    let defined = match statement {
        Statement::Effect(Effect::UpdateSet { set, .. }) => set_definition(firewall, table, set),
        Statement::Effect(Effect::Remember { text, .. }) => {
            Some(objects_named(table, text).join("; "))
        }
        _ => None,
    };
    let words = match defined.filter(|text| !text.is_empty()) {
        Some(text) => format!("{words} ({text})"),
        None => words,
    };
    SideEffect::Remembered { memory, words }
}

/// The packets that run statements with a side effect, by the effect.
fn run_by(
    space: &mut PacketSpace,
    followed: &mut FollowedQuestion,
    (firewall, compared): (&Firewall, &ComparedSideEffects),
) -> Result<RunBy, Exhausted> {
    followed.find_entered(space)?;
    let mut run_by = RunBy::new();
    for (passage, entered) in followed.passages.iter().zip(&followed.entered) {
        let (t, c) = passage.chain;
        let table = &firewall.tables[t];
        for run in &passage.side_effects {
            let statement = &table.chains[c].rules[run.rule].statements[run.statement];
            let Some(effect) = compared.of(statement, table, firewall) else {
                continue;
            };
            let effect = with_definition(effect, statement, (firewall, table));
            let reach = space.store.and(run.reach, *entered)?;
            let packets = space.store.and(reach, run.holds)?;
            let by = RuleAt {
                table: t,
                chain: c,
                rule: run.rule,
            };
            let kept = (effect, run.rewritten.clone());
            run_by.entry(kept).or_default().push((by, packets));
        }
    }
    Ok(run_by)
}
