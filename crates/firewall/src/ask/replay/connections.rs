//! The connections of a capture, as conntrack would have kept them.

use std::collections::HashMap;

use super::judge::{Fates, KnownFates};
use super::{FateGroup, Totals};
use surefoot_netfilter::packet::pcap::{FlowTuple, TransportHeader};
use surefoot_ruleset::model::ct_state;

/// Connections that are kept apart; the packets of more are counted only.
const MOST: usize = 2_000_000;
const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// A connection.
#[derive(Clone, Debug)]
pub(super) struct ReplayedConnection {
    /// As its first packet has them.
    pub(super) ends: FlowTuple,
    /// Whether it began before the capture.
    pub(super) earlier: bool,
    replied: bool,
    closing: bool,
    /// Whether it was forgotten and begun again by the other end.
    turned: bool,
    /// When it began, and when its last packet came.
    times: Option<(u64, u64)>,
    pub(super) all: Totals,
    /// The packets whose verdict changes most.
    pub(super) changed: Totals,
    pub(super) group: FateGroup,
    pub(super) fates: Option<Fates>,
    /// Whether first packets are among those that change, and whether later ones are.
    pub(super) first: bool,
    pub(super) later: bool,
    /// What was judged last, for each direction.
    pub(super) known: [KnownFates; 2],
}

/// A packet's place in its connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectionPlace {
    pub(super) connection: usize,
    pub(super) reply: bool,
    pub(super) state: u128,
}

/// All connections so far.
#[derive(Default)]
pub(super) struct Connections {
    places: HashMap<FlowTuple, u32>,
    pub(super) list: Vec<ReplayedConnection>,
}

impl Connections {
    /// The connection of a packet, and the state that conntrack would give it; none if there is no
    /// room for more connections.
    pub(super) fn place_packet(
        &mut self,
        ends: FlowTuple,
        transport: &TransportHeader,
        time: Option<u64>,
    ) -> Option<ConnectionPlace> {
        let turned = ends.with_ends_swapped();
        let key = ends.min(turned);
        let at = if let Some(at) = self.places.get(&key) {
            *at as usize
        } else if self.list.len() >= MOST {
            return None;
        } else {
            let at = self.list.len();
            self.places.insert(key, u32::try_from(at).ok()?);
            self.list.push(ReplayedConnection::new(ends, transport));
            at
        };
        let connection = &mut self.list[at];
        let reply = connection.ends != ends;
        let state = connection.next_state(reply, transport, time);
        Some(ConnectionPlace {
            connection: at,
            reply,
            state,
        })
    }

    /// Whether one of these ends is known.
    pub(super) fn find_connection(&self, ends: FlowTuple) -> Option<usize> {
        let key = ends.min(ends.with_ends_swapped());
        self.places.get(&key).map(|at| *at as usize)
    }
}

impl ReplayedConnection {
    pub(super) fn new(ends: FlowTuple, transport: &TransportHeader) -> Self {
        let flags = transport.flags.filter(|_| transport.protocol == 6);
        Self {
            ends,
            earlier: flags.is_some_and(|flags| flags & (SYN | ACK) != SYN),
            replied: false,
            closing: false,
            turned: false,
            times: None,
            all: Totals::default(),
            changed: Totals::default(),
            group: FateGroup::StillAccepted,
            fates: None,
            first: false,
            later: false,
            known: [KnownFates::default(); 2],
        }
    }

    /// Takes a packet in and says its state.
    fn next_state(&mut self, reply: bool, transport: &TransportHeader, time: Option<u64>) -> u128 {
        self.forget_if_idle(reply, time);
        let reply = reply != self.turned;
        if transport.is_never_valid() {
            self.replied |= reply;
            return ct_state::INVALID;
        }
        let flags = transport.flags.filter(|_| transport.protocol == 6);
        let flags = flags.unwrap_or_default();
        if self.closing && !reply && flags & (SYN | ACK) == SYN {
            // The same ports again.
            (self.replied, self.closing, self.earlier) = (false, false, false);
        }
        self.closing |= flags & (FIN | RST) != 0;
        self.replied |= reply;
        if self.replied || self.earlier {
            ct_state::ESTABLISHED
        } else if transport.protocol == 6 {
            ct_state::NEW
        } else {
            transport.state_without_connection()
        }
    }

    /// Conntrack forgets a connection that was idle for long; the next sender begins it anew. For
    /// TCP this takes days (`nf_conntrack_proto_tcp.c`).
    fn forget_if_idle(&mut self, reply: bool, time: Option<u64>) {
        let Some(now) = time else { return };
        let (began, last) = self.times.unwrap_or((now, now));
        let patience = match self.ends.protocol {
            6 => u64::MAX,
            // Two seconds make a stream (`nf_conntrack_udp_packet`).
            17 | 136 if self.replied && last > began + 2 => 120,
            1 | 17 | 58 | 136 => 30,
            132 => 210,
            _ => 600,
        };
        if now.saturating_sub(last) > patience {
            (self.replied, self.turned) = (false, reply);
            self.times = Some((now, now));
        } else {
            self.times = Some((began, now.max(last)));
        }
    }

    /// Counts a packet with its two verdicts.
    pub(super) fn count_packet(&mut self, group: FateGroup, fates: Fates, state: u128, bytes: u64) {
        self.all.add(bytes);
        if group > self.group || self.fates.is_none() {
            self.changed = Totals::default();
            self.fates = Some(fates);
            (self.first, self.later) = (false, false);
        }
        if group >= self.group {
            self.group = group;
            self.changed.add(bytes);
            if state == ct_state::NEW {
                self.first = true;
            } else {
                self.later = true;
            }
        }
    }
}
