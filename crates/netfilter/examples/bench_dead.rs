//! Measures how long it takes to find dead rules chain by chain.

#![expect(
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "an example measures and prints"
)]

#[path = "../../ruleset/examples/rules/mod.rs"]
mod rules;

use std::fmt::Write;
use std::time::{Duration, Instant};

use surefoot_netfilter::boxes::{Budget, ChainFindings, dead_rules};
use surefoot_ruleset::{Input, load};

/// Random rules that overlap.
const RANDOM: u32 = 10_000;

fn main() {
    let text = rules::text(rules::RULES);
    measure("structured", &text, "3 s");
    measure("partly dead", &with_dead(&text), "3 s");
    measure("overlapping", &random(RANDOM), "1 s");
}

fn measure(what: &str, text: &str, goal: &str) {
    let firewall = load(vec![Input {
        name: "rules".into(),
        text: text.to_owned(),
        format: None,
    }])
    .firewall;
    let chains = firewall.tables.iter().flat_map(|table| &table.chains);
    let rules: usize = chains.map(|chain| chain.rules.len()).sum();
    let mut best = Duration::MAX;
    let mut found = ChainFindings::default();
    for _ in 0..5 {
        let begin = Instant::now();
        found = dead_rules(&firewall, Budget::default());
        best = best.min(begin.elapsed());
    }
    let what = format!("{rules} {what} rules");
    println!(
        "dead ones of {what:<30} {:>7.3} s   (goal: under {goal}; {} dead, {} unknown)",
        best.as_secs_f64(),
        found.dead.len(),
        found.unknown,
    );
}

/// The same rules, with one behind every tenth that several earlier ones hide.
fn with_dead(text: &str) -> String {
    let mut more = String::with_capacity(text.len() + text.len() / 4);
    let mut number = 0_u32;
    for line in text.lines() {
        more.push_str(line);
        more.push('\n');
        let Some((_, rule)) = line.split_once("-A INPUT -s ") else {
            continue;
        };
        let Some((source, _)) = rule.split_once("/32 -j DROP") else {
            continue;
        };
        number += 1;
        let port = number % 60_000 + 1;
        let _ = match number % 3 {
            0 => writeln!(
                more,
                "-A INPUT -s {source}/32 -p tcp -m tcp --dport {port} -j ACCEPT"
            ),
            1 => writeln!(
                more,
                "-A INPUT -d 198.51.{0}.0/25 -p udp -j DROP\n-A INPUT -d 198.51.{0}.128/25 -p udp -j ACCEPT\n-A INPUT -d 198.51.{0}.64/26 -p udp -m udp --dport {port} -j ACCEPT",
                number % 256
            ),
            _ => writeln!(
                more,
                "-A INPUT -d 198.51.{}.0/24 -p udp -m udp --dport {port} -j ACCEPT",
                number % 256
            ),
        };
    }
    more
}

/// Random prefixes and ports, in one chain.
fn random(rules: u32) -> String {
    let mut state = 0x2545_f491_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    let mut text = String::from("*filter\n:INPUT DROP [0:0]\n");
    for _ in 0..rules {
        let mut prefix = || {
            // Few networks of the first size, so that most rules meet many others.
            let (number, length) = (0x0a00_0000 | next() & 0x03ff_ffff, 8 + next() % 25);
            let network = number & (u32::MAX << (32 - length));
            format!("{}/{length}", std::net::Ipv4Addr::from(network))
        };
        let (source, destination) = (prefix(), prefix());
        let protocol = if next() % 2 == 0 { "tcp" } else { "udp" };
        let (a, b) = (next() % 65_536, next() % 65_536);
        let target = if next() % 2 == 0 { "ACCEPT" } else { "DROP" };
        let ends = match next() % 4 {
            0 => format!("-s {source}"),
            1 => format!("-d {destination}"),
            _ => format!("-s {source} -d {destination}"),
        };
        let _ = writeln!(
            text,
            "-A INPUT {ends} -p {protocol} -m {protocol} --dport {}:{} -j {target}",
            a.min(b),
            a.max(b)
        );
    }
    text.push_str("COMMIT\n");
    text
}
