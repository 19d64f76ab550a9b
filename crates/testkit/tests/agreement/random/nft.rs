//! Random tables for nft.

use std::fmt::Write as _;

use super::{NETS, NETS6, one, some};
use crate::chance::Chance;

/// Tables for `nft -f`.
pub(super) fn rules(chance: &mut Chance) -> String {
    Nft(chance).rules()
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
        let verdicts = self.answers(&["22", "53-80", "443", "1000-2000"], &[]);
        let _ = writeln!(
            text,
            "map verdicts {{\ntype inet_service : verdict; flags interval\nelements = {{ {verdicts} }}\n}}"
        );
        let pairs: &[&str] = if family == "ip6" {
            &[
                "2001:db8:f::/64 . 22-80",
                "2001:db8:e::1 . 443",
                "2001:db8:0:1::1 . 0-1000",
            ]
        } else {
            &[
                "203.0.113.0/24 . 22-80",
                "198.51.100.7 . 443",
                "10.0.0.0/8 . 0-1000",
            ]
        };
        let pairs = some(self.0, pairs).join(", ");
        let _ = writeln!(
            text,
            "set pairs {{\ntype {of} . inet_service; flags interval\nelements = {{ {pairs} }}\n}}"
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
        for (hook, priority) in [("prerouting", -100), ("output", -100), ("postrouting", 100)] {
            if self.0.percent(35) {
                let _ = writeln!(
                    text,
                    "chain nat_{hook}_{number} {{\ntype nat hook {hook} priority {priority};"
                );
                for _ in 0..=self.0.below(4) {
                    self.rewriting(family, hook, text);
                }
                text.push_str("}\n");
            }
        }
        text.push_str("}\n");
    }

    /// A rule of a nat chain.
    fn rewriting(&mut self, family: &str, hook: &str, text: &mut String) {
        let v6 = family == "ip6" || family == "inet" && self.0.percent(40);
        let mut words = Vec::new();
        if family == "inet" {
            words.push(format!("meta nfproto {}", if v6 { "ipv6" } else { "ipv4" }));
        }
        let layer = one(self.0, &["tcp", "udp", "any"]);
        if layer != "any" {
            words.push(self.transport(layer, v6));
        }
        if self.0.percent(50) {
            words.push(self.network(family, v6));
        }
        let ip = match (family, v6) {
            ("inet", false) => "ip ",
            ("inet", true) => "ip6 ",
            _ => "",
        };
        let (near, own) = if v6 {
            ("2001:db8:f::9", "2001:db8:0:1::1")
        } else {
            ("203.0.113.9", "192.0.3.1")
        };
        let port = if layer != "any" && self.0.percent(50) {
            ":80"
        } else {
            ""
        };
        let to = |address: &str| match (port, v6) {
            ("", _) | (_, false) => format!("{address}{port}"),
            (_, true) => format!("[{address}]{port}"),
        };
        let redirect = if port.is_empty() {
            "redirect"
        } else {
            "redirect to :53"
        };
        let targets = match hook {
            "prerouting" => vec![
                format!("dnat {ip}to {}", to(near)),
                format!("dnat {ip}to {}", to(own)),
                redirect.to_owned(),
                "accept".to_owned(),
            ],
            "output" => vec![format!("dnat {ip}to {}", to(near)), "return".to_owned()],
            _ => vec![
                format!("snat {ip}to {}", to(near)),
                "masquerade".to_owned(),
                "accept".to_owned(),
            ],
        };
        words.push(self.0.pick(&targets).unwrap().clone());
        let _ = writeln!(text, "{}", words.join(" "));
    }

    /// Some of the keys with a verdict each.
    fn answers(&mut self, keys: &[&str], callable: &[String]) -> String {
        let mut elements = Vec::new();
        for key in some(self.0, keys) {
            let verdict = match self.0.pick(callable) {
                Some(chain) if self.0.percent(40) => format!("jump {chain}"),
                _ => one(self.0, &["accept", "drop", "return", "continue"]).to_owned(),
            };
            elements.push(format!("{key} : {verdict}"));
        }
        elements.join(", ")
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
                        "ct mark set 0x10",
                        "ct mark set meta mark",
                        "meta mark set ct mark",
                        "ct mark set ct mark or 1",
                    ],
                );
                words.push(set.to_owned());
            }
            2 if matches!(hook, "prerouting" | "output") && self.0.percent(30) => {
                words.push("notrack".to_owned());
            }
            _ => {}
        }
        if let Some(verdict) = self.verdict(hook, layer, v6, callable) {
            words.push(verdict);
        }
        if words.is_empty() {
            words.push("counter".to_owned());
        }
        let _ = writeln!(text, "{}", words.join(" "));
    }

    fn verdict(
        &mut self,
        hook: &str,
        layer: &str,
        v6: bool,
        callable: &[String],
    ) -> Option<String> {
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
            8 => return Some(self.verdict_map(layer, v6, callable)),
            _ => return None,
        };
        Some(word.to_owned())
    }

    fn verdict_map(&mut self, layer: &str, v6: bool, callable: &[String]) -> String {
        let ported = matches!(layer, "tcp" | "udp");
        if ported && self.0.percent(25) {
            return format!("{layer} dport vmap @verdicts");
        }
        let concatenated = format!("ip saddr . {layer} dport");
        let (key, values): (&str, &[&str]) = match self.0.below(5) {
            0 if ported && !v6 => (
                &concatenated,
                &["203.0.113.9 . 22", "203.0.113.99 . 53", "198.51.100.7 . 80"],
            ),
            0 | 1 if layer == "tcp" => ("tcp dport", &["22", "53", "80-90", "443"]),
            0 | 1 if layer == "udp" => ("udp sport", &["22", "53", "80", "1000-2000"]),
            2 if layer == "any" => ("meta l4proto", &["tcp", "udp", "icmp"]),
            3 => ("ct state", &["new", "established", "related", "invalid"]),
            _ => ("meta mark", &["0", "1", "16", "17"]),
        };
        format!("{key} vmap {{ {} }}", self.answers(values, callable))
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
                    // Nor does it list `ip6 nexthdr 60` behind a port: it takes it for implied.
                    let next = match one(self.0, &["60", "{ 43, 60 }"]) {
                        "60" if not.is_empty() => "{ 60, 135 }",
                        next => next,
                    };
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
            ("tcp" | "udp", 1) if !v6 && self.0.percent(40) => {
                format!("ip daddr . {layer} dport {not}@pairs")
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
                let field = one(self.0, &["meta", "meta", "ct"]);
                format!("{field} mark {not}{mark}")
            }
        }
    }
}
