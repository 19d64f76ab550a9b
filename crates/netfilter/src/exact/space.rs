//! Every packet that can take one way through the host: which bits it has, and which combinations
//! of them exist.
//!
//! Each field that a rule can look at has its own bits. What a packet cannot have (ports of an ICMP
//! message) is never looked at; what follows from other bits (an address's type)
//! has none of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::diagram::{Diagrams, Exhausted, Packets, Variable};
use super::names::InterfaceClasses;
use super::state::PacketRewrite;
use super::twins::{AskedUnknown, NatWrite, SharedUnknowns};
use super::word::BitVector;
use super::world::tcp_options;
use super::{AskedPackets, Budget};
use crate::Surroundings;
use crate::packet::PacketPath;
use crate::refusals::{KernelRefusals, Refusal, RefusedPackets};
use crate::semantics::tracks_connections;
use crate::stages::{LOOPBACK, RefusalPoint};
use surefoot_ruleset::model::{Field, Firewall, NamePattern, Range, RuleAt, ct_state};

/// Contiguous variables that hold one number, its highest bit first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct VariableBlock {
    pub(crate) first: Variable,
    pub(crate) width: u32,
}

/// What a variable stands for that no packet answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnknownAnswer {
    /// What a rule's words say, or what its target does.
    Rule(RuleAt),
    /// Where routing sends what was rewritten, and other things outside the rules.
    Kernel,
}

/// What is unknown, so that the questions of two firewalls are distinguished.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum UnknownTopic {
    /// Whether these words match.
    Words(String),
    /// Whether a set whose content is unknown holds a key.
    Set,
    /// Whether a target decides, and how.
    Target,
    /// The number that a field gets.
    Number(Field),
    /// Whether NAT's new number is the old one.
    Same,
    /// Whether a packet comes by a bridge.
    Bridge,
    /// Whether a connection is in a flowtable.
    Flowtable,
    /// Whether something outside the rules switches connection tracking on.
    Tracking,
    /// Whether a setting or a route has the kernel refuse packets.
    Refusal,
    /// How NAT rewrote a connection when it began.
    Earlier,
    /// Where routing sends what was rewritten, which device a chain is hooked to, which of two base
    /// chains comes first: each firewall has its own answer.
    Own,
}

impl UnknownTopic {
    /// Whether two firewalls get the same answer.
    pub(crate) fn can_be_shared(&self) -> bool {
        !matches!(self, Self::Own)
    }
}

/// All packets of one family that take one way.
#[derive(Clone, Debug)]
pub(crate) struct PacketSpace {
    pub(crate) store: Diagrams,
    pub(crate) v6: bool,
    pub(crate) path: PacketPath,
    pub(crate) names: InterfaceClasses,
    blocks: BTreeMap<Field, VariableBlock>,
    input: VariableBlock,
    output: VariableBlock,
    socket: Variable,
    /// What each variable from `first_unknown` on stands for.
    pub(crate) unknown: Vec<UnknownAnswer>,
    pub(crate) first_unknown: Variable,
    /// How often something unknown was asked for.
    pub(crate) asks: usize,
    /// The variables of words that give the same answer wherever they stand.
    pub(crate) shared: HashMap<(String, PacketRewrite), Variable>,
    /// The unknown answers of two firewalls, where two are looked at.
    pub(crate) twins: Option<SharedUnknowns>,
    rewritten: HashMap<(Field, Option<NatWrite>), BitVector>,
    routed: HashMap<Option<BitVector>, BitVector>,
    /// Whether the rules switch connection tracking on, which puts fragments together before they
    /// see them.
    pub(crate) tracking: bool,
    /// Where they do not, whether something else has.
    switched_on: Option<Packets>,
    /// What the kernel drops besides the rules.
    refusals: KernelRefusals,
    /// Whether all refusals are followed, or only those that a list of packets tells.
    all_refusals: bool,
    /// Whether refusals are followed that depend on unknown facts: only if the packets that are
    /// asked about are no others.
    unsure_refusals: bool,
    /// The unknown answers on which they depend.
    refusal_answers: BTreeMap<Refusal, Packets>,
    /// The types of source and destination, where they follow from the address.
    pub(crate) types: [Option<BitVector>; 2],
    /// The packets that exist.
    pub(crate) world: Packets,
    /// The rules by which the packets that are followed came to their chain.
    pub(crate) callers: Vec<RuleAt>,
    /// Bits that all these packets have in common: while they are followed, rules see constants.
    common: HashMap<Variable, Packets>,
}

/// More unknown answers than this, and the question is given up.
const MOST_UNKNOWN: usize = 4096;

/// The codes that [`Field::CtState`] has in its block, by the kernel's bit for each.
pub(crate) const STATES: [(u128, u128); 5] = [
    (ct_state::NEW, 0),
    (ct_state::ESTABLISHED, 1),
    (ct_state::RELATED, 2),
    (ct_state::INVALID, 3),
    (ct_state::UNTRACKED, 4),
];

/// What has bits of its own, in the order of the diagrams, with the bits for IPv4 and for IPv6.
/// Addresses come first among the wide ones: other orders made diagrams of random rules ten
/// times as large.
const FIELDS: &[(Field, u32, u32)] = &[
    (Field::CtState, 3, 3),
    (Field::Ip4Src, 32, 0),
    (Field::Ip6Src, 0, 128),
    (Field::MacSrc, 48, 48),
    (Field::Ip4Dst, 32, 0),
    (Field::Ip6Dst, 0, 128),
    (Field::L4Proto, 8, 8),
    (Field::DstPort, 16, 16),
    (Field::SrcPort, 16, 16),
    (Field::IcmpType, 8, 0),
    (Field::IcmpCode, 8, 0),
    (Field::Icmp6Type, 0, 8),
    (Field::Icmp6Code, 0, 8),
    (Field::TcpFlags, 8, 8),
    (Field::IsLaterFragment, 1, 1),
    (Field::Ip4FragmentOffset, 16, 0),
    (Field::MacDst, 48, 48),
    (Field::PacketType, 3, 3),
    (Field::SrcAddressType, 4, 4),
    (Field::DstAddressType, 4, 4),
    (Field::Mark, 32, 32),
    (Field::CtStatus, 16, 16),
    (Field::CtDirection, 1, 1),
    (Field::CtMark, 32, 32),
    (Field::CtOriginalIp4Src, 32, 0),
    (Field::CtOriginalIp4Dst, 32, 0),
    (Field::CtOriginalIp6Src, 0, 128),
    (Field::CtOriginalIp6Dst, 0, 128),
    (Field::CtOriginalSrcPort, 16, 16),
    (Field::CtOriginalDstPort, 16, 16),
    (Field::CtProtocol, 8, 8),
    (Field::Ip6NextHeader, 0, 8),
    (Field::Uid, 32, 32),
    (Field::Gid, 32, 32),
    (Field::Length, 17, 17),
    (Field::Ttl, 8, 0),
    (Field::HopLimit, 0, 8),
    (Field::Tos, 8, 0),
    (Field::TrafficClass, 0, 8),
    (Field::Ip4Id, 16, 0),
];

impl PacketSpace {
    /// The packets of one family and one way, within a budget.
    pub(crate) fn new(
        firewalls: &[&Firewall],
        surroundings: &Surroundings,
        (v6, path): (bool, PacketPath),
        marked: bool,
        further: &[NamePattern],
        budget: Budget,
    ) -> Result<Self, Exhausted> {
        let own = surroundings.interfaces.iter().flatten();
        let own: Vec<NamePattern> = own
            .map(|interface| NamePattern {
                text: interface.name.clone(),
                prefix: false,
            })
            .chain(std::iter::once(NamePattern {
                text: "lo".into(),
                prefix: false,
            }))
            .collect();
        let names = InterfaceClasses::new(firewalls, own.iter().chain(further));
        let options = firewalls.iter().flat_map(|one| tcp_options(one));
        let options: BTreeSet<u8> = options.collect();
        let mut next = 0;
        let mut block = |width| {
            let first = next;
            next += width;
            VariableBlock { first, width }
        };
        let letters = usize::BITS - (names.letter_count() - 1).leading_zeros();
        let input = block(letters);
        let output = block(letters);
        let blocks = FIELDS
            .iter()
            .map(|(field, v4_bits, v6_bits)| (*field, if v6 { *v6_bits } else { *v4_bits }))
            .filter(|(_, width)| *width > 0)
            .chain(
                options
                    .into_iter()
                    .map(|number| (Field::TcpOption(number), 1)),
            )
            .map(|(field, width)| (field, block(width)))
            .collect();
        let socket = block(1).first;
        let mut space = Self {
            store: Diagrams::new(budget.nodes, budget.steps),
            v6,
            path,
            names,
            blocks,
            input,
            output,
            socket,
            unknown: Vec::new(),
            first_unknown: socket + 1,
            asks: 0,
            shared: HashMap::new(),
            twins: None,
            rewritten: HashMap::new(),
            routed: HashMap::new(),
            switched_on: None,
            tracking: firewalls.iter().any(|one| tracks_connections(one, v6)),
            refusals: KernelRefusals::new(v6, surroundings, None),
            all_refusals: true,
            unsure_refusals: false,
            refusal_answers: BTreeMap::new(),
            types: [None, None],
            world: Packets::ALL,
            callers: Vec::new(),
            common: HashMap::new(),
        };
        space.types = [
            space.type_of(true, surroundings)?,
            space.type_of(false, surroundings)?,
        ];
        space.world = space.feasible_packets(marked)?;
        Ok(space)
    }

    /// Leaves only these packets and, for a question of the user, only the ordinary ones of these:
    /// packets that the kernel refuses count where the question is about no others.
    pub(crate) fn narrow_world(
        &mut self,
        about: Packets,
        asked: AskedPackets,
    ) -> Result<(), Exhausted> {
        self.world = self.store.and(self.world, about)?;
        if asked == AskedPackets::All {
            return Ok(());
        }
        if asked == AskedPackets::ForWords {
            self.all_refusals = false;
            self.leave_out_frames_to_all()?;
            self.leave_out_unreachable()?;
        }
        let sure = self.surely_refused()?;
        let rest = self.store.minus(self.world, sure)?;
        let unsure = self.refused_by(false)?;
        let ordinary = self.store.minus(rest, unsure)?;
        self.unsure_refusals = ordinary.is_none();
        if !rest.is_none() {
            self.world = rest;
        }
        if self.puts_together() {
            // They are put together before most rules, and the whole packets are among these.
            let fragments = self.fragments()?;
            let whole = self.store.minus(self.world, fragments)?;
            if !whole.is_none() {
                self.world = whole;
            }
        }
        Ok(())
    }

    /// Leaves out packets to which no route leads, and those to groups that are not received, unless the
    /// question is about no others.
    fn leave_out_unreachable(&mut self) -> Result<(), Exhausted> {
        let refusals = self.refusals.on_way(self.path);
        let meant = |one: &&RefusedPackets| {
            one.sure && matches!(one.why, Refusal::NoRoute | Refusal::NotInGroup)
        };
        let refusals: Vec<_> = refusals.filter(meant).cloned().collect();
        let state = PacketRewrite::default();
        let mut rest = self.world;
        for refused in &refusals {
            let such = self.condition_of(&state, refused)?;
            rest = self.store.minus(rest, such)?;
        }
        if !rest.is_none() {
            self.world = rest;
        }
        Ok(())
    }

    /// Leaves out packets to one host in frames to all, unless the question is about no others.
    fn leave_out_frames_to_all(&mut self) -> Result<(), Exhausted> {
        let unicast = self.field_in(Field::DstAddressType, &[Range { lo: 1, hi: 2 }])?;
        let mine = self.field_is(Field::PacketType, 0)?;
        let to_all = self.store.minus(unicast, mine)?;
        let rest = self.store.minus(self.world, to_all)?;
        if !rest.is_none() && self.path != PacketPath::Output {
            self.world = rest;
        }
        Ok(())
    }

    /// Leaves out packets of this host to itself, unless the question is about no others: they are
    /// among the packets that come in by the loopback interface.
    pub(crate) fn leave_out_loopback(&mut self) -> Result<(), Exhausted> {
        if self.path != PacketPath::Output {
            return Ok(());
        }
        let lo = self.names.letter_of(LOOPBACK);
        let by_loopback = self.letters_condition(self.output, [lo])?;
        let rest = self.store.minus(self.world, by_loopback)?;
        if !rest.is_none() {
            self.world = rest;
        }
        Ok(())
    }

    /// The packets that the kernel refuses, as they come in.
    pub(crate) fn surely_refused(&mut self) -> Result<Packets, Exhausted> {
        self.refused_by(true)
    }

    fn refused_by(&mut self, sure: bool) -> Result<Packets, Exhausted> {
        let refusals = self.refusals.on_way(self.path);
        let meant = |one: &&RefusedPackets| one.sure == sure && self.follows(one);
        let refusals: Vec<_> = refusals.filter(meant).cloned().collect();
        let state = PacketRewrite::default();
        let mut parts = Vec::new();
        for refused in &refusals {
            parts.push(self.condition_of(&state, refused)?);
        }
        self.store.unite_all(parts)
    }

    /// What the kernel refuses at a point, as far as it is followed.
    pub(crate) fn refusals_at(&self, point: RefusalPoint) -> Vec<RefusedPackets> {
        let refusals = self.refusals.at(point).iter();
        let followed =
            refusals.filter(|one| (one.sure || self.unsure_refusals) && self.follows(one));
        followed.cloned().collect()
    }

    fn follows(&self, refused: &RefusedPackets) -> bool {
        self.all_refusals || refused.why.is_told()
    }

    /// The packets in this state that the kernel refuses so.
    pub(crate) fn refused_in(
        &mut self,
        state: &PacketRewrite,
        refused: &RefusedPackets,
    ) -> Result<Packets, Exhausted> {
        let such = self.condition_of(state, refused)?;
        if refused.sure {
            return Ok(such);
        }
        let answer = if let Some(known) = self.refusal_answers.get(&refused.why) {
            *known
        } else {
            let answer = self.ask_unknown(UnknownAnswer::Kernel, &UnknownTopic::Refusal)?;
            self.refusal_answers.insert(refused.why, answer);
            answer
        };
        self.store.and(such, answer)
    }

    fn condition_of(
        &mut self,
        state: &PacketRewrite,
        refused: &RefusedPackets,
    ) -> Result<Packets, Exhausted> {
        let mut such = Packets::ALL;
        for wanted in &refused.when {
            if let Some(packets) = self.plain_condition(state, wanted)? {
                such = self.store.and(such, packets)?;
            }
        }
        Ok(such)
    }

    /// Looks for bits that all packets have in common. A question about one port makes constants of
    /// the port's bits, and small diagrams of all the rules that ask for it.
    pub(crate) fn find_common(&mut self) -> Result<(), Exhausted> {
        for variable in self.store.looks_at(self.world, 0) {
            let bit = self.store.bit(variable)?;
            if !self.store.sets_meet(self.world, bit) {
                self.common.insert(variable, Packets::NONE);
            } else if !self.store.sets_meet(self.world, !bit) {
                self.common.insert(variable, Packets::ALL);
            }
        }
        Ok(())
    }

    /// Forgets them, as answers are given in the bits themselves.
    pub(crate) fn forget_common(&mut self) {
        self.common.clear();
    }

    /// The number that NAT wrote to a field, where the rules leave it open. One connection is
    /// rewritten once at most, so that all rules share it; of two firewalls those that write the
    /// same.
    pub(crate) fn rewritten_word(
        &mut self,
        at: RuleAt,
        field: Field,
    ) -> Result<BitVector, Exhausted> {
        let writes = self.twins.as_ref().and_then(|twins| twins.writes.clone());
        let key = (field, writes);
        if let Some(word) = self.rewritten.get(&key) {
            return Ok(word.clone());
        }
        let width = self.block_of(field).map_or(0, |block| block.width);
        let word = self.ask_word(UnknownAnswer::Rule(at), &UnknownTopic::Own, width)?;
        self.rewritten.insert(key, word.clone());
        Ok(word)
    }

    /// The number that an earlier packet's rewriting gives, which the rules do not tell.
    pub(crate) fn rewritten_by_kernel(&mut self, field: Field) -> Result<BitVector, Exhausted> {
        let width = self.block_of(field).map_or(0, |block| block.width);
        self.ask_word(UnknownAnswer::Kernel, &UnknownTopic::Earlier, width)
    }

    /// The letter of an interface that routing chose anew; one packet is routed anew once. Of two
    /// firewalls those that write the same destination send it the same way.
    pub(crate) fn routed_letter(&mut self, destination: BitVector) -> Result<BitVector, Exhausted> {
        let key = self.twins.as_ref().map(|_| destination);
        if let Some(word) = self.routed.get(&key) {
            return Ok(word.clone());
        }
        let word = self.ask_word(UnknownAnswer::Kernel, &UnknownTopic::Own, self.output.width)?;
        self.routed.insert(key, word.clone());
        Ok(word)
    }

    /// The source or destination address's field.
    pub(crate) fn address_field(&self, source: bool) -> Field {
        match (source, self.v6) {
            (true, false) => Field::Ip4Src,
            (false, false) => Field::Ip4Dst,
            (true, true) => Field::Ip6Src,
            (false, true) => Field::Ip6Dst,
        }
    }

    /// The bits of a field, if it has bits of its own.
    pub(crate) fn block_of(&self, field: Field) -> Option<VariableBlock> {
        self.blocks.get(&field).copied()
    }

    /// The bits of the incoming or the outgoing interface's letter.
    pub(crate) fn interface_block(&self, input: bool) -> VariableBlock {
        if input { self.input } else { self.output }
    }

    /// All fields that have bits of their own.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (Field, VariableBlock)> + '_ {
        self.blocks.iter().map(|(field, block)| (*field, *block))
    }

    /// A variable that no packet answers.
    pub(crate) fn ask_unknown(
        &mut self,
        unknown: UnknownAnswer,
        topic: &UnknownTopic,
    ) -> Result<Packets, Exhausted> {
        let variable = self.new_unknown(unknown, topic, None)?;
        self.store.bit(variable)
    }

    /// The same, asked of packets in this state.
    pub(crate) fn ask_in(
        &mut self,
        state: &PacketRewrite,
        unknown: UnknownAnswer,
        topic: &UnknownTopic,
    ) -> Result<Packets, Exhausted> {
        let variable = self.new_unknown(unknown, topic, Some(state))?;
        self.store.bit(variable)
    }

    /// Whether connections are tracked.
    pub(crate) fn tracked_packets(&mut self) -> Result<Packets, Exhausted> {
        if self.tracking {
            return Ok(Packets::ALL);
        }
        if let Some(known) = self.switched_on {
            return Ok(known);
        }
        let open = self.ask_unknown(UnknownAnswer::Kernel, &UnknownTopic::Tracking)?;
        self.switched_on = Some(open);
        Ok(open)
    }

    pub(crate) fn new_unknown(
        &mut self,
        unknown: UnknownAnswer,
        topic: &UnknownTopic,
        state: Option<&PacketRewrite>,
    ) -> Result<Variable, Exhausted> {
        self.asks += 1;
        let asked = self
            .twins
            .as_mut()
            .map(|twins| twins.ask(unknown, topic, (state, &self.callers)));
        if let Some(AskedUnknown::Before(variable)) = asked {
            return Ok(variable);
        }
        if self.unknown.len() >= MOST_UNKNOWN {
            return Err(Exhausted);
        }
        let at = u32::try_from(self.unknown.len()).map_err(|_| Exhausted)?;
        self.unknown.push(unknown);
        let variable = self.first_unknown + at;
        if let (Some(twins), Some(AskedUnknown::First(place))) = (&mut self.twins, asked) {
            twins.remember_answer(place, variable);
        }
        Ok(variable)
    }

    /// A number that no packet answers.
    pub(crate) fn ask_word(
        &mut self,
        unknown: UnknownAnswer,
        topic: &UnknownTopic,
        width: u32,
    ) -> Result<BitVector, Exhausted> {
        let bits = (0..width)
            .map(|_| self.ask_unknown(unknown, topic))
            .collect::<Result<_, _>>()?;
        Ok(BitVector {
            there: Packets::ALL,
            bits,
        })
    }

    /// The packets that have one of these letters.
    pub(crate) fn letters_condition(
        &mut self,
        block: VariableBlock,
        letters: impl IntoIterator<Item = usize>,
    ) -> Result<Packets, Exhausted> {
        let mut ranges: Vec<Range> = Vec::new();
        for letter in letters {
            let letter = u128::try_from(letter).unwrap_or(u128::MAX);
            match ranges.last_mut() {
                Some(last) if last.hi + 1 == letter => last.hi = letter,
                _ => ranges.push(Range::one(letter)),
            }
        }
        let word = self.plain_vector(block)?;
        self.store.vector_in(&word, &ranges)
    }

    /// A block's bits as they are.
    pub(crate) fn plain_vector(&mut self, block: VariableBlock) -> Result<BitVector, Exhausted> {
        let bits = (block.first..block.first + block.width)
            .map(|variable| match self.common.get(&variable) {
                Some(constant) => Ok(*constant),
                None => self.store.bit(variable),
            })
            .collect::<Result<_, _>>()?;
        Ok(BitVector {
            there: Packets::ALL,
            bits,
        })
    }

    /// The packets whose field, as it came in, has one of these numbers.
    pub(crate) fn field_in(
        &mut self,
        field: Field,
        ranges: &[Range],
    ) -> Result<Packets, Exhausted> {
        let word = self.word(field)?;
        let set = self.store.vector_in(&word, ranges)?;
        self.store.and(word.there, set)
    }

    pub(crate) fn field_is(&mut self, field: Field, number: u128) -> Result<Packets, Exhausted> {
        self.field_in(field, &[Range::one(number)])
    }

    /// The packets whose connection is in the state, as conntrack sees it at first.
    pub(crate) fn in_state(&mut self, state: u128) -> Result<Packets, Exhausted> {
        let Some((_, code)) = STATES.iter().find(|(bit, _)| *bit == state) else {
            return Ok(Packets::NONE);
        };
        match self.block_of(Field::CtState) {
            Some(block) => {
                let word = self.plain_vector(block)?;
                self.store.vector_in(&word, &[Range::one(*code)])
            }
            None => Ok(Packets::NONE),
        }
    }

    /// Whether fragments are put together before most rules of this way see them.
    pub(crate) fn puts_together(&self) -> bool {
        self.tracking || !self.v6 && self.path == PacketPath::Input
    }

    /// The packets that are fragments, the first ones too.
    pub(crate) fn fragments(&mut self) -> Result<Packets, Exhausted> {
        let later = self.later_fragments()?;
        if self.v6 {
            return Ok(later);
        }
        // An offset, or that more fragments follow.
        let word = self.word(Field::Ip4FragmentOffset)?.with_mask(Some(0x3fff));
        let unfragmented = self.store.vector_in(&word, &[Range::one(0)])?;
        self.store.or(later, !unfragmented)
    }

    /// The packets that are fragments, but not the first.
    pub(crate) fn later_fragments(&mut self) -> Result<Packets, Exhausted> {
        self.field_is(Field::IsLaterFragment, 1)
    }

    /// A field as the packet has it when it comes in.
    pub(crate) fn word(&mut self, field: Field) -> Result<BitVector, Exhausted> {
        let constant = |number: u128, width| Ok(BitVector::constant_vector(number, width));
        match field {
            Field::NfProto => constant(if self.v6 { 10 } else { 2 }, 8),
            Field::EtherType => constant(if self.v6 { 0x86dd } else { 0x0800 }, 16),
            Field::Ip4Protocol if !self.v6 => self.word(Field::L4Proto),
            Field::Ip4Dscp if !self.v6 => self.upper_bits(Field::Tos, 6),
            Field::Ip6Dscp if self.v6 => self.upper_bits(Field::TrafficClass, 6),
            Field::CtState => self.state_word(),
            Field::SetSrcPort => self.set_port(Field::SrcPort),
            Field::SetDstPort => self.set_port(Field::DstPort),
            Field::SrcAddressType | Field::DstAddressType => {
                let at = usize::from(field == Field::DstAddressType);
                match self.types[at].clone() {
                    Some(word) => Ok(word),
                    None => self.own_bits(field),
                }
            }
            Field::CtStatus | Field::CtDirection | Field::CtMark => {
                let word = self.own_bits(field)?;
                let width = u32::try_from(word.bits.len()).unwrap_or_default();
                self.of_connection(&word, &BitVector::constant_vector(0, width))
            }
            Field::CtOriginalIp4Src => self.original_vector(field, Field::Ip4Src),
            Field::CtOriginalIp4Dst => self.original_vector(field, Field::Ip4Dst),
            Field::CtOriginalIp6Src => self.original_vector(field, Field::Ip6Src),
            Field::CtOriginalIp6Dst => self.original_vector(field, Field::Ip6Dst),
            Field::CtOriginalSrcPort => self.original_port(field, Field::SrcPort),
            Field::CtOriginalDstPort => self.original_port(field, Field::DstPort),
            Field::CtProtocol => self.original_vector(field, Field::L4Proto),
            _ => {
                let mut word = self.own_bits(field)?;
                word.there = self.field_present(field)?;
                Ok(word)
            }
        }
    }

    fn own_bits(&mut self, field: Field) -> Result<BitVector, Exhausted> {
        match self.block_of(field) {
            Some(block) => self.plain_vector(block),
            None => Ok(BitVector::absent_vector()),
        }
    }

    fn upper_bits(&mut self, field: Field, width: usize) -> Result<BitVector, Exhausted> {
        let mut word = self.own_bits(field)?;
        word.bits.truncate(width);
        Ok(word)
    }

    /// The packets that have a field with bits of its own.
    fn field_present(&mut self, field: Field) -> Result<Packets, Exhausted> {
        if self.block_of(field).is_none() {
            return Ok(Packets::NONE);
        }
        let protocols: &[u128] = match field {
            Field::SrcPort | Field::DstPort => &[6, 17, 33, 132, 136],
            Field::TcpFlags | Field::TcpOption(_) => &[6],
            Field::IcmpType | Field::IcmpCode => &[1],
            Field::Icmp6Type | Field::Icmp6Code => &[58],
            Field::MacSrc | Field::MacDst if self.path == PacketPath::Output => {
                return Ok(Packets::NONE);
            }
            Field::Uid | Field::Gid => {
                return if self.path == PacketPath::Forward {
                    Ok(Packets::NONE)
                } else {
                    self.store.bit(self.socket)
                };
            }
            _ => return Ok(Packets::ALL),
        };
        let ranges: Vec<Range> = protocols.iter().map(|number| Range::one(*number)).collect();
        let protocol = self.field_in(Field::L4Proto, &ranges)?;
        let whole = self.field_is(Field::IsLaterFragment, 0)?;
        self.store.and(protocol, whole)
    }

    fn state_word(&mut self) -> Result<BitVector, Exhausted> {
        let mut word = BitVector::constant_vector(0, 7);
        for (bit, _) in STATES {
            let place = usize::try_from(6_u32.saturating_sub(bit.trailing_zeros())).unwrap_or(0);
            word.bits[place] = self.in_state(bit)?;
        }
        Ok(word)
    }

    /// What belongs to a connection: `fresh` in its first packet, absent where there is none.
    fn of_connection(
        &mut self,
        later: &BitVector,
        fresh: &BitVector,
    ) -> Result<BitVector, Exhausted> {
        let new = self.in_state(ct_state::NEW)?;
        let invalid = self.in_state(ct_state::INVALID)?;
        let untracked = self.in_state(ct_state::UNTRACKED)?;
        let none = self.store.or(invalid, untracked)?;
        let mut word = self.store.either_word(new, fresh, later)?;
        word.there = self.store.minus(word.there, none)?;
        Ok(word)
    }

    fn original_vector(&mut self, field: Field, like: Field) -> Result<BitVector, Exhausted> {
        let own = self.own_bits(field)?;
        let fresh = self.word(like)?;
        if own.bits.is_empty() {
            return Ok(own);
        }
        self.of_connection(&own, &fresh)
    }

    /// The port that conntrack keeps: the packet's; for ICMP the identifier, and type and code; 0
    /// for protocols of which it reads none, but perhaps a key of GRE.
    fn original_port(&mut self, field: Field, port: Field) -> Result<BitVector, Exhausted> {
        let own = self.own_bits(field)?;
        let width = u32::try_from(own.bits.len()).unwrap_or_default();
        let ports = self.word(port)?;
        let has_ports = ports.there;
        let mut fresh =
            self.store
                .either_word(has_ports, &ports, &BitVector::constant_vector(0, width))?;
        let open = self.field_in(Field::L4Proto, &[1, 47, 58].map(Range::one))?;
        fresh = self.store.either_word(open, &own, &fresh)?;
        if port == Field::DstPort {
            let in_set = self.set_port(port)?;
            let icmp =
                self.field_in(Field::L4Proto, &[Range::one(if self.v6 { 58 } else { 1 })])?;
            let there = self.store.and(icmp, in_set.there)?;
            fresh = self.store.either_word(there, &in_set, &fresh)?;
        }
        fresh.there = Packets::ALL;
        self.of_connection(&own, &fresh)
    }

    /// ipset's port: that of the packet, or type and code of an ICMP message.
    fn set_port(&mut self, port: Field) -> Result<BitVector, Exhausted> {
        let mut word = self.word(port)?;
        // ipset reads no ports of DCCP.
        let dccp = self.field_is(Field::L4Proto, 33)?;
        word.there = self.store.minus(word.there, dccp)?;
        let (kind, code) = if self.v6 {
            (Field::Icmp6Type, Field::Icmp6Code)
        } else {
            (Field::IcmpType, Field::IcmpCode)
        };
        let mut icmp = self.word(kind)?;
        icmp.bits.extend(self.word(code)?.bits);
        let is_icmp = icmp.there;
        self.store.either_word(is_icmp, &icmp, &word)
    }
}
