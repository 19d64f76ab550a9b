//! What a rule set does.
//!
//! Text in, meaning out: parsers for iptables-save, ipset save and nft; one model for all of
//! them; an evaluator that follows a packet; questions and lints on top.
//! This crate never reads a machine. What it needs to know of one comes as [`Surroundings`].

pub mod ask;
pub mod boxes;
mod circles;
pub mod exact;
pub mod lint;
mod load;
pub mod lookup;
pub mod model;
pub mod packet;
pub mod parse;
pub mod semantics;
pub mod show;
mod surroundings;
pub mod traffic;

pub use load::{Format, Input, Loaded, load};
pub use surroundings::{Connected, Interface, Listener, Route, SavedRules, Session, Surroundings};
