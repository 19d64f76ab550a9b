//! A condition of a rule in the rule's own words.
//!
//! The model does not keep which bytes a condition came from, as most questions never ask. We
//! look the words up in the rule's text by the spellings that a field has; where that is not
//! plain we say it in words of ours.

use surefoot_netfilter::packet::{field_words, value_words};
use surefoot_ruleset::model::{
    Field, Firewall, Match, NamePattern, Range, Rule, SetRef, Statement, Table,
};

/// The words of a statement, in backticks if they are the rule's own.
pub(crate) fn statement_phrase(
    firewall: &Firewall,
    table: &Table,
    rule: &Rule,
    statement: usize,
) -> String {
    let Some(statement) = rule.statements.get(statement) else {
        return String::new();
    };
    let text = firewall.text(rule.place);
    let own = match statement {
        Statement::Match(Match::Opaque(opaque)) => Some(opaque.text.clone()),
        Statement::Match(wanted) => own_words(table, text, wanted),
        Statement::VerdictMap(_) => map_words(text),
        Statement::Effect(_) | Statement::Verdict(_) => None,
    };
    // Elements by the hundred are no words to look at.
    let most = if own.as_ref().is_some_and(|own| own.contains('{')) {
        60
    } else {
        160
    };
    match (own, statement) {
        (Some(own), _) => format!("`{}`", shortened(&own, most)),
        (None, Statement::Match(wanted)) => describe_match(wanted),
        (None, _) => format!("`{}`", shortened(&rule_line(text), 120)),
    }
}

fn rule_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of a text that would fill the screen.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most).collect();
    short.push('…');
    short
}

fn own_words(table: &Table, text: &str, wanted: &Match) -> Option<String> {
    if table.backend.is_iptables() {
        options_of(wanted).and_then(|options| iptables_words(text, options))
    } else {
        nft_words(text, wanted)
    }
}

type Options = &'static [&'static str];

/// The spellings of the options that a condition can come from.
fn options_of(wanted: &Match) -> Option<Options> {
    let field = match wanted {
        Match::Field { operand, .. } => operand.field,
        Match::InInterface { .. } => return Some(&["-i", "--in-interface"]),
        Match::OutInterface { .. } => return Some(&["-o", "--out-interface"]),
        Match::Lookup(_) => return Some(&["--match-set"]),
        Match::Any { of, .. } => {
            let fields: Vec<Field> = of.iter().filter_map(field_of).collect();
            return match fields.as_slice() {
                [Field::SrcPort, Field::DstPort] => Some(&["--ports"]),
                [Field::CtState, Field::CtStatus] => Some(&["--ctstate", "--state"]),
                [Field::CtState, other] => of_field(*other),
                [one] => of_field(*one),
                [first, ..] => of_field(*first),
                [] => None,
            };
        }
        Match::Never | Match::Opaque(_) => return None,
    };
    of_field(field)
}

fn field_of(wanted: &Match) -> Option<Field> {
    match wanted {
        Match::Field { operand, .. } => Some(operand.field),
        _ => None,
    }
}

fn of_field(field: Field) -> Option<Options> {
    let options: Options = match field {
        Field::L4Proto => &["-p", "--protocol", "--proto"],
        Field::Ip4Src | Field::Ip6Src => &["-s", "--source", "--src", "--src-range"],
        Field::Ip4Dst | Field::Ip6Dst => &["-d", "--destination", "--dst", "--dst-range"],
        Field::SrcPort => &["--sport", "--source-port", "--sports", "--source-ports"],
        Field::DstPort => &[
            "--dport",
            "--destination-port",
            "--dports",
            "--destination-ports",
        ],
        Field::TcpFlags => &["--tcp-flags", "--syn"],
        Field::TcpOption(_) => &["--tcp-option"],
        Field::IcmpType | Field::IcmpCode | Field::Icmp6Type | Field::Icmp6Code => {
            &["--icmp-type", "--icmpv6-type"]
        }
        Field::CtState => &["--ctstate", "--state"],
        Field::CtStatus => &["--ctstatus", "--ctstate", "--state"],
        Field::CtDirection => &["--ctdir"],
        Field::CtProtocol => &["--ctproto"],
        Field::CtOriginalIp4Src | Field::CtOriginalIp6Src => &["--ctorigsrc"],
        Field::CtOriginalIp4Dst | Field::CtOriginalIp6Dst => &["--ctorigdst"],
        Field::CtOriginalSrcPort => &["--ctorigsrcport"],
        Field::CtOriginalDstPort => &["--ctorigdstport"],
        Field::Mark | Field::CtMark => &["--mark"],
        Field::MacSrc => &["--mac-source"],
        Field::PacketType => &["--pkt-type"],
        Field::Uid => &["--uid-owner"],
        Field::Gid => &["--gid-owner"],
        Field::Length => &["--length"],
        Field::Ttl => &["--ttl-eq", "--ttl-lt", "--ttl-gt", "--ttl"],
        Field::HopLimit => &["--hl-eq", "--hl-lt", "--hl-gt"],
        Field::Ip4Dscp | Field::Ip6Dscp => &["--dscp", "--dscp-class"],
        Field::Tos | Field::TrafficClass => &["--tos"],
        Field::SrcAddressType => &["--src-type"],
        Field::DstAddressType => &["--dst-type"],
        Field::IsLaterFragment => &["-f", "--fragment"],
        _ => return None,
    };
    Some(options)
}

/// The one option of these spellings, with its `!` and its values.
fn iptables_words(text: &str, options: Options) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found = words
        .iter()
        .enumerate()
        .filter(|(_, word)| options.contains(word));
    let ((at, word), None) = (found.next()?, found.next()) else {
        return None;
    };
    let values = match *word {
        "--tcp-flags" | "--match-set" => 2,
        "--syn" | "-f" | "--fragment" => 0,
        _ => 1,
    };
    let start = if at > 0 && words[at - 1] == "!" {
        at - 1
    } else {
        at
    };
    let mut end = at + 1;
    // The old spelling has the `!` behind the option.
    let values = values + usize::from(words.get(end) == Some(&"!"));
    end = (end + values).min(words.len());
    Some(words[start..end].join(" "))
}

fn selectors_of(wanted: &Match) -> Option<Options> {
    let field = match wanted {
        Match::Field { operand, .. } => operand.field,
        Match::InInterface { .. } => return Some(&["iifname", "iif"]),
        Match::OutInterface { .. } => return Some(&["oifname", "oif"]),
        Match::Lookup(_) | Match::Any { .. } | Match::Never | Match::Opaque(_) => return None,
    };
    let selectors: Options = match field {
        Field::L4Proto => &[
            "l4proto", "tcp", "udp", "icmp", "icmpv6", "sctp", "dccp", "udplite", "th",
        ],
        Field::NfProto => &["nfproto", "ip", "ip6", "icmp", "icmpv6"],
        Field::EtherType => &["protocol", "type"],
        Field::Ip4Protocol => &["protocol"],
        Field::Ip6NextHeader => &["nexthdr"],
        Field::Ip4Src | Field::Ip6Src | Field::MacSrc => &["saddr"],
        Field::Ip4Dst | Field::Ip6Dst | Field::MacDst => &["daddr"],
        Field::SrcPort => &["sport"],
        Field::DstPort => &["dport"],
        Field::TcpFlags => &["flags"],
        Field::IcmpType | Field::Icmp6Type | Field::SrcAddressType | Field::DstAddressType => {
            &["type"]
        }
        Field::IcmpCode | Field::Icmp6Code => &["code"],
        Field::CtState => &["state"],
        Field::CtStatus => &["status"],
        Field::CtDirection => &["direction"],
        Field::Mark | Field::CtMark => &["mark"],
        Field::PacketType => &["pkttype"],
        Field::Uid => &["skuid"],
        Field::Gid => &["skgid"],
        Field::Length => &["length"],
        Field::Ttl => &["ttl"],
        Field::HopLimit => &["hoplimit"],
        Field::Ip4Dscp | Field::Ip6Dscp => &["dscp"],
        _ => return None,
    };
    Some(selectors)
}

/// nft's selector with its value: `tcp dport { 22, 80 }`.
fn nft_words(text: &str, wanted: &Match) -> Option<String> {
    if let Match::Lookup(lookup) = wanted {
        return nft_lookup(text, &lookup.set);
    }
    let selectors = selectors_of(wanted)?;
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut found = (0..words.len()).filter(|at| selectors.contains(&words[*at]));
    let (at, None) = (found.next()?, found.next()) else {
        return None;
    };
    if matches!(
        words[at],
        "tcp" | "udp" | "icmp" | "icmpv6" | "sctp" | "dccp" | "udplite" | "th" | "ip" | "ip6"
    ) {
        // `tcp dport 22` asks for the protocol without a word of its own.
        return Some(words[at].to_owned());
    }
    let alone = matches!(
        words[at],
        "iifname" | "iif" | "oifname" | "oif" | "mark" | "pkttype" | "skuid" | "skgid"
    );
    let mut start = if alone { at } else { at.checked_sub(1)? };
    if start > 0
        && (words[start - 1] == "meta" || words[start] == "daddr" || words[start - 1] == "fib")
    {
        start -= 1;
    }
    Some(words[start..value_end(&words, at + 1)].join(" "))
}

/// One past the last word of a value that begins here.
fn value_end(words: &[&str], start: usize) -> usize {
    let mut at = start;
    while matches!(
        words.get(at),
        Some(&("!=" | "==" | "<" | ">" | "<=" | ">=" | "and" | "&" | "!"))
    ) {
        at += 1;
    }
    if words.get(at).is_some_and(|word| word.starts_with('{')) {
        while at < words.len() && !words[at].ends_with('}') {
            at += 1;
        }
        return (at + 1).min(words.len());
    }
    while words.get(at).is_some_and(|word| word.ends_with(',')) {
        at += 1;
    }
    (at + 1).min(words.len())
}

/// `ip saddr @blocked`, or the inline set with what stands before it.
fn nft_lookup(text: &str, set: &SetRef) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut at = words.iter().position(|word| match set {
        SetRef::Inline(_) => word.starts_with('{'),
        _ => word.starts_with('@'),
    })?;
    let end = value_end(&words, at);
    if at > 0 && words[at - 1] == "!=" {
        at -= 1;
    }
    // A concatenation: pairs of words with dots between.
    at = at.saturating_sub(if at > 0 && stands_alone(words[at - 1]) {
        1
    } else {
        2
    });
    while at > 1 && words[at - 1] == "." {
        at = at.saturating_sub(if stands_alone(words[at - 2]) { 2 } else { 3 });
    }
    Some(words[at..end].join(" "))
}

fn stands_alone(word: &str) -> bool {
    matches!(word, "iifname" | "iif" | "oifname" | "oif" | "mark")
}

/// `tcp dport vmap { ... }`.
fn map_words(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "vmap")?;
    let mut start = at.saturating_sub(if at > 0 && stands_alone(words[at - 1]) {
        1
    } else {
        2
    });
    while start > 1 && words[start - 1] == "." {
        start = start.saturating_sub(if stands_alone(words[start - 2]) { 2 } else { 3 });
    }
    Some(words[start..value_end(&words, at + 1)].join(" "))
}

/// The condition in words of ours.
fn describe_match(wanted: &Match) -> String {
    match wanted {
        Match::Field {
            operand,
            negated,
            ranges,
        } => {
            if operand.field == Field::IsLaterFragment {
                return "asks for a port or a type, which only a first fragment has".into();
            }
            let not = if *negated { "not " } else { "" };
            let masked = operand
                .mask
                .is_some_and(|_| operand.field != Field::CtState);
            let bits = if masked { " (some bits)" } else { "" };
            let numbers: Vec<String> = ranges
                .iter()
                .take(8)
                .map(|range| range_words(operand.field, *range))
                .collect();
            let more = if ranges.len() > 8 { ", …" } else { "" };
            format!(
                "{not}{}{bits} {}{more}",
                field_words(operand.field),
                numbers.join(", ")
            )
        }
        Match::InInterface { negated, names } => names_words("incoming", *negated, names),
        Match::OutInterface { negated, names } => names_words("outgoing", *negated, names),
        Match::Lookup(_) => "a set".into(),
        Match::Any { negated, of } => {
            let parts: Vec<String> = of.iter().take(4).map(describe_match).collect();
            let joined = parts.join(" or ");
            if *negated {
                format!("neither {joined}")
            } else {
                joined
            }
        }
        Match::Never => "a condition that no packet matches".into(),
        Match::Opaque(opaque) => format!("`{}`", opaque.text),
    }
}

fn names_words(which: &str, negated: bool, names: &[NamePattern]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("{}{}", name.text, if name.prefix { "*" } else { "" }))
        .collect();
    let not = if negated { "not " } else { "" };
    format!("{not}{which} interface {}", names.join(", "))
}

fn range_words(field: Field, range: Range) -> String {
    let lo = value_words(field, range.lo);
    if range.lo == range.hi {
        lo
    } else {
        format!("{lo}-{}", value_words(field, range.hi))
    }
}
