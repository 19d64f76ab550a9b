//! An explanation for people: the answer first, then the way to it as a tree.

use surefoot_report::{Certainty, Paint, Style, escape};

use super::{
    BaseChain, EndCondition, ExplainedStep, Explanation, PossibleEnd, RuleMatched, StepKind,
};
use crate::ask::lines::{
    AnswerLines, MOST_OF_A_RULE, by_words, end_word, listed_words, packets_words, path_words,
    place_words, possible_ends,
};
use crate::ask::name::NamedDecider;
use crate::ask::phrase::shortened;

/// Conditions of one answer that are shown.
const MOST_CONDITIONS: usize = 6;
/// The most unknown things that are shown.
const MOST_QUESTIONS: usize = 8;

impl Explanation {
    /// The explanation as text of about `width` columns.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = AnswerLines::new(style, width);
        out.write_question(&self.packet, path_words(self.way), &self.assumed);
        self.answers_text(&mut out);
        for hook in &self.hooks {
            out.blank();
            out.line(0, Paint::Strong, hook.hook);
            for chain in &hook.chains {
                chain.write(&mut out);
            }
        }
        if self.hooks.is_empty() {
            out.blank();
            out.write_wrapped(0, None, "No chain sees this packet.");
        }
        if !self.notes.is_empty() {
            out.blank();
            for note in &self.notes {
                out.write_listed("note: ", Paint::Yellow, note);
            }
        }
        if !self.say.is_empty() {
            out.blank();
            let words: Vec<String> = self.say.iter().map(|word| format!("`{word}`")).collect();
            let what = format!("say {} for a sharper answer", listed_words(&words));
            out.write_listed("hint: ", Paint::Blue, &what);
        }
        out.finish()
    }

    fn answers_text(&self, out: &mut AnswerLines) {
        if self.certainty == Certainty::Certainly
            && let Some(first) = self.answers.first()
        {
            let (word, paint) = end_word(first.end);
            out.line(0, paint, &format!("{word}, certainly"));
            let one = self.answers.len() == 1;
            for answer in self.answers.iter().take(MOST_CONDITIONS) {
                let by = if one { "by " } else { "by one of several: " };
                out.raw(2, &escape(&format!("{by}{}", answer.by.name)));
                out.named_below(4, &answer.by);
            }
            if self.answers.len() > MOST_CONDITIONS {
                let more = self.answers.len() - MOST_CONDITIONS;
                out.write_wrapped(2, None, &format!("or by one of {more} more"));
            }
            return;
        }
        let ends = possible_ends(self.answers.iter().map(|answer| answer.end));
        out.line(0, Paint::Yellow, &ends);
        for answer in &self.answers {
            let (word, paint) = end_word(answer.end);
            let head = out.style.paint(paint, word);
            let by = by_words(answer.end, &answer.by.name);
            let rest = format!("{by}{}", conditions_words(answer));
            out.write_hanging(
                2,
                &format!("{head} "),
                2 + word.chars().count() + 1,
                None,
                &rest,
            );
            out.named_below(4, &answer.by);
        }
        self.open_questions(out);
    }

    /// Writes each unknown thing once, however many ends depend on it.
    fn open_questions(&self, out: &mut AnswerLines) {
        let mut said: Vec<&str> = Vec::new();
        let conditions = self.answers.iter().flat_map(|answer| &answer.conditions);
        for condition in conditions {
            if said.contains(&condition.rule.name.as_str()) || condition.why.is_empty() {
                continue;
            }
            if said.is_empty() {
                out.raw(2, "unknown:");
            }
            said.push(&condition.rule.name);
            if said.len() > MOST_QUESTIONS {
                out.write_wrapped(4, None, "and more of the kind");
                return;
            }
            let what = format!("{}: {}", condition.rule.name, condition.why.join("; "));
            out.write_hanging(4, "", 4, None, &what);
        }
    }
}

/// `, if rule 2 of filter SSH matches and rule 3 does not`.
fn conditions_words(answer: &PossibleEnd) -> String {
    let mut words = String::new();
    let own = |condition: &&EndCondition| condition.rule.name == answer.by.name;
    let it = answer.conditions.iter().find(own);
    let others = answer.conditions.iter().filter(|condition| !own(condition));
    let mut parts: Vec<String> = Vec::new();
    if it.is_some_and(|condition| condition.matches == Some(true)) {
        parts.push("it matches".into());
    }
    for (matches, one_verb, verb) in [
        (Some(true), "matches", "all match"),
        (Some(false), "does not match", "do not match"),
    ] {
        let rules: Vec<&NamedDecider> = others
            .clone()
            .filter(|condition| condition.matches == matches)
            .map(|condition| &condition.rule)
            .collect();
        match rules.as_slice() {
            [] => {}
            [one] => parts.push(format!("{} {one_verb}", one.name)),
            several => parts.push(format!("{} {verb}", listed_rules(several))),
        }
    }
    if !parts.is_empty() {
        words = format!(", if {}", parts.join(" and "));
    }
    let depends: Vec<&NamedDecider> = others
        .filter(|condition| condition.matches.is_none())
        .map(|condition| &condition.rule)
        .collect();
    if !depends.is_empty() {
        words = format!("{words}, depending on {}", listed_rules(&depends));
    }
    words
}

/// `rules 1, 2 of filter INPUT and rule 3 of filter ban`.
fn listed_rules(rules: &[&NamedDecider]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let shown = &rules[..rules.len().min(MOST_CONDITIONS)];
    let same_chain = |one: &&NamedDecider, next: &&NamedDecider| {
        one.chain().is_some() && one.chain() == next.chain()
    };
    for of_chain in shown.chunk_by(same_chain) {
        parts.push(match of_chain {
            [one, _, ..] => {
                let numbers: Vec<String> = of_chain.iter().map(|rule| rule.number()).collect();
                let chain = one.chain().unwrap_or_default();
                format!("rules {} of {chain}", numbers.join(", "))
            }
            [one] => one.name.clone(),
            [] => continue,
        });
    }
    let more = rules.len().saturating_sub(MOST_CONDITIONS);
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    parts.join(" and ")
}

impl BaseChain {
    /// The one line of a chain that let the packet go on without a word.
    fn line_without_steps(&self) -> Option<String> {
        let (rules, policy) = match self.steps.as_slice() {
            [ExplainedStep { kind: policy, .. }] => (0, policy),
            [
                ExplainedStep {
                    kind: StepKind::Skipped { rules },
                    ..
                },
                ExplainedStep { kind: policy, .. },
            ] => (*rules, policy),
            _ => return None,
        };
        let StepKind::Policy {
            policy: "accept",
            decides: None,
            ..
        } = policy
        else {
            return None;
        };
        Some(match rules {
            0 => "no rules".to_owned(),
            1 => "its one rule does not match".to_owned(),
            rules => format!("none of its {rules} rules matches"),
        })
    }

    fn write(&self, out: &mut AnswerLines) {
        let detail = format!(
            "({}, priority {}, policy {})",
            self.backend, self.priority, self.policy
        );
        let name = out.style.paint(Paint::Blue, &escape(&self.name));
        let detail = out.style.paint(Paint::Faint, &detail);
        out.raw(2, &format!("{name} {detail}"));
        if let Some(line) = self.line_without_steps() {
            out.line(4, Paint::Faint, &line);
            return;
        }
        let widest = self.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Rule { number, .. } => Some(number.to_string().len()),
            _ => None,
        });
        let widest = widest.max().unwrap_or(1);
        for step in &self.steps {
            step.write(out, widest);
        }
    }
}

impl ExplainedStep {
    fn write(&self, out: &mut AnswerLines, digits: usize) {
        let indent = 4 + 4 * self.depth.min(16) as usize;
        match &self.kind {
            StepKind::Rule {
                number,
                text,
                place,
                packets,
                matched,
                why,
                decides,
                ..
            } => {
                let (word, paint) = match matched {
                    RuleMatched::Yes => ("yes  ", Paint::Green),
                    RuleMatched::No => ("no   ", Paint::Faint),
                    RuleMatched::Maybe => ("maybe", Paint::Yellow),
                };
                let head = format!("{} {number:>digits$}  ", out.style.paint(paint, word));
                let body = indent + 5 + 1 + digits + 2;
                let text = shortened(text, MOST_OF_A_RULE);
                let text_paint = if *matched == RuleMatched::No {
                    Some(Paint::Faint)
                } else {
                    None
                };
                let place = place_words(place.as_ref(), *packets);
                let left = out.with_place(indent, &head, body, text_paint, &text, &place);
                let mut why = why.clone();
                match why.last_mut() {
                    Some(last) if !left.is_empty() => *last = format!("{last} ({left})"),
                    _ => out.write_wrapped(body, Some(Paint::Faint), &left),
                }
                for reason in &why {
                    out.write_wrapped(body, Some(Paint::Faint), reason);
                }
                if let Some(end) = decides {
                    let (word, paint) = end_word(*end);
                    let may = if *matched == RuleMatched::Maybe {
                        "perhaps "
                    } else {
                        ""
                    };
                    out.line(body, paint, &format!("=> {may}{word}"));
                }
            }
            StepKind::Skipped { rules } => {
                let noun = if *rules == 1 {
                    "rule that does"
                } else {
                    "rules that do"
                };
                out.line(
                    indent,
                    Paint::Faint,
                    &format!("...   {rules} {noun} not match"),
                );
            }
            StepKind::Enter { chain } => {
                let chain = out.style.paint(Paint::Blue, &escape(chain));
                out.raw(indent, &format!("in {chain}:"));
            }
            StepKind::Left { chain } => {
                let what = format!("end of {}", escape(chain));
                out.line(indent, Paint::Faint, &what);
            }
            StepKind::Rewritten { end, from, to } => {
                out.line(
                    indent + 6,
                    Paint::Yellow,
                    &format!("=> {end} rewritten: {from} -> {to}"),
                );
            }
            StepKind::Policy {
                policy,
                packets,
                decides,
            } => {
                let counted = packets.map_or_else(String::new, |packets| {
                    format!(", {}", packets_words(packets))
                });
                out.line(indent, Paint::Strong, &format!("policy {policy}{counted}"));
                if let Some(end) = decides {
                    let (word, paint) = end_word(*end);
                    out.line(indent + 6, paint, &format!("=> {word}"));
                }
            }
        }
    }
}
