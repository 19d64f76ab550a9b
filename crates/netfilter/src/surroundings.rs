//! What the firewall needs to know of its host, as plain values.
//!
//! `None` always means "unknown", which is not the same as "none": an answer that needs it
//! says so.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The facts of a host that a firewall's answers depend on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The interfaces and their addresses.
    pub interfaces: Option<Vec<Interface>>,
    /// The routes of all tables, most specific first within a table.
    pub routes: Option<Vec<Route>>,
    /// The multicast groups that are received, each with the interface; files do not tell.
    pub groups: Option<Vec<(String, IpAddr)>>,
    /// Whether rules of policy routing refuse packets.
    pub refusing_rules: bool,
    /// Kernel settings by their dotted name, such as `net.ipv4.ip_forward`.
    pub sysctls: BTreeMap<String, String>,
    /// The sockets that wait for connections or datagrams.
    pub listeners: Option<Vec<Listener>>,
    /// The UDP sockets that take what comes from one peer.
    pub connected: Vec<Connected>,
    /// Protocol and port of listeners that may be clients waiting for an answer: UDP sockets on
    /// ports that the kernel may have chosen.
    pub maybe_clients: BTreeSet<(u8, u16)>,
    /// The rule files that could be loaded at boot.
    pub saved: Option<Vec<SavedRules>>,
    /// The connection over which the administrator is logged on.
    pub session: Option<Session>,
    /// Whether the rules are those of the running kernel; a file under study is not.
    pub live: bool,
}

/// A network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Whether it is the loopback interface.
    pub loopback: bool,
    /// Whether it is up.
    pub up: bool,
    /// Its addresses with their prefix lengths.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Destination and prefix length; a default route has the unspecified address and 0.
    pub destination: (IpAddr, u8),
    /// The interface it leads to.
    pub interface: Option<String>,
    /// The routing table's number; 254 is main, 255 local.
    pub table: u32,
    /// Lower wins.
    pub metric: u32,
    /// `RTN_*`: 1 unicast, 2 local, 3 broadcast, 5 multicast, 6 blackhole and so on.
    pub kind: u8,
}

/// A socket that waits for peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Transport protocol: 6 TCP, 17 UDP.
    pub protocol: u8,
    /// The bound address; unspecified means every address.
    pub address: IpAddr,
    /// The bound port.
    pub port: u16,
    /// For an IPv6 socket: whether it refuses IPv4.
    pub v6only: bool,
    /// The bound device, if any; empty for one that is unknown.
    pub device: Option<String>,
    /// The program, such as `sshd`, where known.
    pub program: Option<String>,
}

impl Listener {
    /// Whether it takes packets of this family of addresses. An IPv6 socket on `::ffff:192.0.2.1`
    /// is an IPv4 one.
    pub fn has_listeners(&self, v6: bool) -> bool {
        match self.address.to_canonical() {
            IpAddr::V4(_) => !v6,
            IpAddr::V6(address) => v6 || (address.is_unspecified() && !self.v6only),
        }
    }

    /// Whether it may take what comes in by one of these interfaces from elsewhere.
    pub fn answers_outside(&self, interfaces: &[String]) -> bool {
        let device = self.device.as_ref();
        let reached = device.is_none_or(|it| it.is_empty() || interfaces.contains(it));
        reached && !self.address.to_canonical().is_loopback()
    }
}

/// A UDP socket that is connected to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The socket.
    pub socket: Listener,
    /// Address and port of the only peer that it takes packets from.
    pub peer: (IpAddr, u16),
}

/// A rule file on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedRules {
    /// Its path.
    pub path: String,
    /// Its content.
    pub text: String,
    /// What reads it at boot, with the file that says so; empty if nothing does.
    pub loaders: Vec<String>,
    /// Whether it is known which loaders there are.
    pub loaders_known: bool,
}

/// A connection, seen from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The administrator's address.
    pub client: IpAddr,
    /// The administrator's port.
    pub client_port: u16,
    /// This host's address.
    pub server: IpAddr,
    /// This host's port.
    pub server_port: u16,
}
