//! The page behind a code: what a finding means, written once for all machines.

use serde::Serialize;

use crate::Severity;

/// What a code means; `surefoot explain CODE` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Page {
    /// The code, such as `FW004`.
    pub code: &'static str,
    /// One line: what is wrong.
    pub title: &'static str,
    /// How much it matters, as a rule; a finding may say otherwise.
    pub severity: Severity,
    /// What it is, why it matters, how to see it, how to mend it, when it is fine.
    pub text: &'static str,
}
