//! URLs and pairs of host and port in environments and `.env` files.

use std::collections::BTreeMap;

use super::WrittenAddress;
use crate::chain::HopProtocol;

/// A place that a variable leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsnTarget {
    /// The variable.
    pub variable: String,
    /// The place.
    pub address: WrittenAddress,
    /// What is spoken there.
    pub protocol: HopProtocol,
}

/// The place that a word leads to, if it is a URL of a known kind or a PDO string.
pub fn dsn_of_word(word: &str) -> Option<(WrittenAddress, HopProtocol)> {
    let word = word.trim().trim_matches(['"', '\'']);
    if let Some(found) = WrittenAddress::of_url(word) {
        return Some(found);
    }
    // `mysql:host=127.0.0.1;port=3306;dbname=shop`
    let (scheme, rest) = word.split_once(':')?;
    let protocol = match scheme {
        "mysql" => HopProtocol::Mysql,
        "pgsql" => HopProtocol::Postgres,
        _ => return None,
    };
    let value = |name: &str| {
        let mut parts = rest.split([';', ' ']);
        parts.find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
    };
    if let Some(path) = value("unix_socket") {
        return Some((WrittenAddress::Unix(path.to_owned()), protocol));
    }
    let port = match value("port") {
        Some(port) => port.parse().ok()?,
        None => protocol.usual_port()?,
    };
    Some((
        WrittenAddress::Host(value("host")?.to_owned(), port),
        protocol,
    ))
}

/// The places that variables lead to.
pub fn dsn_of_variables(variables: &BTreeMap<String, String>) -> Vec<DsnTarget> {
    let mut found = Vec::new();
    for (name, value) in variables {
        if let Some((address, protocol)) = dsn_of_word(value) {
            // A page of the program itself, or of the world, is no daemon behind it.
            let is_web = matches!(protocol, HopProtocol::Http | HopProtocol::Https);
            if !is_web || name.ends_with("_URL") || name.ends_with("_ENDPOINT") {
                found.push(DsnTarget {
                    variable: name.clone(),
                    address,
                    protocol,
                });
            }
            continue;
        }
        let Some(stem) = name
            .strip_suffix("_HOST")
            .or_else(|| name.strip_suffix("_SERVER"))
        else {
            continue;
        };
        let port = variables.get(&format!("{stem}_PORT"));
        let kind = variables
            .get(&format!("{stem}_CONNECTION"))
            .or_else(|| variables.get(&format!("{stem}_ENGINE")));
        let protocol = protocol_of_stem(stem, kind.map(String::as_str));
        let port = port.and_then(|port| port.parse().ok());
        let protocol = protocol.or_else(|| HopProtocol::of_port(port?));
        let Some(protocol) = protocol else {
            continue;
        };
        let usual = port.or(protocol.usual_port());
        if let Some(address) = WrittenAddress::read(value, usual) {
            found.push(DsnTarget {
                variable: name.clone(),
                address,
                protocol,
            });
        }
    }
    found
}

fn protocol_of_stem(stem: &str, kind: Option<&str>) -> Option<HopProtocol> {
    let stem = stem.to_ascii_lowercase();
    let words: &[(&str, HopProtocol)] = &[
        ("mysql", HopProtocol::Mysql),
        ("maria", HopProtocol::Mysql),
        ("pgsql", HopProtocol::Postgres),
        ("postgres", HopProtocol::Postgres),
        ("pg", HopProtocol::Postgres),
        ("redis", HopProtocol::Redis),
        ("memcache", HopProtocol::Memcached),
        ("smtp", HopProtocol::Smtp),
        ("mail", HopProtocol::Smtp),
    ];
    let of = |text: &str| {
        words
            .iter()
            .find(|(word, _)| text.contains(word))
            .map(|(_, protocol)| *protocol)
    };
    kind.and_then(of).or_else(|| of(&stem))
}

/// The assignments of a text such as a `.env` file.
pub fn variables_of_text(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            let (name, value) = line
                .strip_prefix("export ")
                .unwrap_or(line)
                .split_once('=')?;
            let is_name = !name.is_empty()
                && name
                    .chars()
                    .all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
            let value = value.trim().trim_matches(['"', '\'']);
            is_name.then(|| (name.to_owned(), value.to_owned()))
        })
        .collect()
}
