//! Whether the kernel may refuse a packet whatever the rules say, for one packet after another.

use crate::Surroundings;
use crate::packet::{Packet, PacketInterface, PacketPath};
use crate::refusals::{KernelRefusals, RefusedPackets};
use surefoot_ruleset::model::{Field, Match, NamePattern, Range};

/// The refusals of a way, with the fields that they ask for read once.
#[derive(Clone, Debug)]
pub(super) struct RefusalTest {
    fields: Vec<Field>,
    conditions: Vec<RefusalCondition>,
}

/// All of it holds for packets that are refused.
#[derive(Clone, Debug, Default)]
struct RefusalCondition {
    /// Indices of fields, each with the numbers.
    fields: Vec<(usize, Vec<Range>)>,
    inputs: Vec<(bool, Vec<NamePattern>)>,
}

impl RefusalTest {
    pub(super) fn new(path: PacketPath, v6: bool, surroundings: &Surroundings) -> Self {
        let refusals = KernelRefusals::new(v6, surroundings, None);
        let mut test = Self {
            fields: Vec::new(),
            conditions: Vec::new(),
        };
        for refused in refusals.on_way(path) {
            test.add(refused);
        }
        test
    }

    fn add(&mut self, refused: &RefusedPackets) {
        let mut condition = RefusalCondition::default();
        for wanted in &refused.when {
            match wanted {
                Match::Field {
                    operand, ranges, ..
                } => {
                    let known = self.fields.iter().position(|one| *one == operand.field);
                    let at = known.unwrap_or_else(|| {
                        self.fields.push(operand.field);
                        self.fields.len() - 1
                    });
                    condition.fields.push((at, ranges.clone()));
                }
                Match::InInterface { negated, names } => {
                    condition.inputs.push((*negated, names.clone()));
                }
                // For a refusal that depends on more, the evaluator is asked.
                _ => {}
            }
        }
        self.conditions.push(condition);
    }

    /// Whether the evaluator has to be asked.
    pub(super) fn may_refuse(&self, packet: &Packet) -> bool {
        let values: Vec<Option<u128>> = self
            .fields
            .iter()
            .map(|field| packet.known(*field))
            .collect();
        self.conditions.iter().any(|condition| {
            let mut fields = condition.fields.iter();
            let fits = fields.all(|(at, ranges)| {
                values[*at].is_some_and(|value| ranges.iter().any(|range| range.contains(value)))
            });
            fits && condition
                .inputs
                .iter()
                .all(|(negated, names)| may_come_by(packet, names, *negated))
        })
    }
}

fn may_come_by(packet: &Packet, names: &[NamePattern], negated: bool) -> bool {
    match &packet.input {
        PacketInterface::Named(name) => names.iter().any(|one| one.matches(name)) != negated,
        PacketInterface::None => negated,
        PacketInterface::Unknown => true,
    }
}
