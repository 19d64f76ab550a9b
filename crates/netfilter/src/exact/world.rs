//! Which combinations of a packet's bits exist.
//!
//! Each constraint is one of the kernel's; what is not certain is not constrained, so that a proof
//! over these packets holds for all that can come.

use std::collections::{BTreeMap, BTreeSet};

use super::diagram::{Exhausted, Packets};
use super::space::{PacketSpace, STATES};
use super::word::BitVector;
use crate::Surroundings;
use crate::packet::{PacketPath, address_type, to_address};
use surefoot_ruleset::model::{Field, Firewall, Match, Range, Statement, ct_state};

/// The TCP options that rules ask for.
pub(crate) fn tcp_options(firewall: &Firewall) -> BTreeSet<u8> {
    let mut options = BTreeSet::new();
    let rules = firewall.tables.iter().flat_map(|table| &table.chains);
    for rule in rules.flat_map(|chain| &chain.rules) {
        for statement in &rule.statements {
            if let Statement::Match(wanted) = statement {
                options_of(wanted, &mut options);
            }
        }
    }
    options
}

fn options_of(wanted: &Match, options: &mut BTreeSet<u8>) {
    match wanted {
        Match::Field { operand, .. } => {
            if let Field::TcpOption(number) = operand.field {
                options.insert(number);
            }
        }
        Match::Any { of, .. } => of.iter().for_each(|one| options_of(one, options)),
        Match::InInterface { .. }
        | Match::OutInterface { .. }
        | Match::Lookup(_)
        | Match::Never
        | Match::Opaque(_) => {}
    }
}

/// `RTN_*` that routing keeps on this host.
const HERE: [Range; 1] = [Range { lo: 2, hi: 5 }];
const FIN: u128 = 1;
const SYN: u128 = 2;
const RST: u128 = 4;
const ACK: u128 = 16;

impl PacketSpace {
    /// The packets that exist.
    pub(crate) fn feasible_packets(&mut self, marked: bool) -> Result<Packets, Exhausted> {
        let unmarked = if marked {
            Packets::ALL
        } else {
            self.field_is(Field::Mark, 0)?
        };
        let conditions = [
            unmarked,
            self.feasible_interfaces()?,
            self.feasible_routes()?,
            self.feasible_headers()?,
            self.feasible_states()?,
            self.feasible_fragments()?,
        ];
        let mut world = Packets::ALL;
        for condition in conditions {
            world = self.store.and(world, condition)?;
        }
        Ok(world)
    }

    /// Which interfaces a packet of this way has. Nothing is forwarded from or to loopback.
    fn feasible_interfaces(&mut self) -> Result<Packets, Exhausted> {
        let none = self.names.letter_of("");
        let lo = self.names.letter_of("lo");
        let real: Vec<usize> = (0..self.names.letter_count())
            .filter(|letter| *letter != none && (self.path != PacketPath::Forward || *letter != lo))
            .collect();
        let mut allowed = Packets::ALL;
        for (input, has) in [
            (true, self.path != PacketPath::Output),
            (false, self.path != PacketPath::Input),
        ] {
            let block = self.interface_block(input);
            let letters = if has { real.clone() } else { vec![none] };
            let fits = self.letters_condition(block, letters)?;
            allowed = self.store.and(allowed, fits)?;
        }
        Ok(allowed)
    }

    /// What the way says of the addresses, and of the frame.
    fn feasible_routes(&mut self) -> Result<Packets, Exhausted> {
        let by_route = match self.path {
            PacketPath::Input => self.field_in(Field::DstAddressType, &HERE)?,
            // Multicast and directed broadcasts can be forwarded (`ip_mr_input`, `bc_forwarding`).
            PacketPath::Forward => {
                let own = [Range::one(2), Range::one(4)];
                !self.field_in(Field::DstAddressType, &own)?
            }
            // A socket may send from any address (`IP_TRANSPARENT`, raw sockets).
            PacketPath::Output => return Ok(Packets::ALL),
        };
        let frames = self.field_in(Field::PacketType, &[Range { lo: 0, hi: 3 }])?;
        self.store.and(by_route, frames)
    }

    /// What headers say of each other.
    fn feasible_headers(&mut self) -> Result<Packets, Exhausted> {
        let mut allowed = if self.v6 {
            // 40 bytes of header, 65,535 behind it.
            self.field_in(Field::Length, &[Range { lo: 40, hi: 65_575 }])?
        } else {
            self.field_in(Field::Length, &[Range { lo: 20, hi: 65_535 }])?
        };
        if self.v6 {
            // Hop-by-hop, routing, fragment, ESP, AH, none, destination options, mobility, HIP, shim6.
            let others = [0, 43, 44, 50, 51, 59, 60, 135, 139, 140].map(Range::one);
            let extended = self.field_in(Field::Ip6NextHeader, &others)?;
            let next = self.word(Field::Ip6NextHeader)?;
            let protocol = self.word(Field::L4Proto)?;
            let same = self.store.vectors_equal(&next, &protocol)?;
            let fits = self.store.or(extended, same)?;
            allowed = self.store.and(allowed, fits)?;
        }
        Ok(allowed)
    }

    fn feasible_fragments(&mut self) -> Result<Packets, Exhausted> {
        if self.v6 {
            return Ok(Packets::ALL);
        }
        let whole = self.field_is(Field::IsLaterFragment, 0)?;
        let word = self.word(Field::Ip4FragmentOffset)?.with_mask(Some(0x1fff));
        let first = self.store.vector_in(&word, &[Range::one(0)])?;
        Ok(!self.store.symmetric_difference(whole, first)?)
    }

    /// Which packets conntrack takes for which state.
    fn feasible_states(&mut self) -> Result<Packets, Exhausted> {
        let Some(block) = self.block_of(Field::CtState) else {
            return Ok(Packets::ALL);
        };
        let word = self.plain_vector(block)?;
        let last = STATES.iter().map(|(_, code)| *code).max().unwrap_or(0);
        let mut allowed = self.store.vector_in(&word, &[Range { lo: 0, hi: last }])?;
        let new = self.in_state(ct_state::NEW)?;
        let untracked = self.in_state(ct_state::UNTRACKED)?;
        let must_not_be_new = self.never_first()?;
        let both = self.store.and(new, must_not_be_new)?;
        allowed = self.store.minus(allowed, both)?;
        let discovery = if self.v6 {
            // `noct_valid_new` in `nf_conntrack_proto_icmpv6.c`; a wrong checksum is noticed before.
            let types = [Range { lo: 130, hi: 136 }, Range::one(143)];
            self.field_in(Field::Icmp6Type, &types)?
        } else {
            Packets::NONE
        };
        let only_discovery = self.store.minus(untracked, discovery)?;
        allowed = self.store.minus(allowed, only_discovery)?;
        let invalid = self.in_state(ct_state::INVALID)?;
        let known = self.store.or(untracked, invalid)?;
        let tracked = self.store.minus(discovery, known)?;
        self.store.minus(allowed, tracked)
    }

    /// The packets that never begin a connection.
    fn never_first(&mut self) -> Result<Packets, Exhausted> {
        // `tcp_new`: a SYN, or an ACK that is picked up in the middle (`nf_conntrack_tcp_loose`). What
        // the same side sends before any answer is still NEW: an RST, or a FIN behind such an ACK
        // (`tcp_conntracks`, `tcp_valid_flags`).
        let tcp = self.field_is(Field::L4Proto, 6)?;
        let flags = self
            .word(Field::TcpFlags)?
            .with_mask(Some(FIN | SYN | RST | ACK));
        let first = self.store.vector_in(
            &flags,
            &[SYN, RST, ACK, FIN | ACK, RST | ACK].map(Range::one),
        )?;
        let there = self.word(Field::TcpFlags)?.there;
        let tcp = self.store.and(tcp, there)?;
        let later = self.store.minus(tcp, first)?;
        // `icmp_new`, `icmpv6_new`: requests begin something; an error is about something.
        let (kind, requests): (_, &[u128]) = if self.v6 {
            (Field::Icmp6Type, &[128, 139])
        } else {
            (Field::IcmpType, &[8, 13, 15, 17])
        };
        let requests: Vec<Range> = requests.iter().map(|number| Range::one(*number)).collect();
        let request = self.field_in(kind, &requests)?;
        let icmp = self.word(kind)?.there;
        let other = self.store.minus(icmp, request)?;
        self.store.or(later, other)
    }

    /// The type that follows from the packet's own address, where the host's addresses are known.
    pub(crate) fn type_of(
        &mut self,
        source: bool,
        surroundings: &Surroundings,
    ) -> Result<Option<BitVector>, Exhausted> {
        let kind = if source {
            Field::SrcAddressType
        } else {
            Field::DstAddressType
        };
        let (Some(address), Some(open)) = (
            self.block_of(self.address_field(source)),
            self.block_of(kind),
        ) else {
            return Ok(None);
        };
        let address = self.plain_vector(address)?;
        let open = self.plain_vector(open)?;
        self.type_word(&address, open, surroundings).map(Some)
    }

    /// The type of an address, and where that cannot be known, `open`.
    pub(crate) fn type_word(
        &mut self,
        address: &BitVector,
        open: BitVector,
        surroundings: &Surroundings,
    ) -> Result<BitVector, Exhausted> {
        let mut by_type: BTreeMap<u128, Vec<Range>> = BTreeMap::new();
        for range in routed_pieces(self.v6, surroundings) {
            if let Some(kind) = address_type(to_address(range.lo, self.v6), surroundings) {
                by_type.entry(kind).or_default().push(range);
            }
        }
        let width = u32::try_from(open.bits.len()).unwrap_or_default();
        let mut word = open;
        for (kind, ranges) in by_type {
            let set = self.store.vector_in(address, &ranges)?;
            word = self
                .store
                .either_word(set, &BitVector::constant_vector(kind, width), &word)?;
        }
        Ok(word)
    }
}

/// Ranges of addresses, all of one type each, which cover them all.
fn routed_pieces(v6: bool, surroundings: &Surroundings) -> Vec<Range> {
    let last = if v6 { u128::MAX } else { u32::MAX.into() };
    let mut starts = BTreeSet::from([0]);
    let mut cut = |network: u128, length: u8| {
        let width = if v6 { 128_u32 } else { 32 };
        let host = width.saturating_sub(length.into());
        let size = 1_u128.checked_shl(host);
        let lo = size.map_or(0, |size| network & !(size - 1));
        starts.insert(lo);
        for start in [
            size.and_then(|size| lo.checked_add(size)),
            // The broadcast address, and what comes after the anycast address.
            size.and_then(|size| lo.checked_add(size - 1)),
            lo.checked_add(1),
            network.checked_add(1),
        ] {
            starts.extend(start.filter(|start| *start <= last));
        }
        starts.insert(network);
    };
    if v6 {
        cut(0xff00 << 112, 8);
        cut(1, 128);
    } else {
        cut(0xe000_0000, 4);
        cut(0x7f00_0000, 8);
        cut(0, 8);
        cut(0xffff_ffff, 32);
    }
    let number = |address| match address {
        std::net::IpAddr::V4(address) => u128::from(address.to_bits()),
        std::net::IpAddr::V6(address) => address.to_bits(),
    };
    let interfaces = surroundings.interfaces.iter().flatten();
    for (address, length) in interfaces.flat_map(|interface| &interface.addresses) {
        if address.is_ipv6() == v6 {
            cut(number(*address), *length);
        }
    }
    for route in surroundings.routes.iter().flatten() {
        let (address, length) = route.destination;
        if address.is_ipv6() == v6 && route.kind != 1 {
            cut(number(address), length);
        }
    }
    let starts: Vec<u128> = starts.into_iter().collect();
    let ends = starts.iter().skip(1).map(|start| start - 1).chain([last]);
    starts
        .iter()
        .zip(ends)
        .map(|(lo, hi)| Range { lo: *lo, hi })
        .collect()
}
