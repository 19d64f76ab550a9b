//! The ends of packets: lists of addresses, networks, ranges, sets and ports.

use std::net::IpAddr;

use surefoot_report::Problem;

use super::read::problem_at;
use super::{ConditionPart, TrafficCondition};
use crate::language::{ME, WordToken, list_items, port};
use surefoot_ruleset::model::{Field, Match, Operand, Range};

/// Reads `ADDRS`, `ADDRS:PORTS` or `:PORTS`.
pub(super) fn read_ends(
    token: &WordToken,
    source: bool,
    negated: bool,
) -> Result<TrafficCondition, Problem> {
    let text = token.text.as_str();
    let (addresses, ports) = split_ends(text).ok_or_else(|| {
        problem_at(token, "a list of addresses that does not end")
            .help("braces and brackets need their other half")
    })?;
    let mut parts = Vec::new();
    if !matches!(addresses, "" | "any" | "anywhere" | "*") {
        parts.push(address_part(token, addresses, source)?);
    }
    if let Some(ports) = ports {
        parts.push(ports_part(token, ports, source)?);
    }
    Ok(TrafficCondition { negated, parts })
}

/// The packets whose port is one of these.
pub(super) fn ports_part(
    token: &WordToken,
    text: &str,
    source: bool,
) -> Result<ConditionPart, Problem> {
    let field = if source {
        Field::SrcPort
    } else {
        Field::DstPort
    };
    let mut ranges = Vec::new();
    for item in list_items(text) {
        let one = |text: &str| {
            port(text).ok_or_else(|| {
                problem_at(token, format!("`{}` is no port", text.escape_debug()))
                    .help("ports are numbers up to 65535, ranges such as 1024-65535, or names such as ssh")
            })
        };
        let (lo, hi) = match item.split_once('-') {
            Some((lo, hi)) if !lo.is_empty() && port(item).is_none() => (one(lo)?, one(hi)?),
            _ => (one(item)?, one(item)?),
        };
        if lo > hi {
            return Err(problem_at(
                token,
                format!("the range {lo}-{hi} runs backwards"),
            ));
        }
        ranges.push(Range {
            lo: lo.into(),
            hi: hi.into(),
        });
    }
    Ok(field_part(field, ranges))
}

/// The packets with one of these numbers in a field.
pub(super) fn field_part(field: Field, ranges: Vec<Range>) -> ConditionPart {
    ConditionPart::Match(Match::Field {
        operand: Operand::from(field),
        negated: false,
        ranges: merge_ranges(ranges),
    })
}

/// Ascending, and not overlapping.
pub(super) fn merge_ranges(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut apart: Vec<Range> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match apart.last_mut() {
            Some(last) if range.lo <= last.hi => last.hi = last.hi.max(range.hi),
            _ => apart.push(range),
        }
    }
    apart
}

/// Addresses, and ports where there are any.
fn split_ends(text: &str) -> Option<(&str, Option<&str>)> {
    for (open, close) in [('{', '}'), ('[', ']')] {
        if let Some(rest) = text.strip_prefix(open) {
            let (inside, behind) = rest.split_once(close)?;
            return match behind {
                "" => Some((inside, None)),
                _ => Some((inside, Some(behind.strip_prefix(':')?))),
            };
        }
    }
    let mut colons = text.match_indices(':');
    match (colons.next(), colons.next()) {
        (Some((at, _)), None) => Some((text.get(..at)?, Some(text.get(at + 1..)?))),
        _ => Some((text, None)),
    }
}

fn address_part(token: &WordToken, text: &str, source: bool) -> Result<ConditionPart, Problem> {
    let (v4, v6, kind) = if source {
        (Field::Ip4Src, Field::Ip6Src, Field::SrcAddressType)
    } else {
        (Field::Ip4Dst, Field::Ip6Dst, Field::DstAddressType)
    };
    let (mut fours, mut sixes, mut parts) = (Vec::new(), Vec::new(), Vec::new());
    for item in list_items(text) {
        if let Some(name) = item.strip_prefix('@') {
            let name = name.to_owned();
            parts.push(ConditionPart::InSet { source, name });
        } else if ME
            .iter()
            .chain(&["localhost"])
            .any(|me| item.eq_ignore_ascii_case(me))
        {
            parts.push(field_part(kind, vec![Range::one(2)]));
        } else {
            let (is_v6, range) = read_network(token, item)?;
            if is_v6 { &mut sixes } else { &mut fours }.push(range);
        }
    }
    if !fours.is_empty() {
        parts.push(field_part(v4, fours));
    }
    if !sixes.is_empty() {
        parts.push(field_part(v6, sixes));
    }
    if parts.is_empty() {
        return Err(problem_at(token, "no address is given"));
    }
    Ok(match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            ConditionPart::Any(parts)
        }
    })
}

/// An address, a network or a range of addresses.
fn read_network(token: &WordToken, item: &str) -> Result<(bool, Range), Problem> {
    let wrong = |what: String| {
        problem_at(token, what)
            .help("addresses look like 192.0.2.1, 10.0.0.0/8, 10.0.0.1-10.0.0.9, 2001:db8::/32, me, any or @SET")
    };
    let address = |text: &str| {
        text.parse::<IpAddr>()
            .map_err(|_| wrong(format!("`{}` is no address", text.escape_debug())))
    };
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    if let Some((first, last)) = item.split_once('-') {
        let (first, last) = (address(first.trim())?, address(last.trim())?);
        if first.is_ipv6() != last.is_ipv6() || first > last {
            return Err(wrong(format!("`{}` is no range", item.escape_debug())));
        }
        let range = Range {
            lo: number(first),
            hi: number(last),
        };
        return Ok((first.is_ipv6(), range));
    }
    let (text, length) = match item.split_once('/') {
        Some((text, length)) => (text, Some(length)),
        None => (item, None),
    };
    let address = address(text)?;
    let width: u32 = if address.is_ipv6() { 128 } else { 32 };
    let length = match length {
        None => width,
        Some(length) => length
            .parse::<u32>()
            .ok()
            .filter(|length| *length <= width)
            .ok_or_else(|| wrong(format!("`/{}` is no prefix length", length.escape_debug())))?,
    };
    let host = u128::MAX
        .checked_shr(128 - (width - length))
        .unwrap_or_default();
    let lo = number(address) & !host;
    if lo != number(address) {
        let text = crate::packet::to_address(lo, address.is_ipv6());
        return Err(wrong(format!(
            "{} has bits behind its prefix; the network is {text}/{length}",
            item.escape_debug()
        )));
    }
    let hi = lo | host;
    Ok((address.is_ipv6(), Range { lo, hi }))
}
