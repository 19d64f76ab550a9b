//! Packets of the host to itself: they must be accepted, before any other rule.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use surefoot_report::{Evidence, Finding, Page, Severity};

use super::evidence::{FindingExt, finding, full_name};
use super::probe::{TCP, as_the_rule_asks};
use crate::LoadedRules;
use crate::commands::add_rule;
use surefoot_netfilter::packet::{Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{Assumptions, Decider, End, Outcome, RecordLevel};
use surefoot_ruleset::model::{Field, Hook, Policy, RuleAt, Statement, Verdict, ct_state};

pub(super) const PAGE: Page = Page {
    code: "FW003",
    title: "loopback is not accepted, or accepted too late",
    severity: Severity::High,
    text: "\
## What it is
Programs on one machine talk to each other over the interface `lo`: a web server to its
database, a mail server to its filter, everything to the local resolver on 127.0.0.53. These
packets pass INPUT and OUTPUT like any others. Here the rules drop them, or drop some of them
before the rule that accepts, or try many other rules first.

## Why it matters
Services fail in ways that do not look like a firewall: a name is not resolved, a page waits for
thirty seconds, a service starts and finds its database unreachable. Nothing that comes over
`lo` is from outside, so there is nothing to gain by filtering it there. As loopback often
carries the most packets, a rule far down costs time for each of them.

## How to see it yourself
    nc -vz 127.0.0.1 22
    iptables -L INPUT -nv --line-numbers | grep -w lo

## How to mend it
Make it the first rule: `iptables -I INPUT 1 -i lo -j ACCEPT`, and the same in OUTPUT with `-o
lo` where OUTPUT filters; IPv6 needs its own. Write the interface and not the address: `-s
127.0.0.1` misses a program that talks to this machine's own outer address, which goes over `lo`
as well.

## When it is fine
A machine that separates users from each other may filter `lo` by user on purpose (`-m owner`),
in OUTPUT. A drop of packets in state INVALID before the rule is harmless and not reported.
",
};

/// Rules that may stand before the one that accepts loopback.
const EARLY: usize = 20;
/// Drop rules that are tried one by one.
const MOST_TRIED: usize = 200;

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut kept_out: Vec<Refused> = Vec::new();
    for v6 in [false, true] {
        if !loaded.family_used(v6) {
            continue;
        }
        let mut refused = Vec::new();
        for path in [PacketPath::Input, PacketPath::Output] {
            if loaded.filters_at(hook_of(path), v6).is_empty() {
                continue;
            }
            let Some(outcome) = end_of_half(loaded, path, &on_loopback(loaded, path, v6)) else {
                continue;
            };
            match outcome.end {
                End::Dropped | End::Rejected => refused.push((path, outcome)),
                End::Accepted => findings.extend(too_late(loaded, path, v6, &outcome)),
                End::Queued | End::Unknown => {}
            }
        }
        if refused.is_empty() {
            continue;
        }
        // One table for both families, and one rule that mends both.
        let same = kept_out.iter_mut().find(|one| one.ends_alike(&refused));
        match same {
            Some(one) => one.families.push(v6),
            None => kept_out.push(Refused {
                families: vec![v6],
                by: refused,
            }),
        }
    }
    findings.extend(kept_out.iter().map(|refused| not_accepted(loaded, refused)));
    findings
}

/// Loopback traffic that certainly does not pass.
struct Refused {
    /// Whether IPv6; one or both.
    families: Vec<bool>,
    by: Vec<(PacketPath, Outcome)>,
}

impl Refused {
    fn ends_alike(&self, other: &[(PacketPath, Outcome)]) -> bool {
        let decisions = |all: &[(PacketPath, Outcome)]| -> Vec<_> {
            let decision = |(path, one): &(PacketPath, Outcome)| (*path, one.end, one.by);
            all.iter().map(decision).collect()
        };
        decisions(&self.by) == decisions(other)
    }
}

fn hook_of(path: PacketPath) -> Hook {
    if path == PacketPath::Output {
        Hook::Output
    } else {
        Hook::Input
    }
}

/// How one half of the way ends, out or in, if that is certain: as if the other half let all pass.
fn end_of_half(loaded: &LoadedRules, path: PacketPath, packet: &Packet) -> Option<Outcome> {
    let outward = |hook: Hook| matches!(hook, Hook::Output | Hook::Postrouting | Hook::Egress);
    let mut supposed = Assumptions::default();
    for (table, text) in loaded.firewall.tables.iter().enumerate() {
        for (chain, text) in text.chains.iter().enumerate() {
            let Some(base) = &text.base else { continue };
            if outward(base.hook) == (path == PacketPath::Output) {
                continue;
            }
            supposed.policies.insert((table, chain), Policy::Accept);
            let rules = 0..text.rules.len();
            let rules = rules.map(|rule| RuleAt { table, chain, rule });
            supposed.without.extend(rules);
        }
    }
    let evaluation = loaded.evaluate_supposing(packet, RecordLevel::Nothing, &supposed);
    evaluation.certain()?;
    evaluation.outcomes.into_iter().next()
}

fn on_loopback(loaded: &LoadedRules, path: PacketPath, v6: bool) -> Packet {
    let own: IpAddr = if v6 {
        Ipv6Addr::LOCALHOST.into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    };
    let listeners = loaded.surroundings.listeners.iter().flatten();
    let port = listeners
        .filter(|listener| listener.protocol == TCP && listener.address == own)
        .map(|listener| listener.port)
        .min()
        .unwrap_or(6_011);
    let mut packet = Packet::new(path)
        .from(own)
        .to(own)
        .with(Field::L4Proto, TCP)
        .with(Field::SrcPort, 40_000_u16)
        .with(Field::DstPort, port)
        .with(Field::TcpFlags, 2_u8)
        .with(Field::CtState, ct_state::NEW);
    match path {
        PacketPath::Output => packet.output = PacketInterface::named("lo"),
        _ => packet.input = PacketInterface::named("lo"),
    }
    packet.settle(&loaded.surroundings)
}

fn not_accepted(loaded: &LoadedRules, Refused { families, by }: &Refused) -> Finding {
    let refused = by.as_slice();
    let v6 = families.contains(&true) && families.len() == 1;
    let word = match refused {
        [(_, outcome), ..] if outcome.end == End::Rejected => "rejected",
        _ => "dropped",
    };
    let (family, address) = match families.as_slice() {
        [true] => ("IPv6", "::1"),
        [false] => ("IPv4", "127.0.0.1"),
        _ => ("traffic", "127.0.0.1 and ::1"),
    };
    let side = match refused {
        [(PacketPath::Output, _)] => "on the way out",
        [_] => "on the way in",
        _ => "on the way out and in",
    };
    let commands = refused
        .iter()
        .flat_map(|(path, outcome)| first_rule(loaded, *path, v6, outcome.by))
        .collect();
    finding(
        &PAGE,
        format!("{family} to this machine itself ({address}) is {word} {side}"),
        "programs here cannot reach each other: resolver, database, mail filter and X forwarding fail in ways that do not look like a firewall",
    )
    .shown_by(refused.iter().flat_map(|(_, outcome)| loaded.show_decider(outcome.by)))
    .mend("Accept loopback before anything else", commands)
}

fn too_late(
    loaded: &LoadedRules,
    path: PacketPath,
    v6: bool,
    outcome: &Outcome,
) -> Option<Finding> {
    let Decider::Rule(at) = outcome.by else {
        return None;
    };
    let (table, chain) = (loaded.table(at)?, loaded.chain(at)?);
    if chain
        .base
        .as_ref()
        .is_none_or(|base| base.hook != hook_of(path))
    {
        return None;
    }
    let dropped = dropped_before(loaded, path, v6, at);
    if dropped.is_empty() && at.rule < EARLY {
        return None;
    }
    let name = full_name(table, chain);
    let number = at.rule + 1;
    let found = if dropped.is_empty() {
        finding(
            &PAGE,
            format!("{name} accepts loopback only at rule {number}"),
            "every packet that programs here send each other is compared with all the rules before it",
        )
        .with_severity(Severity::Note)
        .shown_by([loaded.show_rule(at)])
    } else {
        finding(
            &PAGE,
            format!("{name} drops some loopback packets before rule {number} accepts the rest"),
            "programs here cannot reach each other on what the earlier rules drop",
        )
        .with_severity(Severity::Warning)
        .shown_by(dropped)
        .shown_by([loaded.show_rule(at)])
    };
    Some(found.mend(
        "Accept loopback before anything else",
        first_rule(loaded, path, v6, outcome.by),
    ))
}

/// Earlier rules of the chain that drop new packets which programs here send each other.
fn dropped_before(
    loaded: &LoadedRules,
    path: PacketPath,
    v6: bool,
    accepts: RuleAt,
) -> Vec<Evidence> {
    let Some(chain) = loaded.chain(accepts) else {
        return Vec::new();
    };
    let base = on_loopback(loaded, path, v6);
    let mut evidence = Vec::new();
    let mut tried = 0;
    for (rule, words) in chain.rules.iter().enumerate().take(accepts.rule) {
        let drops = words.statements.iter().any(|statement| {
            matches!(
                statement,
                Statement::Verdict(Verdict::Drop | Verdict::Reject { .. })
            )
        });
        if !drops {
            continue;
        }
        tried += 1;
        if tried > MOST_TRIED {
            break;
        }
        // Only protocol and ports are taken from the rule: the packet stays on loopback, between
        // the loopback address and itself, and new.
        let asked = as_the_rule_asks(Packet::new(path), words);
        let mut packet = base.clone();
        for field in [Field::L4Proto, Field::SrcPort, Field::DstPort] {
            if let Some(number) = asked.known(field) {
                packet = packet.with(field, number);
            }
        }
        let by = Decider::Rule(RuleAt { rule, ..accepts });
        let packet = packet.settle(&loaded.surroundings);
        if end_of_half(loaded, path, &packet).is_some_and(|end| end.by == by) {
            evidence.push(loaded.show_rule(RuleAt { rule, ..accepts }));
            if evidence.len() >= 4 {
                break;
            }
        }
    }
    evidence
}

fn first_rule(loaded: &LoadedRules, path: PacketPath, v6: bool, by: Decider) -> Vec<String> {
    let Some((t, c)) = loaded.base_of(by, hook_of(path), v6) else {
        return Vec::new();
    };
    let table = &loaded.firewall.tables[t];
    let (iptables, nft) = if path == PacketPath::Output {
        ("-o lo -j ACCEPT", "oif lo accept")
    } else {
        ("-i lo -j ACCEPT", "iif lo accept")
    };
    add_rule(table, &table.chains[c], Some(0), iptables, nft)
}
