//! `iptables-save` and `ip6tables-save`.
//!
//! [`parse`] reads every option of a rule by one table (`modules`), so that reading knows arity
//! and spelling only; [`mod@lower`] gives meaning; [`mod@print`] writes the same rules in one spelling.

mod lower;
mod modules;
pub mod names;
mod print;
mod read;
mod rule;
mod syntax;
pub(crate) mod value;
mod words;

pub use lower::{Context, lower};
pub use print::print;
pub use read::parse;
pub(super) use rule::quote_into;
pub use syntax::{Dump, DumpChain, DumpRule, DumpTable, Extension, File, Given, Target};
pub(super) use words::Words;
