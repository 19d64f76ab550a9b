//! The command lines and the output of iperf 2 and iperf3, for scripts written for them.
//!
//! All here is text to values and values to text. Nothing opens a socket.

mod getopt;
mod iperf2_arguments;
mod iperf2_lines;
mod iperf2_rows;
mod iperf2_server_lines;
mod iperf3_arguments;
mod iperf3_lines;
mod service_types;
mod units;

use std::time::Duration;

use thiserror::Error;

pub use getopt::CommandLineError;
pub use iperf2_arguments::{Iperf2Order, Iperf2Printing, iperf2_help, read_iperf2_arguments};
pub use iperf2_lines::{Iperf2ClientLines, iperf2_error_text};
pub use iperf2_server_lines::Iperf2ServerLines;
pub use iperf3_arguments::{
    Iperf3Form, Iperf3Order, Iperf3Printing, iperf3_help, read_iperf3_arguments,
};
pub use iperf3_lines::{Iperf3Lines, iperf3_error_text};
pub use units::UnitLetter;

/// An interval that no test reaches: one report, of all, at the end.
const ONE_INTERVAL: Duration = Duration::from_secs(1_000_000);

/// A command line that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ImitationError {
    /// An option that is unknown or not complete.
    #[error(transparent)]
    Option(#[from] CommandLineError),
    /// A value that does not fit, or options that do not go together.
    #[error("parameter error - {0}")]
    Parameter(String),
}

/// The version of iperf 2 that is imitated, as it names itself.
pub fn iperf2_version() -> String {
    format!(
        "iperf version 2.1.8 (surefoot {})",
        env!("CARGO_PKG_VERSION")
    )
}

/// The version of iperf3 that is imitated, as it names itself.
pub fn iperf3_version() -> String {
    format!("iperf 3.12 (surefoot {})", env!("CARGO_PKG_VERSION"))
}
