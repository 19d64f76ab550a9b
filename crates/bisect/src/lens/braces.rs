//! The lens of statements that end with `;` and blocks in braces: nginx and BIND.
//!
//! Brackets are kept on a list and not on the stack, so that no depth of nesting ends the program.

use super::lines::end_of_line;
use super::{ConfigNode, DEEPEST, split_words};

/// How far the first words of a statement are looked for.
const LONGEST_HEAD: usize = 4096;

/// What the two syntaxes do not share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BraceStyle {
    /// Comments begin with `#`; a block ends with its brace.
    Nginx,
    /// Comments are those of C, C++ and the shell; a block ends with `;`.
    Bind,
}

/// A block whose brace is not closed yet.
struct OpenBlock {
    start: usize,
    /// Where its first brace is.
    brace: usize,
    children: Vec<ConfigNode>,
    /// Whether it has several pairs of braces, and so is one statement.
    is_compound: bool,
}

struct BraceReader<'a> {
    text: &'a [u8],
    style: BraceStyle,
    at: usize,
    open: Vec<OpenBlock>,
    top: Vec<ConfigNode>,
    /// Where the statement that is being read begins.
    begun: Option<usize>,
    /// A block of BIND that was closed and waits for its `;`.
    closed: Option<OpenBlock>,
}

/// Reads statements and blocks. What is not closed at the end is a statement.
pub(super) fn parse_braces(text: &[u8], style: BraceStyle) -> Vec<ConfigNode> {
    let mut reader = BraceReader {
        text,
        style,
        at: 0,
        open: vec![],
        top: vec![],
        begun: None,
        closed: None,
    };
    while reader.at < text.len() {
        reader.step();
    }
    reader.finish()
}

impl BraceReader<'_> {
    fn step(&mut self) {
        let byte = self.text[self.at];
        if byte.is_ascii_whitespace() {
            self.at += 1;
            return;
        }
        if let Some(end) = self.comment_end() {
            self.at = end;
            return;
        }
        match byte {
            b';' => {
                self.at += 1;
                self.end_statement();
            }
            b'{' => {
                let start = self.begun.take().unwrap_or(self.at);
                let (start, is_compound) = match self.closed.take() {
                    Some(block) => (block.start, true),
                    None => (start, false),
                };
                self.open.push(OpenBlock {
                    start,
                    brace: self.at,
                    children: vec![],
                    is_compound,
                });
                self.at += 1;
            }
            b'}' => self.close_brace(),
            _ => {
                self.begun.get_or_insert(self.at);
                self.skip_word();
            }
        }
    }

    /// Where the comment ends that begins here.
    fn comment_end(&self) -> Option<usize> {
        let rest = &self.text[self.at..];
        if rest.starts_with(b"#") {
            return Some(end_of_line(self.text, self.at));
        }
        if self.style == BraceStyle::Nginx {
            return None;
        }
        if rest.starts_with(b"//") {
            return Some(end_of_line(self.text, self.at));
        }
        rest.starts_with(b"/*").then(|| {
            let found = rest.windows(2).skip(2).position(|pair| pair == b"*/");
            found.map_or(self.text.len(), |at| self.at + at + 4)
        })
    }

    /// Goes behind a word; in quotes everything belongs to it, and `${` opens no block.
    fn skip_word(&mut self) {
        while self.at < self.text.len() {
            match self.text[self.at] {
                b'"' => self.skip_quoted(b'"'),
                b'\'' if self.style == BraceStyle::Nginx => self.skip_quoted(b'\''),
                b'\\' => self.at += 2,
                b'$' if self.text.get(self.at + 1) == Some(&b'{') => {
                    let rest = &self.text[self.at..];
                    let end = rest.iter().position(|byte| *byte == b'}' || *byte == b'\n');
                    self.at += end.map_or(rest.len(), |end| end + 1);
                }
                b';' | b'{' | b'}' => break,
                byte if byte.is_ascii_whitespace() => break,
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(self.text.len());
    }

    fn skip_quoted(&mut self, quote: u8) {
        self.at += 1;
        while self.at < self.text.len() {
            match self.text[self.at] {
                b'\\' => self.at += 2,
                byte if byte == quote => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1,
            }
        }
        self.at = self.at.min(self.text.len());
    }

    fn end_statement(&mut self) {
        let end = self.at;
        if let Some(block) = self.closed.take() {
            let is_whole = self.begun.take().is_none();
            self.add_block(block, end, is_whole);
        } else if let Some(start) = self.begun.take() {
            let node = self.node(start, end);
            self.add(node);
        }
    }

    fn close_brace(&mut self) {
        self.settle_unfinished();
        self.at += 1;
        let Some(block) = self.open.pop() else {
            return;
        };
        if self.style == BraceStyle::Nginx {
            self.add_block(block, self.at, true);
        } else {
            self.closed = Some(block);
        }
    }

    /// What was begun and has no end before a brace or the end of the text is a statement.
    fn settle_unfinished(&mut self) {
        let end = self.end_of_text();
        if let Some(block) = self.closed.take() {
            let is_whole = self.begun.take().is_none();
            self.add_block(block, end, is_whole);
        } else if let Some(start) = self.begun.take() {
            let node = self.node(start, end.max(start));
            self.add(node);
        }
    }

    /// Behind the last byte before this place that is no blank.
    fn end_of_text(&self) -> usize {
        let blanks = self.text[..self.at]
            .iter()
            .rev()
            .take_while(|byte| byte.is_ascii_whitespace());
        self.at - blanks.count()
    }

    fn add_block(&mut self, block: OpenBlock, end: usize, is_whole: bool) {
        // Of a block only the head tells: what is inside was read already, and may be long.
        let mut node = self.node_of_head(block.start, end, block.brace);
        node.is_block = is_whole && !block.is_compound;
        if node.is_block {
            let head = String::from_utf8_lossy(
                &self.text[block.start..block.brace.min(block.start + LONGEST_HEAD)],
            );
            node.word = split_words(&head).into_iter().next().unwrap_or_default();
            node.includes = vec![];
            if self.open.len() < DEEPEST {
                node.children = block.children;
            }
        }
        self.add(node);
    }

    fn add(&mut self, node: ConfigNode) {
        match self.open.last_mut() {
            Some(block) => block.children.push(node),
            None => self.top.push(node),
        }
    }

    fn node(&self, start: usize, end: usize) -> ConfigNode {
        self.node_of_head(start, end, end)
    }

    fn node_of_head(&self, start: usize, end: usize, head: usize) -> ConfigNode {
        // The words that count are at its beginning, and it may hold all of the text.
        let head = head.max(start).min(start + LONGEST_HEAD);
        let shown = String::from_utf8_lossy(&self.text[start..head]);
        let mut words = split_words(shown.trim_end_matches(';')).into_iter();
        let word = words.next().unwrap_or_default();
        let includes = if word == "include" {
            words.take(1).collect()
        } else {
            vec![]
        };
        ConfigNode {
            span: self.whole_lines(start, end),
            start,
            word,
            includes,
            children: vec![],
            is_block: false,
        }
    }

    /// The whole lines, if nothing else but blanks and a comment is on them.
    fn whole_lines(&self, start: usize, end: usize) -> std::ops::Range<usize> {
        let blanks = self.text[..start]
            .iter()
            .rev()
            .take_while(|byte| b" \t".contains(byte))
            .count();
        let first = start - blanks;
        let is_first = first == 0 || self.text[first - 1] == b'\n';
        let last = end_of_line(self.text, end);
        let rest = self.text[end..last].trim_ascii();
        let is_comment = rest.starts_with(b"#")
            || (self.style == BraceStyle::Bind
                && (rest.starts_with(b"//")
                    || (rest.starts_with(b"/*")
                        && rest.windows(2).position(|pair| pair == b"*/")
                            == Some(rest.len() - 2))));
        if is_first && (rest.is_empty() || is_comment) && self.text[..end].last() != Some(&b'\n') {
            first..last
        } else {
            start..end
        }
    }

    fn finish(mut self) -> Vec<ConfigNode> {
        self.settle_unfinished();
        // Never closed: the head is all that is known of it, and what is inside has no place.
        while let Some(block) = self.open.pop() {
            let end = self.text.len();
            let mut node = self.node_of_head(block.start, end, block.brace);
            node.children = vec![];
            node.includes = vec![];
            self.add(node);
        }
        self.top
    }
}
