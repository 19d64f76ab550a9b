//! What is left after `iptables -F`: no host gets in, or every host does.

use std::collections::BTreeSet;

use surefoot_report::{Evidence, Finding, Page, Severity};

use super::evidence::{FindingExt, MOST_SHOWN, counted_noun, finding, full_name};
use super::policy_drop::{cuts_off, decides_all, leads_to_policy};
use super::probe::{TCP, UDP, is_filter};
use crate::LoadedRules;
use crate::commands::{iptables_program, nft_checked, program_name, quoted};
use surefoot_netfilter::Listener;
use surefoot_ruleset::model::{Backend, Chain, Hook, Policy, Table};

pub(super) const PAGE: Page = Page {
    code: "FW002",
    title: "what a flush leaves behind",
    severity: Severity::High,
    text: "\
## What it is
A flush (`iptables -F`, `nft flush chain`) deletes rules and keeps policies. What is left is the
policy, for every packet: with DROP nothing gets in, with ACCEPT everything does. This finding
tells which of the two it would be here, and for which ports.

## Why it matters
Flushing is the first line of many scripts and the first reflex of many people. With policy DROP
it cuts off the connection in which it is typed, even where the last rule drops as well. With
policy ACCEPT the machine stays in reach, which is the better of the two, but every port that
only the rules keep shut is open until they are loaded again.

## How to see it yourself
    iptables -S | grep -e ^-P
    ss -ltnu                                     what would be reachable without rules

## How to mend it
Do not flush at all. Load the whole new set in one step, which the kernel does atomically:
    iptables-restore --test < NEW && iptables-restore < NEW
    nft -c -f NEW && nft -f NEW                  with `flush ruleset` as its first line
Where the last rule of a chain decides everything, the policy is never reached: set it to ACCEPT,
which changes nothing now and keeps the way in open later. Let services that are not meant for
others listen on 127.0.0.1; then no firewall has to keep them shut.

## When it is fine
A note, not a fault, where the policy is ACCEPT and the last rule refuses: that is what FW001
asks for. It tells what relies on the rules alone.
",
};

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for table in &loaded.firewall.tables {
        for chain in &table.chains {
            // Without an explicit last rule it is FW001.
            if cuts_off(table, chain) && chain.rules.last().is_some_and(decides_all) {
                findings.push(shutting_finding(loaded, table, chain));
            }
        }
    }
    findings.extend(opening_finding(loaded));
    findings
}

fn shutting_finding(loaded: &LoadedRules, table: &Table, chain: &Chain) -> Finding {
    let name = full_name(table, chain);
    let is_iptables = table.backend.is_iptables();
    let policy = if is_iptables {
        vec![format!(
            "{} -P {} ACCEPT",
            iptables_program(table),
            quoted(&chain.name)
        )]
    } else {
        nft_checked(&format!(
            "chain {} {} {} {{ policy accept; }}",
            table.family.word(),
            table.name,
            chain.name
        ))
    };
    let last = chain.rules.last().map(|rule| {
        let words = loaded.firewall.text(rule.place).trim().to_owned();
        loaded.at(rule.place, words, rule.counters.map(|it| it.packets))
    });
    let found = finding(
        &PAGE,
        format!("a flush of {name} leaves its policy, which drops everything"),
        "flushing the rules would lock you out, although the last rule does what the policy does",
    )
    .with_severity(if is_iptables {
        Severity::High
    } else {
        Severity::Note
    })
    .shown_by([loaded.show_policy(table, chain)])
    .shown_by(last);
    if chain.rules.iter().any(leads_to_policy) {
        return found.mend(
            "Load whole rule sets and never flush; the policy has to stay, as RETURN or a goto in this chain leads to it",
            vec![format!(
                "{} > /root/rules.before && {} --test < /root/rules.before",
                program_name(table, "-save"),
                program_name(table, "-restore")
            )],
        );
    }
    found.mend(
        "Let the policy accept: the last rule decides everything, so nothing changes now",
        policy,
    )
}

/// Ports that only rules keep shut, where a flush of iptables leaves ACCEPT.
fn opening_finding(loaded: &LoadedRules) -> Option<Finding> {
    let listeners = loaded.surroundings.listeners.as_ref()?;
    if !loaded.surroundings.live {
        return None;
    }
    let mut ports: BTreeSet<(u8, u16)> = BTreeSet::new();
    let doors = loaded.outer_interfaces();
    let is_exposed = |listener: &&Listener| {
        matches!(listener.protocol, TCP | UDP)
            && listener.has_listeners(false)
            && listener.answers_outside(&doors)
    };
    for listener in listeners.iter().filter(is_exposed) {
        ports.insert((listener.protocol, listener.port));
    }
    let table = guarding_table(loaded)?;
    let shut: Vec<(u8, u16)> = ports
        .into_iter()
        .filter(|port| !loaded.surroundings.maybe_clients.contains(port))
        .take(32)
        .filter(|(protocol, port)| loaded.port_access(false, *protocol, *port).closed.is_some())
        .collect();
    if shut.is_empty() {
        return None;
    }
    let program_of = |(protocol, port): (u8, u16)| {
        listeners
            .iter()
            .filter(is_exposed)
            .find(|listener| (listener.protocol, listener.port) == (protocol, port))
            .and_then(|listener| listener.program.as_deref())
            .unwrap_or("a program")
    };
    let evidence: Vec<Evidence> = shut
        .iter()
        .take(MOST_SHOWN)
        .map(|(protocol, port)| {
            let word = if *protocol == TCP { "tcp" } else { "udp" };
            let program = program_of((*protocol, *port));
            loaded.kernel_evidence(format!("{program} on {word} port {port}"))
        })
        .collect();
    let found = finding(
        &PAGE,
        format!(
            "a flush would open {} that only the rules keep shut",
            counted_noun(shut.len(), "port")
        ),
        "between a flush and the next load, any host reaches them",
    )
    .with_severity(Severity::Note)
    .shown_by(evidence);
    Some(found.mend(
        "Keep a copy, and load whole rule sets in one step instead of flushing",
        vec![format!(
            "{} > /root/rules.before && {} --test < /root/rules.before",
            program_name(table, "-save"),
            program_name(table, "-restore")
        )],
    ))
}

/// The iptables table that alone guards INPUT, with policy ACCEPT.
fn guarding_table(loaded: &LoadedRules) -> Option<&Table> {
    let mut guard = None;
    for (t, c) in loaded.filters_at(Hook::Input, false) {
        let table = &loaded.firewall.tables[t];
        let chain = &table.chains[c];
        let drops = chain.base.as_ref()?.policy == Policy::Drop;
        if drops || (table.backend == Backend::Nft && !chain.rules.is_empty()) {
            return None;
        }
        if table.backend.is_iptables() && table.name == "filter" && is_filter(chain, Hook::Input) {
            guard = Some(table);
        }
    }
    guard
}
