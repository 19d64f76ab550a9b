//! The grammar: from arguments to what was said, each with the place where it was said.

use std::net::{IpAddr, Ipv6Addr};

use super::WordError;
use super::nearest::nearest;
use crate::model::ct_state;
use crate::parse::names;

/// What was said, and at which word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said<T> {
    pub(super) value: T,
    pub(super) argument: usize,
    pub(super) word: String,
}

impl<T> Said<T> {
    /// Refuses this word.
    pub(super) fn refuse(&self, what: impl Into<String>) -> WordError {
        WordError {
            argument: self.argument,
            word: self.word.clone(),
            what: what.into(),
            hint: None,
        }
    }
}

/// One end of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) address: Option<Said<IpAddr>>,
    pub(super) port: Option<Said<u16>>,
    /// `any` was said, or only a port.
    pub(super) left_open: bool,
}

/// Everything that was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) v6: Option<Said<bool>>,
    pub(super) protocol: Option<Said<u8>>,
    pub(super) source: End,
    pub(super) destination: End,
    pub(super) input: Option<Said<String>>,
    pub(super) output: Option<Said<String>>,
    pub(super) state: Option<Said<u128>>,
    pub(super) direction: Option<Said<u8>>,
    pub(super) flags: Option<Said<u8>>,
    pub(super) icmp: Option<Said<String>>,
    pub(super) code: Option<Said<u8>>,
    pub(super) mark: Option<Said<u32>>,
    pub(super) ctmark: Option<Said<u32>>,
    pub(super) uid: Option<Said<u32>>,
    pub(super) gid: Option<Said<u32>>,
    pub(super) length: Option<Said<u16>>,
    pub(super) ttl: Option<Said<u8>>,
    pub(super) dscp: Option<Said<u8>>,
    pub(super) tos: Option<Said<u8>>,
    pub(super) mac: Option<Said<u64>>,
    pub(super) link: Option<Said<u8>>,
    pub(super) fragment: Option<Said<()>>,
}

const PROTOCOLS: &[(&str, u8)] = &[
    ("tcp", 6),
    ("udp", 17),
    ("icmp", 1),
    ("icmpv6", 58),
    ("icmp6", 58),
    ("ipv6-icmp", 58),
    ("sctp", 132),
    ("dccp", 33),
    ("udplite", 136),
    ("esp", 50),
    ("ah", 51),
    ("gre", 47),
    ("igmp", 2),
    ("ipip", 4),
    ("ospf", 89),
    ("vrrp", 112),
    ("pim", 103),
    ("l2tp", 115),
];

const STATES: &[(&str, u128)] = &[
    ("new", ct_state::NEW),
    ("established", ct_state::ESTABLISHED),
    ("related", ct_state::RELATED),
    ("invalid", ct_state::INVALID),
    ("untracked", ct_state::UNTRACKED),
];

const FLAGS: &[(&str, u8)] = &[
    ("fin", 1),
    ("syn", 2),
    ("rst", 4),
    ("psh", 8),
    ("ack", 16),
    ("urg", 32),
    ("ece", 64),
    ("cwr", 128),
];

const LINKS: &[(&str, u8)] = &[("unicast", 0), ("broadcast", 1), ("multicast", 2)];

/// The words that another word follows, with the option spellings of iptables.
const KEYS: &[(&str, &[&str])] = &[
    ("proto", &["protocol", "--proto", "--protocol", "-p"]),
    (
        "from",
        &[
            "source", "src", "saddr", "--source", "--src", "--from", "-s",
        ],
    ),
    (
        "to",
        &[
            "destination",
            "dst",
            "daddr",
            "--destination",
            "--dst",
            "--to",
            "-d",
        ],
    ),
    ("sport", &["--sport", "--source-port", "--sports"]),
    ("dport", &["--dport", "--destination-port", "--dports"]),
    ("port", &["--port"]),
    ("in", &["iif", "iifname", "--in-interface", "--in", "-i"]),
    ("out", &["oif", "oifname", "--out-interface", "--out", "-o"]),
    ("state", &["--state", "--ctstate"]),
    ("flags", &["--tcp-flags", "--flags"]),
    ("type", &["--icmp-type", "--icmpv6-type", "--type"]),
    ("code", &["--code"]),
    ("mark", &["--mark"]),
    ("ctmark", &["connmark", "--ctmark", "--connmark"]),
    ("uid", &["--uid", "--uid-owner", "skuid"]),
    ("gid", &["--gid", "--gid-owner", "skgid"]),
    ("length", &["--length"]),
    (
        "ttl",
        &["--ttl", "--ttl-eq", "hoplimit", "hl", "--hl-eq", "--hl"],
    ),
    ("dscp", &["--dscp", "--dscp-class"]),
    ("tos", &["--tos"]),
    ("mac", &["--mac", "--mac-source"]),
    ("pkttype", &["--pkt-type", "--pkttype"]),
];

/// The words that stand alone and are in no table above, with other spellings.
const SINGLE: &[(&str, &[&str])] = &[
    ("ipv4", &["--ipv4", "-4", "ip4"]),
    ("ipv6", &["--ipv6", "-6", "ip6"]),
    ("original", &[]),
    ("reply", &[]),
    ("fragment", &["--fragment", "-f", "frag"]),
    ("syn", &["--syn"]),
];

fn named(table: &[(&'static str, &[&str])], word: &str) -> Option<&'static str> {
    let found = table
        .iter()
        .find(|(name, others)| *name == word || others.contains(&word));
    found.map(|(name, _)| *name)
}

fn value_of<T: Copy>(table: &[(&str, T)], word: &str) -> Option<T> {
    let found = table
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, value)| *value)
}

/// The number of a protocol that is a word by itself.
pub(super) fn protocol(word: &str) -> Option<u8> {
    value_of(PROTOCOLS, word)
}

fn known_words() -> impl Iterator<Item = &'static str> {
    let keys = KEYS.iter().chain(SINGLE).flat_map(|(name, others)| {
        std::iter::once(*name).chain(others.iter().copied().filter(|other| other.len() > 2))
    });
    keys.chain(PROTOCOLS.iter().map(|(name, _)| *name))
        .chain(STATES.iter().map(|(name, _)| *name))
        .chain(FLAGS.iter().map(|(name, _)| *name))
        .chain(LINKS.iter().map(|(name, _)| *name))
        .chain(names::icmp_names())
}

struct Token {
    text: String,
    argument: usize,
}

/// Reads all words.
pub(super) fn read(words: &[String]) -> Result<Draft, WordError> {
    let mut tokens = Vec::new();
    for (argument, word) in words.iter().enumerate() {
        for part in word.split_whitespace() {
            match part.split_once('=') {
                Some((key, value)) if key.starts_with("--") => {
                    for text in [key, value] {
                        let text = text.to_owned();
                        tokens.push(Token { text, argument });
                    }
                }
                _ => tokens.push(Token {
                    text: part.to_owned(),
                    argument,
                }),
            }
        }
    }
    let mut reader = Reader {
        tokens: &tokens,
        next: 0,
        arguments: words.len(),
        draft: Draft::default(),
        last_end_is_source: false,
    };
    while let Some(token) = reader.take() {
        reader.word(token)?;
    }
    Ok(reader.draft)
}

struct Reader<'a> {
    tokens: &'a [Token],
    next: usize,
    arguments: usize,
    draft: Draft,
    last_end_is_source: bool,
}

impl<'a> Reader<'a> {
    fn take(&mut self) -> Option<&'a Token> {
        let token = self.tokens.get(self.next)?;
        self.next += 1;
        Some(token)
    }

    fn word(&mut self, token: &'a Token) -> Result<(), WordError> {
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
        if let Some(key) = named(KEYS, key) {
            return self.pair(key, token);
        }
        if let Some(number) = protocol(key) {
            return say(&mut self.draft.protocol, number, token, "protocol");
        }
        if let Some(state) = value_of(STATES, key) {
            return say(&mut self.draft.state, state, token, "state");
        }
        if let Some(kind) = value_of(LINKS, key) {
            return say(&mut self.draft.link, kind, token, "packet type");
        }
        match named(SINGLE, key) {
            Some("ipv4") => return say(&mut self.draft.v6, false, token, "family"),
            Some("ipv6") => return say(&mut self.draft.v6, true, token, "family"),
            Some("original") => return say(&mut self.draft.direction, 0, token, "direction"),
            Some("reply") => return say(&mut self.draft.direction, 1, token, "direction"),
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
        if names::icmp_names().any(|name| name.eq_ignore_ascii_case(key)) {
            return say(&mut self.draft.icmp, lower.clone(), token, "ICMP type");
        }
        Err(unknown(token))
    }

    fn pair(&mut self, key: &str, at: &'a Token) -> Result<(), WordError> {
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
        let draft = &mut self.draft;
        let wrong = || refuse(token, format!("expected {expected}"));
        match key {
            "proto" => {
                let number = names::protocol_number(&token.text).ok_or_else(|| {
                    let mut error = wrong();
                    let known = PROTOCOLS.iter().map(|(name, _)| *name);
                    error.hint =
                        nearest(&token.text, known).map(|word| format!("did you mean `{word}`?"));
                    error
                })?;
                say(&mut draft.protocol, number, token, "protocol")
            }
            "from" | "to" => {
                let source = key == "from";
                self.last_end_is_source = source;
                let end = if source {
                    &mut draft.source
                } else {
                    &mut draft.destination
                };
                endpoint(end, token, key)
            }
            "sport" | "dport" | "port" => {
                let source = key == "sport" || key == "port" && self.last_end_is_source;
                let port = port(&token.text).ok_or_else(|| no_port(token, &token.text))?;
                let end = if source {
                    &mut draft.source
                } else {
                    &mut draft.destination
                };
                say(&mut end.port, port, token, "port")
            }
            "in" => say(
                &mut draft.input,
                interface(token)?,
                token,
                "incoming interface",
            ),
            "out" => say(
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
                        error.hint = nearest(&token.text, known)
                            .map(|word| format!("did you mean `{word}`?"));
                    }
                    error
                })?;
                say(&mut draft.state, state, token, "state")
            }
            "flags" => {
                let mut bits = flags(&token.text).ok_or_else(wrong)?;
                // iptables' option has two lists: the flags that are looked at, and those set.
                if at.text == "--tcp-flags"
                    && let Some(set) = self
                        .tokens
                        .get(self.next)
                        .and_then(|token| flags(&token.text))
                {
                    self.next += 1;
                    bits = set;
                }
                say(&mut self.draft.flags, bits, token, "TCP flags")
            }
            "type" => {
                let known = names::icmp(&token.text, false).is_some()
                    || names::icmp(&token.text, true).is_some();
                if !known {
                    let mut error = wrong();
                    error.hint = nearest(&token.text, names::icmp_names())
                        .map(|word| format!("did you mean `{word}`?"));
                    return Err(error);
                }
                say(
                    &mut draft.icmp,
                    token.text.to_ascii_lowercase(),
                    token,
                    "ICMP type",
                )
            }
            "code" => say(
                &mut draft.code,
                number(token, expected)?,
                token,
                "ICMP code",
            ),
            "mark" => say(&mut draft.mark, number(token, expected)?, token, "mark"),
            "ctmark" => say(
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
                say(&mut draft.uid, id, token, "uid")
            }
            "gid" => {
                let id = if token.text == "root" {
                    0
                } else {
                    number(token, "a group's number")?
                };
                say(&mut draft.gid, id, token, "gid")
            }
            "length" => say(&mut draft.length, number(token, expected)?, token, "length"),
            "ttl" => say(&mut draft.ttl, number(token, expected)?, token, "ttl"),
            "dscp" => {
                let numeric =
                    names::number(&token.text).and_then(|number| u8::try_from(number).ok());
                let class = numeric.or_else(|| names::dscp_class(&token.text));
                let class = class.filter(|class| *class < 64).ok_or_else(wrong)?;
                say(&mut draft.dscp, class, token, "dscp")
            }
            "tos" => say(&mut draft.tos, number(token, expected)?, token, "tos"),
            "mac" => {
                let address =
                    crate::parse::mac(&token.text).and_then(|mac| u64::try_from(mac).ok());
                say(
                    &mut draft.mac,
                    address.ok_or_else(wrong)?,
                    token,
                    "hardware address",
                )
            }
            _ => {
                let kind = value_of(LINKS, &token.text).ok_or_else(wrong)?;
                say(&mut draft.link, kind, token, "packet type")
            }
        }
    }

    fn argument_of(&mut self, key: &Token, expected: &str) -> Result<&'a Token, WordError> {
        let arguments = self.arguments;
        self.take().ok_or_else(|| WordError {
            argument: arguments,
            word: String::new(),
            what: format!("`{}` needs {expected} after it", key.text.escape_debug()),
            hint: None,
        })
    }
}

fn said<T>(value: T, token: &Token) -> Said<T> {
    Said {
        value,
        argument: token.argument,
        word: token.text.clone(),
    }
}

/// Keeps what was said; what was said already must not be said differently.
fn say<T: PartialEq>(
    slot: &mut Option<Said<T>>,
    value: T,
    token: &Token,
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

fn refuse(token: &Token, what: impl Into<String>) -> WordError {
    WordError {
        argument: token.argument,
        word: token.text.clone(),
        what: what.into(),
        hint: None,
    }
}

/// A word that is none of ours, with what it may have been meant to be.
fn unknown(token: &Token) -> WordError {
    let text = &token.text;
    let mut error = refuse(token, "not a word of the packet language");
    let bare = text
        .trim_start_matches('[')
        .split([']', '/'])
        .next()
        .unwrap_or_default();
    let address = bare.parse::<IpAddr>().is_ok() || text.parse::<std::net::SocketAddr>().is_ok();
    error.hint = if address {
        Some(format!("write `from {text}` or `to {text}`"))
    } else if let Some(port) = text.strip_prefix(':').filter(|rest| port(rest).is_some()) {
        Some(format!("write `to :{port}` for a port of this host"))
    } else if port(text).is_some() && names::number(text).is_some() {
        Some(format!("a port? write `to :{text}`"))
    } else if let Some(word) = nearest(text, known_words()) {
        Some(format!("did you mean `{word}`?"))
    } else if names::port(text).is_some() {
        Some(format!("a service? write `to :{text}`"))
    } else if looks_like_interface(text) {
        Some(format!("an interface? write `in {text}` or `out {text}`"))
    } else {
        Some("for example: tcp from 203.0.113.9 to :22 in eth0 new".to_owned())
    };
    error
}

fn looks_like_interface(text: &str) -> bool {
    let starts = [
        "eth", "en", "wl", "br", "docker", "veth", "tun", "tap", "wg", "ppp", "bond", "virbr", "lo",
    ];
    text.len() <= 15
        && starts.iter().any(|start| text.starts_with(start))
        && (text == "lo" || text.contains(|c: char| c.is_ascii_digit()))
}

fn interface(token: &Token) -> Result<String, WordError> {
    let text = &token.text;
    let mut error = refuse(token, "expected an interface's name");
    if text.ends_with(['+', '*']) {
        error.hint = Some("a pattern stands for many: name one interface, such as eth0".into());
        return Err(error);
    }
    if super::knows_protocol(text) {
        error.hint = Some(format!(
            "`{text}` is a protocol: say `in eth0 {text}` or the like"
        ));
        return Err(error);
    }
    // `dev_valid_name` and `IFNAMSIZ`.
    if text.len() > 15 || text == "." || text == ".." || text.contains(['/', ':']) {
        error.hint = Some("a name has at most 15 bytes and no `/` or `:`".into());
        return Err(error);
    }
    Ok(text.clone())
}

fn number<T: TryFrom<u64>>(token: &Token, expected: &str) -> Result<T, WordError> {
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

fn port(text: &str) -> Option<u16> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    names::port(text)
}

fn no_port(token: &Token, text: &str) -> WordError {
    let mut error = refuse(token, format!("`{}` is no port", text.escape_debug()));
    error.hint = Some(if text.contains([':', '-', ',']) {
        "a packet has one port: ask for one of them at a time".into()
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        "ports go up to 65535".into()
    } else {
        "give the number, or the name of a well-known service such as ssh".into()
    });
    error
}

fn flags(text: &str) -> Option<u8> {
    if text.eq_ignore_ascii_case("none") {
        return Some(0);
    }
    text.split([',', '|'])
        .try_fold(0, |bits, flag| Some(bits | value_of(FLAGS, flag)?))
}

/// Reads `ADDR`, `ADDR:PORT`, `[ADDR]:PORT` or `:PORT`.
fn endpoint(end: &mut End, token: &Token, key: &str) -> Result<(), WordError> {
    let text = token.text.as_str();
    if matches!(text.to_ascii_lowercase().as_str(), "any" | "anywhere" | "*") {
        end.left_open = true;
        return Ok(());
    }
    let (address, port_text) = split_port(text);
    if let Some(port_text) = port_text {
        let port = port(port_text).ok_or_else(|| no_port(token, port_text))?;
        say(&mut end.port, port, token, "port")?;
    }
    if matches!(address, "" | "*") && port_text.is_some() {
        end.left_open = true;
        return Ok(());
    }
    if address.eq_ignore_ascii_case("localhost") {
        return say(
            &mut end.address,
            IpAddr::from([127, 0, 0, 1]),
            token,
            "address",
        );
    }
    if let Ok(address) = address.parse::<IpAddr>() {
        return say(&mut end.address, canonical(address), token, "address");
    }
    let mut error = refuse(token, "no address");
    error.hint = Some(
        if names::number(text).is_some() || names::port(text).is_some() {
            format!("a port stands behind a colon: `{key} :{text}`")
        } else if address.contains('/') {
            "a packet has one address: give one of the network's".into()
        } else if address.contains('%') {
            "leave the zone out and say `in IFACE`".into()
        } else if text.matches(':').count() > 1 {
            "an IPv6 address with a port has brackets: [2001:db8::1]:22".into()
        } else {
            "names are not looked up: give the address".into()
        },
    );
    Err(error)
}

/// An IPv4 address that was written as IPv6 goes over the wire as IPv4.
fn canonical(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn split_port(text: &str) -> (&str, Option<&str>) {
    if let Some(rest) = text.strip_prefix('[') {
        return match rest.split_once(']') {
            Some((address, "")) => (address, None),
            Some((address, port)) => match port.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None => (text, None),
            },
            None => (text, None),
        };
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return (text, None);
    }
    match text.split_once(':') {
        Some((address, port)) if !port.contains(':') => (address, Some(port)),
        _ => (text, None),
    }
}
