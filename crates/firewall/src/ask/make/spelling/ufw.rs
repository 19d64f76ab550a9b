//! Commands of ufw for a conjunction of matches.

use super::{
    AddressRange, UnsayableMatch, address_range, field_asked, ports_have_protocol, protocols_of,
};
use surefoot_netfilter::packet::{PacketPath, value_words};
use surefoot_report::quoted;
use surefoot_ruleset::model::{Field, Match};

/// The command that adds a rule for packets on this way, in front of the others or behind them; ufw means
/// both families where no address tells, so `only` names the one that is meant.
pub(in super::super) fn ufw_command(
    wanted: &[Match],
    way: PacketPath,
    (verb, in_front): (&str, bool),
    (v6, only): (bool, Option<bool>),
) -> Result<String, UnsayableMatch> {
    ports_have_protocol(wanted)?;
    let mut ends = [End::default(), End::default()];
    let mut interfaces = [None, None];
    for one in wanted {
        let at = match one {
            Match::InInterface {
                negated: false,
                names,
            }
            | Match::OutInterface {
                negated: false,
                names,
            } => {
                let [name] = names.as_slice() else {
                    return Err(unsayable("several interfaces"));
                };
                let more = if name.prefix { "+" } else { "" };
                let at = usize::from(matches!(one, Match::OutInterface { .. }));
                interfaces[at] = Some(format!("{}{more}", name.text));
                continue;
            }
            Match::Field { .. } => field_asked(one),
            _ => None,
        };
        let Some(asked) = at.filter(|asked| !asked.negated) else {
            return Err(unsayable("what is turned round by `not`"));
        };
        match (asked.field, asked.ranges) {
            (Field::L4Proto, _) => {}
            (Field::Ip4Src | Field::Ip6Src, [range]) => {
                ends[0].address = Some(network(address_range(*range, v6))?);
            }
            (Field::Ip4Dst | Field::Ip6Dst, [range]) => {
                ends[1].address = Some(network(address_range(*range, v6))?);
            }
            (Field::SrcPort, _) => ends[0].ports = Some(asked.spans(':').join(",")),
            (Field::DstPort, _) => ends[1].ports = Some(asked.spans(':').join(",")),
            (field, _) => return Err(unsayable(&surefoot_netfilter::packet::field_words(field))),
        }
    }
    let protocol = match protocols_of(wanted).as_deref() {
        None => None,
        Some([number]) if [6, 17, 47, 50, 51].contains(number) => {
            Some(value_words(Field::L4Proto, *number))
        }
        Some([_]) => return Err(unsayable("this protocol")),
        Some(_) => return Err(unsayable("several protocols at once")),
    };
    let mut words = vec!["ufw".to_owned()];
    if way == PacketPath::Forward {
        words.push("route".to_owned());
    }
    if in_front {
        words.push("prepend".to_owned());
    }
    words.push(verb.to_owned());
    if way == PacketPath::Output && interfaces[1].is_none() {
        words.push("out".to_owned());
    }
    for (interface, word) in interfaces.iter().zip(["in", "out"]) {
        if let Some(name) = interface {
            words.push(format!("{word} on {}", quoted(name)));
        }
    }
    if let Some(protocol) = protocol {
        words.push(format!("proto {protocol}"));
    }
    for (end, word) in ends.iter().zip(["from", "to"]) {
        let all = match only {
            None => "any",
            Some(false) => "0.0.0.0/0",
            Some(true) => "::/0",
        };
        let address = end.address.as_deref().unwrap_or(all);
        words.push(format!("{word} {address}"));
        if let Some(ports) = &end.ports {
            words.push(format!("port {ports}"));
        }
    }
    Ok(words.join(" "))
}

#[derive(Default)]
struct End {
    address: Option<String>,
    ports: Option<String>,
}

fn network(range: AddressRange) -> Result<String, UnsayableMatch> {
    match range {
        AddressRange::Network(network) => Ok(network),
        AddressRange::FromTo(..) => Err(unsayable("a range of addresses")),
    }
}

fn unsayable(what: &str) -> UnsayableMatch {
    UnsayableMatch::NoOption(format!("{what} (ufw owns these rules)"))
}
