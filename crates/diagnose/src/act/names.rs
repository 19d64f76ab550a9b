//! Resolving a name as a process does: its own `hosts` and `resolv.conf`, within a deadline.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use super::hop_files::{read_foreign, seen_by, shares_mounts};
use super::probe::words_of;
use crate::wire::{dns_query, read_dns_addresses};

const PATIENCE: Duration = Duration::from_millis(400);

/// The addresses of a name, or why there are none.
type Resolved = Result<Vec<IpAddr>, String>;

/// What the C library says within the deadline.
enum LibraryAnswer {
    Found(Vec<IpAddr>),
    Nothing,
    Late,
}

/// What was found out about names: a server that was silent once is not waited for again.
#[derive(Debug, Default)]
pub(super) struct KnownNames {
    silent: RefCell<BTreeMap<IpAddr, String>>,
    library_is_slow: Cell<bool>,
    found: RefCell<BTreeMap<(Option<u32>, String), Resolved>>,
}

impl KnownNames {
    /// The addresses that a name leads to for a process; why there are none.
    pub(super) fn resolve(&self, pid: Option<u32>, name: &str) -> Result<Vec<IpAddr>, String> {
        let pid = pid.filter(|pid| !shares_mounts(*pid));
        let key = (pid, name.to_owned());
        if let Some(known) = self.found.borrow().get(&key) {
            return known.clone();
        }
        let found = resolve(self, pid, name);
        self.found.borrow_mut().insert(key, found.clone());
        found
    }
}

fn resolve(known: &KnownNames, pid: Option<u32>, name: &str) -> Result<Vec<IpAddr>, String> {
    if let Ok(address) = name.parse() {
        return Ok(vec![address]);
    }
    let read = |path: &str| read_foreign(&seen_by(pid, Path::new(path))).unwrap_or_default();
    let hosts = read("/etc/hosts");
    let found = in_hosts(&hosts, name);
    if !found.is_empty() {
        return Ok(found);
    }
    if name == "localhost" {
        return Ok(vec![Ipv4Addr::LOCALHOST.into()]);
    }
    let settings = read("/etc/resolv.conf");
    let mut why = "/etc/resolv.conf names no server".to_owned();
    for line in settings.lines() {
        let server = line.trim().strip_prefix("nameserver");
        let Some(server) = server.and_then(|server| server.trim().parse::<IpAddr>().ok()) else {
            continue;
        };
        if let Some(silence) = known.silent.borrow().get(&server) {
            why.clone_from(silence);
            continue;
        }
        match ask(server, name) {
            Ok(found) if !found.is_empty() => return Ok(found),
            Ok(_) => why = format!("{server} knows no such name"),
            Err(error) => {
                why = format!("{server} does not answer: {}", words_of(&error));
                known.silent.borrow_mut().insert(server, why.clone());
            }
        }
    }
    // Other sources of names, such as a search list, are the C library's.
    if pid.is_none() && !known.library_is_slow.get() {
        match ask_library(name) {
            LibraryAnswer::Found(found) => return Ok(found),
            LibraryAnswer::Nothing => {}
            LibraryAnswer::Late => known.library_is_slow.set(true),
        }
    }
    Err(why)
}

fn in_hosts(text: &str, name: &str) -> Vec<IpAddr> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let address: IpAddr = words.next()?.parse().ok()?;
            words
                .any(|word| word.eq_ignore_ascii_case(name))
                .then_some(address)
        })
        .collect()
}

fn ask(server: IpAddr, name: &str) -> Result<Vec<IpAddr>, std::io::Error> {
    let here: IpAddr = match server {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind(SocketAddr::new(here, 0))?;
    socket.connect(SocketAddr::new(server, 53))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut found = Vec::new();
    for kind in [1, 28] {
        socket.send(&dns_query(kind, name, kind))?;
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer)?;
        found.extend(
            read_dns_addresses(buffer.get(..length).unwrap_or_default()).unwrap_or_default(),
        );
    }
    Ok(found)
}

fn ask_library(name: &str) -> LibraryAnswer {
    let (sender, receiver) = mpsc::channel();
    let name = name.to_owned();
    let begun = std::thread::Builder::new().spawn(move || {
        let found = (name.as_str(), 0).to_socket_addrs();
        let found = found.map(|all| all.map(|it| it.ip()).collect::<Vec<_>>());
        // Who does not wait any more does not want it.
        let _ = sender.send(found);
    });
    if begun.is_err() {
        return LibraryAnswer::Nothing;
    }
    match receiver.recv_timeout(PATIENCE) {
        Ok(Ok(found)) if !found.is_empty() => LibraryAnswer::Found(found),
        Ok(_) => LibraryAnswer::Nothing,
        Err(_) => LibraryAnswer::Late,
    }
}

/// Whether this machine has an address.
pub(super) fn is_ours(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_file_names_addresses() {
        let text = "127.0.0.1 localhost\n10.0.0.1 a.test A # b\n";
        assert_eq!(in_hosts(text, "a").len(), 1);
        assert!(in_hosts(text, "b").is_empty());
    }
}
