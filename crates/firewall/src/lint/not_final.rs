//! An accept in one base chain, and a drop of the same packet in the next.

use std::collections::BTreeMap;

use surefoot_report::{Finding, Page, Severity};

use super::evidence::{FindingExt, MOST_SHOWN, counted_noun, finding, full_name};
use super::probe::{TCP, as_the_rule_asks, stranger_addresses};
use crate::LoadedRules;
use crate::makers;
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::{Decider, End, EventKind, RecordLevel};
use surefoot_ruleset::model::{Field, Hook, Rule, RuleAt, Statement, Table, Verdict};

pub(super) const PAGE: Page = Page {
    code: "FW016",
    title: "an accept that is not final",
    severity: Severity::Warning,
    text: "\
## What it is
Several base chains stand at the same hook: of two nft tables, of nft and iptables, of iptables
and firewalld. A packet passes them one after the other, in the order of their priority.
`accept` ends only the chain in which it stands; `drop` is final wherever it stands. Here one
chain accepts a packet and a later one drops it.

## Why it matters
The rule that opens the port is there, its counter counts, and the port is shut all the same.
Two programs that each believe to be the firewall of the machine are the usual cause. Priorities
do not help: to accept earlier does not accept more.

## How to see it yourself
    nft list ruleset | grep -e 'hook' -e 'table'
    surefoot firewall explain PACKET             follows it through all chains
    nft monitor trace                            after `meta nftrace set 1` for a test packet

## How to mend it
Decide which table is the firewall and open the port there; the other should let pass what it
has no opinion on, with policy accept and only the drops that it is for. If one of the two
belongs to a program, open the port with that program's own command: `firewall-cmd --add-port`,
`ufw allow`.

## When it is fine
If the later table is there to take away from what the first one allows: a list of banned
addresses, say. A drop for addresses in a list is not reported, as an ordinary stranger is not
in it.
",
};

/// Accepts that are tried.
const MOST_TRIED: usize = 200;

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let several = |hook| {
        [false, true]
            .into_iter()
            .any(|v6| loaded.filters_at(hook, v6).len() > 1)
    };
    if !several(Hook::Input) {
        return Vec::new();
    }
    // What drops, and the accepts that it makes void.
    let mut found: BTreeMap<Decider, Vec<RuleAt>> = BTreeMap::new();
    let mut tried = 0;
    for (t, table) in loaded.firewall.tables.iter().enumerate() {
        if table.dormant || !filters_packets(table) {
            continue;
        }
        for (c, chain) in table.chains.iter().enumerate() {
            if makers::of_chain(table, chain).is_some() {
                continue;
            }
            for (r, rule) in chain.rules.iter().enumerate() {
                if !accepts_a_port(rule) {
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
                if let Some(by) = made_void(loaded, at, rule) {
                    found.entry(by).or_default().push(at);
                }
            }
        }
    }
    found
        .into_iter()
        .filter_map(|(by, accepts)| not_final_finding(loaded, by, &accepts))
        .collect()
}

/// Whether an accept in the table is meant to open something.
fn filters_packets(table: &Table) -> bool {
    !table.backend.is_iptables() || table.name == "filter"
}

fn accepts_a_port(rule: &Rule) -> bool {
    let asks = rule.statements.iter().any(|statement| {
        matches!(statement, Statement::Match(surefoot_ruleset::model::Match::Field { operand, negated: false, .. })
            if operand.field == Field::DstPort)
    });
    asks && rule
        .statements
        .iter()
        .any(|statement| matches!(statement, Statement::Verdict(Verdict::Accept)))
}

/// What drops a stranger's packet that this rule has accepted.
fn made_void(loaded: &LoadedRules, at: RuleAt, rule: &Rule) -> Option<Decider> {
    for v6 in [false, true] {
        let stranger = stranger_addresses(v6).first().copied()?;
        for door in loaded.outer_interfaces().iter().take(4) {
            let packet = as_the_rule_asks(loaded.opening_packet(door, stranger, TCP, 0), rule);
            if packet.is_v6() != v6 {
                continue;
            }
            let packet: Packet = packet.settle(&loaded.surroundings);
            let evaluation = loaded.evaluate(&packet, RecordLevel::Mattered);
            if !matches!(evaluation.certain(), Some(End::Dropped | End::Rejected)) {
                continue;
            }
            let accepted = evaluation.events.iter().any(|event| {
                (event.table, event.chain, event.rule) == (at.table, at.chain, Some(at.rule))
                    && event.what == EventKind::Matched
                    && event.hook == Hook::Input
            });
            if accepted {
                return Some(evaluation.outcomes.first()?.by);
            }
        }
    }
    None
}

fn not_final_finding(loaded: &LoadedRules, by: Decider, accepts: &[RuleAt]) -> Option<Finding> {
    let first = accepts.first().copied()?;
    let accepting = full_name(loaded.table(first)?, loaded.chain(first)?);
    let (table, chain) = match by {
        Decider::Rule(at) => (loaded.table(at)?, loaded.chain(at)?),
        Decider::Policy { table, chain } => {
            let table = loaded.firewall.tables.get(table)?;
            (table, table.chains.get(chain)?)
        }
        Decider::Refusal(_) | Decider::Kernel => return None,
    };
    let dropping = full_name(table, chain);
    let list = if table.backend.is_iptables() {
        format!(
            "{} -S {}",
            crate::commands::iptables_program(table),
            crate::commands::quoted(&chain.name)
        )
    } else {
        format!(
            "nft -a list chain {} {} {}",
            table.family.word(),
            table.name,
            chain.name
        )
    };
    let mut commands = vec![list];
    if let Some(words) = port_words(loaded, first) {
        let base = loaded.base_of(
            by,
            Hook::Input,
            table.family == surefoot_ruleset::model::Family::Ip6,
        )?;
        let base_table = loaded.firewall.tables.get(base.0)?;
        let base_chain = base_table.chains.get(base.1)?;
        commands.extend(crate::commands::add_rule(
            base_table,
            base_chain,
            Some(0),
            &words.0,
            &words.1,
        ));
    }
    Some(
        finding(
            &PAGE,
            format!(
                "{accepting} accepts and {dropping} drops after it: {} without effect",
                counted_noun(accepts.len(), "rule")
            ),
            "accept ends one base chain only; what these rules seem to open stays shut",
        )
        .shown_by(
            accepts
                .iter()
                .take(MOST_SHOWN - 1)
                .map(|at| loaded.show_rule(*at)),
        )
        .shown_by(loaded.show_decider(by))
        .mend(
            "Look at what drops; if the port is meant to be open, open it there too",
            commands,
        ),
    )
}

/// The rule's protocol and port in the words of both programs.
fn port_words(loaded: &LoadedRules, at: RuleAt) -> Option<(String, String)> {
    let packet = as_the_rule_asks(
        Packet::new(surefoot_netfilter::packet::PacketPath::Input),
        loaded.rule(at)?,
    );
    let protocol = match packet.known(Field::L4Proto)? {
        6 => "tcp",
        17 => "udp",
        _ => return None,
    };
    let port = packet.known(Field::DstPort)?;
    Some((
        format!("-p {protocol} --dport {port} -j ACCEPT"),
        format!("{protocol} dport {port} accept"),
    ))
}
