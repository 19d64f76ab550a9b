//! What a rule matches, as a union of products of limits.
//!
//! Conditions that cannot be written so, and those that depend on counters, clocks or other
//! packets, are left out: the rule is then taken to match more than it does, and hides nothing.

use std::collections::BTreeSet;

use super::fields::{FieldPresence, constant_value, largest_value, presence_of, same_as};
use crate::packet::Packet;
use crate::semantics::resolve_set;
use surefoot_ruleset::model::{
    Component, Content, Effect, Element, Field, Firewall, KeyPart, Lookup, Match, NamePattern,
    Range, Rule, Set, SetKind, SetRef, Statement, Table, Verdict,
};

/// What a limit is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MatchAxis {
    /// A number of the packet.
    Number(Field),
    /// Some of its bits, as a number of their own.
    Bits(Field, u128),
    /// The incoming interface.
    In,
    /// The outgoing interface.
    Out,
    /// Words that give the same answer wherever they stand: 1 if they hold.
    Said(Match),
}

/// What one condition allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AxisLimit {
    pub(super) axis: MatchAxis,
    /// The bits that are compared; none means all.
    pub(super) mask: Option<u128>,
    pub(super) negated: bool,
    pub(super) allowed: AllowedValues,
    /// Whether it holds for a packet that does not have the field.
    pub(super) absent: bool,
}

/// The values that a limit names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum AllowedValues {
    Numbers(Vec<Range>),
    Names(Vec<NamePattern>),
}

/// Limits that hold together.
pub(super) type Product = Vec<AxisLimit>;

/// What a rule matches.
#[derive(Clone, Debug)]
pub(super) struct AskedOfRule {
    /// It matches what one of these allows.
    pub(super) parts: Vec<Product>,
    /// Whether a packet that one of them allows never comes to a later rule of the chain.
    pub(super) takes: bool,
}

/// Products that one rule may be made of.
const MOST_PARTS: usize = 256;
/// Elements of a set that are products of their own.
const MOST_ELEMENTS: usize = 64;

/// What conditions are read against.
pub(super) struct RuleReader<'a> {
    pub(super) firewall: &'a Firewall,
    pub(super) table: &'a Table,
    pub(super) v6: bool,
    /// Fields that some rule of the table changes: one rule may see another number than the next.
    pub(super) changed: &'a BTreeSet<Field>,
    /// Sets that packets change.
    pub(super) moving: &'a MovingSets,
}

enum AxisCondition {
    Always,
    Never,
    /// Counters, clocks, or things that are not modelled.
    Unknown,
    OneOf(Vec<Product>),
}

impl RuleReader<'_> {
    pub(super) fn asked_of_rules(&self, rules: &[Rule]) -> Vec<AskedOfRule> {
        rules.iter().map(|rule| self.asked_of_rule(rule)).collect()
    }

    fn asked_of_rule(&self, rule: &Rule) -> AskedOfRule {
        let mut asked = AskedOfRule {
            parts: vec![Vec::new()],
            takes: false,
        };
        let mut whole = true;
        for statement in &rule.statements {
            match statement {
                Statement::Match(wanted) => {
                    whole &= self.narrow_products(&mut asked.parts, wanted);
                }
                Statement::Effect(_) | Statement::Verdict(Verdict::Continue) => {}
                Statement::Verdict(verdict) => {
                    asked.takes = whole && self.may_leave(verdict);
                    break;
                }
                Statement::VerdictMap(_) => break,
            }
        }
        asked
    }

    /// Whether a packet that this is done to does not come back to the chain.
    fn may_leave(&self, verdict: &Verdict) -> bool {
        match verdict {
            Verdict::Accept
            | Verdict::Drop
            | Verdict::Reject { .. }
            | Verdict::Return
            | Verdict::Queue { .. } => true,
            Verdict::Goto(to) => usize::try_from(to.0).is_ok_and(|to| to < self.table.chains.len()),
            // A key that the map does not hold ends the rule.
            Verdict::Nat(nat) => nat.by_map.is_none(),
            Verdict::Jump(_) | Verdict::Continue | Verdict::Unknown(_) => false,
        }
    }

    /// Keeps what the match allows; false if that cannot be written as limits.
    fn narrow_products(&self, parts: &mut Vec<Product>, wanted: &Match) -> bool {
        match self.condition_of(wanted) {
            AxisCondition::Always => true,
            AxisCondition::Unknown => false,
            AxisCondition::Never => {
                parts.clear();
                true
            }
            AxisCondition::OneOf(choices) => {
                if let [only] = choices.as_slice() {
                    for part in parts {
                        part.extend(only.iter().cloned());
                    }
                    return true;
                }
                if parts.len().saturating_mul(choices.len()) > MOST_PARTS {
                    return match self.limit_of(wanted) {
                        Some(limit) => {
                            for part in parts {
                                part.push(limit.clone());
                            }
                            true
                        }
                        None => false,
                    };
                }
                *parts = parts
                    .iter()
                    .flat_map(|part| {
                        choices.iter().map(move |choice| {
                            let mut both = part.clone();
                            both.extend(choice.iter().cloned());
                            both
                        })
                    })
                    .collect();
                true
            }
        }
    }

    fn condition_of(&self, wanted: &Match) -> AxisCondition {
        match wanted {
            Match::Field {
                operand,
                negated,
                ranges,
            } => self.number_condition(operand.field, operand.mask, *negated, ranges.clone()),
            Match::InInterface { negated, names } => {
                name_condition(MatchAxis::In, *negated, names.clone())
            }
            Match::OutInterface { negated, names } => {
                name_condition(MatchAxis::Out, *negated, names.clone())
            }
            Match::Lookup(lookup) => self.lookup(wanted, lookup),
            Match::Any { negated, of } => self.any_condition(wanted, *negated, of),
            Match::Never => AxisCondition::Never,
            Match::Opaque(_) => self.as_said(wanted),
        }
    }

    fn number_condition(
        &self,
        field: Field,
        mask: Option<u128>,
        negated: bool,
        ranges: Vec<Range>,
    ) -> AxisCondition {
        if self.changed.contains(&field) {
            return AxisCondition::Unknown;
        }
        if let Some(number) = constant_value(field, self.v6) {
            let number = number & mask.unwrap_or(u128::MAX);
            let inside = ranges.iter().any(|range| range.contains(number));
            return if inside == negated {
                AxisCondition::Never
            } else {
                AxisCondition::Always
            };
        }
        let field = same_as(field, self.v6);
        if presence_of(field, self.v6) == FieldPresence::Never {
            return AxisCondition::Never;
        }
        // All bits are no mask.
        let mask = mask.filter(|mask| mask & largest_value(field) != largest_value(field));
        AxisCondition::OneOf(vec![vec![AxisLimit {
            axis: MatchAxis::Number(field),
            mask,
            negated,
            allowed: AllowedValues::Numbers(ranges),
            absent: false,
        }]])
    }

    fn lookup(&self, wanted: &Match, lookup: &Lookup) -> AxisCondition {
        let Some(set) = resolve_set(self.firewall, self.table, &lookup.set) else {
            return AxisCondition::Unknown;
        };
        let Content::Known(elements) = &set.content else {
            return AxisCondition::Unknown;
        };
        if self.moving.holds(&lookup.set)
            || matches!(set.kind, SetKind::List { .. })
            || lookup.key.iter().any(|part| self.is_changed(*part))
        {
            return AxisCondition::Unknown;
        }
        let ipset = matches!(set.kind, SetKind::Ipset { .. });
        if narrowest_decides(set, elements) {
            return self.as_said(wanted);
        }
        if let [part] = lookup.key.as_slice() {
            let condition = self.one_part(*part, elements, lookup.negated);
            return match condition {
                // An ipset match on what the packet lacks is "not in the set".
                AxisCondition::OneOf(mut choices) if ipset && lookup.negated => {
                    for limit in choices.iter_mut().flatten() {
                        limit.absent = true;
                    }
                    AxisCondition::OneOf(choices)
                }
                AxisCondition::Never if ipset && lookup.negated => AxisCondition::Always,
                other => other,
            };
        }
        if elements.len() > MOST_ELEMENTS {
            return self.as_said(wanted);
        }
        let mut choices = Vec::with_capacity(elements.len());
        for element in elements {
            let mut product = Vec::with_capacity(element.key.len());
            let mut fits = element.key.len() <= lookup.key.len();
            for (part, component) in lookup.key.iter().zip(&element.key) {
                match self.component_condition(*part, component) {
                    AxisCondition::OneOf(one) => product.extend(one.into_iter().flatten()),
                    AxisCondition::Always => {}
                    AxisCondition::Never | AxisCondition::Unknown => fits = false,
                }
            }
            let mut one = [product];
            // A part of the key that the element does not name is read all the same.
            let rest = lookup.key.get(element.key.len()..).unwrap_or_default();
            if fits && self.with_key(&mut one, rest) {
                choices.extend(one);
            }
        }
        if lookup.negated {
            let Some(mut parts) = none_of(&choices) else {
                return self.as_said(wanted);
            };
            if !ipset && !self.with_key(&mut parts, &lookup.key) {
                return AxisCondition::Never;
            }
            return one_of(parts);
        }
        one_of(choices)
    }

    /// Every part of the key has to be there; false if none of the packets has one.
    fn with_key(&self, parts: &mut [Product], key: &[KeyPart]) -> bool {
        for part in key {
            let KeyPart::Number(operand) = part else {
                continue;
            };
            if presence_of(operand.field, self.v6) == FieldPresence::Always {
                continue;
            }
            match self.number_condition(operand.field, None, true, Vec::new()) {
                AxisCondition::OneOf(there) => {
                    for part in parts.iter_mut() {
                        part.extend(there.iter().flatten().cloned());
                    }
                }
                AxisCondition::Always => {}
                AxisCondition::Never | AxisCondition::Unknown => return false,
            }
        }
        true
    }

    /// A set of single numbers or names.
    fn one_part(&self, part: KeyPart, elements: &[Element], negated: bool) -> AxisCondition {
        let mut ranges = Vec::new();
        let mut names = Vec::new();
        for element in elements {
            match element.key.as_slice() {
                [Component::Numbers(range)] => ranges.push(*range),
                [Component::Name(name)] => names.push(name.clone()),
                _ => return AxisCondition::Unknown,
            }
        }
        match part {
            KeyPart::Number(operand) => {
                self.number_condition(operand.field, operand.mask, negated, merge_ranges(ranges))
            }
            KeyPart::InInterface => name_condition(MatchAxis::In, negated, names),
            KeyPart::OutInterface => name_condition(MatchAxis::Out, negated, names),
        }
    }

    fn component_condition(&self, part: KeyPart, component: &Component) -> AxisCondition {
        match (part, component) {
            (KeyPart::Number(operand), Component::Numbers(range)) => {
                self.number_condition(operand.field, operand.mask, false, vec![*range])
            }
            (KeyPart::InInterface, Component::Name(name)) => {
                name_condition(MatchAxis::In, false, vec![name.clone()])
            }
            (KeyPart::OutInterface, Component::Name(name)) => {
                name_condition(MatchAxis::Out, false, vec![name.clone()])
            }
            _ => AxisCondition::Never,
        }
    }

    fn any_condition(&self, wanted: &Match, negated: bool, of: &[Match]) -> AxisCondition {
        let mut choices = Vec::with_capacity(of.len());
        let mut always = false;
        for one in of {
            match self.condition_of(one) {
                AxisCondition::Always => always = true,
                AxisCondition::Never => {}
                AxisCondition::Unknown => return AxisCondition::Unknown,
                AxisCondition::OneOf(more) => choices.extend(more),
            }
        }
        match (always, negated) {
            (true, true) => return AxisCondition::Never,
            (true, false) => return AxisCondition::Always,
            (false, false) => return one_of(choices),
            (false, true) => {}
        }
        match none_of(&choices) {
            Some(parts) => one_of(parts),
            None => self.as_said(wanted),
        }
    }

    /// As words that hold or do not hold.
    fn as_said(&self, wanted: &Match) -> AxisCondition {
        match self.limit_of(wanted) {
            Some(limit) => AxisCondition::OneOf(vec![vec![limit]]),
            None => AxisCondition::Unknown,
        }
    }

    /// The words of a match that gives the same answer wherever it stands.
    fn limit_of(&self, wanted: &Match) -> Option<AxisLimit> {
        if !self.is_static(wanted) {
            return None;
        }
        Some(AxisLimit {
            axis: MatchAxis::Said(wanted.clone()),
            mask: None,
            negated: false,
            allowed: AllowedValues::Numbers(vec![Range::one(1)]),
            absent: false,
        })
    }

    fn is_static(&self, wanted: &Match) -> bool {
        match wanted {
            // Words may read what the table's rules change.
            Match::Opaque(opaque) => !opaque.stateful && self.changed.is_empty(),
            Match::Any { of, .. } => of.iter().all(|one| self.is_static(one)),
            Match::Lookup(lookup) => {
                resolve_set(self.firewall, self.table, &lookup.set).is_some_and(|set| {
                    matches!(set.content, Content::Known(_))
                        && !matches!(set.kind, SetKind::List { .. })
                }) && !self.moving.holds(&lookup.set)
                    && !lookup.key.iter().any(|part| self.is_changed(*part))
            }
            Match::Field { operand, .. } => !self.changed.contains(&operand.field),
            Match::InInterface { .. } | Match::OutInterface { .. } | Match::Never => true,
        }
    }

    fn is_changed(&self, part: KeyPart) -> bool {
        matches!(part, KeyPart::Number(operand) if self.changed.contains(&operand.field))
    }
}

fn name_condition(axis: MatchAxis, negated: bool, names: Vec<NamePattern>) -> AxisCondition {
    AxisCondition::OneOf(vec![vec![AxisLimit {
        axis,
        mask: None,
        negated,
        allowed: AllowedValues::Names(names),
        absent: false,
    }]])
}

/// The products for which none of these holds, unless they are too many.
fn none_of(choices: &[Product]) -> Option<Vec<Product>> {
    let mut parts: Vec<Product> = vec![Vec::new()];
    for choice in choices {
        if parts.len().saturating_mul(choice.len()) > MOST_PARTS {
            return None;
        }
        parts = parts
            .iter()
            .flat_map(|part| {
                choice.iter().map(move |limit| {
                    let mut with = part.clone();
                    with.push(AxisLimit {
                        negated: !limit.negated,
                        absent: !limit.absent,
                        ..limit.clone()
                    });
                    with
                })
            })
            .collect();
    }
    Some(parts)
}

fn one_of(choices: Vec<Product>) -> AxisCondition {
    if choices.is_empty() {
        AxisCondition::Never
    } else {
        AxisCondition::OneOf(choices)
    }
}

/// Ascending and not overlapping.
fn merge_ranges(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut apart: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.lo <= last.hi => last.hi = last.hi.max(range.hi),
            _ => apart.push(range),
        }
    }
    apart
}

/// Whether an element can take keys out of a wider one.
fn narrowest_decides(set: &Set, elements: &[Element]) -> bool {
    match &set.kind {
        SetKind::Ipset { type_name } => {
            type_name == "hash:net,iface" || elements.iter().any(|element| element.except)
        }
        SetKind::Nft { .. } | SetKind::List { .. } => false,
    }
}

/// Fields that some rule of the table changes.
pub(super) fn changed_fields(table: &Table) -> BTreeSet<Field> {
    let mut changed = BTreeSet::new();
    let rules = table.chains.iter().flat_map(|chain| &chain.rules);
    for statement in rules.flat_map(|rule| &rule.statements) {
        let Statement::Effect(effect) = statement else {
            continue;
        };
        match effect {
            Effect::SetMark { field, .. }
            | Effect::Set { field, .. }
            | Effect::Forget { field }
            | Effect::CopyMark { to: field, .. } => {
                changed.insert(*field);
                changed.extend(alike(*field));
            }
            Effect::NoTrack | Effect::CtZone(_) => {
                changed.insert(Field::CtState);
                changed.extend(Packet::connection_fields());
            }
            Effect::Log { .. }
            | Effect::UpdateSet { .. }
            | Effect::Remember { .. }
            | Effect::Other { .. } => {}
        }
    }
    changed
}

/// The fields that share bits with a field.
fn alike(field: Field) -> Option<Field> {
    match field {
        Field::Tos => Some(Field::Ip4Dscp),
        Field::Ip4Dscp => Some(Field::Tos),
        Field::TrafficClass => Some(Field::Ip6Dscp),
        Field::Ip6Dscp => Some(Field::TrafficClass),
        Field::SrcPort => Some(Field::SetSrcPort),
        Field::DstPort => Some(Field::SetDstPort),
        _ => None,
    }
}

/// The sets that rules fill or empty while packets pass.
#[derive(Clone, Debug, Default)]
pub(super) struct MovingSets {
    ipsets: BTreeSet<u32>,
    named: BTreeSet<u32>,
}

impl MovingSets {
    /// Those that a table names; every table's rules may fill an ipset.
    pub(super) fn of(firewall: &Firewall, table: &Table) -> Self {
        let mut moving = Self::default();
        let updates = |table: &'_ Table, add: &mut dyn FnMut(&SetRef)| {
            let rules = table.chains.iter().flat_map(|chain| &chain.rules);
            for statement in rules.flat_map(|rule| &rule.statements) {
                if let Statement::Effect(Effect::UpdateSet { set, .. }) = statement {
                    add(set);
                }
            }
        };
        updates(table, &mut |set| {
            if let SetRef::Named(at) = set {
                moving.named.insert(*at);
            }
        });
        if !firewall.ipsets.is_empty() {
            for table in &firewall.tables {
                updates(table, &mut |set| {
                    if let SetRef::Ipset(at) = set {
                        moving.ipsets.insert(*at);
                    }
                });
            }
        }
        moving
    }

    fn holds(&self, set: &SetRef) -> bool {
        match set {
            SetRef::Ipset(at) => self.ipsets.contains(at),
            SetRef::Named(at) => self.named.contains(at),
            SetRef::Inline(_) | SetRef::Missing(_) => false,
        }
    }
}
