//! The new rules as text for a terminal.

use surefoot_report::{Paint, Style};

use super::super::diff::change_lines;
use super::super::lines::{AnswerLines, path_words};
use super::{MadeRules, MakeOutcome, PacketScope};

impl MadeRules {
    /// The rules, where they go, and what is proved of them.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = AnswerLines::new(style, width);
        let (word, paint) = match self.outcome {
            MakeOutcome::Already => ("holds already: ", Paint::Green),
            MakeOutcome::Made => ("can be made: ", Paint::Green),
            MakeOutcome::Refused => ("not made: ", Paint::Red),
        };
        out.write_listed(word, paint, &self.assertion);
        if let Some(why) = &self.refusal {
            out.write_wrapped(2, None, why);
        }
        if !self.decided_before.is_empty() {
            let now = match self.outcome {
                MakeOutcome::Refused => "these decide otherwise about some of the packets:",
                _ => "these decide otherwise now; such packets will no longer reach them:",
            };
            out.write_wrapped(2, None, now);
            for one in &self.decided_before {
                out.write_wrapped(4, None, &one.name);
                out.named_below(6, one);
            }
        }
        for (at, made) in self.insertions.iter().enumerate() {
            out.blank();
            let rule = if self.insertions.len() > 1 {
                format!("rule {}: {}", at + 1, made.rule)
            } else {
                format!("rule: {}", made.rule)
            };
            out.write_wrapped(2, Some(Paint::Strong), &rule);
            match &made.before {
                Some(before) => {
                    out.write_wrapped(
                        4,
                        None,
                        &format!("into {}, before {}", made.chain, before.name),
                    );
                    out.named_below(6, before);
                }
                None => out.write_wrapped(4, None, &format!("at the end of {}", made.chain)),
            }
        }
        if self.outcome == MakeOutcome::Made {
            out.blank();
            let scopes = listed(&self.scopes);
            if self.exceptions.is_empty() {
                out.write_wrapped(
                    2,
                    None,
                    &format!("proved: the sentence holds afterwards ({scopes})"),
                );
            } else {
                let but = format!(
                    "proved: the sentence holds afterwards ({scopes}), but for packets that these match before, as they do now:"
                );
                out.write_wrapped(2, Some(Paint::Yellow), &but);
                for one in &self.exceptions {
                    out.write_wrapped(4, None, &one.name);
                    out.named_below(6, one);
                }
            }
            out.write_wrapped(
                2,
                None,
                &format!(
                    "proved: nothing changes for any other packet ({})",
                    listed(&self.unchanged)
                ),
            );
        }
        if !self.insertions.is_empty() {
            out.blank();
            out.write_wrapped(2, None, "commands:");
            for command in self.commands() {
                out.raw(4, command);
            }
        }
        if let Some(changes) = &self.other_changes {
            for change in &changes.changes {
                change_lines(&mut out, change, 2);
            }
        }
        out.finish_with(None, &self.notes)
    }

    /// The commands, in order.
    pub fn commands(&self) -> Vec<&str> {
        let all = self.insertions.iter().flat_map(|made| &made.commands);
        all.map(String::as_str).collect()
    }
}

/// The packets that were looked at: `IPv4 and IPv6: addressed to this host, sent by this host`.
fn listed(scopes: &[PacketScope]) -> String {
    let ways = |v6: bool| {
        let of = scopes.iter().filter(|scope| scope.v6 == v6);
        let words: Vec<&str> = of.map(|scope| path_words(scope.way)).collect();
        words.join(", ")
    };
    let families = [("IPv4", ways(false)), ("IPv6", ways(true))];
    match &families {
        [(_, fours), (_, sixes)] if fours == sixes => format!("IPv4 and IPv6: {fours}"),
        both => {
            let there = both.iter().filter(|(_, ways)| !ways.is_empty());
            let words: Vec<String> = there
                .map(|(name, ways)| format!("{name}: {ways}"))
                .collect();
            words.join("; ")
        }
    }
}
