//! The evaluator says of each packet what the kernel does with it.
//!
//! Every folder of `tests/rulesets`, and rule sets made by chance, are loaded into a namespace of
//! their own; those with iptables rules with `iptables-nft` and with `iptables-legacy`. Packets
//! are drawn at the edges of what the rules ask for. Compared are the verdict, what decided, and
//! every rule that matched on the way; for the rules as they are written, and as the kernel shows
//! them in text and in JSON.
//!
//! `SUREFOOT_AGREEMENT_PACKETS` says how many packets there are in all, `SUREFOOT_AGREEMENT_SEED`
//! gives other random rule sets and packets. The engine that follows all packets at once is asked
//! about a share of them.

#![expect(clippy::unwrap_used, reason = "a test may die")]

mod case;
mod chance;
mod contest;
mod draft;
mod flows;
mod judge;
mod mutation;
mod packet;
mod random;
mod session;
mod statements;
mod tally;

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use case::Case;
use judge::{Judgement, judge};
use session::Session;
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::RuleIndex;
use surefoot_ruleset::model::Firewall;
use surefoot_testkit::{Namespace, Observation, or_fail};
use tally::Tally;

/// Packets in all, unless the environment says otherwise.
const PACKETS: usize = 200_000;
/// There is a random rule set of each kind for so many packets.
const PACKETS_FOR_A_RANDOM_SET: usize = 6600;
/// Packets that a wrong reading of a rule set is held against.
const PACKETS_FOR_A_MUTANT: usize = 1200;
/// Wrong readings of a kind that are tried on one rule set.
const MUTANTS: usize = 8;
/// How many in a hundred wrong readings of each kind must be noticed.
const LEAST_NOTICED: usize = 50;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} is a number, not {text}")))
}

#[test]
fn the_evaluators_agree_with_the_kernel() {
    let only = std::env::var("SUREFOOT_AGREEMENT_CASE").unwrap_or_default();
    let packets = number("SUREFOOT_AGREEMENT_PACKETS")
        .map_or(PACKETS, |packets| usize::try_from(packets).unwrap());
    let seed = number("SUREFOOT_AGREEMENT_SEED").unwrap_or(0);
    let mut cases = case::all();
    cases.extend(random::cases(packets / PACKETS_FOR_A_RANDOM_SET, seed));
    let share = packets.div_ceil(cases.len());
    cases.retain(|case| case.name.contains(&only));
    or_fail(Namespace::new());
    let total = Mutex::new(Tally::default());
    in_parallel(&cases, |case| {
        let (tally, (met, all)) = contest::hold(case, share, seed);
        say(&format!(
            "{:40} {:>6} packets, {:>2} differ, {met}/{all} rules met",
            case.name,
            tally.packets,
            tally.differ()
        ));
        total.lock().unwrap().add(tally);
    });
    let total = total.into_inner().unwrap();
    say(&format!("\nThe kernel as referee:\n{total}"));
    assert!(total.differ() == 0, "{}", total.words.join("\n"));
    assert!(total.packets >= packets || !only.is_empty());
}

/// Does the work for every case, on as many threads as there are processors.
fn in_parallel(cases: &[Case], work: impl Fn(&Case) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(case);
                }
            });
        }
    });
}

/// How much of a kind of wrong readings is noticed.
#[derive(Clone, Copy, Default)]
struct Noticed {
    noticed: usize,
    tried: usize,
}

#[test]
fn a_rule_set_that_is_read_wrongly_does_not_agree() {
    or_fail(Namespace::new());
    let counts = Mutex::new(vec![Noticed::default(); mutation::ALL.len()]);
    // What is misread once is misread with either mechanism.
    let cases: Vec<Case> = case::all()
        .into_iter()
        .filter(|case| !case.legacy)
        .collect();
    in_parallel(&cases, |case| {
        let mut session = Session::new(case, 0).unwrap();
        let mut shots = Vec::new();
        session.run(PACKETS_FOR_A_MUTANT, |_, _, shot, seen| {
            shots.push((shot.packet.clone(), seen.clone()));
        });
        let model = &session.loaded.models[0].firewall;
        let surroundings = &session.loaded.surroundings;
        for (at, mutation) in mutation::ALL.iter().enumerate() {
            let mutants: Vec<Firewall> = mutation.mutants(model).collect();
            // Spread over the whole rule set.
            let step = mutants.len().div_ceil(MUTANTS).max(1);
            for mutant in mutants.iter().step_by(step) {
                let index = RuleIndex::new(mutant);
                let differs = |(packet, seen): &(Packet, Observation)| {
                    matches!(
                        judge(mutant, &index, surroundings, packet, seen),
                        Judgement::Differs(_)
                    )
                };
                let noticed = shots.iter().any(differs);
                let count = &mut counts.lock().unwrap()[at];
                count.tried += 1;
                count.noticed += usize::from(noticed);
            }
        }
    });
    let mut blind = String::new();
    for (mutation, Noticed { noticed, tried }) in
        mutation::ALL.iter().zip(counts.into_inner().unwrap())
    {
        let line = format!("{noticed:>4} of {tried:>4} noticed: {}", mutation.name);
        say(&line);
        // Some misreadings change nothing: a rule that no packet reaches, a condition that
        // another one implies.
        if tried == 0 || noticed * 100 < tried * LEAST_NOTICED {
            let _ = writeln!(blind, "{line}");
        }
    }
    assert!(blind.is_empty(), "too few of these:\n{blind}");
}

/// Prints past the test harness, so that the counts are seen when all is well, too.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
