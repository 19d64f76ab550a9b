//! What each possible end depends on.

use crate::LoadedRules;
use std::collections::{BTreeMap, BTreeSet};

use super::{EndCondition, PossibleEnd};
use crate::ask::name::{NamedDecider, rule_at};
use crate::ask::reason::{RuleContext, unknown_words};
use surefoot_netfilter::packet::Packet;
use surefoot_netfilter::semantics::{
    Assumptions, Decider, End, Evaluation, EventKind, ObservedMatch, RecordLevel,
};
use surefoot_ruleset::model::RuleAt;

/// The unknown rules that are supposed one way and the other; more would take too long.
const MOST_SUPPOSED: usize = 64;
/// Steps of the walk that all these tries may take together.
const MOST_STEPS_OF_TRIES: u64 = 1_000_000;

/// The question.
pub(super) struct DependencyQuestion<'a> {
    pub(super) rules: &'a LoadedRules,
    pub(super) packet: &'a Packet,
}

/// The answers with what they depend on.
pub(super) struct FoundAnswers {
    pub(super) answers: Vec<PossibleEnd>,
    pub(super) say: Vec<String>,
    pub(super) notes: Vec<String>,
}

type Ends = BTreeSet<(End, Decider)>;

impl DependencyQuestion<'_> {
    pub(super) fn find_answers(&self, evaluation: &Evaluation) -> FoundAnswers {
        let mut found = FoundAnswers {
            answers: Vec::new(),
            say: Vec::new(),
            notes: Vec::new(),
        };
        let ends = ends_of(evaluation);
        if evaluation.certain().is_some() {
            // Whatever is unknown changes nothing.
            found.answers = ends
                .iter()
                .map(|end| self.named_answer(*end, Vec::new()))
                .collect();
            return found;
        }
        let mut open: BTreeMap<RuleAt, BTreeSet<usize>> = BTreeMap::new();
        for (rule, statement) in evaluation.outcomes.iter().flat_map(|one| &one.hangs) {
            open.entry(*rule).or_default().insert(*statement);
        }
        // Each rule is tried both ways, and each try takes as long as the answer did.
        let tries = MOST_STEPS_OF_TRIES / evaluation.steps.max(1) / 2;
        let most = usize::try_from(tries).map_or(MOST_SUPPOSED, |tries| tries.min(MOST_SUPPOSED));
        if open.len() > most {
            found.notes.push(format!(
                "{} rules have something unknown in them; only the first {most} were tried one way and the other",
                open.len()
            ));
        }
        let tried: Vec<(RuleAt, Ends, Ends)> = open
            .keys()
            .take(most)
            .map(|rule| {
                (
                    *rule,
                    self.ends_supposing(*rule, true),
                    self.ends_supposing(*rule, false),
                )
            })
            .collect();
        let saws = observed_of(evaluation);
        for end in &ends {
            let mut needs: Vec<(RuleAt, Option<bool>)> = tried
                .iter()
                .filter_map(
                    |(rule, yes, no)| match (yes.contains(end), no.contains(end)) {
                        (true, false) => Some((*rule, Some(true))),
                        (false, true) => Some((*rule, Some(false))),
                        _ => None,
                    },
                )
                .collect();
            if needs.is_empty() {
                needs = may_matter(evaluation, *end, &tried);
            }
            let conditions = needs
                .into_iter()
                .map(|(rule, matches)| {
                    let statements = open.get(&rule);
                    let (why, words) = self.why_unknown(rule, statements, &saws);
                    for word in words {
                        if !found.say.iter().any(|said| said == word) {
                            found.say.push(word.to_owned());
                        }
                    }
                    EndCondition {
                        rule: NamedDecider::rule(&self.rules.firewall, rule),
                        matches,
                        why,
                    }
                })
                .collect();
            found.answers.push(self.named_answer(*end, conditions));
        }
        found
    }

    fn named_answer(
        &self,
        (end, by): (End, Decider),
        conditions: Vec<EndCondition>,
    ) -> PossibleEnd {
        PossibleEnd {
            end,
            by: NamedDecider::decider(&self.rules.firewall, by),
            conditions,
        }
    }

    /// The ends that are left if the unknown words of a rule hold, or do not.
    fn ends_supposing(&self, rule: RuleAt, answer: bool) -> Ends {
        let supposed = Assumptions {
            answers: BTreeMap::from([(rule, answer)]),
            ..Assumptions::default()
        };
        ends_of(
            &self
                .rules
                .evaluate_supposing(self.packet, RecordLevel::Nothing, &supposed),
        )
    }

    fn why_unknown(
        &self,
        rule: RuleAt,
        statements: Option<&BTreeSet<usize>>,
        saws: &BTreeMap<RuleAt, Vec<ObservedMatch>>,
    ) -> (Vec<String>, Vec<&'static str>) {
        let (table, _, of) = rule_at(&self.rules.firewall, rule);
        let at = RuleContext {
            firewall: &self.rules.firewall,
            table,
            rule: of,
            untracked_yet: false,
        };
        let saw = saws.get(&rule).map_or(&[][..], Vec::as_slice);
        let reasons = statements.into_iter().flatten();
        let reasons = reasons.map(|statement| unknown_words(at, *statement, saw));
        let mut why: Vec<String> = Vec::new();
        let mut words = Vec::new();
        for (reason, word) in reasons {
            if !why.contains(&reason) {
                why.push(reason);
            }
            words.extend(word);
        }
        (why, words)
    }
}

/// The rules that no single supposition settles: those whose answer changes anything at all,
/// else all that this end passed.
fn may_matter(
    evaluation: &Evaluation,
    end: (End, Decider),
    tried: &[(RuleAt, Ends, Ends)],
) -> Vec<(RuleAt, Option<bool>)> {
    let outcomes = evaluation.outcomes.iter();
    let past: BTreeSet<RuleAt> = outcomes
        .filter(|one| (one.end, one.by) == end)
        .flat_map(|one| &one.hangs)
        .map(|(rule, _)| *rule)
        .collect();
    let changing = tried.iter().filter(|(rule, yes, no)| {
        past.contains(rule) && yes != no && Decider::Rule(*rule) != end.1
    });
    let changing: Vec<_> = changing.map(|(rule, ..)| (*rule, None)).collect();
    if changing.is_empty() {
        past.into_iter().map(|rule| (rule, None)).collect()
    } else {
        changing
    }
}

fn ends_of(evaluation: &Evaluation) -> Ends {
    let outcomes = evaluation.outcomes.iter();
    outcomes.map(|one| (one.end, one.by)).collect()
}

/// What each rule with something unknown saw.
fn observed_of(evaluation: &Evaluation) -> BTreeMap<RuleAt, Vec<ObservedMatch>> {
    let mut saws: BTreeMap<RuleAt, Vec<ObservedMatch>> = BTreeMap::new();
    for event in &evaluation.events {
        if let (Some(rule), EventKind::Perhaps(_)) = (event.rule, &event.what) {
            let at = RuleAt {
                table: event.table,
                chain: event.chain,
                rule,
            };
            saws.entry(at)
                .or_default()
                .extend(event.saw.iter().cloned());
        }
    }
    saws
}
