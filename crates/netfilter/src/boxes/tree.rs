//! Finds the boxes at a point, or those that intersect a box, among many.
//!
//! Each node cuts one axis in two: boxes before the cut, boxes behind it, and a third child for
//! those that reach over it, which other axes divide. No box is held twice, so that the tree is as
//! large as the chain, however wide its rules are.

use std::ops::ControlFlow;

use super::product::{RuleBoxes, Sides};
use crate::cuts::{CutRegions, best_cut, divide};

/// Boxes that are looked at one by one.
const LEAF: usize = 8;
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
            .then(|| best_cut(&held, |one| boxes.sides_at(one as usize)))
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
        let CutRegions {
            before,
            across,
            behind,
        } = divide(held, at, |one| boxes.sides_at(one as usize)[axis]);
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

    /// Each box of rules before `end` that intersects the sides.
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
