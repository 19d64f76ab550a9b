//! A rule in words: what it matches, what it changes, what it decides.
//!
//! The words come from the model, so iptables and nft read alike and the reader sees what surefoot
//! understood. The text as written stands beside them in the picture.

use super::values::{
    MostShown, bit_words, element_words, field_word, key_words, number_words, pattern_words,
    value_list,
};
use surefoot_ruleset::model::{
    Effect, Field, Firewall, Lookup, Match, Nat, NatKind, Operand, Range, Rule, Set, SetRef,
    Statement, Table, Verdict,
};

/// Conditions nested deeper than this are not spelled out; no parser of ours nests more than two.
const DEEPEST: u8 = 8;

/// A rule in words, without what it calls.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RuleWords {
    /// One word, such as `accept` or `jump`; what it does where it does not decide.
    pub(super) verdict: String,
    /// Conditions, changes, and the particulars of the verdict.
    pub(super) words: String,
}

/// What the words of a rule are found with.
#[derive(Clone, Copy, Debug)]
pub(super) struct RuleSpeaker<'a> {
    pub(super) firewall: &'a Firewall,
    pub(super) table: &'a Table,
    pub(super) most: MostShown,
}

impl<'a> RuleSpeaker<'a> {
    /// Says what a rule does.
    pub(super) fn rule(&self, rule: &Rule) -> RuleWords {
        let mut words: Vec<String> = Vec::new();
        let mut verdict = None;
        let mut change = None;
        let needs_header = rule.statements.iter().any(asks_transport);
        let families: Vec<Range> = rule.statements.iter().filter_map(family_asked).collect();
        for statement in &rule.statements {
            match statement {
                Statement::Match(Match::Field {
                    operand,
                    negated: false,
                    ranges,
                }) if (operand.field == Field::IsLaterFragment
                    && needs_header
                    && *ranges == [Range::one(0)])
                    || (operand.field == Field::NfProto
                        && ranges.len() == 1
                        && families.iter().any(|family| ranges.contains(family))) =>
                {
                    // Implied by the other conditions.
                }
                Statement::Match(condition) if is_bare_module(condition) => {}
                Statement::Match(condition) => {
                    let said = self.condition(condition, 0);
                    words.push(without_protocol(&words, said));
                }
                Statement::Effect(effect) => {
                    let (what, particulars) = self.effect(effect, rule);
                    if particulars.is_empty() && what.is_empty() {
                        continue;
                    }
                    // The first change stands where the verdict would, if there is none.
                    change.get_or_insert((what, words.len()));
                    words.push(join_words(what, &particulars));
                }
                Statement::Verdict(decision) => {
                    let (what, particulars) = self.verdict(decision);
                    verdict = Some(what);
                    if !particulars.is_empty() {
                        words.push(particulars);
                    }
                }
                Statement::VerdictMap(lookup) => {
                    verdict.get_or_insert("vmap");
                    let map = self.set_name(&lookup.map);
                    words.push(join_words(&key_words(&lookup.key), &map));
                }
            }
        }
        let verdict = match (verdict, change) {
            (Some(word), _) => word,
            (None, Some((what, at))) => {
                if let Some(said) = words.get_mut(at)
                    && let Some(rest) = said.strip_prefix(what)
                {
                    let rest = rest.trim_start();
                    let sets = what.starts_with("set") || what == "ct zone";
                    *said = if sets {
                        format!("→ {rest}")
                    } else {
                        rest.to_owned()
                    };
                }
                what
            }
            (None, None) => "count",
        };
        words.retain(|word| !word.is_empty());
        RuleWords {
            verdict: verdict.to_owned(),
            words: words.join(" "),
        }
    }

    fn condition(&self, condition: &Match, depth: u8) -> String {
        match condition {
            Match::Field {
                operand,
                negated,
                ranges,
            } => self.field(*operand, *negated, ranges),
            Match::InInterface { negated, names } => {
                let names = self.most.join(names.iter().map(pattern_words), names.len());
                format!("in {}{names}", not_word(*negated))
            }
            Match::OutInterface { negated, names } => {
                let names = self.most.join(names.iter().map(pattern_words), names.len());
                format!("out {}{names}", not_word(*negated))
            }
            Match::Lookup(lookup) => self.lookup(lookup),
            Match::Any { negated, of } if of.is_empty() => {
                (if *negated { "always" } else { "never" }).to_owned()
            }
            Match::Any { .. } if depth >= DEEPEST => "(…)".to_owned(),
            Match::Any { negated, of } => {
                let words: Vec<String> =
                    of.iter().map(|it| self.condition(it, depth + 1)).collect();
                let not = if *negated { "not " } else { "" };
                format!("{not}({})", words.join(" or "))
            }
            Match::Never => "never".to_owned(),
            Match::Opaque(opaque) => opaque.text.clone(),
        }
    }

    fn field(&self, operand: Operand, negated: bool, ranges: &[Range]) -> String {
        let field = operand.field;
        let zero = *ranges == [Range::one(0)];
        match (field, operand.mask) {
            (Field::L4Proto, None) if !negated => return value_list(operand, ranges, self.most),
            (Field::IsLaterFragment, None) if zero || *ranges == [Range::one(1)] => {
                let later = zero == negated;
                return (if later {
                    "later fragment"
                } else {
                    "first fragment"
                })
                .to_owned();
            }
            (Field::TcpOption(_), None) if zero || *ranges == [Range::one(1)] => {
                let there = if zero == negated { "" } else { "no " };
                return format!("{there}{}", field_word(field));
            }
            // `mask & field != 0`: one of these bits is set.
            (_, Some(mask)) if zero && matches!(field, Field::CtStatus | Field::TcpFlags) => {
                let none = if negated { "" } else { "none of " };
                return format!("{} {none}{}", field_word(field), bit_words(field, mask));
            }
            _ => {}
        }
        format!(
            "{} {}{}",
            field_word(field),
            not_word(negated),
            value_list(operand, ranges, self.most)
        )
    }

    fn lookup(&self, lookup: &Lookup) -> String {
        let not = if lookup.negated { "not in" } else { "in" };
        let key = key_words(&lookup.key);
        let SetRef::Inline(set) = &lookup.set else {
            return format!("{key} {not} {}", self.set_name(&lookup.set));
        };
        let elements = set.content.elements();
        let words = elements
            .iter()
            .map(|it| element_words(&lookup.key, &it.key));
        let list = self.most.join(words, elements.len());
        format!("{key} {not} {{ {list} }}")
    }

    /// `@office`; nothing for a map that is written in the rule.
    pub(super) fn set_name(&self, set: &SetRef) -> String {
        let name = match set {
            SetRef::Missing(name) => return format!("@{name} (unknown)"),
            SetRef::Inline(_) => return String::new(),
            SetRef::Ipset(_) | SetRef::Named(_) => self.set(set).map(|set| &set.name),
        };
        name.map_or_else(|| "@?".to_owned(), |name| format!("@{name}"))
    }

    /// The set that is meant, where it was read.
    pub(super) fn set<'s>(&'s self, set: &'s SetRef) -> Option<&'s Set>
    where
        'a: 's,
    {
        match set {
            SetRef::Ipset(at) => self.firewall.ipsets.get(usize::try_from(*at).ok()?),
            SetRef::Named(at) => self.table.sets.get(usize::try_from(*at).ok()?),
            SetRef::Inline(set) => Some(set),
            SetRef::Missing(_) => None,
        }
    }

    fn chain(&self, at: surefoot_ruleset::model::ChainId) -> String {
        let chain = usize::try_from(at.0).ok();
        let chain = chain.and_then(|at| self.table.chains.get(at));
        chain.map_or_else(|| "?".to_owned(), |chain| chain.name.clone())
    }

    /// What a verdict is called, and its particulars; the chain that it calls is not among them.
    pub(super) fn verdict(&self, verdict: &Verdict) -> (&'static str, String) {
        let plain = |word| (word, String::new());
        match verdict {
            Verdict::Accept => plain("accept"),
            Verdict::Drop => plain("drop"),
            Verdict::Reject { with } => ("reject", format!("with {with}")),
            Verdict::Return => plain("return"),
            Verdict::Jump(_) => plain("jump"),
            Verdict::Goto(_) => plain("goto"),
            Verdict::Continue => plain("continue"),
            Verdict::Queue { text } => {
                ("queue", text.trim_start_matches("queue").trim().to_owned())
            }
            Verdict::Nat(nat) => self.nat(nat),
            Verdict::Unknown(opaque) => ("?", opaque.text.clone()),
        }
    }

    /// A verdict of a map, with the chain that it calls.
    pub(super) fn short_verdict(&self, verdict: &Verdict) -> String {
        match verdict {
            Verdict::Jump(at) | Verdict::Goto(at) => {
                join_words(self.verdict(verdict).0, &self.chain(*at))
            }
            _ => {
                let (word, particulars) = self.verdict(verdict);
                join_words(word, &particulars)
            }
        }
    }

    #[expect(clippy::unused_self, reason = "reads like its siblings")]
    fn nat_target(&self, nat: &Nat) -> String {
        let ports = nat.ports.map(|(first, last)| {
            if first == last {
                format!(":{first}")
            } else {
                format!(":{first}-{last}")
            }
        });
        let addresses = nat.addresses.map(|(first, last)| {
            let bracket = |v6: bool, text: String| if v6 { format!("[{text}]") } else { text };
            let v6 = first.is_ipv6() && ports.is_some();
            if first == last {
                bracket(v6, first.to_string())
            } else {
                bracket(v6, format!("{first}-{last}"))
            }
        });
        match (addresses, ports) {
            (None, None) => String::new(),
            (addresses, ports) => format!(
                "{}{}",
                addresses.unwrap_or_default(),
                ports.unwrap_or_default()
            ),
        }
    }

    fn nat(&self, nat: &Nat) -> (&'static str, String) {
        let word = match nat.kind {
            NatKind::Snat => "snat",
            NatKind::Dnat => "dnat",
            NatKind::Masquerade => "masquerade",
            NatKind::Redirect => "redirect",
            NatKind::Netmap => "netmap",
        };
        let mut target = self.nat_target(nat);
        if let Some(by_map) = &nat.by_map {
            let (key, map) = &**by_map;
            target = format!("by {} {}", key_words(key), self.set_name(map));
        }
        let arrow = if target.is_empty() { "" } else { "→ " };
        (word, format!("{arrow}{}", target.trim_end()))
    }

    fn effect(&self, effect: &Effect, rule: &Rule) -> (&'static str, String) {
        match effect {
            Effect::SetMark { field, and, xor } => (mark_word(*field), set_mark(*and, *xor)),
            Effect::CopyMark {
                from,
                from_mask,
                to,
                to_mask,
            } => {
                let masks = match (*from_mask, *to_mask) {
                    (u32::MAX, u32::MAX) => String::new(),
                    (from, to) if from == to => format!(" (bits {from:#x})"),
                    (from, to) => format!(" (bits {from:#x} into {to:#x})"),
                };
                (mark_word(*to), format!("from {}{masks}", field_word(*from)))
            }
            Effect::NoTrack => ("notrack", String::new()),
            Effect::CtZone(zone) => ("ct zone", zone.to_string()),
            Effect::Set { field, value } => (
                "set",
                format!("{} {}", field_word(*field), number_words(*field, *value)),
            ),
            Effect::Forget { field } => {
                // Of the byte and its upper six bits, one is often given and the other follows.
                let follows = |other: &Statement| matches!(other, Statement::Effect(Effect::Set { field, .. }) if has_twin(*field));
                if has_twin(*field) && rule.statements.iter().any(follows) {
                    return ("", String::new());
                }
                ("set", format!("{} to something", field_word(*field)))
            }
            Effect::Log { prefix } if prefix.is_empty() => ("log", String::new()),
            Effect::Log { prefix } => ("log", format!("\"{}\"", prefix.trim_end())),
            Effect::UpdateSet { set, .. } => ("update", self.set_name(set)),
            Effect::Remember { text, .. } => ("remember", text.clone()),
            Effect::Other { text } if text == "counter" => ("", String::new()),
            Effect::Other { text } => ("other", text.clone()),
        }
    }
}

fn has_twin(field: Field) -> bool {
    matches!(
        field,
        Field::Tos | Field::TrafficClass | Field::Ip4Dscp | Field::Ip6Dscp
    )
}

fn mark_word(field: Field) -> &'static str {
    if field == Field::CtMark {
        "set ct mark"
    } else {
        "set mark"
    }
}

/// `0x1`, `0x1/0xff`: the bits outside of the mask stay.
fn set_mark(and: u32, xor: u32) -> String {
    match (and, xor) {
        (0, value) => format!("{value:#x}"),
        (u32::MAX, bits) => format!("^ {bits:#x}"),
        (and, xor) if and & xor == 0 => format!("{xor:#x}/{:#x}", !and),
        (and, xor) => format!("& {and:#x} ^ {xor:#x}"),
    }
}

/// What `-m tcp` without options matches: a packet that has the header.
fn is_bare_module(condition: &Match) -> bool {
    let Match::Any { negated: false, of } = condition else {
        return false;
    };
    let [Match::Field { operand, .. }, Match::Opaque(opaque)] = of.as_slice() else {
        return false;
    };
    operand.field == Field::IsLaterFragment && !opaque.text.contains("--")
}

fn asks_transport(statement: &Statement) -> bool {
    let Statement::Match(Match::Field { operand, .. }) = statement else {
        return matches!(statement, Statement::Match(Match::Any { .. }));
    };
    matches!(
        operand.field,
        Field::SrcPort
            | Field::DstPort
            | Field::TcpFlags
            | Field::TcpOption(_)
            | Field::IcmpType
            | Field::IcmpCode
            | Field::Icmp6Type
            | Field::Icmp6Code
    )
}

/// The family that an address or an ICMP type belongs to.
fn family_asked(statement: &Statement) -> Option<Range> {
    let Statement::Match(Match::Field { operand, .. }) = statement else {
        return None;
    };
    match operand.field {
        Field::Ip4Src | Field::Ip4Dst | Field::IcmpType => Some(Range::one(2)),
        Field::Ip6Src | Field::Ip6Dst | Field::Icmp6Type => Some(Range::one(10)),
        _ => None,
    }
}

/// `icmp`, then `icmp type echo-request`: the protocol is named once.
fn without_protocol(before: &[String], said: String) -> String {
    let Some((protocol, rest)) = said.split_once(' ') else {
        return said;
    };
    let fields = ["type ", "code ", "flags ", "option "];
    if fields.iter().any(|field| rest.starts_with(field))
        // The protocol stands near; a rule with thousands of conditions is not searched whole.
        && before.iter().rev().take(8).any(|word| {
            let mut words = word.split(' ');
            words.next() == Some(protocol)
        })
    {
        rest.to_owned()
    } else {
        said
    }
}

fn not_word(negated: bool) -> &'static str {
    if negated { "!= " } else { "" }
}

fn join_words(first: &str, second: &str) -> String {
    match (first, second) {
        (only, "") | ("", only) => only.to_owned(),
        (first, second) => format!("{first} {second}"),
    }
}
