//! The grammar: from text to conditions, each word with its place.

use surefoot_report::{Problem, Span};

use super::ends::{field_part, list_items, ports_part, read_ends};
use super::{ConditionPart, Traffic, TrafficCondition};
use crate::packet::PacketPath;
use crate::packet::words::{icmp_type, protocol_number, reads_as_interface, service, state_number};
use surefoot_ruleset::model::{Field, Match, NamePattern, Operand, Range, ct_state};

/// A word and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SentenceToken {
    pub(super) text: String,
    pub(super) span: Span,
}

impl SentenceToken {
    /// What is wrong with this word.
    pub(super) fn problem_here(&self, what: impl Into<String>) -> Problem {
        Problem::error(self.span, what)
    }

    /// The word in small letters.
    pub(super) fn lower(&self) -> String {
        self.text.to_ascii_lowercase()
    }
}

/// Splits at blanks that do not stand in braces; `start` is where the text begins in its source.
pub(super) fn tokens(text: &str, start: usize) -> Result<Vec<SentenceToken>, Problem> {
    let mut tokens: Vec<SentenceToken> = Vec::new();
    let (mut word, mut from, mut open) = (String::new(), 0, None);
    for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        match letter {
            '{' => open = Some(at),
            '}' => open = None,
            _ => {}
        }
        if letter.is_whitespace() && (open.is_none() || at == text.len()) {
            if !word.is_empty() {
                tokens.push(SentenceToken {
                    text: std::mem::take(&mut word),
                    span: Span::new(start + from, start + at),
                });
            }
            continue;
        }
        if word.is_empty() {
            from = at;
        }
        word.push(letter);
    }
    match open {
        Some(at) => Err(Problem::error(
            Span::new(start + at, start + at + 1),
            "this brace is not closed",
        )),
        None => Ok(tokens),
    }
}

/// Reads packets from all the words.
pub(super) fn read_traffic(tokens: &[SentenceToken]) -> Result<Traffic, Problem> {
    let mut reader = read(tokens)?;
    reader.mean_first_packets();
    Ok(reader.traffic)
}

/// Reads what packets have become: they keep the state that they came with.
pub(super) fn read_later(tokens: &[SentenceToken]) -> Result<Traffic, Problem> {
    read(tokens).map(|reader| reader.traffic)
}

fn read(tokens: &[SentenceToken]) -> Result<SentenceReader<'_>, Problem> {
    let mut reader = SentenceReader {
        tokens,
        next: 0,
        traffic: Traffic::default(),
        input: false,
        output: false,
        connection: false,
    };
    while let Some(token) = reader.take() {
        reader.read_term(token, false)?;
    }
    reader.settle();
    Ok(reader)
}

struct SentenceReader<'a> {
    tokens: &'a [SentenceToken],
    next: usize,
    traffic: Traffic,
    input: bool,
    output: bool,
    /// Whether something was said of the connection.
    connection: bool,
}

impl<'a> SentenceReader<'a> {
    fn take(&mut self) -> Option<&'a SentenceToken> {
        let token = self.tokens.get(self.next)?;
        self.next += 1;
        Some(token)
    }

    fn take_after(
        &mut self,
        key: &SentenceToken,
        expected: &str,
    ) -> Result<&'a SentenceToken, Problem> {
        self.take()
            .ok_or_else(|| key.problem_here(format!("expected {expected} behind `{}`", key.text)))
    }

    fn push(&mut self, negated: bool, parts: Vec<ConditionPart>) {
        if !parts.is_empty() || negated {
            self.traffic
                .conditions
                .push(TrafficCondition { negated, parts });
        }
    }

    fn read_term(&mut self, token: &'a SentenceToken, negated: bool) -> Result<(), Problem> {
        let lower = token.lower();
        match lower.as_str() {
            "not" | "!" => {
                let next = self.take_after(token, "what it turns round")?;
                self.read_term(next, !negated)
            }
            "traffic" | "packets" | "packet" | "anything" | "everything" | "and" | "," => {
                if negated {
                    return Err(
                        token.problem_here("`not` stands before nothing that it could turn round")
                    );
                }
                Ok(())
            }
            "from" | "to" => self.read_end(token, lower == "from", negated),
            "sport" | "dport" => {
                let value = self.take_after(token, "ports")?;
                let part = ports_part(value, &value.text, lower == "sport")?;
                self.push(negated, vec![part]);
                Ok(())
            }
            "in" | "out" => self.read_interface(token, lower == "in", negated),
            "forwarded" => {
                self.set_way(token, PacketPath::Forward, negated)?;
                Ok(())
            }
            "ipv4" | "ipv6" => {
                let six = (lower == "ipv6") != negated;
                if self.traffic.v6.is_some_and(|v6| v6 != six) {
                    return Err(token.problem_here("packets are of one family: nothing is left"));
                }
                self.traffic.v6 = Some(six);
                Ok(())
            }
            "proto" => {
                let value = self.take_after(token, "a protocol")?;
                let numbers: Option<Vec<Range>> = list_items(&value.text).map(byte_range).collect();
                let part = match numbers.filter(|numbers| !numbers.is_empty()) {
                    Some(numbers) => field_part(Field::L4Proto, numbers),
                    None => protocol_part(value)?.ok_or_else(|| unknown(value))?,
                };
                self.push(negated, vec![part]);
                Ok(())
            }
            "state" => {
                self.connection = true;
                let value = self.take_after(token, "a state such as new")?;
                if value.lower() == "any" && !negated {
                    return Ok(());
                }
                let part = state_part(value).ok_or_else(|| unknown(value))?;
                self.push(negated, vec![part]);
                Ok(())
            }
            "type" => {
                let value = self.take_after(token, "an ICMP type")?;
                let part = icmp_part(&value.text).ok_or_else(|| unknown(value))?;
                self.push(negated, vec![part]);
                Ok(())
            }
            "original" | "reply" => {
                self.connection = true;
                let number = u128::from(lower == "reply");
                self.push(negated, vec![number_part(Field::CtDirection, number)]);
                Ok(())
            }
            "fragment" => {
                self.connection = true;
                self.push(negated, vec![number_part(Field::IsLaterFragment, 1)]);
                Ok(())
            }
            "syn" => {
                // FIN, SYN, RST and ACK are looked at, as iptables' `--syn` does.
                let part = ConditionPart::Match(Match::Field {
                    operand: Operand {
                        field: Field::TcpFlags,
                        mask: Some(0x17),
                    },
                    negated: false,
                    ranges: vec![Range::one(2)],
                });
                self.push(negated, vec![part]);
                Ok(())
            }
            "uid" => self.read_numbers(token, &[Field::Uid], negated),
            "gid" => self.read_numbers(token, &[Field::Gid], negated),
            "ctmark" => {
                self.connection = true;
                self.read_numbers(token, &[Field::CtMark], negated)
            }
            "length" => self.read_numbers(token, &[Field::Length], negated),
            "ttl" => self.read_numbers(token, &[Field::Ttl, Field::HopLimit], negated),
            _ => self.read_single(token, negated),
        }
    }

    /// A word that says something by itself.
    fn read_single(&mut self, token: &SentenceToken, negated: bool) -> Result<(), Problem> {
        if let Some(part) = protocol_part(token)? {
            self.push(negated, vec![part]);
            return Ok(());
        }
        if let Some(part) = state_part(token) {
            self.connection = true;
            self.push(negated, vec![part]);
            return Ok(());
        }
        if let Some((protocols, port)) = service(&token.lower()) {
            let protocols = protocols.into_iter();
            let parts = vec![
                field_part(
                    Field::L4Proto,
                    protocols.map(|one| Range::one(one.into())).collect(),
                ),
                number_part(Field::DstPort, port.into()),
            ];
            self.push(negated, parts);
            return Ok(());
        }
        let is_name = token.text.chars().any(char::is_alphabetic);
        if is_name && let Some(part) = icmp_part(&token.text) {
            self.push(negated, vec![part]);
            return Ok(());
        }
        // An address by itself is where packets come from.
        if reads_as_address(&token.text)
            && let Ok(condition) = read_ends(token, true, negated)
        {
            self.push(condition.negated, condition.parts);
            return Ok(());
        }
        Err(unknown(token))
    }

    fn read_end(
        &mut self,
        key: &SentenceToken,
        source: bool,
        negated: bool,
    ) -> Result<(), Problem> {
        let mut negated = negated;
        let mut value = self.take_after(key, "an address, such as 10.0.0.0/8, me or :22")?;
        if matches!(value.lower().as_str(), "not" | "!") {
            negated = !negated;
            value = self.take_after(value, "an address")?;
        }
        if value.text.eq_ignore_ascii_case("port") {
            let ports = self.take_after(value, "ports")?;
            let part = ports_part(ports, &ports.text, source)?;
            self.push(negated, vec![part]);
            return Ok(());
        }
        let names_ports_only = matches!(value.text.as_bytes().first(), Some(b':'));
        self.traffic.names_destination |= !source && !names_ports_only;
        let condition = read_ends(value, source, negated)?;
        self.push(condition.negated, condition.parts);
        Ok(())
    }

    fn read_interface(
        &mut self,
        key: &SentenceToken,
        input: bool,
        negated: bool,
    ) -> Result<(), Problem> {
        let Some(value) = self.take_name() else {
            if negated {
                return Err(key.problem_here("expected an interface's name"));
            }
            let way = if input {
                PacketPath::Input
            } else {
                PacketPath::Output
            };
            return self.set_way(key, way, false);
        };
        let mut negated = negated;
        let mut value = value;
        if matches!(value.lower().as_str(), "not" | "!") {
            negated = !negated;
            value = self.take_after(value, "an interface's name")?;
        }
        if input {
            self.input = true;
        } else {
            self.output = true;
        }
        let mut names = Vec::new();
        for item in list_items(&value.text) {
            let start = item.strip_suffix(['+', '*']);
            let text = start.unwrap_or(item);
            // `IFNAMSIZ` with its zero is 16.
            if text.len() > 15 || text.contains('/') {
                return Err(
                    value.problem_here(format!("`{}` is no interface's name", item.escape_debug()))
                );
            }
            names.push(NamePattern {
                text: text.to_owned(),
                prefix: start.is_some(),
            });
        }
        if names.is_empty() {
            return Err(value.problem_here("expected an interface's name"));
        }
        let part = if input {
            Match::InInterface {
                negated: false,
                names,
            }
        } else {
            Match::OutInterface {
                negated: false,
                names,
            }
        };
        self.push(negated, vec![ConditionPart::Match(part)]);
        Ok(())
    }

    /// The next word, if it can be an interface's name and is no word of the language; a `not`
    /// counts as what it stands before.
    fn take_name(&mut self) -> Option<&'a SentenceToken> {
        let next = self.tokens.get(self.next)?;
        let turned = matches!(next.lower().as_str(), "not" | "!");
        let name = if turned {
            self.tokens.get(self.next + 1)?
        } else {
            next
        };
        if is_word(&name.lower()) || !reads_as_interface(&name.text) {
            return None;
        }
        self.take()
    }

    fn set_way(
        &mut self,
        token: &SentenceToken,
        way: PacketPath,
        negated: bool,
    ) -> Result<(), Problem> {
        if negated {
            return Err(token.problem_here("a way cannot be turned round")
                .help("say `out` for what this host sends; without either, packets to this host are meant"));
        }
        if self.traffic.way.is_some_and(|said| said != way) {
            return Err(token.problem_here("packets take one way: nothing is left"));
        }
        self.traffic.way = Some(way);
        Ok(())
    }

    fn read_numbers(
        &mut self,
        key: &SentenceToken,
        fields: &[Field],
        negated: bool,
    ) -> Result<(), Problem> {
        let value = self.take_after(key, "numbers, such as 5, 1-9 or 1,7")?;
        let mut ranges = Vec::new();
        for item in list_items(&value.text) {
            let (lo, hi) = item.split_once('-').unwrap_or((item, item));
            match (number(lo), number(hi)) {
                (Some(lo), Some(hi)) if lo <= hi => ranges.push(Range { lo, hi }),
                _ => {
                    return Err(
                        value.problem_here(format!("`{}` is no number", item.escape_debug()))
                    );
                }
            }
        }
        let mut parts: Vec<ConditionPart> = fields
            .iter()
            .map(|field| field_part(*field, ranges.clone()))
            .collect();
        let part = if parts.len() == 1 {
            parts.remove(0)
        } else {
            ConditionPart::Any(parts)
        };
        self.push(negated, vec![part]);
        Ok(())
    }

    /// Where nothing was said of the connection, first packets are meant.
    fn mean_first_packets(&mut self) {
        if !self.connection {
            self.traffic.taken_as_new = true;
            self.push(false, vec![first_packets()]);
        }
    }

    /// Draws the conclusions about the way.
    fn settle(&mut self) {
        if self.traffic.way.is_none() {
            self.traffic.way = match (self.input, self.output) {
                (true, true) => Some(PacketPath::Forward),
                (false, true) => Some(PacketPath::Output),
                _ => None,
            };
        }
    }
}

/// Whether it is a word of the language, which nobody calls an interface by.
fn is_word(lower: &str) -> bool {
    let word = matches!(
        lower,
        "not"
            | "!"
            | "from"
            | "to"
            | "in"
            | "out"
            | "and"
            | "is"
            | "are"
            | "as"
            | "sport"
            | "dport"
            | "ipv4"
            | "ipv6"
            | "forwarded"
            | "proto"
            | "state"
            | "type"
            | "original"
            | "reply"
            | "fragment"
            | "syn"
            | "uid"
            | "gid"
            | "ctmark"
            | "length"
            | "ttl"
            | "traffic"
            | "packets"
            | "packet"
            | "anything"
            | "everything"
    );
    word || protocol_number(lower).is_some() || states_only(lower)
}

fn states_only(lower: &str) -> bool {
    lower
        .split(',')
        .all(|item| state_number(item).is_some() || protocol_number(item).is_some())
}

/// Whether a word begins with an address: `10.0.0.0/8`, `2001:db8::1`, `[2001:db8::1]:22`, `10.0.0.1-10.0.0.9`.
fn reads_as_address(text: &str) -> bool {
    let first = list_items(text).next().unwrap_or_default();
    let first = first.split(['/', '-']).next().unwrap_or_default();
    let inside = first
        .strip_prefix('[')
        .and_then(|rest| rest.split(']').next());
    inside.unwrap_or(first).parse::<std::net::IpAddr>().is_ok()
        || first
            .split(':')
            .next()
            .is_some_and(|host| host.parse::<std::net::Ipv4Addr>().is_ok())
}

fn unknown(token: &SentenceToken) -> Problem {
    let text = token.text.escape_debug();
    token
        .problem_here(format!("`{text}` is not understood"))
        .help("packets are said like this: tcp from 10.0.0.0/8 to :22 in eth0 new")
}

fn number(text: &str) -> Option<u128> {
    match text.strip_prefix("0x") {
        Some(digits) => u128::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn number_part(field: Field, number: u128) -> ConditionPart {
    field_part(field, vec![Range::one(number)])
}

/// `tcp`, `tcp,udp`, `tcp,47`.
fn protocol_part(token: &SentenceToken) -> Result<Option<ConditionPart>, Problem> {
    let mut ranges = Vec::new();
    let (mut known, mut other) = (0, None);
    for item in list_items(&token.text) {
        match protocol_number(&item.to_ascii_lowercase()) {
            Some(number) => {
                known += 1;
                ranges.push(Range::one(number.into()));
            }
            // Among names, a number can only be one, too.
            None => match byte_range(item) {
                Some(range) => ranges.push(range),
                None => other = Some(item.to_owned()),
            },
        }
    }
    match (known, other) {
        (0, _) => Ok(None),
        (_, Some(other)) => {
            Err(token.problem_here(format!("`{}` is no protocol", other.escape_debug())))
        }
        _ => Ok(Some(field_part(Field::L4Proto, ranges))),
    }
}

/// A byte or a range of bytes: `47`, `60-99`.
fn byte_range(text: &str) -> Option<Range> {
    let (lo, hi) = text.split_once('-').unwrap_or((text, text));
    let (lo, hi) = (lo.parse::<u8>().ok()?, hi.parse::<u8>().ok()?);
    (lo <= hi).then_some(Range {
        lo: lo.into(),
        hi: hi.into(),
    })
}

/// What nobody means to leave out: packets that open a connection, those that are not tracked,
/// and ICMP messages of any state.
fn first_packets() -> ConditionPart {
    ConditionPart::Any(vec![
        field_part(
            Field::CtState,
            [ct_state::NEW, ct_state::UNTRACKED].map(Range::one).into(),
        ),
        field_part(Field::IcmpType, vec![Range { lo: 0, hi: 255 }]),
        field_part(Field::Icmp6Type, vec![Range { lo: 0, hi: 255 }]),
    ])
}

/// `new`, `established,related`.
fn state_part(token: &SentenceToken) -> Option<ConditionPart> {
    let mut ranges = Vec::new();
    for item in list_items(&token.text) {
        ranges.push(Range::one(state_number(&item.to_ascii_lowercase())?));
    }
    (!ranges.is_empty()).then(|| field_part(Field::CtState, ranges))
}

/// ICMP types by name or number, of either family that knows them.
fn icmp_part(text: &str) -> Option<ConditionPart> {
    let mut ways = Vec::new();
    for item in list_items(text) {
        let before = ways.len();
        one_icmp(item, &mut ways);
        if ways.len() == before {
            return None;
        }
    }
    match ways.len() {
        0 => None,
        1 => ways.pop(),
        _ => Some(ConditionPart::Any(ways)),
    }
}

fn one_icmp(text: &str, ways: &mut Vec<ConditionPart>) {
    for (v6, kind_field, code_field) in [
        (false, Field::IcmpType, Field::IcmpCode),
        (true, Field::Icmp6Type, Field::Icmp6Code),
    ] {
        if let Some(range) = byte_range(text).filter(|range| range.lo < range.hi) {
            ways.push(field_part(kind_field, vec![range]));
            continue;
        }
        let Some((kind, code)) = icmp_type(text, v6) else {
            continue;
        };
        let range = |number: Option<u8>| {
            vec![number.map_or(Range { lo: 0, hi: 255 }, |number| Range::one(number.into()))]
        };
        ways.push(ConditionPart::All(vec![
            field_part(kind_field, range(kind)),
            field_part(code_field, range(code)),
        ]));
    }
}
