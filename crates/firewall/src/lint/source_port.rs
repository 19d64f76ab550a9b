//! Rules that let strangers in because of their source port.

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, MOST_SHOWN, counted_noun, finding, words_about_the_rest};
use super::probe::{as_the_rule_asks, stranger_addresses};
use crate::LoadedRules;
use crate::commands::{add_rule, iptables_program, nft_checked, quoted};
use crate::makers;
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::{Decider, End};
use surefoot_ruleset::model::{Field, Match, Rule, RuleAt, Statement, Verdict, ct_state};

pub(super) const PAGE: Page = Page {
    code: "FW020",
    title: "a source port is trusted",
    severity: Severity::High,
    text: "\
## What it is
A rule accepts packets because they come *from* port 53, 80, 123 and the like, whatever port
they go to. It was written to let answers in: the answer of a DNS server comes from port 53.

## Why it matters
The sender chooses the source port: any host that sends from port 53 reaches every port of this
machine, as if there were no firewall; scanners try that by habit (`nmap --source-port 53`).

## How to see it yourself
    iptables -S INPUT | grep -e --sport
    nmap -Pn --source-port 53 HOST              from another machine, as root

## How to mend it
Answers need no rule of their own: conntrack knows which packets belong to a question that was
asked from here. Have one rule near the top that accepts them, and delete the rules on source
ports:
    iptables -I INPUT 1 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
A few protocols answer from elsewhere: a DHCP client is answered from port 67 to port 68; name
both ports then, the destination above all.

## When it is fine
In a rule that also names the destination port or the peer's address, or asks for the state
ESTABLISHED; such rules are not reported. In OUTPUT a source port is this machine's own.
",
};

/// Rules that are tried.
const MOST_TRIED: usize = 200;

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut found: Vec<(RuleAt, bool)> = Vec::new();
    let mut tried = 0;
    for (t, table) in loaded.firewall.tables.iter().enumerate() {
        for (c, chain) in table.chains.iter().enumerate() {
            if table.dormant || makers::of_chain(table, chain).is_some() {
                continue;
            }
            for (r, rule) in chain.rules.iter().enumerate() {
                if !trusts_source_port(rule) {
                    continue;
                }
                tried += 1;
                if tried > MOST_TRIED {
                    break;
                }
                let at = RuleAt {
                    table: t,
                    chain: c,
                    rule: r,
                };
                if let Some(v6) = [false, true]
                    .into_iter()
                    .find(|v6| lets_in(loaded, at, rule, *v6))
                {
                    found.push((at, v6));
                }
            }
        }
    }
    let Some((first, _)) = found.first().copied() else {
        return Vec::new();
    };
    let mut report = finding(
        &PAGE,
        format!(
            "{} {} packets because of the port that they come from",
            counted_noun(found.len(), "rule"),
            if found.len() == 1 { "accepts" } else { "accept" }
        ),
        "any host that sends from that port reaches ports of this machine that are otherwise closed",
    )
    .shown_by(found.iter().take(MOST_SHOWN).map(|(at, _)| loaded.show_rule(*at)));
    if let Some(commands) = answer_commands(loaded, first) {
        report = report.mend(
            format!(
                "Let conntrack say what is an answer, then delete the rule{}",
                words_about_the_rest(found.len())
            ),
            commands,
        );
    }
    vec![report]
}

fn trusts_source_port(rule: &Rule) -> bool {
    let accepts = rule
        .statements
        .iter()
        .any(|statement| matches!(statement, Statement::Verdict(Verdict::Accept)));
    let mut source = false;
    for statement in &rule.statements {
        let Statement::Match(Match::Field {
            operand,
            negated,
            ranges,
        }) = statement
        else {
            continue;
        };
        let few = || {
            ranges
                .iter()
                .map(|range| range.hi.saturating_sub(range.lo).saturating_add(1))
                .fold(0_u128, u128::saturating_add)
                <= 256
        };
        match operand.field {
            Field::SrcPort if !negated && few() => source = true,
            // The own port is named, or the peer: spoofing apart, no other host gets in.
            Field::DstPort | Field::Ip4Src | Field::Ip6Src if !negated && few() => return false,
            Field::CtState if operand.mask.is_none() => {
                let new = ranges.iter().any(|range| range.contains(ct_state::NEW));
                if new == *negated {
                    return false;
                }
            }
            _ => {}
        }
    }
    accepts && source
}

/// Whether a stranger gets to an unlikely port by this rule, and not from another source port.
fn lets_in(loaded: &LoadedRules, at: RuleAt, rule: &Rule, v6: bool) -> bool {
    let Some(stranger) = stranger_addresses(v6).first().copied() else {
        return false;
    };
    loaded.outer_interfaces().iter().take(4).any(|door| {
        let protocol = 17;
        let packet = as_the_rule_asks(
            loaded.opening_packet(door, stranger, protocol, 64_999),
            rule,
        );
        // The destination is ours to choose, within what the rule allows.
        let port = match packet.known(Field::DstPort) {
            Some(port) if port >= 1024 => port,
            _ => 64_999,
        };
        let packet = packet.with(Field::DstPort, port);
        if packet.is_v6() != v6 {
            return false;
        }
        let end = |packet: Packet| loaded.certain_end(&packet.settle(&loaded.surroundings));
        let by_rule = end(packet.clone())
            .is_some_and(|end| end.end == End::Accepted && end.by == Decider::Rule(at));
        by_rule
            && end(packet.with(Field::SrcPort, 40_001_u16))
                .is_some_and(|end| matches!(end.end, End::Dropped | End::Rejected))
    })
}

fn answer_commands(loaded: &LoadedRules, at: RuleAt) -> Option<Vec<String>> {
    let (table, chain, rule) = (loaded.table(at)?, loaded.chain(at)?, loaded.rule(at)?);
    let mut commands = add_rule(
        table,
        chain,
        Some(at.rule),
        "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        "ct state established,related accept",
    );
    if table.backend.is_iptables() {
        let number = at.rule + 2;
        commands.push(format!(
            "{} -D {} {number}",
            iptables_program(table),
            quoted(&chain.name)
        ));
    } else if let Some(handle) = rule.handle {
        commands.extend(nft_checked(&format!(
            "delete rule {} {} {} handle {handle}",
            table.family.word(),
            table.name,
            chain.name
        )));
    }
    Some(commands)
}
