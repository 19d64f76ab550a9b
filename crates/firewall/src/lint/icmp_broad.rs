//! ICMP let in whatever its type.

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, finding, full_name};
use super::probe::{ICMP, ICMPV6};
use crate::LoadedRules;
use crate::commands::add_rule;
use crate::makers;
use surefoot_netfilter::semantics::Decider;
use surefoot_ruleset::model::{Field, Match, Rule, RuleAt, Statement};

pub(super) const PAGE: Page = Page {
    code: "FW005",
    title: "ICMP is accepted whatever its type",
    severity: Severity::Note,
    text: "\
## What it is
One rule accepts every ICMP message from any host, in a rule set that otherwise lets in only
what it names.

## Why it matters
A few types are needed, most are not. Needed are the errors about the machine's own connections,
which conntrack calls RELATED and an earlier rule accepts already, and the echo request if the
machine is to answer ping. Not needed are timestamp and address mask requests, which tell a
stranger the machine's clock and network, redirects, which ask it to send its traffic elsewhere,
and for IPv6 router renumbering and node information queries.

## How to see it yourself
    iptables -S INPUT | grep -w icmp
    nping --icmp --icmp-type 13 HOST            from another machine

## How to mend it
Name the types, and bound the rate of the echo request:
    iptables -A INPUT -p icmp --icmp-type echo-request -m limit --limit 10/s -j ACCEPT
    iptables -A INPUT -p icmp --icmp-type fragmentation-needed -j ACCEPT
Insert the new rules before the broad one, then delete that. Do not simply delete it: see FW006
for the types that must get through. IPv6 needs more of them than IPv4.

## When it is fine
Inside a network that you trust. It is a small leak, not a hole; far better than to drop all
ICMP, which breaks connections.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for v6 in [false, true] {
        if !loaded.closed_by_default(v6) {
            continue;
        }
        let (protocol, field, types): (u8, Field, &[u8]) = if v6 {
            (ICMPV6, Field::Icmp6Type, &[138, 139])
        } else {
            (ICMP, Field::IcmpType, &[13, 17])
        };
        let by: Vec<RuleAt> = types
            .iter()
            .filter_map(|kind| {
                let access = loaded.access_from_outside(v6, |door, from| {
                    let code = if v6 {
                        Field::Icmp6Code
                    } else {
                        Field::IcmpCode
                    };
                    loaded
                        .opening_packet(door, from, protocol, 0)
                        .with(field, *kind)
                        .with(code, 0_u8)
                });
                match access.open?.by {
                    Decider::Rule(at) => Some(at),
                    _ => None,
                }
            })
            .collect();
        let Some(at) = by.first().copied() else {
            continue;
        };
        if by.len() == types.len()
            && by.iter().all(|other| *other == at)
            && loaded
                .rule(at)
                .is_some_and(|rule| names_icmp_only(rule, field))
        {
            findings.extend(rule_finding(loaded, at, v6));
        }
    }
    findings
}

/// A rule about ICMP, but not about a type.
fn names_icmp_only(rule: &Rule, field: Field) -> bool {
    let asks = |wanted: Field| {
        rule.statements.iter().any(|statement| {
            matches!(statement, Statement::Match(Match::Field { operand, .. }) if operand.field == wanted)
        })
    };
    (asks(Field::L4Proto) || asks(Field::Ip4Protocol) || asks(Field::Ip6NextHeader)) && !asks(field)
}

fn rule_finding(loaded: &LoadedRules, at: RuleAt, v6: bool) -> Option<Finding> {
    let (table, chain) = (loaded.table(at)?, loaded.chain(at)?);
    if makers::of_chain(table, chain).is_some() {
        return None;
    }
    let words: &[(&str, &str)] = if v6 {
        &[
            (
                "-p icmpv6 --icmpv6-type packet-too-big -j ACCEPT",
                "icmpv6 type packet-too-big accept",
            ),
            (
                "-p icmpv6 --icmpv6-type neighbour-solicitation -j ACCEPT",
                "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } accept",
            ),
            (
                "-p icmpv6 --icmpv6-type neighbour-advertisement -j ACCEPT",
                "",
            ),
            ("-p icmpv6 --icmpv6-type router-advertisement -j ACCEPT", ""),
            (
                "-p icmpv6 --icmpv6-type echo-request -m limit --limit 10/s -j ACCEPT",
                "icmpv6 type echo-request limit rate 10/second accept",
            ),
        ]
    } else {
        &[
            (
                "-p icmp --icmp-type fragmentation-needed -j ACCEPT",
                "icmp type destination-unreachable accept",
            ),
            (
                "-p icmp --icmp-type echo-request -m limit --limit 10/s -j ACCEPT",
                "icmp type echo-request limit rate 10/second accept",
            ),
        ]
    };
    let iptables = table.backend.is_iptables();
    let commands = words
        .iter()
        .filter(|(_, nft)| iptables || !nft.is_empty())
        .flat_map(|(words, nft)| add_rule(table, chain, Some(at.rule), words, nft))
        .collect();
    let name = full_name(table, chain);
    let family = if v6 { "ICMPv6" } else { "ICMP" };
    Some(
        finding(
            &PAGE,
            format!("{name} accepts {family} of every type from any host"),
            if v6 {
                "strangers may send router renumbering and node information queries as well"
            } else {
                "strangers may ask for the clock and the address mask, and send as many echo requests as they like"
            },
        )
        .shown_by([loaded.show_rule(at)])
        .mend(
            "Accept the types that are needed before the broad rule, which can then be deleted",
            commands,
        ),
    )
}
