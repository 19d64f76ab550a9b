//! Which points of a chain's space are packets: a port needs a protocol that has ports.

use super::ask::MatchAxis;
use super::fields::{FieldPresence, presence_of};
use super::product::{FragmentChoice, Sides};
use super::scale::{ClassValue, FieldScales, Run};
use surefoot_ruleset::model::Field;

/// The laws that packets of one family keep.
pub(super) struct ChainWorld {
    protocol: Option<usize>,
    fragment: Option<usize>,
    /// For each class of protocols its number, or that of its first.
    protocols: Vec<u128>,
    /// The class of later fragments begins here.
    later: u32,
    fragments: FragmentChoice,
    /// Fields that whole packets of some protocols have.
    with: Vec<(usize, &'static [u128])>,
}

/// A class for each axis, as a box of one point.
pub(super) type Point = Vec<Run>;

impl ChainWorld {
    pub(super) fn new(scales: &FieldScales, v6: bool, fragments: FragmentChoice) -> Self {
        let protocol = scales.of_field(Field::L4Proto);
        let fragment = scales.of_field(Field::IsLaterFragment);
        let numbers = |at: Option<usize>| -> Vec<u128> {
            let scale = at.and_then(|at| scales.all.get(at));
            scale.map_or_else(Vec::new, |scale| {
                (0..scale.count())
                    .map(|class| match scale.class_value(class) {
                        ClassValue::Number(number) => number,
                        ClassValue::Absent | ClassValue::Name(_) => 0,
                    })
                    .collect()
            })
        };
        let with = scales
            .all
            .iter()
            .enumerate()
            .filter_map(|(at, scale)| match &scale.axis {
                MatchAxis::Number(field) | MatchAxis::Bits(field, _) => {
                    match presence_of(*field, v6) {
                        FieldPresence::With(protocols) => Some((at, protocols)),
                        _ => None,
                    }
                }
                _ => None,
            })
            .collect();
        let later = numbers(fragment).iter().position(|number| *number == 1);
        Self {
            protocol,
            fragment,
            protocols: numbers(protocol),
            later: later
                .and_then(|at| u32::try_from(at).ok())
                .unwrap_or(u32::MAX),
            fragments,
            with,
        }
    }

    /// A packet in the box, if there is one; another `turn`, another packet.
    pub(super) fn packet(&self, sides: &Sides, turn: u64, point: &mut Point) -> bool {
        point.clear();
        let mut state = turn.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        for (lo, hi) in sides {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let span = u64::from(hi - lo) + 1;
            // The upper half of the product is as good as a remainder, and cheaper.
            let offset = ((state >> 32) * span) >> 32;
            let class = lo + u32::try_from(offset).unwrap_or_default();
            point.push((class, class));
        }
        if self.with.is_empty() && self.fragment.is_none() {
            return true;
        }
        let later = self.fragment.map_or((0, 0), |at| sides[at]);
        let whole_fits = later.0 < self.later;
        let later_fits = self.fragments != FragmentChoice::None
            && later.1 >= self.later
            && self.later != u32::MAX;
        let misread = self.fragments == FragmentChoice::Misread;
        let protocols = self.protocol.map_or((0, 0), |at| sides[at]);
        let count = protocols.1 - protocols.0 + 1;
        let start = self.protocol.map_or(0, |at| point[at].0 - protocols.0);
        for step in 0..count {
            let class = protocols.0 + (start + step) % count;
            let number = self.protocols.get(class as usize).copied().unwrap_or(0);
            for whole in [true, false] {
                if whole && !whole_fits || !whole && !later_fits {
                    continue;
                }
                let fits = self.with.iter().all(|(at, has)| {
                    let (lo, hi) = sides[*at];
                    match (whole, has.contains(&number)) {
                        (true, true) => hi >= 1,
                        (false, true) if misread => true,
                        _ => lo == 0,
                    }
                });
                if !fits {
                    continue;
                }
                if let Some(at) = self.protocol {
                    point[at] = (class, class);
                }
                if let Some(at) = self.fragment {
                    let class = if whole { 0 } else { self.later };
                    point[at] = (class, class);
                }
                for (at, has) in &self.with {
                    match (whole, has.contains(&number)) {
                        (true, true) if point[*at].0 == 0 => point[*at] = (1, 1),
                        (true, true) => {}
                        (false, true) if misread => {}
                        _ => point[*at] = (0, 0),
                    }
                }
                return true;
            }
        }
        false
    }
}
