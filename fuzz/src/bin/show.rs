//! Rules of any format, drawn in every form: no panic, no rule lost, nothing raw.
//!
//! Seeds: .in .v4 .nft .rules
//! Dictionary: iptables
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_firewall::show::{Selection, self};
use surefoot_ruleset::{Input, load};
use surefoot_report::Style;

fuzz_target!(|text: &str| {
    let input = Input { name: "rules".to_owned(), text: text.to_owned(), format: None };
    let loaded = load(vec![input]);
    let picture = show::picture(&loaded.firewall, &Selection::default());
    let chains = loaded.firewall.tables.iter().flat_map(|table| &table.chains);
    let rules: usize = chains.map(|chain| chain.rules.len()).sum();
    let drawn: usize = picture.chains.iter().map(|chain| chain.rules.len()).sum();
    assert_eq!(rules, drawn, "every rule is drawn once");
    let shown = show::text(&picture, Style::Plain, 80);
    for form in [&shown, &show::dot(&picture), &show::svg(&picture)] {
        let raw = |char: char| char.is_control() && char != '\n';
        assert!(!form.contains(raw), "nothing reaches the terminal raw");
    }
    let numbers = shown.lines().filter(|line| line.contains(['├', '└'])).count();
    assert!(numbers >= rules, "every rule has a line");
    let json: serde_json::Value = serde_json::from_str(&show::json(&picture)).expect("JSON");
    assert_eq!(json["chains"].as_array().map_or(0, Vec::len), picture.chains.len());
});
