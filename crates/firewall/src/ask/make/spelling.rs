//! A conjunction of matches in the words of a rule: the ground that both languages share.

mod iptables;
mod nft;
mod ufw;

pub(super) use iptables::iptables_rules;
pub(super) use nft::nft_rule;
pub(super) use ufw::ufw_command;

use thiserror::Error;

use surefoot_netfilter::packet::{has_ports, to_address, value_words};
use surefoot_ruleset::model::{Field, Match, Range};

/// Why a conjunction cannot be written as a rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum UnsayableMatch {
    /// Ports mean nothing without a protocol that has them.
    #[error("ports need a protocol: say `tcp`, `udp` or both (`tcp,udp`) beside them")]
    PortsWithoutProtocol,
    /// The field has no option, or no value of the option says it.
    #[error("no rule of this firewall's language can ask for {0} like this")]
    NoOption(String),
    /// It would take too many rules.
    #[error("it would take too many rules: name fewer addresses, ports or protocols")]
    TooManyRules,
}

/// One condition of a rule, without the name of its option.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldAsked<'a> {
    field: Field,
    mask: Option<u128>,
    negated: bool,
    ranges: &'a [Range],
}

/// The condition on a field, where it is one.
fn field_asked(wanted: &Match) -> Option<FieldAsked<'_>> {
    match wanted {
        Match::Field {
            operand,
            negated,
            ranges,
        } => Some(FieldAsked {
            field: operand.field,
            mask: operand.mask,
            negated: *negated,
            ranges,
        }),
        _ => None,
    }
}

impl FieldAsked<'_> {
    fn unsayable(&self) -> UnsayableMatch {
        UnsayableMatch::NoOption(surefoot_netfilter::packet::field_words(self.field))
    }

    /// Whether every byte is among the ranges, so that only the header is asked for.
    fn is_any_byte(&self) -> bool {
        !self.negated && matches!(self.ranges, [Range { lo: 0, hi: 255 }])
    }

    /// The single numbers of short ranges.
    fn numbers(&self, most: usize) -> Result<Vec<u128>, UnsayableMatch> {
        let mut numbers = Vec::new();
        for range in self.ranges {
            for number in range.lo..=range.hi {
                if numbers.len() == most {
                    return Err(UnsayableMatch::TooManyRules);
                }
                numbers.push(number);
            }
        }
        Ok(numbers)
    }

    /// Each range as `lo` or `lo SEPARATOR hi`.
    fn spans(&self, separator: char) -> Vec<String> {
        let one = |range: &Range| {
            let (lo, hi) = (range.lo, range.hi);
            let words = |number: u128| match self.field {
                Field::CtMark => format!("{number:#x}"),
                _ => number.to_string(),
            };
            if lo == hi {
                words(lo)
            } else {
                format!("{}{separator}{}", words(lo), words(hi))
            }
        };
        self.ranges.iter().map(one).collect()
    }

    /// The names that `ct state` has for the numbers.
    fn state_names(&self) -> Result<Vec<String>, UnsayableMatch> {
        let words = |number: u128| value_words(Field::CtState, number);
        Ok(self.numbers(8)?.into_iter().map(words).collect())
    }
}

/// The addresses of a range: networks if few say it, else the range itself.
enum AddressRange {
    Network(String),
    FromTo(String, String),
}

fn address_range(range: Range, v6: bool) -> AddressRange {
    let bits = if v6 { 128 } else { 32 };
    let words = |number| to_address(number, v6).to_string();
    // One network, if the addresses that differ are those of the last bits.
    let free = (range.lo ^ range.hi)
        .checked_ilog2()
        .map_or(0, |bit| bit + 1);
    let last = if free == 128 {
        u128::MAX
    } else {
        (1 << free) - 1
    };
    if range.lo & last != 0 || range.hi & last != last {
        return AddressRange::FromTo(words(range.lo), words(range.hi));
    }
    AddressRange::Network(if free == 0 {
        words(range.lo)
    } else {
        format!("{}/{}", words(range.lo), bits - free)
    })
}

/// The protocols that a conjunction asks for, without `not`.
pub(super) fn protocols_of(wanted: &[Match]) -> Option<Vec<u128>> {
    let asked = wanted.iter().filter_map(field_asked);
    let mut asked = asked.filter(|one| one.field == Field::L4Proto && !one.negated);
    let first = asked.next()?.numbers(8).ok()?;
    Some(asked.fold(first, |left, one| {
        let ranges = one.ranges;
        let among = |number: &u128| ranges.iter().any(|range| range.contains(*number));
        left.into_iter().filter(among).collect()
    }))
}

/// Refuses ports where the protocols are not all ones with ports.
fn ports_have_protocol(wanted: &[Match]) -> Result<(), UnsayableMatch> {
    let is_port = |one: FieldAsked| matches!(one.field, Field::SrcPort | Field::DstPort);
    let asks_ports = wanted.iter().filter_map(field_asked).any(is_port);
    let with_ports = protocols_of(wanted)
        .is_some_and(|numbers| !numbers.is_empty() && numbers.iter().all(|one| has_ports(*one)));
    if asks_ports && !with_ports {
        return Err(UnsayableMatch::PortsWithoutProtocol);
    }
    Ok(())
}

/// The name of a protocol that iptables and nft share.
fn protocol_name(number: u128) -> String {
    match number {
        58 => "ipv6-icmp".to_owned(),
        1 | 6 | 17 | 33 | 50 | 51 | 132 | 136 => value_words(Field::L4Proto, number),
        other => other.to_string(),
    }
}
