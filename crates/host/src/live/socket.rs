//! Sockets over `sock_diag` (`linux/inet_diag.h`), and packet sockets from `/proc/net/packet`.

use std::fs;
use std::io;
use std::net::IpAddr;

use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;

use super::netlink::dump;
use crate::{Socket, SocketKind};

/// What is asked for: the protocol's number, and whether every kernel can answer.
const KINDS: &[(SocketKind, u8, bool)] = &[
    (SocketKind::Tcp, 6, true),
    (SocketKind::Udp, 17, true),
    (SocketKind::Udplite, 136, false),
    (SocketKind::Raw, 255, false),
];

/// Sockets of this network namespace, and the kinds that the kernel could not list.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) all: Vec<Socket>,
    pub(super) unlisted: Vec<&'static str>,
}

/// All TCP, UDP, raw and packet sockets; owners are not filled in.
pub(super) fn read() -> io::Result<Sockets> {
    let mut sockets = Sockets::default();
    for (kind, protocol, common) in KINDS {
        for family in [AF_INET, AF_INET6] {
            match list(*kind, *protocol, family) {
                Ok(found) => sockets.all.extend(found),
                Err(error) if *common => return Err(error),
                // `raw_diag` is a module that may be absent; the protocol itself may be, too.
                Err(_) => match *kind {
                    SocketKind::Raw => sockets.all.extend(raw_from_proc(family)?),
                    _ => {
                        if fs::exists("/proc/net/udplite").unwrap_or(false) {
                            sockets.unlisted.push("UDP-Lite sockets");
                        }
                    }
                },
            }
        }
    }
    match fs::read_to_string("/proc/net/packet") {
        Ok(text) => sockets.all.extend(text.lines().skip(1).filter_map(packet)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(_) => sockets.unlisted.push("packet sockets"),
    }
    sockets.unlisted.dedup();
    Ok(sockets)
}

fn list(kind: SocketKind, protocol: u8, family: u8) -> io::Result<Vec<Socket>> {
    let request = InetRequest {
        family,
        protocol,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: if family == AF_INET {
            SocketId::new_v4()
        } else {
            SocketId::new_v6()
        },
    };
    let answer = dump(NETLINK_SOCK_DIAG, SockDiagMessage::InetRequest(request))?;
    let sockets = answer.into_iter().filter_map(|message| match message {
        SockDiagMessage::InetResponse(response) => Some(socket(kind, &response)),
        _ => None,
    });
    Ok(sockets.collect())
}

fn socket(kind: SocketKind, response: &InetResponse) -> Socket {
    let header = &response.header;
    let id = &header.socket_id;
    let v6only = response.nlas.iter().find_map(|attribute| match attribute {
        Nla::SkV6Only(only) => Some(*only),
        _ => None,
    });
    let peer = (id.destination_address, id.destination_port);
    let connected = !peer.0.is_unspecified() || peer.1 != 0;
    Socket {
        kind,
        local: Some(id.source_address),
        port: id.source_port,
        peer: connected.then_some(peer),
        state: header.state,
        v6only,
        device: (id.interface_id != 0).then_some(id.interface_id),
        receive_queue: header.recv_queue,
        send_queue: header.send_queue,
        uid: header.uid,
        inode: u64::from(header.inode),
        owners: Vec::new(),
    }
}

/// `/proc/net/raw` and `raw6`: addresses in the machine's byte order, the protocol as the port.
fn raw_from_proc(family: u8) -> io::Result<Vec<Socket>> {
    let path = if family == AF_INET {
        "/proc/net/raw"
    } else {
        "/proc/net/raw6"
    };
    let text = fs::read_to_string(path)?;
    Ok(text.lines().skip(1).filter_map(raw).collect())
}

fn raw(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, port) = endpoint(fields.get(1)?)?;
    let peer = endpoint(fields.get(2)?)?;
    let connected = !peer.0.is_unspecified();
    Some(Socket {
        kind: SocketKind::Raw,
        local: Some(local),
        port,
        peer: connected.then_some(peer),
        state: u8::from_str_radix(fields.get(3)?, 16).ok()?,
        v6only: None,
        device: None,
        receive_queue: 0,
        send_queue: 0,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
        owners: Vec::new(),
    })
}

/// `0100007F:0016`: 32-bit words in the machine's byte order, then the port.
fn endpoint(field: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = field.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let mut bytes = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        let word = u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
        _ => return None,
    };
    Some((address, port))
}

/// A line of `/proc/net/packet`: `sk RefCnt Type Proto Iface R Rmem User Inode`.
fn packet(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let device: u32 = fields.get(4)?.parse().ok()?;
    Some(Socket {
        kind: SocketKind::Packet,
        local: None,
        port: u16::from_str_radix(fields.get(3)?, 16).ok()?,
        peer: None,
        state: 7,
        v6only: None,
        device: (device != 0).then_some(device),
        receive_queue: fields.get(6)?.parse().ok()?,
        send_queue: 0,
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(8)?.parse().ok()?,
        owners: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_proc_are_read() {
        let line = "   1: 0100007F:0001 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000 0";
        let socket = raw(line).unwrap();
        assert_eq!((socket.port, socket.inode, socket.peer), (1, 4711, None));
        assert_eq!(socket.local, Some("127.0.0.1".parse().unwrap()));
        let line = "0000000000000000 3      3    0003   2     1 512    0      815";
        let socket = packet(line).unwrap();
        assert_eq!(
            (socket.port, socket.device, socket.inode),
            (3, Some(2), 815)
        );
        assert!(raw("nonsense").is_none() && packet("").is_none());
    }

    #[test]
    fn our_own_listener_is_among_the_sockets() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let found = read().unwrap().all.into_iter().find(|socket| {
            socket.kind == SocketKind::Tcp && socket.port == here.port() && socket.waits()
        });
        assert_eq!(found.unwrap().local, Some(here.ip()));
    }
}
