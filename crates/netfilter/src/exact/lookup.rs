//! The packets whose key is in a set.

use std::collections::BTreeMap;

use super::condition::RulePlace;
use super::diagram::{Exhausted, Packets};
use super::space::{PacketSpace, UnknownAnswer, UnknownTopic};
use super::state::PacketRewrite;
use super::word::BitVector;
use crate::semantics::resolve_set;
use surefoot_ruleset::model::{
    Component, Content, Element, ElementValue, KeyPart, Range, Set, SetKind, SetRef,
};

/// How deep a `list:set` may hold lists; the kernel allows one level.
const DEEPEST_LIST: u32 = 4;

/// The packets whose key is in the set; where that is unknown, an unknown answer.
pub(crate) fn holds(
    space: &mut PacketSpace,
    here: RulePlace,
    state: &PacketRewrite,
    key: &[KeyPart],
    set: &SetRef,
) -> Result<Packets, Exhausted> {
    match resolve_set(here.firewall, here.table, set) {
        Some(set) => {
            let key = SymbolicKey::new(space, state, key)?;
            in_set(space, here, state, &key, set, 0)
        }
        None => space.ask_in(state, UnknownAnswer::Rule(here.at), &UnknownTopic::Set),
    }
}

/// The packets for which a map gives each of its values; none if its content is unknown.
pub(crate) fn looked_up_values<'a>(
    space: &mut PacketSpace,
    here: RulePlace<'a>,
    state: &PacketRewrite,
    key: &[KeyPart],
    map: &'a SetRef,
) -> Result<Option<Vec<(&'a ElementValue, Packets)>>, Exhausted> {
    let Some(set) = resolve_set(here.firewall, here.table, map) else {
        return Ok(None);
    };
    let Content::Known(elements) = &set.content else {
        return Ok(None);
    };
    let key = SymbolicKey::new(space, state, key)?;
    let mut left = key.there;
    let mut found: Vec<(&ElementValue, Packets)> = Vec::new();
    for element in elements {
        let fits = key.element_condition(space, state, element)?;
        let fits = space.store.and(left, fits)?;
        if fits.is_none() {
            continue;
        }
        left = space.store.minus(left, fits)?;
        let Some(value) = &element.value else {
            continue;
        };
        match found.iter_mut().find(|(one, _)| *one == value) {
            Some((_, set)) => *set = space.store.or(*set, fits)?,
            None => found.push((value, fits)),
        }
    }
    Ok(Some(found))
}

/// The numbers that are looked up.
struct SymbolicKey {
    parts: Vec<SymbolicPart>,
    there: Packets,
}

enum SymbolicPart {
    Number(BitVector),
    Input,
    Output,
}

impl SymbolicKey {
    fn new(
        space: &mut PacketSpace,
        state: &PacketRewrite,
        parts: &[KeyPart],
    ) -> Result<Self, Exhausted> {
        let mut there = Packets::ALL;
        let mut read = Vec::with_capacity(parts.len());
        for part in parts {
            read.push(match part {
                KeyPart::Number(operand) => {
                    let word = state.word(space, operand.field)?.with_mask(operand.mask);
                    there = space.store.and(there, word.there)?;
                    SymbolicPart::Number(word)
                }
                KeyPart::InInterface => SymbolicPart::Input,
                KeyPart::OutInterface => SymbolicPart::Output,
            });
        }
        Ok(Self { parts: read, there })
    }

    /// The packets whose key fits an element, component by component.
    fn element_condition(
        &self,
        space: &mut PacketSpace,
        state: &PacketRewrite,
        element: &Element,
    ) -> Result<Packets, Exhausted> {
        if element.key.len() > self.parts.len() {
            return Ok(Packets::NONE);
        }
        let mut fits = Packets::ALL;
        for (part, component) in self.parts.iter().zip(&element.key).rev() {
            let one = match (part, component) {
                (SymbolicPart::Number(word), Component::Numbers(range)) => {
                    space.store.vector_in(word, &[*range])?
                }
                (SymbolicPart::Input, Component::Name(name)) => {
                    state.input_is(space, std::slice::from_ref(name))?
                }
                (SymbolicPart::Output, Component::Name(name)) => {
                    state.output_is(space, std::slice::from_ref(name))?
                }
                _ => Packets::NONE,
            };
            fits = space.store.and(fits, one)?;
        }
        Ok(fits)
    }
}

fn in_set(
    space: &mut PacketSpace,
    here: RulePlace,
    state: &PacketRewrite,
    key: &SymbolicKey,
    set: &Set,
    depth: u32,
) -> Result<Packets, Exhausted> {
    if let SetKind::List { members } = &set.kind {
        if members.is_empty() && !matches!(set.content, Content::Known(_)) {
            return space.ask_in(state, UnknownAnswer::Rule(here.at), &UnknownTopic::Set);
        }
        let mut sets = Vec::with_capacity(members.len());
        for member in members {
            sets.push(match resolve_set(here.firewall, here.table, member) {
                Some(member) if depth < DEEPEST_LIST => {
                    in_set(space, here, state, key, member, depth + 1)?
                }
                _ => space.ask_in(state, UnknownAnswer::Rule(here.at), &UnknownTopic::Set)?,
            });
        }
        return space.store.unite_all(sets);
    }
    let Content::Known(elements) = &set.content else {
        return space.ask_in(state, UnknownAnswer::Rule(here.at), &UnknownTopic::Set);
    };
    let ipset = matches!(set.kind, SetKind::Ipset { .. });
    if ipset && by_interface(&set.kind) {
        return narrowest_network(space, state, key, elements);
    }
    if ipset && elements.iter().any(|element| element.except) {
        return narrowest_element(space, state, key, elements);
    }
    if let Some(found) = one_dimension(space, key, elements)? {
        return Ok(found);
    }
    let mut fits = Vec::with_capacity(elements.len());
    for element in elements {
        fits.push(key.element_condition(space, state, element)?);
    }
    space.store.unite_all(fits)
}

/// All elements at once, where the key is one number.
fn one_dimension(
    space: &mut PacketSpace,
    key: &SymbolicKey,
    elements: &[Element],
) -> Result<Option<Packets>, Exhausted> {
    let [SymbolicPart::Number(word)] = key.parts.as_slice() else {
        return Ok(None);
    };
    let mut ranges: Vec<Range> = Vec::with_capacity(elements.len());
    for element in elements {
        match element.key.as_slice() {
            [Component::Numbers(range)] => ranges.push(*range),
            _ => return Ok(None),
        }
    }
    ranges.sort_unstable();
    let mut apart: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.lo <= last.hi => last.hi = last.hi.max(range.hi),
            _ => apart.push(range),
        }
    }
    space.store.vector_in(word, &apart).map(Some)
}

fn by_interface(kind: &SetKind) -> bool {
    matches!(kind, SetKind::Ipset { type_name } if type_name == "hash:net,iface")
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

/// Of all elements that fit the narrowest decides; `nomatch` says no.
fn narrowest_element(
    space: &mut PacketSpace,
    state: &PacketRewrite,
    key: &SymbolicKey,
    elements: &[Element],
) -> Result<Packets, Exhausted> {
    let mut by_width: BTreeMap<Vec<u128>, Vec<&Element>> = BTreeMap::new();
    for element in elements {
        by_width
            .entry(component_widths(element))
            .or_default()
            .push(element);
    }
    let mut found = Packets::NONE;
    for same in by_width.values().rev() {
        for element in same {
            let fits = key.element_condition(space, state, element)?;
            found = if element.except {
                space.store.minus(found, fits)?
            } else {
                space.store.or(found, fits)?
            };
        }
    }
    Ok(found)
}

/// In `hash:net,iface` the narrowest network that holds the address decides, whichever interface it
/// is listed with (`hash_netiface4_data_equal`).
fn narrowest_network(
    space: &mut PacketSpace,
    state: &PacketRewrite,
    key: &SymbolicKey,
    elements: &[Element],
) -> Result<Packets, Exhausted> {
    let mut by_width: BTreeMap<u128, Vec<&Element>> = BTreeMap::new();
    for element in elements {
        if let Some(width) = component_widths(element).first() {
            by_width.entry(*width).or_default().push(element);
        }
    }
    let mut found = Packets::NONE;
    for same in by_width.values().rev() {
        let (mut covered, mut inside) = (Vec::new(), Packets::NONE);
        for element in same {
            let network = Element {
                key: element.key.iter().take(1).cloned().collect(),
                except: false,
                value: None,
            };
            covered.push(key.element_condition(space, state, &network)?);
            let fits = key.element_condition(space, state, element)?;
            inside = if element.except {
                space.store.minus(inside, fits)?
            } else {
                space.store.or(inside, fits)?
            };
        }
        let covered = space.store.unite_all(covered)?;
        found = space.store.if_then_else(covered, inside, found)?;
    }
    Ok(found)
}
