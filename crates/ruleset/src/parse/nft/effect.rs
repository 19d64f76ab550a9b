//! Statements that change something, write something down or rewrite addresses.

use super::lex::{NftToken, TokenKind};
use super::mark::{MarkValue, mark_value};
use super::names::TCP_OPTIONS;
use super::rule::{StatementReader, joined};
use super::selector::{selector, selectors};
use super::set::{Gives, elements};
use super::value::Type;
use crate::model::{
    Content, Counters, Effect, Family, Field, KernelMemory, KeyPart, Match, Nat, NatKind, Opaque,
    Operand, Statement, Verdict,
};

impl<'t> StatementReader<'_, 't, '_> {
    pub(super) fn counter(&mut self) -> Option<()> {
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

    pub(super) fn log(&mut self) -> Option<()> {
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

    pub(super) fn limit(&mut self, start: usize) -> Option<()> {
        let mut memory = None;
        if self.eat("name") {
            let name = self.next()?.text.trim_matches('"');
            memory = Some(KernelMemory::NamedLimit(name.to_owned()));
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
            memory,
        }))
    }

    /// `add @s { ip saddr timeout 1m }`, `delete @s { ip saddr }`; a `limit` inside may end the rule.
    pub(super) fn update(&mut self, word: &str) -> Option<()> {
        let name = self.next()?.text.strip_prefix('@')?;
        let words = self.braced()?;
        let set = self.scope.set(name);
        let text = format!("{word} {{ {} }}", joined(&words));
        // A packet without what makes the key does not get past the statement.
        if let Some((parts, _)) = selectors(&words) {
            self.implied(&parts);
            for part in parts {
                if let KeyPart::Number(operand) = part.part {
                    self.present(operand.field)?;
                }
            }
        }
        self.push(Statement::Effect(Effect::UpdateSet { set, text }))?;
        let memory = Some(KernelMemory::Set(name.to_owned()));
        let stateful = ["limit", "quota", "ct"];
        if let Some(at) = words.iter().position(|word| stateful.contains(&word.text)) {
            let text = joined(&words[at..]);
            return self.test(Match::Opaque(Opaque {
                text,
                stateful: true,
                memory,
            }));
        }
        if word == "delete" {
            return Some(());
        }
        // A full set ends the rule here (kernel 6.18); how full it is depends on earlier packets.
        self.test(Match::Opaque(Opaque {
            text: format!("room in @{name}"),
            stateful: true,
            memory: None,
        }))
    }

    /// `meter m { ip saddr limit rate 3/minute }`, `flow add @f`: goes on or ends the rule, and which
    /// of them depends on earlier packets.
    pub(super) fn dynamic(&mut self, start: usize) -> Option<()> {
        if self.tokens.get(start)?.text == "flow" {
            self.eat("add").then_some(())?;
            self.next()?.text.strip_prefix('@')?;
        } else {
            self.next()?;
            if self.eat("size") {
                self.next()?;
            }
            self.braced()?;
        }
        let text = joined(&self.tokens[start..self.at]);
        self.test(Match::Opaque(Opaque {
            text,
            stateful: true,
            memory: None,
        }))
    }

    /// `last`, `last used 3s`: remembers when the rule matched.
    pub(super) fn last(&mut self) -> Option<()> {
        if self.eat("used") {
            self.next()?;
        }
        self.push(Statement::Effect(Effect::Other {
            text: "last".to_owned(),
        }))
    }

    /// The words between braces, nested ones too.
    pub(super) fn braced(&mut self) -> Option<Vec<NftToken<'t>>> {
        self.eat("{").then_some(())?;
        let start = self.at;
        let mut depth = 1_u32;
        while let Some(token) = self.next() {
            match (token.kind, token.text) {
                (TokenKind::Punct, "{") => depth += 1,
                (TokenKind::Punct, "}") => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(self.tokens[start..self.at - 1].to_vec());
            }
        }
        None
    }

    pub(super) fn is_set(&self, first: &str) -> bool {
        let at = if first == "mark" {
            self.at
        } else {
            self.at + 1
        };
        self.tokens.get(at).is_some_and(|word| word.text == "set")
    }

    pub(super) fn set_statement(&mut self, first: &str) -> Option<()> {
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
            ("ct", "helper") => {
                let text = format!("helper {}", self.next()?.text);
                let memory = KernelMemory::Helper;
                self.push(Statement::Effect(Effect::Remember { memory, text }))
            }
            ("meta", "nftrace" | "priority") => {
                let text = format!("{first} {key} set {}", self.next()?.text);
                self.push(Statement::Effect(Effect::Other { text }))
            }
            _ => None,
        }
    }

    /// `ip dscp set af21`, `tcp option maxseg size set rt mtu`: changes a header, decides nothing.
    pub(super) fn set_header(&mut self) -> Option<()> {
        let words = self.tokens.get(self.at..)?;
        let text = |at: usize| words.get(at).map_or("", |word| word.text);
        if (text(0), text(1), text(4)) == ("tcp", "option", "set") {
            let value = if text(5) == "rt" { 2 } else { 1 };
            let text = joined(words.get(..5 + value)?);
            self.at += 5 + value;
            self.imply(Field::L4Proto, 6);
            return self.push(Statement::Effect(Effect::Other { text }));
        }
        if (text(0), text(1), text(2)) == ("reset", "tcp", "option") {
            let number = option_number(text(3))?;
            self.at += 4;
            self.imply(Field::L4Proto, 6);
            let field = Field::TcpOption(number);
            return self.push(Statement::Effect(Effect::Set { field, value: 0 }));
        }
        let (one, taken) = selector(words)?;
        let KeyPart::Number(Operand { field, mask: None }) = one.part else {
            return None;
        };
        let value = one.kind.single(text(taken + 1))?;
        let forgotten = match field {
            _ if text(taken) != "set" => return None,
            Field::Ip4Dscp => Some(Field::Tos),
            Field::Ip6Dscp => Some(Field::TrafficClass),
            Field::Ttl | Field::HopLimit => None,
            // New addresses and ports lead elsewhere.
            _ => return None,
        };
        self.at += taken + 2;
        self.present(field)?;
        if let Some(field) = forgotten {
            self.push(Statement::Effect(Effect::Forget { field }))?;
        }
        self.push(Statement::Effect(Effect::Set { field, value }))
    }

    /// A packet that does not have the field does not get past the statement that reads it.
    fn present(&mut self, field: Field) -> Option<()> {
        self.push(Statement::Match(Match::Field {
            operand: field.into(),
            negated: true,
            ranges: Vec::new(),
        }))
    }

    /// `meta mark set meta mark & 0xff | 0x100`.
    pub(super) fn set_mark(&mut self, to: Field) -> Option<()> {
        let rest = self.tokens.get(self.at..)?;
        let (MarkValue { from, and, xor }, taken) = mark_value(rest)?;
        self.at += taken;
        // A map or a shift gives another value than the one that was read.
        if matches!(
            self.peek(),
            Some("map" | "<<" | ">>" | "lshift" | "rshift" | ".")
        ) {
            return None;
        }
        if let Some(from) = from.filter(|from| *from != Field::Mark) {
            self.present(from)?;
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

    /// The address and the port that NAT writes, without the blanks between their words.
    fn target(&mut self) -> Option<String> {
        let words = self.tokens.get(self.at..)?.iter();
        let words: Vec<&str> = words
            .map(|token| token.text)
            .take_while(|word| !is_nat_flag(word))
            .collect();
        self.at += words.len();
        // Nothing but dashes and colons stands between two words.
        let joins = |word: &str, end: bool| {
            let joint = [':', '-', '/'];
            word.contains("::") && word.len() == 2
                || if end {
                    word.ends_with(joint)
                } else {
                    word.starts_with(joint)
                }
        };
        let whole = words
            .windows(2)
            .all(|pair| joins(pair[0], true) || joins(pair[1], false));
        (whole && !words.is_empty()).then(|| words.concat())
    }

    pub(super) fn nat(&mut self, kind: &str, start: usize) -> Option<()> {
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
        let prefix = self.eat("prefix");
        let with_ports = if self.eat("addr") {
            let with_ports = self.eat(".");
            if with_ports {
                self.eat("port").then_some(())?;
            }
            with_ports
        } else {
            self.eat("interval");
            false
        };
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
                    let address = if version6 { Type::Ip6 } else { Type::Ip4 };
                    let data = [address, Type::Port];
                    let data = if with_ports { &data[..] } else { &data[..1] };
                    let content = elements(&words, &types, &Gives::Data(data))
                        .map_or(Content::Unknown, Content::Known);
                    self.inline(content, true)
                };
                nat.by_map = Some(Box::new((parts.iter().map(|one| one.part).collect(), set)));
            } else if with_ports {
                return None;
            } else {
                let target = self.target()?;
                let (addresses, ports) = split_target(&target);
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
        if prefix && nat.by_map.is_none() {
            nat.kind = NatKind::Netmap;
        }
        self.peek().is_none_or(is_nat_flag).then_some(())?;
        nat.text = self.rest_from(start);
        self.push(Statement::Verdict(Verdict::Nat(nat)))
    }
}

/// The kind of a TCP option that has a name.
fn option_number(name: &str) -> Option<u8> {
    let found = TCP_OPTIONS.iter().find(|(known, _)| *known == name);
    found.map(|(_, number)| *number)
}

/// What may stand behind the target of NAT.
fn is_nat_flag(word: &str) -> bool {
    matches!(
        word,
        "random" | "fully-random" | "persistent" | "," | "comment"
    )
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
