//! Why a rule matched a packet, why it did not, and why nobody can tell.

use super::phrase::phrase;
use surefoot_netfilter::packet::{Interface, Packet, Value, field_words, value_words};
use surefoot_netfilter::semantics::{Saw, Sight, resolve};
use surefoot_ruleset::model::{Content, Field, Firewall, Match, Rule, SetRef, Statement, Table};

/// What a reason needs to know beside the packet.
#[derive(Clone, Copy)]
pub(crate) struct Where<'a> {
    pub(crate) firewall: &'a Firewall,
    pub(crate) table: &'a Table,
    pub(crate) rule: &'a Rule,
    /// Whether the chain runs before connection tracking.
    pub(crate) untracked_yet: bool,
}

/// Why the rule did not match.
pub(crate) fn failed(at: Where<'_>, saw: &Saw) -> String {
    let words = phrase(at.firewall, at.table, at.rule, saw.statement);
    let seen = match at.rule.statements.get(saw.statement) {
        Some(Statement::Match(Match::Lookup(lookup))) => {
            let key = values_words(&saw.sights);
            let verb = if lookup.negated { "is" } else { "is not" };
            match absent(&saw.sights) {
                Some(lack) => lack,
                None => format!("{key} {verb} in {}", set_name(at, &lookup.set)),
            }
        }
        Some(Statement::VerdictMap(_)) => match absent(&saw.sights) {
            Some(lack) => lack,
            None => format!("it holds nothing for {}", values_words(&saw.sights)),
        },
        Some(Statement::Match(Match::Never)) => return words,
        _ => sights_words(&saw.sights, at.untracked_yet),
    };
    if words == seen || seen.is_empty() {
        words
    } else {
        format!("{words}: {seen}")
    }
}

/// What the conditions that held saw.
pub(crate) fn matched(at: Where<'_>, saw: &[Saw]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for one in saw {
        let part = match at.rule.statements.get(one.statement) {
            Some(Statement::Match(Match::Lookup(lookup))) => {
                let verb = if lookup.negated { "is not" } else { "is" };
                format!(
                    "{} {verb} in {}",
                    values_words(&one.sights),
                    set_name(at, &lookup.set)
                )
            }
            Some(Statement::Match(_) | Statement::VerdictMap(_)) => key_words(&one.sights),
            _ => continue,
        };
        if !part.is_empty() && !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join(", ")
}

/// Why nobody can tell whether a statement holds, and the word that would tell.
pub(crate) fn unknown(
    at: Where<'_>,
    statement: usize,
    saw: &[Saw],
) -> (String, Option<&'static str>) {
    let words = phrase(at.firewall, at.table, at.rule, statement);
    let sights = saw.iter().find(|saw| saw.statement == statement);
    let sights = sights.map_or(&[][..], |saw| &saw.sights);
    let lacking = sights.iter().find_map(missing);
    let set = match at.rule.statements.get(statement) {
        Some(Statement::Match(Match::Lookup(lookup))) => Some(&lookup.set),
        Some(Statement::VerdictMap(map)) => Some(&map.map),
        _ => None,
    };
    if let Some(set) = set
        && let Some(why) = unknown_set(at, set)
    {
        return (format!("{words}: {why}"), None);
    }
    match (at.rule.statements.get(statement), lacking) {
        (Some(Statement::Match(Match::Opaque(opaque))), _) => {
            let why = opaque_words(&opaque.text, opaque.stateful);
            (format!("{words}: {why}"), None)
        }
        (_, Some((what, word))) => (format!("{words}: the {what} is unknown"), word),
        (Some(Statement::Verdict(_)), None) => (
            format!("{words}: what this target decides is not modelled"),
            None,
        ),
        _ => (format!("{words}: unknown"), None),
    }
}

/// On what a match hangs that is not modelled, as far as its name tells.
fn opaque_words(text: &str, stateful: bool) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if !stateful {
        "is not modelled"
    } else if has(&[
        "limit",
        "recent",
        "quota",
        "statistic",
        "connbytes",
        "connlimit",
        "numgen",
    ]) {
        "depends on earlier packets"
    } else if has(&["-m time", "meta hour", "meta day", "meta time"]) {
        "depends on the time"
    } else if has(&["-m string", "-m u32", "-m bpf"]) {
        "depends on the packet's content"
    } else {
        "depends on more than the packet's headers"
    }
}

fn unknown_set(at: Where<'_>, set: &SetRef) -> Option<String> {
    match resolve(at.firewall, at.table, set) {
        None => Some(match set {
            SetRef::Missing(name) if at.table.backend.is_iptables() => {
                format!("the content of `{name}` is unknown; `ipset save` shows it")
            }
            _ => "the content of the set is unknown".to_owned(),
        }),
        Some(set) => match &set.content {
            Content::Unknown => Some(format!("the content of `{}` is unknown", set.name)),
            Content::Dynamic(_) => Some(format!("packets and timeouts change `{}`", set.name)),
            Content::Known(_) => None,
        },
    }
}

fn set_name(at: Where<'_>, set: &SetRef) -> String {
    match (set, resolve(at.firewall, at.table, set)) {
        (SetRef::Inline(_), _) => "the set".into(),
        (SetRef::Missing(name), _) => format!("`{name}`"),
        (_, Some(set)) => format!("`{}`", set.name),
        (_, None) => "the set".into(),
    }
}

/// What is not known of the packet, and the word of the packet language that says it.
fn missing(sight: &Sight) -> Option<(String, Option<&'static str>)> {
    match sight {
        Sight::Field(field, Value::Unknown) => Some((field_words(*field), word_for(*field))),
        Sight::Input(Interface::Unknown) => Some(("incoming interface".into(), Some("in IFACE"))),
        Sight::Output(Interface::Unknown) => Some(("outgoing interface".into(), Some("out IFACE"))),
        _ => None,
    }
}

fn word_for(field: Field) -> Option<&'static str> {
    Some(match field {
        Field::Ip4Src | Field::Ip6Src => "from ADDR",
        Field::Ip4Dst | Field::Ip6Dst => "to ADDR",
        Field::SrcPort | Field::SetSrcPort => "from :PORT",
        Field::DstPort | Field::SetDstPort => "to :PORT",
        Field::L4Proto => "proto NAME",
        Field::TcpFlags => "flags LIST",
        Field::IcmpType | Field::Icmp6Type | Field::IcmpCode | Field::Icmp6Code => "type N/N",
        Field::CtState => "state NAME",
        Field::CtDirection => "reply or original",
        Field::CtMark => "ctmark N",
        Field::Mark => "mark N",
        Field::Uid => "uid N",
        Field::Gid => "gid N",
        Field::Length => "length N",
        Field::Ttl | Field::HopLimit => "ttl N",
        Field::Ip4Dscp | Field::Ip6Dscp => "dscp N",
        Field::Tos | Field::TrafficClass => "tos N",
        Field::MacSrc => "mac ADDR",
        Field::PacketType => "unicast, broadcast or multicast",
        _ => return None,
    })
}

fn absent(sights: &[Sight]) -> Option<String> {
    sights.iter().find_map(|sight| match sight {
        Sight::Field(field, Value::Absent) => Some(lacks(*field)),
        _ => None,
    })
}

/// A field that the packet does not have.
fn lacks(field: Field) -> String {
    match field {
        Field::Uid | Field::Gid => "no socket of this host sent the packet".into(),
        _ if Packet::is_only_v4(field) => "the packet is IPv6".into(),
        _ if Packet::is_only_v6(field) => "the packet is IPv4".into(),
        _ => format!("the packet has no {}", field_words(field)),
    }
}

fn sights_words(sights: &[Sight], untracked_yet: bool) -> String {
    let words = sights.iter().map(|sight| match sight {
        Sight::Field(Field::IsLaterFragment, Value::Known(1)) => {
            "the packet is a later fragment".into()
        }
        Sight::Field(Field::IsLaterFragment, Value::Known(_)) => {
            "the packet is no later fragment".into()
        }
        Sight::Field(Field::CtState, Value::Known(_)) if untracked_yet => {
            "before connection tracking a packet has no state but invalid".into()
        }
        Sight::Field(Field::TcpOption(number), Value::Known(_)) => {
            format!("the packet has no TCP option {number}")
        }
        Sight::Field(field, Value::Known(number)) => {
            format!(
                "the packet's {} is {}",
                field_words(*field),
                value_words(*field, *number)
            )
        }
        Sight::Field(field, Value::Absent) => lacks(*field),
        Sight::Field(field, Value::Unknown) => {
            format!("the packet's {} was ruled out above", field_words(*field))
        }
        Sight::Input(Interface::Named(name)) => format!("the packet comes in by {name}"),
        Sight::Input(Interface::None) => {
            "the packet is made here, so it comes in by nothing".into()
        }
        Sight::Input(Interface::Unknown) => "the packet does not come in by it".into(),
        Sight::Output(Interface::Named(name)) => format!("the packet leaves by {name}"),
        Sight::Output(Interface::None) => "the packet ends here, so it leaves by nothing".into(),
        Sight::Output(Interface::Unknown) => "the packet does not leave by it".into(),
    });
    let mut words: Vec<String> = words.collect();
    words.dedup();
    words.join(", ")
}

/// The values alone: `203.0.113.9, 22`.
fn values_words(sights: &[Sight]) -> String {
    let words = sights.iter().map(|sight| match sight {
        Sight::Field(field, Value::Known(number)) => value_words(*field, *number),
        Sight::Field(field, _) => format!("an unknown {}", field_words(*field)),
        Sight::Input(Interface::Named(name)) | Sight::Output(Interface::Named(name)) => {
            name.clone()
        }
        Sight::Input(_) | Sight::Output(_) => "no interface".to_owned(),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The values with what they are: `from 203.0.113.9, tcp, to port 22`.
fn key_words(sights: &[Sight]) -> String {
    let words = sights.iter().filter_map(|sight| {
        Some(match sight {
            Sight::Field(field, Value::Known(number)) => short(*field, *number)?,
            Sight::Field(field, Value::Absent) => format!("no {}", field_words(*field)),
            Sight::Input(Interface::Named(name)) => format!("in by {name}"),
            Sight::Output(Interface::Named(name)) => format!("out by {name}"),
            Sight::Input(Interface::None) => "made here".into(),
            Sight::Output(Interface::None) => "ends here".into(),
            Sight::Field(_, Value::Unknown) | Sight::Input(_) | Sight::Output(_) => return None,
        })
    });
    let mut words: Vec<String> = words.collect();
    words.dedup();
    words.join(", ")
}

fn short(field: Field, number: u128) -> Option<String> {
    let value = value_words(field, number);
    Some(match field {
        // What follows from the words beside it says nothing new.
        Field::IsLaterFragment if number == 0 => return None,
        Field::NfProto
        | Field::EtherType
        | Field::Ip4Protocol
        | Field::Ip6NextHeader
        | Field::L4Proto
        | Field::CtState
        | Field::IcmpType
        | Field::Icmp6Type => value,
        Field::Ip4Src | Field::Ip6Src => format!("from {value}"),
        Field::Ip4Dst | Field::Ip6Dst => format!("to {value}"),
        Field::SrcPort | Field::SetSrcPort => format!("from port {value}"),
        Field::DstPort | Field::SetDstPort => format!("to port {value}"),
        Field::TcpFlags => format!("flags {value}"),
        Field::IsLaterFragment => "a later fragment".into(),
        Field::SrcAddressType => format!("its source is {value}"),
        Field::DstAddressType => format!("its destination is {value}"),
        _ => format!("{} {value}", field_words(field)),
    })
}
