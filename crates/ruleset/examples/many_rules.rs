//! Prints a hundred thousand rules as they grow over the years.

#![expect(clippy::disallowed_methods, reason = "an example prints")]

mod rules;

use std::io::Write;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(rules::text(rules::RULES).as_bytes())
}
