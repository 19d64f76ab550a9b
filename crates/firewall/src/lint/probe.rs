//! Packets that the lints send through the rules, and what becomes of them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::LoadedRules;
use crate::makers::made_for_containers;
use surefoot_netfilter::packet::{Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{Decider, End, Evaluation, Outcome, RecordLevel};
use surefoot_ruleset::model::{
    Chain, ChainKind, Family, Field, Hook, Match, Rule, Statement, Table, Verdict, ct_state,
};

/// Ordinary public addresses in different corners of the net. Those that are set aside for
/// examples would not do: many rule sets drop them as bogons.
const STRANGERS_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(81, 187, 44, 9),
    Ipv4Addr::new(133, 242, 17, 80),
    Ipv4Addr::new(201, 49, 30, 6),
];
const STRANGERS_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0x2a02, 0x390, 0x51c7, 0, 0, 0, 0, 0x21),
    Ipv6Addr::new(0x2607, 0xf2c0, 0x9e, 0x4, 0, 0, 0, 0x9),
];
/// Ports that nothing listens on by habit.
const UNLIKELY_PORTS: [u16; 2] = [64_999, 3];
/// Interfaces that are tried; more would cost time and add nothing.
const MOST_DOORS: usize = 8;

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;
pub(super) const ICMP: u8 = 1;
pub(super) const ICMPV6: u8 = 58;

/// Whether strangers get in, over all interfaces and several strangers.
#[derive(Clone, Debug, Default)]
pub(super) struct OutsideAccess {
    /// A way in that is certain.
    pub(super) open: Option<Outcome>,
    /// How the first try ended, if strangers are certainly kept out at every try.
    pub(super) closed: Option<Outcome>,
}

impl LoadedRules {
    /// What becomes of a packet.
    pub(super) fn evaluation_of(&self, packet: &Packet) -> Evaluation {
        self.evaluate(packet, RecordLevel::Nothing)
    }

    /// The packet's end and what decided, if that is certain.
    pub(super) fn certain_end(&self, packet: &Packet) -> Option<Outcome> {
        let evaluation = self.evaluation_of(packet);
        evaluation.certain()?;
        evaluation.outcomes.into_iter().next()
    }

    /// Whether all rules for this family of addresses were read.
    pub(super) fn family_known(&self, v6: bool) -> bool {
        self.surroundings.live || self.tables_for(v6).next().is_some()
    }

    /// Whether the host has addresses of the family, as far as is known.
    pub(super) fn family_used(&self, v6: bool) -> bool {
        self.surroundings
            .interfaces
            .as_ref()
            .is_none_or(|interfaces| {
                interfaces.iter().any(|interface| {
                    !interface.loopback
                        && interface
                            .addresses
                            .iter()
                            .any(|(address, _)| address.is_ipv6() == v6)
                })
            })
    }

    fn tables_for(&self, v6: bool) -> impl Iterator<Item = &Table> {
        self.firewall.tables.iter().filter(move |table| {
            !table.dormant
                && match table.family {
                    Family::Ip => !v6,
                    Family::Ip6 => v6,
                    Family::Inet => true,
                    Family::Arp | Family::Bridge | Family::Netdev => false,
                }
        })
    }

    /// The base chains of a hook that filter packets of the family, by table and chain.
    pub(super) fn filters_at(&self, hook: Hook, v6: bool) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (t, table) in self.firewall.tables.iter().enumerate() {
            let sees = match table.family {
                Family::Ip => !v6,
                Family::Ip6 => v6,
                Family::Inet => true,
                Family::Arp | Family::Bridge | Family::Netdev => false,
            };
            if table.dormant || !sees {
                continue;
            }
            for (c, chain) in table.chains.iter().enumerate() {
                if is_filter(chain, hook) {
                    found.push((t, c));
                }
            }
        }
        found
    }

    /// Returns the base chain that led to the rule or policy that decided, where advice belongs; if
    /// that is unknown, one that filters at the hook.
    pub(super) fn base_of(&self, by: Decider, hook: Hook, v6: bool) -> Option<(usize, usize)> {
        let (table, chain) = match by {
            Decider::Rule(at) => (at.table, at.chain),
            Decider::Policy { table, chain } => (table, chain),
            Decider::Refusal(_) | Decider::Kernel => {
                return self.filters_at(hook, v6).first().copied();
            }
        };
        let chains = &self.firewall.tables.get(table)?.chains;
        let leads = |(c, base): &(usize, &Chain)| {
            base.base.is_some() && reaches_chain(&self.firewall.tables[table], *c, chain)
        };
        let found = || chains.iter().enumerate();
        found()
            .filter(|(_, base)| is_filter(base, hook))
            .find(leads)
            .or_else(|| found().find(leads))
            .map(|(c, _)| (table, c))
            .or_else(|| self.filters_at(hook, v6).first().copied())
    }

    /// The interfaces by which strangers come: those of the default routes; where there are none,
    /// all; where the interfaces are unknown, those that rules name and one that none does.
    pub(super) fn outer_interfaces(&self) -> Vec<String> {
        if let Some(interfaces) = &self.surroundings.interfaces {
            let up = |name: &str| {
                let mut all = interfaces.iter();
                all.any(|interface| interface.up && interface.name == name)
            };
            let routes = self.default_routes();
            let mut doors: Vec<String> = Vec::new();
            for route in routes {
                if let Some(name) = &route.interface
                    && up(name)
                    && !doors.contains(name)
                {
                    doors.push(name.clone());
                }
            }
            if doors.is_empty() {
                let outside = interfaces.iter().filter(|interface| {
                    interface.up && !interface.loopback && !made_for_containers(&interface.name)
                });
                doors = outside.map(|interface| interface.name.clone()).collect();
            }
            doors.truncate(MOST_DOORS);
            return doors;
        }
        let mut names: BTreeSet<String> = BTreeSet::new();
        let rules = self
            .firewall
            .tables
            .iter()
            .flat_map(|table| &table.chains)
            .flat_map(|chain| &chain.rules);
        for rule in rules {
            for statement in &rule.statements {
                let Statement::Match(Match::InInterface { names: given, .. }) = statement else {
                    continue;
                };
                for pattern in given {
                    let number = if pattern.prefix { "0" } else { "" };
                    names.insert(format!("{}{number}", pattern.text));
                }
            }
            if names.len() > MOST_DOORS {
                break;
            }
        }
        names.retain(|name| name != "lo" && !name.is_empty() && !made_for_containers(name));
        let nobody_names = if names.contains("eth0") {
            "outside0"
        } else {
            "eth0"
        };
        std::iter::once(nobody_names.to_owned())
            .chain(names)
            .take(MOST_DOORS)
            .collect()
    }

    /// Every interface by which packets could arrive.
    pub(super) fn all_doors(&self) -> Vec<String> {
        match &self.surroundings.interfaces {
            Some(interfaces) => interfaces
                .iter()
                .filter(|interface| interface.up && !interface.loopback)
                .map(|interface| interface.name.clone())
                .collect(),
            None => self.outer_interfaces(),
        }
    }

    /// The default routes of both families, best first.
    fn default_routes(&self) -> Vec<&surefoot_netfilter::Route> {
        let routes = self.surroundings.routes.iter().flatten();
        let mut routes: Vec<&surefoot_netfilter::Route> = routes
            .filter(|route| route.destination.1 == 0 && route.kind == 1)
            .collect();
        routes.sort_by_key(|route| (route.destination.0.is_ipv6(), route.metric));
        routes
    }

    /// The interface of the default route.
    pub(super) fn default_interface(&self) -> Option<&str> {
        self.default_routes().first()?.interface.as_deref()
    }

    /// An own address on the interface.
    pub(super) fn own_address(&self, door: &str, v6: bool) -> Option<IpAddr> {
        let interfaces = self.surroundings.interfaces.as_ref()?;
        let interface = interfaces.iter().find(|interface| interface.name == door)?;
        let mut own = interface
            .addresses
            .iter()
            .map(|(address, _)| *address)
            .filter(|address| address.is_ipv6() == v6);
        let first = own.next()?;
        let global = |address: &IpAddr| match address {
            IpAddr::V6(v6) => !v6.is_unicast_link_local(),
            IpAddr::V4(_) => true,
        };
        Some(if global(&first) {
            first
        } else {
            own.find(global).unwrap_or(first)
        })
    }

    /// The first packet of a connection from a stranger, not yet settled.
    pub(super) fn opening_packet(
        &self,
        door: &str,
        from: IpAddr,
        protocol: u8,
        port: u16,
    ) -> Packet {
        let mut packet = Packet::new(PacketPath::Input)
            .from(from)
            .with(Field::L4Proto, protocol)
            .with(Field::CtState, ct_state::NEW)
            .with(Field::PacketType, 0_u8);
        packet.input = PacketInterface::named(door);
        if let Some(own) = self.own_address(door, from.is_ipv6()) {
            packet = packet.to(own);
        }
        if matches!(protocol, TCP | UDP) {
            packet = packet
                .with(Field::SrcPort, 40_000_u16)
                .with(Field::DstPort, port);
        }
        if protocol == TCP {
            packet = packet.with(Field::TcpFlags, 2_u8);
        }
        packet
    }

    /// Tries a kind of packet at every interface, from several strangers.
    pub(super) fn access_from_outside(
        &self,
        v6: bool,
        shape: impl Fn(&str, IpAddr) -> Packet,
    ) -> OutsideAccess {
        let mut access = OutsideAccess::default();
        let mut all_closed = true;
        for door in self.outer_interfaces() {
            for from in stranger_addresses(v6) {
                let packet = shape(&door, from).settle(&self.surroundings);
                match self.certain_end(&packet) {
                    Some(outcome) if outcome.end == End::Accepted => {
                        access.open = Some(outcome);
                        access.closed = None;
                        return access;
                    }
                    Some(outcome) if matches!(outcome.end, End::Dropped | End::Rejected) => {
                        access.closed.get_or_insert(outcome);
                    }
                    _ => all_closed = false,
                }
            }
        }
        if !all_closed {
            access.closed = None;
        }
        access
    }

    /// Whether strangers reach a port of this host.
    pub(super) fn port_access(&self, v6: bool, protocol: u8, port: u16) -> OutsideAccess {
        self.access_from_outside(v6, |door, from| {
            self.opening_packet(door, from, protocol, port)
        })
    }

    /// Whether the rules keep strangers from ports that no rule opens.
    pub(super) fn closed_by_default(&self, v6: bool) -> bool {
        !self.filters_at(Hook::Input, v6).is_empty()
            && UNLIKELY_PORTS
                .iter()
                .all(|port| self.port_access(v6, TCP, *port).closed.is_some())
    }
}

/// Strangers of a family.
pub(super) fn stranger_addresses(v6: bool) -> Vec<IpAddr> {
    if v6 {
        STRANGERS_V6.iter().copied().map(IpAddr::V6).collect()
    } else {
        STRANGERS_V4.iter().copied().map(IpAddr::V4).collect()
    }
}

/// Whether the chain is a base chain that filters at the hook.
pub(super) fn is_filter(chain: &Chain, hook: Hook) -> bool {
    chain
        .base
        .as_ref()
        .is_some_and(|base| base.hook == hook && base.kind == ChainKind::Filter)
}

/// Whether the one chain is the other or leads to it by jumps.
pub(super) fn reaches_chain(table: &Table, from: usize, to: usize) -> bool {
    let mut seen = vec![false; table.chains.len()];
    let mut open = vec![from];
    while let Some(at) = open.pop() {
        if at == to {
            return true;
        }
        if at >= seen.len() || std::mem::replace(&mut seen[at], true) {
            continue;
        }
        for statement in table.chains[at]
            .rules
            .iter()
            .flat_map(|rule| &rule.statements)
        {
            if let Statement::Verdict(Verdict::Jump(to) | Verdict::Goto(to)) = statement
                && let Ok(to) = usize::try_from(to.0)
            {
                open.push(to);
            }
        }
    }
    false
}

/// Gives the packet what the rule asks for in plain numbers and names, so that it comes as close
/// to matching as it can. Masks, negations and sets are left to the evaluator.
pub(super) fn as_the_rule_asks(mut packet: Packet, rule: &Rule) -> Packet {
    for statement in &rule.statements {
        match statement {
            Statement::Match(Match::Field {
                operand,
                negated: false,
                ranges,
            }) if operand.mask.is_none() => {
                if let Some(range) = ranges.first() {
                    packet = packet.with(operand.field, range.lo);
                }
            }
            Statement::Match(Match::InInterface {
                negated: false,
                names,
            }) => {
                if let Some(name) = names.first() {
                    let number = if name.prefix { "0" } else { "" };
                    packet.input = PacketInterface::Named(format!("{}{number}", name.text));
                }
            }
            Statement::Verdict(_) | Statement::VerdictMap(_) => break,
            _ => {}
        }
    }
    packet
}
