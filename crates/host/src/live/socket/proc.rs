//! Sockets as the files of `/proc/net` show them (`Documentation/networking/proc_net_tcp.rst`).

use std::net::IpAddr;

use crate::{Socket, SocketKind};

/// The sockets of `tcp`, `udp`, `udplite`, `raw` and their like for IPv6.
pub(super) fn sockets(kind: SocketKind, text: &str) -> impl Iterator<Item = Socket> {
    text.lines()
        .skip(1)
        .filter_map(move |line| socket(kind, line))
}

/// `sl local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode`; what
/// is the port of others is the protocol of a raw socket.
fn socket(kind: SocketKind, line: &str) -> Option<Socket> {
    let mut fields = line.split_whitespace().skip(1);
    let (local, port) = endpoint(fields.next()?)?;
    let peer = endpoint(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let (send, receive) = fields.next()?.split_once(':')?;
    let uid = fields.nth(2)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    let connected = !peer.0.is_unspecified() || peer.1 != 0;
    Some(Socket {
        kind,
        local: Some(local),
        port,
        peer: connected.then_some(peer),
        state,
        v6only: None,
        device: None,
        receive_queue: u32::from_str_radix(receive, 16).ok()?,
        send_queue: u32::from_str_radix(send, 16).ok()?,
        uid,
        inode,
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
    Some((super::address(&bytes)?, port))
}

/// The sockets of `packet`: `sk RefCnt Type Proto Iface R Rmem User Inode`.
pub(super) fn packet_sockets(text: &str) -> impl Iterator<Item = Socket> {
    text.lines().skip(1).filter_map(packet)
}

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

/// Whether this namespace has sockets of a protocol, by `/proc/net/protocols`: `protocol size
/// sockets`, the rest does not matter.
pub(super) fn in_use(text: &str, protocol: &str) -> bool {
    text.lines().any(|line| {
        let mut fields = line.split_whitespace();
        fields.next() == Some(protocol) && fields.nth(1).is_some_and(|count| count.parse() != Ok(0))
    })
}

/// Whether the kernel has a protocol, by the same file.
pub(super) fn is_known(text: &str, protocol: &str) -> bool {
    text.lines()
        .any(|line| line.split_whitespace().next() == Some(protocol))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let line = "   1: 0100007F:0001 00000000:0000 07 00000003:00000200 00:00000000 00000000     5        0 4711 2 0000 0";
        let socket = socket(SocketKind::Raw, line).unwrap();
        assert_eq!((socket.port, socket.inode, socket.peer), (1, 4711, None));
        assert_eq!((socket.uid, socket.state), (5, 7));
        assert_eq!((socket.send_queue, socket.receive_queue), (3, 0x200));
        assert_eq!(socket.local, Some("127.0.0.1".parse().unwrap()));
        let line = "0000000000000000 3      3    0003   2     1 512    0      815";
        let socket = packet(line).unwrap();
        assert_eq!(
            (socket.port, socket.device, socket.inode),
            (3, Some(2), 815)
        );
    }

    #[test]
    fn what_is_no_line_is_passed_over() {
        for line in [
            "",
            "nonsense",
            "1: 010:0001 00000000:0000 07",
            "1: é00007F:1 2:3 07",
        ] {
            assert!(socket(SocketKind::Tcp, line).is_none(), "{line}");
            assert!(packet(line).is_none(), "{line}");
        }
    }

    #[test]
    fn protocols_with_sockets_are_in_use() {
        let text = "protocol  size sockets\nSCTP 1 0 -1\nXDP 1088 2 -1\n";
        assert!(in_use(text, "XDP") && !in_use(text, "SCTP") && !in_use(text, "DCCP"));
    }
}
