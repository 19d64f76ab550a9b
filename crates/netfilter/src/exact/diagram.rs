//! Sets of packets as reduced ordered binary decision diagrams.
//!
//! Equal sets are one and the same node, so that "are they equal" and "is it empty" cost nothing.
//! An edge may be marked as complemented, which makes *not* free. The store never grows beyond its
//! budget: a caller that asks for more gets [`Exhausted`], and says "unknown".
//!
//! After R. E. Bryant, *Graph-Based Algorithms for Boolean Function Manipulation* (1986), with the
//! complement edges of K. S. Brace and others, *Efficient Implementation of a BDD Package* (1990).

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A set of packets, or equally a condition on them: an edge to a node of a [`Diagrams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packets(u32);

impl Packets {
    /// Every packet.
    pub const ALL: Self = Self(0);
    /// No packet.
    pub const NONE: Self = Self(1);

    /// Whether it is empty.
    pub fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Whether it holds every packet.
    pub fn is_all(self) -> bool {
        self == Self::ALL
    }

    fn node(self) -> usize {
        (self.0 >> 1) as usize
    }

    fn is_negated(self) -> bool {
        self.0 & 1 == 1
    }

    fn negate_if(self, turned: bool) -> Self {
        Self(self.0 ^ u32::from(turned))
    }
}

impl std::ops::Not for Packets {
    type Output = Self;

    fn not(self) -> Self {
        self.negate_if(true)
    }
}

/// The budget of nodes is spent: the question is too large for an exact answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

/// A bit of the packet, or an answer that is unknown; the lower it is, the nearer to the root.
pub type Variable = u32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct DiagramNode {
    variable: Variable,
    /// Where the bit is 0; may be complemented.
    low: Packets,
    /// Where the bit is 1; never complemented.
    high: Packets,
}

/// The variable of the one leaf: behind all others.
const LEAF: Variable = Variable::MAX;
/// An empty place of the hash table.
const FREE: u32 = u32::MAX;
/// So many places near a child's are tried first: a cache line of them.
const NEAR: usize = 16;
/// Results of sets of the same age share so many places.
const NEAR_RESULTS: usize = 512;
/// The fewest places of the cache of results.
const SMALLEST_CACHE: usize = 1 << 12;
/// So many steps for each set, and they are joined in pairs instead.
const STEPS_TO_JOIN: usize = 4096;
/// The most places of the cache of results: 48 MiB.
const LARGEST_CACHE: usize = 1 << 22;

/// All nodes, each of them once.
#[derive(Clone, Debug)]
pub struct Diagrams {
    nodes: Vec<DiagramNode>,
    /// Open addressing: an index into `nodes`, or [`FREE`]. Twice as long as `nodes` at least, and
    /// four times as long as before when it grows: to sort all nodes in anew costs more than memory.
    places: Vec<u32>,
    /// What `and` found last, at the place that its operands hash to.
    results: Vec<Result3>,
    most_nodes: usize,
    steps_left: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Result3 {
    a: Packets,
    b: Packets,
    is: Packets,
}

const NO_RESULT: Result3 = Result3 {
    a: Packets(FREE),
    b: Packets(FREE),
    is: Packets(FREE),
};

impl Diagrams {
    /// An empty store that will hold so many nodes at most, of 12 bytes each, and 8 to 56 more to
    /// find them; and take so many steps at most.
    pub fn new(most_nodes: usize, most_steps: u64) -> Self {
        let leaf = DiagramNode {
            variable: LEAF,
            low: Packets::ALL,
            high: Packets::ALL,
        };
        Self {
            nodes: vec![leaf],
            places: vec![FREE; SMALLEST_CACHE],
            results: vec![NO_RESULT; SMALLEST_CACHE],
            most_nodes: most_nodes.min(1 << 30),
            steps_left: most_steps,
        }
    }

    /// How many nodes there are.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// The packets that have the bit.
    pub fn bit(&mut self, variable: Variable) -> Result<Packets, Exhausted> {
        self.make_node(variable, Packets::NONE, Packets::ALL)
    }

    /// `low` where the bit is 0, `high` where it is 1; both look at later variables only.
    pub fn make_node(
        &mut self,
        variable: Variable,
        low: Packets,
        high: Packets,
    ) -> Result<Packets, Exhausted> {
        if low == high {
            return Ok(low);
        }
        let turned = high.is_negated();
        let node = DiagramNode {
            variable,
            low: low.negate_if(turned),
            high: high.negate_if(turned),
        };
        let at = match self.find(&node) {
            Ok(found) => return Ok(Packets(found << 1).negate_if(turned)),
            Err(free) => free,
        };
        if self.nodes.len() >= self.most_nodes {
            return Err(Exhausted);
        }
        let index = u32::try_from(self.nodes.len()).map_err(|_| Exhausted)?;
        self.nodes.push(node);
        self.places[at] = index;
        if self.nodes.len() * 2 > self.places.len() {
            self.grow();
        }
        Ok(Packets(index << 1).negate_if(turned))
    }

    /// The node's index; or the place where it belongs.
    ///
    /// It is looked for near the younger of its children's places first: what is made at the same
    /// time is asked for at the same time, and a few cache lines hold it.
    fn find(&self, node: &DiagramNode) -> Result<u32, usize> {
        let mask = self.places.len() - 1;
        let mixed = hash_triple(node.variable, node.low.0, node.high.0);
        let child = node.low.node().max(node.high.node());
        let near = (child * 2) & mask & !(NEAR - 1);
        for step in 0..NEAR {
            let at = near + ((mixed + step) & (NEAR - 1));
            match self.places[at] {
                FREE => return Err(at),
                found if self.nodes[found as usize] == *node => return Ok(found),
                _ => {}
            }
        }
        let mut at = (mixed >> 4) & mask;
        loop {
            match self.places[at] {
                FREE => return Err(at),
                found if self.nodes[found as usize] == *node => return Ok(found),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// Where the result for two sets is kept: near those of the sets that are as young.
    fn result_place(&self, a: Packets, b: Packets) -> usize {
        let near = a.node().max(b.node()) & !(NEAR_RESULTS - 1);
        (near + (hash_triple(a.0, b.0, 0) & (NEAR_RESULTS - 1))) & (self.results.len() - 1)
    }

    fn grow(&mut self) {
        let length = self.places.len() * 4;
        self.places = vec![FREE; length];
        for index in 1..self.nodes.len() {
            let node = self.nodes[index];
            if let (Err(at), Ok(index)) = (self.find(&node), u32::try_from(index)) {
                self.places[at] = index;
            }
        }
        if length / 2 <= LARGEST_CACHE && length / 2 > self.results.len() {
            self.results = vec![NO_RESULT; length / 2];
        }
    }

    /// The packets that are in both.
    pub fn and(&mut self, a: Packets, b: Packets) -> Result<Packets, Exhausted> {
        if a == b || b.is_all() {
            return Ok(a);
        }
        if a.is_all() {
            return Ok(b);
        }
        if a == !b || a.is_none() || b.is_none() {
            return Ok(Packets::NONE);
        }
        let (a, b) = if a < b { (a, b) } else { (b, a) };
        let place = self.result_place(a, b);
        let found = self.results[place];
        if (found.a, found.b) == (a, b) {
            return Ok(found.is);
        }
        self.steps_left = self.steps_left.checked_sub(1).ok_or(Exhausted)?;
        let variable = self.variable(a).min(self.variable(b));
        let (a_low, a_high) = self.cofactors(a, variable);
        let (b_low, b_high) = self.cofactors(b, variable);
        let low = self.and(a_low, b_low)?;
        let high = self.and(a_high, b_high)?;
        let is = self.make_node(variable, low, high)?;
        let place = self.result_place(a, b);
        self.results[place] = Result3 { a, b, is };
        Ok(is)
    }

    /// The packets that are in one of them, or both.
    pub fn or(&mut self, a: Packets, b: Packets) -> Result<Packets, Exhausted> {
        Ok(!self.and(!a, !b)?)
    }

    /// The packets that are in the first but not the second.
    pub fn minus(&mut self, a: Packets, b: Packets) -> Result<Packets, Exhausted> {
        self.and(a, !b)
    }

    /// The packets that are in one but not the other.
    pub fn symmetric_difference(&mut self, a: Packets, b: Packets) -> Result<Packets, Exhausted> {
        let only_a = self.minus(a, b)?;
        let only_b = self.minus(b, a)?;
        self.or(only_a, only_b)
    }

    /// `yes` where the condition holds, `no` where it does not.
    pub fn if_then_else(
        &mut self,
        condition: Packets,
        yes: Packets,
        no: Packets,
    ) -> Result<Packets, Exhausted> {
        let variable = self.variable(condition);
        let below = variable < self.variable(yes).min(self.variable(no));
        match self.cofactors(condition, variable) {
            (Packets::NONE, Packets::ALL) if below => return self.make_node(variable, no, yes),
            (Packets::ALL, Packets::NONE) if below => return self.make_node(variable, yes, no),
            _ => {}
        }
        let yes = self.and(condition, yes)?;
        let no = self.minus(no, condition)?;
        self.or(yes, no)
    }

    /// The packets that are in all of them, joined from the last variables up: what is joined to
    /// stays as it is below.
    pub fn intersect_all(&mut self, mut sets: Vec<Packets>) -> Result<Packets, Exhausted> {
        sets.sort_by_key(|set| std::cmp::Reverse(self.variable(*set)));
        sets.into_iter()
            .try_fold(Packets::ALL, |all, set| self.and(all, set))
    }

    /// The packets that are in one of them at least.
    ///
    /// Rules that look at different packets are joined at once, bit by bit, which makes no nodes but
    /// those of the answer; what takes longer so is joined in pairs, so that small sets stay small.
    pub fn unite_all(&mut self, mut sets: Vec<Packets>) -> Result<Packets, Exhausted> {
        if sets.len() > 2 {
            let mut steps = sets.len() * STEPS_TO_JOIN;
            if let Some(joined) = self.join(sets.clone(), &mut steps)? {
                return Ok(joined);
            }
        }
        while sets.len() > 1 {
            let mut joined = Vec::with_capacity(sets.len().div_ceil(2));
            for pair in sets.chunks(2) {
                joined.push(match *pair {
                    [a, b] => self.or(a, b)?,
                    [a] => a,
                    _ => Packets::NONE,
                });
            }
            sets = joined;
        }
        Ok(sets.first().copied().unwrap_or(Packets::NONE))
    }

    /// All sets joined bit by bit; none if the steps do not suffice.
    fn join(
        &mut self,
        mut sets: Vec<Packets>,
        steps: &mut usize,
    ) -> Result<Option<Packets>, Exhausted> {
        sets.retain(|set| !set.is_none());
        sets.sort_unstable();
        sets.dedup();
        if sets.iter().any(|set| set.is_all()) || sets.windows(2).any(|two| two[0] == !two[1]) {
            return Ok(Some(Packets::ALL));
        }
        match *sets.as_slice() {
            [] => return Ok(Some(Packets::NONE)),
            [one] => return Ok(Some(one)),
            [a, b] => return self.or(a, b).map(Some),
            _ => {}
        }
        let Some(left) = steps.checked_sub(sets.len()) else {
            return Ok(None);
        };
        *steps = left;
        let variables = sets.iter().map(|set| self.variable(*set));
        let variable = variables.min().unwrap_or(LEAF);
        let (low, high) = sets
            .iter()
            .map(|set| self.cofactors(*set, variable))
            .unzip();
        drop(sets);
        let (Some(low), Some(high)) = (self.join(low, steps)?, self.join(high, steps)?) else {
            return Ok(None);
        };
        self.make_node(variable, low, high).map(Some)
    }

    /// Whether some packet is in both; makes no nodes.
    pub fn sets_meet(&self, a: Packets, b: Packets) -> bool {
        self.meet_apart([a, b, Packets::ALL], &mut HashSet::default())
    }

    /// Whether some packet is in all three; makes no nodes.
    pub fn three_meet(&self, sets: [Packets; 3]) -> bool {
        self.meet_apart(sets, &mut HashSet::default())
    }

    fn meet_apart(&self, mut sets: [Packets; 3], apart: &mut Seen) -> bool {
        sets.sort_unstable();
        let [a, b, c] = sets;
        if sets.contains(&Packets::NONE) || a == !b || b == !c {
            return false;
        }
        // The first of them is the set of all packets, if any is.
        if a.is_all() && (b.is_all() || b == c) || a == b && b == c {
            return true;
        }
        if apart.contains(&sets) {
            return false;
        }
        let variables = sets.map(|set| self.variable(set));
        let variable = variables.into_iter().min().unwrap_or(LEAF);
        let halves = sets.map(|set| self.cofactors(set, variable));
        if self.meet_apart(halves.map(|(low, _)| low), apart)
            || self.meet_apart(halves.map(|(_, high)| high), apart)
        {
            return true;
        }
        apart.insert(sets);
        false
    }

    /// The first variable that the set looks at.
    pub fn variable(&self, set: Packets) -> Variable {
        self.nodes[set.node()].variable
    }

    /// Where the variable is 0, and where it is 1.
    pub fn cofactors(&self, set: Packets, variable: Variable) -> (Packets, Packets) {
        let node = self.nodes[set.node()];
        if node.variable == variable {
            (
                node.low.negate_if(set.is_negated()),
                node.high.negate_if(set.is_negated()),
            )
        } else {
            (set, set)
        }
    }

    /// The packets that are in the set for some value of the variables from `first` on.
    pub fn possibly(&mut self, set: Packets, first: Variable) -> Result<Packets, Exhausted> {
        self.possibly_of(set, first, &mut Known::default())
    }

    /// The packets that are in the set for every value of the variables from `first` on.
    pub fn certainly(&mut self, set: Packets, first: Variable) -> Result<Packets, Exhausted> {
        Ok(!self.possibly(!set, first)?)
    }

    fn possibly_of(
        &mut self,
        set: Packets,
        first: Variable,
        known: &mut Known,
    ) -> Result<Packets, Exhausted> {
        let variable = self.variable(set);
        if variable >= first {
            return Ok(if set.is_none() {
                Packets::NONE
            } else {
                Packets::ALL
            });
        }
        if let Some(found) = known.get(&set) {
            return Ok(*found);
        }
        let (low, high) = self.cofactors(set, variable);
        let low = self.possibly_of(low, first, known)?;
        let high = self.possibly_of(high, first, known)?;
        let is = self.make_node(variable, low, high)?;
        known.insert(set, is);
        Ok(is)
    }

    /// The packets that become members of the set if these variables, ascending, are forgotten.
    pub fn forget_variables(
        &mut self,
        set: Packets,
        variables: &[Variable],
    ) -> Result<Packets, Exhausted> {
        self.forget_of(set, variables, &mut Known::default())
    }

    fn forget_of(
        &mut self,
        set: Packets,
        variables: &[Variable],
        known: &mut Known,
    ) -> Result<Packets, Exhausted> {
        let variable = self.variable(set);
        if variables.last().is_none_or(|last| *last < variable) {
            return Ok(set);
        }
        if let Some(found) = known.get(&set) {
            return Ok(*found);
        }
        let (low, high) = self.cofactors(set, variable);
        let low = self.forget_of(low, variables, known)?;
        let high = self.forget_of(high, variables, known)?;
        let is = if variables.binary_search(&variable).is_ok() {
            self.or(low, high)?
        } else {
            self.make_node(variable, low, high)?
        };
        known.insert(set, is);
        Ok(is)
    }

    /// How many nodes the set is made of.
    pub fn size(&self, set: Packets) -> usize {
        let mut seen = HashSet::new();
        let mut todo = vec![set.node()];
        while let Some(at) = todo.pop() {
            let node = self.nodes[at];
            if seen.insert(at) && node.variable != LEAF {
                todo.extend([node.low.node(), node.high.node()]);
            }
        }
        seen.len()
    }

    /// One way through the diagram: the bits that it fixes. Prefers 0 where both lead somewhere.
    pub fn one(&self, set: Packets) -> Option<Vec<(Variable, bool)>> {
        let mut bits = Vec::new();
        let mut at = set;
        if at.is_none() {
            return None;
        }
        while !at.is_all() {
            let variable = self.variable(at);
            let (low, high) = self.cofactors(at, variable);
            let take_high = low.is_none();
            bits.push((variable, take_high));
            at = if take_high { high } else { low };
        }
        Some(bits)
    }

    /// The variables from `first` on that the set looks at, ascending.
    pub fn looks_at(&self, set: Packets, first: Variable) -> Vec<Variable> {
        let mut seen = vec![false; self.nodes.len()];
        let mut variables = BTreeSet::new();
        let mut todo = vec![set.node()];
        while let Some(at) = todo.pop() {
            let node = self.nodes[at];
            if node.variable == LEAF || std::mem::replace(&mut seen[at], true) {
                continue;
            }
            if node.variable >= first {
                variables.insert(node.variable);
            }
            todo.extend([node.low.node(), node.high.node()]);
        }
        variables.into_iter().collect()
    }

    /// Whether a packet, given as its bits, is in the set.
    pub fn holds(&self, set: Packets, bit: impl Fn(Variable) -> bool) -> bool {
        let mut at = set;
        while self.variable(at) != LEAF {
            let variable = self.variable(at);
            let (low, high) = self.cofactors(at, variable);
            at = if bit(variable) { high } else { low };
        }
        at.is_all()
    }
}

/// What was found for sets that came before.
pub(crate) type Known = HashMap<Packets, Packets, BuildHasherDefault<NodeHasher>>;

/// Sets that were found to have no packet in common.
type Seen = HashSet<[Packets; 3], BuildHasherDefault<NodeHasher>>;

/// Hashes one edge. Edges are not chosen from outside, so that no key is needed.
#[derive(Default)]
pub(crate) struct NodeHasher(u64);

impl Hasher for NodeHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, word: u32) {
        let mixed = (self.0 ^ u64::from(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// Mixes three words; the finish of splitmix64 spreads them over all bits.
fn hash_triple(a: u32, b: u32, c: u32) -> usize {
    let mut word = u64::from(a)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(u64::from(b))
        .wrapping_mul(0xbf58_476d_1ce4_e5b9)
        .wrapping_add(u64::from(c));
    word = (word ^ (word >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "any of its bits will do as a place"
    )]
    let place = (word ^ (word >> 29)) as usize;
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function of four bits as its 16 values, beside its diagram.
    #[derive(Clone, Copy)]
    struct Both(u16, Packets);

    fn of_table(store: &mut Diagrams, table: u16) -> Both {
        let mut sets = Vec::new();
        for row in (0..16_u32).filter(|row| table >> row & 1 == 1) {
            let mut set = Packets::ALL;
            for variable in 0..4 {
                let bit = store.bit(variable).unwrap();
                let bit = if row >> variable & 1 == 1 { bit } else { !bit };
                set = store.and(set, bit).unwrap();
            }
            sets.push(set);
        }
        Both(table, store.unite_all(sets).unwrap())
    }

    #[track_caller]
    fn same(store: &Diagrams, Both(table, set): Both) {
        for row in 0..16_u32 {
            let holds = store.holds(set, |variable| row >> variable & 1 == 1);
            assert_eq!(holds, table >> row & 1 == 1, "{table:016b} at {row:04b}");
        }
    }

    #[test]
    fn every_operation_agrees_with_the_table_of_its_values() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let tables: Vec<u16> = (0..400).map(|n: u16| n.wrapping_mul(40503)).collect();
        for pair in tables.windows(3) {
            let [a, b, c] = [pair[0], pair[1], pair[2]].map(|t| of_table(&mut store, t));
            same(&store, a);
            same(&store, Both(!a.0, !a.1));
            let and = store.and(a.1, b.1).unwrap();
            same(&store, Both(a.0 & b.0, and));
            assert_eq!(store.sets_meet(a.1, b.1), a.0 & b.0 != 0);
            let or = store.or(a.1, b.1).unwrap();
            same(&store, Both(a.0 | b.0, or));
            let differ = store.symmetric_difference(a.1, b.1).unwrap();
            same(&store, Both(a.0 ^ b.0, differ));
            let either = store.if_then_else(a.1, b.1, c.1).unwrap();
            same(&store, Both(a.0 & b.0 | !a.0 & c.0, either));
            let possibly = store.possibly(a.1, 2).unwrap();
            let mut table = 0;
            for row in 0..16 {
                let block = [0, 1, 2, 3].map(|upper| row & 3 | upper << 2);
                table |= u16::from(block.iter().any(|row| a.0 >> row & 1 == 1)) << row;
            }
            same(&store, Both(table, possibly));
            assert_eq!(store.forget_variables(a.1, &[2, 3]).unwrap(), possibly);
        }
    }

    #[test]
    fn equal_sets_are_one_node() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let Both(_, a) = of_table(&mut store, 0b1010_0011_1100_0101);
        let nodes = store.count();
        let Both(_, again) = of_table(&mut store, 0b1010_0011_1100_0101);
        assert_eq!((a, nodes), (again, store.count()));
    }

    #[test]
    fn one_way_through_lies_in_the_set() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let Both(table, set) = of_table(&mut store, 0b0100_0000_0010_0000);
        let bits = store.one(set).unwrap();
        let row = bits.iter().map(|(v, on)| u32::from(*on) << v).sum::<u32>();
        assert_eq!(table >> row & 1, 1);
        assert_eq!(store.one(Packets::NONE), None);
    }

    #[test]
    fn beyond_the_budget_there_is_no_answer() {
        let mut store = Diagrams::new(3, u64::MAX);
        assert!(store.bit(0).is_ok());
        assert!(store.bit(1).is_ok());
        assert_eq!(store.bit(2), Err(Exhausted));
    }

    #[test]
    fn many_nodes_are_found_again_after_the_store_grew() {
        let mut store = Diagrams::new(1 << 20, u64::MAX);
        let bits: Vec<Packets> = (0..5000).map(|v| store.bit(v).unwrap()).collect();
        let again: Vec<Packets> = (0..5000).map(|v| store.bit(v).unwrap()).collect();
        assert_eq!(bits, again);
    }
}
