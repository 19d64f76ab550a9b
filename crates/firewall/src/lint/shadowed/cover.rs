//! Which rules one earlier rule of their chain covers.
//!
//! Most pairs are found by hashing: a rule can only be covered by one that asks for a part of what
//! it asks for itself, and the ways in which rules of a chain put their questions (their shapes)
//! are few. Port ranges and lists are compared one by one, within a budget.

use std::collections::{HashMap, HashSet};

use crate::model::{
    Chain, Content, Effect, Field, Match, NamePattern, Operand, Range, Rule, SetRef, Statement,
    Table, Verdict,
};

/// Comparisons in one chain before the search is given up.
const BUDGET: u64 = 4_000_000;

/// A rule and the earlier one that leaves it nothing.
pub(super) struct Pair {
    pub(super) dead: usize,
    pub(super) by: usize,
    pub(super) differ: bool,
}

/// What a rule asks of one property.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Asked {
    Numbers(Operand, Vec<Range>),
    In(bool, Vec<NamePattern>),
    Out(bool, Vec<NamePattern>),
}

/// How a question is put; two rules of one shape differ in their values only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Shape {
    /// One block of numbers whose size is a power of two, such as a prefix or a single port.
    Block(Operand, u32),
    In,
    Out,
}

/// The value that goes with a shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Value {
    Block(u128),
    Names(bool, Vec<NamePattern>),
}

/// The rules of the chain that can never match.
pub(super) fn covered(table: &Table, chain: &Chain, changed: &HashSet<Field>) -> Vec<Pair> {
    let mut pairs = Vec::new();
    let mut shapes: HashMap<Vec<Shape>, HashMap<Vec<Value>, usize>> = HashMap::new();
    let mut wide: Vec<(usize, Vec<Asked>)> = Vec::new();
    let mut verbatim: HashMap<String, usize> = HashMap::new();
    let mut budget = BUDGET;
    for (at, rule) in chain.rules.iter().enumerate() {
        let (asked, plain) = questions(rule);
        let mut by: Option<usize> = None;
        for (shape, rules) in &shapes {
            budget = budget.saturating_sub(1);
            if let Some(values) = project(&asked, shape)
                && let Some(earlier) = rules.get(&values)
            {
                by = Some(by.map_or(*earlier, |by| by.min(*earlier)));
            }
        }
        for (earlier, wanted) in &wide {
            budget = budget.saturating_sub(1);
            if by.is_none_or(|by| *earlier < by) && covers(wanted, &asked) {
                by = Some(*earlier);
                break;
            }
        }
        let words = (!plain).then(|| static_words(table, rule)).flatten();
        if let Some(earlier) = words.as_ref().and_then(|words| verbatim.get(words)) {
            by = Some(by.map_or(*earlier, |by| by.min(*earlier)));
        }
        if budget == 0 {
            break;
        }
        if let Some(by) = by {
            let differ = kind(&chain.rules[by]) != kind(rule);
            pairs.push(Pair {
                dead: at,
                by,
                differ,
            });
            continue;
        }
        if !decides(rule) {
            continue;
        }
        if let Some(words) = words {
            verbatim.entry(words).or_insert(at);
        }
        if !plain || asked.iter().any(|one| is_changed(one, changed)) {
            continue;
        }
        match asked.iter().map(shape).collect::<Option<Vec<_>>>() {
            Some(shaped) => {
                let (shape, values) = shaped.into_iter().unzip();
                shapes.entry(shape).or_default().entry(values).or_insert(at);
            }
            None => wide.push((at, asked)),
        }
    }
    pairs
}

/// What the rule asks, and whether that is all it asks.
fn questions(rule: &Rule) -> (Vec<Asked>, bool) {
    let mut asked = Vec::new();
    let mut plain = true;
    for statement in &rule.statements {
        match statement {
            Statement::Match(Match::Field {
                operand,
                negated,
                ranges,
            }) => asked.push(Asked::Numbers(
                *operand,
                if *negated {
                    complement(ranges)
                } else {
                    ranges.clone()
                },
            )),
            Statement::Match(Match::InInterface { negated, names }) => {
                asked.push(Asked::In(*negated, names.clone()));
            }
            Statement::Match(Match::OutInterface { negated, names }) => {
                asked.push(Asked::Out(*negated, names.clone()));
            }
            Statement::Match(_) => plain = false,
            Statement::Effect(_) => {}
            Statement::Verdict(_) => break,
            Statement::VerdictMap(_) => {
                plain = false;
                break;
            }
        }
    }
    (asked, plain)
}

/// Whether whoever matches the rule is not seen by later rules of the chain.
fn decides(rule: &Rule) -> bool {
    let verdict = rule
        .statements
        .iter()
        .find_map(|statement| match statement {
            Statement::Verdict(verdict) => Some(verdict),
            _ => None,
        });
    match verdict {
        Some(
            Verdict::Accept
            | Verdict::Drop
            | Verdict::Reject { .. }
            | Verdict::Return
            | Verdict::Goto(_),
        ) => true,
        // A key that the map does not hold ends the rule.
        Some(Verdict::Nat(nat)) => nat.by_map.is_none(),
        _ => false,
    }
}

/// What a rule wants, roughly: whether two rules contradict each other.
pub(super) fn kind(rule: &Rule) -> u8 {
    let verdict = rule
        .statements
        .iter()
        .find_map(|statement| match statement {
            Statement::Verdict(verdict) => Some(verdict),
            _ => None,
        });
    match verdict {
        Some(Verdict::Accept) => 1,
        Some(Verdict::Drop | Verdict::Reject { .. }) => 2,
        Some(Verdict::Return) => 3,
        Some(Verdict::Nat(_)) => 4,
        Some(Verdict::Jump(_) | Verdict::Goto(_)) => 5,
        Some(Verdict::Queue { .. } | Verdict::Unknown(_)) => 6,
        Some(Verdict::Continue) | None => 7,
    }
}

/// Fields that some rule of the table changes: what an earlier rule saw of them says nothing.
pub(super) fn changed_fields(table: &Table) -> HashSet<Field> {
    let mut changed = HashSet::new();
    let rules = table.chains.iter().flat_map(|chain| &chain.rules);
    for statement in rules.flat_map(|rule| &rule.statements) {
        let Statement::Effect(effect) = statement else {
            continue;
        };
        match effect {
            Effect::SetMark { field, .. }
            | Effect::Set { field, .. }
            | Effect::Forget { field } => {
                changed.insert(*field);
            }
            Effect::CopyMark { to, .. } => {
                changed.insert(*to);
            }
            Effect::NoTrack => {
                changed.extend([Field::CtState, Field::CtStatus, Field::CtDirection]);
            }
            Effect::CtZone(_)
            | Effect::Log { .. }
            | Effect::UpdateSet { .. }
            | Effect::Other { .. } => {}
        }
    }
    changed
}

fn is_changed(asked: &Asked, changed: &HashSet<Field>) -> bool {
    matches!(asked, Asked::Numbers(operand, _) if changed.contains(&operand.field))
}

fn shape(asked: &Asked) -> Option<(Shape, Value)> {
    match asked {
        Asked::Numbers(operand, ranges) => {
            let [range] = ranges.as_slice() else {
                return None;
            };
            let bits = block_bits(*range)?;
            Some((Shape::Block(*operand, bits), Value::Block(range.lo)))
        }
        Asked::In(negated, names) => Some((Shape::In, Value::Names(*negated, names.clone()))),
        Asked::Out(negated, names) => Some((Shape::Out, Value::Names(*negated, names.clone()))),
    }
}

/// The size of an aligned block, as a power of two.
fn block_bits(range: Range) -> Option<u32> {
    let size = range.hi.checked_sub(range.lo)?.checked_add(1)?;
    (size.is_power_of_two() && range.lo.is_multiple_of(size)).then(|| size.trailing_zeros())
}

/// The values that a rule of this shape must have to cover what is asked.
fn project(asked: &[Asked], shape: &[Shape]) -> Option<Vec<Value>> {
    shape
        .iter()
        .map(|shape| {
            asked.iter().find_map(|one| match (shape, one) {
                (Shape::Block(operand, bits), Asked::Numbers(other, ranges))
                    if operand == other =>
                {
                    let (first, last) = (ranges.first()?, ranges.last()?);
                    let block = |number: u128| number.checked_shr(*bits).unwrap_or(0);
                    (block(first.lo) == block(last.hi))
                        .then(|| Value::Block(block(first.lo).checked_shl(*bits).unwrap_or(0)))
                }
                (Shape::In, Asked::In(negated, names))
                | (Shape::Out, Asked::Out(negated, names)) => {
                    Some(Value::Names(*negated, names.clone()))
                }
                _ => None,
            })
        })
        .collect()
}

/// Whether every packet that fits what is asked fits what is wanted.
fn covers(wanted: &[Asked], asked: &[Asked]) -> bool {
    wanted.iter().all(|wanted| {
        asked.iter().any(|asked| match (wanted, asked) {
            (Asked::Numbers(a, wide), Asked::Numbers(b, narrow)) => a == b && within(narrow, wide),
            (wanted, asked) => wanted == asked,
        })
    })
}

/// Whether each of the ascending ranges lies in one of the others.
fn within(narrow: &[Range], wide: &[Range]) -> bool {
    !narrow.is_empty()
        && narrow.iter().all(|one| {
            let at = wide.partition_point(|range| range.hi < one.lo);
            wide.get(at)
                .is_some_and(|range| range.lo <= one.lo && one.hi <= range.hi)
        })
}

fn complement(ranges: &[Range]) -> Vec<Range> {
    let mut rest = Vec::new();
    let mut next = Some(0);
    for range in ranges {
        let Some(lo) = next else { break };
        if let Some(hi) = range.lo.checked_sub(1)
            && lo <= hi
        {
            rest.push(Range { lo, hi });
        }
        next = range.hi.checked_add(1);
    }
    if let Some(lo) = next {
        rest.push(Range { lo, hi: u128::MAX });
    }
    rest
}

/// The matches as words, if the same words mean the same for a packet that meets them twice.
fn static_words(table: &Table, rule: &Rule) -> Option<String> {
    let mut words = String::new();
    for statement in &rule.statements {
        match statement {
            Statement::Match(wanted) => {
                if !is_static(table, wanted) {
                    return None;
                }
                words.push_str(&format_match(wanted));
            }
            Statement::Effect(_) => {}
            Statement::Verdict(_) => return Some(words),
            Statement::VerdictMap(_) => return None,
        }
    }
    None
}

fn format_match(wanted: &Match) -> String {
    format!("{wanted:?};")
}

fn is_static(table: &Table, wanted: &Match) -> bool {
    match wanted {
        Match::Opaque(opaque) => !opaque.stateful,
        Match::Any { of, .. } => of.iter().all(|one| is_static(table, one)),
        Match::Lookup(lookup) => match &lookup.set {
            SetRef::Named(at) => usize::try_from(*at)
                .ok()
                .and_then(|at| table.sets.get(at))
                .is_some_and(|set| matches!(set.content, Content::Known(_))),
            SetRef::Inline(_) | SetRef::Ipset(_) => true,
            SetRef::Missing(_) => false,
        },
        Match::Field { operand, .. } => !matches!(operand.field, Field::Mark | Field::CtMark),
        Match::InInterface { .. } | Match::OutInterface { .. } | Match::Never => true,
    }
}
