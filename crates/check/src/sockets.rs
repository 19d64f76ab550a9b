//! What sockets are for, as far as the facts tell: servers, clients that wait for an answer.

use std::collections::{BTreeMap, BTreeSet};

use surefoot_host::{FactKind, Host, Missing, Socket, SocketKind};

/// The kernel's own choice where the setting is unknown.
const LOCAL_PORTS: (u16, u16) = (32_768, 60_999);

/// The word for a kind, as `ss` has it.
pub(crate) fn word(kind: SocketKind) -> &'static str {
    match kind {
        SocketKind::Tcp => "tcp",
        SocketKind::Udp => "udp",
        SocketKind::Udplite => "udplite",
        SocketKind::Raw => "raw",
        SocketKind::Packet => "packet",
    }
}

/// Returns the datagram sockets that take packets from any peer and may be clients all the same:
/// one process has a port that the kernel may have chosen, and nothing else indicates a service.
pub(crate) fn maybe_clients(host: &Host) -> BTreeSet<(SocketKind, u16)> {
    let waiting = host.sockets.iter().flatten().filter(|it| it.waits());
    let mut by_port: BTreeMap<(SocketKind, u16), Vec<&Socket>> = BTreeMap::new();
    for socket in waiting.filter(|socket| socket.kind != SocketKind::Tcp) {
        by_port
            .entry((socket.kind, socket.port))
            .or_default()
            .push(socket);
    }
    let (first, last) = local_ports(host);
    by_port
        .into_iter()
        // Two sockets on one port were bound to it by name; one of the kernel's own is a tunnel.
        .filter(|((_, port), sockets)| {
            (first..=last).contains(port)
                && matches!(sockets.as_slice(), [one] if !is_the_kernels(host, one))
        })
        .map(|(place, _)| place)
        .collect()
}

/// Whether no process has a socket although every process was looked at.
pub(crate) fn is_the_kernels(host: &Host, socket: &Socket) -> bool {
    let is_process = |missing: &Missing| missing.kind == FactKind::Processes;
    let hidden = host.missing.iter().any(is_process);
    socket.owners.is_empty() && host.processes.is_some() && !hidden
}

/// The ports from which the kernel chooses if a program names none.
fn local_ports(host: &Host) -> (u16, u16) {
    let setting = host.sysctls.get("net.ipv4.ip_local_port_range");
    let numbers: Vec<u16> = setting
        .iter()
        .flat_map(|text| text.split_whitespace())
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers.as_slice() {
        [first, last] => (*first, *last),
        _ => LOCAL_PORTS,
    }
}
