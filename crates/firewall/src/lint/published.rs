//! Ports of containers, which strangers reach by FORWARD whatever INPUT says.

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, MOST_SHOWN, finding};
use super::probe::{TCP, as_the_rule_asks, is_filter, reaches_chain, stranger_addresses};
use crate::LoadedRules;
use crate::commands::{add_rule, quoted};
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::{Assumptions, Decider, End, EventKind, Outcome, RecordLevel};
use surefoot_ruleset::model::{Field, Hook, Match, NatKind, Rule, RuleAt, Statement, Verdict};

pub(super) const PAGE: Page = Page {
    code: "FW015",
    title: "published container ports bypass INPUT",
    severity: Severity::High,
    text: "\
## What it is
`docker run -p 8080:80` and its like write a rule into the nat table that sends what arrives at
port 8080 on to the container. This happens in PREROUTING, before the packet is routed: it then
goes through FORWARD, and INPUT never sees it. The rules in INPUT, and with them ufw's and most
people's, shut the port in vain.

## Why it matters
A database that was published to be used from this machine is open to the world, on a host whose
firewall says that only SSH is. It is the most common way to lose a database.

## How to see it yourself
    iptables -t nat -S | grep DNAT
    docker ps --format '{{.Names}} {{.Ports}}'   0.0.0.0:8080->80/tcp is open to all
    nc -vz HOST 8080                             from another machine

## How to mend it
Best, publish on loopback where only this machine needs the port: `-p 127.0.0.1:8080:80`, in
compose files `\"127.0.0.1:8080:80\"`. Otherwise filter in the chain DOCKER-USER, which is
traversed first and which docker never overwrites. There the destination is rewritten already, so
match on the port that the sender wrote, as conntrack keeps it:
    iptables -I DOCKER-USER -i eth0 -p tcp -m conntrack --ctorigdstport 8080 --ctdir ORIGINAL
      ! -s 192.0.2.0/24 -j DROP
Save that rule where your others are loaded from: docker keeps the chain but not what is in it.

## When it is fine
For ports that are meant to be public: a web server in a container has to be reached.
",
};

/// Published ports that are tried.
const MOST_TRIED: usize = 128;

struct PublishedPort {
    protocol: u8,
    port: u16,
    rule: RuleAt,
    /// What lets it through.
    by: Outcome,
    certain: bool,
}

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut found: Vec<PublishedPort> = Vec::new();
    let mut tried = 0;
    for (t, table) in loaded.firewall.tables.iter().enumerate() {
        if table.dormant {
            continue;
        }
        for (c, chain) in table.chains.iter().enumerate() {
            for (r, rule) in chain.rules.iter().enumerate() {
                let Some((protocol, port)) = published_port(rule) else {
                    continue;
                };
                tried += 1;
                if tried > MOST_TRIED {
                    break;
                }
                let at = RuleAt {
                    table: t,
                    chain: c,
                    rule: r,
                };
                if found
                    .iter()
                    .all(|other| (other.protocol, other.port) != (protocol, port))
                {
                    found.extend(bypass_of(loaded, at, rule, protocol, port));
                }
            }
        }
    }
    if found.is_empty() {
        return Vec::new();
    }
    vec![published_finding(loaded, &found)]
}

/// The protocol and port of a rule that sends a port of this host elsewhere.
fn published_port(rule: &Rule) -> Option<(u8, u16)> {
    rule.statements.iter().find(|statement| {
        matches!(statement, Statement::Verdict(Verdict::Nat(nat))
            if nat.kind == NatKind::Dnat && nat.addresses.is_some_and(|(to, _)| !to.is_loopback()))
    })?;
    let number = |wanted: Field| {
        rule.statements
            .iter()
            .find_map(|statement| match statement {
                Statement::Match(Match::Field {
                    operand,
                    negated: false,
                    ranges,
                }) if operand.field == wanted && operand.mask.is_none() => Some(ranges.first()?.lo),
                _ => None,
            })
    };
    let protocol = number(Field::L4Proto).and_then(|number| u8::try_from(number).ok())?;
    let port = number(Field::DstPort).and_then(|number| u16::try_from(number).ok())?;
    Some((protocol, port))
}

/// Whether a stranger gets through by this rule, whom INPUT would have kept out without it.
fn bypass_of(
    loaded: &LoadedRules,
    at: RuleAt,
    rule: &Rule,
    protocol: u8,
    port: u16,
) -> Option<PublishedPort> {
    for v6 in [false, true] {
        let stranger = stranger_addresses(v6).first().copied()?;
        for door in loaded.outer_interfaces().iter().take(4) {
            let packet =
                as_the_rule_asks(loaded.opening_packet(door, stranger, protocol, port), rule);
            if packet.is_v6() != v6 {
                continue;
            }
            let packet = packet.settle(&loaded.surroundings);
            let evaluation = loaded.evaluate(&packet, RecordLevel::Mattered);
            let rewritten = evaluation.events.iter().any(|event| {
                (event.table, event.chain, event.rule) == (at.table, at.chain, Some(at.rule))
                    && matches!(event.what, EventKind::Matched | EventKind::Rewritten(_))
            });
            let through = evaluation.outcomes.iter().find(|outcome| {
                outcome.end == End::Accepted && passes_forward(loaded, outcome.by, at, v6)
            });
            if let (true, Some(by)) = (rewritten, through)
                && shut_without(loaded, &packet, at)
            {
                return Some(PublishedPort {
                    protocol,
                    port,
                    rule: at,
                    by: by.clone(),
                    certain: evaluation.certain() == Some(End::Accepted),
                });
            }
        }
    }
    None
}

/// Whether what accepted stands at the forward hook, or nothing filters there.
fn passes_forward(loaded: &LoadedRules, by: Decider, nat: RuleAt, v6: bool) -> bool {
    match by {
        Decider::Rule(at) if at == nat => loaded.filters_at(Hook::Forward, v6).is_empty(),
        Decider::Rule(at) => loaded.table(at).is_some_and(|table| {
            let from =
                |hook| {
                    table.chains.iter().enumerate().any(|(c, chain)| {
                        is_filter(chain, hook) && reaches_chain(table, c, at.chain)
                    })
                };
            from(Hook::Forward) && !from(Hook::Input)
        }),
        Decider::Policy { table, chain } => loaded
            .firewall
            .tables
            .get(table)
            .and_then(|table| table.chains.get(chain))
            .is_some_and(|chain| is_filter(chain, Hook::Forward)),
        Decider::Refusal(_) | Decider::Kernel => true,
    }
}

fn shut_without(loaded: &LoadedRules, packet: &Packet, nat: RuleAt) -> bool {
    let mut supposed = Assumptions::default();
    supposed.without.insert(nat);
    let evaluation = loaded.evaluate_supposing(packet, RecordLevel::Nothing, &supposed);
    matches!(evaluation.certain(), Some(End::Dropped | End::Rejected))
}

fn published_finding(loaded: &LoadedRules, found: &[PublishedPort]) -> Finding {
    let name = |one: &PublishedPort| {
        let word = if one.protocol == TCP { "tcp" } else { "udp" };
        format!("{}/{word}", one.port)
    };
    let mut names: Vec<String> = found.iter().take(MOST_SHOWN).map(name).collect();
    if found.len() > MOST_SHOWN {
        names.push(format!("{} more", found.len() - MOST_SHOWN));
    }
    let mine = loaded
        .surroundings
        .session
        .map(|session| session.server_port);
    let commands = found
        .iter()
        .filter(|one| Some(one.port) != mine)
        .take(MOST_SHOWN)
        .flat_map(|one| refusing_commands(loaded, one))
        .collect();
    finding(
        &PAGE,
        format!("open to strangers although INPUT is shut: {}", names.join(", ")),
        "packets to these ports are forwarded to containers and never reach INPUT; rules there, and ufw's, do not apply",
    )
    .possibly(!found.iter().any(|one| one.certain))
    .shown_by(found.iter().take(MOST_SHOWN).map(|one| loaded.show_rule(one.rule)))
    .shown_by(found.iter().take(1).flat_map(|one| loaded.show_decider(one.by.by)))
    .mend(
        "Drop packets from strangers before they are forwarded, unless the port is meant to be public; publish on 127.0.0.1 what only this machine uses",
        commands,
    )
}

fn refusing_commands(loaded: &LoadedRules, one: &PublishedPort) -> Vec<String> {
    let door = loaded
        .default_interface()
        .map(|name| format!("-i {} ", quoted(name)))
        .unwrap_or_default();
    let nft_door = loaded
        .default_interface()
        .map(|name| format!("iifname {} ", quoted(name)))
        .unwrap_or_default();
    let protocol = if one.protocol == TCP { "tcp" } else { "udp" };
    let port = one.port;
    let words =
        format!("{door}-p {protocol} -m conntrack --ctorigdstport {port} --ctdir ORIGINAL -j DROP");
    let nft_words = format!(
        "{nft_door}meta l4proto {protocol} ct direction original ct original proto-dst {port} drop"
    );
    let v6 = loaded
        .table(one.rule)
        .is_some_and(|table| table.family == surefoot_ruleset::model::Family::Ip6);
    let Some((t, c)) = loaded.base_of(one.by.by, Hook::Forward, v6) else {
        return Vec::new();
    };
    let table = &loaded.firewall.tables[t];
    let chain = match table.chain("DOCKER-USER") {
        Some((_, chain)) => chain,
        None => &table.chains[c],
    };
    add_rule(table, chain, Some(0), &words, &nft_words)
}
