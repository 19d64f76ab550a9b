//! The one look at a machine: facts in, every area's findings out, worst first.
//!
//! [`areas`] lists the areas. A large one has a crate of its own; a small one without a command is a
//! file here. Each is its pages and a pure function of [`Host`] and of [`LoadedRules`], which are read
//! once. Nothing here reads the machine.

mod areas;
mod connections;
mod exposure;
mod rules;
mod sockets;
mod storage;
mod surroundings;
mod wrappers;

use surefoot_host::Host;
use surefoot_report::{Area, Finding, Page, Report, Unknown, sort_worst_first};

pub use areas::areas;
pub use connections::connections;
pub use rules::loaded_rules;
use surefoot_firewall::{LoadedRules, lint};

use areas::{AREAS, MachineFacts};

/// Every area's findings about a machine, worst first, and what was unknown.
pub fn check(host: &Host) -> Report {
    check_areas(host, |_| true)
}

/// The findings of the areas that are wanted, worst first, and what was unknown.
pub fn check_areas(host: &Host, wanted: impl Fn(&Area) -> bool) -> Report {
    let rules = loaded_rules(host);
    let facts = MachineFacts {
        host,
        rules: &rules,
    };
    let wanted = AREAS.iter().filter(|(area, _)| wanted(area));
    let mut findings: Vec<Finding> = wanted.flat_map(|(_, check)| check(&facts)).collect();
    sort_worst_first(&mut findings);
    let mut unknowns: Vec<Unknown> = host.missing.iter().map(unknown).collect();
    unknowns.extend(rules.unknowns());
    unknowns.extend(exposure::elsewhere::unknowns(host));
    unknowns.sort();
    unknowns.dedup();
    Report {
        subject: subject(host),
        findings,
        unknowns,
    }
}

/// The firewall's findings alone.
pub fn check_rules(rules: &LoadedRules) -> Report {
    let mut findings = lint::check(rules);
    sort_worst_first(&mut findings);
    Report {
        subject: rules.subject.clone(),
        findings,
        unknowns: rules.unknowns(),
    }
}

/// The page behind every code, by code.
pub fn pages() -> Vec<&'static Page> {
    let mut pages: Vec<&Page> = areas().flat_map(|area| area.pages).collect();
    pages.sort_by_key(|page| page.code);
    pages
}

/// The page behind a code.
pub fn page(code: &str) -> Option<&'static Page> {
    pages().into_iter().find(|page| page.code == code)
}

/// How the machine is named to people.
fn subject(host: &Host) -> String {
    let name = host.name.as_deref().unwrap_or("this machine");
    let about: Vec<String> = host
        .system
        .iter()
        .cloned()
        .chain(host.kernel.iter().map(|release| format!("Linux {release}")))
        .collect();
    if about.is_empty() {
        return name.to_owned();
    }
    format!("{name} ({})", about.join(", "))
}

fn unknown(missing: &surefoot_host::Missing) -> Unknown {
    Unknown {
        fact: missing.fact.clone(),
        why: missing.why.clone(),
        leaves_open: missing.leaves_open.clone(),
    }
}

/// `1 line`, `2 lines`.
fn count(number: usize, thing: &str) -> String {
    if number == 1 {
        format!("1 {thing}")
    } else {
        format!("{number} {thing}s")
    }
}
