//! One of the ways in which a packet may be alive at a rule.
//!
//! A match that is unknown splits a flow in two. Flows that agree again are merged, so that a
//! long list of unknown matches stays linear.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use super::Decider;
use super::matching::always_there;
use crate::packet::{FieldValue, Packet, PacketInterface};
use crate::truth::Truth;
use surefoot_ruleset::model::RuleAt;
use surefoot_ruleset::model::{Field, Match, NamePattern, Operand, Range};

/// A packet with what rules have changed and what was assumed on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flow {
    pub(crate) values: BTreeMap<Field, FieldValue>,
    pub(crate) input: PacketInterface,
    pub(crate) output: PacketInterface,
    /// What the main hook's chains have decided so far.
    pub(crate) decided: Option<DecidedBy>,
    /// Whether the address rewriting of a source or destination was already fixed.
    pub(crate) rewritten: RewrittenEnds,
    /// Whether a rule exempted it from tracking.
    pub(crate) untracked: bool,
    /// Whether it has come in again by the loopback interface.
    pub(crate) looped: bool,
    /// What it was last routed by.
    pub(crate) routed: RoutedBy,
    /// Static matches that were assumed to hold, or not to.
    assumed: Vec<(Match, bool)>,
    /// The values that are left of a field that is present and unknown.
    left: BTreeMap<Field, PossibleValues>,
    /// The rules with unknown statements that this flow passed.
    pub(crate) hangs: BTreeSet<(RuleAt, usize)>,
}

/// Which ends were rewritten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RewrittenEnds {
    pub(crate) destination: bool,
    pub(crate) source: bool,
}

/// Who accepted the packet, and how much that decision weighs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DecidedBy {
    pub(crate) weight: u8,
    pub(crate) by: Decider,
}

/// Most assumptions a flow keeps; more would cost time and only sharpen rare answers.
const MOST_ASSUMED: usize = 64;

impl Flow {
    pub(crate) fn new(packet: &Packet) -> Self {
        let mut flow = Self {
            values: packet.values().clone(),
            input: packet.input.clone(),
            output: packet.output.clone(),
            decided: None,
            rewritten: RewrittenEnds::default(),
            untracked: false,
            looped: false,
            routed: [FieldValue::Unknown; ROUTED_BY.len()],
            assumed: loopback_assumed(packet),
            left: packet
                .among()
                .iter()
                .map(|(field, ranges)| (*field, PossibleValues(ranges.clone())))
                .collect(),
            hangs: BTreeSet::new(),
        };
        flow.routed = routed_by(&flow);
        flow
    }

    pub(crate) fn get(&self, field: Field) -> FieldValue {
        self.values
            .get(&field)
            .copied()
            .unwrap_or(FieldValue::Unknown)
    }

    /// Changes a field; what was assumed about it no longer counts.
    pub(crate) fn put(&mut self, field: Field, value: FieldValue) {
        if value == FieldValue::Unknown {
            self.values.remove(&field);
        } else {
            self.values.insert(field, value);
        }
        self.left.remove(&field);
        self.assumed.retain(|(wanted, _)| !looks_at(wanted, field));
    }

    /// Makes a fragment the packet that it is a part of; whether it was one.
    pub(crate) fn become_whole(&mut self) -> bool {
        // An offset, or that more fragments follow.
        const PART: u128 = 0x3fff;
        let later = self.get(Field::IsLaterFragment) == FieldValue::Known(1);
        let offset = self.get(Field::Ip4FragmentOffset);
        if !later && !matches!(offset, FieldValue::Known(offset) if offset & PART != 0) {
            return false;
        }
        self.put(Field::IsLaterFragment, FieldValue::Known(0));
        if let FieldValue::Known(offset) = offset {
            self.put(Field::Ip4FragmentOffset, FieldValue::Known(offset & !PART));
        }
        self.put(Field::Length, FieldValue::Unknown);
        if later {
            for field in transport_fields(self) {
                self.put(*field, FieldValue::Unknown);
            }
            if self.get(Field::L4Proto) == FieldValue::Known(6) {
                self.values
                    .retain(|field, _| !matches!(field, Field::TcpOption(_)));
            }
        }
        true
    }

    pub(crate) fn assumed_answer(&self, wanted: &Match) -> Option<bool> {
        self.assumed
            .iter()
            .find(|(known, _)| known == wanted)
            .map(|(_, answer)| *answer)
    }

    pub(crate) fn narrowed_field(&self, operand: Operand) -> Option<&PossibleValues> {
        (operand.mask.is_none()).then(|| self.left.get(&operand.field))?
    }

    /// Records that an unknown match holds, or does not.
    pub(crate) fn assume_answer(&mut self, wanted: &Match, answer: bool) {
        match wanted {
            Match::Opaque(opaque) if opaque.stateful => return,
            // A set may change between two rules, and a list may hold something stateful.
            Match::Lookup(_) | Match::Any { .. } => return,
            Match::Field {
                operand,
                negated,
                ranges,
            } if operand.mask.is_none() && always_there(self, operand.field) => {
                let left = self
                    .left
                    .entry(operand.field)
                    .or_insert_with(PossibleValues::all);
                left.keep(ranges, answer != *negated);
                return;
            }
            _ => {}
        }
        if self.assumed.len() < MOST_ASSUMED {
            self.assumed.push((wanted.clone(), answer));
        }
    }

    fn same_packet(&self, other: &Self) -> bool {
        self.values == other.values
            && self.input == other.input
            && self.output == other.output
            && self.rewritten == other.rewritten
            && self.untracked == other.untracked
            && self.routed == other.routed
    }

    fn join(&mut self, other: Self) {
        self.assumed.retain(|pair| other.assumed.contains(pair));
        self.left = std::mem::take(&mut self.left)
            .into_iter()
            .filter_map(|(field, left)| Some((field, left.united_with(other.left.get(&field)?))))
            .collect();
        self.hangs.extend(other.hangs);
    }
}

/// The fields of the transport header that a packet of the flow's protocol has.
pub(super) fn transport_fields(flow: &Flow) -> &'static [Field] {
    let v6 = flow.get(Field::NfProto) == FieldValue::Known(10);
    match flow.get(Field::L4Proto) {
        FieldValue::Known(1) if !v6 => &[Field::IcmpType, Field::IcmpCode],
        FieldValue::Known(58) if v6 => &[Field::Icmp6Type, Field::Icmp6Code],
        FieldValue::Known(6) => &[
            Field::SrcPort,
            Field::DstPort,
            Field::TcpFlags,
            Field::SetSrcPort,
            Field::SetDstPort,
        ],
        FieldValue::Known(33) => &[Field::SrcPort, Field::DstPort],
        FieldValue::Known(17 | 132 | 136) => &[
            Field::SrcPort,
            Field::DstPort,
            Field::SetSrcPort,
            Field::SetDstPort,
        ],
        _ => &[],
    }
}

/// The fields that routing may depend on.
pub(crate) const ROUTED_BY: [Field; 7] = [
    Field::Mark,
    Field::Tos,
    Field::TrafficClass,
    Field::Ip4Src,
    Field::Ip6Src,
    Field::Ip4Dst,
    Field::Ip6Dst,
];

/// The values of the fields that routing may depend on, the destinations last.
pub(crate) type RoutedBy = [FieldValue; ROUTED_BY.len()];

pub(crate) fn routed_by(flow: &Flow) -> RoutedBy {
    ROUTED_BY.map(|field| flow.get(field))
}

/// What is known of `-i lo` where the interface is not.
fn loopback_assumed(packet: &Packet) -> Vec<(Match, bool)> {
    if !packet.not_by_loopback || packet.input != PacketInterface::Unknown {
        return Vec::new();
    }
    let names = vec![NamePattern {
        text: "lo".into(),
        prefix: false,
    }];
    let asked = |negated| Match::InInterface {
        negated,
        names: names.clone(),
    };
    vec![(asked(false), false), (asked(true), true)]
}

/// Merges the flows that agree. Beyond `most` the ones that differ only in who decided are
/// merged too.
pub(crate) fn merge_flows(flows: Vec<Flow>, most: usize) -> Vec<Flow> {
    let lax = flows.len() > most;
    let agree =
        |one: &Flow, other: &Flow| one.same_packet(other) && (lax || one.decided == other.decided);
    if flows.len() > FEW {
        return merge_many(flows, agree);
    }
    let mut merged: Vec<Flow> = Vec::with_capacity(flows.len());
    for flow in flows {
        match merged.iter_mut().find(|one| agree(one, &flow)) {
            Some(one) => one.join(flow),
            None => merged.push(flow),
        }
    }
    merged
}

/// Flows that are compared with each other; of more, only those of one hash.
const FEW: usize = 8;

fn merge_many(flows: Vec<Flow>, agree: impl Fn(&Flow, &Flow) -> bool) -> Vec<Flow> {
    let hasher = RandomState::new();
    let mut alike: HashMap<u64, Vec<usize>> = HashMap::with_capacity(flows.len());
    let mut merged: Vec<Flow> = Vec::new();
    for flow in flows {
        let places = alike
            .entry(hasher.hash_one((&flow.values, &flow.input, &flow.output)))
            .or_default();
        if let Some(at) = places.iter().find(|at| agree(&merged[**at], &flow)) {
            merged[*at].join(flow);
        } else {
            places.push(merged.len());
            merged.push(flow);
        }
    }
    merged
}

fn looks_at(wanted: &Match, field: Field) -> bool {
    match wanted {
        Match::Field { operand, .. } => operand.field == field,
        Match::Any { of, .. } => of.iter().any(|one| looks_at(one, field)),
        Match::Lookup(lookup) => lookup.key.iter().any(
            |part| matches!(part, surefoot_ruleset::model::KeyPart::Number(operand) if operand.field == field),
        ),
        // Words that are not modelled could look at anything.
        Match::Opaque(_) => true,
        Match::InInterface { .. } | Match::OutInterface { .. } | Match::Never => false,
    }
}

/// The numbers that a field may still have: ascending, not overlapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PossibleValues(Vec<Range>);

impl PossibleValues {
    fn all() -> Self {
        Self(vec![Range {
            lo: 0,
            hi: u128::MAX,
        }])
    }

    /// Whether what is left lies in the ranges.
    pub(crate) fn compare(&self, ranges: &[Range]) -> Truth {
        let inside = intersect_ranges(&self.0, ranges);
        if inside.is_empty() {
            Truth::No
        } else if inside == self.0 {
            Truth::Yes
        } else {
            Truth::Maybe
        }
    }

    fn keep(&mut self, ranges: &[Range], inside: bool) {
        let left = if inside {
            intersect_ranges(&self.0, ranges)
        } else {
            intersect_ranges(&self.0, &complement_ranges(ranges))
        };
        if left.len() <= MOST_ASSUMED {
            self.0 = left;
        }
    }

    fn united_with(&self, other: &Self) -> Self {
        Self(complement_ranges(&intersect_ranges(
            &complement_ranges(&self.0),
            &complement_ranges(&other.0),
        )))
    }
}

/// What two ascending lists of ranges have in common.
fn intersect_ranges(a: &[Range], b: &[Range]) -> Vec<Range> {
    let mut common = Vec::new();
    let (mut at, mut bt) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(at), b.get(bt)) {
        let (lo, hi) = (x.lo.max(y.lo), x.hi.min(y.hi));
        if lo <= hi {
            common.push(Range { lo, hi });
        }
        if x.hi < y.hi {
            at += 1;
        } else {
            bt += 1;
        }
    }
    common
}

/// The numbers that are in none of the ranges.
fn complement_ranges(ranges: &[Range]) -> Vec<Range> {
    let mut rest = Vec::new();
    let mut next = Some(0);
    for range in ranges {
        let Some(start) = next else { break };
        if let Some(hi) = range.lo.checked_sub(1)
            && start <= hi
        {
            rest.push(Range { lo: start, hi });
        }
        next = range.hi.checked_add(1);
    }
    if let Some(lo) = next {
        rest.push(Range { lo, hi: u128::MAX });
    }
    rest
}
