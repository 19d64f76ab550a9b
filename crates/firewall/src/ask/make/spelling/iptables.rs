//! Rules of iptables for a conjunction of matches.

use super::{
    AddressRange, FieldAsked, UnsayableMatch, address_range, field_asked, ports_have_protocol,
    protocol_name, protocols_of,
};
use surefoot_netfilter::packet::value_words;
use surefoot_ruleset::model::{Field, Match, NamePattern};

/// Rules that one conjunction may need.
const MOST_RULES: usize = 16;
/// Ports that `-m multiport` takes; a range counts twice (`XT_MULTI_PORTS`).
const MOST_PORTS: usize = 15;

/// An option with its value, and where it stands among the others.
struct RuleOption {
    rank: u8,
    /// What the option can be; one rule for each.
    ways: Vec<String>,
}

/// The specifications of the rules of which one matches where all these matches do; without a target.
pub(in super::super) fn iptables_rules(
    wanted: &[Match],
    v6: bool,
) -> Result<Vec<String>, UnsayableMatch> {
    ports_have_protocol(wanted)?;
    let mut options = Vec::new();
    let protocols = protocols_of(wanted);
    if let Some(protocols) = &protocols {
        let ways = protocols
            .iter()
            .map(|one| format!("-p {}", protocol_name(*one)));
        options.push(RuleOption {
            rank: 4,
            ways: ways.collect(),
        });
    } else if let Some(implied) = implied_protocol(wanted) {
        options.push(RuleOption {
            rank: 4,
            ways: vec![format!("-p {implied}")],
        });
    }
    let codes: Vec<FieldAsked> = wanted
        .iter()
        .filter_map(field_asked)
        .filter(|one| matches!(one.field, Field::IcmpCode | Field::Icmp6Code) && !one.is_any_byte())
        .collect();
    for one in wanted {
        options.extend(option_of(one, &codes, v6)?);
    }
    options.sort_by_key(|option| option.rank);
    // iptables takes `-s`, `-p` and the like once.
    if let Some(pair) = options
        .windows(2)
        .find(|pair| pair[0].rank == pair[1].rank && pair[0].rank <= 8)
    {
        return Err(UnsayableMatch::NoOption(format!(
            "`{}` and `{}`",
            pair[0].ways.first().map_or("", String::as_str),
            pair[1].ways.first().map_or("", String::as_str)
        )));
    }
    let mut rules = vec![String::new()];
    for option in &options {
        if rules.len() * option.ways.len() > MOST_RULES {
            return Err(UnsayableMatch::TooManyRules);
        }
        let longer = rules.iter().flat_map(|rule: &String| {
            option.ways.iter().map(move |way| {
                let gap = if rule.is_empty() || way.is_empty() {
                    ""
                } else {
                    " "
                };
                format!("{rule}{gap}{way}")
            })
        });
        rules = longer.collect();
    }
    Ok(rules)
}

fn implied_protocol(wanted: &[Match]) -> Option<&'static str> {
    let mut asked = wanted.iter().filter_map(field_asked);
    asked.find_map(|one| match one.field {
        Field::IcmpType | Field::IcmpCode => Some("icmp"),
        Field::Icmp6Type | Field::Icmp6Code => Some("ipv6-icmp"),
        Field::TcpFlags => Some("tcp"),
        _ => None,
    })
}

/// What a match is in options; none if another option says it already.
fn option_of(
    wanted: &Match,
    codes: &[FieldAsked],
    v6: bool,
) -> Result<Option<RuleOption>, UnsayableMatch> {
    let asked = match wanted {
        Match::InInterface { negated, names } => {
            return Ok(Some(interface(0, "-i", *negated, names)?));
        }
        Match::OutInterface { negated, names } => {
            return Ok(Some(interface(1, "-o", *negated, names)?));
        }
        Match::Field { .. } => field_asked(wanted),
        _ => None,
    };
    let Some(asked) = asked else {
        return Err(UnsayableMatch::NoOption("this".to_owned()));
    };
    let not = if asked.negated { "! " } else { "" };
    let (rank, ways) = match asked.field {
        Field::Ip4Src | Field::Ip6Src => (2, addresses(&asked, "-s", "--src-range", v6)?),
        Field::Ip4Dst | Field::Ip6Dst => (3, addresses(&asked, "-d", "--dst-range", v6)?),
        Field::L4Proto if asked.negated => match asked.numbers(1)?.first() {
            Some(number) => (4, vec![format!("! -p {}", protocol_name(*number))]),
            None => return Ok(None),
        },
        Field::L4Proto | Field::IcmpCode | Field::Icmp6Code => return Ok(None),
        Field::SrcPort => (5, ports(&asked, "sport")?),
        Field::DstPort => (6, ports(&asked, "dport")?),
        Field::IcmpType | Field::Icmp6Type => {
            if asked.is_any_byte() && codes.is_empty() {
                return Ok(None);
            }
            (7, icmp(&asked, codes)?)
        }
        Field::TcpFlags if asked.mask == Some(0x17) && asked.spans('-') == ["2"] => {
            (8, vec![format!("{not}--syn")])
        }
        Field::CtState => {
            let names = asked.state_names()?.join(",").to_uppercase();
            (9, vec![format!("-m conntrack {not}--ctstate {names}")])
        }
        Field::CtDirection => match asked.numbers(2)?.as_slice() {
            [number] => {
                let name = value_words(Field::CtDirection, *number).to_uppercase();
                (10, vec![format!("-m conntrack {not}--ctdir {name}")])
            }
            _ => return Err(asked.unsayable()),
        },
        Field::SrcAddressType => (10, address_type(&asked, "--src-type")?),
        Field::DstAddressType => (10, address_type(&asked, "--dst-type")?),
        Field::Uid => (10, one_each(&asked, '-', "-m owner", "--uid-owner")?),
        Field::Gid => (10, one_each(&asked, '-', "-m owner", "--gid-owner")?),
        Field::Length => (10, one_each(&asked, ':', "-m length", "--length")?),
        Field::Ttl => (10, numbers_each(&asked, "-m ttl", "--ttl-eq")?),
        Field::HopLimit => (10, numbers_each(&asked, "-m hl", "--hl-eq")?),
        Field::CtMark => (10, numbers_each(&asked, "-m connmark", "--mark")?),
        _ => return Err(asked.unsayable()),
    };
    Ok(Some(RuleOption { rank, ways }))
}

/// One way for each value; negated, only one value can be written.
fn each(
    asked: &FieldAsked,
    values: Vec<String>,
    before: &str,
    option: &str,
) -> Result<Vec<String>, UnsayableMatch> {
    if asked.negated && values.len() > 1 {
        return Err(asked.unsayable());
    }
    let not = if asked.negated { "! " } else { "" };
    let gap = if before.is_empty() { "" } else { " " };
    let one = |value: String| format!("{before}{gap}{not}{option} {value}");
    Ok(values.into_iter().map(one).collect())
}

fn one_each(
    asked: &FieldAsked,
    separator: char,
    before: &str,
    option: &str,
) -> Result<Vec<String>, UnsayableMatch> {
    each(asked, asked.spans(separator), before, option)
}

fn numbers_each(
    asked: &FieldAsked,
    before: &str,
    option: &str,
) -> Result<Vec<String>, UnsayableMatch> {
    let numbers = asked.numbers(MOST_RULES)?;
    each(
        asked,
        numbers.iter().map(u128::to_string).collect(),
        before,
        option,
    )
}

fn address_type(asked: &FieldAsked, option: &str) -> Result<Vec<String>, UnsayableMatch> {
    let names: Vec<String> = asked
        .numbers(8)?
        .iter()
        .map(|number| value_words(asked.field, *number).to_uppercase())
        .collect();
    each(asked, vec![names.join(",")], "-m addrtype", option)
}

fn interface(
    rank: u8,
    option: &str,
    negated: bool,
    names: &[NamePattern],
) -> Result<RuleOption, UnsayableMatch> {
    if negated && names.len() > 1 {
        return Err(UnsayableMatch::NoOption(
            "several interfaces turned round".to_owned(),
        ));
    }
    let not = if negated { "! " } else { "" };
    let words = |name: &NamePattern| {
        let more = if name.prefix { "+" } else { "" };
        format!("{not}{option} {}{more}", name.text)
    };
    Ok(RuleOption {
        rank,
        ways: names.iter().map(words).collect(),
    })
}

fn addresses(
    asked: &FieldAsked,
    option: &str,
    range_option: &str,
    v6: bool,
) -> Result<Vec<String>, UnsayableMatch> {
    if asked.negated && asked.ranges.len() > 1 {
        return Err(asked.unsayable());
    }
    let not = if asked.negated { "! " } else { "" };
    let words = |range| match address_range(range, v6) {
        AddressRange::Network(network) => format!("{not}{option} {network}"),
        AddressRange::FromTo(first, last) => {
            format!("-m iprange {not}{range_option} {first}-{last}")
        }
    };
    Ok(asked.ranges.iter().copied().map(words).collect())
}

fn ports(asked: &FieldAsked, option: &str) -> Result<Vec<String>, UnsayableMatch> {
    let not = if asked.negated { "! " } else { "" };
    let spans = asked.spans(':');
    if let [one] = spans.as_slice() {
        return Ok(vec![format!("{not}--{option} {one}")]);
    }
    let mut lists: Vec<(usize, Vec<String>)> = Vec::new();
    for span in spans {
        let size = if span.contains(':') { 2 } else { 1 };
        match lists.last_mut() {
            Some((taken, list)) if *taken + size <= MOST_PORTS => {
                *taken += size;
                list.push(span);
            }
            _ => lists.push((size, vec![span])),
        }
    }
    let lists = lists.into_iter().map(|(_, list)| list.join(",")).collect();
    each(asked, lists, "-m multiport", &format!("--{option}s"))
}

fn icmp(asked: &FieldAsked, codes: &[FieldAsked]) -> Result<Vec<String>, UnsayableMatch> {
    let option = if asked.field == Field::IcmpType {
        "--icmp-type"
    } else {
        "--icmpv6-type"
    };
    let kinds = asked.numbers(MOST_RULES)?;
    let values = match codes {
        [] => kinds.iter().map(u128::to_string).collect(),
        [code] if !code.negated && !asked.negated => {
            let codes = code.numbers(MOST_RULES)?;
            let pairs = kinds
                .iter()
                .flat_map(|kind| codes.iter().map(move |code| format!("{kind}/{code}")));
            pairs.collect()
        }
        _ => return Err(asked.unsayable()),
    };
    each(asked, values, "", option)
}
