//! From text to what was written, one module per format.
//!
//! A parser keeps the words and their places and never fails as a whole: it returns what it could
//! read together with the [`surefoot_report::Problem`]s it met. Meaning comes after, in `lower`.

pub mod ipset;
pub mod iptables;
pub mod nft;

pub use iptables::names;
pub use iptables::value::mac;
