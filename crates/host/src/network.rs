//! Interfaces, addresses, routes, policy rules and neighbours, as netlink gives them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The network of the namespace that surefoot runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Interfaces by index.
    pub interfaces: Vec<Interface>,
    /// Routes of all tables, both families.
    pub routes: Vec<Route>,
    /// The policy routing database, lowest priority number first.
    pub rules: Vec<PolicyRule>,
    /// Neighbour tables: ARP and NDP.
    pub neighbours: Vec<Neighbour>,
    /// The groups whose packets are received; none where that is unknown.
    #[serde(default)]
    pub groups: Option<Vec<GroupMembership>>,
}

/// A network interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// The kernel's number for it.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// `IFF_*` of `linux/if.h`; 0x1 up, 0x8 loopback, 0x100 promiscuous.
    pub flags: u32,
    /// The link-layer address, as `aa:bb:cc:dd:ee:ff`; empty if it has none.
    pub mac: String,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// What kind of virtual device, such as `bridge`, `veth`, `wireguard`; none for hardware.
    pub kind: Option<String>,
    /// The bridge or bond that it belongs to, by index.
    pub master: Option<u32>,
    /// How many programs and drivers asked for packets to all destinations (`IFLA_PROMISCUITY`).
    pub promiscuity: u32,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

impl Interface {
    /// Whether it is administratively up.
    pub fn is_up(&self) -> bool {
        self.flags & 0x1 != 0
    }

    /// Whether it is the loopback interface.
    pub fn is_loopback(&self) -> bool {
        self.flags & 0x8 != 0
    }
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Length of its network's prefix in bits.
    pub prefix: u8,
    /// `RT_SCOPE_*`: 0 global, 200 site, 253 link, 254 host.
    pub scope: u8,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The network that it leads to; a default route has the unspecified address and prefix 0.
    pub destination: IpAddr,
    /// Length of the network's prefix in bits.
    pub prefix: u8,
    /// The next router.
    pub gateway: Option<IpAddr>,
    /// The interface, by index; none if several or none.
    pub interface: Option<u32>,
    /// The table's number: 254 main, 255 local.
    pub table: u32,
    /// Lower wins.
    pub metric: u32,
    /// `RTN_*`: 1 unicast, 2 local, 3 broadcast, 5 multicast, 6 blackhole.
    pub kind: u8,
    /// The address that this host uses as sender.
    pub source: Option<IpAddr>,
}

/// A line of `ip rule`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRule {
    /// Whether it is for IPv6.
    pub v6: bool,
    /// Lower is asked first.
    pub priority: u32,
    /// The table that it sends to.
    pub table: u32,
    /// Whether it asks anything of the packet: address, mark, interface, port.
    pub selective: bool,
    /// `FR_ACT_*`: 1 looks in the table, 6 blackhole, 7 unreachable, 8 prohibit.
    #[serde(default = "to_table")]
    pub action: u8,
}

/// `FR_ACT_TO_TBL`.
fn to_table() -> u8 {
    1
}

/// A multicast group that an interface receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupMembership {
    /// The interface, by index.
    pub interface: u32,
    /// The group's address.
    pub group: IpAddr,
}

/// A neighbour on a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// Its link-layer address; empty if unknown.
    pub mac: String,
    /// The interface, by index.
    pub interface: u32,
    /// `NUD_*`: 0x02 reachable, 0x04 stale, 0x20 failed, 0x80 permanent.
    pub state: u16,
}
