//! Prints what is odd in the rule files that are named.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "an example reads and prints"
)]

use surefoot_ruleset::{Input, load};

fn main() -> std::io::Result<()> {
    for name in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&name)?;
        let loaded = load(vec![Input {
            name,
            text,
            format: None,
        }]);
        for (source, problem) in &loaded.problems {
            let Some(source) = loaded.firewall.sources.get(usize::from(*source)) else {
                continue;
            };
            let at = source.position(problem.span.unwrap_or_default().start);
            let (line, column) = (at.line, at.column);
            println!(
                "{}:{line}:{column}: {:?}: {}",
                source.name, problem.level, problem.what
            );
        }
    }
    Ok(())
}
