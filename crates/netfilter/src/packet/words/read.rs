//! The grammar: from arguments to what was said, each with the place where it was said.

use std::net::IpAddr;

use super::WordError;
use super::ends::{no_port, read_endpoint};
use crate::language::{
    LINKS, MissingWord, NamedService, OpenBrace, PROTOCOLS, STATES, Term, TermKind, Terms,
    WordPlace, WordToken, did_you_mean, expected_after, find_type, likely_meant, port, tokens,
    type_names, value_of,
};
use surefoot_ruleset::parse::names;

/// What was said, and at which word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GivenValue<T> {
    pub(super) value: T,
    pub(super) place: WordPlace,
    pub(super) word: String,
}

impl<T> GivenValue<T> {
    /// Refuses this word.
    pub(super) fn refuse(&self, what: impl Into<String>) -> WordError {
        self.mention().refuse(what)
    }

    /// The word without what it means.
    pub(super) fn mention(&self) -> WordMention<'_> {
        WordMention {
            place: self.place,
            word: &self.word,
        }
    }
}

/// A word at its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct WordMention<'a> {
    pub(super) place: WordPlace,
    pub(super) word: &'a str,
}

impl WordMention<'_> {
    /// Refuses this word.
    pub(super) fn refuse(self, what: impl Into<String>) -> WordError {
        WordError {
            argument: self.place.argument,
            at: self.place.at,
            word: self.word.to_owned(),
            what: what.into(),
            hint: None,
        }
    }
}

/// One end of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct EndDraft {
    pub(super) address: Option<GivenValue<IpAddr>>,
    pub(super) port: Option<GivenValue<u16>>,
    /// `any` was said, or only a port.
    pub(super) left_open: bool,
    /// This host was said, by no address in particular.
    pub(super) me: Option<GivenValue<()>>,
}

/// Everything that was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct PacketDraft {
    pub(super) v6: Option<GivenValue<bool>>,
    pub(super) protocol: Option<GivenValue<u8>>,
    pub(super) source: EndDraft,
    pub(super) destination: EndDraft,
    pub(super) input: Option<GivenValue<String>>,
    pub(super) output: Option<GivenValue<String>>,
    /// `in`, `out` and `forwarded` without an interface.
    pub(super) way: [Option<GivenValue<()>>; 3],
    pub(super) service: Option<GivenValue<NamedService>>,
    pub(super) state: Option<GivenValue<u128>>,
    pub(super) direction: Option<GivenValue<u8>>,
    pub(super) flags: Option<GivenValue<u8>>,
    pub(super) icmp: Option<GivenValue<String>>,
    pub(super) code: Option<GivenValue<u8>>,
    pub(super) mark: Option<GivenValue<u32>>,
    pub(super) ctmark: Option<GivenValue<u32>>,
    pub(super) uid: Option<GivenValue<u32>>,
    pub(super) gid: Option<GivenValue<u32>>,
    pub(super) length: Option<GivenValue<u16>>,
    pub(super) ttl: Option<GivenValue<u8>>,
    pub(super) dscp: Option<GivenValue<u8>>,
    pub(super) tos: Option<GivenValue<u8>>,
    pub(super) mac: Option<GivenValue<u64>>,
    pub(super) link: Option<GivenValue<u8>>,
    pub(super) fragment: Option<GivenValue<()>>,
}

/// Reads all words.
pub(super) fn read(words: &[String]) -> Result<PacketDraft, WordError> {
    let mut all = Vec::new();
    for (argument, word) in words.iter().enumerate() {
        let of_word = tokens(argument, word, 0).map_err(|OpenBrace(place)| WordError {
            argument: place.argument,
            at: place.at,
            word: "{".to_owned(),
            what: "this brace is not closed".to_owned(),
            hint: Some("a packet has one value of each kind, not a list".to_owned()),
        })?;
        all.extend(of_word);
    }
    let mut reader = PacketReader {
        draft: PacketDraft::default(),
        last_end_is_source: false,
    };
    for term in Terms::new(&all) {
        let term = term.map_err(|MissingWord { after, expected }| WordError {
            argument: words.len(),
            at: 0,
            word: String::new(),
            what: format!("`{}` needs {expected} after it", after.text.escape_debug()),
            hint: None,
        })?;
        reader.read_term(&term)?;
    }
    Ok(reader.draft)
}

struct PacketReader {
    draft: PacketDraft,
    last_end_is_source: bool,
}

impl PacketReader {
    fn read_term(&mut self, term: &Term<'_>) -> Result<(), WordError> {
        if let Some(not) = term.negation {
            let what = "a packet has values, it cannot have `not` this one";
            return Err(refuse(not, what));
        }
        let token = term.word;
        let draft = &mut self.draft;
        match term.kind {
            TermKind::Filler => Ok(()),
            TermKind::Key(key) => match term.value {
                Some(value) => self.read_value(key, value),
                None => Err(unknown(token)),
            },
            TermKind::PortsOf { source } => {
                self.last_end_is_source = source;
                self.read_port(source, term.value.unwrap_or(token))
            }
            TermKind::ComesIn | TermKind::GoesOut => {
                let out = term.kind == TermKind::GoesOut;
                draft.way[usize::from(out)] = Some(said((), token));
                Ok(())
            }
            TermKind::Single(word) => match word {
                "ipv4" => say_once(&mut draft.v6, false, token, "family"),
                "ipv6" => say_once(&mut draft.v6, true, token, "family"),
                "original" => say_once(&mut draft.direction, 0, token, "direction"),
                "reply" => say_once(&mut draft.direction, 1, token, "direction"),
                "forwarded" => {
                    draft.way[2] = Some(said((), token));
                    Ok(())
                }
                _ => {
                    draft.fragment = Some(said((), token));
                    Ok(())
                }
            },
            TermKind::Flags(_, bits) => {
                if let Some(list) = term.value {
                    return say_once(&mut draft.flags, bits, list, "TCP flags");
                }
                let before = draft.flags.as_ref().map_or(0, |flags| flags.value);
                draft.flags = Some(said(before | bits, token));
                Ok(())
            }
            TermKind::Protocols => {
                let number = value_of(PROTOCOLS, &token.text);
                let number = number.ok_or_else(|| several(token, "protocol"))?;
                say_once(&mut draft.protocol, number, token, "protocol")
            }
            TermKind::States => {
                let state = value_of(STATES, &token.text);
                let state = state.ok_or_else(|| several(token, "state"))?;
                say_once(&mut draft.state, state, token, "state")
            }
            TermKind::Link(kind) => say_once(&mut draft.link, kind, token, "packet type"),
            TermKind::Service(service) => {
                say_once(&mut draft.destination.port, service.port, token, "port")?;
                say_once(&mut draft.service, service, token, "service")
            }
            TermKind::IcmpTypes if token.text.contains(',') => Err(several(token, "ICMP type")),
            TermKind::IcmpTypes => say_once(&mut draft.icmp, token.lower(), token, "ICMP type"),
            TermKind::Address | TermKind::Unknown => Err(unknown(token)),
        }
    }

    fn read_value(&mut self, key: &str, token: &WordToken) -> Result<(), WordError> {
        let expected = expected_after(key);
        let draft = &mut self.draft;
        let wrong = || refuse(token, format!("expected {expected}"));
        match key {
            "proto" => {
                let number = names::protocol_number(&token.text).ok_or_else(|| {
                    let mut error = wrong();
                    let known = PROTOCOLS.iter().map(|(name, _)| *name);
                    error.hint = did_you_mean(&token.text, known);
                    error
                })?;
                say_once(&mut draft.protocol, number, token, "protocol")
            }
            "from" | "to" => {
                let source = key == "from";
                self.last_end_is_source = source;
                let end = if source {
                    &mut draft.source
                } else {
                    &mut draft.destination
                };
                read_endpoint(end, token, key)
            }
            "sport" | "dport" | "port" => {
                let source = key == "sport" || key == "port" && self.last_end_is_source;
                self.read_port(source, token)
            }
            "in" => say_once(
                &mut draft.input,
                interface(token)?,
                token,
                "incoming interface",
            ),
            "out" => say_once(
                &mut draft.output,
                interface(token)?,
                token,
                "outgoing interface",
            ),
            "state" => {
                let state = value_of(STATES, &token.text).ok_or_else(|| {
                    let mut error = wrong();
                    if token.text.contains(',') {
                        error.hint =
                            Some("a packet is in one state: ask for one of them at a time".into());
                    } else {
                        let known = STATES.iter().map(|(name, _)| *name);
                        error.hint = did_you_mean(&token.text, known);
                    }
                    error
                })?;
                say_once(&mut draft.state, state, token, "state")
            }
            "flags" => Err(wrong()),
            "type" => {
                let known = find_type(&token.text, false).is_some()
                    || find_type(&token.text, true).is_some();
                if !known {
                    let mut error = wrong();
                    error.hint = did_you_mean(&token.text, type_names());
                    return Err(error);
                }
                say_once(
                    &mut draft.icmp,
                    token.text.to_ascii_lowercase(),
                    token,
                    "ICMP type",
                )
            }
            "code" => say_once(
                &mut draft.code,
                number(token, expected)?,
                token,
                "ICMP code",
            ),
            "mark" => say_once(&mut draft.mark, number(token, expected)?, token, "mark"),
            "ctmark" => say_once(
                &mut draft.ctmark,
                number(token, expected)?,
                token,
                "connection mark",
            ),
            "uid" => {
                let id = if token.text == "root" {
                    0
                } else {
                    number(token, "a user's number")?
                };
                say_once(&mut draft.uid, id, token, "uid")
            }
            "gid" => {
                let id = if token.text == "root" {
                    0
                } else {
                    number(token, "a group's number")?
                };
                say_once(&mut draft.gid, id, token, "gid")
            }
            "length" => say_once(&mut draft.length, number(token, expected)?, token, "length"),
            "ttl" => say_once(&mut draft.ttl, number(token, expected)?, token, "ttl"),
            "dscp" => {
                let numeric =
                    names::number(&token.text).and_then(|number| u8::try_from(number).ok());
                let class = numeric.or_else(|| names::dscp_class(&token.text));
                let class = class.filter(|class| *class < 64).ok_or_else(wrong)?;
                say_once(&mut draft.dscp, class, token, "dscp")
            }
            "tos" => say_once(&mut draft.tos, number(token, expected)?, token, "tos"),
            "mac" => {
                let address = surefoot_ruleset::parse::mac(&token.text)
                    .and_then(|mac| u64::try_from(mac).ok());
                say_once(
                    &mut draft.mac,
                    address.ok_or_else(wrong)?,
                    token,
                    "hardware address",
                )
            }
            _ => {
                let kind = value_of(LINKS, &token.text).ok_or_else(wrong)?;
                say_once(&mut draft.link, kind, token, "packet type")
            }
        }
    }

    fn read_port(&mut self, source: bool, token: &WordToken) -> Result<(), WordError> {
        let port = port(&token.text).ok_or_else(|| no_port(token, &token.text))?;
        let end = if source {
            &mut self.draft.source
        } else {
            &mut self.draft.destination
        };
        say_once(&mut end.port, port, token, "port")
    }
}

/// What a token means.
pub(super) fn said<T>(value: T, token: &WordToken) -> GivenValue<T> {
    GivenValue {
        value,
        place: token.place,
        word: token.text.clone(),
    }
}

/// Keeps what was said; what was said already must not be said differently.
pub(super) fn say_once<T: PartialEq>(
    slot: &mut Option<GivenValue<T>>,
    value: T,
    token: &WordToken,
    what: &str,
) -> Result<(), WordError> {
    match slot {
        Some(before) if before.value != value => Err(refuse(
            token,
            format!(
                "the {what} is already `{}`, and a packet has one",
                before.word.escape_debug()
            ),
        )),
        Some(_) => Ok(()),
        None => {
            *slot = Some(said(value, token));
            Ok(())
        }
    }
}

/// Refuses a token.
pub(super) fn refuse(token: &WordToken, what: impl Into<String>) -> WordError {
    said((), token).refuse(what)
}

/// A list where a packet has one.
fn several(token: &WordToken, what: &str) -> WordError {
    let mut error = refuse(token, format!("a packet has one {what}"));
    error.hint = Some("ask for one of them at a time".to_owned());
    error
}

/// A word that is none of ours, with what it may have been meant to be.
fn unknown(token: &WordToken) -> WordError {
    let mut error = refuse(token, "not a word of the packet language");
    let example = || "for example: tcp from 203.0.113.9 to :22 in eth0 new".to_owned();
    error.hint = Some(likely_meant(&token.text).unwrap_or_else(example));
    error
}

fn interface(token: &WordToken) -> Result<String, WordError> {
    let text = &token.text;
    let mut error = refuse(token, "expected an interface's name");
    if text.ends_with(['+', '*']) {
        error.hint = Some("a pattern stands for many: name one interface, such as eth0".into());
        return Err(error);
    }
    // `dev_valid_name` and `IFNAMSIZ`.
    if text.len() > 15 || text == "." || text == ".." || text.contains(['/', ':']) {
        error.hint = Some("a name has at most 15 bytes and no `/` or `:`".into());
        return Err(error);
    }
    Ok(text.clone())
}

fn number<T: TryFrom<u64>>(token: &WordToken, expected: &str) -> Result<T, WordError> {
    let wide =
        names::number(&token.text).ok_or_else(|| refuse(token, format!("expected {expected}")))?;
    T::try_from(wide).map_err(|_| {
        let bits = 8 * size_of::<T>();
        let most = if bits >= 64 {
            u64::MAX
        } else {
            (1 << bits) - 1
        };
        refuse(token, format!("too large: at most {most}"))
    })
}
