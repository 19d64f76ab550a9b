//! The packets whose key is in a set.

use std::collections::BTreeMap;

use super::condition::Here;
use super::diagram::{Exhausted, Packets};
use super::space::{Space, Topic, Unknown};
use super::state::State;
use super::word::Word;
use crate::semantics::resolve;
use surefoot_ruleset::model::{
    Component, Content, Element, ElementValue, KeyPart, Range, Set, SetKind, SetRef,
};

/// How deep a `list:set` may hold lists; the kernel allows one level.
const DEEPEST_LIST: u32 = 4;

/// The packets whose key is in the set; where that is not known, an unknown answer.
pub(crate) fn holds(
    space: &mut Space,
    here: Here,
    state: &State,
    key: &[KeyPart],
    set: &SetRef,
) -> Result<Packets, Exhausted> {
    match resolve(here.firewall, here.table, set) {
        Some(set) => {
            let key = Key::new(space, state, key)?;
            in_set(space, here, state, &key, set, 0)
        }
        None => space.ask_in(state, Unknown::Rule(here.at), &Topic::Set),
    }
}

/// The packets for which a map gives each of its values; none if its content is not known.
pub(crate) fn values<'a>(
    space: &mut Space,
    here: Here<'a>,
    state: &State,
    key: &[KeyPart],
    map: &'a SetRef,
) -> Result<Option<Vec<(&'a ElementValue, Packets)>>, Exhausted> {
    let Some(set) = resolve(here.firewall, here.table, map) else {
        return Ok(None);
    };
    let Content::Known(elements) = &set.content else {
        return Ok(None);
    };
    let key = Key::new(space, state, key)?;
    let mut left = key.there;
    let mut found: Vec<(&ElementValue, Packets)> = Vec::new();
    for element in elements {
        let fits = key.fits(space, state, element)?;
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
struct Key {
    parts: Vec<Part>,
    there: Packets,
}

enum Part {
    Number(Word),
    Input,
    Output,
}

impl Key {
    fn new(space: &mut Space, state: &State, parts: &[KeyPart]) -> Result<Self, Exhausted> {
        let mut there = Packets::ALL;
        let mut read = Vec::with_capacity(parts.len());
        for part in parts {
            read.push(match part {
                KeyPart::Number(operand) => {
                    let word = state.word(space, operand.field)?.masked(operand.mask);
                    there = space.store.and(there, word.there)?;
                    Part::Number(word)
                }
                KeyPart::InInterface => Part::Input,
                KeyPart::OutInterface => Part::Output,
            });
        }
        Ok(Self { parts: read, there })
    }

    /// The packets whose key fits an element, component by component.
    fn fits(
        &self,
        space: &mut Space,
        state: &State,
        element: &Element,
    ) -> Result<Packets, Exhausted> {
        if element.key.len() > self.parts.len() {
            return Ok(Packets::NONE);
        }
        let mut fits = Packets::ALL;
        for (part, component) in self.parts.iter().zip(&element.key).rev() {
            let one = match (part, component) {
                (Part::Number(word), Component::Numbers(range)) => {
                    space.store.among(word, &[*range])?
                }
                (Part::Input, Component::Name(name)) => {
                    State::input_is(space, std::slice::from_ref(name))?
                }
                (Part::Output, Component::Name(name)) => {
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
    space: &mut Space,
    here: Here,
    state: &State,
    key: &Key,
    set: &Set,
    depth: u32,
) -> Result<Packets, Exhausted> {
    if let SetKind::List { members } = &set.kind {
        if members.is_empty() && !matches!(set.content, Content::Known(_)) {
            return space.ask_in(state, Unknown::Rule(here.at), &Topic::Set);
        }
        let mut sets = Vec::with_capacity(members.len());
        for member in members {
            sets.push(match resolve(here.firewall, here.table, member) {
                Some(member) if depth < DEEPEST_LIST => {
                    in_set(space, here, state, key, member, depth + 1)?
                }
                _ => space.ask_in(state, Unknown::Rule(here.at), &Topic::Set)?,
            });
        }
        return space.store.any(sets);
    }
    let Content::Known(elements) = &set.content else {
        return space.ask_in(state, Unknown::Rule(here.at), &Topic::Set);
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
        fits.push(key.fits(space, state, element)?);
    }
    space.store.any(fits)
}

/// All elements at once, where the key is one number.
fn one_dimension(
    space: &mut Space,
    key: &Key,
    elements: &[Element],
) -> Result<Option<Packets>, Exhausted> {
    let [Part::Number(word)] = key.parts.as_slice() else {
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
    space.store.among(word, &apart).map(Some)
}

fn by_interface(kind: &SetKind) -> bool {
    matches!(kind, SetKind::Ipset { type_name } if type_name == "hash:net,iface")
}

fn widths(element: &Element) -> Vec<u128> {
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
    space: &mut Space,
    state: &State,
    key: &Key,
    elements: &[Element],
) -> Result<Packets, Exhausted> {
    let mut by_width: BTreeMap<Vec<u128>, Vec<&Element>> = BTreeMap::new();
    for element in elements {
        by_width.entry(widths(element)).or_default().push(element);
    }
    let mut found = Packets::NONE;
    for same in by_width.values().rev() {
        for element in same {
            let fits = key.fits(space, state, element)?;
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
    space: &mut Space,
    state: &State,
    key: &Key,
    elements: &[Element],
) -> Result<Packets, Exhausted> {
    let mut by_width: BTreeMap<u128, Vec<&Element>> = BTreeMap::new();
    for element in elements {
        if let Some(width) = widths(element).first() {
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
            covered.push(key.fits(space, state, &network)?);
            let fits = key.fits(space, state, element)?;
            inside = if element.except {
                space.store.minus(inside, fits)?
            } else {
                space.store.or(inside, fits)?
            };
        }
        let covered = space.store.any(covered)?;
        found = space.store.either(covered, inside, found)?;
    }
    Ok(found)
}
