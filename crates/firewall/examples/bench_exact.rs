//! Measures the questions about all packets on rule files: given by name, since the files of others
//! are not part of the project.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example measures and prints"
)]

use std::time::Instant;

use surefoot_firewall::ask::{Side, diff, reach};
use surefoot_firewall::exact::{Budget, Exact, Question, dead_rules};
use surefoot_firewall::model::Firewall;
use surefoot_firewall::packet::Path;
use surefoot_firewall::semantics::{End, Index};
use surefoot_firewall::traffic::Traffic;
use surefoot_firewall::{Input, Surroundings, load};

fn main() {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let mut read: Vec<Firewall> = Vec::new();
    for file in &files {
        let begin = Instant::now();
        let text = std::fs::read(file).unwrap();
        let text = String::from_utf8_lossy(&text).into_owned();
        let firewall = load(vec![Input {
            name: file.clone(),
            text,
            format: None,
        }])
        .firewall;
        let chains = firewall.tables.iter().flat_map(|table| &table.chains);
        let rules: usize = chains.map(|chain| chain.rules.len()).sum();
        println!("{file}: {rules} rules");
        step("read", begin);
        one(&firewall);
        step("all of it", begin);
        read.push(firewall);
    }
    if let [old, .., new] = read.as_slice() {
        let begin = Instant::now();
        let (old_index, new_index) = (Index::new(old), Index::new(new));
        let side = |firewall, index| Side {
            firewall,
            index,
            whole: false,
        };
        let difference = diff(
            side(old, &old_index),
            side(new, &new_index),
            &Surroundings::default(),
            &Traffic::default(),
            (8, Budget::default()),
        );
        println!(
            "diff: {:?}, {} changes",
            difference.verdict,
            difference.changes.len()
        );
        step("diff of the first and the last", begin);
    }
}

fn one(firewall: &Firewall) {
    let surroundings = Surroundings::default();
    for (name, path) in [("input", Path::Input), ("forward", Path::Forward)] {
        let begin = Instant::now();
        let mut exact = Exact::new(Question {
            firewall,
            surroundings: &surroundings,
            v6: false,
            path,
            about: &Traffic::default(),
            and_about: &[],
            marked: false,
            budget: Budget::default(),
        })
        .unwrap();
        let accepted = exact.certainly(End::Accepted).unwrap();
        println!(
            "{name}: {} nodes, {} of them accepted",
            exact.nodes(),
            exact.size(accepted)
        );
        step(name, begin);
    }
    let begin = Instant::now();
    let dead = dead_rules(firewall, &surroundings, Budget::default());
    println!("dead rules: {:?}", dead.map(|dead| dead.len()));
    step("dead rules", begin);
    for words in ["tcp to :22", "forwarded tcp to :22"] {
        let begin = Instant::now();
        let about = Traffic::parse(words).unwrap();
        for matrix in reach(firewall, &surroundings, &about, Budget::default()) {
            println!("{} rows {:?}", matrix.sources.len(), matrix.notes);
        }
        step(&format!("reach {words}"), begin);
    }
}

fn step(name: &str, begin: Instant) {
    println!("{name:35} {:>9.3} s", begin.elapsed().as_secs_f64());
}
