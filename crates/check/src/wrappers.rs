//! tcpwrappers: rules that no program reads.

use surefoot_host::{Host, Process};
use surefoot_report::{Area, Certainty, Evidence, Finding, Page, Place, Remedy, Severity};

use crate::count;

/// The area of these findings.
pub(crate) static AREA: Area = Area {
    word: "wrappers",
    pages: PAGES,
    advice: None,
};

const PAGES: &[Page] = &[Page {
    code: "EX003",
    title: "hosts.allow or hosts.deny has rules that no running program reads",
    severity: Severity::Warning,
    text: "\
What it is
  /etc/hosts.allow or /etc/hosts.deny holds rules, but no program that waits for connections
  has libwrap, the library that reads them, in its memory.

Why it matters
  These lines look as if they keep strangers out. They do nothing: only programs that
  are linked with libwrap, or are started through tcpd, read them. OpenSSH dropped libwrap in
  2014 and Fedora and Arch dropped it altogether; Debian's sshd still has it. nginx, apache,
  mysqld, redis and most others never had it.

See it yourself
  grep -l libwrap /proc/[0-9]*/maps
  ldd /usr/sbin/sshd | grep libwrap

Mend it
  Say the same in the firewall, which holds for every program:
    surefoot firewall check
  then remove the lines, or leave a comment that they are not in force.

When it is fine
  When the programs that read them are started on demand by inetd and tcpd.
",
}];

/// Finds rules that no program reads.
pub(crate) fn check(host: &Host) -> Vec<Finding> {
    let mut rules: Vec<Evidence> = host.wrappers.iter().flat_map(evidence).collect();
    let (Some(sockets), Some(_), false) = (&host.sockets, &host.processes, rules.is_empty()) else {
        return Vec::new();
    };
    let owners = sockets
        .iter()
        .filter(|socket| socket.waits())
        .flat_map(|socket| &socket.owners);
    let mut daemons: Vec<&Process> = owners.filter_map(|pid| host.process(*pid)).collect();
    daemons.sort_by_key(|process| process.pid);
    daemons.dedup_by_key(|process| process.pid);
    let some_read = daemons.iter().any(|process| process.wrapped == Some(true));
    if some_read {
        // The others are read, or it is unknown by which name a daemon asks.
        rules.retain(|rule| unread(&rule.what, &daemons));
        if rules.is_empty() {
            return Vec::new();
        }
        daemons.retain(|process| rules.iter().any(|rule| is_named(&rule.what, process)));
    }
    // sshd since 9.8 asks in a program of its own for each connection; inetd starts tcpd.
    let may_ask = |process: &&&Process| {
        process.wrapped.is_none()
            || ["sshd", "inetd", "xinetd", "systemd"].contains(&process.name.as_str())
    };
    let doubtful: Vec<&str> = daemons
        .iter()
        .filter(may_ask)
        .map(|it| it.name.as_str())
        .collect();
    let without_owner = sockets
        .iter()
        .any(|socket| socket.waits() && socket.owners.is_empty());
    let certain = doubtful.is_empty() && (some_read || !without_owner);
    let certainty = if certain {
        Certainty::Certainly
    } else {
        Certainty::Possibly
    };
    let mut found = AREA.finding(
        "EX003",
        certainty,
        if some_read {
            format!(
                "{} of tcpwrappers that {} not read: {}",
                count(rules.len(), "line"),
                if daemons.len() == 1 {
                    "its daemon does"
                } else {
                    "the daemons named do"
                },
                daemons
                    .iter()
                    .map(|it| it.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            )
        } else {
            format!(
                "no program that listens reads the {} of tcpwrappers",
                count(rules.len(), "line")
            )
        },
        "These lines protect nothing.",
    );
    found.evidence = rules;
    found.evidence.truncate(8);
    if !doubtful.is_empty() {
        found.evidence.push(Evidence {
            place: Place::Kernel {
                name: "listening programs".to_owned(),
            },
            what: format!("{} may start a helper that reads them", doubtful.join(", ")),
            packets: None,
        });
    }
    found.remedies = vec![Remedy {
        what: "See which running programs have libwrap".to_owned(),
        commands: vec!["grep -l libwrap /proc/[0-9]*/maps".to_owned()],
    }];
    vec![found]
}

/// The daemons before the first colon of a line, up to the word `EXCEPT`, without `@host`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let list = line.split(':').next().unwrap_or_default();
    list.split(|it: char| it.is_whitespace() || it == ',')
        .filter(|word| !word.is_empty())
        .take_while(|word| !word.eq_ignore_ascii_case("EXCEPT"))
        .map(|word| word.split('@').next().unwrap_or_default())
}

/// Whether a line names the daemon, by its name, its first argument or its program file.
fn is_named(line: &str, daemon: &Process) -> bool {
    let base = |path: &String| path.rsplit('/').next().unwrap_or_default().to_owned();
    let names = [
        Some(daemon.name.clone()),
        daemon.command.first().map(base),
        daemon.exe.as_ref().map(base),
    ];
    named(line).any(|word| names.iter().flatten().any(|name| name == word))
}

/// Whether a line names a daemon that waits for connections without libwrap, and none that has it.
fn unread(line: &str, daemons: &[&Process]) -> bool {
    let mut named = daemons.iter().filter(|it| is_named(line, it)).peekable();
    named.peek().is_some() && named.all(|daemon| daemon.wrapped != Some(true))
}

/// The lines that are rules; `#` starts a comment only in the first column (`hosts_access(5)`).
fn evidence(file: &surefoot_host::TextFile) -> Vec<Evidence> {
    (1..)
        .zip(file.text.lines())
        .filter(|(_, line)| !line.starts_with('#') && line.contains(':'))
        .map(|(number, line)| Evidence {
            place: Place::Line {
                source: file.path.clone(),
                line: number,
                column: None,
            },
            what: line.trim().to_owned(),
            packets: None,
        })
        .collect()
}
