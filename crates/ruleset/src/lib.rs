//! Rule sets: text to meaning and back.
//!
//! Parsers for iptables-save, ip6tables-save, ipset save and nft (text and JSON), and one model for all
//! of them. Printing what was parsed is a fixpoint. This crate does no I/O and decides nothing about
//! packets; what the kernel does with a rule is `surefoot-netfilter`'s to say.

mod circles;
mod load;
pub mod model;
pub mod parse;

pub use load::{Format, Input, Loaded, guess_format, load, load_including};
pub use parse::nft::{FindIncluded, IncludedFile};
