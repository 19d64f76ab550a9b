//! The connections that sockets of this machine have.

use std::collections::BTreeSet;

use surefoot_host::{Host, Socket, SocketKind};
use surefoot_netfilter::packet::conntrack::ListedConnection;

/// Returns TCP and UDP connections as the side that opened them sees them: where a socket listens
/// on the same port, that side is the peer. None if the sockets are unknown.
pub fn connections(host: &Host) -> Option<Vec<ListedConnection>> {
    let sockets = host.sockets.as_ref()?;
    let waiting: BTreeSet<(SocketKind, u16)> = sockets
        .iter()
        .filter(|one| one.waits())
        .map(|one| (one.kind, one.port))
        .collect();
    let waits = |one: &Socket| waiting.contains(&(one.kind, one.port));
    let listed = sockets.iter().filter_map(|one| {
        let protocol = match one.kind {
            // Past its handshake, and not yet only waiting for stragglers.
            SocketKind::Tcp if !matches!(one.state, 2 | 3 | 6 | 7 | 10 | 12) => 6,
            SocketKind::Udp => 17,
            SocketKind::Udplite => 136,
            SocketKind::Tcp | SocketKind::Raw | SocketKind::Packet => return None,
        };
        let (address, port) = one.peer?;
        let peer = (address.to_canonical(), port);
        let local = (one.local?.to_canonical(), one.port);
        let unset = peer.1 == 0 || peer.0.is_unspecified() || local.0.is_unspecified();
        if unset || peer.0.is_ipv6() != local.0.is_ipv6() {
            return None;
        }
        Some(if waits(one) {
            ListedConnection::new(protocol, peer, local)
        } else {
            ListedConnection::new(protocol, local, peer)
        })
    });
    Some(listed.collect())
}
