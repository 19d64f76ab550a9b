//! The lens of YAML: a line and everything that is indented more than it.
//!
//! Only block style is taken apart. A block scalar and a flow collection over several lines are one
//! statement.

use super::lines::{LogicalLine, end_of_line};
use super::{ConfigNode, DEEPEST};

/// A node that may still grow.
struct OpenNode {
    indent: usize,
    /// Whether a list at the same indentation belongs to it: it is a key without a value.
    takes_list: bool,
    /// Whether what is deeper is text and no structure.
    is_opaque: bool,
    node: ConfigNode,
}

/// Reads lines by their indentation.
pub(super) fn parse_indented(text: &[u8]) -> Vec<ConfigNode> {
    let mut top = Vec::new();
    let mut open: Vec<OpenNode> = Vec::new();
    let mut begin = 0;
    while begin < text.len() {
        let end = end_of_line(text, begin);
        let whole = &text[begin..end];
        let indent = whole.iter().take_while(|byte| **byte == b' ').count();
        let line = LogicalLine {
            span: begin..end,
            start: begin + indent,
            text: String::from_utf8_lossy(whole.trim_ascii()),
        };
        begin = end;
        let deepest_opaque = open.last().is_some_and(|node| node.is_opaque);
        if line.text.is_empty() || (line.text.starts_with('#') && !deepest_opaque) {
            continue;
        }
        if line.text == "---" || line.text == "..." || line.text.starts_with('%') {
            close_down_to(&mut open, &mut top, 0);
            continue;
        }
        let is_item = line.text == "-" || line.text.starts_with("- ");
        let keep = open
            .iter()
            .take_while(|node| {
                node.indent < indent || (node.indent == indent && is_item && node.takes_list)
            })
            .count();
        close_down_to(&mut open, &mut top, keep);
        if let Some(around) = open.last_mut()
            && around.is_opaque
        {
            around.node.span.end = line.span.end;
            continue;
        }
        open.push(open_node(&line, indent, is_item));
    }
    close_down_to(&mut open, &mut top, 0);
    top
}

fn open_node(line: &LogicalLine<'_>, indent: usize, is_item: bool) -> OpenNode {
    let text = line.text.split(" #").next().unwrap_or_default().trim_end();
    let scalar = text.rsplit([' ', ':']).next().unwrap_or_default();
    let is_scalar = scalar.starts_with(['|', '>'])
        && scalar[1..]
            .chars()
            .all(|letter| "+-0123456789".contains(letter));
    let is_flow = text.ends_with(['{', '[', ',', '"', '\'', '\\']) && !text.ends_with(": \"\"");
    let mut node = line.statement();
    if is_item {
        let rest = line.text.trim_start_matches(['-', ' ']);
        let end = rest.find([':', ' ']).unwrap_or(rest.len());
        node.word = format!("- {}", &rest[..end]);
    }
    OpenNode {
        indent,
        takes_list: !is_item && text.ends_with(':'),
        is_opaque: is_scalar || is_flow,
        node,
    }
}

fn close_down_to(open: &mut Vec<OpenNode>, top: &mut Vec<ConfigNode>, depth: usize) {
    while open.len() > depth {
        let Some(OpenNode { mut node, .. }) = open.pop() else {
            return;
        };
        node.is_block = !node.children.is_empty();
        if open.len() >= DEEPEST {
            node.children.clear();
        }
        let end = node.span.end;
        match open.last_mut() {
            Some(around) => {
                around.node.span.end = around.node.span.end.max(end);
                around.node.children.push(node);
            }
            None => top.push(node),
        }
    }
}
