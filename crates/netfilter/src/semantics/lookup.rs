//! Looking a key up in a set, as nft and ipset do it.

use super::flow::Flow;
use super::matching::operand_value;
use crate::packet::{FieldValue, PacketInterface};
use surefoot_ruleset::model::{
    Component, Content, Element, ElementValue, Firewall, KeyPart, Range, Set, SetKind, SetRef,
    Table,
};

/// What a look-up gives.
pub(crate) enum ElementFound<'a> {
    /// The key is not there.
    No,
    /// It is there, with this value if the set is a map.
    Yes(Option<&'a ElementValue>),
    /// Not known; these are the values it could give, if they are known.
    Maybe(Option<Vec<&'a ElementValue>>),
}

/// How deep a `list:set` may hold lists; the kernel allows one level.
const DEEPEST_LIST: u32 = 4;

/// Looks the key up.
pub(crate) fn find_element<'a>(
    firewall: &'a Firewall,
    table: &'a Table,
    flow: &Flow,
    key: &[KeyPart],
    set: &'a SetRef,
) -> ElementFound<'a> {
    resolve_set(firewall, table, set).map_or(ElementFound::Maybe(None), |set| {
        find_in(firewall, table, flow, key, set, 0)
    })
}

/// The set that a rule names.
pub fn resolve_set<'a>(
    firewall: &'a Firewall,
    table: &'a Table,
    set: &'a SetRef,
) -> Option<&'a Set> {
    match set {
        SetRef::Ipset(at) => firewall.ipsets.get(usize::try_from(*at).ok()?),
        SetRef::Named(at) => table.sets.get(usize::try_from(*at).ok()?),
        SetRef::Inline(set) => Some(set),
        SetRef::Missing(_) => None,
    }
}

fn find_in<'a>(
    firewall: &'a Firewall,
    table: &'a Table,
    flow: &Flow,
    key: &[KeyPart],
    set: &'a Set,
    depth: u32,
) -> ElementFound<'a> {
    if let SetKind::List { members } = &set.kind {
        let mut answer = ElementFound::No;
        for member in members {
            let found = match resolve_set(firewall, table, member) {
                Some(member) if depth < DEEPEST_LIST => {
                    find_in(firewall, table, flow, key, member, depth + 1)
                }
                _ => ElementFound::Maybe(None),
            };
            match found {
                ElementFound::Yes(value) => return ElementFound::Yes(value),
                ElementFound::Maybe(values) => answer = ElementFound::Maybe(values),
                ElementFound::No => {}
            }
        }
        return if matches!(set.content, Content::Known(_)) || !members.is_empty() {
            answer
        } else {
            ElementFound::Maybe(None)
        };
    }
    let Content::Known(elements) = &set.content else {
        return ElementFound::Maybe(None);
    };
    let key: Vec<KeyValue> = key.iter().map(|part| KeyValue::of(flow, *part)).collect();
    let longest = matches!(set.kind, SetKind::Ipset { .. });
    let mut best: Option<(Vec<u128>, &Element)> = None;
    let mut perhaps = Vec::new();
    let narrowest = decided_by_network(&set.kind, &key, elements);
    for element in elements {
        if narrowest.is_some_and(|narrowest| component_widths(element).first() != Some(&narrowest))
        {
            continue;
        }
        match fits(&key, element) {
            ElementFit::No => {}
            ElementFit::Maybe => perhaps.push(element),
            ElementFit::Yes if !longest && perhaps.is_empty() => {
                return ElementFound::Yes(element.value.as_ref());
            }
            ElementFit::Yes => {
                let width = component_widths(element);
                if best
                    .as_ref()
                    .is_none_or(|(narrowest, _)| width < *narrowest)
                {
                    best = Some((width, element));
                }
            }
        }
    }
    if !perhaps.is_empty() {
        // Where everything that could decide says the same, it does not matter which one does.
        if let Some((_, sure)) = &best
            && perhaps
                .iter()
                .all(|one| one.except == sure.except && one.value == sure.value)
        {
            return if sure.except {
                ElementFound::No
            } else {
                ElementFound::Yes(sure.value.as_ref())
            };
        }
        let all = perhaps.into_iter().chain(best.map(|(_, element)| element));
        return ElementFound::Maybe(all.map(|element| element.value.as_ref()).collect());
    }
    match best {
        Some((_, element)) if !element.except => ElementFound::Yes(element.value.as_ref()),
        _ => ElementFound::No,
    }
}

/// In `hash:net,iface` the narrowest network that holds the address decides, whichever interface
/// it is listed with (`hash_netiface4_data_equal` counts it before it looks at the name).
fn decided_by_network(kind: &SetKind, key: &[KeyValue], elements: &[Element]) -> Option<u128> {
    let by_name = matches!(kind, SetKind::Ipset { type_name } if type_name == "hash:net,iface");
    let Some(KeyValue::Number(FieldValue::Known(address))) = key.first().filter(|_| by_name) else {
        return None;
    };
    elements
        .iter()
        .filter_map(|element| match element.key.first()? {
            Component::Numbers(range) if range.contains(*address) => {
                Some(range.hi.saturating_sub(range.lo))
            }
            _ => None,
        })
        .min()
}

enum KeyValue<'a> {
    Number(FieldValue),
    Name(&'a PacketInterface),
}

impl<'a> KeyValue<'a> {
    fn of(flow: &'a Flow, part: KeyPart) -> Self {
        match part {
            KeyPart::Number(operand) => Self::Number(operand_value(flow, operand)),
            KeyPart::InInterface => Self::Name(&flow.input),
            KeyPart::OutInterface => Self::Name(&flow.output),
        }
    }
}

enum ElementFit {
    No,
    Yes,
    Maybe,
}

fn fits(key: &[KeyValue], element: &Element) -> ElementFit {
    if element.key.len() > key.len() {
        return ElementFit::No;
    }
    let mut answer = ElementFit::Yes;
    for (part, component) in key.iter().zip(&element.key) {
        let fit = match (part, component) {
            (KeyValue::Number(FieldValue::Known(number)), Component::Numbers(range)) => {
                range.contains(*number)
            }
            (KeyValue::Number(FieldValue::Unknown), Component::Numbers(_))
            | (KeyValue::Name(PacketInterface::Unknown), Component::Name(_)) => {
                answer = ElementFit::Maybe;
                true
            }
            (KeyValue::Name(PacketInterface::Named(name)), Component::Name(pattern)) => {
                pattern.matches(name)
            }
            (KeyValue::Name(PacketInterface::None), Component::Name(pattern)) => {
                pattern.matches("")
            }
            _ => false,
        };
        if !fit {
            return ElementFit::No;
        }
    }
    answer
}

fn component_widths(element: &Element) -> Vec<u128> {
    element
        .key
        .iter()
        .map(|component| match component {
            Component::Numbers(Range { lo, hi }) => hi.saturating_sub(*lo),
            Component::Name(_) => 0,
        })
        .collect()
}
