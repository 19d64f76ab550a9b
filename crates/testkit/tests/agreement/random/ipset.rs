//! Random sets of ipset.

use std::fmt::Write as _;

use super::{NETS, NETS6, PORTS, one};
use crate::chance::Chance;

/// The sets that the rules ask for, with the directions of their keys.
pub(super) const SETS: &[(&str, &str, u8)] = &[
    ("nets", "hash:net", 1),
    ("hosts", "hash:ip", 1),
    ("blocks", "hash:ip netmask 26", 1),
    ("ports", "bitmap:port range 0-65535", 1),
    ("services", "hash:ip,port", 2),
    ("netports", "hash:net,port", 2),
    ("wheres", "hash:net,iface", 2),
    ("triples", "hash:ip,port,net", 3),
    ("twice", "hash:ip,port,ip", 3),
    ("map", "bitmap:ip range 203.0.113.0/24", 1),
    ("both", "list:set", 1),
    ("pairs", "list:set", 2),
];

/// Likewise, of IPv6.
pub(super) const SETS6: &[(&str, &str, u8)] = &[
    ("nets", "hash:net family inet6", 1),
    ("hosts", "hash:ip family inet6", 1),
    ("ports", "bitmap:port range 0-65535", 1),
    ("services", "hash:ip,port family inet6", 2),
    ("netports", "hash:net,port family inet6", 2),
    ("wheres", "hash:net,iface family inet6", 2),
    ("triples", "hash:ip,port,net family inet6", 3),
    ("both", "list:set", 1),
    ("pairs", "list:set", 2),
];

/// The sets with random elements.
pub(super) fn sets(chance: &mut Chance, v6: bool) -> String {
    const SERVICES: &[&str] = &[
        "tcp:22",
        "tcp:80",
        "udp:53",
        "udp:1000-1010",
        "icmp:8/0",
        "icmp:3/4",
        "tcp:53",
    ];
    let hosts: &[&str] = &[
        "203.0.113.9",
        "203.0.113.99",
        "198.51.100.7",
        "10.0.0.1",
        "192.0.3.1",
    ];
    let hosts6: &[&str] = &[
        "2001:db8:f::9",
        "2001:db8:f::99",
        "2001:db8:0:1::1",
        "2001:db8:e::1",
    ];
    let (sets, hosts, nets) = if v6 {
        (SETS6, hosts6, &NETS6[..NETS6.len() - 1])
    } else {
        (SETS, hosts, NETS)
    };
    let mut text = String::new();
    for (name, kind, _) in sets {
        let _ = writeln!(text, "create {name} {kind}");
        let mut seen = Vec::new();
        for _ in 0..=chance.below(6) {
            let host = one(chance, hosts);
            let net = one(chance, nets);
            let service = one(chance, SERVICES);
            let service = match service.split_once(':') {
                Some(("icmp", word)) if v6 => format!("icmpv6:{word}"),
                _ => service.to_owned(),
            };
            let element = match kind.trim_end_matches(" family inet6") {
                "hash:net" => net.to_owned(),
                "hash:ip,port" => format!("{host},{service}"),
                "hash:net,port" => format!("{net},{service}"),
                "hash:net,iface" => format!("{net},{}", one(chance, &["eth0", "eth1", "ppp0"])),
                "hash:ip,port,net" => format!("{host},{service},{net}"),
                "hash:ip,port,ip" => format!("{host},{service},{}", one(chance, hosts)),
                "list:set" if *name == "both" => {
                    let members: &[&str] = &["nets", "hosts", "blocks", "map"];
                    one(chance, if v6 { &members[..2] } else { members }).to_owned()
                }
                "list:set" => one(chance, &["services", "netports", "wheres"]).to_owned(),
                _ if *name == "ports" => one(chance, PORTS).to_owned(),
                _ if *name == "map" => one(chance, &hosts[..2]).to_owned(),
                _ => host.to_owned(),
            };
            if seen.contains(&element) {
                continue;
            }
            let except = kind.trim_end_matches(" family inet6").contains("net")
                && *kind != "list:set"
                && chance.percent(25);
            let nomatch = if except && !kind.contains("netmask") {
                " nomatch"
            } else {
                ""
            };
            let _ = writeln!(text, "add {name} {element}{nomatch}");
            seen.push(element);
        }
    }
    text
}
