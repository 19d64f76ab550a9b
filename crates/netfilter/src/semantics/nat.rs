//! What NAT does to a flow.

use std::net::IpAddr;

use super::flow::Flow;
use crate::Surroundings;
use crate::packet::{FieldValue, PacketInterface, address_type};
use surefoot_ruleset::model::{Field, Hook, Match, Nat, NatKind, Range, ct_status};

/// Rewrites the flow as the target says.
pub(crate) fn rewrite_addresses(
    flow: &mut Flow,
    nat: &Nat,
    hook: Hook,
    surroundings: &Surroundings,
) {
    let v6 = flow.get(Field::NfProto) == FieldValue::Known(10);
    let source = match nat.kind {
        NatKind::Snat | NatKind::Masquerade => true,
        NatKind::Dnat | NatKind::Redirect => false,
        NatKind::Netmap => matches!(hook, Hook::Postrouting | Hook::Input),
    };
    let (address, port, set_port, kind) = match (source, v6) {
        (true, false) => (
            Field::Ip4Src,
            Field::SrcPort,
            Field::SetSrcPort,
            Field::SrcAddressType,
        ),
        (true, true) => (
            Field::Ip6Src,
            Field::SrcPort,
            Field::SetSrcPort,
            Field::SrcAddressType,
        ),
        (false, false) => (
            Field::Ip4Dst,
            Field::DstPort,
            Field::SetDstPort,
            Field::DstAddressType,
        ),
        (false, true) => (
            Field::Ip6Dst,
            Field::DstPort,
            Field::SetDstPort,
            Field::DstAddressType,
        ),
    };
    let interface = if source { &flow.output } else { &flow.input };
    let new_address = if nat.by_map.is_some() {
        FieldValue::Unknown
    } else {
        match (nat.kind, nat.addresses) {
            (NatKind::Netmap, Some((first, last))) => {
                mapped_address(flow.get(address), first, last)
            }
            (_, Some((first, last))) if first == last => FieldValue::Known(address_number(first)),
            (_, Some(_)) => FieldValue::Unknown,
            (NatKind::Redirect, None) if hook == Hook::Output => {
                FieldValue::Known(loopback_address(v6))
            }
            (NatKind::Masquerade | NatKind::Redirect, None) => {
                own_address(interface, v6, surroundings)
            }
            (_, None) => flow.get(address),
        }
    };
    let new_port = match (nat.ports, flow.get(port)) {
        _ if nat.by_map.is_some() => FieldValue::Unknown,
        (_, FieldValue::Absent) => FieldValue::Absent,
        (Some((first, last)), _) if first == last => FieldValue::Known(first.into()),
        (Some(_), _) => FieldValue::Unknown,
        (None, value) => value,
    };
    let keeps = |new: FieldValue, old: FieldValue| match (new, old) {
        (FieldValue::Known(new), FieldValue::Known(old)) => Some(new == old),
        (FieldValue::Absent, FieldValue::Absent) => Some(true),
        _ => None,
    };
    let kept = match (nat.addresses, nat.kind) {
        (None, NatKind::Snat | NatKind::Dnat) if nat.by_map.is_none() => Some(true),
        _ => keeps(new_address, flow.get(address)),
    };
    let kept_port = match nat.ports {
        None if nat.by_map.is_none() => Some(true),
        _ => keeps(new_port, flow.get(port)),
    };
    let address_kind = match (nat.kind, new_address) {
        (NatKind::Redirect, _) => FieldValue::Known(2),
        (_, FieldValue::Known(value)) => {
            address_type(crate::packet::to_address(value, v6), surroundings)
                .map_or(FieldValue::Unknown, FieldValue::Known)
        }
        _ => FieldValue::Unknown,
    };
    flow.put(address, new_address);
    if let (FieldValue::Unknown, Some((ranges, inside))) = (new_address, chosen_among(nat, v6)) {
        let wanted = Match::Field {
            operand: address.into(),
            negated: false,
            ranges,
        };
        flow.assume_answer(&wanted, inside);
    }
    flow.put(kind, address_kind);
    flow.put(port, new_port);
    if flow.get(set_port) != FieldValue::Absent && new_port != FieldValue::Absent {
        flow.put(set_port, new_port);
    }
    if source {
        flow.rewritten.source = true;
    } else {
        flow.rewritten.destination = true;
    }
    let bit = if source {
        ct_status::SNAT
    } else {
        ct_status::DNAT
    };
    // What is rewritten to what it was is not marked as rewritten (`nf_nat_setup_info`).
    match (kept, kept_port, flow.get(Field::CtStatus)) {
        (Some(false), _, FieldValue::Known(status))
        | (_, Some(false), FieldValue::Known(status)) => {
            flow.put(Field::CtStatus, FieldValue::Known(status | bit));
        }
        (Some(true), Some(true), _) | (Some(false), ..) | (_, Some(false), _) => {}
        _ => flow.put(Field::CtStatus, FieldValue::Unknown),
    }
}

/// Among which addresses the kernel chooses, or among which not, where the rule does not name the one.
pub(crate) fn chosen_among(nat: &Nat, v6: bool) -> Option<(Vec<Range>, bool)> {
    if nat.by_map.is_some() || nat.kind == NatKind::Netmap {
        return None;
    }
    match nat.addresses {
        Some((first, last)) => {
            let range = Range {
                lo: address_number(first),
                hi: address_number(last),
            };
            Some((vec![range], true))
        }
        // That of an interface: not none, loopback, a group, or all.
        None if !v6 && matches!(nat.kind, NatKind::Masquerade | NatKind::Redirect) => {
            let never = [
                (0, 0),
                (0x7f00_0000, 0x7fff_ffff),
                (0xe000_0000, 0xffff_ffff),
            ];
            Some((never.map(|(lo, hi)| Range { lo, hi }).to_vec(), false))
        }
        None => None,
    }
}

fn mapped_address(old: FieldValue, first: IpAddr, last: IpAddr) -> FieldValue {
    let (lo, hi) = (address_number(first), address_number(last));
    match old {
        FieldValue::Known(old) => FieldValue::Known(lo | (old & (lo ^ hi))),
        other => other,
    }
}

/// The one address of an interface that fits, if there is just one.
pub(crate) fn own_address(
    interface: &PacketInterface,
    v6: bool,
    surroundings: &Surroundings,
) -> FieldValue {
    let (PacketInterface::Named(name), Some(interfaces)) = (interface, &surroundings.interfaces)
    else {
        return FieldValue::Unknown;
    };
    let mut fitting = interfaces
        .iter()
        .filter(|interface| interface.name == *name)
        .flat_map(|interface| &interface.addresses)
        .filter(|(address, _)| address.is_ipv6() == v6 && !is_link_local(*address));
    match (fitting.next(), fitting.next()) {
        (Some((address, _)), None) => FieldValue::Known(address_number(*address)),
        _ => FieldValue::Unknown,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn loopback_address(v6: bool) -> u128 {
    if v6 { 1 } else { 0x7f00_0001 }
}

fn address_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}
