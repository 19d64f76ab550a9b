//! From the facts of a host to what a firewall's answers depend on.

use std::net::IpAddr;

use surefoot_host::{FactKind, Host, Network, Socket, SocketKind};
use surefoot_netfilter::{
    Connected, Interface, Listener, Route, SavedRules, Session, Surroundings,
};

use crate::sockets;

/// What the firewall needs to know of a host.
pub(crate) fn of_host(host: &Host) -> Surroundings {
    let network = host.network.as_ref();
    let all_sockets = host.sockets.iter().flatten();
    Surroundings {
        interfaces: network.map(|network| network.interfaces.iter().map(interface).collect()),
        routes: network.map(|network| network.routes.iter().map(|it| route(host, it)).collect()),
        groups: network.and_then(|network| groups(host, network)),
        refusing_rules: network.is_some_and(|network| {
            // `FR_ACT_BLACKHOLE`, `FR_ACT_UNREACHABLE`, `FR_ACT_PROHIBIT`.
            network.rules.iter().any(|rule| rule.action >= 6)
        }),
        sysctls: host.sysctls.clone(),
        listeners: host.sockets.as_ref().map(|sockets| {
            sockets
                .iter()
                .filter(|it| it.waits())
                .flat_map(|it| listeners(host, it))
                .collect()
        }),
        connected: all_sockets
            .clone()
            .flat_map(|it| connected(host, it))
            .collect(),
        maybe_clients: sockets::maybe_clients(host)
            .into_iter()
            .filter(|(kind, _)| *kind == SocketKind::Udp)
            .map(|(_, port)| (17, port))
            .collect(),
        saved: saved(host),
        session: host.session.map(|(client, server)| Session {
            client: client.ip(),
            client_port: client.port(),
            server: server.ip(),
            server_port: server.port(),
        }),
        live: host.running,
    }
}

fn interface(interface: &surefoot_host::Interface) -> Interface {
    Interface {
        name: interface.name.clone(),
        loopback: interface.is_loopback(),
        up: interface.is_up(),
        addresses: interface
            .addresses
            .iter()
            .map(|it| (it.address, it.prefix))
            .collect(),
    }
}

fn groups(host: &Host, network: &Network) -> Option<Vec<(String, IpAddr)>> {
    let groups = network.groups.as_ref()?.iter();
    let named = groups.filter_map(|one| {
        let interface = host.interface(one.interface)?;
        Some((interface.name.clone(), one.group))
    });
    Some(named.collect())
}

fn route(host: &Host, route: &surefoot_host::Route) -> Route {
    let interface = route.interface.and_then(|index| host.interface(index));
    Route {
        destination: (route.destination, route.prefix),
        interface: interface.map(|interface| interface.name.clone()),
        table: route.table,
        metric: route.metric,
        kind: route.kind,
    }
}

/// A socket as the firewall sees it, once for each device that it takes packets from.
fn listeners(host: &Host, socket: &Socket) -> Vec<Listener> {
    let Some(listener) = listener(host, socket) else {
        return Vec::new();
    };
    let Some(index) = socket.device else {
        // A list without devices leaves open whether there is one.
        let device = is_vague(host, socket.kind).then(String::new);
        return vec![Listener { device, ..listener }];
    };
    devices(host, index)
        .into_iter()
        .map(|device| Listener {
            device: Some(device),
            ..listener.clone()
        })
        .collect()
}

fn listener(host: &Host, socket: &Socket) -> Option<Listener> {
    let owner = socket.owners.first().and_then(|pid| host.process(*pid));
    let address = socket.local?.to_canonical();
    Some(Listener {
        protocol: match socket.kind {
            SocketKind::Tcp => 6,
            SocketKind::Udp => 17,
            SocketKind::Udplite => 136,
            SocketKind::Raw | SocketKind::Packet => return None,
        },
        address,
        port: socket.port,
        // Where the kernel did not say, the socket is taken to answer IPv4 as well.
        v6only: socket.v6only.unwrap_or(false),
        device: None,
        program: owner.map(|process| process.name.clone()),
    })
}

/// The names of the interfaces whose packets a socket takes that is bound to this one; a name is
/// empty where it is unknown. One that is bound to a VRF takes what its members receive.
pub(crate) fn devices(host: &Host, index: u32) -> Vec<String> {
    let Some(bound) = host.interface(index) else {
        return vec![String::new()];
    };
    let mut names = vec![bound.name.clone()];
    if bound.kind.as_deref() == Some("vrf") {
        let all = host.network.iter().flat_map(|network| &network.interfaces);
        let members = all.filter(|interface| interface.master == Some(index));
        names.extend(members.map(|interface| interface.name.clone()));
    }
    names
}

/// Whether the list of these sockets tells neither devices nor whether IPv4 is refused.
fn is_vague(host: &Host, kind: SocketKind) -> bool {
    let details = FactKind::SocketDetails(kind);
    host.missing.iter().any(|missing| missing.kind == details)
}

fn connected(host: &Host, socket: &Socket) -> Vec<Connected> {
    let is_datagram = matches!(socket.kind, SocketKind::Udp | SocketKind::Udplite);
    let Some((address, port)) = socket.peer.filter(|_| is_datagram) else {
        return Vec::new();
    };
    let peer = (address.to_canonical(), port);
    let sockets = listeners(host, socket).into_iter();
    sockets.map(|socket| Connected { socket, peer }).collect()
}

/// Rule files, unless a program makes the rules: then no file says what boots.
fn saved(host: &Host) -> Option<Vec<SavedRules>> {
    if !host.rule_makers.is_empty() {
        return None;
    }
    let saved = host.saved_rules.as_ref()?;
    let copy = |saved: &surefoot_host::SavedRules| SavedRules {
        path: saved.path.clone(),
        text: saved.text.clone(),
        loaders: saved.loaders.clone(),
        loaders_known: saved.loaders_known,
    };
    Some(saved.iter().map(copy).collect())
}
