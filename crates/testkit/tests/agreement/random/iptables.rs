//! Random tables for iptables and ip6tables.

use std::fmt::Write as _;

use super::ipset::{SETS, SETS6};
use super::{INTERFACES, NETS, NETS6, PORTS, STATES, one, some};
use crate::chance::Chance;

/// Tables for `iptables-restore`.
pub(super) fn rules(chance: &mut Chance, v6: bool, sets: bool) -> String {
    Iptables { chance, v6, sets }.rules()
}

/// What a rule knows of the packet's transport protocol.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layer {
    Tcp,
    Udp,
    Any,
}

struct Iptables<'a> {
    chance: &'a mut Chance,
    v6: bool,
    /// Whether to ask for the sets of [`super::ipset`].
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
        if self.chance.percent(60) {
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
        let layer = self.protocol(&mut words);
        if self.sets && self.chance.percent(60) {
            let (name, _, dimensions) = *self
                .chance
                .pick(if self.v6 { SETS6 } else { SETS })
                .unwrap();
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
        self.target(table, chain, callable, layer, &mut words);
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

    /// A protocol with conditions of its own, and which it is for sure.
    fn protocol(&mut self, words: &mut String) -> Layer {
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
                return Layer::Tcp;
            }
            3 | 4 => {
                words.push_str(" -p udp");
                if self.chance.percent(30) {
                    self.list(words);
                } else {
                    self.ports("udp", words);
                }
                return Layer::Udp;
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
        Layer::Any
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
        match self.chance.below(12) {
            9 => {
                let state = one(self.chance, &["DNAT", "SNAT", "NEW,DNAT"]);
                let _ = write!(words, " -m conntrack{not} --ctstate {state}");
            }
            10 => {
                let port = one(self.chance, PORTS);
                let _ = write!(words, " -m conntrack{not} --ctorigdstport {port}");
            }
            11 => {
                let direction = one(self.chance, &["ORIGINAL", "REPLY"]);
                let _ = write!(words, " -m conntrack --ctdir {direction}");
            }
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
        layer: Layer,
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
            let target = self.rewriting(chain, layer);
            let _ = write!(words, " -j {target}");
            return;
        }
        if table == "raw" && self.chance.percent(60) {
            words.push_str(" -j CT --notrack");
            return;
        }
        if table == "mangle" && self.chance.percent(75) {
            if self.chance.percent(15) {
                let hops = if self.v6 {
                    "HL --hl-set 64"
                } else {
                    "TTL --ttl-set 64"
                };
                let headers = [hops, "DSCP --set-dscp 0x2e", "TOS --set-tos 0x08"];
                let target = one(self.chance, &headers);
                let _ = write!(words, " -j {target}");
                return;
            }
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
            8 if table == "filter" && layer == Layer::Tcp && self.chance.percent(50) => {
                "REJECT --reject-with tcp-reset"
            }
            8 if table == "filter" => "REJECT",
            _ => return,
        };
        let _ = write!(words, " -j {target}");
    }

    /// A target of the nat table; ports only where the rule asks for a protocol that has some.
    fn rewriting(&mut self, chain: &str, layer: Layer) -> String {
        let (near, far, own, network) = if self.v6 {
            (
                "2001:db8:f::9",
                "2001:db8:f::77",
                "2001:db8:0:1::1",
                "2001:db8:e::/64",
            )
        } else {
            (
                "203.0.113.9",
                "203.0.113.77",
                "192.0.3.1",
                "203.0.113.64/26",
            )
        };
        let with_port = layer != Layer::Any && self.chance.percent(50);
        let to = |address: &str, port: &str| match (with_port, self.v6) {
            (false, _) => address.to_owned(),
            (true, false) => format!("{address}:{port}"),
            (true, true) => format!("[{address}]:{port}"),
        };
        let to_ports = if with_port { " --to-ports 53" } else { "" };
        let targets = match chain {
            "PREROUTING" => vec![
                format!("DNAT --to-destination {}", to(near, "80")),
                format!("DNAT --to-destination {}", to(own, "443")),
                format!("DNAT --to-destination {}", to(far, "1000-1010")),
                format!("REDIRECT{to_ports}"),
                format!("NETMAP --to {network}"),
                "ACCEPT".to_owned(),
            ],
            // What goes to an address of this host would come in again.
            "OUTPUT" => vec![
                format!("DNAT --to-destination {}", to(near, "80")),
                "ACCEPT".to_owned(),
                "RETURN".to_owned(),
            ],
            "POSTROUTING" | "INPUT" => {
                let masquerade = if chain == "INPUT" {
                    "RETURN".to_owned()
                } else {
                    format!("MASQUERADE{to_ports}")
                };
                vec![
                    format!("SNAT --to-source {}", to(far, "1000-1010")),
                    format!("SNAT --to-source {}", to(own, "4000")),
                    masquerade,
                    "ACCEPT".to_owned(),
                ]
            }
            _ => vec!["RETURN".to_owned()],
        };
        self.chance.pick(&targets).unwrap().clone()
    }
}
