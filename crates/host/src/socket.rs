//! Sockets and who owns them: `sock_diag` joined with `/proc/PID/fd`.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A TCP, UDP, raw or packet socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// What it speaks.
    pub kind: SocketKind,
    /// Its address here; unspecified means every address of the family. None for packet sockets.
    pub local: Option<IpAddr>,
    /// Its port here; for a raw socket the IP protocol, for a packet socket the ethertype.
    pub port: u16,
    /// The peer, where it is connected.
    pub peer: Option<(IpAddr, u16)>,
    /// The state as TCP numbers it (`include/net/tcp_states.h`): 1 established, 7 closed or
    /// unconnected, 10 listening.
    pub state: u8,
    /// Whether an IPv6 socket refuses IPv4; none where the kernel did not say.
    pub v6only: Option<bool>,
    /// The bound device, by index.
    pub device: Option<u32>,
    /// Bytes, or connections if it listens, that wait to be read.
    pub receive_queue: u32,
    /// Bytes that wait to be acknowledged; if it listens, the length that the queue may have.
    pub send_queue: u32,
    /// The user who made it.
    pub uid: u32,
    /// The inode by which `/proc/PID/fd` names it; 0 if no process has it any more.
    pub inode: u64,
    /// The processes that hold it, by pid.
    pub owners: Vec<u32>,
}

/// What a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SocketKind {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// UDP-Lite.
    Udplite,
    /// A raw IP socket.
    Raw,
    /// A packet socket: sees frames, firewall or not.
    Packet,
}

impl Socket {
    /// Whether it waits for peers: a listening TCP socket, or an unconnected UDP one.
    pub fn waits(&self) -> bool {
        match self.kind {
            SocketKind::Tcp => self.state == 10,
            SocketKind::Udp | SocketKind::Udplite => self.state == 7 && self.port != 0,
            SocketKind::Raw | SocketKind::Packet => false,
        }
    }
}

/// A socket of `AF_VSOCK` that waits for peers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VsockListener {
    /// The context identifier that it is bound to; 4294967295 is any, 1 is this machine alone.
    pub cid: u32,
    /// Its port.
    pub port: u32,
    /// The inode by which `/proc/PID/fd` names it.
    pub inode: u64,
    /// The processes that hold it, by pid.
    pub owners: Vec<u32>,
}
