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

use surefoot_firewall::ask::explain;
use surefoot_firewall::packet::words;
use surefoot_firewall::semantics::Index;
use surefoot_firewall::{Input, Interface, Listener, Loaded, Route, Surroundings, load};
use surefoot_report::Style;

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

fn rules(name: &str) -> Loaded {
    let inputs = ["rules", "ipset", "nft"].iter().filter_map(|end| {
        Some(Input {
            name: (*end).to_owned(),
            text: read(name, end)?,
            format: None,
        })
    });
    let loaded = load(inputs.collect());
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
            ["listen", protocol, address, port, program] => {
                host.listeners.get_or_insert_default().push(Listener {
                    protocol: if *protocol == "tcp" { 6 } else { 17 },
                    address: address.parse().unwrap(),
                    port: port.parse().unwrap(),
                    v6only: false,
                    device: None,
                    program: Some((*program).to_owned()),
                });
            }
            ["sysctl", name, value] => {
                let _ = host.sysctls.insert((*name).to_owned(), (*value).to_owned());
            }
            other => panic!("not understood: {other:?}"),
        }
    }
    host
}

fn answer(loaded: &Loaded, host: &Surroundings, question: &str) -> String {
    let (all, question) = match question.strip_prefix("all: ") {
        Some(rest) => (true, rest),
        None => (false, question),
    };
    let words: Vec<String> = question.split(' ').map(str::to_owned).collect();
    let packet = words::parse(&words).unwrap();
    let index = Index::new(&loaded.firewall);
    explain(&loaded.firewall, &index, host, &packet, all).text(Style::Plain, 100)
}

#[test]
fn every_packet_is_explained_as_written_down() {
    let update = std::env::var_os("UPDATE").is_some();
    let names = names();
    assert!(names.len() >= 3, "only {} cases", names.len());
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
