//! What is wrong with a rule set: one file a rule, each with its code and its page.

use surefoot_report::{Finding, Page};

use crate::Surroundings;
use crate::model::Firewall;
use crate::semantics::Index;

/// What lints look at.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The rules.
    pub firewall: &'a Firewall,
    /// For quick answers about packets.
    pub index: &'a Index,
    /// The host around the rules.
    pub surroundings: &'a Surroundings,
}

/// All findings, in no order.
pub fn check(_facts: &Facts<'_>) -> Vec<Finding> {
    Vec::new()
}

/// The pages of all lints.
pub fn pages() -> &'static [Page] {
    &[]
}
