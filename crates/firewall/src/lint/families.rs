//! What is closed over IPv4 and open over IPv6, or the other way round.

use std::collections::BTreeSet;
use std::net::IpAddr;

use surefoot_report::{Evidence, Finding, Page, Severity};

use super::evidence::{FindingExt, MOST_SHOWN, finding};
use super::probe::{OutsideAccess, TCP, UDP};
use crate::LoadedRules;
use crate::commands::{add_rule, twin_program};
use surefoot_netfilter::semantics::Decider;
use surefoot_ruleset::model::{Backend, Field, Hook, Match, Statement};

pub(super) const PAGE: Page = Page {
    code: "FW013",
    title: "IPv4 and IPv6 disagree",
    severity: Severity::High,
    text: "\
## What it is
The same port of this machine is closed to strangers over IPv4 and open over IPv6, or the other
way round. The two families have separate rules in iptables: `iptables` says nothing about IPv6,
and only `ip6tables` does.

## Why it matters
Most services listen on both families with one socket (`*:5432` in `ss`). The IPv4 rules were
written to keep strangers from the port; over IPv6 it is open all the same. Addresses are not
secret: they stand in the DNS, in logs, in mail headers, and a neighbour sees them with one ping.
The other way round costs time: clients try IPv6 first and wait before they fall back.

## How to see it yourself
    diff <(iptables -S INPUT) <(ip6tables -S INPUT)
    ss -ltn '( sport = :5432 )'
    nc -6 -vz HOST 5432                          from another machine

## How to mend it
Write the same rules for both. With nft, one table of family `inet` holds them once. With
iptables, keep a rule in both files or neither. Where IPv6 had no rules at all, begin with
loopback, established connections and ICMPv6 (see FW006), then SSH, and the refusal last.

## When it is fine
Where a service is meant for one family only; where IPv6 is turned off (`disable_ipv6`, then
nothing is reported); where a router in front filters IPv6.
",
};

/// Ports that are compared.
const MOST_PORTS: usize = 48;

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    if !both_in_use(loaded) {
        return Vec::new();
    }
    let guarded = |v6| !loaded.filters_at(Hook::Input, v6).is_empty();
    if !guarded(false) && !guarded(true) {
        return Vec::new();
    }
    let (mut only_v6, mut only_v4) = (Vec::new(), Vec::new());
    for (protocol, port) in ports_looked_at(loaded) {
        let v4 = loaded.port_access(false, protocol, port);
        let v6 = loaded.port_access(true, protocol, port);
        if v4.closed.is_some() && v6.open.is_some() {
            only_v6.push((protocol, port, v4, v6));
        } else if v6.closed.is_some() && v4.open.is_some() {
            only_v4.push((protocol, port, v4, v6));
        }
    }
    let mut findings = Vec::new();
    if !only_v6.is_empty() {
        findings.push(open_over_v6(loaded, &only_v6));
    } else if loaded.closed_by_default(false) && open_by_default(loaded) {
        findings.push(unfiltered_finding(loaded));
    }
    if !only_v4.is_empty() {
        findings.push(open_over_v4(loaded, &only_v4));
    }
    findings
}

fn both_in_use(loaded: &LoadedRules) -> bool {
    let disabled = loaded
        .surroundings
        .sysctls
        .get("net.ipv6.conf.all.disable_ipv6")
        .is_some_and(|value| value.trim() == "1");
    !disabled
        && [false, true]
            .into_iter()
            .all(|v6| loaded.family_known(v6) && loaded.family_used(v6))
}

/// The ports that something listens on for both families; where that is unknown, the ones
/// that rules name.
fn ports_looked_at(loaded: &LoadedRules) -> Vec<(u8, u16)> {
    let mut ports: BTreeSet<(u8, u16)> = BTreeSet::new();
    if let Some(listeners) = &loaded.surroundings.listeners {
        let doors = loaded.outer_interfaces();
        let of = |v6: bool| {
            let outside = listeners.iter().filter(|listener| {
                matches!(listener.protocol, TCP | UDP)
                    && listener.has_listeners(v6)
                    && listener.answers_outside(&doors)
            });
            outside
                .map(|listener| (listener.protocol, listener.port))
                .collect::<BTreeSet<_>>()
        };
        // A port that the kernel may have chosen can belong to a client, not a service.
        ports.extend(
            of(false)
                .intersection(&of(true))
                .filter(|port| !loaded.surroundings.maybe_clients.contains(port)),
        );
    } else {
        ports.insert((TCP, 22));
        for rule in loaded
            .firewall
            .tables
            .iter()
            .flat_map(|table| &table.chains)
            .flat_map(|chain| &chain.rules)
        {
            let number = |wanted: Field| {
                rule.statements
                    .iter()
                    .find_map(|statement| match statement {
                        Statement::Match(Match::Field {
                            operand,
                            negated: false,
                            ranges,
                        }) if operand.field == wanted => Some(ranges.first()?.lo),
                        _ => None,
                    })
            };
            let protocol = number(Field::L4Proto).and_then(|number| u8::try_from(number).ok());
            let port = number(Field::DstPort).and_then(|number| u16::try_from(number).ok());
            if let (Some(protocol @ (TCP | UDP)), Some(port)) = (protocol, port) {
                ports.insert((protocol, port));
            }
            if ports.len() >= MOST_PORTS {
                break;
            }
        }
    }
    ports.into_iter().take(MOST_PORTS).collect()
}

fn open_by_default(loaded: &LoadedRules) -> bool {
    [64_999, 3]
        .iter()
        .all(|port| loaded.port_access(true, TCP, *port).open.is_some())
}

fn port_name((protocol, port): (u8, u16)) -> String {
    let word = if protocol == TCP { "tcp" } else { "udp" };
    format!("{port}/{word}")
}

type Differing = [(u8, u16, OutsideAccess, OutsideAccess)];

fn port_names(differing: &Differing) -> String {
    let mut words: Vec<String> = differing
        .iter()
        .take(MOST_SHOWN)
        .map(|(protocol, port, ..)| port_name((*protocol, *port)))
        .collect();
    if differing.len() > MOST_SHOWN {
        words.push(format!("{} more", differing.len() - MOST_SHOWN));
    }
    words.join(", ")
}

fn listener_evidence(loaded: &LoadedRules, differing: &Differing) -> Vec<Evidence> {
    let known = loaded.surroundings.listeners.iter().flatten();
    let shown = known.filter(|listener| {
        listener.has_listeners(true)
            && differing.iter().any(|(protocol, port, ..)| {
                (*protocol, *port) == (listener.protocol, listener.port)
            })
    });
    shown
        .take(MOST_SHOWN)
        .map(|listener| {
            let word = if listener.protocol == TCP {
                "tcp"
            } else {
                "udp"
            };
            let program = listener.program.as_deref().unwrap_or("a program");
            loaded.kernel_evidence(format!(
                "{program} listens on {word} [{}]:{}",
                listener.address, listener.port
            ))
        })
        .collect()
}

fn decider_evidence(loaded: &LoadedRules, differing: &Differing) -> Vec<Evidence> {
    let mut evidence: Vec<Evidence> = Vec::new();
    for (_, _, v4, v6) in differing {
        for way in [&v4.closed, &v6.open, &v6.closed, &v4.open] {
            let shown = way.iter().flat_map(|way| loaded.show_decider(way.by));
            for one in shown {
                if evidence.len() < MOST_SHOWN && !evidence.contains(&one) {
                    evidence.push(one);
                }
            }
        }
    }
    evidence
}

fn open_over_v6(loaded: &LoadedRules, differing: &Differing) -> Finding {
    let known = loaded.surroundings.listeners.is_some();
    let shut: Vec<(u8, u16)> = differing
        .iter()
        .map(|(protocol, port, ..)| (*protocol, *port))
        .collect();
    let by = differing
        .iter()
        .find_map(|(.., v6)| v6.open.as_ref())
        .map_or(Decider::Kernel, |way| way.by);
    finding(
        &PAGE,
        format!(
            "closed over IPv4 and open over IPv6: {}",
            port_names(differing)
        ),
        "the rules keep strangers out on one family only; over the other they get in",
    )
    .with_severity(if has_global_v6(loaded) {
        Severity::High
    } else {
        Severity::Warning
    })
    .possibly(!known)
    .shown_by(listener_evidence(loaded, differing))
    .shown_by(decider_evidence(loaded, differing))
    .mend(
        "Refuse the same ports over IPv6",
        refusing_commands(loaded, &shut, by),
    )
}

fn has_global_v6(loaded: &LoadedRules) -> bool {
    let Some(interfaces) = &loaded.surroundings.interfaces else {
        return true;
    };
    let mut addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
    addresses.any(|(address, _)| match address {
        IpAddr::V6(v6) => !v6.is_unicast_link_local() && !v6.is_loopback(),
        IpAddr::V4(_) => false,
    })
}

fn refusing_commands(loaded: &LoadedRules, ports: &[(u8, u16)], by: Decider) -> Vec<String> {
    let mine = loaded
        .surroundings
        .session
        .filter(|session| session.server.is_ipv6())
        .map(|session| (TCP, session.server_port));
    let ports = ports
        .iter()
        .filter(|port| Some(**port) != mine)
        .take(MOST_SHOWN);
    let place = loaded.base_of(by, Hook::Input, true);
    ports
        .flat_map(|(protocol, port)| {
            let word = if *protocol == TCP { "tcp" } else { "udp" };
            let iptables = format!("! -i lo -p {word} --dport {port} -j REJECT");
            match place {
                Some((t, c)) => {
                    let table = &loaded.firewall.tables[t];
                    let nft =
                        format!("meta nfproto ipv6 iif != lo {word} dport {port} counter reject");
                    add_rule(table, &table.chains[c], Some(0), &iptables, &nft)
                }
                None => vec![format!("{} -I INPUT 1 {iptables}", program_v6(loaded))],
            }
        })
        .collect()
}

/// ip6tables in the flavour that the IPv4 rules are in.
fn program_v6(loaded: &LoadedRules) -> String {
    let table = loaded
        .filters_at(Hook::Input, false)
        .first()
        .map(|(t, _)| &loaded.firewall.tables[*t]);
    match table {
        Some(table) if table.backend != Backend::Nft => twin_program(table),
        _ => "ip6tables".to_owned(),
    }
}

fn open_over_v4(loaded: &LoadedRules, differing: &Differing) -> Finding {
    let by = differing
        .iter()
        .find_map(|(.., v6)| v6.closed.as_ref())
        .map_or(Decider::Kernel, |way| way.by);
    let mut commands = Vec::new();
    if let Some((t, c)) = loaded.base_of(by, Hook::Input, true) {
        let table = &loaded.firewall.tables[t];
        for (protocol, port, ..) in differing.iter().take(MOST_SHOWN) {
            let word = if *protocol == TCP { "tcp" } else { "udp" };
            commands.extend(add_rule(
                table,
                &table.chains[c],
                Some(0),
                &format!("-p {word} --dport {port} -j ACCEPT"),
                &format!("meta nfproto ipv6 {word} dport {port} accept"),
            ));
        }
    }
    finding(
        &PAGE,
        format!(
            "open over IPv4 and closed over IPv6: {}",
            port_names(differing)
        ),
        "clients that find an IPv6 address try it first and wait before they fall back",
    )
    .with_severity(Severity::Note)
    .possibly(loaded.surroundings.listeners.is_none())
    .shown_by(decider_evidence(loaded, differing))
    .mend(
        "Accept the same ports over IPv6, if they are meant to be public",
        commands,
    )
}

fn unfiltered_finding(loaded: &LoadedRules) -> Finding {
    let way = loaded.port_access(false, TCP, 64_999).closed;
    let program = program_v6(loaded);
    let mut commands: Vec<String> = [
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        "-A INPUT -p icmpv6 -j ACCEPT",
        "-A INPUT -p tcp --dport 22 -j ACCEPT",
        "-A INPUT -j REJECT",
    ]
    .iter()
    .map(|words| format!("{program} {words}"))
    .collect();
    if let Some(session) = loaded.surroundings.session
        && session.server_port != 22
    {
        let words = format!("-A INPUT -p tcp --dport {} -j ACCEPT", session.server_port);
        commands.insert(3, format!("{program} {words}"));
    }
    finding(
        &PAGE,
        "IPv4 is filtered and IPv6 is not".into(),
        "any host can reach every service that listens on IPv6, now or later",
    )
    .with_severity(Severity::Warning)
    .shown_by(way.iter().flat_map(|way| loaded.show_decider(way.by)))
    .shown_by([loaded.kernel_evidence(
        "no rule keeps strangers from ports that no rule opens over IPv6 (tried with 64999/tcp)",
    )])
    .mend(
        "Begin with these, in this order; add your own ports before the last",
        commands,
    )
}
