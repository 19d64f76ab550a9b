//! What conntrack makes of a packet that belongs to no connection that it knows.

use surefoot_ruleset::model::ct_state;

const FIN: u128 = 1;
const SYN: u128 = 2;
const RST: u128 = 4;
const ACK: u128 = 16;
const URG: u128 = 32;

/// What is known of a packet's transport header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct FirstPacket {
    pub(super) protocol: Option<u128>,
    pub(super) tcp_flags: Option<u128>,
    pub(super) icmp_type: Option<u128>,
}

impl FirstPacket {
    /// Its state: new if such a packet can begin a connection.
    pub(super) fn state(self) -> u128 {
        match self {
            Self {
                protocol: Some(6),
                tcp_flags: Some(flags),
                ..
            } => tcp_state(flags),
            // `icmp_new`; the others are answers and errors.
            Self {
                protocol: Some(1),
                icmp_type: Some(kind),
                ..
            } if !matches!(kind, 8 | 13 | 15 | 17) => ct_state::INVALID,
            // Neighbours and groups are not tracked (`nf_conntrack_icmpv6`).
            Self {
                protocol: Some(58),
                icmp_type: Some(130..=136 | 143),
                ..
            } => ct_state::UNTRACKED,
            Self {
                protocol: Some(58),
                icmp_type: Some(kind),
                ..
            } if !matches!(kind, 128 | 139) => ct_state::INVALID,
            _ => ct_state::NEW,
        }
    }

    /// Whether no connection has such packets (`tcp_valid_flags`).
    pub(super) fn is_never_valid(self) -> bool {
        matches!(self, Self { protocol: Some(6), tcp_flags: Some(flags), .. } if !is_valid(flags))
    }
}

fn is_valid(flags: u128) -> bool {
    // PSH, ECE and CWR do not count.
    let flags = flags & (FIN | SYN | RST | ACK | URG);
    [
        SYN,
        SYN | URG,
        SYN | ACK,
        RST,
        RST | ACK,
        FIN | ACK,
        FIN | ACK | URG,
        ACK,
        ACK | URG,
    ]
    .contains(&flags)
}

/// A SYN begins a connection, and so does an ACK in the middle of one that was not seen to begin
/// (`nf_conntrack_tcp_loose`).
fn tcp_state(flags: u128) -> u128 {
    let begins = match flags & (FIN | SYN | RST | ACK) {
        SYN | ACK => is_valid(flags),
        _ => false,
    };
    if begins {
        ct_state::NEW
    } else {
        ct_state::INVALID
    }
}
