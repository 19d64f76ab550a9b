//! The rules from observations to causes: one table, each with its evidence and the next command.

mod answer;
mod config;
mod process;
mod reach;
mod storage;
mod upstream;
mod virtual_host;
mod words;

pub(crate) use answer::awaited_store;
use serde::Serialize;

use crate::chain::{HopAddress, HopProtocol};
use crate::observation::{JOURNAL_SOURCE, Scene};

/// How sure a cause is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CauseCertainty {
    /// It may be; nothing speaks against it.
    Possible,
    /// What was seen speaks for it, and nothing for another.
    Likely,
    /// It was seen.
    Certain,
}

/// What a fault does to requests that meet it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultEffect {
    /// They fail at once.
    Fails,
    /// They wait.
    Hangs,
    /// They fail or wait.
    Either,
    /// They are answered, wrongly.
    Misleads,
}

/// What a rule found.
#[derive(Clone, Debug, Default)]
pub(crate) struct RuleMatch {
    /// The fault, in a sentence.
    pub what: String,
    /// What shows it.
    pub evidence: Vec<String>,
    /// What to do next, as commands.
    pub next: Vec<String>,
    /// How sure it can be at most; none is certain.
    pub at_most: Option<CauseCertainty>,
    /// Another hop that is to blame than the one at which it was seen.
    pub blames: Option<usize>,
    /// Whether something written while the symptom was shown says that it is the reason.
    pub is_witnessed: bool,
    /// Whether it lies in what the daemon's configuration says.
    pub lies_in_config: bool,
}

/// A way from observations to a cause.
pub struct CauseRule {
    /// Its name, in JSON.
    pub word: &'static str,
    /// What the fault does.
    pub effect: FaultEffect,
    /// Whether a fault further behind may be the reason for it; then that one is named.
    pub is_symptom_of_others: bool,
    /// Finds it at a hop.
    find: fn(&Scene, usize) -> Option<RuleMatch>,
}

impl std::fmt::Debug for CauseRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word)
    }
}

impl CauseRule {
    /// Looks whether it holds at a hop.
    pub(crate) fn find(&self, scene: &Scene, hop: usize) -> Option<RuleMatch> {
        (self.find)(scene, hop)
    }
}

const fn cause(
    word: &'static str,
    effect: FaultEffect,
    find: fn(&Scene, usize) -> Option<RuleMatch>,
) -> CauseRule {
    CauseRule {
        word,
        effect,
        is_symptom_of_others: false,
        find,
    }
}

const fn symptom(
    word: &'static str,
    effect: FaultEffect,
    find: fn(&Scene, usize) -> Option<RuleMatch>,
) -> CauseRule {
    CauseRule {
        is_symptom_of_others: true,
        ..cause(word, effect, find)
    }
}

use FaultEffect::{Either, Fails, Hangs, Misleads};

/// All rules, the most telling first: of several that hold at a hop the first is shown.
pub static CAUSE_RULES: &[CauseRule] = &[
    cause("stopped-process", Hangs, process::stopped),
    cause("out-of-memory", Fails, process::out_of_memory),
    cause("broken-configuration", Fails, config::broken),
    cause("stale-pid-file", Fails, config::stale_pid_file),
    cause("port-taken", Either, config::port_taken),
    cause("wrong-address", Fails, reach::wrong_address),
    cause("socket-permission", Fails, reach::socket_permission),
    cause("unresolved-name", Either, reach::unresolved),
    cause("stale-address", Misleads, reach::stale_address),
    cause("not-running", Fails, reach::not_running),
    cause("refused-on-the-way", Fails, reach::rejected),
    cause("connection-limit", Either, reach::connection_limit),
    cause("dropped-on-the-way", Hangs, reach::dropped),
    cause("open-files-limit", Fails, process::open_files_limit),
    cause("certificate", Fails, answer::certificate),
    cause("complaint", Fails, answer::complaint),
    cause("memory-limit", Fails, answer::memory_limit),
    cause("storage-full", Fails, storage::full),
    cause("upstream-denied", Fails, upstream::denied),
    cause("upstream-refused", Fails, upstream::refused),
    cause("virtual-host", Misleads, virtual_host::other_block),
    cause("lost-text", Misleads, answer::lost_text),
    cause("log", Either, words::fresh_words),
    cause("silent-peer", Hangs, answer::silent_peer),
    symptom("workers-exhausted", Hangs, answer::workers_exhausted),
    symptom("queue-full", Hangs, reach::queue_full),
    symptom("hung", Hangs, answer::hung),
];

/// The command that asks for, starts or restarts what serves a hop.
fn service_command(scene: &Scene, hop: usize, verb: &str) -> String {
    let facts = &scene.hops[hop];
    let usual = match facts.protocol {
        HopProtocol::Mysql => Some("mariadb"),
        HopProtocol::Postgres => Some("postgresql"),
        HopProtocol::Redis => Some("redis-server"),
        HopProtocol::Memcached => Some("memcached"),
        _ => None,
    };
    let program = facts.program.as_deref().filter(|name| !name.contains(' '));
    if let Some(service) = facts.unit.as_deref().or(program).or(usual) {
        return format!("systemctl {verb} {}", quote(service));
    }
    let address = facts.address.as_ref();
    if let (HopProtocol::FastCgi, Some(HopAddress::Unix(path))) = (facts.protocol, address) {
        return match php_version(path) {
            Some(version) => format!("systemctl {verb} php{version}-fpm"),
            None => "systemctl list-units --all 'php*-fpm*'".to_owned(),
        };
    }
    // What should be there is unknown: a line of what starts programs may say it.
    if let Some(port) = address.and_then(HopAddress::port).filter(|_| facts.is_here) {
        return format!(
            "grep -rnsw {port} /etc/systemd/system /etc/supervisor /etc/init.d   # what starts it"
        );
    }
    match address {
        Some(HopAddress::Unix(path)) => format!("ls -l {}", quote(path)),
        Some(_) => "ss -ltnp   # what listens, and where".to_owned(),
        None => "systemctl --failed".to_owned(),
    }
}

/// Where a hop is not what it is named as: the line that names it, to be edited.
fn edit_command(scene: &Scene, hop: usize) -> Option<String> {
    let (place, text) = scene.config_line(hop)?;
    let (file, line) = place.rsplit_once(':').unwrap_or((place, "?"));
    Some(format!(
        "surefoot edit {}   # if the address is wrong: line {line}: {text}",
        quote(file)
    ))
}

/// The command that shows the end of a log.
pub(crate) fn log_command(source: &str, lines: usize) -> String {
    match source.strip_prefix(JOURNAL_SOURCE) {
        Some(pid) if pid.chars().all(|letter| letter.is_ascii_digit()) => {
            format!("journalctl -n {lines} _PID={pid}")
        }
        Some(unit) => format!("journalctl -n {lines} -u {}", quote(unit)),
        None => format!("tail -n {lines} {}", quote(source)),
    }
}

/// How many connections wait, in words.
fn count_waiting(count: u32) -> String {
    match count {
        1 => "1 connection waits".to_owned(),
        _ => format!("{count} connections wait"),
    }
}

/// A word as a shell takes it.
pub(crate) fn quote(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-:@%+=".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// The version in the path of a socket, as Debian names it: `/run/php/php8.2-fpm.sock`.
fn php_version(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?.strip_prefix("php")?;
    let end = name.find("-fpm")?;
    let version = name.get(..end)?;
    let is_version =
        !version.is_empty() && version.chars().all(|it| it.is_ascii_digit() || it == '.');
    is_version.then_some(version)
}
