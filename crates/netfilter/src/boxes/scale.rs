//! The few values of an axis that a chain tells apart.
//!
//! Between two numbers that no rule of the chain separates there is nothing to ask. Each run of such
//! values is one class; a limit is then a few runs of classes, and every box has small coordinates,
//! be it of addresses, names or flags.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Allowed, Axis, Limit};
use super::fields::{There, complement, few, largest, there};
use surefoot_ruleset::model::{Field, NamePattern, Range};

/// The classes of one axis; class 0 is "not there" where a packet can lack the field.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    pub(super) axis: Axis,
    /// Whether class 0 is "not there".
    pub(super) absent: bool,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Classes of numbers, by where they start.
    Starts { starts: Vec<u128>, largest: u128 },
    /// Classes of names, by where they start.
    Names(Vec<Vec<u8>>),
    /// A number for each class.
    Points(Vec<u128>),
}

/// The first and last class of a run.
pub(super) type Run = (u32, u32);

/// A value that stands for its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The packet does not have the field.
    Absent,
    /// A number.
    Number(u128),
    /// The start of a name; it is one itself.
    Name(String),
}

/// Bits that masks may have together for all their numbers to be listed.
const MOST_LISTED: u32 = 10;

/// The limits of a chain, by what they are about.
#[derive(Default)]
pub(super) struct Scales {
    pub(super) all: Vec<Scale>,
    joint: BTreeMap<Field, u128>,
}

impl Scales {
    /// Made for these limits.
    pub(super) fn new<'a>(limits: impl Iterator<Item = &'a Limit> + Clone, v6: bool) -> Self {
        let mut masks: BTreeMap<Field, (bool, u128)> = BTreeMap::new();
        for limit in limits.clone() {
            if let Axis::Number(field) = limit.axis {
                let (masked, bits) = masks.entry(field).or_default();
                *masked |= limit.mask.is_some();
                *bits |= limit.mask.unwrap_or(largest(field));
            }
        }
        let joint: BTreeMap<Field, u128> = masks
            .into_iter()
            .filter(|(field, (masked, bits))| {
                few(*field).is_some() || *masked && bits.count_ones() <= MOST_LISTED
            })
            .map(|(field, (_, bits))| (field, bits))
            .collect();
        let mut scales = Self {
            all: Vec::new(),
            joint,
        };
        let mut by_axis: BTreeMap<Axis, Vec<&Limit>> = BTreeMap::new();
        for limit in limits {
            let axis = scales.axis(limit);
            match by_axis.get_mut(&axis) {
                Some(limits) => limits.push(limit),
                None => drop(by_axis.insert(axis, vec![limit])),
            }
        }
        scales.all = by_axis
            .into_iter()
            .map(|(axis, limits)| {
                let bits = match &axis {
                    Axis::Number(field) => scales.joint.get(field).copied(),
                    _ => None,
                };
                Scale::new(axis, &limits, bits, v6)
            })
            .collect();
        scales
    }

    /// The axis that a limit is on in this chain.
    fn axis(&self, limit: &Limit) -> Axis {
        match (&limit.axis, limit.mask) {
            (Axis::Number(field), Some(mask)) if !self.joint.contains_key(field) => {
                Axis::Bits(*field, mask)
            }
            (axis, _) => axis.clone(),
        }
    }

    /// The place of a limit's axis, and its runs of classes there.
    pub(super) fn runs(&self, limit: &Limit) -> Option<(usize, Vec<Run>)> {
        let axis = self.axis(limit);
        let at = self
            .all
            .binary_search_by(|scale| scale.axis.cmp(&axis))
            .ok()?;
        Some((at, self.all[at].runs(limit)))
    }

    /// The place of a field's axis.
    pub(super) fn of_field(&self, field: Field) -> Option<usize> {
        let axis = Axis::Number(field);
        self.all
            .binary_search_by(|scale| scale.axis.cmp(&axis))
            .ok()
    }
}

impl Scale {
    fn new(axis: Axis, limits: &[&Limit], joint: Option<u128>, v6: bool) -> Self {
        let absent = match &axis {
            Axis::Number(field) | Axis::Bits(field, _) => there(*field, v6) != There::Always,
            Axis::In | Axis::Out | Axis::Said(_) => false,
        };
        let kind = match (&axis, joint) {
            (Axis::Number(field), Some(bits)) => Kind::Points(points(*field, bits, limits)),
            (Axis::Number(field), None) => starts(limits, largest(*field)),
            (Axis::Bits(_, mask), _) => starts(limits, *mask),
            (Axis::Said(_), _) => starts(limits, 1),
            (Axis::In | Axis::Out, _) => names(limits),
        };
        Self { axis, absent, kind }
    }

    /// How many classes there are.
    pub(super) fn count(&self) -> u32 {
        let classes = match &self.kind {
            Kind::Starts { starts, .. } => starts.len(),
            Kind::Names(starts) => starts.len(),
            Kind::Points(points) => points.len(),
        };
        u32::try_from(classes).unwrap_or(u32::MAX - 1) + u32::from(self.absent)
    }

    /// A value of the class.
    pub(super) fn value(&self, class: u32) -> Value {
        if self.absent && class == 0 {
            return Value::Absent;
        }
        let at = usize::try_from(class - u32::from(self.absent)).unwrap_or(usize::MAX);
        match &self.kind {
            Kind::Starts { starts, .. } => starts
                .get(at)
                .map_or(Value::Absent, |one| Value::Number(*one)),
            Kind::Points(points) => points
                .get(at)
                .map_or(Value::Absent, |one| Value::Number(*one)),
            Kind::Names(starts) => starts.get(at).map_or(Value::Absent, |one| {
                Value::Name(String::from_utf8_lossy(one).into_owned())
            }),
        }
    }

    /// The classes that the limit allows, ascending and with gaps between.
    fn runs(&self, limit: &Limit) -> Vec<Run> {
        let first = u32::from(self.absent);
        let mut runs: Vec<Run> = Vec::new();
        if self.absent && limit.absent {
            runs.push((0, 0));
        }
        let mut add = |lo: u32, hi: u32| match runs.last_mut() {
            Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
            _ => runs.push((lo, hi)),
        };
        match (&self.kind, &limit.allowed) {
            (Kind::Starts { starts, largest }, Allowed::Numbers(ranges)) => {
                let class = |number: u128| {
                    let at = starts.partition_point(|start| *start <= number);
                    u32::try_from(at.saturating_sub(1)).unwrap_or(u32::MAX - 1) + first
                };
                let turned = limit.negated.then(|| complement(ranges, *largest));
                for range in turned.as_ref().unwrap_or(ranges) {
                    if range.lo <= *largest && range.lo <= range.hi {
                        add(class(range.lo), class(range.hi.min(*largest)));
                    }
                }
            }
            (Kind::Points(points), Allowed::Numbers(ranges)) => {
                for (class, point) in (first..).zip(points) {
                    if holds(*point, limit.mask, ranges) != limit.negated {
                        add(class, class);
                    }
                }
            }
            (Kind::Names(starts), Allowed::Names(patterns)) => {
                for (lo, hi) in named(starts, patterns, limit.negated) {
                    add(lo + first, hi + first);
                }
            }
            _ => {}
        }
        runs
    }
}

fn holds(number: u128, mask: Option<u128>, ranges: &[Range]) -> bool {
    let number = number & mask.unwrap_or(u128::MAX);
    ranges.iter().any(|range| range.contains(number))
}

/// The classes of names that fit one of the patterns, or none of them.
fn named(starts: &[Vec<u8>], patterns: &[NamePattern], negated: bool) -> Vec<Run> {
    let class = |name: &[u8]| {
        let at = starts.partition_point(|start| start.as_slice() < name);
        u32::try_from(at).unwrap_or(u32::MAX - 1)
    };
    let end = u32::try_from(starts.len()).unwrap_or(u32::MAX - 1);
    // From a class to the one behind the last.
    let mut runs: Vec<Run> = patterns
        .iter()
        .map(|pattern| {
            let lo = class(pattern.text.as_bytes());
            let hi = after(pattern).map_or(end, |name| class(&name));
            (lo, hi)
        })
        .collect();
    runs.sort_unstable();
    let mut fit: Vec<Run> = Vec::new();
    let mut rest: Vec<Run> = Vec::new();
    let mut next = 0;
    for (lo, hi) in runs {
        if lo > next {
            rest.push((next, lo - 1));
        }
        if hi > lo {
            fit.push((lo, hi - 1));
        }
        next = next.max(hi);
    }
    if next < end {
        rest.push((next, end - 1));
    }
    if negated { rest } else { fit }
}

/// The first name behind all that fit.
fn after(pattern: &NamePattern) -> Option<Vec<u8>> {
    let mut name = pattern.text.as_bytes().to_vec();
    if pattern.prefix {
        return behind(&name);
    }
    name.push(0);
    Some(name)
}

fn starts(limits: &[&Limit], largest: u128) -> Kind {
    let mut starts = vec![0];
    for limit in limits {
        if let Allowed::Numbers(ranges) = &limit.allowed {
            for range in ranges {
                starts.push(range.lo);
                starts.extend(range.hi.checked_add(1));
            }
        }
    }
    starts.retain(|start| *start <= largest);
    starts.sort_unstable();
    starts.dedup();
    Kind::Starts { starts, largest }
}

/// Names in the order of their bytes: all that begin alike stand together.
fn names(limits: &[&Limit]) -> Kind {
    let mut patterns: BTreeSet<&NamePattern> = BTreeSet::new();
    for limit in limits {
        if let Allowed::Names(names) = &limit.allowed {
            patterns.extend(names);
        }
    }
    let mut starts: BTreeSet<Vec<u8>> = BTreeSet::from([Vec::new(), vec![0]]);
    for pattern in patterns {
        starts.insert(pattern.text.as_bytes().to_vec());
        starts.extend(after(pattern));
    }
    Kind::Names(starts.into_iter().collect())
}

/// The first name behind all that begin so.
fn behind(start: &[u8]) -> Option<Vec<u8>> {
    let kept = start.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut next = start.get(..=kept)?.to_vec();
    *next.last_mut()? += 1;
    Some(next)
}

/// One number for each answer that the limits of the field can give together, so that numbers of
/// one answer stand side by side.
fn points(field: Field, bits: u128, limits: &[&Limit]) -> Vec<u128> {
    let numbers = few(field).map_or_else(|| subsets(bits), <[u128]>::to_vec);
    let mut questions: Vec<(Option<u128>, &[Range])> = limits
        .iter()
        .filter_map(|limit| match &limit.allowed {
            Allowed::Numbers(ranges) => Some((limit.mask, ranges.as_slice())),
            Allowed::Names(_) => None,
        })
        .collect();
    questions.sort_unstable();
    questions.dedup();
    if questions.len() > 1 << MOST_LISTED {
        return numbers;
    }
    let mut by_answers: BTreeMap<Vec<bool>, u128> = BTreeMap::new();
    for number in numbers {
        let answers = questions
            .iter()
            .map(|(mask, ranges)| holds(number, *mask, ranges))
            .collect();
        by_answers.entry(answers).or_insert(number);
    }
    by_answers.into_values().collect()
}

/// All numbers that have no other bits than these.
fn subsets(bits: u128) -> Vec<u128> {
    let mut all = vec![0];
    for bit in (0..u128::BITS).filter(|bit| bits >> bit & 1 == 1) {
        let with: Vec<u128> = all.iter().map(|number| number | 1 << bit).collect();
        all.extend(with);
    }
    all
}
