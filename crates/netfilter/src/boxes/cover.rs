//! Whether boxes together hold every packet of another.
//!
//! A packet of the box is taken at random. Where no other box holds it, it is the answer. Where one
//! does, that box is cut out, and what is left is asked in the same way: the pieces shrink until one
//! shows a packet or none is left. The list of all boxes that intersect the first is not needed.

use std::ops::ControlFlow;

use super::product::{RuleBoxes, Sides};
use super::scale::Run;
use super::tree::BoxTree;
use super::world::{ChainWorld, Point};

/// The steps do not suffice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SearchSpent;

/// Packets that are tried before anything is cut.
const TRIES: u64 = 3;
/// Boxes at one point that are compared for the one that cuts most.
const MOST_COMPARED: u32 = 24;

/// What covers.
#[derive(Clone, Copy)]
pub(super) enum CoverTree<'a> {
    /// The boxes of all rules before one.
    Before(&'a BoxTree, u32),
    /// These boxes.
    These(&'a [usize]),
}

impl CoverTree<'_> {
    /// A box that holds the point, and much of the sides.
    fn find_holder(
        self,
        boxes: &RuleBoxes,
        point: &Sides,
        sides: &Sides,
        steps: &mut u64,
    ) -> Option<usize> {
        let mut best: Option<(f64, usize)> = None;
        let mut compared = 0;
        let mut compare = |one: usize| {
            *steps = steps.saturating_sub(1);
            let share = covered_share(boxes.sides_at(one), sides);
            if best.is_none_or(|(most, _)| share > most) {
                best = Some((share, one));
            }
            compared += 1;
            if share >= 1.0 || compared >= MOST_COMPARED {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        };
        let _ = match self {
            Self::Before(tree, end) => tree.find_meeting(boxes, point, end, compare),
            Self::These(some) => some
                .iter()
                .filter(|one| covers_sides(boxes.sides_at(**one), point))
                .try_for_each(|one| compare(*one)),
        };
        best.map(|(_, one)| one)
    }
}

/// Whether the first box holds all of the second.
pub(super) fn covers_sides(a: &Sides, b: &Sides) -> bool {
    a.iter()
        .zip(b)
        .all(|(one, other)| one.0 <= other.0 && other.1 <= one.1)
}

/// How much of the sides a box holds: 1 is all.
fn covered_share(held: &Sides, sides: &Sides) -> f64 {
    let mut share = 1.0;
    for (one, other) in held.iter().zip(sides) {
        if one.0 > other.0 || one.1 < other.1 {
            let common = one.1.min(other.1) - one.0.max(other.0);
            share *= (f64::from(common) + 1.0) / (f64::from(other.1 - other.0) + 1.0) * 0.999_999;
        }
    }
    share
}

/// What is left to ask, box after box in one list.
pub(super) struct CoverSearch {
    left: Vec<Run>,
    point: Point,
    piece: Vec<Run>,
    /// The boxes that cut something, of the last question.
    pub(super) used: Vec<usize>,
    /// Steps that may still be taken.
    pub(super) steps: u64,
}

impl CoverSearch {
    pub(super) fn new() -> Self {
        Self {
            left: Vec::new(),
            point: Vec::new(),
            piece: Vec::new(),
            used: Vec::new(),
            steps: 0,
        }
    }

    /// A packet of these boxes that the cover does not hold.
    pub(super) fn find_outside<'a>(
        &mut self,
        boxes: &RuleBoxes,
        world: &ChainWorld,
        of: impl Iterator<Item = &'a Sides> + Clone,
        cover: CoverTree,
    ) -> Result<Option<Point>, SearchSpent> {
        let width = boxes.width;
        self.used.clear();
        self.left.clear();
        for sides in of.clone() {
            for turn in 0..TRIES {
                self.spend_step()?;
                if !world.packet(sides, turn, &mut self.point) {
                    break;
                }
                let steps = &mut self.steps;
                if cover
                    .find_holder(boxes, &self.point, sides, steps)
                    .is_none()
                {
                    return Ok(Some(self.point.clone()));
                }
            }
        }
        if width == 0 {
            // All packets are alike: they are held, or nothing was asked for.
            if of.count() > 0 {
                self.used
                    .extend(cover.find_holder(boxes, &[], &[], &mut self.steps));
            }
            return Ok(None);
        }
        for sides in of {
            self.left.extend_from_slice(sides);
            while let Some(at) = self.left.len().checked_sub(width) {
                self.spend_step()?;
                let mut piece = std::mem::take(&mut self.piece);
                piece.clear();
                piece.extend(self.left.drain(at..));
                let held = if world.packet(&piece, self.steps, &mut self.point) {
                    let steps = &mut self.steps;
                    match cover.find_holder(boxes, &self.point, &piece, steps) {
                        Some(held) => Some(held),
                        None => return Ok(Some(self.point.clone())),
                    }
                } else {
                    None
                };
                if let Some(held) = held {
                    self.used.push(held);
                    self.cut_piece(&mut piece, boxes.sides_at(held));
                }
                self.piece = piece;
            }
        }
        Ok(None)
    }

    fn spend_step(&mut self) -> Result<(), SearchSpent> {
        self.steps = self.steps.checked_sub(1).ok_or(SearchSpent)?;
        Ok(())
    }

    /// Leaves what of the piece is not held.
    fn cut_piece(&mut self, piece: &mut [Run], held: &Sides) {
        for (axis, (lo, hi)) in held.iter().enumerate() {
            let (from, to) = piece[axis];
            if from < *lo {
                let start = self.left.len();
                self.left.extend_from_slice(piece);
                self.left[start + axis] = (from, lo - 1);
                piece[axis].0 = *lo;
            }
            if to > *hi {
                let start = self.left.len();
                self.left.extend_from_slice(piece);
                self.left[start + axis] = (hi + 1, to);
                piece[axis].1 = *hi;
            }
        }
    }
}
