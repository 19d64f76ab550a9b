//! Compares the evaluators on one rule set: all packets at once against one packet after another,
//! and against the look-up. They share no code beyond the order of hooks.
//!
//! Packets are drawn from the sets that the exact one found: what each rule matches, and each end.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files"
)]

use std::collections::BTreeSet;
use std::path::Path as File;

use surefoot_netfilter::exact::{
    AskedPackets, Budget, Exact, Exhausted, Packets, SymbolicQuestion,
};
use surefoot_netfilter::lookup::CompiledRules;
use surefoot_netfilter::packet::{Packet, PacketPath};
use surefoot_netfilter::semantics::{Decider, End, RecordLevel, RuleIndex, evaluate};
use surefoot_netfilter::traffic::Traffic;
use surefoot_netfilter::{Interface, Route, Surroundings};
use surefoot_ruleset::model::{Family, Firewall, RuleAt};
use surefoot_ruleset::{Input, load};

/// Packets from each set.
const FROM_A_SET: usize = if cfg!(debug_assertions) { 2 } else { 4 };
/// Sets of rules that are drawn from, of each rule set.
const RULES: usize = if cfg!(debug_assertions) { 20 } else { 60 };
/// Larger rule sets take too long without optimisation.
const MOST_RULES: usize = if cfg!(debug_assertions) { 120 } else { 10_000 };

/// Counts of what was compared.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) packets: usize,
    /// Packets that the look-up answers for, too.
    pub(crate) looked_up: usize,
    /// Packets of which the slower evaluator leaves more open.
    wider: usize,
    /// Questions that the budget did not suffice for.
    pub(crate) exhausted: Vec<String>,
}

/// Compares the evaluators on the rule set in a file; panics where they differ.
pub(crate) fn compare(file: &File, tally: &mut Tally) {
    let Ok(text) = std::fs::read_to_string(file) else {
        return;
    };
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let firewall = load(vec![Input {
        name: name.clone(),
        text,
        format: None,
    }])
    .firewall;
    let index = RuleIndex::new(&firewall);
    let rules: Vec<RuleAt> = rules(&firewall);
    if rules.len() > MOST_RULES {
        return;
    }
    for surroundings in [Surroundings::default(), a_router()] {
        for v6 in [false, true] {
            if !firewall.tables.iter().any(|table| sees(table.family, v6)) {
                continue;
            }
            for path in [PacketPath::Input, PacketPath::Forward, PacketPath::Output] {
                let question = SymbolicQuestion {
                    firewall: &firewall,
                    surroundings: &surroundings,
                    v6,
                    path,
                    about: &Traffic::default(),
                    and_about: &[],
                    packets: AskedPackets::All,
                    budget: Budget::default(),
                };
                let place = format!("{name}, {path:?}{}", if v6 { ", IPv6" } else { "" });
                let index = (
                    &index,
                    &CompiledRules::new(&firewall, &index, &surroundings),
                );
                if compare_way(question, index, &rules, &place, tally).is_err() {
                    tally.exhausted.push(place);
                }
            }
        }
    }
}

fn compare_way(
    question: SymbolicQuestion,
    (index, lookup): (&RuleIndex, &CompiledRules),
    rules: &[RuleAt],
    place: &str,
    tally: &mut Tally,
) -> Result<(), Exhausted> {
    let mut exact = Exact::new(question)?;
    let mut sets: Vec<Packets> = vec![exact.world()];
    for end in [End::Accepted, End::Dropped, End::Rejected, End::Unknown] {
        sets.push(exact.possibly_ending(end)?);
        sets.push(exact.certainly_ending(end)?);
    }
    let step = rules.len().div_ceil(RULES).max(1);
    for at in rules.iter().step_by(step) {
        sets.push(exact.packets_hitting(*at)?);
    }
    let mut chance = chance(place);
    for set in sets {
        for _ in 0..FROM_A_SET {
            let Some((packet, ends)) = exact.sample(set, &mut chance)? else {
                continue;
            };
            let walked = walk(question, index, &packet);
            let walked: BTreeSet<End> = walked.into_iter().map(|(end, _)| end).collect();
            tally.packets += 1;
            tally.wider += usize::from(ends != walked);
            tally.looked_up += usize::from(look_up(question, (index, lookup), packet.clone()));
            let open = ends.contains(&End::Unknown) || walked.contains(&End::Unknown);
            assert!(
                !ends.is_empty() && (open || ends.is_subset(&walked)),
                "{place}: {ends:?} at once, {walked:?} one by one: {packet:?}"
            );
        }
    }
    Ok(())
}

/// Whether the look-up answers; if so, as the evaluator does.
fn look_up(
    question: SymbolicQuestion,
    (index, lookup): (&RuleIndex, &CompiledRules),
    packet: Packet,
) -> bool {
    let packet = packet.settle(question.surroundings);
    let Some(found) = lookup.key(&packet).and_then(|key| lookup.judge(&key)) else {
        return false;
    };
    let walked = walk(question, index, &packet);
    assert_eq!(walked, [found], "looked up: {packet:?}");
    true
}

fn walk(question: SymbolicQuestion, index: &RuleIndex, packet: &Packet) -> Vec<(End, Decider)> {
    let answer = evaluate(
        question.firewall,
        index,
        question.surroundings,
        packet,
        RecordLevel::Nothing,
    );
    let outcomes = answer.outcomes.iter();
    outcomes.map(|outcome| (outcome.end, outcome.by)).collect()
}

fn rules(firewall: &Firewall) -> Vec<RuleAt> {
    let mut rules = Vec::new();
    for (table, content) in firewall.tables.iter().enumerate() {
        for (chain, content) in content.chains.iter().enumerate() {
            rules.extend((0..content.rules.len()).map(|rule| RuleAt { table, chain, rule }));
        }
    }
    rules
}

fn sees(family: Family, v6: bool) -> bool {
    match family {
        Family::Ip => !v6,
        Family::Ip6 => v6,
        Family::Inet => true,
        _ => false,
    }
}

fn a_router() -> Surroundings {
    let interface = |name: &str, addresses: &[(&str, u8)]| Interface {
        name: name.into(),
        loopback: name == "lo",
        up: true,
        addresses: addresses
            .iter()
            .map(|(address, length)| (address.parse().unwrap(), *length))
            .collect(),
    };
    Surroundings {
        interfaces: Some(vec![
            interface("lo", &[("127.0.0.1", 8), ("::1", 128)]),
            interface("eth0", &[("192.0.2.1", 24), ("2001:db8::1", 64)]),
            interface("eth1", &[("10.0.0.1", 8)]),
        ]),
        routes: Some(vec![
            route("192.0.2.0", 24, "eth0"),
            route("10.0.0.0", 8, "eth1"),
            route("198.51.100.0", 24, "eth0"),
        ]),
        sysctls: [
            ("net.ipv4.ip_forward", "1"),
            ("net.ipv6.conf.all.forwarding", "1"),
            ("net.ipv4.conf.all.route_localnet", "0"),
            ("net.ipv4.conf.eth0.route_localnet", "0"),
            ("net.ipv4.conf.eth1.route_localnet", "1"),
            ("net.ipv4.conf.all.accept_local", "0"),
            ("net.ipv4.conf.eth0.accept_local", "0"),
            ("net.ipv4.conf.all.rp_filter", "0"),
            ("net.ipv4.conf.eth0.rp_filter", "1"),
            ("net.ipv4.conf.eth1.rp_filter", "2"),
            ("net.ipv4.conf.eth1.forwarding", "0"),
            ("net.ipv4.conf.all.drop_unicast_in_l2_multicast", "0"),
            ("net.ipv4.conf.eth1.drop_unicast_in_l2_multicast", "1"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        ..Surroundings::default()
    }
}

fn route(network: &str, length: u8, interface: &str) -> Route {
    Route {
        destination: (network.parse().unwrap(), length),
        interface: Some(interface.to_owned()),
        table: 254,
        metric: 0,
        kind: 1,
    }
}

/// The same numbers on every run (xorshift64).
fn chance(seed: &str) -> impl FnMut() -> u64 + use<> {
    let fold = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut state = seed.bytes().fold(0xcbf2_9ce4_8422_2325, fold) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}
