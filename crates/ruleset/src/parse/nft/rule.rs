//! The statements of a rule.
//!
//! What is not understood becomes opaque up to the next statement that is, so that one strange
//! word makes an answer "possibly" and never wrong.

use std::collections::HashMap;

use surefoot_report::Problem;

use super::anonymous::Blocks;
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
}

/// Words that start a statement, so that what is not understood ends before them.
const STARTS: &[&str] = &[
    "accept",
    "drop",
    "continue",
    "return",
    "jump",
    "goto",
    "reject",
    "counter",
    "log",
    "limit",
    "masquerade",
    "snat",
    "dnat",
    "redirect",
    "queue",
    "notrack",
    "comment",
];

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
            if reader.statement().is_some() && reader.at > before.0 {
                continue;
            }
            reader.rule.statements.truncate(before.1);
            reader.at = end_of_unknown(&rule.tokens, before.0);
            let words = &rule.tokens[before.0..reader.at];
            let opaque = Opaque {
                text: joined(words),
                stateful: !is_static(words),
                memory: None,
            };
            let meaning = UnknownWords::of(words);
            let unknown = if meaning.may_decide {
                Statement::Verdict(Verdict::Unknown(opaque))
            } else {
                Statement::Match(Match::Opaque(opaque))
            };
            let forget = meaning
                .may_write()
                .map(|field| Statement::Effect(Effect::Forget { field }));
            let statements = &mut reader.rule.statements;
            // A verdict ends the rule; what a match keeps out is not written.
            if meaning.may_decide {
                statements.extend(forget.chain([unknown]));
            } else {
                statements.extend([unknown].into_iter().chain(forget));
            }
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

/// Where words end that are not understood: before the next word, outside of braces, that can only
/// begin a statement. A map of verdicts ends the rule.
fn end_of_unknown(tokens: &[NftToken<'_>], from: usize) -> usize {
    let mut maps_to_verdicts = false;
    for (at, word) in words_outside_braces(&tokens[from..]).filter(|(at, _)| *at > 0) {
        let starts = STARTS.contains(&word) && !maps_to_verdicts;
        if starts || word == "comment" {
            return from + at;
        }
        maps_to_verdicts |= word == "vmap";
    }
    tokens.len()
}

/// The plain words that stand outside of braces, with their places.
fn words_outside_braces<'t>(tokens: &[NftToken<'t>]) -> impl Iterator<Item = (usize, &'t str)> {
    let mut depth = 0_u32;
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        match (token.kind, token.text) {
            (TokenKind::Punct, "{") => depth += 1,
            (TokenKind::Punct, "}") => depth = depth.saturating_sub(1),
            (TokenKind::Word, word) if depth == 0 => return Some((at, word)),
            _ => {}
        }
        None
    })
}

/// What words that are not understood may do all the same.
#[derive(Default)]
struct UnknownWords {
    may_decide: bool,
    /// They set a mark or something else beside the packet.
    sets_mark: bool,
    /// They write into the packet.
    sets_header: bool,
}

impl UnknownWords {
    fn of(words: &[NftToken<'_>]) -> Self {
        let mut meaning = Self::default();
        let first = words.first().map_or("", |word| word.text);
        let second = words.get(1).map_or("", |word| word.text);
        if first == super::json::UNKNOWN {
            // JSON that has no words here says at least what kind of statement it is.
            meaning.sets_mark = second == "mangle";
            meaning.sets_header = second == "mangle";
            meaning.may_decide = second != "match";
            return meaning;
        }
        let mut maps_to_verdicts = false;
        for (at, word) in words_outside_braces(words) {
            maps_to_verdicts |= word == "vmap";
            if word != "set" || at == 0 {
                continue;
            }
            let before = |back: usize| {
                let word = at.checked_sub(back).and_then(|at| words.get(at));
                word.map_or("", |word| word.text)
            };
            if before(1) == "mark" || matches!(before(2), "meta" | "ct") {
                meaning.sets_mark = true;
            } else {
                meaning.sets_header = true;
            }
        }
        let compares = COMPARED.contains(&first) || first.starts_with('@');
        meaning.may_decide = maps_to_verdicts || meaning.sets_header || !compares;
        meaning
    }

    /// The fields that may have another value afterwards.
    fn may_write(&self) -> impl Iterator<Item = Field> + use<> {
        let marks: &[Field] = if self.sets_mark { MARKS } else { &[] };
        let headers: &[Field] = if self.sets_header { HEADERS } else { &[] };
        marks.iter().chain(headers).copied()
    }
}

/// Words that begin a comparison, or a `set` of what they name.
const COMPARED: &[&str] = &[
    "meta",
    "ct",
    "mark",
    "ip",
    "ip6",
    "tcp",
    "udp",
    "udplite",
    "sctp",
    "dccp",
    "icmp",
    "icmpv6",
    "igmp",
    "ah",
    "esp",
    "comp",
    "th",
    "ether",
    "vlan",
    "arp",
    "fib",
    "rt",
    "socket",
    "osf",
    "exthdr",
    "frag",
    "hbh",
    "dst",
    "mh",
    "srh",
    "iif",
    "iifname",
    "iifgroup",
    "iiftype",
    "oif",
    "oifname",
    "oifgroup",
    "oiftype",
    "numgen",
    "jhash",
    "symhash",
    "ipsec",
    "pkttype",
    "cpu",
    "skuid",
    "skgid",
    "rtclassid",
    "cgroup",
    "length",
    "protocol",
    "nfproto",
    "l4proto",
    "ibrname",
    "obrname",
    "day",
    "hour",
    "time",
    "quota",
    "connlimit",
];

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
                // What is sent back exists in one protocol only, which nft asks for unsaid.
                match with.split(' ').next() {
                    Some("tcp-reset") => self.imply(Field::L4Proto, 6),
                    Some("icmp") => self.imply(Field::NfProto, 2),
                    Some("icmpv6") => self.imply(Field::NfProto, 10),
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
        let test = Statement::Match(Match::Field {
            operand: field.into(),
            negated: false,
            ranges: vec![Range::one(protocol)],
        });
        if !self.rule.statements.contains(&test) {
            self.rule.statements.push(test);
        }
    }

    /// Whether only packets of protocols with ports come this far in the rule.
    pub(super) fn has_ports(&self) -> bool {
        self.rule
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
            })
    }
}
