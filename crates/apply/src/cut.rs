//! Which connections that are open now new rules would cut. No I/O.

use std::net::SocketAddr;

use serde::Serialize;
use surefoot_firewall::LoadedRules;
use surefoot_host::{Host, Socket, SocketKind};
use surefoot_netfilter::packet::{Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{End, RecordLevel};
use surefoot_ruleset::model::{Field, ct_state};

/// An open connection that new rules would cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CutConnection {
    /// This host's end.
    pub local: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
    /// The program that has it, where that is known.
    pub program: Option<String>,
    /// Whether it is certain.
    pub certain: bool,
}

/// The established TCP connections of a host of which packets were accepted and would not be; of `most`
/// connections at most.
pub fn cut_connections(
    host: &Host,
    old: &LoadedRules,
    new: &LoadedRules,
    most: usize,
) -> Vec<CutConnection> {
    let open = host
        .sockets
        .iter()
        .flatten()
        .filter(|socket| socket.kind == SocketKind::Tcp && socket.state == 1);
    open.take(most)
        .filter_map(|socket| cut_connection(host, old, new, socket))
        .collect()
}

fn cut_connection(
    host: &Host,
    old: &LoadedRules,
    new: &LoadedRules,
    socket: &Socket,
) -> Option<CutConnection> {
    let (peer, port) = socket.peer?;
    let local = SocketAddr::new(socket.local?.to_canonical(), socket.port);
    let peer = SocketAddr::new(peer.to_canonical(), port);
    let ways = [
        segment(old, PacketPath::Input, peer, local),
        segment(old, PacketPath::Output, local, peer),
    ];
    let mut worst = None;
    for packet in ways {
        let end = |rules: &LoadedRules| rules.evaluate(&packet, RecordLevel::Nothing).certain();
        if end(old) != Some(End::Accepted) {
            continue;
        }
        match end(new) {
            Some(End::Accepted) => {}
            Some(_) => worst = Some(true),
            None => worst = worst.or(Some(false)),
        }
    }
    let owner = socket.owners.first().and_then(|pid| host.process(*pid));
    worst.map(|certain| CutConnection {
        local,
        peer,
        program: owner.map(|process| process.name.clone()),
        certain,
    })
}

/// A packet in the middle of a connection.
fn segment(rules: &LoadedRules, path: PacketPath, from: SocketAddr, to: SocketAddr) -> Packet {
    let mut packet = Packet::new(path)
        .from(from.ip())
        .to(to.ip())
        .with(Field::L4Proto, 6_u8)
        .with(Field::SrcPort, from.port())
        .with(Field::DstPort, to.port())
        .with(Field::TcpFlags, 0x10_u8)
        .with(Field::CtState, ct_state::ESTABLISHED);
    let own = if path == PacketPath::Input { to } else { from };
    let interfaces = rules.surroundings.interfaces.iter().flatten();
    let holder = interfaces
        .filter(|interface| {
            let mut addresses = interface.addresses.iter();
            addresses.any(|(address, _)| address.to_canonical() == own.ip())
        })
        .map(|interface| PacketInterface::named(&interface.name))
        .next();
    if let Some(holder) = holder {
        if path == PacketPath::Input {
            packet.input = holder;
        } else {
            packet.output = holder;
        }
    }
    packet.settle(&rules.surroundings)
}
