//! In which order, and how often, packets do what is kept at one place: to write into a list and then
//! to take out of it leaves something else than the reverse.

use std::collections::{BTreeMap, BTreeSet};

use super::FollowedQuestion;
use super::diagram::{Exhausted, Packets};
use super::follow::ChainSummary;
use super::side_effects::ComparedSideEffects;
use super::space::PacketSpace;
use surefoot_ruleset::model::{Firewall, KernelMemory, RuleAt, SideEffect};

/// Statements that are followed in turn; beyond them the answer is unknown.
const MOST_RUNS: usize = 20_000;
/// How often one statement is counted.
const MOST_TIMES: usize = 8;

/// What is done by asking alone.
const ASKS: &str = "asking it";

/// What was done at which place.
type Done = (KernelMemory, String);

/// What packets do one after the other.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The packets that do something.
    pub(super) runs: BTreeMap<Done, Packets>,
    /// The packets that do one thing and then another, and a rule that does the second.
    pub(super) pairs: BTreeMap<(KernelMemory, String, String), (RuleAt, Packets)>,
    /// The packets that do something so many times, and a rule that does it.
    pub(super) times: BTreeMap<Done, Vec<(RuleAt, Packets)>>,
}

impl Turns {
    fn add(
        &mut self,
        space: &mut PacketSpace,
        done: Done,
        (by, packets): (RuleAt, Packets),
    ) -> Result<(), Exhausted> {
        let (memory, words) = &done;
        let here = self.runs.range((memory.clone(), String::new())..);
        let before: Vec<(String, Packets)> = here
            .take_while(|((kept, _), _)| kept == memory)
            .filter(|((_, earlier), _)| earlier != words)
            .map(|((_, earlier), packets)| (earlier.clone(), *packets))
            .collect();
        for (earlier, earlier_packets) in before {
            let both = space.store.and(earlier_packets, packets)?;
            if both.is_none() {
                continue;
            }
            let key = (memory.clone(), earlier, words.clone());
            let pair = self.pairs.entry(key).or_insert((by, Packets::NONE));
            pair.1 = space.store.or(pair.1, both)?;
        }
        if counts(memory, words) {
            let times = self.times.entry(done.clone()).or_default();
            let mut again = packets;
            for (_, so_often) in times.iter_mut() {
                let more = space.store.and(*so_often, again)?;
                *so_often = space.store.or(*so_often, again)?;
                again = more;
            }
            if !again.is_none() && times.len() < MOST_TIMES {
                times.push((by, again));
            }
        }
        let run = self.runs.entry(done).or_insert(Packets::NONE);
        *run = space.store.or(*run, packets)?;
        Ok(())
    }

    /// The packets that do something.
    pub(super) fn runs_of(&self, memory: &KernelMemory, words: &str) -> Packets {
        let run = self.runs.get(&(memory.clone(), words.to_owned()));
        run.copied().unwrap_or(Packets::NONE)
    }
}

/// Whether to do it twice is more than to do it once: an element is added once.
fn counts(memory: &KernelMemory, words: &str) -> bool {
    match memory {
        KernelMemory::RecentList(_) | KernelMemory::HashLimit(_) | KernelMemory::NamedLimit(_) => {
            words != ASKS
        }
        KernelMemory::Set(_) => words.contains("limit") || words.contains("quota"),
        KernelMemory::Zone | KernelMemory::Helper | KernelMemory::PacketPart(_) => false,
    }
}

/// What the packets of a firewall do in turn, at the places that both firewalls ask.
pub(super) fn in_turn(
    space: &mut PacketSpace,
    followed: &FollowedQuestion,
    (firewall, compared): (&Firewall, &ComparedSideEffects),
) -> Result<Turns, Exhausted> {
    let mut walk = TurnsWalk {
        space,
        passages: &followed.passages,
        does: does_anything(&followed.passages),
        firewall,
        compared,
        turns: Turns::default(),
        runs: 0,
    };
    for (passage, packets) in &followed.from_kernel {
        walk.passage(*passage, *packets)?;
    }
    Ok(walk.turns)
}

/// The passages with side effects of their own or of chains that they call.
fn does_anything(passages: &[ChainSummary]) -> BTreeSet<usize> {
    let mut does = BTreeSet::new();
    // A passage stands behind those that it calls.
    for (at, passage) in passages.iter().enumerate() {
        let calls = passage.calls.iter().any(|(to, ..)| does.contains(to));
        if calls || !passage.side_effects.is_empty() {
            does.insert(at);
        }
    }
    does
}

struct TurnsWalk<'s, 'f> {
    space: &'s mut PacketSpace,
    passages: &'f [ChainSummary],
    does: BTreeSet<usize>,
    firewall: &'f Firewall,
    compared: &'f ComparedSideEffects,
    turns: Turns,
    runs: usize,
}

/// What a rule does first, and the chain that it sends to after that.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Run(usize),
    Call(usize),
}

impl TurnsWalk<'_, '_> {
    fn passage(&mut self, at: usize, packets: Packets) -> Result<(), Exhausted> {
        if packets.is_none() || !self.does.contains(&at) {
            return Ok(());
        }
        let passage = &self.passages[at];
        let runs = passage.side_effects.iter().enumerate();
        let runs = runs.map(|(at, run)| (run.rule, Step::Run(at)));
        let calls = passage.called_by.iter().enumerate();
        let calls = calls.map(|(at, rule)| (*rule, Step::Call(at)));
        let mut steps: Vec<(usize, Step)> = runs.chain(calls).collect();
        steps.sort_unstable();
        for (_, step) in steps {
            match step {
                Step::Run(run) => self.run((at, run), packets)?,
                Step::Call(call) => {
                    let (to, reach, holds) = passage.calls[call];
                    let reach = self.space.store.and(reach, packets)?;
                    let called = self.space.store.and(reach, holds)?;
                    self.passage(to, called)?;
                }
            }
        }
        Ok(())
    }

    fn run(&mut self, (at, run): (usize, usize), packets: Packets) -> Result<(), Exhausted> {
        let passage = &self.passages[at];
        let run = &passage.side_effects[run];
        let (t, c) = passage.chain;
        let table = &self.firewall.tables[t];
        let statement = &table.chains[c].rules[run.rule].statements[run.statement];
        let done = match self.compared.of(statement, table, self.firewall) {
            // `recent` only looks here.
            Some(SideEffect::Remembered { memory, words }) if words.contains("--rcheck") => {
                (memory, ASKS.to_owned())
            }
            Some(SideEffect::Remembered { memory, words }) => (memory, words),
            Some(SideEffect::Asked { memory }) => (memory, ASKS.to_owned()),
            _ => return Ok(()),
        };
        // In which order connection tracking is told does not matter to it: the last word counts.
        if done.0.is_asked_by_kernel() {
            return Ok(());
        }
        self.runs += 1;
        if self.runs > MOST_RUNS {
            return Err(Exhausted);
        }
        let reach = self.space.store.and(run.reach, packets)?;
        let packets = self.space.store.and(reach, run.holds)?;
        let by = RuleAt {
            table: t,
            chain: c,
            rule: run.rule,
        };
        self.turns.add(self.space, done, (by, packets))
    }
}
