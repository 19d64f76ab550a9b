//! Finds the boxes at a point, or those that meet a box, among many.
//!
//! Each node cuts one axis in two: boxes before the cut, boxes behind it, and a third child for
//! those that reach over it, which other axes divide. No box is held twice, so that the tree is as
//! large as the chain, however wide its rules are.

use std::ops::ControlFlow;

use super::product::{RuleBoxes, Sides};
use super::scale::Run;

/// Boxes that are looked at one by one.
const LEAF: usize = 8;
/// Boxes that the choice of a cut looks at.
const SAMPLE: usize = 64;
/// No deeper than this; the rest is one leaf.
const DEEPEST: u32 = 64;

pub(super) struct BoxTree {
    nodes: Vec<BoxNode>,
    /// The boxes of the leaves, in the order of the rules in each.
    order: Vec<u32>,
}

struct BoxNode {
    /// The first rule that has a box below.
    first: u32,
    kind: BoxNodeKind,
}

enum BoxNodeKind {
    Leaf(std::ops::Range<usize>),
    Cut {
        axis: usize,
        /// The first class behind the cut.
        at: u32,
        before: Option<usize>,
        across: Option<usize>,
        behind: Option<usize>,
    },
}

impl BoxTree {
    /// Holds the boxes that take their packets.
    pub(super) fn new(boxes: &RuleBoxes) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            order: Vec::new(),
        };
        let all = (0..boxes.count()).filter(|at| boxes.takes_packets(*at));
        let all = all.filter_map(|at| u32::try_from(at).ok()).collect();
        tree.add_node(boxes, all, 0);
        tree
    }

    fn add_node(&mut self, boxes: &RuleBoxes, held: Vec<u32>, depth: u32) -> Option<usize> {
        let first = boxes.rule_of_box(*held.first()? as usize);
        let cut = (held.len() > LEAF && depth < DEEPEST)
            .then(|| best_cut(boxes, &held))
            .flatten();
        let node = self.nodes.len();
        let Some((axis, at)) = cut else {
            let start = self.order.len();
            self.order.extend(held);
            self.nodes.push(BoxNode {
                first,
                kind: BoxNodeKind::Leaf(start..self.order.len()),
            });
            return Some(node);
        };
        self.nodes.push(BoxNode {
            first,
            kind: BoxNodeKind::Leaf(0..0),
        });
        let (mut before, mut across, mut behind) = (Vec::new(), Vec::new(), Vec::new());
        for one in held {
            let (lo, hi) = boxes.sides_at(one as usize)[axis];
            if hi < at {
                before.push(one);
            } else if lo >= at {
                behind.push(one);
            } else {
                across.push(one);
            }
        }
        let across = self.add_node(boxes, across, depth + 1);
        let before = self.add_node(boxes, before, depth + 1);
        let behind = self.add_node(boxes, behind, depth + 1);
        self.nodes[node].kind = BoxNodeKind::Cut {
            axis,
            at,
            before,
            across,
            behind,
        };
        Some(node)
    }

    /// Each box of rules before `end` that meets the sides.
    pub(super) fn find_meeting<B>(
        &self,
        boxes: &RuleBoxes,
        sides: &Sides,
        end: u32,
        mut found: impl FnMut(usize) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut open = Vec::with_capacity(64);
        open.extend((!self.nodes.is_empty()).then_some(0));
        while let Some(at) = open.pop() {
            let node = &self.nodes[at];
            if node.first >= end {
                continue;
            }
            match &node.kind {
                BoxNodeKind::Leaf(held) => {
                    for one in &self.order[held.clone()] {
                        let one = *one as usize;
                        if boxes.rule_of_box(one) >= end {
                            break;
                        }
                        if sides_meet(boxes.sides_at(one), sides) {
                            found(one)?;
                        }
                    }
                }
                BoxNodeKind::Cut {
                    axis,
                    at,
                    before,
                    across,
                    behind,
                } => {
                    let (lo, hi) = sides[*axis];
                    if hi >= *at {
                        open.extend(behind);
                    }
                    if lo < *at {
                        open.extend(before);
                    }
                    open.extend(across);
                }
            }
        }
        ControlFlow::Continue(())
    }
}

fn sides_meet(a: &Sides, b: &Sides) -> bool {
    a.iter()
        .zip(b)
        .all(|(one, other)| one.0 <= other.1 && other.0 <= one.1)
}

/// The axis and the class that divide the boxes best.
fn best_cut(boxes: &RuleBoxes, held: &[u32]) -> Option<(usize, u32)> {
    let step = held.len().div_ceil(SAMPLE);
    let some: Vec<&[Run]> = held
        .iter()
        .step_by(step)
        .map(|one| boxes.sides_at(*one as usize))
        .collect();
    let mut best: Option<(usize, (usize, u32))> = None;
    let mut edges: Vec<u32> = Vec::with_capacity(2 * SAMPLE);
    for axis in 0..boxes.width {
        edges.clear();
        // Where a box begins or ends; that of all packets does neither.
        edges.extend(some.iter().map(|sides| sides[axis].0).filter(|lo| *lo > 0));
        edges.extend(some.iter().map(|sides| sides[axis].1 + 1));
        edges.sort_unstable();
        let Some(last) = edges.last().copied() else {
            continue;
        };
        edges.retain(|edge| *edge < last);
        let Some(at) = edges.get(edges.len() / 2).copied() else {
            continue;
        };
        let before = some.iter().filter(|sides| sides[axis].1 < at).count();
        let behind = some.iter().filter(|sides| sides[axis].0 >= at).count();
        let cost = some.len() - before.min(behind);
        if best.is_none_or(|(least, _)| cost < least) {
            best = Some((cost, (axis, at)));
        }
    }
    let (cost, cut) = best?;
    // A cut that leaves nearly all on one side only makes the tree deeper.
    (cost * 16 < some.len() * 15).then_some(cut)
}
