//! Constants that are written as expressions: `1 - 100`, `10.0.0.0 / 8`, `0x10 | 6`.
//!
//! nft reads the words of a value one operator at a time, blanks or none between them: `<<` and `>>` bind
//! closest, then `&`, `^` and `|`, then the dash of a range (`parser_bison.y` of nftables 1.0.6). A comma
//! joins bits.

use super::lex::{NftToken, TokenKind};
use super::value::{Type, number};
use crate::model::{Component, Range};

/// Deeper brackets than these no value has.
const DEEPEST: u32 = 32;

/// Operators that make one value of two.
pub(super) const OPERATIONS: &[&str] = &[
    "&", "|", "^", "<<", ">>", "and", "or", "xor", "lshift", "rshift",
];

/// Whether the statement before this token is not whole: no statement begins so.
pub(super) fn goes_on(token: &NftToken<'_>) -> bool {
    match token.kind {
        TokenKind::Punct => true,
        TokenKind::Word => {
            OPERATIONS.contains(&token.text)
                || token.text == "map"
                || token.text.starts_with(['-', '/', '.', ':'])
        }
        _ => false,
    }
}

/// How many of the tokens belong to a value that stands without braces: `a`, `a,b`, `a - b`, `(a | b)`,
/// `syn / syn,ack`, and of several parts `a . b`.
pub(super) fn length(tokens: &[NftToken<'_>], parts: bool) -> usize {
    let mut wanted = true;
    for (at, token) in tokens.iter().enumerate() {
        let text = token.text;
        let punct = token.kind == TokenKind::Punct;
        wanted = match token.kind {
            TokenKind::Punct | TokenKind::Word if !wanted => match text {
                ")" => false,
                "," | "-" | "/" => true,
                "." if parts => true,
                _ if OPERATIONS.contains(&text) => true,
                // `1 -100`, `10.0.0.0 /8`
                _ if text.starts_with(['-', '/']) => leads_on(text),
                _ => return at,
            },
            _ if !wanted => return at,
            TokenKind::Punct => text == "(",
            TokenKind::Word => leads_on(text),
            _ => false,
        };
        if punct && !wanted && text != ")" {
            return at;
        }
    }
    tokens.len()
}

/// Whether a word ends with a dash or a slash that is not part of a name.
fn leads_on(word: &str) -> bool {
    let number = word.starts_with(|first: char| !first.is_ascii_alphabetic());
    word.ends_with(['-', '/']) && (number || word.contains(':'))
}

/// The number, the range or the prefix that the words stand for, all of them.
pub(super) fn component(words: &[NftToken<'_>], kind: Type) -> Option<Component> {
    if let [word] = words
        && let Some(plain) = kind.read(word.text)
    {
        return Some(plain);
    }
    (!matches!(kind, Type::Name | Type::Index)).then_some(())?;
    let mut reader = ConstantReader::new(words, kind);
    let lo = reader.list(0)?;
    let range = match reader.next() {
        None => Range::one(lo),
        Some("-") => {
            let hi = reader.list(0)?;
            (lo <= hi).then_some(Range { lo, hi })?
        }
        Some("/") => kind.prefix_of(lo, reader.next()?)?,
        Some(_) => return None,
    };
    reader.is_done().then_some(Component::Numbers(range))
}

/// The number that the words stand for, all of them.
pub(super) fn single(words: &[NftToken<'_>], kind: Type) -> Option<u128> {
    match component(words, kind)? {
        Component::Numbers(range) if range.lo == range.hi => Some(range.lo),
        _ => None,
    }
}

struct ConstantReader<'t> {
    pieces: Vec<&'t str>,
    at: usize,
    kind: Type,
}

impl<'t> ConstantReader<'t> {
    fn new(words: &[NftToken<'t>], kind: Type) -> Self {
        let mut pieces = Vec::with_capacity(words.len());
        for word in words {
            if kind.single(word.text).is_some() {
                pieces.push(word.text);
                continue;
            }
            let mut rest = word.text;
            while let Some(at) = rest.find(['-', '/']) {
                pieces.extend([&rest[..at], &rest[at..=at]]);
                rest = &rest[at + 1..];
            }
            pieces.push(rest);
        }
        pieces.retain(|piece| !piece.is_empty());
        Self {
            pieces,
            at: 0,
            kind,
        }
    }

    fn is_done(&self) -> bool {
        self.at == self.pieces.len()
    }

    fn next(&mut self) -> Option<&'t str> {
        let piece = self.pieces.get(self.at).copied()?;
        self.at += 1;
        Some(piece)
    }

    fn eat_any(&mut self, words: &[&str]) -> bool {
        let found = self
            .pieces
            .get(self.at)
            .is_some_and(|piece| words.contains(piece));
        self.at += usize::from(found);
        found
    }

    fn list(&mut self, depth: u32) -> Option<u128> {
        let mut value = self.either(depth)?;
        while self.eat_any(&[","]) {
            value |= self.either(depth)?;
        }
        Some(value)
    }

    fn either(&mut self, depth: u32) -> Option<u128> {
        let mut value = self.one_of_both(depth)?;
        while self.eat_any(&["|", "or"]) {
            value |= self.one_of_both(depth)?;
        }
        Some(value)
    }

    fn one_of_both(&mut self, depth: u32) -> Option<u128> {
        let mut value = self.both(depth)?;
        while self.eat_any(&["^", "xor"]) {
            value ^= self.both(depth)?;
        }
        Some(value)
    }

    fn both(&mut self, depth: u32) -> Option<u128> {
        let mut value = self.shifted(depth)?;
        while self.eat_any(&["&", "and"]) {
            value &= self.shifted(depth)?;
        }
        Some(value)
    }

    fn shifted(&mut self, depth: u32) -> Option<u128> {
        let mut value = self.primary(depth)?;
        loop {
            let left = self.eat_any(&["<<", "lshift"]);
            if !left && !self.eat_any(&[">>", "rshift"]) {
                return Some(value);
            }
            // What is pushed out at the left of a number of 32 bits is lost or refused.
            let by = u32::try_from(number(self.next()?)?).ok()?;
            let small = u32::try_from(value).ok().filter(|_| by < 32)?;
            value = if left {
                let shifted = u128::from(small) << by;
                (shifted <= u128::from(u32::MAX)).then_some(shifted)?
            } else {
                u128::from(small >> by)
            };
        }
    }

    fn primary(&mut self, depth: u32) -> Option<u128> {
        (depth < DEEPEST).then_some(())?;
        if self.eat_any(&["("]) {
            let value = self.list(depth + 1)?;
            return self.eat_any(&[")"]).then_some(value);
        }
        let word = self.next()?;
        self.kind.single(word)
    }
}
