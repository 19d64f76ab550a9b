//! The walk of all packets at once through hooks, base chains, rules and jumps.
//!
//! It goes the way that the evaluator of single packets goes, with a set of packets wherever that
//! has one. Packets that rules have changed in the same way walk together.

use std::collections::BTreeMap;

use super::chain::SummaryDepth;
use super::diagram::{Exhausted, Packets};
use super::ends::OutcomeSets;
use super::space::{PacketSpace, UnknownAnswer, UnknownTopic};
use super::state::{InInterface, OutInterface, PacketRewrite, Rerouting};
use super::word::BitVector;
use crate::Surroundings;
use crate::packet::{PacketPath, to_address};
use crate::semantics::{
    BaseAt, ChainOrder, End, LoadOrder, base_chains, bridge_chains, can_do_nothing, has_flowtable,
    interface_to, policy_may_route, sees,
};
use crate::stages::{ARRIVING, LOOPBACK, LOOPED, RefusalPoint, SENT, Stage, THROUGH, TO_HERE};
use surefoot_ruleset::model::{
    Backend, Base, ChainKind, Field, Firewall, Hook, NamePattern, Policy, Range, Statement,
    Verdict, ct_state, ct_status,
};

/// Packets by what rules have made of them.
pub(crate) type Flows = BTreeMap<PacketRewrite, Packets>;

/// States at which the walk gives up.
const MOST_STATES: usize = 4096;

/// A walk under way.
pub(crate) struct SymbolicWalk<'a> {
    pub(super) firewall: &'a Firewall,
    pub(super) surroundings: &'a Surroundings,
    pub(super) space: &'a mut PacketSpace,
    as_read: bool,
    pub(super) place: WalkPlace,
    pub(super) known: BTreeMap<(WalkPlace, usize, usize, PacketRewrite), usize>,
    pub(super) course: WalkResult,
    /// The statements with a side effect of the chain under way.
    pub(super) side_effects: Vec<RunStatement>,
}

/// Where all packets ended up.
#[derive(Clone, Debug, Default)]
pub(crate) struct WalkResult {
    /// Where the packets end.
    pub(crate) ends: OutcomeSets,
    /// The accepted ones by what they had become.
    pub(crate) passed: Vec<(PacketRewrite, Packets)>,
    /// What each chain does; a chain stands behind those that it calls.
    pub(crate) passages: Vec<ChainSummary>,
    /// The packets that the kernel sent through a passage.
    pub(crate) entered: Vec<(usize, Packets)>,
    /// Whether base chains met whose order the texts do not tell.
    pub(crate) order_unknown: bool,
}

/// What a chain does to packets in one state, for every caller. It is computed for all packets, not
/// only for those that arrive, which keeps what callers test out of the sets.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChainSummary {
    /// The chain, by table and index.
    pub(crate) chain: (usize, usize),
    /// Whether the packets are those that loopback carries, or others; none if they may be both.
    pub(crate) by_loopback: Option<bool>,
    /// The packets that come to each rule.
    pub(crate) reach: Vec<Packets>,
    /// The packets that each rule matches: those that reach it, and of these the ones for which
    /// its conditions hold.
    pub(crate) hits: Vec<Vec<(Packets, Packets)>>,
    /// The packets that go through another passage: those that come to the rule, and of these
    /// the ones that it matches.
    pub(crate) calls: Vec<(usize, Packets, Packets)>,
    /// The rules that they go there by.
    pub(super) called_by: Vec<usize>,
    /// The statements with a side effect, where two firewalls are compared.
    pub(super) side_effects: Vec<RunStatement>,
    pub(super) ends: OutcomeSets,
    pub(super) on: Flows,
    pub(super) accepted: Flows,
}

/// A statement of a chain, and the packets that run it.
#[derive(Clone, Debug)]
pub(super) struct RunStatement {
    pub(super) rule: usize,
    pub(super) statement: usize,
    /// The packets that come to the rule.
    pub(super) reach: Packets,
    /// Of these, those that come to the statement.
    pub(super) holds: Packets,
    /// What rules have changed of the addresses and ports by which it keeps something.
    pub(super) rewritten: Vec<(Field, BitVector)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WalkPlace {
    pub(super) hook: Hook,
    pub(super) backend: Backend,
    /// The base chain, by table and index.
    base: (usize, usize),
}

impl<'a> SymbolicWalk<'a> {
    pub(crate) fn new(
        firewall: &'a Firewall,
        surroundings: &'a Surroundings,
        space: &'a mut PacketSpace,
        as_read: bool,
    ) -> Self {
        Self {
            firewall,
            surroundings,
            space,
            as_read,
            place: WalkPlace {
                hook: Hook::Prerouting,
                backend: Backend::Nft,
                base: (0, 0),
            },
            known: BTreeMap::new(),
            course: WalkResult::default(),
            side_effects: Vec::new(),
        }
    }

    /// Follows these packets to their ends.
    pub(crate) fn run(mut self, packets: Packets) -> Result<WalkResult, Exhausted> {
        let start = PacketRewrite::default();
        match self.space.path {
            PacketPath::Output => self.follow(SENT, Flows::from([(start, packets)]))?,
            PacketPath::Forward => self.follow(ARRIVING, Flows::from([(start, packets)]))?,
            PacketPath::Input => {
                let lo = self.space.names.letter_of(LOOPBACK);
                let block = self.space.interface_block(true);
                let by_loopback = self.space.letters_condition(block, [lo])?;
                let sent = self.space.store.and(packets, by_loopback)?;
                if !sent.is_none() {
                    // It was sent before it came in.
                    let mut start = start.clone();
                    start.input = InInterface::None;
                    start.output = OutInterface::Letter(lo);
                    start.put_absent(&[Field::MacSrc, Field::MacDst]);
                    self.follow(SENT, Flows::from([(start, sent)]))?;
                }
                let arrived = self.space.store.minus(packets, by_loopback)?;
                if !arrived.is_none() {
                    let mut start = start;
                    start.put_absent(&[Field::Uid, Field::Gid]);
                    self.follow(ARRIVING, Flows::from([(start, arrived)]))?;
                }
            }
        }
        Ok(self.course)
    }

    fn follow(&mut self, stages: &[Stage], mut flows: Flows) -> Result<(), Exhausted> {
        for stage in stages {
            flows = match *stage {
                Stage::Hook(hook) => self.follow_hook(hook, flows)?,
                Stage::Connection(hook) => self.follow_established(flows, hook)?,
                Stage::Refusals(point) => self.refuse(point, flows)?,
                Stage::Reassembly if self.space.v6 => flows,
                Stage::Reassembly => self.reassemble(flows)?,
                Stage::Unrouted => self.without_output(flows)?,
                Stage::Routing => return self.route(flows),
                Stage::Rerouting => self.route_again(flows)?,
                Stage::Hop => self.one_hop_less(flows)?,
                Stage::Flowtable => self.follow_flowtable(flows)?,
                Stage::Frames(hooks) => self.follow_bridge(flows, hooks)?,
                Stage::Loopback => self.loop_back(flows)?,
            };
            if flows.is_empty() {
                return Ok(());
            }
        }
        self.pass(flows);
        Ok(())
    }

    /// Takes out what the kernel drops besides the rules.
    fn refuse(&mut self, point: RefusalPoint, flows: Flows) -> Result<Flows, Exhausted> {
        let mut passed = Flows::new();
        let refusals = self.space.refusals_at(point);
        for (state, mut packets) in flows {
            for refused in &refusals {
                let such = self.space.refused_in(&state, refused)?;
                let gone = self.space.store.and(packets, such)?;
                self.end(End::Dropped, gone);
                packets = self.space.store.minus(packets, such)?;
            }
            self.join(&mut passed, state, packets)?;
        }
        Ok(passed)
    }

    fn without_output(&mut self, flows: Flows) -> Result<Flows, Exhausted> {
        let parts = flows.into_iter().map(|(mut state, packets)| {
            state.output = OutInterface::None;
            (state, packets)
        });
        self.gather_flows(parts.collect())
    }

    /// Sends the packets to this host or through it.
    fn route(&mut self, flows: Flows) -> Result<(), Exhausted> {
        let (mut input, mut forward) = (Flows::new(), Flows::new());
        for (mut state, packets) in flows {
            state.output = if state.destination_rewritten {
                self.out_interface(&state)?
            } else {
                OutInterface::Packet
            };
            let (here, through) = self.split_by_route(&state, packets)?;
            if !here.is_none() {
                let mut state = state.clone();
                state.output = OutInterface::None;
                // The socket of a packet may be found before the input hook (`tcp_v4_early_demux`).
                state.restore(Field::Uid);
                state.restore(Field::Gid);
                self.join(&mut input, state, here)?;
            }
            self.join(&mut forward, state, through)?;
        }
        if !input.is_empty() {
            self.follow(TO_HERE, input)?;
        }
        if !forward.is_empty() {
            self.follow(THROUGH, forward)?;
        }
        Ok(())
    }

    fn route_again(&mut self, flows: Flows) -> Result<Flows, Exhausted> {
        let mut routed = Flows::new();
        for (mut state, packets) in flows {
            if state.destination_rewritten {
                state.output = self.unknown_output(&state)?;
            }
            self.join(&mut routed, state, packets)?;
        }
        Ok(routed)
    }

    /// Behind a chain of type route, and iptables' mangle OUTPUT, packets are routed again if rules
    /// there have changed what routing may ask for (`ip_route_me_harder`).
    fn route_changed(&mut self, flows: Flows) -> Result<Flows, Exhausted> {
        let mut routed = Flows::new();
        for (mut state, packets) in flows {
            let by_policy = policy_may_route(self.surroundings);
            let stay = match state.take_rerouting() {
                Some(Rerouting::ByDestination) => Packets::NONE,
                // The table of local addresses is asked first.
                Some(Rerouting::ByPolicy) if by_policy && self.space.path == PacketPath::Output => {
                    let kind = state.word(self.space, Field::DstAddressType)?;
                    self.space.store.vector_in(&kind, &[Range::one(2)])?
                }
                _ => Packets::ALL,
            };
            let here = self.space.store.and(packets, stay)?;
            self.join(&mut routed, state.clone(), here)?;
            let leave = self.space.store.minus(packets, stay)?;
            if !leave.is_none() {
                state.output = self.unknown_output(&state)?;
                self.join(&mut routed, state, leave)?;
            }
        }
        Ok(routed)
    }

    /// Routing takes one off the time to live.
    fn one_hop_less(&mut self, flows: Flows) -> Result<Flows, Exhausted> {
        let hops = if self.space.v6 {
            Field::HopLimit
        } else {
            Field::Ttl
        };
        let mut later = Flows::new();
        for (mut state, packets) in flows {
            let word = state.word(self.space, hops)?;
            let word = self.space.store.less_one(&word)?;
            state.put(hops, word);
            self.join(&mut later, state, packets)?;
        }
        Ok(later)
    }

    /// What was sent by the loopback interface comes in again; the rest has left.
    fn loop_back(&mut self, flows: Flows) -> Result<Flows, Exhausted> {
        let (mut looped, mut left) = (Flows::new(), Flows::new());
        let lo = self.space.names.letter_of(LOOPBACK);
        let names = [NamePattern {
            text: LOOPBACK.into(),
            prefix: false,
        }];
        for (mut state, packets) in flows {
            let by_loopback = if let OutInterface::Unknown(_) = state.output {
                let kind = state.word(self.space, Field::DstAddressType)?;
                self.space.store.vector_in(&kind, &[Range::one(2)])?
            } else {
                state.output_is(self.space, &names)?
            };
            let leave = self.space.store.minus(packets, by_loopback)?;
            self.join(&mut left, state.clone(), leave)?;
            let stay = self.space.store.and(packets, by_loopback)?;
            state.input = InInterface::Letter(lo);
            state.output = OutInterface::None;
            state.looped = true;
            state.put_absent(&[Field::Uid, Field::Gid]);
            self.join(&mut looped, state, stay)?;
        }
        if !looped.is_empty() {
            self.follow(LOOPED, looped)?;
        }
        Ok(left)
    }

    /// Frames that arrive or leave by a bridge traverse rules that are not followed.
    fn follow_bridge(&mut self, flows: Flows, hooks: &[Hook]) -> Result<Flows, Exhausted> {
        if !bridge_chains(self.firewall, hooks) {
            return Ok(flows);
        }
        let by_bridge = self
            .space
            .ask_unknown(UnknownAnswer::Kernel, &UnknownTopic::Bridge)?;
        let mut passed = Flows::new();
        for (state, packets) in flows {
            let perhaps = self.space.store.and(packets, by_bridge)?;
            self.end(End::Unknown, perhaps);
            let rest = self.space.store.minus(packets, by_bridge)?;
            self.join(&mut passed, state, rest)?;
        }
        Ok(passed)
    }

    /// Once a flow is in a flowtable, its packets no longer traverse the forward hook
    /// (`nf_flow_offload_ip_hook`).
    fn follow_flowtable(&mut self, flows: Flows) -> Result<Flows, Exhausted> {
        if !has_flowtable(self.firewall, self.space.v6) {
            return Ok(flows);
        }
        let in_table = self
            .space
            .ask_unknown(UnknownAnswer::Kernel, &UnknownTopic::Flowtable)?;
        let mut rest = Flows::new();
        for (state, packets) in flows {
            let word = state.word(self.space, Field::CtState)?;
            let old = [Range::one(ct_state::ESTABLISHED)];
            let old = self.space.store.vector_in(&word, &old)?;
            let protocol = self
                .space
                .field_in(Field::L4Proto, &[6, 17].map(Range::one))?;
            let may = self.space.store.and(old, protocol)?;
            let may = self.space.store.and(may, in_table)?;
            let passes = self.space.store.and(packets, may)?;
            self.end(End::Accepted, passes);
            self.course.passed.push((state.clone(), passes));
            let meets = self.space.store.minus(packets, may)?;
            self.join(&mut rest, state, meets)?;
        }
        Ok(rest)
    }

    /// The interface by which a packet with a new destination leaves, where the routes tell.
    fn out_interface(&mut self, state: &PacketRewrite) -> Result<OutInterface, Exhausted> {
        let word = state.word(self.space, self.space.address_field(false))?;
        let name = word
            .as_constant()
            .and_then(|number| interface_to(to_address(number, self.space.v6), self.surroundings));
        match name {
            Some(name) => Ok(OutInterface::Letter(self.space.names.letter_of(name))),
            None => self.unknown_output(state),
        }
    }

    fn unknown_output(&mut self, state: &PacketRewrite) -> Result<OutInterface, Exhausted> {
        let destination = state.word(self.space, self.space.address_field(false))?;
        self.space
            .routed_letter(destination)
            .map(OutInterface::Unknown)
    }

    /// Which of the packets stay on this host, and which go through it.
    fn split_by_route(
        &mut self,
        state: &PacketRewrite,
        packets: Packets,
    ) -> Result<(Packets, Packets), Exhausted> {
        if !state.destination_rewritten {
            return Ok(match self.space.path {
                PacketPath::Input => (packets, Packets::NONE),
                _ => (Packets::NONE, packets),
            });
        }
        let word = state.word(self.space, Field::DstAddressType)?;
        let here = self
            .space
            .store
            .vector_in(&word, &[Range { lo: 2, hi: 5 }])?;
        let stay = self.space.store.and(packets, here)?;
        let leave = self.space.store.minus(packets, here)?;
        Ok((stay, leave))
    }

    /// A packet of a connection that was set up earlier is rewritten as that connection was,
    /// without traversing the rules; whether and how, the rules do not tell.
    fn follow_established(&mut self, flows: Flows, hook: Hook) -> Result<Flows, Exhausted> {
        if !self.has_nat() {
            return Ok(flows);
        }
        let established = self.space.in_state(ct_state::ESTABLISHED)?;
        let related = self.space.in_state(ct_state::RELATED)?;
        let old = self.space.store.or(established, related)?;
        let status = self
            .space
            .word(Field::CtStatus)?
            .with_mask(Some(ct_status::SNAT | ct_status::DNAT));
        let plain = self.space.store.vector_in(&status, &[Range::one(0)])?;
        let perhaps = self.space.store.minus(old, plain)?;
        let rewritten = self
            .space
            .ask_unknown(UnknownAnswer::Kernel, &UnknownTopic::Earlier)?;
        let rewritten = self.space.store.and(perhaps, rewritten)?;
        let mut both = Flows::new();
        for (state, packets) in flows {
            let stay = self.space.store.minus(packets, rewritten)?;
            let change = self.space.store.and(packets, rewritten)?;
            if !change.is_none() {
                let mut state = state.clone();
                for field in [self.space.address_field(false), Field::DstPort] {
                    let mut word = self.space.rewritten_by_kernel(field)?;
                    word.there = state.word(self.space, field)?.there;
                    state.put(field, word);
                }
                let kind = self.space.rewritten_by_kernel(Field::DstAddressType)?;
                state.put(Field::DstAddressType, kind);
                state.destination_rewritten = hook == Hook::Prerouting;
                self.join(&mut both, state, change)?;
            }
            self.join(&mut both, state, stay)?;
        }
        Ok(both)
    }

    fn has_nat(&self) -> bool {
        let tables = self.firewall.tables.iter();
        tables
            .filter(|table| sees(table, self.space.v6))
            .flat_map(|table| &table.chains)
            .flat_map(|chain| &chain.rules)
            .any(|rule| {
                let mut statements = rule.statements.iter();
                statements.any(|one| matches!(one, Statement::Verdict(Verdict::Nat(_))))
            })
    }

    fn pass(&mut self, flows: Flows) {
        for (state, packets) in flows {
            self.end(End::Accepted, packets);
            self.course.passed.push((state, packets));
        }
    }

    fn end(&mut self, end: End, packets: Packets) {
        self.course.ends.add(end, packets);
    }

    fn join(
        &mut self,
        flows: &mut Flows,
        state: PacketRewrite,
        packets: Packets,
    ) -> Result<(), Exhausted> {
        if packets.is_none() {
            return Ok(());
        }
        if flows.len() >= MOST_STATES {
            return Err(Exhausted);
        }
        let joined = flows.entry(state).or_insert(Packets::NONE);
        *joined = self.space.store.or(*joined, packets)?;
        Ok(())
    }

    /// Joins what has the same state, in pairs.
    pub(super) fn gather_flows(
        &mut self,
        parts: Vec<(PacketRewrite, Packets)>,
    ) -> Result<Flows, Exhausted> {
        let mut by_state: BTreeMap<PacketRewrite, Vec<Packets>> = BTreeMap::new();
        for (state, packets) in parts {
            by_state.entry(state).or_default().push(packets);
        }
        if by_state.len() > MOST_STATES {
            return Err(Exhausted);
        }
        let mut flows = Flows::new();
        for (state, parts) in by_state {
            let packets = self.space.store.unite_all(parts)?;
            if !packets.is_none() {
                flows.insert(state, packets);
            }
        }
        Ok(flows)
    }

    /// Runs the base chains of a hook; gives what passes all of them.
    fn follow_hook(&mut self, hook: Hook, mut flows: Flows) -> Result<Flows, Exhausted> {
        let loaded = LoadOrder {
            listed: self.surroundings.live,
            as_read: self.as_read,
        };
        let (bases, order) = base_chains(self.firewall, hook, self.space.v6, loaded);
        self.course.order_unknown |= matches!(order, ChainOrder::Unknown | ChainOrder::Open);
        if order == ChainOrder::Open {
            flows = self.set_aside_unknown(flows)?;
        }
        let mut whole = !matches!(hook, Hook::Prerouting | Hook::Output) || !self.space.tracking;
        for base in bases {
            if flows.is_empty() {
                break;
            }
            if !whole && !base.sees_fragments {
                flows = self.reassemble(flows)?;
                whole = true;
            }
            self.place = WalkPlace {
                hook,
                backend: self.firewall.tables[base.table].backend,
                base: (base.table, base.chain),
            };
            let elsewhere;
            (flows, elsewhere) = self.on_device(base, flows)?;
            let looped = flows.keys().any(|state| state.looped);
            flows = if base.early && !looped {
                let hidden = self.track_connection(flows, true)?;
                let flows = self.base_chain(base, hidden)?;
                self.track_connection(flows, false)?
            } else if base.kind == ChainKind::Nat {
                if can_do_nothing(self.firewall, &base) {
                    continue;
                }
                let (first, later) = self.asks_nat(flows, hook)?;
                let first = self.base_chain(base, first)?;
                self.gather_flows(first.into_iter().chain(later).collect())?
            } else {
                self.base_chain(base, flows)?
            };
            if base.kind == ChainKind::Route && hook == Hook::Output {
                flows = self.route_changed(flows)?;
            }
            if !elsewhere.is_empty() {
                flows = self.gather_flows(flows.into_iter().chain(elsewhere).collect())?;
            }
        }
        if whole {
            Ok(flows)
        } else {
            self.reassemble(flows)
        }
    }

    /// Takes out the fragments: what becomes of the packets that they are parts of is another
    /// question.
    fn reassemble(&mut self, flows: Flows) -> Result<Flows, Exhausted> {
        let fragments = self.space.fragments()?;
        if !self.space.store.sets_meet(self.space.world, fragments) {
            return Ok(flows);
        }
        let mut whole = Flows::new();
        for (state, packets) in flows {
            let parts = self.space.store.and(packets, fragments)?;
            self.end(End::Unknown, parts);
            let rest = self.space.store.minus(packets, fragments)?;
            self.join(&mut whole, state, rest)?;
        }
        Ok(whole)
    }

    /// Which packets pass a device that the chain is hooked to, and which do not; other chains
    /// see all.
    fn on_device(&mut self, base: BaseAt, flows: Flows) -> Result<(Flows, Flows), Exhausted> {
        let chain = &self.firewall.tables[base.table].chains[base.chain];
        let on_device = |base: &&Base| matches!(base.hook, Hook::Ingress | Hook::Egress);
        let Some(base) = chain.base.as_ref().filter(on_device) else {
            return Ok((flows, Flows::new()));
        };
        let names: Vec<NamePattern> = base
            .devices
            .iter()
            .map(|name| NamePattern {
                text: name.clone(),
                prefix: false,
            })
            .collect();
        let (mut here, mut elsewhere) = (Flows::new(), Flows::new());
        for (state, packets) in flows {
            // `nft -j` of version 1.0.6 does not tell the device.
            let passes = if names.is_empty() {
                self.space
                    .ask_unknown(UnknownAnswer::Kernel, &UnknownTopic::Own)?
            } else if base.hook == Hook::Ingress {
                state.input_is(self.space, &names)?
            } else {
                state.output_is(self.space, &names)?
            };
            let inside = self.space.store.and(packets, passes)?;
            self.join(&mut here, state.clone(), inside)?;
            let outside = self.space.store.minus(packets, passes)?;
            self.join(&mut elsewhere, state, outside)?;
        }
        Ok((here, elsewhere))
    }

    /// Not every order of the chains is followed: what becomes of the packets may be something else.
    fn set_aside_unknown(&mut self, flows: Flows) -> Result<Flows, Exhausted> {
        let strange = self
            .space
            .ask_unknown(UnknownAnswer::Kernel, &UnknownTopic::Own)?;
        let mut known = Flows::new();
        for (state, packets) in flows {
            let aside = self.space.store.and(packets, strange)?;
            self.end(End::Unknown, aside);
            let rest = self.space.store.minus(packets, strange)?;
            self.join(&mut known, state, rest)?;
        }
        Ok(known)
    }

    /// Before conntrack a packet has no connection.
    fn track_connection(&mut self, flows: Flows, hidden: bool) -> Result<Flows, Exhausted> {
        let parts = flows.into_iter().map(|(mut state, packets)| {
            state.hidden = hidden;
            (state, packets)
        });
        self.gather_flows(parts.collect())
    }

    /// Which packets visit a nat chain: the first one of a connection does. An ICMP error about a
    /// connection is rewritten as that was (`nf_nat_ipv4_fn`); any other RELATED packet is a first
    /// packet. Once one nat chain has fixed an end, the others of the hook are not traversed.
    /// Without a connection none is (`nf_nat_inet_fn`).
    fn asks_nat(&mut self, flows: Flows, hook: Hook) -> Result<(Flows, Flows), Exhausted> {
        let (mut first, mut later) = (Flows::new(), Flows::new());
        let tracked = self.space.tracked_packets()?;
        for (state, packets) in flows {
            let fixed = match hook {
                Hook::Prerouting | Hook::Output => state.destination_rewritten,
                _ => state.source_rewritten,
            };
            if fixed || state.looped {
                later.insert(state, packets);
                continue;
            }
            let word = state.word(self.space, Field::CtState)?;
            let protocol = state.word(self.space, Field::L4Proto)?;
            let store = &mut self.space.store;
            let new = store.vector_in(&word, &[Range::one(ct_state::NEW)])?;
            let related = store.vector_in(&word, &[Range::one(ct_state::RELATED)])?;
            let icmp = store.vector_in(&protocol, &[Range::one(1), Range::one(58)])?;
            let related = store.minus(related, icmp)?;
            let asks = store.or(new, related)?;
            let asks = store.and(asks, tracked)?;
            let visits = store.and(packets, asks)?;
            let passes = store.minus(packets, asks)?;
            if !visits.is_none() {
                first.insert(state.clone(), visits);
            }
            if !passes.is_none() {
                later.insert(state, passes);
            }
        }
        Ok((first, later))
    }

    fn base_chain(&mut self, base: BaseAt, flows: Flows) -> Result<Flows, Exhausted> {
        let start = SummaryDepth { jumps: 0, all: 0 };
        let mut accepted = Vec::new();
        for (state, packets) in flows {
            let at = self.pass_chain((base.table, base.chain), (&state, packets), start)?;
            self.course.entered.push((at, packets));
            let passage = &self.course.passages[at];
            accepted.extend(passage.accepted.clone());
            if base.policy == Policy::Accept {
                accepted.extend(passage.on.clone());
            }
            self.course.ends.extend(passage.ends.clone());
        }
        self.gather_flows(accepted)
    }
}
