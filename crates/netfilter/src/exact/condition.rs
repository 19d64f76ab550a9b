//! The packets that a match holds for.

use super::diagram::{Exhausted, Packets};
use super::lookup;
use super::space::{PacketSpace, UnknownAnswer, UnknownTopic};
use super::state::PacketRewrite;
use super::twins::limit_meaning;
use surefoot_ruleset::model::{Field, Firewall, KeyPart, Match, RuleAt, SetRef, Table};

/// Where a match stands.
#[derive(Clone, Copy)]
pub(crate) struct RulePlace<'a> {
    pub(crate) firewall: &'a Firewall,
    pub(crate) table: &'a Table,
    pub(crate) at: RuleAt,
}

impl PacketSpace {
    /// The packets, in this state, that the match holds for.
    pub(crate) fn match_condition(
        &mut self,
        here: RulePlace,
        state: &PacketRewrite,
        wanted: &Match,
    ) -> Result<Packets, Exhausted> {
        if let Some(packets) = self.plain_condition(state, wanted)? {
            return Ok(packets);
        }
        match wanted {
            Match::Lookup(look) => {
                // An ipset match on a field that the packet lacks is "not in the set", which a `!`
                // turns round; nft gives the rule up before it asks.
                let ipset = matches!(look.set, SetRef::Ipset(_));
                let mut there = Packets::ALL;
                for part in &look.key {
                    if let KeyPart::Number(operand) = part {
                        let word = state.word(self, operand.field)?;
                        there = self.store.and(there, word.there)?;
                    }
                }
                let found = lookup::holds(self, here, state, &look.key, &look.set)?;
                let found = self.store.and(there, turned(found, look.negated))?;
                if ipset && look.negated {
                    return self.store.or(found, !there);
                }
                Ok(found)
            }
            Match::Any { negated, of } => {
                let mut sets = Vec::with_capacity(of.len());
                for one in of {
                    sets.push(self.match_condition(here, state, one)?);
                }
                Ok(turned(self.store.unite_all(sets)?, *negated))
            }
            Match::Field { .. }
            | Match::InInterface { .. }
            | Match::OutInterface { .. }
            | Match::Never => Ok(Packets::NONE),
            Match::Opaque(opaque) if opaque.stateful => {
                let words = limit_meaning(&opaque.text).unwrap_or_else(|| opaque.text.clone());
                let topic = UnknownTopic::Words(words);
                self.ask_in(state, UnknownAnswer::Rule(here.at), &topic)
            }
            Match::Opaque(opaque) => {
                let key = (opaque.text.clone(), state.clone());
                let variable = if let Some(variable) = self.shared.get(&key) {
                    *variable
                } else {
                    let variable =
                        self.new_unknown(UnknownAnswer::Rule(here.at), &UnknownTopic::Own, None)?;
                    self.shared.insert(key, variable);
                    variable
                };
                self.store.bit(variable)
            }
        }
    }

    /// The same, for a match that asks no set and knows no unknown answer; none for others.
    pub(crate) fn plain_condition(
        &mut self,
        state: &PacketRewrite,
        wanted: &Match,
    ) -> Result<Option<Packets>, Exhausted> {
        Ok(Some(match wanted {
            Match::Field {
                operand,
                negated,
                ranges,
            } => {
                let word = state.word(self, operand.field)?.with_mask(operand.mask);
                let inside = self.store.vector_in(&word, ranges)?;
                self.store.and(word.there, turned(inside, *negated))?
            }
            Match::InInterface { negated, names } => turned(state.input_is(self, names)?, *negated),
            Match::OutInterface { negated, names } => {
                turned(state.output_is(self, names)?, *negated)
            }
            Match::Never => Packets::NONE,
            Match::Lookup(_) | Match::Any { .. } | Match::Opaque(_) => return Ok(None),
        }))
    }
}

fn turned(set: Packets, negated: bool) -> Packets {
    if negated { !set } else { set }
}

/// Whether a match reads a transport header, which in `nf_tables` a later fragment may seem to have.
pub(crate) fn reads_transport(wanted: &Match) -> bool {
    let field = |field: Field| {
        matches!(
            field,
            Field::SrcPort
                | Field::DstPort
                | Field::SetSrcPort
                | Field::SetDstPort
                | Field::TcpFlags
                | Field::IcmpType
                | Field::IcmpCode
                | Field::Icmp6Type
                | Field::Icmp6Code
        )
    };
    match wanted {
        Match::Field { operand, .. } => field(operand.field),
        Match::Lookup(lookup) => lookup
            .key
            .iter()
            .any(|part| matches!(part, KeyPart::Number(operand) if field(operand.field))),
        Match::Any { of, .. } => of.iter().any(reads_transport),
        Match::InInterface { .. }
        | Match::OutInterface { .. }
        | Match::Never
        | Match::Opaque(_) => false,
    }
}
