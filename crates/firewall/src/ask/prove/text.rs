//! A proof as text for a terminal.

use surefoot_report::{Paint, Style};

use super::super::lines::AnswerLines;
use super::{Proof, ProofVerdict};

impl Proof {
    /// The answer, and the packet that shows it.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = AnswerLines::new(style, width);
        let (word, paint) = match self.verdict {
            ProofVerdict::Holds => ("holds: ", Paint::Green),
            ProofVerdict::Empty => ("means no packet: ", Paint::Red),
            ProofVerdict::Open => ("not proved: ", Paint::Yellow),
            ProofVerdict::Unknown => ("unknown: ", Paint::Yellow),
            ProofVerdict::Fails => ("fails: ", Paint::Red),
        };
        out.write_listed(word, paint, &self.assertion);
        let scopes: Vec<String> = self.scopes.iter().map(|scope| scope.words()).collect();
        if !scopes.is_empty() {
            out.write_wrapped(2, None, &format!("looked at: {}", scopes.join("; ")));
        }
        match self.verdict {
            ProofVerdict::Empty => out.write_wrapped(
                2,
                None,
                "no such packet exists: the words contradict each other, or what is known of this host",
            ),
            ProofVerdict::Open if !self.hangs.is_empty() => out.write_wrapped(2, None, "it depends on what cannot be known:"),
            ProofVerdict::Unknown if self.witness.is_some() => out.write_wrapped(
                2,
                None,
                "the two evaluators do not agree about this packet: this is a defect of surefoot, please report it",
            ),
            ProofVerdict::Holds | ProofVerdict::Open | ProofVerdict::Unknown => {}
            ProofVerdict::Fails => out.write_wrapped(2, None, "this packet shows it:"),
        }
        for rule in &self.hangs {
            out.write_wrapped(4, None, &rule.name);
            out.named_below(6, rule);
        }
        out.finish_with(self.witness.as_ref(), &self.notes)
    }
}
