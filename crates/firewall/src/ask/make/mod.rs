//! From a sentence to the rule that makes it true, at the one place where it changes nothing else.
//!
//! The place is searched by the packets for which the sentence does not hold: a rule goes before what
//! decides about such a packet, and further up as long as another packet is decided about before it.
//! The result is proved twice: the sentence holds for all packets under the new rules, and nothing
//! changes for a packet that the sentence does not mean.

mod new_rules;
mod place;
mod reading;
mod refusal;
mod search;
mod spelling;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use surefoot_report::Problem;

use crate::LoadedRules;
use crate::makers::maker_of_table;
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::semantics::End;
use surefoot_netfilter::traffic::{Assertion, Claim};
use surefoot_ruleset::model::{Backend, Family, Firewall, Rule, Statement, Verdict};

use super::diff::{DiffSide, DiffVerdict, Difference, diff_besides};
use super::name::NamedDecider;
use super::prove::{PacketScope, ProofVerdict, named_are_there, prove, scopes_of};
use new_rules::{RuleVerdict, RuleWish};
use place::ChainTaken;
use reading::{Reading, readings};
use refusal::MakeRefusal;
use search::PlaceSearch;

/// The most parts of an unwanted change that are shown.
const PARTS: usize = 4;

/// What becomes of a sentence.
#[derive(Clone, Debug, Serialize)]
pub struct MadeRules {
    /// The sentence.
    pub assertion: String,
    /// Whether it holds now.
    pub outcome: MakeOutcome,
    /// The rules to insert, in order.
    pub insertions: Vec<MadeRule>,
    /// The program that keeps these rules and takes the commands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keeper: Option<&'static str>,
    /// What decides otherwise about some of the packets, before the new rules and behind them.
    pub exceptions: Vec<NamedDecider>,
    /// What decided otherwise about some of the packets, and does no more.
    pub decided_before: Vec<NamedDecider>,
    /// The packets for which the sentence was proved.
    pub scopes: Vec<PacketScope>,
    /// The packets of which it was proved that nothing else becomes of them.
    pub unchanged: Vec<PacketScope>,
    /// Why nothing is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// What else would change, where that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_changes: Option<Box<Difference>>,
    /// What was taken for granted.
    pub notes: Vec<String>,
    /// The rules as they will be.
    #[serde(skip)]
    pub after: Option<LoadedRules>,
}

/// What becomes of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MakeOutcome {
    /// It holds already.
    Already,
    /// Rules make it hold, and nothing else changes.
    Made,
    /// No such rules were found.
    Refused,
}

/// A rule to insert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MadeRule {
    /// The chain, such as `filter INPUT`.
    pub chain: String,
    /// The rule that it goes before; none at the end of the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<NamedDecider>,
    /// The rule, as it stands in a text of that language.
    pub rule: String,
    /// The commands that insert it, to be run in order.
    pub commands: Vec<String>,
    /// Where it goes.
    #[serde(skip)]
    pub place: RulePlace,
}

/// A place among the rules that were asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulePlace {
    /// The mechanism.
    pub backend: Backend,
    /// The table's family.
    pub family: Family,
    /// The table.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// Before which of its rules, from 0; their number if behind all of them.
    pub at: usize,
    /// How many rules the chain has.
    pub rules: usize,
}

/// Looks for the rules that make a sentence true.
///
/// With `exceptions` they go before what decides about ordinary packets of the sentence, and what decides
/// before about others of them (a ban, a test for broken packets) is left there and named. With the rules of
/// ufw this is always so, as its own chains come first.
///
/// # Errors
///
/// If it speaks of a set or a rule that is not there.
pub fn make(
    rules: &LoadedRules,
    assertion: &Assertion,
    exceptions: bool,
    budget: Budget,
) -> Result<MadeRules, Problem> {
    named_are_there(&rules.firewall, assertion)?;
    let mut made = MadeRules {
        assertion: assertion.text.clone(),
        outcome: MakeOutcome::Refused,
        insertions: Vec::new(),
        keeper: None,
        exceptions: Vec::new(),
        decided_before: Vec::new(),
        scopes: Vec::new(),
        unchanged: Vec::new(),
        refusal: None,
        other_changes: None,
        notes: Vec::new(),
        after: None,
    };
    if let Err(failed) = made.search(rules, assertion, exceptions, budget) {
        made.refusal = Some(failed.why.to_string());
        made.other_changes = failed.changes;
        made.decided_before = failed.decided_before;
    }
    Ok(made)
}

/// An attempt that came to nothing.
struct FailedAttempt {
    why: MakeRefusal,
    changes: Option<Box<Difference>>,
    decided_before: Vec<NamedDecider>,
}

impl From<MakeRefusal> for FailedAttempt {
    fn from(why: MakeRefusal) -> Self {
        Self {
            why,
            changes: None,
            decided_before: Vec::new(),
        }
    }
}

/// One attempt: what is asked, how it is understood, and which chain takes the rule.
struct MakeQuestion<'a> {
    rules: &'a LoadedRules,
    reading: &'a Reading,
    verdict: RuleVerdict,
    taken: ChainTaken,
    exceptions: bool,
    budget: Budget,
}

impl MadeRules {
    fn search(
        &mut self,
        rules: &LoadedRules,
        assertion: &Assertion,
        exceptions: bool,
        budget: Budget,
    ) -> Result<(), FailedAttempt> {
        let verdict =
            rule_verdict(&assertion.claim, &rules.firewall).ok_or(MakeRefusal::OtherClaim)?;
        if let Some(doubt) = rules.doubt() {
            return Err(MakeRefusal::Doubtful(doubt.to_owned()).into());
        }
        let owner = rules.firewall.tables.iter().find_map(maker_of_table);
        if owner == Some("firewalld") {
            return Err(MakeRefusal::OwnedByFirewalld.into());
        }
        // Chains of that name alone are no ufw: it has one for the rules of the administrator.
        let mut tables = rules.firewall.tables.iter();
        let ufw = owner == Some("ufw")
            && tables.any(|table| {
                ["ufw-user-input", "ufw6-user-input"]
                    .iter()
                    .any(|name| table.chain(name).is_some())
            });
        let mut failed = None;
        for reading in readings(assertion, verdict, (&rules.firewall, ufw)) {
            let proof = prove(rules, &reading.assertion, budget)
                .map_err(|problem| MakeRefusal::Doubtful(problem.what))?;
            match proof.verdict {
                ProofVerdict::Holds => {
                    self.outcome = MakeOutcome::Already;
                    self.scopes = proof.scopes;
                    self.notes = proof.notes;
                    return Ok(());
                }
                ProofVerdict::Empty => return Err(MakeRefusal::NoPacket.into()),
                ProofVerdict::Unknown => return Err(MakeRefusal::TooLarge.into()),
                ProofVerdict::Open | ProofVerdict::Fails => {}
            }
            let in_front = ChainTaken::Ufw { in_front: true };
            let behind = ChainTaken::Ufw { in_front: false };
            // A rule that blocks goes before all chains that could accept.
            let chains: &[ChainTaken] = match (ufw, verdict) {
                (true, RuleVerdict::Accept) => &[behind, in_front],
                (true, _) => &[in_front],
                (false, RuleVerdict::Accept) => &[ChainTaken::Deciding, ChainTaken::Base],
                (false, _) => &[ChainTaken::Base],
            };
            for taken in chains {
                let asked = MakeQuestion {
                    rules,
                    reading: &reading,
                    verdict,
                    taken: *taken,
                    exceptions: exceptions || ufw,
                    budget,
                };
                match self.attempt(&asked) {
                    Ok(()) => return Ok(()),
                    // What the first reading fails at is what people can do something about.
                    Err(why) => failed = failed.or(Some(why)),
                }
            }
        }
        Err(failed.unwrap_or_else(|| MakeRefusal::NoRules.into()))
    }

    fn attempt(&mut self, asked: &MakeQuestion) -> Result<(), FailedAttempt> {
        let MakeQuestion {
            rules,
            reading,
            budget,
            ..
        } = *asked;
        let comments = comments_are_usual(&rules.firewall);
        let mut search = PlaceSearch {
            before: rules,
            changed: rules.clone(),
            wish: RuleWish {
                traffic: &reading.words,
                state: reading.state,
                verdict: asked.verdict,
                comment: comments.then_some(reading.assertion.text.as_str()),
            },
            taken: asked.taken,
            assertion: &reading.assertion,
            placed: BTreeMap::new(),
            exceptions: Vec::new(),
            decided_before: Vec::new(),
            budget,
        };
        let mut notes = Vec::new();
        let scopes = scopes_of(rules, &reading.assertion.traffic, &mut notes);
        if let Err(why) = search.settle(&scopes, asked.exceptions) {
            return Err(FailedAttempt {
                decided_before: search.decided_before,
                ..why.into()
            });
        }
        let proof = prove(&search.changed, &reading.assertion, budget)
            .map_err(|problem| MakeRefusal::Doubtful(problem.what))?;
        if proof.verdict != ProofVerdict::Holds && search.exceptions.is_empty() {
            return Err(MakeRefusal::Disagreement.into());
        }
        let side = |rules| DiffSide { rules, whole: true };
        let others = diff_besides(
            side(rules),
            side(&search.changed),
            &rules.surroundings,
            (&reading.assertion.traffic, &scopes),
            (PARTS, budget),
        );
        if others.verdict != DiffVerdict::Equal {
            let why = if others.verdict == DiffVerdict::Unknown {
                MakeRefusal::OthersUnknown
            } else {
                MakeRefusal::OthersChange
            };
            return Err(FailedAttempt {
                why,
                changes: Some(Box::new(others)),
                decided_before: search.decided_before,
            });
        }
        self.insertions = search.insertions(&scopes)?;
        self.keeper = matches!(asked.taken, ChainTaken::Ufw { .. }).then_some("ufw");
        self.exceptions = search.exceptions;
        self.decided_before = search.decided_before;
        self.scopes = proof.scopes;
        self.unchanged = others.scopes;
        self.notes = proof.notes;
        self.notes.extend(reading.note.map(str::to_owned));
        if reading.leaves_out_loopback {
            self.notes.push(
                "what this host sends to itself is not meant: say `in lo` for that".to_owned(),
            );
        }
        self.after = Some(search.changed);
        self.outcome = MakeOutcome::Made;
        Ok(())
    }
}

/// The verdict of a rule that makes a claim true; none if no single rule does.
fn rule_verdict(claim: &Claim, firewall: &Firewall) -> Option<RuleVerdict> {
    if claim.becomes.is_some() || claim.by.is_some() {
        return None;
    }
    let ends = &claim.ends;
    if *ends == BTreeSet::from([End::Accepted]) {
        return Some(RuleVerdict::Accept);
    }
    match (
        ends.contains(&End::Dropped),
        ends.contains(&End::Rejected),
        ends.contains(&End::Accepted),
    ) {
        (true, false, false) => Some(RuleVerdict::Drop),
        (false, true, false) => Some(RuleVerdict::Reject),
        // As the host does it.
        (true, true, false) => {
            let has = |is: &dyn Fn(&Verdict) -> bool| {
                let chains = firewall.tables.iter().flat_map(|table| &table.chains);
                let mut statements = chains
                    .flat_map(|chain| &chain.rules)
                    .flat_map(|rule| &rule.statements);
                statements.any(|one| matches!(one, Statement::Verdict(verdict) if is(verdict)))
            };
            let rejects = has(&|verdict| matches!(verdict, Verdict::Reject { .. }));
            let drops = has(&|verdict| matches!(verdict, Verdict::Drop));
            Some(if rejects && !drops {
                RuleVerdict::Reject
            } else {
                RuleVerdict::Drop
            })
        }
        _ => None,
    }
}

/// Whether most rules that decide have comments.
fn comments_are_usual(firewall: &Firewall) -> bool {
    let chains = firewall.tables.iter().flat_map(|table| &table.chains);
    let decides = |rule: &&Rule| {
        let ends = |one: &Statement| {
            matches!(
                one,
                Statement::Verdict(Verdict::Accept | Verdict::Drop | Verdict::Reject { .. })
            )
        };
        rule.statements.iter().any(ends)
    };
    let rules: Vec<&Rule> = chains
        .flat_map(|chain| &chain.rules)
        .filter(decides)
        .collect();
    let with = rules.iter().filter(|rule| rule.comment.is_some()).count();
    with * 2 > rules.len()
}
