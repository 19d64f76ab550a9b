//! nginx: upstreams, `proxy_pass` and its like, of the server and the locations that a request meets.

use std::collections::HashMap;

use surefoot_bisect::{ConfigTree, UnitId};

use super::{
    AskedRequest, DaemonConfig, ForwardTarget, ServingHost, WrittenAddress, around, line_of,
    words_of,
};
use crate::chain::HopProtocol;

/// Reads the configuration; of servers and locations only those that the request may meet, and of servers only the
/// one that is known to answer.
pub fn read_nginx(
    tree: &ConfigTree,
    asked: Option<&AskedRequest>,
    serving: Option<&ServingHost>,
) -> DaemonConfig {
    let mut config = DaemonConfig::default();
    let mut upstreams: HashMap<String, Vec<UnitId>> = HashMap::new();
    for id in tree.ids() {
        let unit = tree.unit(id);
        let words = words_of(tree, id);
        let Some(first) = words.get(1) else {
            continue;
        };
        match unit.word.as_str() {
            "upstream" if unit.is_block => {
                let servers = unit.children.iter().copied();
                let servers = servers.filter(|child| tree.unit(*child).word == "server");
                upstreams.insert(first.clone(), servers.collect());
            }
            "error_log" if first.starts_with('/') || !first.contains(':') => {
                config.logs.push(first.clone());
            }
            "pid" => config.pid_file = Some(first.clone()),
            "root" => config.roots.push(first.clone()),
            "listen" => {
                let address = WrittenAddress::read(first, Some(80));
                let place = tree.place_of(id);
                config
                    .listens
                    .extend(address.map(|address| (address, place)));
            }
            _ => {}
        }
    }
    let servers: Vec<UnitId> = tree
        .ids()
        .filter(|id| tree.unit(*id).word == "server" && tree.unit(*id).is_block)
        .collect();
    let met = asked.map(|asked| match serving.and_then(|serving| serving.block) {
        Some(block) => vec![block],
        None => meets(tree, &servers, asked),
    });
    for id in tree.ids() {
        let protocol = match tree.unit(id).word.as_str() {
            "proxy_pass" => HopProtocol::Http,
            "fastcgi_pass" => HopProtocol::FastCgi,
            "memcached_pass" => HopProtocol::Memcached,
            "uwsgi_pass" | "scgi_pass" | "grpc_pass" => HopProtocol::Tcp,
            _ => continue,
        };
        let blocks = around(tree, id);
        if let (Some(met), Some(asked)) = (&met, asked)
            && !is_met(tree, &blocks, met, asked)
        {
            continue;
        }
        forward(tree, id, protocol, &blocks, &upstreams, &mut config);
    }
    config
}

/// The server blocks that a request meets; all of them if that is unknown.
fn meets(tree: &ConfigTree, servers: &[UnitId], asked: &AskedRequest) -> Vec<UnitId> {
    let values = |server: UnitId, word: &str| -> Vec<String> {
        let children = tree.unit(server).children.iter().copied();
        children
            .filter(|child| tree.unit(*child).word == word)
            .flat_map(|child| words_of(tree, child).split_off(1))
            .collect()
    };
    let at_port = |server: &&UnitId| {
        let listens = values(**server, "listen");
        let mut ports = listens
            .iter()
            .filter_map(|word| WrittenAddress::read(word, Some(80)))
            .peekable();
        if ports.peek().is_none() {
            return asked.port == 80;
        }
        ports.any(|it| matches!(it, WrittenAddress::Host(_, port) if port == asked.port))
    };
    let here: Vec<UnitId> = servers.iter().filter(at_port).copied().collect();
    let by_name: Vec<UnitId> = here
        .iter()
        .copied()
        .filter(|server| {
            values(*server, "server_name").iter().any(|name| {
                name == &asked.host || name.starts_with(['*', '~', '.']) || name.ends_with('*')
            })
        })
        .collect();
    match (by_name.is_empty(), here.is_empty()) {
        (false, _) => by_name,
        (true, false) => here,
        (true, true) => servers.to_vec(),
    }
}

/// Whether a request may meet a statement in these blocks.
fn is_met(tree: &ConfigTree, blocks: &[UnitId], servers: &[UnitId], asked: &AskedRequest) -> bool {
    let server = blocks
        .iter()
        .find(|block| tree.unit(**block).word == "server");
    if server.is_some_and(|server| !servers.contains(server)) {
        return false;
    }
    let Some(location) = blocks
        .iter()
        .find(|block| tree.unit(**block).word == "location")
    else {
        return true;
    };
    let length = match prefix(tree, *location, &asked.path) {
        PrefixMatch::Unknown => return true,
        PrefixMatch::Misses => return false,
        PrefixMatch::Has(length) => length,
    };
    // A longer prefix beside it takes the request.
    !tree.siblings(*location).into_iter().any(|other| {
        tree.unit(other).word == "location"
            && matches!(prefix(tree, other, &asked.path), PrefixMatch::Has(longer) if longer > length)
    })
}

/// What a location's prefix has to do with a path.
enum PrefixMatch {
    /// The path begins with it, and it is so long.
    Has(usize),
    /// The path does not begin with it.
    Misses,
    /// A regular expression or a named location, which may be met.
    Unknown,
}

fn prefix(tree: &ConfigTree, location: UnitId, path: &str) -> PrefixMatch {
    let words = words_of(tree, location);
    let word = |at: usize| words.get(at).map(String::as_str);
    let (written, exact) = match word(1) {
        Some("=") => (word(2), true),
        Some("^~") => (word(2), false),
        Some(other) if other.starts_with(['~', '@']) => return PrefixMatch::Unknown,
        other => (other, false),
    };
    let Some(written) = written else {
        return PrefixMatch::Unknown;
    };
    let has = if exact {
        path == written
    } else {
        path.starts_with(written)
    };
    if has {
        PrefixMatch::Has(written.len())
    } else {
        PrefixMatch::Misses
    }
}

fn forward(
    tree: &ConfigTree,
    id: UnitId,
    usual: HopProtocol,
    blocks: &[UnitId],
    upstreams: &HashMap<String, Vec<UnitId>>,
    config: &mut DaemonConfig,
) {
    let words = words_of(tree, id);
    let Some(target) = words.get(1) else {
        return;
    };
    let (protocol, authority) = match target.split_once("://") {
        Some(("https", rest)) => (HopProtocol::Https, rest),
        Some((_, rest)) => (usual, rest),
        None => (usual, target.as_str()),
    };
    // A variable is known at run time only.
    if authority.contains('$') {
        return;
    }
    let verifies_certificate = protocol == HopProtocol::Https
        && blocks.iter().any(|block| {
            tree.unit(*block).children.iter().any(|child| {
                words_of(tree, *child)[..] == ["proxy_ssl_verify".to_owned(), "on".to_owned()]
            })
        });
    let name = if authority.starts_with("unix:") || authority.starts_with('/') {
        authority
    } else {
        authority.split('/').next().unwrap_or_default()
    };
    let usual_port = protocol.usual_port();
    let mut add = |written: &str, unit: UnitId, pool: Option<String>| {
        let Some(address) = WrittenAddress::read(written, usual_port) else {
            return;
        };
        config.forwards.push(ForwardTarget {
            address,
            protocol,
            place: tree.place_of(unit),
            text: line_of(tree, unit),
            pool,
            verifies_certificate,
        });
    };
    match upstreams.get(name) {
        Some(servers) => {
            let pool = (servers.len() > 1).then(|| name.to_owned());
            for server in servers {
                let words = words_of(tree, *server);
                if !words.iter().any(|word| word == "down")
                    && let Some(written) = words.get(1)
                {
                    add(written, *server, pool.clone());
                }
            }
        }
        None => add(name, id, None),
    }
}
