//! A rule that was made for its place does in the kernel what was proved of it: packets of the sentence come
//! to the end that it claims, and all others to the end that they came to before.
//!
//! Rule sets made by chance and those of `tests/rulesets`, with every mechanism, are each asked for a rule by
//! a sentence made by chance. `SUREFOOT_MADE_PAIRS` says how many pairs there are, `SUREFOOT_MADE_SEED` gives
//! others.

#![expect(clippy::unwrap_used, reason = "a test may die")]
#![allow(dead_code, reason = "the modules are those of another test")]

#[path = "agreement/case.rs"]
mod case;
#[path = "agreement/chance.rs"]
mod chance;
#[path = "agreement/draft.rs"]
mod draft;
#[path = "agreement/flows.rs"]
mod flows;
#[path = "agreement/judge.rs"]
mod judge;
#[path = "agreement/packet.rs"]
mod packet;
#[path = "agreement/random/mod.rs"]
mod random;
#[path = "agreement/session.rs"]
mod session;
#[path = "agreement/statements.rs"]
mod statements;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;

use case::Case;
use chance::Chance;
use draft::Drawer;
use judge::kernel_end;
use session::Session;
use surefoot_apply::{RuleState, files_with_rules};
use surefoot_firewall::ask::{MadeRules, MakeOutcome, PacketScope, make};
use surefoot_firewall::{LoadedFrom, LoadedRules};
use surefoot_host::RulesOrigin;
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::{RecordLevel, evaluate};
use surefoot_netfilter::traffic::Assertion;
use surefoot_ruleset::model::{Field, Firewall};
use surefoot_testkit::{Namespace, or_fail};

/// Pairs of a rule set and a sentence, unless the environment says otherwise.
const PAIRS: usize = 24;
/// Packets that are sent through each.
const PACKETS: usize = 400;
/// What a search may cost: a second.
const BUDGET: Budget = Budget {
    nodes: 1 << 19,
    steps: 1 << 21,
};

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is a number, not {text}")))
}

/// What became of the pairs.
#[derive(Default)]
struct MadeTally {
    made: usize,
    already: usize,
    refused: BTreeMap<String, usize>,
    inside: usize,
    outside: usize,
    wrong: String,
}

#[test]
fn a_rule_that_was_made_does_in_the_kernel_what_was_proved() {
    or_fail(Namespace::new());
    let pairs =
        number("SUREFOOT_MADE_PAIRS").map_or(PAIRS, |pairs| usize::try_from(pairs).unwrap());
    let seed = number("SUREFOOT_MADE_SEED").unwrap_or(0);
    let mut cases = random::cases(pairs.div_ceil(4), seed);
    cases.extend(case::all());
    let mut tally = MadeTally::default();
    let mut chance = Chance::new(&format!("made {seed}"));
    for at in 0..pairs {
        let case = chance.pick(&cases).unwrap();
        let firewall = case.as_written();
        let sentence = sentence(&firewall, &mut chance);
        let before = tally.wrong.len();
        hold(case, &firewall, &sentence, seed, &mut tally);
        let verdict = if tally.wrong.len() > before {
            "WRONG"
        } else {
            "right"
        };
        let _ = writeln!(
            std::io::stderr(),
            "{:>4} of {pairs}  {:40} {sentence}: {verdict}",
            at + 1,
            case.name
        );
    }
    let _ = writeln!(
        std::io::stderr(),
        "{} made, {} so already, refused {:?}; {} packets of the sentences, {} others",
        tally.made,
        tally.already,
        tally.refused,
        tally.inside,
        tally.outside
    );
    assert!(tally.wrong.is_empty(), "{}", tally.wrong);
    assert!(
        tally.made * 4 >= pairs,
        "only {} of {pairs} were made",
        tally.made
    );
    assert!(tally.inside > 0 && tally.outside > tally.inside);
}

/// A sentence about numbers that the rules name, or do not.
fn sentence(firewall: &Firewall, chance: &mut Chance) -> String {
    let drawer = Drawer::new(firewall, Vec::new());
    let mut ports: Vec<u128> = drawer.edges(&[Field::DstPort]).into_iter().collect();
    ports.extend([22, 443, 8080]);
    ports.retain(|port| (1..=65535).contains(port));
    let mut sources: Vec<String> = drawer
        .edges(&[Field::Ip4Src])
        .into_iter()
        .filter_map(|number| {
            Some(std::net::Ipv4Addr::from(u32::try_from(number).ok()?).to_string())
        })
        .collect();
    sources.extend(["10.0.0.0/8", "203.0.113.0/24", "2001:db8::/32"].map(str::to_owned));
    let mut words = String::new();
    if chance.percent(85) {
        let protocol = chance.pick(&["tcp", "udp", "tcp,udp"]).unwrap();
        let _ = write!(words, "{protocol} to :{}", chance.pick(&ports).unwrap());
    } else {
        words.push_str(chance.pick(&["ping", "udp", "esp"]).unwrap());
    }
    if chance.percent(50) {
        let _ = write!(words, " from {}", chance.pick(&sources).unwrap());
    }
    match chance.below(6) {
        0 => words.push_str(" in eth0"),
        1 => words.push_str(" in eth0 out eth1"),
        2 => words.push_str(" out"),
        _ => {}
    }
    let verdict = chance
        .pick(&["accepted", "accepted", "dropped", "blocked"])
        .unwrap();
    format!("{words} is {verdict}")
}

/// Makes the rule, loads it with the others, and sends packets.
fn hold(case: &Case, firewall: &Firewall, sentence: &str, seed: u64, tally: &mut MadeTally) {
    let assertion = Assertion::parse(sentence).unwrap();
    let plain = Session::new(case, seed).unwrap();
    let surroundings = plain.loaded.surroundings.clone();
    drop(plain);
    let from = LoadedFrom::Machine(Vec::new());
    let nothing = LoadedRules::read(case.name.clone(), Vec::new(), surroundings, from);
    let rules = nothing.with_rules(firewall.clone());
    let made = make(&rules, &assertion, false, BUDGET).unwrap();
    match made.outcome {
        MakeOutcome::Made => tally.made += 1,
        MakeOutcome::Already => {
            tally.already += 1;
            return;
        }
        MakeOutcome::Refused => {
            let why = made.refusal.unwrap_or_default();
            *tally.refused.entry(why).or_default() += 1;
            return;
        }
    }
    let Some(texts) = texts_with(case, &made) else {
        let why = "its text is not as iptables-save prints it".to_owned();
        *tally.refused.entry(why).or_default() += 1;
        tally.made -= 1;
        return;
    };
    let after = Case {
        texts,
        ..case.clone()
    };
    let mut session = Session::new(&after, seed).unwrap_or_else(|error| {
        panic!("{}: {sentence}: {error}\n{:?}", case.name, made.commands())
    });
    session.run(PACKETS, |models, surroundings, shot, seen| {
        let Some(end) = kernel_end(&models[0].firewall, seen) else {
            return;
        };
        let packet = &shot.packet;
        let expected = match is_meant(&assertion, &made, packet) {
            None => return,
            Some(true) => {
                tally.inside += 1;
                assertion.claim.ends.clone()
            }
            Some(false) => {
                tally.outside += 1;
                let nothing = RecordLevel::Nothing;
                let answer = evaluate(firewall, &rules.index, surroundings, packet, nothing);
                match answer.certain() {
                    Some(end) => BTreeSet::from([end]),
                    None => return,
                }
            }
        };
        if !expected.contains(&end) && tally.wrong.len() < 10_000 {
            let _ = writeln!(
                tally.wrong,
                "{}: {sentence}\n{:?}\nexpected {expected:?}, the kernel ends with {end:?}: {shot}",
                case.name,
                made.commands()
            );
        }
    });
}

/// Whether the sentence is about the packet, where that is known.
fn is_meant(assertion: &Assertion, made: &MadeRules, packet: &Packet) -> Option<bool> {
    let scope = |scope: &PacketScope| (scope.v6, scope.way) == (packet.is_v6(), packet.path);
    if !made.scopes.iter().any(scope) {
        return Some(false);
    }
    assertion.traffic.fits(packet)
}

/// The texts of the case with the rules in their places.
fn texts_with(case: &Case, made: &MadeRules) -> Option<Vec<(String, String)>> {
    let origin = |kind: &str| match (kind, case.legacy) {
        ("v4", true) => Some(RulesOrigin::IptablesLegacy),
        ("v4", false) => Some(RulesOrigin::IptablesNft),
        ("v6", true) => Some(RulesOrigin::Ip6tablesLegacy),
        ("v6", false) => Some(RulesOrigin::Ip6tablesNft),
        _ => None,
    };
    let mut texts = case.texts.clone();
    let listings: BTreeMap<RulesOrigin, String> = texts
        .iter()
        .filter_map(|(kind, text)| Some((origin(kind)?, text.clone())))
        .collect();
    let state = RuleState::of_listings(&listings);
    let files = files_with_rules(&state, &made.insertions).ok()?;
    for file in files {
        if file.origin == RulesOrigin::Nft {
            let last = texts.iter_mut().rev().find(|(kind, _)| kind == "nft");
            let text = &mut last.unwrap().1;
            text.push('\n');
            text.push_str(&file.text);
            continue;
        }
        let of_origin = state
            .units
            .iter()
            .filter(|unit| unit.key.origin == file.origin);
        let units = of_origin.map(|unit| {
            let changed = unit.key.to_string() == file.name;
            if changed { &file.text } else { &unit.text }.as_str()
        });
        let of_kind = texts
            .iter_mut()
            .find(|(kind, _)| origin(kind) == Some(file.origin));
        of_kind.unwrap().1 = units.collect();
    }
    Some(texts)
}
