//! Lenses of line by line syntaxes in which a header begins a block that reaches to the next one.

use super::lines::{LogicalLine, logical_lines};
use super::{ConfigNode, split_words};

/// How such a syntax looks.
pub(super) struct HeadedStyle {
    comments: &'static [char],
    is_header: fn(&LogicalLine<'_>) -> bool,
    includes: fn(&LogicalLine<'_>) -> Vec<String>,
}

/// The words that begin a section of `HAProxy`.
const HAPROXY_SECTIONS: &[&str] = &[
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "userlist",
    "peers",
    "resolvers",
    "mailers",
    "program",
    "http-errors",
    "ring",
    "log-forward",
    "log-profile",
    "cache",
    "fcgi-app",
    "crt-store",
    "acme",
    "traces",
];

pub(super) const HAPROXY: HeadedStyle = HeadedStyle {
    comments: &['#'],
    is_header: |line| HAPROXY_SECTIONS.contains(&line.word()),
    includes: |_| vec![],
};

pub(super) const INI: HeadedStyle = HeadedStyle {
    comments: &['#', ';'],
    is_header: |line| line.text.starts_with('['),
    includes: |line| {
        if let Some(folder) = line.text.strip_prefix("!includedir") {
            return vec![format!("{}/*.cnf", folder.trim().trim_end_matches('/'))];
        }
        if let Some(file) = line.text.strip_prefix("!include") {
            return vec![file.trim().to_owned()];
        }
        match line.text.split_once('=') {
            Some((key, value)) if key.trim() == "include" => split_words(value),
            _ => vec![],
        }
    },
};

pub(super) const SSHD: HeadedStyle = HeadedStyle {
    comments: &['#'],
    is_header: |line| line.word().eq_ignore_ascii_case("match"),
    includes: |line| {
        if line.word().eq_ignore_ascii_case("include") {
            let mut words = split_words(&line.text);
            words.split_off(1.min(words.len()))
        } else {
            vec![]
        }
    },
};

/// Reads headers and the lines below them. A block ends with its last statement: comments that stand
/// above the next header stay.
pub(super) fn parse_headed(text: &[u8], style: &HeadedStyle) -> Vec<ConfigNode> {
    let HeadedStyle {
        comments,
        is_header,
        includes,
    } = *style;
    let mut top: Vec<ConfigNode> = Vec::new();
    let mut in_block = false;
    for line in logical_lines(text, comments) {
        if line.is_trivia(comments) {
            continue;
        }
        let mut node = line.statement();
        if is_header(&line) {
            node.is_block = true;
            in_block = true;
            top.push(node);
            continue;
        }
        node.includes = includes(&line);
        match top.last_mut() {
            Some(block) if in_block => {
                block.span.end = node.span.end;
                block.children.push(node);
            }
            _ => top.push(node),
        }
    }
    top
}
