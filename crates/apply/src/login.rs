//! The ssh connections of a machine, and whether one of them shows that new ones get in. No I/O.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use surefoot_host::{Host, SocketKind};

/// A connection to an ssh daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LoginConnection {
    /// The client.
    pub client: SocketAddr,
    /// This host.
    pub server: SocketAddr,
    /// When the process that serves it began, in ticks of 10 ms since the kernel was started.
    pub start_ticks: u64,
}

/// The connections that were there when rules were loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRecord {
    /// The client and this host of the connection in which the command was typed, if it was found.
    pub own: Option<(SocketAddr, SocketAddr)>,
    /// All that were open.
    pub open: Vec<LoginConnection>,
}

/// Why a connection does not show that new ones get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmProblem {
    /// It is the one in which the rules were loaded.
    #[error(
        "this is the connection in which the rules were loaded, from {0}: that it lives on shows nothing of a new one"
    )]
    SameConnection(SocketAddr),
    /// It comes from this machine itself.
    #[error(
        "this connection, from {0}, comes from this machine itself: it shows nothing of one from elsewhere"
    )]
    LocalConnection(SocketAddr),
    /// It is older than the rules.
    #[error(
        "this connection, from {0}, is older than the rules: that it lives on shows nothing of a new one"
    )]
    OlderConnection(SocketAddr),
    /// There is none.
    #[error(
        "no ssh connection is found above this process (a console, tmux, screen or mosh): it cannot be told whether a new one gets in"
    )]
    NoConnection,
}

/// The established connections of the ssh daemons.
pub fn find_logins(host: &Host) -> Vec<LoginConnection> {
    let mut logins = Vec::new();
    for socket in host.sockets.iter().flatten() {
        if socket.kind != SocketKind::Tcp || socket.state != 1 {
            continue;
        }
        let (Some(local), Some((peer, port))) = (socket.local, socket.peer) else {
            continue;
        };
        let owners = socket.owners.iter().filter_map(|pid| host.process(*pid));
        let daemons =
            owners.filter(|process| process.name.starts_with("sshd") || process.name == "dropbear");
        if let Some(start_ticks) = daemons.map(|process| process.start_ticks).min() {
            logins.push(LoginConnection {
                client: SocketAddr::new(peer.to_canonical(), port),
                server: SocketAddr::new(local.to_canonical(), socket.port),
                start_ticks,
            });
        }
    }
    logins.sort_unstable();
    logins.dedup();
    logins
}

impl LoginRecord {
    /// The connections of a host as they are.
    pub fn of_host(host: &Host) -> Self {
        Self {
            own: host.session,
            open: find_logins(host),
        }
    }

    /// The addresses of the clients.
    pub fn clients(&self) -> Vec<IpAddr> {
        let open = self.open.iter().map(|login| login.client);
        let own = self.own.map(|(client, _)| client);
        own.into_iter()
            .chain(open)
            .map(|client| client.ip())
            .collect()
    }

    /// Whether a host's connection, in which a confirmation is typed, shows that new ones get in: it is none
    /// that was open, its client is no address of this machine, and its daemon began after the rules were loaded,
    /// at `loaded_ticks`.
    pub fn judge(
        &self,
        now: &Self,
        loaded_ticks: u64,
        is_own: &dyn Fn(IpAddr) -> bool,
    ) -> Result<(), ConfirmProblem> {
        let Some(here) = now.own else {
            return Err(ConfirmProblem::NoConnection);
        };
        if self.own == Some(here) {
            return Err(ConfirmProblem::SameConnection(here.0));
        }
        let (client, server) = here;
        if client.ip().is_loopback() || client.ip() == server.ip() || is_own(client.ip()) {
            return Err(ConfirmProblem::LocalConnection(client));
        }
        let ends = |login: &&LoginConnection| (login.client, login.server) == here;
        let was_open = self.open.iter().any(|login| ends(&login));
        let began = now.open.iter().find(ends).map(|login| login.start_ticks);
        if was_open || began.is_none_or(|ticks| ticks < loaded_ticks) {
            return Err(ConfirmProblem::OlderConnection(here.0));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(client: &str, start_ticks: u64) -> LoginConnection {
        LoginConnection {
            client: client.parse().unwrap(),
            server: "192.0.2.1:22".parse().unwrap(),
            start_ticks,
        }
    }

    fn record(own: Option<LoginConnection>, open: &[LoginConnection]) -> LoginRecord {
        LoginRecord {
            own: own.map(|login| (login.client, login.server)),
            open: open.to_vec(),
        }
    }

    #[test]
    fn only_a_connection_that_is_younger_than_the_rules_confirms() {
        let first = login("192.0.2.9:1000", 100);
        let second = login("192.0.2.9:1001", 150);
        let young = login("192.0.2.9:1002", 900);
        let then = record(Some(first), &[first, second]);
        let judge = |own: Option<LoginConnection>| {
            then.judge(&record(own, &[first, second, young]), 800, &|_| false)
        };
        assert_eq!(judge(Some(young)), Ok(()));
        let same = ConfirmProblem::SameConnection(first.client);
        assert_eq!(judge(Some(first)), Err(same));
        let older = ConfirmProblem::OlderConnection(second.client);
        assert_eq!(judge(Some(second)), Err(older));
        assert_eq!(judge(None), Err(ConfirmProblem::NoConnection));
        // It was not in the list, as it began between the look and the load.
        let between = login("192.0.2.9:1003", 799);
        let now = record(Some(between), &[between]);
        let older = ConfirmProblem::OlderConnection(between.client);
        assert_eq!(then.judge(&now, 800, &|_| false), Err(older));
    }

    #[test]
    fn a_connection_from_this_machine_itself_confirms_nothing() {
        let first = login("192.0.2.9:1000", 100);
        let then = record(Some(first), &[first]);
        let other = IpAddr::from([198, 51, 100, 1]);
        let clients = [
            "127.0.0.1:1002",
            "192.0.2.1:1002",
            "[::1]:1002",
            "198.51.100.1:1002",
        ];
        for client in clients {
            let young = login(client, 900);
            let now = record(Some(young), &[first, young]);
            let local = ConfirmProblem::LocalConnection(young.client);
            assert_eq!(then.judge(&now, 800, &|ip| ip == other), Err(local));
        }
    }
}
