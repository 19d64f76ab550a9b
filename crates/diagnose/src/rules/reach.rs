//! Faults on the way to a hop: nothing listens, something refuses or drops, the address is another.

use std::net::SocketAddr;

use super::process::refused;
use super::{CauseCertainty, RuleMatch, count_waiting, edit_command, quote, service_command};
use crate::chain::HopAddress;
use crate::observation::{ConnectOutcome, HopFacts, Scene};

fn connect(facts: &HopFacts) -> Option<&ConnectOutcome> {
    facts.probe.as_ref().map(|probe| &probe.connect)
}

/// Nothing listens where the caller connects to, and the same kind of daemon answers elsewhere.
pub(super) fn wrong_address(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let caller = scene.edges_to(hop).next()?;
    let needed = facts.protocol;
    if !facts.is_dead() || needed == crate::HopProtocol::Tcp {
        return None;
    }
    let is_web = matches!(needed, crate::HopProtocol::Http | crate::HopProtocol::Https);
    if is_web || facts.config.is_some() {
        return None;
    }
    // Ones that this caller does not use: a second replica of a pool is no replacement.
    let others: Vec<&HopFacts> = scene
        .hops
        .iter()
        .enumerate()
        .filter(|(at, other)| *at != hop && other.protocol == needed && !other.is_dead())
        .filter(|(at, other)| other.listener.is_some() && scene.edges_to(*at).next().is_none())
        .map(|(_, other)| other)
        .collect();
    let [other] = others[..] else {
        return None;
    };
    let (wanted, there) = (facts.address.as_ref()?, other.address.as_ref()?);
    let mut evidence = scene.reasons_for(hop);
    evidence.push(refused(scene, hop));
    evidence.push(format!("{} listens at {there}", other.name()));
    let caller_name = scene.hops.get(caller.from)?.name();
    Some(RuleMatch {
        what: format!(
            "{caller_name} connects to {wanted}, where nothing listens; {} is at {there}",
            other.name()
        ),
        evidence,
        next: vec![match scene.config_line(hop) {
            Some((place, text)) => {
                let (file, line) = place.rsplit_once(':').unwrap_or((place, "?"));
                format!("surefoot edit {}   # line {line}: {text}", quote(file))
            }
            None => format!("surefoot edit FILE   # where {caller_name} has {wanted}"),
        }],
        at_most: Some(CauseCertainty::Likely),
        blames: Some(caller.from),
        ..RuleMatch::default()
    })
}

/// A unix socket is there, and its mode keeps the caller out.
pub(super) fn socket_permission(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let file = facts.listener?.file?;
    let Some(HopAddress::Unix(path)) = &facts.address else {
        return None;
    };
    let shut_out = scene.edges_to(hop).find_map(|edge| {
        let caller = scene.hops.get(edge.from)?;
        let worker = caller.workers().find(|worker| !file.admits(worker))?;
        Some((caller, worker))
    });
    let (caller, worker) = shut_out?;
    let denied = |text: &str| text.contains("13: Permission denied") || text.contains("EACCES");
    let line = caller
        .logs
        .iter()
        .find(|line| line.is_fresh && line.text.contains(path.as_str()) && denied(&line.text));
    let mut evidence = vec![
        format!(
            "{path}: owner {}, group {}, mode {:04o}",
            file.uid,
            file.gid,
            file.mode & 0o7777
        ),
        format!(
            "process {} ({}) runs as user {} and may not write to it",
            worker.pid, worker.name, worker.uid
        ),
    ];
    if let Some(line) = line {
        evidence.push(format!("{}: {}", line.file, line.text));
    }
    Some(RuleMatch {
        what: format!(
            "{} may not connect to {}: the socket {path} does not admit its user",
            caller.name(),
            facts.name()
        ),
        evidence,
        next: vec![
            format!("ls -l {}", quote(path)),
            match facts.protocol {
                crate::HopProtocol::FastCgi => {
                    "grep -n '^listen' /etc/php/*/fpm/pool.d/*.conf   # set listen.owner, listen.group, listen.mode"
                        .to_owned()
                }
                _ => service_command(scene, hop, "cat"),
            },
            service_command(scene, hop, "restart"),
        ],
        is_witnessed: line.is_some(),
        ..RuleMatch::default()
    })
}

/// A name that a hop connects to leads nowhere.
pub(super) fn unresolved(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let found = facts.names.iter().find(|name| name.failure.is_some())?;
    let unresolved = || facts.names.iter().filter(|name| name.failure.is_some());
    let silence = found.failure.as_deref()?.split_once(" does not answer");
    let mut names: Vec<&str> = unresolved().map(|name| name.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Some(RuleMatch {
        what: match silence {
            Some((server, _)) => format!(
                "the name server {server} does not answer, so that {} cannot resolve {}",
                facts.name(),
                names.join(", ")
            ),
            None => format!(
                "{} connects to {}, which cannot be resolved",
                facts.name(),
                found.name
            ),
        },
        evidence: vec![
            format!("{}: {}:{}", found.place, found.name, found.port),
            format!("{}: {}", found.name, found.failure.clone()?),
        ],
        // A name that is resolved at the start does no harm later.
        at_most: Some(if facts.program.as_deref() == Some("nginx") {
            CauseCertainty::Possible
        } else {
            CauseCertainty::Likely
        }),
        is_witnessed: facts
            .logs
            .iter()
            .any(|line| line.is_fresh && line.text.contains(&found.name)),
        next: vec![
            format!("getent ahosts {}", found.name),
            "cat /etc/resolv.conf".to_owned(),
        ],
        ..RuleMatch::default()
    })
}

/// A hop is connected to an address that its name no longer leads to.
pub(super) fn stale_address(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let (found, old) = facts.names.iter().find_map(|name| {
        let old = name
            .used
            .iter()
            .find(|used| !name.addresses.contains(used))?;
        (!name.addresses.is_empty()).then_some((name, old))
    })?;
    // Where both are asked the same, the old one has to answer worse.
    let at = |ip: &std::net::IpAddr| {
        let wanted = HopAddress::Tcp(SocketAddr::new(*ip, found.port));
        scene
            .hops
            .iter()
            .find(|hop| hop.address.as_ref() == Some(&wanted))
    };
    let new_is_good = found.addresses.iter().filter_map(at).any(HopFacts::is_good);
    let old_is_good = at(old).is_some_and(HopFacts::is_good);
    if old_is_good {
        return None;
    }
    let now: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
    let mut evidence = vec![
        format!("{}: {}:{}", found.place, found.name, found.port),
        format!("{} leads to {} now", found.name, now.join(", ")),
        format!(
            "{} is connected to {old}:{} all the same",
            facts.name(),
            found.port
        ),
    ];
    if let Some(first) = facts.processes.first() {
        let age = scene.now.saturating_sub(first.started);
        evidence.push(format!(
            "it resolves the name when it starts or reloads; process {} began {age} s ago",
            first.pid
        ));
    }
    Some(RuleMatch {
        what: format!(
            "{} still talks to {old}, where {} was before",
            facts.name(),
            found.name
        ),
        evidence,
        next: vec![service_command(scene, hop, "reload")],
        at_most: (!new_is_good).then_some(CauseCertainty::Possible),

        ..RuleMatch::default()
    })
}

/// Nothing listens.
pub(super) fn not_running(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    if !facts.is_dead() {
        return None;
    }
    let mut evidence = scene.reasons_for(hop);
    evidence.push(match (&facts.address, connect(facts)) {
        (Some(address), Some(ConnectOutcome::Missing)) => {
            format!("there is no socket {address}")
        }
        _ => refused(scene, hop),
    });
    if let Some(refused) = scene.refused_attempts.filter(|count| *count > 0) {
        evidence.push(format!(
            "connections refused in this network while the symptom was shown: {refused}"
        ));
    }
    if let Some(line) = facts.logs.last() {
        evidence.push(format!("the end of {}: {}", line.file, line.text));
    }
    evidence.extend(facts.unit_line.clone());
    evidence.extend(facts.unit_state.clone());
    let mut next = vec![
        service_command(scene, hop, "status"),
        service_command(scene, hop, "start"),
    ];
    if facts.program.is_none() && facts.unit.is_none() {
        next.extend(edit_command(scene, hop));
    }
    Some(RuleMatch {
        what: match (&facts.program, &facts.address) {
            (None, Some(address)) => {
                format!(
                    "nothing listens at {address}, where {} is expected",
                    facts.name()
                )
            }
            _ => format!("{} is not running", facts.title()),
        },
        evidence,
        next,
        ..RuleMatch::default()
    })
}

/// A listener is there, and a connection to it is refused all the same.
pub(super) fn rejected(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let HopAddress::Tcp(address) = facts.address.as_ref()? else {
        return None;
    };
    let listener = facts.listener?;
    let how = match connect(facts)? {
        ConnectOutcome::Refused => "refused".to_owned(),
        ConnectOutcome::Failed(why) => format!("answered with `{why}`"),
        _ => return None,
    };
    // `tcp_abort_on_overflow` refuses, too, when the queue is full.
    if !facts.is_here || listener.waiting > listener.most {
        return None;
    }
    Some(RuleMatch {
        what: format!(
            "a firewall rule rejects connections to {}, which listens",
            facts.title()
        ),
        evidence: vec![
            format!(
                "{address} has a listener, {}",
                count_waiting(listener.waiting)
            ),
            format!("a connection to it is {how}"),
        ],
        next: ask_firewall(*address),
        ..RuleMatch::default()
    })
}

/// What shows the rule that stands in the way.
fn ask_firewall(address: SocketAddr) -> Vec<String> {
    let (ip, port) = (address.ip(), address.port());
    vec![
        format!("surefoot firewall why-not tcp to {ip} port {port}"),
        "nft list ruleset".to_owned(),
    ]
}

/// The daemon takes no more connections: its own limit.
pub(super) fn connection_limit(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let listener = facts.listener?;
    let timed_out = *connect(facts)? == ConnectOutcome::TimedOut;
    (timed_out && listener.most == 0 && listener.waiting > 0).then(|| RuleMatch {
        what: format!("{} is at its limit of connections", facts.title()),
        evidence: vec![format!(
            "its queue admits no connection and {} wait; a new one gets no answer",
            listener.waiting
        )],
        next: vec![format!(
            "ss -tnp 'sport = :{}'",
            facts
                .address
                .as_ref()
                .and_then(HopAddress::port)
                .unwrap_or(0)
        )],
        ..RuleMatch::default()
    })
}

/// A listener with room in its queue is there, and a connection to it gets no answer.
pub(super) fn dropped(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let HopAddress::Tcp(address) = facts.address.as_ref()? else {
        return None;
    };
    let listener = facts.listener?;
    let timed_out = *connect(facts)? == ConnectOutcome::TimedOut;
    let has_room = listener.most > 0 && listener.waiting < listener.most;
    if !timed_out || !has_room || !facts.is_here {
        return None;
    }
    Some(RuleMatch {
        what: format!(
            "a firewall rule drops connections to {}, which listens",
            facts.title()
        ),
        evidence: vec![
            format!(
                "{address} has a listener, and {} of {} connections wait: its queue has room",
                listener.waiting, listener.most
            ),
            "a connection to it gets no answer at all".to_owned(),
        ],
        next: ask_firewall(*address),
        ..RuleMatch::default()
    })
}

/// More connections wait than may.
pub(super) fn queue_full(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let listener = facts.listener?;
    let unix_full = connect(facts) == Some(&ConnectOutcome::QueueFull);
    if !unix_full && (listener.waiting <= listener.most || listener.most == 0) {
        return None;
    }
    Some(RuleMatch {
        what: format!(
            "{} does not accept connections fast enough: its queue is full",
            facts.title()
        ),
        evidence: vec![if unix_full {
            "a connection to its socket is put off (EAGAIN): the queue is full".to_owned()
        } else {
            format!("{}, {} may", count_waiting(listener.waiting), listener.most)
        }],
        next: vec![format!("ss -ltn   # Recv-Q of {}", facts.title())],
        ..RuleMatch::default()
    })
}
