//! Chains without a name: `jump { ... }` becomes a chain of its own, named as the kernel names it.

use std::borrow::Cow;
use std::collections::HashMap;

use surefoot_report::{Problem, Span};

use super::lex::{NftToken, TokenKind};
use super::read::{ChainSyntax, RuleSyntax, TableSyntax};

/// Bound on the words that are copied out of blocks; each level of nesting copies what is inside.
const COPY_LIMIT: usize = 4_000_000;

/// Where the block of a chain without a name begins, and the index of that chain.
pub(super) type Blocks = HashMap<u32, u32>;

/// Whether a brace opens the block of a chain; `before` is the word before it.
pub(super) fn opens_block(before: Option<&NftToken<'_>>, brace: &NftToken<'_>) -> bool {
    let jumps = before
        .is_some_and(|word| word.kind == TokenKind::Word && matches!(word.text, "jump" | "goto"));
    jumps && brace.kind == TokenKind::Punct && brace.text == "{"
}

/// The table with its blocks as chains at the end, and one word in place of each block.
pub(super) fn named<'t, 'a>(
    table: &'t TableSyntax<'a>,
    problems: &mut Vec<Problem>,
) -> (Cow<'t, TableSyntax<'a>>, Blocks) {
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
                let body: Vec<NftToken<'a>> = rule.tokens.drain(from..end).collect();
                let brace = &mut rule.tokens[open];
                brace.kind = TokenKind::Block;
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

fn next_block(tokens: &[NftToken<'_>], from: usize) -> Option<usize> {
    (from.max(1)..tokens.len()).find(|at| opens_block(tokens.get(at - 1), &tokens[*at]))
}

/// The place of the brace that closes the one at `open`, or the end.
fn closing(tokens: &[NftToken<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match (token.kind, token.text) {
            (TokenKind::Punct, "{") => depth += 1,
            (TokenKind::Punct, "}") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// The chain of the words between the braces; the last of them may be the closing brace.
fn chain<'a>(name: String, span: Span, body: &[NftToken<'a>]) -> ChainSyntax<'a> {
    let inside = match body.split_last() {
        Some((last, inside)) if last.kind == TokenKind::Punct && last.text == "}" => inside,
        _ => body,
    };
    let mut rules = Vec::new();
    let (mut depth, mut tokens) = (0_usize, Vec::new());
    for token in inside {
        match (token.kind, token.text) {
            (TokenKind::End, _) if depth == 0 => {
                rules.extend(rule(std::mem::take(&mut tokens)));
                continue;
            }
            (TokenKind::Punct, "{") => depth += 1,
            (TokenKind::Punct, "}") => depth = depth.saturating_sub(1),
            _ => {}
        }
        tokens.push(*token);
    }
    rules.extend(rule(tokens));
    let end = body.last().map_or(span.end, |last| last.span.end);
    ChainSyntax {
        name,
        rules,
        span: Span {
            start: span.start,
            end: end.max(span.end),
        },
        ..ChainSyntax::default()
    }
}

fn rule(tokens: Vec<NftToken<'_>>) -> Option<RuleSyntax<'_>> {
    let (first, last) = (tokens.first()?.span, tokens.last()?.span);
    Some(RuleSyntax {
        handle: None,
        span: Span {
            start: first.start,
            end: last.end.max(first.end),
        },
        tokens,
    })
}
