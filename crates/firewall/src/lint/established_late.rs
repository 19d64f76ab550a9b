//! Packets of connections that exist: most of all packets, and here they wait in the queue.

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, finding, full_name};
use super::probe::{TCP, stranger_addresses};
use crate::LoadedRules;
use crate::commands::add_rule;
use surefoot_netfilter::packet::{Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{Decider, End, EventKind, RecordLevel};
use surefoot_ruleset::model::{
    Chain, Field, Hook, Match, Rule, RuleAt, Statement, Verdict, ct_state, ct_status,
};

pub(super) const PAGE: Page = Page {
    code: "FW007",
    title: "established traffic is accepted late",
    severity: Severity::Warning,
    text: "\
## What it is
Nearly every packet belongs to a connection that was accepted when it began. A rule accepts such
packets by their state, but many other rules stand before it, and each packet is compared with
them.

## Why it matters
Rules are tried one after the other. A hundred before the one that matters cost each packet a
hundred comparisons; at a few hundred thousand packets a second that is a processor core. And a
rule among them that drops, added in a hurry, cuts connections that exist, your own included.
With the state first, a new rule only ever touches new connections.

## How to see it yourself
    iptables -L INPUT -nvx --line-numbers        which rule has most of the packets, and its number

## How to mend it
Make it the second rule, behind loopback:
    iptables -I INPUT 2 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
Then delete the old one. In nft: `ct state established,related accept`.

## When it is fine
Where rules have to end connections that exist, such as a list of banned addresses: those stand
before it with reason, as few as possible, best one rule with a set. A handful of rules costs
nothing measurable; fewer than twenty are not reported.
",
};

/// Rules that a packet may be compared with before it is accepted.
const FEW: usize = 20;
/// From here on it costs throughput.
const MANY: usize = 200;

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for v6 in [false, true] {
        for hook in [Hook::Input, Hook::Forward] {
            if !loaded.filters_at(hook, v6).is_empty() {
                findings.extend(hook_finding(loaded, hook, v6));
            }
        }
    }
    findings
}

fn established_packet(loaded: &LoadedRules, hook: Hook, v6: bool) -> Option<Packet> {
    let doors = loaded.outer_interfaces();
    let door = doors.first()?;
    let from = stranger_addresses(v6).first().copied()?;
    let mut packet = loaded
        .opening_packet(door, from, TCP, 40_000)
        .with(Field::SrcPort, 443_u16)
        .with(Field::TcpFlags, 0x10_u8)
        .with(Field::CtState, ct_state::ESTABLISHED)
        .with(
            Field::CtStatus,
            ct_status::SEEN_REPLY | ct_status::ASSURED | ct_status::CONFIRMED,
        );
    if hook == Hook::Forward {
        let other = stranger_addresses(v6).get(1).copied()?;
        packet = packet.to(other);
        packet.path = PacketPath::Forward;
        packet.output = PacketInterface::named(doors.get(1).unwrap_or(door));
    }
    Some(packet.settle(&loaded.surroundings))
}

fn hook_finding(loaded: &LoadedRules, hook: Hook, v6: bool) -> Option<Finding> {
    let packet = established_packet(loaded, hook, v6)?;
    let outcome = loaded.certain_end(&packet)?;
    let Decider::Rule(at) = outcome.by else {
        return None;
    };
    if outcome.end != End::Accepted || !asks_for_state(loaded.rule(at)?) {
        return None;
    }
    let evaluation = loaded.evaluate(&packet, RecordLevel::All);
    let looked = evaluation
        .events
        .iter()
        .filter(|event| event.hook == hook && event.rule.is_some())
        .take_while(|event| {
            (event.table, event.chain, event.rule) != (at.table, at.chain, Some(at.rule))
        })
        .filter(|event| matches!(event.what, EventKind::Matched | EventKind::Failed(_)))
        .count();
    if looked < FEW {
        return None;
    }
    let (t, c) = loaded.base_of(outcome.by, hook, v6)?;
    let table = &loaded.firewall.tables[t];
    let chain = &table.chains[c];
    let name = full_name(table, chain);
    Some(
        finding(
            &PAGE,
            format!("{name} compares established traffic with {looked} rules before it accepts it"),
            "each packet pays for all of them, and each is a place where a connection that exists can be cut",
        )
        .with_severity(if looked < MANY {
            Severity::Note
        } else {
            Severity::Warning
        })
        .shown_by([loaded.show_rule(RuleAt { ..at })])
        .mend(
            "Accept established traffic right behind loopback; then the old rule can be deleted",
            add_rule(
                table,
                chain,
                Some(usize::from(begins_with_loopback(chain))),
                "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                "ct state established,related accept",
            ),
        ),
    )
}

fn asks_for_state(rule: &Rule) -> bool {
    rule.statements.iter().any(|statement| {
        matches!(statement, Statement::Match(Match::Field { operand, .. }) if operand.field == Field::CtState)
    })
}

/// Whether the first rule accepts loopback.
pub(super) fn begins_with_loopback(chain: &Chain) -> bool {
    chain.rules.first().is_some_and(|rule| {
        let accepts = rule
            .statements
            .iter()
            .any(|statement| matches!(statement, Statement::Verdict(Verdict::Accept)));
        accepts
            && rule.statements.iter().any(|statement| {
                matches!(statement, Statement::Match(Match::InInterface { negated: false, names })
                    if names.iter().all(|name| name.text == "lo"))
            })
    })
}
