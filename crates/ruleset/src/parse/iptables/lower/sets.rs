//! `--match-set`: which parts of a packet make the key.

use super::super::syntax::Given;
use super::Lowering;
use crate::model::{Field, KeyPart, Lookup, Match, Set, SetKind, SetRef};

impl Lowering<'_> {
    pub(super) fn set_ref(&self, name: &str) -> SetRef {
        let sets = self.context.ipsets.iter().zip(0..);
        let mut named = sets.filter(|(set, _)| set.name == name);
        named.next().map_or_else(
            || SetRef::Missing(name.to_owned()),
            |(_, at)| SetRef::Ipset(at),
        )
    }

    pub(super) fn match_set(&self, given: &Given<'_>) -> Match {
        let set = self.set_ref(given.value());
        let lookup = |set: SetRef, negated| {
            Match::Lookup(Lookup {
                key: self.key(given.second(), &set),
                negated,
                set,
            })
        };
        let sets = self.members(&set, 0);
        let given_parts = given.second().split(',').count();
        let kinds: Vec<Option<&str>> = sets.iter().map(|set| self.dimensions(set, 0)).collect();
        let askable = |kind: Option<&str>| {
            kind.is_none_or(|dimensions| dimensions.split(',').count() <= given_parts)
        };
        if kinds.iter().all(|kind| askable(*kind) && *kind == kinds[0]) {
            return lookup(set, given.negated);
        }
        // Each member of a list makes a key of its own kind, and one that asks for more parts
        // than are given holds nothing (`ip_set_test`).
        let fitting = sets.into_iter().zip(kinds);
        Match::Any {
            negated: given.negated,
            of: fitting
                .filter(|(_, kind)| askable(*kind))
                .map(|(set, _)| lookup(set, false))
                .collect(),
        }
    }

    /// The sets behind a list of sets, or the set itself.
    fn members(&self, set: &SetRef, depth: u8) -> Vec<SetRef> {
        let found = match set {
            SetRef::Ipset(at) => usize::try_from(*at)
                .ok()
                .and_then(|at| self.context.ipsets.get(at)),
            _ => None,
        };
        match found.map(|set| &set.kind) {
            Some(SetKind::List { members }) if depth < 8 => members
                .iter()
                .flat_map(|member| self.members(member, depth + 1))
                .collect(),
            _ => vec![set.clone()],
        }
    }

    fn key(&self, directions: &str, set: &SetRef) -> Vec<KeyPart> {
        let mut directions = directions.split(',').map(|word| word == "src");
        let Some(dimensions) = self.dimensions(set, 0) else {
            // What the set holds is unknown, so only how many parts there are can be said.
            return directions.map(|source| self.address_part(source)).collect();
        };
        let mut key = Vec::new();
        // A direction that is not given is that of the destination.
        for dimension in dimensions.split(',') {
            let source = directions.next().unwrap_or(false);
            let number = |ours: Field, theirs: Field| {
                KeyPart::Number(if source { ours } else { theirs }.into())
            };
            match dimension {
                "port" => {
                    key.push(KeyPart::Number(Field::L4Proto.into()));
                    key.push(number(Field::SetSrcPort, Field::SetDstPort));
                }
                "mac" => key.push(number(Field::MacSrc, Field::MacDst)),
                "mark" => key.push(KeyPart::Number(Field::Mark.into())),
                "iface" if source => key.push(KeyPart::InInterface),
                "iface" => key.push(KeyPart::OutInterface),
                _ => key.push(self.address_part(source)),
            }
        }
        key
    }

    fn address_part(&self, source: bool) -> KeyPart {
        KeyPart::Number(
            if source {
                self.of_family(Field::Ip4Src, Field::Ip6Src)
            } else {
                self.of_family(Field::Ip4Dst, Field::Ip6Dst)
            }
            .into(),
        )
    }

    /// `ip,port` of `hash:ip,port`; of a list those of its first member.
    fn dimensions(&self, set: &SetRef, depth: u8) -> Option<&str> {
        let SetRef::Ipset(at) = set else { return None };
        let set: &Set = self.context.ipsets.get(usize::try_from(*at).ok()?)?;
        match &set.kind {
            SetKind::Ipset { type_name } => type_name.split_once(':').map(|(_, parts)| parts),
            SetKind::List { members } if depth < 8 => self.dimensions(members.first()?, depth + 1),
            _ => None,
        }
    }
}
