//! A rule of nft for a conjunction of matches.

use super::{
    AddressRange, FieldAsked, UnsayableMatch, address_range, field_asked, ports_have_protocol,
    protocol_name, protocols_of,
};
use surefoot_netfilter::packet::value_words;
use surefoot_ruleset::model::{Field, Match, NamePattern};

/// The rule that matches where all these matches do; without a verdict.
pub(in super::super) fn nft_rule(wanted: &[Match]) -> Result<String, UnsayableMatch> {
    ports_have_protocol(wanted)?;
    let mut parts: Vec<(u8, String)> = Vec::new();
    let protocols = protocols_of(wanted).unwrap_or_default();
    let names: Vec<String> = protocols.iter().map(|one| protocol_name(*one)).collect();
    let asks = |field: Field| {
        wanted
            .iter()
            .filter_map(field_asked)
            .any(|one| one.field == field)
    };
    let has_port = asks(Field::SrcPort) || asks(Field::DstPort);
    // A port of one protocol, and a type of ICMP, ask for their protocol themselves.
    let port_says_it = has_port && names.len() == 1;
    if !names.is_empty() && !port_says_it {
        parts.push((4, format!("meta l4proto {}", listed(&names))));
    }
    let header = match names.as_slice() {
        [one] => one.as_str(),
        _ => "th",
    };
    for one in wanted {
        let Some((rank, words)) = match_words(one, header)? else {
            continue;
        };
        parts.push((rank, words));
    }
    parts.sort_by_key(|(rank, _)| *rank);
    let words: Vec<String> = parts.into_iter().map(|(_, words)| words).collect();
    Ok(words.join(" "))
}

/// One value as it is, several in braces.
fn listed(values: &[String]) -> String {
    match values {
        [one] => one.clone(),
        several => format!("{{ {} }}", several.join(", ")),
    }
}

/// The words of a match, and where they stand; none if others say it already.
fn match_words(wanted: &Match, header: &str) -> Result<Option<(u8, String)>, UnsayableMatch> {
    let asked = match wanted {
        Match::InInterface { negated, names } => {
            return Ok(Some((0, interface("iifname", *negated, names))));
        }
        Match::OutInterface { negated, names } => {
            return Ok(Some((1, interface("oifname", *negated, names))));
        }
        Match::Field { .. } => field_asked(wanted),
        _ => None,
    };
    let Some(asked) = asked else {
        return Err(UnsayableMatch::NoOption("this".to_owned()));
    };
    if asked.is_any_byte() && matches!(asked.field, Field::IcmpCode | Field::Icmp6Code) {
        return Ok(None);
    }
    let (rank, selector, values) = match asked.field {
        Field::Ip4Src => (2, "ip saddr".to_owned(), addresses(&asked, false)),
        Field::Ip6Src => (2, "ip6 saddr".to_owned(), addresses(&asked, true)),
        Field::Ip4Dst => (3, "ip daddr".to_owned(), addresses(&asked, false)),
        Field::Ip6Dst => (3, "ip6 daddr".to_owned(), addresses(&asked, true)),
        Field::L4Proto if asked.negated => {
            let numbers = asked.numbers(8)?;
            let names = numbers.iter().map(|one| protocol_name(*one));
            (4, "meta l4proto".to_owned(), names.collect())
        }
        Field::L4Proto => return Ok(None),
        Field::SrcPort => (5, format!("{header} sport"), asked.spans('-')),
        Field::DstPort => (6, format!("{header} dport"), asked.spans('-')),
        Field::IcmpType => (7, "icmp type".to_owned(), asked.spans('-')),
        Field::IcmpCode => (8, "icmp code".to_owned(), asked.spans('-')),
        Field::Icmp6Type => (7, "icmpv6 type".to_owned(), asked.spans('-')),
        Field::Icmp6Code => (8, "icmpv6 code".to_owned(), asked.spans('-')),
        Field::TcpFlags if asked.mask == Some(0x17) && asked.spans('-') == ["2"] => {
            let compared = if asked.negated { "!=" } else { "==" };
            return Ok(Some((
                8,
                format!("tcp flags & (fin | syn | rst | ack) {compared} syn"),
            )));
        }
        Field::CtState => (9, "ct state".to_owned(), asked.state_names()?),
        Field::CtDirection => {
            let numbers = asked.numbers(2)?;
            let names = numbers
                .iter()
                .map(|one| value_words(Field::CtDirection, *one));
            (10, "ct direction".to_owned(), names.collect())
        }
        Field::SrcAddressType => (10, "fib saddr type".to_owned(), types(&asked)?),
        Field::DstAddressType => (10, "fib daddr type".to_owned(), types(&asked)?),
        Field::Uid => (10, "meta skuid".to_owned(), asked.spans('-')),
        Field::Gid => (10, "meta skgid".to_owned(), asked.spans('-')),
        Field::Length => (10, "meta length".to_owned(), asked.spans('-')),
        Field::Ttl => (10, "ip ttl".to_owned(), asked.spans('-')),
        Field::HopLimit => (10, "ip6 hoplimit".to_owned(), asked.spans('-')),
        Field::CtMark => (10, "ct mark".to_owned(), asked.spans('-')),
        _ => return Err(asked.unsayable()),
    };
    let not = if asked.negated { "!= " } else { "" };
    Ok(Some((rank, format!("{selector} {not}{}", listed(&values)))))
}

fn types(asked: &FieldAsked) -> Result<Vec<String>, UnsayableMatch> {
    let numbers = asked.numbers(8)?;
    Ok(numbers
        .iter()
        .map(|one| value_words(asked.field, *one))
        .collect())
}

fn addresses(asked: &FieldAsked, v6: bool) -> Vec<String> {
    let words = |range| match address_range(range, v6) {
        AddressRange::Network(network) => network,
        AddressRange::FromTo(first, last) => format!("{first}-{last}"),
    };
    asked.ranges.iter().copied().map(words).collect()
}

fn interface(selector: &str, negated: bool, names: &[NamePattern]) -> String {
    let not = if negated { "!= " } else { "" };
    let words = |name: &NamePattern| {
        let more = if name.prefix { "*" } else { "" };
        format!("\"{}{more}\"", name.text)
    };
    let names: Vec<String> = names.iter().map(words).collect();
    format!("{selector} {not}{}", listed(&names))
}
