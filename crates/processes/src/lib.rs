//! Processes that are stuck, dead or refuse to stop.
//!
//! The smallest job: its [`AREA`] and the function that `surefoot check` calls, both pure. It reads
//! facts of a [`surefoot_host::Host`] and never the machine. `docs/adding-a-job.md` shows how it
//! is tied in.

mod findings;

pub use findings::{AREA, check};
