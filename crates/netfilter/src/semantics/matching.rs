//! Whether one match holds, in three values.

use super::flow::Flow;
use super::lookup::{ElementFound, find_element};
use crate::packet::FieldValue;
use crate::truth::{Truth, has_name};
use surefoot_ruleset::model::{Field, Firewall, KeyPart, Lookup, Match, Operand, SetRef, Table};

/// Whether the match holds for the flow.
pub(crate) fn test_match(firewall: &Firewall, table: &Table, flow: &Flow, wanted: &Match) -> Truth {
    if let Some(answer) = flow.assumed_answer(wanted) {
        return Truth::of(answer);
    }
    match wanted {
        Match::Lookup(lookup) => look_up(firewall, table, flow, lookup),
        Match::Any { negated, of } => {
            let answers = of.iter().map(|one| test_match(firewall, table, flow, one));
            Truth::any(answers).turned(*negated)
        }
        plain => test_plain_match(flow, plain),
    }
}

/// The same of a match that no set and no list of others belongs to; one of these is unknown.
pub(crate) fn test_plain_match(flow: &Flow, wanted: &Match) -> Truth {
    if let Some(answer) = flow.assumed_answer(wanted) {
        return Truth::of(answer);
    }
    match wanted {
        Match::Field {
            operand,
            negated,
            ranges,
        } => match operand_value(flow, *operand) {
            FieldValue::Known(number) => {
                Truth::of(ranges.iter().any(|range| range.contains(number)) != *negated)
            }
            FieldValue::Absent => Truth::No,
            FieldValue::Unknown if ranges.is_empty() && !*negated => Truth::No,
            FieldValue::Unknown => match flow.narrowed_field(*operand) {
                Some(left) => left.compare(ranges).turned(*negated),
                None => Truth::Maybe,
            },
        },
        Match::InInterface { negated, names } => has_name(&flow.input, names).turned(*negated),
        Match::OutInterface { negated, names } => has_name(&flow.output, names).turned(*negated),
        Match::Never => Truth::No,
        Match::Lookup(_) | Match::Any { .. } | Match::Opaque(_) => Truth::Maybe,
    }
}

/// The bits of a field that the operand asks for.
pub(crate) fn operand_value(flow: &Flow, operand: Operand) -> FieldValue {
    match (flow.get(operand.field), operand.mask) {
        (FieldValue::Known(number), Some(mask)) => FieldValue::Known(number & mask),
        (value, _) => value,
    }
}

fn look_up(firewall: &Firewall, table: &Table, flow: &Flow, lookup: &Lookup) -> Truth {
    // An iptables set match on a field that the packet lacks is "not in the set", which a `!`
    // turns round; nft gives the rule up before it asks.
    let ipset = matches!(lookup.set, SetRef::Ipset(_));
    let lacks = lookup.key.iter().any(
        |part| matches!(part, KeyPart::Number(operand) if flow.get(operand.field) == FieldValue::Absent),
    );
    if lacks {
        return Truth::of(ipset && lookup.negated);
    }
    match find_element(firewall, table, flow, &lookup.key, &lookup.set) {
        ElementFound::No => Truth::No,
        ElementFound::Yes(_) => Truth::Yes,
        ElementFound::Maybe(_) => Truth::Maybe,
    }
    .turned(lookup.negated)
}

/// Whether every packet of this kind has the field.
pub(crate) fn always_there(flow: &Flow, field: Field) -> bool {
    match field {
        Field::NfProto
        | Field::EtherType
        | Field::L4Proto
        | Field::CtState
        | Field::Mark
        | Field::Length
        | Field::PacketType
        | Field::IsLaterFragment => true,
        Field::Ip4Src
        | Field::Ip4Dst
        | Field::Ip4Protocol
        | Field::Ttl
        | Field::Ip4Dscp
        | Field::Tos => flow.get(Field::NfProto) == FieldValue::Known(2),
        Field::Ip6Src
        | Field::Ip6Dst
        | Field::Ip6NextHeader
        | Field::HopLimit
        | Field::Ip6Dscp
        | Field::TrafficClass => flow.get(Field::NfProto) == FieldValue::Known(10),
        Field::SrcPort | Field::DstPort => {
            flow.get(Field::IsLaterFragment) == FieldValue::Known(0)
                && matches!(
                    flow.get(Field::L4Proto),
                    FieldValue::Known(6 | 17 | 33 | 132 | 136)
                )
        }
        _ => false,
    }
}
