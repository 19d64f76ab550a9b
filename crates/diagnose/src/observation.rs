//! What was seen of each hop, and of the symptom: plain data, without a judgement.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use crate::chain::{ChainEdge, EdgeSource, HopAddress, HopProtocol};
use crate::discover::ServingHost;
use crate::recent::RecentChange;

/// What stands before the name of a unit, or the number of a process, in the source of a line of systemd's journal.
pub(crate) const JOURNAL_SOURCE: &str = "journal of ";

/// The code of an answer with a good status that lacks the text that was expected.
pub(crate) const LACKS_TEXT: &str = "text";

/// All that was seen.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Scene {
    /// What was asked about.
    pub symptom: ShownSymptom,
    /// The hops; the first is where the symptom is shown.
    pub hops: Vec<HopFacts>,
    /// How many of the first hops were asked about: more than one for a unit with several ports.
    pub fronts: usize,
    /// Who uses whom.
    pub edges: Vec<ChainEdge>,
    /// Seconds since 1970 when it was looked at.
    pub now: u64,
    /// Lines of the kernel's log about processes that it ended for want of memory.
    pub out_of_memory: Vec<String>,
    /// How many attempts to connect were refused in this network while the symptom was shown.
    pub refused_attempts: Option<u64>,
    /// What changed lately, as far as that was looked for.
    pub changes: Vec<RecentChange>,
    /// What could not be seen, with the reason.
    pub unseen: Vec<String>,
}

/// What came of asking the way that the user asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShownSymptom {
    /// What was asked, in words.
    pub question: String,
    /// What came back.
    pub outcome: SymptomOutcome,
    /// Milliseconds until then.
    pub millis: u64,
    /// The beginning of what the front answered.
    pub answer: String,
    /// The paths that were asked for, where the client was sent on.
    #[serde(skip)]
    pub visited: Vec<String>,
    /// The options of curl that ask the same way, beside the URL.
    #[serde(skip)]
    pub options: String,
}

/// What came back from the front.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SymptomOutcome {
    /// An answer as it should be.
    Fine,
    /// An answer with this HTTP status, which is that of a failure.
    Status(u16),
    /// An answer with a good status that does not hold the text that was expected.
    WrongContent,
    /// An answer that sends the client to where it is.
    RedirectLoop,
    /// Nothing listens, or it is refused.
    Refused,
    /// No answer within the deadline.
    Silent,
    /// It ended the connection without an answer.
    Closed,
    /// An answer that is cut off, or stopped coming before it was whole.
    Unfinished,
    /// Something that is no answer in HTTP.
    NotHttp,
    /// The user's own test says so, with this exit status.
    TestFailed(i32),
    /// No symptom was asked about: a unit or a port.
    #[default]
    NotAsked,
    /// It could not be found out whether there is one.
    Unknown(String),
}

impl SymptomOutcome {
    /// Whether something is wrong.
    pub fn is_wrong(&self) -> bool {
        !matches!(self, Self::Fine | Self::NotAsked | Self::Unknown(_))
    }
}

/// What was seen of a hop.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HopFacts {
    /// Where it is reached.
    pub address: Option<HopAddress>,
    /// What it speaks.
    pub protocol: HopProtocol,
    /// The program, where one is there or a configuration says which one should be.
    pub program: Option<String>,
    /// Its systemd unit; where nothing runs, the one that should be there.
    pub unit: Option<String>,
    /// The line of a unit by which it should be there.
    pub unit_line: Option<String>,
    /// How its unit stands, where nothing listens.
    pub unit_state: Option<String>,
    /// Its processes; the first is the one that the others were started by.
    pub processes: Vec<ProcessFacts>,
    /// What is known of the socket that it listens at; none if nothing listens there.
    pub listener: Option<ListenerFacts>,
    /// What a connection to it gave; none if it was not tried.
    pub probe: Option<ProbeFacts>,
    /// The file systems that it writes to.
    pub storage: Vec<StorageFacts>,
    /// Its configuration.
    pub config: Option<ConfigFacts>,
    /// The server block that answers the name that was asked for.
    pub virtual_host: Option<ServingHost>,
    /// Lines of its logs.
    pub logs: Vec<LogLine>,
    /// The logs that could be read, whether they have lines or not.
    pub log_files: Vec<String>,
    /// How often the kernel ended a process of its control group for want of memory.
    pub memory_kills: u64,
    /// How often it did so while the symptom was shown.
    pub fresh_memory_kills: u64,
    /// Whether this machine has the address.
    pub is_here: bool,
    /// Where the names that it uses lead now, and what it does with them.
    pub names: Vec<NameFacts>,
}

/// A process of a hop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProcessFacts {
    /// Its number.
    pub pid: u32,
    /// Its name.
    pub name: String,
    /// The state, as `/proc/PID/stat` has it.
    pub state: char,
    /// Seconds since 1970 at which it began.
    pub started: u64,
    /// The user.
    pub uid: u32,
    /// The groups.
    pub groups: Vec<u32>,
    /// How many files it has open; none if that could not be read.
    pub open_files: Option<u64>,
    /// How many it may have.
    pub open_files_limit: Option<u64>,
    /// How many threads it has.
    pub threads: u32,
    /// Whether it only starts and watches others.
    pub is_master: bool,
    /// The peers that its threads wait for an answer from.
    pub waits_for: Vec<HopAddress>,
    /// Whether a control group holds it.
    pub is_frozen: bool,
}

/// A socket that a hop listens at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ListenerFacts {
    /// Connections that wait to be accepted.
    pub waiting: u32,
    /// How many may wait.
    pub most: u32,
    /// Owner, group and mode, of a unix socket.
    pub file: Option<SocketFile>,
}

/// Who may connect to a unix socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SocketFile {
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The mode.
    pub mode: u32,
}

impl SocketFile {
    /// Whether a process may connect: it needs the right to write.
    pub fn admits(&self, process: &ProcessFacts) -> bool {
        if process.uid == 0 {
            return true;
        }
        let shift = if process.uid == self.uid {
            6
        } else if process.groups.contains(&self.gid) {
            3
        } else {
            0
        };
        self.mode >> shift & 2 != 0
    }
}

/// What a connection gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ProbeFacts {
    /// Whether it could be connected to.
    pub connect: ConnectOutcome,
    /// What it answered.
    pub reply: ReplyOutcome,
    /// Milliseconds in all.
    pub millis: u64,
    /// The certificate that it served.
    pub certificate: Option<CertificateFacts>,
    /// Whether it was asked the very request that shows the symptom.
    pub is_replay: bool,
    /// Its own figures, such as those of Redis's `INFO`.
    pub figures: BTreeMap<String, String>,
}

/// What came of connecting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectOutcome {
    /// Connected.
    Connected,
    /// `ECONNREFUSED`.
    Refused,
    /// No answer to the attempt within the deadline.
    TimedOut,
    /// No such socket file.
    Missing,
    /// `EAGAIN` of a unix socket: its queue is full.
    QueueFull,
    /// The name leads nowhere.
    Unresolved(String),
    /// Another error.
    Failed(String),
    /// It was not tried.
    #[default]
    Untried,
}

/// What came back over the connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyOutcome {
    /// An answer as it should be.
    Good(String),
    /// An answer of the protocol that says that something is wrong.
    Complaint {
        /// Its code, such as 1040, MISCONF, 502.
        code: String,
        /// Its words.
        text: String,
    },
    /// Nothing within the deadline.
    Silent,
    /// The end of the connection without an answer.
    Closed,
    /// Something of another protocol.
    Garbled(String),
    /// Nothing was asked.
    #[default]
    NotAsked,
}

/// A certificate as it was served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CertificateFacts {
    /// Seconds since 1970 from which it is valid.
    pub not_before: i64,
    /// Seconds since 1970 until which it is valid.
    pub not_after: i64,
    /// The names that it is for.
    pub names: Vec<String>,
}

/// A file system that a hop writes to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StorageFacts {
    /// A folder or file on it that the hop uses.
    pub path: String,
    /// Bytes that an ordinary user may still write.
    pub free: u64,
    /// All bytes.
    pub size: u64,
    /// Files that may still be made.
    pub free_files: u64,
    /// All files that may be; 0 if there is no such limit.
    pub files: u64,
}

impl StorageFacts {
    /// Whether nothing more can be written: less than a page, or a thousandth of a small one.
    pub fn is_full(&self) -> bool {
        self.size > 0 && self.free <= (self.size / 1000).clamp(4095, 65_536)
    }

    /// Whether no file can be made although there is space.
    pub fn is_out_of_files(&self) -> bool {
        self.files > 0 && self.free_files == 0
    }
}

/// A hop's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConfigFacts {
    /// The main file.
    pub file: String,
    /// The program's own test of it, as a command.
    pub test: String,
    /// What that test said, if it found something wrong.
    pub complaint: Option<String>,
    /// The file in which it keeps its number, and what is there.
    pub pid_file: Option<PidFileFacts>,
}

/// A pid file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PidFileFacts {
    /// Its path.
    pub path: String,
    /// The number in it.
    pub pid: u32,
    /// The name of the process that has this number now.
    pub holder: Option<String>,
}

/// A line of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// The file.
    pub file: String,
    /// The line.
    pub text: String,
    /// Whether it was written while the symptom was shown.
    pub is_fresh: bool,
}

/// A name that a hop connects to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NameFacts {
    /// The name.
    pub name: String,
    /// The port.
    pub port: u16,
    /// Where it is written.
    pub place: String,
    /// Where it leads now.
    pub addresses: Vec<IpAddr>,
    /// Why it leads nowhere.
    pub failure: Option<String>,
    /// The addresses that the hop is connected to at that port.
    pub used: Vec<IpAddr>,
}

impl HopFacts {
    /// What to call it, with its address.
    pub fn title(&self) -> String {
        match &self.address {
            Some(address) => format!("{} at {address}", self.name()),
            None => self.name(),
        }
    }

    /// What to call it.
    pub fn name(&self) -> String {
        self.program
            .clone()
            .or_else(|| self.unit.clone())
            .unwrap_or_else(|| self.protocol.daemon().to_owned())
    }

    /// Whether nothing listens at its address, seen by a refused or impossible connection.
    pub fn is_dead(&self) -> bool {
        let refused = self.probe.as_ref().is_some_and(|probe| {
            matches!(
                probe.connect,
                ConnectOutcome::Refused | ConnectOutcome::Missing
            )
        });
        self.is_here && refused && self.listener.is_none()
    }

    /// Whether it was connected to and answered as it should.
    pub fn is_good(&self) -> bool {
        let reply = self.probe.as_ref().map(|probe| &probe.reply);
        matches!(reply, Some(ReplyOutcome::Good(_)))
    }

    /// Whether it was connected to and gave no answer within the time.
    pub fn is_silent(&self) -> bool {
        self.probe.as_ref().is_some_and(|probe| {
            probe.connect == ConnectOutcome::Connected && probe.reply == ReplyOutcome::Silent
        })
    }

    /// Whether it answered the very request with a good status and without the text that was expected.
    pub fn lacks_text(&self) -> bool {
        self.probe.as_ref().is_some_and(|probe| {
            let is_it = |code: &str| code == LACKS_TEXT;
            probe.is_replay
                && matches!(&probe.reply, ReplyOutcome::Complaint { code, .. } if is_it(code))
        })
    }

    /// The HTTP status of a failure that it answered with.
    pub fn failing_status(&self) -> Option<u16> {
        match &self.probe.as_ref()?.reply {
            ReplyOutcome::Complaint { code, .. } => code
                .parse()
                .ok()
                .filter(|status| (400..600).contains(status)),
            _ => None,
        }
    }

    /// Whether every process that serves is stopped or frozen.
    pub fn is_held(&self) -> bool {
        let mut workers = self.workers().peekable();
        workers.peek().is_some() && workers.all(|it| it.state == 'T' || it.is_frozen)
    }

    /// Its processes that serve requests: those that the master started, or all that there are.
    pub fn workers(&self) -> impl Iterator<Item = &ProcessFacts> {
        let only_masters = self.processes.iter().all(|process| process.is_master);
        self.processes
            .iter()
            .filter(move |process| only_masters || !process.is_master)
    }
}

impl Scene {
    /// How many hops were asked about.
    pub fn front_count(&self) -> usize {
        self.fronts.max(1).min(self.hops.len())
    }

    /// The edges that lead to a hop.
    pub fn edges_to(&self, hop: usize) -> impl Iterator<Item = &ChainEdge> {
        self.edges.iter().filter(move |edge| edge.to == hop)
    }

    /// The edges that lead on from a hop.
    pub fn edges_from(&self, hop: usize) -> impl Iterator<Item = &ChainEdge> {
        self.edges.iter().filter(move |edge| edge.from == hop)
    }

    /// The hops that a hop uses, directly or not.
    pub fn behind(&self, hop: usize) -> Vec<usize> {
        let mut found: Vec<usize> = Vec::new();
        let mut waiting = vec![hop];
        while let Some(at) = waiting.pop() {
            for edge in self.edges_from(at) {
                if edge.to != hop && !found.contains(&edge.to) {
                    found.push(edge.to);
                    waiting.push(edge.to);
                }
            }
        }
        found
    }

    /// The other hops that may serve in its place, for the same caller.
    pub fn pool_mates(&self, hop: usize) -> Vec<usize> {
        let pools: Vec<(usize, &str)> = self
            .edges_to(hop)
            .filter_map(|edge| Some((edge.from, edge.pool.as_deref()?)))
            .collect();
        let mut mates: Vec<usize> = self
            .edges
            .iter()
            .filter(|edge| edge.to != hop)
            .filter(|edge| {
                let pool = edge.pool.as_deref();
                pool.is_some_and(|pool| pools.contains(&(edge.from, pool)))
            })
            .map(|edge| edge.to)
            .collect();
        mates.sort_unstable();
        mates.dedup();
        mates
    }

    /// Whether the symptom took so long that something waited.
    pub fn is_slow(&self) -> bool {
        self.symptom.outcome == SymptomOutcome::Silent || self.symptom.millis >= 900
    }

    /// Whether a hop was asked about itself.
    pub fn is_front(&self, hop: usize) -> bool {
        hop < self.front_count()
    }

    /// The line of a configuration that names a hop: file and line, and what it says.
    pub fn config_line(&self, hop: usize) -> Option<(&str, &str)> {
        let mut sources = self.edges_to(hop).flat_map(|edge| &edge.sources);
        sources.find_map(|source| match source {
            EdgeSource::Config { place, text } => Some((place.as_str(), text.as_str())),
            _ => None,
        })
    }

    /// The sentences by which the edges to a hop are known.
    pub fn reasons_for(&self, hop: usize) -> Vec<String> {
        self.edges_to(hop)
            .flat_map(|edge| {
                let caller = self.hops.get(edge.from).map(HopFacts::name);
                let is_config = |source: &&EdgeSource| matches!(source, EdgeSource::Config { .. });
                // The best of them, and the line that can be edited.
                let first = edge.sources.first();
                let line = edge.sources.iter().find(is_config);
                let line = line.filter(|line| Some(*line) != first);
                let words = first.into_iter().chain(line).map(EdgeSource::words);
                let caller = caller.unwrap_or_default();
                words.map(move |words| format!("{caller} uses it: {words}"))
            })
            .take(4)
            .collect()
    }
}
