//! A line, cut into words as `iptables-restore` cuts it.

use std::borrow::Cow;

/// A word of a line.
#[derive(Clone, Debug)]
pub(in crate::parse) struct Word<'a> {
    /// The word without its quotes.
    pub(in crate::parse) text: Cow<'a, str>,
    /// Whether it was quoted, so that it is never an option.
    pub(in crate::parse) quoted: bool,
    /// First byte in the file.
    pub(in crate::parse) start: usize,
    /// One past the last byte in the file.
    pub(in crate::parse) end: usize,
}

/// The words of a line.
#[derive(Clone, Debug)]
pub(in crate::parse) struct Words<'a> {
    line: &'a str,
    /// Where the line starts in the file.
    base: usize,
    at: usize,
    /// Set once a quote was found that does not close.
    pub(in crate::parse) open_quote: Option<usize>,
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

impl<'a> Words<'a> {
    pub(in crate::parse) fn new(line: &'a str, base: usize) -> Self {
        Self {
            line,
            base,
            at: 0,
            open_quote: None,
        }
    }

    pub(in crate::parse) fn peek(&self) -> Option<Word<'a>> {
        self.clone().next()
    }

    /// The quoted parts of a word that starts at `start`; leaves `at` after it.
    fn quoted(&mut self, start: usize) -> Word<'a> {
        let bytes = self.line.as_bytes();
        let mut text: Vec<u8> = Vec::new();
        let mut open = None;
        let mut at = start;
        while let Some(&byte) = bytes.get(at) {
            match (open, byte) {
                (Some(_), b'\\') if at + 1 < bytes.len() => {
                    at += 1;
                    text.push(bytes[at]);
                }
                (Some(_), b'"') => open = None,
                (None, b'"') => open = Some(at),
                (None, byte) if is_space(byte) => break,
                (_, byte) => text.push(byte),
            }
            at += 1;
        }
        if let Some(open) = open {
            self.open_quote.get_or_insert(self.base + open);
        }
        self.at = at;
        Word {
            text: Cow::Owned(String::from_utf8_lossy(&text).into_owned()),
            quoted: true,
            start: self.base + start,
            end: self.base + at,
        }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let bytes = self.line.as_bytes();
        while bytes.get(self.at).copied().is_some_and(is_space) {
            self.at += 1;
        }
        let start = self.at;
        while let Some(&byte) = bytes.get(self.at) {
            if byte == b'"' {
                return Some(self.quoted(start));
            }
            if is_space(byte) {
                break;
            }
            self.at += 1;
        }
        let text = self
            .line
            .get(start..self.at)
            .filter(|text| !text.is_empty())?;
        Some(Word {
            text: Cow::Borrowed(text),
            quoted: false,
            start: self.base + start,
            end: self.base + self.at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, words: &[&str]) {
        let found: Vec<_> = Words::new(line, 0).map(|word| word.text).collect();
        assert_eq!(found, words);
    }

    #[test]
    fn spaces_part_and_quotes_hold() {
        check("  -j\tDROP  ", &["-j", "DROP"]);
        check(
            r#"--comment "a -j \"DROP\" \\ b" -j X"#,
            &["--comment", r#"a -j "DROP" \ b"#, "-j", "X"],
        );
        check(r#"--log-prefix=""x"#, &["--log-prefix=x"]);
        check(r#"a "" b"#, &["a", "", "b"]);
    }

    #[test]
    fn an_open_quote_is_noticed() {
        let mut words = Words::new(r#"a "b c"#, 10);
        assert_eq!(words.by_ref().count(), 2);
        assert_eq!(words.open_quote, Some(12));
    }
}
