//! What stands in the way of a verdict, and what would let it through.
//!
//! The search takes away the rules that decide otherwise, one, then two, then three at a time,
//! and follows the packet again each time: what is named has been tried. The commands are tried
//! as well, by putting the rule that they insert into the model.

mod command;
mod text;

use crate::LoadedRules;
use crate::loaded::WeakenedAnswer;
use std::collections::BTreeSet;

use serde::Serialize;

use super::name::NamedDecider;
use surefoot_netfilter::packet::{Packet, PacketPath};
use surefoot_netfilter::semantics::{
    Assumptions, Decider, End, Evaluation, EventKind, RecordLevel,
};
use surefoot_ruleset::model::{Effect, Firewall, Policy, RuleAt, Statement, Verdict};

pub use command::RuleInsertion;

/// Rules and policies that are taken away together at most.
const MOST_TOGETHER: usize = 3;
/// Evaluations that the search may take.
const MOST_TRIES: usize = 2000;
/// Steps of the walk that all of them may take together.
const MOST_STEPS: u64 = 5_000_000;
/// The most sets of the smallest size that are shown.
const MOST_SETS: usize = 4;

/// The verdict that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WantedEnd {
    /// It should pass.
    Accept,
    /// It should vanish.
    Drop,
    /// It should be answered with an error.
    Reject,
}

impl WantedEnd {
    /// The end that is wanted.
    pub fn end(self) -> End {
        match self {
            Self::Accept => End::Accepted,
            Self::Drop => End::Dropped,
            Self::Reject => End::Rejected,
        }
    }
}

/// Why a packet does not come to an end that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WhyNot {
    /// The packet as understood.
    pub packet: String,
    /// Its way through this host.
    pub way: PacketPath,
    /// What the words leave open and is taken for granted.
    pub assumed: Vec<String>,
    /// What is wanted.
    pub want: WantedEnd,
    /// Whether it is so already, certainly.
    pub already: bool,
    /// Whether rules that are unknown may change all of the answer.
    pub doubtful: bool,
    /// How the packet can end as things are.
    pub now: Vec<(End, NamedDecider)>,
    /// The smallest sets of rules and policies without which it would end as wanted, certainly.
    pub in_the_way: Vec<Vec<Obstacle>>,
    /// Whether all sets of up to three were tried; if not, the search was stopped.
    pub complete: bool,
    /// What to insert so that it ends as wanted, in order; empty if that cannot be had by rules.
    pub insertions: Vec<RuleInsertion>,
    /// What the answer could not take into account.
    pub notes: Vec<String>,
}

impl WeakenedAnswer for WhyNot {
    fn weaken(&mut self, why: &str) {
        self.already = false;
        self.doubtful = true;
        self.notes.insert(0, why.to_owned());
    }
}

/// A rule or a policy in the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Obstacle {
    /// What it is.
    #[serde(flatten)]
    pub what: NamedDecider,
    /// Whether it is a policy, which can be changed but not taken away.
    pub policy: bool,
}

/// Finds what stands in the way of a verdict.
pub fn why_not(rules: &LoadedRules, packet: &Packet, want: WantedEnd) -> WhyNot {
    let doubt = rules.doubt_about(packet);
    let packet = packet.clone().settle(&rules.surroundings);
    let firewall = &rules.firewall;
    let evaluation = rules.evaluate(&packet, RecordLevel::Mattered);
    let already = evaluation.certain() == Some(want.end());
    let mut search = ObstacleSearch {
        rules,
        packet: &packet,
        want,
        tries: 0,
        most_tries: usize::try_from(MOST_STEPS / evaluation.steps.max(1))
            .map_or(MOST_TRIES, |tries| tries.min(MOST_TRIES)),
        found: Vec::new(),
    };
    let mut insertions = Vec::new();
    let mut complete = true;
    if !already {
        complete = search.search_sets(&evaluation);
        insertions = command::insertions(firewall, &rules.surroundings, &packet, want);
    }
    let mut now: Vec<(End, NamedDecider)> = Vec::new();
    for outcome in &evaluation.outcomes {
        let named = (outcome.end, NamedDecider::decider(firewall, outcome.by));
        if !now.contains(&named) {
            now.push(named);
        }
    }
    let sets = search.found.iter().take(MOST_SETS);
    let in_the_way = sets
        .map(|set| set.iter().map(|one| obstacle_of(firewall, *one)).collect())
        .collect();
    let notes = evaluation.notes.iter();
    let mut answer = WhyNot {
        packet: packet.words(),
        way: packet.path,
        assumed: packet.notes.clone(),
        want,
        already,
        doubtful: false,
        now,
        in_the_way,
        complete,
        insertions,
        notes: notes
            .filter(|note| !packet.notes.contains(note))
            .cloned()
            .collect(),
    };
    if let Some(doubt) = doubt {
        answer.weaken(&doubt);
    }
    answer
}

fn obstacle_of(firewall: &Firewall, by: Decider) -> Obstacle {
    Obstacle {
        what: NamedDecider::decider(firewall, by),
        policy: matches!(by, Decider::Policy { .. }),
    }
}

struct ObstacleSearch<'a> {
    rules: &'a LoadedRules,
    packet: &'a Packet,
    want: WantedEnd,
    tries: usize,
    most_tries: usize,
    found: Vec<BTreeSet<Decider>>,
}

impl ObstacleSearch<'_> {
    /// Tries sets of growing size; whether it came to its end.
    fn search_sets(&mut self, evaluation: &Evaluation) -> bool {
        for size in 1..=MOST_TOGETHER {
            let mut seen = BTreeSet::new();
            self.deepen_search(&BTreeSet::new(), evaluation, size, &mut seen);
            if !self.found.is_empty() {
                return true;
            }
            if self.tries >= self.most_tries {
                return false;
            }
        }
        true
    }

    /// Takes away one more of what decides otherwise.
    fn deepen_search(
        &mut self,
        taken: &BTreeSet<Decider>,
        evaluation: &Evaluation,
        left: usize,
        seen: &mut BTreeSet<BTreeSet<Decider>>,
    ) {
        for candidate in self.candidates(evaluation) {
            let mut more = taken.clone();
            if !more.insert(candidate) || !seen.insert(more.clone()) {
                continue;
            }
            if self.tries >= self.most_tries || self.found.len() >= MOST_SETS {
                return;
            }
            self.tries += 1;
            let next = self.evaluate_without(&more);
            if next.certain() == Some(self.want.end()) {
                self.found.push(more);
            } else if left > 1 {
                self.deepen_search(&more, &next, left - 1, seen);
            }
        }
    }

    /// What decides otherwise, then the matching rules that lead there: calls, rewritings, marks.
    fn candidates(&self, evaluation: &Evaluation) -> Vec<Decider> {
        let wrong = evaluation
            .outcomes
            .iter()
            .filter(|outcome| outcome.end != self.want.end())
            .map(|outcome| outcome.by);
        let mut candidates: Vec<Decider> = wrong.filter(|by| self.can_change(*by)).collect();
        for event in &evaluation.events {
            let (Some(rule), EventKind::Matched | EventKind::Perhaps(_)) =
                (event.rule, &event.what)
            else {
                continue;
            };
            let at = RuleAt {
                table: event.table,
                chain: event.chain,
                rule,
            };
            if self.leads_on(at) {
                candidates.push(Decider::Rule(at));
            }
        }
        let mut seen = BTreeSet::new();
        candidates.retain(|candidate| seen.insert(*candidate));
        candidates
    }

    /// Whether a rule does something that later rules can see.
    fn leads_on(&self, at: RuleAt) -> bool {
        let rule = &self.rules.firewall.tables[at.table].chains[at.chain].rules[at.rule];
        rule.statements.iter().any(|statement| match statement {
            Statement::Verdict(verdict) => !matches!(verdict, Verdict::Continue),
            Statement::VerdictMap(_) => true,
            Statement::Effect(effect) => !matches!(
                effect,
                Effect::Log { .. }
                    | Effect::Other { .. }
                    | Effect::UpdateSet { .. }
                    | Effect::Remember { .. }
            ),
            Statement::Match(_) => false,
        })
    }

    fn can_change(&self, by: Decider) -> bool {
        match by {
            Decider::Rule(_) => true,
            Decider::Policy { .. } => self.want != WantedEnd::Reject,
            Decider::Refusal(_) | Decider::Kernel => false,
        }
    }

    /// What becomes of the packet without these.
    fn evaluate_without(&self, taken: &BTreeSet<Decider>) -> Evaluation {
        let mut supposed = Assumptions::default();
        let policy = if self.want == WantedEnd::Accept {
            Policy::Accept
        } else {
            Policy::Drop
        };
        for one in taken {
            match one {
                Decider::Rule(at) => drop(supposed.without.insert(*at)),
                Decider::Policy { table, chain } => {
                    supposed.policies.insert((*table, *chain), policy);
                }
                Decider::Refusal(_) | Decider::Kernel => {}
            }
        }
        self.rules
            .evaluate_supposing(self.packet, RecordLevel::Mattered, &supposed)
    }
}
