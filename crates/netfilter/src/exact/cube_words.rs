//! A cube of packets in the words that [`crate::traffic::Traffic`] reads, wherever it has words for it.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Cube, CubeLimit, InterfaceChoice};
use crate::language::protocol;
use crate::packet::{field_words, value_words};
use surefoot_ruleset::model::{Field, Range};

/// More items of a list are counted, where the words are for people to look at.
const MOST_SHOWN: usize = 6;

/// How much of long lists is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WordDetail {
    All,
    Shortened,
}

impl Cube {
    /// All that the cube says, in a sentence's words.
    pub fn words(&self) -> String {
        self.sentence(WordDetail::All)
    }

    /// The same for people to look at: long lists are cut.
    pub fn short_words(&self) -> String {
        self.sentence(WordDetail::Shortened)
    }

    /// All that the cube says, where the question settled the state of packets: it is not mentioned
    /// unless the cube limits it. Empty for the cube of all packets.
    pub fn words_without_state(&self) -> String {
        self.word_list(WordDetail::All).join(" ")
    }

    /// The same for people to look at: long lists are cut.
    pub fn short_words_without_state(&self) -> String {
        self.word_list(WordDetail::Shortened).join(" ")
    }

    /// A sentence that says nothing of the state means first packets, so this says `state any`.
    fn sentence(&self, detail: WordDetail) -> String {
        let limits_state = self
            .fields
            .iter()
            .any(|limit| limit.field == Field::CtState);
        let mut words = self.word_list(detail);
        if !limits_state {
            let fields = self.fields.iter().filter(|limit| !said_above(limit.field));
            let last = fields.count() + self.bits.len();
            words.insert(words.len() - last, "state any".to_owned());
        }
        words.join(" ")
    }

    fn word_list(&self, detail: WordDetail) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let of = |field: Field| self.fields.iter().find(|limit| limit.field == field);
        let kinds = [
            (Field::IcmpType, Field::IcmpCode, "icmp"),
            (Field::Icmp6Type, Field::Icmp6Code, "icmpv6"),
        ];
        match of(Field::L4Proto) {
            Some(limit) => words.push(negatable_words(
                protocol_keyword(limit),
                limit,
                detail,
                protocol_words,
            )),
            None => words.extend(
                kinds
                    .iter()
                    .filter(|(kind, code, _)| {
                        let there = |field| of(field).is_some_and(|limit| !limit.negated);
                        there(*kind) || there(*code)
                    })
                    .map(|(.., word)| (*word).to_owned()),
            ),
        }
        for (word, addresses, port) in [
            ("from", [Field::Ip4Src, Field::Ip6Src], Field::SrcPort),
            ("to", [Field::Ip4Dst, Field::Ip6Dst], Field::DstPort),
        ] {
            for (field, bits) in addresses.into_iter().zip([32, 128]) {
                let said = |range| network_words(range, bits);
                words.extend(of(field).map(|limit| negatable_words(word, limit, detail, said)));
            }
            let word = format!("{word} port");
            words.extend(of(port).map(|limit| negatable_words(&word, limit, detail, range_words)));
        }
        for (word, choice) in [("in", &self.input), ("out", &self.output)] {
            words.extend(choice.as_ref().map(|choice| interface_words(word, choice)));
        }
        for (kind, code, _) in kinds {
            words.extend(icmp_words(of(kind), of(code), detail));
        }
        words.extend(of(Field::CtState).map(|limit| {
            negatable_words("", limit, detail, |range| {
                vec![value_words(Field::CtState, range.lo)]
            })
        }));
        for limit in &self.fields {
            if !said_above(limit.field) {
                words.push(field_phrase(limit, detail));
            }
        }
        for (field, bit, on) in &self.bits {
            let with = if *on { "with" } else { "without" };
            let (field_word, bit) = (field_words(*field), value_words(*field, 1 << *bit));
            words.push(format!("{with} {field_word} {bit}"));
        }
        words
    }
}

/// A range of addresses as networks, where it is some few, else as a range.
pub fn address_words(range: Range, v6: bool) -> Vec<String> {
    network_words(range, if v6 { 128 } else { 32 })
}

fn said_above(field: Field) -> bool {
    matches!(
        field,
        Field::L4Proto
            | Field::Ip4Src
            | Field::Ip6Src
            | Field::Ip4Dst
            | Field::Ip6Dst
            | Field::SrcPort
            | Field::DstPort
            | Field::IcmpType
            | Field::IcmpCode
            | Field::Icmp6Type
            | Field::Icmp6Code
            | Field::CtState
    )
}

/// `not from 10.0.0.0/8`.
fn negatable_words(
    word: &str,
    limit: &CubeLimit,
    detail: WordDetail,
    say: impl Fn(Range) -> Vec<String>,
) -> String {
    let items: Vec<String> = limit.values.iter().copied().flat_map(say).collect();
    let mut words = vec![joined_items(&items, detail)];
    if !word.is_empty() {
        words.insert(0, word.to_owned());
    }
    if limit.negated {
        words.insert(0, "not".to_owned());
    }
    words.join(" ")
}

/// The word before protocols that are numbers only.
fn protocol_keyword(limit: &CubeLimit) -> &'static str {
    let mut words = limit.values.iter().copied().flat_map(protocol_words);
    let number = |word: String| {
        word.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    if words.all(number) { "proto" } else { "" }
}

/// Names that read back as the protocol, else numbers.
fn protocol_words(range: Range) -> Vec<String> {
    if range.hi - range.lo > 3 {
        return range_words(range);
    }
    (range.lo..=range.hi)
        .map(|number| {
            let word = value_words(Field::L4Proto, number);
            match protocol(&word) {
                Some(read) if u128::from(read) == number => word,
                _ => number.to_string(),
            }
        })
        .collect()
}

fn icmp_words(
    kind: Option<&CubeLimit>,
    code: Option<&CubeLimit>,
    detail: WordDetail,
) -> Vec<String> {
    let one = |limit: &CubeLimit| match limit.values.as_slice() {
        [range] if range.lo == range.hi && !limit.negated => Some(range.lo),
        _ => None,
    };
    match (kind, code) {
        (Some(kind), Some(code)) if one(kind).is_some() && one(code).is_some() => {
            let numbers = [one(kind), one(code)].map(Option::unwrap_or_default);
            vec![format!("type {}/{}", numbers[0], numbers[1])]
        }
        (kind, code) => {
            let mut words = Vec::new();
            words.extend(kind.map(|kind| negatable_words("type", kind, detail, range_words)));
            words.extend(code.map(|code| field_phrase(code, detail)));
            words
        }
    }
}

/// A field that sentences have one word for, or none.
fn field_phrase(limit: &CubeLimit, detail: WordDetail) -> String {
    let field = limit.field;
    let numbers = |word: &str| negatable_words(word, limit, detail, range_words);
    match field {
        Field::Uid => numbers("uid"),
        Field::Gid => numbers("gid"),
        Field::CtMark => numbers("ctmark"),
        Field::Length => numbers("length"),
        Field::Ttl | Field::HopLimit => numbers("ttl"),
        Field::IsLaterFragment => {
            let later = limit.values.iter().any(|range| range.contains(1));
            if later == limit.negated {
                "not fragment".to_owned()
            } else {
                "fragment".to_owned()
            }
        }
        Field::TcpFlags => flag_words(limit)
            .unwrap_or_else(|| negatable_words("with TCP flags", limit, detail, range_words)),
        Field::CtDirection => negatable_words("", limit, detail, |range| {
            vec![value_words(field, range.lo)]
        }),
        _ => {
            let word = format!("with {}", field_words(field));
            negatable_words(&word, limit, detail, |range| {
                let lo = value_words(field, range.lo);
                vec![if range.lo == range.hi {
                    lo
                } else {
                    format!("{lo}-{}", value_words(field, range.hi))
                }]
            })
        }
    }
}

/// The flags that are set and those that are not, if that says it all.
fn flag_words(limit: &CubeLimit) -> Option<String> {
    let inside: Vec<u128> = (0..256)
        .filter(|flags| limit.values.iter().any(|range| range.contains(*flags)))
        .collect();
    let set = inside.iter().copied().reduce(|all, one| all & one)?;
    let unset = !inside.iter().copied().reduce(|all, one| all | one)? & 0xff;
    let open = 8 - (set | unset).count_ones();
    if inside.len() != 1 << open {
        return None;
    }
    let not = if limit.negated { "not " } else { "" };
    if (set, unset) == (2, 0x15) {
        return Some(format!("{not}syn"));
    }
    let word = |flags| value_words(Field::TcpFlags, flags);
    Some(match (set, unset) {
        (_, 0) => format!("{not}with TCP flags {}", word(set)),
        (0, _) => format!("{not}without TCP flags {}", word(unset)),
        _ => format!(
            "{not}with TCP flags {} and without {}",
            word(set),
            word(unset)
        ),
    })
}

fn joined_items(items: &[String], detail: WordDetail) -> String {
    if detail == WordDetail::Shortened && items.len() > MOST_SHOWN + 1 {
        let shown = items.get(..MOST_SHOWN).unwrap_or_default();
        return format!(
            "{{{}, … {} more}}",
            shown.join(","),
            items.len() - MOST_SHOWN
        );
    }
    items.join(",")
}

fn range_words(range: Range) -> Vec<String> {
    vec![if range.lo == range.hi {
        range.lo.to_string()
    } else {
        format!("{}-{}", range.lo, range.hi)
    }]
}

/// One network, or a range that is none; several networks if there are few.
fn network_words(range: Range, bits: u32) -> Vec<String> {
    let address = |number: u128| -> IpAddr {
        match u32::try_from(number) {
            Ok(number) if bits == 32 => Ipv4Addr::from(number).into(),
            _ => Ipv6Addr::from(number).into(),
        }
    };
    let mut found = Vec::new();
    let mut lo = range.lo;
    loop {
        let aligned = lo.trailing_zeros().min(bits);
        let fits = (0..=aligned)
            .rev()
            .find(|host| last_of(lo, *host).is_some_and(|last| last <= range.hi))
            .unwrap_or(0);
        let mut text = address(lo).to_string();
        if fits > 0 {
            let _ = write!(text, "/{}", bits - fits);
        }
        found.push(text);
        let last = last_of(lo, fits).unwrap_or(lo);
        if last >= range.hi {
            break;
        }
        lo = last + 1;
        if found.len() > 2 {
            return vec![format!("{}-{}", address(range.lo), address(range.hi))];
        }
    }
    found
}

/// The last address of the network that begins here and has so many bits for hosts.
fn last_of(lo: u128, host: u32) -> Option<u128> {
    let size = 1_u128.checked_shl(host);
    size.map_or(Some(u128::MAX), |size| lo.checked_add(size - 1))
}

fn interface_words(word: &str, choice: &InterfaceChoice) -> String {
    let not = if choice.but { "not " } else { "" };
    let mut words = format!("{not}{word} {}", choice.names.join(","));
    if !choice.except.is_empty() {
        let _ = write!(words, " not {word} {}", choice.except.join(","));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_said_as_networks_where_they_are_some() {
        let said = |lo: u32, hi: u32| {
            network_words(
                Range {
                    lo: lo.into(),
                    hi: hi.into(),
                },
                32,
            )
            .join(",")
        };
        assert_eq!(said(0x0a00_0000, 0x0aff_ffff), "10.0.0.0/8");
        assert_eq!(said(0x0a00_0001, 0x0a00_0001), "10.0.0.1");
        assert_eq!(said(0x0a00_0000, 0x0a00_0002), "10.0.0.0/31,10.0.0.2");
        assert_eq!(said(0x0a00_0001, 0x0a00_000e), "10.0.0.1-10.0.0.14");
        assert_eq!(said(0, u32::MAX), "0.0.0.0/0");
        let all = Range {
            lo: 0,
            hi: u128::MAX,
        };
        assert_eq!(network_words(all, 128), ["::/0"]);
    }

    #[test]
    fn a_cube_reads_as_a_sentence_about_packets() {
        let limit = |field, negated, values: &[(u128, u128)]| CubeLimit {
            field,
            negated,
            values: values
                .iter()
                .map(|(lo, hi)| Range { lo: *lo, hi: *hi })
                .collect(),
        };
        let cube = Cube {
            input: Some(InterfaceChoice {
                but: true,
                names: vec!["lo".into()],
                except: Vec::new(),
            }),
            output: None,
            bits: Vec::new(),
            fields: vec![
                limit(Field::L4Proto, true, &[(1, 1), (6, 6), (61, 61)]),
                limit(Field::Ip4Src, true, &[(0x0a00_0000, 0x0aff_ffff)]),
                limit(Field::DstPort, false, &[(22, 22), (80, 90)]),
            ],
        };
        let words = cube.words();
        assert_eq!(
            words,
            "not icmp,tcp,61 not from 10.0.0.0/8 to port 22,80-90 not in lo state any"
        );
        crate::traffic::Traffic::parse(&words).unwrap();
        let cube = Cube {
            fields: vec![
                limit(Field::IcmpType, true, &[(8, 8), (3, 3)]),
                limit(Field::CtState, true, &[(2, 2), (4, 4)]),
            ],
            ..Cube::default()
        };
        let words = cube.words();
        assert_eq!(words, "not type 8,3 not established,related");
        crate::traffic::Traffic::parse(&words).unwrap();
    }
}
