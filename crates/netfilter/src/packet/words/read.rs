//! The grammar: from arguments to what was said, each with the place where it was said.

use std::net::IpAddr;

use super::ends::{no_port, read_endpoint};
use super::nearest::did_you_mean;
use super::services::{self, NamedService, port};
use super::vocabulary::{
    FLAGS, KEYS, LINKS, PROTOCOLS, SINGLE, STATES, is_word, known_words, named, protocol, value_of,
};
use super::{WordError, icmp};
use surefoot_ruleset::parse::names;

/// What was said, and at which word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GivenValue<T> {
    pub(super) value: T,
    pub(super) place: WordPlace,
    pub(super) word: String,
}

/// Where a word stands: in which argument, and at which byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WordPlace {
    pub(super) argument: usize,
    pub(super) at: usize,
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

/// A word, before it is understood.
pub(super) struct PacketToken {
    pub(super) text: String,
    place: WordPlace,
}

/// Reads all words.
pub(super) fn read(words: &[String]) -> Result<PacketDraft, WordError> {
    let tokens = tokens(words);
    let mut reader = PacketReader {
        tokens: &tokens,
        next: 0,
        arguments: words.len(),
        draft: PacketDraft::default(),
        last_end_is_source: false,
    };
    while let Some(token) = reader.take() {
        reader.word(token)?;
    }
    Ok(reader.draft)
}

fn tokens(words: &[String]) -> Vec<PacketToken> {
    let mut tokens = Vec::new();
    for (argument, word) in words.iter().enumerate() {
        let mut rest = 0;
        for part in word.split_whitespace() {
            // The parts stand in the word in this order.
            let at = word
                .get(rest..)
                .and_then(|behind| behind.find(part))
                .map_or(rest, |found| rest + found);
            rest = at + part.len();
            let mut push = |text: &str, at| {
                let (text, place) = (text.to_owned(), WordPlace { argument, at });
                tokens.push(PacketToken { text, place });
            };
            match part.split_once('=') {
                Some((key, value)) if key.starts_with("--") => {
                    push(key, at);
                    push(value, at + key.len() + 1);
                }
                _ => push(part, at),
            }
        }
    }
    tokens
}

struct PacketReader<'a> {
    tokens: &'a [PacketToken],
    next: usize,
    arguments: usize,
    draft: PacketDraft,
    last_end_is_source: bool,
}

impl<'a> PacketReader<'a> {
    fn take(&mut self) -> Option<&'a PacketToken> {
        let token = self.tokens.get(self.next)?;
        self.next += 1;
        Some(token)
    }

    fn word(&mut self, token: &'a PacketToken) -> Result<(), WordError> {
        let lower = token.text.to_ascii_lowercase();
        // iptables' module names say nothing that the options do not.
        if matches!(token.text.as_str(), "-m" | "--match") {
            self.argument_of(token, "a module's name")?;
            return Ok(());
        }
        if token.text == "!" {
            let what = "a packet has values, it cannot have `not` this one";
            return Err(refuse(token, what));
        }
        let key = if token.text.starts_with('-') {
            token.text.as_str()
        } else {
            lower.as_str()
        };
        match named(KEYS, key) {
            // Without an interface, the direction is meant.
            Some(way @ ("in" | "out")) if !key.starts_with('-') && !self.name_follows() => {
                self.draft.way[usize::from(way == "out")] = Some(said((), token));
                return Ok(());
            }
            Some(key) => return self.read_pair(key, token),
            None => {}
        }
        if let Some(number) = protocol(key) {
            return say_once(&mut self.draft.protocol, number, token, "protocol");
        }
        if let Some(state) = value_of(STATES, key) {
            return say_once(&mut self.draft.state, state, token, "state");
        }
        if let Some(kind) = value_of(LINKS, key) {
            return say_once(&mut self.draft.link, kind, token, "packet type");
        }
        match named(SINGLE, key) {
            Some("ipv4") => return say_once(&mut self.draft.v6, false, token, "family"),
            Some("ipv6") => return say_once(&mut self.draft.v6, true, token, "family"),
            Some("forwarded") => {
                self.draft.way[2] = Some(said((), token));
                return Ok(());
            }
            Some("original") => return say_once(&mut self.draft.direction, 0, token, "direction"),
            Some("reply") => return say_once(&mut self.draft.direction, 1, token, "direction"),
            Some("fragment") => {
                self.draft.fragment = Some(said((), token));
                return Ok(());
            }
            _ => {}
        }
        if let Some(bit) = value_of(FLAGS, key.trim_start_matches("--")) {
            let bits = self.draft.flags.as_ref().map_or(0, |flags| flags.value) | bit;
            self.draft.flags = Some(said(bits, token));
            return Ok(());
        }
        if let Some(service) = services::service(key) {
            say_once(
                &mut self.draft.destination.port,
                service.port,
                token,
                "port",
            )?;
            return say_once(&mut self.draft.service, service, token, "service");
        }
        if icmp::is_name(key) {
            return say_once(&mut self.draft.icmp, lower.clone(), token, "ICMP type");
        }
        Err(unknown(token))
    }

    /// Whether the next word can be the name of an interface.
    fn name_follows(&self) -> bool {
        let next = self.tokens.get(self.next);
        next.is_some_and(|token| can_be_a_name(&token.text))
    }

    fn read_pair(&mut self, key: &str, at: &'a PacketToken) -> Result<(), WordError> {
        let expected = match key {
            "from" | "to" => "an address, such as 192.0.2.1, 192.0.2.1:22 or [2001:db8::1]:22",
            "proto" => "a protocol's name or number",
            "sport" | "dport" | "port" => "a port",
            "in" | "out" => "an interface's name",
            "state" => "new, established, related, invalid or untracked",
            "flags" => "TCP flags, such as syn,ack",
            "type" => "an ICMP type, such as echo-request, 3 or 3/4",
            "mac" => "a hardware address, such as 02:00:5e:10:00:01",
            "pkttype" => "unicast, broadcast or multicast",
            "dscp" => "a number up to 63 or a class, such as ef",
            _ => "a number",
        };
        let token = self.argument_of(at, expected)?;
        // `to port 22`.
        let token = match key {
            "from" | "to" if token.text.eq_ignore_ascii_case("port") => {
                return self.port_of(key == "from", token);
            }
            "in" | "out" if token.text.eq_ignore_ascii_case("any") => {
                self.draft.way[usize::from(key == "out")] = Some(said((), token));
                return Ok(());
            }
            _ => token,
        };
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
                self.port(source, token)
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
            "flags" => {
                let mut bits = tcp_flags(&token.text).ok_or_else(wrong)?;
                // iptables' option has two lists: the flags that are looked at, and those set.
                if at.text == "--tcp-flags"
                    && let Some(set) = self
                        .tokens
                        .get(self.next)
                        .and_then(|token| tcp_flags(&token.text))
                {
                    self.next += 1;
                    bits = set;
                }
                say_once(&mut self.draft.flags, bits, token, "TCP flags")
            }
            "type" => {
                let known = icmp::find_type(&token.text, false).is_some()
                    || icmp::find_type(&token.text, true).is_some();
                if !known {
                    let mut error = wrong();
                    error.hint = did_you_mean(&token.text, icmp::type_names());
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

    fn port_of(&mut self, source: bool, at: &PacketToken) -> Result<(), WordError> {
        self.last_end_is_source = source;
        let token = self.argument_of(at, "a port")?;
        self.port(source, token)
    }

    fn port(&mut self, source: bool, token: &PacketToken) -> Result<(), WordError> {
        let port = port(&token.text).ok_or_else(|| no_port(token, &token.text))?;
        let end = if source {
            &mut self.draft.source
        } else {
            &mut self.draft.destination
        };
        say_once(&mut end.port, port, token, "port")
    }

    fn argument_of(
        &mut self,
        key: &PacketToken,
        expected: &str,
    ) -> Result<&'a PacketToken, WordError> {
        let arguments = self.arguments;
        self.take().ok_or_else(|| WordError {
            argument: arguments,
            at: 0,
            word: String::new(),
            what: format!("`{}` needs {expected} after it", key.text.escape_debug()),
            hint: None,
        })
    }
}

/// What a token means.
pub(super) fn said<T>(value: T, token: &PacketToken) -> GivenValue<T> {
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
    token: &PacketToken,
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
pub(super) fn refuse(token: &PacketToken, what: impl Into<String>) -> WordError {
    said((), token).refuse(what)
}

/// A word that is none of ours, with what it may have been meant to be.
fn unknown(token: &PacketToken) -> WordError {
    let text = &token.text;
    let mut error = refuse(token, "not a word of the packet language");
    error.hint = if is_address(text) {
        Some(format!("write `from {text}` or `to {text}`"))
    } else if let Some(port) = text.strip_prefix(':').filter(|rest| port(rest).is_some()) {
        Some(format!("write `to :{port}` for a port of this host"))
    } else if port(text).is_some() && names::number(text).is_some() {
        Some(format!("a port? write `to :{text}`"))
    } else if let Some(words) = like_ufw(text) {
        Some(format!("write `{words}`"))
    } else if let Some(hint) = did_you_mean(text, known_words()) {
        Some(hint)
    } else if names::port(text).is_some() {
        Some(format!("a service? write `to :{text}`"))
    } else if looks_like_interface(text) {
        Some(format!("an interface? write `in {text}` or `out {text}`"))
    } else {
        Some("for example: tcp from 203.0.113.9 to :22 in eth0 new".to_owned())
    };
    error
}

/// Whether a word behind `in` or `out` is taken for the name of an interface; behind `-i` and
/// `-o` every word is.
pub(super) fn can_be_a_name(text: &str) -> bool {
    !text.starts_with(['-', ':', '[']) && !is_word(text) && !is_address(text)
}

/// Whether it is an address, with or without a port or the length of a network.
fn is_address(text: &str) -> bool {
    let bare = text
        .trim_start_matches('[')
        .split([']', '/'])
        .next()
        .unwrap_or_default();
    bare.parse::<IpAddr>().is_ok() || text.parse::<std::net::SocketAddr>().is_ok()
}

/// `22/tcp` and `tcp/22` in our words.
fn like_ufw(text: &str) -> Option<String> {
    let (one, other) = text.split_once('/')?;
    let (number, name) = if protocol(one).is_some() {
        (other, one)
    } else {
        (one, other)
    };
    port(number)?;
    protocol(name)?;
    Some(format!("{name} to :{number}"))
}

fn looks_like_interface(text: &str) -> bool {
    let starts = [
        "eth", "en", "wl", "br", "docker", "veth", "tun", "tap", "wg", "ppp", "bond", "virbr", "lo",
    ];
    text.len() <= 15
        && starts.iter().any(|start| text.starts_with(start))
        && (text == "lo" || text.contains(|c: char| c.is_ascii_digit()))
}

fn interface(token: &PacketToken) -> Result<String, WordError> {
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

fn number<T: TryFrom<u64>>(token: &PacketToken, expected: &str) -> Result<T, WordError> {
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

fn tcp_flags(text: &str) -> Option<u8> {
    if text.eq_ignore_ascii_case("none") {
        return Some(0);
    }
    text.split([',', '|'])
        .try_fold(0, |bits, flag| Some(bits | value_of(FLAGS, flag)?))
}
