//! A text that was read, and places in it.

use serde::{Deserialize, Serialize};

/// A half-open range of bytes in a text.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range from `start` up to, not including, `end`.
    pub fn new(start: usize, end: usize) -> Self {
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Self {
            start: clamp(start),
            end: clamp(end),
        }
    }
}

/// A line and a column, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A named text: a file, or what a command printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// A path, or the command line whose output this is.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Byte at which each line starts.
    line_starts: Vec<u32>,
    /// The parts of a text that was put together from files, by their places.
    parts: Vec<SourcePart>,
}

/// A part of a text that stands in another file.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SourcePart {
    start: u32,
    name: String,
    /// How many lines the file has before the part, less those that the text has.
    shift: i64,
}

impl Source {
    /// Names a text. Only the first 4 GiB can be pointed at.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let after_newline = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map_while(|(at, _)| u32::try_from(at + 1).ok());
        let line_starts = std::iter::once(0).chain(after_newline).collect();
        Self {
            name: name.into(),
            text,
            line_starts,
            parts: Vec::new(),
        }
    }

    /// Names a text that is put together from files. Of each part: the byte at which it begins, its
    /// file, and the number of its first line there.
    pub fn of_parts(
        name: impl Into<String>,
        text: impl Into<String>,
        parts: Vec<(usize, String, u32)>,
    ) -> Self {
        let mut source = Self::new(name, text);
        source.parts = parts
            .into_iter()
            .map(|(start, name, line)| {
                let start = u32::try_from(start).unwrap_or(u32::MAX);
                SourcePart {
                    start,
                    name,
                    shift: i64::from(line) - i64::from(source.line(start)),
                }
            })
            .collect();
        source
    }

    /// The name of the file in which a byte stands.
    pub fn name_at(&self, byte: u32) -> &str {
        self.part_at(byte).map_or(&self.name, |part| &part.name)
    }

    fn part_at(&self, byte: u32) -> Option<&SourcePart> {
        let behind = self.parts.partition_point(|part| part.start <= byte);
        self.parts.get(behind.checked_sub(1)?)
    }

    /// The number of a line in the file in which the byte stands.
    fn line_in_file(&self, byte: u32, line: u32) -> u32 {
        let shift = self.part_at(byte).map_or(0, |part| part.shift);
        u32::try_from(i64::from(line) + shift).unwrap_or(line)
    }

    /// The line and column of a byte; past the end it is the place just after the last character.
    pub fn position(&self, byte: u32) -> Position {
        let line = self
            .line_starts
            .partition_point(|start| *start <= byte)
            .max(1)
            - 1;
        let start = self.line_starts[line] as usize;
        let mut end = (byte as usize).min(self.text.len()).max(start);
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let column = self.text[start..end].chars().count();
        let count = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        Position {
            line: self.line_in_file(byte, count(line)),
            column: count(column),
        }
    }

    /// The line of a byte, from 1: what [`Source::position`] says, without counting characters.
    pub fn line(&self, byte: u32) -> u32 {
        let line = self.line_starts.partition_point(|start| *start <= byte);
        self.line_in_file(byte, u32::try_from(line.max(1)).unwrap_or(u32::MAX))
    }

    /// The text of a range; empty where the range is not one of this text.
    pub fn slice(&self, span: Span) -> &str {
        self.text
            .get(span.start as usize..span.end as usize)
            .unwrap_or("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, byte: u32) -> (u32, u32) {
        let position = Source::new("t", text).position(byte);
        (position.line, position.column)
    }

    #[test]
    fn lines_and_columns_count_from_one() {
        assert_eq!(at("ab\ncd", 0), (1, 1));
        assert_eq!(at("ab\ncd", 2), (1, 3));
        assert_eq!(at("ab\ncd", 3), (2, 1));
        assert_eq!(at("ab\ncd", 4), (2, 2));
    }

    #[test]
    fn the_line_alone_is_the_line_of_the_position() {
        let source = Source::new("t", "ab\n\ncd\n");
        for byte in [0, 1, 2, 3, 4, 6, 7, 99] {
            assert_eq!(source.line(byte), source.position(byte).line);
        }
    }

    #[test]
    fn columns_count_characters_and_never_split_one() {
        assert_eq!(at("é!", 2), (1, 2));
        assert_eq!(at("é!", 1), (1, 1));
    }

    #[test]
    fn past_the_end_is_just_after_the_last_character() {
        assert_eq!(at("ab", 99), (1, 3));
        assert_eq!(at("", 0), (1, 1));
    }
}
