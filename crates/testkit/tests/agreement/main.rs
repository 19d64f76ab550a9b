//! The evaluator says of each packet what the kernel does with it.
//!
//! Every folder of `tests/rulesets`, and rule sets made by chance, are loaded into a namespace of
//! their own; those with iptables rules with `iptables-nft` and with `iptables-legacy`. Packets
//! are drawn at the edges of what the rules ask for. Compared are the verdict, what decided, and
//! every rule that matched on the way; for the rules as they are written, and as the kernel shows
//! them in text and in JSON.
//!
//! `SUREFOOT_AGREEMENT_PACKETS` says how many packets there are in all.

#![expect(clippy::unwrap_used, reason = "a test may die")]

mod case;
mod chance;
mod draft;
mod flows;
mod judge;
mod mutation;
mod packet;
mod random;
mod session;

use std::fmt::Write as _;
use std::io::Write as _;

use judge::{Judgement, judge};
use session::Session;
use surefoot_firewall::model::Firewall;
use surefoot_firewall::packet::Packet;
use surefoot_firewall::semantics::Index;
use surefoot_testkit::{Namespace, Observation, or_skip};

/// Packets in all, unless the environment says otherwise.
const PACKETS: usize = 24_000;
/// There is a random rule set of each kind for so many packets.
const PACKETS_FOR_A_RANDOM_SET: usize = 4000;
/// More would spend the time on loading rules.
const MOST_RANDOM_SETS: usize = 25;
/// Packets that a wrong reading of a rule set is held against.
const PACKETS_FOR_A_MUTANT: usize = 1200;
/// Wrong readings of a kind that are tried on one rule set.
const MUTANTS: usize = 8;
/// How many in a hundred wrong readings of each kind must be noticed.
const LEAST_NOTICED: usize = 50;
/// Differences that are shown of one case.
const SHOWN: usize = 3;

fn packets() -> usize {
    std::env::var("SUREFOOT_AGREEMENT_PACKETS").map_or(PACKETS, |number| {
        number
            .parse()
            .expect("SUREFOOT_AGREEMENT_PACKETS is a number of packets")
    })
}

#[derive(Default)]
struct Tally {
    agree: usize,
    among: usize,
    differ: usize,
    words: String,
}

#[test]
fn the_evaluator_agrees_with_the_kernel() {
    let only = std::env::var("SUREFOOT_AGREEMENT_CASE").unwrap_or_default();
    let mut cases = case::all();
    let sets = packets() / PACKETS_FOR_A_RANDOM_SET;
    cases.extend(random::cases(sets.min(MOST_RANDOM_SETS)));
    let share = packets().div_ceil(cases.len());
    if or_skip(Namespace::new()).is_none() {
        return;
    }
    let mut total = Tally::default();
    for case in cases.iter().filter(|case| case.name.contains(&only)) {
        let mut session =
            Session::new(case).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let mut tally = Tally::default();
        let indices: Vec<Index> = session
            .loaded
            .models
            .iter()
            .map(|model| Index::new(&model.firewall))
            .collect();
        session.run(share, |loaded, shot, seen| {
            for (model, index) in loaded.models.iter().zip(&indices) {
                let answer = judge(
                    &model.firewall,
                    index,
                    &loaded.surroundings,
                    &shot.packet,
                    seen,
                );
                match answer {
                    Judgement::Agrees => tally.agree += 1,
                    Judgement::Among => tally.among += 1,
                    Judgement::Differs(why) => {
                        tally.differ += 1;
                        if tally.differ <= SHOWN {
                            let _ = writeln!(
                                tally.words,
                                "\n{}, {}: {why}{shot}",
                                case.name, model.text
                            );
                        }
                    }
                }
            }
        });
        let (met, all) = session.coverage();
        say(&format!(
            "{:40} {:>7} agree {:>5} among {:>5} differ  {met}/{all} rules met",
            case.name, tally.agree, tally.among, tally.differ
        ));
        total.agree += tally.agree;
        total.among += tally.among;
        total.differ += tally.differ;
        total.words += &tally.words;
    }
    say(&format!(
        "{} answers agree, {} are open and hold the kernel's, {} differ",
        total.agree, total.among, total.differ
    ));
    assert!(total.differ == 0, "{}", total.words);
}

/// How much of a kind of wrong readings is noticed.
#[derive(Clone, Copy, Default)]
struct Noticed {
    noticed: usize,
    tried: usize,
}

#[test]
fn a_rule_set_that_is_read_wrongly_does_not_agree() {
    if or_skip(Namespace::new()).is_none() {
        return;
    }
    let mut counts = vec![Noticed::default(); mutation::ALL.len()];
    // What is misread once is misread with either mechanism.
    for case in case::all().iter().filter(|case| !case.legacy) {
        let mut session = Session::new(case).unwrap();
        let mut shots = Vec::new();
        session.run(PACKETS_FOR_A_MUTANT, |_, shot, seen| {
            shots.push((shot.packet.clone(), seen.clone()));
        });
        let model = &session.loaded.models[0].firewall;
        let surroundings = &session.loaded.surroundings;
        for (mutation, count) in mutation::ALL.iter().zip(&mut counts) {
            let mutants: Vec<Firewall> = mutation.mutants(model).collect();
            // Spread over the whole rule set.
            let step = mutants.len().div_ceil(MUTANTS).max(1);
            for mutant in mutants.iter().step_by(step) {
                let index = Index::new(mutant);
                let differs = |(packet, seen): &(Packet, Observation)| {
                    matches!(
                        judge(mutant, &index, surroundings, packet, seen),
                        Judgement::Differs(_)
                    )
                };
                count.tried += 1;
                count.noticed += usize::from(shots.iter().any(differs));
            }
        }
    }
    let mut blind = String::new();
    for (mutation, Noticed { noticed, tried }) in mutation::ALL.iter().zip(counts) {
        let line = format!("{noticed:>4} of {tried:>4} noticed: {}", mutation.name);
        say(&line);
        // Some misreadings change nothing: a rule that no packet reaches, a condition that
        // another one implies.
        if noticed * 100 < tried * LEAST_NOTICED {
            let _ = writeln!(blind, "{line}");
        }
    }
    assert!(blind.is_empty(), "too few of these:\n{blind}");
}

/// Prints past the test harness, so that the counts are seen when all is well, too.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
