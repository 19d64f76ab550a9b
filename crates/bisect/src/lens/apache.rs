//! The lens of Apache: `<Name ...>` to `</Name>`, one directive a line.

use super::lines::{LogicalLine, logical_lines};
use super::{ConfigNode, DEEPEST, split_words};

const COMMENTS: &[char] = &['#'];

/// A section that is open.
struct OpenSection {
    name: String,
    node: ConfigNode,
}

/// Reads sections and directives. A section that is never closed is a statement, and what is in it
/// belongs to the section around it.
pub(super) fn parse_sections(text: &[u8]) -> Vec<ConfigNode> {
    let mut top: Vec<ConfigNode> = Vec::new();
    let mut open: Vec<OpenSection> = Vec::new();
    for line in logical_lines(text, COMMENTS) {
        if line.is_trivia(COMMENTS) {
            continue;
        }
        if let Some(name) = closing_name(&line) {
            let found = open
                .iter()
                .rposition(|section| section.name.eq_ignore_ascii_case(&name));
            if let Some(at) = found {
                while open.len() > at + 1 {
                    give_up(&mut open, &mut top);
                }
                if let Some(OpenSection { mut node, .. }) = open.pop() {
                    node.span.end = line.span.end;
                    node.is_block = true;
                    if open.len() >= DEEPEST {
                        node.children.clear();
                    }
                    inner(&mut open, &mut top).push(node);
                }
                continue;
            }
        }
        let mut node = line.statement();
        if let Some(name) = opening_name(&line) {
            node.word.clone_from(&name);
            open.push(OpenSection { name, node });
            continue;
        }
        let word = node.word.to_ascii_lowercase();
        if word == "include" || word == "includeoptional" {
            node.includes = split_words(&line.text)
                .into_iter()
                .skip(1)
                .take(1)
                .collect();
        }
        inner(&mut open, &mut top).push(node);
    }
    while !open.is_empty() {
        give_up(&mut open, &mut top);
    }
    top
}

/// The list in which the next node belongs.
fn inner<'a>(open: &'a mut [OpenSection], top: &'a mut Vec<ConfigNode>) -> &'a mut Vec<ConfigNode> {
    match open.last_mut() {
        Some(section) => &mut section.node.children,
        None => top,
    }
}

/// Makes a statement of the innermost section that is open.
fn give_up(open: &mut Vec<OpenSection>, top: &mut Vec<ConfigNode>) {
    if let Some(OpenSection { mut node, .. }) = open.pop() {
        let children = std::mem::take(&mut node.children);
        let list = inner(open, top);
        list.push(node);
        list.extend(children);
    }
}

fn opening_name(line: &LogicalLine<'_>) -> Option<String> {
    let rest = line.text.strip_prefix('<')?.strip_suffix('>')?;
    let name = rest.split_whitespace().next()?;
    name.starts_with(|letter: char| letter.is_ascii_alphabetic())
        .then(|| name.to_owned())
}

fn closing_name(line: &LogicalLine<'_>) -> Option<String> {
    let rest = line.text.strip_prefix("</")?.strip_suffix('>')?;
    Some(rest.trim().to_owned())
}
