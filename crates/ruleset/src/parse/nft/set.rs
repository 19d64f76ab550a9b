//! Elements of sets and maps, named or written in the rule.

use super::constant::{self, component};
use super::lex::{NftToken, TokenKind};
use super::value::Type;
use crate::model::{Component, Element, ElementValue, Range, Verdict};

/// What a map gives.
pub(super) enum Gives<'a> {
    /// Nothing: it is a set.
    Nothing,
    /// A verdict, read from its words.
    Verdict(&'a dyn Fn(&[NftToken<'_>]) -> Option<Verdict>),
    /// Values of these types.
    Data(&'a [Type]),
}

/// Reads the words between the braces; none if one of them is not understood.
pub(super) fn elements(
    tokens: &[NftToken<'_>],
    types: &[Type],
    gives: &Gives<'_>,
) -> Option<Vec<Element>> {
    let plain: Vec<NftToken<'_>> = tokens
        .iter()
        .filter(|token| !(token.kind == TokenKind::Punct && matches!(token.text, "{" | "}")))
        .copied()
        .collect();
    let mut found = Vec::new();
    let mut rest = Vec::new();
    for part in plain.split(|token| token.kind == TokenKind::Punct && token.text == ",") {
        if part.is_empty() {
            continue;
        }
        let colon = part
            .iter()
            .position(|token| token.kind == TokenKind::Word && token.text == ":");
        let (key, value) = match colon {
            Some(at) => (&part[..at], Some(&part[at + 1..])),
            None => (part, None),
        };
        let value = match (gives, value) {
            (Gives::Nothing, None) => None,
            (Gives::Verdict(read), Some(words)) => Some(ElementValue::Verdict(read(words)?)),
            (Gives::Data(types), Some(words)) => Some(ElementValue::Data(key_of(words, types)?)),
            _ => return None,
        };
        let everything = matches!(key.first(), Some(token) if token.text == "*" && token.kind == TokenKind::Word);
        let key = if everything {
            let all = Component::Numbers(Range {
                lo: 0,
                hi: u128::MAX,
            });
            types
                .iter()
                .map(|kind| kind.read("*").unwrap_or_else(|| all.clone()))
                .collect()
        } else {
            key_of(key, types)?
        };
        let element = Element {
            key,
            except: false,
            value,
        };
        // `*` counts only for keys that nothing else holds, so it comes last.
        if everything { &mut rest } else { &mut found }.push(element);
    }
    found.append(&mut rest);
    Some(found)
}

/// Reads `a . b`; words after it (`timeout 1h expires 3s counter ...`) are let go.
fn key_of(tokens: &[NftToken<'_>], types: &[Type]) -> Option<Vec<Component>> {
    let is_word = |token: &NftToken<'_>| token.kind == TokenKind::Word;
    let known = |token: &&NftToken<'_>| {
        is_word(token)
            && matches!(
                token.text,
                "timeout" | "expires" | "counter" | "comment" | "limit" | "quota" | "ct" | "last"
            )
    };
    let end = tokens.iter().position(|token| known(&token));
    let words = &tokens[..end.unwrap_or(tokens.len())];
    let mut parts = words.split(|token| is_word(token) && token.text == ".");
    let mut key = Vec::with_capacity(types.len());
    for kind in types {
        key.push(component(parts.next()?, *kind)?);
    }
    parts.next().is_none().then_some(key)
}

/// Whether a statement of elements begins here that may end the rule that finds them.
pub(super) fn asks_of_elements(token: &NftToken<'_>) -> bool {
    token.kind == TokenKind::Word && matches!(token.text, "limit" | "quota" | "ct")
}

/// Which number a list of flag names stands for.
pub(super) fn flag_bits(words: &[NftToken<'_>], table: super::names::Table) -> Option<u128> {
    constant::single(words, Type::Flags(table))
}
