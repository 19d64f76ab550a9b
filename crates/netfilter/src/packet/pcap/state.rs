//! What conntrack will have known of a packet, as far as the capture shows it.

use super::file::CapturedFrame;
use super::ip::{IpHeaders, TransportHeader};
use super::link;
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
        match earlier(flow.with_ends_swapped()) {
            Some(at) => (
                ct_state::ESTABLISHED,
                format!("as established: packet {} went the other way", at + 1),
            ),
            None => (
                ct_state::NEW,
                "as new: no earlier packet of the capture went the other way".into(),
            ),
        }
    } else {
        return;
    };
    packet.put(Field::CtState, FieldValue::Known(state));
    packet.notes.push(format!("{STATE_NOTE} {why}"));
}
