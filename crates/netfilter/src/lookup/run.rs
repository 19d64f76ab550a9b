//! One packet through the compiled rules.

use super::compile::{Chain, Compiled};
use super::key::{HOPS, Key, Seen};
use super::step::{Action, Step, Truth, fits};
use super::{Base, Nat, Stage, Way};
use crate::semantics::{DEEPEST, DEEPEST_JUMP, Decider, End};
use surefoot_ruleset::model::{Policy, RuleAt, ct_state};

/// A packet on its way.
pub(super) struct Run<'a> {
    way: &'a Way,
    key: &'a Key,
    seen: Seen<'a>,
}

/// The evaluator has to be asked.
struct Ask;

/// How a chain leaves a packet.
enum Left {
    /// By its end.
    On,
    Accepted,
    Ended(End, Decider),
}

/// The place of a chain that runs.
#[derive(Clone, Copy)]
struct Place {
    table: usize,
    chain: usize,
    compiled: usize,
    weight: u8,
    jumps: u32,
    all: u32,
}

impl<'a> Run<'a> {
    pub(super) fn new(way: &'a Way, key: &'a Key) -> Self {
        Self {
            way,
            key,
            seen: Seen::new(key, &way.slots),
        }
    }

    pub(super) fn finish(mut self) -> Option<(End, Decider)> {
        let way = self.way;
        for stage in &way.stages {
            match stage {
                Stage::Routed => self.seen.output = &self.key.output,
                Stage::NoForwarding => return Some((End::Dropped, Decider::Kernel)),
                Stage::Hop => {
                    if let Ok(Some(hops)) = self.seen.number(HOPS) {
                        if hops <= 1 {
                            return Some((End::Dropped, Decider::Kernel));
                        }
                        self.seen.put(HOPS, Some(hops - 1));
                    }
                }
                Stage::Base(base) => match self.base(base) {
                    Err(Ask) => return None,
                    Ok(Left::Ended(end, by)) => return Some((end, by)),
                    Ok(Left::On | Left::Accepted) => {}
                },
            }
        }
        Some((End::Accepted, self.seen.decided()))
    }

    fn base(&mut self, base: &Base) -> Result<Left, Ask> {
        if base.nat != Nat::Everybody && !self.asks_nat()? {
            return Ok(Left::On);
        }
        if base.nat == Nat::Perhaps {
            return Err(Ask);
        }
        if base.early {
            self.seen.hide_connection();
        }
        let place = Place {
            table: base.table,
            chain: base.chain,
            compiled: base.compiled,
            weight: base.weight,
            jumps: 0,
            all: 0,
        };
        let mut left = self.chain(place)?;
        if matches!(left, Left::On) {
            let by = Decider::Policy {
                table: base.table,
                chain: base.chain,
            };
            match base.policy {
                Policy::Accept => self.seen.decide(base.weight, by),
                Policy::Drop => left = Left::Ended(End::Dropped, by),
            }
        }
        if base.early {
            self.seen.show_connection();
        }
        Ok(left)
    }

    /// Whether the packet visits nat chains: the first one of a connection does.
    fn asks_nat(&self) -> Result<bool, Ask> {
        match self.seen.state() {
            Ok(Some(ct_state::NEW)) => Ok(true),
            Ok(Some(ct_state::RELATED)) => match self.seen.protocol() {
                Ok(Some(protocol)) => Ok(!matches!(protocol, 1 | 58)),
                _ => Err(Ask),
            },
            Ok(Some(_)) => Ok(false),
            _ => Err(Ask),
        }
    }

    fn chain(&mut self, place: Place) -> Result<Left, Ask> {
        let way = self.way;
        let chain = &way.chains[place.compiled];
        let mut from = 0;
        while let Some(at) = self.next(chain, from) {
            let rule = chain.rules[at];
            from = at + 1;
            let by = Decider::Rule(RuleAt {
                table: place.table,
                chain: place.chain,
                rule: rule.at as usize,
            });
            match self.rule(rule)? {
                Action::Continue => {}
                Action::Accept => {
                    self.seen.decide(place.weight + 1, by);
                    return Ok(Left::Accepted);
                }
                Action::Drop => return Ok(Left::Ended(End::Dropped, by)),
                Action::Reject => return Ok(Left::Ended(End::Rejected, by)),
                Action::Queue => return Ok(Left::Ended(End::Queued, by)),
                Action::Return => return Ok(Left::On),
                Action::Ask => return Err(Ask),
                action @ (Action::Jump(to) | Action::Goto(to)) => {
                    let goto = matches!(action, Action::Goto(_));
                    match self.call(place, to as usize, goto)? {
                        Left::On if goto => return Ok(Left::On),
                        Left::On => {}
                        left => return Ok(left),
                    }
                }
            }
        }
        Ok(Left::On)
    }

    fn call(&mut self, from: Place, to: usize, goto: bool) -> Result<Left, Ask> {
        let deeper = Place {
            chain: self.way.chains[to].at,
            compiled: to,
            jumps: from.jumps + u32::from(!goto),
            all: from.all + 1,
            ..from
        };
        if deeper.jumps > DEEPEST_JUMP || deeper.all > DEEPEST {
            return Err(Ask);
        }
        self.chain(deeper)
    }

    /// The next rule whose first tests the packet may pass.
    fn next(&self, chain: &Chain, from: usize) -> Option<usize> {
        let passes = |rule: &Compiled| {
            let mut tests = rule.tests(&self.way.steps).iter();
            tests.all(|step| step.test(&self.seen) != Some(Truth::No))
        };
        match &chain.tree {
            None => {
                let mut rest = chain.rules.get(from..)?.iter();
                rest.position(passes).map(|at| from + at)
            }
            Some(tree) => {
                let from = u32::try_from(from).ok()?;
                let found = tree.first(from, &self.seen, |at| passes(&chain.rules[at as usize]));
                found.map(|at| at as usize)
            }
        }
    }

    /// Runs a rule to its verdict, if it comes to one.
    fn rule(&mut self, rule: Compiled) -> Result<Action, Ask> {
        let mut open = false;
        let mut steps = rule.steps(&self.way.steps).iter();
        while let Some(step) = steps.next() {
            match step.test(&self.seen) {
                Some(Truth::Yes) => continue,
                Some(Truth::No) => return Ok(Action::Continue),
                Some(Truth::Maybe) => {
                    open = true;
                    continue;
                }
                None if open => return Err(Ask),
                None => {}
            }
            match step {
                Step::Decide(action) => return Ok(*action),
                Step::Map(map) => {
                    let mut found = Action::Continue;
                    for (key, action) in &map.elements {
                        match fits(&self.seen, &map.parts, key) {
                            Truth::No => {}
                            Truth::Maybe => return Err(Ask),
                            Truth::Yes => {
                                found = *action;
                                break;
                            }
                        }
                    }
                    return match found {
                        // Statements behind a map are rare enough.
                        Action::Continue if steps.len() > 0 => Err(Ask),
                        found => Ok(found),
                    };
                }
                Step::Effect(effect) => effect.apply(&mut self.seen),
                Step::Between { .. } | Step::Test(_) => {}
            }
        }
        if open { Err(Ask) } else { Ok(Action::Continue) }
    }
}
