//! What new rules would have done to traffic that was seen under the old ones.
//!
//! Each packet of a capture is followed through both rule sets, in the state that conntrack would
//! have given it: new until something came back, established from then on. Connections that are
//! only listed are judged by their first packet and by later ones, both ways.

mod connections;
mod judge;
mod text;

use std::collections::BTreeMap;
use std::io::Read;

use serde::Serialize;

use super::diff::{DecidedEnd, DiffSide};
use super::name::NamedDecider;
use connections::{Connections, ReplayedConnection};
use judge::{FateJudge, Fates, KnownFates, PacketFate, state_alone};
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::packet::conntrack::ListedConnection;
use surefoot_netfilter::packet::pcap::{
    CaptureError, CapturedPacket, FlowTuple, FrameStream, TransportHeader,
};
use surefoot_netfilter::packet::{FieldValue, Packet, PacketPath, to_address};
use surefoot_netfilter::semantics::{End, sees};
use surefoot_ruleset::model::{Field, ct_state, ct_status};

/// A replay under way.
pub struct Replay<'a> {
    sides: [DiffSide<'a>; 2],
    surroundings: &'a Surroundings,
    judge: FateJudge<'a>,
    connections: Connections,
    /// What of packets that belong to no connection was judged last.
    alone: KnownFates,
    all: Totals,
    groups: BTreeMap<FateGroup, Totals>,
    not_judged: BTreeMap<(String, bool), u64>,
    deciders: BTreeMap<(FateGroup, Fates), Totals>,
    families: [Option<String>; 2],
    to_itself: bool,
    whole: bool,
    notes: Vec<String>,
}

/// How many packets, and bytes as they were on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Totals {
    fn add(&mut self, bytes: u64) {
        self.packets += 1;
        self.bytes += bytes;
    }
}

/// What the new rules change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FateGroup {
    /// Accepted by both.
    StillAccepted,
    /// Dropped, rejected or queued by both.
    StillBlocked,
    /// At least one of the ends depends on what is unknown.
    Perhaps,
    /// Only the new rules accept it.
    NewlyAccepted,
    /// Only the old rules accept it.
    NewlyBlocked,
}

impl FateGroup {
    /// All, what matters most first.
    pub const ALL: [Self; 5] = [
        Self::NewlyBlocked,
        Self::NewlyAccepted,
        Self::Perhaps,
        Self::StillAccepted,
        Self::StillBlocked,
    ];

    fn of([old, new]: &Fates) -> Self {
        match (old.end, new.end) {
            (Some(End::Accepted), Some(End::Accepted)) => Self::StillAccepted,
            (Some(End::Accepted), Some(_)) => Self::NewlyBlocked,
            (Some(_), Some(End::Accepted)) => Self::NewlyAccepted,
            (Some(_), Some(_)) => Self::StillBlocked,
            _ => Self::Perhaps,
        }
    }

    /// Whether it is a change, or perhaps one.
    pub fn is_change(self) -> bool {
        !matches!(self, Self::StillAccepted | Self::StillBlocked)
    }
}

/// What new rules would have done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// Everything that was read.
    pub all: Totals,
    /// How many connections there are.
    pub connections: u64,
    /// Packets and connections by what changes; a connection counts where most of it changes.
    pub groups: Vec<InGroup>,
    /// The rules and policies that decide about packets whose verdict changes, most packets first.
    pub deciders: Vec<DecidingRule>,
    /// The connections whose verdict changes; of each group, those with most packets.
    pub changes: Vec<ChangedConnection>,
    /// Whether the capture could be read to its end.
    pub whole: bool,
    /// Whether no packet was to this host or from it: it may have been seen on another one.
    pub elsewhere: bool,
    /// Packets that were not judged, and why.
    pub not_judged: Vec<NotJudged>,
    /// What was taken for granted.
    pub notes: Vec<String>,
}

/// What there is of one group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InGroup {
    /// The group.
    pub group: FateGroup,
    /// Connections.
    pub connections: u64,
    /// Packets.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Two rules that decide differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecidingRule {
    /// What changes.
    pub group: FateGroup,
    /// What the old rules do.
    pub before: DecidedEnd,
    /// What the new rules do.
    pub after: DecidedEnd,
    /// The packets.
    #[serde(flatten)]
    pub totals: Totals,
}

/// A connection whose verdict changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChangedConnection {
    /// What changes.
    pub group: FateGroup,
    /// The protocol's name or number.
    pub protocol: String,
    /// Where its first packet came from.
    pub from: String,
    /// Where it went.
    pub to: String,
    /// Whether first packets are among those that change.
    pub first_packets: bool,
    /// Whether later packets are.
    pub later_packets: bool,
    /// Whether the connection began before the capture.
    pub began_earlier: bool,
    /// All its packets.
    pub all: Totals,
    /// Those whose verdict changes.
    pub changed: Totals,
    /// What the old rules do with those that change.
    pub before: Option<DecidedEnd>,
    /// What the new rules do.
    pub after: Option<DecidedEnd>,
}

/// Packets that were not judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotJudged {
    /// Why.
    pub why: String,
    /// How many.
    pub packets: u64,
    /// Whether the new rules may change something for them.
    pub open: bool,
}

impl<'a> Replay<'a> {
    /// Makes both rule sets ready. `on` is the interface that a capture was made on, where the file
    /// does not name it.
    pub fn new(
        old: DiffSide<'a>,
        new: DiffSide<'a>,
        surroundings: &'a Surroundings,
        on: Option<&str>,
    ) -> Self {
        let sides = [old, new];
        let mut replay = Self {
            sides,
            surroundings,
            judge: FateJudge::new(sides, surroundings, on),
            connections: Connections::default(),
            alone: KnownFates::default(),
            all: Totals::default(),
            groups: BTreeMap::new(),
            not_judged: BTreeMap::new(),
            deciders: BTreeMap::new(),
            families: [false, true].map(|v6| unruled_note(&sides, v6)),
            to_itself: false,
            whole: true,
            notes: Vec::new(),
        };
        let nat = |side: &DiffSide| {
            let tables = side.rules.firewall.tables.iter().enumerate();
            tables
                .into_iter()
                .any(|(at, _)| side.rules.index.has_nat(at))
        };
        if sides.iter().any(nat) {
            replay.note(
                "rules rewrite addresses, and a capture shows packets as they were on its side of that: replay captures of both sides",
            );
        }
        replay
    }

    /// Takes in all packets of a capture. A capture that ends too early counts as far as it goes.
    /// `tell` hears now and then how many packets there were.
    pub fn replay_capture(
        &mut self,
        from: impl Read,
        mut tell: impl FnMut(u64),
    ) -> Result<(), CaptureError> {
        let mut stream = FrameStream::new(from);
        loop {
            match stream.packet() {
                Ok(Some(Ok(captured))) => self.replay_packet(&captured),
                Ok(Some(Err(error))) => {
                    self.all.packets += 1;
                    let open = !error.beside_ip();
                    self.not_judged(error.what, open);
                }
                Ok(None) => return Ok(()),
                Err(error) if !stream.begun() => return Err(error),
                Err(error) => {
                    self.whole = false;
                    self.note(&format!(
                        "the capture could not be read to its end: {error}"
                    ));
                    return Ok(());
                }
            }
            if self.all.packets.is_multiple_of(1 << 16) {
                tell(self.all.packets);
            }
        }
    }

    fn replay_packet(&mut self, captured: &CapturedPacket) {
        let bytes = u64::try_from(captured.length).unwrap_or_default();
        self.all.add(bytes);
        let headers = &captured.headers;
        if let Some(why) = &self.families[usize::from(headers.v6)] {
            let why = why.clone();
            return self.not_judged(why, true);
        }
        let Some(transport) = &headers.transport else {
            return self.not_judged("too little of the packet was captured".into(), true);
        };
        if transport.later_fragment {
            return self.not_judged(
                "a later fragment: it goes the way of the first one".into(),
                false,
            );
        }
        if !self.to_itself && headers.from == headers.to {
            self.to_itself = true;
        }
        let Some(ends) = transport.flow else {
            let about = transport
                .about
                .and_then(|ends| self.connections.find_connection(ends));
            let state = if transport.about.is_some() {
                ct_state::RELATED
            } else {
                state_alone(captured)
            };
            let kind = self.judge.kind_of(captured, state);
            let fates = self.judge.fates_of_kind(kind, &mut self.alone);
            self.count_fates(fates, bytes);
            if let Some(at) = about {
                let group = FateGroup::of(&fates);
                self.connections.list[at].count_packet(group, fates, state, bytes);
            }
            return;
        };
        let Some(place) = self
            .connections
            .place_packet(ends, transport, captured.time)
        else {
            return self.not_judged("a connection beyond the first 2,000,000".into(), true);
        };
        let kind = self.judge.kind_of(captured, place.state);
        let connection = &mut self.connections.list[place.connection];
        let known = &mut connection.known[usize::from(place.reply)];
        let fates = self.judge.fates_of_kind(kind, known);
        connection.count_packet(FateGroup::of(&fates), fates, place.state, bytes);
        self.count_fates(fates, bytes);
    }

    fn count_fates(&mut self, fates: Fates, bytes: u64) {
        let group = FateGroup::of(&fates);
        self.groups.entry(group).or_default().add(bytes);
        if group.is_change() {
            self.deciders.entry((group, fates)).or_default().add(bytes);
        }
    }

    /// Takes in a connection that is only listed: its first packet, and later ones both ways.
    pub fn judge_connection(&mut self, listed: &ListedConnection) {
        if let Some(why) = &self.families[usize::from(listed.original.v6)] {
            let why = why.clone();
            self.all.packets += 1;
            return self.not_judged(why, true);
        }
        self.note("each listed connection was judged by three packets: its first one, and a later one each way");
        let ListedConnection { original, .. } = listed;
        let transport = TransportHeader {
            protocol: original.protocol,
            ..TransportHeader::default()
        };
        let mut connection = ReplayedConnection::new(*original, &transport);
        for (ends, state) in [
            (*original, ct_state::NEW),
            (*original, ct_state::ESTABLISHED),
            (listed.reply, ct_state::ESTABLISHED),
        ] {
            let packet = listed_packet(listed, ends, state).settle(self.surroundings);
            let fates = self.judge.judge_packet(&packet);
            connection.count_packet(FateGroup::of(&fates), fates, state, 0);
            self.all.add(0);
            self.count_fates(fates, 0);
        }
        connection.all = Totals {
            packets: listed.packets.unwrap_or_default(),
            bytes: listed.bytes.unwrap_or_default(),
        };
        self.connections.list.push(connection);
    }

    fn not_judged(&mut self, why: String, open: bool) {
        *self.not_judged.entry((why, open)).or_default() += 1;
    }

    fn note(&mut self, note: &str) {
        if !self.notes.iter().any(|one| one == note) {
            self.notes.push(note.to_owned());
        }
    }

    /// The answer, with so many connections of each group and so many deciders.
    pub fn finish(mut self, most: usize) -> Replayed {
        if self.to_itself {
            self.note("packets of this host to itself were followed at input only");
        }
        let list = &self.connections.list;
        let earlier = list.iter().filter(|one| one.earlier).count();
        if earlier > 0 {
            let words = match earlier {
                1 => "1 connection began before the capture: its first packet is".to_owned(),
                many => {
                    format!("{many} connections began before the capture: their first packets are")
                }
            };
            self.note(&format!(
                "{words} not in it, and whether the new rules would let it begin again was not tested"
            ));
        }
        let elsewhere = !self.groups.is_empty() && !self.judge.met_host;
        if elsewhere {
            self.note("no packet is to this host or from it: if they were seen on another one, its addresses have to be given");
        }
        let list = &self.connections.list;
        let mut changes = Vec::new();
        let mut groups = Vec::new();
        for group in FateGroup::ALL {
            let mut here: Vec<&ReplayedConnection> =
                list.iter().filter(|it| it.group == group).collect();
            groups.push(InGroup {
                group,
                connections: u64::try_from(here.len()).unwrap_or_default(),
                totals: self.groups.get(&group).copied().unwrap_or_default(),
            });
            if group.is_change() {
                here.sort_by_key(|one| (std::cmp::Reverse(one.all.packets), one.ends));
                changes.extend(
                    here.iter()
                        .take(most)
                        .map(|one| self.changed_connection(one)),
                );
            }
        }
        let mut deciders: Vec<(&(FateGroup, Fates), &Totals)> = self.deciders.iter().collect();
        deciders.sort_by_key(|((group, _), totals)| {
            (std::cmp::Reverse(*group), std::cmp::Reverse(totals.packets))
        });
        let deciders = deciders.into_iter().take(most);
        let deciders = deciders.map(|((group, fates), totals)| DecidingRule {
            group: *group,
            before: self.decided_by(fates, 0),
            after: self.decided_by(fates, 1),
            totals: *totals,
        });
        Replayed {
            all: self.all,
            connections: u64::try_from(list.len()).unwrap_or_default(),
            groups,
            deciders: deciders.collect(),
            changes,
            whole: self.whole,
            elsewhere,
            not_judged: self
                .not_judged
                .iter()
                .map(|((why, open), packets)| NotJudged {
                    why: why.clone(),
                    packets: *packets,
                    open: *open,
                })
                .collect(),
            notes: self.notes.clone(),
        }
    }

    fn changed_connection(&self, connection: &ReplayedConnection) -> ChangedConnection {
        let FlowTuple {
            v6,
            protocol,
            from,
            to,
        } = connection.ends;
        let ports = surefoot_netfilter::packet::has_ports(protocol.into());
        let end = |(address, port): (u128, u16)| {
            let address = to_address(address, v6);
            match (ports, v6) {
                (false, _) => address.to_string(),
                (true, false) => format!("{address}:{port}"),
                (true, true) => format!("[{address}]:{port}"),
            }
        };
        let fates = connection.fates.as_ref();
        ChangedConnection {
            group: connection.group,
            protocol: protocol_word(protocol),
            from: end(from),
            to: end(to),
            first_packets: connection.first,
            later_packets: connection.later,
            began_earlier: connection.earlier,
            all: connection.all,
            changed: connection.changed,
            before: fates.map(|fates| self.decided_by(fates, 0)),
            after: fates.map(|fates| self.decided_by(fates, 1)),
        }
    }

    fn decided_by(&self, fates: &Fates, side: usize) -> DecidedEnd {
        let PacketFate { end, by } = fates[side];
        DecidedEnd {
            end: end.unwrap_or(End::Unknown),
            by: NamedDecider::decider(&self.sides[side].rules.firewall, by),
        }
    }

    /// Whether it is known which addresses are this host's, without which no packet has a way.
    pub fn knows_this_host(surroundings: &Surroundings) -> bool {
        surroundings.interfaces.is_some()
    }
}

/// Why packets of a family are not judged, if they are not.
fn unruled_note(sides: &[DiffSide; 2], v6: bool) -> Option<String> {
    let family = if v6 { "IPv6" } else { "IPv4" };
    let ruled =
        |side: &DiffSide| side.whole || side.rules.firewall.tables.iter().any(|it| sees(it, v6));
    match sides.each_ref().map(ruled) {
        [true, true] => None,
        [false, false] => Some(format!("no rules for {family} were given")),
        [true, false] => Some(format!("the new rules given hold none for {family}")),
        [false, true] => Some(format!("the old rules given hold none for {family}")),
    }
}

/// A packet of a connection that is only listed.
fn listed_packet(listed: &ListedConnection, ends: FlowTuple, state: u128) -> Packet {
    let mut packet = Packet::new(PacketPath::Input)
        .from(to_address(ends.from.0, listed.original.v6))
        .to(to_address(ends.to.0, listed.original.v6))
        .with(Field::L4Proto, ends.protocol)
        .with(Field::CtState, state);
    packet.path_assumed = true;
    if surefoot_netfilter::packet::has_ports(ends.protocol.into()) {
        packet = packet
            .with(Field::SrcPort, ends.from.1)
            .with(Field::DstPort, ends.to.1);
    }
    if let Some((kind, code)) = listed.icmp {
        let reply = ends != listed.original;
        let [kind_field, code_field] = if listed.original.v6 {
            [Field::Icmp6Type, Field::Icmp6Code]
        } else {
            [Field::IcmpType, Field::IcmpCode]
        };
        let kind = match (kind, reply) {
            (8, true) if !listed.original.v6 => 0,
            (128, true) if listed.original.v6 => 129,
            (kind, _) => kind,
        };
        packet = packet.with(kind_field, kind).with(code_field, code);
    }
    if ends.protocol == 6 {
        let flags = if state == ct_state::NEW { 2_u8 } else { 16 };
        packet = packet.with(Field::TcpFlags, flags);
    }
    if state != ct_state::NEW {
        if let Some(mark) = listed.mark {
            packet = packet.with(Field::CtMark, mark);
        }
        packet.put(
            Field::CtDirection,
            FieldValue::Known(u128::from(ends != listed.original)),
        );
        if listed.reply == listed.original.with_ends_swapped() {
            packet.put(
                Field::CtStatus,
                FieldValue::Known(ct_status::SEEN_REPLY | ct_status::CONFIRMED),
            );
        }
    }
    packet
}

fn protocol_word(protocol: u8) -> String {
    match protocol {
        1 => "icmp".into(),
        6 => "tcp".into(),
        17 => "udp".into(),
        58 => "icmpv6".into(),
        33 => "dccp".into(),
        132 => "sctp".into(),
        136 => "udplite".into(),
        other => format!("protocol {other}"),
    }
}
