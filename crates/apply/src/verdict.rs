//! What becomes of the sentences that keep you in: proved under the new rules, compared with the old. No I/O.

use serde::Serialize;
use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::{Proof, ProofVerdict, prove};
use surefoot_netfilter::traffic::Assertion;
use surefoot_report::Problem;

use crate::access::{AccessQuestion, BUDGET};

/// What becomes of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessVerdict {
    /// It holds.
    Kept,
    /// It did not hold before either, and does not now.
    WasNotSo,
    /// It held, and now does not for some packets: a ban, as a rule. What most of it is about stays.
    ChangedInPart,
    /// It depends on what cannot be known.
    Unsure,
    /// It does not hold.
    Lost,
}

/// A sentence and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessAnswer {
    /// What it is about.
    pub about: String,
    /// What becomes of it.
    pub verdict: AccessVerdict,
    /// The proof under the new rules.
    pub proof: Proof,
}

/// Proves each sentence under the new rules, and where it does not hold looks whether it did before.
pub fn prove_access(
    old: &LoadedRules,
    new: &LoadedRules,
    questions: &[AccessQuestion],
) -> Result<Vec<AccessAnswer>, Problem> {
    let mut answers = Vec::new();
    for question in questions {
        let mut proof = prove(new, &question.assertion, BUDGET)?;
        if let Some(otherwise) = &question.otherwise
            && proof.verdict != ProofVerdict::Holds
        {
            let other = prove(new, otherwise, BUDGET)?;
            if proof.verdict == ProofVerdict::Fails || other.verdict == ProofVerdict::Holds {
                proof = other;
            }
        }
        let verdict = match (proof.verdict, question.only_stays) {
            (ProofVerdict::Holds, _) | (ProofVerdict::Empty, true) => AccessVerdict::Kept,
            (ProofVerdict::Fails, false) => AccessVerdict::Lost,
            (_, false) => AccessVerdict::Unsure,
            (now, true) => {
                let before = prove(old, &question.assertion, BUDGET)?.verdict;
                if question.core.is_empty() {
                    what_became(before, now)
                } else {
                    let core = core_verdict(old, new, &question.core)?;
                    match core {
                        AccessVerdict::Lost | AccessVerdict::Unsure => core,
                        _ if before == ProofVerdict::Holds => AccessVerdict::ChangedInPart,
                        _ => AccessVerdict::WasNotSo,
                    }
                }
            }
        };
        answers.push(AccessAnswer {
            about: question.about.clone(),
            verdict,
            proof,
        });
    }
    Ok(answers)
}

/// What becomes of a sentence that only has to stay as it is, and does not hold now.
fn what_became(before: ProofVerdict, now: ProofVerdict) -> AccessVerdict {
    match (before, now) {
        (ProofVerdict::Fails, _)
        | (ProofVerdict::Open | ProofVerdict::Unknown, ProofVerdict::Open) => {
            AccessVerdict::WasNotSo
        }
        (_, ProofVerdict::Fails) => AccessVerdict::Lost,
        _ => AccessVerdict::Unsure,
    }
}

/// What becomes of the core of a sentence: the worst of its groups.
fn core_verdict(
    old: &LoadedRules,
    new: &LoadedRules,
    core: &[Vec<Assertion>],
) -> Result<AccessVerdict, Problem> {
    let mut worst = AccessVerdict::Kept;
    for group in core {
        let now = best_verdict(new, group)?;
        if matches!(now, ProofVerdict::Holds | ProofVerdict::Empty) {
            continue;
        }
        match what_became(best_verdict(old, group)?, now) {
            AccessVerdict::Lost => return Ok(AccessVerdict::Lost),
            AccessVerdict::Unsure => worst = AccessVerdict::Unsure,
            _ => {}
        }
    }
    Ok(worst)
}

/// The best that is said of one of these sentences.
fn best_verdict(rules: &LoadedRules, group: &[Assertion]) -> Result<ProofVerdict, Problem> {
    let mut best: Option<ProofVerdict> = None;
    for assertion in group {
        match prove(rules, assertion, BUDGET)?.verdict {
            ProofVerdict::Holds => return Ok(ProofVerdict::Holds),
            // No packet is one: it says nothing of the others.
            ProofVerdict::Empty => {}
            verdict => best = best.map_or(Some(verdict), |best| Some(verdict.min(best))),
        }
    }
    Ok(best.unwrap_or(ProofVerdict::Empty))
}
