//! What must not be stopped without a second thought.

use std::collections::BTreeSet;

use surefoot_host::Host;

/// Why a process is not stopped unless you insist.
pub fn protection_of(pid: u32, all: &BTreeSet<u32>, host: &Host, me: u32) -> Option<String> {
    if pid == 1 {
        return Some(
            "it is process 1, and the machine (or this container) stops with it".to_owned(),
        );
    }
    if pid == me {
        return Some("it is this very surefoot".to_owned());
    }
    let name = host
        .process(pid)
        .map_or("", |process| process.name.as_str());
    if host.ancestors(me).contains(&pid) {
        let daemon = name.starts_with("sshd") || name == "dropbear";
        return Some(if daemon {
            "it carries the session that you work in".to_owned()
        } else {
            "this surefoot was started by it or below it: you would stop what you work in"
                .to_owned()
        });
    }
    if is_login(pid, host) {
        let mut others = host
            .processes
            .iter()
            .flatten()
            .filter(|process| !all.contains(&process.pid) && is_login(process.pid, host));
        if others.next().is_none() {
            return Some("it is the last login: no other session is left after it".to_owned());
        }
    }
    None
}

/// Whether a process leads a session with a terminal that a login program began.
fn is_login(pid: u32, host: &Host) -> bool {
    let Some(process) = host.process(pid) else {
        return false;
    };
    let begins = ["sshd", "dropbear", "login", "in.telnetd", "mosh-server"];
    let parent = host
        .process(process.parent)
        .map_or("", |parent| parent.name.as_str());
    process.terminal != 0
        && process.session == pid
        && process.state != 'Z'
        && begins.iter().any(|word| parent.starts_with(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use surefoot_host::Process;

    fn host() -> Host {
        let process = |pid, parent, name: &str, terminal| Process {
            pid,
            parent,
            name: name.to_owned(),
            session: pid,
            terminal,
            ..Process::default()
        };
        Host {
            processes: Some(vec![
                process(1, 0, "init", 0),
                process(2, 1, "sshd", 0),
                process(3, 2, "sshd", 0),
                process(4, 3, "bash", 5),
                process(5, 4, "surefoot", 5),
                process(6, 2, "sshd", 0),
                process(7, 6, "bash", 6),
                process(8, 1, "nginx", 0),
            ]),
            ..Host::default()
        }
    }

    #[test]
    fn what_carries_us_is_protected_and_a_neighbour_is_not() {
        let host = host();
        let why = |pid, me| protection_of(pid, &BTreeSet::from([pid]), &host, me);
        for pid in [1, 2, 3, 4, 5] {
            assert!(why(pid, 5).is_some(), "{pid}");
        }
        assert!(why(3, 5).unwrap().contains("session"));
        for pid in [6, 7, 8] {
            assert_eq!(why(pid, 5), None, "{pid}");
        }
    }

    #[test]
    fn the_last_login_is_protected_from_a_timer_job_too() {
        let host = host();
        let both = BTreeSet::from([4, 7]);
        // Started by nothing that has a terminal.
        assert!(
            protection_of(7, &both, &host, 8)
                .unwrap()
                .contains("last login")
        );
        assert_eq!(protection_of(7, &BTreeSet::from([7]), &host, 8), None);
    }
}
