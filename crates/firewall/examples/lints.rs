//! Prints what the lints say of the files that are named: `cargo run --example lints -- FILE...`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example reads and prints"
)]

use surefoot_firewall::lint::{self, Facts};
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::semantics::Index;
use surefoot_ruleset::{Input, load};

fn main() {
    let inputs = std::env::args().skip(1).filter_map(|name| {
        let text = std::fs::read(&name).ok()?;
        Some(Input {
            name,
            text: String::from_utf8_lossy(&text).into_owned(),
            format: None,
        })
    });
    let loaded = load(inputs.collect());
    let index = Index::new(&loaded.firewall);
    let findings = lint::check(&Facts {
        firewall: &loaded.firewall,
        index: &index,
        surroundings: &Surroundings::default(),
        all_rules_of: Some("these files"),
    });
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
