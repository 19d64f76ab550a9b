//! A comparison as text for a terminal.

use surefoot_report::{Paint, Style};

use super::super::lines::{AnswerLines, by_words, end_word};
use super::super::name::NamedKind;
use super::{DecidedEnd, DiffVerdict, Difference, FateChange, SideEffectChange};
use surefoot_netfilter::semantics::End;

impl Difference {
    /// The answer, and for each change the packets and one that shows it.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = AnswerLines::new(style, width);
        let (paint, words) = match self.verdict {
            DiffVerdict::Equal => (Paint::Green, "equal: every packet gets the same verdict"),
            DiffVerdict::Unknown => (
                Paint::Yellow,
                "unknown: no difference was found, but not everything could be compared",
            ),
            DiffVerdict::Open => (
                Paint::Yellow,
                "possibly different: it depends on what cannot be known",
            ),
            DiffVerdict::Different => (Paint::Red, "different"),
        };
        out.line(0, paint, words);
        let scopes: Vec<String> = self.scopes.iter().map(|scope| scope.words()).collect();
        if !scopes.is_empty() {
            out.write_wrapped(2, None, &format!("looked at: {}", scopes.join("; ")));
        }
        for change in &self.changes {
            out.blank();
            change_lines(&mut out, change, 0);
        }
        for change in &self.remembered {
            out.blank();
            side_effect_lines(&mut out, change);
        }
        if self.strict {
            for change in &self.shaped {
                out.blank();
                side_effect_lines(&mut out, change);
            }
        }
        let left_out = self.left_out();
        if !self.notes.is_empty() || left_out.is_some() {
            out.blank();
        }
        for note in left_out.iter().chain(&self.notes) {
            out.write_listed("note: ", Paint::Faint, note);
        }
        out.finish()
    }

    /// What differs besides the verdicts, and is not counted.
    fn left_out(&self) -> Option<String> {
        if self.strict || self.shaped.is_empty() {
            return None;
        }
        let mut names: Vec<&str> = self.shaped.iter().map(|one| one.what.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        Some(format!(
            "left out, as no verdict depends on it: {}; `--strict` counts it",
            names.join("; ")
        ))
    }
}

/// A change with the packets, and one that shows it.
pub(in super::super) fn change_lines(out: &mut AnswerLines, change: &FateChange, indent: usize) {
    let (before, _) = end_word(change.before);
    let (after, paint) = end_word(change.after);
    let perhaps = if change.certain { "" } else { "possibly " };
    let fate = if change.before == change.after {
        format!("{perhaps}{after} before and after, but as other packets")
    } else {
        format!("{perhaps}{before} → {after}")
    };
    let scope = change.scope.words();
    out.line(indent, paint, &format!("{fate}  ({scope})"));
    let blank = " ".repeat(indent);
    for packets in &change.short {
        out.write_listed(&format!("{blank}  - "), Paint::Faint, packets);
    }
    if !change.complete {
        out.write_wrapped(indent + 2, None, "and more: `--all` shows every part");
    }
    if let Some(witness) = &change.witness {
        out.write_listed(&format!("{blank}  such as "), Paint::Faint, &witness.packet);
        write_decided(out, "before: ", &witness.before, indent + 4);
        write_decided(out, "after:  ", &witness.after, indent + 4);
    }
    if !change.hangs.is_empty() {
        out.write_wrapped(indent + 2, None, "it depends on what cannot be known:");
    }
    for rule in &change.hangs {
        out.write_wrapped(indent + 4, None, &rule.name);
        out.named_below(indent + 6, rule);
    }
}

/// What only one of the two does with packets besides deciding.
fn side_effect_lines(out: &mut AnswerLines, change: &SideEffectChange) {
    let perhaps = if change.certain { "" } else { "possibly " };
    let side = if change.only_before {
        "before"
    } else {
        "after"
    };
    let head = match &change.memory {
        Some(memory) => format!("{perhaps}{memory}: changed by these packets only {side}"),
        None => format!("{perhaps}only {side}: {}", change.what),
    };
    let scope = change.scope.words();
    out.line(0, Paint::Yellow, &format!("{head}  ({scope})"));
    for packets in &change.short {
        out.write_listed("  - ", Paint::Faint, packets);
    }
    if !change.complete {
        out.write_wrapped(2, None, "and more: `--all` shows every part");
    }
    if change.memory.is_some() {
        out.write_wrapped(
            2,
            None,
            "later packets that are judged by it may be treated differently",
        );
    }
    out.write_wrapped(2, None, &format!("by {}", change.by.name));
    out.named_below(4, &change.by);
}

fn write_decided(out: &mut AnswerLines, word: &str, all: &[DecidedEnd], indent: usize) {
    for one in all {
        let (end, paint) = end_word(one.end);
        let by = match one.end {
            End::Accepted if one.by.kind == NamedKind::Kernel => "as no rule refuses it".to_owned(),
            end => by_words(end, &one.by.name),
        };
        let head = format!("{}{word}", " ".repeat(indent));
        out.write_listed(&head, paint, &format!("{end} {by}"));
        out.named_below(indent + 2, &one.by);
    }
}
