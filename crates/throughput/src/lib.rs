//! Measures a network, with every iperf there is.
//!
//! `iperf` (2.x) and `iperf3` are two programs that measure the same thing and do not understand
//! each other. This crate speaks both protocols. [`wire`] holds the formats as pure functions: it
//! never opens a socket.

pub mod wire;
