//! Generated changes: each that locks a session out is refused, each that does no harm passes. Of iptables and nft,
//! from several rule sets, with things beside that do not matter.
//!
//! `SUREFOOT_LOCKOUTS` says how many of each; `cargo xtask long lockouts` asks for 100.

use std::fmt::Write as _;
use std::net::SocketAddr;

use surefoot_apply::{AccessVerdict, access_questions, prove_access};
use surefoot_firewall::LoadedRules;
use surefoot_ruleset::model::{Backend, Family};
use surefoot_ruleset::{Format, Input};

/// A rule in the words of nft and of iptables.
type RuleWords = (String, String);

/// Rules for what comes in and what goes out.
#[derive(Clone, Default)]
struct GeneratedRules {
    input: Vec<RuleWords>,
    input_drops: bool,
    output: Vec<RuleWords>,
    output_drops: bool,
}

/// Numbers that are the same in every run.
struct NumberSource(u64);

impl NumberSource {
    fn of_case(case: u64) -> Self {
        Self(case.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }

    fn place_in(&mut self, rules: &[RuleWords]) -> usize {
        usize::try_from(self.below(rules.len() as u64 + 1)).expect("it is small")
    }
}

fn rule(nft: &str, iptables: &str) -> RuleWords {
    (nft.to_owned(), iptables.to_owned())
}

fn loopback() -> RuleWords {
    rule("iifname lo accept", "-i lo -j ACCEPT")
}

fn established() -> RuleWords {
    rule(
        "ct state established,related accept",
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    )
}

fn port(protocol: &str, number: u64, verdict: &str) -> RuleWords {
    rule(
        &format!("{protocol} dport {number} {}", verdict.to_lowercase()),
        &format!("-p {protocol} --dport {number} -j {verdict}"),
    )
}

fn ban(network: &str) -> RuleWords {
    rule(
        &format!("ip saddr {network} drop"),
        &format!("-s {network} -j DROP"),
    )
}

fn ssh_from(network: &str) -> RuleWords {
    rule(
        &format!("ip saddr {network} tcp dport 22 accept"),
        &format!("-s {network} -p tcp --dport 22 -j ACCEPT"),
    )
}

/// Rules under which the session from 192.0.2.9 to port 22 lives.
fn old_rules(numbers: &mut NumberSource) -> GeneratedRules {
    let mut rules = GeneratedRules::default();
    let kind = numbers.below(4);
    if kind > 0 {
        rules.input_drops = true;
        rules.input = vec![loopback(), established()];
        rules.input.push(match kind {
            1 => port("tcp", 22, "ACCEPT"),
            2 => ssh_from("192.0.2.0/24"),
            _ => ssh_from("192.0.2.9"),
        });
    }
    if kind == 3 {
        rules.output_drops = true;
        rules.output = vec![
            rule("oifname lo accept", "-o lo -j ACCEPT"),
            established(),
            rule(
                "ct state new accept",
                "-m conntrack --ctstate NEW -j ACCEPT",
            ),
        ];
    }
    for _ in 0..numbers.below(3) {
        add_harmless(&mut rules, numbers);
    }
    rules
}

/// Adds something that leaves the session, new ones, loopback and most replies alone.
fn add_harmless(rules: &mut GeneratedRules, numbers: &mut NumberSource) {
    let number = 1024 + numbers.below(20_000);
    let last = 1 + numbers.below(250);
    let added = match numbers.below(7) {
        0 => ban(&format!("203.0.113.{last}")),
        1 => ban(&format!("{}.0.0.0/8", 101 + numbers.below(20))),
        2 => port("tcp", number, "DROP"),
        3 => port("tcp", number, "ACCEPT"),
        4 => port("udp", number, "ACCEPT"),
        5 => rule(
            &format!("iifname eth{} tcp dport 25 drop", last % 9 + 1),
            &format!("-i eth{} -p tcp --dport 25 -j DROP", last % 9 + 1),
        ),
        _ => rule(
            &format!("ip saddr 198.51.100.{last} tcp dport 22 drop"),
            &format!("-s 198.51.100.{last} -p tcp --dport 22 -j DROP"),
        ),
    };
    let place = numbers.place_in(&rules.input);
    rules.input.insert(place, added);
}

/// Changes the rules in a way that cuts the session, or new ones, or loopback, or replies.
fn lock_out(rules: &mut GeneratedRules, numbers: &mut NumberSource) -> &'static str {
    let last = 1 + numbers.below(250);
    let mut close = |ssh: Option<RuleWords>| {
        rules.input_drops = true;
        rules.input = vec![loopback(), established()];
        rules.input.extend(ssh);
    };
    match numbers.below(14) {
        0 => {
            close(None);
            "no ssh"
        }
        1 => {
            close(Some(port("tcp", 2000 + last, "ACCEPT")));
            "another port"
        }
        2 => {
            close(Some(ssh_from(&format!("198.51.100.{last}"))));
            "another client"
        }
        3 => {
            let door = last % 9 + 1;
            close(Some(rule(
                &format!("iifname eth{door} tcp dport 22 accept"),
                &format!("-i eth{door} -p tcp --dport 22 -j ACCEPT"),
            )));
            "another interface"
        }
        4 => {
            rules.input.insert(0, ban("192.0.2.9"));
            "the client is banned"
        }
        5 => {
            rules.input.insert(0, ban("192.0.0.0/22"));
            "the client's network is banned"
        }
        6 => {
            rules.input.insert(0, port("tcp", 22, "DROP"));
            "the port is dropped"
        }
        7 => {
            let new = rule(
                "tcp dport 22 ct state new drop",
                "-p tcp --dport 22 -m conntrack --ctstate NEW -j DROP",
            );
            rules.input.insert(0, new);
            "new connections are dropped"
        }
        8 => {
            rules.output_drops = true;
            rules.output = vec![rule("oifname lo accept", "-o lo -j ACCEPT")];
            "answers are dropped"
        }
        9 => {
            let answers = rule("tcp sport 22 drop", "-p tcp --sport 22 -j DROP");
            rules.output.insert(0, answers);
            "answers of ssh are dropped"
        }
        10 => {
            rules.input_drops = true;
            rules.input = vec![loopback(), port("tcp", 22, "ACCEPT")];
            "replies are dropped"
        }
        11 => {
            rules.input_drops = true;
            rules.input = vec![established(), port("tcp", 22, "ACCEPT")];
            "loopback is dropped"
        }
        12 => {
            let first = rule(
                "tcp flags & (fin|syn|rst|ack) == syn drop",
                "-p tcp --syn -j DROP",
            );
            rules.input.insert(0, first);
            "first packets are dropped"
        }
        _ => {
            rules.input_drops = true;
            rules.input.clear();
            "everything is dropped"
        }
    }
}

impl GeneratedRules {
    fn loaded(&self, is_nft: bool) -> LoadedRules {
        let format = if is_nft {
            Format::NftText
        } else {
            Format::Iptables {
                family: Family::Ip,
                backend: Backend::IptablesLegacy,
            }
        };
        LoadedRules::of_texts(vec![Input {
            name: "rules".to_owned(),
            text: if is_nft { self.nft() } else { self.iptables() },
            format: Some(format),
        }])
    }

    fn nft(&self) -> String {
        let mut text = "table ip f {\n".to_owned();
        for (name, rules, drops) in self.chains() {
            let policy = if drops { "drop" } else { "accept" };
            let _ = writeln!(
                text,
                "chain {name} {{\ntype filter hook {name} priority 0; policy {policy};"
            );
            for (nft, _) in rules {
                let _ = writeln!(text, "{nft}");
            }
            text.push_str("}\n");
        }
        text.push_str("}\n");
        text
    }

    fn iptables(&self) -> String {
        let mut text = "*filter\n".to_owned();
        for (name, _, drops) in self.chains() {
            let policy = if drops { "DROP" } else { "ACCEPT" };
            let _ = writeln!(text, ":{} {policy} [0:0]", name.to_uppercase());
        }
        for (name, rules, _) in self.chains() {
            for (_, iptables) in rules {
                let _ = writeln!(text, "-A {} {iptables}", name.to_uppercase());
            }
        }
        text.push_str("COMMIT\n");
        text
    }

    fn chains(&self) -> [(&'static str, &[RuleWords], bool); 2] {
        [
            ("input", &self.input, self.input_drops),
            ("output", &self.output, self.output_drops),
        ]
    }
}

/// The questions for which the change is refused.
fn refused(old: &GeneratedRules, new: &GeneratedRules, is_nft: bool) -> Vec<String> {
    let (old, new) = (old.loaded(is_nft), new.loaded(is_nft));
    let client: SocketAddr = "192.0.2.9:40000".parse().expect("an address");
    let server: SocketAddr = "192.0.2.1:22".parse().expect("an address");
    let questions = access_questions(&old, &new, &[(client, server)]).expect("they are sentences");
    let answers = prove_access(&old, &new, &questions).expect("they name no sets");
    answers
        .into_iter()
        .filter(|answer| matches!(answer.verdict, AccessVerdict::Lost | AccessVerdict::Unsure))
        .map(|answer| answer.about)
        .collect()
}

fn cases() -> u64 {
    let wanted = std::env::var("SUREFOOT_LOCKOUTS").ok();
    wanted.and_then(|number| number.parse().ok()).unwrap_or(10)
}

#[test]
fn every_generated_lockout_is_refused() {
    let mut passed = Vec::new();
    for case in 1..=cases() {
        let mut numbers = NumberSource::of_case(case);
        let old = old_rules(&mut numbers);
        let mut new = old.clone();
        let how = lock_out(&mut new, &mut numbers);
        if refused(&old, &new, case % 2 == 0).is_empty() {
            let (old, new) = (old.iptables(), new.iptables());
            passed.push(format!("{case}, {how}, from:\n{old}to:\n{new}"));
        }
    }
    assert!(passed.is_empty(), "{}: {}", passed.len(), passed.join("\n"));
}

#[test]
fn every_generated_harmless_change_passes() {
    let mut stopped = Vec::new();
    for case in 1..=cases() {
        let mut numbers = NumberSource::of_case(case);
        let old = old_rules(&mut numbers);
        let mut new = old.clone();
        for _ in 0..=numbers.below(3) {
            add_harmless(&mut new, &mut numbers);
        }
        let names = refused(&old, &new, case % 2 == 0);
        if !names.is_empty() {
            let (old, new) = (old.iptables(), new.iptables());
            stopped.push(format!("{case}, {names:?}, from:\n{old}to:\n{new}"));
        }
    }
    assert!(
        stopped.is_empty(),
        "{}: {}",
        stopped.len(),
        stopped.join("\n")
    );
}
