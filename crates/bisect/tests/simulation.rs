//! The search on generated configurations of 1,000 lines: what it costs, and whether it is right.

mod world;

use std::collections::BTreeSet;

use surefoot_bisect::{
    BisectCause, BisectSearch, BisectVerdict, ConfigEdit, ConfigLens, ConfigTree, SearchAnswer,
    SourceFile, TestOracle, TestOutcome, UnitId,
};
use world::{Chance, Daemon, Fault, World};

/// Searches a world; gives the answer and the candidates that were put in force.
fn search(world: &mut World, seed: u64) -> (SearchAnswer, usize) {
    let tree = world.tree.clone();
    let mut daemon = Daemon(world, &tree);
    let mut search = BisectSearch::new(&tree, &mut daemon, 3000, seed);
    let answer = search.run().unwrap_or_else(|never| match never {});
    let restarts = search.cost.restarts;
    (answer, restarts)
}

fn units(world: &World, statements: &[usize]) -> BTreeSet<UnitId> {
    statements.iter().map(|at| world.units[*at]).collect()
}

/// The units that an answer names.
fn named(answer: &SearchAnswer) -> BTreeSet<UnitId> {
    match &answer.cause {
        BisectCause::One { unit } => [*unit].into(),
        BisectCause::All { units }
        | BisectCause::Any { units }
        | BisectCause::Together { units } => units.iter().copied().collect(),
        BisectCause::Order { first, second, .. } => [*first, *second].into(),
        BisectCause::Place { .. } | BisectCause::Unknown => BTreeSet::new(),
    }
}

#[test]
fn one_two_three_culprits_in_a_thousand_lines_cost_few_restarts() {
    for (culprits, most) in [(1, 14.0), (2, 26.0), (3, 39.0)] {
        let (mut restarts, mut tested, mut broken) = (0, 0, 0);
        let runs = 100_u32;
        for seed in (0..runs).map(u64::from) {
            let mut chance = Chance::new(seed * 3 + culprits as u64);
            let mut world = World::new(1000, &mut chance);
            let chosen = world.choose(culprits, &mut chance);
            world.fault = Fault::All(chosen.clone());
            let (answer, cost) = search(&mut world, seed);
            assert_eq!(named(&answer), units(&world, &chosen), "{answer:?}");
            restarts += cost;
            tested += world.tested;
            broken += world.broken;
        }
        let average = f64::from(u32::try_from(restarts).expect("few")) / f64::from(runs);
        println!(
            "{culprits} culprits: {average:.1} restarts, {broken} of {tested} candidates broken"
        );
        assert!(average <= most, "{culprits} culprits: {average} restarts");
        assert_eq!(broken, 0);
    }
}

/// A world with some statements that the daemon needs and some whose absence makes the same symptom.
fn awkward(chance: &mut Chance, culprits: &[usize], mut world: World) -> World {
    for at in world.choose(4, chance) {
        if !culprits.contains(&at) {
            world.needed.insert(at);
        }
    }
    for at in world.choose(1, chance) {
        if !culprits.contains(&at) && !world.needed.contains(&at) {
            world.makers.insert(at);
        }
    }
    world
}

#[test]
fn faults_of_all_kinds_are_solved_or_called_unsolved() {
    let runs = 40;
    for kind in ["all", "any", "order"] {
        let (mut solved, mut restarts) = (0, 0);
        for seed in 0..runs {
            let mut chance = Chance::new(1000 + seed);
            // Of the smaller ones each statement is tried alone.
            let lines = if seed % 2 == 0 { 100 } else { 60 };
            let mut world = World::new(lines, &mut chance);
            let chosen = match kind {
                "all" => {
                    let chosen = world.choose(2, &mut chance);
                    world.fault = Fault::All(chosen.clone());
                    chosen
                }
                "any" => {
                    let chosen = world.choose(2, &mut chance);
                    world.fault = Fault::Any(chosen.clone());
                    chosen
                }
                _ => {
                    let (first, second) = world.choose_pair(&mut chance);
                    let (without_first, without_second) = match seed % 3 {
                        0 => (TestOutcome::Fine, TestOutcome::Symptom),
                        1 => (TestOutcome::Fine, TestOutcome::Fine),
                        _ => (TestOutcome::Other, TestOutcome::Other),
                    };
                    world.fault = Fault::Order(first, second, without_first, without_second);
                    vec![first, second]
                }
            };
            let mut world = awkward(&mut chance, &chosen, world);
            let (answer, cost) = search(&mut world, seed);
            restarts += cost;
            let is_right = named(&answer) == units(&world, &chosen)
                && match kind {
                    "all" => matches!(answer.cause, BisectCause::All { .. }),
                    "any" => matches!(answer.cause, BisectCause::Any { .. }),
                    _ => answer.verdict == BisectVerdict::Order,
                };
            if is_right {
                solved += 1;
                continue;
            }
            // What is claimed must hold.
            println!(
                "{kind} {seed}: {:?} {:?} instead of {chosen:?}",
                answer.verdict, answer.cause
            );
            if answer.verdict != BisectVerdict::NotSolved {
                let text = world.tree.render(0, &answer.cure);
                let text = String::from_utf8(text).expect("it is text");
                assert_eq!(world.judge(&text), TestOutcome::Fine, "{answer:?}");
            }
        }
        println!(
            "{kind}: {solved} of {runs}, {} restarts each",
            restarts as u64 / runs
        );
        assert!(solved * 10 >= runs * 9, "{kind}: {solved} of {runs}");
    }
}

/// A daemon that must never see a server without its address, or be without its pid file.
struct AddressWatch<'a>(&'a ConfigTree);

impl TestOracle for AddressWatch<'_> {
    type Stop = std::convert::Infallible;

    fn test(&mut self, edit: &ConfigEdit) -> Result<TestOutcome, Self::Stop> {
        let text = String::from_utf8(self.0.render(0, edit)).expect("it is text");
        let servers = text.matches("server {").count();
        assert_eq!(servers, text.matches("listen").count(), "{text}");
        assert!(text.contains("pid "), "{text}");
        Ok(if servers < 2 {
            TestOutcome::Other
        } else if text.contains("bad") {
            TestOutcome::Symptom
        } else {
            TestOutcome::Fine
        })
    }
}

#[test]
fn an_address_goes_with_its_block_only_and_a_pid_file_never() {
    let text = "pid /run/x;\nhttp {\n  server {\n    listen 80;\n    root a;\n  }\n  server {\n    listen 81;\n    \
                bad b;\n  }\n}\n";
    let mut tree = ConfigTree::default();
    tree.add_file(
        SourceFile {
            path: "nginx.conf".to_owned(),
            text: text.as_bytes().to_vec(),
            lens: ConfigLens::Nginx,
            is_fixed: false,
            is_whole: false,
        },
        None,
    );
    let mut watch = AddressWatch(&tree);
    let answer = BisectSearch::new(&tree, &mut watch, 1000, 1).run();
    let answer = answer.unwrap_or_else(|never| match never {});
    let culprit = named(&answer).into_iter().next().expect("one");
    assert_eq!(tree.text_of(culprit), "bad b;");
}
