//! One packet out of a set, and one packet's bits.

use std::collections::{BTreeSet, HashMap};

use super::diagram::{Exhausted, Packets, Variable};
use super::space::{PacketSpace, STATES, VariableBlock};
use crate::packet::{FieldValue, Packet, PacketInterface, PacketPath};
use crate::stages::LOOPBACK;
use surefoot_ruleset::model::{Field, Range, ct_state};

/// What a packet has in the bits that its set leaves open, in the order of preference: a new TCP
/// packet that a person would recognise.
const LIKELY: &[(Field, u128)] = &[
    (Field::CtState, 0),
    (Field::L4Proto, 6),
    (Field::TcpFlags, 2),
    (Field::IcmpType, 8),
    (Field::Icmp6Type, 128),
    (Field::Ip4Src, 0xc633_6401),
    (Field::Ip4Dst, 0xc000_0201),
    (Field::Ip6Src, 0x2001_0db8_0000_0000_0000_0000_0000_0001),
    (Field::Ip6Dst, 0x2001_0db8_0000_0001_0000_0000_0000_0001),
    (Field::SrcPort, 40_000),
    (Field::DstPort, 12_345),
    (Field::Ttl, 64),
    (Field::HopLimit, 64),
    (Field::Length, 60),
    (Field::Ip6NextHeader, 6),
];

impl PacketSpace {
    /// One packet of the set, as ordinary as it can be.
    pub(crate) fn witness(&mut self, packets: Packets) -> Option<Packet> {
        let bits = self.ordinary_packet(packets)?;
        Some(self.packet_at(|variable| bits.contains(&variable)))
    }

    /// The bits of one packet of the set that are on, as ordinary as it can be.
    pub(crate) fn ordinary_packet(&mut self, packets: Packets) -> Option<BTreeSet<Variable>> {
        let mut left = self.prefer_interfaces(packets);
        for (field, number) in LIKELY {
            let Some(block) = self.block_of(*field) else {
                continue;
            };
            left = self.prefer_value(left, block, *number);
        }
        let bits = self.store.one(left)?;
        let on = bits.into_iter().filter(|(_, on)| *on);
        Some(on.map(|(variable, _)| variable).collect())
    }

    /// The packets by an interface that has a name in the rules or on the host, if there are any; else
    /// those by any but the loopback interface.
    fn prefer_interfaces(&mut self, packets: Packets) -> Packets {
        let lo = self.names.letter_of(LOOPBACK);
        let named: Vec<usize> = self.names.named().filter(|letter| *letter != lo).collect();
        let others: Vec<usize> = (0..self.names.letter_count())
            .filter(|letter| *letter != lo)
            .collect();
        let mut left = packets;
        for input in [true, false] {
            let block = self.interface_block(input);
            for letters in [&others, &named] {
                let letters = letters.iter().copied();
                let fits = self.letters_condition(block, letters);
                let narrowed = fits.and_then(|fits| self.store.and(left, fits));
                if let Ok(narrowed) = narrowed
                    && !narrowed.is_none()
                {
                    left = narrowed;
                }
            }
        }
        left
    }

    /// The packets with this number, if there are any; else those with as many of its bits as there
    /// are, the upper ones first.
    fn prefer_value(&mut self, packets: Packets, block: VariableBlock, number: u128) -> Packets {
        let mut left = packets;
        for at in 0..block.width {
            let on = number >> (block.width - 1 - at) & 1 == 1;
            let Ok(bit) = self.store.bit(block.first + at) else {
                return left;
            };
            let Ok(narrowed) = self.store.and(left, if on { bit } else { !bit }) else {
                return left;
            };
            // Where a bit cannot be as it should, the later ones still can.
            if !narrowed.is_none() {
                left = narrowed;
            }
        }
        left
    }

    /// A packet of the set, chosen by these random numbers, and its bits.
    pub(crate) fn sample(
        &mut self,
        packets: Packets,
        mut random: impl FnMut() -> u64,
    ) -> Option<(Packet, Vec<bool>)> {
        if packets.is_none() {
            return None;
        }
        let mut fixed = HashMap::new();
        let mut at = packets;
        while !at.is_all() {
            let variable = self.store.variable(at);
            let (low, high) = self.store.cofactors(at, variable);
            let on = low.is_none() || !high.is_none() && random() & 1 == 1;
            fixed.insert(variable, on);
            at = if on { high } else { low };
        }
        let bits: Vec<bool> = (0..self.first_unknown)
            .map(|variable| match fixed.get(&variable) {
                Some(on) => *on,
                None => random() & 1 == 1,
            })
            .collect();
        let packet = self.packet_at(|variable| {
            usize::try_from(variable)
                .ok()
                .and_then(|at| bits.get(at).copied())
                .unwrap_or(false)
        });
        Some((packet, bits))
    }

    /// The packets that have every value which is known of this one.
    pub(crate) fn packets_like(&mut self, packet: &Packet) -> Result<Packets, Exhausted> {
        let mut like = self.world;
        for (field, value) in packet.values().clone() {
            // An option that no rule asks for has no bit.
            if matches!(field, Field::TcpOption(_)) && self.block_of(field).is_none() {
                continue;
            }
            let word = self.word(field)?;
            let fits = match value {
                FieldValue::Known(number) => {
                    let set = self.store.vector_in(&word, &[Range::one(number)])?;
                    self.store.and(set, word.there)?
                }
                FieldValue::Absent => !word.there,
                FieldValue::Unknown => continue,
            };
            like = self.store.and(like, fits)?;
        }
        for (input, interface) in [(true, &packet.input), (false, &packet.output)] {
            let name = match interface {
                PacketInterface::Named(name) => name,
                PacketInterface::None => "",
                PacketInterface::Unknown => continue,
            };
            let letter = self.names.letter_of(name);
            let fits = self.letters_condition(self.interface_block(input), [letter])?;
            like = self.store.and(like, fits)?;
        }
        Ok(like)
    }

    /// The packet with these bits.
    fn packet_at(&mut self, bit: impl Fn(Variable) -> bool) -> Packet {
        let mut packet = Packet::new(self.path);
        let number = |block: VariableBlock| {
            (block.first..block.first + block.width).fold(0_u128, |number, variable| {
                number << 1 | u128::from(bit(variable))
            })
        };
        packet.put(
            Field::NfProto,
            FieldValue::Known(if self.v6 { 10 } else { 2 }),
        );
        let blocks: Vec<(Field, VariableBlock)> = self.fields().collect();
        for (field, block) in blocks {
            let derived = match field {
                Field::SrcAddressType => self.types[0].is_some(),
                Field::DstAddressType => self.types[1].is_some(),
                _ => false,
            };
            if derived {
                continue;
            }
            let value = number(block);
            let value = match field {
                Field::CtState => STATES
                    .iter()
                    .find(|(_, code)| *code == value)
                    .map_or(ct_state::NEW, |(state, _)| *state),
                _ => value,
            };
            let there = self.word(field).map(|word| word.there);
            let there = there.is_ok_and(|there| self.store.holds(there, &bit));
            let word = match field {
                Field::CtStatus
                | Field::CtDirection
                | Field::CtMark
                | Field::CtOriginalIp4Src
                | Field::CtOriginalIp4Dst
                | Field::CtOriginalIp6Src
                | Field::CtOriginalIp6Dst
                | Field::CtOriginalSrcPort
                | Field::CtOriginalDstPort
                | Field::CtProtocol => self.word(field).ok().map(|word| {
                    word.bits.iter().fold(0_u128, |number, set| {
                        number << 1 | u128::from(self.store.holds(*set, &bit))
                    })
                }),
                _ => Some(value),
            };
            packet.put(
                field,
                match word {
                    Some(word) if there => FieldValue::Known(word),
                    _ => FieldValue::Absent,
                },
            );
        }
        for (input, interface) in [(true, &mut packet.input), (false, &mut packet.output)] {
            let letter = usize::try_from(number(self.interface_block(input))).unwrap_or_default();
            *interface = match self.names.sample_name(letter) {
                Some(name) if !name.is_empty() => PacketInterface::Named(name),
                _ => PacketInterface::None,
            };
        }
        if self.path == PacketPath::Input {
            packet.output = PacketInterface::None;
        }
        packet
    }
}
