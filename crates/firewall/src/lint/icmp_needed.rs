//! ICMP messages without which other things stop working.

use std::net::{IpAddr, Ipv6Addr};

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, finding};
use super::probe::{ICMP, ICMPV6, TCP};
use crate::LoadedRules;
use crate::commands::add_rule;
use surefoot_netfilter::packet::{FieldValue, Packet};
use surefoot_netfilter::semantics::Outcome;
use surefoot_ruleset::model::{Field, Hook, ct_state};

pub(super) const PAGE: Page = Page {
    code: "FW006",
    title: "ICMP messages are dropped that must not be",
    severity: Severity::High,
    text: "\
## What it is
The rules drop one of the few ICMP messages that are not about ping but part of how IP works:
- IPv4 `fragmentation-needed` (type 3 code 4) and IPv6 `packet-too-big` (type 2): a router says
  that a packet did not fit the next link.
- IPv6 neighbour solicitation and advertisement (types 135, 136): what ARP is for IPv4.

## Why it matters
Without the first, connections are set up, small answers arrive and large ones never do, and
only for peers behind a tunnel or a VPN: the hardest fault there is to find. Without the second,
IPv6 stops as soon as the neighbours' caches run out: the machine cannot be reached, nor reach
its router. Conntrack does not help there: neighbour discovery is never RELATED nor ESTABLISHED
but UNTRACKED.

## How to see it yourself
    ping -M do -s 1472 HOST                      must answer `too long`, not silence
    ip -6 neigh                                  FAILED for the router
    ip6tables -S INPUT | grep -i icmp

## How to mend it
    iptables -I INPUT 1 -p icmp --icmp-type fragmentation-needed -j ACCEPT
    ip6tables -I INPUT 1 -p icmpv6 --icmpv6-type packet-too-big -j ACCEPT
    ip6tables -I INPUT 1 -p icmpv6 --icmpv6-type neighbour-solicitation -j ACCEPT
    ip6tables -I INPUT 1 -p icmpv6 --icmpv6-type neighbour-advertisement -j ACCEPT
Errors about a connection that exists may be left to `--ctstate RELATED`. RFC 4890 says more on
IPv6.

## When it is fine
Where the family is closed altogether: rules that let nothing in over IPv6 at all are not
reported.
",
};

struct NeededMessage {
    v6: bool,
    kind: u8,
    code: u8,
    state: u128,
    name: &'static str,
    iptables: &'static str,
    nft: &'static str,
    lost: &'static str,
}

const NEEDED: &[NeededMessage] = &[
    NeededMessage {
        v6: false,
        kind: 3,
        code: 4,
        state: ct_state::RELATED,
        name: "fragmentation-needed",
        iptables: "-p icmp --icmp-type fragmentation-needed -j ACCEPT",
        nft: "icmp type destination-unreachable icmp code frag-needed accept",
        lost: "large answers never arrive where a link on the way is narrower, such as a VPN",
    },
    NeededMessage {
        v6: true,
        kind: 2,
        code: 0,
        state: ct_state::RELATED,
        name: "packet-too-big",
        iptables: "-p icmpv6 --icmpv6-type packet-too-big -j ACCEPT",
        nft: "icmpv6 type packet-too-big accept",
        lost: "large answers never arrive where a link on the way is narrower; IPv6 routers do not fragment",
    },
    NeededMessage {
        v6: true,
        kind: 135,
        code: 0,
        state: ct_state::UNTRACKED,
        name: "neighbour-solicitation",
        iptables: "-p icmpv6 --icmpv6-type neighbour-solicitation -j ACCEPT",
        nft: "icmpv6 type nd-neighbor-solicit accept",
        lost: "the router cannot find this machine: IPv6 stops when its cache runs out",
    },
    NeededMessage {
        v6: true,
        kind: 136,
        code: 0,
        state: ct_state::UNTRACKED,
        name: "neighbour-advertisement",
        iptables: "-p icmpv6 --icmpv6-type neighbour-advertisement -j ACCEPT",
        nft: "icmpv6 type nd-neighbor-advert accept",
        lost: "this machine cannot find its router: IPv6 stops when the cache runs out",
    },
];

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    NEEDED
        .iter()
        .filter(|needed| loaded.family_used(needed.v6) && in_use(loaded, needed.v6))
        .filter_map(|needed| {
            let way = loaded
                .access_from_outside(needed.v6, |door, from| {
                    needed_message(loaded, needed, door, from)
                })
                .closed?;
            Some(needed_finding(loaded, needed, &way))
        })
        .collect()
}

/// Whether connections of the family work at all.
fn in_use(loaded: &LoadedRules, v6: bool) -> bool {
    if loaded.filters_at(Hook::Input, v6).is_empty() {
        return false;
    }
    let serves = [22, 80, 443]
        .into_iter()
        .any(|port| loaded.port_access(v6, TCP, port).open.is_some());
    serves
        || loaded
            .access_from_outside(v6, |door, from| {
                loaded
                    .opening_packet(door, from, TCP, 40_000)
                    .with(Field::SrcPort, 443_u16)
                    .with(Field::TcpFlags, 0x10_u8)
                    .with(Field::CtState, ct_state::ESTABLISHED)
                    .with(Field::CtStatus, 14_u8)
            })
            .open
            .is_some()
}

fn needed_message(
    loaded: &LoadedRules,
    needed: &NeededMessage,
    door: &str,
    from: IpAddr,
) -> Packet {
    let neighbour = needed.state == ct_state::UNTRACKED;
    let from = if neighbour {
        IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x1))
    } else {
        from
    };
    let (protocol, kind, code) = if needed.v6 {
        (ICMPV6, Field::Icmp6Type, Field::Icmp6Code)
    } else {
        (ICMP, Field::IcmpType, Field::IcmpCode)
    };
    let mut packet = loaded
        .opening_packet(door, from, protocol, 0)
        .with(kind, needed.kind)
        .with(code, needed.code)
        .with(Field::CtState, needed.state);
    if neighbour {
        packet = packet.with(Field::HopLimit, 255_u8);
    } else {
        // A connection that was not rewritten.
        packet = packet.with(Field::CtStatus, 0_u8);
        packet.put(Field::CtMark, FieldValue::Unknown);
    }
    packet
}

fn needed_finding(loaded: &LoadedRules, needed: &NeededMessage, way: &Outcome) -> Finding {
    let family = if needed.v6 { "IPv6" } else { "IPv4" };
    let mut commands = Vec::new();
    if let Some((t, c)) = loaded.base_of(way.by, Hook::Input, needed.v6) {
        let table = &loaded.firewall.tables[t];
        commands = add_rule(
            table,
            &table.chains[c],
            Some(0),
            needed.iptables,
            needed.nft,
        );
    }
    finding(
        &PAGE,
        format!("{family} {} is dropped", needed.name),
        needed.lost,
    )
    .with_severity(if needed.v6 {
        Severity::High
    } else {
        Severity::Warning
    })
    .shown_by(loaded.show_decider(way.by))
    .mend(format!("Let {} in", needed.name), commands)
}
