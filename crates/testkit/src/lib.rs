//! The kernel as referee: a network namespace with rules in it, packets that are let in, and what
//! every rule did with them.
//!
//! Everything here lives and dies with a value: no interface, rule or connection outlives its
//! [`Namespace`], and nothing outside of it is touched.

mod conntrack;
mod legacy;
mod namespace;
mod netlink;
mod privileged;
mod referee;
mod wire;

pub use conntrack::{Connection, Connections};
pub use namespace::Namespace;
pub use privileged::or_fail;
pub use referee::{Observation, Port, Referee, Step, Toward, What};
pub use wire::{DESTINATION_OPTIONS, Frame, Transport, Wire};
