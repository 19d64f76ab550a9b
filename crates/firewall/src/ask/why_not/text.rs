//! The answer for people: what stands in the way, then what to type.

use surefoot_report::{Paint, Style};

use super::{Obstacle, WantedEnd, WhyNot};
use crate::ask::lines::{AnswerLines, by_words, end_word, path_words, place_words, possible_ends};
use crate::ask::phrase::shortened;
use surefoot_netfilter::semantics::End;

impl WhyNot {
    /// The answer as text of about `width` columns.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = AnswerLines::new(style, width);
        out.write_question(&self.packet, path_words(self.way), &self.assumed);
        let (wanted, paint) = end_word(self.want.end());
        if self.already {
            out.line(0, paint, &format!("already {wanted}, certainly"));
            self.write_notes(&mut out);
            return out.finish();
        }
        let one = self.now.split_first().filter(|(first, others)| {
            first.0 != End::Unknown && others.iter().all(|(end, _)| *end == first.0)
        });
        let now = match one {
            // What the rules say is wanted, but not all rules are known.
            Some((first, _)) if self.doubtful => format!(
                "{}, as far as is known; you want it certainly {wanted}",
                end_word(first.0).0
            ),
            Some((first, _)) => {
                format!("{}, certainly; you want it {wanted}", end_word(first.0).0)
            }
            None => {
                let ends = possible_ends(self.now.iter().map(|(end, _)| *end));
                format!("{ends}; you want it certainly {wanted}")
            }
        };
        out.line(0, Paint::Strong, &now);
        for (end, by) in &self.now {
            let (word, paint) = end_word(*end);
            let head = format!("{} ", out.style.paint(paint, word));
            let body = 2 + word.chars().count() + 1;
            out.write_hanging(2, &head, body, None, &by_words(*end, &by.name));
            out.named_below(4, by);
        }
        if one.is_none_or(|(first, _)| first.0 != self.want.end()) {
            self.write_sets(&mut out, wanted);
            self.write_commands(&mut out, wanted);
        }
        self.write_notes(&mut out);
        out.finish()
    }

    fn write_sets(&self, out: &mut AnswerLines, wanted: &str) {
        out.blank();
        let Some(first) = self.in_the_way.first() else {
            let what = if self.complete {
                format!(
                    "Nothing that could be taken away, up to three rules and policies together, gets it certainly {wanted}."
                )
            } else {
                "The search for what is in the way was stopped: it takes too many tries.".to_owned()
            };
            out.write_wrapped(0, None, &what);
            return;
        };
        let one = first.len() == 1;
        let what = if one {
            "in the way:"
        } else {
            "in the way, together:"
        };
        out.line(0, Paint::Strong, what);
        for (nth, set) in self.in_the_way.iter().enumerate() {
            if nth > 0 {
                out.raw(0, if one { "or:" } else { "or, together:" });
            }
            for obstacle in set {
                self.write_obstacle(out, obstacle);
            }
        }
        let them = if one { "it" } else { "them" };
        let what = if self.doubtful {
            format!("Without {them} the packet is {wanted}, as far as is known: this was tried.")
        } else {
            format!("Without {them} the packet is certainly {wanted}: this was tried.")
        };
        out.write_wrapped(0, None, &what);
    }

    fn write_obstacle(&self, out: &mut AnswerLines, obstacle: &Obstacle) {
        if obstacle.policy {
            let other = if self.want == WantedEnd::Accept {
                "accept"
            } else {
                "drop"
            };
            let name = format!("{}, were it {other}", obstacle.what.name);
            let place = place_words(obstacle.what.place.as_ref(), obstacle.what.packets);
            out.raw(2, &name);
            out.write_wrapped(4, Some(Paint::Faint), &place);
        } else {
            out.raw(2, &shortened(&obstacle.what.name, 200));
            out.named_below(4, &obstacle.what);
        }
    }

    fn write_commands(&self, out: &mut AnswerLines, wanted: &str) {
        out.blank();
        if self.insertions.is_empty() {
            out.write_wrapped(
                0,
                None,
                &format!("No rule that could be inserted makes it certainly {wanted}."),
            );
            return;
        }
        let head = match self.insertions.as_slice() {
            [_] => format!("To have just this kind of packet {wanted}, insert a rule:"),
            several => format!(
                "To have just this kind of packet {wanted}, insert {} rules, in this order:",
                several.len()
            ),
        };
        out.line(0, Paint::Strong, &head);
        for insertion in &self.insertions {
            // A command is one line, however wide, so that it can be copied.
            out.line(2, Paint::Blue, &insertion.command);
        }
    }

    fn write_notes(&self, out: &mut AnswerLines) {
        if !self.notes.is_empty() {
            out.blank();
        }
        for note in &self.notes {
            out.write_listed("note: ", Paint::Yellow, note);
        }
    }
}
