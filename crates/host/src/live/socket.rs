//! Sockets over `sock_diag` (`linux/inet_diag.h`), and where the kernel lacks a part of it, from
//! `/proc/net`, which has less.

mod proc;

use std::fs;
use std::io;

use rustix::net::netlink::SOCK_DIAG;

use super::netlink::{address, attributes, dump, u8_at, u16_at, u32_at};
use crate::{FactKind, Missing, Socket, SocketKind, VsockListener};

/// What is asked for: the protocol's number, its file in `/proc/net`, and whether every kernel
/// has it.
const KINDS: &[(SocketKind, u8, &str, bool)] = &[
    (SocketKind::Tcp, 6, "tcp", true),
    (SocketKind::Udp, 17, "udp", true),
    (SocketKind::Udplite, 136, "udplite", false),
    (SocketKind::Raw, 255, "raw", false),
];

/// Protocols whose sockets a firewall or a reader may care for, and which are not listed.
const UNLISTED: &[(&str, &str)] = &[
    ("SCTP", "SCTP sockets"),
    ("SCTPv6", "SCTP sockets"),
    ("DCCP", "DCCP sockets"),
    ("DCCPv6", "DCCP sockets"),
    ("XDP", "XDP sockets"),
];

/// `AF_INET` and `AF_INET6`, with what `/proc/net` adds to a name.
const FAMILIES: [(u8, &str); 2] = [(2, ""), (10, "6")];

/// Sockets of this network namespace, and what could not be read of them.
#[derive(Debug, Default)]
pub(super) struct Sockets {
    pub(super) all: Vec<Socket>,
    pub(super) vsock: Option<Vec<VsockListener>>,
    pub(super) missing: Vec<Missing>,
}

/// All TCP, UDP, raw and packet sockets; owners are not filled in.
pub(super) fn read() -> io::Result<Sockets> {
    let mut sockets = Sockets::default();
    for (kind, protocol, file, common) in KINDS {
        for (family, suffix) in FAMILIES {
            let error = match list(*kind, *protocol, family) {
                Ok(found) => {
                    sockets.all.extend(found);
                    continue;
                }
                Err(error) => error,
            };
            // The module of `sock_diag` may be absent or forbidden; so may be the protocol.
            match fs::read_to_string(format!("/proc/thread-self/net/{file}{suffix}")) {
                Ok(text) => sockets.take_less(*kind, file, &error, &text),
                Err(absent) if absent.kind() == io::ErrorKind::NotFound => {
                    if *common && suffix.is_empty() {
                        return Err(error);
                    }
                }
                Err(_) if *common => return Err(error),
                Err(refused) => sockets.miss(
                    &format!("{file} sockets"),
                    &refused.to_string(),
                    "which programs wait for them",
                ),
            }
        }
    }
    match fs::read_to_string("/proc/thread-self/net/packet") {
        Ok(text) => sockets.all.extend(proc::packet_sockets(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => sockets.miss(
            "packet sockets",
            &error.to_string(),
            "which programs see frames in spite of the firewall",
        ),
    }
    let protocols = fs::read_to_string("/proc/thread-self/net/protocols").unwrap_or_default();
    for (protocol, fact) in UNLISTED {
        if proc::in_use(&protocols, protocol) {
            let why = "there are some, and surefoot does not list this kind";
            sockets.miss(fact, why, "which programs wait for them");
        }
    }
    // Who asks a kernel without vsock would make it load that.
    if proc::is_known(&protocols, "AF_VSOCK") {
        match vsock() {
            Ok(found) => sockets.vsock = Some(found),
            Err(error) => sockets.miss(
                "vsock sockets",
                &match error.kind() {
                    io::ErrorKind::NotFound => "the kernel lacks `vsock_diag`".to_owned(),
                    _ => format!("the kernel does not list them: {error}"),
                },
                "which programs wait for a hypervisor or its guests",
            ),
        }
    } else if !protocols.is_empty() {
        sockets.vsock = Some(Vec::new());
    }
    sockets.missing.dedup();
    Ok(sockets)
}

impl Sockets {
    /// Takes what `/proc/net` has, and records what it lacks.
    fn take_less(&mut self, kind: SocketKind, file: &str, why: &io::Error, text: &str) {
        let before = self.all.len();
        self.all.extend(proc::sockets(kind, text));
        if self.all.len() > before {
            self.missing.push(Missing {
                fact: format!("details of {file} sockets"),
                why: format!("the kernel does not list them over netlink: {why}"),
                leaves_open: "whether one is bound to a device, or takes IPv6 only".to_owned(),
                kind: FactKind::SocketDetails(kind),
            });
        }
    }

    fn miss(&mut self, fact: &str, why: &str, leaves_open: &str) {
        self.missing.push(Missing {
            fact: fact.to_owned(),
            why: why.to_owned(),
            leaves_open: leaves_open.to_owned(),
            kind: FactKind::Other,
        });
    }
}

/// `SOCK_DIAG_BY_FAMILY` of `linux/sock_diag.h`.
const BY_FAMILY: u16 = 20;

fn list(kind: SocketKind, protocol: u8, family: u8) -> io::Result<Vec<Socket>> {
    // `struct inet_diag_req_v2`: every state of every address.
    let mut request = [0; 56];
    request[0] = family;
    request[1] = protocol;
    request[4..8].fill(0xff);
    let list = dump(Some(SOCK_DIAG), BY_FAMILY, &request, |answer, body| {
        (answer == BY_FAMILY)
            .then(|| socket(kind, family, body))
            .flatten()
    })?;
    Ok(list.items)
}

/// What waits on vsock (`linux/vm_sockets_diag.h`).
fn vsock() -> io::Result<Vec<VsockListener>> {
    const FAMILY: u8 = 40;
    // `struct vsock_diag_req`: every state.
    let mut request = [0; 24];
    request[0] = FAMILY;
    request[4..8].fill(0xff);
    let list = dump(Some(SOCK_DIAG), BY_FAMILY, &request, |answer, body| {
        (answer == BY_FAMILY)
            .then(|| vsock_listener(body))
            .flatten()
    })?;
    Ok(list.items)
}

/// `struct vsock_diag_msg`, if it is of a socket that waits: one that listens, or takes datagrams.
fn vsock_listener(body: &[u8]) -> Option<VsockListener> {
    const DATAGRAM: u8 = 2;
    const LISTEN: u8 = 10;
    let waits = u8_at(body, 1)? == DATAGRAM || u8_at(body, 2)? == LISTEN;
    waits.then_some(VsockListener {
        cid: u32_at(body, 4)?,
        port: u32_at(body, 8)?,
        inode: u64::from(u32_at(body, 20)?),
        owners: Vec::new(),
    })
}

/// `struct inet_diag_msg` with `INET_DIAG_*`; ports and addresses are in network order.
fn socket(kind: SocketKind, family: u8, body: &[u8]) -> Option<Socket> {
    const V6ONLY: u16 = 11;
    let length = if family == 10 { 16 } else { 4 };
    let here = address(body.get(8..8 + length)?)?;
    let there = address(body.get(24..24 + length)?)?;
    let (port, peer_port) = (u16_at(body, 4)?.to_be(), u16_at(body, 6)?.to_be());
    let connected = !there.is_unspecified() || peer_port != 0;
    let device = u32_at(body, 40)?;
    let v6only = attributes(body, 72).find(|(attribute, _)| *attribute == V6ONLY);
    Some(Socket {
        kind,
        local: Some(here),
        port,
        peer: connected.then_some((there, peer_port)),
        state: u8_at(body, 1)?,
        v6only: v6only.and_then(|(_, value)| Some(u8_at(value, 0)? != 0)),
        device: (device != 0).then_some(device),
        receive_queue: u32_at(body, 56)?,
        send_queue: u32_at(body, 60)?,
        uid: u32_at(body, 64)?,
        inode: u64::from(u32_at(body, 68)?),
        owners: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_listener_is_among_the_sockets() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let found = read().unwrap().all.into_iter().find(|socket| {
            socket.kind == SocketKind::Tcp && socket.port == here.port() && socket.waits()
        });
        assert_eq!(found.unwrap().local, Some(here.ip()));
    }

    #[test]
    fn what_proc_does_not_tell_is_missing_where_it_matters() {
        let why = io::Error::from_raw_os_error(2);
        let mut sockets = Sockets::default();
        let head = "  sl  local_address rem_address   st tx_queue rx_queue\n";
        sockets.take_less(SocketKind::Raw, "raw", &why, head);
        assert!(sockets.all.is_empty() && sockets.missing.is_empty());
        let line = "1: 0100007F:0001 00000000:0000 07 0:0 00:0 0 0 0 4711";
        sockets.take_less(SocketKind::Raw, "raw", &why, &format!("{head}{line}\n"));
        assert_eq!(sockets.all.len(), 1);
        assert_eq!(sockets.missing[0].fact, "details of raw sockets");
    }

    #[test]
    fn proc_tells_the_same_sockets_with_less_detail() {
        let held = [
            std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
            std::net::TcpListener::bind("[::1]:0").unwrap(),
        ];
        let _stream = std::net::TcpStream::connect(held[0].local_addr().unwrap()).unwrap();
        for (family, suffix) in FAMILIES {
            let text = fs::read_to_string(format!("/proc/thread-self/net/tcp{suffix}")).unwrap();
            let key = |it: &Socket| (it.inode, it.state, it.local, it.port, it.peer, it.uid);
            let mut plain: Vec<_> = proc::sockets(SocketKind::Tcp, &text)
                .map(|it| key(&it))
                .collect();
            let mut full: Vec<_> = list(SocketKind::Tcp, 6, family)
                .unwrap()
                .iter()
                .map(key)
                .collect();
            let ours = held.iter().map(|it| it.local_addr().unwrap().port());
            let ours: Vec<u16> = ours.collect();
            for list in [&mut plain, &mut full] {
                list.retain(|it| ours.contains(&it.3) && it.0 != 0);
                list.sort();
            }
            assert_eq!(plain, full);
            assert!(!full.is_empty(), "a listener is there");
        }
    }
}
