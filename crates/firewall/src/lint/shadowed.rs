//! Rules that can never match because one earlier rule of the chain takes every packet they ask
//! for.
//!
//! Only what is plain from *one* earlier rule is said. Most pairs are found by hashing: a rule can
//! only be covered by one that asks for a part of what it asks for itself, and the ways in which
//! rules of a chain put their questions (their shapes) are few. Port ranges and lists are compared
//! one by one, within a budget.

use std::collections::{HashMap, HashSet};

use surefoot_report::{Evidence, Finding, Page, Severity};

use super::Facts;
use super::commands::{iptables, nft_checked, quoted};
use super::evidence::{Say, count, finding, full_name};
use super::makers;
use crate::model::{
    Chain, Content, Effect, Field, Match, NamePattern, Operand, Range, Rule, SetRef, Statement,
    Table, Verdict,
};
use crate::semantics::RuleAt;

pub(super) const PAGE: Page = Page {
    code: "FW022",
    title: "rules that can never match",
    severity: Severity::Warning,
    text: "\
## What it is
Rules are read from the top to the first that decides. Here a rule decides every packet that a
later one asks for, so that the later one is never asked: an ACCEPT for one port behind a DROP
for all, or the same rule twice.

## Why it matters
If the two want the same, the second is only in the way. If they want different things, somebody
wrote the second to change something and believes that it does: a port that should be open is
shut, or an address that should be blocked gets in.

## How to see it yourself
    iptables -L INPUT -nv --line-numbers        a rule that never counts anything
    surefoot firewall explain PACKET             which rule decides

## How to mend it
Where both want the same, delete the later one. Where an exception stands behind the rule that
it is an exception to, move it in front: insert it there first, look whether it counts, then
delete the old one. Take care with a rule that drops: in front it drops for the first time,
perhaps your own connection, so let it be REJECT or LOG first and keep a second session open.

## When it is fine
A list that a program fills may hold an entry twice. Only what one earlier rule of the same
chain covers is reported here; several rules together can hide one as well.
",
};

/// Comparisons in one chain before the search is given up.
const BUDGET: u64 = 4_000_000;
/// Pairs that a finding shows.
const MOST_PAIRS: usize = 3;

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (t, table) in facts.firewall.tables.iter().enumerate() {
        let changed = changed_fields(table);
        let mut repeated = Vec::new();
        for (c, chain) in table.chains.iter().enumerate() {
            if makers::of_chain(table, chain).is_some() || chain.rules.len() < 2 {
                continue;
            }
            let at = |rule| RuleAt {
                table: t,
                chain: c,
                rule,
            };
            let pairs = covered(table, chain, &changed);
            let (differ, same): (Vec<Pair>, Vec<Pair>) =
                pairs.into_iter().partition(|pair| pair.differ);
            let placed = |pair: Pair| (at(pair.dead), at(pair.by));
            if !differ.is_empty() {
                let pairs: Vec<_> = differ.into_iter().map(placed).collect();
                findings.push(report(facts, &full_name(table, chain), &pairs, true));
            }
            repeated.extend(same.into_iter().map(placed));
        }
        if let Some((first, _)) = repeated.first() {
            let one_chain = repeated.iter().all(|(dead, _)| dead.chain == first.chain);
            let name = match facts.chain(*first) {
                Some(chain) if one_chain => full_name(table, chain),
                _ => format!("the table {} {}", table.family.word(), table.name),
            };
            findings.push(report(facts, &name, &repeated, false));
        }
    }
    findings
}

/// A rule and the earlier one that leaves it nothing.
struct Pair {
    dead: usize,
    by: usize,
    differ: bool,
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

fn covered(table: &Table, chain: &Chain, changed: &HashSet<Field>) -> Vec<Pair> {
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
    matches!(
        verdict,
        Some(
            Verdict::Accept
                | Verdict::Drop
                | Verdict::Reject { .. }
                | Verdict::Return
                | Verdict::Goto(_)
                | Verdict::Nat(_)
        )
    )
}

/// What a rule wants, roughly: whether two rules contradict each other.
fn kind(rule: &Rule) -> u8 {
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
fn changed_fields(table: &Table) -> HashSet<Field> {
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

fn report(facts: &Facts<'_>, name: &str, pairs: &[(RuleAt, RuleAt)], differ: bool) -> Finding {
    let title = match pairs {
        [(dead, by)] => format!(
            "rule {} of {name} can never match: rule {} takes all its packets",
            dead.rule + 1,
            by.rule + 1
        ),
        _ => format!("{} of {name} can never match", count(pairs.len(), "rule")),
    };
    let evidence: Vec<Evidence> = pairs
        .iter()
        .take(MOST_PAIRS)
        .flat_map(|(dead, by)| {
            let mut dead = facts.show_rule(*dead);
            dead.what = format!("never matches: {}", dead.what);
            let mut by = facts.show_rule(*by);
            by.what = format!("because of: {}", by.what);
            [dead, by]
        })
        .collect();
    let report = finding(
        &PAGE,
        title,
        if differ {
            "whoever wrote them wants something else done with these packets, and it is not done"
        } else {
            "they change nothing and make the chain harder to read"
        },
    )
    .with_severity(if differ {
        Severity::Warning
    } else {
        Severity::Note
    })
    .shown_by(evidence);
    if differ {
        // One at a time: an insert moves the numbers of all that follow.
        let commands = pairs.first().map(|(dead, by)| remedy(facts, *dead, *by));
        return report.mend(
            "Put the first of them before the rule that hides it if it is an exception, else delete it; the others likewise",
            commands.unwrap_or_default(),
        );
    }
    // From the last to the first, so that the numbers of the earlier ones stay right.
    let some: Vec<_> = pairs.iter().take(MOST_PAIRS).collect();
    let commands = some
        .into_iter()
        .rev()
        .flat_map(|(dead, by)| remedy(facts, *dead, *by))
        .collect();
    report.mend("Delete the later ones", commands)
}

/// Deletes the dead rule; one that accepts is first put where it matches.
fn remedy(facts: &Facts<'_>, dead: RuleAt, by: RuleAt) -> Vec<String> {
    let (Some(table), Some(chain), Some(rule), Some(earlier)) = (
        facts.table(dead),
        facts.chain(dead),
        facts.rule(dead),
        facts.rule(by),
    ) else {
        return Vec::new();
    };
    let words = facts.firewall.text(rule.place).trim();
    let rescue = kind(rule) == 1 && kind(earlier) == 2;
    if table.backend.is_iptables() {
        let (program, name) = (iptables(table), quoted(&chain.name));
        let rest = words
            .split_once("-A ")
            .and_then(|(_, rest)| rest.trim_start().strip_prefix(chain.name.as_str()))
            .map(str::trim);
        let mut commands = Vec::new();
        let mut number = dead.rule + 1;
        if rescue && let Some(rest) = rest {
            commands.push(format!("{program} -I {name} {} {rest}", by.rule + 1));
            number += 1;
        }
        commands.push(format!("{program} -D {name} {number}"));
        return commands;
    }
    let place = format!("{} {} {}", table.family.word(), table.name, chain.name);
    let Some(handle) = rule.handle else {
        return vec![format!("nft -a list chain {place}")];
    };
    let mut commands = Vec::new();
    if rescue && let Some(before) = earlier.handle {
        let words = words.split("# handle").next().unwrap_or(words).trim();
        commands.extend(nft_checked(&format!(
            "insert rule {place} position {before} {words}"
        )));
    }
    commands.extend(nft_checked(&format!("delete rule {place} handle {handle}")));
    commands
}
