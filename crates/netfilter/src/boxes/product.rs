//! The boxes of a chain: what each rule matches, as products of runs of classes.

use super::ask::{AllowedValues, AskedOfRule, AxisLimit, MatchAxis};
use super::fields::{FieldPresence, PROTOCOLS, presence_of};
use super::scale::{FieldScales, Run};
use super::world::ChainWorld;
use surefoot_ruleset::model::{Field, Range};

/// Boxes that one rule may be made of.
const MOST_BOXES: usize = 1024;

/// The boxes of all rules of a chain, rule after rule.
pub(super) struct RuleBoxes {
    /// How many axes each has.
    pub(super) width: usize,
    sides: Vec<Run>,
    rules: Vec<u32>,
    takes: Vec<bool>,
    of_rule: Vec<std::ops::Range<usize>>,
}

/// What becomes of fragments other than the first, which have no transport header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FragmentChoice {
    /// Conntrack puts them together before the rules see them.
    None,
    /// A rule that reads a transport header does not match them.
    Seen,
    /// The kernel may take their data for a header, the same for every rule.
    Misread,
}

/// One side for each axis, from its first class to its last.
pub(super) type Sides = [Run];

impl RuleBoxes {
    /// The boxes of these rules, and the space that they lie in.
    pub(super) fn new(
        asked: &[AskedOfRule],
        v6: bool,
        fragments: FragmentChoice,
    ) -> (Self, FieldScales, ChainWorld) {
        let extra = extra_limits(asked, v6, fragments);
        let limits = asked
            .iter()
            .flat_map(|one| one.parts.iter().flatten())
            .chain(&extra);
        let scales = FieldScales::new(limits, v6);
        let world = ChainWorld::new(&scales, v6, fragments);
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

    fn add_rule(&mut self, rule: u32, asked: &AskedOfRule, scales: &FieldScales) {
        let mut choices: Vec<Vec<Vec<Run>>> = Vec::with_capacity(asked.parts.len());
        let mut whole = true;
        for part in &asked.parts {
            let mut sides: Vec<Vec<Run>> = scales
                .all
                .iter()
                .map(|scale| vec![(0, scale.count().saturating_sub(1))])
                .collect();
            for limit in part {
                match scales.runs_of_limit(limit) {
                    Some((at, runs)) => sides[at] = common_runs(&sides[at], &runs),
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
                // Too many: the values between them are taken in as well, and the rule hides
                // nothing.
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
    pub(super) fn boxes_of_rule(&self, rule: usize) -> std::ops::Range<usize> {
        self.of_rule.get(rule).cloned().unwrap_or_default()
    }

    /// The sides of a box.
    pub(super) fn sides_at(&self, at: usize) -> &Sides {
        &self.sides[at * self.width..(at + 1) * self.width]
    }

    /// The rule that a box belongs to.
    pub(super) fn rule_of_box(&self, at: usize) -> u32 {
        self.rules[at]
    }

    /// Whether a packet in the box never comes to a later rule.
    pub(super) fn takes_packets(&self, at: usize) -> bool {
        self.takes[at]
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.rules.len()
    }
}

/// Classes that the packets' own laws tell apart.
fn extra_limits(asked: &[AskedOfRule], v6: bool, fragments: FragmentChoice) -> Vec<AxisLimit> {
    let mut limits = asked.iter().flat_map(|one| one.parts.iter().flatten());
    let of_protocol = |limit: &AxisLimit| match limit.axis {
        MatchAxis::Number(field) | MatchAxis::Bits(field, _) => {
            matches!(presence_of(field, v6), FieldPresence::With(_))
        }
        MatchAxis::In | MatchAxis::Out | MatchAxis::Said(_) => false,
    };
    if !limits.any(of_protocol) {
        return Vec::new();
    }
    let protocol = |number: &u128| number_is(Field::L4Proto, *number);
    let mut extra: Vec<AxisLimit> = PROTOCOLS.iter().map(protocol).collect();
    if fragments != FragmentChoice::None {
        extra.push(number_is(Field::IsLaterFragment, 1));
    }
    extra
}

fn number_is(field: Field, number: u128) -> AxisLimit {
    AxisLimit {
        axis: MatchAxis::Number(field),
        mask: None,
        negated: false,
        allowed: AllowedValues::Numbers(vec![Range::one(number)]),
        absent: false,
    }
}

fn count(sides: &[Vec<Run>]) -> usize {
    sides
        .iter()
        .fold(1, |count: usize, runs| count.saturating_mul(runs.len()))
}

/// What two lists of ascending runs share.
fn common_runs(a: &[Run], b: &[Run]) -> Vec<Run> {
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
