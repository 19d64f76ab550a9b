//! What rules have changed of a packet, the same for a whole set of packets.

use std::collections::BTreeMap;

use super::diagram::{Exhausted, Packets};
use super::space::{PacketSpace, UnknownAnswer, UnknownTopic};
use super::word::BitVector;
use crate::packet::Packet;
use crate::semantics::ROUTED_BY;
use surefoot_ruleset::model::{Field, NamePattern, ct_state, ct_status};

/// The changes; a field without one is as it came in.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PacketRewrite {
    changed: BTreeMap<Field, BitVector>,
    pub(crate) input: InInterface,
    pub(crate) output: OutInterface,
    /// Whether conntrack has not yet seen the packet.
    pub(crate) hidden: bool,
    untracked: bool,
    /// Whether the packets have come in again by the loopback interface.
    pub(crate) looped: bool,
    pub(crate) destination_rewritten: bool,
    pub(crate) source_rewritten: bool,
    /// Bits of the connection's status that NAT has set.
    status: u32,
    /// What rules had changed, of what routing may ask for, when the packets were last routed.
    routed: Vec<(Field, BitVector)>,
}

/// Why packets may take another way than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rerouting {
    /// They go to another destination.
    ByDestination,
    /// Rules of policy routing may match on what has changed.
    ByPolicy,
}

/// The incoming interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum InInterface {
    /// The packet's own.
    #[default]
    Packet,
    /// None: it is made here.
    None,
    /// The letter of this name.
    Letter(usize),
}

/// The outgoing interface.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum OutInterface {
    /// The packet's own.
    #[default]
    Packet,
    /// Not yet routed, or to this host.
    None,
    /// The letter of this name: routed again.
    Letter(usize),
    /// Routed again, to an unknown place: a letter that no packet answers.
    Unknown(BitVector),
}

impl PacketRewrite {
    /// A field as the next rule sees it.
    pub(crate) fn word(
        &self,
        space: &mut PacketSpace,
        field: Field,
    ) -> Result<BitVector, Exhausted> {
        if let Some(word) = self.changed.get(&field) {
            return Ok(word.clone());
        }
        if self.untracked || self.hidden {
            if field == Field::CtState {
                let state = if self.untracked {
                    ct_state::UNTRACKED
                } else {
                    ct_state::INVALID
                };
                return Ok(BitVector::constant_vector(state, 7));
            }
            if Packet::connection_fields().contains(&field) {
                return Ok(BitVector::absent_vector());
            }
        }
        if field == Field::CtStatus && self.status != 0 {
            let mut word = space.word(field)?;
            let set = BitVector::constant_vector(self.status.into(), 16);
            for (bit, set) in word.bits.iter_mut().zip(set.bits) {
                if set.is_all() {
                    *bit = Packets::ALL;
                }
            }
            return Ok(word);
        }
        let moved = match field {
            Field::SetSrcPort => Some(Field::SrcPort),
            Field::SetDstPort => Some(Field::DstPort),
            _ => None,
        };
        let mut word = space.word(field)?;
        if let Some(port) = moved.and_then(|port| self.changed.get(&port)) {
            let dccp = space.field_is(Field::L4Proto, 33)?;
            let ports = space.store.minus(port.there, dccp)?;
            let mut there = port.clone();
            there.there = ports;
            word = space.store.either_word(ports, &there, &word)?;
        }
        if field == Field::Ip4Dscp
            && let Some(tos) = self.changed.get(&Field::Tos)
        {
            word = tos.clone();
            word.bits.truncate(6);
        }
        if field == Field::Ip6Dscp
            && let Some(class) = self.changed.get(&Field::TrafficClass)
        {
            word = class.clone();
            word.bits.truncate(6);
        }
        Ok(word)
    }

    /// The addresses and ports of an end that rules have changed.
    pub(crate) fn rewritten_end(&self, source: bool) -> Vec<(Field, BitVector)> {
        let fields = if source {
            [Field::Ip4Src, Field::Ip6Src, Field::SrcPort]
        } else {
            [Field::Ip4Dst, Field::Ip6Dst, Field::DstPort]
        };
        let changed = fields.iter().filter_map(|field| {
            let word = self.changed.get(field)?;
            Some((*field, word.clone()))
        });
        changed.collect()
    }

    /// Gives a field another value from here on.
    pub(crate) fn put(&mut self, field: Field, word: BitVector) {
        self.changed.insert(field, word);
    }

    /// Gives the field an unknown value from here on; it is present if it was.
    pub(crate) fn forget(
        &mut self,
        space: &mut PacketSpace,
        field: Field,
        why: UnknownAnswer,
    ) -> Result<(), Exhausted> {
        let before = self.word(space, field)?;
        let width = u32::try_from(before.bits.len()).unwrap_or_default();
        let mut word = space.ask_word(why, &UnknownTopic::Number(field), width)?;
        word.there = before.there;
        self.put(field, word);
        Ok(())
    }

    /// What rules have changed since the packets were routed, of what routing may ask for; from here on
    /// they are routed by it.
    pub(crate) fn take_rerouting(&mut self) -> Option<Rerouting> {
        let changed = self.changed.iter();
        let changed = changed.filter(|(field, _)| ROUTED_BY.contains(field));
        let now: Vec<_> = changed
            .map(|(field, word)| (*field, word.clone()))
            .collect();
        let before = std::mem::replace(&mut self.routed, now);
        let gone = before.iter().filter(|one| !self.routed.contains(one));
        let new = self.routed.iter().filter(|one| !before.contains(one));
        let fields: Vec<Field> = gone.chain(new).map(|(field, _)| *field).collect();
        let destination = |field: &Field| matches!(field, Field::Ip4Dst | Field::Ip6Dst);
        if fields.iter().any(destination) {
            Some(Rerouting::ByDestination)
        } else if fields.is_empty() {
            None
        } else {
            Some(Rerouting::ByPolicy)
        }
    }

    /// The packets do not have these fields from here on.
    pub(crate) fn put_absent(&mut self, fields: &[Field]) {
        for field in fields {
            self.put(*field, BitVector::absent_vector());
        }
    }

    /// The packets have the field as they came in.
    pub(crate) fn restore(&mut self, field: Field) {
        self.changed.remove(&field);
    }

    /// The packet has no connection from here on.
    pub(crate) fn stop_tracking(&mut self) {
        self.untracked = true;
        self.changed
            .retain(|field, _| !Packet::connection_fields().contains(field));
    }

    /// NAT has decided on an end of the connection: no later nat chain is asked about it.
    pub(crate) fn fix_address(&mut self, source: bool) {
        if source {
            self.source_rewritten = true;
        } else {
            self.destination_rewritten = true;
        }
    }

    /// NAT has given an end of the connection another address or port.
    pub(crate) fn set_rewritten(&mut self, source: bool) {
        let bit = if source {
            ct_status::SNAT
        } else {
            ct_status::DNAT
        };
        self.status |= u32::try_from(bit).unwrap_or_default();
    }

    /// The packets whose incoming interface has one of these names.
    pub(crate) fn input_is(
        &self,
        space: &mut PacketSpace,
        names: &[NamePattern],
    ) -> Result<Packets, Exhausted> {
        let letters = letters_fitting(space, names);
        let letter = match self.input {
            InInterface::Packet => {
                let block = space.interface_block(true);
                return space.letters_condition(block, letters);
            }
            InInterface::None => space.names.letter_of(""),
            InInterface::Letter(letter) => letter,
        };
        Ok(if letters.contains(&letter) {
            Packets::ALL
        } else {
            Packets::NONE
        })
    }

    /// The packets whose outgoing interface has one of these names.
    pub(crate) fn output_is(
        &self,
        space: &mut PacketSpace,
        names: &[NamePattern],
    ) -> Result<Packets, Exhausted> {
        let letters = letters_fitting(space, names);
        let here = |letter: &usize| letters.contains(letter);
        match &self.output {
            OutInterface::Packet => {
                let block = space.interface_block(false);
                space.letters_condition(block, letters)
            }
            OutInterface::None => Ok(if here(&space.names.letter_of("")) {
                Packets::ALL
            } else {
                Packets::NONE
            }),
            OutInterface::Letter(letter) => Ok(if here(letter) {
                Packets::ALL
            } else {
                Packets::NONE
            }),
            OutInterface::Unknown(word) => {
                let ranges: Vec<_> = letters
                    .iter()
                    .map(|letter| {
                        surefoot_ruleset::model::Range::one(u128::try_from(*letter).unwrap_or(0))
                    })
                    .collect();
                space.store.vector_in(word, &ranges)
            }
        }
    }
}

fn letters_fitting(space: &PacketSpace, names: &[NamePattern]) -> Vec<usize> {
    let letters: std::collections::BTreeSet<usize> = names
        .iter()
        .flat_map(|pattern| space.names.fitting(pattern))
        .collect();
    letters.into_iter().collect()
}
