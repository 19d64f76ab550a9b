//! What may be stopped, in words, and which processes of a machine are meant.

use std::collections::BTreeSet;

use serde::Serialize;
use surefoot_host::{Host, Process};
use thiserror::Error;

/// What is to be stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", content = "value", rename_all = "kebab-case")]
pub enum StopTarget {
    /// A process by number.
    Pid(u32),
    /// Processes by name; `*` stands for any text.
    Name(String),
    /// What listens on a port, TCP or UDP.
    Port(u16),
    /// A unit of systemd.
    Unit(String),
    /// Everything of a user.
    User(String),
    /// Everything on a terminal.
    Terminal(String),
    /// What uses a file or a mount.
    File(String),
    /// Everything in a control group and below it.
    ControlGroup(String),
    /// Everything in a container, by the beginning of its identifier.
    Container(String),
}

/// Why a word is no target, or nothing is found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// The word after the colon is no port.
    #[error("`{0}` is no port: a port is `:` and a number from 1 to 65535")]
    Port(String),
    /// There is nothing after the colon, or nothing at all.
    #[error(
        "`{0}` names nothing; a target is a pid, a name, `:PORT`, a path, or `unit:`, `user:`, `tty:`, `cgroup:`, `container:` with a name"
    )]
    Empty(String),
    /// A number that no process has.
    #[error("there is no process {0}")]
    NoSuchProcess(u32),
    /// A name that no process has.
    #[error("no process is named `{0}`")]
    NoSuchName(String),
    /// No listener.
    #[error("nothing listens on port {0}")]
    NothingListens(u16),
    /// A listener whose owner is unknown.
    #[error(
        "port {0} listens, and which process does it is unknown; run it as root, or in the network namespace of the daemon"
    )]
    HiddenOwner(u16),
    /// Nothing in a unit.
    #[error("unit `{0}` has no process here")]
    EmptyUnit(String),
    /// Nothing in a container.
    #[error("no process is in a container `{0}`")]
    NoSuchContainer(String),
    /// No such user, terminal, control group or file.
    #[error("{0}")]
    NotFound(String),
    /// Nothing uses it.
    #[error("nothing runs for {0}")]
    NothingThere(String),
    /// Several unrelated processes have the name.
    #[error("`{name}` names {count} processes that are not of one tree: {list}")]
    Ambiguous {
        /// The name.
        name: String,
        /// How many.
        count: usize,
        /// The first of them.
        list: String,
    },
    /// Processes are not known.
    #[error("the processes of this machine are unknown")]
    NoProcesses,
}

/// Makes a target of the text behind its prefix.
type TargetKind = fn(String) -> StopTarget;

impl StopTarget {
    /// Understands a word of the command line.
    pub fn parse(word: &str) -> Result<Self, TargetError> {
        let named = |prefix: &str| word.strip_prefix(prefix);
        let kinds: [(&str, TargetKind); 6] = [
            ("unit:", Self::Unit),
            ("user:", Self::User),
            ("tty:", Self::Terminal),
            ("cgroup:", Self::ControlGroup),
            ("container:", Self::Container),
            ("name:", Self::Name),
        ];
        for (prefix, kind) in kinds {
            if let Some(rest) = named(prefix) {
                return if rest.is_empty() {
                    Err(TargetError::Empty(word.to_owned()))
                } else {
                    Ok(kind(rest.to_owned()))
                };
            }
        }
        if let Some(port) = word.strip_prefix(':') {
            let number = port.parse().ok().filter(|number| *number > 0);
            return number
                .map(Self::Port)
                .ok_or_else(|| TargetError::Port(word.to_owned()));
        }
        if word.is_empty() {
            return Err(TargetError::Empty(word.to_owned()));
        }
        if word.bytes().all(|byte| byte.is_ascii_digit()) {
            return match word.parse() {
                Ok(0) | Err(_) => Err(TargetError::Empty(word.to_owned())),
                Ok(pid) => Ok(Self::Pid(pid)),
            };
        }
        if word.starts_with("/dev/tty") || word.starts_with("/dev/pts/") {
            return Ok(Self::Terminal(word.to_owned()));
        }
        if word.contains('/') {
            return Ok(Self::File(word.to_owned()));
        }
        let unit = [".service", ".socket", ".scope", ".slice", ".mount"];
        if unit.iter().any(|ending| word.ends_with(ending)) {
            return Ok(Self::Unit(word.to_owned()));
        }
        Ok(Self::Name(word.to_owned()))
    }
}

/// Finds the processes of a target that the facts alone tell: pid, name, port, unit, container.
/// `me` is left out of what a name finds. For the other kinds none is returned.
pub fn find_in_facts(
    target: &StopTarget,
    host: &Host,
    me: u32,
    all: bool,
) -> Result<Option<Vec<u32>>, TargetError> {
    let processes = host.processes.as_deref().ok_or(TargetError::NoProcesses)?;
    let pids = |wanted: &dyn Fn(&Process) -> bool| -> Vec<u32> {
        let found = processes.iter().filter(|process| wanted(process));
        found.map(|process| process.pid).collect()
    };
    let some = |pids: Vec<u32>, error: TargetError| {
        if pids.is_empty() {
            Err(error)
        } else {
            Ok(Some(pids))
        }
    };
    match target {
        StopTarget::Pid(pid) => {
            let there = host.process(*pid).map(|process| vec![process.pid]);
            there.map(Some).ok_or(TargetError::NoSuchProcess(*pid))
        }
        StopTarget::Name(name) => {
            let found = pids(&|process| process.pid != me && has_name(process, name));
            let roots = roots_of(&found, host);
            if roots.len() > 1 && !all {
                let shown = roots.iter().take(8).map(ToString::to_string);
                let mut list = shown.collect::<Vec<_>>().join(", ");
                if roots.len() > 8 {
                    list.push_str(", …");
                }
                return Err(TargetError::Ambiguous {
                    name: name.clone(),
                    count: roots.len(),
                    list,
                });
            }
            some(found, TargetError::NoSuchName(name.clone()))
        }
        StopTarget::Port(port) => {
            let sockets = host.sockets.iter().flatten();
            let listeners: Vec<_> = sockets
                .filter(|socket| socket.waits() && socket.port == *port)
                .collect();
            if listeners.is_empty() {
                return Err(TargetError::NothingListens(*port));
            }
            let owners: BTreeSet<u32> = listeners
                .iter()
                .flat_map(|socket| socket.owners.iter().copied())
                .collect();
            some(
                owners.into_iter().collect(),
                TargetError::HiddenOwner(*port),
            )
        }
        StopTarget::Unit(unit) => some(
            pids(&|process| process.unit.as_deref().is_some_and(|it| is_unit(it, unit))),
            TargetError::EmptyUnit(unit.clone()),
        ),
        StopTarget::Container(id) => some(
            pids(&|process| {
                process
                    .container
                    .as_ref()
                    .is_some_and(|it| it.starts_with(id))
            }),
            TargetError::NoSuchContainer(id.clone()),
        ),
        StopTarget::User(_)
        | StopTarget::Terminal(_)
        | StopTarget::File(_)
        | StopTarget::ControlGroup(_) => Ok(None),
    }
}

/// Whether a unit is the one that is meant; `.service` may be left out.
pub fn is_unit(unit: &str, wanted: &str) -> bool {
    unit == wanted || unit.strip_suffix(".service") == Some(wanted)
}

/// Those that have no ancestor among them.
fn roots_of(pids: &[u32], host: &Host) -> Vec<u32> {
    let set: BTreeSet<u32> = pids.iter().copied().collect();
    let below = |pid: u32| host.ancestors(pid).iter().any(|above| set.contains(above));
    pids.iter().copied().filter(|pid| !below(*pid)).collect()
}

fn has_name(process: &Process, pattern: &str) -> bool {
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let exe = process
        .exe
        .as_deref()
        .map(|exe| base(exe.trim_end_matches(" (deleted)")));
    let first = process.command.first().map(|word| base(word));
    // A script is known by its own name as well: `python3 /opt/worker.py`.
    let script = process
        .command
        .get(1)
        .filter(|word| word.starts_with('/'))
        .map(|word| base(word));
    let names = [Some(process.name.clone()), exe, first, script];
    names
        .iter()
        .flatten()
        .any(|name| matches_pattern(pattern, name))
}

/// Whether a name matches a pattern in which `*` stands for any text.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, parent: u32, name: &str) -> Process {
        Process {
            pid,
            parent,
            name: name.to_owned(),
            ..Process::default()
        }
    }

    fn host() -> Host {
        Host {
            processes: Some(vec![
                process(5, 1, "nginx"),
                process(6, 5, "nginx"),
                process(7, 1, "sleep"),
                process(8, 1, "sleep"),
            ]),
            sockets: Some(Vec::new()),
            ..Host::default()
        }
    }

    #[test]
    fn every_kind_of_target_has_its_word() {
        let parse = |word| StopTarget::parse(word).unwrap();
        assert_eq!(parse("17"), StopTarget::Pid(17));
        assert_eq!(parse(":80"), StopTarget::Port(80));
        assert_eq!(parse("nginx"), StopTarget::Name("nginx".into()));
        assert_eq!(parse("name:17"), StopTarget::Name("17".into()));
        assert_eq!(
            parse("nginx.service"),
            StopTarget::Unit("nginx.service".into())
        );
        assert_eq!(parse("unit:nginx"), StopTarget::Unit("nginx".into()));
        assert_eq!(
            parse("/dev/pts/3"),
            StopTarget::Terminal("/dev/pts/3".into())
        );
        assert_eq!(parse("/mnt"), StopTarget::File("/mnt".into()));
        for wrong in [
            "",
            "0",
            ":",
            ":0",
            ":65536",
            ":x",
            "unit:",
            "user:",
            "99999999999",
        ] {
            StopTarget::parse(wrong).unwrap_err();
        }
    }

    #[test]
    fn a_name_of_several_trees_is_ambiguous() {
        let find =
            |name: &str, all| find_in_facts(&StopTarget::Name(name.into()), &host(), 99, all);
        assert_eq!(find("nginx", false), Ok(Some(vec![5, 6])), "one tree");
        assert!(matches!(
            find("sleep", false),
            Err(TargetError::Ambiguous { count: 2, .. })
        ));
        assert_eq!(find("sleep", true), Ok(Some(vec![7, 8])));
        assert_eq!(
            find("ngin", false),
            Err(TargetError::NoSuchName("ngin".into()))
        );
        assert_eq!(find("ng*x", false), Ok(Some(vec![5, 6])));
        let me = find_in_facts(&StopTarget::Name("sleep".into()), &host(), 7, false);
        assert_eq!(me, Ok(Some(vec![8])));
    }

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name) in [
            ("a*", "abc"),
            ("*c", "abc"),
            ("a*c", "abc"),
            ("*", ""),
            ("*b*", "abc"),
        ] {
            assert!(matches_pattern(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a", "abc"), ("a*b", "abc"), ("ab*bc", "abc"), ("", "a")] {
            assert!(!matches_pattern(pattern, name), "{pattern} {name}");
        }
    }
}
