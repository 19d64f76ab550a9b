//! Measures a network, with every iperf there is.
//!
//! `iperf` (2.x) and `iperf3` are two programs that measure the same thing and do not understand
//! each other. This crate speaks both protocols. [`wire`] holds the formats as pure functions: it
//! never opens a socket. [`server`] serves clients of both programs on the same ports;
//! [`client`] runs tests with servers of both.

pub mod client;
mod cpu_quota;
mod engine;
pub mod html_page;
pub mod imitation;
mod iperf2_streams;
pub mod iperf3_json;
mod iperf3_streams;
pub mod limiter;
pub mod link_rate;
pub mod metrics;
pub mod metrics_port;
pub mod privileges;
pub mod quantity;
pub mod server;
pub mod summary;
pub mod text;
pub mod wire;
