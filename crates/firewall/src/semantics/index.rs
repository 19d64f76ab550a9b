//! Skips the rules that a packet cannot match, without looking at their statements.
//!
//! Each rule gets a small box: the hull of what it asks of family, protocol, addresses and ports
//! before it changes anything. A box that the packet misses is a rule that does nothing. The scan
//! is linear, but over a few bytes a rule; an index of a hundred thousand rules fits a cache.

use crate::model::{Chain, Effect, Field, Firewall, Match, Rule, Statement};
use crate::packet::Value;

use super::flow::Flow;

/// The boxes of every rule of a firewall, made once.
#[derive(Clone, Debug, Default)]
pub struct Index {
    tables: Vec<Vec<Vec<Hull>>>,
}

#[derive(Clone, Copy, Debug)]
struct Hull {
    family: u8,
    protocol: (u8, u8),
    ports: [(u16, u16); 2],
    addresses: [(u32, u32); 2],
}

const ANY: Hull = Hull {
    family: 0,
    protocol: (0, u8::MAX),
    ports: [(0, u16::MAX); 2],
    addresses: [(0, u32::MAX); 2],
};

impl Index {
    /// Looks at every rule once.
    pub fn new(firewall: &Firewall) -> Self {
        let chain = |chain: &Chain| chain.rules.iter().map(hull).collect();
        Self {
            tables: firewall
                .tables
                .iter()
                .map(|table| table.chains.iter().map(chain).collect())
                .collect(),
        }
    }

    /// The next rule from `from` on that one of the flows could match.
    pub(crate) fn next(
        &self,
        table: usize,
        chain: usize,
        from: usize,
        flows: &[Question],
    ) -> Option<usize> {
        let hulls = self.tables.get(table)?.get(chain)?;
        let rest = hulls.get(from..)?;
        let at = match flows {
            [one] => rest.iter().position(|hull| one.meets(hull)),
            _ => rest
                .iter()
                .position(|hull| flows.iter().any(|flow| flow.meets(hull))),
        }?;
        Some(from + at)
    }

    /// The next of these rules that asks for the flow's destination port.
    pub(crate) fn same_port(
        &self,
        table: usize,
        chain: usize,
        rules: std::ops::Range<usize>,
        flow: &Question,
    ) -> Option<usize> {
        let wanted = flow.0.ports[1];
        if wanted == ANY.ports[1] {
            return None;
        }
        let hulls = self.tables.get(table)?.get(chain)?.get(rules.clone())?;
        let at = hulls
            .iter()
            .position(|hull| hull.ports[1] != ANY.ports[1] && overlap(hull.ports[1], wanted))?;
        Some(rules.start + at)
    }
}

/// A flow as the boxes see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question(Hull);

impl Question {
    pub(crate) fn new(flow: &Flow) -> Self {
        let mut hull = ANY;
        let v6 = flow.get(Field::NfProto) == Value::Known(10);
        if let Value::Known(2 | 10) = flow.get(Field::NfProto) {
            hull.family = if v6 { 6 } else { 4 };
        }
        if let Value::Known(number) = flow.get(Field::L4Proto) {
            hull.protocol = clamp8(number, number);
        }
        for (at, field) in [Field::SrcPort, Field::DstPort].into_iter().enumerate() {
            if let Value::Known(number) = flow.get(field) {
                hull.ports[at] = clamp16(number, number);
            }
        }
        let fields = if v6 {
            [Field::Ip6Src, Field::Ip6Dst]
        } else {
            [Field::Ip4Src, Field::Ip4Dst]
        };
        for (at, field) in fields.into_iter().enumerate() {
            if let Value::Known(number) = flow.get(field) {
                hull.addresses[at] = clamp32(field, number, number);
            }
        }
        Self(hull)
    }

    fn meets(&self, rule: &Hull) -> bool {
        let flow = &self.0;
        (rule.family == 0 || flow.family == 0 || rule.family == flow.family)
            && overlap(rule.protocol, flow.protocol)
            && overlap(rule.addresses[1], flow.addresses[1])
            && overlap(rule.addresses[0], flow.addresses[0])
            && overlap(rule.ports[1], flow.ports[1])
            && overlap(rule.ports[0], flow.ports[0])
    }
}

fn overlap<T: PartialOrd + Copy>(a: (T, T), b: (T, T)) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

fn hull(rule: &Rule) -> Hull {
    let mut hull = ANY;
    for statement in &rule.statements {
        match statement {
            Statement::Match(Match::Field {
                operand,
                negated: false,
                ranges,
            }) if operand.mask.is_none() => {
                let (Some(first), Some(last)) = (ranges.first(), ranges.last()) else {
                    continue;
                };
                let (lo, hi) = (first.lo, last.hi);
                match operand.field {
                    Field::NfProto if lo == hi && lo == 2 => family(&mut hull, 4),
                    Field::NfProto if lo == hi && lo == 10 => family(&mut hull, 6),
                    Field::L4Proto => narrow(&mut hull.protocol, clamp8(lo, hi)),
                    Field::SrcPort => narrow(&mut hull.ports[0], clamp16(lo, hi)),
                    Field::DstPort => narrow(&mut hull.ports[1], clamp16(lo, hi)),
                    Field::Ip4Src | Field::Ip6Src => {
                        family(
                            &mut hull,
                            if operand.field == Field::Ip4Src { 4 } else { 6 },
                        );
                        narrow(&mut hull.addresses[0], clamp32(operand.field, lo, hi));
                    }
                    Field::Ip4Dst | Field::Ip6Dst => {
                        family(
                            &mut hull,
                            if operand.field == Field::Ip4Dst { 4 } else { 6 },
                        );
                        narrow(&mut hull.addresses[1], clamp32(operand.field, lo, hi));
                    }
                    _ => {}
                }
            }
            Statement::Match(_) | Statement::Effect(Effect::Other { .. } | Effect::Log { .. }) => {}
            // What stands behind a change or a decision says nothing about whether that happens.
            Statement::Effect(_) | Statement::Verdict(_) | Statement::VerdictMap(_) => break,
        }
    }
    hull
}

fn family(hull: &mut Hull, number: u8) {
    // Two families in one rule contradict each other: the second test is left to the slow path.
    if hull.family == 0 {
        hull.family = number;
    }
}

fn narrow<T: Ord + Copy>(slot: &mut (T, T), with: (T, T)) {
    *slot = (slot.0.max(with.0), slot.1.min(with.1));
}

fn clamp8(lo: u128, hi: u128) -> (u8, u8) {
    let clamp = |number| u8::try_from(number).unwrap_or(u8::MAX);
    (clamp(lo), clamp(hi))
}

fn clamp16(lo: u128, hi: u128) -> (u16, u16) {
    let clamp = |number| u16::try_from(number).unwrap_or(u16::MAX);
    (clamp(lo), clamp(hi))
}

/// An IPv4 address, or the first 32 bits of an IPv6 address.
fn clamp32(field: Field, lo: u128, hi: u128) -> (u32, u32) {
    let shift = if matches!(field, Field::Ip6Src | Field::Ip6Dst) {
        96
    } else {
        0
    };
    let clamp = |number: u128| u32::try_from(number >> shift).unwrap_or(u32::MAX);
    (clamp(lo), clamp(hi))
}
