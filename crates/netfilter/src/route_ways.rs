//! Where the routes send packets, address by address: what the reverse-path filter requires of a source
//! (`fib_validate_source`), and whether a packet can be forwarded at all.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::Route;
use surefoot_ruleset::model::Range;

/// Where a packet to an address goes by one of the routing tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RouteWay {
    /// By this interface.
    By(String),
    /// By one of several.
    Several,
    /// To this host itself, which has the address on this interface.
    Here(String),
    /// To no single host: to all of a network, for example; by the interface of the route.
    ToMany(Option<String>),
    /// Nowhere.
    None,
}

/// `RT_TABLE_LOCAL`, `RT_TABLE_MAIN` and `RT_TABLE_DEFAULT`, which every host asks in this order.
pub(crate) const COMMON_TABLES: [u32; 3] = [255, 254, 253];

/// Ranges of one family's addresses but the first (0.0.0.0, ::), or the one address, with the ways on
/// which the routing tables send packets there: one of the common tables, and one of every other table
/// with a route there, as rules of policy routing may choose it.
pub(crate) fn ways_to_addresses(
    v6: bool,
    routes: &[Route],
    only: Option<u128>,
) -> Vec<(Range, BTreeSet<RouteWay>)> {
    let mut tables: BTreeMap<u32, Vec<(Range, &Route)>> = BTreeMap::new();
    let mut starts = BTreeSet::from([1]);
    let last = if v6 { u128::MAX } else { u128::from(u32::MAX) };
    for route in routes
        .iter()
        .filter(|route| route.destination.0.is_ipv6() == v6)
    {
        let range = covered_addresses(route);
        if only.is_some_and(|only| !range.contains(only)) {
            continue;
        }
        tables.entry(route.table).or_default().push((range, route));
        starts.insert(range.lo.max(1));
        starts.extend(range.hi.checked_add(1));
    }
    let pieces: Vec<Range> = match only {
        Some(0) => Vec::new(),
        Some(only) => vec![Range::one(only)],
        None => {
            starts.retain(|start| *start <= last);
            let ends = starts.iter().skip(1).map(|start| start - 1).chain([last]);
            let pieces = starts.iter().zip(ends);
            pieces.map(|(lo, hi)| Range { lo: *lo, hi }).collect()
        }
    };
    let sweep = |(table, routes)| (table, TableSweep::new(routes));
    let mut sweeps: BTreeMap<u32, TableSweep> = tables.into_iter().map(sweep).collect();
    pieces
        .into_iter()
        .map(|piece| (piece, ways_to(&mut sweeps, piece.lo)))
        .collect()
}

fn ways_to(sweeps: &mut BTreeMap<u32, TableSweep>, address: u128) -> BTreeSet<RouteWay> {
    let mut ways = BTreeSet::new();
    let mut common = None;
    for table in COMMON_TABLES {
        if let Some(sweep) = sweeps.get_mut(&table) {
            let best = sweep.best(address);
            common = common.or(best);
        }
    }
    ways.insert(common.unwrap_or(RouteWay::None));
    let others = sweeps.iter_mut();
    let others = others.filter(|(table, _)| !COMMON_TABLES.contains(table));
    ways.extend(others.filter_map(|(_, sweep)| sweep.best(address)));
    ways
}

/// The addresses that a route is for.
pub(crate) fn covered_addresses(route: &Route) -> Range {
    let (network, length) = route.destination;
    let (network, bits) = match network {
        IpAddr::V4(network) => (u128::from(network.to_bits()), 32),
        IpAddr::V6(network) => (network.to_bits(), 128),
    };
    let host_bits = bits - u32::from(length).min(bits);
    let host = 1_u128
        .checked_shl(host_bits)
        .map_or(u128::MAX, |size| size - 1);
    let lo = network & !host;
    Range { lo, hi: lo | host }
}

/// One table, asked for ascending addresses. Its networks lie in one another or apart.
struct TableSweep<'a> {
    /// By their first addresses, the wider ones first, of one network the lowest metric first.
    routes: Vec<(Range, &'a Route)>,
    next: usize,
    /// The routes to the networks around the address, the narrowest last.
    around: Vec<(Range, &'a Route)>,
}

impl<'a> TableSweep<'a> {
    fn new(mut routes: Vec<(Range, &'a Route)>) -> Self {
        routes.sort_by_key(|(range, route)| (range.lo, Reverse(range.hi), route.metric));
        Self {
            routes,
            next: 0,
            around: Vec::new(),
        }
    }

    /// The way of the longest prefix with the lowest metric.
    fn best(&mut self, address: u128) -> Option<RouteWay> {
        while let Some((range, route)) = self.routes.get(self.next)
            && range.lo <= address
        {
            self.next += 1;
            if range.hi >= address {
                self.around.retain(|(other, _)| other.hi >= address);
                self.around.push((*range, route));
            }
        }
        self.around.retain(|(range, _)| range.hi >= address);
        let (narrowest, _) = self.around.last()?;
        let same = self.around.iter().filter(|(range, _)| range == narrowest);
        let metric = same.clone().map(|(_, route)| route.metric).min()?;
        let ways: BTreeSet<RouteWay> = same
            .filter(|(_, route)| route.metric == metric)
            .map(|(_, route)| way_of(route))
            .collect();
        if ways.len() > 1 {
            return Some(RouteWay::Several);
        }
        ways.into_iter().next()
    }
}

fn way_of(route: &Route) -> RouteWay {
    // `RTN_UNICAST`, `RTN_LOCAL`.
    match (&route.interface, route.kind) {
        (Some(name), 1) => RouteWay::By(name.clone()),
        (Some(name), 2) => RouteWay::Here(name.clone()),
        (None, 1 | 2) => RouteWay::Several,
        // `RTN_BROADCAST`, `RTN_ANYCAST`, `RTN_MULTICAST`.
        (name, 3..=5) => RouteWay::ToMany(name.clone()),
        _ => RouteWay::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(destination: &str, length: u8, name: Option<&str>, table: u32, kind: u8) -> Route {
        Route {
            destination: (destination.parse().unwrap(), length),
            interface: name.map(str::to_owned),
            table,
            metric: 0,
            kind,
        }
    }

    fn some_routes() -> Vec<Route> {
        vec![
            route("0.0.0.0", 0, Some("eth0"), 254, 1),
            route("10.0.0.0", 8, Some("eth1"), 254, 1),
            route("10.1.0.0", 16, None, 254, 6),
            route("192.0.2.1", 32, Some("eth0"), 255, 2),
            route("10.2.0.0", 16, Some("tun0"), 100, 1),
        ]
    }

    fn ways(routes: &[Route], address: [u8; 4]) -> Vec<RouteWay> {
        let number = u128::from(u32::from_be_bytes(address));
        let all = ways_to_addresses(false, routes, None);
        let piece = all
            .iter()
            .find(|(range, _)| range.contains(number))
            .unwrap();
        let one = ways_to_addresses(false, routes, Some(number));
        assert_eq!(one[0].1, piece.1, "asked of one address");
        piece.1.iter().cloned().collect()
    }

    fn by(name: &str) -> RouteWay {
        RouteWay::By(name.to_owned())
    }

    #[test]
    fn the_narrowest_network_of_a_table_decides() {
        let routes = some_routes();
        assert_eq!(ways(&routes, [198, 51, 100, 7]), [by("eth0")]);
        assert_eq!(ways(&routes, [10, 0, 0, 1]), [by("eth1")]);
        assert_eq!(ways(&routes, [10, 1, 255, 255]), [RouteWay::None]);
        assert_eq!(ways(&routes, [11, 0, 0, 0]), [by("eth0")]);
    }

    #[test]
    fn policy_routing_may_choose_another_table() {
        assert_eq!(
            ways(&some_routes(), [10, 2, 0, 1]),
            [by("eth1"), by("tun0")]
        );
    }

    #[test]
    fn without_a_route_there_is_no_way() {
        assert_eq!(
            ways(&some_routes()[1..], [198, 51, 100, 7]),
            [RouteWay::None]
        );
        assert_eq!(ways(&[], [198, 51, 100, 7]), [RouteWay::None]);
    }

    #[test]
    fn equal_routes_by_two_interfaces_leave_it_open() {
        let mut routes = some_routes();
        routes.push(route("10.0.0.0", 8, Some("eth2"), 254, 1));
        assert_eq!(ways(&routes, [10, 0, 0, 1]), [RouteWay::Several]);
    }
}
