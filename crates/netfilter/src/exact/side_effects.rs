//! What two firewalls do besides deciding, and for which packets one does it and the other does not.
//!
//! A packet that is written into a list, or put into another zone, meets the same end in both; later
//! ones may not. For each thing that statements do, the packets that run such a statement are
//! compared.

use std::collections::{BTreeMap, BTreeSet};

use super::FollowedQuestion;
use super::diagram::{Exhausted, Packets};
use super::pair::RulePair;
use super::space::PacketSpace;
use surefoot_ruleset::model::{
    Firewall, KernelMemory, RuleAt, SideEffect, Statement, Table, Verdict,
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
    /// The packets for which that is so whatever is not known.
    pub certainly: Packets,
    /// The others for which it may be so.
    pub possibly: Packets,
}

/// The packets that run statements of one kind, by their rules.
type RunBy = BTreeMap<SideEffect, Vec<(RuleAt, Packets)>>;

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
        let twins = self.space.twins.as_ref();
        if twins.is_none_or(|twins| twins.side_effects.is_empty()) {
            return Ok(Vec::new());
        }
        let [first, second] = firewalls;
        let old = run_by(&mut self.space, &mut self.old, first)?;
        let new = run_by(&mut self.space, &mut self.new, second)?;
        let mut found = Vec::new();
        for (only_first, here, there) in [(true, &old, &new), (false, &new, &old)] {
            for (effect, rules) in here {
                let others = there.get(effect).map_or(&[][..], Vec::as_slice);
                let others = self.all_of(others)?;
                let packets = self.all_of(rules)?;
                let only = self.space.store.minus(packets, others)?;
                let (certainly, possibly) = self.sure_and_open(only)?;
                let mut by = rules.iter();
                let by = by.find(|(_, packets)| self.space.store.sets_meet(*packets, only));
                let Some((by, _)) = by.filter(|_| !(certainly.is_none() && possibly.is_none()))
                else {
                    continue;
                };
                found.push(DifferingSideEffect {
                    effect: effect.clone(),
                    only_first,
                    by: *by,
                    certainly,
                    possibly,
                });
            }
        }
        Ok(found)
    }

    fn all_of(&mut self, rules: &[(RuleAt, Packets)]) -> Result<Packets, Exhausted> {
        let packets = rules.iter().map(|(_, packets)| *packets).collect();
        self.space.store.unite_all(packets)
    }
}

/// The side effects of which it matters who has them: what is kept for rules that ask, and what
/// does not follow from the end alone.
pub(super) fn comparable_side_effects(firewalls: [&Firewall; 2]) -> BTreeSet<SideEffect> {
    let mut kinds = BTreeSet::new();
    let (mut refusals, mut queues) = (BTreeSet::new(), BTreeSet::new());
    for (firewall, table, statement) in firewalls.into_iter().flat_map(statements) {
        let kind = SideEffect::of(statement, table, &firewall.ipsets);
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
            SideEffect::Shaped { .. } => None,
        })
        .collect();
    let asked: BTreeSet<&KernelMemory> = memories
        .iter()
        .filter(|memory| {
            // Where only one asks, the ends of the packets that it asks about tell.
            memory.is_asked_by_kernel()
                || firewalls.iter().all(|firewall| {
                    statements(firewall).any(|(_, table, statement)| {
                        memory.is_asked_by(statement, table, &firewall.ipsets)
                    })
                })
        })
        .collect();
    kinds.retain(|kind| match kind {
        SideEffect::Remembered { memory, .. } => asked.contains(memory),
        SideEffect::Shaped { .. } => true,
    });
    kinds
}

fn statements(firewall: &Firewall) -> impl Iterator<Item = (&Firewall, &Table, &Statement)> {
    firewall.tables.iter().flat_map(move |table| {
        let rules = table.chains.iter().flat_map(|chain| &chain.rules);
        let all = rules.flat_map(|rule| &rule.statements);
        all.map(move |statement| (firewall, table, statement))
    })
}

/// The packets that run statements with a side effect, by the effect.
fn run_by(
    space: &mut PacketSpace,
    followed: &mut FollowedQuestion,
    firewall: &Firewall,
) -> Result<RunBy, Exhausted> {
    followed.find_entered(space)?;
    let mut run_by = RunBy::new();
    for (passage, entered) in followed.passages.iter().zip(&followed.entered) {
        let (t, c) = passage.chain;
        let table = &firewall.tables[t];
        for run in &passage.side_effects {
            let statement = &table.chains[c].rules[run.rule].statements[run.statement];
            let Some(effect) = SideEffect::of(statement, table, &firewall.ipsets) else {
                continue;
            };
            let reach = space.store.and(run.reach, *entered)?;
            let packets = space.store.and(reach, run.holds)?;
            let by = RuleAt {
                table: t,
                chain: c,
                rule: run.rule,
            };
            run_by.entry(effect).or_default().push((by, packets));
        }
    }
    Ok(run_by)
}
