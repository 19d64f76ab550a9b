//! One look, within five seconds: the symptom is shown, the chain found, every hop asked at once, and what was seen
//! is weighed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Serialize;
use surefoot_host::{Host, LiveOptions, SocketKind};

use super::breaking::HoldReport;
use super::builder::ChainBuilder;
use super::front::{ask_page, run_test};
use super::hop_files::memory_kills;
use super::hop_states::probe_all;
use super::journald::take_journald;
use super::log_tail::{LogMark, out_of_memory};
use super::names::{KnownNames, is_ours};
use super::probe::HttpQuestion;
use super::question::DiagnoseQuestion;
use super::recent_files::{WatchedFile, changed_files, changed_packages};
use super::samples::{SeenConnection, watch};
use super::units::{KnownUnits, take_unit_states};
use crate::chain::{EdgeSource, HopAddress, HopProtocol};
use crate::discover::AskedRequest;
use crate::error::DiagnoseError;
use crate::observation::{
    ConnectOutcome, HopFacts, ReplyOutcome, Scene, ShownSymptom, SymptomOutcome,
};
use crate::offer::{BisectOffer, offer_bisect};
use crate::recent::RecentChange;
use crate::target::{AskedTarget, AskedUrl, parse_target};
use crate::verdict::{SceneDiagnosis, diagnose_scene, suspected_config};

/// So long after the beginning the symptom is waited for no longer: what follows must fit into five seconds, also
/// where the machine is busy.
const SYMPTOM_END: Duration = Duration::from_millis(3900);
/// And never shorter than this.
const SYMPTOM_PATIENCE: Duration = Duration::from_secs(3);
/// After so long the hops are asked, whether the symptom has shown or not.
const CHAIN_PATIENCE: Duration = Duration::from_millis(1600);

/// What was seen, and the answer.
#[derive(Clone, Debug, Serialize)]
pub struct LookedAt {
    /// What was asked about.
    pub target: String,
    /// What was seen.
    pub scene: Scene,
    /// The answer.
    pub diagnosis: SceneDiagnosis,
    /// Whether the question says what is good: a text, or a test.
    #[serde(skip)]
    pub says_what_is_good: bool,
    /// Milliseconds that it took.
    pub millis: u64,
    /// What holding daemons showed, where that was asked for and done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<HoldReport>,
    /// Where the fault lies in a configuration: the bisection of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bisect: Option<BisectOffer>,
}

/// The first hop, and how to ask it.
#[derive(Clone)]
pub(super) struct AskedFront {
    address: HopAddress,
    protocol: HopProtocol,
    url: Option<AskedUrl>,
    request: Option<AskedRequest>,
}

/// Looks at a symptom and the chain behind it, and names the daemon and the cause.
pub fn look_and_diagnose(question: &DiagnoseQuestion) -> Result<LookedAt, DiagnoseError> {
    let began = Instant::now();
    let target = parse_target(&question.target)?;
    let host = Host::live_processes(&LiveOptions {
        now: question.now,
        keep_secrets: false,
    });
    let names = KnownNames::default();
    let fronts = fronts_of(&target, question, &host, &names)?;
    let units = KnownUnits::default();
    let marks = mark_logs(&host, &fronts, &names, &units);
    let refused = refused_attempts();
    let shown_at = micros_now();
    let patience = SYMPTOM_END
        .saturating_sub(began.elapsed())
        .max(SYMPTOM_PATIENCE);
    let (symptom, samples, host) = show_symptom(question, &fronts, host, patience);
    let refused = refused_attempts()
        .zip(refused)
        .map(|(after, before)| after.saturating_sub(before));

    let mut scene = Scene {
        now: question.now,
        fronts: fronts.len(),
        out_of_memory: out_of_memory(),
        refused_attempts: refused,

        ..Scene::default()
    };
    let mut builder = ChainBuilder::new(
        &host,
        fronts.first().and_then(|it| it.request.clone()),
        &samples,
        &names,
        &units,
    );
    for front in &fronts {
        builder.hop_at(front.address.clone(), front.protocol);
    }
    builder.expand_all();
    add_unused_likes(&mut builder, &host);
    scene.hops = std::mem::take(&mut builder.hops);
    scene.edges = std::mem::take(&mut builder.edges);
    scene.unseen = std::mem::take(&mut builder.unseen);
    let logs = std::mem::take(&mut builder.logs);
    let watched = std::mem::take(&mut builder.watched);
    unless_told(&host, &mut scene.unseen);
    test_configs(&mut scene.hops);
    take_unit_states(&mut scene.hops);
    probe_all(&mut scene, question, fronts.first());
    scene.symptom = symptom.end();
    // What a shell answers if it does not find the command, or may not run it.
    if let SymptomOutcome::TestFailed(status @ (126 | 127)) = scene.symptom.outcome {
        return Err(DiagnoseError::TestNotRun {
            status,
            said: scene.symptom.answer,
        });
    }
    if scene.symptom.outcome == SymptomOutcome::NotAsked {
        scene.symptom.outcome = outcome_of_fronts(&scene);
    }

    for hop in &mut scene.hops {
        let Some(process) = hop.processes.first() else {
            continue;
        };
        let before = marks.memory_kills.get(&process.pid).copied();
        let now = memory_kills(process.pid);
        hop.fresh_memory_kills = now.saturating_sub(before.unwrap_or(now));
    }
    read_logs(&mut scene, &marks.logs, &logs);
    let unseen = take_journald(&mut scene.hops, shown_at);
    scene.unseen.extend(unseen);
    if question.changes_within > 0 {
        scene.changes = find_changes(&scene, &watched, question);
    }
    link_by_logs(&mut scene);
    let diagnosis = diagnose_scene(&scene);
    let bisect = suspected_config(&scene, &diagnosis)
        .and_then(|hop| offer_bisect(&scene, hop, question.expect.as_deref()));
    Ok(LookedAt {
        target: question.target.clone(),
        scene,
        diagnosis,
        says_what_is_good: question.expect.is_some() || question.test.is_some(),
        millis: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        holds: None,
        bisect,
    })
}

pub(super) fn fronts_of(
    target: &AskedTarget,
    question: &DiagnoseQuestion,
    host: &Host,
    names: &KnownNames,
) -> Result<Vec<AskedFront>, DiagnoseError> {
    match target {
        AskedTarget::Url(url) => {
            let given = question.resolved(&url.host);
            let addresses = match given.or(url.address()) {
                Some(address) => vec![address],
                None => {
                    names
                        .resolve(None, &url.host)
                        .map_err(|why| DiagnoseError::Unresolved {
                            name: url.host.clone(),
                            why,
                        })?
                }
            };
            let ours = addresses.iter().find(|address| is_ours(**address));
            let Some(address) = ours.copied() else {
                let first = addresses.first().copied();
                return Err(DiagnoseError::Elsewhere {
                    name: url.host.clone(),
                    address: first.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
                });
            };
            Ok(vec![AskedFront {
                address: HopAddress::Tcp(SocketAddr::new(address, url.port)),
                protocol: if url.is_https {
                    HopProtocol::Https
                } else {
                    HopProtocol::Http
                },
                request: Some(AskedRequest {
                    host: question.asked_host(&url.host),
                    port: url.port,
                    path: url.path.split('?').next().unwrap_or("/").to_owned(),
                }),
                url: Some(url.clone()),
            }])
        }
        AskedTarget::Port(port) => {
            let bound = host.sockets.iter().flatten().find(|socket| {
                socket.kind == SocketKind::Tcp && socket.state == 10 && socket.port == *port
            });
            let address = bound.and_then(|socket| socket.local);
            let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            Ok(vec![AskedFront {
                address: HopAddress::Tcp(SocketAddr::new(address, *port)).reachable(),
                protocol: HopProtocol::of_port(*port).unwrap_or_default(),
                url: None,
                request: None,
            }])
        }
        AskedTarget::Unit(name) => {
            let short = name.strip_suffix(".service").unwrap_or(name);
            let is_meant = |pid: &u32| {
                host.process(*pid).is_some_and(|process| {
                    process.name == *short
                        || process.unit.as_deref() == Some(name)
                        || process.unit.as_deref() == Some(&format!("{short}.service"))
                })
            };
            let mut fronts: Vec<AskedFront> = Vec::new();
            for socket in host.sockets.iter().flatten() {
                let listens = socket.kind == SocketKind::Tcp && socket.state == 10;
                if let (true, Some(address)) =
                    (listens && socket.owners.iter().any(is_meant), socket.local)
                {
                    let address =
                        HopAddress::Tcp(SocketAddr::new(address, socket.port)).reachable();
                    if !fronts.iter().any(|front| front.address == address) {
                        fronts.push(AskedFront {
                            address,
                            protocol: HopProtocol::of_port(socket.port).unwrap_or_default(),
                            url: None,
                            request: None,
                        });
                    }
                }
            }
            if fronts.is_empty() {
                return Err(DiagnoseError::NoTarget(name.clone()));
            }
            Ok(fronts)
        }
    }
}

/// How the chain stood before the symptom was shown.
struct BeforeMarks {
    /// The ends of its logs.
    logs: Vec<LogMark>,
    /// By process: how often the kernel had ended one of its control group.
    memory_kills: BTreeMap<u32, u64>,
}

/// The chain as far as it is known before the symptom is shown.
fn mark_logs(
    host: &Host,
    fronts: &[AskedFront],
    names: &KnownNames,
    units: &KnownUnits,
) -> BeforeMarks {
    let none = BTreeSet::new();
    let request = fronts.first().and_then(|front| front.request.clone());
    let mut builder = ChainBuilder::new(host, request, &none, names, units);
    for front in fronts {
        builder.hop_at(front.address.clone(), front.protocol);
    }
    builder.expand_all();
    let first = |hop: &HopFacts| Some((hop.processes.first()?.pid, hop.memory_kills));
    BeforeMarks {
        memory_kills: builder.hops.iter().filter_map(first).collect(),
        logs: builder.logs.into_iter().map(|(_, mark)| mark).collect(),
    }
}

/// A symptom that is being shown.
struct ComingSymptom {
    thread: Option<std::thread::JoinHandle<ShownSymptom>>,
}

impl ComingSymptom {
    fn end(self) -> ShownSymptom {
        let joined = self.thread.and_then(|thread| thread.join().ok());
        joined.unwrap_or_default()
    }
}

/// Begins to show the symptom and watches connections meanwhile. Ends when it is shown, or after a while; then it
/// goes on behind.
fn show_symptom(
    question: &DiagnoseQuestion,
    fronts: &[AskedFront],
    host: Host,
    patience: Duration,
) -> (ComingSymptom, BTreeSet<SeenConnection>, Host) {
    let Some(front) = fronts.first() else {
        return (ComingSymptom { thread: None }, BTreeSet::new(), host);
    };
    if question.test.is_none() && front.url.is_none() {
        return (ComingSymptom { thread: None }, BTreeSet::new(), host);
    }
    let pids: Vec<u32> = host
        .processes
        .iter()
        .flatten()
        .filter(|process| !process.kernel && process.pid != std::process::id())
        .filter(|process| process.same_network != Some(false))
        .map(|process| process.pid)
        .collect();
    let sockets = host.sockets.iter().flatten();
    let known: BTreeSet<u64> = sockets.map(|socket| socket.inode).collect();
    let is_over = std::sync::Arc::new(AtomicBool::new(false));
    let (asked, front) = (question.clone(), front.clone());
    let told = std::sync::Arc::clone(&is_over);
    let thread = std::thread::spawn(move || {
        let shown = ask_once(&asked, &front, patience);
        told.store(true, Ordering::Release);
        shown
    });
    let samples = watch(&pids, &known, &is_over, CHAIN_PATIENCE);
    // What a hung request holds is in the socket table now.
    let host = Host::live_processes(&LiveOptions {
        now: question.now,
        keep_secrets: false,
    });
    (
        ComingSymptom {
            thread: Some(thread),
        },
        samples,
        host,
    )
}

/// Shows the symptom once, the way that the user asks.
pub(super) fn ask_once(
    question: &DiagnoseQuestion,
    front: &AskedFront,
    patience: Duration,
) -> ShownSymptom {
    let http = http_question(question, front);
    let expect = question.expect.as_deref();
    match (&question.test, &front.url) {
        (Some(test), _) => run_test(test, patience),
        (None, Some(url)) => ask_page(url, &front.address, &http, expect, patience),
        (None, None) => ShownSymptom::default(),
    }
}

/// Microseconds since 1970, as systemd's journal stamps its entries.
fn micros_now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let number = |value: i64| u64::try_from(value).unwrap_or(0);
    number(time.tv_sec) * 1_000_000 + number(time.tv_nsec) / 1000
}

/// What changed of the chain's files and of the packages.
fn find_changes(
    scene: &Scene,
    watched: &BTreeSet<WatchedFile>,
    question: &DiagnoseQuestion,
) -> Vec<RecentChange> {
    let since = question.now.saturating_sub(question.changes_within);
    let programs = scene.hops.iter().enumerate().filter_map(|(at, hop)| {
        let name = hop.processes.first().map(|process| &process.name);
        Some((at, name.or(hop.program.as_ref())?.clone()))
    });
    let programs: Vec<(usize, String)> = programs.collect();
    let mut changes = changed_files(watched, since);
    changes.extend(changed_packages(since, &programs));
    changes
}

/// `AttemptFails` of this network: connections that were refused on the way to being made.
fn refused_attempts() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/net/snmp").ok()?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|name| name == "AttemptFails")?;
    values.split(' ').nth(at)?.parse().ok()
}

/// Whether one of the ports that no page was asked of shows a symptom itself.
fn outcome_of_fronts(scene: &Scene) -> SymptomOutcome {
    let fronts = scene.hops.iter().take(scene.front_count());
    let shown = fronts.filter_map(|front| {
        let is_held = front.is_held();
        let Some(probe) = front.probe.as_ref() else {
            return is_held.then_some(SymptomOutcome::Silent);
        };
        match (&probe.connect, &probe.reply) {
            (ConnectOutcome::Refused | ConnectOutcome::Missing, _) => Some(SymptomOutcome::Refused),
            (ConnectOutcome::TimedOut | ConnectOutcome::QueueFull, _)
            | (_, ReplyOutcome::Silent) => Some(SymptomOutcome::Silent),
            (_, ReplyOutcome::Closed) => Some(SymptomOutcome::Closed),
            (ConnectOutcome::Failed(why), _) => Some(SymptomOutcome::Unknown(why.clone())),
            _ => is_held.then_some(SymptomOutcome::Silent),
        }
    });
    let mut shown: Vec<SymptomOutcome> = shown.collect();
    shown.sort_by_key(|outcome| !outcome.is_wrong());
    shown.into_iter().next().unwrap_or_default()
}

pub(super) fn http_question(question: &DiagnoseQuestion, front: &AskedFront) -> HttpQuestion {
    let url = front.url.as_ref();
    HttpQuestion {
        method: question.method.clone(),
        path: url.map_or_else(|| "/".to_owned(), |url| url.path.clone()),
        host: question
            .host_header()
            .or(url.map(AskedUrl::authority))
            .unwrap_or_else(|| "localhost".to_owned()),
        headers: question.other_headers(),
        body: question.data.clone().unwrap_or_default().into_bytes(),
        expect: question.expect.clone(),
        is_resolved: url.is_some_and(|url| question.resolved(&url.host).is_some()),
        is_replay: url.is_some(),
    }
}

/// Daemons of the kind of one that is dead, which nothing in the chain uses: the right one may be among them.
fn add_unused_likes(builder: &mut ChainBuilder<'_>, host: &Host) {
    let dead: Vec<HopProtocol> = builder
        .hops
        .iter()
        .filter(|hop| hop.is_here && hop.listener.is_none())
        .map(|hop| hop.protocol)
        .collect();
    for socket in host.sockets.iter().flatten() {
        let listens = socket.kind == SocketKind::Tcp && socket.state == 10;
        let name = socket.owners.first().and_then(|pid| host.process(*pid));
        let protocol = name.and_then(|process| HopProtocol::of_program(&process.name));
        if let (true, Some(protocol), Some(address)) = (listens, protocol, socket.local)
            && dead.contains(&protocol)
        {
            builder.hop_at(
                HopAddress::Tcp(SocketAddr::new(address, socket.port)),
                protocol,
            );
        }
    }
}

fn unless_told(host: &Host, unseen: &mut Vec<String>) {
    let bears = |fact: &str| fact.contains("process") || fact.contains("tcp");
    for missing in host.missing.iter().filter(|it| bears(&it.fact)) {
        unseen.push(format!("{}: {}", missing.fact, missing.why));
    }
    let advice = "run it as root";
    if !rustix::process::geteuid().is_root() && !unseen.iter().any(|line| line.contains(advice)) {
        unseen.push(format!(
            "what other users' processes hold, so hops may be missing; {advice}"
        ));
    }
    unseen.sort();
    unseen.dedup();
}

/// Asks daemons that are not running what they think of their configuration.
fn test_configs(hops: &mut [HopFacts]) {
    for hop in hops {
        let is_down = hop.listener.is_none() && hop.is_here;
        let Some(config) = hop.config.as_mut().filter(|_| is_down) else {
            continue;
        };
        let limited = ["-k", "1", "2", "sh", "-c", &config.test];
        let output = std::process::Command::new("timeout")
            .args(limited)
            .stdin(std::process::Stdio::null())
            .output();
        if let Ok(output) = output
            && matches!(output.status.code(), Some(1..=100))
        {
            let text = String::from_utf8_lossy(&output.stderr);
            let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let telling = |line: &&str| {
                line.contains("emerg") || line.contains("rror") || line.contains("ALERT")
            };
            let Some(first) = lines.find(telling) else {
                continue;
            };
            // What the tester may not read says nothing about the daemon.
            if first.contains("ermission denied") {
                continue;
            }
            let next = text
                .lines()
                .skip_while(|line| line.trim() != first)
                .nth(1)
                .unwrap_or_default();
            let complaint = format!("{first} {}", next.trim());
            config.complaint = Some(complaint.trim().chars().take(300).collect());
        }
    }
}

/// Reads what was written meanwhile, and the ends of the logs of what is down.
fn read_logs(scene: &mut Scene, marks: &[LogMark], logs: &[(usize, LogMark)]) {
    for (at, log) in logs {
        let marked = marks.iter().find(|mark| mark.shown() == log.shown());
        let lines = match marked {
            Some(mark) => mark.lines(),
            // It was not there before, or was found later: what in it is new is unknown.
            None => log.lines(),
        };
        if let Some(hop) = scene.hops.get_mut(*at) {
            hop.logs.extend(lines);
            hop.log_files.push(log.shown().to_owned());
        }
    }
}

/// A new line of a log that names an address of a hop shows that it was used.
fn link_by_logs(scene: &mut Scene) {
    let hops = &scene.hops;
    for edge in &mut scene.edges {
        let (Some(from), Some(Some(address))) = (
            hops.get(edge.from),
            hops.get(edge.to).map(|hop| hop.address.as_ref()),
        ) else {
            continue;
        };
        let wanted = address.to_string();
        let line = from
            .logs
            .iter()
            .find(|line| line.is_fresh && names_address(&line.text, &wanted));
        if let Some(line) = line {
            edge.sources.insert(
                0,
                EdgeSource::Log {
                    place: line.file.clone(),
                },
            );
        }
        // A connection during the symptom is the best of the sources.
        edge.sources.sort_by_key(|source| match source {
            EdgeSource::Socket {
                during_symptom: true,
                ..
            } => 0,
            EdgeSource::Log { .. } => 1,
            EdgeSource::Config { .. } => 2,
            EdgeSource::Environment { .. } => 3,
            EdgeSource::Socket { .. } => 4,
            EdgeSource::Program { .. } => 5,
        });
    }
}

/// Whether a text has an address, and not as a part of a longer one.
fn names_address(text: &str, address: &str) -> bool {
    text.match_indices(address).any(|(at, _)| {
        let after = text[at + address.len()..].chars().next();
        let before = text[..at].chars().next_back();
        !after.is_some_and(|letter| letter.is_ascii_digit())
            && !before.is_some_and(|letter| letter.is_ascii_digit())
    })
}

impl SymptomOutcome {
    /// What came back, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Fine => "a good answer".to_owned(),
            Self::Status(status) => format!("status {status}"),
            Self::WrongContent => "an answer without the text that was expected".to_owned(),
            Self::RedirectLoop => "a redirection to where it was asked".to_owned(),
            Self::Refused => "connection refused".to_owned(),
            Self::Silent => "no answer yet".to_owned(),
            Self::Closed => "the end of the connection without an answer".to_owned(),
            Self::Unfinished => "an answer that ends or stops before it is whole".to_owned(),
            Self::NotHttp => "something that is no answer in HTTP".to_owned(),
            Self::TestFailed(status) => format!("the test failed with status {status}"),
            Self::NotAsked => "no page was asked for".to_owned(),
            Self::Unknown(why) => format!("unknown: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_port_that_was_asked_about_shows_a_symptom() {
        let port = |connect, reply, state| HopFacts {
            probe: Some(crate::ProbeFacts {
                connect,
                reply,
                ..crate::ProbeFacts::default()
            }),
            processes: vec![crate::ProcessFacts {
                state,
                ..crate::ProcessFacts::default()
            }],
            ..HopFacts::default()
        };
        let good = || port(ConnectOutcome::Connected, ReplyOutcome::NotAsked, 'S');
        let outcome = |other: HopFacts| {
            outcome_of_fronts(&Scene {
                hops: vec![good(), other],
                fronts: 2,
                ..Scene::default()
            })
        };
        assert_eq!(outcome(good()), SymptomOutcome::NotAsked);
        let stopped = port(ConnectOutcome::Connected, ReplyOutcome::NotAsked, 'T');
        assert_eq!(outcome(stopped), SymptomOutcome::Silent);
        let silent = port(ConnectOutcome::Connected, ReplyOutcome::Silent, 'S');
        assert_eq!(outcome(silent), SymptomOutcome::Silent);
        let refused = port(ConnectOutcome::Refused, ReplyOutcome::NotAsked, 'S');
        assert_eq!(outcome(refused), SymptomOutcome::Refused);
    }

    #[test]
    fn an_address_is_not_found_in_a_longer_one() {
        assert!(names_address(
            "upstream: \"http://127.0.0.1:80/\"",
            "127.0.0.1:80"
        ));
        assert!(!names_address("127.0.0.1:8080", "127.0.0.1:80"));
        assert!(!names_address("1127.0.0.1:80", "127.0.0.1:80"));
    }
}
