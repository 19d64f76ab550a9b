//! `iptables-save` and `ip6tables-save`.
//!
//! [`parse`] reads every option of a rule by one table (`modules`), so that reading knows arity
//! and spelling only; [`lower`] gives meaning; [`print`] writes the same rules in one spelling.

mod lower;
mod modules;
mod names;
mod print;
mod read;
mod rule;
mod syntax;
mod value;
mod words;

pub use lower::{Context, lower};
pub use print::print;
pub use read::parse;
pub use syntax::{Chain, Dump, Extension, File, Given, Rule, Table, Target};
