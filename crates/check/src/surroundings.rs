//! From the facts of a host to what a firewall's answers depend on.

use surefoot_firewall::{Interface, Listener, Route, SavedRules, Session, Surroundings};
use surefoot_host::{Host, Socket, SocketKind};

/// What the firewall needs to know of a host.
pub(crate) fn of_host(host: &Host) -> Surroundings {
    let network = host.network.as_ref();
    Surroundings {
        interfaces: network.map(|network| network.interfaces.iter().map(interface).collect()),
        routes: network.map(|network| network.routes.iter().map(|it| route(host, it)).collect()),
        sysctls: host.sysctls.clone(),
        listeners: host.sockets.as_ref().map(|sockets| {
            sockets
                .iter()
                .filter(|it| it.waits())
                .filter_map(|it| listener(host, it))
                .collect()
        }),
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

fn listener(host: &Host, socket: &Socket) -> Option<Listener> {
    let owner = socket.owners.first().and_then(|pid| host.process(*pid));
    let device = socket.device.and_then(|index| host.interface(index));
    Some(Listener {
        protocol: match socket.kind {
            SocketKind::Tcp => 6,
            SocketKind::Udp => 17,
            SocketKind::Udplite => 136,
            SocketKind::Raw | SocketKind::Packet => return None,
        },
        address: socket.local?,
        port: socket.port,
        // Where the kernel did not say, the socket is taken to answer IPv4 as well.
        v6only: socket.v6only.unwrap_or(false),
        device: device.map(|interface| interface.name.clone()),
        program: owner.map(|process| process.name.clone()),
    })
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
