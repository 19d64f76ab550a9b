//! One packet in the answer to all: where the exact engine says that it may end.

use std::collections::BTreeSet;

use super::{Exact, Exhausted};
use crate::packet::Packet;
use crate::semantics::End;

impl Exact {
    /// Returns the ends that packets may come to which have all known values of this one; none
    /// if no such packet exists.
    ///
    /// # Errors
    ///
    /// If the budget does not suffice.
    pub fn ends_of(&mut self, packet: &Packet) -> Result<BTreeSet<End>, Exhausted> {
        let like = self.space.packets_like(packet)?;
        let mut ends = BTreeSet::new();
        for (end, packets) in self.followed.all_ends(&mut self.space)? {
            if !self.space.store.and(packets, like)?.is_none() {
                ends.insert(end);
            }
        }
        Ok(ends)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::Surroundings;
    use crate::exact::{AskedPackets, Budget, Exact, SymbolicQuestion};
    use crate::packet::{Packet, PacketInterface, PacketPath};
    use crate::semantics::End;
    use crate::traffic::Traffic;
    use surefoot_ruleset::model::{Backend, Family, Field, ct_state};
    use surefoot_ruleset::{Format, Input, load};

    const RULES: &str = "*filter\n:INPUT DROP [0:0]\n\
        -A INPUT -m conntrack --ctstate INVALID -j DROP\n\
        -A INPUT -p tcp --tcp-option 2 -j ACCEPT\n\
        -A INPUT -p ipv6-icmp -j ACCEPT\nCOMMIT\n";

    #[track_caller]
    fn check(packet: Packet, ends: &[End]) {
        let input = Input {
            name: "rules".into(),
            text: RULES.into(),
            format: Some(Format::Iptables {
                family: Family::Ip6,
                backend: Backend::IptablesNft,
            }),
        };
        let surroundings = Surroundings::default();
        let packet = packet.settle(&surroundings);
        let mut exact = Exact::new(SymbolicQuestion {
            firewall: &load(vec![input]).firewall,
            surroundings: &surroundings,
            v6: true,
            path: PacketPath::Input,
            about: &Traffic::default(),
            and_about: &[],
            packets: AskedPackets::Ordinary,
            budget: Budget::default(),
        })
        .unwrap();
        let expected: BTreeSet<End> = ends.iter().copied().collect();
        assert_eq!(exact.ends_of(&packet), Ok(expected), "{packet:?}");
    }

    fn packet(protocol: u8, state: u128) -> Packet {
        let mut packet = Packet::new(PacketPath::Input);
        packet.input = PacketInterface::named("eth0");
        packet
            .with(Field::NfProto, 10_u8)
            .with(Field::L4Proto, protocol)
            .with(Field::CtState, state)
    }

    #[test]
    fn a_neighbour_solicitation_with_a_wrong_checksum_is_invalid() {
        let solicitation = |state| {
            packet(58, state)
                .with(Field::Icmp6Type, 135_u8)
                .with(Field::Icmp6Code, 0_u8)
        };
        check(solicitation(ct_state::UNTRACKED), &[End::Accepted]);
        check(solicitation(ct_state::INVALID), &[End::Dropped]);
        check(solicitation(ct_state::NEW), &[]);
    }

    #[test]
    fn only_tcp_has_tcp_options() {
        let option = |protocol| {
            packet(protocol, ct_state::NEW)
                .with(Field::TcpOption(2), 1_u8)
                .with(Field::TcpOption(3), 1_u8)
                .with(Field::TcpFlags, 2_u8)
        };
        check(option(6), &[End::Accepted]);
        check(option(17), &[End::Dropped]);
    }
}
