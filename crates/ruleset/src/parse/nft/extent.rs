//! How far nft's statements go that are not modelled, and what they may do (nft(8); `parser_bison.y`
//! of nftables 1.0.6).
//!
//! A selector that has no meaning here still has its number of words, and a comparison ends where its
//! value does, so that the statement behind it is read for what it is.

use super::constant::{self, OPERATIONS};
use super::lex::{NftToken, TokenKind};
use super::value::merged;
use crate::model::{Field, Range};

/// A statement that is not modelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UnmodelledStatement {
    /// How many tokens it takes.
    pub(super) length: usize,
    /// What it may do.
    pub(super) may: MayDo,
    /// The protocols of the headers that it reads, which nft tests implicitly.
    pub(super) implied: Vec<(Field, Vec<Range>)>,
}

/// What a statement may do whose words are not modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MayDo {
    /// Ends the rule, or goes on.
    Compare,
    /// The same, by what other packets did.
    Count,
    /// Decides, by a map of verdicts or by itself, or goes on.
    Decide,
    /// Writes a mark or something else beside the packet, and goes on.
    SetMark,
    /// Writes into the packet, and goes on.
    SetHeader,
    /// Nothing that a verdict depends on.
    Nothing,
    /// All of that.
    Anything,
}

/// The statement at the start of the tokens. Where the words do not tell where it ends, it takes
/// them all.
pub(super) fn unmodelled(tokens: &[NftToken<'_>]) -> UnmodelledStatement {
    let mut words = WordReader {
        tokens,
        at: 0,
        implied: Vec::new(),
    };
    let (may, length) = match words.statement() {
        Some(may) if !tokens.get(words.at).is_some_and(constant::goes_on) => (may, words.at),
        _ => (MayDo::Anything, tokens.len()),
    };
    UnmodelledStatement {
        length,
        may,
        implied: words.implied,
    }
}

struct WordReader<'r, 't> {
    tokens: &'r [NftToken<'t>],
    at: usize,
    implied: Vec<(Field, Vec<Range>)>,
}

const OPERATORS: &[&str] = &[
    "==", "!=", "<", ">", "<=", ">=", "!", "eq", "ne", "lt", "gt", "le", "ge",
];

impl<'t> WordReader<'_, 't> {
    fn peek(&self) -> &'t str {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &'t str {
        let token = self.tokens.get(self.at + ahead);
        token.map_or("", |token| token.text)
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.at < self.tokens.len() && self.peek() == word;
        self.at += usize::from(found);
        found
    }

    fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(word))
    }

    /// Takes so many tokens.
    fn take(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.tokens.len()).then_some(())
    }

    /// `{ ... }` with what is nested in it, or `@name`.
    fn set(&mut self) -> Option<()> {
        let named = self.peek().starts_with('@');
        if named {
            return self.take(1);
        }
        self.eat("{").then_some(())?;
        let mut depth = 1_u32;
        while depth > 0 {
            let token = self.tokens.get(self.at)?;
            self.at += 1;
            match (token.kind, token.text) {
                (TokenKind::Punct, "{") => depth += 1,
                (TokenKind::Punct, "}") => depth -= 1,
                _ => {}
            }
        }
        Some(())
    }

    fn statement(&mut self) -> Option<MayDo> {
        match (self.peek(), self.peek_at(1)) {
            ("quota", _) => {
                self.take(1)?;
                if self.eat("name") {
                    self.take(1)?;
                    return Some(MayDo::Count);
                }
                self.eat_any(&["over", "until"]);
                self.take(2)?;
                if self.eat("used") {
                    self.take(2)?;
                }
                Some(MayDo::Count)
            }
            ("ct", "count") => {
                self.take(2)?;
                self.eat("over");
                self.take(1)?;
                Some(MayDo::Count)
            }
            ("dup" | "fwd" | "tproxy", _) => {
                let may = match self.peek() {
                    "dup" => MayDo::Nothing,
                    _ => MayDo::Decide,
                };
                self.take(1)?;
                self.eat_any(&["ip", "ip6"]);
                self.eat("to").then_some(())?;
                self.value(true)?;
                if self.eat("device") {
                    self.value(false)?;
                }
                if self.peek().starts_with(':') {
                    self.take(1)?;
                }
                Some(may)
            }
            ("synproxy", _) => {
                self.take(1)?;
                loop {
                    match self.peek() {
                        "mss" | "wscale" | "name" => self.take(2)?,
                        "timestamp" | "sack-perm" => self.take(1)?,
                        _ => return Some(MayDo::Decide),
                    }
                }
            }
            // JSON that has no words says at least what kind of statement it is.
            (super::json::UNKNOWN, kind) => {
                self.take(3)?;
                Some(match kind {
                    "match" => MayDo::Compare,
                    "vmap" => MayDo::Decide,
                    _ => MayDo::Anything,
                })
            }
            // What nft has of iptables' modules.
            ("xt", "match") => {
                self.take(3)?;
                Some(MayDo::Count)
            }
            ("xt", "target" | "watcher") => {
                self.take(3)?;
                Some(MayDo::Anything)
            }
            ("reset", "tcp") => {
                self.take(4)?;
                Some(MayDo::Anything)
            }
            _ => self.comparison(),
        }
    }

    /// A comparison, or a `set` of what its selector names.
    fn comparison(&mut self) -> Option<MayDo> {
        let ipsec = matches!(self.peek_at(1), "in" | "out");
        let bare = META_KEYS.contains(&self.peek()) && !ipsec;
        let beside = bare || matches!(self.peek(), "meta" | "ct");
        let key = self.peek_at(usize::from(!bare));
        let mut parts = 1;
        self.selector()?;
        self.operations()?;
        while self.eat(".") {
            self.selector()?;
            self.operations()?;
            parts += 1;
        }
        if self.eat("set") {
            self.written_value()?;
            return Some(match (beside, key) {
                (true, "event" | "helper" | "nftrace" | "priority" | "label") => MayDo::Nothing,
                (true, _) => MayDo::SetMark,
                (false, _) => MayDo::SetHeader,
            });
        }
        if self.eat("vmap") {
            self.set()?;
            return Some(MayDo::Decide);
        }
        self.eat_any(OPERATORS);
        if self.peek() == "{" || self.peek().starts_with('@') && !is_raw(self.peek()) {
            self.set()?;
        } else {
            self.value(parts > 1)?;
        }
        Some(MayDo::Compare)
    }

    /// What is written: a value, another selector with operations, or what a map gives.
    fn written_value(&mut self) -> Option<()> {
        let start = self.at;
        if self.selector().is_some() {
            while self.eat(".") {
                self.selector()?;
            }
        } else {
            self.at = start;
            self.value(false)?;
        }
        self.operations()?;
        if self.eat("map") {
            self.set()?;
            self.operations()?;
        }
        Some(())
    }

    fn operations(&mut self) -> Option<()> {
        while self.eat_any(OPERATIONS) {
            if self.eat("(") {
                while !self.eat(")") {
                    self.take(1)?;
                }
            } else {
                let start = self.at;
                if self.selector().is_none() {
                    self.at = start;
                    self.take(1)?;
                }
            }
        }
        Some(())
    }

    /// A value without braces.
    fn value(&mut self, parts: bool) -> Option<()> {
        let length = constant::length(self.tokens.get(self.at..)?, parts);
        (length > 0).then_some(())?;
        self.take(length)
    }

    fn selector(&mut self) -> Option<()> {
        let token = self.tokens.get(self.at)?;
        (token.kind == TokenKind::Word).then_some(())?;
        let second = self.peek_at(1);
        let protocol = protocol_of(token.text).filter(|_| !is_value(second));
        let protocol = protocol.map(|(field, number)| (field, vec![Range::one(number)]));
        self.implied.extend(protocol);
        // Only messages of echo have these.
        let echo = match (token.text, second) {
            ("icmp", "id" | "sequence") => Some((Field::IcmpType, [0, 8])),
            ("icmpv6", "id" | "sequence") => Some((Field::Icmp6Type, [128, 129])),
            _ => None,
        };
        let echo = echo.map(|(field, types)| (field, merged(types.map(Range::one).to_vec())));
        self.implied.extend(echo);
        let third = self.peek_at(2);
        let length = match token.text {
            bare if META_KEYS.contains(&bare) && !matches!(second, "in" | "out") => 1,
            "meta" => 2,
            "ct" => match (second, third) {
                ("original" | "reply", "ip" | "ip6") => 4,
                ("original" | "reply", _) => 3,
                _ => 2,
            },
            "arp" => match third {
                "ether" | "ip" if matches!(second, "saddr" | "daddr") => 3,
                _ => 2,
            },
            "tcp" | "ip" if second == "option" => {
                if third.starts_with('@') {
                    return None;
                }
                3 + usize::from(OPTION_FIELDS.contains(&self.peek_at(3)))
            }
            "sctp" if second == "chunk" => {
                let field = self.peek_at(3);
                3 + usize::from(!CHUNK_ENDS.contains(&field) && !is_value(field))
            }
            "srh" if second.starts_with("sid") => 2,
            word if HEADERS.contains(&word) => 2,
            "rt" => match second {
                "ip" | "ip6" => 3,
                _ => 2,
            },
            "socket" if second == "cgroupv2" => 4,
            "osf" if second == "ttl" => 4,
            "socket" | "exthdr" | "osf" => 2,
            "fib" => {
                self.take(2)?;
                while self.eat(".") {
                    self.take(1)?;
                }
                return self.take(1);
            }
            "numgen" => {
                self.take(2)?;
                return self.modulus();
            }
            "symhash" => {
                self.take(1)?;
                return self.modulus();
            }
            "jhash" => {
                self.take(1)?;
                // `nft -j` of some versions leaves out what is hashed.
                if self.peek() != "mod" {
                    self.selector()?;
                    while self.eat(".") {
                        self.selector()?;
                    }
                }
                return self.modulus();
            }
            "ipsec" => {
                self.take(2)?;
                if self.eat("spnum") {
                    self.take(1)?;
                }
                match self.peek() {
                    "ip" | "ip6" => 2,
                    _ => 1,
                }
            }
            raw if is_raw(raw) => {
                let commas = second == "," && self.peek_at(3) == ",";
                commas.then_some(5)?
            }
            _ => return None,
        };
        self.take(length)
    }

    /// `mod N seed S offset O`.
    fn modulus(&mut self) -> Option<()> {
        self.eat("mod").then_some(())?;
        self.take(1)?;
        while matches!(self.peek(), "seed" | "offset") {
            self.take(2)?;
        }
        Some(())
    }
}

fn is_raw(word: &str) -> bool {
    matches!(word, "@nh" | "@th" | "@ll" | "@ih")
}

/// The protocol whose header a word names.
fn protocol_of(word: &str) -> Option<(Field, u128)> {
    Some(match word {
        "ip" => (Field::NfProto, 2),
        "ip6" | "exthdr" | "frag" | "hbh" | "dst" | "mh" | "srh" => (Field::NfProto, 10),
        "icmp" => (Field::L4Proto, 1),
        "igmp" => (Field::L4Proto, 2),
        "tcp" => (Field::L4Proto, 6),
        "udp" => (Field::L4Proto, 17),
        "dccp" => (Field::L4Proto, 33),
        "esp" => (Field::L4Proto, 50),
        "ah" => (Field::L4Proto, 51),
        "icmpv6" => (Field::L4Proto, 58),
        "comp" => (Field::L4Proto, 108),
        "sctp" => (Field::L4Proto, 132),
        "udplite" => (Field::L4Proto, 136),
        _ => return None,
    })
}

/// What may stand behind `sctp chunk data` where no field does.
const CHUNK_ENDS: &[&str] = &[
    "exists", "missing", "==", "!=", "eq", "ne", "vmap", ".", "{",
];

fn is_value(word: &str) -> bool {
    word.is_empty() || word.starts_with(|first: char| first.is_ascii_digit() || first == '@')
}

/// Keys of `meta` that stand by themselves, too.
const META_KEYS: &[&str] = &[
    "mark",
    "iif",
    "iifname",
    "iiftype",
    "iifgroup",
    "oif",
    "oifname",
    "oiftype",
    "oifgroup",
    "skuid",
    "skgid",
    "nftrace",
    "rtclassid",
    "ibrname",
    "obrname",
    "pkttype",
    "cpu",
    "cgroup",
    "length",
    "nfproto",
    "l4proto",
    "protocol",
    "priority",
    "random",
    "ipsec",
    "day",
    "hour",
    "time",
    "sdif",
    "sdifname",
    "ibrpvid",
    "ibrvproto",
];

/// Headers with one word for each field.
const HEADERS: &[&str] = &[
    "ether", "vlan", "ip", "ip6", "icmp", "icmpv6", "igmp", "tcp", "udp", "udplite", "sctp",
    "dccp", "ah", "esp", "comp", "th", "frag", "hbh", "dst", "mh", "srh", "gre", "geneve", "vxlan",
];

/// Fields of the options of TCP and IPv4.
const OPTION_FIELDS: &[&str] = &[
    "kind", "length", "size", "count", "left", "right", "tsval", "tsecr", "subtype", "type", "ptr",
    "value", "addr",
];
