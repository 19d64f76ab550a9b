//! One packet through the compiled rules.

use super::compile::{CompiledChain, CompiledRule};
use super::key::{HOPS, PacketKey, SeenFields};
use super::step::{CompiledAction, CompiledStep, element_fits};
use super::{CompiledBase, CompiledWay, HookStage, NatStage};
use crate::semantics::{Decider, End, may_jump};
use crate::truth::Truth;
use surefoot_ruleset::model::{Backend, Policy, RuleAt, ct_state};

/// A packet on its way.
pub(super) struct KeyRun<'a> {
    way: &'a CompiledWay,
    key: &'a PacketKey,
    seen: SeenFields<'a>,
}

/// The evaluator has to be asked.
struct AskEvaluator;

/// How a chain leaves a packet.
enum ChainExit {
    /// By its end.
    On,
    Accepted,
    Ended(End, Decider),
}

/// The place of a chain that runs.
#[derive(Clone, Copy)]
struct ChainPlace {
    table: usize,
    chain: usize,
    compiled: usize,
    weight: u8,
    jumps: u32,
    all: u32,
}

impl<'a> KeyRun<'a> {
    pub(super) fn new(way: &'a CompiledWay, key: &'a PacketKey) -> Self {
        Self {
            way,
            key,
            seen: SeenFields::new(key, &way.slots),
        }
    }

    pub(super) fn finish(mut self) -> Option<(End, Decider)> {
        let way = self.way;
        for stage in &way.stages {
            match stage {
                HookStage::Routed => self.seen.output = &self.key.output,
                HookStage::Hop => {
                    if let Ok(Some(hops)) = self.seen.number(HOPS) {
                        self.seen.put(HOPS, Some(hops.saturating_sub(1)));
                    }
                }
                HookStage::Base(base) => match self.run_base(base) {
                    Err(AskEvaluator) => return None,
                    Ok(ChainExit::Ended(end, by)) => return Some((end, by)),
                    Ok(ChainExit::On | ChainExit::Accepted) => {}
                },
            }
        }
        Some((End::Accepted, self.seen.decided()))
    }

    fn run_base(&mut self, base: &CompiledBase) -> Result<ChainExit, AskEvaluator> {
        if base.nat != NatStage::Everybody && !self.asks_nat()? {
            return Ok(ChainExit::On);
        }
        if base.nat == NatStage::Perhaps {
            return Err(AskEvaluator);
        }
        if base.early {
            self.seen.hide_connection();
        }
        let place = ChainPlace {
            table: base.table,
            chain: base.chain,
            compiled: base.compiled,
            weight: base.weight,
            jumps: 0,
            all: 0,
        };
        let mut left = self.run_chain(place)?;
        if matches!(left, ChainExit::On) {
            let by = Decider::Policy {
                table: base.table,
                chain: base.chain,
            };
            match base.policy {
                Policy::Accept => self.seen.decide_by(base.weight, by),
                Policy::Drop => left = ChainExit::Ended(End::Dropped, by),
            }
        }
        if base.early {
            self.seen.show_connection();
        }
        Ok(left)
    }

    /// Whether the packet visits nat chains: the first one of a connection does.
    fn asks_nat(&self) -> Result<bool, AskEvaluator> {
        match self.seen.state() {
            Ok(Some(ct_state::NEW)) => Ok(true),
            Ok(Some(ct_state::RELATED)) => match self.seen.protocol() {
                Ok(Some(protocol)) => Ok(!matches!(protocol, 1 | 58)),
                _ => Err(AskEvaluator),
            },
            Ok(Some(_)) => Ok(false),
            _ => Err(AskEvaluator),
        }
    }

    fn run_chain(&mut self, place: ChainPlace) -> Result<ChainExit, AskEvaluator> {
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
            match self.run_rule(rule)? {
                CompiledAction::Continue => {}
                CompiledAction::Accept => {
                    self.seen.decide_by(place.weight + 1, by);
                    return Ok(ChainExit::Accepted);
                }
                CompiledAction::Drop => return Ok(ChainExit::Ended(End::Dropped, by)),
                CompiledAction::Reject => return Ok(ChainExit::Ended(End::Rejected, by)),
                CompiledAction::Queue => return Ok(ChainExit::Ended(End::Queued, by)),
                CompiledAction::Return => return Ok(ChainExit::On),
                CompiledAction::Ask => return Err(AskEvaluator),
                action @ (CompiledAction::Jump(to) | CompiledAction::Goto(to)) => {
                    let goto = matches!(action, CompiledAction::Goto(_));
                    match self.call_chain(place, to as usize, goto)? {
                        ChainExit::On if goto => return Ok(ChainExit::On),
                        ChainExit::On => {}
                        left => return Ok(left),
                    }
                }
            }
        }
        Ok(ChainExit::On)
    }

    fn call_chain(
        &mut self,
        from: ChainPlace,
        to: usize,
        goto: bool,
    ) -> Result<ChainExit, AskEvaluator> {
        let deeper = ChainPlace {
            chain: self.way.chains[to].at,
            compiled: to,
            jumps: from.jumps + u32::from(!goto),
            all: from.all + 1,
            ..from
        };
        // The evaluator knows which backends go deeper.
        if !may_jump(Backend::Nft, deeper.jumps, deeper.all) {
            return Err(AskEvaluator);
        }
        self.run_chain(deeper)
    }

    /// The next rule whose first tests the packet may pass.
    fn next(&self, chain: &CompiledChain, from: usize) -> Option<usize> {
        let passes = |rule: &CompiledRule| {
            let mut tests = rule.tests_of(&self.way.steps).iter();
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
    fn run_rule(&mut self, rule: CompiledRule) -> Result<CompiledAction, AskEvaluator> {
        let mut open = false;
        let mut steps = rule.steps_of(&self.way.steps).iter();
        while let Some(step) = steps.next() {
            match step.test(&self.seen) {
                Some(Truth::Yes) => continue,
                Some(Truth::No) => return Ok(CompiledAction::Continue),
                Some(Truth::Maybe) => {
                    open = true;
                    continue;
                }
                None if open => return Err(AskEvaluator),
                None => {}
            }
            match step {
                CompiledStep::Decide(action) => return Ok(*action),
                CompiledStep::Map(map) => {
                    let mut found = CompiledAction::Continue;
                    for (key, action) in &map.elements {
                        match element_fits(&self.seen, &map.parts, key) {
                            Truth::No => {}
                            Truth::Maybe => return Err(AskEvaluator),
                            Truth::Yes => {
                                found = *action;
                                break;
                            }
                        }
                    }
                    return match found {
                        // Statements behind a map are rare enough.
                        CompiledAction::Continue if steps.len() > 0 => Err(AskEvaluator),
                        found => Ok(found),
                    };
                }
                CompiledStep::Effect(effect) => effect.apply(&mut self.seen),
                CompiledStep::Between { .. } | CompiledStep::Test(_) => {}
            }
        }
        if open {
            Err(AskEvaluator)
        } else {
            Ok(CompiledAction::Continue)
        }
    }
}
