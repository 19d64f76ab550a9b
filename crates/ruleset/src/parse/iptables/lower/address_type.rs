//! `-m addrtype`: for IPv4 one type for each address (`inet_dev_addr_type`), for IPv6 conditions
//! that must all hold (`match_type6`).

use super::super::names::address_type;
use super::super::value::tidy;
use super::field;
use super::matches::Meaning;
use crate::model::{Field, Match, Range};

const UNSPEC: u128 = 0;
const UNICAST: u128 = 1;
const LOCAL: u128 = 2;
const ANYCAST: u128 = 4;
const MULTICAST: u128 = 5;

/// The meaning of a list of types, asked of the source or the destination.
pub(super) fn address_types(list: &str, source: bool, v6: bool, negated: bool) -> Meaning {
    let types: Option<Vec<u128>> = list.split(',').map(address_type).collect();
    let types = types.ok_or("no list of address types")?;
    let kind = if source {
        Field::SrcAddressType
    } else {
        Field::DstAddressType
    };
    if !v6 {
        let ranges = types.into_iter().map(Range::one).collect();
        return Ok(vec![field(kind, negated, tidy(ranges))]);
    }
    let address = if source { Field::Ip6Src } else { Field::Ip6Dst };
    let none = Range::one(0);
    let mapped = Range {
        lo: 0xffff << 32,
        hi: (0xffff << 32) + 0xffff_ffff,
    };
    let groups = Range {
        lo: 0xff << 120,
        hi: u128::MAX,
    };
    let mut all = Vec::new();
    let mut routed = Vec::new();
    for one in types {
        match one {
            UNSPEC => all.push(field(address, false, vec![none])),
            UNICAST => all.push(field(address, true, vec![none, mapped, groups])),
            MULTICAST => all.push(field(address, false, vec![groups])),
            LOCAL | ANYCAST => routed.push(Range::one(one)),
            _ => return Err("no address type that surefoot follows for IPv6"),
        }
    }
    if !routed.is_empty() {
        all.push(field(kind, false, tidy(routed)));
    }
    if !negated {
        return Ok(all);
    }
    let turned = all.into_iter().map(|one| Match::Any {
        negated: true,
        of: vec![one],
    });
    Ok(vec![Match::Any {
        negated: false,
        of: turned.collect(),
    }])
}
