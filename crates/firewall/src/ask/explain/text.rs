//! An explanation for people: the answer first, then the way to it as a tree.

use surefoot_report::{Certainty, Paint, Place, Style, escape, wrap};

use super::{Answer, BaseChain, Condition, Explanation, Matched, Step, StepKind};
use crate::ask::phrase::shortened;
use crate::packet::Path;
use crate::semantics::End;

/// Characters of a rule that are shown; the JSON has them all.
const MOST_OF_A_RULE: usize = 400;
/// Conditions of one answer that are shown.
const MOST_CONDITIONS: usize = 4;
/// Things not known that are shown.
const MOST_QUESTIONS: usize = 8;

impl Explanation {
    /// The explanation as text of about `width` columns.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = Lines {
            style,
            width: width.clamp(40, 160),
            text: String::new(),
        };
        out.line(0, Paint::Strong, &self.packet);
        let way = match self.way {
            Path::Input => "addressed to this host",
            Path::Forward => "passes through this host",
            Path::Output => "sent by this host",
        };
        out.wrapped(2, None, way);
        for note in &self.assumed {
            out.wrapped(2, None, note);
        }
        out.blank();
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
            out.wrapped(0, None, "No chain sees this packet.");
        }
        if !self.notes.is_empty() {
            out.blank();
            for note in &self.notes {
                out.listed("note: ", Paint::Yellow, note);
            }
        }
        if !self.say.is_empty() {
            out.blank();
            let words: Vec<String> = self.say.iter().map(|word| format!("`{word}`")).collect();
            let what = format!("for a sharper answer say {}", words.join(", "));
            out.listed("hint: ", Paint::Blue, &what);
        }
        out.text
    }

    fn answers_text(&self, out: &mut Lines) {
        if self.certainty == Certainty::Certainly
            && let Some(first) = self.answers.first()
        {
            let (word, paint) = end_word(first.end);
            out.line(0, paint, &format!("{word}, certainly"));
            let one = self.answers.len() == 1;
            for answer in self.answers.iter().take(MOST_CONDITIONS) {
                let by = if one { "by " } else { "by one of several: " };
                out.raw(2, &escape(&format!("{by}{}", answer.by.name)));
                out.named_below(4, answer);
            }
            if self.answers.len() > MOST_CONDITIONS {
                let more = self.answers.len() - MOST_CONDITIONS;
                out.wrapped(2, None, &format!("or by one of {more} more"));
            }
            return;
        }
        let mut words: Vec<String> = Vec::new();
        for answer in &self.answers {
            let word = match answer.end {
                End::Unknown => "unknown".to_owned(),
                end => format!("possibly {}", end_word(end).0),
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
        if words.is_empty() {
            words.push("unknown".into());
        }
        out.line(0, Paint::Yellow, &words.join(", "));
        for answer in &self.answers {
            let (word, paint) = end_word(answer.end);
            let head = out.style.paint(paint, word);
            let rest = format!("by {}{}", answer.by.name, conditions_words(answer));
            out.hanging(
                2,
                &format!("{head} "),
                2 + word.chars().count() + 1,
                None,
                &rest,
            );
            out.named_below(4, answer);
        }
        self.open_questions(out);
    }

    /// Each thing that is not known once, however many ends hang on it.
    fn open_questions(&self, out: &mut Lines) {
        let mut said: Vec<&str> = Vec::new();
        let conditions = self.answers.iter().flat_map(|answer| &answer.conditions);
        for condition in conditions {
            if said.contains(&condition.rule.name.as_str()) || condition.why.is_empty() {
                continue;
            }
            if said.is_empty() {
                out.raw(2, "not known:");
            }
            said.push(&condition.rule.name);
            if said.len() > MOST_QUESTIONS {
                out.wrapped(4, None, "and more of the kind");
                return;
            }
            let what = format!("{}: {}", condition.rule.name, condition.why.join("; "));
            out.hanging(4, "", 4, None, &what);
        }
    }
}

/// `, if rule 2 of filter SSH matches and rule 3 does not`.
fn conditions_words(answer: &Answer) -> String {
    let mut words = String::new();
    let own = |condition: &&Condition| condition.rule.name == answer.by.name;
    let it = answer.conditions.iter().find(own);
    let others = answer.conditions.iter().filter(|condition| !own(condition));
    let mut parts: Vec<String> = Vec::new();
    if it.is_some_and(|condition| condition.matches == Some(true)) {
        parts.push("it matches".into());
    }
    for (matches, verb) in [(Some(true), "matches"), (Some(false), "does not match")] {
        let rules: Vec<&str> = others
            .clone()
            .filter(|condition| condition.matches == matches)
            .map(|condition| condition.rule.name.as_str())
            .collect();
        match rules.as_slice() {
            [] => {}
            [one] => parts.push(format!("{one} {verb}")),
            several => {
                let shown = several.iter().take(MOST_CONDITIONS).copied();
                let shown = shown.collect::<Vec<_>>().join(", ");
                let more = several.len().saturating_sub(MOST_CONDITIONS);
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                let verb = if matches == Some(true) {
                    "all match"
                } else {
                    "do not match"
                };
                parts.push(format!("{shown}{more} {verb}"));
            }
        }
    }
    if !parts.is_empty() {
        words = format!(", if {}", parts.join(" and "));
    }
    let depends: Vec<&str> = others
        .filter(|condition| condition.matches.is_none())
        .map(|condition| condition.rule.name.as_str())
        .take(MOST_CONDITIONS)
        .collect();
    if !depends.is_empty() {
        words = format!("{words}, depending on {}", depends.join(", "));
    }
    words
}

fn end_word(end: End) -> (&'static str, Paint) {
    match end {
        End::Accepted => ("accepted", Paint::Green),
        End::Dropped => ("dropped", Paint::Red),
        End::Rejected => ("rejected", Paint::Red),
        End::Queued => ("queued for a program to decide", Paint::Yellow),
        End::Unknown => ("unknown", Paint::Yellow),
    }
}

impl BaseChain {
    /// The one line of a chain that let the packet go on without a word.
    fn nothing(&self) -> Option<String> {
        let (rules, policy) = match self.steps.as_slice() {
            [Step { kind: policy, .. }] => (0, policy),
            [
                Step {
                    kind: StepKind::Skipped { rules },
                    ..
                },
                Step { kind: policy, .. },
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

    fn write(&self, out: &mut Lines) {
        let detail = format!(
            "({}, priority {}, policy {})",
            self.backend, self.priority, self.policy
        );
        let name = out.style.paint(Paint::Blue, &escape(&self.name));
        let detail = out.style.paint(Paint::Faint, &detail);
        out.raw(2, &format!("{name} {detail}"));
        if let Some(nothing) = self.nothing() {
            out.line(4, Paint::Faint, &nothing);
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

impl Step {
    fn write(&self, out: &mut Lines, digits: usize) {
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
                    Matched::Yes => ("yes  ", Paint::Green),
                    Matched::No => ("no   ", Paint::Faint),
                    Matched::Maybe => ("maybe", Paint::Yellow),
                };
                let head = format!("{} {number:>digits$}  ", out.style.paint(paint, word));
                let body = indent + 5 + 1 + digits + 2;
                let text = shortened(text, MOST_OF_A_RULE);
                let text_paint = if *matched == Matched::No {
                    Some(Paint::Faint)
                } else {
                    None
                };
                let place = place_words(place.as_ref(), *packets);
                let left = out.with_place(indent, &head, body, text_paint, &text, &place);
                let mut why = why.clone();
                match why.last_mut() {
                    Some(last) if !left.is_empty() => *last = format!("{last} ({left})"),
                    _ => out.wrapped(body, Some(Paint::Faint), &left),
                }
                for reason in &why {
                    out.wrapped(body, Some(Paint::Faint), reason);
                }
                if let Some(end) = decides {
                    let (word, paint) = end_word(*end);
                    let may = if *matched == Matched::Maybe {
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
                let what = format!("end of {}, back to the caller", escape(chain));
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

fn packets_words(packets: u64) -> String {
    match packets {
        1 => "1 packet".into(),
        packets => format!("{packets} packets"),
    }
}

fn place_words(place: Option<&Place>, packets: Option<u64>) -> String {
    let mut parts: Vec<String> = place.map(ToString::to_string).into_iter().collect();
    parts.extend(packets.map(packets_words));
    parts.join(", ")
}

struct Lines {
    style: Style,
    width: usize,
    text: String,
}

impl Lines {
    fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A line that is painted already.
    fn raw(&mut self, indent: usize, line: &str) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn line(&mut self, indent: usize, paint: Paint, line: &str) {
        let painted = self.style.paint(paint, &escape(line));
        self.raw(indent, &painted);
    }

    fn room(&self, indent: usize) -> usize {
        self.width.saturating_sub(indent).max(30)
    }

    fn painted(&self, paint: Option<Paint>, line: &str) -> String {
        match paint {
            Some(paint) => self.style.paint(paint, line),
            None => line.to_owned(),
        }
    }

    fn wrapped(&mut self, indent: usize, paint: Option<Paint>, sentence: &str) {
        for line in wrap(&escape(sentence), self.room(indent)) {
            let line = self.painted(paint, &line);
            self.raw(indent, &line);
        }
    }

    /// A sentence behind a painted word, its other lines below its first.
    fn hanging(
        &mut self,
        indent: usize,
        head: &str,
        body: usize,
        paint: Option<Paint>,
        text: &str,
    ) {
        let lines = wrap(&escape(text), self.room(body));
        let mut lines = lines.into_iter();
        let first = lines.next().unwrap_or_default();
        let first = self.painted(paint, &first);
        self.raw(indent, &format!("{head}{first}"));
        for line in lines {
            let line = self.painted(paint, &line);
            // The second line of a rule stands a little further in, so that it does not look like another.
            self.raw(body + 2, &line);
        }
    }

    fn listed(&mut self, word: &str, paint: Paint, sentence: &str) {
        let head = self.style.paint(paint, word);
        self.hanging_plain(&head, word.chars().count(), sentence);
    }

    fn hanging_plain(&mut self, head: &str, body: usize, sentence: &str) {
        let mut lines = wrap(&escape(sentence), self.room(body)).into_iter();
        let first = lines.next().unwrap_or_default();
        self.raw(0, &format!("{head}{first}"));
        for line in lines {
            self.raw(body, &line);
        }
    }

    /// The words and the place of what decides.
    fn named_below(&mut self, indent: usize, answer: &Answer) {
        let place = place_words(answer.by.place.as_ref(), answer.by.packets);
        if answer.by.text.is_empty() {
            self.wrapped(indent, Some(Paint::Faint), &place);
        } else {
            let text = shortened(&answer.by.text, MOST_OF_A_RULE);
            let left = self.with_place(indent, "", indent, None, &text, &place);
            self.wrapped(indent, Some(Paint::Faint), &left);
        }
    }

    /// A rule with its place at the right edge, if both fit on a line; gives the place back if not.
    fn with_place(
        &mut self,
        indent: usize,
        head: &str,
        body: usize,
        paint: Option<Paint>,
        text: &str,
        place: &str,
    ) -> String {
        let (text, place) = (escape(text), escape(place));
        let (letters, rest) = (text.chars().count(), place.chars().count());
        let room = self.room(body);
        if rest > 0 && letters + 3 + rest <= room {
            let gap = " ".repeat(room - letters - rest);
            let text = self.painted(paint, &text);
            let place = self.painted(Some(Paint::Faint), &place);
            self.raw(indent, &format!("{head}{text}{gap}{place}"));
            String::new()
        } else {
            self.hanging(indent, head, body, paint, &text);
            place.into_owned()
        }
    }
}
