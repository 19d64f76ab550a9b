//! What configurations, environments and programs say about where a daemon connects to. Pure: texts in, targets out.

mod apache;
mod dsn;
mod haproxy;
mod journal;
mod nginx;
mod packages;
mod php_fpm;
mod program;
mod systemd;
mod unit_state;
mod virtual_host;

use surefoot_bisect::{ConfigTree, UnitId};

use crate::chain::HopProtocol;

pub use apache::read_apache;
pub use dsn::{DsnTarget, dsn_of_variables, dsn_of_word, variables_of_text};
pub use haproxy::read_haproxy;
pub use journal::{JournaldEntry, read_journald_line};
pub use nginx::read_nginx;
pub use packages::{PackageChange, PackageLog, read_package_log};
pub use php_fpm::read_php_fpm;
pub use program::{NamedAddress, addresses_in_program};
pub use systemd::{ServiceUnit, UnitValue, UnitVariable, read_unit};
pub use unit_state::read_unit_states;
pub use virtual_host::{
    HostMatch, MeantHost, MeantReason, ServingHost, serving_apache, serving_nginx,
};

/// A place that a daemon connects to or listens at, as a configuration writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WrittenAddress {
    /// A host, by name or number, and a port.
    Host(String, u16),
    /// A unix socket.
    Unix(String),
}

impl WrittenAddress {
    /// Reads `host:port`, `[v6]:port`, `unix:PATH`, `/PATH`, `:port`, `*:port` or a port alone; `usual` is the port
    /// that is meant where none stands.
    pub fn read(text: &str, usual: Option<u16>) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            let path = path.split('|').next()?.trim_end_matches(':');
            return Some(Self::Unix(path.to_owned()));
        }
        if text.starts_with('/') {
            return Some(Self::Unix(text.to_owned()));
        }
        if let Ok(port) = text.parse() {
            return Some(Self::Host("*".to_owned(), port));
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;

            let port = match rest.strip_prefix(':') {
                Some(port) => port.parse().ok()?,
                None => usual?,
            };
            return Some(Self::Host(host.to_owned(), port));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (text, usual?),
        };
        let host = if host.is_empty() { "*" } else { host };
        let is_host = host == "*"
            || host
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
        is_host.then(|| Self::Host(host.to_owned(), port))
    }

    /// Reads a URL's host and port, and what is spoken there.
    pub fn of_url(url: &str) -> Option<(Self, HopProtocol)> {
        let (scheme, rest) = url.split_once("://")?;
        let protocol = HopProtocol::of_scheme(&scheme.to_ascii_lowercase())?;
        if rest.starts_with("unix:") {
            return Some((Self::read(rest, None)?, protocol));
        }
        let authority = rest.split(['/', '?', '#']).next()?;
        let host = authority.rsplit('@').next()?;
        Some((Self::read(host, protocol.usual_port())?, protocol))
    }
}

/// A place that a configuration sends requests to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardTarget {
    /// The place.
    pub address: WrittenAddress,
    /// What is spoken there.
    pub protocol: HopProtocol,
    /// File and line.
    pub place: String,
    /// The line.
    pub text: String,
    /// The group, where one of several serves.
    pub pool: Option<String>,
    /// Whether a certificate that is not in order is refused.
    pub verifies_certificate: bool,
}

/// What is read of a daemon's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonConfig {
    /// Where requests are sent on to.
    pub forwards: Vec<ForwardTarget>,
    /// Where it listens, each with its place.
    pub listens: Vec<(WrittenAddress, String)>,
    /// The logs of errors.
    pub logs: Vec<String>,
    /// The pid file.
    pub pid_file: Option<String>,
    /// Folders of programs that it runs.
    pub roots: Vec<String>,
}

/// The request by which only the parts of a configuration are taken that it meets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedRequest {
    /// The host name.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path, without the query.
    pub path: String,
}

/// The first line of a statement, or the head of a block, in words.
fn words_of(tree: &ConfigTree, id: UnitId) -> Vec<String> {
    let text = tree.text_of(id);
    let head = if tree.unit(id).is_block {
        text.trim_start().lines().next().unwrap_or_default().trim()
    } else {
        text.trim()
    };
    let head = head.trim_end_matches(['{', ';']).trim();
    let head = head.trim_start_matches('<').trim_end_matches('>');
    quoted_words(head)
}

/// The words of a line; one in quotes may hold spaces, and `#` begins a comment.
fn quoted_words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next().filter(|first| *first != '#') {
        let (word, after) = match first {
            '"' | '\'' => {
                let inside = rest.get(1..).unwrap_or_default();
                inside.split_once(first).unwrap_or((inside, ""))
            }
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.trim_matches(['"', '\'']).to_owned());
        rest = after.trim_start();
    }
    words
}

/// A statement as it is shown: one line, not too long.
fn line_of(tree: &ConfigTree, id: UnitId) -> String {
    let text = tree.text_of(id);
    let line = text.trim().lines().next().unwrap_or_default().trim();
    line.chars().take(120).collect()
}

/// The blocks around a unit, the innermost first.
fn around(tree: &ConfigTree, id: UnitId) -> Vec<UnitId> {
    let mut found = Vec::new();
    let mut at = tree.unit(id).parent;
    while let Some(block) = at {
        found.push(block);
        at = tree.unit(block).parent;
    }
    found
}

#[cfg(test)]
mod tests;
