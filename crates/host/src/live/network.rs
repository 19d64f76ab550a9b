//! Interfaces, addresses, routes, rules and neighbours over rtnetlink.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{LinkAttribute, LinkInfo, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use netlink_packet_route::rule::{RuleAttribute, RuleMessage};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::netlink::dump;
use crate::{Address, Interface, Neighbour, Network, PolicyRule, Route};

/// The network of this namespace.
pub(super) fn read() -> io::Result<Network> {
    let mut network = Network::default();
    for message in dump(NETLINK_ROUTE, Message::GetLink(LinkMessage::default()))? {
        if let Message::NewLink(link) = message {
            network.interfaces.push(interface(link));
        }
    }
    for message in dump(
        NETLINK_ROUTE,
        Message::GetAddress(AddressMessage::default()),
    )? {
        if let Message::NewAddress(message) = message
            && let Some((index, address)) = address(&message)
            && let Some(owner) = network.interfaces.iter_mut().find(|it| it.index == index)
        {
            owner.addresses.push(address);
        }
    }
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut asked = RouteMessage::default();
        asked.header.address_family = family;
        for message in dump(NETLINK_ROUTE, Message::GetRoute(asked))? {
            if let Message::NewRoute(message) = message {
                network.routes.extend(route(&message));
            }
        }
        let mut asked = RuleMessage::default();
        asked.header.family = family;
        match dump(NETLINK_ROUTE, Message::GetRule(asked)) {
            Ok(rules) => network.rules.extend(rules.iter().filter_map(policy_rule)),
            // A kernel without policy routing has the three usual tables and no rules.
            Err(error) if error.raw_os_error() == Some(EOPNOTSUPP) => {}
            Err(error) => return Err(error),
        }
    }
    for message in dump(
        NETLINK_ROUTE,
        Message::GetNeighbour(NeighbourMessage::default()),
    )? {
        if let Message::NewNeighbour(message) = message {
            network.neighbours.extend(neighbour(&message));
        }
    }
    Ok(network)
}

/// `EOPNOTSUPP` of `asm-generic/errno.h`.
const EOPNOTSUPP: i32 = 95;

fn interface(link: LinkMessage) -> Interface {
    let mut interface = Interface {
        index: link.header.index,
        flags: link.header.flags.bits(),
        ..Interface::default()
    };
    for attribute in link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => interface.name = name,
            LinkAttribute::Mtu(mtu) => interface.mtu = mtu,
            LinkAttribute::Address(bytes) => interface.mac = mac(&bytes),
            LinkAttribute::Controller(index) => interface.master = Some(index),
            LinkAttribute::Promiscuity(count) => interface.promiscuity = count,
            LinkAttribute::LinkInfo(infos) => {
                interface.kind = infos.into_iter().find_map(|info| match info {
                    LinkInfo::Kind(kind) => Some(kind.to_string()),
                    _ => None,
                });
            }
            _ => {}
        }
    }
    interface
}

fn mac(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        let colon = if at == 0 { "" } else { ":" };
        let _ = write!(text, "{colon}{byte:02x}");
    }
    text
}

/// The interface's index and the address: with a peer, `Local` is ours and `Address` the peer's.
fn address(message: &AddressMessage) -> Option<(u32, Address)> {
    let mut ours = None;
    let mut other = None;
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(address) => ours = Some(*address),
            AddressAttribute::Address(address) => other = Some(*address),
            _ => {}
        }
    }
    let address = Address {
        address: ours.or(other)?,
        prefix: message.header.prefix_len,
        scope: message.header.scope.into(),
    };
    Some((message.header.index, address))
}

fn route(message: &RouteMessage) -> Option<Route> {
    let unspecified = match message.header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let mut route = Route {
        destination: unspecified,
        prefix: message.header.destination_prefix_length,
        gateway: None,
        interface: None,
        table: u32::from(message.header.table),
        metric: 0,
        kind: message.header.kind.into(),
        source: None,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => route.destination = ip(address)?,
            RouteAttribute::Gateway(address) => route.gateway = ip(address),
            RouteAttribute::PrefSource(address) => route.source = ip(address),
            RouteAttribute::Oif(index) => route.interface = Some(*index),
            RouteAttribute::Table(table) => route.table = *table,
            RouteAttribute::Priority(metric) => route.metric = *metric,
            _ => {}
        }
    }
    Some(route)
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some((*address).into()),
        RouteAddress::Inet6(address) => Some((*address).into()),
        _ => None,
    }
}

fn policy_rule(message: &Message) -> Option<PolicyRule> {
    let Message::NewRule(message) = message else {
        return None;
    };
    let mut rule = PolicyRule {
        v6: message.header.family == AddressFamily::Inet6,
        priority: 0,
        table: u32::from(message.header.table),
        selective: message.header.tos != 0,
    };
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(priority) => rule.priority = *priority,
            RuleAttribute::Table(table) => rule.table = *table,
            RuleAttribute::Destination(_)
            | RuleAttribute::Source(_)
            | RuleAttribute::Iifname(_)
            | RuleAttribute::Oifname(_)
            | RuleAttribute::FwMark(_)
            | RuleAttribute::UidRange(_)
            | RuleAttribute::IpProtocol(_)
            | RuleAttribute::SourcePortRange(_)
            | RuleAttribute::DestinationPortRange(_)
            | RuleAttribute::L3MDev(true) => rule.selective = true,
            _ => {}
        }
    }
    Some(rule)
}

fn neighbour(message: &NeighbourMessage) -> Option<Neighbour> {
    let mut address = None;
    let mut hardware = String::new();
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(NeighbourAddress::Inet(to)) => {
                address = Some(IpAddr::from(*to));
            }
            NeighbourAttribute::Destination(NeighbourAddress::Inet6(to)) => {
                address = Some(IpAddr::from(*to));
            }
            NeighbourAttribute::LinkLayerAddress(bytes) => hardware = mac(bytes),
            _ => {}
        }
    }
    Some(Neighbour {
        address: address?,
        mac: hardware,
        interface: message.header.ifindex,
        state: message.header.state.into(),
    })
}
