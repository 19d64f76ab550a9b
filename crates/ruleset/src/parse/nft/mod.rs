//! nft's rule sets: `nft list ruleset`, and files for `nft -f`.

mod anonymous;
mod compare;
mod constant;
mod effect;
mod extent;
mod include;
mod json;
mod lex;
mod lower;
mod mark;
mod names;
mod print;
mod read;
mod rule;
mod selector;
mod set;
mod value;

pub use include::{FindIncluded, IncludedFile, RefusedInclude, with_included};
pub use json::json_to_text;
pub use lower::lower;
pub use names::word;
pub use print::print;
pub use read::{
    ChainSyntax, RuleSyntax, Ruleset, SetSyntax, TableSyntax, parse_text, parse_with_refused,
};
