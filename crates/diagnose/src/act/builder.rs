//! From a front to its chain: listeners, owners, configurations, environments and connections, hop by hop.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use surefoot_host::{Host, Process, Socket, SocketKind, UnixListener};

use super::config_place::{ConfigPlace, DEFAULT_PLACES, ReadConfig};
use super::hop_files::{
    groups, memory_kills, open_files, open_files_limit, read_foreign, seen_by, shares_mounts,
    storage, working_folder,
};
use super::log_tail::LogMark;
use super::names::{KnownNames, is_ours};
use super::program_files::program_of;
use super::recent_files::WatchedFile;
use super::samples::SeenConnection;
use super::units::KnownUnits;
use crate::chain::{ChainEdge, EdgeSource, HopAddress, HopProtocol};
use crate::discover::{AskedRequest, WrittenAddress};
use crate::observation::{
    ConfigFacts, HopFacts, ListenerFacts, NameFacts, PidFileFacts, ProcessFacts, SocketFile,
};

/// No chain is longer.
const MOST_HOPS: usize = 64;

/// A chain as it grows.
pub(super) struct ChainBuilder<'a> {
    pub(super) host: &'a Host,
    pub(super) asked: Option<AskedRequest>,
    pub(super) hops: Vec<HopFacts>,
    pub(super) edges: Vec<ChainEdge>,
    pub(super) logs: Vec<(usize, LogMark)>,
    pub(super) unseen: Vec<String>,
    samples: &'a BTreeSet<SeenConnection>,
    names: &'a KnownNames,
    pub(super) units: &'a KnownUnits,
    /// Files whose time of change tells something.
    pub(super) watched: BTreeSet<WatchedFile>,
    pub(super) roots: BTreeMap<usize, BTreeSet<PathBuf>>,
    unix: Vec<UnixListener>,
    expanded: usize,
}

/// A target of a hop.
pub(super) struct FoundTarget {
    pub(super) address: WrittenAddress,
    pub(super) protocol: HopProtocol,
    pub(super) source: EdgeSource,
    pub(super) pool: Option<String>,
    pub(super) verifies: bool,
}

impl<'a> ChainBuilder<'a> {
    pub(super) fn new(
        host: &'a Host,
        asked: Option<AskedRequest>,
        samples: &'a BTreeSet<SeenConnection>,
        names: &'a KnownNames,
        units: &'a KnownUnits,
    ) -> Self {
        Self {
            host,
            asked,
            hops: Vec::new(),
            edges: Vec::new(),
            logs: Vec::new(),
            unseen: Vec::new(),
            samples,
            names,
            roots: BTreeMap::new(),
            units,
            watched: BTreeSet::new(),
            unix: Host::live_unix_listeners().unwrap_or_default(),
            expanded: 0,
        }
    }

    fn sockets(&self) -> impl Iterator<Item = &'a Socket> {
        self.host.sockets.iter().flatten()
    }

    /// The socket that listens for an address: the one bound to it before those bound to any.
    fn listener_of(&self, address: SocketAddr) -> Option<&'a Socket> {
        let listens = self.sockets().filter(|socket| {
            socket.kind == SocketKind::Tcp && socket.state == 10 && socket.port == address.port()
        });
        let fit = |socket: &&Socket| match socket.local {
            Some(local) if local == address.ip() => 3,
            Some(IpAddr::V4(local)) if local.is_unspecified() && address.is_ipv4() => 2,
            Some(IpAddr::V6(local)) if local.is_unspecified() => match address {
                SocketAddr::V6(_) => 2,
                SocketAddr::V4(_) if socket.v6only != Some(true) => 1,
                SocketAddr::V4(_) => 0,
            },
            _ => 0,
        };
        listens.filter(|socket| fit(socket) > 0).max_by_key(fit)
    }

    /// The hop of an address: the one that is there, or a new one.
    pub(super) fn hop_at(&mut self, address: HopAddress, protocol: HopProtocol) -> Option<usize> {
        let address = address.reachable();
        if let Some(at) = self
            .hops
            .iter()
            .position(|hop| hop.address.as_ref() == Some(&address))
        {
            if self.hops[at].protocol == HopProtocol::Tcp {
                self.hops[at].protocol = protocol;
            }
            return Some(at);
        }
        if self.hops.len() >= MOST_HOPS {
            return None;
        }
        let mut hop = HopFacts {
            protocol,
            is_here: match &address {
                HopAddress::Tcp(address) | HopAddress::Udp(address) => is_ours(address.ip()),
                HopAddress::Unix(_) => true,
                HopAddress::Named(..) => false,
            },
            ..HopFacts::default()
        };
        let owners = match &address {
            HopAddress::Tcp(tcp) => {
                let listener = self.listener_of(*tcp).filter(|_| hop.is_here);
                hop.listener = listener.map(|socket| ListenerFacts {
                    waiting: socket.receive_queue,
                    most: socket.send_queue,
                    file: None,
                });
                listener
                    .map(|socket| socket.owners.clone())
                    .unwrap_or_default()
            }
            HopAddress::Unix(path) => self.take_unix_listener(path, &mut hop),
            _ => Vec::new(),
        };
        hop.address = Some(address);
        self.take_processes(&owners, &mut hop);
        self.hops.push(hop);
        Some(self.hops.len() - 1)
    }

    fn take_unix_listener(&self, path: &str, hop: &mut HopFacts) -> Vec<u32> {
        let Some(found) = self.unix.iter().find(|it| it.path == path) else {
            return Vec::new();
        };
        let seen = rustix::fs::stat(path).ok();
        hop.listener = Some(ListenerFacts {
            waiting: found.waiting,
            most: found.most,
            file: seen.map(|seen| SocketFile {
                uid: seen.st_uid,
                gid: seen.st_gid,
                mode: seen.st_mode & 0o7777,
            }),
        });
        let processes = self.host.processes.iter().flatten().filter(|it| !it.kernel);
        processes
            .filter(|process| open_files(process.pid).sockets.contains(&found.inode))
            .map(|process| process.pid)
            .collect()
    }

    fn take_processes(&self, owners: &[u32], hop: &mut HopFacts) {
        let all: Vec<&Process> = owners
            .iter()
            .filter_map(|pid| self.host.process(*pid))
            .collect();
        let Some(first) = all
            .iter()
            .find(|process| !owners.contains(&process.parent))
            .or(all.first())
        else {
            return;
        };
        let mut ordered = vec![*first];
        ordered.extend(all.iter().filter(|process| process.pid != first.pid));
        // Workers need not hold the listening socket themselves.
        for child in self.host.children(first.pid) {
            if child.name == first.name && !owners.contains(&child.pid) {
                ordered.push(child);
            }
        }
        hop.program = Some(program_of(first));
        hop.unit.clone_from(&first.unit);
        let known = HopProtocol::of_program(&first.name);
        if let Some(known) = known
            && hop.protocol != HopProtocol::Https
        {
            hop.protocol = known;
        }
        hop.memory_kills = memory_kills(first.pid);
        hop.processes = ordered
            .iter()
            .take(256)
            .map(|process| ProcessFacts {
                pid: process.pid,
                name: process.name.clone(),
                state: process.state,
                started: process.started,
                uid: process.uid,
                groups: groups(process.pid),
                open_files: None,
                open_files_limit: open_files_limit(process.pid),
                threads: process.threads,
                is_master: ordered.iter().any(|other| other.parent == process.pid),
                waits_for: Vec::new(),
                is_frozen: false,
            })
            .collect();
    }

    /// Looks behind every hop that was not looked behind yet.
    pub(super) fn expand_all(&mut self) {
        while self.expanded < self.hops.len() {
            let at = self.expanded;
            self.expanded += 1;
            self.expand(at);
        }
    }

    fn expand(&mut self, at: usize) {
        let pid = self.hops[at].processes.first().map(|process| process.pid);
        let mut targets = Vec::new();
        let mut written: BTreeSet<PathBuf> = BTreeSet::new();
        let mut sockets = BTreeSet::new();
        let workers: Vec<u32> = self.hops[at].processes.iter().map(|it| it.pid).collect();
        for (number, worker) in workers.iter().enumerate() {
            let open = open_files(*worker);
            if let Some(process) = self.hops[at].processes.get_mut(number) {
                // A number above the limit was there before the limit, and takes no place below it.
                let limit = process.open_files_limit.unwrap_or(u64::MAX);
                process.open_files = open.numbers.map(|numbers| {
                    let below = numbers.iter().filter(|number| **number < limit);
                    below.count() as u64
                });
            }
            sockets.extend(open.sockets.iter().map(|inode| (*inode, *worker)));
            for (path, appends) in open.written {
                let is_log = appends || path.to_string_lossy().contains("log");
                if is_log && number < 8 {
                    self.mark_log(at, pid, &path);
                }
                written.insert(path);
            }
        }
        self.take_config(at, pid, &mut targets);
        self.take_connections(at, &sockets, &mut targets);
        let is_known = HopProtocol::of_program(
            self.hops[at]
                .processes
                .first()
                .map_or("", |it| it.name.as_str()),
        );
        let runs_programs = is_known.is_none() || is_known == Some(HopProtocol::FastCgi);
        if let (Some(pid), true) = (pid, runs_programs) {
            self.take_environment(at, pid, &mut targets, &mut written);
            self.take_program(at, pid, &mut targets);
        }
        if pid.is_none() || runs_programs {
            self.take_unit(at, pid, &mut targets);
        }
        if let Some(folder) = pid.and_then(working_folder)
            && folder != Path::new("/")
        {
            written.insert(folder);
        }
        self.hops[at].storage = storage(pid, &written);
        for target in targets {
            self.connect(at, pid, target);
        }
    }

    pub(super) fn mark_log(&mut self, at: usize, pid: Option<u32>, path: &Path) {
        let shown = path.display().to_string();
        let is_known = self
            .logs
            .iter()
            .any(|(hop, log)| *hop == at && log.shown() == shown);
        // Who asked, when: what is wanted stands in the log of errors.
        if !is_known && !shown.contains("access") {
            let mark = LogMark::now(&seen_by(pid, path), path);
            self.logs.extend(mark.map(|mark| (at, mark)));
        }
    }

    /// Connections that processes of the hop made.
    fn take_connections(
        &self,
        at: usize,
        held: &BTreeSet<(u64, u32)>,
        targets: &mut Vec<FoundTarget>,
    ) {
        let listened: BTreeSet<u16> = self
            .sockets()
            .filter(|socket| socket.kind == SocketKind::Tcp && socket.state == 10)
            .filter(|socket| held.iter().any(|(inode, _)| *inode == socket.inode))
            .map(|socket| socket.port)
            .collect();
        let pids: BTreeSet<u32> = self.hops[at].processes.iter().map(|it| it.pid).collect();
        let mut add = |peer: SocketAddr, pid: u32, during_symptom: bool| {
            targets.push(FoundTarget {
                address: WrittenAddress::Host(peer.ip().to_canonical().to_string(), peer.port()),
                protocol: HopProtocol::of_port(peer.port()).unwrap_or_default(),
                source: EdgeSource::Socket {
                    pid,
                    during_symptom,
                },
                pool: None,
                verifies: false,
            });
        };
        for seen in self.samples {
            if pids.contains(&seen.pid) && !listened.contains(&seen.local.port()) {
                add(seen.peer, seen.pid, true);
            }
        }
        for socket in self.sockets() {
            let is_open = socket.kind == SocketKind::Tcp && matches!(socket.state, 1 | 2);
            if let (true, Some(peer)) = (is_open && !listened.contains(&socket.port), socket.peer)
                && let Some((_, pid)) = held.iter().find(|(inode, _)| *inode == socket.inode)
            {
                add(SocketAddr::new(peer.0, peer.1), *pid, false);
            }
        }
    }

    /// Whether a hop leads to another, directly or not.
    fn leads_to(&self, from: usize, to: usize) -> bool {
        let mut seen = vec![from];
        let mut next = 0;
        while let Some(at) = seen.get(next).copied() {
            next += 1;
            for edge in self.edges.iter().filter(|edge| edge.from == at) {
                if !seen.contains(&edge.to) {
                    seen.push(edge.to);
                }
            }
        }
        seen.contains(&to)
    }

    /// Adds an edge and the hop that it leads to.
    fn connect(&mut self, from: usize, pid: Option<u32>, target: FoundTarget) {
        let mut by_name = None;
        let addresses: Vec<HopAddress> = match &target.address {
            WrittenAddress::Unix(path) => vec![HopAddress::Unix(path.clone())],
            WrittenAddress::Host(host, port) => {
                let host = if host == "*" { "127.0.0.1" } else { host };
                let is_name = host.parse::<IpAddr>().is_err();
                match self.names.resolve(pid, host) {
                    Ok(found) => {
                        if is_name {
                            by_name = Some(host.to_owned());
                            self.note_name(from, host, *port, &target.source, Ok(&found));
                        }
                        self.telling_addresses(found, *port)
                    }
                    Err(why) => {
                        self.note_name(from, host, *port, &target.source, Err(why));
                        vec![HopAddress::Named(host.to_owned(), *port)]
                    }
                }
            }
        };
        let mut pool = target.pool;
        if addresses.len() > 1 && pool.is_none() {
            pool.clone_from(&by_name);
        }
        for address in addresses {
            let Some(to) = self
                .hop_at(address, target.protocol)
                .filter(|to| *to != from)
            else {
                continue;
            };
            // Text of a program that leads back to a caller is its own address or an example.
            if matches!(target.source, EdgeSource::Program { .. }) && self.leads_to(to, from) {
                continue;
            }
            let there = self
                .edges
                .iter_mut()
                .find(|edge| edge.from == from && edge.to == to);
            if let Some(edge) = there {
                if !edge.sources.contains(&target.source) && edge.sources.len() < 4 {
                    edge.sources.push(target.source.clone());
                }
                edge.pool = edge.pool.take().or_else(|| pool.clone());
                edge.verifies_certificate |= target.verifies;
                continue;
            }
            self.edges.push(ChainEdge {
                from,
                to,
                sources: vec![target.source.clone()],
                pool: pool.clone(),
                verifies_certificate: target.verifies,
                by_name: by_name.clone(),
            });
        }
    }

    /// The addresses of a name that tell: those that are listened at here, or else the first ones. `localhost` has
    /// an address of each family, and a client takes the one that answers.
    fn telling_addresses(&self, found: Vec<IpAddr>, port: u16) -> Vec<HopAddress> {
        let all = found.into_iter().map(|ip| SocketAddr::new(ip, port));
        let (ours, others): (Vec<SocketAddr>, Vec<SocketAddr>) =
            all.partition(|address| is_ours(address.ip()));
        let listened: Vec<SocketAddr> = ours
            .iter()
            .copied()
            .filter(|address| self.listener_of(*address).is_some())
            .collect();
        let mut telling = if listened.is_empty() {
            ours.into_iter().take(1).collect()
        } else {
            listened
        };
        telling.extend(others.into_iter().take(2));
        telling.into_iter().map(HopAddress::Tcp).collect()
    }

    /// Remembers files whose time of change tells something.
    pub(super) fn watch_files(
        &mut self,
        hop: usize,
        is_program: bool,
        files: impl IntoIterator<Item = PathBuf>,
    ) {
        let files = files.into_iter().map(|path| WatchedFile {
            hop,
            is_program,
            path,
        });
        self.watched.extend(files);
    }

    fn note_name(
        &mut self,
        at: usize,
        name: &str,
        port: u16,
        source: &EdgeSource,
        found: Result<&[IpAddr], String>,
    ) {
        let pids: BTreeSet<u32> = self.hops[at].processes.iter().map(|it| it.pid).collect();
        let open = self.sockets().filter(|socket| {
            socket.state == 1 && socket.owners.iter().any(|pid| pids.contains(pid))
        });
        let mut used: BTreeSet<IpAddr> = open
            .filter_map(|socket| socket.peer)
            .filter(|peer| peer.1 == port)
            .map(|peer| peer.0.to_canonical())
            .collect();
        let seen = self.samples.iter().filter(|seen| pids.contains(&seen.pid));
        used.extend(
            seen.filter(|seen| seen.peer.port() == port)
                .map(|seen| seen.peer.ip().to_canonical()),
        );
        let place = match source {
            EdgeSource::Config { place, .. } | EdgeSource::Program { place } => place.clone(),
            other => other.words(),
        };
        let (addresses, failure) = match found {
            Ok(found) => (found.to_vec(), None),
            Err(why) => (Vec::new(), Some(why)),
        };
        self.hops[at].names.push(NameFacts {
            name: name.to_owned(),
            port,
            place,
            addresses,
            failure,
            used: used.into_iter().collect(),
        });
    }

    /// Reads the configuration of what runs at a hop, or of what should.
    fn take_config(&mut self, at: usize, pid: Option<u32>, targets: &mut Vec<FoundTarget>) {
        let process = pid.and_then(|pid| self.host.process(pid));
        let running = process.and_then(ConfigPlace::of_process);
        let place = match running {
            Some(place) => Some(place),
            None => self.default_place(at),
        };
        let Some(place) = place else {
            return;
        };
        if let Some(pid) = pid
            && !shares_mounts(pid)
        {
            self.unseen.push(format!(
                "the configuration of process {pid}: it sees other files than surefoot does"
            ));
            return;
        }
        let front = match &self.hops[at].address {
            Some(HopAddress::Tcp(address)) if at == 0 => Some(*address),
            _ => None,
        };
        let ReadConfig {
            config,
            serving,
            files,
        } = match place.read(self.asked.as_ref(), front) {
            Ok(read) => read,
            Err(why) => {
                self.unseen.push(format!("{}: {why}", place.file.display()));
                return;
            }
        };
        for log in &config.logs {
            self.mark_log(at, pid, &place.based(log));
        }
        self.watch_files(at, false, files);
        self.hops[at].virtual_host = serving;
        let mut roots: BTreeSet<PathBuf> =
            config.roots.iter().map(|root| place.based(root)).collect();
        roots.retain(|root| root.components().count() > 2);
        self.roots
            .entry(at)
            .or_default()
            .extend(roots.iter().cloned());
        let pid_file = config.pid_file.as_ref().map(|file| place.based(file));
        self.hops[at].config = Some(ConfigFacts {
            file: place.file.display().to_string(),
            test: place.test.clone(),
            complaint: None,
            pid_file: pid_file.and_then(|file| self.read_pid_file(&file)),
        });
        for forward in config.forwards {
            if let (HopProtocol::FastCgi, WrittenAddress::Unix(_) | WrittenAddress::Host(..)) =
                (forward.protocol, &forward.address)
            {
                self.remember_roots(&forward.address, &roots);
            }
            targets.push(FoundTarget {
                address: forward.address,
                protocol: forward.protocol,
                source: EdgeSource::Config {
                    place: forward.place,
                    text: forward.text,
                },
                pool: forward.pool,
                verifies: forward.verifies_certificate,
            });
        }
    }

    /// A `FastCGI` server runs what the web server's document roots hold.
    fn remember_roots(&mut self, address: &WrittenAddress, roots: &BTreeSet<PathBuf>) {
        let address = match address {
            WrittenAddress::Unix(path) => HopAddress::Unix(path.clone()),
            WrittenAddress::Host(host, port) => match host.parse::<IpAddr>() {
                Ok(ip) => HopAddress::Tcp(SocketAddr::new(ip, *port)),
                Err(_) => return,
            },
        };
        if let Some(hop) = self.hop_at(address, HopProtocol::FastCgi) {
            self.roots
                .entry(hop)
                .or_default()
                .extend(roots.iter().cloned());
        }
    }

    fn read_pid_file(&self, file: &Path) -> Option<PidFileFacts> {
        let pid: u32 = read_foreign(file)?.trim().parse().ok()?;
        Some(PidFileFacts {
            path: file.display().to_string(),
            pid,
            holder: self.host.process(pid).map(|process| process.name.clone()),
        })
    }

    /// The daemon whose configuration, in its usual place, has the address of a hop where it does not run.
    fn default_place(&mut self, at: usize) -> Option<ConfigPlace> {
        let hop = &self.hops[at];
        let HopAddress::Tcp(address) = hop.address.as_ref()? else {
            return None;
        };
        let is_known = hop
            .processes
            .first()
            .is_some_and(|process| HopProtocol::of_program(&process.name).is_some());
        if is_known || !hop.is_here {
            return None;
        }
        let found = DEFAULT_PLACES.iter().find_map(|default| {
            let place = ConfigPlace {
                file: PathBuf::from(default.file),
                base: Path::new(default.file).parent()?.to_owned(),
                test: if default.program == "apache2" && !Path::new("/usr/sbin/apache2ctl").exists()
                {
                    "apache2 -t -d /etc/apache2 -f apache2.conf".to_owned()
                } else {
                    default.test.to_owned()
                },
                program: default.program,
            };
            if !place.file.is_file() {
                return None;
            }
            let config = place.read(None, None).ok()?.config;
            let has = config.listens.iter().any(|(written, _)| match written {
                WrittenAddress::Host(host, port) => {
                    *port == address.port()
                        && (host == "*"
                            || host
                                .parse::<IpAddr>()
                                .is_ok_and(|ip| ip.is_unspecified() || ip == address.ip()))
                }
                WrittenAddress::Unix(_) => false,
            });
            has.then_some((place, default.program))
        })?;
        self.hops[at].program = Some(found.1.to_owned());
        Some(found.0)
    }
}
