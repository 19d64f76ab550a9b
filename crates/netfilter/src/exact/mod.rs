//! What a rule set does to all packets at once, exactly.
//!
//! [`Exact`] follows every packet of one family and one way through all tables and hooks. The
//! answer is a set of packets for each end; where it depends on words that are not modelled, on a
//! set that packets change, or on facts that are not there, a variable stands for the unknown
//! answer, and the sets say what is *certain* whatever it is and what is *possible*.

mod about;
mod chain;
mod change;
mod condition;
mod cube_words;
mod cubes;
mod dead;
mod definitions;
pub mod diagram;
mod ends;
mod follow;
mod lookup;
mod names;
mod one;
mod pair;
mod reach;
mod redundant;
mod side_effects;
mod space;
mod state;
mod turns;
mod twins;
mod values;
mod witness;
mod word;
mod world;

pub use about::{asked_fields, set_problem};
pub use pair::{DifferingPackets, PairQuestion, RulePair, WhoseRule};

use std::collections::{BTreeMap, BTreeSet};

pub use cube_words::address_words;
pub use cubes::{Cube, CubeLimit, InterfaceChoice};
pub use dead::{DeadRule, HidingRule, RuleSurvey, WhyDead, dead_rules};
pub use diagram::{Exhausted, Packets};
pub use names::name_interface;
pub use reach::ReachCell;
pub use reach::ReachedService;
pub use side_effects::DifferingSideEffect;
pub use space::UnknownAnswer;

use crate::Surroundings;
use crate::packet::{Packet, PacketPath};
use crate::semantics::{End, tracks_connections};
use crate::traffic::Traffic;
use follow::{ChainSummary, SymbolicWalk, WalkResult};
use space::{PacketSpace, UnknownTopic};
use state::PacketRewrite;
use surefoot_ruleset::model::{Firewall, NamePattern, RuleAt};

/// How much a question may cost before the answer is "unknown".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Nodes of the diagrams, of about 50 bytes each.
    pub nodes: usize,
    /// Steps, of about 50 nanoseconds each.
    pub steps: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            nodes: 1 << 25,
            steps: 1 << 30,
        }
    }
}

/// All packets of one family and one way, and where each of them ends.
#[derive(Clone, Debug)]
pub struct Exact {
    space: PacketSpace,
    followed: FollowedQuestion,
    /// The packets that may come to each end, once they are asked for.
    possible: BTreeMap<End, Packets>,
}

/// Where one firewall's packets end.
#[derive(Clone, Debug)]
struct FollowedQuestion {
    /// The packets of each end; those that are dropped, once they are asked for.
    ends: BTreeMap<End, Packets>,
    /// Packets with answers that do not exist; what comes to none of the others is dropped.
    nowhere: Packets,
    passed: Vec<(PacketRewrite, Packets)>,
    passages: Vec<ChainSummary>,
    /// The packets that the kernel sent through a passage.
    from_kernel: Vec<(usize, Packets)>,
    /// The packets that come to each passage, if they are asked for.
    entered: Vec<Packets>,
}

impl FollowedQuestion {
    /// Follows all packets of the space.
    fn new(
        space: &mut PacketSpace,
        firewall: &Firewall,
        surroundings: &Surroundings,
    ) -> Result<Self, Exhausted> {
        space.tracking = tracks_connections(firewall, space.v6);
        let world = space.world;
        let mut follow =
            |as_read| SymbolicWalk::new(firewall, surroundings, space, as_read).run(world);
        let mut course = follow(true)?;
        if course.order_unknown {
            let other = follow(false)?;
            let first = space.ask_unknown(UnknownAnswer::Kernel, &UnknownTopic::Own)?;
            course = either_course(space, first, course, other)?;
        }
        let (ends, nowhere) = course.ends.into_sets(&mut space.store)?;
        Ok(Self {
            ends,
            nowhere,
            passed: course.passed,
            from_kernel: course.entered,
            entered: Vec::new(),
            passages: course.passages,
        })
    }

    /// The packets that come to this end, over what packets have and what is unknown.
    fn end(&mut self, space: &mut PacketSpace, end: End) -> Result<Packets, Exhausted> {
        if end == End::Dropped && !self.ends.contains_key(&end) {
            let others = self.ends.values().copied().chain([self.nowhere]);
            let others = space.store.unite_all(others.collect())?;
            let dropped = space.store.minus(space.world, others)?;
            self.ends.insert(end, dropped);
        }
        Ok(self.ends.get(&end).copied().unwrap_or(Packets::NONE))
    }

    /// The packets of every end that some come to.
    fn all_ends(&mut self, space: &mut PacketSpace) -> Result<Vec<(End, Packets)>, Exhausted> {
        self.end(space, End::Dropped)?;
        let ends = self.ends.iter().filter(|(_, packets)| !packets.is_none());
        Ok(ends.map(|(end, packets)| (*end, *packets)).collect())
    }

    /// Finds the packets that come to each passage, unless that is done.
    fn find_entered(&mut self, space: &mut PacketSpace) -> Result<(), Exhausted> {
        if self.entered.len() != self.passages.len() {
            self.entered = chain_entries(space, &self.passages, &self.from_kernel)?;
        }
        Ok(())
    }
}

/// Which packets a question means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskedPackets {
    /// All that can reach rules: also those that arrive with a mark, as sockets, `tc` and programs
    /// in the kernel can set one, and those that the kernel refuses whatever the rules say.
    All,
    /// Without a mark, and what the kernel refuses only if nothing else is asked about.
    Ordinary,
    /// The same for an answer that lists packets: sources and frames that the kernel refuses are not
    /// distinguished, as each list would have to name them.
    ForWords,
}

/// What to follow.
#[derive(Clone, Copy, Debug)]
pub struct SymbolicQuestion<'a> {
    /// The rules.
    pub firewall: &'a Firewall,
    /// The host.
    pub surroundings: &'a Surroundings,
    /// Whether IPv6 packets.
    pub v6: bool,
    /// Their way.
    pub path: PacketPath,
    /// The packets that are asked about.
    pub about: &'a Traffic,
    /// More packets whose interface names the answer distinguishes.
    pub and_about: &'a [&'a Traffic],
    /// Which packets are meant.
    pub packets: AskedPackets,
    /// How much it may cost.
    pub budget: Budget,
}

impl Exact {
    /// Follows all packets.
    ///
    /// # Errors
    ///
    /// If the budget does not suffice.
    pub fn new(question: SymbolicQuestion) -> Result<Self, Exhausted> {
        let traffics = question.and_about.iter().copied();
        let names: Vec<NamePattern> = traffics
            .chain(std::iter::once(question.about))
            .flat_map(Traffic::names)
            .collect();
        let mut space = PacketSpace::new(
            &[question.firewall],
            question.surroundings,
            (question.v6, question.path),
            question.packets == AskedPackets::All,
            &names,
            question.budget,
        )?;
        let state = PacketRewrite::default();
        let about = space.packets_about(question.firewall, &state, question.about)?;
        space.narrow_world(about, question.packets)?;
        space.find_common()?;
        let followed = FollowedQuestion::new(&mut space, question.firewall, question.surroundings)?;
        space.forget_common();
        Ok(Self {
            space,
            followed,
            possible: BTreeMap::new(),
        })
    }

    /// The packets that come to this end, over what packets have and what is unknown.
    fn end(&mut self, end: End) -> Result<Packets, Exhausted> {
        self.followed.end(&mut self.space, end)
    }

    /// The packets that may come to this end.
    ///
    /// # Errors
    ///
    /// If the budget does not suffice.
    pub fn possibly_ending(&mut self, end: End) -> Result<Packets, Exhausted> {
        let (such, unknown) = (self.end(end)?, self.end(End::Unknown)?);
        let both = self.space.store.or(such, unknown)?;
        self.space.store.possibly(both, self.space.first_unknown)
    }

    /// The packets that come to this end whatever the unknown answers are.
    ///
    /// # Errors
    ///
    /// If the budget does not suffice.
    pub fn certainly_ending(&mut self, end: End) -> Result<Packets, Exhausted> {
        let such = self.end(end)?;
        let others = self.other_than(such)?;
        let others = self
            .space
            .store
            .possibly(others, self.space.first_unknown)?;
        let world = self.space.world;
        self.space.store.minus(world, others)
    }

    /// The packets that are accepted as such packets, after NAT, over what is unknown, too.
    pub fn packets_becoming(
        &mut self,
        firewall: &Firewall,
        traffic: &Traffic,
    ) -> Result<Packets, Exhausted> {
        let mut parts = Vec::new();
        for (state, packets) in self.followed.passed.clone() {
            let such = self.space.packets_about(firewall, &state, traffic)?;
            parts.push(self.space.store.and(packets, such)?);
        }
        self.space.store.unite_all(parts)
    }

    /// The packets that come to one of these ends, over what is unknown, too.
    pub fn packets_ending(&mut self, ends: &BTreeSet<End>) -> Result<Packets, Exhausted> {
        let parts: Result<_, _> = ends.iter().map(|end| self.end(*end)).collect();
        self.space.store.unite_all(parts?)
    }

    /// The packets for which that may be so.
    pub fn possible_packets(&mut self, packets: Packets) -> Result<Packets, Exhausted> {
        self.space.store.possibly(packets, self.space.first_unknown)
    }

    /// All packets but these, over what is unknown, too, as far as there are such answers.
    pub fn other_than(&mut self, packets: Packets) -> Result<Packets, Exhausted> {
        let others = self.outside_of(packets)?;
        self.space.store.minus(others, self.followed.nowhere)
    }

    /// All packets but these.
    pub fn outside_of(&mut self, packets: Packets) -> Result<Packets, Exhausted> {
        self.space.store.minus(self.space.world, packets)
    }

    /// These packets and those.
    pub fn union_of(&mut self, a: Packets, b: Packets) -> Result<Packets, Exhausted> {
        self.space.store.or(a, b)
    }

    /// Returns what it depends on whether this packet is one of a set.
    pub fn hangs(
        &mut self,
        packets: Packets,
        packet: &Packet,
    ) -> Result<Vec<UnknownAnswer>, Exhausted> {
        let like = self.space.packets_like(packet)?;
        let here = self.space.store.and(packets, like)?;
        let first = self.space.first_unknown;
        let variables = self.space.store.looks_at(here, first);
        let mut unknown: Vec<UnknownAnswer> = variables
            .into_iter()
            .filter_map(|variable| {
                let at = usize::try_from(variable - first).ok()?;
                self.space.unknown.get(at).copied()
            })
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        Ok(unknown)
    }

    /// The packets that a rule matches.
    ///
    /// # Errors
    ///
    /// If the budget does not suffice.
    pub fn packets_hitting(&mut self, at: RuleAt) -> Result<Packets, Exhausted> {
        let mut hits = Vec::new();
        self.followed.find_entered(&mut self.space)?;
        for (passage, entered) in self.followed.passages.iter().zip(&self.followed.entered) {
            if passage.chain == (at.table, at.chain)
                && let Some(parts) = passage.hits.get(at.rule)
            {
                for (reach, holds) in parts {
                    let packets = self.space.store.and(*reach, *entered)?;
                    hits.push(self.space.store.and(packets, *holds)?);
                }
            }
        }
        self.space.store.unite_all(hits)
    }

    /// Every packet that exists.
    pub fn world(&self) -> Packets {
        self.space.world
    }

    /// One packet of a set, as ordinary as it can be.
    pub fn witness(&mut self, packets: Packets) -> Option<Packet> {
        self.space.witness(packets)
    }

    /// A packet of a set, chosen by random numbers, and the ends that it can come to.
    ///
    /// # Errors
    ///
    /// If the budget does not suffice.
    pub fn sample(
        &mut self,
        packets: Packets,
        random: impl FnMut() -> u64,
    ) -> Result<Option<(Packet, BTreeSet<End>)>, Exhausted> {
        if self.possible.is_empty() {
            for (end, packets) in self.followed.all_ends(&mut self.space)? {
                let possible = self.possible_packets(packets)?;
                self.possible.insert(end, possible);
            }
        }
        let Some((packet, bits)) = self.space.sample(packets, random) else {
            return Ok(None);
        };
        let bit = |variable| {
            usize::try_from(variable)
                .ok()
                .and_then(|at| bits.get(at).copied())
                .unwrap_or(false)
        };
        let ends = self.possible.iter();
        let ends = ends.filter(|(_, set)| self.space.store.holds(**set, bit));
        Ok(Some((packet, ends.map(|(end, _)| *end).collect())))
    }

    /// The packets of one set that are not in another.
    pub fn difference_of(
        &mut self,
        packets: Packets,
        others: Packets,
    ) -> Result<Packets, Exhausted> {
        self.space.store.minus(packets, others)
    }

    /// Readable parts of a set, so many at most, and whether they are all.
    pub fn cubes(&mut self, packets: Packets, most: usize) -> Result<(Vec<Cube>, bool), Exhausted> {
        self.space.cubes(packets, most)
    }

    /// How many nodes a set is made of.
    pub fn diagram_size(&self, packets: Packets) -> usize {
        self.space.store.size(packets)
    }

    /// How many nodes the diagrams have.
    pub fn node_count(&self) -> usize {
        self.space.store.count()
    }
}

/// One course where the condition holds, the other where it does not.
fn either_course(
    space: &mut PacketSpace,
    condition: Packets,
    yes: WalkResult,
    no: WalkResult,
) -> Result<WalkResult, Exhausted> {
    let mut both = WalkResult::default();
    for (course, condition) in [(yes, condition), (no, !condition)] {
        both.ends
            .extend(course.ends.restricted_to(&mut space.store, condition)?);
        for (state, packets) in course.passed {
            both.passed
                .push((state, space.store.and(packets, condition)?));
        }
        let before = both.passages.len();
        for (at, packets) in course.entered {
            let packets = space.store.and(packets, condition)?;
            both.entered.push((before + at, packets));
        }
        both.passages
            .extend(course.passages.into_iter().map(|mut one| {
                for (callee, ..) in &mut one.calls {
                    *callee += before;
                }
                one
            }));
    }
    Ok(both)
}

/// The packets that come to each passage, from the kernel and from other passages.
fn chain_entries(
    space: &mut PacketSpace,
    passages: &[ChainSummary],
    from_kernel: &[(usize, Packets)],
) -> Result<Vec<Packets>, Exhausted> {
    let mut parts: Vec<Vec<Packets>> = vec![Vec::new(); passages.len()];
    for (at, packets) in from_kernel {
        parts[*at].push(*packets);
    }
    let mut entered = vec![Packets::NONE; passages.len()];
    // A passage stands behind those that it calls.
    for (at, passage) in passages.iter().enumerate().rev() {
        entered[at] = space.store.unite_all(std::mem::take(&mut parts[at]))?;
        for (callee, reach, holds) in &passage.calls {
            let come = space.store.and(*reach, entered[at])?;
            let packets = space.store.and(come, *holds)?;
            parts[*callee].push(packets);
        }
    }
    Ok(entered)
}
