//! What conntrack will have known of a packet, as far as the capture shows it.

use super::file::CapturedFrame;
use super::ip::{IpHeaders, TransportHeader};
use super::link;
use crate::packet::beginning::FirstPacket;
use crate::packet::{FieldValue, Packet};
use surefoot_ruleset::model::{Field, ct_state};

/// How a note about a guessed state begins; words that say the state take it away.
pub(crate) const STATE_NOTE: &str = "its state is taken";

/// Guesses the state from the packets before.
pub(super) fn guess_state(
    before: &[CapturedFrame<'_>],
    transport: &TransportHeader,
    packet: &mut Packet,
) {
    let earlier = |wanted| {
        before.iter().position(|frame| {
            let seen = link::payload_of(frame)
                .and_then(|payload| IpHeaders::read(payload.ip, frame.about.length))
                .ok()
                .and_then(|headers| headers.transport?.flow);
            seen == Some(wanted)
        })
    };
    let alone = transport.alone();
    let (state, why) = if let Some(about) = transport.about {
        match earlier(about).or_else(|| earlier(about.with_ends_swapped())) {
            Some(at) => (
                ct_state::RELATED,
                format!(
                    "as related: it speaks of the connection of packet {}",
                    at + 1
                ),
            ),
            None => (
                ct_state::RELATED,
                "as related, though the capture does not hold the connection that it speaks of"
                    .into(),
            ),
        }
    } else if let Some(flow) = transport.flow {
        match (
            earlier(flow.with_ends_swapped()),
            earlier(flow),
            alone.state(),
        ) {
            _ if alone.is_never_valid() => (
                ct_state::INVALID,
                "as invalid: no connection has such flags".into(),
            ),
            (Some(at), ..) => (
                ct_state::ESTABLISHED,
                format!("as established: packet {} went the other way", at + 1),
            ),
            (.., ct_state::NEW) => (
                ct_state::NEW,
                "as new: no earlier packet of the capture went the other way".into(),
            ),
            (None, Some(at), ct_state::INVALID) if transport.protocol == 6 => (
                ct_state::ESTABLISHED,
                format!(
                    "as established: packet {} is of its connection, and such a packet begins none",
                    at + 1
                ),
            ),
            (.., state) => (state, without_connection(state)),
        }
    } else if matches!(transport.protocol, 1 | 58) && transport.icmp[0].is_some() {
        let state = alone.state();
        (state, without_connection(state))
    } else {
        return;
    };
    packet.put(Field::CtState, FieldValue::Known(state));
    packet.notes.push(format!("{STATE_NOTE} {why}"));
}

impl TransportHeader {
    fn alone(&self) -> FirstPacket {
        let known = |number: Option<u8>| number.map(u128::from);
        FirstPacket {
            protocol: Some(self.protocol.into()),
            tcp_flags: known(self.flags),
            icmp_type: known(self.icmp[0]),
        }
    }

    /// Its state if conntrack knows no connection of its ends.
    pub fn state_without_connection(&self) -> u128 {
        self.alone().state()
    }

    /// Whether no connection has such packets.
    pub fn is_never_valid(&self) -> bool {
        self.alone().is_never_valid()
    }
}

fn without_connection(state: u128) -> String {
    match state {
        ct_state::UNTRACKED => "as untracked: messages of its type are not tracked",
        ct_state::NEW => "as new: the capture holds no packet of its connection",
        _ => {
            "as invalid: such a packet begins no connection, and the capture holds none of its own"
        }
    }
    .to_owned()
}
