//! The way of a packet through the kernel, as data.
//!
//! Every engine (one packet, all packets at once, compiled) drives these tables, so that what the
//! kernel does besides the rules, and in which order, has one home. What each stage does to packets
//! is the engine's.

use surefoot_ruleset::model::Hook;

/// The name of the loopback interface.
pub(crate) const LOOPBACK: &str = "lo";

/// One stage of the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// The base chains of a hook.
    Hook(Hook),
    /// Conntrack finds the connection of a packet that came by this hook: one of an old connection
    /// is rewritten as that was.
    Connection(Hook),
    /// The kernel drops what it refuses here, whatever the rules say.
    Refusals(RefusalPoint),
    /// IPv4 puts fragments together for this host (`ip_local_deliver`).
    Reassembly,
    /// The outgoing interface is still unknown.
    Unrouted,
    /// Routing decides by the destination: [`TO_HERE`] or [`THROUGH`].
    Routing,
    /// Routing looks again at what a rule has rewritten (`nf_nat_ipv4_local_fn`).
    Rerouting,
    /// Routing takes one off the time to live (`ip_forward`, `ip6_forward`).
    Hop,
    /// Packets of a flowtable do not traverse the later hooks (`nf_flow_offload_ip_hook`).
    Flowtable,
    /// Packets that arrive or leave by a bridge have traversed the rules for frames at these hooks,
    /// too.
    Frames(&'static [Hook]),
    /// A packet that was sent by the loopback interface comes in again.
    Loopback,
}

/// Where the kernel refuses packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalPoint {
    /// As they are received, before the prerouting hook (`ip_rcv_core`, `ip6_rcv_core`).
    Received,
    /// As they are routed, behind the prerouting hook (`ip_route_input_slow`).
    Routed,
    /// As they are forwarded, before the forward hook (`ip_forward`, `ip6_forward`).
    Forwarded,
}

/// What comes in, until it is routed.
pub(crate) const ARRIVING: &[Stage] = &[
    Stage::Hook(Hook::Ingress),
    Stage::Refusals(RefusalPoint::Received),
    Stage::Connection(Hook::Prerouting),
    Stage::Unrouted,
    Stage::Hook(Hook::Prerouting),
    Stage::Routing,
];

/// What ends on this host, once it is routed.
pub(crate) const TO_HERE: &[Stage] = &[
    Stage::Refusals(RefusalPoint::Routed),
    Stage::Reassembly,
    Stage::Hook(Hook::Input),
    Stage::Frames(&[Hook::Prerouting, Hook::Input]),
];

/// What passes through this host, once it is routed.
pub(crate) const THROUGH: &[Stage] = &[
    Stage::Refusals(RefusalPoint::Routed),
    Stage::Refusals(RefusalPoint::Forwarded),
    Stage::Hop,
    Stage::Flowtable,
    Stage::Hook(Hook::Forward),
    Stage::Hook(Hook::Postrouting),
    Stage::Hook(Hook::Egress),
    Stage::Frames(&[
        Hook::Prerouting,
        Hook::Input,
        Hook::Output,
        Hook::Postrouting,
    ]),
];

/// What this host sends; what it sends to itself goes on with [`LOOPED`].
pub(crate) const SENT: &[Stage] = &[
    Stage::Connection(Hook::Output),
    Stage::Hook(Hook::Output),
    Stage::Rerouting,
    Stage::Hook(Hook::Postrouting),
    Stage::Hook(Hook::Egress),
    Stage::Frames(&[Hook::Output, Hook::Postrouting]),
    Stage::Loopback,
];

/// What comes in again by the loopback interface: it keeps its mark, its connection, what NAT has
/// decided, and its route (`loopback_xmit` drops none of them).
pub(crate) const LOOPED: &[Stage] = &[
    Stage::Hook(Hook::Ingress),
    Stage::Hook(Hook::Prerouting),
    Stage::Hook(Hook::Input),
];
