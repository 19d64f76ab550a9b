//! Interfaces, addresses, routes, rules and neighbours over rtnetlink (`linux/rtnetlink.h`).

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::netlink::{List, address, attributes, dump, name, u8_at, u16_at, u32_at};
use crate::{Address, GroupMembership, Interface, Neighbour, Network, PolicyRule, Route};

/// The network of this namespace, and the lists that changed whenever they were read.
#[derive(Debug, Default)]
pub(super) struct FoundNetwork {
    pub(super) network: Network,
    pub(super) restless: Vec<&'static str>,
}

/// `RTM_GETLINK` and its like; what is listed has the number two below.
const LINK: u16 = 18;
const ADDRESS: u16 = 22;
const ROUTE: u16 = 26;
const NEIGHBOUR: u16 = 30;
const RULE: u16 = 34;

/// `AF_INET` and `AF_INET6`.
const V4: u8 = 2;
const V6: u8 = 10;

/// `EOPNOTSUPP` and `EAFNOSUPPORT` of `asm-generic/errno.h`.
const NOT_SUPPORTED: [i32; 2] = [95, 97];

/// The network of this namespace.
pub(super) fn read() -> io::Result<FoundNetwork> {
    let mut found = FoundNetwork::default();
    let links = list(LINK, 0, 16, interface)?;
    found.network.interfaces = found.take("interfaces", links);
    let addresses = list(ADDRESS, 0, 8, owned_address)?;
    for (index, address) in found.take("addresses", addresses) {
        let interfaces = &mut found.network.interfaces;
        if let Some(owner) = interfaces.iter_mut().find(|it| it.index == index) {
            owner.addresses.push(address);
        }
    }
    for family in [V4, V6] {
        let routes = supported(list(ROUTE, family, 12, route))?;
        let routes = found.take("routes", routes);
        found.network.routes.extend(routes);
        // A kernel without policy routing has the three usual tables and no rules.
        let rules = supported(list(RULE, family, 12, policy_rule))?;
        let rules = found.take("policy rules", rules);
        found.network.rules.extend(rules);
    }
    let neighbours = list(NEIGHBOUR, 0, 12, neighbour)?;
    found.network.neighbours = found.take("neighbours", neighbours);
    found.network.groups = groups();
    Ok(found)
}

/// The groups of both families; none where a group is received from some sources only. A kernel without
/// IPv6 has no file of its groups.
fn groups() -> Option<Vec<GroupMembership>> {
    for filters in ["/proc/net/mcfilter", "/proc/net/mcfilter6"] {
        let filters = std::fs::read_to_string(filters).unwrap_or_default();
        if filters.lines().count() > 1 {
            return None;
        }
    }
    let of_v4 = std::fs::read_to_string("/proc/net/igmp").ok()?;
    let of_v6 = std::fs::read_to_string("/proc/net/igmp6").unwrap_or_default();
    let mut groups = groups_of_v4(&of_v4);
    groups.extend(groups_of_v6(&of_v6));
    Some(groups)
}

/// `igmp_mc_seq_show`: a line for each interface, and below it, further in, one for each group, whose
/// number stands in the host's byte order.
fn groups_of_v4(text: &str) -> Vec<GroupMembership> {
    let mut groups = Vec::new();
    let mut interface = None;
    for line in text.lines() {
        let first = line.split_whitespace().next().unwrap_or_default();
        if !line.starts_with(char::is_whitespace) {
            interface = first.parse().ok();
        } else if let (Some(interface), Ok(number)) = (interface, u32::from_str_radix(first, 16)) {
            groups.push(GroupMembership {
                interface,
                group: Ipv4Addr::from(number.to_ne_bytes()).into(),
            });
        }
    }
    groups
}

/// `igmp6_mc_seq_show`: index, name and group.
fn groups_of_v6(text: &str) -> Vec<GroupMembership> {
    let group = |line: &str| {
        let mut words = line.split_whitespace();
        let interface = words.next()?.parse().ok()?;
        let number = u128::from_str_radix(words.nth(1)?, 16).ok()?;
        Some(GroupMembership {
            interface,
            group: Ipv6Addr::from(number).into(),
        })
    };
    text.lines().filter_map(group).collect()
}

impl FoundNetwork {
    fn take<T>(&mut self, what: &'static str, list: List<T>) -> Vec<T> {
        if !list.whole && !self.restless.contains(&what) {
            self.restless.push(what);
        }
        list.items
    }
}

/// Everything of one type and family; the request's fixed part has the answer's length.
fn list<T>(
    kind: u16,
    family: u8,
    fixed: usize,
    read: impl Fn(&[u8]) -> Option<T>,
) -> io::Result<List<T>> {
    let mut body = vec![0; fixed];
    if let Some(first) = body.first_mut() {
        *first = family;
    }
    dump(None, kind, &body, |answer, body| {
        (answer == kind - 2).then(|| read(body)).flatten()
    })
}

/// An empty list where the kernel was built without what is asked for.
fn supported<T>(list: io::Result<List<T>>) -> io::Result<List<T>> {
    list.or_else(|error| match error.raw_os_error() {
        Some(code) if NOT_SUPPORTED.contains(&code) => Ok(List {
            items: Vec::new(),
            whole: true,
        }),
        _ => Err(error),
    })
}

/// `struct ifinfomsg` with `IFLA_*`.
fn interface(body: &[u8]) -> Option<Interface> {
    let mut interface = Interface {
        index: u32_at(body, 4)?,
        flags: u32_at(body, 8)?,
        ..Interface::default()
    };
    for (kind, value) in attributes(body, 16) {
        match kind {
            1 => interface.mac = mac(value),
            3 => interface.name = name(value),
            4 => interface.mtu = u32_at(value, 0)?,
            10 => interface.master = u32_at(value, 0),
            // IFLA_LINKINFO with IFLA_INFO_KIND.
            18 => {
                let mut details = attributes(value, 0);
                interface.kind = details
                    .find(|(kind, _)| *kind == 1)
                    .map(|(_, value)| name(value));
            }
            30 => interface.promiscuity = u32_at(value, 0)?,
            _ => {}
        }
    }
    Some(interface)
}

fn mac(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        let colon = if at == 0 { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02x}");
    }
    text
}

/// `struct ifaddrmsg` with `IFA_*`: the interface's index and the address. With a peer,
/// `IFA_LOCAL` is ours and `IFA_ADDRESS` the peer's.
fn owned_address(body: &[u8]) -> Option<(u32, Address)> {
    let mut ours = None;
    let mut other = None;
    for (kind, value) in attributes(body, 8) {
        match kind {
            1 => other = address(value),
            2 => ours = address(value),
            _ => {}
        }
    }
    let address = Address {
        address: ours.or(other)?,
        prefix: u8_at(body, 1)?,
        scope: u8_at(body, 3)?,
    };
    Some((u32_at(body, 4)?, address))
}

/// `struct rtmsg` with `RTA_*`.
fn route(body: &[u8]) -> Option<Route> {
    /// `RTM_F_CLONED`: a cached copy of another route.
    const CLONED: u32 = 0x200;
    if u32_at(body, 8)? & CLONED != 0 {
        return None;
    }
    let unspecified = match u8_at(body, 0)? {
        V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let mut route = Route {
        destination: unspecified,
        prefix: u8_at(body, 1)?,
        gateway: None,
        interface: None,
        table: u32::from(u8_at(body, 4)?),
        metric: 0,
        kind: u8_at(body, 7)?,
        source: None,
    };
    for (kind, value) in attributes(body, 12) {
        match kind {
            1 => route.destination = address(value)?,
            4 => route.interface = u32_at(value, 0),
            5 => route.gateway = address(value),
            6 => route.metric = u32_at(value, 0)?,
            7 => route.source = address(value),
            15 => route.table = u32_at(value, 0)?,
            // RTA_VIA: a router of the other family, after its number.
            18 => route.gateway = address(value.get(2..)?),
            _ => {}
        }
    }
    Some(route)
}

/// `struct fib_rule_hdr` with `FRA_*`.
fn policy_rule(body: &[u8]) -> Option<PolicyRule> {
    /// `FIB_RULE_INVERT`: matches what it does not name.
    const INVERT: u32 = 2;
    let mut rule = PolicyRule {
        v6: u8_at(body, 0)? == V6,
        priority: 0,
        table: u32::from(u8_at(body, 4)?),
        selective: u8_at(body, 3)? != 0 || u32_at(body, 8)? & INVERT != 0,
        action: u8_at(body, 7)?,
    };
    for (kind, value) in attributes(body, 12) {
        match kind {
            6 => rule.priority = u32_at(value, 0)?,
            15 => rule.table = u32_at(value, 0)?,
            // FRA_GOTO, FLOW, PAD and PROTOCOL say nothing of the packet.
            4 | 11 | 18 | 21 => {}
            // FRA_SUPPRESS_IFGROUP and FRA_SUPPRESS_PREFIXLEN, which -1 turns off: such a rule
            // lets the search go on for what its table would answer.
            13 | 14 => rule.selective |= u32_at(value, 0)? != u32::MAX,
            // All others, also those to come, ask something of the packet.
            _ => rule.selective = true,
        }
    }
    Some(rule)
}

/// `struct ndmsg` with `NDA_*`.
fn neighbour(body: &[u8]) -> Option<Neighbour> {
    let mut to = None;
    let mut hardware = String::new();
    for (kind, value) in attributes(body, 12) {
        match kind {
            1 => to = address(value),
            2 => hardware = mac(value),
            _ => {}
        }
    }
    Some(Neighbour {
        address: to?,
        mac: hardware,
        interface: u32_at(body, 4)?,
        state: u16_at(body, 8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_read_as_the_kernel_prints_them() {
        let of_v4 = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n\
            2\teth0      :     2      V3\n\t\t\t\tFB0000E0     1 0:00000000\t\t0\n\
            \t\t\t\t010000E0     1 0:00000000\t\t0\n";
        let of_v6 = "2    eth0            ff0200000000000000000000000000fb     1 00000004 0\n";
        let mut groups = groups_of_v6(of_v6);
        if cfg!(target_endian = "little") {
            groups.extend(groups_of_v4(of_v4));
        }
        let words: Vec<String> = groups
            .iter()
            .map(|one| format!("{} {}", one.interface, one.group))
            .collect();
        assert_eq!(words, ["2 ff02::fb", "2 224.0.0.251", "2 224.0.0.1"]);
    }
}
