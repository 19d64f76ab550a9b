//! The areas of a machine: the one list that findings, pages, the schema and `--area` are read from.

use surefoot_host::Host;
use surefoot_report::{Area, Finding};

use crate::{exposure, storage, wrappers};
use surefoot_firewall::LoadedRules;

/// What an area looks at.
pub(crate) struct MachineFacts<'a> {
    /// The machine.
    pub(crate) host: &'a Host,
    /// Its rules, read once for every area that depends on them.
    pub(crate) rules: &'a LoadedRules,
}

/// Finds what is wrong in one area.
pub(crate) type AreaCheck = fn(&MachineFacts<'_>) -> Vec<Finding>;

/// Every area with its check. A new job adds one line.
pub(crate) static AREAS: &[(&Area, AreaCheck)] = &[
    (&surefoot_firewall::lint::AREA, |facts| {
        surefoot_firewall::lint::check(facts.rules)
    }),
    (&exposure::AREA, |facts| {
        exposure::check(facts.host, facts.rules)
    }),
    (&wrappers::AREA, |facts| wrappers::check(facts.host)),
    (&surefoot_processes::AREA, |facts| {
        surefoot_processes::check(facts.host)
    }),
    (&surefoot_consoles::AREA, |facts| {
        surefoot_consoles::check(facts.host)
    }),
    (&storage::AREA, |facts| storage::check(facts.host)),
];

/// Every area, in the order in which they are listed to people.
pub fn areas() -> impl Iterator<Item = &'static Area> {
    AREAS.iter().map(|(area, _)| *area)
}
