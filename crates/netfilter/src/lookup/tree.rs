//! Finds the first rule that a packet matches among very many.
//!
//! Each node cuts the numbers of one slot in two: rules that ask for less, rules that ask for more,
//! and a third child for those that do not care or reach over the cut. No rule is held twice, so
//! that the tree is as large as the chain.

use super::key::SeenFields;
use super::step::UnknownValue;
use crate::cuts::{AxisSide, CutRegions, best_cut, divide};

/// Rules that are looked at one by one.
const LEAF: usize = 4;
/// No deeper than this; the rest is one leaf.
const DEEPEST: usize = 48;
/// Nodes that wait to be looked at: of each level two at most.
const WAITING: usize = 2 * DEEPEST + 2;
const NONE: u32 = u32::MAX;

/// What a rule requires at least: of each axis the first and the last place.
pub(super) type Hull = Vec<AxisSide<u128>>;

/// The place of a number on an axis; 0 is that of packets without the field.
pub(super) fn key_place(number: u128) -> u128 {
    number.saturating_add(1)
}

#[derive(Clone, Debug)]
pub(super) struct SlotTree {
    nodes: Vec<SlotNode>,
    /// The rules of the leaves, ascending in each.
    rules: Vec<u32>,
}

#[derive(Clone, Debug)]
struct SlotNode {
    /// The first and the last rule below.
    first: u32,
    last: u32,
    kind: SlotNodeKind,
}

#[derive(Clone, Debug)]
enum SlotNodeKind {
    Leaf {
        start: u32,
        end: u32,
    },
    Cut {
        slot: u8,
        /// The first place behind the cut.
        at: u128,
        before: u32,
        across: u32,
        behind: u32,
    },
}

impl SlotTree {
    /// Holds the rules, whose hulls have a side for each of the slots.
    pub(super) fn new(slots: &[u8], hulls: &[Hull]) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            rules: Vec::new(),
        };
        let all = (0..hulls.len()).filter_map(|at| u32::try_from(at).ok());
        tree.add(slots, hulls, all.collect(), 0);
        tree
    }

    /// The rules, those of a leaf beside each other.
    pub(super) fn held_order(&self) -> impl Iterator<Item = usize> {
        self.rules.iter().map(|rule| *rule as usize)
    }

    fn add(&mut self, slots: &[u8], hulls: &[Hull], held: Vec<u32>, depth: usize) -> u32 {
        let (Some(first), Some(last)) = (held.first().copied(), held.last().copied()) else {
            return NONE;
        };
        let node = self.nodes.len();
        let cut = (held.len() > LEAF && depth < DEEPEST)
            .then(|| best_cut(&held, |one| hulls[one as usize].as_slice()))
            .flatten();
        let length = |rules: &Vec<u32>| u32::try_from(rules.len()).unwrap_or(NONE);
        let start = length(&self.rules);
        if cut.is_none() {
            self.rules.extend(&held);
        }
        self.nodes.push(SlotNode {
            first,
            last,
            kind: SlotNodeKind::Leaf {
                start,
                end: length(&self.rules),
            },
        });
        if let Some((axis, at)) = cut {
            let CutRegions {
                before,
                across,
                behind,
            } = divide(held, at, |one| hulls[one as usize][axis]);
            self.nodes[node].kind = SlotNodeKind::Cut {
                slot: slots[axis],
                at,
                across: self.add(slots, hulls, across, depth + 1),
                before: self.add(slots, hulls, before, depth + 1),
                behind: self.add(slots, hulls, behind, depth + 1),
            };
        }
        u32::try_from(node).unwrap_or(NONE)
    }

    /// The first rule from `from` on for which the test says yes.
    pub(super) fn first(
        &self,
        from: u32,
        seen: &SeenFields<'_>,
        test: impl Fn(u32) -> bool,
    ) -> Option<u32> {
        let mut best = NONE;
        let mut waiting = [NONE; WAITING];
        waiting[0] = 0;
        let mut count = usize::from(!self.nodes.is_empty());
        while count > 0 {
            count -= 1;
            let node = &self.nodes[waiting[count] as usize];
            if node.first >= best || node.last < from {
                continue;
            }
            match node.kind {
                SlotNodeKind::Leaf { start, end } => {
                    for rule in &self.rules[start as usize..end as usize] {
                        if *rule >= best {
                            break;
                        }
                        if *rule >= from && test(*rule) {
                            best = *rule;
                            break;
                        }
                    }
                }
                SlotNodeKind::Cut {
                    slot,
                    at,
                    before,
                    across,
                    behind,
                } => {
                    let (less, more) = match seen.number(slot) {
                        Ok(number) => {
                            let less = number.map_or(0, key_place) < at;
                            (less, !less)
                        }
                        Err(UnknownValue) => (true, true),
                    };
                    for (child, open) in [(behind, more), (before, less), (across, true)] {
                        if open && child != NONE {
                            waiting[count] = child;
                            count += 1;
                        }
                    }
                }
            }
        }
        (best != NONE).then_some(best)
    }
}
