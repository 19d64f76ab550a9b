//! What the kernel does with rules.
//!
//! [`packet`] and [`traffic`] are packets, one and many, [`language`] holds the words for them; [`semantics`] follows
//! one packet, [`exact`] all packets at once, [`boxes`] one chain of any size, [`lookup`] is the
//! compiled form for millions of packets a second. This crate does no I/O: what it needs to know of a
//! machine comes as [`Surroundings`].

pub mod boxes;
mod cuts;
pub mod exact;
pub mod language;
pub mod lookup;
pub mod packet;
mod refusals;
mod route_ways;
pub mod semantics;
mod source_routes;
mod stages;
mod surroundings;
pub mod traffic;
mod truth;

pub use source_routes::resolve_source_routes;
pub use surroundings::{Connected, Interface, Listener, Route, SavedRules, Session, Surroundings};
