//! The values of one block of bits that sets treat alike.

use std::collections::{BTreeSet, HashSet};

use super::diagram::{Diagrams, Exhausted, Known, Packets};
use super::space::VariableBlock;

/// More values at which something changes are no list for people.
const MOST_CUTS: usize = 4096;

impl Diagrams {
    /// Every value at which the set begins to look at the other packets' bits in another way, 0
    /// among them; none if there are too many.
    pub(crate) fn value_cuts(&self, set: Packets, block: VariableBlock) -> Option<BTreeSet<u128>> {
        let mut cuts = BTreeSet::from([0]);
        let mut seen = HashSet::new();
        let mut todo = vec![set];
        while let Some(set) = todo.pop() {
            let variable = self.variable(set);
            if variable >= block.first + block.width || !seen.insert(set) {
                continue;
            }
            if variable < block.first {
                let (low, high) = self.cofactors(set, variable);
                todo.extend([low, high]);
            } else {
                self.cuts_within(set, block, (0, 0), (&mut None, &mut cuts))?;
            }
        }
        Some(cuts)
    }

    /// `base` is the first value whose first `bits` bits are those that led here.
    fn cuts_within(
        &self,
        set: Packets,
        block: VariableBlock,
        (base, bits): (u128, u32),
        (before, cuts): (&mut Option<Packets>, &mut BTreeSet<u128>),
    ) -> Option<()> {
        if self.variable(set) >= block.first + block.width {
            if *before != Some(set) {
                *before = Some(set);
                cuts.insert(base);
            }
            return (cuts.len() <= MOST_CUTS).then_some(());
        }
        let (low, high) = self.cofactors(set, block.first + bits);
        let upper = base + (1 << (block.width - bits - 1));
        self.cuts_within(low, block, (base, bits + 1), (before, cuts))?;
        self.cuts_within(high, block, (upper, bits + 1), (before, cuts))
    }

    /// The packets that are in the set if their block has the value, whatever it is.
    pub(crate) fn given_value(
        &mut self,
        set: Packets,
        block: VariableBlock,
        value: u128,
    ) -> Result<Packets, Exhausted> {
        self.given_of(set, block, value, &mut Known::default())
    }

    fn given_of(
        &mut self,
        set: Packets,
        block: VariableBlock,
        value: u128,
        known: &mut Known,
    ) -> Result<Packets, Exhausted> {
        let variable = self.variable(set);
        let Some(behind) = (block.first + block.width).checked_sub(variable) else {
            return Ok(set);
        };
        if behind == 0 {
            return Ok(set);
        }
        if let Some(found) = known.get(&set) {
            return Ok(*found);
        }
        let (low, high) = self.cofactors(set, variable);
        let found = if variable >= block.first {
            let bit = value >> (behind - 1) & 1 == 1;
            self.given_of(if bit { high } else { low }, block, value, known)?
        } else {
            let low = self.given_of(low, block, value, known)?;
            let high = self.given_of(high, block, value, known)?;
            self.make_node(variable, low, high)?
        };
        known.insert(set, found);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::word::BitVector;
    use surefoot_ruleset::model::Range;

    const BLOCK: VariableBlock = VariableBlock { first: 1, width: 4 };

    /// Values from 3 to 5, and 9 only with the bit before the block, and 14 and 15 with the one
    /// behind it.
    fn set(store: &mut Diagrams) -> Packets {
        let bits = (1..5).map(|at| store.bit(at).unwrap()).collect();
        let there = Packets::ALL;
        let word = BitVector { there, bits };
        let mut among = |lo, hi| store.vector_in(&word, &[Range { lo, hi }]).unwrap();
        let (plain, nine, last) = (among(3, 5), among(9, 9), among(14, 15));
        let (before, behind) = (store.bit(0).unwrap(), store.bit(5).unwrap());
        let nine = store.and(nine, before).unwrap();
        let last = store.and(last, behind).unwrap();
        store.unite_all(vec![plain, nine, last]).unwrap()
    }

    #[test]
    fn every_value_at_which_something_changes_is_found() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let set = set(&mut store);
        let cuts: Vec<u128> = store.value_cuts(set, BLOCK).unwrap().into_iter().collect();
        assert_eq!(cuts, [0, 3, 6, 9, 10, 14]);
    }

    #[test]
    fn a_given_value_leaves_what_hangs_on_the_others() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let set = set(&mut store);
        let (before, behind) = (store.bit(0).unwrap(), store.bit(5).unwrap());
        let mut given = |value| store.given_value(set, BLOCK, value).unwrap();
        assert_eq!(given(2), Packets::NONE);
        assert_eq!(given(3), Packets::ALL);
        assert_eq!(given(5), Packets::ALL);
        assert_eq!(given(9), before);
        assert_eq!(given(15), behind);
    }

    #[test]
    fn what_changes_too_often_is_given_up() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let block = VariableBlock {
            first: 0,
            width: 16,
        };
        let odd = store.bit(15).unwrap();
        assert_eq!(store.value_cuts(odd, block), None);
    }
}
