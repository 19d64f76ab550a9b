//! A comparison as text for a terminal.

use surefoot_report::{Paint, Style};

use super::super::lines::{AnswerLines, by_words, end_word};
use super::super::name::NamedKind;
use super::{DecidedEnd, DiffVerdict, Difference, FateChange};
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
        if !self.notes.is_empty() {
            out.blank();
        }
        for note in &self.notes {
            out.write_listed("note: ", Paint::Faint, note);
        }
        out.finish()
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
