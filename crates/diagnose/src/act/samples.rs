//! Connections while the symptom is shown: the socket table, again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use surefoot_host::{Host, SocketKind};

use super::hop_files::open_files;

/// A connection that a process made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SeenConnection {
    pub(super) pid: u32,
    pub(super) local: SocketAddr,
    pub(super) peer: SocketAddr,
}

/// Watches until it is told to end, or the time is up; processes of `pids` are asked for what they hold.
pub(super) fn watch(
    pids: &[u32],
    known: &BTreeSet<u64>,
    is_over: &AtomicBool,
    patience: Duration,
) -> BTreeSet<SeenConnection> {
    let began = Instant::now();
    let mut seen = BTreeSet::new();
    let mut owned: BTreeSet<u64> = known.clone();
    loop {
        let is_last = is_over.load(Ordering::Acquire) || began.elapsed() > patience;
        let sockets = Host::live_sockets().unwrap_or_default();
        let mut fresh: BTreeMap<u64, (SocketAddr, SocketAddr)> = BTreeMap::new();
        for socket in sockets {
            // Established, or on the way there.
            let is_open = socket.kind == SocketKind::Tcp && matches!(socket.state, 1 | 2);
            if let (true, Some(local), Some(peer)) = (is_open, socket.local, socket.peer)
                && socket.inode != 0
                && owned.insert(socket.inode)
            {
                let local = SocketAddr::new(local, socket.port);
                fresh.insert(socket.inode, (local, SocketAddr::new(peer.0, peer.1)));
            }
        }
        if !fresh.is_empty() {
            for pid in pids {
                for inode in open_files(*pid).sockets {
                    if let Some((local, peer)) = fresh.get(&inode) {
                        seen.insert(SeenConnection {
                            pid: *pid,
                            local: *local,
                            peer: *peer,
                        });
                    }
                }
            }
        }
        if is_last {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(
            if began.elapsed().as_millis() < 200 {
                1
            } else {
                25
            },
        ));
    }
}
