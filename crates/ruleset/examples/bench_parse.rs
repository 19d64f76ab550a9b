//! Measures how long it takes to read a hundred thousand rules.

#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "an example measures and prints"
)]

mod rules;

use std::time::{Duration, Instant};

use surefoot_ruleset::{Input, load};

fn main() {
    let text = rules::text(rules::RULES);
    let mut best = Duration::MAX;
    for _ in 0..9 {
        let input = Input {
            name: "rules".into(),
            text: text.clone(),
            format: None,
        };
        let begin = Instant::now();
        let loaded = load(vec![input]);
        best = best.min(begin.elapsed());
        let tables = loaded.firewall.tables.iter();
        let read: usize = tables
            .flat_map(|table| &table.chains)
            .map(|chain| chain.rules.len())
            .sum();
        assert_eq!(read, rules::RULES as usize, "every rule is read");
        assert_eq!(loaded.problems, [], "and understood");
    }
    println!(
        "reading {} iptables rules ({} MiB)  {:>7.3} s   (goal: at most 0.3 s)",
        rules::RULES,
        text.len() >> 20,
        best.as_secs_f64()
    );
}
