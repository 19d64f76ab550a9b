//! Rule sets that nobody thought of.
//!
//! Values come from small pools, so that rules meet each other; chains call only chains behind
//! them, so that there are no loops.

use std::fmt::Write as _;

use crate::case::{Case, with_mechanisms};
use crate::chance::Chance;

/// So many rule sets for iptables, ip6tables, nft, and iptables with ipset each. Another seed gives
/// others.
pub(crate) fn cases(count: usize, seed: u64) -> Vec<Case> {
    let mut cases = Vec::new();
    for number in 1..=count {
        for kind in ["v4", "v6", "nft", "ipset"] {
            let name = match seed {
                0 => format!("random {kind} {number}"),
                _ => format!("random {kind} {seed}.{number}"),
            };
            let mut chance = Chance::new(&name);
            let iptables =
                |chance: &mut Chance, v6: bool, sets: bool| Iptables { chance, v6, sets }.rules();
            let texts = match kind {
                "nft" => vec![(kind, Nft(&mut chance).rules())],
                "ipset" => vec![
                    (kind, ipsets(&mut chance)),
                    ("v4", iptables(&mut chance, false, true)),
                ],
                _ => vec![(kind, iptables(&mut chance, kind == "v6", false))],
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

/// The sets that the rules ask for, with the directions of their keys.
const SETS: &[(&str, &str, u8)] = &[
    ("nets", "hash:net", 1),
    ("hosts", "hash:ip", 1),
    ("blocks", "hash:ip netmask 26", 1),
    ("ports", "bitmap:port range 0-65535", 1),
    ("services", "hash:ip,port", 2),
    ("netports", "hash:net,port", 2),
    ("wheres", "hash:net,iface", 2),
    ("triples", "hash:ip,port,net", 3),
    ("twice", "hash:ip,port,ip", 3),
    ("map", "bitmap:ip range 203.0.113.0/24", 1),
    ("both", "list:set", 1),
    ("pairs", "list:set", 2),
];

fn ipsets(chance: &mut Chance) -> String {
    const SERVICES: &[&str] = &[
        "tcp:22",
        "tcp:80",
        "udp:53",
        "udp:1000-1010",
        "icmp:8/0",
        "icmp:3/4",
        "tcp:53",
    ];
    let hosts = [
        "203.0.113.9",
        "203.0.113.99",
        "198.51.100.7",
        "10.0.0.1",
        "192.0.3.1",
    ];
    let mut text = String::new();
    for (name, kind, _) in SETS {
        let _ = writeln!(text, "create {name} {kind}");
        let mut seen = Vec::new();
        for _ in 0..=chance.below(6) {
            let host = one(chance, &hosts);
            let net = one(chance, NETS);
            let service = one(chance, SERVICES);
            let element = match *kind {
                "hash:net" => net.to_owned(),
                "hash:ip,port" => format!("{host},{service}"),
                "hash:net,port" => format!("{net},{service}"),
                "hash:net,iface" => format!("{net},{}", one(chance, &["eth0", "eth1", "ppp0"])),
                "hash:ip,port,net" => format!("{host},{service},{net}"),
                "hash:ip,port,ip" => format!("{host},{service},{}", one(chance, &hosts)),
                "list:set" if *name == "both" => {
                    one(chance, &["nets", "hosts", "blocks", "map"]).to_owned()
                }
                "list:set" => one(chance, &["services", "netports", "wheres"]).to_owned(),
                _ if *name == "ports" => one(chance, PORTS).to_owned(),
                _ if *name == "map" => one(chance, &hosts[..2]).to_owned(),
                _ => host.to_owned(),
            };
            if seen.contains(&element) {
                continue;
            }
            let except = kind.contains("net") && *kind != "list:set" && chance.percent(25);
            let nomatch = if except && !kind.contains("netmask") {
                " nomatch"
            } else {
                ""
            };
            let _ = writeln!(text, "add {name} {element}{nomatch}");
            seen.push(element);
        }
    }
    text
}

struct Iptables<'a> {
    chance: &'a mut Chance,
    v6: bool,
    /// Whether to ask for the sets of [`ipsets`].
    sets: bool,
}

impl Iptables<'_> {
    fn rules(&mut self) -> String {
        let mut text = String::new();
        if self.chance.percent(40) {
            self.table("raw", &["PREROUTING", "OUTPUT"], 3, &mut text);
        }
        if self.chance.percent(60) {
            let chains = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
            self.table("mangle", &chains, 9, &mut text);
        }
        if !self.v6 && self.chance.percent(60) {
            let chains = ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"];
            self.table("nat", &chains, 18, &mut text);
        }
        let chains = ["INPUT", "FORWARD", "OUTPUT"];
        self.table("filter", &chains, 26, &mut text);
        text
    }

    fn table(&mut self, table: &str, builtin: &[&str], rules: usize, text: &mut String) {
        let _ = writeln!(text, "*{table}");
        for chain in builtin {
            let policy = if table == "filter" && self.chance.percent(50) {
                "DROP"
            } else {
                "ACCEPT"
            };
            let _ = writeln!(text, ":{chain} {policy} [0:0]");
        }
        let users: Vec<String> = (0..self.chance.below(5))
            .map(|number| format!("user{number}"))
            .collect();
        for chain in &users {
            let _ = writeln!(text, ":{chain} - [0:0]");
        }
        for (number, chain) in users.iter().enumerate() {
            for _ in 0..=self.chance.below(5) {
                self.rule(table, chain, &users[number + 1..], text);
            }
        }
        for _ in 0..rules {
            let chain = one(self.chance, builtin);
            self.rule(table, chain, &users, text);
        }
        text.push_str("COMMIT\n");
    }

    fn rule(&mut self, table: &str, chain: &str, callable: &[String], text: &mut String) {
        let mut words = format!("-A {chain}");
        let nets = if self.v6 { NETS6 } else { NETS };
        if self.chance.percent(35) {
            let net = one(self.chance, nets);
            let _ = write!(words, "{} -s {net}", self.maybe_not());
        }
        if self.chance.percent(25) {
            let net = one(self.chance, nets);
            let _ = write!(words, "{} -d {net}", self.maybe_not());
        }
        if self.chance.percent(20) && !matches!(chain, "OUTPUT" | "POSTROUTING") {
            let name = self.interface();
            let _ = write!(words, "{} -i {name}", self.maybe_not());
        }
        if self.chance.percent(15) && !matches!(chain, "INPUT" | "PREROUTING") {
            let name = self.interface();
            let _ = write!(words, "{} -o {name}", self.maybe_not());
        }
        let tcp = self.protocol(&mut words);
        if self.sets && self.chance.percent(60) {
            let (name, _, dimensions) = *self.chance.pick(SETS).unwrap();
            let directions: Vec<&str> = (0..dimensions)
                .map(|_| one(self.chance, &["src", "dst"]))
                .collect();
            let directions = directions.join(",");
            let not = self.maybe_not();
            let _ = write!(words, " -m set{not} --match-set {name} {directions}");
        }
        if self.chance.percent(40) {
            self.condition(table, chain, &mut words);
        }
        self.target(table, chain, callable, tcp, &mut words);
        let _ = writeln!(text, "{words}");
    }

    fn maybe_not(&mut self) -> &'static str {
        if self.chance.percent(25) { " !" } else { "" }
    }

    fn interface(&mut self) -> String {
        let name = one(self.chance, INTERFACES);
        if name == "eth" || self.chance.percent(10) {
            format!("{name}+")
        } else {
            name.to_owned()
        }
    }

    /// A protocol with conditions of its own; whether it is TCP for sure.
    fn protocol(&mut self, words: &mut String) -> bool {
        let icmp = if self.v6 { "ipv6-icmp" } else { "icmp" };
        let module = if self.v6 { "icmp6" } else { "icmp" };
        match self.chance.below(8) {
            0..=2 => {
                words.push_str(" -p tcp");
                match self.chance.below(5) {
                    0 => {
                        let _ = write!(words, " -m tcp{} --syn", self.maybe_not());
                    }
                    1 => {
                        let flags = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
                        let mask = some(self.chance, &flags);
                        let names: Vec<&str> = mask.iter().map(String::as_str).collect();
                        let set = if self.chance.percent(20) {
                            vec!["NONE".to_owned()]
                        } else {
                            some(self.chance, &names)
                        };
                        let (mask, set) = (mask.join(","), set.join(","));
                        let not = self.maybe_not();
                        let _ = write!(words, " -m tcp{not} --tcp-flags {mask} {set}");
                    }
                    2 => self.list(words),
                    _ => self.ports("tcp", words),
                }
                return true;
            }
            3 | 4 => {
                words.push_str(" -p udp");
                if self.chance.percent(30) {
                    self.list(words);
                } else {
                    self.ports("udp", words);
                }
            }
            5 => {
                let _ = write!(words, " -p {icmp}");
                if self.chance.percent(70) {
                    let kinds: &[&str] = if self.v6 {
                        &["128", "1", "1/4", "2", "3/0", "135", "133"]
                    } else {
                        &["8", "0", "3", "3/4", "11/0", "13", "any"]
                    };
                    let kind = one(self.chance, kinds);
                    let option = if self.v6 { "icmpv6-type" } else { "icmp-type" };
                    // `! any` matches nothing, and the two mechanisms do not agree how to show it.
                    let not = if kind == "any" { "" } else { self.maybe_not() };
                    let _ = write!(words, " -m {module}{not} --{option} {kind}");
                }
            }
            6 if self.chance.percent(40) => {
                let _ = write!(words, "{} -p 50", self.maybe_not());
            }
            6 => {
                let _ = write!(words, " ! -p tcp");
            }
            _ => {}
        }
        false
    }

    fn ports(&mut self, module: &str, words: &mut String) {
        let option = one(self.chance, &["--dport", "--dport", "--sport"]);
        let port = one(self.chance, PORTS);
        let range = match self.chance.below(5) {
            0 => format!("{port}:"),
            1 => format!(":{port}"),
            2 => format!("{port}:2000"),
            _ => port.to_owned(),
        };
        let _ = write!(words, " -m {module}{} {option} {range}", self.maybe_not());
    }

    fn list(&mut self, words: &mut String) {
        let option = one(self.chance, &["--dports", "--sports", "--ports"]);
        let mut ports = some(self.chance, PORTS);
        if self.chance.percent(40) {
            ports.push("5000:6000".to_owned());
        }
        let ports = ports.join(",");
        let _ = write!(words, " -m multiport{} {option} {ports}", self.maybe_not());
    }

    fn condition(&mut self, table: &str, chain: &str, words: &mut String) {
        let not = self.maybe_not();
        match self.chance.below(9) {
            0 | 1 => {
                let states = some(self.chance, STATES).join(",");
                let _ = write!(words, " -m conntrack{not} --ctstate {states}");
            }
            2 => {
                let mark = one(
                    self.chance,
                    &["0x0", "0x1", "0x1/0x1", "0x10/0xf0", "0x3/0xff"],
                );
                let _ = write!(words, " -m mark{not} --mark {mark}");
            }
            3 => {
                let mark = one(self.chance, &["0x0", "0x1", "0x1/0x1", "0x10/0xf0"]);
                let _ = write!(words, " -m connmark{not} --mark {mark}");
            }
            4 if !self.v6 => {
                let range = one(
                    self.chance,
                    &["203.0.113.5-203.0.113.9", "198.51.100.7-203.0.113.98"],
                );
                let side = one(self.chance, &["src", "dst"]);
                let _ = write!(words, " -m iprange{not} --{side}-range {range}");
            }
            5 if self.v6 => {
                let test = one(self.chance, &["eq 64", "lt 64", "gt 63"]);
                let _ = write!(words, " -m hl --hl-{test}");
            }
            5 => {
                let test = one(self.chance, &["eq 64", "lt 64", "gt 63"]);
                let _ = write!(words, " -m ttl --ttl-{test}");
            }
            6 => {
                let length = one(self.chance, &["0:50", "40:60", "28", "60:"]);
                let _ = write!(words, " -m length{not} --length {length}");
            }
            7 if matches!(chain, "INPUT" | "PREROUTING" | "FORWARD") => {
                let mac = one(self.chance, &["02:00:00:00:99:01", "02:00:00:00:99:02"]);
                let _ = write!(words, " -m mac{not} --mac-source {mac}");
            }
            8 if !self.v6 && table == "filter" => {
                let kind = one(self.chance, &["LOCAL", "UNICAST"]);
                let _ = write!(words, " -m addrtype{not} --src-type {kind}");
            }
            _ => {
                let value = one(self.chance, &["0x2e", "0x00", "0x08"]);
                let _ = write!(words, " -m dscp{not} --dscp {value}");
            }
        }
    }

    fn target(
        &mut self,
        table: &str,
        chain: &str,
        callable: &[String],
        tcp: bool,
        words: &mut String,
    ) {
        if self.chance.percent(25)
            && let Some(chain) = self.chance.pick(callable)
        {
            let verb = if self.chance.percent(30) { "-g" } else { "-j" };
            let _ = write!(words, " {verb} {chain}");
            return;
        }
        if table == "nat" && self.chance.percent(80) {
            let destination = [
                "DNAT --to-destination 203.0.113.9",
                "DNAT --to-destination 192.0.3.1",
                "DNAT --to-destination 203.0.113.99-203.0.113.101",
                "REDIRECT",
                "NETMAP --to 203.0.113.64/26",
                "ACCEPT",
            ];
            let source = [
                "SNAT --to-source 203.0.113.77",
                "SNAT --to-source 198.51.100.7-198.51.100.9",
                "ACCEPT",
                "RETURN",
            ];
            let target = match chain {
                "PREROUTING" => one(self.chance, &destination),
                // Packets that are rewritten here are routed again, by tables of their own.
                "OUTPUT" => "ACCEPT",
                "POSTROUTING" | "INPUT" => one(self.chance, &source),
                _ => "RETURN",
            };
            let _ = write!(words, " -j {target}");
            return;
        }
        if table == "raw" && self.chance.percent(60) {
            words.push_str(" -j CT --notrack");
            return;
        }
        if table == "mangle" && self.chance.percent(75) {
            let target = one(
                self.chance,
                &[
                    "MARK --set-xmark 0x1/0xff",
                    "MARK --set-mark 0x10",
                    "MARK --or-mark 0x2",
                    "MARK --and-mark 0xfffffff0",
                    "MARK --xor-mark 0x11",
                    "MARK --set-xmark 0x3/0xf",
                    "CONNMARK --set-mark 0x1",
                    "CONNMARK --set-xmark 0x10/0xf0",
                    "CONNMARK --save-mark",
                    "CONNMARK --restore-mark",
                    "CONNMARK --save-mark --nfmask 0xf --ctmask 0xff",
                    "CONNMARK --restore-mark --nfmask 0xff --ctmask 0xf0",
                ],
            );
            let _ = write!(words, " -j {target}");
            return;
        }
        let target = match self.chance.below(10) {
            0..=3 => "ACCEPT",
            4 | 5 if table != "nat" => "DROP",
            6 | 7 => "RETURN",
            8 if table == "filter" && tcp && self.chance.percent(50) => {
                "REJECT --reject-with tcp-reset"
            }
            8 if table == "filter" => "REJECT",
            _ => return,
        };
        let _ = write!(words, " -j {target}");
    }
}

struct Nft<'a>(&'a mut Chance);

impl Nft<'_> {
    fn rules(&mut self) -> String {
        let mut text = String::new();
        let mut tables = vec!["inet"];
        tables.extend(
            some(self.0, &["ip", "ip6"]).iter().map(
                |family| {
                    if family == "ip" { "ip" } else { "ip6" }
                },
            ),
        );
        for (number, family) in tables.into_iter().enumerate() {
            self.table(family, number, &mut text);
        }
        text
    }

    fn table(&mut self, family: &str, number: usize, text: &mut String) {
        let _ = writeln!(text, "table {family} t{number} {{");
        let nets = self.nets(family == "ip6").join(", ");
        let of = if family == "ip6" {
            "ipv6_addr"
        } else {
            "ipv4_addr"
        };
        let _ = writeln!(
            text,
            "set nets {{\ntype {of}; flags interval; auto-merge\nelements = {{ {nets} }}\n}}"
        );
        let services = some(self.0, &["22", "53", "80-90", "443", "1000-2000"]).join(", ");
        let _ = writeln!(
            text,
            "set services {{\ntype inet_service; flags interval\nelements = {{ {services} }}\n}}"
        );
        let users: Vec<String> = (0..self.0.below(4))
            .map(|number| format!("user{number}"))
            .collect();
        // nft wants a chain before a rule that calls it.
        for (number, chain) in users.iter().enumerate().rev() {
            let _ = writeln!(text, "chain {chain} {{");
            for _ in 0..=self.0.below(4) {
                self.rule(family, "user", &users[number + 1..], text);
            }
            text.push_str("}\n");
        }
        for hook in ["prerouting", "input", "forward", "output", "postrouting"] {
            if !self.0.percent(70) {
                continue;
            }
            let priority = one(self.0, &["-350", "-150", "-10", "0", "5", "50"]);
            let policy = if self.0.percent(15) { "drop" } else { "accept" };
            let _ = writeln!(
                text,
                "chain {hook}_{number} {{\ntype filter hook {hook} priority {priority}; policy {policy};"
            );
            for _ in 0..=self.0.below(9) {
                self.rule(family, hook, &users, text);
            }
            text.push_str("}\n");
        }
        text.push_str("}\n");
    }

    /// Networks that do not overlap.
    fn nets(&mut self, v6: bool) -> Vec<String> {
        let apart: &[&str] = if v6 {
            &["2001:db8:f::8/125", "2001:db8:e::/64", "2001:db8:0:1::1"]
        } else {
            &[
                "203.0.113.64/26",
                "203.0.113.5-203.0.113.9",
                "10.0.0.0/8",
                "198.51.100.7",
            ]
        };
        some(self.0, apart)
    }

    fn rule(&mut self, family: &str, hook: &str, callable: &[String], text: &mut String) {
        let mut words = Vec::new();
        // nft refuses what contradicts itself.
        let v6 = family == "ip6" || family == "inet" && self.0.percent(40);
        let layer = one(self.0, &["tcp", "udp", "icmp", "any"]);
        for _ in 0..self.0.below(4) {
            let condition = match self.0.below(3) {
                0 => self.network(family, v6),
                1 => self.transport(layer, v6),
                _ => self.meta(hook),
            };
            words.push(condition);
        }
        match self.0.below(6) {
            0 => words.push("counter".to_owned()),
            1 => {
                let set = one(
                    self.0,
                    &[
                        "meta mark set 1",
                        "meta mark set 0x10",
                        "meta mark set meta mark and 0xf0",
                        "meta mark set meta mark or 2",
                        "meta mark set meta mark xor 0x11",
                    ],
                );
                words.push(set.to_owned());
            }
            _ => {}
        }
        if let Some(verdict) = self.verdict(hook, layer, callable) {
            words.push(verdict);
        }
        if words.is_empty() {
            words.push("counter".to_owned());
        }
        let _ = writeln!(text, "{}", words.join(" "));
    }

    fn verdict(&mut self, hook: &str, layer: &str, callable: &[String]) -> Option<String> {
        if self.0.percent(25)
            && let Some(chain) = self.0.pick(callable)
        {
            let verb = if self.0.percent(30) { "goto" } else { "jump" };
            return Some(format!("{verb} {chain}"));
        }
        let word = match self.0.below(10) {
            0..=2 => "accept",
            3 => "drop",
            4 | 5 => "return",
            6 => "continue",
            // Only where there is somebody to answer, and no user chain is called from elsewhere.
            7 if matches!(hook, "input" | "forward" | "output") => "reject",
            8 => return Some(self.verdict_map(layer, callable)),
            _ => return None,
        };
        Some(word.to_owned())
    }

    fn verdict_map(&mut self, layer: &str, callable: &[String]) -> String {
        let (key, values): (&str, &[&str]) = match self.0.below(4) {
            0 | 1 if layer == "tcp" => ("tcp dport", &["22", "53", "80-90", "443"]),
            0 | 1 if layer == "udp" => ("udp sport", &["22", "53", "80", "1000-2000"]),
            2 if layer == "any" => ("meta l4proto", &["tcp", "udp", "icmp"]),
            _ => ("meta mark", &["0", "1", "16", "17"]),
        };
        let mut elements = Vec::new();
        for value in some(self.0, values) {
            let verdict = match self.0.pick(callable) {
                Some(chain) if self.0.percent(40) => format!("jump {chain}"),
                _ => one(self.0, &["accept", "drop", "return", "continue"]).to_owned(),
            };
            elements.push(format!("{value} : {verdict}"));
        }
        format!("{key} vmap {{ {} }}", elements.join(", "))
    }

    fn not(&mut self) -> &'static str {
        if self.0.percent(25) { "!= " } else { "" }
    }

    fn network(&mut self, family: &str, v6: bool) -> String {
        let (ip, nets) = if v6 { ("ip6", NETS6) } else { ("ip", NETS) };
        let side = one(self.0, &["saddr", "daddr"]);
        let not = self.not();
        match self.0.below(4) {
            // The set of an inet table holds IPv4 addresses.
            0 if !v6 || family == "ip6" => format!("{ip} {side} {not}@nets"),
            1 => {
                if v6 && self.0.percent(40) {
                    // nft takes a set with 6 for TCP and refuses a later `udp`.
                    let next = one(self.0, &["60", "{ 43, 60 }"]);
                    return format!("ip6 nexthdr {not}{next}");
                }
                let field = if v6 { "hoplimit" } else { "ttl" };
                let test = one(self.0, &["64", "< 64", "63-64"]);
                format!("{ip} {field} {test}")
            }
            _ => {
                let net = one(self.0, nets);
                format!("{ip} {side} {not}{net}")
            }
        }
    }

    fn transport(&mut self, layer: &str, v6: bool) -> String {
        let not = self.not();
        match (layer, self.0.below(3)) {
            ("tcp", 0) => {
                let flags = [
                    "tcp flags syn / syn,ack",
                    "tcp flags & (fin | syn | rst) == 0",
                    "tcp flags != syn",
                    "tcp flags syn,ack",
                    "tcp flags fin",
                    "tcp flags == syn | ack",
                    "tcp flags & (syn | ack) != syn",
                    "tcp flags != syn,rst",
                    "tcp flags ! fin,rst",
                    "tcp flags ! ack",
                    "tcp flags { syn, ack, syn | ack }",
                ];
                one(self.0, &flags).to_owned()
            }
            ("tcp" | "udp", 1) if !v6 => {
                let pairs = ["203.0.113.9 . 22", "203.0.113.99 . 53", "198.51.100.7 . 80"];
                let pairs = some(self.0, &pairs).join(", ");
                format!("ip saddr . {layer} dport {not}{{ {pairs} }}")
            }
            ("tcp" | "udp", _) => {
                let field = one(self.0, &["dport", "sport"]);
                let ports = [
                    "22",
                    "53-80",
                    "{ 22, 80-90 }",
                    "@services",
                    "< 1000",
                    ">= 443",
                ];
                let port = one(self.0, &ports);
                let not = if port.starts_with(['<', '>']) {
                    ""
                } else {
                    not
                };
                format!("{layer} {field} {not}{port}")
            }
            ("icmp", _) if v6 => {
                let kind = one(self.0, &["echo-request", "nd-router-solicit"]);
                format!("icmpv6 type {not}{kind}")
            }
            ("icmp", _) => {
                let kind = one(self.0, &["echo-request", "{ echo-reply, 13 }"]);
                format!("icmp type {not}{kind}")
            }
            _ => {
                let protocol = one(self.0, &["tcp", "udp", "{ tcp, udp }", "esp"]);
                format!("meta l4proto {not}{protocol}")
            }
        }
    }

    fn meta(&mut self, hook: &str) -> String {
        let not = self.not();
        let names = ["\"eth0\"", "\"eth*\"", "{ \"eth1\", \"ppp0\" }"];
        match self.0.below(5) {
            0 if self.0.percent(30) => {
                let states = [
                    "ct state new,related",
                    "ct state ! new",
                    "ct state != established",
                    "ct state ! invalid,established",
                    "ct state != new,invalid",
                    "ct state == new",
                ];
                one(self.0, &states).to_owned()
            }
            0 => {
                let states = ["new", "established", "related", "invalid"];
                let states = some(self.0, &states).join(", ");
                format!("ct state {not}{{ {states} }}")
            }
            1 if !matches!(hook, "output" | "postrouting") => {
                let name = one(self.0, &names);
                format!("iifname {not}{name}")
            }
            2 if !matches!(hook, "input" | "prerouting") => {
                let name = one(self.0, &names);
                format!("oifname {not}{name}")
            }
            3 => {
                let length = one(self.0, &["< 60", "40-60", "28"]);
                format!("meta length {length}")
            }
            _ => {
                let mark = one(self.0, &["0", "1", "0x10", "{ 1, 16 }", "1-16"]);
                format!("meta mark {not}{mark}")
            }
        }
    }
}
