//! What NAT does to a flow.

use std::net::IpAddr;

use super::flow::Flow;
use crate::Surroundings;
use crate::packet::{Interface, Value, address_type};
use surefoot_ruleset::model::{Field, Hook, Nat, NatKind, ct_status};

/// Rewrites the flow as the target says.
pub(crate) fn rewrite(flow: &mut Flow, nat: &Nat, hook: Hook, surroundings: &Surroundings) {
    let v6 = flow.get(Field::NfProto) == Value::Known(10);
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
        Value::Unknown
    } else {
        match (nat.kind, nat.addresses) {
            (NatKind::Netmap, Some((first, last))) => mapped(flow.get(address), first, last),
            (_, Some((first, last))) if first == last => Value::Known(number(first)),
            (_, Some(_)) => Value::Unknown,
            (NatKind::Redirect, None) if hook == Hook::Output => Value::Known(loopback(v6)),
            (NatKind::Masquerade | NatKind::Redirect, None) => {
                own_address(interface, v6, surroundings)
            }
            (_, None) => flow.get(address),
        }
    };
    let new_port = match (nat.ports, flow.get(port)) {
        _ if nat.by_map.is_some() => Value::Unknown,
        (_, Value::Absent) => Value::Absent,
        (Some((first, last)), _) if first == last => Value::Known(first.into()),
        (Some(_), _) => Value::Unknown,
        (None, value) => value,
    };
    let keeps = |new: Value, old: Value| match (new, old) {
        (Value::Known(new), Value::Known(old)) => Some(new == old),
        (Value::Absent, Value::Absent) => Some(true),
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
        (NatKind::Redirect, _) => Value::Known(2),
        (_, Value::Known(value)) => {
            address_type(crate::packet::to_address(value, v6), surroundings)
                .map_or(Value::Unknown, Value::Known)
        }
        _ => Value::Unknown,
    };
    flow.put(address, new_address);
    flow.put(kind, address_kind);
    flow.put(port, new_port);
    if flow.get(set_port) != Value::Absent && new_port != Value::Absent {
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
        (Some(false), _, Value::Known(status)) | (_, Some(false), Value::Known(status)) => {
            flow.put(Field::CtStatus, Value::Known(status | bit));
        }
        (Some(true), Some(true), _) | (Some(false), ..) | (_, Some(false), _) => {}
        _ => flow.put(Field::CtStatus, Value::Unknown),
    }
}

fn mapped(old: Value, first: IpAddr, last: IpAddr) -> Value {
    let (lo, hi) = (number(first), number(last));
    match old {
        Value::Known(old) => Value::Known(lo | (old & (lo ^ hi))),
        other => other,
    }
}

/// The one address of an interface that fits, if there is just one.
pub(crate) fn own_address(interface: &Interface, v6: bool, surroundings: &Surroundings) -> Value {
    let (Interface::Named(name), Some(interfaces)) = (interface, &surroundings.interfaces) else {
        return Value::Unknown;
    };
    let mut fitting = interfaces
        .iter()
        .filter(|interface| interface.name == *name)
        .flat_map(|interface| &interface.addresses)
        .filter(|(address, _)| address.is_ipv6() == v6 && !is_link_local(*address));
    match (fitting.next(), fitting.next()) {
        (Some((address, _)), None) => Value::Known(number(*address)),
        _ => Value::Unknown,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

fn loopback(v6: bool) -> u128 {
    if v6 { 1 } else { 0x7f00_0001 }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}
