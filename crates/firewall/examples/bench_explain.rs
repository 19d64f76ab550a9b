//! Measures how long an explanation takes on a hundred thousand rules, once they are loaded.

#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example measures and prints"
)]

#[path = "../../ruleset/examples/rules/mod.rs"]
mod rules;

use std::time::{Duration, Instant};

use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::explain;
use surefoot_netfilter::packet::words;
use surefoot_netfilter::semantics::RuleIndex;
use surefoot_ruleset::Input;

fn main() {
    let input = Input {
        name: "rules".into(),
        text: rules::text(rules::RULES),
        format: None,
    };
    let loaded = LoadedRules::of_texts(vec![input]);
    let begin = Instant::now();
    drop(RuleIndex::new(&loaded.firewall));
    let indexing = begin.elapsed();
    let mut times: Vec<Duration> = Vec::new();
    for number in 0..500_u32 {
        let [a, b, c, d] = (number.wrapping_mul(2_654_435_761)).to_be_bytes();
        // Every second packet goes through one of the small chains as well.
        let from = if number % 2 == 0 {
            format!("10.{}.{c}.{d}", number % 200)
        } else {
            format!("{}.{b}.{c}.{d}", a % 223 + 1)
        };
        let port = [22, 80, 443, 1024 + number][number as usize % 4];
        let question =
            format!("tcp from {from}:40000 to 192.0.2.1:{port} in eth0 mac 02:00:5e:10:00:01");
        let question: Vec<String> = question.split(' ').map(str::to_owned).collect();
        let packet = words::parse(&question).unwrap();
        let mut best = Duration::MAX;
        for _ in 0..3 {
            let begin = Instant::now();
            let explanation = explain(&loaded, &packet, false);
            best = best.min(begin.elapsed());
            assert!(!explanation.answers.is_empty());
        }
        times.push(best);
    }
    times.sort_unstable();
    let show = |time: Duration| format!("{:>7.3} ms", time.as_secs_f64() * 1e3);
    println!(
        "explain on {} rules, median      {}  (goal: under 1 ms)",
        rules::RULES,
        show(times[times.len() / 2])
    );
    println!(
        "explain on {} rules, slowest     {}",
        rules::RULES,
        show(times[times.len() - 1])
    );
    println!(
        "the index of {} rules, once      {}",
        rules::RULES,
        show(indexing)
    );
}
