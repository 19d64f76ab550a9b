//! Packets and what is said of them, side by side in `tests/explain`.
//!
//! `NAME.rules` is a rule set, `NAME.packet` holds one packet in words a line (`all: ` before it
//! lists every rule, `why-not accept: ` asks what stands in the way), `NAME.ok` is what is said.
//! `NAME.ipset` and `NAME.nft` are read beside the rules if they are there. `NAME.host` says what
//! is known of the host: `interface NAME ADDRESS/LENGTH...`, `route NET/LENGTH IFACE`,
//! `listen tcp|udp ADDRESS PORT PROGRAM`, `sysctl NAME VALUE`.
//! `UPDATE=1` writes the expected files anew; read the difference before you keep it.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests read files"
)]

use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::{WantedEnd, explain, why_not};
use surefoot_netfilter::packet::words;
use surefoot_netfilter::{Connected, Interface, Listener, Route, Surroundings};
use surefoot_report::Style;
use surefoot_ruleset::Input;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/explain")
}

fn names() -> Vec<String> {
    let entries = std::fs::read_dir(folder()).unwrap();
    let files = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = files
        .filter_map(|name| name.strip_suffix(".packet").map(str::to_owned))
        .collect();
    names.sort();
    names
}

fn read(name: &str, end: &str) -> Option<String> {
    std::fs::read_to_string(folder().join(format!("{name}.{end}"))).ok()
}

fn rules(name: &str) -> LoadedRules {
    let inputs = ["rules", "ipset", "nft"].iter().filter_map(|end| {
        Some(Input {
            name: (*end).to_owned(),
            text: read(name, end)?,
            format: None,
        })
    });
    let loaded = LoadedRules::of_texts(inputs.collect());
    assert_eq!(loaded.problems, [], "{name}");
    loaded
}

fn net(word: &str) -> (IpAddr, u8) {
    let (address, length) = word.split_once('/').unwrap();
    (address.parse().unwrap(), length.parse().unwrap())
}

fn host(text: &str) -> Surroundings {
    let mut host = Surroundings::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["interface", name, addresses @ ..] => {
                host.interfaces.get_or_insert_default().push(Interface {
                    name: (*name).to_owned(),
                    loopback: *name == "lo",
                    up: true,
                    addresses: addresses.iter().map(|word| net(word)).collect(),
                });
            }
            ["route", network, interface] => {
                host.routes.get_or_insert_default().push(Route {
                    destination: net(network),
                    interface: Some((*interface).to_owned()),
                    table: 254,
                    metric: 0,
                    kind: 1,
                });
            }
            ["listen", protocol, address, port, program, more @ ..] => {
                let value = |key: &str| more.iter().find_map(|word| word.strip_prefix(key));
                let socket = Listener {
                    protocol: if *protocol == "tcp" { 6 } else { 17 },
                    address: address.parse().unwrap(),
                    port: port.parse().unwrap(),
                    v6only: false,
                    device: value("by:").map(str::to_owned),
                    program: Some((*program).to_owned()),
                };
                if let Some(peer) = value("peer:") {
                    let peer: std::net::SocketAddr = peer.parse().unwrap();
                    let peer = (peer.ip(), peer.port());
                    host.connected.push(Connected { socket, peer });
                } else {
                    host.listeners.get_or_insert_default().push(socket);
                }
            }
            ["sysctl", name, value] => {
                let _ = host.sysctls.insert((*name).to_owned(), (*value).to_owned());
            }
            other => panic!("not understood: {other:?}"),
        }
    }
    host
}

fn split(question: &str) -> Vec<String> {
    question.split(' ').map(str::to_owned).collect()
}

fn answer(loaded: &LoadedRules, host: &Surroundings, question: &str) -> String {
    if let Some((want, question)) = question
        .strip_prefix("why-not ")
        .and_then(|rest| rest.split_once(": "))
    {
        let want = match want {
            "accept" => WantedEnd::Accept,
            "drop" => WantedEnd::Drop,
            _ => WantedEnd::Reject,
        };
        let packet = words::parse(&split(question)).unwrap();
        return why_not(&loaded.clone().on_host(host.clone()), &packet, want)
            .text(Style::Plain, 100);
    }
    let (all, question) = match question.strip_prefix("all: ") {
        Some(rest) => (true, rest),
        None => (false, question),
    };
    let packet = words::parse(&split(question)).unwrap();
    explain(&loaded.clone().on_host(host.clone()), &packet, all).text(Style::Plain, 100)
}

#[test]
fn every_packet_is_explained_as_written_down() {
    let update = std::env::var_os("UPDATE").is_some();
    let names = names();
    assert!(names.len() >= 11, "only {} cases", names.len());
    let mut wrong = Vec::new();
    for name in names {
        let loaded = rules(&name);
        let host = host(&read(&name, "host").unwrap_or_default());
        let mut said = String::new();
        for question in read(&name, "packet").unwrap().lines() {
            write!(said, "$ {question}\n{}\n", answer(&loaded, &host, question)).unwrap();
        }
        if update {
            std::fs::write(folder().join(format!("{name}.ok")), &said).unwrap();
        }
        let expected = read(&name, "ok").unwrap_or_default();
        if said != expected {
            wrong.push(format!("{name}.ok:\n{expected}\nbut said:\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Packets that between them meet most kinds of rules.
const QUESTIONS: [&str; 9] = [
    "tcp from 203.0.113.9 to :22 in eth0 new",
    "tcp from 10.0.0.1:40000 to 192.0.2.1:80 in eth0 out eth1 established",
    "udp to :53",
    "icmp",
    "echo-request ipv6 from 2001:db8::1 in eth1",
    "tcp from 2001:db8::1:443 invalid",
    "tcp out eth0 uid 0 to 192.0.2.9:25",
    "udp fragment in lo",
    "proto 47 in eth0 mark 1 untracked",
];

/// The rule sets of all the other tests as well.
fn all_rules() -> Vec<(String, LoadedRules)> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut found = Vec::new();
    for folder in ["../../ruleset/tests/rules", "lints", "explain"] {
        for entry in std::fs::read_dir(tests.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let end = path.extension().unwrap_or_default().to_str().unwrap();
            if !["in", "rules"].contains(&end) {
                continue;
            }
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            let name = path.display().to_string();
            let input = Input {
                name: name.clone(),
                text,
                format: None,
            };
            let mut rules = LoadedRules::of_texts(vec![input]);
            // Some of these texts are damaged on purpose; what can be read of them is asked about.
            rules.problems.clear();
            found.push((name, rules));
        }
    }
    found
}

#[test]
fn every_rule_set_at_hand_can_be_asked_and_all_rules_change_no_answer() {
    let _host = Surroundings::default();
    let rules = all_rules();
    assert!(rules.len() >= 60, "only {} rule sets", rules.len());
    for (name, loaded) in &rules {
        for question in QUESTIONS {
            let packet = words::parse(&split(question)).unwrap();
            let few = explain(loaded, &packet, false);
            let all = explain(loaded, &packet, true);
            assert_eq!(few.answers, all.answers, "{name}: {question}");
            assert_eq!(few.certainty, all.certainty, "{name}: {question}");
            assert!(!few.answers.is_empty(), "{name}: {question}");
            for width in [0, 40, 1000] {
                for style in [Style::Plain, Style::Colour] {
                    assert!(!all.text(style, width).is_empty());
                }
            }
            serde_json::to_string(&all).unwrap();
        }
    }
}

#[test]
fn what_stands_in_the_way_is_never_more_than_it_takes() {
    let _host = Surroundings::default();
    let mut tried = 0;
    for (name, loaded) in &all_rules() {
        let chains = loaded
            .firewall
            .tables
            .iter()
            .flat_map(|table| &table.chains);
        // The search tries many sets; small rule sets hold every kind of obstacle.
        if chains.map(|chain| chain.rules.len()).sum::<usize>() > 12 {
            continue;
        }
        tried += 1;
        for question in &QUESTIONS[..4] {
            let packet = words::parse(&split(question)).unwrap();
            let certain = explain(loaded, &packet, false);
            for want in [WantedEnd::Accept, WantedEnd::Drop, WantedEnd::Reject] {
                let answer = why_not(loaded, &packet, want);
                let is_so = certain.certainty == surefoot_report::Certainty::Certainly
                    && certain.answers[0].end == want.end();
                assert_eq!(answer.already, is_so, "{name}: {question}");
                let sizes: Vec<usize> = answer.in_the_way.iter().map(Vec::len).collect();
                assert!(
                    sizes.windows(2).all(|pair| pair[0] == pair[1]),
                    "{name}: {question}: all sets are of the smallest size: {sizes:?}"
                );
                assert!(!answer.already || answer.insertions.is_empty());
                assert!(!answer.text(Style::Plain, 80).is_empty());
            }
        }
    }
    assert!(tried >= 40, "only {tried} rule sets were small enough");
}

/// The text without the lines of these obstacles; none where that is not the same as without the
/// rules: a policy stays, and a list of addresses on a line is several rules.
fn without(text: &str, set: &[surefoot_firewall::ask::Obstacle]) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    for obstacle in set {
        let Some(surefoot_report::Place::Line { line, .. }) = obstacle.what.place else {
            return None;
        };
        let at = usize::try_from(line).unwrap() - 1;
        if obstacle.policy || obstacle.what.text.contains(',') {
            return None;
        }
        lines[at] = "";
    }
    Some(lines.join("\n"))
}

#[test]
fn without_the_lines_in_the_way_the_text_itself_gives_the_wanted_verdict() {
    let _host = Surroundings::default();
    let mut tried = 0;
    for name in [
        "01-ssh",
        "04-why-not",
        "06-goto-and-return",
        "08-two-chains",
        "11-opaque",
    ] {
        let loaded = rules(name);
        let text = read(name, "rules").unwrap();
        for question in QUESTIONS {
            let packet = words::parse(&split(question)).unwrap();
            for want in [WantedEnd::Accept, WantedEnd::Drop, WantedEnd::Reject] {
                let answer = why_not(&loaded, &packet, want);
                for set in &answer.in_the_way {
                    let Some(text) = without(&text, set) else {
                        continue;
                    };
                    let less = LoadedRules::of_texts(vec![Input {
                        name: name.to_owned(),
                        text,
                        format: None,
                    }]);
                    let now = why_not(&less, &packet, want);
                    assert!(now.already, "{name}: {question}: {want:?}: {set:?}");
                    tried += 1;
                }
            }
        }
    }
    assert!(tried >= 10, "only {tried} sets could be tried");
}
