//! What a rule tests and does, ready to be run on numbers in slots.

use super::key::SeenFields;
use crate::packet::PacketInterface;
use crate::truth::{Truth, has_name};
use surefoot_ruleset::model::{Component, NamePattern, Range, ct_state};

/// One step of a rule: small, as a look-up reads many.
#[derive(Clone, Debug)]
pub(super) enum CompiledStep {
    /// A number lies between two others.
    Between {
        slot: u8,
        negated: bool,
        lo: u32,
        hi: u32,
    },
    Test(Box<CompiledTest>),
    Effect(Box<CompiledEffect>),
    /// The action of the first element that fits.
    Map(Box<CompiledMap>),
    Decide(CompiledAction),
}

/// A test of any kind.
#[derive(Clone, Debug)]
pub(super) enum CompiledTest {
    /// A number, or some of its bits, lies in one of several ranges: ascending, not overlapping.
    Among {
        slot: u8,
        mask: Option<u128>,
        negated: bool,
        ranges: Box<[Range]>,
        /// The answer for packets that lack the field.
        lacking: bool,
    },
    Interface {
        coming: bool,
        negated: bool,
        names: Box<[NamePattern]>,
    },
    /// Several parts together are those of one of the elements.
    Together {
        parts: Box<[CompiledPart]>,
        negated: bool,
        elements: Box<[Box<[Component]>]>,
        lacking: bool,
    },
    Any {
        negated: bool,
        of: Box<[CompiledStep]>,
    },
    Never,
    /// It is unknown.
    Open,
}

/// What changes the packet.
#[derive(Clone, Debug)]
pub(super) enum CompiledEffect {
    /// `slot = (slot & and) ^ xor`
    Mark {
        slot: u8,
        and: u128,
        xor: u128,
    },
    CopyMark {
        from: u8,
        from_mask: u128,
        to: u8,
        to_mask: u128,
    },
    Set {
        slot: u8,
        value: Option<u128>,
    },
    NoTrack,
}

/// A verdict map.
#[derive(Clone, Debug)]
pub(super) struct CompiledMap {
    pub(super) parts: Box<[CompiledPart]>,
    pub(super) elements: Box<[(Box<[Component]>, CompiledAction)]>,
}

/// One part of a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum CompiledPart {
    Number { slot: u8, mask: Option<u128> },
    Coming,
    Leaving,
}

/// What a verdict does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CompiledAction {
    Accept,
    Drop,
    Reject,
    Queue,
    Return,
    Continue,
    Jump(u32),
    Goto(u32),
    /// The evaluator has to be asked.
    Ask,
}

impl CompiledStep {
    /// The answer, if this is a test.
    #[inline]
    pub(super) fn test(&self, seen: &SeenFields<'_>) -> Option<Truth> {
        match self {
            Self::Between {
                slot,
                negated,
                lo,
                hi,
            } => Some(match seen.number(*slot) {
                Ok(Some(number)) => {
                    let inside = u128::from(*lo) <= number && number <= u128::from(*hi);
                    Truth::of(inside != *negated)
                }
                Ok(None) => Truth::No,
                Err(UnknownValue) => Truth::Maybe,
            }),
            Self::Test(test) => Some(test.ask(seen)),
            Self::Effect(_) | Self::Map(_) | Self::Decide(_) => None,
        }
    }
}

impl CompiledTest {
    fn ask(&self, seen: &SeenFields<'_>) -> Truth {
        match self {
            Self::Among {
                slot,
                mask,
                negated,
                ranges,
                lacking,
            } => match seen.number(*slot) {
                Ok(Some(number)) => {
                    let number = mask.map_or(number, |mask| number & mask);
                    Truth::of(holds_number(ranges, number) != *negated)
                }
                Ok(None) => Truth::of(*lacking),
                Err(UnknownValue) if ranges.is_empty() && !*negated => Truth::No,
                Err(UnknownValue) => Truth::Maybe,
            },
            Self::Interface {
                coming,
                negated,
                names,
            } => {
                let interface = if *coming { seen.input } else { seen.output };
                has_name(interface, names).turned(*negated)
            }
            Self::Together {
                parts,
                negated,
                elements,
                lacking,
            } => {
                let lacks = |part: &CompiledPart| match part {
                    CompiledPart::Number { slot, .. } => seen.number(*slot) == Ok(None),
                    CompiledPart::Coming | CompiledPart::Leaving => false,
                };
                if parts.iter().any(lacks) {
                    return Truth::of(*lacking);
                }
                let fits = elements.iter().map(|one| element_fits(seen, parts, one));
                Truth::any(fits).turned(*negated)
            }
            Self::Any { negated, of } => {
                Truth::any(of.iter().filter_map(|one| one.test(seen))).turned(*negated)
            }
            Self::Never => Truth::No,
            Self::Open => Truth::Maybe,
        }
    }
}

impl CompiledEffect {
    /// Changes what is seen of the packet.
    pub(super) fn apply(&self, seen: &mut SeenFields<'_>) {
        match self {
            Self::Mark { slot, and, xor } => match seen.number(*slot) {
                Ok(Some(old)) => seen.put(*slot, Some((old & and) ^ xor)),
                Err(UnknownValue) if *and == 0 => seen.put(*slot, Some(*xor)),
                Ok(None) | Err(UnknownValue) => {}
            },
            Self::CopyMark {
                from,
                from_mask,
                to,
                to_mask,
            } => match (seen.number(*from), seen.number(*to)) {
                (Ok(None), _) | (_, Ok(None)) => {}
                (Ok(Some(from)), Ok(Some(old))) => {
                    seen.put(*to, Some((old & !to_mask) ^ (from & from_mask)));
                }
                (Ok(Some(from)), Err(UnknownValue)) if *to_mask == u128::from(u32::MAX) => {
                    seen.put(*to, Some(from & from_mask));
                }
                (_, _) => seen.put(*to, None),
            },
            Self::Set { slot, value } => {
                if seen.number(*slot) != Ok(None) {
                    seen.put(*slot, *value);
                }
            }
            Self::NoTrack => {
                if let Ok(Some(ct_state::INVALID | ct_state::UNTRACKED)) = seen.state() {
                    seen.untrack();
                }
            }
        }
    }
}

/// The packet's number is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UnknownValue;

fn holds_number(ranges: &[Range], number: u128) -> bool {
    let at = ranges.partition_point(|range| range.hi < number);
    ranges.get(at).is_some_and(|range| range.lo <= number)
}

/// Whether the packet's parts are those of an element.
pub(super) fn element_fits(
    seen: &SeenFields<'_>,
    parts: &[CompiledPart],
    element: &[Component],
) -> Truth {
    let mut answer = Truth::Yes;
    for (part, component) in parts.iter().zip(element) {
        let interface = match (part, component) {
            (CompiledPart::Number { slot, mask }, Component::Numbers(range)) => {
                match seen.number(*slot) {
                    Ok(Some(number)) if range.contains(mask.map_or(number, |it| number & it)) => {}
                    Ok(_) => return Truth::No,
                    Err(UnknownValue) => answer = Truth::Maybe,
                }
                continue;
            }
            (CompiledPart::Coming, Component::Name(_)) => seen.input,
            (CompiledPart::Leaving, Component::Name(_)) => seen.output,
            _ => return Truth::No,
        };
        let Component::Name(pattern) = component else {
            return Truth::No;
        };
        match interface {
            PacketInterface::Named(name) if pattern.matches(name) => {}
            PacketInterface::None if pattern.matches("") => {}
            PacketInterface::Named(_) | PacketInterface::None => return Truth::No,
            PacketInterface::Unknown => answer = Truth::Maybe,
        }
    }
    answer
}
