//! The grammar: from text to conditions, each word with its place.

use surefoot_report::{Problem, Span};

use super::ends::{field_part, ports_part, read_ends};
use super::{ConditionPart, Traffic, TrafficCondition};
use crate::language::{
    LINKS, MissingWord, NamedService, OpenBrace, STATES, Term, TermKind, Terms, WordToken,
    byte_range, find_type, likely_meant, list_items, protocol, tokens, value_of,
};
use crate::packet::PacketPath;
use surefoot_ruleset::model::{Field, Match, NamePattern, Operand, Range, ct_state};
use surefoot_ruleset::parse::{mac, names};

/// What is wrong with this word.
pub(super) fn problem_at(token: &WordToken, what: impl Into<String>) -> Problem {
    Problem::error(token.span(), what)
}

/// Splits a sentence into words; `start` is where the text begins in its source.
pub(super) fn words(text: &str, start: usize) -> Result<Vec<WordToken>, Problem> {
    tokens(0, text, start).map_err(|OpenBrace(place)| {
        let span = Span::new(place.at, place.at + 1);
        Problem::error(span, "this brace is not closed")
    })
}

/// Reads packets from all the words.
pub(super) fn read_traffic(tokens: &[WordToken]) -> Result<Traffic, Problem> {
    let mut reader = read(tokens)?;
    reader.mean_first_packets();
    Ok(reader.traffic)
}

/// Reads what packets have become: they keep the state that they came with.
pub(super) fn read_later(tokens: &[WordToken]) -> Result<Traffic, Problem> {
    read(tokens).map(|reader| reader.traffic)
}

fn read(tokens: &[WordToken]) -> Result<SentenceReader, Problem> {
    let mut reader = SentenceReader::default();
    for term in Terms::new(tokens) {
        let term = term.map_err(|MissingWord { after, expected }| {
            let key = &after.text;
            problem_at(after, format!("expected {expected} behind `{key}`"))
        })?;
        reader.read_term(&term)?;
    }
    reader.settle();
    Ok(reader)
}

#[derive(Default)]
struct SentenceReader {
    traffic: Traffic,
    /// Whether packets come in, go out, or are forwarded, as was said without an interface's name.
    comes_in: bool,
    goes_out: bool,
    forwarded: bool,
    /// Whether an interface's name was said.
    input: bool,
    output: bool,
    /// Whether something was said of the connection.
    connection: bool,
    /// Whether the last end that was said is the source.
    last_end_is_source: bool,
    /// TCP flags that were said one by one.
    flags: Option<u8>,
}

impl SentenceReader {
    fn push(&mut self, negated: bool, parts: Vec<ConditionPart>) {
        if !parts.is_empty() || negated {
            self.traffic
                .conditions
                .push(TrafficCondition { negated, parts });
        }
    }

    fn read_term(&mut self, term: &Term<'_>) -> Result<(), Problem> {
        let (token, negated) = (term.word, term.negated);
        let value = term.value.unwrap_or(token);
        let part = match term.kind {
            TermKind::Filler if negated => {
                let what = "`not` stands before nothing that it could turn round";
                return Err(problem_at(token, what));
            }
            TermKind::Filler => return Ok(()),
            TermKind::Key(key) => return self.read_value(key, token, value, negated),
            TermKind::PortsOf { source } => {
                self.last_end_is_source = source;
                ports_part(value, &value.text, source)?
            }
            TermKind::ComesIn | TermKind::GoesOut if negated => {
                return Err(problem_at(token, "expected an interface's name"));
            }
            TermKind::ComesIn => {
                self.comes_in = true;
                return Ok(());
            }
            TermKind::GoesOut => {
                self.goes_out = true;
                return Ok(());
            }
            TermKind::Single(word) => return self.read_single(word, token, negated),
            TermKind::Flags(looked_at, bits) => {
                if term.value.is_none() && !negated {
                    self.flags = Some(self.flags.unwrap_or(0) | bits);
                    return Ok(());
                }
                flags_part(looked_at, bits)
            }
            TermKind::Protocols => {
                let numbers = list_items(&token.text).filter_map(protocol_range);
                field_part(Field::L4Proto, numbers.collect())
            }
            TermKind::States => {
                self.connection = true;
                state_part(token)?
            }
            TermKind::Link(kind) => number_part(Field::PacketType, kind.into()),
            TermKind::Service(service) => {
                self.push(negated, service_parts(service));
                return Ok(());
            }
            TermKind::IcmpTypes => icmp_part(token)?,
            // An address by itself is where packets come from.
            TermKind::Address => {
                let condition = read_ends(token, true, negated)?;
                self.push(condition.negated, condition.parts);
                return Ok(());
            }
            TermKind::Unknown => return Err(unknown(token)),
        };
        self.push(negated, vec![part]);
        Ok(())
    }

    /// A word that says something by itself.
    fn read_single(&mut self, word: &str, token: &WordToken, negated: bool) -> Result<(), Problem> {
        let part = match word {
            "forwarded" if negated => {
                return Err(problem_at(token, "a way cannot be turned round")
                    .help("say `out` for what this host sends; without either, packets to this host are meant"));
            }
            "forwarded" => {
                self.forwarded = true;
                return Ok(());
            }
            "ipv4" | "ipv6" => {
                let six = (word == "ipv6") != negated;
                if self.traffic.v6.is_some_and(|v6| v6 != six) {
                    let what = "packets are of one family: nothing is left";
                    return Err(problem_at(token, what));
                }
                self.traffic.v6 = Some(six);
                return Ok(());
            }
            "original" | "reply" => number_part(Field::CtDirection, u128::from(word == "reply")),
            _ => number_part(Field::IsLaterFragment, 1),
        };
        self.connection = true;
        self.push(negated, vec![part]);
        Ok(())
    }

    /// A key and its value.
    fn read_value(
        &mut self,
        key: &'static str,
        token: &WordToken,
        value: &WordToken,
        negated: bool,
    ) -> Result<(), Problem> {
        let part = match key {
            "from" | "to" => {
                let source = key == "from";
                self.last_end_is_source = source;
                let names_ports_only = value.text.starts_with(':');
                self.traffic.names_destination |= !source && !names_ports_only;
                let condition = read_ends(value, source, negated)?;
                self.push(condition.negated, condition.parts);
                return Ok(());
            }
            "sport" | "dport" | "port" => {
                let source = key == "sport" || key == "port" && self.last_end_is_source;
                ports_part(value, &value.text, source)?
            }
            "in" | "out" => {
                let input = key == "in";
                *(if input {
                    &mut self.input
                } else {
                    &mut self.output
                }) = true;
                interface_part(value, input)?
            }
            "proto" => {
                let numbers: Option<Vec<Range>> =
                    list_items(&value.text).map(protocol_range).collect();
                let numbers = numbers.filter(|numbers| !numbers.is_empty());
                field_part(Field::L4Proto, numbers.ok_or_else(|| unknown(value))?)
            }
            "state" => {
                self.connection = true;
                if value.lower() == "any" && !negated {
                    return Ok(());
                }
                state_part(value)?
            }
            "type" => icmp_part(value)?,
            "flags" => return Err(problem_at(value, "expected TCP flags, such as syn,ack")),
            "mac" => {
                let item = |item: &str| mac(item).map(Range::one);
                listed(value, "a hardware address, such as 02:00:5e:10:00:01", item)
                    .map(|numbers| field_part(Field::MacSrc, numbers))?
            }
            "pkttype" => {
                let item = |item: &str| Some(Range::one(value_of(LINKS, item)?.into()));
                listed(value, "unicast, broadcast or multicast", item)
                    .map(|numbers| field_part(Field::PacketType, numbers))?
            }
            "dscp" => {
                let class =
                    |item: &str| names::dscp_class(item).map(|class| Range::one(class.into()));
                let item = |item: &str| number_range(item, 63).or_else(|| class(item));
                let numbers = listed(value, "numbers up to 63 or classes, such as ef", item)?;
                one_of(&[Field::Ip4Dscp, Field::Ip6Dscp], &numbers)
            }
            _ => {
                self.connection |= key == "ctmark";
                let (fields, most): (&[Field], u128) = match key {
                    "uid" => (&[Field::Uid], u32::MAX.into()),
                    "gid" => (&[Field::Gid], u32::MAX.into()),
                    "mark" => (&[Field::Mark], u32::MAX.into()),
                    "ctmark" => (&[Field::CtMark], u32::MAX.into()),
                    "length" => (&[Field::Length], u16::MAX.into()),
                    "ttl" => (&[Field::Ttl, Field::HopLimit], 255),
                    "tos" => (&[Field::Tos, Field::TrafficClass], 255),
                    "code" => (&[Field::IcmpCode, Field::Icmp6Code], 255),
                    _ => return Err(unknown(token)),
                };
                let root = matches!(key, "uid" | "gid");
                let item = |item: &str| {
                    let root = (root && item == "root").then_some(Range::one(0));
                    root.or_else(|| number_range(item, most))
                };
                one_of(
                    fields,
                    &listed(value, "numbers, such as 5, 1-9 or 1,7", item)?,
                )
            }
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

    /// Draws the conclusions about the way, and from flags that were said one by one.
    fn settle(&mut self) {
        let comes_in = self.input || self.comes_in;
        let goes_out = self.output || self.goes_out;
        self.traffic.way = match (comes_in, goes_out) {
            _ if self.forwarded => Some(PacketPath::Forward),
            (true, true) => Some(PacketPath::Forward),
            (false, true) => Some(PacketPath::Output),
            // What comes in by a certain interface may go through.
            (true, false) => self.comes_in.then_some(PacketPath::Input),
            (false, false) => None,
        };
        if let Some(bits) = self.flags.take() {
            self.push(false, vec![flags_part(None, bits)]);
        }
    }
}

fn unknown(token: &WordToken) -> Problem {
    let text = token.text.escape_debug();
    let example =
        || "packets are said like this: tcp from 10.0.0.0/8 to :22 in eth0 new".to_owned();
    problem_at(token, format!("`{text}` is not understood"))
        .help(likely_meant(&token.text).unwrap_or_else(example))
}

/// The items of a list, each read alike.
fn listed(
    value: &WordToken,
    expected: &str,
    read: impl Fn(&str) -> Option<Range>,
) -> Result<Vec<Range>, Problem> {
    let mut ranges = Vec::new();
    for item in list_items(&value.text) {
        let wrong = || {
            let what = format!("expected {expected}, not `{}`", item.escape_debug());
            problem_at(value, what)
        };
        ranges.push(read(item).ok_or_else(wrong)?);
    }
    if ranges.is_empty() {
        return Err(problem_at(value, format!("expected {expected}")));
    }
    Ok(ranges)
}

/// A number or a range of numbers that a field can hold.
fn number_range(text: &str, most: u128) -> Option<Range> {
    let (lo, hi) = text.split_once('-').unwrap_or((text, text));
    let (lo, hi) = (names::number(lo)?.into(), names::number(hi)?.into());
    (lo <= hi && hi <= most).then_some(Range { lo, hi })
}

/// The packets of which one of the fields holds one of these numbers.
fn one_of(fields: &[Field], ranges: &[Range]) -> ConditionPart {
    let mut parts: Vec<ConditionPart> = fields
        .iter()
        .map(|field| field_part(*field, ranges.to_vec()))
        .collect();
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            ConditionPart::Any(parts)
        }
    }
}

fn interface_part(value: &WordToken, input: bool) -> Result<ConditionPart, Problem> {
    let mut names = Vec::new();
    for item in list_items(&value.text) {
        let start = item.strip_suffix(['+', '*']);
        let text = start.unwrap_or(item);
        // `IFNAMSIZ` with its zero is 16.
        if text.len() > 15 || text.contains('/') {
            let what = format!("`{}` is no interface's name", item.escape_debug());
            return Err(problem_at(value, what));
        }
        names.push(NamePattern {
            text: text.to_owned(),
            prefix: start.is_some(),
        });
    }
    if names.is_empty() {
        return Err(problem_at(value, "expected an interface's name"));
    }
    let negated = false;
    Ok(ConditionPart::Match(if input {
        Match::InInterface { negated, names }
    } else {
        Match::OutInterface { negated, names }
    }))
}

/// Packets with exactly these TCP flags, or of those that are looked at. A SYN alone opens a
/// connection: of it FIN, SYN, RST and ACK are looked at, as iptables' `--syn` does.
fn flags_part(looked_at: Option<u8>, bits: u8) -> ConditionPart {
    let looked_at = looked_at.unwrap_or(if bits == 2 { 0x17 } else { 0xff });
    ConditionPart::Match(Match::Field {
        operand: Operand {
            field: Field::TcpFlags,
            mask: (looked_at < 0xff).then_some(looked_at.into()),
        },
        negated: false,
        ranges: vec![Range::one(bits.into())],
    })
}

fn service_parts(service: NamedService) -> Vec<ConditionPart> {
    let protocols = std::iter::once(service.protocol).chain(service.other);
    let protocols = protocols.map(|one| Range::one(one.into()));
    vec![
        field_part(Field::L4Proto, protocols.collect()),
        number_part(Field::DstPort, service.port.into()),
    ]
}

fn number_part(field: Field, number: u128) -> ConditionPart {
    field_part(field, vec![Range::one(number)])
}

/// A protocol by name or number, or a range of numbers.
fn protocol_range(item: &str) -> Option<Range> {
    let named = protocol(&item.to_ascii_lowercase()).or_else(|| names::protocol_number(item));
    match named {
        Some(number) => Some(Range::one(number.into())),
        None => byte_range(item).map(|(lo, hi)| Range {
            lo: lo.into(),
            hi: hi.into(),
        }),
    }
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
fn state_part(token: &WordToken) -> Result<ConditionPart, Problem> {
    let item = |item: &str| value_of(STATES, item).map(Range::one);
    let expected = "new, established, related, invalid or untracked";
    let ranges = listed(token, expected, item)?;
    Ok(field_part(Field::CtState, ranges))
}

/// ICMP types by name or number, of either family that knows them.
fn icmp_part(token: &WordToken) -> Result<ConditionPart, Problem> {
    let mut ways = Vec::new();
    for item in list_items(&token.text) {
        let before = ways.len();
        one_icmp(item, &mut ways);
        if ways.len() == before {
            return Err(unknown(token));
        }
    }
    match ways.len() {
        0 => Err(unknown(token)),
        1 => Ok(ways.remove(0)),
        _ => Ok(ConditionPart::Any(ways)),
    }
}

fn one_icmp(text: &str, ways: &mut Vec<ConditionPart>) {
    for (v6, kind_field, code_field) in [
        (false, Field::IcmpType, Field::IcmpCode),
        (true, Field::Icmp6Type, Field::Icmp6Code),
    ] {
        if let Some((lo, hi)) = byte_range(text).filter(|(lo, hi)| lo < hi) {
            let range = Range {
                lo: lo.into(),
                hi: hi.into(),
            };
            ways.push(field_part(kind_field, vec![range]));
            continue;
        }
        let Some((kind, code)) = find_type(text, v6) else {
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
