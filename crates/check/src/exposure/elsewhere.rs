//! What listens where this look does not reach: in other network namespaces, such as containers.

use std::collections::BTreeSet;

use surefoot_host::{Host, Process};
use surefoot_report::Unknown;

use crate::count;

/// As many programs are named.
const NAMED: usize = 6;

/// What is unknown of other network namespaces.
pub(crate) fn unknowns(host: &Host) -> Vec<Unknown> {
    let processes = || host.processes.iter().flatten().filter(|it| !it.kernel);
    let elsewhere: Vec<&Process> = processes()
        .filter(|process| process.same_network == Some(false))
        .collect();
    // What is dead has left its namespace.
    let hidden = processes()
        .filter(|process| process.same_network.is_none() && process.state != 'Z')
        .count();
    let mut unknowns = Vec::new();
    if !elsewhere.is_empty() {
        let spaces: BTreeSet<u64> = elsewhere.iter().filter_map(|it| it.network).collect();
        let fact = match spaces.len() {
            0 => "the sockets of other network namespaces".to_owned(),
            number => format!(
                "the sockets of {}",
                count(number, "other network namespace")
            ),
        };
        unknowns.push(Unknown {
            fact,
            why: format!("surefoot looks at its own alone; there {}", who(&elsewhere)),
            leaves_open:
                "which programs wait there for other machines, and what the rules there let through"
                    .to_owned(),
        });
    }
    if hidden > 0 && host.running {
        unknowns.push(Unknown {
            fact: format!("the network namespace of {hidden} processes"),
            why: "it may not be read from here".to_owned(),
            leaves_open: "whether they wait in a container for other machines".to_owned(),
        });
    }
    unknowns
}

/// `run nginx (pid 7), redis-server (pid 9) and 3 more processes`.
fn who(processes: &[&Process]) -> String {
    let mut seen = BTreeSet::new();
    let first: Vec<String> = processes
        .iter()
        .filter(|process| seen.insert((process.network, process.name.as_str())))
        .take(NAMED)
        .map(|process| format!("{} (pid {})", process.name, process.pid))
        .collect();
    let more = processes.len().saturating_sub(first.len());
    let more = match more {
        0 => String::new(),
        1 => " and 1 more process".to_owned(),
        more => format!(" and {more} more processes"),
    };
    format!("run {}{more}", first.join(", "))
}
