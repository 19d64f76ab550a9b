//! The packets that words mean.

use std::collections::BTreeSet;

use super::condition::RulePlace;
use super::diagram::{Exhausted, Packets};
use super::lookup;
use super::space::PacketSpace;
use super::state::PacketRewrite;
use crate::traffic::{ConditionPart, Traffic, TrafficCondition};
use surefoot_ruleset::model::{
    Backend, Component, Family, Field, Firewall, KeyPart, Match, Place, RuleAt, Set, SetKind,
    SetRef, Statement, Table,
};

/// A set of the rules that words name, and where it is.
struct NamedSet<'a> {
    table: usize,
    set: &'a Set,
    place: SetRef,
}

/// Whether the rules have a set of that name that holds addresses alone, or why it cannot be asked.
pub fn set_problem(firewall: &Firewall, name: &str) -> Option<String> {
    let found = sets_named(firewall, name);
    if found.is_empty() {
        let known: Vec<&str> = firewall
            .ipsets
            .iter()
            .chain(firewall.tables.iter().flat_map(|table| &table.sets))
            .map(|set| set.name.as_str())
            .collect();
        return Some(if known.is_empty() {
            format!("there is no set `{name}`: these rules have none")
        } else {
            format!("there is no set `{name}`; there are: {}", known.join(", "))
        });
    }
    if let Some(one) = found.iter().find(|one| !holds_addresses(one.set)) {
        return Some(format!(
            "the set `{}` holds more than addresses",
            one.set.name
        ));
    }
    if found
        .windows(2)
        .any(|pair| pair[0].set.content != pair[1].set.content)
    {
        return Some(format!("several sets are called `{name}`, and they differ"));
    }
    None
}

fn holds_addresses(set: &Set) -> bool {
    match &set.kind {
        SetKind::Nft { type_name, map } => {
            !map && matches!(type_name.as_str(), "ipv4_addr" | "ipv6_addr")
        }
        SetKind::Ipset { type_name } => {
            matches!(type_name.as_str(), "hash:ip" | "hash:net" | "bitmap:ip")
        }
        SetKind::List { .. } => false,
    }
}

fn sets_named<'a>(firewall: &'a Firewall, name: &str) -> Vec<NamedSet<'a>> {
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let ipsets = firewall.ipsets.iter().enumerate();
    let ipsets = ipsets.map(|(at, set)| NamedSet {
        table: 0,
        set,
        place: SetRef::Ipset(number(at)),
    });
    let tables = firewall.tables.iter().enumerate();
    let named = tables.flat_map(|(table, content)| {
        let sets = content.sets.iter().enumerate();
        sets.map(move |(at, set)| NamedSet {
            table,
            set,
            place: SetRef::Named(number(at)),
        })
    });
    ipsets
        .chain(named)
        .filter(|found| found.set.name == name)
        .collect()
}

impl PacketSpace {
    /// The packets that the words mean, where they are in this state.
    pub(crate) fn packets_about(
        &mut self,
        firewall: &Firewall,
        state: &PacketRewrite,
        traffic: &Traffic,
    ) -> Result<Packets, Exhausted> {
        let other_family = traffic.v6.is_some_and(|v6| v6 != self.v6);
        let mut packets = if other_family {
            Packets::NONE
        } else {
            Packets::ALL
        };
        for TrafficCondition { negated, parts } in &traffic.conditions {
            let mut holds = Packets::ALL;
            for part in parts {
                let one = self.packets_of_part(firewall, state, part)?;
                holds = self.store.and(holds, one)?;
            }
            packets = self
                .store
                .and(packets, if *negated { !holds } else { holds })?;
        }
        Ok(packets)
    }

    fn packets_of_part(
        &mut self,
        firewall: &Firewall,
        state: &PacketRewrite,
        part: &ConditionPart,
    ) -> Result<Packets, Exhausted> {
        // Words stand in no rule; whatever a set leaves open is laid at the first one's door.
        let at = RuleAt {
            table: 0,
            chain: 0,
            rule: 0,
        };
        match part {
            ConditionPart::Match(wanted) => {
                let nowhere = empty_table();
                let table = firewall.tables.first().unwrap_or(&nowhere);
                self.match_condition(
                    RulePlace {
                        firewall,
                        table,
                        at,
                    },
                    state,
                    wanted,
                )
            }
            ConditionPart::Any(of) => {
                let mut sets = Vec::with_capacity(of.len());
                for one in of {
                    sets.push(self.packets_of_part(firewall, state, one)?);
                }
                self.store.unite_all(sets)
            }
            ConditionPart::All(of) => {
                let mut all = Packets::ALL;
                for one in of {
                    let one = self.packets_of_part(firewall, state, one)?;
                    all = self.store.and(all, one)?;
                }
                Ok(all)
            }
            ConditionPart::InSet { source, name } => {
                let field = self.address_field(*source);
                let mut found = Vec::new();
                for one in sets_named(firewall, name) {
                    if !self.fits_family(one.set) {
                        continue;
                    }
                    let nowhere = empty_table();
                    let table = firewall.tables.get(one.table).unwrap_or(&nowhere);
                    let key = [KeyPart::Number(field.into())];
                    let here = RulePlace {
                        firewall,
                        table,
                        at,
                    };
                    found.push(lookup::holds(self, here, state, &key, &one.place)?);
                }
                let there = state.word(self, field)?.there;
                let found = self.store.unite_all(found)?;
                self.store.and(there, found)
            }
        }
    }

    /// Whether a set of addresses holds those of this family.
    fn fits_family(&self, set: &Set) -> bool {
        let largest = set
            .content
            .elements()
            .iter()
            .flat_map(|element| &element.key)
            .map(|component| match component {
                Component::Numbers(range) => range.hi,
                Component::Name(_) => 0,
            })
            .max();
        match &set.kind {
            SetKind::Nft { type_name, .. } => (type_name == "ipv6_addr") == self.v6,
            // `ipset save` says the family of a set in its options; its elements tell it as well.
            SetKind::Ipset { .. } => {
                largest.is_none_or(|largest| (largest > u32::MAX.into()) == self.v6)
            }
            SetKind::List { .. } => true,
        }
    }
}

/// The table of words that stand in no rule.
fn empty_table() -> Table {
    Table {
        backend: Backend::Nft,
        family: Family::Inet,
        name: String::new(),
        dormant: false,
        chains: Vec::new(),
        sets: Vec::new(),
        others: Vec::new(),
        place: Place::default(),
    }
}

/// The fields that some rule asks for, as a person would want to know them of a packet.
pub fn asked_fields(firewall: &Firewall) -> BTreeSet<Field> {
    fn of_match(wanted: &Match, fields: &mut BTreeSet<Field>) {
        match wanted {
            Match::Field { operand, .. } => {
                fields.insert(operand.field);
            }
            Match::Lookup(lookup) => of_key(&lookup.key, fields),
            Match::Any { of, .. } => of.iter().for_each(|one| of_match(one, fields)),
            Match::InInterface { .. }
            | Match::OutInterface { .. }
            | Match::Never
            | Match::Opaque(_) => {}
        }
    }
    fn of_key(key: &[KeyPart], fields: &mut BTreeSet<Field>) {
        for part in key {
            if let KeyPart::Number(operand) = part {
                fields.insert(operand.field);
            }
        }
    }
    let mut fields = BTreeSet::new();
    let chains = firewall.tables.iter().flat_map(|table| &table.chains);
    for statement in chains
        .flat_map(|chain| &chain.rules)
        .flat_map(|rule| &rule.statements)
    {
        match statement {
            Statement::Match(wanted) => of_match(wanted, &mut fields),
            Statement::VerdictMap(map) => of_key(&map.key, &mut fields),
            Statement::Effect(_) | Statement::Verdict(_) => {}
        }
    }
    fields
}
