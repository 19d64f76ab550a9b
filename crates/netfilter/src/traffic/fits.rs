//! Whether one packet is among those that words mean.

use super::{ConditionPart, Traffic, TrafficCondition};
use crate::packet::{FieldValue, Packet, PacketInterface};
use surefoot_ruleset::model::{Field, Match, NamePattern};

impl Traffic {
    /// Whether the packet is one of these; none if that is not known of it, or if the words name a
    /// set of some rules.
    pub fn fits(&self, packet: &Packet) -> Option<bool> {
        let mut known = true;
        let six = packet.known(Field::NfProto).map(|family| family == 10);
        match (self.v6, six) {
            (Some(wanted), Some(is)) if wanted != is => return Some(false),
            (Some(_), None) => known = false,
            _ => {}
        }
        if self.way.is_some_and(|way| way != packet.path) {
            return Some(false);
        }
        for condition in &self.conditions {
            match condition.fits(packet) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => known = false,
            }
        }
        known.then_some(true)
    }
}

impl TrafficCondition {
    fn fits(&self, packet: &Packet) -> Option<bool> {
        let all = all_hold(self.parts.iter().map(|part| part.fits(packet)));
        all.map(|fits| fits != self.negated)
    }
}

impl ConditionPart {
    fn fits(&self, packet: &Packet) -> Option<bool> {
        match self {
            Self::Match(Match::Field {
                operand,
                negated,
                ranges,
            }) => match packet.get(operand.field) {
                FieldValue::Known(number) => {
                    let number = operand.mask.map_or(number, |mask| number & mask);
                    Some(ranges.iter().any(|range| range.contains(number)) != *negated)
                }
                FieldValue::Absent => Some(false),
                FieldValue::Unknown => None,
            },
            Self::Match(Match::InInterface { negated, names }) => {
                name_fits(&packet.input, names).map(|fits| fits != *negated)
            }
            Self::Match(Match::OutInterface { negated, names }) => {
                name_fits(&packet.output, names).map(|fits| fits != *negated)
            }
            Self::Match(_) | Self::InSet { .. } => None,
            Self::Any(of) => {
                let none = all_hold(of.iter().map(|one| one.fits(packet).map(|fits| !fits)));
                none.map(|none| !none)
            }
            Self::All(of) => all_hold(of.iter().map(|one| one.fits(packet))),
        }
    }
}

fn name_fits(interface: &PacketInterface, names: &[NamePattern]) -> Option<bool> {
    let name = match interface {
        PacketInterface::Named(name) => name.as_str(),
        PacketInterface::None => "",
        PacketInterface::Unknown => return None,
    };
    Some(names.iter().any(|pattern| pattern.matches(name)))
}

/// Whether all are so: one that is not decides, whatever is not known.
fn all_hold(mut answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut known = true;
    let decided = answers.any(|answer| {
        known &= answer.is_some();
        answer == Some(false)
    });
    if decided {
        Some(false)
    } else {
        known.then_some(true)
    }
}
