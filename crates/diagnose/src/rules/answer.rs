//! Faults that a hop's own answer shows, or that it gives none.

use super::{CauseCertainty, RuleMatch, count_waiting, service_command};
use crate::chain::{EdgeSource, HopAddress, HopProtocol};
use crate::observation::{ConnectOutcome, HopFacts, ReplyOutcome, Scene, SymptomOutcome};

/// What answers of a protocol mean.
struct KnownComplaint {
    protocol: HopProtocol,
    code: &'static str,
    what: &'static str,
    next: &'static str,
}

const COMPLAINTS: &[KnownComplaint] = &[
    KnownComplaint {
        protocol: HopProtocol::Mysql,
        code: "1040",
        what: "has as many connections as it may (max_connections)",
        next: "mariadb -e 'SHOW PROCESSLIST'",
    },
    KnownComplaint {
        protocol: HopProtocol::Mysql,
        code: "1129",
        what: "blocks this host after too many failed connections",
        next: "mariadb-admin flush-hosts",
    },
    KnownComplaint {
        protocol: HopProtocol::Mysql,
        code: "1130",
        what: "does not allow this host to connect",
        next: "mariadb -e 'SELECT user, host FROM mysql.user'",
    },
    KnownComplaint {
        protocol: HopProtocol::Postgres,
        code: "53300",
        what: "has as many connections as it may (max_connections)",
        next: "psql -c 'SELECT pid, state, query_start, query FROM pg_stat_activity'",
    },
    KnownComplaint {
        protocol: HopProtocol::Postgres,
        code: "57P03",
        what: "is starting up or shutting down, and takes no connection yet",
        next: "ps -C postgres -o pid,args",
    },
    KnownComplaint {
        protocol: HopProtocol::Redis,
        code: "MISCONF",
        what: "cannot save its snapshot and refuses every write",
        next: "redis-cli info persistence",
    },
    KnownComplaint {
        protocol: HopProtocol::Redis,
        code: "LOADING",
        what: "is still loading its data",
        next: "redis-cli info persistence",
    },
    KnownComplaint {
        protocol: HopProtocol::Redis,
        code: "OOM",
        what: "is at its maxmemory and refuses every write",
        next: "redis-cli info memory",
    },
    KnownComplaint {
        protocol: HopProtocol::Redis,
        code: "MAXCLIENTS",
        what: "has as many clients as it may (maxclients)",
        next: "redis-cli info clients",
    },
    KnownComplaint {
        protocol: HopProtocol::Redis,
        code: "MASTERDOWN",
        what: "is a replica without its master",
        next: "redis-cli info replication",
    },
    KnownComplaint {
        protocol: HopProtocol::Memcached,
        code: "MAXCONNS",
        what: "has as many connections as it may",
        next: "printf 'stats\\r\\nquit\\r\\n' | nc 127.0.0.1 11211",
    },
    KnownComplaint {
        protocol: HopProtocol::Smtp,
        code: "421",
        what: "takes no mail now",
        next: "journalctl -n 50 -t postfix/smtpd",
    },
    KnownComplaint {
        protocol: HopProtocol::Dns,
        code: "SERVFAIL",
        what: "cannot resolve names",
        next: "cat /etc/resolv.conf",
    },
    KnownComplaint {
        protocol: HopProtocol::Dns,
        code: "REFUSED",
        what: "refuses to answer this machine",
        next: "cat /etc/resolv.conf",
    },
];

/// It says itself, in its own protocol, what is wrong.
pub(super) fn complaint(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let ReplyOutcome::Complaint { code, text } = &facts.probe.as_ref()?.reply else {
        return None;
    };
    let known = COMPLAINTS
        .iter()
        .find(|it| it.protocol == facts.protocol && it.code == code)?;
    let mut evidence = vec![format!("it answers: {text}")];
    let full = facts.storage.iter().find(|storage| storage.is_full());
    let mut what = format!("{} {}", facts.title(), known.what);
    if let Some(full) = full {
        evidence.push(format!(
            "the file system of {} is full: {} of {} bytes are free",
            full.path, full.free, full.size
        ));
        what.push_str(": the file system that it writes to is full");
    }
    let mut next = vec![known.next.to_owned()];
    if let Some(full) = full {
        next.push(format!("du -xa {} | sort -n | tail", full.path));
    }
    let is_witnessed = scene.symptom.answer.contains(code.as_str());
    Some(RuleMatch {
        what,
        evidence,
        next,
        is_witnessed,
        ..RuleMatch::default()
    })
}

/// Redis is at the memory that it may have, and keeps everything.
pub(super) fn memory_limit(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let figures = &facts.probe.as_ref()?.figures;
    let number = |name: &str| figures.get(name)?.parse::<u64>().ok();
    let (most, used) = (number("maxmemory")?, number("used_memory")?);
    let policy = figures.get("maxmemory_policy")?;
    if most == 0 || used < most || policy != "noeviction" {
        return None;
    }
    Some(RuleMatch {
        what: format!(
            "{} is at its maxmemory and refuses every write; it still answers PING",
            facts.title()
        ),
        evidence: vec![format!(
            "used_memory {used}, maxmemory {most}, maxmemory_policy noeviction"
        )],
        // Who only reads is served; who writes gets an answer that says so.
        at_most: Some(CauseCertainty::Possible),
        next: vec![
            "redis-cli info memory".to_owned(),
            "redis-cli --bigkeys".to_owned(),
        ],
        ..RuleMatch::default()
    })
}

/// The certificate that it serves is not valid now, and the caller looks at it.
pub(super) fn certificate(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let served = facts.probe.as_ref()?.certificate.as_ref()?;
    let now = i64::try_from(scene.now).ok()?;
    let (what, days) = if now > served.not_after {
        ("expired", (now - served.not_after) / 86_400)
    } else if now < served.not_before {
        ("is not valid yet", (served.not_before - now) / 86_400)
    } else {
        return None;
    };
    let is_verified = scene.edges_to(hop).any(|edge| edge.verifies_certificate);
    let ahead = if now < served.not_before {
        format!("its time begins in {days} days, or the clock of this machine is behind")
    } else {
        format!("it expired {days} days ago")
    };
    let mut evidence = vec![format!(
        "the certificate that is served, for {}: {ahead}",
        served.names.join(", ")
    )];
    let line = scene.edges_to(hop).find_map(|edge| {
        let logs = &scene.hops.get(edge.from)?.logs;
        logs.iter()
            .find(|line| line.is_fresh && line.text.contains("certificate"))
    });
    if let Some(line) = line {
        evidence.push(format!("{}: {}", line.file, line.text));
    }
    Some(RuleMatch {
        what: format!("the certificate of {} {what}", facts.title()),
        evidence,
        next: vec![
            match &facts.address {
                Some(HopAddress::Tcp(address)) => format!(
                    "openssl s_client -connect {address} </dev/null | openssl x509 -noout -dates -subject"
                ),
                _ => "date".to_owned(),
            },
            "date".to_owned(),
            service_command(scene, hop, "reload"),
        ],
        at_most: (!is_verified && hop != 0).then_some(CauseCertainty::Possible),
        is_witnessed: line.is_some(),
        ..RuleMatch::default()
    })
}

/// Every worker of a hop waits for this one, which says nothing.
pub(super) fn silent_peer(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let address = facts.address.as_ref()?;
    // What is known to answer is not silent; what waits itself is not to blame.
    let uses_others = scene
        .edges_from(hop)
        .any(|edge| !matches!(edge.sources.first(), Some(EdgeSource::Program { .. })));
    if facts.is_good() || uses_others {
        return None;
    }
    let connected = matches!(
        facts.probe.as_ref().map(|probe| &probe.connect),
        Some(ConnectOutcome::Connected)
    );
    if facts.is_here && !connected {
        return None;
    }
    let waiting = scene.edges_to(hop).find_map(|edge| {
        let caller = scene.hops.get(edge.from)?;
        let all = caller.workers().count();
        let waits = caller
            .workers()
            .filter(|worker| worker.waits_for.contains(address))
            // Of several threads one may wait for messages all day; not for a new connection.
            .filter(|worker| {
                let is_new = |source: &EdgeSource| {
                    matches!(
                        source,
                        EdgeSource::Socket {
                            during_symptom: true,
                            ..
                        }
                    )
                };
                worker.threads <= 1 || edge.sources.iter().any(is_new)
            })
            .count();
        (waits > 0 && waits == all).then_some((caller, all))
    });
    let (caller, workers) = waiting?;
    Some(RuleMatch {
        what: format!(
            "{} accepts connections and does not answer: every worker of {} waits for it",
            facts.title(),
            caller.name()
        ),
        evidence: vec![
            format!(
                "all {workers} workers of {} wait for an answer over a connection to {address}",
                caller.name()
            ),
            "connecting to it works".to_owned(),
        ],
        next: vec![
            format!("ss -tnp 'dport = :{}'", address.port().unwrap_or(0)),
            match facts.processes.first() {
                Some(process) => format!("surefoot signals {}", process.pid),
                None => format!("ss -ltnp 'sport = :{}'", address.port().unwrap_or(0)),
            },
        ],
        ..RuleMatch::default()
    })
}

/// Every worker is busy, and connections wait.
pub(super) fn workers_exhausted(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let waiting = facts.listener?.waiting;
    if waiting == 0 || facts.protocol != HopProtocol::FastCgi || !facts.is_silent() {
        return None;
    }
    let workers = facts.workers().count();
    let line = facts
        .logs
        .iter()
        .rev()
        .find(|line| line.text.contains("max_children"));
    let mut evidence = vec![format!(
        "{workers} workers, all busy: {} to be accepted",
        count_waiting(waiting)
    )];
    if let Some(line) = line {
        evidence.push(format!("{}: {}", line.file, line.text));
    }
    Some(RuleMatch {
        what: format!("all workers of {} are busy", facts.title()),
        evidence,
        next: vec![
            "grep -rn 'pm.max_children\\|request_slowlog_timeout' /etc/php/*/fpm/pool.d/"
                .to_owned(),
        ],
        ..RuleMatch::default()
    })
}

/// The store that a hop waits for, and that answers everybody else: a slow query, or a lock.
pub(crate) fn awaited_store(scene: &Scene, hop: usize) -> Option<&HopFacts> {
    let facts = scene.hops.get(hop)?;
    scene.edges_from(hop).find_map(|edge| {
        let store = scene.hops.get(edge.to)?;
        let address = store.address.as_ref()?;
        let waits = facts.workers().any(|it| it.waits_for.contains(address));
        (waits && store.protocol.keeps_state() && !store.is_silent()).then_some(store)
    })
}

/// It accepts and says nothing.
pub(super) fn hung(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    if !facts.is_silent() || facts.protocol == HopProtocol::Tcp {
        return None;
    }
    // A page that took longer than hops are waited for, and came, was slow.
    let is_only_slow =
        scene.symptom.outcome == SymptomOutcome::Fine && scene.symptom.millis >= 1900;
    if is_only_slow && facts.probe.as_ref().is_some_and(|probe| probe.is_replay) {
        return None;
    }
    let stuck = facts.workers().find(|worker| worker.state == 'D');
    let mut evidence =
        vec!["it accepts a connection, and 2 s were waited for an answer".to_owned()];
    if let Some(stuck) = stuck {
        evidence.push(format!(
            "process {} waits in the kernel (state D)",
            stuck.pid
        ));
    }
    if let Some(store) = awaited_store(scene, hop) {
        return Some(RuleMatch {
            what: format!(
                "{} waits for {}, which answers others: what it asked may be slow, or held by a lock",
                facts.title(),
                store.title()
            ),
            evidence,
            next: vec![match store.protocol {
                HopProtocol::Mysql => "mariadb -e 'SHOW FULL PROCESSLIST'".to_owned(),
                HopProtocol::Postgres => {
                    "psql -c 'SELECT pid, state, wait_event_type, query FROM pg_stat_activity'"
                        .to_owned()
                }
                HopProtocol::Redis => "redis-cli slowlog get 10".to_owned(),
                _ => service_command(scene, hop, "status"),
            }],
            // A thread may wait for messages as long as it lives.
            at_most: Some(CauseCertainty::Possible),
            ..RuleMatch::default()
        });
    }
    Some(RuleMatch {
        what: format!(
            "{} gave no answer within 2 s; it may only be slow",
            facts.title()
        ),
        evidence,
        next: match facts.processes.first() {
            Some(process) => vec![format!("surefoot signals {}", process.pid)],
            None => vec![service_command(scene, hop, "status")],
        },
        at_most: Some(CauseCertainty::Likely),
        ..RuleMatch::default()
    })
}

/// It gives another answer than what is behind it, or than those that serve in its place.
pub(super) fn lost_text(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    if !facts.lacks_text() || scene.symptom.outcome != SymptomOutcome::WrongContent {
        return None;
    }
    let has_text = |at: &usize| {
        let other = &scene.hops[*at];
        other.is_good() && other.probe.as_ref().is_some_and(|probe| probe.is_replay)
    };
    let behind: Vec<usize> = scene
        .edges_from(hop)
        .map(|edge| edge.to)
        .filter(|at| scene.hops[*at].protocol == HopProtocol::Http)
        .collect();
    let mates = scene.pool_mates(hop);
    let title = facts.title();
    // One of several behind it may have answered this time, and a good one the next.
    let lacks_behind = scene
        .behind(hop)
        .iter()
        .any(|at| scene.hops[*at].lacks_text());
    let is_last = behind.is_empty();
    let (what, good) = if !is_last && !lacks_behind && behind.iter().all(has_text) {
        let what =
            format!("{title} answers without the text, and what is behind it answers with it");
        (what, behind)
    } else if is_last && !mates.is_empty() && mates.iter().all(has_text) {
        let what =
            format!("{title} answers without the text, and those that serve in its place with it");
        (what, mates)
    } else {
        return None;
    };
    let mut evidence = vec![format!(
        "{title} was asked the same: an answer without the text that was expected"
    )];
    for at in good {
        evidence.push(format!(
            "{} was asked the same: an answer with it",
            scene.hops[at].title()
        ));
    }
    Some(RuleMatch {
        what,
        evidence,
        next: vec![match &facts.config {
            Some(config) => format!("surefoot edit {}", super::quote(&config.file)),
            None => service_command(scene, hop, "status"),
        }],
        at_most: Some(CauseCertainty::Likely),
        // It gave the very answer itself.
        is_witnessed: is_last,
        lies_in_config: facts.config.is_some(),
        ..RuleMatch::default()
    })
}
