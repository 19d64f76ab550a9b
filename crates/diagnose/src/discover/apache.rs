//! Apache: `ProxyPass`, balancers, rewrites and handlers that send requests on.

use std::collections::HashMap;

use surefoot_bisect::{ConfigTree, UnitId};

use super::{
    AskedRequest, DaemonConfig, ForwardTarget, ServingHost, WrittenAddress, around, line_of,
    words_of,
};

/// Reads the configuration; a `ProxyPass` for another path than the one that is asked for, or of another virtual host
/// than the one that is known to answer, is left out.
pub fn read_apache(
    tree: &ConfigTree,
    asked: Option<&AskedRequest>,
    serving: Option<&ServingHost>,
) -> DaemonConfig {
    let is_of_another = |id| {
        let serving = serving.and_then(|serving| serving.block);
        serving.is_some_and(|serving| {
            around(tree, id).into_iter().any(|block| {
                block != serving && tree.unit(block).word.eq_ignore_ascii_case("virtualhost")
            })
        })
    };
    let mut config = DaemonConfig::default();
    let mut balancers: HashMap<String, Vec<UnitId>> = HashMap::new();
    let mut passes: Vec<(UnitId, String)> = Vec::new();
    let mut verifies = false;
    let mut taken = false;
    for id in tree.ids() {
        let words = words_of(tree, id);
        let Some(first) = words.get(1) else {
            continue;
        };
        let place = || tree.place_of(id);
        match tree.unit(id).word.to_ascii_lowercase().as_str() {
            "balancermember" => {
                // In a `<Proxy balancer://…>` block the URL comes first.
                let name = if first.starts_with("balancer://") {
                    Some(first.clone())
                } else {
                    around(tree, id)
                        .first()
                        .and_then(|block| words_of(tree, *block).get(1).cloned())
                };
                if let Some(name) = name {
                    let name = name.trim_end_matches('/').to_owned();
                    balancers.entry(name).or_default().push(id);
                }
            }
            "proxypass" | "proxypassmatch" | "rewriterule" | "sethandler" if is_of_another(id) => {}
            "proxypass" | "proxypassmatch" => {
                let (path, url) = match words.get(2) {
                    Some(url) if !url.contains('=') || url.contains("://") => (Some(first), url),
                    _ => (None, first),
                };
                let is_prefix = !tree.unit(id).word.eq_ignore_ascii_case("proxypassmatch");
                let is_other = asked.zip(path).is_some_and(|(asked, path)| {
                    is_prefix && path.starts_with('/') && !asked.path.starts_with(path.as_str())
                });
                // The first that matches serves.
                let is_taken = taken && asked.is_some();
                if !is_other && !is_taken && url != "!" {
                    taken = is_prefix && path.is_some();
                    passes.push((id, url.clone()));
                }
            }
            "rewriterule" => {
                let flags = words.last().is_some_and(|flags| {
                    flags.starts_with('[')
                        && flags
                            .trim_matches(['[', ']'])
                            .split(',')
                            .any(|it| it == "P")
                });
                if let (true, Some(url)) = (flags, words.get(2)) {
                    passes.push((id, url.clone()));
                }
            }
            "sethandler" if first.starts_with("proxy:") => {
                passes.push((id, first["proxy:".len()..].to_owned()));
            }
            "sslproxyverify" => verifies |= first.eq_ignore_ascii_case("require"),
            "errorlog" if !first.starts_with('|') && !first.starts_with("syslog") => {
                config.logs.push(first.clone());
            }
            "pidfile" => config.pid_file = Some(first.clone()),
            "documentroot" => config.roots.push(first.clone()),
            "listen" => {
                let address = WrittenAddress::read(first, Some(80));
                config
                    .listens
                    .extend(address.map(|address| (address, place())));
            }
            _ => {}
        }
    }
    for (id, url) in passes {
        if let Some(members) = balancer_of(&url).and_then(|name| balancers.get(name)) {
            let pool = (members.len() > 1).then(|| url.clone());
            for member in members {
                let words = words_of(tree, *member);
                let url = words
                    .iter()
                    .skip(1)
                    .find(|word| !word.starts_with("balancer:"));
                if let Some(url) = url {
                    add(tree, *member, url, pool.clone(), verifies, &mut config);
                }
            }
        } else {
            add(tree, id, &url, None, verifies, &mut config);
        }
    }
    config
}

/// `balancer://name` of a URL.
fn balancer_of(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("balancer://")?;
    let end = rest.find('/').unwrap_or(rest.len());
    url.get(.."balancer://".len() + end)
}

fn add(
    tree: &ConfigTree,
    id: UnitId,
    url: &str,
    pool: Option<String>,
    verifies: bool,
    config: &mut DaemonConfig,
) {
    // `unix:/run/php.sock|fcgi://localhost/`
    let found = match url.split_once('|') {
        Some((socket, behind)) => WrittenAddress::read(socket, None)
            .zip(WrittenAddress::of_url(behind).map(|(_, protocol)| protocol)),
        None => WrittenAddress::of_url(url),
    };
    let Some((address, protocol)) = found else {
        return;
    };
    config.forwards.push(ForwardTarget {
        address,
        protocol,
        place: tree.place_of(id),
        text: line_of(tree, id),
        pool,
        verifies_certificate: verifies,
    });
}
