//! The commands that insert a rule before what decides otherwise, each tried in the model.

use serde::Serialize;

use super::WantedEnd;
use crate::ask::name::NamedDecider;
use crate::ask::obstacle::first_obstacle;
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::packet::{FieldValue, Packet, PacketInterface, PacketPath, value_words};
use surefoot_netfilter::semantics::{
    Decider, Evaluation, EventKind, RecordLevel, RuleIndex, TraceEvent, evaluate,
};
use surefoot_ruleset::model::{
    Backend, Chain, Family, Field, Firewall, Hook, Match, NamePattern, Place, Range, Rule,
    Statement, Table, Verdict,
};

/// Insertions that are tried, one after the other.
const MOST_INSERTIONS: usize = 6;

/// A rule to insert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleInsertion {
    /// What it goes before.
    pub before: NamedDecider,
    /// The command.
    pub command: String,
}

/// What has to be inserted, in order, for the packet to end as wanted; nothing if that is not
/// enough.
pub(super) fn insertions(
    firewall: &Firewall,
    surroundings: &Surroundings,
    packet: &Packet,
    want: WantedEnd,
) -> Vec<RuleInsertion> {
    let mut changed = firewall.clone();
    let mut insertions: Vec<RuleInsertion> = Vec::new();
    for _ in 0..MOST_INSERTIONS {
        let index = RuleIndex::new(&changed);
        let evaluation = evaluate(
            &changed,
            &index,
            surroundings,
            packet,
            RecordLevel::Mattered,
        );
        if evaluation.certain() == Some(want.end()) {
            return insertions;
        }
        let Some((by, Some(event))) = first_obstacle(&evaluation, &[want.end()].into()) else {
            return Vec::new();
        };
        let event = &evaluation.events[event];
        let seen = as_seen(packet, &evaluation, event);
        let (table_at, chain_at, at) = match by {
            Decider::Rule(at) => (at.table, at.chain, at.rule),
            Decider::Policy { table, chain } => (
                table,
                chain,
                changed.tables[table].chains[chain].rules.len(),
            ),
            Decider::Refusal(_) | Decider::Kernel => return Vec::new(),
        };
        let (table, chain) = (
            &changed.tables[table_at],
            &changed.tables[table_at].chains[chain_at],
        );
        let Some(new) = NewRule::new(table, &seen, event.hook, want) else {
            return Vec::new();
        };
        insertions.push(RuleInsertion {
            before: NamedDecider::decider(&changed, by),
            command: new.shell_command(table, chain, at, matches!(by, Decider::Policy { .. })),
        });
        let rules = &mut changed.tables[table_at].chains[chain_at].rules;
        rules.insert(at, new.into_rule());
        for (rule, number) in rules.iter_mut().zip(1..) {
            rule.number = number;
        }
    }
    Vec::new()
}

/// The packet as it is at an event: what was rewritten before has its new address.
fn as_seen(packet: &Packet, evaluation: &Evaluation, until: &TraceEvent) -> Packet {
    let mut seen = packet.clone();
    let v6 = packet.is_v6();
    for event in &evaluation.events {
        if std::ptr::eq(event, until) {
            break;
        }
        let EventKind::Rewritten(rewrite) = &event.what else {
            continue;
        };
        let (address, port) = match (rewrite.source, v6) {
            (true, false) => (Field::Ip4Src, Field::SrcPort),
            (true, true) => (Field::Ip6Src, Field::SrcPort),
            (false, false) => (Field::Ip4Dst, Field::DstPort),
            (false, true) => (Field::Ip6Dst, Field::DstPort),
        };
        seen.put(address, rewrite.to.0);
        seen.put(port, rewrite.to.1);
    }
    seen
}

/// A rule for just this kind of packet.
struct NewRule {
    matches: Vec<Match>,
    iptables: Vec<String>,
    nft: Vec<String>,
    want: WantedEnd,
}

impl NewRule {
    /// None where the table's language could not say it.
    fn new(table: &Table, packet: &Packet, hook: Hook, want: WantedEnd) -> Option<Self> {
        if matches!(table.family, Family::Arp | Family::Bridge | Family::Netdev) {
            return None;
        }
        let mut new = Self {
            matches: Vec::new(),
            iptables: Vec::new(),
            nft: Vec::new(),
            want,
        };
        let v6 = packet.is_v6();
        new.match_interfaces(packet, hook);
        let (source, destination, word) = if v6 {
            (Field::Ip6Src, Field::Ip6Dst, "ip6")
        } else {
            (Field::Ip4Src, Field::Ip4Dst, "ip")
        };
        new.match_field(packet, source, "-s", &format!("{word} saddr"));
        // To this host means to whichever of its addresses.
        if packet.path != PacketPath::Input {
            new.match_field(packet, destination, "-d", &format!("{word} daddr"));
        }
        let protocol = packet.known(Field::L4Proto);
        let name = protocol.map(|number| value_words(Field::L4Proto, number));
        let has_port = packet.known(Field::DstPort).is_some();
        if let (Some(number), Some(name)) = (protocol, &name) {
            let name = name.strip_prefix("protocol ").unwrap_or(name);
            new.matches.push(field_is(Field::L4Proto, number));
            new.iptables.push(format!("-p {name}"));
            if !has_port {
                new.nft.push(format!("meta l4proto {name}"));
            }
            if has_port {
                new.match_field(packet, Field::DstPort, "--dport", &format!("{name} dport"));
            }
        }
        let (kind, option, selector) = if v6 {
            (Field::Icmp6Type, "--icmpv6-type", "icmpv6 type")
        } else {
            (Field::IcmpType, "--icmp-type", "icmp type")
        };
        new.match_field(packet, kind, option, selector);
        // Only on the way out is the sending socket known.
        if matches!(hook, Hook::Output | Hook::Postrouting) {
            new.match_field(packet, Field::Uid, "-m owner --uid-owner", "meta skuid");
        }
        Some(new)
    }

    fn match_interfaces(&mut self, packet: &Packet, hook: Hook) {
        let input = matches!(hook, Hook::Prerouting | Hook::Input | Hook::Forward);
        let output = matches!(hook, Hook::Forward | Hook::Output | Hook::Postrouting);
        let pattern = |name: &String| {
            vec![NamePattern {
                text: name.clone(),
                prefix: false,
            }]
        };
        if let (PacketInterface::Named(name), true) = (&packet.input, input) {
            self.matches.push(Match::InInterface {
                negated: false,
                names: pattern(name),
            });
            self.iptables.push(format!("-i {}", shell_quoted(name)));
            self.nft.push(format!("iifname {}", quoted_always(name)));
        }
        if let (PacketInterface::Named(name), true) = (&packet.output, output) {
            self.matches.push(Match::OutInterface {
                negated: false,
                names: pattern(name),
            });
            self.iptables.push(format!("-o {}", shell_quoted(name)));
            self.nft.push(format!("oifname {}", quoted_always(name)));
        }
    }

    fn match_field(&mut self, packet: &Packet, field: Field, option: &str, selector: &str) {
        let FieldValue::Known(number) = packet.get(field) else {
            return;
        };
        let numeric = matches!(field, Field::IcmpType | Field::Icmp6Type);
        let value = if numeric {
            number.to_string()
        } else {
            value_words(field, number)
        };
        self.matches.push(field_is(field, number));
        self.iptables.push(format!("{option} {value}"));
        self.nft.push(format!("{selector} {value}"));
    }

    fn into_rule(self) -> Rule {
        let verdict = match self.want {
            WantedEnd::Accept => Verdict::Accept,
            WantedEnd::Drop => Verdict::Drop,
            WantedEnd::Reject => Verdict::Reject {
                with: String::new(),
            },
        };
        let matches = self.matches.into_iter().map(Statement::Match);
        Rule {
            number: 0,
            handle: None,
            counters: None,
            comment: None,
            statements: matches
                .chain(std::iter::once(Statement::Verdict(verdict)))
                .collect(),
            place: Place::default(),
        }
    }

    fn shell_command(&self, table: &Table, chain: &Chain, at: usize, at_the_end: bool) -> String {
        if table.backend == Backend::Nft {
            let verdict = match self.want {
                WantedEnd::Accept => "accept",
                WantedEnd::Drop => "drop",
                WantedEnd::Reject => "reject",
            };
            let family = table.family.word();
            let (name, chain_name) = (shell_quoted(&table.name), shell_quoted(&chain.name));
            let mut look = String::new();
            let head = match (at_the_end, chain.rules.get(at).and_then(|rule| rule.handle)) {
                (true, _) => format!("nft add rule {family} {name} {chain_name}"),
                (false, Some(handle)) => {
                    format!("nft insert rule {family} {name} {chain_name} handle {handle}")
                }
                // The text need not be what is loaded, and an index could be another rule there.
                (false, None) => {
                    look = format!(
                        " # HANDLE: at the end of rule {} in `nft -a list chain {family} {name} {chain_name}`",
                        at + 1
                    );
                    format!("nft insert rule {family} {name} {chain_name} handle HANDLE")
                }
            };
            // The quotes of nft's own names must pass the shell.
            let conditions = self.nft.join(" ");
            let conditions = if conditions.contains('"') {
                format!("'{conditions} {verdict}'")
            } else {
                format!("{conditions} {verdict}")
            };
            return format!("{head} {conditions}{look}");
        }
        let family = if table.family == Family::Ip6 {
            "ip6tables"
        } else {
            "iptables"
        };
        let program = match table.backend {
            Backend::IptablesLegacy => format!("{family}-legacy"),
            Backend::IptablesNft => format!("{family}-nft"),
            Backend::Iptables | Backend::Nft => family.to_owned(),
        };
        let table_word = match table.name.as_str() {
            "filter" => String::new(),
            other => format!(" -t {}", shell_quoted(other)),
        };
        let place = if at_the_end {
            format!("-A {}", shell_quoted(&chain.name))
        } else {
            format!("-I {} {}", shell_quoted(&chain.name), at + 1)
        };
        let verdict = match self.want {
            WantedEnd::Accept => "ACCEPT",
            WantedEnd::Drop => "DROP",
            WantedEnd::Reject => "REJECT",
        };
        let conditions = self.iptables.join(" ");
        let gap = if conditions.is_empty() { "" } else { " " };
        format!("{program}{table_word} {place}{gap}{conditions} -j {verdict}")
    }
}

fn field_is(field: Field, number: u128) -> Match {
    Match::Field {
        operand: field.into(),
        negated: false,
        ranges: vec![Range::one(number)],
    }
}

/// A word that is safe to paste into a shell.
fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.:/@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// A name in nft's own quotes.
fn quoted_always(word: &str) -> String {
    let plain: String = word
        .chars()
        .filter(|c| !matches!(c, '"' | '\'' | '\\'))
        .collect();
    format!("\"{plain}\"")
}
