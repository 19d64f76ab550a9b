//! What a mark is set to: an expression over numbers and one mark, by the precedence of nft's grammar.

use super::lex::NftToken;
use super::selector::{Selector, selector};
use super::value::number;
use crate::model::{Field, KeyPart};

/// Deeper brackets than these no value has.
const DEEPEST: u32 = 32;

/// `(mark & and) ^ xor`, of a mark that is read, or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MarkValue {
    /// The field that is read.
    pub(super) from: Option<Field>,
    /// Its bits that stay; none of a number.
    pub(super) and: u32,
    /// Bits that are flipped afterwards.
    pub(super) xor: u32,
}

/// Reads the value at the start of the words; gives it and how many words it takes. None where it is
/// another kind of expression.
pub(super) fn mark_value(words: &[NftToken<'_>]) -> Option<(MarkValue, usize)> {
    let mut reader = MarkReader { words, at: 0 };
    let value = reader.either(0)?;
    Some((value, reader.at))
}

struct MarkReader<'r, 't> {
    words: &'r [NftToken<'t>],
    at: usize,
}

impl MarkReader<'_, '_> {
    fn eat_any(&mut self, words: &[&str]) -> bool {
        let next = self.words.get(self.at);
        let found = next.is_some_and(|word| words.contains(&word.text));
        self.at += usize::from(found);
        found
    }

    fn either(&mut self, depth: u32) -> Option<MarkValue> {
        let mut value = self.one_of_both(depth)?;
        while self.eat_any(&["|", "or"]) {
            let (mark, bits) = one_number(value, self.one_of_both(depth)?)?;
            value = MarkValue {
                and: mark.and & !bits,
                xor: (mark.xor & !bits) | bits,
                ..mark
            };
        }
        Some(value)
    }

    fn one_of_both(&mut self, depth: u32) -> Option<MarkValue> {
        let mut value = self.both(depth)?;
        while self.eat_any(&["^", "xor"]) {
            let (mark, bits) = one_number(value, self.both(depth)?)?;
            value = MarkValue {
                xor: mark.xor ^ bits,
                ..mark
            };
        }
        Some(value)
    }

    fn both(&mut self, depth: u32) -> Option<MarkValue> {
        let mut value = self.primary(depth)?;
        while self.eat_any(&["&", "and"]) {
            let (mark, bits) = one_number(value, self.primary(depth)?)?;
            value = MarkValue {
                and: mark.and & bits,
                xor: mark.xor & bits,
                ..mark
            };
        }
        Some(value)
    }

    fn primary(&mut self, depth: u32) -> Option<MarkValue> {
        (depth < DEEPEST).then_some(())?;
        if self.eat_any(&["("]) {
            let value = self.either(depth + 1)?;
            return self.eat_any(&[")"]).then_some(value);
        }
        if let Some((Selector { part, .. }, taken)) = selector(self.words.get(self.at..)?) {
            let KeyPart::Number(operand) = part else {
                return None;
            };
            self.at += taken;
            return operand.mask.is_none().then_some(MarkValue {
                from: Some(operand.field),
                and: u32::MAX,
                xor: 0,
            });
        }
        let word = self.words.get(self.at)?;
        self.at += 1;
        Some(MarkValue {
            from: None,
            and: 0,
            xor: u32::try_from(number(word.text)?).ok()?,
        })
    }
}

/// The one of two values that may read a mark, and the number that the other one is.
fn one_number(left: MarkValue, right: MarkValue) -> Option<(MarkValue, u32)> {
    match (left.from, right.from) {
        (_, None) => Some((left, right.xor)),
        (None, _) => Some((right, left.xor)),
        _ => None,
    }
}
