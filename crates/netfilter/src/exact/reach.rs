//! Which sources reach which services: kinds of sources by kinds of services.
//!
//! Services are protocols and ports that the rules treat alike for every source; sources are
//! interfaces and addresses that they treat alike for every service. Both fall out of the accepted
//! packets, so that no cell mixes what is let in with what is not, unless that depends on more than
//! the two.

use std::collections::HashMap;

use super::diagram::{Exhausted, Packets, Variable};
use super::space::VariableBlock;
use super::{Cube, Exact};
use crate::semantics::End;
use surefoot_ruleset::model::{Field, Range};

/// A matrix of sources by services.
#[derive(Clone, Debug, Default)]
pub struct ReachMatrix {
    pub services: Vec<ReachedService>,
    pub sources: Vec<Vec<Cube>>,
    /// A row for each source, a cell for each service.
    pub cells: Vec<Vec<ReachCell>>,
}

/// A protocol and ports that are treated alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReachedService {
    /// The protocols; one alone if there are ports.
    pub protocols: Vec<Range>,
    /// Its ports; none for protocols that have none.
    pub ports: Option<Vec<Range>>,
}

/// Whether packets get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReachCell {
    /// None does.
    Closed,
    /// It depends on more than source and service, or on something that is unknown.
    Partly,
    /// All do.
    Open,
}

/// More kinds of sources or services are no table for people.
const MOST: usize = 200;
const TCP: u128 = 6;
const UDP: u128 = 17;

/// A kind of service with the packets that may and those that may not get through to it, by source.
struct TrafficKind {
    service: ReachedService,
    may: Packets,
    may_not: Packets,
}

/// Values that two sets treat alike, with what the sets are for them.
type Class = ([Packets; 2], Vec<Range>);

impl Exact {
    /// The matrix of all packets that are asked about; none if there are too many kinds.
    pub fn reach_matrix(&mut self) -> Result<Option<ReachMatrix>, Exhausted> {
        let (may, may_not) = self.accepted_sets()?;
        let source = self.space.address_field(true);
        let fields = [Some(source), Some(Field::L4Proto), Some(Field::DstPort)];
        let mut kept: Vec<VariableBlock> = vec![self.space.interface_block(true)];
        if self.space.path == crate::packet::PacketPath::Forward {
            kept.push(self.space.interface_block(false));
        }
        kept.extend(
            fields
                .into_iter()
                .flatten()
                .filter_map(|field| self.space.block_of(field)),
        );
        let may = self.project_onto_blocks(may, &kept)?;
        let may_not = self.project_onto_blocks(may_not, &kept)?;
        let world = self.project_onto_blocks(self.space.world, &kept)?;
        let Some(kinds) = self.traffic_kinds(may, may_not, world)? else {
            return Ok(None);
        };
        let ports = [Field::L4Proto, Field::DstPort];
        let ports: Vec<VariableBlock> = ports
            .iter()
            .filter_map(|field| self.space.block_of(*field))
            .collect();
        kept.retain(|block| !ports.contains(block));
        let sources = self.project_onto_blocks(world, &kept)?;
        let mut atoms = vec![sources];
        for kind in &kinds {
            for set in [kind.may, kind.may_not] {
                let mut split = Vec::with_capacity(atoms.len() + 1);
                for atom in atoms {
                    let inside = self.space.store.and(atom, set)?;
                    let outside = self.space.store.minus(atom, set)?;
                    split.extend([inside, outside].into_iter().filter(|one| !one.is_none()));
                }
                atoms = split;
                if atoms.len() > MOST {
                    return Ok(None);
                }
            }
        }
        let mut matrix = ReachMatrix {
            services: Vec::new(),
            sources: Vec::new(),
            cells: Vec::new(),
        };
        for atom in atoms {
            let row = kinds.iter().map(|kind| {
                let may = self.space.store.sets_meet(atom, kind.may);
                let may_not = self.space.store.sets_meet(atom, kind.may_not);
                match (may, may_not) {
                    (true, false) => ReachCell::Open,
                    (true, true) => ReachCell::Partly,
                    (false, _) => ReachCell::Closed,
                }
            });
            matrix.cells.push(row.collect());
            let others = self.space.store.minus(sources, atom)?;
            matrix
                .sources
                .push(self.space.cubes_apart(atom, others, MOST)?.0);
        }
        matrix.services = kinds.into_iter().map(|kind| kind.service).collect();
        Ok(Some(matrix))
    }

    /// The packets that may be accepted, and those that may not be.
    fn accepted_sets(&mut self) -> Result<(Packets, Packets), Exhausted> {
        let may = self.possibly_ending(End::Accepted)?;
        let surely = self.certainly_ending(End::Accepted)?;
        let may_not = self.space.store.minus(self.space.world, surely)?;
        Ok((may, may_not))
    }

    /// For which of some blocks' values there are such packets.
    fn project_onto_blocks(
        &mut self,
        packets: Packets,
        kept: &[VariableBlock],
    ) -> Result<Packets, Exhausted> {
        let inside = |variable: &Variable| {
            kept.iter()
                .any(|block| (block.first..block.first + block.width).contains(variable))
        };
        let mut others = self.space.store.looks_at(packets, 0);
        others.retain(|variable| !inside(variable));
        self.space.store.forget_variables(packets, &others)
    }

    fn traffic_kinds(
        &mut self,
        may: Packets,
        may_not: Packets,
        world: Packets,
    ) -> Result<Option<Vec<TrafficKind>>, Exhausted> {
        let mut kinds = Vec::new();
        let (Some(protocol), Some(port)) = (
            self.space.block_of(Field::L4Proto),
            self.space.block_of(Field::DstPort),
        ) else {
            return Ok(Some(kinds));
        };
        for number in [TCP, UDP] {
            let such = self.space.field_is(Field::L4Proto, number)?;
            if !self.space.store.sets_meet(such, world) {
                continue;
            }
            let mut sets = [may, may_not];
            for set in &mut sets {
                *set = self.space.store.given_value(*set, protocol, number)?;
            }
            let Some(classes) = self.value_classes(port, sets)? else {
                return Ok(None);
            };
            for (sets, values) in classes {
                kinds.push(TrafficKind {
                    service: ReachedService {
                        protocols: vec![Range::one(number)],
                        ports: Some(values),
                    },
                    may: sets[0],
                    may_not: sets[1],
                });
            }
        }
        let with_ports = self
            .space
            .field_in(Field::L4Proto, &[TCP, UDP].map(Range::one))?;
        let mut sets = [may, may_not];
        for set in &mut sets {
            let here = self.space.store.minus(*set, with_ports)?;
            *set = self
                .space
                .store
                .forget_variables(here, &block_variables(port))?;
        }
        let Some(classes) = self.value_classes(protocol, sets)? else {
            return Ok(None);
        };
        for (sets, values) in classes {
            // TCP and UDP stand above; in their place there is nothing.
            if sets.iter().all(|set| set.is_none()) {
                continue;
            }
            kinds.push(TrafficKind {
                service: ReachedService {
                    protocols: values,
                    ports: None,
                },
                may: sets[0],
                may_not: sets[1],
            });
        }
        Ok((kinds.len() <= MOST).then_some(kinds))
    }

    /// The values of a block that both sets treat alike, with what the sets are for them.
    fn value_classes(
        &mut self,
        block: VariableBlock,
        sets: [Packets; 2],
    ) -> Result<Option<Vec<Class>>, Exhausted> {
        let store = &mut self.space.store;
        let (Some(mut cuts), Some(more)) = (
            store.value_cuts(sets[0], block),
            store.value_cuts(sets[1], block),
        ) else {
            return Ok(None);
        };
        cuts.extend(more);
        let last = (1_u128 << block.width) - 1;
        let ends = cuts.iter().skip(1).map(|cut| cut - 1).chain([last]);
        let mut classes: Vec<Class> = Vec::new();
        let mut known: HashMap<[Packets; 2], usize> = HashMap::new();
        for (lo, hi) in cuts.iter().copied().zip(ends) {
            let [may, may_not] = sets;
            let here = [
                store.given_value(may, block, lo)?,
                store.given_value(may_not, block, lo)?,
            ];
            let at = *known.entry(here).or_insert(classes.len());
            if at == classes.len() {
                if classes.len() >= MOST {
                    return Ok(None);
                }
                classes.push((here, Vec::new()));
            }
            let ranges = &mut classes[at].1;
            match ranges.last_mut() {
                Some(before) if before.hi + 1 == lo => before.hi = hi,
                _ => ranges.push(Range { lo, hi }),
            }
        }
        Ok(Some(classes))
    }
}

fn block_variables(block: VariableBlock) -> Vec<Variable> {
    (block.first..block.first + block.width).collect()
}
