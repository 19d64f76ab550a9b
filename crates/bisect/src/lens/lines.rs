//! Text as logical lines, and the lens that takes each line by itself.

use std::ops::Range;

use super::ConfigNode;

/// A line with what continues it.
pub(super) struct LogicalLine<'a> {
    /// Its bytes, with the end of the line.
    pub(super) span: Range<usize>,
    /// Where its text begins behind the indentation.
    pub(super) start: usize,
    /// The text without blanks around it; not UTF-8 is replaced.
    pub(super) text: std::borrow::Cow<'a, str>,
}

impl LogicalLine<'_> {
    /// Whether nothing but a comment is in it.
    pub(super) fn is_trivia(&self, comments: &[char]) -> bool {
        self.text.is_empty() || self.text.starts_with(comments)
    }

    /// The first word, up to a blank, `=` or `:`.
    pub(super) fn word(&self) -> &str {
        let end = self
            .text
            .find(|letter: char| letter.is_whitespace() || letter == '=' || letter == ':');
        &self.text[..end.unwrap_or(self.text.len())]
    }

    /// The node of a statement.
    pub(super) fn statement(&self) -> ConfigNode {
        ConfigNode {
            span: self.span.clone(),
            start: self.start,
            word: self.word().to_owned(),
            includes: vec![],
            children: vec![],
            is_block: false,
        }
    }
}

/// Splits a text into lines; a backslash at its end continues a line that is no comment.
pub(super) fn logical_lines<'a>(text: &'a [u8], comments: &[char]) -> Vec<LogicalLine<'a>> {
    let mut lines = Vec::new();
    let mut begin = 0;
    while begin < text.len() {
        let mut end = end_of_line(text, begin);
        let first = String::from_utf8_lossy(&text[begin..end]);
        let is_comment = first.trim_start().starts_with(comments);
        while !is_comment && is_continued(&text[begin..end]) && end < text.len() {
            end = end_of_line(text, end);
        }
        let whole = &text[begin..end];
        let indent = whole
            .iter()
            .take_while(|byte| b" \t".contains(byte))
            .count();
        let body = whole.trim_ascii();
        lines.push(LogicalLine {
            span: begin..end,
            start: begin + indent,
            text: String::from_utf8_lossy(body),
        });
        begin = end;
    }
    lines
}

/// Where the next line begins.
pub(super) fn end_of_line(text: &[u8], from: usize) -> usize {
    let found = text[from..].iter().position(|byte| *byte == b'\n');
    found.map_or(text.len(), |at| from + at + 1)
}

fn is_continued(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let slashes = line.iter().rev().take_while(|byte| **byte == b'\\').count();
    slashes % 2 == 1
}

/// Each line that is no comment.
pub(super) fn parse_lines(text: &[u8]) -> Vec<ConfigNode> {
    const COMMENTS: &[char] = &['#', ';'];
    let lines = logical_lines(text, COMMENTS);
    let statements = lines.iter().filter(|line| !line.is_trivia(COMMENTS));
    statements.map(LogicalLine::statement).collect()
}
