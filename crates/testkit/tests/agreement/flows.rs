//! Connections that are there before the first packet, so that packets can belong to one.

use std::io;
use std::net::IpAddr;

use surefoot_netfilter::packet::Packet;
use surefoot_ruleset::model::{Field, ct_state};
use surefoot_testkit::{Connection, Connections, Namespace, Transport, Wire};

use crate::chance::Chance;

/// The connections of a namespace.
pub(crate) struct Flows {
    flows: Vec<Flow>,
    table: Option<Connections>,
}

/// A connection that has seen packets both ways.
#[derive(Clone, Debug)]
pub(crate) struct Flow(Connection);

impl Flows {
    /// None at all.
    pub(crate) fn none() -> Self {
        Self {
            flows: Vec::new(),
            table: None,
        }
    }

    /// Sets up connections between these addresses and ports, with one of these marks each.
    pub(crate) fn establish(
        namespace: &Namespace,
        addresses: &[IpAddr],
        ports: &[u16],
        marks: &[u32],
        chance: &mut Chance,
    ) -> io::Result<Self> {
        let table = Connections::new(namespace)?;
        let mut flows = Vec::new();
        for number in 0_u16..16 {
            let source = *chance.pick(addresses).unwrap();
            let others: Vec<&IpAddr> = addresses
                .iter()
                .filter(|other| other.is_ipv6() == source.is_ipv6() && **other != source)
                .collect();
            let Some(destination) = chance.pick(&others) else {
                continue;
            };
            let connection = Connection {
                source,
                destination: **destination,
                protocol: if chance.percent(50) { 6 } else { 17 },
                ports: (20_000 + number, *chance.pick(ports).unwrap()),
                mark: *chance.pick(marks).unwrap(),
            };
            table.insert(&connection)?;
            flows.push(Flow(connection));
        }
        Ok(Self {
            flows,
            table: Some(table),
        })
    }

    pub(crate) fn pick(&self, v6: bool, chance: &mut Chance) -> Option<(usize, &Flow)> {
        let fitting: Vec<(usize, &Flow)> = self
            .flows
            .iter()
            .enumerate()
            .filter(|(_, Flow(flow))| flow.source.is_ipv6() == v6)
            .collect();
        chance.pick(&fitting).copied()
    }

    /// Takes back what rules have done to the connection's mark.
    pub(crate) fn renew(&self, at: usize) -> io::Result<()> {
        let table = self.table.as_ref().unwrap();
        table.renew(&self.flows[at].0)
    }
}

impl Flow {
    /// A packet of the connection or an error about one, whether it goes the other way than the
    /// first packet went, and its state.
    pub(crate) fn packet(&self, chance: &mut Chance) -> (Wire, bool, u128) {
        let reply = chance.percent(50);
        let (from, to) = if reply {
            (
                (self.0.destination, self.0.ports.1),
                (self.0.source, self.0.ports.0),
            )
        } else {
            (
                (self.0.source, self.0.ports.0),
                (self.0.destination, self.0.ports.1),
            )
        };
        let wire = Wire {
            source: from.0,
            destination: to.0,
            protocol: self.0.protocol,
            transport: if self.0.protocol == 6 {
                Transport::Tcp {
                    source: from.1,
                    destination: to.1,
                    flags: 0x10,
                    mss: false,
                }
            } else {
                Transport::Ports {
                    source: from.1,
                    destination: to.1,
                }
            },
            ttl: 64,
            tos: 0,
            id: 1,
            fragment: 0,
            payload: 0,
            broken: false,
            options: false,
        };
        if chance.percent(70) {
            return (wire, reply, ct_state::ESTABLISHED);
        }
        let v6 = self.0.source.is_ipv6();
        let kinds: &[(u8, u8)] = if v6 {
            &[(1, 4), (2, 0), (3, 0), (4, 1)]
        } else {
            &[(3, 3), (3, 4), (11, 0), (12, 0)]
        };
        let (kind, code) = *chance.pick(kinds).unwrap();
        let error = Wire {
            // Any router on the way may say so.
            source: if chance.percent(50) {
                wire.destination
            } else if v6 {
                [0x2001, 0xdb8, 0xd, 0, 0, 0, 0, 1].into()
            } else {
                [198, 51, 100, 77].into()
            },
            destination: wire.source,
            protocol: if v6 { 58 } else { 1 },
            transport: Transport::Icmp {
                kind,
                code,
                about: Some(Box::new(wire.clone())),
            },
            ..wire
        };
        (error, !reply, ct_state::RELATED)
    }

    /// Adds what conntrack knows of the connection.
    pub(crate) fn describe(&self, packet: Packet) -> Packet {
        let (source, destination) = match (self.0.source, self.0.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => (
                (Field::CtOriginalIp4Src, u128::from(source.to_bits())),
                (Field::CtOriginalIp4Dst, u128::from(destination.to_bits())),
            ),
            (IpAddr::V6(source), IpAddr::V6(destination)) => (
                (Field::CtOriginalIp6Src, source.to_bits()),
                (Field::CtOriginalIp6Dst, destination.to_bits()),
            ),
            _ => return packet,
        };
        packet
            .with(source.0, source.1)
            .with(destination.0, destination.1)
            .with(Field::CtOriginalSrcPort, self.0.ports.0)
            .with(Field::CtOriginalDstPort, self.0.ports.1)
            .with(Field::CtProtocol, self.0.protocol)
            .with(Field::CtMark, self.0.mark)
    }
}
