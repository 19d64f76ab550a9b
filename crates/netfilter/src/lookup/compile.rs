//! From the rules of the model to steps on slots.

use std::collections::BTreeMap;

use super::key::FieldSlots;
use super::step::{self, CompiledAction, CompiledPart, CompiledStep};
use super::tree::{Hull, SlotTree, key_place};
use crate::packet::Packet;
use crate::semantics::{resolve_set, rule_matters};
use surefoot_ruleset::model::{
    Component, Content, Effect, ElementValue, Field, Firewall, KeyPart, Lookup, Match, Operand,
    Range, Rule, Set, SetKind, SetRef, Statement, Table, Verdict, VerdictLookup,
};

/// Rules that are looked at one by one.
const FEW: usize = 12;
/// Slots that a tree cuts by.
const MOST_AXES: usize = 6;
/// Elements of several parts that are looked at one by one.
const MOST_ELEMENTS: usize = 64;

/// A chain, ready to be run.
#[derive(Clone, Debug)]
pub(super) struct CompiledChain {
    /// Its index in the table of the model.
    pub(super) at: usize,
    pub(super) rules: Vec<CompiledRule>,
    pub(super) tree: Option<SlotTree>,
}

/// A rule, ready to be run.
#[derive(Clone, Copy, Debug)]
pub(super) struct CompiledRule {
    /// Its index in the chain of the model.
    pub(super) at: u32,
    /// The first of its steps.
    start: u32,
    /// The first step behind the tests that it begins with.
    verdict: u32,
    end: u32,
}

impl CompiledRule {
    /// The tests that the rule begins with.
    pub(super) fn tests_of<'a>(&self, steps: &'a [CompiledStep]) -> &'a [CompiledStep] {
        &steps[self.start as usize..self.verdict as usize]
    }

    pub(super) fn steps_of<'a>(&self, steps: &'a [CompiledStep]) -> &'a [CompiledStep] {
        &steps[self.start as usize..self.end as usize]
    }
}

/// A rule with steps of its own.
struct RuleDraft {
    at: usize,
    steps: Vec<CompiledStep>,
    /// How many tests it begins with.
    tests: usize,
}

/// Compiles the rules that packets of one family can reach.
pub(super) struct RuleCompiler<'a> {
    pub(super) firewall: &'a Firewall,
    pub(super) v6: bool,
    pub(super) slots: FieldSlots,
    pub(super) chains: Vec<CompiledChain>,
    /// The steps of all rules.
    pub(super) steps: Vec<CompiledStep>,
    /// Where a chain of the model went, by table and index.
    known: BTreeMap<(usize, usize), usize>,
}

impl<'a> RuleCompiler<'a> {
    pub(super) fn new(firewall: &'a Firewall, v6: bool) -> Self {
        Self {
            firewall,
            v6,
            slots: FieldSlots::new(v6),
            chains: Vec::new(),
            steps: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// The compiled chain, and those that it calls.
    pub(super) fn compile_chain(&mut self, table: usize, chain: usize) -> usize {
        if let Some(at) = self.known.get(&(table, chain)) {
            return *at;
        }
        let place = self.chains.len();
        self.known.insert((table, chain), place);
        self.chains.push(CompiledChain {
            at: chain,
            rules: Vec::new(),
            tree: None,
        });
        let firewall = self.firewall;
        let rules = &firewall.tables[table].chains[chain].rules;
        let rules: Vec<RuleDraft> = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| rule_matters(rule))
            .filter_map(|(at, rule)| self.compile_rule(table, at, rule))
            .collect();
        let tree = (rules.len() > FEW).then(|| plant_tree(&rules));
        let rules = self.lay_out(rules, tree.as_ref());
        self.chains[place] = CompiledChain {
            at: chain,
            rules,
            tree,
        };
        place
    }

    /// Puts the steps of rules that are looked at together beside each other.
    fn lay_out(&mut self, mut rules: Vec<RuleDraft>, tree: Option<&SlotTree>) -> Vec<CompiledRule> {
        let nothing = CompiledRule {
            at: 0,
            start: 0,
            verdict: 0,
            end: 0,
        };
        let mut compiled = vec![nothing; rules.len()];
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let order: Vec<usize> = match tree {
            Some(tree) => tree.held_order().collect(),
            None => (0..rules.len()).collect(),
        };
        for rule in order {
            let RuleDraft { at, steps, tests } = &mut rules[rule];
            let start = self.steps.len();
            self.steps.append(steps);
            compiled[rule] = CompiledRule {
                at: place(*at),
                start: place(start),
                verdict: place(start + *tests),
                end: place(self.steps.len()),
            };
        }
        compiled
    }

    /// The steps of a rule; none if it matches no packet of the family.
    fn compile_rule(&mut self, table: usize, at: usize, rule: &Rule) -> Option<RuleDraft> {
        let mut steps = Vec::with_capacity(rule.statements.len());
        let mut tests = None;
        for statement in &rule.statements {
            let of_table = &self.firewall.tables[table];
            let step = match statement {
                Statement::Match(wanted) => match self.compile_match(of_table, wanted) {
                    TestDraft::Yes => continue,
                    TestDraft::No if tests.is_none() => return None,
                    TestDraft::No => Some(CompiledStep::Test(Box::new(step::CompiledTest::Never))),
                    TestDraft::Ask(step) => Some(step),
                },
                Statement::Effect(effect) => self.compile_effect(effect),
                Statement::Verdict(Verdict::Continue) => None,
                Statement::Verdict(verdict) => {
                    Some(CompiledStep::Decide(self.compile_verdict(table, verdict)))
                }
                Statement::VerdictMap(map) => Some(self.compile_map(table, map)),
            };
            if !matches!(statement, Statement::Match(_)) {
                tests.get_or_insert(steps.len());
            }
            steps.extend(step);
        }
        let tests = tests.unwrap_or(steps.len());
        Some(RuleDraft { at, steps, tests })
    }

    fn compile_match(&mut self, table: &Table, wanted: &Match) -> TestDraft {
        match wanted {
            Match::Field {
                operand,
                negated,
                ranges,
            } => self.compile_number(*operand, *negated, ranges.clone(), false),
            Match::InInterface { negated, names } | Match::OutInterface { negated, names } => {
                TestDraft::any_of(step::CompiledTest::Interface {
                    coming: matches!(wanted, Match::InInterface { .. }),
                    negated: *negated,
                    names: names.clone().into(),
                })
            }
            Match::Lookup(lookup) => self.look_up(table, lookup),
            Match::Any { negated, of } => {
                let mut open = Vec::new();
                for one in of {
                    match self.compile_match(table, one) {
                        TestDraft::Yes => {
                            return if *negated {
                                TestDraft::No
                            } else {
                                TestDraft::Yes
                            };
                        }
                        TestDraft::No => {}
                        TestDraft::Ask(step) => open.push(step),
                    }
                }
                TestDraft::any_of(step::CompiledTest::Any {
                    negated: *negated,
                    of: open.into(),
                })
            }
            Match::Never => TestDraft::No,
            Match::Opaque(_) => TestDraft::any_of(step::CompiledTest::Open),
        }
    }

    /// Whether a number lies in the ranges; `lacking` is the answer for packets without it.
    fn compile_number(
        &mut self,
        Operand { field, mask }: Operand,
        negated: bool,
        ranges: Vec<Range>,
        lacking: bool,
    ) -> TestDraft {
        let wrong_family = if self.v6 {
            Packet::is_only_v4(field)
        } else {
            Packet::is_only_v6(field)
        };
        let answer = |yes| if yes { TestDraft::Yes } else { TestDraft::No };
        if wrong_family {
            return answer(lacking);
        }
        let constant = match (field, self.v6) {
            (Field::NfProto, false) => Some(2),
            (Field::NfProto, true) => Some(10),
            _ => None,
        };
        if let Some(number) = constant {
            let number = mask.map_or(number, |mask| number & mask);
            return answer(ranges.iter().any(|range| range.contains(number)) != negated);
        }
        let Some(slot) = self.slots.slot_of(field) else {
            return TestDraft::any_of(step::CompiledTest::Open);
        };
        if let ([range], None, false) = (ranges.as_slice(), mask, lacking)
            && let (Ok(lo), Ok(hi)) = (range.lo.try_into(), range.hi.try_into())
        {
            return TestDraft::Ask(CompiledStep::Between {
                slot,
                negated,
                lo,
                hi,
            });
        }
        TestDraft::any_of(step::CompiledTest::Among {
            slot,
            mask,
            negated,
            ranges: ranges.into(),
            lacking,
        })
    }

    fn look_up(&mut self, table: &Table, lookup: &Lookup) -> TestDraft {
        let open = TestDraft::any_of(step::CompiledTest::Open);
        let Some(elements) = elements_of(self.firewall, table, &lookup.set, lookup.key.len())
        else {
            return open;
        };
        // A packet that lacks a part is not in an ipset; nft gives the rule up before it asks.
        let lacking = lookup.negated && matches!(lookup.set, SetRef::Ipset(_));
        if let [KeyPart::Number(operand)] = lookup.key.as_slice() {
            let ranges = elements.iter().filter_map(|(key, _)| match key.first() {
                Some(Component::Numbers(range)) => Some(*range),
                _ => None,
            });
            return self.compile_number(
                *operand,
                lookup.negated,
                merge_ranges(ranges.collect()),
                lacking,
            );
        }
        if elements.len() > MOST_ELEMENTS {
            return open;
        }
        let Some(parts) = self.compile_key(&lookup.key) else {
            return open;
        };
        TestDraft::any_of(step::CompiledTest::Together {
            parts,
            negated: lookup.negated,
            elements: elements.into_iter().map(|(key, _)| key.into()).collect(),
            lacking,
        })
    }

    fn compile_key(&mut self, key: &[KeyPart]) -> Option<Box<[CompiledPart]>> {
        key.iter()
            .map(|part| {
                Some(match part {
                    KeyPart::Number(operand) => CompiledPart::Number {
                        slot: self.slots.slot_of(operand.field)?,
                        mask: operand.mask,
                    },
                    KeyPart::InInterface => CompiledPart::Coming,
                    KeyPart::OutInterface => CompiledPart::Leaving,
                })
            })
            .collect()
    }

    fn compile_map(&mut self, table: usize, map: &VerdictLookup) -> CompiledStep {
        let of_table = &self.firewall.tables[table];
        let elements = elements_of(self.firewall, of_table, &map.map, map.key.len());
        let small = elements.filter(|elements| elements.len() <= MOST_ELEMENTS);
        let (Some(elements), Some(parts), false) = (
            small,
            self.compile_key(&map.key),
            matches!(map.map, SetRef::Ipset(_)),
        ) else {
            return CompiledStep::Decide(CompiledAction::Ask);
        };
        let elements = elements
            .into_iter()
            .map(|(key, value)| {
                let action = match value {
                    Some(ElementValue::Verdict(verdict)) => self.compile_verdict(table, verdict),
                    _ => CompiledAction::Ask,
                };
                (key.into(), action)
            })
            .collect();
        CompiledStep::Map(Box::new(step::CompiledMap { parts, elements }))
    }

    fn compile_verdict(&mut self, table: usize, verdict: &Verdict) -> CompiledAction {
        match verdict {
            Verdict::Accept => CompiledAction::Accept,
            Verdict::Drop => CompiledAction::Drop,
            Verdict::Reject { .. } => CompiledAction::Reject,
            Verdict::Queue { .. } => CompiledAction::Queue,
            Verdict::Return => CompiledAction::Return,
            Verdict::Continue => CompiledAction::Continue,
            Verdict::Jump(to) | Verdict::Goto(to) => {
                let goto = matches!(verdict, Verdict::Goto(_));
                let chains = &self.firewall.tables[table].chains;
                let Some(to) = usize::try_from(to.0).ok().filter(|to| *to < chains.len()) else {
                    return CompiledAction::Continue;
                };
                match u32::try_from(self.compile_chain(table, to)) {
                    Ok(to) if goto => CompiledAction::Goto(to),
                    Ok(to) => CompiledAction::Jump(to),
                    Err(_) => CompiledAction::Ask,
                }
            }
            Verdict::Nat(_) | Verdict::Unknown(_) => CompiledAction::Ask,
        }
    }

    fn compile_effect(&mut self, effect: &Effect) -> Option<CompiledStep> {
        let ask = Some(CompiledStep::Decide(CompiledAction::Ask));
        let change = |effect| Some(CompiledStep::Effect(Box::new(effect)));
        match effect {
            Effect::SetMark { field, and, xor } => match self.slots.slot_of(*field) {
                Some(slot) => change(step::CompiledEffect::Mark {
                    slot,
                    and: u128::from(*and),
                    xor: u128::from(*xor),
                }),
                None => ask,
            },
            Effect::CopyMark {
                from,
                from_mask,
                to,
                to_mask,
            } => match (self.slots.slot_of(*from), self.slots.slot_of(*to)) {
                (Some(from), Some(to)) => change(step::CompiledEffect::CopyMark {
                    from,
                    from_mask: u128::from(*from_mask),
                    to,
                    to_mask: u128::from(*to_mask),
                }),
                _ => ask,
            },
            Effect::Set { field, .. } | Effect::Forget { field } => {
                let value = match effect {
                    Effect::Set { value, .. } => Some(*value),
                    _ => None,
                };
                match self.slots.slot_of(*field) {
                    Some(slot) => change(step::CompiledEffect::Set { slot, value }),
                    None => ask,
                }
            }
            Effect::NoTrack => change(step::CompiledEffect::NoTrack),
            Effect::CtZone(_)
            | Effect::Log { .. }
            | Effect::UpdateSet { .. }
            | Effect::Remember { .. }
            | Effect::Other { .. } => None,
        }
    }
}

enum TestDraft {
    Yes,
    No,
    Ask(CompiledStep),
}

impl TestDraft {
    fn any_of(test: step::CompiledTest) -> Self {
        Self::Ask(CompiledStep::Test(Box::new(test)))
    }
}

type Elements<'a> = Vec<(Vec<Component>, Option<&'a ElementValue>)>;

/// The elements of a set, if any of them that fits says that the key is in it.
fn elements_of<'a>(
    firewall: &'a Firewall,
    table: &'a Table,
    set: &'a SetRef,
    width: usize,
) -> Option<Elements<'a>> {
    let Set { kind, content, .. } = resolve_set(firewall, table, set)?;
    let plain = match kind {
        SetKind::Nft { .. } => true,
        SetKind::Ipset { type_name } => type_name != "hash:net,iface",
        SetKind::List { .. } => false,
    };
    let Content::Known(elements) = content else {
        return None;
    };
    let fits = |key: &[Component]| {
        let numbers = |part: &Component| matches!(part, Component::Numbers(_));
        key.len() == width && (width > 1 || key.iter().all(numbers))
    };
    if !plain || elements.iter().any(|it| it.except || !fits(&it.key)) {
        return None;
    }
    let all = elements.iter();
    Some(all.map(|it| (it.key.clone(), it.value.as_ref())).collect())
}

/// The same numbers in ascending ranges that do not overlap.
fn merge_ranges(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.lo <= last.hi => last.hi = last.hi.max(range.hi),
            _ => merged.push(range),
        }
    }
    merged
}

/// A tree over the slots that most rules ask for.
fn plant_tree(rules: &[RuleDraft]) -> SlotTree {
    let mut asked: BTreeMap<u8, usize> = BTreeMap::new();
    for rule in rules {
        for (slot, _) in tested_sides(&rule.steps[..rule.tests]) {
            *asked.entry(slot).or_default() += 1;
        }
    }
    let mut slots: Vec<(usize, u8)> = asked.into_iter().map(|(slot, n)| (n, slot)).collect();
    slots.sort_unstable_by(|one, other| other.cmp(one));
    let slots: Vec<u8> = slots
        .into_iter()
        .take(MOST_AXES)
        .map(|(_, it)| it)
        .collect();
    let hulls: Vec<Hull> = rules
        .iter()
        .map(|rule| {
            let mut hull = vec![(0, u128::MAX); slots.len()];
            for (slot, (lo, hi)) in tested_sides(&rule.steps[..rule.tests]) {
                if let Some(axis) = slots.iter().position(|one| *one == slot) {
                    let side: &mut (u128, u128) = &mut hull[axis];
                    *side = (side.0.max(lo), side.1.min(hi));
                }
            }
            hull
        })
        .collect();
    SlotTree::new(&slots, &hulls)
}

/// What the first tests of a rule ask for at least.
fn tested_sides(tests: &[CompiledStep]) -> impl Iterator<Item = (u8, (u128, u128))> {
    tests.iter().filter_map(|step| {
        let (slot, lo, hi) = match step {
            CompiledStep::Between {
                slot,
                negated: false,
                lo,
                hi,
            } => (*slot, u128::from(*lo), u128::from(*hi)),
            CompiledStep::Test(test) => match &**test {
                step::CompiledTest::Among {
                    slot,
                    mask: None,
                    negated: false,
                    ranges,
                    lacking: false,
                } => (*slot, ranges.first()?.lo, ranges.last()?.hi),
                _ => return None,
            },
            _ => return None,
        };
        Some((slot, (key_place(lo), key_place(hi))))
    })
}
