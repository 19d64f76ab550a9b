//! What effects and NAT do to a set of packets.

use std::net::IpAddr;

use super::diagram::{Exhausted, Packets};
use super::space::{PacketSpace, UnknownAnswer, UnknownTopic};
use super::state::{OutInterface, PacketRewrite};
use super::word::BitVector;
use crate::Surroundings;
use crate::packet::{FieldValue, PacketInterface, address_type, to_address};
use crate::semantics::{chosen_among, own_address};
use surefoot_ruleset::model::{Effect, Field, Hook, Nat, NatKind, Range, RuleAt, ct_state};

impl PacketSpace {
    /// Applies an effect to packets in a state.
    pub(crate) fn apply_effect(
        &mut self,
        at: RuleAt,
        state: &mut PacketRewrite,
        effect: &Effect,
    ) -> Result<(), Exhausted> {
        match effect {
            Effect::SetMark { field, and, xor } => {
                let mut word = state.word(self, *field)?;
                for (place, bit) in word.bits.iter_mut().rev().enumerate() {
                    if place >= 32 || and >> place & 1 == 0 {
                        *bit = Packets::NONE;
                    }
                    if place < 32 && xor >> place & 1 == 1 {
                        *bit = !*bit;
                    }
                }
                self.put(state, *field, word)
            }
            Effect::CopyMark {
                from,
                from_mask,
                to,
                to_mask,
            } => {
                let source = state.word(self, *from)?;
                let old = state.word(self, *to)?;
                let added = source.clone().with_mask(Some((*from_mask).into()));
                let mut word = old.clone().with_mask(Some((!*to_mask).into()));
                for (bit, added) in word.bits.iter_mut().zip(&added.bits) {
                    *bit = self.store.symmetric_difference(*bit, *added)?;
                }
                // Without a connection there is nothing to copy from.
                let word = self.store.either_word(source.there, &word, &old)?;
                self.put(
                    state,
                    *to,
                    BitVector {
                        there: old.there,
                        ..word
                    },
                )
            }
            Effect::NoTrack if state.hidden => {
                state.stop_tracking();
                Ok(())
            }
            // Once a packet is tracked it stays so (`nft_notrack_eval`).
            Effect::NoTrack => {
                let old = state.word(self, Field::CtState)?;
                let loose = self
                    .store
                    .vector_in(&old, &[Range::one(ct_state::INVALID)])?;
                let untracked = BitVector::constant_vector(ct_state::UNTRACKED, 7);
                let word = self.store.either_word(loose, &untracked, &old)?;
                state.put(Field::CtState, word);
                Ok(())
            }
            Effect::Set { field, value } => {
                let old = state.word(self, *field)?;
                let width = u32::try_from(old.bits.len()).unwrap_or_default();
                let mut word = BitVector::constant_vector(*value, width);
                word.there = old.there;
                self.put(state, *field, word)
            }
            Effect::Forget { field } => state.forget(self, *field, UnknownAnswer::Rule(at)),
            Effect::CtZone(_)
            | Effect::Log { .. }
            | Effect::UpdateSet { .. }
            | Effect::Remember { .. }
            | Effect::Other { .. } => Ok(()),
        }
    }

    /// A change that changes nothing keeps the states together.
    fn put(
        &mut self,
        state: &mut PacketRewrite,
        field: Field,
        word: BitVector,
    ) -> Result<(), Exhausted> {
        if state.word(self, field)? != word {
            state.put(field, word);
        }
        Ok(())
    }

    /// Rewrites the packets as the target says: the states that they are in afterwards.
    pub(crate) fn apply_nat(
        &mut self,
        at: RuleAt,
        (state, packets): (&PacketRewrite, Packets),
        nat: &Nat,
        hook: Hook,
        surroundings: &Surroundings,
    ) -> Result<Vec<(PacketRewrite, Packets)>, Exhausted> {
        if let Some(twins) = &mut self.twins {
            twins.remember_write(at, nat);
        }
        let source = match nat.kind {
            NatKind::Snat | NatKind::Masquerade => true,
            NatKind::Dnat | NatKind::Redirect => false,
            NatKind::Netmap => matches!(hook, Hook::Postrouting | Hook::Input),
        };
        let address = self.address_field(source);
        let (port, kind) = if source {
            (Field::SrcPort, Field::SrcAddressType)
        } else {
            (Field::DstPort, Field::DstAddressType)
        };
        let old_address = state.word(self, address)?;
        let old_port = state.word(self, port)?;
        let mut packets = packets;
        let new_address = self.new_address(at, state, nat, (source, hook), surroundings)?;
        if let Some((ranges, inside)) = chosen_among(nat, self.v6)
            && new_address.as_constant().is_none()
        {
            // What the kernel chooses; where it has no choice, that is not looked at.
            let chosen = self.rewritten_word(at, address)?;
            let such = self.store.vector_in(&chosen, &ranges)?;
            let such = if inside { such } else { !such };
            packets = self.store.and(packets, such)?;
        }
        let mut new_port = match nat.ports {
            _ if nat.by_map.is_some() => self.rewritten_word(at, port)?,
            Some((first, last)) if first == last => BitVector::constant_vector(first.into(), 16),
            Some((first, last)) => {
                let word = self.rewritten_word(at, port)?;
                let range = Range {
                    lo: first.into(),
                    hi: last.into(),
                };
                let inside = self.store.vector_in(&word, &[range])?;
                let fits = self.store.or(inside, !old_port.there)?;
                packets = self.store.and(packets, fits)?;
                word
            }
            None => old_port.clone(),
        };
        new_port.there = old_port.there;
        let why = UnknownAnswer::Rule(at);
        let same = self.same_number(why, &new_address, &old_address)?;
        let same_port = self.same_number(why, &new_port, &old_port)?;
        let same_port = self.store.or(same_port, !old_port.there)?;
        let same = self.store.and(same, same_port)?;
        let mut after = state.clone();
        let type_word = if nat.kind == NatKind::Redirect {
            BitVector::constant_vector(2, 4)
        } else {
            self.type_afterwards(at, &new_address, source, surroundings)?
        };
        if new_address != old_address {
            after.put(address, new_address);
            after.put(kind, type_word);
        }
        if new_port != old_port {
            after.put(port, new_port);
        }
        let mut untouched = after.clone();
        untouched.fix_address(source);
        after.fix_address(source);
        after.set_rewritten(source);
        let changed = self.store.minus(packets, same)?;
        let unchanged = self.store.and(packets, same)?;
        Ok([(after, changed), (untouched, unchanged)]
            .into_iter()
            .filter(|(_, packets)| !packets.is_none())
            .collect())
    }

    fn new_address(
        &mut self,
        at: RuleAt,
        state: &PacketRewrite,
        nat: &Nat,
        (source, hook): (bool, Hook),
        surroundings: &Surroundings,
    ) -> Result<BitVector, Exhausted> {
        let field = self.address_field(source);
        let width = if self.v6 { 128 } else { 32 };
        if nat.by_map.is_some() {
            return self.rewritten_word(at, field);
        }
        match (nat.kind, nat.addresses) {
            (NatKind::Netmap, Some((first, last))) => {
                let old = state.word(self, field)?;
                let network = BitVector::constant_vector(address_number(first), width);
                let host =
                    BitVector::constant_vector(address_number(first) ^ address_number(last), width);
                let bits = old.bits.iter().zip(&network.bits).zip(&host.bits);
                Ok(BitVector {
                    there: old.there,
                    bits: bits
                        .map(|((old, network), host)| if host.is_all() { *old } else { *network })
                        .collect(),
                })
            }
            (_, Some((first, last))) if first == last => {
                Ok(BitVector::constant_vector(address_number(first), width))
            }
            (_, Some(_)) => self.rewritten_word(at, field),
            (NatKind::Redirect, None) if hook == Hook::Output => {
                let loopback = if self.v6 { 1 } else { 0x7f00_0001 };
                Ok(BitVector::constant_vector(loopback, width))
            }
            (NatKind::Masquerade | NatKind::Redirect, None) => {
                self.own_address_of(at, state, source, surroundings)
            }
            (_, None) => state.word(self, field),
        }
    }

    /// The address of the interface that the packet leaves or comes by, where it has just one.
    fn own_address_of(
        &mut self,
        at: RuleAt,
        state: &PacketRewrite,
        source: bool,
        surroundings: &Surroundings,
    ) -> Result<BitVector, Exhausted> {
        let width = if self.v6 { 128 } else { 32 };
        let mut word = self.rewritten_word(at, self.address_field(source))?;
        let own = |space: &Self, name: &str| {
            own_address(&PacketInterface::named(name), space.v6, surroundings)
        };
        if let (true, OutInterface::Letter(letter)) = (source, &state.output) {
            let name = self.names.sample_name(*letter).unwrap_or_default();
            return Ok(match own(self, &name) {
                FieldValue::Known(number) => BitVector::constant_vector(number, width),
                _ => word,
            });
        }
        if source && state.output != OutInterface::Packet {
            return Ok(word);
        }
        for interface in surroundings.interfaces.iter().flatten() {
            if let FieldValue::Known(number) = own(self, &interface.name) {
                let letter = self.names.letter_of(&interface.name);
                let block = self.interface_block(!source);
                let here = self.letters_condition(block, [letter])?;
                word = self.store.either_word(
                    here,
                    &BitVector::constant_vector(number, width),
                    &word,
                )?;
            }
        }
        Ok(word)
    }

    /// The type of an address that NAT wrote.
    fn type_afterwards(
        &mut self,
        at: RuleAt,
        address: &BitVector,
        source: bool,
        surroundings: &Surroundings,
    ) -> Result<BitVector, Exhausted> {
        let kind = if source {
            Field::SrcAddressType
        } else {
            Field::DstAddressType
        };
        if let Some(number) = address.as_constant()
            && let Some(known) = address_type(to_address(number, self.v6), surroundings)
        {
            return Ok(BitVector::constant_vector(known, 4));
        }
        let open = self.rewritten_word(at, kind)?;
        self.type_word(address, open, surroundings)
    }

    /// The packets in which NAT's new number is the old one. Where the new one is unknown,
    /// neither is that: to compare two open numbers bit by bit would be exact, and too large.
    pub(crate) fn same_number(
        &mut self,
        why: UnknownAnswer,
        new: &BitVector,
        old: &BitVector,
    ) -> Result<Packets, Exhausted> {
        if new.bits == old.bits {
            return Ok(Packets::ALL);
        }
        let mut open = Packets::NONE;
        for bit in &new.bits {
            let on = self.store.possibly(*bit, self.first_unknown)?;
            let off = self.store.possibly(!*bit, self.first_unknown)?;
            let either = self.store.and(on, off)?;
            open = self.store.or(open, either)?;
        }
        let mut known = new.clone();
        for bit in &mut known.bits {
            *bit = self.store.minus(*bit, open)?;
        }
        let same = self.store.vectors_equal(&known, old)?;
        if open.is_none() {
            return Ok(same);
        }
        let perhaps = self.ask_unknown(why, &UnknownTopic::Same)?;
        self.store.if_then_else(open, perhaps, same)
    }
}

fn address_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}
