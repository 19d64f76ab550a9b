//! All packets that the small rule sets can tell apart, and such rule sets.

use std::fmt::Write as _;

use surefoot_netfilter::Surroundings;
use surefoot_netfilter::packet::{Packet, words};

/// Chance that is the same on every run (xorshift64).
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit).unwrap()).unwrap()
    }

    pub(crate) fn one_of<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// One packet of each kind that the rules below tell apart.
pub(crate) fn packets() -> Vec<Packet> {
    let mut packets = Vec::new();
    for interface in ["lo", "eth0", "eth1", "eth7", "wlan0"] {
        for source in ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "192.0.2.9"] {
            for state in ["new", "established", "related", "invalid"] {
                let begin = format!("from {source} in {interface} {state}");
                for port in [21, 22, 23, 80, 81] {
                    for protocol in ["udp", "tcp"] {
                        let flags = match (protocol, state) {
                            ("tcp", "new") => "syn",
                            ("tcp", _) => "flags ack",
                            _ => "",
                        };
                        packets.push(format!(
                            "{protocol} {begin} sport 40000 to 192.0.2.1 dport {port} {flags}"
                        ));
                    }
                }
                for kind in [3, 8, 13] {
                    if (kind, state) != (3, "new") {
                        packets.push(format!("icmp {begin} to 192.0.2.1 type {kind}/0"));
                    }
                }
                packets.push(format!("proto 47 {begin} to 192.0.2.1"));
            }
        }
    }
    packets.iter().map(|text| packet(text)).collect()
}

fn packet(text: &str) -> Packet {
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    words::parse(&words)
        .unwrap_or_else(|error| panic!("{text}: {error:?}"))
        .settle(&Surroundings::default())
}

/// A filter table with chains, jumps, gotos, returns, marks and now and then a limit.
pub(crate) fn rules(chance: &mut Chance) -> String {
    let policy = chance.one_of(&["ACCEPT", "DROP"]);
    let mut text = format!("*filter\n:INPUT {policy} [0:0]\n:A - [0:0]\n:B - [0:0]\n");
    for (chain, callees) in [("INPUT", &["A", "B"][..]), ("A", &["B"]), ("B", &[])] {
        for _ in 0..=chance.below(5) {
            let matches = matches(chance);
            let target = match chance.below(10) {
                0..=2 => "-j ACCEPT".to_owned(),
                3..=4 => "-j DROP".to_owned(),
                5 => "-j REJECT".to_owned(),
                6 => format!("-j MARK --set-mark {}", chance.below(3)),
                7 if chain != "INPUT" => "-j RETURN".to_owned(),
                _ if callees.is_empty() => "-j ACCEPT".to_owned(),
                8 => format!("-g {}", chance.one_of(callees)),
                _ => format!("-j {}", chance.one_of(callees)),
            };
            let _ = writeln!(text, "-A {chain}{matches} {target}");
        }
    }
    text.push_str("COMMIT\n");
    text
}

fn matches(chance: &mut Chance) -> String {
    let mut text = String::new();
    let not = |chance: &mut Chance| if chance.percent(20) { " !" } else { "" };
    if chance.percent(50) {
        let network = chance.one_of(&["10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31", "10.0.0.1"]);
        let _ = write!(text, "{} -s {network}", not(chance));
    }
    if chance.percent(40) {
        let name = chance.one_of(&["eth0", "eth1", "eth+", "lo"]);
        let _ = write!(text, "{} -i {name}", not(chance));
    }
    if chance.percent(60) {
        let protocol = chance.one_of(&["tcp", "tcp", "udp", "icmp"]);
        let _ = write!(text, " -p {protocol}");
        if protocol == "icmp" {
            if chance.percent(50) {
                let _ = write!(text, " -m icmp --icmp-type 8");
            }
        } else if chance.percent(70) {
            let ports = chance.one_of(&["22", "22:80", "80", "23:65535"]);
            let _ = write!(text, " -m {protocol}{} --dport {ports}", not(chance));
        }
    }
    if chance.percent(30) {
        let states = chance.one_of(&["NEW", "ESTABLISHED,RELATED", "INVALID", "NEW,UNTRACKED"]);
        let _ = write!(text, " -m conntrack{} --ctstate {states}", not(chance));
    }
    if chance.percent(10) {
        let _ = write!(text, " -m mark --mark {}", chance.below(3));
    }
    if chance.percent(5) {
        text.push_str(" -m limit --limit 5/sec");
    }
    text
}

/// The rules with one of them missing, changed or moved.
pub(crate) fn changed(text: &str, chance: &mut Chance) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let rules: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at].starts_with("-A"))
        .collect();
    let at = rules[chance.below(rules.len())];
    match chance.below(4) {
        0 => {
            lines.remove(at);
        }
        1 => lines[at] = lines[at].replace("22", "80"),
        2 => lines[at] = lines[at].replace("ACCEPT", "DROP"),
        _ => {
            let line = lines.remove(at);
            let to = rules[chance.below(rules.len())];
            lines.insert(to.min(lines.len() - 1), line);
        }
    }
    lines.join("\n") + "\n"
}
