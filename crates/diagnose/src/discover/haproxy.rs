//! `HAProxy`: the servers of its backends.

use surefoot_bisect::ConfigTree;

use super::{DaemonConfig, ForwardTarget, WrittenAddress, around, line_of, words_of};
use crate::chain::HopProtocol;

/// Reads the configuration.
pub fn read_haproxy(tree: &ConfigTree) -> DaemonConfig {
    let mut config = DaemonConfig::default();
    let ids: Vec<_> = tree.ids().collect();
    let is_tcp = ids
        .iter()
        .any(|id| words_of(tree, *id)[..] == ["mode".to_owned(), "tcp".to_owned()]);
    for id in ids {
        let words = words_of(tree, id);
        match tree.unit(id).word.as_str() {
            "server" => {
                let Some(address) = words
                    .get(2)
                    .and_then(|written| WrittenAddress::read(written, None))
                else {
                    continue;
                };
                if words.iter().any(|word| word == "disabled") {
                    continue;
                }
                let section = around(tree, id).into_iter().next();
                let siblings = tree
                    .siblings(id)
                    .into_iter()
                    .filter(|other| tree.unit(*other).word == "server")
                    .count();
                let name = section.map(|block| words_of(tree, block).join(" "));
                let is_tls = words.iter().any(|word| word == "ssl");
                config.forwards.push(ForwardTarget {
                    address,
                    protocol: match (is_tls, is_tcp) {
                        (true, _) => HopProtocol::Https,
                        (false, true) => HopProtocol::Tcp,
                        (false, false) => HopProtocol::Http,
                    },
                    place: tree.place_of(id),
                    text: line_of(tree, id),
                    pool: name.filter(|_| siblings > 1),
                    verifies_certificate: is_tls
                        && words
                            .windows(2)
                            .any(|pair| pair[0] == "verify" && pair[1] == "required"),
                });
            }
            "bind" => {
                let address = words
                    .get(1)
                    .and_then(|written| WrittenAddress::read(written, None));
                let place = tree.place_of(id);
                config
                    .listens
                    .extend(address.map(|address| (address, place)));
            }
            "pidfile" => config.pid_file = words.get(1).cloned(),
            _ => {}
        }
    }
    config
}
