//! The rule sets of this folder and the host around them.
//!
//! A case opens with comment lines that say what is expected and on which host, one fact a line:
//!
//! ```text
//! # fires: FW001 critical, FW009 note possibly
//! # quiet: FW003
//! # only: (as `fires`, and nothing else)
//! # live
//! # complete
//! # listener: tcp 0.0.0.0:22 sshd
//! # interface: eth0 203.0.113.1/24 2001:db8::1/64
//! # route: 0.0.0.0/0 eth0
//! # sysctl: net.ipv4.ip_forward=1
//! # session: 198.51.100.7:51000 203.0.113.1:22
//! ```
//!
//! Then the texts, each after a line `=== FORMAT`: `ip`, `ip6` (an iptables file), `ip legacy`,
//! `ip nft` and so on, `nft`, `ipset`; or `=== saved PATH by LOADER` for a file on disk, whose
//! loader is `nothing` or `?` where that is so.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use surefoot_firewall::{LoadedFrom, LoadedRules, OPEN_WITHOUT_RULES, lint};
use surefoot_netfilter::{Interface, Listener, Route, SavedRules, Session, Surroundings};
use surefoot_report::{Finding, Unknown};
use surefoot_ruleset::model::{Backend, Family};
use surefoot_ruleset::{Format, Input};

/// What a case expects of one code.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) code: String,
    pub(crate) severity: Option<String>,
    pub(crate) possibly: bool,
}

/// A rule set, the host around it and what is expected.
#[derive(Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) fires: Vec<Expected>,
    pub(crate) only: bool,
    pub(crate) quiet: Vec<String>,
    pub(crate) surroundings: Surroundings,
    /// Whether these are all rules that there are.
    pub(crate) all_rules: bool,
    pub(crate) inputs: Vec<Input>,
}

/// All cases, by name.
pub(crate) fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lints");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut cases: Vec<Case> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "rules"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            read(name, &std::fs::read_to_string(&path).unwrap())
        })
        .collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn read(name: &str, text: &str) -> Case {
    let mut parts = text.split("=== ");
    let mut case = Case {
        name: name.to_owned(),
        ..Case::default()
    };
    for line in parts.next().unwrap().lines() {
        let fact = line.trim_start_matches('#').trim();
        let (word, rest) = fact.split_once(':').unwrap_or((fact, ""));
        header(&mut case, word, rest.trim());
    }
    for part in parts {
        let (head, body) = part.split_once('\n').unwrap_or((part, ""));
        section(&mut case, head.trim(), body);
    }
    assert!(!case.inputs.is_empty(), "{name} holds no rules");
    case
}

fn header(case: &mut Case, word: &str, rest: &str) {
    let host = &mut case.surroundings;
    match word {
        "fires" | "only" => {
            case.only |= word == "only";
            for one in rest.split(',').map(str::trim).filter(|one| !one.is_empty()) {
                let words: Vec<&str> = one.split_whitespace().collect();
                case.fires.push(Expected {
                    code: words[0].to_owned(),
                    severity: words[1..]
                        .iter()
                        .find(|word| **word != "possibly")
                        .map(|word| (*word).to_owned()),
                    possibly: words.contains(&"possibly"),
                });
            }
        }
        "quiet" => case
            .quiet
            .extend(rest.split_whitespace().map(str::to_owned)),
        "live" => host.live = true,
        "complete" => case.all_rules = true,
        "listener" => {
            let listeners = host.listeners.get_or_insert_default();
            if rest == "none" {
                return;
            }
            let words: Vec<&str> = rest.split_whitespace().collect();
            let at: SocketAddr = words[1].parse().unwrap();
            listeners.push(Listener {
                protocol: if words[0] == "tcp" { 6 } else { 17 },
                address: at.ip(),
                port: at.port(),
                v6only: words.contains(&"v6only"),
                device: words
                    .iter()
                    .find_map(|word| word.strip_prefix("by:"))
                    .map(ToOwned::to_owned),
                program: words.get(2).map(|word| (*word).to_owned()),
            });
            if words.contains(&"client") {
                host.maybe_clients.insert((17, at.port()));
            }
        }
        "interface" => {
            let mut words = rest.split_whitespace();
            let name = words.next().unwrap().to_owned();
            let net = |word: &str| {
                let (address, length) = word.split_once('/').unwrap();
                (address.parse::<IpAddr>().unwrap(), length.parse().unwrap())
            };
            host.interfaces.get_or_insert_default().push(Interface {
                loopback: name == "lo",
                name,
                up: true,
                addresses: words.map(net).collect(),
            });
        }
        "route" => {
            let (net, name) = rest.split_once(' ').unwrap();
            let (address, length) = net.split_once('/').unwrap();
            host.routes.get_or_insert_default().push(Route {
                destination: (address.parse().unwrap(), length.parse().unwrap()),
                interface: Some(name.to_owned()),
                table: 254,
                metric: 0,
                kind: 1,
            });
        }
        "sysctl" => {
            let (key, value) = rest.split_once('=').unwrap();
            host.sysctls.insert(key.to_owned(), value.to_owned());
        }
        "session" => {
            let (client, server) = rest.split_once(' ').unwrap();
            let (client, server): (SocketAddr, SocketAddr) =
                (client.parse().unwrap(), server.parse().unwrap());
            host.session = Some(Session {
                client: client.ip(),
                client_port: client.port(),
                server: server.ip(),
                server_port: server.port(),
            });
        }
        "why" | "" => {}
        _ => panic!("{}: what is `{word}`?", case.name),
    }
}

fn section(case: &mut Case, head: &str, body: &str) {
    if head == "saved nothing" {
        case.surroundings.saved.get_or_insert_default();
        return;
    }
    if let Some(saved) = head.strip_prefix("saved ") {
        let (path, loader) = saved.split_once(" by ").unwrap();
        let saved = SavedRules {
            path: path.to_owned(),
            text: body.to_owned(),
            loaders: match loader {
                "nothing" | "?" => Vec::new(),
                loader => vec![loader.to_owned()],
            },
            loaders_known: loader != "?",
        };
        case.surroundings.saved.get_or_insert_default().push(saved);
        return;
    }
    let words: Vec<&str> = head.split_whitespace().collect();
    let format = match words[0] {
        "nft" => Format::NftText,
        "ipset" => Format::Ipset,
        "ip" | "ip6" => Format::Iptables {
            family: if words[0] == "ip" {
                Family::Ip
            } else {
                Family::Ip6
            },
            backend: match words.get(1) {
                Some(&"legacy") => Backend::IptablesLegacy,
                Some(&"nft") => Backend::IptablesNft,
                _ => Backend::Iptables,
            },
        },
        other => panic!("{}: what is the format `{other}`?", case.name),
    };
    case.inputs.push(Input {
        name: format!("{}-{}", words.join("-"), case.inputs.len() + 1),
        text: body.to_owned(),
        format: Some(format),
    });
}

/// What the lints say.
pub(crate) fn findings(case: &Case) -> Vec<Finding> {
    let gap = Unknown {
        fact: "some rules".to_owned(),
        why: "the case does not give all".to_owned(),
        leaves_open: OPEN_WITHOUT_RULES.to_owned(),
    };
    let rules = LoadedRules::read(
        "the rules of this case".to_owned(),
        case.inputs.clone(),
        Surroundings::default(),
        LoadedFrom::Machine((!case.all_rules).then_some(gap).into_iter().collect()),
    );
    lint::check(&rules.on_host(case.surroundings.clone()))
}
