//! From what the rules find to an answer: what bears on the symptom, in which order, and how sure.
//!
//! A fault that was seen is not yet the cause. It is one if the chain leads to it, if nothing that was seen speaks
//! against it, and if what it does to requests is what the symptom shows.

use serde::Serialize;

use crate::chain::{EdgeSource, HopAddress, HopProtocol};
use crate::observation::{ConnectOutcome, HopFacts, ProcessFacts, Scene, SymptomOutcome};
use crate::rules::{CAUSE_RULES, CauseCertainty, CauseRule, FaultEffect, RuleMatch, awaited_store};

/// What a fault has to do with the symptom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CauseBearing {
    /// It causes it.
    Causes,
    /// It follows from another fault that is named.
    Follows,
    /// It weakens the system and does not cause the symptom: another serves in its place.
    Degrades,
    /// It is there, and nothing connects it with the symptom.
    Latent,
}

/// A fault with its evidence and the next commands.
#[derive(Clone, Debug, Serialize)]
pub struct NamedCause {
    /// The daemon, by its place in the list of hops.
    pub hop: usize,
    /// The name of the daemon, with its address.
    pub daemon: String,
    /// The name of the rule.
    pub rule: &'static str,
    /// How sure it is.
    pub certainty: CauseCertainty,
    /// What it has to do with the symptom.
    pub bearing: CauseBearing,
    /// The fault, in a sentence.
    pub what: String,
    /// What shows it.
    pub evidence: Vec<String>,
    /// Why it is no more certain, or does not bear on the symptom.
    pub reservation: Option<String>,
    /// What to do next.
    pub next: Vec<String>,
    /// Whether something written while the symptom was shown says that it is the reason.
    pub is_witnessed: bool,
    /// Whether it lies in what the daemon's configuration says.
    pub lies_in_config: bool,
}

/// The answer.
#[derive(Clone, Debug, Serialize)]
pub struct SceneDiagnosis {
    /// Whether a cause is named, or it is unknown, or there is no symptom.
    pub verdict: DiagnosisVerdict,
    /// The faults, those that cause the symptom first.
    pub causes: Vec<NamedCause>,
    /// Why the cause is unknown, where it is.
    pub unknown: Option<String>,
}

/// Whether there is an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DiagnosisVerdict {
    /// The first of the causes is the answer.
    Named,
    /// What was seen does not name one.
    Unknown,
    /// There is no symptom; a fault that is listed weakens the system.
    Degraded,
    /// There is no symptom and no fault.
    Healthy,
}

/// Applies all rules to a scene and weighs what they find.
pub fn diagnose_scene(scene: &Scene) -> SceneDiagnosis {
    let mut found: Vec<(usize, &CauseRule, NamedCause)> = Vec::new();
    // What nothing in the chain uses is no part of it.
    let mut chained: Vec<usize> = (0..scene.front_count()).collect();
    for front in 0..scene.front_count() {
        chained.extend(scene.behind(front));
    }
    chained.sort_unstable();
    chained.dedup();
    // What only the text of a program names is no finding beside a page in order.
    let is_wrong = scene.symptom.outcome.is_wrong();
    chained.retain(|hop| is_wrong || scene.is_front(*hop) || !is_only_text(scene, *hop));
    for hop in chained {
        for rule in CAUSE_RULES {
            if let Some(matched) = rule.find(scene, hop) {
                found.push((hop, rule, weigh(scene, hop, rule, matched)));
                // The first that holds is the most telling, unless it may not be the reason.
                if found.last().is_some_and(|(_, _, cause)| {
                    cause.certainty > CauseCertainty::Possible
                        && cause.bearing != CauseBearing::Latent
                }) {
                    break;
                }
            }
        }
    }
    let roots: Vec<usize> = found
        .iter()
        .filter(|(_, rule, cause)| {
            !rule.is_symptom_of_others
                && cause.bearing == CauseBearing::Causes
                && cause.certainty > CauseCertainty::Possible
        })
        .map(|(hop, _, _)| *hop)
        .collect();
    let silent: Vec<usize> = found
        .iter()
        .filter(|(hop, rule, cause)| {
            rule.is_symptom_of_others
                && cause.bearing == CauseBearing::Causes
                && (cause.certainty > CauseCertainty::Possible
                    || awaited_store(scene, *hop).is_some())
        })
        .map(|(hop, _, _)| *hop)
        .collect();
    let mut causes: Vec<(usize, NamedCause)> = Vec::new();
    for (hop, rule, mut cause) in found {
        if rule.is_symptom_of_others && cause.bearing == CauseBearing::Causes {
            let behind = scene.behind(hop);
            let reason = roots
                .iter()
                .chain(&silent)
                .find(|other| **other != hop && behind.contains(other));
            if let Some(reason) = reason {
                cause.bearing = CauseBearing::Follows;
                cause.reservation = Some(format!("it waits for {}", scene.hops[*reason].title()));
            }
        }
        let rank = CAUSE_RULES
            .iter()
            .position(|other| other.word == rule.word)
            .unwrap_or(0);
        if !is_repeated(&causes, &cause) {
            causes.push((rank, cause));
        }
    }
    causes.sort_by(|(rank_a, a), (rank_b, b)| {
        let best = |cause: &NamedCause| std::cmp::Reverse((cause.certainty, cause.is_witnessed));
        (a.bearing, best(a), *rank_a, a.hop).cmp(&(b.bearing, best(b), *rank_b, b.hop))
    });
    let mut causes: Vec<NamedCause> = causes.into_iter().map(|(_, cause)| cause).collect();
    let (verdict, unknown) = conclude(scene, &causes);
    if verdict == DiagnosisVerdict::Unknown {
        for cause in &mut causes {
            cause.certainty = cause.certainty.min(CauseCertainty::Possible);
        }
    }
    SceneDiagnosis {
        verdict,
        causes,
        unknown,
    }
}

/// Whether nothing but texts of programs leads to a hop.
fn is_only_text(scene: &Scene, hop: usize) -> bool {
    let is_text = |source: &EdgeSource| matches!(source, EdgeSource::Program { .. });
    scene
        .edges_to(hop)
        .all(|edge| edge.sources.iter().all(is_text))
}

/// Whether the same fault of the same daemon is listed already.
fn is_repeated(causes: &[(usize, NamedCause)], cause: &NamedCause) -> bool {
    causes
        .iter()
        .any(|(_, other)| other.hop == cause.hop && other.what == cause.what)
}

fn conclude(scene: &Scene, causes: &[NamedCause]) -> (DiagnosisVerdict, Option<String>) {
    let is_asked = scene.symptom.outcome.is_wrong();
    let bearing: Vec<&NamedCause> = causes
        .iter()
        .filter(|cause| cause.bearing == CauseBearing::Causes)
        .collect();
    if !is_asked {
        let unknown = match &scene.symptom.outcome {
            SymptomOutcome::Unknown(why) => Some(why.clone()),
            SymptomOutcome::NotAsked => not_asked(scene),
            _ => None,
        };
        let verdict = match (causes.is_empty(), &unknown) {
            (false, _) => DiagnosisVerdict::Degraded,
            (true, None) => DiagnosisVerdict::Healthy,
            (true, Some(_)) => DiagnosisVerdict::Unknown,
        };
        return (verdict, unknown);
    }
    let Some(first) = bearing.first() else {
        return (DiagnosisVerdict::Unknown, Some(nothing_found(scene)));
    };
    if first.certainty == CauseCertainty::Certain {
        return (DiagnosisVerdict::Named, None);
    }
    let rivals = bearing
        .iter()
        .filter(|other| other.certainty == first.certainty)
        .filter(|other| other.rule != first.rule || !is_mate(scene, first.hop, other.hop))
        .count();
    if first.certainty == CauseCertainty::Likely && rivals == 0 {
        return (DiagnosisVerdict::Named, None);
    }
    let why = if rivals > 0 {
        "several faults were seen, and nothing tells which of them causes the symptom".to_owned()
    } else {
        "a fault was seen, and nothing shows that it causes the symptom".to_owned()
    };
    (DiagnosisVerdict::Unknown, Some(why))
}

fn is_mate(scene: &Scene, one: usize, other: usize) -> bool {
    one == other || scene.pool_mates(one).contains(&other)
}

/// Why a web server that complains shows no symptom: no page was asked for.
fn not_asked(scene: &Scene) -> Option<String> {
    let fronts = scene.hops.iter().take(scene.front_count());
    let mut complaining = fronts.filter(|front| {
        let is_web = matches!(front.protocol, HopProtocol::Http | HopProtocol::Tcp);
        is_web && front.failing_status().is_some()
    });
    let front = complaining.next()?;
    let url = match front.address.as_ref()? {
        HopAddress::Tcp(address) => format!("http://{address}/"),
        _ => "http://NAME/PAGE".to_owned(),
    };
    Some(format!(
        "{} answers {} to `/`, and no page was asked of it: give a URL, such as {url}",
        front.title(),
        front.failing_status().unwrap_or_default()
    ))
}

/// The hop whose configuration is to blame: what it wrote says so.
pub(crate) fn suspected_config(scene: &Scene, diagnosis: &SceneDiagnosis) -> Option<usize> {
    let first = diagnosis.causes.first()?;
    let bears = first.bearing == CauseBearing::Causes && first.lies_in_config;
    (bears && scene.symptom.outcome.is_wrong()).then_some(first.hop)
}

/// The last hops that answer the very request with a status of a failing server.
pub(crate) fn deepest_failing(scene: &Scene) -> Vec<usize> {
    let fails = |at: &usize| {
        let Some(hop) = scene.hops.get(*at) else {
            return false;
        };
        let is_replay = hop.probe.as_ref().is_some_and(|probe| probe.is_replay);
        is_replay && hop.failing_status().is_some_and(|status| status >= 500)
    };
    (0..scene.hops.len())
        .filter(fails)
        .filter(|at| !scene.behind(*at).iter().any(fails))
        .collect()
}

fn nothing_found(scene: &Scene) -> String {
    let fronts = || scene.hops.iter().take(scene.front_count());
    if let Some(silent) =
        fronts().find(|front| front.protocol == HopProtocol::Tcp && front.is_silent())
    {
        return format!(
            "{} gave no answer to an HTTP request within 2 s; it may only be slow, or speak another protocol",
            silent.title()
        );
    }
    if let ([deepest, ..], SymptomOutcome::Status(500..)) =
        (&deepest_failing(scene)[..], &scene.symptom.outcome)
    {
        let hop = &scene.hops[*deepest];
        return format!(
            "{} is the deepest hop that answers {}, and nothing that was seen of it is a known fault",
            hop.title(),
            hop.failing_status().unwrap_or_default()
        );
    }
    let all_answer = scene.hops.iter().all(HopFacts::is_good);
    match scene.symptom.outcome {
        SymptomOutcome::WrongContent if scene.hops.iter().any(HopFacts::lacks_text) => {
            let lacks = |at: &usize| scene.hops[*at].lacks_text();
            let deepest = (0..scene.hops.len())
                .filter(lacks)
                .find(|at| !scene.behind(*at).iter().any(lacks));
            format!(
                "{} is the deepest hop that answers without the text; what it answers depends on data and code that \
                 surefoot does not judge",
                deepest.map_or_else(String::new, |at| scene.hops[at].title())
            )
        }
        SymptomOutcome::WrongContent if all_answer => {
            "every hop answers; what the answer holds depends on data and code that surefoot does not judge"
                .to_owned()
        }
        _ if all_answer => "every hop that was found answers as it should".to_owned(),
        _ => "nothing that was seen of the hops is a known fault".to_owned(),
    }
}

/// How strongly a hop is connected with the front.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum LinkStrength {
    /// Text that looks like an address.
    Weak,
    /// A configuration that names several.
    OneOfSeveral,
    /// The only one that a configuration names, or a connection that was seen at another time.
    Sole,
    /// A connection, or a line of a log, while the symptom was shown.
    Seen,
}

fn weigh(scene: &Scene, at: usize, rule: &CauseRule, matched: RuleMatch) -> NamedCause {
    let hop = matched.blames.unwrap_or(at);
    let mut certainty = matched.at_most.unwrap_or(CauseCertainty::Certain);
    let mut bearing = CauseBearing::Causes;
    let mut reservation = None;
    if !scene.symptom.outcome.is_wrong() {
        bearing = CauseBearing::Latent;
        reservation = Some(match &scene.symptom.outcome {
            SymptomOutcome::NotAsked => "no page was asked for".to_owned(),
            SymptomOutcome::Unknown(_) => "whether there is a symptom is unknown".to_owned(),
            _ => "the answer was good all the same".to_owned(),
        });
    }
    if serving_mate(scene, at, rule) && !matched.is_witnessed {
        bearing = CauseBearing::Degrades;
        reservation = None;
    }
    if bearing == CauseBearing::Causes
        && let Some(why) = contradiction(scene, at, rule.effect, matched.is_witnessed)
    {
        bearing = CauseBearing::Latent;
        reservation = Some(why);
    }
    if bearing == CauseBearing::Causes {
        let strength = if matched.is_witnessed || scene.is_front(at) {
            LinkStrength::Seen
        } else {
            link_strength(scene, at)
        };
        let most = match strength {
            LinkStrength::Seen | LinkStrength::Sole => CauseCertainty::Certain,
            LinkStrength::OneOfSeveral | LinkStrength::Weak => CauseCertainty::Likely,
        };
        if most < certainty {
            certainty = most;
            reservation =
                Some("no connection to it was seen while the symptom was shown".to_owned());
        }
        if rule.effect == FaultEffect::Hangs && !scene.is_front(at) && !is_waited_for(scene, at) {
            certainty = CauseCertainty::Possible;
            reservation = Some(
                "nothing was connected to it or waited for it while the symptom was shown"
                    .to_owned(),
            );
        }
        // What refuses at once does not make a request wait, unless it is tried again.
        if scene.is_slow()
            && rule.effect == FaultEffect::Fails
            && !matched.is_witnessed
            && !scene.is_front(at)
        {
            certainty = certainty.min(CauseCertainty::Likely);
        }
    }
    let mut next = matched.next;
    let mut told = std::collections::BTreeSet::new();
    next.retain(|command| told.insert(command.clone()));
    NamedCause {
        hop,
        daemon: scene.hops[hop].title(),
        rule: rule.word,
        certainty,
        bearing,
        what: matched.what,
        evidence: matched.evidence,
        reservation,
        next,
        is_witnessed: matched.is_witnessed,
        lies_in_config: matched.lies_in_config,
    }
}

/// Whether a caller of a hop has a connection to it, or waits for it; unknown counts as yes.
fn is_waited_for(scene: &Scene, hop: usize) -> bool {
    let address = &scene.hops[hop].address;
    // Who is connected to a unix socket is not seen.
    if !matches!(address, Some(HopAddress::Tcp(_))) {
        return true;
    }
    scene.edges_to(hop).any(|edge| {
        let is_seen = edge.sources.iter().any(EdgeSource::is_seen);
        let waits = |process: &ProcessFacts| {
            address
                .as_ref()
                .is_some_and(|it| process.waits_for.contains(it))
        };
        is_seen
            || scene
                .hops
                .get(edge.from)
                .is_some_and(|caller| caller.processes.iter().any(waits))
    })
}

/// Whether a hop is a web server or a balancer, which answers in its own words if what is behind it is down.
fn is_proxy(hop: &HopFacts) -> bool {
    let name = hop.processes.first().map_or("", |it| it.name.as_str());
    ["nginx", "apache2", "httpd", "haproxy"].contains(&name)
}

/// Whether a dead hop is used by web servers only, and the status is none that they answer for it.
fn is_own_status(scene: &Scene, hop: usize) -> bool {
    let SymptomOutcome::Status(status) = scene.symptom.outcome else {
        return false;
    };
    let nginx_only = scene.edges_to(hop).all(|edge| {
        let caller = scene.hops.get(edge.from);
        caller.is_some_and(|caller| {
            caller
                .processes
                .first()
                .is_some_and(|it| it.name == "nginx")
        })
    });
    // nginx says 502 where a connection is refused; Apache and HAProxy say 503.
    let is_other = !(502..=504).contains(&status) || (nginx_only && status == 503);
    let mut edges = scene.edges_to(hop).peekable();
    is_other
        && scene.hops[hop].is_dead()
        && edges.peek().is_some()
        && edges.all(|edge| {
            scene.hops.get(edge.from).is_some_and(is_proxy)
                && !edge.sources.iter().any(EdgeSource::is_seen)
        })
}

/// The web server that would have written a line if it had tried to connect to a dead hop, and wrote none; nothing
/// was refused either.
fn untold_by(scene: &Scene, hop: usize) -> Option<String> {
    if !scene.hops[hop].is_dead() || scene.refused_attempts != Some(0) {
        return None;
    }
    let callers: Vec<&HopFacts> = scene
        .edges_to(hop)
        .filter_map(|edge| scene.hops.get(edge.from))
        .collect();
    let tells = |caller: &&HopFacts| {
        let name = caller.processes.first().map_or("", |it| it.name.as_str());
        ["nginx", "apache2", "httpd"].contains(&name) && !caller.log_files.is_empty()
    };
    let is_quiet = |caller: &&HopFacts| !caller.logs.iter().any(|line| line.is_fresh);
    let all = !callers.is_empty() && callers.iter().all(tells) && callers.iter().all(is_quiet);
    all.then(|| callers[0].name())
}

/// Whether a dead hop is used by programs only, which would have been refused, and nothing was.
fn was_not_tried(scene: &Scene, hop: usize) -> bool {
    let facts = &scene.hops[hop];
    let is_refused = facts
        .probe
        .as_ref()
        .is_some_and(|probe| probe.connect == ConnectOutcome::Refused);
    let is_tcp = matches!(facts.address, Some(HopAddress::Tcp(_)));
    let mut callers = scene.edges_to(hop).peekable();
    // A proxy that knows that a server is down does not try it.
    let from_programs = callers.peek().is_some()
        && callers.all(|edge| {
            scene
                .hops
                .get(edge.from)
                .is_some_and(|caller| !is_proxy(caller))
                && !edge.sources.iter().any(EdgeSource::is_seen)
        });
    is_refused && is_tcp && from_programs && scene.refused_attempts == Some(0)
}

/// Whether another hop serves in its place: one that answers and does not have the same fault.
fn serving_mate(scene: &Scene, hop: usize, rule: &CauseRule) -> bool {
    scene
        .pool_mates(hop)
        .into_iter()
        .any(|mate| is_connected(&scene.hops[mate]) && rule.find(scene, mate).is_none())
}

fn is_connected(facts: &HopFacts) -> bool {
    let probe = facts.probe.as_ref();
    probe.is_some_and(|probe| {
        probe.connect == ConnectOutcome::Connected && probe.reply != crate::ReplyOutcome::Silent
    })
}

/// What was seen that speaks against a fault as the cause.
fn contradiction(
    scene: &Scene,
    hop: usize,
    effect: FaultEffect,
    is_witnessed: bool,
) -> Option<String> {
    if is_witnessed {
        return None;
    }
    let is_client_error =
        matches!(scene.symptom.outcome, SymptomOutcome::Status(status) if status < 500);
    let misleads = effect == FaultEffect::Misleads;
    if is_client_error && !misleads {
        return Some("the answer does not say that a server failed".to_owned());
    }
    let is_answered = !matches!(
        scene.symptom.outcome,
        SymptomOutcome::Silent | SymptomOutcome::TestFailed(_)
    );
    if is_own_status(scene, hop) {
        return Some("a web server answers 502 to 504 if what is behind it is down".to_owned());
    }
    if let Some(caller) = untold_by(scene, hop) {
        return Some(format!(
            "no connection was refused, and {caller} wrote nothing to its log, while the symptom was shown"
        ));
    }
    if was_not_tried(scene, hop) {
        return Some("no connection was refused while the symptom was shown".to_owned());
    }
    if effect == FaultEffect::Hangs && is_answered && !scene.is_slow() {
        return Some("the answer came at once, so nothing waited for it".to_owned());
    }
    let mut callers = scene.edges_to(hop).map(|edge| edge.from).peekable();
    callers.peek()?;
    let all_well = callers.all(|caller| {
        let facts = &scene.hops[caller];
        let replayed = facts.probe.as_ref().is_some_and(|probe| probe.is_replay);
        caller != 0 && replayed && facts.is_good()
    });
    (all_well && !misleads)
        .then(|| "what uses it answers the same request well when it is asked directly".to_owned())
}

/// The best of the ways from the front to a hop, each as strong as its weakest edge.
fn link_strength(scene: &Scene, hop: usize) -> LinkStrength {
    let mut best: Vec<Option<LinkStrength>> = vec![None; scene.hops.len()];
    for front in best.iter_mut().take(scene.front_count()) {
        *front = Some(LinkStrength::Seen);
    }
    for _ in 0..scene.hops.len() {
        for edge in &scene.edges {
            let Some(Some(before)) = best.get(edge.from).copied() else {
                continue;
            };
            let strength = edge
                .sources
                .iter()
                .map(|source| strength_of(scene, edge.from, edge.to, source))
                .max()
                .unwrap_or(LinkStrength::Weak)
                .min(before);
            if let Some(slot) = best.get_mut(edge.to) {
                *slot = (*slot).max(Some(strength));
            }
        }
    }
    best.get(hop)
        .copied()
        .flatten()
        .unwrap_or(LinkStrength::Weak)
}

fn strength_of(scene: &Scene, from: usize, to: usize, source: &EdgeSource) -> LinkStrength {
    match source {
        EdgeSource::Socket {
            during_symptom: true,
            ..
        }
        | EdgeSource::Log { .. } => LinkStrength::Seen,
        EdgeSource::Program { .. } => LinkStrength::Weak,
        EdgeSource::Socket { .. } | EdgeSource::Config { .. } | EdgeSource::Environment { .. } => {
            let mates = scene.pool_mates(to);
            let others = scene
                .edges_from(from)
                .filter(|edge| edge.to != to && !mates.contains(&edge.to))
                .count();
            // What a web server itself answers with another status does not come from behind it.
            let is_gateway = !matches!(scene.symptom.outcome, SymptomOutcome::Status(status) if !(502..=504).contains(&status));
            let by_proxy = matches!(source, EdgeSource::Config { .. })
                && scene.edges_from(to).next().is_none();
            if others == 0 && (is_gateway || !by_proxy) {
                LinkStrength::Sole
            } else {
                LinkStrength::OneOfSeveral
            }
        }
    }
}
