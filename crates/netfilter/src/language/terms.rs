//! From text to terms: each is one thing that is said of packets, with the words that say it.

use std::net::{IpAddr, SocketAddr};

use surefoot_report::Span;

use super::services::NamedService;
use super::vocabulary::{
    FILLERS, FLAGS, KEYS, LINKS, PROTOCOLS, SINGLE, STATES, expected_after, named, value_of,
};
use super::{find_type, is_type_name, service};

/// Where a word stands: in which argument, and at which byte of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WordPlace {
    pub(crate) argument: usize,
    pub(crate) at: usize,
}

/// A word and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WordToken {
    pub(crate) text: String,
    pub(crate) place: WordPlace,
}

impl WordToken {
    /// The word in small letters.
    pub(crate) fn lower(&self) -> String {
        self.text.to_ascii_lowercase()
    }

    /// Where it stands in its argument.
    pub(crate) fn span(&self) -> Span {
        Span::new(self.place.at, self.place.at + self.text.len())
    }

    fn is_negation(&self) -> bool {
        self.text == "!" || self.text.eq_ignore_ascii_case("not")
    }
}

/// Where a brace opens that is not closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenBrace(pub(crate) WordPlace);

/// Splits an argument at blanks that do not stand in braces, and options at their `=`. The text
/// begins at byte `start` of the argument.
pub(crate) fn tokens(
    argument: usize,
    text: &str,
    start: usize,
) -> Result<Vec<WordToken>, OpenBrace> {
    let mut tokens: Vec<WordToken> = Vec::new();
    let mut push_word = |text: &str, at| {
        let (text, place) = (text.to_owned(), WordPlace { argument, at });
        tokens.push(WordToken { text, place });
    };
    // `!eth0` is `! eth0`, as old forms of iptables had it.
    let mut push = |text: &str, at| match text.strip_prefix('!') {
        Some(turned) if !turned.is_empty() => {
            push_word("!", at);
            push_word(turned, at + 1);
        }
        _ => push_word(text, at),
    };
    let (mut from, mut open) = (None, None);
    for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        match letter {
            '{' => open = Some(at),
            '}' => open = None,
            _ => {}
        }
        if !letter.is_whitespace() || (open.is_some() && at < text.len()) {
            from.get_or_insert(at);
            continue;
        }
        let Some(from) = from.take() else { continue };
        let word = text.get(from..at).unwrap_or_default();
        match word.split_once('=') {
            Some((key, value)) if key.starts_with("--") => {
                push(key, start + from);
                push(value, start + from + key.len() + 1);
            }
            _ => push(word, start + from),
        }
    }
    match open {
        Some(at) => Err(OpenBrace(WordPlace {
            argument,
            at: start + at,
        })),
        None => Ok(tokens),
    }
}

/// One thing that is said.
#[derive(Clone, Debug)]
pub(crate) struct Term<'a> {
    pub(crate) kind: TermKind,
    /// The word that says it, or the one before its value.
    pub(crate) word: &'a WordToken,
    /// The last `not` before it.
    pub(crate) negation: Option<&'a WordToken>,
    /// Whether it is turned round: two `not` are none.
    pub(crate) negated: bool,
    /// What stands behind a key.
    pub(crate) value: Option<&'a WordToken>,
}

/// What kind of thing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TermKind {
    /// Nothing: it makes a sentence of the rest.
    Filler,
    /// A key of the vocabulary, by its first spelling; the value follows.
    Key(&'static str),
    /// The ports of an end; the value follows.
    PortsOf {
        /// Whether those of the source.
        source: bool,
    },
    /// Packets come in, by whichever interface.
    ComesIn,
    /// Packets go out, by whichever interface.
    GoesOut,
    /// A word that stands alone, by its first spelling.
    Single(&'static str),
    /// Bits of TCP flags: those that are looked at, where that is said, and those that are set.
    Flags(Option<u8>, u8),
    /// One protocol or several.
    Protocols,
    /// One state or several.
    States,
    /// How packets come over the link: a value of `PacketType`.
    Link(u8),
    /// A service.
    Service(NamedService),
    /// One ICMP type or several.
    IcmpTypes,
    /// An address by itself.
    Address,
    /// No word of the language.
    Unknown,
}

/// What stands behind a word is missing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MissingWord<'a> {
    pub(crate) after: &'a WordToken,
    pub(crate) expected: &'static str,
}

/// The terms of some words, in their order.
pub(crate) struct Terms<'a> {
    tokens: &'a [WordToken],
    next: usize,
    /// The module of iptables that was named last.
    module: &'a str,
}

impl<'a> Iterator for Terms<'a> {
    type Item = Result<Term<'a>, MissingWord<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let token = self.take()?;
        Some(self.read(token))
    }
}

impl<'a> Terms<'a> {
    pub(crate) fn new(tokens: &'a [WordToken]) -> Self {
        Self {
            tokens,
            next: 0,
            module: "",
        }
    }

    fn take(&mut self) -> Option<&'a WordToken> {
        let token = self.tokens.get(self.next)?;
        self.next += 1;
        Some(token)
    }

    fn take_after(
        &mut self,
        after: &'a WordToken,
        expected: &'static str,
    ) -> Result<&'a WordToken, MissingWord<'a>> {
        self.take().ok_or(MissingWord { after, expected })
    }

    fn read(&mut self, first: &'a WordToken) -> Result<Term<'a>, MissingWord<'a>> {
        let mut term = Term {
            kind: TermKind::Unknown,
            word: first,
            negation: None,
            negated: false,
            value: None,
        };
        self.take_negations(&mut term, "what it turns round")?;
        let word = term.word;
        // iptables' module names say nothing that the options do not.
        if matches!(word.text.as_str(), "-m" | "--match") {
            self.module = &self.take_after(word, "a module's name")?.text;
            term.kind = TermKind::Filler;
            return Ok(term);
        }
        let lower = word.lower();
        // The letters of options tell them apart.
        let key = if word.text.starts_with('-') {
            word.text.as_str()
        } else {
            lower.as_str()
        };
        match named(KEYS, key) {
            Some(way @ ("in" | "out")) if !key.starts_with('-') && !self.name_follows() => {
                term.kind = way_kind(way);
            }
            // One option is named alike for both marks.
            Some("mark") if key.starts_with('-') && self.module == "connmark" => {
                self.read_value(&mut term, "ctmark")?;
            }
            Some(key) => self.read_value(&mut term, key)?,
            None => term.kind = kind_of(key, &word.text),
        }
        Ok(term)
    }

    /// Goes on to the word that is no `not`.
    fn take_negations(
        &mut self,
        term: &mut Term<'a>,
        expected: &'static str,
    ) -> Result<(), MissingWord<'a>> {
        while term.word.is_negation() {
            term.negated = !term.negated;
            term.negation = Some(term.word);
            term.word = self.take_after(term.word, expected)?;
        }
        Ok(())
    }

    fn read_value(
        &mut self,
        term: &mut Term<'a>,
        key: &'static str,
    ) -> Result<(), MissingWord<'a>> {
        let expected = expected_after(key);
        let mut behind = Term {
            word: self.take_after(term.word, expected)?,
            ..term.clone()
        };
        self.take_negations(&mut behind, expected)?;
        let value = behind.word;
        (term.negated, term.negation) = (behind.negated, behind.negation);
        (term.kind, term.value) = (TermKind::Key(key), Some(value));
        match key {
            // `to port 22`.
            "from" | "to" if value.text.eq_ignore_ascii_case("port") => {
                term.word = value;
                term.value = Some(self.take_after(value, expected_after("port"))?);
                term.kind = TermKind::PortsOf {
                    source: key == "from",
                };
            }
            "in" | "out" if value.text.eq_ignore_ascii_case("any") => term.kind = way_kind(key),
            // Of iptables 0 is every protocol.
            "proto" if matches!(value.lower().as_str(), "all" | "any" | "0") => {
                term.kind = TermKind::Filler;
            }
            "flags" => {
                let Some(mut set) = tcp_flags(&value.text) else {
                    return Ok(());
                };
                let mut looked_at = None;
                // iptables' option has two lists: the flags that are looked at, and those set.
                if term.word.text == "--tcp-flags"
                    && let Some(behind) = self.tokens.get(self.next)
                    && let Some(bits) = tcp_flags(&behind.text)
                {
                    self.next += 1;
                    looked_at = Some(set);
                    set = bits;
                }
                term.kind = TermKind::Flags(looked_at, set);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether the next word can be the name of an interface; a `not` counts as what it stands before.
    fn name_follows(&self) -> bool {
        let mut behind = self.tokens.iter().skip(self.next);
        let next = behind.find(|token| !token.is_negation());
        next.is_some_and(|token| can_be_a_name(&token.text))
    }
}

fn way_kind(key: &str) -> TermKind {
    if key == "in" {
        TermKind::ComesIn
    } else {
        TermKind::GoesOut
    }
}

/// What a word says by itself.
fn kind_of(key: &str, text: &str) -> TermKind {
    if FILLERS.contains(&key) {
        return TermKind::Filler;
    }
    if let Some(bit) = value_of(FLAGS, key.trim_start_matches("--")) {
        return TermKind::Flags(None, bit);
    }
    if let Some(single) = named(SINGLE, key) {
        return TermKind::Single(single);
    }
    if let Some(link) = value_of(LINKS, key) {
        return TermKind::Link(link);
    }
    if let Some(service) = service(key) {
        return TermKind::Service(service);
    }
    if protocols_only(key) {
        return TermKind::Protocols;
    }
    if all_items(key, |item| value_of(STATES, item).is_some()) {
        return TermKind::States;
    }
    let names_type = |item: &str| {
        let known = [false, true]
            .iter()
            .any(|v6| find_type(item, *v6).is_some());
        known && (is_type_name(item) || item.contains(|c: char| c.is_ascii_digit()))
    };
    if key.contains(char::is_alphabetic) && all_items(key, names_type) {
        return TermKind::IcmpTypes;
    }
    if is_address(text) {
        return TermKind::Address;
    }
    TermKind::Unknown
}

/// Whether it names protocols: among names a number can only be one, too.
fn protocols_only(key: &str) -> bool {
    let named = |item: &str| value_of(PROTOCOLS, item).is_some();
    list_items(key).any(named) && all_items(key, |item| named(item) || byte_range(item).is_some())
}

fn all_items(text: &str, holds: impl Fn(&str) -> bool) -> bool {
    let mut items = list_items(text).peekable();
    items.peek().is_some() && items.all(holds)
}

/// The parts of a list, with or without braces.
pub(crate) fn list_items(text: &str) -> impl Iterator<Item = &str> {
    text.trim_start_matches('{')
        .trim_end_matches('}')
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// A byte or a range of bytes: `47`, `60-99`.
pub(crate) fn byte_range(text: &str) -> Option<(u8, u8)> {
    let (lo, hi) = text.split_once('-').unwrap_or((text, text));
    let (lo, hi) = (lo.parse().ok()?, hi.parse().ok()?);
    (lo <= hi).then_some((lo, hi))
}

/// Whether a word behind `in` or `out` is taken for the name of an interface; behind `-i` and
/// `-o` every word is.
pub(crate) fn can_be_a_name(text: &str) -> bool {
    !text.starts_with(['-', ':', '[']) && !is_word(text) && !is_address(text)
}

/// Whether a word says something, so that it is no interface's name behind `in` or `out`.
fn is_word(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let word = lower.as_str();
    let key = named(KEYS, word).is_some();
    key || matches!(word, "not" | "!" | "is" | "are" | "as")
        || kind_of(word, word) != TermKind::Unknown
}

/// Whether it is an address or begins with one: with a port, the length of a network, or the last
/// address of a range, and perhaps with others behind it.
pub(crate) fn is_address(text: &str) -> bool {
    let first = list_items(text).next().unwrap_or_default();
    let bare = first.trim_start_matches('[');
    let bare = bare.split([']', '/', '-']).next().unwrap_or_default();
    bare.parse::<IpAddr>().is_ok() || bare.parse::<SocketAddr>().is_ok()
}

/// TCP flags in a list; `none` is none.
pub(crate) fn tcp_flags(text: &str) -> Option<u8> {
    if text.eq_ignore_ascii_case("none") {
        return Some(0);
    }
    text.split([',', '|'])
        .try_fold(0, |bits, flag| Some(bits | value_of(FLAGS, flag)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TermKind> {
        let tokens = tokens(0, text, 0).unwrap();
        let terms: Result<Vec<_>, _> = Terms::new(&tokens).collect();
        terms.unwrap().iter().map(|term| term.kind).collect()
    }

    #[test]
    fn an_interface_has_no_name_that_says_something() {
        assert_eq!(kinds("in eth0"), [TermKind::Key("in")]);
        assert_eq!(kinds("in not eth0"), [TermKind::Key("in")]);
        assert_eq!(kinds("in tcp"), [TermKind::ComesIn, TermKind::Protocols]);
        assert_eq!(
            kinds("out new,established"),
            [TermKind::GoesOut, TermKind::States]
        );
        assert_eq!(kinds("in any"), [TermKind::ComesIn]);
        assert_eq!(kinds("-i tcp"), [TermKind::Key("in")]);
    }

    #[test]
    fn options_mean_what_they_mean_to_iptables() {
        assert_eq!(kinds("-p all"), [TermKind::Filler]);
        assert_eq!(
            kinds("-m connmark --mark 5"),
            [TermKind::Filler, TermKind::Key("ctmark")]
        );
        assert_eq!(
            kinds("-m mark --mark 5"),
            [TermKind::Filler, TermKind::Key("mark")]
        );
        let tokens = tokens(0, "-i !eth0", 0).unwrap();
        let term = Terms::new(&tokens).next().unwrap().unwrap();
        assert!(term.negated);
        assert_eq!(term.value.unwrap().text, "eth0");
    }

    #[test]
    fn two_negations_are_none() {
        let tokens = tokens(0, "not from ! 10.0.0.1", 0).unwrap();
        let term = Terms::new(&tokens).next().unwrap().unwrap();
        assert!(!term.negated);
        assert_eq!(term.value.unwrap().text, "10.0.0.1");
    }

    #[test]
    fn places_are_those_of_the_text() {
        let found = tokens(3, "a {b, c}  --x=y", 5).unwrap();
        let places: Vec<_> = found
            .iter()
            .map(|one| (one.text.as_str(), one.place.at))
            .collect();
        assert_eq!(places, [("a", 5), ("{b, c}", 7), ("--x", 15), ("y", 19)]);
        assert_eq!(tokens(0, "a {b", 0).unwrap_err().0.at, 2);
    }
}
