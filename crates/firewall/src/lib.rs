//! Analyses of a rule set: questions, lints, pictures.
//!
//! Each is a pure function of rules (`surefoot-ruleset`) and of what the kernel does with them
//! (`surefoot-netfilter`). This crate does no I/O.

pub mod ask;
mod commands;
pub mod lint;
mod loaded;
mod makers;
pub mod show;

pub use loaded::{LoadedFrom, LoadedRules, OPEN_WITHOUT_RULES};
