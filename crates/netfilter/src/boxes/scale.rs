//! The few values of an axis that a chain distinguishes.
//!
//! Two numbers that no rule of the chain separates are equivalent. Each run of such
//! values is one class; a limit is then a few runs of classes, and every box has small coordinates,
//! whether of addresses, names or flags.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{AllowedValues, AxisLimit, MatchAxis};
use super::fields::{FieldPresence, complement_ranges, largest_value, only_values, presence_of};
use surefoot_ruleset::model::{Field, NamePattern, Range};

/// The classes of one axis; class 0 is "not there" where a packet can lack the field.
#[derive(Clone, Debug)]
pub(super) struct FieldScale {
    pub(super) axis: MatchAxis,
    /// Whether class 0 is "not there".
    pub(super) absent: bool,
    kind: ScaleKind,
}

#[derive(Clone, Debug)]
enum ScaleKind {
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
pub enum ClassValue {
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
pub(super) struct FieldScales {
    pub(super) all: Vec<FieldScale>,
    joint: BTreeMap<Field, u128>,
}

impl FieldScales {
    /// Made for these limits.
    pub(super) fn new<'a>(limits: impl Iterator<Item = &'a AxisLimit> + Clone, v6: bool) -> Self {
        let mut masks: BTreeMap<Field, (bool, u128)> = BTreeMap::new();
        for limit in limits.clone() {
            if let MatchAxis::Number(field) = limit.axis {
                let (masked, bits) = masks.entry(field).or_default();
                *masked |= limit.mask.is_some();
                *bits |= limit.mask.unwrap_or(largest_value(field));
            }
        }
        let joint: BTreeMap<Field, u128> = masks
            .into_iter()
            .filter(|(field, (masked, bits))| {
                only_values(*field).is_some() || *masked && bits.count_ones() <= MOST_LISTED
            })
            .map(|(field, (_, bits))| (field, bits))
            .collect();
        let mut scales = Self {
            all: Vec::new(),
            joint,
        };
        let mut by_axis: BTreeMap<MatchAxis, Vec<&AxisLimit>> = BTreeMap::new();
        for limit in limits {
            let axis = scales.axis_of(limit);
            match by_axis.get_mut(&axis) {
                Some(limits) => limits.push(limit),
                None => drop(by_axis.insert(axis, vec![limit])),
            }
        }
        scales.all = by_axis
            .into_iter()
            .map(|(axis, limits)| {
                let bits = match &axis {
                    MatchAxis::Number(field) => scales.joint.get(field).copied(),
                    _ => None,
                };
                FieldScale::new(axis, &limits, bits, v6)
            })
            .collect();
        scales
    }

    /// The axis that a limit is on in this chain.
    fn axis_of(&self, limit: &AxisLimit) -> MatchAxis {
        match (&limit.axis, limit.mask) {
            (MatchAxis::Number(field), Some(mask)) if !self.joint.contains_key(field) => {
                MatchAxis::Bits(*field, mask)
            }
            (axis, _) => axis.clone(),
        }
    }

    /// The place of a limit's axis, and its runs of classes there.
    pub(super) fn runs_of_limit(&self, limit: &AxisLimit) -> Option<(usize, Vec<Run>)> {
        let axis = self.axis_of(limit);
        let at = self
            .all
            .binary_search_by(|scale| scale.axis.cmp(&axis))
            .ok()?;
        Some((at, self.all[at].runs(limit)))
    }

    /// The place of a field's axis.
    pub(super) fn of_field(&self, field: Field) -> Option<usize> {
        let axis = MatchAxis::Number(field);
        self.all
            .binary_search_by(|scale| scale.axis.cmp(&axis))
            .ok()
    }
}

impl FieldScale {
    fn new(axis: MatchAxis, limits: &[&AxisLimit], joint: Option<u128>, v6: bool) -> Self {
        let absent = match &axis {
            MatchAxis::Number(field) | MatchAxis::Bits(field, _) => {
                presence_of(*field, v6) != FieldPresence::Always
            }
            MatchAxis::In | MatchAxis::Out | MatchAxis::Said(_) => false,
        };
        let kind = match (&axis, joint) {
            (MatchAxis::Number(field), Some(bits)) => {
                ScaleKind::Points(cut_points(*field, bits, limits))
            }
            (MatchAxis::Number(field), None) => starts(limits, largest_value(*field)),
            (MatchAxis::Bits(_, mask), _) => starts(limits, *mask),
            (MatchAxis::Said(_), _) => starts(limits, 1),
            (MatchAxis::In | MatchAxis::Out, _) => name_scale(limits),
        };
        Self { axis, absent, kind }
    }

    /// How many classes there are.
    pub(super) fn count(&self) -> u32 {
        let classes = match &self.kind {
            ScaleKind::Starts { starts, .. } => starts.len(),
            ScaleKind::Names(starts) => starts.len(),
            ScaleKind::Points(points) => points.len(),
        };
        u32::try_from(classes).unwrap_or(u32::MAX - 1) + u32::from(self.absent)
    }

    /// A value of the class.
    pub(super) fn class_value(&self, class: u32) -> ClassValue {
        if self.absent && class == 0 {
            return ClassValue::Absent;
        }
        let at = usize::try_from(class - u32::from(self.absent)).unwrap_or(usize::MAX);
        match &self.kind {
            ScaleKind::Starts { starts, .. } => starts
                .get(at)
                .map_or(ClassValue::Absent, |one| ClassValue::Number(*one)),
            ScaleKind::Points(points) => points
                .get(at)
                .map_or(ClassValue::Absent, |one| ClassValue::Number(*one)),
            ScaleKind::Names(starts) => starts.get(at).map_or(ClassValue::Absent, |one| {
                ClassValue::Name(String::from_utf8_lossy(one).into_owned())
            }),
        }
    }

    /// The classes that the limit allows, ascending and with gaps between.
    fn runs(&self, limit: &AxisLimit) -> Vec<Run> {
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
            (ScaleKind::Starts { starts, largest }, AllowedValues::Numbers(ranges)) => {
                let class = |number: u128| {
                    let at = starts.partition_point(|start| *start <= number);
                    u32::try_from(at.saturating_sub(1)).unwrap_or(u32::MAX - 1) + first
                };
                let turned = limit.negated.then(|| complement_ranges(ranges, *largest));
                for range in turned.as_ref().unwrap_or(ranges) {
                    if range.lo <= *largest && range.lo <= range.hi {
                        add(class(range.lo), class(range.hi.min(*largest)));
                    }
                }
            }
            (ScaleKind::Points(points), AllowedValues::Numbers(ranges)) => {
                for (class, point) in (first..).zip(points) {
                    if holds(*point, limit.mask, ranges) != limit.negated {
                        add(class, class);
                    }
                }
            }
            (ScaleKind::Names(starts), AllowedValues::Names(patterns)) => {
                for (lo, hi) in name_runs(starts, patterns, limit.negated) {
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
fn name_runs(starts: &[Vec<u8>], patterns: &[NamePattern], negated: bool) -> Vec<Run> {
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
        return next_name(&name);
    }
    name.push(0);
    Some(name)
}

fn starts(limits: &[&AxisLimit], largest: u128) -> ScaleKind {
    let mut starts = vec![0];
    for limit in limits {
        if let AllowedValues::Numbers(ranges) = &limit.allowed {
            for range in ranges {
                starts.push(range.lo);
                starts.extend(range.hi.checked_add(1));
            }
        }
    }
    starts.retain(|start| *start <= largest);
    starts.sort_unstable();
    starts.dedup();
    ScaleKind::Starts { starts, largest }
}

/// Names in the order of their bytes: all that begin alike stand together.
fn name_scale(limits: &[&AxisLimit]) -> ScaleKind {
    let mut patterns: BTreeSet<&NamePattern> = BTreeSet::new();
    for limit in limits {
        if let AllowedValues::Names(names) = &limit.allowed {
            patterns.extend(names);
        }
    }
    let mut starts: BTreeSet<Vec<u8>> = BTreeSet::from([Vec::new(), vec![0]]);
    for pattern in patterns {
        starts.insert(pattern.text.as_bytes().to_vec());
        starts.extend(after(pattern));
    }
    ScaleKind::Names(starts.into_iter().collect())
}

/// The first name behind all that begin so.
fn next_name(start: &[u8]) -> Option<Vec<u8>> {
    let kept = start.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut next = start.get(..=kept)?.to_vec();
    *next.last_mut()? += 1;
    Some(next)
}

/// One number for each answer that the limits of the field can give together, so that numbers of
/// one answer stand side by side.
fn cut_points(field: Field, bits: u128, limits: &[&AxisLimit]) -> Vec<u128> {
    let numbers = only_values(field).map_or_else(|| bit_subsets(bits), <[u128]>::to_vec);
    let mut questions: Vec<(Option<u128>, &[Range])> = limits
        .iter()
        .filter_map(|limit| match &limit.allowed {
            AllowedValues::Numbers(ranges) => Some((limit.mask, ranges.as_slice())),
            AllowedValues::Names(_) => None,
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
fn bit_subsets(bits: u128) -> Vec<u128> {
    let mut all = vec![0];
    for bit in (0..u128::BITS).filter(|bit| bits >> bit & 1 == 1) {
        let with: Vec<u128> = all.iter().map(|number| number | 1 << bit).collect();
        all.extend(with);
    }
    all
}
