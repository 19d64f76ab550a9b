//! Where routing sends a packet whose destination NAT has rewritten.

use std::net::IpAddr;

use crate::Surroundings;
use crate::packet::covers;

/// The interface by which the host reaches an address, where its routes leave no doubt: they are
/// known, and no table of policy routing could say otherwise.
pub(crate) fn interface_to(address: IpAddr, surroundings: &Surroundings) -> Option<&str> {
    if policy_may_route(surroundings) {
        return None;
    }
    let routes = surroundings.routes.as_ref()?;
    let best = routes
        .iter()
        .filter(|route| covers(route.destination, address))
        .max_by_key(|route| (route.destination.1, std::cmp::Reverse(route.metric)))?;
    (best.kind == 1).then_some(best.interface.as_deref())?
}

/// Whether rules of policy routing may look at more than the destination: the routes are unknown, or
/// there are tables other than `RT_TABLE_DEFAULT`, `RT_TABLE_MAIN` and `RT_TABLE_LOCAL`.
pub(crate) fn policy_may_route(surroundings: &Surroundings) -> bool {
    surroundings.routes.as_ref().is_none_or(|routes| {
        routes
            .iter()
            .any(|route| !(253..=255).contains(&route.table))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Route;

    fn to(address: &str, routes: &[(&str, u8, &str, u32)]) -> Option<String> {
        let route = |(destination, length, name, table): &(&str, u8, &str, u32)| Route {
            destination: (destination.parse().unwrap(), *length),
            interface: Some((*name).to_owned()),
            table: *table,
            metric: 0,
            kind: 1,
        };
        let surroundings = Surroundings {
            routes: Some(routes.iter().map(route).collect()),
            ..Surroundings::default()
        };
        interface_to(address.parse().unwrap(), &surroundings).map(str::to_owned)
    }

    const PLAIN: [(&str, u8, &str, u32); 2] = [
        ("0.0.0.0", 0, "eth0", 254),
        ("172.17.0.0", 16, "docker0", 254),
    ];

    #[test]
    fn the_longest_prefix_wins() {
        assert_eq!(to("172.17.0.2", &PLAIN).as_deref(), Some("docker0"));
        assert_eq!(to("192.0.2.1", &PLAIN).as_deref(), Some("eth0"));
    }

    #[test]
    fn policy_routing_leaves_it_open() {
        let mut routes = PLAIN.to_vec();
        routes.push(("0.0.0.0", 0, "tun0", 100));
        assert_eq!(to("172.17.0.2", &routes), None);
    }
}
