//! What new lines of logs, and the answer itself, say: a table of the words of well-known daemons.

use super::upstream::is_of_request;
use super::{CauseCertainty, RuleMatch, log_command, service_command};
use crate::chain::HopProtocol;
use crate::observation::{Scene, SymptomOutcome};

/// Who is to blame for a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blamed {
    /// Who wrote it.
    Writer,
    /// The one hop behind that speaks this.
    Behind(HopProtocol),
}

struct KnownWords {
    /// All of these are in the line.
    words: &'static [&'static str],
    blamed: Blamed,
    what: &'static str,
    next: &'static str,
}

const fn words(
    words: &'static [&'static str],
    blamed: Blamed,
    what: &'static str,
    next: &'static str,
) -> KnownWords {
    KnownWords {
        words,
        blamed,
        what,
        next,
    }
}

use Blamed::{Behind, Writer};

const KNOWN: &[KnownWords] = &[
    words(
        &["Access denied for user '"],
        Writer,
        "logs on to the database with a name or a password that is refused",
        "mariadb -e 'SELECT user, host FROM mysql.user'",
    ),
    words(
        &["password authentication failed for user"],
        Writer,
        "logs on to the database with a name or a password that is refused",
        "psql -c '\\du'",
    ),
    words(
        &["NOAUTH Authentication required"],
        Writer,
        "connects to redis without the password that it wants",
        "redis-cli acl whoami",
    ),
    words(
        &["WRONGPASS"],
        Writer,
        "connects to redis with a wrong password",
        "redis-cli acl list",
    ),
    words(
        &["Too many connections"],
        Behind(HopProtocol::Mysql),
        "has as many connections as it may (max_connections)",
        "mariadb -e 'SHOW PROCESSLIST'",
    ),
    words(
        &["too many clients already"],
        Behind(HopProtocol::Postgres),
        "has as many connections as it may (max_connections)",
        "psql -c 'SELECT pid, state, query FROM pg_stat_activity'",
    ),
    words(
        &["1146", "Table '", "' doesn't exist"],
        Behind(HopProtocol::Mysql),
        "lacks a table that is asked for",
        "mariadb -e 'SHOW TABLES' DATABASE",
    ),
    words(
        &["1049", "Unknown database '"],
        Behind(HopProtocol::Mysql),
        "lacks the database that is asked for",
        "mariadb -e 'SHOW DATABASES'",
    ),
    words(
        &["1054", "Unknown column '"],
        Behind(HopProtocol::Mysql),
        "lacks a column that is asked for",
        "mariadb -e 'SHOW CREATE TABLE TABLE'",
    ),
    words(
        &["Lock wait timeout exceeded"],
        Behind(HopProtocol::Mysql),
        "has a transaction that holds a lock for long",
        "mariadb -e 'SHOW ENGINE INNODB STATUS'",
    ),
    words(
        &["cannot execute ", " in a read-only transaction"],
        Behind(HopProtocol::Postgres),
        "is read-only",
        "psql -c 'SELECT pg_is_in_recovery()'",
    ),
    words(
        &["relation \"", "\" does not exist"],
        Behind(HopProtocol::Postgres),
        "lacks a table that is asked for",
        "psql -c '\\dt'",
    ),
    words(
        &["OOM command not allowed"],
        Behind(HopProtocol::Redis),
        "is at its maxmemory and refuses every write",
        "redis-cli info memory",
    ),
    words(
        &["MISCONF", "snapshot"],
        Behind(HopProtocol::Redis),
        "cannot save its snapshot and refuses every write",
        "redis-cli info persistence",
    ),
    words(
        &["READONLY You can't write against a read only"],
        Behind(HopProtocol::Redis),
        "is a read-only replica",
        "redis-cli info replication",
    ),
    words(
        &["Too many open files"],
        Writer,
        "has as many files open as it may",
        "prlimit --nofile --pid PID",
    ),
    words(
        &["exceeded the limit of 10 internal redirects"],
        Writer,
        "sends the request round in a circle of rewrites",
        "grep -rn 'RewriteRule' /etc/apache2",
    ),
    words(
        &["rewrite or internal redirection cycle"],
        Writer,
        "sends the request round in a circle of rewrites",
        "nginx -T | grep -n 'rewrite\\|try_files'",
    ),
    words(
        &["worker_connections are not enough"],
        Writer,
        "has as many connections as it may (worker_connections)",
        "nginx -T | grep -n worker_connections",
    ),
    words(
        &["upstream sent too big header"],
        Writer,
        "refuses an answer whose headers are larger than its buffer",
        "nginx -T | grep -n buffer_size",
    ),
    words(
        &["client intended to send too large body"],
        Writer,
        "refuses a request that is larger than it allows",
        "nginx -T | grep -n client_max_body_size",
    ),
    words(
        &["no resolver defined to resolve"],
        Writer,
        "has to resolve a name and has no resolver",
        "nginx -T | grep -n resolver",
    ),
    words(
        &["could not be resolved"],
        Writer,
        "cannot resolve a name",
        "cat /etc/resolv.conf",
    ),
    words(
        &["Primary script unknown"],
        Writer,
        "is asked for a script that is not there",
        "nginx -T | grep -n 'SCRIPT_FILENAME\\|root'",
    ),
    words(
        &["Resource temporarily unavailable", "fork"],
        Writer,
        "may start no more processes",
        "prlimit --nproc --pid PID",
    ),
    words(
        &["can't start new thread"],
        Writer,
        "may start no more threads",
        "prlimit --nproc --pid PID",
    ),
    words(
        &["Allowed memory size of", "exhausted"],
        Writer,
        "needs more memory than PHP's memory_limit",
        "php -i | grep memory_limit",
    ),
    words(
        &["PHP Fatal error:"],
        Writer,
        "ends the request with an error of the program itself",
        "LOG",
    ),
    words(
        &["(13: Permission denied)", "open"],
        Writer,
        "is refused a file by its permissions",
        "namei -l FILE",
    ),
    words(
        &["(2: No such file or directory)", "open() \""],
        Writer,
        "is asked for a file that is not there",
        "namei -l FILE",
    ),
    words(
        &["The table '", "' is full"],
        Behind(HopProtocol::Mysql),
        "can write no more to a table",
        "df -h",
    ),
];

/// The words that speak of what the writer's own configuration says.
const LIES_IN_CONFIG: &[&str] = &[
    "exceeded the limit of 10 internal redirects",
    "rewrite or internal redirection cycle",
    "worker_connections are not enough",
    "upstream sent too big header",
    "client intended to send too large body",
    "no resolver defined to resolve",
    "Primary script unknown",
];

/// Words that people write in pages as well: in an answer they count only beside one of these.
const ONLY_WITH: &[(&str, &[&str])] = &[
    (
        "Too many open files",
        &[
            "Errno 24",
            "(24:",
            "os error 24",
            "EMFILE",
            "stream: Too many",
            "Exception: Too many",
        ],
    ),
    ("could not be resolved", &["could not be resolved ("]),
    ("Too many connections", &["1040", "08004"]),
    ("Resource temporarily unavailable", &["Errno 11", "EAGAIN"]),
    ("can't start new thread", &["RuntimeError", "thread.error"]),
    ("(13: Permission denied)", &["open() \""]),
];

/// Whether the words of an answer are those of a program.
fn is_of_program(known: &KnownWords, text: &str) -> bool {
    ONLY_WITH
        .iter()
        .filter(|(word, _)| known.words.contains(word))
        .all(|(_, marks)| marks.iter().any(|mark| text.contains(mark)))
}

/// The words by which a daemon refuses a client's name or password: whoever it was, not the daemon is at fault.
const REFUSALS: &[&str] = &[
    "Access denied for user '",
    "password authentication failed for user",
    "NOAUTH Authentication required",
    "WRONGPASS",
];

/// What a web server itself wrote in a line of its log: not what a client sent, which stands behind it.
fn own_words(text: &str) -> &str {
    let ends = [", client: ", ", referer: "];
    let end = ends.iter().filter_map(|mark| text.find(mark)).min();
    &text[..end.unwrap_or(text.len())]
}

/// Whether a line names a request, and it is another one than was asked.
fn is_of_another(scene: &Scene, text: &str) -> bool {
    text.contains(", request: \"")
        && scene.symptom.question.contains("://")
        && !is_of_request(scene, text)
}

/// A line that was written while the symptom was shown, or the answer itself, names a known fault.
pub(super) fn fresh_words(scene: &Scene, hop: usize) -> Option<RuleMatch> {
    let facts = &scene.hops[hop];
    let fresh = facts.logs.iter().filter(|line| line.is_fresh);
    let fresh = fresh.filter(|line| !is_of_another(scene, &line.text));
    let mut texts: Vec<(&str, &str)> = fresh
        .map(|line| (line.file.as_str(), line.text.as_str()))
        .collect();
    // An answer passes the hops that only forward it: the last one that speaks HTTP wrote it.
    let forwards = scene.edges_from(hop).any(|edge| {
        scene.hops.get(edge.to).is_some_and(|next| {
            matches!(
                next.protocol,
                HopProtocol::Http | HopProtocol::Https | HopProtocol::FastCgi
            )
        })
    });
    let answers = matches!(
        facts.protocol,
        HopProtocol::Http | HopProtocol::Https | HopProtocol::FastCgi
    );
    if answers && !forwards && scene.symptom.outcome.is_wrong() {
        texts.push(("the answer", &scene.symptom.answer));
    }
    // What such a line says is answered with a status that blames the client.
    let for_clients = [
        "Primary script unknown",
        "(13: Permission denied)",
        "too large body",
        "(2: No such file or directory)",
    ];
    // A file that is not there is answered with 404; a line about one beside another status is of another request.
    let is_missing = scene.symptom.outcome == SymptomOutcome::Status(404);
    texts.retain(|(_, text)| is_missing || !text.contains("(2: No such file or directory)"));
    let is_client_error =
        matches!(scene.symptom.outcome, SymptomOutcome::Status(status) if status < 500);
    if is_client_error {
        texts.retain(|(_, text)| for_clients.iter().any(|word| text.contains(word)));
    }
    let keeps_data = facts.protocol.keeps_state();
    let says = |known: &KnownWords, source: &str, text: &str| {
        let own = own_words(text);
        known.words.iter().all(|word| own.contains(word))
            && (source != "the answer" || is_of_program(known, text))
            && !(keeps_data && known.words.iter().any(|word| REFUSALS.contains(word)))
    };
    let (known, source, text) = KNOWN.iter().find_map(|known| {
        let (source, text) = texts
            .iter()
            .find(|(source, text)| says(known, source, text))?;
        Some((known, *source, *text))
    })?;
    // A request that was sent several times leaves several lines; one alone may be of somebody else's request.
    let is_replay = facts.probe.as_ref().is_some_and(|probe| probe.is_replay);
    let count = texts
        .iter()
        .filter(|(source, text)| says(known, source, text))
        .count();
    let is_alone = is_replay && count < 2 && source != "the answer" && !is_of_request(scene, text);
    let blames = match known.blamed {
        Writer => None,
        Behind(protocol) => {
            let mut behind: Vec<usize> = scene.behind(hop);
            behind.retain(|at| scene.hops[*at].protocol == protocol);
            match behind[..] {
                [one] => Some(one),
                _ if facts.protocol == protocol => None,
                // Which one is meant is unknown.
                _ => return None,
            }
        }
    };
    let culprit = &scene.hops[blames.unwrap_or(hop)];
    let mut next = vec![known.next.to_owned()];
    if let Some(process) = facts.processes.first() {
        next[0] = next[0].replace("PID", &process.pid.to_string());
    }
    let file = text.split('"').nth(1).filter(|it| it.starts_with('/'));
    next[0] = next[0].replace("LOG", &log_command(source, 20));
    if next[0].contains("FILE") {
        next[0] = match file {
            Some(file) => next[0].replace("FILE", file),
            None => "nginx -T | grep -n 'root\\|alias'".to_owned(),
        };
    }
    if known.blamed == Writer {
        next.push(service_command(scene, hop, "status"));
    }
    Some(RuleMatch {
        what: format!("{} {}", culprit.title(), known.what),
        evidence: vec![format!("{source}: {text}")],
        next,
        blames,
        at_most: is_alone.then_some(CauseCertainty::Possible),
        is_witnessed: true,
        lies_in_config: known.blamed == Writer
            && LIES_IN_CONFIG.iter().any(|word| known.words.contains(word)),
    })
}
