//! Where packets end, in parts, while they are followed.

use std::collections::BTreeMap;

use super::diagram::{Diagrams, Exhausted, Packets};
use crate::semantics::End;

/// The packets of each end, over what is unknown, too.
///
/// What is dropped is not noted: it is dropped in the most places, and is all that comes to no other
/// end. So answers that do not exist must be: a number that NAT chose outside of the rule's range.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutcomeSets {
    by_end: BTreeMap<End, Vec<Packets>>,
    nowhere: Vec<Packets>,
}

impl OutcomeSets {
    /// These packets come to an end.
    pub(super) fn add(&mut self, end: End, packets: Packets) {
        if !packets.is_none() && end != End::Dropped {
            self.by_end.entry(end).or_default().push(packets);
        }
    }

    /// There are no such packets with such answers.
    pub(super) fn add_nowhere(&mut self, packets: Packets) {
        if !packets.is_none() {
            self.nowhere.push(packets);
        }
    }

    /// Adds all of another's.
    pub(super) fn extend(&mut self, others: Self) {
        for (end, parts) in others.by_end {
            self.by_end.entry(end).or_default().extend(parts);
        }
        self.nowhere.extend(others.nowhere);
    }

    /// As far as they are among these packets.
    pub(super) fn restricted_to(
        &self,
        store: &mut Diagrams,
        packets: Packets,
    ) -> Result<Self, Exhausted> {
        let mut inside = Self::default();
        for (end, parts) in &self.by_end {
            for part in parts {
                inside.add(*end, store.and(*part, packets)?);
            }
        }
        for part in &self.nowhere {
            inside.add_nowhere(store.and(*part, packets)?);
        }
        Ok(inside)
    }

    /// The same with one part for each end.
    pub(super) fn united_by_end(self, store: &mut Diagrams) -> Result<Self, Exhausted> {
        let mut joined = Self::default();
        for (end, parts) in self.by_end {
            joined.add(end, store.unite_all(parts)?);
        }
        joined.add_nowhere(store.unite_all(self.nowhere)?);
        Ok(joined)
    }

    /// The packets of each end but the dropped ones, and those that there are not.
    pub(super) fn into_sets(
        self,
        store: &mut Diagrams,
    ) -> Result<(BTreeMap<End, Packets>, Packets), Exhausted> {
        let joined = self.united_by_end(store)?;
        let ends = joined.by_end.into_iter();
        let ends = ends.filter_map(|(end, parts)| Some((end, *parts.first()?)));
        let nowhere = joined.nowhere.first().copied().unwrap_or(Packets::NONE);
        Ok((ends.collect(), nowhere))
    }
}
