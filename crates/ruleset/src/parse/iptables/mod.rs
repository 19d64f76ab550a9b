//! `iptables-save` and `ip6tables-save`.
//!
//! [`parse`] reads every option of a rule by one table (`modules`), so that reading knows arity
//! and spelling only; [`lower`] gives meaning; [`print`] writes the same rules in one spelling.

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
pub use syntax::{Chain, Dump, Extension, File, Given, Rule, Table, Target};
pub(super) use words::Words;
