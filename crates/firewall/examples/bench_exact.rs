//! Measures the questions about all packets on rule files: given by name, since the files of others
//! are not part of the project. Of several runs the fastest is shown.
//!
//! One file: it is read, what input and forward accept is found, so are dead rules, and two tables
//! of who reaches what are drawn. Two files: they are compared.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example measures and prints"
)]

use std::time::Instant;

use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::{DiffSide, diff, reach};
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::{AskedPackets, Budget, Exact, SymbolicQuestion, dead_rules};
use surefoot_netfilter::packet::PacketPath;
use surefoot_netfilter::semantics::End;
use surefoot_netfilter::traffic::Traffic;
use surefoot_ruleset::Input;

const RUNS: usize = 7;

fn main() {
    let files: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<String> = files
        .iter()
        .map(|file| String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned())
        .collect();
    match texts.as_slice() {
        [one] => {
            let rules = rules(&read(one));
            let goal = if rules < 1000 {
                "10 ms"
            } else {
                "1 s, 200 MiB"
            };
            println!("{rules} rules, fastest of {RUNS} runs, all steps (goal: under {goal})");
            let steps = (0..RUNS).map(|_| all_steps(one));
            let total = |steps: &Vec<(&str, f64)>| steps.iter().map(|(_, time)| time).sum::<f64>();
            let best = steps.min_by(|a, b| total(a).total_cmp(&total(b))).unwrap();
            for (name, time) in &best {
                println!("  {name:28}{:>9.1} ms", time * 1e3);
            }
            println!("  {:28}{:>9.1} ms", "together", total(&best) * 1e3);
            println!("  {:28}{:>9} MiB", "most memory", most_memory());
        }
        [old, new] => {
            let (old, new) = (read(old), read(new));
            println!(
                "diff of {} and {} rules, fastest of {RUNS} runs (goal: under 1 s)",
                rules(&old),
                rules(&new)
            );
            let times = (0..RUNS).map(|_| compare(&old, &new));
            let best = times.min_by(f64::total_cmp).unwrap();
            println!("  {:28}{:>9.1} ms", "diff", best * 1e3);
            println!("  {:28}{:>9} MiB", "most memory", most_memory());
        }
        _ => println!("usage: bench_exact FILE [FILE]"),
    }
}

fn read(text: &str) -> LoadedRules {
    LoadedRules::of_texts(vec![Input {
        name: "rules".into(),
        text: text.to_owned(),
        format: None,
    }])
}

fn rules(loaded: &LoadedRules) -> usize {
    let chains = loaded
        .firewall
        .tables
        .iter()
        .flat_map(|table| &table.chains);
    chains.map(|chain| chain.rules.len()).sum()
}

fn all_steps(text: &str) -> Vec<(&'static str, f64)> {
    let mut steps = Vec::new();
    let mut begin = Instant::now();
    let rules = read(text);
    let mut step = |name, begin: &mut Instant| {
        steps.push((name, begin.elapsed().as_secs_f64()));
        *begin = Instant::now();
    };
    step("read", &mut begin);
    for (name, path) in [
        ("accepted at input", PacketPath::Input),
        ("accepted at forward", PacketPath::Forward),
    ] {
        let mut exact = Exact::new(SymbolicQuestion {
            firewall: &rules.firewall,
            surroundings: &rules.surroundings,
            v6: false,
            path,
            about: &Traffic::default(),
            and_about: &[],
            packets: AskedPackets::Ordinary,
            budget: Budget::default(),
        })
        .unwrap();
        assert!(exact.certainly_ending(End::Accepted).is_ok());
        step(name, &mut begin);
    }
    assert!(dead_rules(&rules.firewall, &rules.surroundings, Budget::default()).is_ok());
    step("dead rules", &mut begin);
    for (name, words) in [
        ("reach tcp to :22", "tcp to :22"),
        ("reach forwarded tcp to :22", "forwarded tcp to :22"),
    ] {
        let about = Traffic::parse(words).unwrap();
        let matrices = reach(&rules, &about, Budget::default());
        assert!(!matrices.is_empty());
        step(name, &mut begin);
    }
    steps
}

fn compare(old: &LoadedRules, new: &LoadedRules) -> f64 {
    let begin = Instant::now();
    let [from, to] = [old, new].map(|rules| DiffSide {
        rules,
        whole: false,
    });
    let difference = diff(
        from,
        to,
        &Surroundings::default(),
        &Traffic::default(),
        (8, Budget::default()),
    );
    assert!(!difference.changes.is_empty());
    begin.elapsed().as_secs_f64()
}

/// As the kernel counts it (`VmHWM` of proc(5)), in MiB.
fn most_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    mark.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .unwrap_or(0)
        >> 10
}
