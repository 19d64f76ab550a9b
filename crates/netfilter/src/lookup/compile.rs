//! From the rules of the model to steps on slots.

use std::collections::BTreeMap;

use super::key::Slots;
use super::step::{self, Action, Part, Step};
use super::tree::{Hull, Tree, place};
use crate::packet::Packet;
use crate::semantics::{matters, resolve};
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
pub(super) struct Chain {
    /// Its index in the table of the model.
    pub(super) at: usize,
    pub(super) rules: Vec<Compiled>,
    pub(super) tree: Option<Tree>,
}

/// A rule, ready to be run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compiled {
    /// Its index in the chain of the model.
    pub(super) at: u32,
    /// The first of its steps.
    start: u32,
    /// The first step behind the tests that it begins with.
    verdict: u32,
    end: u32,
}

impl Compiled {
    /// The tests that the rule begins with.
    pub(super) fn tests<'a>(&self, steps: &'a [Step]) -> &'a [Step] {
        &steps[self.start as usize..self.verdict as usize]
    }

    pub(super) fn steps<'a>(&self, steps: &'a [Step]) -> &'a [Step] {
        &steps[self.start as usize..self.end as usize]
    }
}

/// A rule with steps of its own.
struct Written {
    at: usize,
    steps: Vec<Step>,
    /// How many tests it begins with.
    tests: usize,
}

/// Compiles the rules that packets of one family meet.
pub(super) struct Compiler<'a> {
    pub(super) firewall: &'a Firewall,
    pub(super) v6: bool,
    pub(super) slots: Slots,
    pub(super) chains: Vec<Chain>,
    /// The steps of all rules.
    pub(super) steps: Vec<Step>,
    /// Where a chain of the model went, by table and index.
    known: BTreeMap<(usize, usize), usize>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(firewall: &'a Firewall, v6: bool) -> Self {
        Self {
            firewall,
            v6,
            slots: Slots::new(v6),
            chains: Vec::new(),
            steps: Vec::new(),
            known: BTreeMap::new(),
        }
    }

    /// The compiled chain, and those that it calls.
    pub(super) fn chain(&mut self, table: usize, chain: usize) -> usize {
        if let Some(at) = self.known.get(&(table, chain)) {
            return *at;
        }
        let place = self.chains.len();
        self.known.insert((table, chain), place);
        self.chains.push(Chain {
            at: chain,
            rules: Vec::new(),
            tree: None,
        });
        let firewall = self.firewall;
        let rules = &firewall.tables[table].chains[chain].rules;
        let rules: Vec<Written> = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| matters(rule))
            .filter_map(|(at, rule)| self.rule(table, at, rule))
            .collect();
        let tree = (rules.len() > FEW).then(|| plant(&rules));
        let rules = self.lay_out(rules, tree.as_ref());
        self.chains[place] = Chain {
            at: chain,
            rules,
            tree,
        };
        place
    }

    /// Puts the steps of rules that are looked at together beside each other.
    fn lay_out(&mut self, mut rules: Vec<Written>, tree: Option<&Tree>) -> Vec<Compiled> {
        let nothing = Compiled {
            at: 0,
            start: 0,
            verdict: 0,
            end: 0,
        };
        let mut compiled = vec![nothing; rules.len()];
        let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        let order: Vec<usize> = match tree {
            Some(tree) => tree.order().collect(),
            None => (0..rules.len()).collect(),
        };
        for rule in order {
            let Written { at, steps, tests } = &mut rules[rule];
            let start = self.steps.len();
            self.steps.append(steps);
            compiled[rule] = Compiled {
                at: place(*at),
                start: place(start),
                verdict: place(start + *tests),
                end: place(self.steps.len()),
            };
        }
        compiled
    }

    /// The steps of a rule; none if it matches no packet of the family.
    fn rule(&mut self, table: usize, at: usize, rule: &Rule) -> Option<Written> {
        let mut steps = Vec::with_capacity(rule.statements.len());
        let mut tests = None;
        for statement in &rule.statements {
            let of_table = &self.firewall.tables[table];
            let step = match statement {
                Statement::Match(wanted) => match self.test(of_table, wanted) {
                    Test::Yes => continue,
                    Test::No if tests.is_none() => return None,
                    Test::No => Some(Step::Test(Box::new(step::Test::Never))),
                    Test::Ask(step) => Some(step),
                },
                Statement::Effect(effect) => self.effect(effect),
                Statement::Verdict(Verdict::Continue) => None,
                Statement::Verdict(verdict) => Some(Step::Decide(self.action(table, verdict))),
                Statement::VerdictMap(map) => Some(self.map(table, map)),
            };
            if !matches!(statement, Statement::Match(_)) {
                tests.get_or_insert(steps.len());
            }
            steps.extend(step);
        }
        let tests = tests.unwrap_or(steps.len());
        Some(Written { at, steps, tests })
    }

    fn test(&mut self, table: &Table, wanted: &Match) -> Test {
        match wanted {
            Match::Field {
                operand,
                negated,
                ranges,
            } => self.number(*operand, *negated, ranges.clone(), false),
            Match::InInterface { negated, names } | Match::OutInterface { negated, names } => {
                Test::any(step::Test::Interface {
                    coming: matches!(wanted, Match::InInterface { .. }),
                    negated: *negated,
                    names: names.clone().into(),
                })
            }
            Match::Lookup(lookup) => self.look_up(table, lookup),
            Match::Any { negated, of } => {
                let mut open = Vec::new();
                for one in of {
                    match self.test(table, one) {
                        Test::Yes => return if *negated { Test::No } else { Test::Yes },
                        Test::No => {}
                        Test::Ask(step) => open.push(step),
                    }
                }
                Test::any(step::Test::Any {
                    negated: *negated,
                    of: open.into(),
                })
            }
            Match::Never => Test::No,
            Match::Opaque(_) => Test::any(step::Test::Open),
        }
    }

    /// Whether a number lies in the ranges; `lacking` is the answer for packets without it.
    fn number(
        &mut self,
        Operand { field, mask }: Operand,
        negated: bool,
        ranges: Vec<Range>,
        lacking: bool,
    ) -> Test {
        let wrong_family = if self.v6 {
            Packet::is_only_v4(field)
        } else {
            Packet::is_only_v6(field)
        };
        let answer = |yes| if yes { Test::Yes } else { Test::No };
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
        let Some(slot) = self.slots.slot(field) else {
            return Test::any(step::Test::Open);
        };
        if let ([range], None, false) = (ranges.as_slice(), mask, lacking)
            && let (Ok(lo), Ok(hi)) = (range.lo.try_into(), range.hi.try_into())
        {
            return Test::Ask(Step::Between {
                slot,
                negated,
                lo,
                hi,
            });
        }
        Test::any(step::Test::Among {
            slot,
            mask,
            negated,
            ranges: ranges.into(),
            lacking,
        })
    }

    fn look_up(&mut self, table: &Table, lookup: &Lookup) -> Test {
        let open = Test::any(step::Test::Open);
        let Some(elements) = elements(self.firewall, table, &lookup.set, lookup.key.len()) else {
            return open;
        };
        // A packet that lacks a part is not in an ipset; nft gives the rule up before it asks.
        let lacking = lookup.negated && matches!(lookup.set, SetRef::Ipset(_));
        if let [KeyPart::Number(operand)] = lookup.key.as_slice() {
            let ranges = elements.iter().filter_map(|(key, _)| match key.first() {
                Some(Component::Numbers(range)) => Some(*range),
                _ => None,
            });
            return self.number(*operand, lookup.negated, merged(ranges.collect()), lacking);
        }
        if elements.len() > MOST_ELEMENTS {
            return open;
        }
        let Some(parts) = self.parts(&lookup.key) else {
            return open;
        };
        Test::any(step::Test::Together {
            parts,
            negated: lookup.negated,
            elements: elements.into_iter().map(|(key, _)| key.into()).collect(),
            lacking,
        })
    }

    fn parts(&mut self, key: &[KeyPart]) -> Option<Box<[Part]>> {
        key.iter()
            .map(|part| {
                Some(match part {
                    KeyPart::Number(operand) => Part::Number {
                        slot: self.slots.slot(operand.field)?,
                        mask: operand.mask,
                    },
                    KeyPart::InInterface => Part::Coming,
                    KeyPart::OutInterface => Part::Leaving,
                })
            })
            .collect()
    }

    fn map(&mut self, table: usize, map: &VerdictLookup) -> Step {
        let of_table = &self.firewall.tables[table];
        let elements = elements(self.firewall, of_table, &map.map, map.key.len());
        let small = elements.filter(|elements| elements.len() <= MOST_ELEMENTS);
        let (Some(elements), Some(parts), false) = (
            small,
            self.parts(&map.key),
            matches!(map.map, SetRef::Ipset(_)),
        ) else {
            return Step::Decide(Action::Ask);
        };
        let elements = elements
            .into_iter()
            .map(|(key, value)| {
                let action = match value {
                    Some(ElementValue::Verdict(verdict)) => self.action(table, verdict),
                    _ => Action::Ask,
                };
                (key.into(), action)
            })
            .collect();
        Step::Map(Box::new(step::Map { parts, elements }))
    }

    fn action(&mut self, table: usize, verdict: &Verdict) -> Action {
        match verdict {
            Verdict::Accept => Action::Accept,
            Verdict::Drop => Action::Drop,
            Verdict::Reject { .. } => Action::Reject,
            Verdict::Queue { .. } => Action::Queue,
            Verdict::Return => Action::Return,
            Verdict::Continue => Action::Continue,
            Verdict::Jump(to) | Verdict::Goto(to) => {
                let goto = matches!(verdict, Verdict::Goto(_));
                let chains = &self.firewall.tables[table].chains;
                let Some(to) = usize::try_from(to.0).ok().filter(|to| *to < chains.len()) else {
                    return Action::Continue;
                };
                match u32::try_from(self.chain(table, to)) {
                    Ok(to) if goto => Action::Goto(to),
                    Ok(to) => Action::Jump(to),
                    Err(_) => Action::Ask,
                }
            }
            Verdict::Nat(_) | Verdict::Unknown(_) => Action::Ask,
        }
    }

    fn effect(&mut self, effect: &Effect) -> Option<Step> {
        let ask = Some(Step::Decide(Action::Ask));
        let change = |effect| Some(Step::Effect(Box::new(effect)));
        match effect {
            Effect::SetMark { field, and, xor } => match self.slots.slot(*field) {
                Some(slot) => change(step::Effect::Mark {
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
            } => match (self.slots.slot(*from), self.slots.slot(*to)) {
                (Some(from), Some(to)) => change(step::Effect::CopyMark {
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
                match self.slots.slot(*field) {
                    Some(slot) => change(step::Effect::Set { slot, value }),
                    None => ask,
                }
            }
            Effect::NoTrack => change(step::Effect::NoTrack),
            Effect::CtZone(_)
            | Effect::Log { .. }
            | Effect::UpdateSet { .. }
            | Effect::Other { .. } => None,
        }
    }
}

enum Test {
    Yes,
    No,
    Ask(Step),
}

impl Test {
    fn any(test: step::Test) -> Self {
        Self::Ask(Step::Test(Box::new(test)))
    }
}

type Elements<'a> = Vec<(Vec<Component>, Option<&'a ElementValue>)>;

/// The elements of a set, if any of them that fits says that the key is in it.
fn elements<'a>(
    firewall: &'a Firewall,
    table: &'a Table,
    set: &'a SetRef,
    width: usize,
) -> Option<Elements<'a>> {
    let Set { kind, content, .. } = resolve(firewall, table, set)?;
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
fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
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
fn plant(rules: &[Written]) -> Tree {
    let mut asked: BTreeMap<u8, usize> = BTreeMap::new();
    for rule in rules {
        for (slot, _) in sides(&rule.steps[..rule.tests]) {
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
            for (slot, (lo, hi)) in sides(&rule.steps[..rule.tests]) {
                if let Some(axis) = slots.iter().position(|one| *one == slot) {
                    let side: &mut (u128, u128) = &mut hull[axis];
                    *side = (side.0.max(lo), side.1.min(hi));
                }
            }
            hull
        })
        .collect();
    Tree::new(&slots, &hulls)
}

/// What the first tests of a rule ask for at least.
fn sides(tests: &[Step]) -> impl Iterator<Item = (u8, (u128, u128))> {
    tests.iter().filter_map(|step| {
        let (slot, lo, hi) = match step {
            Step::Between {
                slot,
                negated: false,
                lo,
                hi,
            } => (*slot, u128::from(*lo), u128::from(*hi)),
            Step::Test(test) => match &**test {
                step::Test::Among {
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
        Some((slot, (place(lo), place(hi))))
    })
}
