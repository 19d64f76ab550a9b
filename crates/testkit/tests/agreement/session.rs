//! Sends the packets of a case and hands out what the kernel did with each.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use surefoot_netfilter::Surroundings;
use surefoot_netfilter::packet::PacketPath;
use surefoot_ruleset::model::Field;
use surefoot_testkit::{Observation, Toward};

use crate::case::{Case, Loaded, Model, Uses};
use crate::chance::Chance;
use crate::draft::Drawer;
use crate::flows::Flows;
use crate::packet::{Phase, Shot, make, routable};

/// A case with its connections.
pub(crate) struct Session {
    pub(crate) loaded: Loaded,
    name: String,
    uses: Uses,
    flows: Flows,
    chance: Chance,
    met: BTreeSet<(bool, u8, String, String, usize)>,
}

impl Session {
    pub(crate) fn new(case: &Case, seed: u64) -> io::Result<Self> {
        let loaded = case.load()?;
        let mut chance = match seed {
            0 => Chance::new(&case.name),
            _ => Chance::new(&format!("{} {seed}", case.name)),
        };
        let firewall = &loaded.models[0].firewall;
        let uses = Uses::of(firewall);
        let flows = if uses.conntrack {
            loaded
                .referee
                .namespace()
                .set("net.netfilter.nf_conntrack_tcp_be_liberal", "1")?;
            establish(&loaded, &mut chance)?
        } else {
            Flows::none()
        };
        Ok(Self {
            loaded,
            name: case.name.clone(),
            uses,
            flows,
            chance,
            met: BTreeSet::new(),
        })
    }

    /// Sends so many packets.
    pub(crate) fn run(
        &mut self,
        packets: usize,
        mut look: impl FnMut(&[Model], &Surroundings, &Shot, &Observation),
    ) {
        let Loaded {
            referee,
            models,
            surroundings,
            ports,
            families,
        } = &mut self.loaded;
        let names: Vec<String> = ports.iter().map(|port| port.name.clone()).collect();
        let drawer = Drawer::new(&models[0].firewall, names.clone());
        let mut phases: Vec<(Option<&str>, usize)> =
            names.iter().map(|name| (Some(name.as_str()), 1)).collect();
        // With NAT, whether an address is the host's own must not depend on where it came in.
        if !self.uses.nat {
            phases.push((None, phases.len().max(1)));
        }
        let parts: usize = phases.iter().map(|(_, parts)| parts).sum();
        let share = packets.div_ceil(parts);
        for (forward_to, parts) in phases {
            let toward = forward_to.map_or(Toward::Here, Toward::Interface);
            referee.route(toward).unwrap();
            let phase = Phase {
                forward_to,
                conntrack: self.uses.conntrack,
            };
            for _ in 0..share * parts {
                let shot = make(
                    drawer.draw(&mut self.chance, families),
                    phase,
                    ports,
                    &self.flows,
                    surroundings,
                    &mut self.chance,
                );
                if let (Some(at), true) = (shot.flow, self.uses.sets_connection_marks) {
                    self.flows.renew(at).unwrap();
                }
                let seen = match shot.path {
                    PacketPath::Output => referee.send(&shot.interface, &shot.frame.packet),
                    PacketPath::Input | PacketPath::Forward => {
                        referee.receive(&shot.interface, &shot.frame)
                    }
                };
                let seen = seen.unwrap_or_else(|error| panic!("{}: {error}: {shot}", self.name));
                for step in &seen.steps {
                    if let Some(rule) = step.rule {
                        self.met.insert((
                            step.legacy,
                            step.family,
                            step.table.clone(),
                            step.chain.clone(),
                            rule,
                        ));
                    }
                }
                look(models, surroundings, &shot, &seen);
            }
        }
    }

    /// How many rules were met by a packet at least once, of how many.
    pub(crate) fn coverage(&self) -> (usize, usize) {
        let tables = &self.loaded.models[0].firewall.tables;
        let rules = tables.iter().flat_map(|table| &table.chains);
        (self.met.len(), rules.map(|chain| chain.rules.len()).sum())
    }
}

fn establish(loaded: &Loaded, chance: &mut Chance) -> io::Result<Flows> {
    let drawer = Drawer::new(&loaded.models[0].firewall, Vec::new());
    let mut addresses: Vec<IpAddr> = loaded
        .ports
        .iter()
        .flat_map(|port| &port.addresses)
        .map(|(address, _)| *address)
        .collect();
    addresses.extend(
        drawer
            .edges(&[Field::Ip4Src, Field::Ip4Dst])
            .into_iter()
            .filter_map(|number| Some(IpAddr::V4(u32::try_from(number).ok()?.into()))),
    );
    addresses.extend(
        drawer
            .edges(&[Field::Ip6Src, Field::Ip6Dst])
            .into_iter()
            .map(|number| IpAddr::V6(number.into())),
    );
    addresses.push([203, 0, 113, 9].into());
    addresses.push([0x2001, 0xdb8, 0xf, 0, 0, 0, 0, 9].into());
    addresses.retain(|address| routable(*address) && loaded.families.contains(&address.is_ipv6()));
    let mut ports: Vec<u16> = drawer
        .edges(&[Field::SrcPort, Field::DstPort, Field::CtOriginalDstPort])
        .into_iter()
        .filter_map(|number| u16::try_from(number).ok())
        .filter(|port| *port > 0)
        .collect();
    ports.push(4242);
    let mut marks: Vec<u32> = drawer
        .edges(&[Field::CtMark])
        .into_iter()
        .filter_map(|number| u32::try_from(number).ok())
        .collect();
    marks.extend([0, 0xffff, 0x1234_5678]);
    Flows::establish(
        loaded.referee.namespace(),
        &addresses,
        &ports,
        &marks,
        chance,
    )
}
