//! What becomes of a packet under the old rules and under the new ones, each kind asked once.

use crate::LoadedRules;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::diff::DiffSide;
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::asked_fields;
use surefoot_netfilter::lookup::CompiledRules;
use surefoot_netfilter::packet::pcap::{CapturedPacket, IpHeaders, LinkFields};
use surefoot_netfilter::packet::{FieldValue, Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{Decider, End, RecordLevel, evaluate};
use surefoot_ruleset::model::{Field, ct_state};

/// Kinds that are remembered; then they are forgotten, so that memory has a bound.
const MOST_KINDS: usize = 1 << 18;

/// An end under one of the rule sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PacketFate {
    /// None if it depends on what is unknown.
    pub(super) end: Option<End>,
    pub(super) by: Decider,
}

/// The ends under the old rules and under the new ones.
pub(super) type Fates = [PacketFate; 2];

/// Packets that no rule tells apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct PacketKind {
    headers: IpHeaders,
    link: LinkFields,
    incoming: Option<bool>,
    interface: Option<Arc<str>>,
    state: u128,
}

/// A kind that was judged before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KnownFates {
    /// How often everything was forgotten.
    age: u32,
    at: u32,
}

/// Judges packets under both rule sets.
pub(super) struct FateJudge<'a> {
    sides: [DiffSide<'a>; 2],
    lookups: [CompiledRules; 2],
    surroundings: &'a Surroundings,
    /// The interface that the capture was made on, where the file does not say.
    on: Option<Arc<str>>,
    asked: AskedFields,
    places: HashMap<PacketKind, u32>,
    judged: Vec<(PacketKind, Fates)>,
    age: u32,
    /// Whether some packet was to this host or from it.
    pub(super) met_host: bool,
}

impl<'a> FateJudge<'a> {
    pub(super) fn new(
        [old, new]: [DiffSide<'a>; 2],
        surroundings: &'a Surroundings,
        on: Option<&str>,
    ) -> Self {
        let lookup = |side: DiffSide| {
            CompiledRules::new(&side.rules.firewall, &side.rules.index, surroundings)
        };
        Self {
            sides: [old, new],
            lookups: [lookup(old), lookup(new)],
            surroundings,
            on: on.map(Arc::from),
            asked: AskedFields::of(&[old, new]),
            places: HashMap::new(),
            judged: Vec::new(),
            age: 1,
            met_host: false,
        }
    }

    /// The kind of a captured packet.
    pub(super) fn kind_of(&self, captured: &CapturedPacket, state: u128) -> PacketKind {
        let mut kind = PacketKind {
            headers: captured.headers,
            link: captured.link,
            incoming: captured.incoming,
            interface: captured.interface.clone().or_else(|| self.on.clone()),
            state,
        };
        self.asked.forget_the_rest(&mut kind);
        kind
    }

    /// The ends of a kind; `known` may hold the one of an earlier packet.
    pub(super) fn fates_of_kind(&mut self, kind: PacketKind, known: &mut KnownFates) -> Fates {
        if known.age == self.age
            && let Some((same, fates)) = self.judged.get(known.at as usize)
            && *same == kind
        {
            return *fates;
        }
        if let Some(at) = self.places.get(&kind) {
            *known = KnownFates {
                age: self.age,
                at: *at,
            };
            return self.judged[*at as usize].1;
        }
        let packet = self.packet_of_kind(&kind);
        let fates = self.judge_packet(&packet);
        if self.judged.len() == MOST_KINDS {
            self.places.clear();
            self.judged.clear();
            self.age += 1;
        }
        let at = u32::try_from(self.judged.len()).unwrap_or(u32::MAX);
        *known = KnownFates { age: self.age, at };
        self.places.insert(kind.clone(), at);
        self.judged.push((kind, fates));
        fates
    }

    /// The ends of a packet.
    pub(super) fn judge_packet(&mut self, packet: &Packet) -> Fates {
        self.met_host |= packet.path != PacketPath::Forward;
        [0, 1].map(|at| {
            let LoadedRules {
                firewall, index, ..
            } = self.sides[at].rules;
            let lookup = &self.lookups[at];
            if let Some((end, by)) = lookup.key(packet).and_then(|key| lookup.judge(&key)) {
                return PacketFate { end: Some(end), by };
            }
            let answer = evaluate(
                firewall,
                index,
                self.surroundings,
                packet,
                RecordLevel::Nothing,
            );
            let end = answer.certain();
            // Of an open answer, what may refuse the packet says most.
            let refuses = |one: &&surefoot_netfilter::semantics::Outcome| one.end != End::Accepted;
            let outcome = answer.outcomes.iter().find(refuses);
            let by = outcome.or(answer.outcomes.first());
            PacketFate {
                end,
                by: by.map_or(Decider::Kernel, |outcome| outcome.by),
            }
        })
    }

    /// The packet of a kind.
    fn packet_of_kind(&self, kind: &PacketKind) -> Packet {
        let mut packet = Packet::new(PacketPath::Input);
        packet.path_assumed = true;
        kind.headers.put(&mut packet);
        kind.link.put(&mut packet);
        packet.put(Field::CtState, FieldValue::Known(kind.state));
        let outgoing = kind.link.outgoing || kind.incoming == Some(false);
        if outgoing && !self.is_forwarded(&packet) {
            let Packet { input, output, .. } = Packet::new(PacketPath::Output);
            packet.path = PacketPath::Output;
            packet.path_assumed = false;
            packet.input = input;
            packet.output = output;
        }
        if let Some(name) = &kind.interface
            && kind.incoming == Some(true)
        {
            packet.input = PacketInterface::named(name);
        }
        let mut packet = packet.settle(self.surroundings);
        if let Some(name) = &kind.interface {
            let (input, output) = (&mut packet.input, &mut packet.output);
            match (packet.path, kind.incoming) {
                (PacketPath::Input, None | Some(true)) => *input = PacketInterface::named(name),
                (PacketPath::Output, None | Some(false)) | (PacketPath::Forward, Some(false)) => {
                    *output = PacketInterface::named(name);
                }
                _ => {}
            }
        }
        packet
    }

    /// Whether an outgoing packet came from elsewhere.
    fn is_forwarded(&self, packet: &Packet) -> bool {
        let kind = packet
            .source()
            .and_then(|source| surefoot_netfilter::packet::address_type(source, self.surroundings));
        !matches!(kind, Some(2) | None)
    }
}

/// What of a packet some rule asks for.
struct AskedFields {
    class: bool,
    id: bool,
    fragment: bool,
    next: bool,
    length: bool,
    hops: bool,
    source_port: bool,
    flags: bool,
    options: bool,
    macs: bool,
}

impl AskedFields {
    fn of(sides: &[DiffSide]) -> Self {
        let fields: BTreeSet<Field> = sides
            .iter()
            .flat_map(|side| asked_fields(&side.rules.firewall))
            .collect();
        let any = |wanted: &[Field]| wanted.iter().any(|field| fields.contains(field));
        Self {
            class: any(&[
                Field::Tos,
                Field::Ip4Dscp,
                Field::TrafficClass,
                Field::Ip6Dscp,
            ]),
            id: any(&[Field::Ip4Id]),
            fragment: any(&[Field::Ip4FragmentOffset]),
            next: any(&[Field::Ip6NextHeader]),
            length: any(&[Field::Length]),
            hops: any(&[Field::Ttl, Field::HopLimit]),
            source_port: any(&[
                Field::SrcPort,
                Field::SetSrcPort,
                Field::CtOriginalSrcPort,
                Field::CtOriginalDstPort,
            ]),
            flags: any(&[Field::TcpFlags]),
            options: fields
                .iter()
                .any(|field| matches!(field, Field::TcpOption(_))),
            macs: any(&[Field::MacSrc, Field::MacDst]),
        }
    }

    /// Makes packets alike that no rule tells apart.
    fn forget_the_rest(&self, kind: &mut PacketKind) {
        let headers = &mut kind.headers;
        if !self.class {
            headers.class = 0;
        }
        if !self.id {
            headers.id = 0;
        }
        if !self.fragment {
            headers.fragment = 0;
        }
        if !self.next && headers.v6 {
            headers.next = 0;
        }
        if !self.length {
            headers.length = None;
        }
        if !self.hops {
            // Routing drops what has no hop left.
            headers.hops = headers.hops.min(2);
        }
        if let Some(transport) = &mut headers.transport {
            transport.flow = None;
            transport.about = None;
            if !self.source_port && transport.source.is_some() {
                transport.source = Some(0);
            }
            if !self.flags {
                transport.flags = None;
            }
            if !self.options {
                transport.options = None;
            }
        }
        if !self.macs {
            kind.link.source = None;
            kind.link.destination = None;
        }
        kind.link.vlan = None;
    }
}

/// The state of a packet that belongs to no connection.
pub(super) fn state_alone(captured: &CapturedPacket) -> u128 {
    let Some(transport) = captured.headers.transport else {
        return ct_state::INVALID;
    };
    match (transport.protocol, transport.icmp[0]) {
        // Neighbours and groups are not tracked (`nf_conntrack_icmpv6`).
        (58, Some(130..=136 | 143)) => ct_state::UNTRACKED,
        _ => ct_state::INVALID,
    }
}
