//! What conntrack says of ICMP messages that open no connection.

use crate::packet::Packet;
use surefoot_ruleset::model::{Field, ct_state};

/// What conntrack says of a type that opens no connection, where it is not said.
pub(super) fn usual_state(packet: &Packet, v6: bool) -> Option<(u128, &'static str)> {
    let kind = packet.known(if v6 {
        Field::Icmp6Type
    } else {
        Field::IcmpType
    })?;
    match (v6, kind) {
        // `valid_new`: echo, timestamp, information and address requests; node information.
        (false, 8 | 13 | 15 | 17) | (true, 128 | 139) => None,
        // Errors quote the packet that they are about.
        (false, 3 | 4 | 5 | 11 | 12) | (true, 0..=127) => Some((
            ct_state::RELATED,
            "taken as an error about a known connection (`related`); else it is `invalid`",
        )),
        (false, 0 | 14 | 16 | 18) | (true, 129 | 140) => Some((
            ct_state::ESTABLISHED,
            "taken as an answer that was asked for (`established`); else it is `invalid`",
        )),
        // `noct_valid_new`.
        (true, 130..=136 | 143) => Some((
            ct_state::UNTRACKED,
            "conntrack does not follow packets of this type (`untracked`)",
        )),
        // `invmap` has no answer to it.
        _ => Some((
            ct_state::INVALID,
            "conntrack knows no connection of this type (`invalid`)",
        )),
    }
}
