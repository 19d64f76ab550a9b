//! What nginx writes when it may not connect to what is behind it.

use super::{CauseCertainty, RuleMatch, quote, reach, service_command};
use crate::chain::HopAddress;
use crate::observation::{HopFacts, LogLine, Scene};

/// The address of a line like `connect() to unix:/run/a.sock failed (13: Permission denied) while connecting to
/// upstream`.
fn denied_address(text: &str) -> Option<&str> {
    let (address, rest) = text
        .split_once("connect() to ")?
        .1
        .split_once(" failed (")?;
    let is_denied = rest.starts_with("13: ") || rest.starts_with("1: Operation not permitted");
    (is_denied && rest.contains("while connecting to upstream")).then_some(address)
}

/// A new line of a log says that a web server was not permitted to connect, whatever a probe by root says.
pub(super) fn denied(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let denied: Vec<(&LogLine, &str)> = facts
        .logs
        .iter()
        .filter(|line| line.is_fresh)
        .filter_map(|line| Some((line, denied_address(&line.text)?)))
        .collect();
    let is_asked = |line: &LogLine| is_of_request(scene, &line.text);
    let asked = denied.iter().find(|(line, _)| is_asked(line));
    let (line, address) = asked.or(denied.first())?;
    let behind = scene.edges_from(hop).map(|edge| edge.to).find(|at| {
        let there = scene.hops.get(*at).and_then(|it| it.address.as_ref());
        there.is_some_and(|there| there.to_string() == *address)
    });
    // The mode of the socket itself says it already.
    if behind.is_some_and(|at| reach::socket_permission(scene, at).is_some()) {
        return None;
    }
    let caller = facts.name();
    let mut evidence = vec![format!("{}: {}", line.file, line.text)];
    let user = facts.workers().next();
    if let Some(worker) = user {
        evidence.push(format!(
            "process {} ({}) runs as user {}",
            worker.pid, worker.name, worker.uid
        ));
    }
    let target = behind.and_then(|at| scene.hops.get(at));
    let name = target.map_or_else(|| (*address).to_owned(), HopFacts::title);
    let (what, next) = if let Some(path) = address.strip_prefix("unix:") {
        if let Some(file) = target.and_then(|it| it.listener?.file) {
            evidence.push(format!(
                "{path}: owner {}, group {}, mode {:04o}",
                file.uid,
                file.gid,
                file.mode & 0o7777
            ));
        }
        (
            format!(
                "{caller} may not connect to {name}: the socket or a folder above it does not admit its user"
            ),
            vec![format!("namei -l {}", quote(path))],
        )
    } else {
        let why_not = target.and_then(|it| match it.address.as_ref()? {
            HopAddress::Tcp(address) => Some(format!(
                "surefoot firewall why-not tcp to {} port {}",
                address.ip(),
                address.port()
            )),
            _ => None,
        });
        let mut next = vec!["ausearch -m avc -ts recent".to_owned()];
        next.extend(why_not);
        (
            format!(
                "{caller} may not connect to {name}: a security policy (SELinux, AppArmor) or a firewall rule denies it"
            ),
            next,
        )
    };
    let mut next = next;
    next.push(service_command(scene, hop, "status"));
    Some(RuleMatch {
        what,
        evidence,
        next,
        blames: behind,
        // One line alone may be of another request.
        at_most: (asked.is_none() && denied.len() < 2).then_some(CauseCertainty::Possible),
        is_witnessed: true,
        ..RuleMatch::default()
    })
}

/// Whether a line names the request that was asked, or one to which the client was sent on.
pub(super) fn is_of_request(scene: &Scene, text: &str) -> bool {
    // What a client sends along comes later in the line.
    let Some((_, request)) = text.split_once("request: \"") else {
        return false;
    };
    let Some((method, url)) = scene.symptom.question.split_once(' ') else {
        return false;
    };
    let Ok(crate::AskedTarget::Url(url)) = crate::parse_target(url) else {
        return false;
    };
    let visited = scene.symptom.visited.iter();
    request.starts_with(&format!("{method} {} ", url.path))
        || visited
            .skip(1)
            .any(|path| request.starts_with(&format!("GET {path} ")))
}

/// The address in a line like `connect() failed (111: Connection refused) while connecting to upstream, … upstream:
/// "http://127.0.0.1:7001/"`.
fn refused_address(text: &str) -> Option<&str> {
    let own = text.split(", client: ").next()?;
    let is_refused = own.contains("connect() failed (111: ") && own.contains("to upstream");
    let (_, upstream) = text.rsplit_once("upstream: \"").filter(|_| is_refused)?;
    let (address, _) = upstream.split_once('"')?;
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let address = address.split('/').next()?;
    address.parse::<std::net::SocketAddr>().ok()?;
    Some(address)
}

/// A new line of a log says that a connection of the very request was refused, at an address that only the web server
/// knew, as it comes from a variable.
pub(super) fn refused(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let (line, address) = facts
        .logs
        .iter()
        .filter(|line| line.is_fresh && is_of_request(scene, &line.text))
        .find_map(|line| Some((line, refused_address(&line.text)?)))?;
    // A name may have an address of each family: one is refused, and the next one serves.
    let fails = matches!(
        scene.symptom.outcome,
        crate::SymptomOutcome::Status(500 | 502)
    );
    let port = address.rsplit(':').next().unwrap_or_default();
    let is_known = scene.hops.iter().any(|other| {
        let there = other.address.as_ref().and_then(HopAddress::port);
        there.is_some_and(|there| there.to_string() == port)
    });
    if !fails || is_known {
        return None;
    }
    Some(RuleMatch {
        what: format!(
            "nothing accepts connections at {address}, to which {} sends the request",
            facts.title()
        ),
        evidence: vec![format!("{}: {}", line.file, line.text)],
        next: vec![
            format!("ss -ltnp 'sport = :{port}'"),
            service_command(scene, hop, "status"),
        ],
        is_witnessed: true,
        ..RuleMatch::default()
    })
}
