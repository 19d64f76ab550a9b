//! A packet as numbers in slots: one for each field that the rules of its way ask for.

use std::collections::BTreeMap;

use super::step::UnknownValue;
use crate::packet::{FieldValue, Packet, PacketInterface};
use crate::semantics::Decider;
use surefoot_ruleset::model::{Field, ct_state};

/// Fields that have a slot; what asks for more of them is left to the evaluator.
pub(super) const MOST_SLOTS: usize = 32;

/// The slots of the fields that one way's rules ask for.
#[derive(Clone, Debug)]
pub(super) struct FieldSlots {
    of: BTreeMap<Field, u8>,
    /// The slots of what conntrack knows beside the state, a bit each.
    connection: u32,
}

/// The slot of the state: every way has it.
const STATE: u8 = 0;
/// The slot of the protocol.
const PROTOCOL: u8 = 1;
/// The slot of the time to live, or the hop limit.
pub(super) const HOPS: u8 = 2;

impl FieldSlots {
    pub(super) fn new(v6: bool) -> Self {
        let mut slots = Self {
            of: BTreeMap::new(),
            connection: 0,
        };
        let hops = if v6 { Field::HopLimit } else { Field::Ttl };
        for field in [Field::CtState, Field::L4Proto, hops] {
            slots.slot_of(field);
        }
        slots
    }

    /// The slot of a field, if there is room for it.
    pub(super) fn slot_of(&mut self, field: Field) -> Option<u8> {
        if let Some(slot) = self.of.get(&field) {
            return Some(*slot);
        }
        let slot = u8::try_from(self.of.len()).ok()?;
        if usize::from(slot) >= MOST_SLOTS {
            return None;
        }
        self.of.insert(field, slot);
        if Packet::connection_fields().contains(&field) {
            self.connection |= 1 << slot;
        }
        Some(slot)
    }

    /// Whether some rule asks for the field.
    pub(super) fn has(&self, field: Field) -> bool {
        self.of.contains_key(&field)
    }

    /// What the packet has in the slots.
    pub(super) fn read_packet(&self, way: usize, packet: &Packet) -> PacketKey {
        let mut key = PacketKey {
            way,
            values: vec![0; self.of.len()].into(),
            there: There::default(),
            input: packet.input.clone(),
            output: packet.output.clone(),
        };
        for (field, slot) in &self.of {
            match packet.get(*field) {
                FieldValue::Known(number) => {
                    key.there.known |= 1 << slot;
                    key.values[usize::from(*slot)] = number;
                }
                FieldValue::Absent => key.there.absent |= 1 << slot,
                FieldValue::Unknown => {}
            }
        }
        key
    }
}

/// Which slots hold a number, and which fields the packet lacks: a bit each.
#[derive(Clone, Copy, Debug, Default)]
struct There {
    known: u32,
    absent: u32,
}

/// A packet that is ready to be looked up.
#[derive(Clone, Debug)]
pub struct PacketKey {
    pub(super) way: usize,
    values: Box<[u128]>,
    there: There,
    pub(super) input: PacketInterface,
    pub(super) output: PacketInterface,
}

/// A packet on its way, with what rules have changed.
pub(super) struct SeenFields<'a> {
    values: [u128; MOST_SLOTS],
    there: There,
    key: &'a PacketKey,
    connection: u32,
    pub(super) input: &'a PacketInterface,
    pub(super) output: &'a PacketInterface,
    untracked: bool,
    /// Who accepted it, and how much that weighs.
    decided: Option<(u8, Decider)>,
}

impl<'a> SeenFields<'a> {
    pub(super) fn new(key: &'a PacketKey, slots: &FieldSlots) -> Self {
        let mut values = [0; MOST_SLOTS];
        values[..key.values.len()].copy_from_slice(&key.values);
        Self {
            values,
            there: key.there,
            key,
            connection: slots.connection,
            input: &key.input,
            output: &PacketInterface::None,
            untracked: false,
            decided: None,
        }
    }

    /// The number; none if the packet lacks the field.
    #[inline]
    pub(super) fn number(&self, slot: u8) -> Result<Option<u128>, UnknownValue> {
        let bit = 1_u32 << slot;
        if self.there.known & bit != 0 {
            Ok(Some(self.values[usize::from(slot)]))
        } else if self.there.absent & bit != 0 {
            Ok(None)
        } else {
            Err(UnknownValue)
        }
    }

    pub(super) fn put(&mut self, slot: u8, number: Option<u128>) {
        let bit = 1 << slot;
        self.there.absent &= !bit;
        match number {
            Some(number) => {
                self.there.known |= bit;
                self.values[usize::from(slot)] = number;
            }
            None => self.there.known &= !bit,
        }
    }

    pub(super) fn state(&self) -> Result<Option<u128>, UnknownValue> {
        self.number(STATE)
    }

    pub(super) fn protocol(&self) -> Result<Option<u128>, UnknownValue> {
        self.number(PROTOCOL)
    }

    /// A rule says that it is not to be tracked.
    pub(super) fn untrack(&mut self) {
        self.lose_connection();
        self.put(STATE, Some(ct_state::UNTRACKED));
        self.untracked = true;
    }

    /// Chains before conntrack see no connection.
    pub(super) fn hide_connection(&mut self) {
        if !self.untracked {
            self.put(STATE, Some(ct_state::INVALID));
        }
        self.lose_connection();
    }

    pub(super) fn show_connection(&mut self) {
        if self.untracked {
            return;
        }
        let back = self.connection | 1 << STATE;
        let There { known, absent } = self.key.there;
        self.there.known = self.there.known & !back | known & back;
        self.there.absent = self.there.absent & !back | absent & back;
        for (slot, value) in self.key.values.iter().enumerate() {
            if back & (1 << slot) != 0 {
                self.values[slot] = *value;
            }
        }
    }

    fn lose_connection(&mut self) {
        self.there.known &= !self.connection;
        self.there.absent |= self.connection;
    }

    /// The later decision counts, unless it weighs less.
    pub(super) fn decide_by(&mut self, weight: u8, by: Decider) {
        if self.decided.is_none_or(|(before, _)| before <= weight) {
            self.decided = Some((weight, by));
        }
    }

    pub(super) fn decided(&self) -> Decider {
        self.decided.map_or(Decider::Kernel, |(_, by)| by)
    }
}
