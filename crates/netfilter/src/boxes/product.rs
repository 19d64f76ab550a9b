//! The boxes of a chain: what each rule asks for, as products of runs of classes.

use super::ask::{Allowed, Asked, Axis, Limit};
use super::fields::{PROTOCOLS, There, there};
use super::scale::{Run, Scales};
use super::world::World;
use surefoot_ruleset::model::{Field, Range};

/// Boxes that one rule may be made of.
const MOST_BOXES: usize = 1024;

/// The boxes of all rules of a chain, rule after rule.
pub(super) struct Boxes {
    /// How many axes each has.
    pub(super) width: usize,
    sides: Vec<Run>,
    rules: Vec<u32>,
    takes: Vec<bool>,
    of_rule: Vec<std::ops::Range<usize>>,
}

/// What becomes of fragments other than the first, which have no transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fragments {
    /// Conntrack puts them together before the rules see them.
    None,
    /// A rule that reads a transport header does not match them.
    Seen,
    /// The kernel may take their data for a header, the same for every rule.
    Misread,
}

/// One side for each axis, from its first class to its last.
pub(super) type Sides = [Run];

impl Boxes {
    /// The boxes of these rules, and the space that they lie in.
    pub(super) fn new(asked: &[Asked], v6: bool, fragments: Fragments) -> (Self, Scales, World) {
        let extra = extra_limits(asked, v6, fragments);
        let limits = asked
            .iter()
            .flat_map(|one| one.parts.iter().flatten())
            .chain(&extra);
        let scales = Scales::new(limits, v6);
        let world = World::new(&scales, v6, fragments);
        let mut boxes = Self {
            width: scales.all.len(),
            sides: Vec::new(),
            rules: Vec::new(),
            takes: Vec::new(),
            of_rule: Vec::with_capacity(asked.len()),
        };
        for (rule, one) in (0..).zip(asked) {
            let first = boxes.rules.len();
            boxes.add_rule(rule, one, &scales);
            boxes.of_rule.push(first..boxes.rules.len());
        }
        (boxes, scales, world)
    }

    fn add_rule(&mut self, rule: u32, asked: &Asked, scales: &Scales) {
        let mut choices: Vec<Vec<Vec<Run>>> = Vec::with_capacity(asked.parts.len());
        let mut whole = true;
        for part in &asked.parts {
            let mut sides: Vec<Vec<Run>> = scales
                .all
                .iter()
                .map(|scale| vec![(0, scale.count().saturating_sub(1))])
                .collect();
            for limit in part {
                match scales.runs(limit) {
                    Some((at, runs)) => sides[at] = common(&sides[at], &runs),
                    None => whole = false,
                }
            }
            choices.push(sides);
        }
        let share = MOST_BOXES / choices.len().max(1);
        for mut sides in choices {
            let mut whole = whole;
            while count(&sides) > share.max(1) {
                let Some(most) = sides.iter_mut().max_by_key(|side| side.len()) else {
                    break;
                };
                // Too many: what lies between them is asked for as well, and nothing hidden.
                if let (Some(first), Some(last)) = (most.first(), most.last()) {
                    *most = vec![(first.0, last.1)];
                }
                whole = false;
            }
            self.push_all(rule, &sides, whole && asked.takes);
        }
    }

    /// Every box that takes one run of each axis.
    fn push_all(&mut self, rule: u32, sides: &[Vec<Run>], takes: bool) {
        if sides.iter().any(Vec::is_empty) {
            return;
        }
        let mut turn = vec![0; sides.len()];
        loop {
            self.sides
                .extend(sides.iter().zip(&turn).map(|(runs, at)| runs[*at]));
            self.rules.push(rule);
            self.takes.push(takes);
            // The next combination, like an odometer.
            let mut axis = 0;
            loop {
                let Some(runs) = sides.get(axis) else { return };
                turn[axis] += 1;
                if turn[axis] < runs.len() {
                    break;
                }
                turn[axis] = 0;
                axis += 1;
            }
        }
    }

    /// The boxes of a rule.
    pub(super) fn of(&self, rule: usize) -> std::ops::Range<usize> {
        self.of_rule.get(rule).cloned().unwrap_or_default()
    }

    /// The sides of a box.
    pub(super) fn sides(&self, at: usize) -> &Sides {
        &self.sides[at * self.width..(at + 1) * self.width]
    }

    /// The rule that a box belongs to.
    pub(super) fn rule(&self, at: usize) -> u32 {
        self.rules[at]
    }

    /// Whether a packet in the box never comes to a later rule.
    pub(super) fn takes(&self, at: usize) -> bool {
        self.takes[at]
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.rules.len()
    }
}

/// Classes that the packets' own laws tell apart.
fn extra_limits(asked: &[Asked], v6: bool, fragments: Fragments) -> Vec<Limit> {
    let mut limits = asked.iter().flat_map(|one| one.parts.iter().flatten());
    let of_protocol = |limit: &Limit| match limit.axis {
        Axis::Number(field) | Axis::Bits(field, _) => matches!(there(field, v6), There::With(_)),
        Axis::In | Axis::Out | Axis::Said(_) => false,
    };
    if !limits.any(of_protocol) {
        return Vec::new();
    }
    let protocol = |number: &u128| number_is(Field::L4Proto, *number);
    let mut extra: Vec<Limit> = PROTOCOLS.iter().map(protocol).collect();
    if fragments != Fragments::None {
        extra.push(number_is(Field::IsLaterFragment, 1));
    }
    extra
}

fn number_is(field: Field, number: u128) -> Limit {
    Limit {
        axis: Axis::Number(field),
        mask: None,
        negated: false,
        allowed: Allowed::Numbers(vec![Range::one(number)]),
        absent: false,
    }
}

fn count(sides: &[Vec<Run>]) -> usize {
    sides
        .iter()
        .fold(1, |count: usize, runs| count.saturating_mul(runs.len()))
}

/// What two lists of ascending runs share.
fn common(a: &[Run], b: &[Run]) -> Vec<Run> {
    let mut both = Vec::new();
    let (mut i, mut j) = (0, 0);
    while let (Some(one), Some(other)) = (a.get(i), b.get(j)) {
        let (lo, hi) = (one.0.max(other.0), one.1.min(other.1));
        if lo <= hi {
            both.push((lo, hi));
        }
        if one.1 < other.1 {
            i += 1;
        } else {
            j += 1;
        }
    }
    both
}
