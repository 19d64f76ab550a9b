//! Comparisons of a selector with a value, a range, a set or a map.

use super::constant::{self, OPERATIONS};
use super::lex::NftToken;
use super::names;
use super::rule::{StatementReader, joined};
use super::selector::{Selector, WITH_PORTS, selectors};
use super::set::{Gives, asks_of_elements, elements, flag_bits};
use super::value::{Type, merged};
use crate::model::{
    Component, Content, Element, Family, Field, KernelMemory, KeyPart, Lookup, Match, NamePattern,
    Opaque, Operand, Range, SetRef, Statement, VerdictLookup,
};

impl<'t> StatementReader<'_, 't, '_> {
    pub(super) fn comparison(&mut self) -> Option<()> {
        if let Some(()) = self.version() {
            return Some(());
        }
        let start = self.at;
        let (mut parts, taken) = selectors(&self.tokens[self.at..])?;
        self.at += taken;
        self.implied(&parts);
        let words = &self.tokens[start..self.at];
        if words.iter().any(|word| word.text == "ether") {
            self.imply_ethernet();
        }
        let masked = parts.len() == 1 && matches!(self.peek(), Some("&" | "and"));
        if masked {
            parts[0] = self.masked(parts[0])?;
        }
        let protocol = |part: &Selector| matches!(part.part, KeyPart::Number(Operand { field, .. }) if matches!(field, Field::L4Proto | Field::Ip4Protocol));
        let protocol = parts.iter().position(protocol);
        let any_transport = parts.iter().any(|part| part.any_transport) && !self.has_ports();
        let bare = any_transport && protocol.is_none();
        // `ip protocol . th dport`: each element says of which protocol it is.
        let of_protocol = protocol.filter(|_| any_transport);
        let plain = parts.len() == 1 && self.peek() != Some("vmap");
        if !plain && (bare || parts.iter().any(|part| part.more != 0)) {
            return None;
        }
        if parts.len() > 1 && parts.iter().any(|part| is_part_of_byte(&part.part)) {
            return None;
        }
        let key: Vec<KeyPart> = parts.iter().map(|one| one.part).collect();
        let types: Vec<Type> = parts.iter().map(|one| one.kind).collect();
        if self.eat("vmap") {
            let map = if let Some(name) = self.peek()?.strip_prefix('@') {
                let set = self.scope.set(name);
                self.at += 1;
                self.element_statement(&key, &set)?;
                set
            } else {
                let words = self.braced()?;
                has_no_statement(&words).then_some(())?;
                let scope = self.scope;
                let read = move |words: &[NftToken<'_>]| scope.verdict(words);
                let found = elements(&words, &types, &Gives::Verdict(&read))?;
                let plain = are_loaded_so(&key, &found) && have_ports(&found, of_protocol);
                plain.then_some(())?;
                let content = Content::Known(found);
                self.inline(content, true)
            };
            return self.push(Statement::VerdictMap(VerdictLookup { key, map }));
        }
        let one = *parts.first()?;
        let mut negated = false;
        let mut explicit = masked;
        let mut none = false;
        match self.peek()? {
            "!=" | "ne" => negated = true,
            // `tcp flags ! syn,ack`: none of these bits is set.
            "!" if parts.len() == 1 && !masked && matches!(one.kind, Type::Flags(_)) => {
                negated = true;
                none = true;
            }
            "==" | "eq" => explicit = true,
            word @ ("<" | ">" | "<=" | ">=" | "lt" | "gt" | "le" | "ge") if parts.len() == 1 => {
                self.at += 1;
                let test = self.ordered(one, word)?;
                let test = self.with_ports(test, bare, start);
                return self.test(test);
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
            if one.more != 0 {
                return None;
            }
            if !negated {
                self.element_statement(&key, &set)?;
            }
            let test = Match::Lookup(Lookup { key, negated, set });
            let test = self.with_ports(test, bare, start);
            return self.test(test);
        }
        let set = self.peek() == Some("{");
        let words = if set {
            self.braced()?
        } else {
            self.values(parts.len())
        };
        has_no_statement(&words).then_some(())?;
        if parts.len() > 1 {
            let found = elements(&words, &types, &Gives::Nothing)?;
            let plain = are_loaded_so(&key, &found) && have_ports(&found, of_protocol);
            plain.then_some(())?;
            let set = self.inline(Content::Known(found), false);
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
        // Of a set of one element, nft 1.0.6 makes the question for any of its bits.
        let bits = matches!(one.kind, Type::Flags(_)) && !negated && !explicit;
        let single = matches!(found.as_slice(), [element] if !is_one_bit(element, one.part));
        (!(set && bits && single)).then_some(())?;
        let (mut names, mut ranges) = (Vec::new(), Vec::new());
        for component in found.into_iter().flat_map(|element| element.key) {
            match component {
                Component::Name(name) if names.contains(&name) => {}
                Component::Name(name) => names.push(name),
                Component::Numbers(Range { lo, hi }) => ranges.push(Range {
                    lo: lo.saturating_add(one.more),
                    hi: hi.saturating_add(one.more),
                }),
            }
        }
        let test = match one.part {
            KeyPart::InInterface => Match::InInterface { negated, names },
            KeyPart::OutInterface => Match::OutInterface { negated, names },
            KeyPart::Number(operand) => Match::Field {
                operand,
                negated,
                ranges: merged(ranges),
            },
        };
        let test = self.with_ports(test, bare, start);
        self.test(test)
    }

    /// A `limit`, a `quota` or a `ct count` of the elements of a named set is tested when one is
    /// found, and may end the rule (`nft_set_elem_update_expr`).
    fn element_statement(&mut self, key: &[KeyPart], set: &SetRef) -> Option<()> {
        let SetRef::Named(at) = set else {
            return Some(());
        };
        let Some(name) = self.scope.asking.get(at) else {
            return Some(());
        };
        self.test(Match::Lookup(Lookup {
            key: key.to_vec(),
            negated: false,
            set: set.clone(),
        }))?;
        self.test(Match::Opaque(Opaque {
            text: format!("the limit of the elements of @{name}"),
            stateful: true,
            memory: Some(KernelMemory::Set(name.clone())),
        }))
    }

    /// `ip version 4`: the first bits of every packet of the family.
    fn version(&mut self) -> Option<()> {
        let words = self.tokens.get(self.at..)?.iter().take(4);
        let words: Vec<&str> = words.map(|token| token.text).collect();
        let (family, version) = match *words.first()? {
            "ip" => (2, "4"),
            "ip6" => (10, "6"),
            _ => return None,
        };
        (words.get(1) == Some(&"version")).then_some(())?;
        let operator = usize::from(matches!(*words.get(2)?, "==" | "eq" | "!=" | "ne"));
        let negated = operator == 1 && matches!(words[2], "!=" | "ne");
        let value = words.get(2 + operator)?.parse::<u8>().ok()?;
        self.at += 3 + operator;
        self.imply(Field::NfProto, family);
        if (value.to_string() == version) == negated {
            self.test(Match::Never)?;
        }
        Some(())
    }

    /// nft reads an Ethernet header only of packets that came in by such a device: never of what this
    /// host sends, nor of what comes in by the loopback (`meta iiftype ether`).
    fn imply_ethernet(&mut self) {
        if matches!(
            self.scope.family,
            Family::Bridge | Family::Netdev | Family::Arp
        ) {
            return;
        }
        let names = |texts: &[&str], prefix| {
            let one = |text: &&str| NamePattern {
                text: (*text).to_owned(),
                prefix,
            };
            Match::InInterface {
                negated: true,
                names: texts.iter().map(one).collect(),
            }
        };
        // Of what this host sends, the name of the incoming interface is empty.
        let test = Statement::Match(names(&["lo", ""], false));
        if self.rule.statements.contains(&test) {
            return;
        }
        self.rule.statements.push(test);
        // A device of such a name has frames of Ethernet in some modes only.
        let of_type = Match::Opaque(Opaque {
            text: "meta iiftype ether".to_owned(),
            stateful: false,
            memory: None,
        });
        self.rule.statements.push(Statement::Match(Match::Any {
            negated: false,
            of: vec![names(TUNNELS, true), of_type],
        }));
    }

    /// Behind the header of a protocol without ports stands something else, which nft compares all
    /// the same: the checksum of ICMP where `th dport` looks.
    fn with_ports(&self, test: Match, bare: bool, start: usize) -> Match {
        if !bare {
            return test;
        }
        let ports = Match::Field {
            operand: Field::L4Proto.into(),
            negated: false,
            ranges: WITH_PORTS.map(Range::one).to_vec(),
        };
        let bytes = Match::Opaque(Opaque {
            text: joined(&self.tokens[start..self.at]),
            stateful: false,
            memory: None,
        });
        let others = Match::Any {
            negated: true,
            of: vec![ports, bytes],
        };
        Match::Any {
            negated: false,
            of: vec![test, others],
        }
    }

    /// The words of a value without braces.
    pub(super) fn values(&mut self, dimensions: usize) -> Vec<NftToken<'t>> {
        let rest = &self.tokens[self.at..];
        let words = &rest[..constant::length(rest, dimensions != 1)];
        self.at += words.len();
        words.to_vec()
    }

    /// `tcp flags syn,ack` asks whether any of the bits is set, `tcp flags ! syn,ack` whether none
    /// is; `==` and `!=` compare them all, so that `ct state != new,established` always holds.
    pub(super) fn flags(
        &mut self,
        one: Selector,
        table: names::Table,
        words: &[NftToken<'t>],
        (negated, none): (bool, bool),
        explicit: bool,
    ) -> Option<()> {
        let KeyPart::Number(whole) = one.part else {
            return None;
        };
        let field = whole.field;
        if let Some(slash) = words.iter().position(|word| word.text == "/") {
            // `syn / syn,ack` holds a mask already.
            whole.mask.is_none().then_some(())?;
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
        // None of no bits is set.
        if bits == 0 && !explicit && !negated {
            return self.test(Match::Never);
        }
        if explicit || (negated && !none) {
            return self.test(Match::Field {
                operand: whole,
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

    /// The mask of `meta mark & 0xff`, `ip saddr & 255.255.0.0`, `tcp flags & (fin | syn)`.
    pub(super) fn masked(&mut self, one: Selector) -> Option<Selector> {
        let KeyPart::Number(Operand { field, mask: None }) = one.part else {
            return None;
        };
        if one.more != 0 {
            return None;
        }
        self.at += 1;
        let start = self.at;
        if self.eat("(") {
            while self.next()?.text != ")" {}
        } else {
            self.next()?;
        }
        let words = &self.tokens[start..self.at];
        let mask = match (one.kind, words) {
            (Type::Flags(table) | Type::Number(table), _) => flag_bits(words, table)?,
            (kind, [word]) => kind.single(word.text)?,
            _ => return None,
        };
        // What is left after another operation is not a part of the field any more.
        if self.peek().is_none_or(|word| OPERATIONS.contains(&word)) {
            return None;
        }
        Some(Selector {
            part: KeyPart::Number(Operand {
                field,
                mask: Some(mask),
            }),
            ..one
        })
    }

    pub(super) fn ordered(&mut self, one: Selector, operator: &str) -> Option<Match> {
        let KeyPart::Number(operand) = one.part else {
            return None;
        };
        let words = self.values(1);
        let value = constant::single(&words, one.kind)?;
        let value = value.checked_add(one.more)?;
        let range = match operator {
            "<" | "lt" => value.checked_sub(1).map(|hi| Range { lo: 0, hi }),
            "<=" | "le" => Some(Range { lo: 0, hi: value }),
            ">" | "gt" => value.checked_add(1).map(|lo| Range { lo, hi: u128::MAX }),
            _ => Some(Range {
                lo: value,
                hi: u128::MAX,
            }),
        };
        Some(match range {
            Some(range) => Match::Field {
                operand,
                negated: false,
                ranges: vec![range],
            },
            None => Match::Never,
        })
    }
}

/// Whether a part of a key is less than a byte: of such a concatenation, what nft 1.0.6 loads and what
/// later versions load differ.
fn is_part_of_byte(part: &KeyPart) -> bool {
    match part {
        KeyPart::Number(Operand { field, mask }) => {
            mask.is_some() || matches!(field, Field::Ip4Dscp | Field::Ip6Dscp)
        }
        KeyPart::InInterface | KeyPart::OutInterface => false,
    }
}

/// How the names of devices begin that mostly carry packets without a frame.
const TUNNELS: &[&str] = &[
    "tun",
    "ppp",
    "wg",
    "tailscale",
    "gre",
    "sit",
    "ip6tnl",
    "ipip",
    "vti",
    "xfrm",
    "ipsec",
];

/// Whether no element has a statement that may end the rule; of these only those of named sets are
/// modelled.
fn has_no_statement(words: &[NftToken<'_>]) -> bool {
    !words.iter().any(asks_of_elements)
}

/// Whether it is one bit of a field that never has two, so that any of its bits are just these.
fn is_one_bit(element: &Element, part: KeyPart) -> bool {
    let states = matches!(part, KeyPart::Number(Operand { field, .. }) if field == Field::CtState);
    states
        && matches!(element.key.as_slice(), [Component::Numbers(range)] if range.lo == range.hi && range.lo.is_power_of_two())
}

/// Whether every version of nft loads these elements as they are written. In a concatenation with
/// ranges 1.0.6 turns the bytes of a length, and compares ranges of marks and ids byte by byte.
fn are_loaded_so(key: &[KeyPart], elements: &[Element]) -> bool {
    let is_range =
        |one: &Component| matches!(one, Component::Numbers(range) if range.lo < range.hi);
    let ranges = elements.iter().any(|one| one.key.iter().any(is_range));
    key.len() < 2
        || key.iter().enumerate().all(|(at, part)| {
            let KeyPart::Number(Operand { field, .. }) = part else {
                return true;
            };
            let mut here = elements.iter().filter_map(|one| one.key.get(at));
            match field {
                Field::Length => !ranges,
                Field::Mark | Field::CtMark | Field::Uid | Field::Gid => !here.any(is_range),
                _ => true,
            }
        })
}

/// Whether each element is of a protocol with ports, where a part of the key says of which it is.
fn have_ports(elements: &[Element], protocol: Option<usize>) -> bool {
    let has_ports = |one: &Element| match protocol.and_then(|at| one.key.get(at)) {
        Some(Component::Numbers(range)) => range.lo == range.hi && WITH_PORTS.contains(&range.lo),
        Some(Component::Name(_)) => false,
        None => true,
    };
    elements.iter().all(has_ports)
}
