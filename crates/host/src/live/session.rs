//! The connection over which this program was started.

use std::net::SocketAddr;

use crate::{Host, Socket, SocketKind};

/// More ancestors than this no login has.
const DEEPEST: usize = 64;

impl Host {
    /// Finds the nearest ancestor that is an ssh daemon with one established connection. Its
    /// socket tells the truth also under `sudo`, which takes `SSH_CONNECTION` away.
    pub(super) fn find_session(&mut self, pid: u32) {
        match self.session_of(pid) {
            Ok(session) => self.session = session,
            Err(why) => self.miss(
                "the connection that this was started over",
                why,
                "whether a change would cut it off",
            ),
        }
    }

    fn session_of(&self, pid: u32) -> Result<Option<(SocketAddr, SocketAddr)>, &'static str> {
        let (Some(sockets), Some(_)) = (&self.sockets, &self.processes) else {
            return Err("sockets or processes are unknown");
        };
        let mut daemon = false;
        let mut next = pid;
        for _ in 0..DEEPEST {
            // 0 is the parent of the first process, and of what came from another namespace.
            if next == 0 {
                break;
            }
            let Some(process) = self.process(next) else {
                return Err("an ancestor of this process is hidden");
            };
            if process.name.starts_with("sshd") || process.name == "dropbear" {
                let own = |owners: &[u32]| owners.contains(&process.pid);
                let connection = sockets.iter().find(|socket| {
                    socket.kind == SocketKind::Tcp && socket.state == 1 && own(&socket.owners)
                });
                if let Some(session) = connection.and_then(ends) {
                    return Ok(Some(session));
                }
                // The daemon of all sessions listens; one that only listens is not ours.
                daemon |= !sockets.iter().any(|socket| own(&socket.owners));
            }
            next = process.parent;
        }
        if daemon {
            return Err("an ssh daemon started it, and does not show its sockets; run it as root");
        }
        Ok(None)
    }
}

/// The client, then this host.
fn ends(socket: &Socket) -> Option<(SocketAddr, SocketAddr)> {
    let (address, port) = socket.peer?;
    let client = SocketAddr::new(address.to_canonical(), port);
    let server = SocketAddr::new(socket.local?.to_canonical(), socket.port);
    Some((client, server))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Process;

    /// A shell below an ssh daemon below the first process.
    fn host(owners: Vec<u32>) -> Host {
        let process = |pid, parent, name: &str| Process {
            pid,
            parent,
            name: name.to_owned(),
            ..Process::default()
        };
        Host {
            processes: Some(vec![
                process(1, 0, "init"),
                process(5, 1, "sshd-session"),
                process(9, 5, "sh"),
            ]),
            sockets: Some(vec![Socket {
                kind: SocketKind::Tcp,
                local: Some("::ffff:192.0.2.1".parse().unwrap()),
                port: 22,
                peer: Some(("::ffff:192.0.2.9".parse().unwrap(), 4711)),
                state: 1,
                v6only: None,
                device: None,
                receive_queue: 0,
                send_queue: 0,
                uid: 0,
                inode: 3,
                owners,
            }]),
            ..Host::default()
        }
    }

    #[test]
    fn the_daemon_above_us_tells_the_session() {
        let found = host(vec![5]).session_of(9).unwrap().unwrap();
        let shown = format!("{} {}", found.0, found.1);
        assert_eq!(shown, "192.0.2.9:4711 192.0.2.1:22");
        assert_eq!(host(vec![1]).session_of(1), Ok(None), "the console");
    }

    #[test]
    fn a_daemon_that_shows_nothing_leaves_it_open() {
        let mut host = host(vec![]);
        host.find_session(9);
        assert_eq!((host.session, host.missing.len()), (None, 1));
        assert!(host.session_of(77).is_err(), "a hidden ancestor");
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let mut host = host(vec![]);
        for process in host.processes.as_mut().unwrap() {
            process.name.clear();
            process.parent = 9;
        }
        assert_eq!(host.session_of(9), Ok(None));
    }
}
