//! What the same search costs with delta debugging (ddmin), on lines and on the structure: the table of
//! `docs/design`.

mod world;

use std::collections::{BTreeSet, HashMap};

use surefoot_bisect::{BisectSearch, ConfigEdit, TestOutcome, UnitId};
use world::{Chance, Daemon, Fault, World};

/// Delta debugging to a minimal list that holds; all of it must.
fn ddmin<T: Clone + PartialEq>(all: Vec<T>, mut holds: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut left = all;
    let mut parts = 2;
    while left.len() >= 2 {
        let size = left.len().div_ceil(parts);
        let chunks: Vec<Vec<T>> = left.chunks(size).map(<[T]>::to_vec).collect();
        if let Some(chunk) = chunks.iter().find(|chunk| holds(chunk)) {
            left.clone_from(chunk);
            parts = 2;
            continue;
        }
        let complement = |out: usize| -> Vec<T> {
            let kept = chunks.iter().enumerate().filter(|(at, _)| *at != out);
            kept.flat_map(|(_, chunk)| chunk.clone()).collect()
        };
        let smaller = (0..chunks.len())
            .map(complement)
            .find(|rest| chunks.len() > 2 && holds(rest));
        if let Some(rest) = smaller {
            left = rest;
            parts = (parts - 1).max(2);
        } else if parts >= left.len() {
            break;
        } else {
            parts = (parts * 2).min(left.len());
        }
    }
    left
}

/// Candidates that were put in force, and those that do not parse.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    restarts: usize,
    broken: usize,
}

/// Asks the daemon about a text once.
fn ask(
    world: &mut World,
    memo: &mut HashMap<String, TestOutcome>,
    cost: &mut Cost,
    text: String,
) -> bool {
    let outcome = memo.entry(text).or_insert_with_key(|text| {
        let outcome = world.judge(text);
        if outcome == TestOutcome::Rejected {
            cost.broken += 1;
        } else {
            cost.restarts += 1;
        }
        outcome
    });
    *outcome == TestOutcome::Symptom
}

fn by_lines(world: &mut World) -> Cost {
    let (mut memo, mut cost) = (HashMap::new(), Cost::default());
    let text = String::from_utf8(world.tree.files[0].text.clone()).expect("it is text");
    let lines: Vec<&str> = text.lines().collect();
    ddmin((0..lines.len()).collect(), |kept: &[usize]| {
        let text = kept.iter().flat_map(|at| [lines[*at], "\n"]).collect();
        ask(world, &mut memo, &mut cost, text)
    });
    cost
}

/// Blocks first, then what is in those that are left.
fn by_structure(world: &mut World) -> Cost {
    let (mut memo, mut cost) = (HashMap::new(), Cost::default());
    let tree = world.tree.clone();
    let mut out: BTreeSet<UnitId> = BTreeSet::new();
    let mut level: Vec<UnitId> = tree.roots().to_vec();
    while !level.is_empty() {
        let all: BTreeSet<UnitId> = level.iter().copied().collect();
        let kept = ddmin(level, |kept: &[UnitId]| {
            let gone = all.iter().filter(|unit| !kept.contains(unit));
            let edit = ConfigEdit::without(out.iter().chain(gone).copied());
            let text = String::from_utf8(tree.render(0, &edit)).expect("it is text");
            ask(world, &mut memo, &mut cost, text)
        });
        out.extend(all.iter().filter(|unit| !kept.contains(unit)));
        level = kept
            .iter()
            .flat_map(|unit| tree.unit(*unit).children.clone())
            .collect();
    }
    cost
}

fn by_surefoot(world: &mut World, seed: u64) -> Cost {
    let tree = world.tree.clone();
    let before = world.broken;
    let mut daemon = Daemon(world, &tree);
    let mut search = BisectSearch::new(&tree, &mut daemon, 3000, seed);
    search.run().unwrap_or_else(|never| match never {});
    let restarts = search.cost.restarts;
    Cost {
        restarts,
        broken: world.broken - before,
    }
}

#[test]
fn fewer_restarts_than_delta_debugging() {
    let runs = 12_u32;
    for culprits in 1..=3 {
        let mut sums = [Cost::default(); 3];
        for seed in (0..runs).map(u64::from) {
            let mut chance = Chance::new(77 + seed);
            let mut world = World::new(1000, &mut chance);
            world.fault = Fault::All(world.choose(culprits, &mut chance));
            let mut add = |at: usize, cost: Cost| {
                sums[at].restarts += cost.restarts;
                sums[at].broken += cost.broken;
            };
            add(0, by_surefoot(&mut world, seed));
            add(1, by_structure(&mut world));
            add(2, by_lines(&mut world));
        }
        let average = |sum: usize| f64::from(u32::try_from(sum).expect("few")) / f64::from(runs);
        println!(
            "{culprits} culprits: surefoot {:.1}, ddmin on the structure {:.1}, ddmin on lines {:.1} and {:.0} broken",
            average(sums[0].restarts),
            average(sums[1].restarts),
            average(sums[2].restarts),
            average(sums[2].broken),
        );
        assert!(sums[0].restarts < sums[1].restarts);
        assert_eq!(sums[0].broken + sums[1].broken, 0);
    }
}
