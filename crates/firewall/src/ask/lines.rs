//! Lines of text, wrapped and painted, for the answers to questions.

use surefoot_report::{Paint, Place, Style, escape, wrap};

use super::explain::Explanation;
use super::name::NamedDecider;
use super::phrase::shortened;
use surefoot_netfilter::packet::PacketPath;
use surefoot_netfilter::semantics::End;

/// Characters of a rule that are shown; the JSON has them all.
pub(super) const MOST_OF_A_RULE: usize = 400;

/// What an end is called, and its colour.
pub(super) fn end_word(end: End) -> (&'static str, Paint) {
    match end {
        End::Accepted => ("accepted", Paint::Green),
        End::Dropped => ("dropped", Paint::Red),
        End::Rejected => ("rejected", Paint::Red),
        End::Queued => ("queued for a program to decide", Paint::Yellow),
        End::Unknown => ("unknown", Paint::Yellow),
    }
}

/// What decides an end, behind the word for the end.
pub(super) fn by_words(end: End, by: &str) -> String {
    match end {
        End::Unknown => format!("because of {by}"),
        _ => format!("by {by}"),
    }
}

/// Several ends that are possible: `possibly accepted or dropped`.
pub(super) fn possible_ends(ends: impl IntoIterator<Item = End>) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut unknown = false;
    for end in ends {
        let word = end_word(end).0;
        if end == End::Unknown {
            unknown = true;
        } else if !words.contains(&word) {
            words.push(word);
        }
    }
    let Some((last, before)) = words.split_last() else {
        return "unknown".to_owned();
    };
    let words = if before.is_empty() {
        (*last).to_owned()
    } else {
        format!("{} or {last}", before.join(", "))
    };
    if unknown {
        format!("possibly {words}, but not all that can happen is known")
    } else {
        format!("possibly {words}")
    }
}

/// `this`, `this and that`, `this, that and more`.
pub(super) fn listed_words(words: &[String]) -> String {
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        Some((last, _)) => last.clone(),
        None => String::new(),
    }
}

/// Describes the way of a packet.
pub(super) fn path_words(way: PacketPath) -> &'static str {
    match way {
        PacketPath::Input => "addressed to this host",
        PacketPath::Forward => "passes through this host",
        PacketPath::Output => "sent by this host",
    }
}

/// What a rule has counted.
pub(super) fn packets_words(packets: u64) -> String {
    match packets {
        1 => "1 packet".into(),
        packets => format!("{packets} packets"),
    }
}

/// Where a rule stands and what it has counted.
pub(super) fn place_words(place: Option<&Place>, packets: Option<u64>) -> String {
    let mut parts: Vec<String> = place.map(ToString::to_string).into_iter().collect();
    parts.extend(packets.map(packets_words));
    parts.join(", ")
}

/// A text that grows line by line.
pub(super) struct AnswerLines {
    pub(super) style: Style,
    width: usize,
    text: String,
}

impl AnswerLines {
    pub(super) fn new(style: Style, width: usize) -> Self {
        Self {
            style,
            width: width.clamp(40, 160),
            text: String::new(),
        }
    }

    pub(super) fn finish(self) -> String {
        self.text
    }

    /// The packet that shows the answer, then what the answer takes for granted.
    pub(super) fn finish_with(mut self, packet: Option<&Explanation>, notes: &[String]) -> String {
        if let Some(packet) = packet {
            self.blank();
            self.text.push_str(&packet.text(self.style, self.width));
            if !notes.is_empty() {
                self.blank();
            }
        }
        for note in notes {
            self.write_listed("note: ", Paint::Faint, note);
        }
        self.finish()
    }

    /// The packet that is asked about, and what is taken for granted.
    pub(super) fn write_question(&mut self, packet: &str, way: &str, assumed: &[String]) {
        self.line(0, Paint::Strong, packet);
        self.write_wrapped(2, None, way);
        for note in assumed {
            self.write_wrapped(2, None, note);
        }
        self.blank();
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// A line that is painted already.
    pub(super) fn raw(&mut self, indent: usize, line: &str) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(super) fn line(&mut self, indent: usize, paint: Paint, line: &str) {
        let painted = self.style.paint(paint, &escape(line));
        self.raw(indent, &painted);
    }

    fn room_behind(&self, indent: usize) -> usize {
        self.width.saturating_sub(indent).max(30)
    }

    fn paint_line(&self, paint: Option<Paint>, line: &str) -> String {
        match paint {
            Some(paint) => self.style.paint(paint, line),
            None => line.to_owned(),
        }
    }

    pub(super) fn write_wrapped(&mut self, indent: usize, paint: Option<Paint>, sentence: &str) {
        for line in wrap(&escape(sentence), self.room_behind(indent)) {
            let line = self.paint_line(paint, &line);
            self.raw(indent, &line);
        }
    }

    /// A sentence behind a painted word, its other lines below its first.
    pub(super) fn write_hanging(
        &mut self,
        indent: usize,
        head: &str,
        body: usize,
        paint: Option<Paint>,
        text: &str,
    ) {
        let lines = wrap(&escape(text), self.room_behind(body));
        let mut lines = lines.into_iter();
        let first = lines.next().unwrap_or_default();
        let first = self.paint_line(paint, &first);
        self.raw(indent, &format!("{head}{first}"));
        for line in lines {
            let line = self.paint_line(paint, &line);
            // The second line of a rule stands a little further in, so that it does not look like another.
            self.raw(body + 2, &line);
        }
    }

    pub(super) fn write_listed(&mut self, word: &str, paint: Paint, sentence: &str) {
        let head = self.style.paint(paint, word);
        self.hanging_plain(&head, word.chars().count(), sentence);
    }

    fn hanging_plain(&mut self, head: &str, body: usize, sentence: &str) {
        let mut lines = wrap(&escape(sentence), self.room_behind(body)).into_iter();
        let first = lines.next().unwrap_or_default();
        self.raw(0, &format!("{head}{first}"));
        for line in lines {
            self.raw(body, &line);
        }
    }

    /// The words and the place of what decides.
    pub(super) fn named_below(&mut self, indent: usize, by: &NamedDecider) {
        let place = place_words(by.place.as_ref(), by.packets);
        if by.text.is_empty() {
            self.write_wrapped(indent, Some(Paint::Faint), &place);
        } else {
            let text = shortened(&by.text, MOST_OF_A_RULE);
            let left = self.with_place(indent, "", indent, None, &text, &place);
            self.write_wrapped(indent, Some(Paint::Faint), &left);
        }
    }

    /// A rule with its place at the right edge, if both fit on a line; gives the place back if not.
    pub(super) fn with_place(
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
        let room = self.room_behind(body);
        if rest > 0 && letters + 3 + rest <= room {
            let gap = " ".repeat(room - letters - rest);
            let text = self.paint_line(paint, &text);
            let place = self.paint_line(Some(Paint::Faint), &place);
            self.raw(indent, &format!("{head}{text}{gap}{place}"));
            String::new()
        } else {
            self.write_hanging(indent, head, body, paint, &text);
            place.into_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::possible_ends;
    use surefoot_netfilter::semantics::End::{Accepted, Dropped, Rejected, Unknown};

    #[test]
    fn possible_ends_make_a_sentence() {
        assert_eq!(possible_ends([Accepted]), "possibly accepted");
        assert_eq!(
            possible_ends([Accepted, Accepted, Dropped]),
            "possibly accepted or dropped"
        );
        assert_eq!(
            possible_ends([Accepted, Dropped, Rejected]),
            "possibly accepted, dropped or rejected"
        );
        assert_eq!(
            possible_ends([Unknown, Accepted]),
            "possibly accepted, but not all that can happen is known"
        );
        assert_eq!(possible_ends([Unknown]), "unknown");
        assert_eq!(possible_ends([]), "unknown");
    }
}
