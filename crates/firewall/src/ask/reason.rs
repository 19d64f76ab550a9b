//! Explains why a rule matched a packet, why it did not, or why this is unknown.

use super::phrase::statement_phrase;
use surefoot_netfilter::packet::{FieldValue, Packet, PacketInterface, field_words, value_words};
use surefoot_netfilter::semantics::{ObservedField, ObservedMatch, resolve_set};
use surefoot_ruleset::model::{Content, Field, Firewall, Match, Rule, SetRef, Statement, Table};

/// What a reason needs to know beside the packet.
#[derive(Clone, Copy)]
pub(crate) struct RuleContext<'a> {
    pub(crate) firewall: &'a Firewall,
    pub(crate) table: &'a Table,
    pub(crate) rule: &'a Rule,
    /// Whether the chain runs before connection tracking.
    pub(crate) untracked_yet: bool,
}

/// Why the rule did not match.
pub(crate) fn failed_words(at: RuleContext<'_>, saw: &ObservedMatch) -> String {
    let words = statement_phrase(at.firewall, at.table, at.rule, saw.statement);
    let seen = match at.rule.statements.get(saw.statement) {
        Some(Statement::Match(Match::Lookup(lookup))) => {
            let key = values_words(&saw.sights);
            let verb = if lookup.negated { "is" } else { "is not" };
            match absent_words(&saw.sights) {
                Some(lack) => lack,
                None => format!("{key} {verb} in {}", set_name(at, &lookup.set)),
            }
        }
        Some(Statement::VerdictMap(_)) => match absent_words(&saw.sights) {
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
pub(crate) fn matched_words(at: RuleContext<'_>, saw: &[ObservedMatch]) -> String {
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

/// Explains why it is unknown whether a statement holds, and names the word that would decide it.
pub(crate) fn unknown_words(
    at: RuleContext<'_>,
    statement: usize,
    saw: &[ObservedMatch],
) -> (String, Option<&'static str>) {
    let words = statement_phrase(at.firewall, at.table, at.rule, statement);
    let sights = saw.iter().find(|saw| saw.statement == statement);
    let sights = sights.map_or(&[][..], |saw| &saw.sights);
    let lacking = sights.iter().find_map(missing_words);
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

/// Returns what a match that is not modelled depends on, as far as its name tells.
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

fn unknown_set(at: RuleContext<'_>, set: &SetRef) -> Option<String> {
    match resolve_set(at.firewall, at.table, set) {
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

fn set_name(at: RuleContext<'_>, set: &SetRef) -> String {
    match (set, resolve_set(at.firewall, at.table, set)) {
        (SetRef::Inline(_), _) => "the set".into(),
        (SetRef::Missing(name), _) => format!("`{name}`"),
        (_, Some(set)) => format!("`{}`", set.name),
        (_, None) => "the set".into(),
    }
}

/// Returns what is unknown of the packet, and the word of the packet language that would give it.
fn missing_words(sight: &ObservedField) -> Option<(String, Option<&'static str>)> {
    match sight {
        ObservedField::Field(field, FieldValue::Unknown) => {
            Some((field_words(*field), word_for(*field)))
        }
        ObservedField::Input(PacketInterface::Unknown) => {
            Some(("incoming interface".into(), Some("in IFACE")))
        }
        ObservedField::Output(PacketInterface::Unknown) => {
            Some(("outgoing interface".into(), Some("out IFACE")))
        }
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

fn absent_words(sights: &[ObservedField]) -> Option<String> {
    sights.iter().find_map(|sight| match sight {
        ObservedField::Field(field, FieldValue::Absent) => Some(lacking_words(*field)),
        _ => None,
    })
}

/// A field that the packet does not have.
fn lacking_words(field: Field) -> String {
    match field {
        Field::Uid | Field::Gid => "no socket of this host sent the packet".into(),
        _ if Packet::is_only_v4(field) => "the packet is IPv6".into(),
        _ if Packet::is_only_v6(field) => "the packet is IPv4".into(),
        _ => format!("the packet has no {}", field_words(field)),
    }
}

fn sights_words(sights: &[ObservedField], untracked_yet: bool) -> String {
    let words = sights.iter().map(|sight| match sight {
        ObservedField::Field(Field::IsLaterFragment, FieldValue::Known(1)) => {
            "the packet is a later fragment".into()
        }
        ObservedField::Field(Field::IsLaterFragment, FieldValue::Known(_)) => {
            "the packet is no later fragment".into()
        }
        ObservedField::Field(Field::CtState, FieldValue::Known(_)) if untracked_yet => {
            "before connection tracking a packet has no state but invalid".into()
        }
        ObservedField::Field(Field::TcpOption(number), FieldValue::Known(_)) => {
            format!("the packet has no TCP option {number}")
        }
        ObservedField::Field(field, FieldValue::Known(number)) => {
            format!(
                "the packet's {} is {}",
                field_words(*field),
                value_words(*field, *number)
            )
        }
        ObservedField::Field(field, FieldValue::Absent) => lacking_words(*field),
        ObservedField::Field(field, FieldValue::Unknown) => {
            format!("the packet's {} was ruled out above", field_words(*field))
        }
        ObservedField::Input(PacketInterface::Named(name)) => {
            format!("the packet comes in by {name}")
        }
        ObservedField::Input(PacketInterface::None) => {
            "the packet is made here, so it comes in by nothing".into()
        }
        ObservedField::Input(PacketInterface::Unknown) => {
            "the packet does not come in by it".into()
        }
        ObservedField::Output(PacketInterface::Named(name)) => {
            format!("the packet leaves by {name}")
        }
        ObservedField::Output(PacketInterface::None) => {
            "the packet ends here, so it leaves by nothing".into()
        }
        ObservedField::Output(PacketInterface::Unknown) => "the packet does not leave by it".into(),
    });
    let mut words: Vec<String> = words.collect();
    words.dedup();
    words.join(", ")
}

/// The values alone: `203.0.113.9, 22`.
fn values_words(sights: &[ObservedField]) -> String {
    let words = sights.iter().map(|sight| match sight {
        ObservedField::Field(field, FieldValue::Known(number)) => value_words(*field, *number),
        ObservedField::Field(field, _) => format!("an unknown {}", field_words(*field)),
        ObservedField::Input(PacketInterface::Named(name))
        | ObservedField::Output(PacketInterface::Named(name)) => name.clone(),
        ObservedField::Input(_) | ObservedField::Output(_) => "no interface".to_owned(),
    });
    words.collect::<Vec<_>>().join(", ")
}

/// The values with what they are: `from 203.0.113.9, tcp, to port 22`.
fn key_words(sights: &[ObservedField]) -> String {
    let words = sights.iter().filter_map(|sight| {
        Some(match sight {
            ObservedField::Field(field, FieldValue::Known(number)) => short_value(*field, *number)?,
            ObservedField::Field(field, FieldValue::Absent) => {
                format!("no {}", field_words(*field))
            }
            ObservedField::Input(PacketInterface::Named(name)) => format!("in by {name}"),
            ObservedField::Output(PacketInterface::Named(name)) => format!("out by {name}"),
            ObservedField::Input(PacketInterface::None) => "made here".into(),
            ObservedField::Output(PacketInterface::None) => "ends here".into(),
            ObservedField::Field(_, FieldValue::Unknown)
            | ObservedField::Input(_)
            | ObservedField::Output(_) => return None,
        })
    });
    let mut words: Vec<String> = words.collect();
    words.dedup();
    words.join(", ")
}

fn short_value(field: Field, number: u128) -> Option<String> {
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
