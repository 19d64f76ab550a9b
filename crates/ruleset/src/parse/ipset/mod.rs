//! `ipset save`.

mod element;
mod lower;
mod read;

pub use lower::lower;
pub use read::{File, Line, Setting, Verb, parse, print};
