//! Whether a packet ends here, passes through or starts here, where only its ends were said.

use std::net::IpAddr;

use super::settle::{address_type, covers, number_to_address};
use super::{FieldValue, Packet, PacketInterface, PacketPath};
use crate::Surroundings;
use surefoot_ruleset::model::{Field, Range};

impl Packet {
    /// Finds the way from the host's addresses, and the end that was left to this host.
    pub(super) fn settle_way(&mut self, v6: bool, surroundings: &Surroundings) {
        if self.path_assumed {
            self.path_assumed = false;
            self.find_way(v6, surroundings);
        }
        self.settle_input(v6, surroundings);
        let (local, loopback) = match self.path {
            PacketPath::Input => (
                of(v6, Field::Ip4Dst, Field::Ip6Dst),
                self.comes_by_loopback(v6),
            ),
            PacketPath::Output => (
                of(v6, Field::Ip4Src, Field::Ip6Src),
                self.output == PacketInterface::named("lo"),
            ),
            PacketPath::Forward => return,
        };
        let kind = if self.path == PacketPath::Input {
            Field::DstAddressType
        } else {
            Field::SrcAddressType
        };
        // Whoever asks for broadcasts or multicasts has said so by the type.
        if self.get(local) == FieldValue::Unknown
            && !matches!(self.known(kind), Some(number) if number != 2)
        {
            self.settle_own_address(local, v6, loopback, surroundings);
        }
    }

    fn find_way(&mut self, v6: bool, surroundings: &Surroundings) {
        let kind = |address: Option<IpAddr>| address_type(address?, surroundings);
        let source = self.known(of(v6, Field::Ip4Src, Field::Ip6Src));
        let source = source.map(|number| number_to_address(number, v6));
        let Some(destination) = self.destination() else {
            return;
        };
        match kind(Some(destination)) {
            Some(2) if self.input == PacketInterface::Unknown && destination.is_loopback() => {
                self.input = PacketInterface::named("lo");
                self.notes.push(
                    "taken as a packet that comes in by lo, as it goes to a loopback address"
                        .into(),
                );
            }
            Some(2..=5) => {}
            Some(_)
                if kind(source) == Some(2)
                    && self.input == PacketInterface::Unknown
                    && !self.comes_in =>
            {
                self.path = PacketPath::Output;
                self.input = PacketInterface::None;
                self.output = PacketInterface::Unknown;
                let from = source.map_or_else(String::new, |address| address.to_string());
                self.notes.push(format!(
                    "taken as a packet that this host sends, as {from} is its own address"
                ));
                self.find_output(destination, surroundings);
            }
            Some(_) => {
                self.path = PacketPath::Forward;
                self.output = PacketInterface::Unknown;
                self.notes.push(format!(
                    "taken as a packet that is forwarded, as {destination} is not an address of this host"
                ));
                self.find_output(destination, surroundings);
            }
            None => {
                self.notes.push(format!(
                    "taken as a packet to this host, as it is unknown whether {destination} is its address: add `in IFACE out IFACE` for one that it forwards"
                ));
            }
        }
    }

    /// The way back to the sender is the way in, as reverse-path filtering has it; from another
    /// machine nothing comes by loopback.
    fn settle_input(&mut self, v6: bool, surroundings: &Surroundings) {
        if self.input != PacketInterface::Unknown || self.not_by_loopback {
            return;
        }
        let source = self.known(of(v6, Field::Ip4Src, Field::Ip6Src));
        let Some(source) = source.map(|number| number_to_address(number, v6)) else {
            return;
        };
        if source.is_loopback() || address_type(source, surroundings) == Some(2) {
            return;
        }
        if let Some((name, network)) = route_to(source, surroundings) {
            self.notes.push(format!(
                "taken to come in by {name}, as the way back to {source} is the route to {network}"
            ));
            self.input = PacketInterface::Named(name);
        } else {
            self.not_by_loopback = true;
            self.notes.push(format!(
                "taken not to come in by lo, as {source} is not taken for this host's own"
            ));
        }
    }

    /// The interface of the main table's longest prefix.
    fn find_output(&mut self, destination: IpAddr, surroundings: &Surroundings) {
        if let Some((name, network)) = route_to(destination, surroundings) {
            self.notes.push(format!(
                "taken to leave by {name}, as the route to {network} says"
            ));
            self.output = PacketInterface::Named(name);
        }
    }

    fn settle_own_address(
        &mut self,
        field: Field,
        v6: bool,
        loopback: bool,
        surroundings: &Surroundings,
    ) {
        let Some(interfaces) = &surroundings.interfaces else {
            return;
        };
        let addresses = interfaces.iter().flat_map(|interface| &interface.addresses);
        let mut own: Vec<u128> = addresses
            .filter(|(address, _)| address.is_ipv6() == v6 && (loopback || !address.is_loopback()))
            .map(|(address, _)| number(*address))
            .collect();
        own.sort_unstable();
        own.dedup();
        let routes = surroundings.routes.iter().flatten();
        let local_networks = routes.filter(|route| {
            route.kind == 2
                && route.destination.0.is_ipv6() == v6
                && !route.destination.0.is_loopback()
                && route.destination.1 < if v6 { 128 } else { 32 }
        });
        // Whole networks can be local (`ip route add local`); then only the type is known.
        if own.is_empty() || local_networks.count() > 0 {
            return;
        }
        if let [one] = own.as_slice() {
            self.put(field, FieldValue::Known(*one));
            self.notes.push(format!(
                "{} is this host's only address that fits",
                number_to_address(*one, v6)
            ));
            return;
        }
        let mut ranges: Vec<Range> = own.iter().map(|number| Range::one(*number)).collect();
        if loopback && !v6 {
            let net = Range {
                lo: 0x7f00_0000,
                hi: 0x7fff_ffff,
            };
            ranges.retain(|range| !net.contains(range.lo));
            ranges.push(net);
            ranges.sort_unstable();
        }
        self.notes.push(format!(
            "any of this host's {} addresses is meant",
            own.len()
        ));
        self.among.insert(field, ranges);
    }

    /// Whether a packet to this host may be addressed to loopback: the kernel drops one that comes
    /// from elsewhere.
    fn comes_by_loopback(&self, v6: bool) -> bool {
        match &self.input {
            PacketInterface::Named(name) => name == "lo",
            PacketInterface::None => true,
            PacketInterface::Unknown => {
                let source = self.known(of(v6, Field::Ip4Src, Field::Ip6Src));
                source.is_some_and(|number| number_to_address(number, v6).is_loopback())
            }
        }
    }
}

/// The interface and the network of the main table's longest prefix.
pub(crate) fn route_to(address: IpAddr, surroundings: &Surroundings) -> Option<(String, String)> {
    let fitting = surroundings
        .routes
        .iter()
        .flatten()
        .filter(|route| route.table == 254 && covers(route.destination, address))
        .min_by_key(|route| (std::cmp::Reverse(route.destination.1), route.metric))?;
    let (network, length) = fitting.destination;
    let interface = fitting.interface.clone().filter(|_| fitting.kind == 1)?;
    Some((interface, format!("{network}/{length}")))
}

fn of(v6: bool, four: Field, six: Field) -> Field {
    if v6 { six } else { four }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}
