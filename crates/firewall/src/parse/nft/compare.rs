//! Comparisons of a selector with a value, a range, a set or a map.

use super::lex::Token;
use super::names;
use super::rule::Reader;
use super::selector::{Selector, selectors};
use super::set::{Gives, elements, flag_bits};
use super::value::{Type, merged};
use crate::model::{
    Component, Content, Field, KeyPart, Lookup, Match, Operand, Range, SetRef, Statement,
    VerdictLookup,
};

impl<'t> Reader<'_, 't, '_> {
    pub(super) fn comparison(&mut self) -> Option<()> {
        let (parts, taken) = selectors(&self.tokens[self.at..])?;
        self.at += taken;
        self.implied(&parts);
        let key: Vec<KeyPart> = parts.iter().map(|one| one.part).collect();
        let types: Vec<Type> = parts.iter().map(|one| one.kind).collect();
        if self.eat("vmap") {
            let map = if let Some(name) = self.peek()?.strip_prefix('@') {
                let set = self.scope.set(name);
                self.at += 1;
                set
            } else {
                let words = self.braced()?;
                let scope = self.scope;
                let read = move |words: &[Token<'_>]| scope.verdict(words);
                let content = Content::Known(elements(&words, &types, &Gives::Verdict(&read))?);
                self.inline(content, true)
            };
            return self.push(Statement::VerdictMap(VerdictLookup { key, map }));
        }
        let one = *parts.first()?;
        if parts.len() == 1 && matches!(self.peek(), Some("&" | "and")) {
            return self.masked(one);
        }
        let mut negated = false;
        let mut explicit = false;
        let mut none = false;
        match self.peek()? {
            "!=" => negated = true,
            // `tcp flags ! syn,ack`: none of these bits is set.
            "!" if parts.len() == 1 && matches!(one.kind, Type::Flags(_)) => {
                negated = true;
                none = true;
            }
            "==" | "eq" => explicit = true,
            word @ ("<" | ">" | "<=" | ">=") if parts.len() == 1 => {
                self.at += 1;
                return self.ordered(one, word);
            }
            _ => self.at = self.at.wrapping_sub(1),
        }
        self.at = self.at.wrapping_add(1);
        if let Some(name) = self.peek()?.strip_prefix('@') {
            // `@nh,16,8` reads raw bytes.
            if matches!(name, "nh" | "th" | "ll" | "ih") {
                return None;
            }
            self.at += 1;
            let set = self.scope.set(name);
            if let SetRef::Named(at) = set
                && let Some(Some((expected, _))) = self.scope.types.get(at as usize)
                && expected.len() != key.len()
            {
                return None;
            }
            return self.test(Match::Lookup(Lookup { key, negated, set }));
        }
        let set = self.peek() == Some("{");
        let words = if set {
            self.braced()?
        } else {
            self.values(parts.len())
        };
        if parts.len() > 1 {
            let content = Content::Known(elements(&words, &types, &Gives::Nothing)?);
            let set = self.inline(content, false);
            return self.test(Match::Lookup(Lookup { key, negated, set }));
        }
        if let Type::Flags(table) = one.kind
            && !set
        {
            return self.flags(one, table, &words, (negated, none), explicit);
        }
        if words.is_empty() {
            return None;
        }
        let found = elements(&words, &types, &Gives::Nothing)?;
        let (mut names, mut ranges) = (Vec::new(), Vec::new());
        for component in found.into_iter().flat_map(|element| element.key) {
            match component {
                Component::Name(name) => names.push(name),
                Component::Numbers(range) => ranges.push(range),
            }
        }
        self.test(match one.part {
            KeyPart::InInterface => Match::InInterface { negated, names },
            KeyPart::OutInterface => Match::OutInterface { negated, names },
            KeyPart::Number(operand) => Match::Field {
                operand,
                negated,
                ranges: merged(ranges),
            },
        })
    }

    /// The words of a value without braces: `a`, `a,b`, `a|b`, `a . b`, and `syn / syn,ack`.
    pub(super) fn values(&mut self, dimensions: usize) -> Vec<Token<'t>> {
        let start = self.at;
        self.at += 1;
        while let Some(word) = self.peek() {
            if !matches!(word, "," | "|" | "/") && (word != "." || dimensions == 1) {
                break;
            }
            self.at += 2;
        }
        self.at = self.at.min(self.tokens.len());
        self.tokens[start..self.at].to_vec()
    }

    /// `tcp flags syn,ack` asks whether any of the bits is set, `tcp flags ! syn,ack` whether none
    /// is; `==` and `!=` compare them all, so that `ct state != new,established` always holds.
    pub(super) fn flags(
        &mut self,
        one: Selector,
        table: names::Table,
        words: &[Token<'t>],
        (negated, none): (bool, bool),
        explicit: bool,
    ) -> Option<()> {
        let KeyPart::Number(Operand { field, .. }) = one.part else {
            return None;
        };
        if let Some(slash) = words.iter().position(|word| word.text == "/") {
            let value = flag_bits(&words[..slash], table)?;
            let mask = Some(flag_bits(&words[slash + 1..], table)?);
            let operand = Operand { field, mask };
            return self.test(Match::Field {
                operand,
                negated,
                ranges: vec![Range::one(value)],
            });
        }
        let bits = flag_bits(words, table)?;
        if bits == 0 || explicit || (negated && !none) {
            let operand = field.into();
            return self.test(Match::Field {
                operand,
                negated,
                ranges: vec![Range::one(bits)],
            });
        }
        if field == Field::CtState {
            let set = (0..7).map(|bit| 1 << bit).filter(|bit| bits & bit != 0);
            let ranges = merged(set.map(Range::one).collect());
            return self.test(Match::Field {
                operand: field.into(),
                negated,
                ranges,
            });
        }
        let operand = Operand {
            field,
            mask: Some(bits),
        };
        self.test(Match::Field {
            operand,
            negated: !negated,
            ranges: vec![Range::one(0)],
        })
    }

    /// `meta mark & 0xff == 1`, `tcp flags & (fin | syn) != 0`.
    pub(super) fn masked(&mut self, one: Selector) -> Option<()> {
        let KeyPart::Number(Operand { field, .. }) = one.part else {
            return None;
        };
        let (Type::Flags(table) | Type::Number(table)) = one.kind else {
            return None;
        };
        self.at += 1;
        let side = |reader: &mut Self| {
            let start = reader.at;
            while let Some(token) = reader.tokens.get(reader.at) {
                let operator = matches!(token.text, "(" | ")" | "|");
                let before = reader.at.checked_sub(1).filter(|at| *at >= start);
                let after = before.map(|at| reader.tokens[at].text);
                let joins = after.is_none_or(|text| matches!(text, "(" | "|"));
                if !operator && !joins {
                    break;
                }
                reader.at += 1;
            }
            flag_bits(&reader.tokens[start..reader.at], table)
        };
        let mask = side(self)?;
        let negated = match self.next()?.text {
            "==" | "eq" => false,
            "!=" | "neq" => true,
            _ => return None,
        };
        let value = side(self)?;
        let operand = Operand {
            field,
            mask: Some(mask),
        };
        self.test(Match::Field {
            operand,
            negated,
            ranges: vec![Range::one(value)],
        })
    }

    pub(super) fn ordered(&mut self, one: Selector, operator: &str) -> Option<()> {
        let KeyPart::Number(operand) = one.part else {
            return None;
        };
        let value = one.kind.single(self.next()?.text)?;
        let range = match operator {
            "<" => value.checked_sub(1).map(|hi| Range { lo: 0, hi }),
            "<=" => Some(Range { lo: 0, hi: value }),
            ">" => value.checked_add(1).map(|lo| Range { lo, hi: u128::MAX }),
            _ => Some(Range {
                lo: value,
                hi: u128::MAX,
            }),
        };
        self.test(match range {
            Some(range) => Match::Field {
                operand,
                negated: false,
                ranges: vec![range],
            },
            None => Match::Never,
        })
    }
}
