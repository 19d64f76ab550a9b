//! The one look at a machine: facts in, every area's findings out, worst first.
//!
//! Each area is a file with its pages and a pure function of [`Host`]. What an area needs of the
//! firewall it asks of [`Rules`], which are read once. Nothing here reads the machine.

mod connections;
mod consoles;
mod exposure;
mod no_filter;
mod processes;
mod rules;
mod sockets;
mod storage;
mod surroundings;
mod wrappers;

use surefoot_host::Host;
use surefoot_report::{Area, Certainty, Finding, Page, Report, Unknown, sort_worst_first};

pub use connections::connections;
pub use rules::{Rules, withheld};

/// Every area's findings about a machine, worst first, and what was not known.
pub fn check(host: &Host) -> Report {
    let rules = Rules::of_host(host);
    let mut findings = rules.findings();
    findings.extend(exposure::check(host, &rules));
    findings.extend(exposure::beside::check(host));
    findings.extend(wrappers::check(host));
    findings.extend(processes::check(host));
    findings.extend(consoles::check(host));
    findings.extend(storage::check(host));
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
pub fn check_rules(rules: &Rules) -> Report {
    let mut findings = rules.findings();
    sort_worst_first(&mut findings);
    Report {
        subject: rules.subject.clone(),
        findings,
        unknowns: rules.unknowns(),
    }
}

/// The page behind every code, by code.
pub fn pages() -> Vec<&'static Page> {
    let areas = [
        surefoot_firewall::lint::pages(),
        no_filter::PAGES,
        exposure::PAGES,
        exposure::beside::PAGES,
        wrappers::PAGES,
        processes::PAGES,
        consoles::PAGES,
        storage::PAGES,
    ];
    let mut pages: Vec<&Page> = areas.into_iter().flatten().collect();
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

/// A finding without evidence and remedies yet; severity and title come from its page.
fn finding(page: &Page, area: Area, certainty: Certainty, title: String, impact: &str) -> Finding {
    Finding {
        code: page.code.to_owned(),
        severity: page.severity,
        certainty,
        area,
        title,
        impact: impact.to_owned(),
        evidence: Vec::new(),
        remedies: Vec::new(),
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
