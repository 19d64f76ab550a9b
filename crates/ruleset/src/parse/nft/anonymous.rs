//! Chains without a name: `jump { ... }` becomes a chain of its own, named as the kernel names it.

use std::borrow::Cow;
use std::collections::HashMap;

use surefoot_report::{Problem, Span};

use super::lex::{Kind, Token};
use super::read::{Chain, Rule, Table};

/// Bound on the words that are copied out of blocks; each level of nesting copies what is inside.
const COPY_LIMIT: usize = 4_000_000;

/// Where the block of a chain without a name begins, and the index of that chain.
pub(super) type Blocks = HashMap<u32, u32>;

/// Whether a brace opens the block of a chain; `before` is the word before it.
pub(super) fn opens_block(before: Option<&Token<'_>>, brace: &Token<'_>) -> bool {
    let jumps =
        before.is_some_and(|word| word.kind == Kind::Word && matches!(word.text, "jump" | "goto"));
    jumps && brace.kind == Kind::Punct && brace.text == "{"
}

/// The table with its blocks as chains at the end, and one word in place of each block.
pub(super) fn named<'t, 'a>(
    table: &'t Table<'a>,
    problems: &mut Vec<Problem>,
) -> (Cow<'t, Table<'a>>, Blocks) {
    let mut blocks = Blocks::new();
    let mut rules = table.chains.iter().flat_map(|chain| &chain.rules);
    if !rules.any(|rule| next_block(&rule.tokens, 0).is_some()) {
        return (Cow::Borrowed(table), blocks);
    }
    let mut table = table.clone();
    let (mut at, mut copied) = (0, 0_usize);
    while at < table.chains.len() {
        let mut found = Vec::new();
        for rule in &mut table.chains[at].rules {
            let mut from = 0;
            while let Some(open) = next_block(&rule.tokens, from) {
                from = open + 1;
                let close = closing(&rule.tokens, open);
                let end = rule.tokens.len().min(close + 1);
                let body: Vec<Token<'a>> = rule.tokens.drain(from..end).collect();
                let brace = &mut rule.tokens[open];
                brace.kind = Kind::Block;
                copied = copied.saturating_add(body.len());
                if copied > COPY_LIMIT {
                    let what = "chains without a name are nested deeper than surefoot reads";
                    problems.push(Problem::error(brace.span, what));
                } else {
                    found.push((brace.span, body));
                }
            }
        }
        for (span, body) in found {
            let Ok(index) = u32::try_from(table.chains.len()) else {
                break;
            };
            // A variable that unfolds twice is one text, and its block one chain.
            if blocks.contains_key(&span.start) {
                continue;
            }
            let name = format!("__chain{}", blocks.len());
            blocks.insert(span.start, index);
            table.chains.push(chain(name, span, &body));
        }
        at += 1;
    }
    (Cow::Owned(table), blocks)
}

fn next_block(tokens: &[Token<'_>], from: usize) -> Option<usize> {
    (from.max(1)..tokens.len()).find(|at| opens_block(tokens.get(at - 1), &tokens[*at]))
}

/// The place of the brace that closes the one at `open`, or the end.
fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match (token.kind, token.text) {
            (Kind::Punct, "{") => depth += 1,
            (Kind::Punct, "}") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// The chain of the words between the braces; the last of them may be the closing brace.
fn chain<'a>(name: String, span: Span, body: &[Token<'a>]) -> Chain<'a> {
    let inside = match body.split_last() {
        Some((last, inside)) if last.kind == Kind::Punct && last.text == "}" => inside,
        _ => body,
    };
    let mut rules = Vec::new();
    let (mut depth, mut tokens) = (0_usize, Vec::new());
    for token in inside {
        match (token.kind, token.text) {
            (Kind::End, _) if depth == 0 => {
                rules.extend(rule(std::mem::take(&mut tokens)));
                continue;
            }
            (Kind::Punct, "{") => depth += 1,
            (Kind::Punct, "}") => depth = depth.saturating_sub(1),
            _ => {}
        }
        tokens.push(*token);
    }
    rules.extend(rule(tokens));
    let end = body.last().map_or(span.end, |last| last.span.end);
    Chain {
        name,
        rules,
        span: Span {
            start: span.start,
            end: end.max(span.end),
        },
        ..Chain::default()
    }
}

fn rule(tokens: Vec<Token<'_>>) -> Option<Rule<'_>> {
    let (first, last) = (tokens.first()?.span, tokens.last()?.span);
    Some(Rule {
        handle: None,
        span: Span {
            start: first.start,
            end: last.end.max(first.end),
        },
        tokens,
    })
}
