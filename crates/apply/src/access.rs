//! Whether you stay in: what must be accepted under new rules, proved for all packets. No I/O.

use std::net::{IpAddr, SocketAddr};

use surefoot_firewall::LoadedRules;
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::semantics::tracks_connections;
use surefoot_netfilter::traffic::Assertion;
use surefoot_report::Problem;

use crate::staying::staying_questions;

/// A sentence that must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessQuestion {
    /// What it is about, in a person's words.
    pub about: String,
    /// The sentence.
    pub assertion: Assertion,
    /// Another one that is as good: if it holds, the first need not.
    pub otherwise: Option<Assertion>,
    /// Whether it only has to stay as it is: nothing is lost that was not there.
    pub only_stays: bool,
    /// What of it must stay, of each group a sentence: while that does, the whole may be lost in part. If there
    /// is none, nothing may.
    pub core: Vec<Vec<Assertion>>,
}

/// What a sentence may cost: some seconds. One that costs more is not certain.
pub(crate) const BUDGET: Budget = Budget {
    nodes: 1 << 25,
    steps: 1 << 27,
};
/// TCP flags of a connection's first packet: SYN, with and without the offer of ECN.
pub(crate) const OPENING: &[u8] = &[0x02, 0xc2];
/// TCP flags of the packets that follow: ACK with and without PSH and FIN.
const FOLLOWING: &[u8] = &[0x10, 0x18, 0x11, 0x19];
/// TCP flags by which the kernel picks up a connection that it did not see begin.
const PICKED_UP: &[u8] = &[0x10, 0x18];
/// TCP flags of the answer to the first packet, and of those that follow.
const ANSWERING: &[u8] = &[0x12, 0x52, 0x10, 0x18, 0x11, 0x19];

/// What must be accepted: the connections of `sessions` (client, this host), new ones from the same
/// addresses, what finds neighbours, the loopback interface, and replies.
pub fn access_questions(
    old: &LoadedRules,
    new: &LoadedRules,
    sessions: &[(SocketAddr, SocketAddr)],
) -> Result<Vec<AccessQuestion>, Problem> {
    let surroundings = &new.surroundings;
    let mut questions = Vec::new();
    for session in sessions {
        questions.extend(session_questions(surroundings, session)?);
        let v6 = session.0.ip().to_canonical().is_ipv6();
        let [before, now] = [old, new].map(|rules| tracks_connections(&rules.firewall, v6));
        if now && !before {
            questions.extend(pickup_questions(surroundings, session)?);
        }
    }
    questions.extend(neighbour_questions(surroundings, sessions)?);
    questions.extend(staying_questions(surroundings)?);
    Ok(questions)
}

/// What must be accepted for one connection, and new ones from the same address.
pub(crate) fn session_questions(
    surroundings: &Surroundings,
    (client, server): &(SocketAddr, SocketAddr),
) -> Result<Vec<AccessQuestion>, Problem> {
    let mut questions = Vec::new();
    let doors = doors_of(surroundings, client.ip(), server.ip());
    for door in doors {
        let (comes, goes) = session_words(door.as_deref(), client.ip());
        let (from, to) = (end(client.ip()), end(server.ip()));
        let (port, own) = (client.port(), server.port());
        let mut push = |about: String, words: String, flags: &[u8]| {
            let mut assertion = Assertion::parse(&words)?;
            assertion.traffic = assertion.traffic.with_tcp_flags(flags);
            if flags != OPENING {
                assertion.traffic = assertion.traffic.without_nat();
            }
            questions.push(AccessQuestion {
                about,
                assertion,
                otherwise: None,
                only_stays: false,
                core: Vec::new(),
            });
            Ok::<(), Problem>(())
        };
        push(
            format!("the ssh connection from {client}"),
            format!("tcp {comes} from {from}:{port} to {to}:{own} established is accepted"),
            FOLLOWING,
        )?;
        push(
            format!("what the ssh connection answers to {client}"),
            format!("tcp out {goes} from {to}:{own} to {from}:{port} established is accepted"),
            ANSWERING,
        )?;
        push(
            format!("a new ssh connection from {}", client.ip()),
            format!("tcp {comes} from {from}:1024-65535 to {to}:{own} new is accepted"),
            OPENING,
        )?;
        push(
            format!("what follows in a new ssh connection from {}", client.ip()),
            format!("tcp {comes} from {from}:1024-65535 to {to}:{own} established is accepted"),
            FOLLOWING,
        )?;
        push(
            format!("what a new ssh connection from {} is answered", client.ip()),
            format!("tcp out {goes} from {to}:{own} to {from}:1024-65535 established is accepted"),
            ANSWERING,
        )?;
    }
    Ok(questions)
}

/// What must be accepted where connections were not tracked before and are now: the kernel takes the running
/// one for a new one that it sees in the middle, from the side that sends first; or, if it is told not to
/// pick such up (`nf_conntrack_tcp_loose`), for an invalid one.
fn pickup_questions(
    surroundings: &Surroundings,
    (client, server): &(SocketAddr, SocketAddr),
) -> Result<Vec<AccessQuestion>, Problem> {
    let mut questions = Vec::new();
    let loose = surroundings
        .sysctls
        .get("net.netfilter.nf_conntrack_tcp_loose");
    let picks_up = loose.is_none_or(|value| value.trim() != "0");
    let (peer, own) = (socket_end(client), socket_end(server));
    for door in doors_of(surroundings, client.ip(), server.ip()) {
        let (comes, goes) = session_words(door.as_deref(), client.ip());
        let question = |words: [String; 2], flags: &[u8]| {
            let [first, second] = words.map(|words| {
                Assertion::parse(&words).map(|mut assertion| {
                    assertion.traffic = assertion.traffic.with_tcp_flags(flags);
                    // What is invalid is of no connection, and so is not rewritten.
                    if picks_up {
                        assertion.traffic = assertion.traffic.without_nat();
                    }
                    assertion
                })
            });
            Ok::<_, Problem>((first?, second?))
        };
        let state = if picks_up { "new" } else { "invalid" };
        let words = [
            format!("tcp {comes} from {peer} to {own} {state} is accepted"),
            format!("tcp out {goes} from {own} to {peer} {state} is accepted"),
        ];
        let (comes, goes) = question(words, if picks_up { PICKED_UP } else { FOLLOWING })?;
        let about = format!(
            "the ssh connection from {client}, which was not tracked before and is {state} to the new rules"
        );
        let ask = |assertion, otherwise| AccessQuestion {
            about: about.clone(),
            assertion,
            otherwise,
            only_stays: false,
            core: Vec::new(),
        };
        if picks_up {
            questions.push(ask(comes, Some(goes)));
        } else {
            questions.extend([ask(comes, None), ask(goes, None)]);
        }
    }
    Ok(questions)
}

/// What finds the hardware addresses of IPv6 neighbours (RFC 4861), without which nothing arrives once the
/// ones that are known have expired: by the interfaces of IPv6 sessions, and those with a global address.
fn neighbour_questions(
    surroundings: &Surroundings,
    sessions: &[(SocketAddr, SocketAddr)],
) -> Result<Vec<AccessQuestion>, Problem> {
    let mut doors: Vec<(Option<String>, Option<IpAddr>)> = Vec::new();
    for (client, server) in sessions {
        if client.ip().to_canonical().is_ipv6() && !client.ip().is_loopback() {
            for door in doors_of(surroundings, client.ip(), server.ip()) {
                let is_near = is_on_link(surroundings, door.as_deref(), client.ip());
                doors.push((door, is_near.then_some(client.ip())));
            }
        }
    }
    for interface in surroundings.interfaces.iter().flatten() {
        let is_global = |address: &IpAddr| match address.to_canonical() {
            IpAddr::V4(_) => false,
            IpAddr::V6(own) => !own.is_loopback() && !own.is_unicast_link_local(),
        };
        let has_global = interface.addresses.iter().any(|(own, _)| is_global(own));
        let name = Some(interface.name.clone());
        let is_named = doors.iter().any(|(door, _)| *door == name);
        if has_global && interface.up && !interface.loopback && !is_named {
            doors.push((name, None));
        }
    }
    let mut questions: Vec<AccessQuestion> = Vec::new();
    for (door, near) in doors {
        let (comes, goes) = door_words(door.as_deref());
        // Routers and their like ask by link-local addresses.
        let near = near.map_or(String::new(), |near| format!(",{near}"));
        for (kind, what) in [
            ("nd-neighbor-solicit", "neighbour solicitation"),
            ("nd-neighbor-advert", "neighbour advertisement"),
        ] {
            let by = door
                .as_deref()
                .map_or(String::new(), |name| format!(" by {name}"));
            for (words, way) in [
                (format!("{comes} from {{fe80::/10{near}}}"), "comes"),
                (format!("out {goes} to {{fe80::/10{near}}}"), "goes"),
            ] {
                let words = format!("icmpv6 {words} {kind} untracked ttl 255 is accepted");
                let question = AccessQuestion {
                    about: format!("IPv6 {what} that {way}{by}"),
                    assertion: Assertion::parse(&words)?,
                    otherwise: None,
                    only_stays: true,
                    core: Vec::new(),
                };
                if !questions.contains(&question) {
                    questions.push(question);
                }
            }
        }
    }
    Ok(questions)
}

/// Whether an address is in a network of the interface.
fn is_on_link(surroundings: &Surroundings, door: Option<&str>, address: IpAddr) -> bool {
    let interfaces = surroundings.interfaces.iter().flatten();
    let mut named = interfaces.filter(|interface| Some(interface.name.as_str()) == door);
    named.any(|interface| interface.addresses.iter().any(|own| covers(*own, address)))
}

/// An interface as sentences name it where packets come and where they go.
pub(crate) fn door_words(door: Option<&str>) -> (String, String) {
    door.map_or_else(Default::default, |name| {
        (format!("in {name}"), format!("out {name}"))
    })
}

/// The same for a connection: where its interface is unknown it is not lo, by which packets come back.
fn session_words(door: Option<&str>, client: IpAddr) -> (String, String) {
    match door {
        None if !client.is_loopback() => (String::new(), "out not lo".to_owned()),
        _ => door_words(door),
    }
}

/// An address and port as sentences write them.
fn socket_end(socket: &SocketAddr) -> String {
    format!("{}:{}", end(socket.ip()), socket.port())
}

/// The sentences of a policy, which must hold.
pub fn policy_questions(assertions: Vec<Assertion>) -> Vec<AccessQuestion> {
    let question = |assertion: Assertion| AccessQuestion {
        about: "the policy".to_owned(),
        assertion,
        otherwise: None,
        only_stays: false,
        core: Vec::new(),
    };
    assertions.into_iter().map(question).collect()
}

/// An address as sentences write it before a port.
pub(crate) fn end(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The interfaces by which a client's packets may come: the one that has the address which they are sent to,
/// and the one to which the way back leads. None means that any may be.
pub(crate) fn doors_of(
    surroundings: &Surroundings,
    client: IpAddr,
    server: IpAddr,
) -> Vec<Option<String>> {
    let Some(interfaces) = &surroundings.interfaces else {
        return vec![None];
    };
    let has = |address: IpAddr| {
        interfaces.iter().find(|interface| {
            interface
                .addresses
                .iter()
                .any(|(own, _)| own.to_canonical() == address)
        })
    };
    let loopback = interfaces.iter().find(|interface| interface.loopback);
    if client.is_loopback() || has(client).is_some() {
        return vec![loopback.map(|interface| interface.name.clone())];
    }
    let mut doors: Vec<Option<String>> = Vec::new();
    let holder = has(server).filter(|interface| !interface.loopback);
    doors.extend(holder.map(|interface| Some(interface.name.clone())));
    let back = way_to(surroundings, client);
    if let Some(back) = back
        && !doors.contains(&Some(back.clone()))
    {
        doors.push(Some(back));
    }
    if doors.is_empty() {
        doors.push(None);
    }
    doors
}

/// The interface to which the main table leads.
pub(crate) fn way_to(surroundings: &Surroundings, address: IpAddr) -> Option<String> {
    let routes = surroundings.routes.iter().flatten();
    let leads = |route: &&surefoot_netfilter::Route| {
        route.table == 254 && route.kind == 1 && covers(route.destination, address)
    };
    let best = routes
        .filter(leads)
        .min_by_key(|route| (u8::MAX - route.destination.1, route.metric))?;
    best.interface.clone()
}

fn covers((network, length): (IpAddr, u8), address: IpAddr) -> bool {
    let leading = |bits: u128, width: u32| {
        let rest = width.saturating_sub(u32::from(length));
        bits.checked_shr(rest).unwrap_or(0)
    };
    match (network, address) {
        (IpAddr::V4(network), IpAddr::V4(address)) => {
            leading(u128::from(network.to_bits()), 32) == leading(u128::from(address.to_bits()), 32)
        }
        (IpAddr::V6(network), IpAddr::V6(address)) => {
            leading(network.to_bits(), 128) == leading(address.to_bits(), 128)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use surefoot_ruleset::{Format, Input};

    use super::*;
    use crate::verdict::{AccessVerdict, prove_access};

    fn lost(old: &str, new: &str, loose: &str, v6: bool) -> Vec<String> {
        let mut surroundings = Surroundings::default();
        let setting = "net.netfilter.nf_conntrack_tcp_loose".to_owned();
        surroundings.sysctls.insert(setting, loose.to_owned());
        let rules = |text: &str| {
            LoadedRules::of_texts(vec![Input {
                name: "rules".to_owned(),
                text: text.to_owned(),
                format: Some(Format::NftText),
            }])
            .on_host(surroundings.clone())
        };
        let (old, new) = (rules(old), rules(new));
        let session = if v6 {
            ["[2001:db8::9]:40000", "[2001:db8::1]:22"]
        } else {
            ["192.0.2.9:40000", "192.0.2.1:22"]
        };
        let [client, server] = session.map(|end| end.parse().unwrap());
        let questions = access_questions(&old, &new, &[(client, server)]).unwrap();
        let answers = prove_access(&old, &new, &questions).unwrap().into_iter();
        answers
            .filter(|answer| matches!(answer.verdict, AccessVerdict::Lost | AccessVerdict::Unsure))
            .map(|answer| answer.about)
            .collect()
    }

    /// A table of rules for what comes in, and of what goes out.
    fn table(comes: &str, goes: &str) -> String {
        let chain = |name: &str, policy: &str, rules: &str| {
            format!(
                "chain {name} {{ type filter hook {name} priority 0; policy {policy}; {rules} }}\n"
            )
        };
        let goes = if goes.is_empty() {
            String::new()
        } else {
            chain("output", "drop", &format!("oif lo accept; {goes};"))
        };
        let comes = format!("iif lo accept; {comes};");
        format!(
            "table inet f {{\n{}{goes}}}\n",
            chain("input", "drop", &comes)
        )
    }

    const OPEN: &str =
        "table inet f { chain input { type filter hook input priority 0; policy accept; }; }\n";
    const ESTABLISHED: &str = "ct state established,related accept";
    const SYN_ONLY: &str = "ct state established,related accept; \
        tcp dport 22 tcp flags & (fin|syn|rst|ack) == syn ct state new accept";
    const FIND: &str =
        "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept";

    #[test]
    fn an_ipv6_session_needs_neighbour_discovery() {
        let without = format!("{ESTABLISHED}; tcp dport 22 accept");
        let with = format!("{without}; {FIND}");
        let names = lost(OPEN, &table(&without, ""), "1", true);
        assert_eq!(
            names,
            [
                "IPv6 neighbour solicitation that comes",
                "IPv6 neighbour advertisement that comes"
            ]
        );
        assert_eq!(lost(OPEN, &table(&with, ""), "1", true), [""; 0]);
        // What went out and does not now.
        let goes = lost(OPEN, &table(&with, &without), "1", true);
        assert!(
            goes.contains(&"IPv6 neighbour advertisement that goes".to_owned()),
            "{goes:?}"
        );
        // It was not so before either.
        let before = table(&without, "");
        let now = table(&format!("{without}; tcp dport 80 accept"), "");
        assert_eq!(lost(&before, &now, "1", true), [""; 0]);
        assert_eq!(lost(OPEN, &table(&without, ""), "1", false), [""; 0]);
    }

    #[test]
    fn a_session_that_was_not_tracked_comes_as_a_new_one() {
        let untracked = "not tracked before";
        let both = lost(OPEN, &table(SYN_ONLY, ESTABLISHED), "1", false);
        assert!(
            both.iter().any(|about| about.contains(untracked)),
            "{both:?}"
        );
        // What this host sends begins it, or what comes does.
        assert_eq!(lost(OPEN, &table(SYN_ONLY, ""), "1", false), [""; 0]);
        let any = format!("{ESTABLISHED}; tcp dport 22 accept");
        assert_eq!(lost(OPEN, &table(&any, ESTABLISHED), "1", false), [""; 0]);
        // It was tracked.
        let tracked = table(&any, ESTABLISHED);
        assert_eq!(
            lost(&tracked, &table(SYN_ONLY, ESTABLISHED), "1", false),
            [""; 0]
        );
    }

    #[test]
    fn a_session_that_is_not_picked_up_is_invalid() {
        let invalid = format!("ct state invalid drop; {ESTABLISHED}; tcp dport 22 accept");
        assert_eq!(lost(OPEN, &table(&invalid, ""), "1", false), [""; 0]);
        let names = lost(OPEN, &table(&invalid, ""), "0", false);
        assert!(
            names[0].contains("is invalid to the new rules"),
            "{names:?}"
        );
        let any = format!("{ESTABLISHED}; tcp dport 22 accept");
        assert_eq!(lost(OPEN, &table(&any, ""), "0", false), [""; 0]);
    }
}
