//! What keeps a diagnosis from being made.

use std::net::IpAddr;

use thiserror::Error;

/// A question that cannot be looked into.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DiagnoseError {
    /// The target is not a URL, a port or a unit.
    #[error("`{0}` is not a URL, a :PORT, or a unit or program that listens here")]
    NoTarget(String),
    /// The URL has a scheme that is not HTTP.
    #[error("`{0}` is not an http or https URL")]
    Scheme(String),
    /// The name of the URL leads nowhere.
    #[error("`{name}` cannot be resolved: {why}")]
    Unresolved {
        /// The name.
        name: String,
        /// Why not.
        why: String,
    },
    /// The URL leads to another machine.
    #[error("`{name}` leads to {address}, which is not an address of this machine")]
    Elsewhere {
        /// The name.
        name: String,
        /// The address.
        address: IpAddr,
    },
    /// The user's test could not be run, so its status says nothing about the symptom.
    #[error(
        "the test cannot be run (status {status}), which does not show the symptom{}{said}",
        if said.is_empty() { "" } else { ": " }
    )]
    TestNotRun {
        /// The status of the shell.
        status: i32,
        /// What it wrote to its standard error.
        said: String,
    },
    /// The sockets could not be read.
    #[error("the sockets of this machine cannot be read: {0}")]
    Sockets(String),
}

/// What ends the holding of daemons. All that were held go on, unless it says otherwise.
#[derive(Debug, Error)]
pub enum HoldError {
    /// The target is not there any more.
    #[error(transparent)]
    Target(#[from] DiagnoseError),
    /// The journal could not do its part.
    #[error(transparent)]
    Journal(#[from] surefoot_journal::JournalError),
}
