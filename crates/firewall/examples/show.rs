//! Draws rule files: `show text|json|dot|svg FILE...`.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example reads files and prints"
)]

use surefoot_firewall::show::{self, Selection, picture};
use surefoot_report::Style;
use surefoot_ruleset::{Input, load};

fn main() {
    let mut words = std::env::args().skip(1);
    let form = words.next().unwrap_or_default();
    let inputs = words.filter_map(|name| {
        let text = std::fs::read_to_string(&name).ok()?;
        Some(Input {
            name,
            text,
            format: None,
        })
    });
    let loaded = load(inputs.collect());
    let picture = picture(&loaded.firewall, &Selection::default());
    match form.as_str() {
        "json" => print!("{}", show::json(&picture)),
        "dot" => print!("{}", show::dot(&picture)),
        "svg" => print!("{}", show::svg(&picture)),
        _ => print!("{}", show::text(&picture, Style::Plain, 100)),
    }
}
