//! Prints what the lints say of the files that are named: `cargo run --example lints -- FILE...`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example reads and prints"
)]

use surefoot_firewall::{LoadedRules, lint};
use surefoot_ruleset::Input;

fn main() {
    let inputs = std::env::args().skip(1).filter_map(|name| {
        let text = std::fs::read(&name).ok()?;
        Some(Input {
            name,
            text: String::from_utf8_lossy(&text).into_owned(),
            format: None,
        })
    });
    let findings = lint::check(&LoadedRules::of_texts(inputs.collect()));
    for finding in findings {
        println!(
            "{} {} {:?}: {}\n  {}",
            finding.code,
            finding.severity.word(),
            finding.certainty,
            finding.title,
            finding.impact
        );
        for evidence in finding.evidence {
            let packets = evidence.packets.map(|packets| format!(" [{packets}]"));
            println!(
                "    {}: {}{}",
                evidence.place,
                evidence.what,
                packets.unwrap_or_default()
            );
        }
        for remedy in finding.remedies {
            println!("  > {}", remedy.what);
            for command in remedy.commands {
                println!("    {command}");
            }
        }
    }
}
