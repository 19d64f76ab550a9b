//! What is told of a stop that was carried out.

use serde::Serialize;
use surefoot_host::ProcessIdentity;

use super::held::ProcessEnd;
use crate::explanation::StopExplanation;

/// How it went.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StopReport {
    /// The processes that ended, in the order of their ends.
    pub ended: Vec<EndedProcess>,
    /// The processes that did not end.
    pub survivors: Vec<StopSurvivor>,
    /// Children of stopped processes that run on.
    pub left: Vec<ProcessIdentity>,
    /// Units that systemd has stopped.
    pub units: Vec<String>,
    /// Processes that run the same program again, started by the same parent since.
    pub restarted: Vec<RestartedProcess>,
    /// Ports that were to be free and are served by another process now.
    pub still_served: Vec<ServedPort>,
}

/// A process that serves a port whose listeners were stopped: the service was handed over to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServedPort {
    /// The port.
    pub port: u16,
    /// The process; none if which one it is may not be seen.
    pub pid: Option<u32>,
    /// Its name.
    pub name: String,
}

/// A process that took the place of one that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RestartedProcess {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// The process that ended.
    pub instead_of: u32,
    /// The parent of both.
    pub by: u32,
    /// The parent's name.
    pub by_name: String,
    /// The command that stops it for good, where one is known.
    pub proper: Option<String>,
}

/// A process that ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EndedProcess {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Whether it was asked for.
    pub asked: bool,
    /// Seconds from the first signal to its end; none if it was gone before.
    pub after: Option<f64>,
    /// Whether KILL was sent.
    pub killed: bool,
    /// How it ended.
    pub end: ProcessEnd,
}

/// A process that did not end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StopSurvivor {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// Whether KILL was sent.
    pub killed: bool,
    /// Why it was not signalled to the end, where that is our doing.
    pub spared: Option<String>,
    /// Its state now.
    pub explanation: Option<StopExplanation>,
}
