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
    let carried = logins_of(pid, host);
    if !carried.is_empty() {
        let goes_too = |login: u32| {
            all.contains(&login)
                || all
                    .iter()
                    .any(|gone| logins_of(*gone, host).contains(&login))
        };
        let mut others = logins(host).filter(|login| !goes_too(*login));
        if others.next().is_none() {
            return Some("it is the last login: no other session is left after it".to_owned());
        }
    }
    None
}

/// The programs that begin a session.
const LOGIN_PROGRAMS: [&str; 5] = ["sshd", "dropbear", "login", "in.telnetd", "mosh-server"];

fn is_login_program(name: &str) -> bool {
    LOGIN_PROGRAMS.iter().any(|word| name.starts_with(word))
}

/// The processes that lead a session with a terminal which a login program began.
fn logins(host: &Host) -> impl Iterator<Item = u32> {
    let processes = host.processes.iter().flatten();
    let logins = processes.filter(|process| {
        let parent = host.process(process.parent);
        let parent = parent.map_or("", |parent| parent.name.as_str());
        process.terminal != 0
            && process.session == process.pid
            && process.state != 'Z'
            && is_login_program(parent)
    });
    logins.map(|process| process.pid)
}

/// The logins that end with a process: itself, or what it carries. A daemon that listens carries none: its
/// sessions outlive it.
fn logins_of(pid: u32, host: &Host) -> Vec<u32> {
    let carries = host.process(pid).is_some_and(|process| {
        let mut sockets = host.sockets.iter().flatten();
        is_login_program(&process.name)
            && !sockets.any(|socket| socket.waits() && socket.owners.contains(&pid))
    });
    // Above a login there are none but login programs, up to the one that listens.
    let is_carried = |login: u32| {
        let above = host.ancestors(login);
        let programs = above.iter().take_while(|above| {
            host.process(**above)
                .is_some_and(|process| is_login_program(&process.name))
        });
        programs.copied().any(|above| above == pid)
    };
    logins(host)
        .filter(|login| *login == pid || (carries && is_carried(*login)))
        .collect()
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
        let listener = surefoot_host::Socket {
            kind: surefoot_host::SocketKind::Tcp,
            local: None,
            port: 22,
            peer: None,
            state: 10,
            v6only: None,
            device: None,
            receive_queue: 0,
            send_queue: 0,
            uid: 0,
            inode: 1,
            owners: vec![2],
        };
        Host {
            sockets: Some(vec![listener]),
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
        // The daemon that carries a session takes it along, the one that listens does not.
        let both = BTreeSet::from([3, 7]);
        let why = protection_of(3, &both, &host, 8).expect("no login is left");
        assert!(why.contains("last login"), "{why}");
        assert_eq!(protection_of(3, &BTreeSet::from([3]), &host, 8), None);
        assert_eq!(protection_of(2, &BTreeSet::from([2]), &host, 8), None);
    }
}
