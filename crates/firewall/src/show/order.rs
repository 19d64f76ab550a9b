//! What calls what, and where each chain is drawn.
//!
//! A chain is drawn once, under the first call that the reader comes to; every other call refers to
//! it. So the picture is as long as the rule set, however often its chains call each other.

use std::collections::{HashMap, HashSet};

use super::picture::{DrawnAs, WhyApart};
use surefoot_ruleset::model::{
    ChainId, Content, ElementValue, Rule, SetRef, Statement, Table, Verdict,
};

/// Deeper calls are drawn apart: no terminal is wide enough, and the kernel allows 16.
const DEEPEST: usize = 24;

/// A chain of a firewall: index of its table, index in the table.
pub(super) type ChainAt = (usize, usize);

/// A call: a rule of a chain, and the number of the way if it is a verdict map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CallAt {
    pub(super) from: ChainAt,
    pub(super) rule: usize,
    pub(super) way: usize,
}

/// One group of a verdict map: the elements that lead to the same verdict.
#[derive(Debug)]
pub(super) struct CallGroup<'a> {
    pub(super) verdict: &'a Verdict,
    /// Indices of the elements.
    pub(super) elements: Vec<usize>,
}

/// The calls of every chain.
#[derive(Debug)]
pub(super) struct CallGraph<'a> {
    tables: &'a [Table],
    /// Number of rules and maps that call a chain.
    callers: HashMap<ChainAt, usize>,
}

impl<'a> CallGraph<'a> {
    pub(super) fn new(tables: &'a [Table]) -> Self {
        let mut calls = Self {
            tables,
            callers: HashMap::new(),
        };
        for (at, table) in tables.iter().enumerate() {
            // A named map calls its chains once, however many rules use it.
            let mut asked: HashSet<u32> = HashSet::new();
            for rule in table.chains.iter().flat_map(|chain| &chain.rules) {
                let first = named_map(rule).is_none_or(|map| asked.insert(map));
                for (_, to) in of_rule(table, rule, first) {
                    *calls.callers.entry((at, to)).or_default() += 1;
                }
            }
        }
        calls
    }

    pub(super) fn count_callers(&self, chain: ChainAt) -> usize {
        self.callers.get(&chain).copied().unwrap_or(0)
    }

    /// The calls of a chain in order, as rule, way and chain called.
    fn of_chain(
        &self,
        (table, chain): ChainAt,
        asked: &mut HashSet<(usize, u32)>,
    ) -> Vec<DrawStep> {
        let Some(table_there) = self.tables.get(table) else {
            return Vec::new();
        };
        let rules = table_there.chains.get(chain).map(|chain| &chain.rules);
        let mut steps = Vec::new();
        for (rule, there) in rules.into_iter().flatten().enumerate() {
            let first = named_map(there).is_none_or(|map| asked.insert((table, map)));
            let calls = of_rule(table_there, there, first).into_iter();
            steps.extend(calls.map(|(way, to)| DrawStep { rule, way, to }));
        }
        steps
    }

    /// Marks all chains that can be reached from a chain, itself too.
    pub(super) fn reach(&self, from: ChainAt, reached: &mut ReachedChains) {
        let mut open = vec![from];
        while let Some(chain) = open.pop() {
            if reached.chains.insert(chain) {
                let steps = self.of_chain(chain, &mut reached.asked);
                open.extend(steps.iter().map(|step| (chain.0, step.to)));
            }
        }
    }
}

/// What has been reached.
#[derive(Debug, Default)]
pub(super) struct ReachedChains {
    pub(super) chains: HashSet<ChainAt>,
    asked: HashSet<(usize, u32)>,
}

#[derive(Clone, Copy, Debug)]
struct DrawStep {
    rule: usize,
    way: usize,
    to: usize,
}

/// The named verdict map that a rule looks up.
pub(super) fn named_map(rule: &Rule) -> Option<u32> {
    rule.statements
        .iter()
        .find_map(|statement| match statement {
            Statement::VerdictMap(lookup) => match lookup.map {
                SetRef::Named(at) => Some(at),
                _ => None,
            },
            _ => None,
        })
}

/// The ways of a rule's verdict map, grouped by verdict in the order of their first element.
pub(super) fn call_groups<'a>(table: &'a Table, rule: &'a Rule) -> Vec<CallGroup<'a>> {
    let mut groups: Vec<CallGroup<'a>> = Vec::new();
    let mut by_chain: HashMap<(bool, ChainId), usize> = HashMap::new();
    let lookups = rule
        .statements
        .iter()
        .filter_map(|statement| match statement {
            Statement::VerdictMap(lookup) => Some(&lookup.map),
            _ => None,
        });
    // Only the first map of a rule is spelled out; nft has at most one in practice.
    let Some(map) = lookups.into_iter().next() else {
        return groups;
    };
    let set = match map {
        SetRef::Named(at) => usize::try_from(*at).ok().and_then(|at| table.sets.get(at)),
        SetRef::Inline(set) => Some(&**set),
        SetRef::Ipset(_) | SetRef::Missing(_) => None,
    };
    let elements = set.map_or(&[][..], |set| set.content.elements());
    for (at, element) in elements.iter().enumerate() {
        let Some(ElementValue::Verdict(verdict)) = &element.value else {
            continue;
        };
        let chain = match verdict {
            Verdict::Jump(to) => Some((false, *to)),
            Verdict::Goto(to) => Some((true, *to)),
            _ => None,
        };
        // Verdicts without a chain are few, so looking them up one by one is quick.
        let found = match chain {
            Some(key) => by_chain.get(&key).copied(),
            None => groups.iter().position(|group| group.verdict == verdict),
        };
        if let Some(group) = found.and_then(|at| groups.get_mut(at)) {
            group.elements.push(at);
            continue;
        }
        if let Some(key) = chain {
            by_chain.insert(key, groups.len());
        }
        groups.push(CallGroup {
            verdict,
            elements: vec![at],
        });
    }
    groups
}

/// The chain that a verdict calls, if it is one of the table.
pub(super) fn called_chain(table: &Table, verdict: &Verdict) -> Option<usize> {
    let (Verdict::Jump(to) | Verdict::Goto(to)) = verdict else {
        return None;
    };
    let at = usize::try_from(to.0).ok()?;
    (at < table.chains.len()).then_some(at)
}

/// The verdict of a rule itself, not of its map.
pub(super) fn verdict(rule: &Rule) -> Option<&Verdict> {
    let mut verdicts = rule
        .statements
        .iter()
        .filter_map(|statement| match statement {
            Statement::Verdict(verdict) => Some(verdict),
            _ => None,
        });
    verdicts.next_back()
}

/// The chains that a rule calls, with the number of the way: 0 for its own verdict, from 1 on for
/// the ways of its map, if they are wanted.
fn of_rule(table: &Table, rule: &Rule, with_map: bool) -> Vec<(usize, usize)> {
    let own = verdict(rule).and_then(|verdict| called_chain(table, verdict));
    let mut calls: Vec<(usize, usize)> = own.map(|to| (0, to)).into_iter().collect();
    if !with_map {
        return calls;
    }
    let ways = (1..).zip(call_groups(table, rule));
    calls.extend(ways.filter_map(|(way, group)| Some((way, called_chain(table, group.verdict)?))));
    calls
}

/// The drawing: which chains, in which order, and what each call shows.
#[derive(Debug, Default)]
pub(super) struct DrawOrder {
    /// Chains in the order of the drawing.
    pub(super) chains: Vec<ChainAt>,
    /// The place of a chain in the order.
    pub(super) at: HashMap<ChainAt, usize>,
    /// What calls show that are not a mere reference.
    drawn: HashMap<CallAt, DrawnAs>,
    /// Calls that were cut off for depth.
    pub(super) cut: Vec<ChainAt>,
    /// The rule that spells out a named map.
    maps: HashMap<(usize, u32), (ChainAt, usize)>,
    asked: HashSet<(usize, u32)>,
}

impl DrawOrder {
    /// Draws a chain and, under it, what it calls. Gives its place, also if it is drawn already.
    pub(super) fn draw_chain(
        &mut self,
        calls: &CallGraph<'_>,
        root: ChainAt,
        depth: Option<usize>,
    ) -> usize {
        if let Some(at) = self.at.get(&root) {
            return *at;
        }
        let first = self.chains.len();
        let deepest = depth.unwrap_or(DEEPEST).min(DEEPEST);
        let mut path: Vec<(ChainAt, std::vec::IntoIter<DrawStep>)> = Vec::new();
        let mut above: HashSet<ChainAt> = HashSet::new();
        path.push((root, self.enter_chain(calls, root)));
        above.insert(root);
        while let Some((from, steps)) = path.last_mut() {
            let from = *from;
            let Some(step) = steps.next() else {
                above.remove(&from);
                path.pop();
                continue;
            };
            let to = (from.0, step.to);
            let call = CallAt {
                from,
                rule: step.rule,
                way: step.way,
            };
            let drawn = if above.contains(&to) {
                DrawnAs::Loop
            } else if self.at.contains_key(&to) {
                continue;
            } else if path.len() > deepest {
                self.cut.push(to);
                continue;
            } else {
                path.push((to, self.enter_chain(calls, to)));
                above.insert(to);
                DrawnAs::Here
            };
            self.drawn.insert(call, drawn);
        }
        first
    }

    fn enter_chain(
        &mut self,
        calls: &CallGraph<'_>,
        chain: ChainAt,
    ) -> std::vec::IntoIter<DrawStep> {
        self.at.insert(chain, self.chains.len());
        self.chains.push(chain);
        if let Some(table) = calls.tables.get(chain.0) {
            let rules = table.chains.get(chain.1).map(|chain| &chain.rules);
            for (rule, there) in rules.into_iter().flatten().enumerate() {
                if let Some(map) = named_map(there) {
                    self.maps.entry((chain.0, map)).or_insert((chain, rule));
                }
            }
        }
        calls.of_chain(chain, &mut self.asked).into_iter()
    }

    /// Where the chain of a call is drawn.
    pub(super) fn drawn_as(&self, call: CallAt, to: ChainAt) -> DrawnAs {
        match self.drawn.get(&call) {
            Some(drawn) => *drawn,
            None if self.at.contains_key(&to) => DrawnAs::Elsewhere,
            None => DrawnAs::Deeper,
        }
    }

    /// Whether this rule is the one that spells out the named map that it uses.
    pub(super) fn spells_out(&self, map: u32, chain: ChainAt, rule: usize) -> bool {
        self.maps.get(&(chain.0, map)) == Some(&(chain, rule))
    }
}

/// Whether a rule of the table may call chains that we cannot name.
fn hides_calls(table: &Table) -> bool {
    let rules = table.chains.iter().flat_map(|chain| &chain.rules);
    let mut statements = rules.flat_map(|rule| &rule.statements);
    statements.any(|statement| match statement {
        Statement::VerdictMap(lookup) => match &lookup.map {
            SetRef::Missing(_) | SetRef::Ipset(_) => true,
            SetRef::Inline(set) => !matches!(set.content, Content::Known(_)),
            SetRef::Named(at) => {
                let set = usize::try_from(*at).ok().and_then(|at| table.sets.get(at));
                set.is_none_or(|set| !matches!(set.content, Content::Known(_)))
            }
        },
        Statement::Verdict(Verdict::Unknown(opaque)) => {
            let mut words = opaque.text.split_whitespace();
            words.any(|word| word == "jump" || word == "goto")
        }
        _ => false,
    })
}

/// The chains that no hook leads to, and why, in the order of the text.
pub(super) fn unreached_chains(
    tables: &[Table],
    calls: &CallGraph<'_>,
    reached: &mut ReachedChains,
    fits: impl Fn(usize) -> bool,
) -> Vec<(ChainAt, WhyApart)> {
    let mut found = Vec::new();
    let all = || {
        tables
            .iter()
            .enumerate()
            .filter(|(at, _)| fits(*at))
            .flat_map(|(at, table)| (0..table.chains.len()).map(move |chain| (at, chain)))
    };
    for at in all() {
        let Some(table) = tables.get(at.0) else {
            continue;
        };
        let base = table.chains.get(at.1).is_some_and(|it| it.base.is_some());
        if base && table.dormant {
            calls.reach(at, reached);
            found.push((at, WhyApart::Dormant));
        }
    }
    let unsure: Vec<bool> = tables.iter().map(hides_calls).collect();
    for (why, wanted) in [(WhyApart::Uncalled, true), (WhyApart::Unreached, false)] {
        for at in all() {
            if (calls.count_callers(at) == 0) == wanted && !reached.chains.contains(&at) {
                calls.reach(at, reached);
                let unsure = unsure.get(at.0).copied().unwrap_or(false);
                found.push((at, if unsure { WhyApart::Unsure } else { why }));
            }
        }
    }
    found
}
