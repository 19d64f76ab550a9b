//! The answer for people: what stands in the way, then what to type.

use surefoot_report::{Paint, Style};

use super::{Obstacle, Want, WhyNot};
use crate::ask::lines::{Lines, end_word, path_words, place_words};
use crate::ask::phrase::shortened;

impl WhyNot {
    /// The answer as text of about `width` columns.
    pub fn text(&self, style: Style, width: usize) -> String {
        let mut out = Lines::new(style, width);
        out.question(&self.packet, path_words(self.way), &self.assumed);
        let (wanted, paint) = end_word(self.want.end());
        if self.already {
            out.line(0, paint, &format!("already {wanted}, certainly"));
            self.notes(&mut out);
            return out.finish();
        }
        let mut ends: Vec<&str> = Vec::new();
        for (end, _) in &self.now {
            let word = end_word(*end).0;
            if !ends.contains(&word) {
                ends.push(word);
            }
        }
        let now = match ends.as_slice() {
            [] => "unknown".to_owned(),
            [one] => (*one).to_owned(),
            several => format!("possibly {}", several.join(", possibly ")),
        };
        out.line(
            0,
            Paint::Strong,
            &format!("{now}; certainly {wanted} is wanted"),
        );
        for (end, by) in &self.now {
            let (word, paint) = end_word(*end);
            let head = format!("{} ", out.style.paint(paint, word));
            let body = 2 + word.chars().count() + 1;
            out.hanging(2, &head, body, None, &format!("by {}", by.name));
            out.named_below(4, by);
        }
        self.sets(&mut out, wanted);
        self.commands(&mut out, wanted);
        self.notes(&mut out);
        out.finish()
    }

    fn sets(&self, out: &mut Lines, wanted: &str) {
        out.blank();
        let Some(first) = self.in_the_way.first() else {
            let what = if self.complete {
                "Taking away up to three rules and policies does not do it."
            } else {
                "The search for what is in the way was stopped: it takes too many tries."
            };
            out.wrapped(0, None, what);
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
                self.obstacle(out, obstacle);
            }
        }
        let them = if one { "it" } else { "them" };
        let what = format!("Without {them} the packet is certainly {wanted}: this was tried.");
        out.wrapped(0, None, &what);
    }

    fn obstacle(&self, out: &mut Lines, obstacle: &Obstacle) {
        if obstacle.policy {
            let other = if self.want == Want::Accept {
                "accept"
            } else {
                "drop"
            };
            let name = format!("{}, were it {other}", obstacle.what.name);
            let place = place_words(obstacle.what.place.as_ref(), obstacle.what.packets);
            out.raw(2, &name);
            out.wrapped(4, Some(Paint::Faint), &place);
        } else {
            out.raw(2, &shortened(&obstacle.what.name, 200));
            out.named_below(4, &obstacle.what);
        }
    }

    fn commands(&self, out: &mut Lines, wanted: &str) {
        out.blank();
        if self.insertions.is_empty() {
            out.wrapped(
                0,
                None,
                &format!("No rule that could be inserted makes it certainly {wanted}."),
            );
            return;
        }
        let head = match self.insertions.as_slice() {
            [_] => format!("To have just this kind of packet {wanted}:"),
            _ => format!("To have just this kind of packet {wanted}, in this order:"),
        };
        out.line(0, Paint::Strong, &head);
        for insertion in &self.insertions {
            // A command is one line, however wide, so that it can be copied.
            out.line(2, Paint::Blue, &insertion.command);
        }
    }

    fn notes(&self, out: &mut Lines) {
        if !self.notes.is_empty() {
            out.blank();
        }
        for note in &self.notes {
            out.listed("note: ", Paint::Yellow, note);
        }
    }
}
