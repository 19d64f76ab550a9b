//! Colour, and making words from a machine safe to show.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::Severity;

/// Whether text is painted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    #[default]
    Plain,
    /// With the escape sequences of ECMA-48 that every terminal knows.
    Colour,
}

/// What a word is for; each has a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paint {
    /// Something to look at first.
    Strong,
    /// Something that may be skipped.
    Faint,
    /// Bad.
    Red,
    /// Doubtful.
    Yellow,
    /// Good.
    Green,
    /// A name or a command.
    Blue,
}

impl Style {
    /// The words in a colour.
    pub fn paint(self, paint: Paint, words: &str) -> String {
        if self == Self::Plain || words.is_empty() {
            return words.to_owned();
        }
        let code = match paint {
            Paint::Strong => "1",
            Paint::Faint => "2",
            Paint::Red => "1;31",
            Paint::Yellow => "33",
            Paint::Green => "32",
            Paint::Blue => "36",
        };
        format!("\u{1b}[{code}m{words}\u{1b}[0m")
    }

    /// The word of a severity in its colour.
    pub(crate) fn severity(self, severity: Severity) -> String {
        let paint = match severity {
            Severity::Critical | Severity::High => Paint::Red,
            Severity::Warning => Paint::Yellow,
            Severity::Note => Paint::Blue,
        };
        self.paint(paint, severity.word())
    }
}

/// Makes what would command a terminal, or reorder its text, visible: control characters,
/// bidirectional overrides and invisible marks become `\u{…}`.
///
/// A rule's comment, a process's name and a file's line are foreign text.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '\n' => safe.push_str("\\n"),
            '\t' => safe.push_str("\\t"),
            '\r' => safe.push_str("\\r"),
            _ if is_harmful(char) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(char));
            }
            _ => safe.push(char),
        }
    }
    Cow::Owned(safe)
}

/// JSON in which what would command a terminal is written as `\uXXXX`: the same document to a
/// program, harmless to a person who looks at it.
pub fn escape_json(json: String) -> String {
    // Outside of strings JSON has blanks, tabs and newlines, and nothing else that is harmful.
    let harmful = |char: char| char >= '\u{7f}' && is_harmful(char);
    if !json.chars().any(harmful) {
        return json;
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for char in json.chars() {
        if harmful(char) {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _ = write!(safe, "\\u{unit:04x}");
            }
        } else {
            safe.push(char);
        }
    }
    safe
}

fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
            // No characters at all: XML forbids the last two.
            | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_becomes_visible() {
        assert_eq!(escape("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(escape("a\nb\tc\r"), "a\\nb\\tc\\r");
        assert_eq!(escape("\u{9b}31m"), "\\u{9b}31m");
        assert_eq!(escape("\u{202e}txt"), "\\u{202e}txt");
    }

    #[test]
    fn json_says_the_same_and_commands_nothing() {
        let text = "a\u{9b}31m\u{202e}\u{7f}\u{e0041} é\n";
        let json = escape_json(serde_json::to_string_pretty(&[text]).unwrap());
        assert!(
            !json.chars().any(|char| char != '\n' && is_harmful(char)),
            "{json}"
        );
        let back: Vec<String> = serde_json::from_str(&json).unwrap();
        assert_eq!(back, [text]);
    }

    #[test]
    fn letters_of_every_script_stay() {
        assert!(matches!(escape("Gästezugang 出口 🙂"), Cow::Borrowed(_)));
    }
}
