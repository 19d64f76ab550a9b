//! Skips the rules that a packet cannot match, without looking at their statements.
//!
//! Each rule gets a small box: the hull of what it asks of family, protocol, addresses and ports
//! before it changes anything. A box that the packet misses is a rule that does nothing. The scan
//! is linear, but over a few bytes a rule; an index of a hundred thousand rules fits a cache.

use crate::packet::FieldValue;
use surefoot_ruleset::model::{
    Chain, Effect, Field, Firewall, Match, Rule, Statement, Table, Verdict,
};

use super::flow::Flow;
use super::tracking::tracks_connections;

/// The boxes of every rule of a firewall, made once.
#[derive(Clone, Debug, Default)]
pub struct RuleIndex {
    tables: Vec<Vec<ChainHulls>>,
    nat: Vec<bool>,
    tracking: [bool; 2],
}

/// How many boxes are compared at once.
const BLOCK: usize = 64;

/// The boxes of a chain, one column for each bound, so that the processor compares many at once.
#[derive(Clone, Debug, Default)]
struct ChainHulls {
    rules: usize,
    family: Vec<u8>,
    protocol: [Vec<u8>; 2],
    ports: [[Vec<u16>; 2]; 2],
    addresses: [[Vec<u32>; 2]; 2],
}

impl ChainHulls {
    fn new(chain: &Chain) -> Self {
        let mut boxes = Self {
            rules: chain.rules.len(),
            ..Self::default()
        };
        let padding = boxes.rules.next_multiple_of(BLOCK) - boxes.rules;
        let hulls = chain.rules.iter().map(hull_of);
        for hull in hulls.chain(std::iter::repeat_n(ANY, padding)) {
            boxes.family.push(hull.family);
            boxes.protocol[0].push(hull.protocol.0);
            boxes.protocol[1].push(hull.protocol.1);
            for end in 0..2 {
                boxes.ports[end][0].push(hull.ports[end].0);
                boxes.ports[end][1].push(hull.ports[end].1);
                boxes.addresses[end][0].push(hull.addresses[end].0);
                boxes.addresses[end][1].push(hull.addresses[end].1);
            }
        }
        boxes
    }

    /// Marks the boxes of a block that the flow is in.
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "a branch would keep it from vector code"
    )]
    fn mark_fitting(&self, start: usize, flow: &RuleHull, met: &mut [bool; BLOCK]) {
        let mut fits = [true; BLOCK];
        for end in [1, 0] {
            let [lo, hi] = &self.addresses[end];
            fit_within(&mut fits, &lo[start..], &hi[start..], flow.addresses[end]);
        }
        for end in [1, 0] {
            let [lo, hi] = &self.ports[end];
            fit_within(&mut fits, &lo[start..], &hi[start..], flow.ports[end]);
        }
        let [lo, hi] = &self.protocol;
        fit_within(&mut fits, &lo[start..], &hi[start..], flow.protocol);
        for ((met, fits), family) in met.iter_mut().zip(fits).zip(&self.family[start..]) {
            let same = (*family == 0) | (flow.family == 0) | (*family == flow.family);
            *met |= fits & same;
        }
    }

    /// The first marked one of the rules in a range.
    fn first(
        &self,
        rules: std::ops::Range<usize>,
        block: &mut RuleBlock,
        mut mark: impl FnMut(&Self, usize, &mut [bool; BLOCK]),
    ) -> Option<usize> {
        let end = rules.end.min(self.rules);
        let mut at = rules.start;
        while at < end {
            let start = at - at % BLOCK;
            if block.start != Some(start) {
                block.start = Some(start);
                block.met = [false; BLOCK];
                mark(self, start, &mut block.met);
            }
            let last = end.min(start + BLOCK);
            if let Some(found) = block.met[at - start..last - start]
                .iter()
                .position(|met| *met)
            {
                return Some(at + found);
            }
            at = last;
        }
        None
    }
}

/// The block that was compared last, so that a block is compared once though it holds several
/// rules to stop at.
#[derive(Clone, Debug)]
pub(crate) struct RuleBlock {
    start: Option<usize>,
    met: [bool; BLOCK],
}

impl RuleBlock {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self {
            start: None,
            met: [false; BLOCK],
        }
    }
}

/// Keeps those whose bounds overlap; without branches, so that it compiles to vector code.
#[expect(
    clippy::needless_bitwise_bool,
    reason = "a branch would keep it from vector code"
)]
fn fit_within<T: PartialOrd + Copy>(fits: &mut [bool; BLOCK], lo: &[T], hi: &[T], flow: (T, T)) {
    let bounds = lo[..BLOCK].iter().zip(&hi[..BLOCK]);
    for (fits, (lo, hi)) in fits.iter_mut().zip(bounds) {
        *fits &= (*lo <= flow.1) & (flow.0 <= *hi);
    }
}

#[derive(Clone, Copy, Debug)]
struct RuleHull {
    family: u8,
    protocol: (u8, u8),
    ports: [(u16, u16); 2],
    addresses: [(u32, u32); 2],
}

const ANY: RuleHull = RuleHull {
    family: 0,
    protocol: (0, u8::MAX),
    ports: [(0, u16::MAX); 2],
    addresses: [(0, u32::MAX); 2],
};

impl RuleIndex {
    /// Looks at every rule once.
    pub fn new(firewall: &Firewall) -> Self {
        Self {
            tables: firewall
                .tables
                .iter()
                .map(|table| table.chains.iter().map(ChainHulls::new).collect())
                .collect(),
            nat: firewall.tables.iter().map(rewrites_packets).collect(),
            tracking: [false, true].map(|v6| tracks_connections(firewall, v6)),
        }
    }

    /// Whether the rules switch connection tracking on.
    pub(crate) fn tracks_connections(&self, v6: bool) -> bool {
        self.tracking[usize::from(v6)]
    }

    /// Whether a table holds rules that rewrite addresses or ports of connections.
    pub fn has_nat(&self, table: usize) -> bool {
        self.nat.get(table).copied().unwrap_or(true)
    }

    /// The next rule from `from` on that one of the flows could match; `block` belongs to these
    /// flows.
    pub(crate) fn next(
        &self,
        table: usize,
        chain: usize,
        from: usize,
        flows: &[FlowHull],
        block: &mut RuleBlock,
    ) -> Option<usize> {
        let boxes = self.tables.get(table)?.get(chain)?;
        boxes.first(from..boxes.rules, block, |boxes, start, met| {
            for flow in flows {
                boxes.mark_fitting(start, &flow.0, met);
            }
        })
    }

    /// The next of these rules that asks for the flow's destination port.
    #[expect(
        clippy::needless_bitwise_bool,
        reason = "a branch would keep it from vector code"
    )]
    pub(crate) fn same_port(
        &self,
        table: usize,
        chain: usize,
        rules: std::ops::Range<usize>,
        flow: &FlowHull,
    ) -> Option<usize> {
        let wanted = flow.0.ports[1];
        if wanted == ANY.ports[1] {
            return None;
        }
        let boxes = self.tables.get(table)?.get(chain)?;
        boxes.first(rules, &mut RuleBlock::new(), |boxes, start, met| {
            let [lo, hi] = &boxes.ports[1];
            let bounds = lo[start..].iter().zip(&hi[start..]);
            for (met, (lo, hi)) in met.iter_mut().zip(bounds) {
                let asks = (*lo > 0) | (*hi < u16::MAX);
                *met = asks & (*lo <= wanted.1) & (wanted.0 <= *hi);
            }
        })
    }
}

/// A flow as the boxes see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowHull(RuleHull);

impl FlowHull {
    pub(crate) fn new(flow: &Flow) -> Self {
        let mut hull = ANY;
        let v6 = flow.get(Field::NfProto) == FieldValue::Known(10);
        if let FieldValue::Known(2 | 10) = flow.get(Field::NfProto) {
            hull.family = if v6 { 6 } else { 4 };
        }
        if let FieldValue::Known(number) = flow.get(Field::L4Proto) {
            hull.protocol = clamp8(number, number);
        }
        for (at, field) in [Field::SrcPort, Field::DstPort].into_iter().enumerate() {
            if let FieldValue::Known(number) = flow.get(field) {
                hull.ports[at] = clamp16(number, number);
            }
        }
        let fields = if v6 {
            [Field::Ip6Src, Field::Ip6Dst]
        } else {
            [Field::Ip4Src, Field::Ip4Dst]
        };
        for (at, field) in fields.into_iter().enumerate() {
            if let FieldValue::Known(number) = flow.get(field) {
                hull.addresses[at] = clamp32(field, number, number);
            }
        }
        Self(hull)
    }
}

fn hull_of(rule: &Rule) -> RuleHull {
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
                    Field::NfProto if lo == hi && lo == 2 => narrow_family(&mut hull, 4),
                    Field::NfProto if lo == hi && lo == 10 => narrow_family(&mut hull, 6),
                    Field::L4Proto => narrow_side(&mut hull.protocol, clamp8(lo, hi)),
                    Field::SrcPort => narrow_side(&mut hull.ports[0], clamp16(lo, hi)),
                    Field::DstPort => narrow_side(&mut hull.ports[1], clamp16(lo, hi)),
                    Field::Ip4Src | Field::Ip6Src => {
                        narrow_family(
                            &mut hull,
                            if operand.field == Field::Ip4Src { 4 } else { 6 },
                        );
                        narrow_side(&mut hull.addresses[0], clamp32(operand.field, lo, hi));
                    }
                    Field::Ip4Dst | Field::Ip6Dst => {
                        narrow_family(
                            &mut hull,
                            if operand.field == Field::Ip4Dst { 4 } else { 6 },
                        );
                        narrow_side(&mut hull.addresses[1], clamp32(operand.field, lo, hi));
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

fn rewrites_packets(table: &Table) -> bool {
    let nat = |statement: &Statement| matches!(statement, Statement::Verdict(Verdict::Nat(_)));
    let mut rules = table.chains.iter().flat_map(|chain| &chain.rules);
    rules.any(|rule| rule.statements.iter().any(nat))
}

fn narrow_family(hull: &mut RuleHull, number: u8) {
    // Two families in one rule contradict each other: the second test is left to the slow path.
    if hull.family == 0 {
        hull.family = number;
    }
}

fn narrow_side<T: Ord + Copy>(slot: &mut (T, T), with: (T, T)) {
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
