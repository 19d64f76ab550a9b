//! The wire formats of iperf 2 and iperf3: bytes to values and back, no I/O.
//!
//! The layouts were learned from captured traffic of iperf 2.1.8, iperf3 3.12 and 3.21 and from
//! reading; `tests/captured_bytes.rs` holds them against the captures. A function that reads takes
//! what came, however short or odd, and never panics.

mod big_endian;
pub mod first_bytes;
pub mod iperf2;
pub mod iperf3;
