//! The elements of `hash:*` and `bitmap:*` sets.

use std::net::IpAddr;

use super::read::Line;
use crate::model::{Component, Element, NamePattern, Range};
use crate::parse::iptables::{names, value};

/// Reads an element; `bitmap:port` gives two, one for each protocol that it looks at.
/// None if a part cannot be read.
pub(super) fn elements(create: &Line<'_>, add: &Line<'_>) -> Option<Vec<Element>> {
    let (method, dimensions) = create.word.split_once(':')?;
    let mut parts = add.word.split(',');
    let mut key = Vec::new();
    for dimension in dimensions.split(',') {
        let part = parts.next();
        match dimension {
            "ip" | "ip2" | "net" => {
                let netmask = create
                    .value("netmask")
                    .map(str::parse::<u32>)
                    .transpose()
                    .ok()?;
                key.push(Component::Numbers(addresses(part?, netmask)?));
            }
            "port" if method == "bitmap" => {
                let range = value::port_range(&part?.replace('-', ":"))?;
                key.push(Component::Numbers(range));
            }
            "port" => {
                let (protocol, ports) = port(part?)?;
                key.push(Component::Numbers(Range::one(protocol.into())));
                key.push(Component::Numbers(ports));
            }
            "mac" => key.push(Component::Numbers(match part {
                Some(part) => Range::one(value::mac(part)?),
                // Learnt from the first packet: any address may be the one.
                None => Range {
                    lo: 0,
                    hi: (1 << 48) - 1,
                },
            })),
            "mark" => {
                let mark = u32::try_from(names::number(part?)?).ok()?;
                key.push(Component::Numbers(Range::one(mark.into())));
            }
            "iface" => {
                let text = part.filter(|part| !part.contains(':'))?;
                key.push(Component::Name(NamePattern {
                    text: text.to_owned(),
                    prefix: add.has("wildcard"),
                }));
            }
            _ => return None,
        }
    }
    if parts.next().is_some() {
        return None;
    }
    let except = add.has("nomatch");
    let element = |key| Element {
        key,
        except,
        value: None,
    };
    if method == "bitmap" && dimensions == "port" {
        let with = |protocol| {
            let mut both = vec![Component::Numbers(Range::one(protocol))];
            both.extend(key.iter().cloned());
            element(both)
        };
        return Some(vec![with(6), with(17)]);
    }
    Some(vec![element(key)])
}

fn addresses(part: &str, netmask: Option<u32>) -> Option<Range> {
    if let Some((first, last)) = part.split_once('-') {
        let (first, last): (IpAddr, IpAddr) = (first.parse().ok()?, last.parse().ok()?);
        let (lo, hi) = (value::address_number(first), value::address_number(last));
        return (first.is_ipv4() == last.is_ipv4() && lo <= hi).then_some(Range { lo, hi });
    }
    match netmask {
        // The packet's address loses its host part before it is looked up.
        Some(length) if !part.contains('/') => {
            value::Net::parse(&format!("{part}/{length}"))?.range()
        }
        _ => value::Net::parse(part)?.range(),
    }
}

/// `80`, `80-90`, `udp:53`, `icmp:8/0`, `icmpv6:echo-request`, `gre:0`.
fn port(part: &str) -> Option<(u8, Range)> {
    let (protocol, ports) = part.split_once(':').unwrap_or(("tcp", part));
    let protocol = names::protocol_number(protocol)?;
    if matches!(protocol, 1 | 58) {
        let (kind, code) = names::icmp(ports, protocol == 58)?;
        let number = u16::from(kind?) << 8 | u16::from(code.unwrap_or(0));
        return Some((protocol, Range::one(number.into())));
    }
    Some((protocol, value::port_range(&ports.replace('-', ":"))?))
}
