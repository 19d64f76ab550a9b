//! nft's rule sets: `nft list ruleset`, and files for `nft -f`.

mod lex;
mod lower;
mod names;
mod read;
mod rule;
mod set;
mod value;

pub use lower::lower;
pub use read::{Chain, Rule, Ruleset, Set, Table, parse_text};
