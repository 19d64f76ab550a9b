//! Asking all hops at once, and how they stand meanwhile: queues, states of processes, what threads wait for.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use surefoot_host::{Host, SocketKind, UnixListener};

use super::look::{AskedFront, http_question};
use super::probe::{HttpQuestion, probe_hop};
use super::question::DiagnoseQuestion;
use super::threads::awaited_sockets;
use crate::chain::{HopAddress, HopProtocol};
use crate::observation::{HopFacts, Scene};

/// Asks every hop at once; then looks at queues, states and threads while the answers are awaited.
pub(super) fn probe_all(
    scene: &mut Scene,
    question: &DiagnoseQuestion,
    front: Option<&AskedFront>,
) {
    let http = match front {
        Some(front) => http_question(question, front),
        None => HttpQuestion::default(),
    };
    // A request that may change something is sent once, by the user's wish; not to each hop.
    let http = if matches!(http.method.as_str(), "GET" | "HEAD") {
        http
    } else {
        HttpQuestion {
            method: "GET".to_owned(),
            body: Vec::new(),
            expect: None,
            is_replay: false,
            ..http
        }
    };
    let began = Instant::now();
    let fronts = scene.front_count();
    let threads: Vec<_> = scene
        .hops
        .iter()
        .enumerate()
        .filter_map(|(at, hop)| {
            let address = hop.address.clone()?;
            let (protocol, http, random) = (hop.protocol, http.clone(), question.random);
            // What nothing is known of, but that it is used like a web server's backend, is asked as one.
            let is_web = protocol == HopProtocol::Tcp && at < fronts && question.test.is_none();
            let protocol = if is_web { HopProtocol::Http } else { protocol };
            let thread = std::thread::spawn(move || probe_hop(&address, protocol, &http, random));
            Some((at, thread))
        })
        .collect();
    while began.elapsed() < Duration::from_millis(1200)
        && threads.iter().any(|(_, thread)| !thread.is_finished())
    {
        std::thread::sleep(Duration::from_millis(10));
    }
    let is_waiting = threads.iter().any(|(_, thread)| !thread.is_finished());
    let sockets = Host::live_sockets().unwrap_or_default();
    let unix = Host::live_unix_listeners().unwrap_or_default();
    for hop in &mut scene.hops {
        refresh_queue(hop, &sockets, &unix);
        for process in &mut hop.processes {
            if let Some(state) = state_now(process.pid) {
                process.state = state;
            }
            process.is_frozen = is_frozen(process.pid);
            if is_waiting {
                process.waits_for = awaited_peers(process.pid, &sockets);
            }
        }
    }
    for (at, thread) in threads {
        if let (Ok(facts), Some(hop)) = (thread.join(), scene.hops.get_mut(at)) {
            hop.probe = Some(facts);
        }
    }
}

fn refresh_queue(hop: &mut HopFacts, sockets: &[surefoot_host::Socket], unix: &[UnixListener]) {
    if let (Some(HopAddress::Unix(path)), Some(listener)) = (&hop.address, &mut hop.listener)
        && let Some(found) = unix.iter().find(|it| it.path == *path)
    {
        listener.waiting = found.waiting;
        listener.most = found.most;
    }
    let (Some(HopAddress::Tcp(address)), Some(listener)) = (&hop.address, &mut hop.listener) else {
        return;
    };
    let same = sockets.iter().filter(|socket| {
        socket.kind == SocketKind::Tcp && socket.state == 10 && socket.port == address.port()
    });
    let mut fitting = same.filter(|socket| {
        socket
            .local
            .is_some_and(|local| local.is_unspecified() || local == address.ip())
    });
    if let Some(socket) = fitting.next() {
        listener.waiting = socket.receive_queue;
        listener.most = socket.send_queue;
    }
}

/// The state of a process, from `/proc/PID/stat`.
fn state_now(pid: u32) -> Option<char> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.trim_start().chars().next()
}

/// Whether a control group's freezer holds a process.
fn is_frozen(pid: u32) -> bool {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    text.lines().any(|line| {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(kind), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        let (file, word) = match kind {
            "" => (format!("/sys/fs/cgroup{path}/cgroup.events"), "frozen 1"),
            "freezer" => (
                format!("/sys/fs/cgroup/freezer{path}/freezer.state"),
                "FROZEN",
            ),
            _ => return false,
        };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| line == word)
    })
}

/// The peers that the threads of a process wait for.
fn awaited_peers(pid: u32, sockets: &[surefoot_host::Socket]) -> Vec<HopAddress> {
    let awaited = awaited_sockets(pid);
    let mut found: Vec<HopAddress> = sockets
        .iter()
        .filter(|socket| socket.kind == SocketKind::Tcp && awaited.contains(&socket.inode))
        .filter(|socket| {
            // A connection that it accepted waits for a client.
            !sockets
                .iter()
                .any(|other| other.state == 10 && other.port == socket.port)
        })
        .filter_map(|socket| socket.peer)
        .map(|(ip, port)| HopAddress::Tcp(SocketAddr::new(ip, port)).reachable())
        .collect();
    found.sort();
    found.dedup();
    found
}
