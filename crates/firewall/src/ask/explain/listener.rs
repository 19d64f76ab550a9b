//! Who takes a packet that the rules let in: without a socket the firewall is not to blame.

use std::net::IpAddr;

use surefoot_netfilter::packet::{Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{End, Evaluation, EventKind, TraceEvent};
use surefoot_netfilter::{Connected, Listener, Surroundings};
use surefoot_ruleset::model::{Field, ct_state};

/// A socket at the packet's port, and whether it takes the packet; none where that is unknown.
struct SocketCandidate<'a> {
    socket: &'a Listener,
    peer: Option<(IpAddr, u16)>,
    takes: Option<bool>,
}

/// What a socket does with a packet that certainly passes.
pub(super) fn listener_note(
    evaluation: &Evaluation,
    surroundings: &Surroundings,
    packet: &Packet,
) -> Option<String> {
    let rewritten = |event: &TraceEvent| matches!(event.what, EventKind::Rewritten(_));
    if packet.path != PacketPath::Input
        || evaluation.certain() != Some(End::Accepted)
        || evaluation.events.iter().any(rewritten)
        || packet.known(Field::CtState) != Some(ct_state::NEW)
    {
        return None;
    }
    let protocol = packet
        .known(Field::L4Proto)
        .filter(|number| matches!(number, 6 | 17))?;
    let port = packet.known(Field::DstPort)?;
    let at_port = |socket: &Listener| {
        u128::from(socket.protocol) == protocol && u128::from(socket.port) == port
    };
    let waiting = surroundings.listeners.as_ref()?.iter().map(|socket| {
        let takes = all_hold([address_fits(socket, packet), device_fits(socket, packet)]);
        SocketCandidate {
            socket,
            peer: None,
            takes,
        }
    });
    let connected = surroundings.connected.iter().map(|it| SocketCandidate {
        socket: &it.socket,
        peer: Some(it.peer),
        takes: all_hold([
            address_fits(&it.socket, packet),
            device_fits(&it.socket, packet),
            peer_fits(it, packet),
        ]),
    });
    // A connected socket is asked first, as the kernel does.
    let candidates: Vec<SocketCandidate<'_>> = connected
        .chain(waiting)
        .filter(|it| at_port(it.socket))
        .collect();
    let place = format!("{} port {port}", if protocol == 6 { "TCP" } else { "UDP" });
    Some(candidate_words(&candidates, &place, packet))
}

fn candidate_words(candidates: &[SocketCandidate<'_>], place: &str, packet: &Packet) -> String {
    let with = |takes: Option<bool>| candidates.iter().find(move |it| it.takes == takes);
    if let Some(one) = with(Some(true)) {
        let program = program_name(one.socket);
        return match one.peer {
            Some((peer, port)) => format!(
                "{program} has {place} open to {} alone, and takes what comes from there",
                endpoint_of(peer, port)
            ),
            None => format!("{program} waits on {place}"),
        };
    }
    if let Some(one) = with(None) {
        return format!(
            "it is unknown whether a program takes it: {} has {place} open, {}",
            program_name(one.socket),
            bound_words(one)
        );
    }
    let to_many = packet.destination().is_some_and(|to| match to {
        IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_multicast(),
    });
    let end = if to_many {
        "no program receives it"
    } else {
        "the kernel refuses it"
    };
    match candidates.first() {
        None => format!("the rules let it pass, but no program waits on {place}: {end}"),
        Some(one) => format!(
            "the rules let it pass, but no program waits for it on {place} ({} has the port, {}): {end}",
            program_name(one.socket),
            bound_words(one)
        ),
    }
}

fn program_name(socket: &Listener) -> String {
    socket.program.as_ref().map_or_else(
        || "an unknown program".to_owned(),
        |name| format!("`{name}`"),
    )
}

/// What a socket is bound to.
fn bound_words(one: &SocketCandidate<'_>) -> String {
    let mut bounds = Vec::new();
    let address = one.socket.address.to_canonical();
    if !address.is_unspecified() {
        bounds.push(format!("on {address}"));
    }
    match one.socket.device.as_deref() {
        None => {}
        Some("") => bounds.push("by an unknown device".to_owned()),
        Some(device) => bounds.push(format!("by {device}")),
    }
    if let Some((peer, port)) = one.peer {
        bounds.push(format!("for {}", endpoint_of(peer, port)));
    }
    if bounds.is_empty() {
        let family = match (
            one.socket.has_listeners(false),
            one.socket.has_listeners(true),
        ) {
            (true, true) => return "on every address".to_owned(),
            (true, false) => "IPv4",
            (false, _) => "IPv6",
        };
        bounds.push(format!("on {family}"));
    }
    format!("{} alone", bounds.join(" "))
}

fn endpoint_of(address: IpAddr, port: u16) -> std::net::SocketAddr {
    std::net::SocketAddr::new(address.to_canonical(), port)
}

/// Whether all are so: one that is not decides, one that is unknown leaves it open.
fn all_hold<const N: usize>(parts: [Option<bool>; N]) -> Option<bool> {
    if parts.contains(&Some(false)) {
        return Some(false);
    }
    parts.iter().all(Option::is_some).then_some(true)
}

fn address_fits(socket: &Listener, packet: &Packet) -> Option<bool> {
    let address = socket.address.to_canonical();
    if packet.known(Field::NfProto).is_none() {
        let any =
            socket.has_listeners(false) && socket.has_listeners(true) && address.is_unspecified();
        return any.then_some(true);
    }
    if !socket.has_listeners(packet.is_v6()) {
        return Some(false);
    }
    if address.is_unspecified() {
        return Some(true);
    }
    packet.destination().map(|to| to == address)
}

fn device_fits(socket: &Listener, packet: &Packet) -> Option<bool> {
    match (socket.device.as_deref(), &packet.input) {
        (None, _) => Some(true),
        (Some(""), _) | (_, PacketInterface::None | PacketInterface::Unknown) => None,
        (Some(device), PacketInterface::Named(name)) => Some(device == name),
    }
}

fn peer_fits(connected: &Connected, packet: &Packet) -> Option<bool> {
    let (address, port) = connected.peer;
    let from = packet.source().map(|it| it == address.to_canonical());
    let at = packet
        .known(Field::SrcPort)
        .map(|it| it == u128::from(port));
    all_hold([from, at])
}
