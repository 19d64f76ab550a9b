//! The rules in force with an answer for what they drop: for a trial, in which what is forgotten is seen at once.
//! No I/O.
//!
//! TCP is reset, the rest gets the ICMP error for a port. What a limit or another memory decides stays as it is, as
//! two rules would count twice; so does what is dropped as invalid, as a reset would end the connection that it is
//! mistaken for.

use std::fmt::Write as _;

use surefoot_host::RulesOrigin;

use crate::loader::RuleFile;
use crate::units::{RuleState, RuleUnit};

/// Words of rules that remember packets, or that drop what is invalid.
const KEPT_WORDS: &[&str] = &[
    "limit",
    "hashlimit",
    "recent",
    "quota",
    "statistic",
    "connlimit",
    "INVALID",
    "invalid",
    "meter",
    "numgen",
    "update",
    "add",
    "vmap",
    "queue",
    "nfacct",
];

/// The rules with answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectingRules {
    /// What loads them.
    pub files: Vec<RuleFile>,
    /// The rules that still drop.
    pub kept: Vec<String>,
}

/// Gives what the rules in force drop an answer.
pub fn rejecting_rules(state: &RuleState) -> RejectingRules {
    let mut rules = RejectingRules {
        files: Vec::new(),
        kept: Vec::new(),
    };
    for unit in &state.units {
        let text = match unit.key.origin {
            RulesOrigin::Nft if sees_packets(&unit.key.name) => {
                rejecting_nft(unit, &mut rules.kept)
            }
            RulesOrigin::Nft | RulesOrigin::Ipset => continue,
            _ if unit.key.name == "filter" => rejecting_iptables(&unit.text, &mut rules.kept),
            _ => continue,
        };
        match rules
            .files
            .iter_mut()
            .find(|file| file.origin == unit.key.origin)
        {
            Some(file) => file.text.push_str(&text),
            None => rules.files.push(RuleFile {
                name: "the rules with answers".to_owned(),
                text,
                origin: unit.key.origin,
                is_json: false,
            }),
        }
    }
    rules
}

fn sees_packets(table: &str) -> bool {
    ["ip ", "ip6 ", "inet "]
        .iter()
        .any(|family| table.starts_with(family))
}

fn has_kept_word(rule: &str) -> bool {
    rule.split(|letter: char| !letter.is_alphanumeric())
        .any(|word| KEPT_WORDS.contains(&word))
}

fn rejecting_iptables(text: &str, kept: &mut Vec<String>) -> String {
    let mut out = String::new();
    let mut dropping: Vec<&str> = Vec::new();
    let valid = if text.contains("conntrack") {
        " -m conntrack ! --ctstate INVALID"
    } else {
        ""
    };
    for line in text.lines() {
        let rule = match line.split_once("] ") {
            Some((counts, rule)) if counts.starts_with('[') => rule,
            _ => line,
        };
        if let Some(rest) = line.strip_prefix(':') {
            let mut words = rest.split_whitespace();
            if let (Some(chain), Some("DROP")) = (words.next(), words.next()) {
                dropping.push(chain);
            }
        }
        if line == "COMMIT" {
            for chain in &dropping {
                let _ = writeln!(
                    out,
                    "-A {chain} -p tcp{valid} -j REJECT --reject-with tcp-reset\n-A {chain}{valid} -j REJECT"
                );
            }
        }
        let parts = rule
            .strip_prefix("-A ")
            .and_then(|rest| rest.strip_suffix(" -j DROP"));
        match parts {
            Some(_) if has_kept_word(rule) => {
                kept.push(rule.to_owned());
                out.push_str(rule);
            }
            Some(parts) => {
                let (chain, matches) = parts.split_once(' ').unwrap_or((parts, ""));
                let blank = if matches.is_empty() { "" } else { " " };
                let names_protocol = matches.contains("-p ");
                let is_tcp = matches.starts_with("-p tcp") || matches.contains(" -p tcp");
                if is_tcp && !matches.contains("! -p") {
                    let _ = write!(
                        out,
                        "-A {chain} {matches} -j REJECT --reject-with tcp-reset"
                    );
                } else if names_protocol {
                    let _ = write!(out, "-A {chain} {matches} -j REJECT");
                } else {
                    let _ = write!(
                        out,
                        "-A {chain}{blank}{matches} -p tcp -j REJECT --reject-with tcp-reset\n-A {chain}{blank}{matches} \
                         -j REJECT"
                    );
                }
            }
            None => out.push_str(rule),
        }
        out.push('\n');
    }
    out
}

fn rejecting_nft(unit: &RuleUnit, kept: &mut Vec<String>) -> String {
    let mut out = format!("table {0}\ndelete table {0}\n", unit.key.name);
    let valid = if unit.text.contains("ct state") {
        "ct state != invalid "
    } else {
        ""
    };
    let (mut may_reject, mut policy_drops) = (false, false);
    for line in unit.text.lines() {
        let word = line.trim_start();
        if line.starts_with("\tchain ") {
            (may_reject, policy_drops) = (true, false);
        }
        if word.starts_with("type ") && word.contains(" hook ") {
            let hooks = ["hook input", "hook forward", "hook output"];
            may_reject =
                word.starts_with("type filter") && hooks.iter().any(|hook| word.contains(hook));
            policy_drops = may_reject && word.contains("policy drop;");
        }
        if line == "\t}" && policy_drops {
            let _ = writeln!(
                out,
                "\t\t{valid}meta l4proto tcp reject with tcp reset\n\t\t{valid}reject"
            );
            policy_drops = false;
        }
        let (rule, comment) = match line.split_once(" comment \"") {
            Some((rule, rest)) => (rule, format!(" comment \"{rest}")),
            None => (line, String::new()),
        };
        let matches = rule
            .strip_suffix("drop")
            .filter(|rest| rest.ends_with([' ', '\t']));
        match matches.filter(|_| may_reject && line.starts_with("\t\t")) {
            Some(_) if has_kept_word(rule) => {
                kept.push(word.to_owned());
                out.push_str(line);
            }
            Some(matches) => {
                let names =
                    |protocol: &str| matches.split_whitespace().any(|word| word == protocol);
                if names("tcp") && !names("udp") {
                    let _ = write!(out, "{matches}reject with tcp reset{comment}");
                } else if ["udp", "icmp", "icmpv6", "ipv6-icmp", "l4proto", "protocol"]
                    .iter()
                    .any(|word| names(word))
                {
                    let _ = write!(out, "{matches}reject{comment}");
                } else {
                    let _ = write!(
                        out,
                        "{matches}meta l4proto tcp reject with tcp reset{comment}\n{matches}reject{comment}"
                    );
                }
            }
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_iptables_drops_gets_an_answer_but_for_what_is_invalid_or_counted() {
        let text = "*filter\n:INPUT DROP [0:0]\n:own - [0:0]\n[1:2] -A INPUT -m conntrack --ctstate INVALID -j DROP\n\
            [0:0] -A INPUT -s 203.0.113.9/32 -j DROP\n[0:0] -A own -p tcp -m tcp --dport 25 -j DROP\n\
            [0:0] -A own -p udp -j DROP\n[0:0] -A INPUT -m limit --limit 1/sec -j DROP\n[0:0] -A INPUT -j ACCEPT\nCOMMIT\n";
        let state =
            RuleState::of_listings(&[(RulesOrigin::IptablesLegacy, text.to_owned())].into());
        let rules = rejecting_rules(&state);
        let wanted = "*filter\n:INPUT DROP [0:0]\n:own - [0:0]\n-A INPUT -m conntrack --ctstate INVALID -j DROP\n\
            -A INPUT -s 203.0.113.9/32 -p tcp -j REJECT --reject-with tcp-reset\n-A INPUT -s 203.0.113.9/32 -j REJECT\n\
            -A own -p tcp -m tcp --dport 25 -j REJECT --reject-with tcp-reset\n-A own -p udp -j REJECT\n\
            -A INPUT -m limit --limit 1/sec -j DROP\n-A INPUT -j ACCEPT\n\
            -A INPUT -p tcp -m conntrack ! --ctstate INVALID -j REJECT --reject-with tcp-reset\n\
            -A INPUT -m conntrack ! --ctstate INVALID -j REJECT\nCOMMIT\n";
        assert_eq!(rules.files[0].text, wanted);
        assert_eq!(rules.kept.len(), 2);
    }

    #[test]
    fn what_nft_drops_gets_an_answer_where_it_can_have_one() {
        let text = "table inet f {\n\tchain p {\n\t\ttype filter hook prerouting priority raw; policy accept;\n\t\ttcp \
            dport 1 drop\n\t}\n\n\tchain i {\n\t\ttype filter hook input priority filter; policy drop;\n\t\tct state \
            invalid drop\n\t\tip saddr 203.0.113.9 drop comment \"bad\"\n\t\ttcp dport 25 counter packets 0 bytes 0 \
            drop\n\t}\n}\n";
        let state = RuleState::of_listings(&[(RulesOrigin::Nft, text.to_owned())].into());
        let rules = rejecting_rules(&state);
        let wanted = format!("table inet f\ndelete table inet f\n{text}")
            .replace("\t\tip saddr 203.0.113.9 drop comment \"bad\"\n", "\t\tip saddr 203.0.113.9 meta l4proto tcp reject with tcp reset comment \"bad\"\n\t\tip saddr 203.0.113.9 reject comment \"bad\"\n")
            .replace("0 drop\n\t}", "0 reject with tcp reset\n\t\tct state != invalid meta l4proto tcp reject with tcp reset\n\t\tct state != invalid reject\n\t}");
        assert_eq!(rules.files[0].text, wanted);
        assert_eq!(rules.kept, ["ct state invalid drop"]);
    }
}
