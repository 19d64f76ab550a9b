//! A proof as text for a terminal.

use surefoot_report::{Paint, Style};

use super::super::lines::Lines;
use super::{Proof, Verdict};

impl Proof {
    /// The answer, and the packet that shows it.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = Lines::new(style, width);
        let (word, paint) = match self.verdict {
            Verdict::Holds => ("holds: ", Paint::Green),
            Verdict::Empty => ("means no packet: ", Paint::Red),
            Verdict::Open => ("not proved: ", Paint::Yellow),
            Verdict::Unknown => ("unknown: ", Paint::Yellow),
            Verdict::Fails => ("fails: ", Paint::Red),
        };
        out.listed(word, paint, &self.assertion);
        let scopes: Vec<String> = self.scopes.iter().map(|scope| scope.words()).collect();
        if !scopes.is_empty() {
            out.wrapped(2, None, &format!("looked at: {}", scopes.join("; ")));
        }
        match self.verdict {
            Verdict::Empty => out.wrapped(
                2,
                None,
                "no packet is like that: the words contradict each other, or what is known of this host",
            ),
            Verdict::Open if !self.hangs.is_empty() => out.wrapped(2, None, "it depends on what cannot be known:"),
            Verdict::Unknown if self.witness.is_some() => out.wrapped(
                2,
                None,
                "the two evaluators do not agree about this packet: this is a defect of surefoot, please report it",
            ),
            Verdict::Holds | Verdict::Open | Verdict::Unknown => {}
            Verdict::Fails => out.wrapped(2, None, "this packet shows it:"),
        }
        for rule in &self.hangs {
            out.wrapped(4, None, &rule.name);
            out.named_below(6, rule);
        }
        for note in &self.notes {
            out.listed("note: ", Paint::Faint, note);
        }
        let mut text = out.finish();
        if let Some(witness) = &self.witness {
            text.push('\n');
            text.push_str(&witness.text(style, width));
        }
        text
    }
}
