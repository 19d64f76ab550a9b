//! Rule sets that nobody thought of.
//!
//! Values come from small pools, so that rules meet each other; chains call only chains behind
//! them, so that there are no loops.

mod ipset;
mod iptables;
mod nft;

use crate::case::{Case, with_mechanisms};
use crate::chance::Chance;

/// So many rule sets for iptables, ip6tables, nft, and both iptables with ipset each. Another seed
/// gives others.
pub(crate) fn cases(count: usize, seed: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for number in 1..=count {
        for kind in ["v4", "v6", "nft", "ipset", "ipset6"] {
            let name = match seed {
                0 => format!("random {kind} {number}"),
                _ => format!("random {kind} {seed}.{number}"),
            };
            let mut chance = Chance::new(&name);
            let texts = match kind {
                "nft" => vec![("nft", nft::rules(&mut chance))],
                "ipset" | "ipset6" => {
                    let v6 = kind == "ipset6";
                    let rules = if v6 { "v6" } else { "v4" };
                    vec![
                        ("ipset", ipset::sets(&mut chance, v6)),
                        (rules, iptables::rules(&mut chance, v6, true)),
                    ]
                }
                _ => vec![(kind, iptables::rules(&mut chance, kind == "v6", false))],
            };
            let texts: Vec<(String, String)> = texts
                .into_iter()
                .map(|(kind, text)| (kind.to_owned(), text))
                .collect();
            cases.extend(with_mechanisms(&name, &texts, true));
        }
    }
    cases
}

const NETS: &[&str] = &[
    "203.0.113.0/24",
    "203.0.113.64/26",
    "203.0.113.9",
    "203.0.113.96/28",
    "203.0.113.99",
    "198.51.100.0/25",
    "198.51.100.7",
    "10.0.0.0/8",
    "192.0.3.1",
    "192.0.4.0/24",
    "0.0.0.0/1",
];
const NETS6: &[&str] = &[
    "2001:db8:f::/64",
    "2001:db8:f::/126",
    "2001:db8:f::9",
    "2001:db8:f::99",
    "2001:db8::/32",
    "2001:db8:0:1::1",
    "2001:db8:e::/125",
    "::/1",
];
const PORTS: &[&str] = &["22", "53", "80", "443", "1000"];
const INTERFACES: &[&str] = &["eth0", "eth1", "eth", "ppp0"];
const STATES: &[&str] = &["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"];

fn one<'a>(chance: &mut Chance, from: &[&'a str]) -> &'a str {
    chance.pick(from).unwrap()
}

/// Some of the words, at least one, in their order.
fn some(chance: &mut Chance, from: &[&str]) -> Vec<String> {
    let mut chosen: Vec<String> = Vec::new();
    for word in from {
        if chance.percent(35) {
            chosen.push((*word).to_owned());
        }
    }
    if chosen.is_empty() {
        chosen.push(one(chance, from).to_owned());
    }
    chosen
}
