//! The statements of a rule.
//!
//! What is not modelled becomes opaque in its true extent, so that one strange statement makes an
//! answer "possibly" and never wrong.

use std::collections::HashMap;

use surefoot_report::Problem;

use super::anonymous::Blocks;
use super::constant::goes_on;
use super::extent::{self, MayDo};
use super::lex::{NftToken, TokenKind};

use super::read::RuleSyntax;
use super::selector::{Selector, WITH_PORTS, selectors};
use super::value::Type;
use crate::model::{
    self, ChainId, Content, Effect, Family, Field, Match, Opaque, Place, Range, SetKind, SetRef,
    Statement, Verdict,
};

/// What a rule can name.
pub(super) struct Scope<'t> {
    pub(super) family: Family,
    pub(super) source: u16,
    pub(super) chains: HashMap<String, u32>,
    pub(super) blocks: Blocks,
    pub(super) sets: HashMap<String, u32>,
    pub(super) types: &'t [Option<(Vec<Type>, Vec<Type>)>],
    /// The sets whose elements have a statement that may end a rule, with their names.
    pub(super) asking: HashMap<u32, String>,
}

impl Scope<'_> {
    pub(super) fn rule(
        &self,
        number: u32,
        rule: &RuleSyntax<'_>,
        problems: &mut Vec<Problem>,
    ) -> model::Rule {
        let mut lowered = model::Rule {
            number,
            handle: rule.handle,
            counters: None,
            comment: None,
            statements: Vec::new(),
            place: Place {
                source: self.source,
                span: rule.span,
            },
        };
        let mut reader = StatementReader {
            tokens: &rule.tokens,
            at: 0,
            scope: self,
            rule: &mut lowered,
        };
        while reader.at < rule.tokens.len() {
            let before = (reader.at, reader.rule.statements.len());
            let read = reader.statement().is_some() && reader.at > before.0;
            if read && !rule.tokens.get(reader.at).is_some_and(goes_on) {
                continue;
            }
            reader.rule.statements.truncate(before.1);
            let rest = &rule.tokens[before.0..];
            let found = extent::unmodelled(rest);
            reader.at = before.0 + found.length;
            let words = &rest[..found.length];
            for (field, ranges) in found.implied {
                reader.imply_one_of(field, ranges);
            }
            reader.not_modelled(words, found.may);
            let first = words[0];
            let span = surefoot_report::Span {
                start: first.span.start,
                end: words.last().map_or(first.span.end, |last| last.span.end),
            };
            problems.push(match refused(words) {
                Some(what) => Problem::error(span, what),
                None => Problem::note(span, "not modelled: answers that depend on it say possibly"),
            });
        }
        lowered
    }

    /// Reads a verdict and nothing more.
    pub(super) fn verdict(&self, words: &[NftToken<'_>]) -> Option<Verdict> {
        let chain = |at: usize| {
            let to = words.get(at)?;
            let id = match to.kind {
                TokenKind::Block => self.blocks.get(&to.span.start)?,
                _ => self.chains.get(to.text)?,
            };
            Some(ChainId(*id))
        };
        Some(match words.first()?.text {
            "accept" => Verdict::Accept,
            "drop" => Verdict::Drop,
            "continue" => Verdict::Continue,
            "return" => Verdict::Return,
            "jump" => Verdict::Jump(chain(1)?),
            "goto" => Verdict::Goto(chain(1)?),
            _ => return None,
        })
    }

    pub(super) fn set(&self, name: &str) -> SetRef {
        match self.sets.get(name) {
            Some(at) => SetRef::Named(*at),
            None => SetRef::Missing(name.to_owned()),
        }
    }
}

const MARKS: &[Field] = &[Field::Mark, Field::CtMark, Field::PacketType];

const HEADERS: &[Field] = &[
    Field::Ip4Src,
    Field::Ip4Dst,
    Field::Ip6Src,
    Field::Ip6Dst,
    Field::SrcPort,
    Field::DstPort,
    Field::SetSrcPort,
    Field::SetDstPort,
    Field::TcpFlags,
    Field::Ttl,
    Field::HopLimit,
    Field::Tos,
    Field::TrafficClass,
    Field::Length,
];

/// Why nft itself would not take the words, where that is plain.
fn refused(words: &[NftToken<'_>]) -> Option<String> {
    let first = words.first()?;
    if let [include, file, ..] = words
        && (include.text, file.kind) == ("include", TokenKind::Quoted)
    {
        let file = file.text;
        return Some(format!(
            "the included file `{file}` is not there or not to be read, and its rules are missing"
        ));
    }
    if matches!(first.text, "jump" | "goto") && first.kind == TokenKind::Word {
        return Some(match words.get(1) {
            Some(block) if block.kind == TokenKind::Block => {
                "its block is nested too deep".to_owned()
            }
            Some(name) => format!("there is no chain `{}` in this table", name.text),
            None => format!("`{}` names no chain", first.text),
        });
    }
    let (_, taken) = selectors(words)?;
    (taken == words.len()).then(|| format!("`{}` is compared with nothing", joined(words)))
}

fn is_one_of(field: Field, ranges: Vec<Range>) -> Statement {
    Statement::Match(Match::Field {
        operand: field.into(),
        negated: false,
        ranges,
    })
}

pub(super) fn joined(words: &[NftToken<'_>]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.text).collect();
    words.join(" ")
}

/// Whether equal words mean an equal answer for one packet.
fn is_static(words: &[NftToken<'_>]) -> bool {
    let first = words.first().map_or("", |word| word.text);
    matches!(
        first,
        "fib" | "rt" | "exthdr" | "frag" | "ether" | "vlan" | "ip" | "ip6" | "tcp" | "socket"
    )
}

pub(super) struct StatementReader<'r, 't, 's> {
    pub(super) tokens: &'r [NftToken<'t>],
    pub(super) at: usize,
    pub(super) scope: &'r Scope<'s>,
    pub(super) rule: &'r mut model::Rule,
}

impl<'t> StatementReader<'_, 't, '_> {
    pub(super) fn peek(&self) -> Option<&'t str> {
        self.tokens.get(self.at).map(|token| token.text)
    }

    pub(super) fn next(&mut self) -> Option<NftToken<'t>> {
        let token = self.tokens.get(self.at).copied()?;
        self.at += 1;
        Some(token)
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let found = self.peek() == Some(text);
        self.at += usize::from(found);
        found
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "callers return it as the outcome of a statement"
    )]
    pub(super) fn push(&mut self, statement: Statement) -> Option<()> {
        self.rule.statements.push(statement);
        Some(())
    }

    pub(super) fn test(&mut self, test: Match) -> Option<()> {
        self.push(Statement::Match(test))
    }

    /// Keeps words that are not modelled for what they may do; of words that nft's grammar does not
    /// have, everything.
    fn not_modelled(&mut self, words: &[NftToken<'t>], may: MayDo) {
        let stateful = !is_static(words) || may == MayDo::Count;
        let opaque = Opaque {
            text: joined(words),
            stateful,
            memory: None,
        };
        let forgotten: &[&[Field]] = match may {
            MayDo::SetMark => &[MARKS],
            MayDo::SetHeader => &[HEADERS],
            MayDo::Anything => &[MARKS, HEADERS],
            _ => &[],
        };
        let mut effects: Vec<Effect> = forgotten
            .iter()
            .flat_map(|fields| fields.iter())
            .map(|field| Effect::Forget { field: *field })
            .collect();
        if may == MayDo::Anything {
            let named = words.iter().filter_map(|word| word.text.strip_prefix('@'));
            effects.extend(named.map(|name| Effect::UpdateSet {
                set: self.scope.set(name),
                text: opaque.text.clone(),
            }));
        }
        if may == MayDo::Nothing {
            effects.push(Effect::Other {
                text: opaque.text.clone(),
            });
        }
        let statements = &mut self.rule.statements;
        match may {
            MayDo::Compare | MayDo::Count => {
                statements.push(Statement::Match(Match::Opaque(opaque)));
            }
            MayDo::Decide | MayDo::Anything => {
                statements.extend(effects.into_iter().map(Statement::Effect));
                statements.push(Statement::Verdict(Verdict::Unknown(opaque)));
            }
            // A packet without the field does not get past the statement.
            MayDo::SetMark | MayDo::SetHeader => {
                statements.push(Statement::Match(Match::Opaque(opaque)));
                statements.extend(effects.into_iter().map(Statement::Effect));
            }
            MayDo::Nothing => statements.extend(effects.into_iter().map(Statement::Effect)),
        }
    }

    /// All words from `from` to the end of the rule, or to its comment.
    pub(super) fn rest_from(&mut self, from: usize) -> String {
        while self.peek().is_some_and(|word| word != "comment") {
            self.at += 1;
        }
        joined(&self.tokens[from..self.at])
    }

    pub(super) fn statement(&mut self) -> Option<()> {
        let start = self.at;
        let first = self.next()?;
        match first.text {
            "accept" | "drop" | "continue" | "return" | "jump" | "goto" => {
                let verdict = self.scope.verdict(&self.tokens[start..])?;
                self.at += usize::from(matches!(first.text, "jump" | "goto"));
                self.push(Statement::Verdict(verdict))
            }
            "comment" => {
                self.rule.comment = Some(self.next()?.text.to_owned());
                Some(())
            }
            "counter" => self.counter(),
            "log" => self.log(),
            "reject" => {
                let words = self.rest_from(start + 1);
                let with = words.strip_prefix("with ").unwrap_or(&words);
                let with = match with {
                    "" => "icmp-port-unreachable".to_owned(),
                    "tcp reset" => "tcp-reset".to_owned(),
                    other => other.to_owned(),
                };
                // The answer exists in one protocol only, which nft tests implicitly.
                match with.split(' ').next() {
                    Some("tcp-reset") => self.imply_from_start(Field::L4Proto, 6),
                    Some("icmp") => self.imply_from_start(Field::NfProto, 2),
                    Some("icmpv6") => self.imply_from_start(Field::NfProto, 10),
                    _ => {}
                }
                self.push(Statement::Verdict(Verdict::Reject { with }))
            }
            "queue" => {
                let text = self.rest_from(start);
                self.push(Statement::Verdict(Verdict::Queue { text }))
            }
            // Offloading takes effect from the next packet on.
            "meter" | "flow" => self.dynamic(start),
            "last" => self.last(),
            "notrack" => self.push(Statement::Effect(Effect::NoTrack)),
            "masquerade" | "redirect" | "snat" | "dnat" => self.nat(first.text, start),
            "limit" => self.limit(start),
            "add" | "update" | "delete"
                if self.peek().is_some_and(|word| word.starts_with('@')) =>
            {
                self.update(first.text)
            }
            "ct" | "meta" | "mark" if self.is_set(first.text) => self.set_statement(first.text),
            _ => {
                self.at = start;
                self.set_header().or_else(|| {
                    self.at = start;
                    self.comparison()
                })
            }
        }
    }

    pub(super) fn inline(&self, content: Content, map: bool) -> SetRef {
        SetRef::Inline(Box::new(model::Set {
            name: String::new(),
            kind: SetKind::Nft {
                type_name: String::new(),
                map,
            },
            content,
            place: self.rule.place,
        }))
    }

    /// Adds `meta l4proto` where a word such as `tcp` implies it, and the like.
    pub(super) fn implied(&mut self, parts: &[Selector]) {
        for (field, protocol) in parts.iter().filter_map(|part| part.implied) {
            self.imply(field, protocol);
        }
    }

    pub(super) fn imply(&mut self, field: Field, protocol: u128) {
        self.imply_one_of(field, vec![Range::one(protocol)]);
    }

    fn imply_one_of(&mut self, field: Field, ranges: Vec<Range>) {
        let test = is_one_of(field, ranges);
        if !self.rule.statements.contains(&test) {
            self.rule.statements.push(test);
        }
    }

    /// The same before all that the rule does (`stmt_reject_gen_dependency`).
    fn imply_from_start(&mut self, field: Field, protocol: u128) {
        let test = is_one_of(field, vec![Range::one(protocol)]);
        if !self.rule.statements.contains(&test) {
            self.rule.statements.insert(0, test);
        }
    }

    /// Whether only packets of protocols with ports come this far in the rule.
    pub(super) fn has_ports(&self) -> bool {
        let words: Vec<&str> = self.tokens.iter().map(|token| token.text).collect();
        // The implicit test of the protocol comes before all others.
        let resets = words.ends_with(&["reject", "with", "tcp", "reset"]);
        let stated = self
            .rule
            .statements
            .iter()
            .any(|statement| match statement {
                Statement::Match(Match::Field {
                    operand,
                    negated: false,
                    ranges,
                }) => {
                    let protocol = matches!(operand.field, Field::L4Proto | Field::Ip4Protocol);
                    let with_ports =
                        |range: &Range| range.lo == range.hi && WITH_PORTS.contains(&range.lo);
                    protocol && operand.mask.is_none() && ranges.iter().all(with_ports)
                }
                _ => false,
            });
        resets || stated
    }
}
