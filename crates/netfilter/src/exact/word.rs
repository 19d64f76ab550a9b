//! A number of the packet, bit by bit, as sets of packets.

use super::diagram::{Diagrams, Exhausted, Packets};
use surefoot_ruleset::model::Range;

/// A number that a packet may have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BitVector {
    /// The packets that have it at all.
    pub(crate) there: Packets,
    /// The packets in which each bit is set, the highest first.
    pub(crate) bits: Vec<Packets>,
}

impl BitVector {
    /// What no packet has.
    pub(crate) fn absent_vector() -> Self {
        Self {
            there: Packets::NONE,
            bits: Vec::new(),
        }
    }

    /// The same number in every packet.
    pub(crate) fn constant_vector(number: u128, width: u32) -> Self {
        let bits = (0..width)
            .rev()
            .map(|at| {
                if at < 128 && number >> at & 1 == 1 {
                    Packets::ALL
                } else {
                    Packets::NONE
                }
            })
            .collect();
        Self {
            there: Packets::ALL,
            bits,
        }
    }

    /// The number in every packet, if it is the same in all.
    pub(crate) fn as_constant(&self) -> Option<u128> {
        if !self.there.is_all() {
            return None;
        }
        self.bits.iter().try_fold(0_u128, |number, bit| {
            let bit = match *bit {
                Packets::ALL => 1,
                Packets::NONE => 0,
                _ => return None,
            };
            Some(number << 1 | bit)
        })
    }

    /// The same with only the bits of a mask.
    pub(crate) fn with_mask(mut self, mask: Option<u128>) -> Self {
        let Some(mask) = mask else { return self };
        for (at, bit) in self.bits.iter_mut().rev().enumerate() {
            if at >= 128 || mask >> at & 1 == 0 {
                *bit = Packets::NONE;
            }
        }
        self
    }
}

impl Diagrams {
    /// The packets in which the number lies in one of the ranges, present or not.
    pub(crate) fn vector_in(
        &mut self,
        word: &BitVector,
        ranges: &[Range],
    ) -> Result<Packets, Exhausted> {
        self.among_from(&word.bits, 0, ranges)
    }

    /// `bits` are the lower bits of numbers that begin at `base`.
    fn among_from(
        &mut self,
        bits: &[Packets],
        base: u128,
        ranges: &[Range],
    ) -> Result<Packets, Exhausted> {
        let span = 1_u128
            .checked_shl(u32::try_from(bits.len()).unwrap_or(u32::MAX))
            .map_or(u128::MAX, |count| count - 1);
        let last = base.saturating_add(span);
        let from = ranges.partition_point(|range| range.hi < base);
        let to = ranges.partition_point(|range| range.lo <= last);
        let Some(ranges) = ranges.get(from..to) else {
            return Ok(Packets::NONE);
        };
        if ranges.is_empty() {
            return Ok(Packets::NONE);
        }
        if ranges
            .iter()
            .any(|range| range.lo <= base && last <= range.hi)
        {
            return Ok(Packets::ALL);
        }
        let Some((bit, lower)) = bits.split_first() else {
            return Ok(Packets::NONE);
        };
        let upper = base + (span >> 1) + 1;
        match *bit {
            Packets::NONE => self.among_from(lower, base, ranges),
            Packets::ALL => self.among_from(lower, upper, ranges),
            bit => {
                let high = self.among_from(lower, upper, ranges)?;
                let low = self.among_from(lower, base, ranges)?;
                self.if_then_else(bit, high, low)
            }
        }
    }

    /// The packets in which two numbers are equal.
    pub(crate) fn vectors_equal(
        &mut self,
        a: &BitVector,
        b: &BitVector,
    ) -> Result<Packets, Exhausted> {
        if a.bits.len() != b.bits.len() {
            return Ok(Packets::NONE);
        }
        let mut same = Packets::ALL;
        for (a, b) in a.bits.iter().zip(&b.bits).rev() {
            let differ = self.symmetric_difference(*a, *b)?;
            same = self.minus(same, differ)?;
        }
        Ok(same)
    }

    /// `yes` where the condition holds, `no` where it does not; the widths are those of `yes`.
    pub(crate) fn either_word(
        &mut self,
        condition: Packets,
        yes: &BitVector,
        no: &BitVector,
    ) -> Result<BitVector, Exhausted> {
        let there = self.if_then_else(condition, yes.there, no.there)?;
        let missing = yes.bits.len().saturating_sub(no.bits.len());
        let extra = no.bits.len().saturating_sub(yes.bits.len());
        let no =
            std::iter::repeat_n(Packets::NONE, missing).chain(no.bits.iter().skip(extra).copied());
        let bits = yes
            .bits
            .iter()
            .zip(no)
            .map(|(yes, no)| self.if_then_else(condition, *yes, no))
            .collect::<Result<_, _>>()?;
        Ok(BitVector { there, bits })
    }

    /// The number less one, for numbers above zero.
    pub(crate) fn less_one(&mut self, word: &BitVector) -> Result<BitVector, Exhausted> {
        let mut borrow = Packets::ALL;
        let mut bits = Vec::with_capacity(word.bits.len());
        for bit in word.bits.iter().rev() {
            bits.push(self.symmetric_difference(*bit, borrow)?);
            borrow = self.minus(borrow, *bit)?;
        }
        bits.reverse();
        Ok(BitVector {
            there: word.there,
            bits,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(store: &mut Diagrams, width: u32) -> BitVector {
        BitVector {
            there: Packets::ALL,
            bits: (0..width).map(|at| store.bit(at).unwrap()).collect(),
        }
    }

    fn value_has(number: u128, width: u32) -> impl Fn(u32) -> bool {
        move |variable| number >> (width - 1 - variable) & 1 == 1
    }

    #[test]
    fn ranges_hold_their_ends_and_nothing_beyond() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let word = plain(&mut store, 6);
        let ranges = [(3, 3), (7, 12), (40, 63)].map(|(lo, hi)| Range { lo, hi });
        let set = store.vector_in(&word, &ranges).unwrap();
        for number in 0..64 {
            let inside = ranges.iter().any(|range| range.contains(number));
            assert_eq!(store.holds(set, value_has(number, 6)), inside, "{number}");
        }
    }

    #[test]
    fn the_widest_numbers_have_ranges_too() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let word = plain(&mut store, 128);
        let all = Range {
            lo: 0,
            hi: u128::MAX,
        };
        assert_eq!(store.vector_in(&word, &[all]), Ok(Packets::ALL));
        let last = store.vector_in(&word, &[Range::one(u128::MAX)]).unwrap();
        assert!(store.holds(last, |_| true));
        assert!(!store.holds(last, |variable| variable != 127));
    }

    #[test]
    fn constants_and_masks_are_looked_through() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let word = BitVector::constant_vector(0x1234, 16);
        assert_eq!(word.as_constant(), Some(0x1234));
        let one = |number| [Range::one(number)];
        assert_eq!(store.vector_in(&word, &one(0x1234)), Ok(Packets::ALL));
        let low = word.with_mask(Some(0xff));
        assert_eq!(store.vector_in(&low, &one(0x1234)), Ok(Packets::NONE));
        assert_eq!(store.vector_in(&low, &one(0x34)), Ok(Packets::ALL));
    }

    #[test]
    fn one_less_is_one_less() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let word = plain(&mut store, 4);
        let less = store.less_one(&word).unwrap();
        for number in 1..16 {
            let set = store.vector_in(&less, &[Range::one(number - 1)]).unwrap();
            assert!(store.holds(set, value_has(number, 4)), "{number}");
        }
    }
}
