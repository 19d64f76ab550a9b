//! The statements of a rule.
//!
//! What is not understood becomes opaque up to the next statement that is, so that one strange
//! word makes an answer "possibly" and never wrong.

use std::collections::HashMap;

use surefoot_report::Problem;

use super::lex::{Kind, Token};
use super::names;
use super::read::Rule;
use super::set::{Gives, elements, flag_bits};
use super::value::{Type, merged, number};
use crate::model::{
    self, ChainId, Component, Content, Counters, Effect, Family, Field, KeyPart, Lookup, Match,
    Nat, NatKind, Opaque, Operand, Place, Range, SetKind, SetRef, Statement, Verdict,
    VerdictLookup,
};

/// What a rule can name.
pub(super) struct Scope<'t> {
    pub(super) family: Family,
    pub(super) source: u16,
    pub(super) chains: HashMap<String, u32>,
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
        rule: &Rule<'_>,
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
        let mut reader = Reader {
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
            reader.at = before.0 + 1;
            while reader.peek().is_some_and(|word| !STARTS.contains(&word)) {
                reader.at += 1;
            }
            let words = &rule.tokens[before.0..reader.at];
            let opaque = Opaque {
                text: joined(words),
                stateful: !is_static(words),
            };
            let first = words[0];
            // An unknown statement may decide; an unknown comparison may only fail to match.
            let decides = [
                "tproxy", "dup", "fwd", "synproxy", "xt", "flow", "meter", "set",
            ];
            let starts = STARTS.contains(&first.text) || decides.contains(&first.text);
            let sets = words
                .get(..3)
                .unwrap_or(words)
                .iter()
                .any(|word| word.text == "set");
            if sets {
                for field in [Field::Mark, Field::CtMark] {
                    let forget = Statement::Effect(Effect::Forget { field });
                    reader.rule.statements.push(forget);
                }
            }
            let statement = if starts || sets || reader.at == rule.tokens.len() {
                Statement::Verdict(Verdict::Unknown(opaque))
            } else {
                Statement::Match(Match::Opaque(opaque))
            };
            reader.rule.statements.push(statement);
            let span = surefoot_report::Span {
                start: first.span.start,
                end: words.last().map_or(first.span.end, |last| last.span.end),
            };
            problems.push(match refused(words) {
                Some(what) => Problem::error(span, what),
                None => Problem::note(span, "not modelled: answers that hang on it say possibly"),
            });
        }
        lowered
    }

    /// Reads a verdict and nothing more.
    pub(super) fn verdict(&self, words: &[Token<'_>]) -> Option<Verdict> {
        let chain = |at: usize| {
            let id = self.chains.get(words.get(at)?.text)?;
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

    fn set(&self, name: &str) -> SetRef {
        match self.sets.get(name) {
            Some(at) => SetRef::Named(*at),
            None => SetRef::Missing(name.to_owned()),
        }
    }
}

/// Why nft itself would not take the words, where that is plain.
fn refused(words: &[Token<'_>]) -> Option<String> {
    let first = words.first()?;
    if matches!(first.text, "jump" | "goto") && first.kind == Kind::Word {
        return Some(match words.get(1) {
            Some(name) => format!("there is no chain `{}` in this table", name.text),
            None => format!("`{}` names no chain", first.text),
        });
    }
    let (_, taken) = selectors(words)?;
    (taken == words.len()).then(|| format!("`{}` is compared with nothing", joined(words)))
}

fn joined(words: &[Token<'_>]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.text).collect();
    words.join(" ")
}

/// Whether equal words mean an equal answer for one packet.
fn is_static(words: &[Token<'_>]) -> bool {
    let first = words.first().map_or("", |word| word.text);
    matches!(
        first,
        "fib" | "rt" | "exthdr" | "frag" | "ether" | "vlan" | "ip" | "ip6" | "tcp" | "socket"
    )
}

/// What stands left of a comparison.
#[derive(Clone, Copy)]
struct Selector {
    part: KeyPart,
    kind: Type,
    /// The transport protocol that the words imply.
    implied: Option<u128>,
}

fn plain(field: Field, kind: Type) -> Selector {
    Selector {
        part: KeyPart::Number(field.into()),
        kind,
        implied: None,
    }
}

/// Reads a selector at the start of the words; gives it and how many words it takes.
fn selector(words: &[Token<'_>]) -> Option<(Selector, usize)> {
    use Field as F;
    let word = |at: usize| {
        words
            .get(at)
            .filter(|w| w.kind == Kind::Word)
            .map_or("", |w| w.text)
    };
    let any = Type::Number(names::NONE);
    let proto = Type::Number(names::PROTOCOL);
    let ports = |field, implied| Selector {
        implied,
        ..plain(field, Type::Port)
    };
    let pair = |found| Some((found, 2));
    let transport = |protocol: u128| match word(1) {
        "sport" => pair(ports(F::SrcPort, Some(protocol))),
        "dport" => pair(ports(F::DstPort, Some(protocol))),
        "flags" if protocol == 6 => pair(Selector {
            implied: Some(6),
            ..plain(F::TcpFlags, Type::Flags(names::TCP_FLAGS))
        }),
        _ => None,
    };
    let interface = |part| Selector {
        part,
        kind: Type::Name,
        implied: None,
    };
    match word(0) {
        "tcp" => transport(6),
        "udp" => transport(17),
        "th" => match word(1) {
            "sport" => pair(plain(F::SrcPort, Type::Port)),
            "dport" => pair(plain(F::DstPort, Type::Port)),
            _ => None,
        },
        "udplite" => transport(136),
        "sctp" => transport(132),
        "dccp" => transport(33),
        "ip" => pair(match word(1) {
            "saddr" => plain(F::Ip4Src, Type::Ip4),
            "daddr" => plain(F::Ip4Dst, Type::Ip4),
            "protocol" => plain(F::Ip4Protocol, proto),
            "dscp" => plain(F::Ip4Dscp, Type::Number(names::DSCP)),
            "ttl" => plain(F::Ttl, any),
            "id" => plain(F::Ip4Id, any),
            "frag-off" => plain(F::Ip4FragmentOffset, any),
            _ => return None,
        }),
        "ip6" => pair(match word(1) {
            "saddr" => plain(F::Ip6Src, Type::Ip6),
            "daddr" => plain(F::Ip6Dst, Type::Ip6),
            "nexthdr" => plain(F::Ip6NextHeader, proto),
            "dscp" => plain(F::Ip6Dscp, Type::Number(names::DSCP)),
            "hoplimit" => plain(F::HopLimit, any),
            _ => return None,
        }),
        "icmp" => pair(match word(1) {
            "type" => plain(F::IcmpType, Type::Number(names::ICMP_TYPE)),
            "code" => plain(F::IcmpCode, Type::Number(names::ICMP_CODE)),
            _ => return None,
        }),
        "icmpv6" => pair(match word(1) {
            "type" => plain(F::Icmp6Type, Type::Number(names::ICMP6_TYPE)),
            "code" => plain(F::Icmp6Code, Type::Number(names::ICMP6_CODE)),
            _ => return None,
        }),
        "ether" => pair(match word(1) {
            "saddr" => plain(F::MacSrc, Type::Mac),
            "daddr" => plain(F::MacDst, Type::Mac),
            "type" => plain(F::EtherType, Type::Number(names::ETHER_TYPE)),
            _ => return None,
        }),
        "ct" => match word(1) {
            "state" => pair(plain(F::CtState, Type::Flags(names::CT_STATE))),
            "status" => pair(plain(F::CtStatus, Type::Flags(names::CT_STATUS))),
            "direction" => pair(plain(F::CtDirection, Type::Number(names::CT_DIRECTION))),
            "mark" => pair(plain(F::CtMark, any)),
            "original" => Some((
                match (word(2), word(3)) {
                    ("ip", "saddr") => plain(F::CtOriginalIp4Src, Type::Ip4),
                    ("ip", "daddr") => plain(F::CtOriginalIp4Dst, Type::Ip4),
                    ("ip6", "saddr") => plain(F::CtOriginalIp6Src, Type::Ip6),
                    ("ip6", "daddr") => plain(F::CtOriginalIp6Dst, Type::Ip6),
                    ("proto-src", _) => return Some((plain(F::CtOriginalSrcPort, Type::Port), 3)),
                    ("proto-dst", _) => return Some((plain(F::CtOriginalDstPort, Type::Port), 3)),
                    ("protocol", _) => return Some((plain(F::CtProtocol, proto), 3)),
                    _ => return None,
                },
                4,
            )),
            _ => None,
        },
        "fib" => {
            let field = match (word(1), word(2)) {
                ("saddr", "type") => F::SrcAddressType,
                ("daddr", "type") => F::DstAddressType,
                _ => return None,
            };
            Some((plain(field, Type::Number(names::ADDRESS_TYPE)), 3))
        }
        "meta" => meta(word(1)).map(|found| (found, 2)),
        "iif" | "iifname" => Some((interface(KeyPart::InInterface), 1)),
        "oif" | "oifname" => Some((interface(KeyPart::OutInterface), 1)),
        bare @ ("mark" | "skuid" | "skgid" | "pkttype" | "length" | "nfproto" | "l4proto") => {
            meta(bare).map(|found| (found, 1))
        }
        _ => None,
    }
}

fn meta(key: &str) -> Option<Selector> {
    let any = Type::Number(names::NONE);
    let interface = |part| Selector {
        part,
        kind: Type::Name,
        implied: None,
    };
    Some(match key {
        "mark" => plain(Field::Mark, any),
        "l4proto" => plain(Field::L4Proto, Type::Number(names::PROTOCOL)),
        "nfproto" => plain(Field::NfProto, Type::Number(names::NFPROTO)),
        "protocol" => plain(Field::EtherType, Type::Number(names::ETHER_TYPE)),
        "skuid" => plain(Field::Uid, any),
        "skgid" => plain(Field::Gid, any),
        "pkttype" => plain(Field::PacketType, Type::Number(names::PACKET_TYPE)),
        "length" => plain(Field::Length, any),
        "iif" | "iifname" => interface(KeyPart::InInterface),
        "oif" | "oifname" => interface(KeyPart::OutInterface),
        _ => return None,
    })
}

/// Reads `a . b` into selectors.
fn selectors(words: &[Token<'_>]) -> Option<(Vec<Selector>, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    loop {
        let (one, taken) = selector(words.get(at..)?)?;
        found.push(one);
        at += taken;
        if words
            .get(at)
            .is_none_or(|word| word.text != "." || word.kind != Kind::Word)
        {
            return Some((found, at));
        }
        at += 1;
    }
}

/// The types of `typeof ip saddr . tcp dport`.
pub(super) fn selector_types(words: &[Token<'_>]) -> Option<Vec<Type>> {
    if words.is_empty() {
        return Some(Vec::new());
    }
    let (found, taken) = selectors(words)?;
    (taken == words.len()).then(|| found.iter().map(|one| one.kind).collect())
}

struct Reader<'r, 't, 's> {
    tokens: &'r [Token<'t>],
    at: usize,
    scope: &'r Scope<'s>,
    rule: &'r mut model::Rule,
}

impl<'t> Reader<'_, 't, '_> {
    fn peek(&self) -> Option<&'t str> {
        self.tokens.get(self.at).map(|token| token.text)
    }

    fn next(&mut self) -> Option<Token<'t>> {
        let token = self.tokens.get(self.at).copied()?;
        self.at += 1;
        Some(token)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.peek() == Some(text);
        self.at += usize::from(found);
        found
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "callers return it as the outcome of a statement"
    )]
    fn push(&mut self, statement: Statement) -> Option<()> {
        self.rule.statements.push(statement);
        Some(())
    }

    fn test(&mut self, test: Match) -> Option<()> {
        self.push(Statement::Match(test))
    }

    /// All words from `from` to the end of the rule, or to its comment.
    fn rest_from(&mut self, from: usize) -> String {
        while self.peek().is_some_and(|word| word != "comment") {
            self.at += 1;
        }
        joined(&self.tokens[from..self.at])
    }

    fn statement(&mut self) -> Option<()> {
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
                self.push(Statement::Verdict(Verdict::Reject { with }))
            }
            "queue" => {
                let text = self.rest_from(start);
                self.push(Statement::Verdict(Verdict::Queue { text }))
            }
            "notrack" => self.push(Statement::Effect(Effect::NoTrack)),
            "masquerade" | "redirect" | "snat" | "dnat" => self.nat(first.text, start),
            "limit" => self.limit(start),
            "add" | "update" | "delete"
                if self.peek().is_some_and(|word| word.starts_with('@')) =>
            {
                self.update()
            }
            "ct" | "meta" | "mark" if self.is_set(first.text) => self.set_statement(first.text),
            _ => {
                self.at = start;
                self.comparison()
            }
        }
    }

    fn counter(&mut self) -> Option<()> {
        if self.eat("packets") {
            let packets = self.next()?.text.parse().ok()?;
            self.eat("bytes").then_some(())?;
            let bytes = self.next()?.text.parse().ok()?;
            self.rule.counters = Some(Counters { packets, bytes });
        } else if self.eat("name") {
            self.next()?;
        }
        self.push(Statement::Effect(Effect::Other {
            text: "counter".to_owned(),
        }))
    }

    fn log(&mut self) -> Option<()> {
        let mut prefix = String::new();
        while let Some(word) = self.peek() {
            match word {
                "prefix" => {
                    self.at += 1;
                    self.next()?.text.clone_into(&mut prefix);
                }
                "level" | "group" | "snaplen" | "queue-threshold" | "flags" => {
                    self.at += 1;
                    let mut value = self.next()?.text;
                    if word == "flags" && matches!(value, "tcp" | "ip" | "skuid" | "ether" | "all")
                    {
                        while matches!(value, "tcp" | "ip")
                            && self.peek() != Some("flags")
                            && self.peek() != Some("prefix")
                        {
                            match self.peek() {
                                Some("sequence" | "options" | ",") => value = self.next()?.text,
                                _ => break,
                            }
                            if value != "," {
                                while self.eat(",") {
                                    self.next()?;
                                }
                            }
                        }
                    }
                }
                _ => break,
            }
        }
        self.push(Statement::Effect(Effect::Log { prefix }))
    }

    fn limit(&mut self, start: usize) -> Option<()> {
        if self.eat("name") {
            self.next()?;
        } else {
            self.eat("rate").then_some(())?;
            self.eat("over");
            // `10/second`, or `1 mbytes/second`.
            let rate = self.next()?.text;
            if !rate.contains('/') {
                self.next()?;
            }
            if self.eat("burst") {
                self.next()?;
                self.next()?;
            }
        }
        let text = joined(&self.tokens[start..self.at]);
        self.test(Match::Opaque(Opaque {
            text,
            stateful: true,
        }))
    }

    /// `add @s { ip saddr timeout 1m }`; a `limit` inside may end the rule.
    fn update(&mut self) -> Option<()> {
        let name = self.next()?.text.strip_prefix('@')?;
        let words = self.braced()?;
        let set = self.scope.set(name);
        self.push(Statement::Effect(Effect::UpdateSet { set }))?;
        let stateful = ["limit", "quota", "ct"];
        if let Some(at) = words.iter().position(|word| stateful.contains(&word.text)) {
            let text = joined(&words[at..]);
            return self.test(Match::Opaque(Opaque {
                text,
                stateful: true,
            }));
        }
        // A full set, or a key that the packet does not have, ends the rule here.
        Some(())
    }

    /// The words between braces, nested ones too.
    fn braced(&mut self) -> Option<Vec<Token<'t>>> {
        self.eat("{").then_some(())?;
        let start = self.at;
        let mut depth = 1_u32;
        while let Some(token) = self.next() {
            match (token.kind, token.text) {
                (Kind::Punct, "{") => depth += 1,
                (Kind::Punct, "}") => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(self.tokens[start..self.at - 1].to_vec());
            }
        }
        None
    }

    fn is_set(&self, first: &str) -> bool {
        let at = if first == "mark" {
            self.at
        } else {
            self.at + 1
        };
        self.tokens.get(at).is_some_and(|word| word.text == "set")
    }

    fn set_statement(&mut self, first: &str) -> Option<()> {
        let key = if first == "mark" {
            "mark"
        } else {
            self.next()?.text
        };
        self.eat("set").then_some(())?;
        match (first, key) {
            ("ct", "mark") => self.set_mark(Field::CtMark),
            (_, "mark") => self.set_mark(Field::Mark),
            ("ct", "zone") => {
                let zone = self.next()?.text.parse().ok()?;
                self.push(Statement::Effect(Effect::CtZone(zone)))
            }
            ("ct", "helper") | ("meta", "nftrace" | "priority") => {
                let text = format!("{first} {key} set {}", self.next()?.text);
                self.push(Statement::Effect(Effect::Other { text }))
            }
            _ => None,
        }
    }

    /// `meta mark set meta mark & 0xff | 0x100`.
    fn set_mark(&mut self, to: Field) -> Option<()> {
        let from = match selector(&self.tokens[self.at..]) {
            Some((
                Selector {
                    part: KeyPart::Number(operand),
                    ..
                },
                taken,
            )) => {
                self.at += taken;
                Some(operand.field)
            }
            Some(_) => return None,
            None => None,
        };
        let number_of = |token: Token<'_>| u32::try_from(number(token.text)?).ok();
        let (mut and, mut xor) = match from {
            Some(_) => (u32::MAX, 0),
            None => (0, number_of(self.next()?)?),
        };
        loop {
            let operator = self.peek();
            if !matches!(operator, Some("&" | "|" | "^" | "and" | "or" | "xor")) {
                break;
            }
            self.at += 1;
            let value = number_of(self.next()?)?;
            match operator {
                Some("&" | "and") => (and, xor) = (and & value, xor & value),
                Some("|" | "or") => (and, xor) = (and & !value, (xor & !value) | value),
                _ => xor ^= value,
            }
        }
        let effect = match from {
            Some(from) if from != to => {
                let mark = matches!(from, Field::Mark | Field::CtMark);
                if mark && xor == 0 {
                    Effect::CopyMark {
                        from,
                        from_mask: and,
                        to,
                        to_mask: u32::MAX,
                    }
                } else {
                    Effect::Forget { field: to }
                }
            }
            _ => Effect::SetMark {
                field: to,
                and,
                xor,
            },
        };
        self.push(Statement::Effect(effect))
    }

    fn nat(&mut self, kind: &str, start: usize) -> Option<()> {
        let kind = match kind {
            "snat" => NatKind::Snat,
            "dnat" => NatKind::Dnat,
            "masquerade" => NatKind::Masquerade,
            _ => NatKind::Redirect,
        };
        let mut nat = Nat {
            kind,
            addresses: None,
            ports: None,
            by_map: None,
            text: String::new(),
        };
        let version6 = self.eat("ip6") || (!self.eat("ip") && self.scope.family == Family::Ip6);
        if self.eat("to") {
            if let Some((parts, taken)) = selectors(&self.tokens[self.at..]) {
                self.at += taken;
                self.eat("map").then_some(())?;
                let set = if let Some(name) = self.peek()?.strip_prefix('@') {
                    let set = self.scope.set(name);
                    self.at += 1;
                    set
                } else {
                    let words = self.braced()?;
                    let types: Vec<_> = parts.iter().map(|one| one.kind).collect();
                    let data = [if version6 { Type::Ip6 } else { Type::Ip4 }];
                    let content = elements(&words, &types, &Gives::Data(&data))
                        .map_or(Content::Unknown, Content::Known);
                    self.inline(content, true)
                };
                nat.by_map = Some(Box::new((parts.iter().map(|one| one.part).collect(), set)));
            } else {
                let word = self.next()?.text;
                let (addresses, ports) = split_target(word);
                if !addresses.is_empty() {
                    let kind = if addresses.contains(':') {
                        Type::Ip6
                    } else {
                        Type::Ip4
                    };
                    let plain = addresses.replace(['[', ']'], "");
                    let range = kind.range(&plain)?;
                    nat.addresses = Some((address(kind, range.lo)?, address(kind, range.hi)?));
                }
                if !ports.is_empty() {
                    let range = Type::Port.range(ports)?;
                    nat.ports =
                        Some((u16::try_from(range.lo).ok()?, u16::try_from(range.hi).ok()?));
                }
            }
        }
        nat.text = self.rest_from(start);
        self.push(Statement::Verdict(Verdict::Nat(nat)))
    }

    fn inline(&self, content: Content, map: bool) -> SetRef {
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

    /// Adds `meta l4proto` where a word such as `tcp` implies it.
    fn implied(&mut self, parts: &[Selector]) {
        for protocol in parts.iter().filter_map(|part| part.implied) {
            let test = Statement::Match(Match::Field {
                operand: Field::L4Proto.into(),
                negated: false,
                ranges: vec![Range::one(protocol)],
            });
            if !self.rule.statements.contains(&test) {
                self.rule.statements.push(test);
            }
        }
    }

    fn comparison(&mut self) -> Option<()> {
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
    fn values(&mut self, dimensions: usize) -> Vec<Token<'t>> {
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
    fn flags(
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
    fn masked(&mut self, one: Selector) -> Option<()> {
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

    fn ordered(&mut self, one: Selector, operator: &str) -> Option<()> {
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

/// Cuts `1.2.3.4:80`, `[::1]:80`, `:80` into address and port.
fn split_target(word: &str) -> (&str, &str) {
    let bare = word.parse::<std::net::Ipv6Addr>().is_ok()
        || word
            .split('-')
            .all(|part| part.parse::<std::net::Ipv6Addr>().is_ok());
    match word.rsplit_once(':') {
        Some((address, port)) if !bare && (!address.contains(':') || address.ends_with(']')) => {
            (address, port)
        }
        _ => (word, ""),
    }
}

fn address(kind: Type, value: u128) -> Option<std::net::IpAddr> {
    match kind {
        Type::Ip4 => u32::try_from(value)
            .ok()
            .map(|v| std::net::Ipv4Addr::from(v).into()),
        _ => Some(std::net::Ipv6Addr::from(value).into()),
    }
}
