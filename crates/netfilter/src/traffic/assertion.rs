//! A sentence about packets that holds or does not: `ssh from 10.0.0.0/8 is accepted`.

use std::collections::BTreeSet;

use surefoot_report::{Problem, Span};

use super::read::{problem_at, read_later, read_traffic, words};
use super::{RuleName, Traffic};
use crate::language::WordToken;
use crate::semantics::End;

/// What is claimed of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// All of them come to one of these ends.
    pub ends: BTreeSet<End>,
    /// And are such packets when they leave or arrive, after NAT.
    pub becomes: Option<Traffic>,
    /// Instead: a rule that they come to and match, and whether they do not.
    pub by: Option<(RuleName, bool)>,
}

/// A sentence that holds or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// Its words.
    pub text: String,
    /// Where they stand in the text that was read.
    pub span: Span,
    /// The packets that it is about.
    pub traffic: Traffic,
    /// What it says of them.
    pub claim: Claim,
}

impl Assertion {
    /// Reads `TRAFFIC is [not] accepted|dropped|rejected|blocked [as TRAFFIC]`, or
    /// `TRAFFIC is [not] decided by RULE`.
    ///
    /// # Errors
    ///
    /// A word that is not understood, with its place.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        Self::parse_at(text, 0)
    }

    fn parse_at(text: &str, start: usize) -> Result<Self, Problem> {
        let words = words(text, start)?;
        let whole = Span::new(start, start + text.len());
        let verb = words
            .iter()
            .position(|token| matches!(token.lower().as_str(), "is" | "are"))
            .ok_or_else(|| {
                Problem::error(whole, "a sentence needs `is` or `are`")
                    .help("such as: ssh from 10.0.0.0/8 is accepted")
            })?;
        let (about, said) = words.split_at(verb);
        let claim = read_claim(said)?;
        Ok(Self {
            text: text.trim().to_owned(),
            span: whole,
            traffic: read_traffic(about)?,
            claim,
        })
    }
}

/// Reads a policy: a sentence on each line; `#` begins a comment.
///
/// # Errors
///
/// Every line that is not understood.
pub fn policy(text: &str) -> Result<Vec<Assertion>, Vec<Problem>> {
    let (mut assertions, mut problems) = (Vec::new(), Vec::new());
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let words = line.split('#').next().unwrap_or_default();
        let blank = words.len() - words.trim_start().len();
        if !words.trim().is_empty() {
            match Assertion::parse_at(words.trim(), start + blank) {
                Ok(assertion) => assertions.push(assertion),
                Err(problem) => problems.push(problem),
            }
        }
        start += line.len();
    }
    if problems.is_empty() {
        Ok(assertions)
    } else {
        Err(problems)
    }
}

/// Everything from `is` on.
fn read_claim(said: &[WordToken]) -> Result<Claim, Problem> {
    let mut words = said.iter().peekable();
    let mut last = words.next();
    let mut negated = false;
    while let Some(not) = words.next_if(|token| matches!(token.lower().as_str(), "not" | "never")) {
        negated = !negated;
        last = Some(not);
    }
    let Some(verdict) = words.next() else {
        let at = last.map_or_else(Span::default, WordToken::span);
        return Err(Problem::error(at, "a verdict is missing").help(VERDICTS));
    };
    let all = [End::Accepted, End::Dropped, End::Rejected, End::Queued];
    if matches!(verdict.lower().as_str(), "decided" | "matched") {
        let rest: Vec<WordToken> = words.cloned().collect();
        let (by, rule) = match rest.split_first() {
            Some((by, rule)) if by.lower() == "by" => (by, rule),
            other => {
                let token = other.map_or(verdict, |(token, _)| token);
                return Err(problem_at(
                    token,
                    format!("expected `{} by` and a rule", verdict.lower()),
                ));
            }
        };
        return Ok(Claim {
            ends: all.into(),
            becomes: None,
            by: Some((RuleName::read(rule, by.span())?, negated)),
        });
    }
    let named: &[End] = match verdict.lower().as_str() {
        "accepted" | "allowed" | "passed" => &[End::Accepted],
        "dropped" => &[End::Dropped],
        "rejected" => &[End::Rejected],
        "blocked" | "denied" | "refused" => &[End::Dropped, End::Rejected],
        "queued" => &[End::Queued],
        _ => {
            let text = verdict.text.escape_debug();
            return Err(problem_at(verdict, format!("`{text}` is no verdict")).help(VERDICTS));
        }
    };
    let ends = all
        .into_iter()
        .filter(|end| named.contains(end) != negated)
        .collect();
    let rest: Vec<WordToken> = words.cloned().collect();
    let becomes = match rest.split_first() {
        None => None,
        Some((word, after)) if word.lower() == "as" && !negated && named == [End::Accepted] => {
            if after.is_empty() {
                return Err(problem_at(
                    word,
                    "expected what the packets become, such as `as to 10.0.0.5:80`",
                ));
            }
            Some(read_later(after)?)
        }
        Some((word, _)) if word.lower() == "as" => {
            return Err(problem_at(
                word,
                "only packets that are accepted become something",
            ));
        }
        Some((word, _)) => {
            let text = word.text.escape_debug();
            return Err(
                problem_at(word, format!("`{text}` stands behind the verdict"))
                    .help("what is said of the packets stands before `is`"),
            );
        }
    };
    Ok(Claim {
        ends,
        becomes,
        by: None,
    })
}

const VERDICTS: &str = "verdicts are accepted, dropped, rejected, blocked (either of the two) and queued; or `decided by` a rule";
