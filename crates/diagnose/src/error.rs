//! What keeps a diagnosis from being made.

use std::net::IpAddr;

use thiserror::Error;

/// A question that cannot be looked into.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum DiagnoseError {
    /// The target is no URL, port or unit.
    #[error("`{0}` is no URL, no :PORT, and no unit or program that runs here")]
    NoTarget(String),
    /// The URL has a scheme that is not HTTP.
    #[error("`{0}` is no http or https URL")]
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
    #[error("`{name}` leads to {address}, which is no address of this machine")]
    Elsewhere {
        /// The name.
        name: String,
        /// The address.
        address: IpAddr,
    },
    /// The sockets could not be read.
    #[error("the sockets of this machine cannot be read: {0}")]
    Sockets(String),
}
