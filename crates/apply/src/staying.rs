//! What is accepted on most machines and must not be lost where it is: loopback and replies. No I/O.
//!
//! Each question is about all such packets, and a ban of one address or port takes some away from nearly all of
//! them. So each has a core: usual packets of which at least one example has to stay whole. Where the core
//! stays and the whole does not, the change is one in part: shown, not refused.

use std::net::IpAddr;

use surefoot_netfilter::Surroundings;
use surefoot_netfilter::traffic::Assertion;
use surefoot_report::Problem;

use crate::access::{AccessQuestion, door_words, end, way_to};

/// Sentences of which one has to hold.
pub(crate) type CoreGroup = Vec<Assertion>;

/// Peers as examples of all, with a port of each and one of this machine.
const PEERS_V4: &[(&str, u16, u16)] = &[
    ("93.184.216.34", 443, 41_234),
    ("8.26.56.26", 53, 51_873),
    ("151.101.2.132", 80, 47_119),
    ("41.203.77.5", 123, 39_007),
    ("185.125.190.39", 8_443, 58_411),
    ("202.12.29.175", 25, 34_561),
];
const PEERS_V6: &[(&str, u16, u16)] = &[
    ("2606:2800:220:1::34", 443, 41_234),
    ("2a04:4e42::644", 53, 51_873),
    ("2001:67c:1562::1c", 80, 47_119),
    ("2c0f:fb50::5", 123, 39_007),
    ("2001:dc0:2001::175", 25, 34_561),
];
/// Ports of this machine that a peer uses, as examples.
const SERVICES: &[u16] = &[8_080, 443, 7_411, 25, 39_112, 1_883];
/// Addresses of machines, where those of this one are unknown.
const EXAMPLES: &[&str] = &["10.91.3.7", "192.168.77.3", "172.29.1.9", "185.17.3.4"];
/// The machine's own addresses that are asked about.
const MOST_OWN: usize = 6;
/// Neighbours that are asked about.
const MOST_NEAR: usize = 4;

/// The questions about what this machine sends to itself and about replies.
pub(crate) fn staying_questions(
    surroundings: &Surroundings,
) -> Result<Vec<AccessQuestion>, Problem> {
    let own = own_addresses(surroundings);
    let own: Vec<Vec<&str>> = if own.is_empty() {
        vec![EXAMPLES.to_vec()]
    } else {
        own.iter().map(|address| vec![address.as_str()]).collect()
    };
    let mut looped = vec![vec!["127.0.0.1"], vec!["[::1]"]];
    looped.extend(own.iter().cloned());
    let rows = [
        (
            "what this machine sends to itself (IPv4)",
            "in lo from 127.0.0.0/8 to 127.0.0.0/8 new,established is accepted",
            loopback_core("in lo", &[vec!["127.0.0.1"]])?,
        ),
        (
            "what this machine sends to itself (IPv6)",
            "in lo from ::1 to ::1 new,established is accepted",
            loopback_core("in lo", &[vec!["[::1]"]])?,
        ),
        (
            "what this machine sends to itself by its other addresses",
            "in lo new,established is accepted",
            loopback_core("in lo", &own)?,
        ),
        (
            "what this machine sends by lo",
            "out out lo new,established is accepted",
            loopback_core("out out lo", &looped)?,
        ),
        (
            "replies to what this machine began (IPv4)",
            "ipv4 established,related reply is accepted",
            reply_core(surroundings, false, false)?,
        ),
        (
            "replies to what this machine began (IPv6)",
            "ipv6 established,related reply is accepted",
            reply_core(surroundings, true, false)?,
        ),
        (
            "replies of this machine (IPv4)",
            "ipv4 out established,related reply is accepted",
            reply_core(surroundings, false, true)?,
        ),
        (
            "replies of this machine (IPv6)",
            "ipv6 out established,related reply is accepted",
            reply_core(surroundings, true, true)?,
        ),
    ];
    let question = |(about, words, core): (&str, &str, Vec<CoreGroup>)| {
        Ok(AccessQuestion {
            about: about.to_owned(),
            assertion: sentence(words)?,
            otherwise: None,
            only_stays: true,
            core,
        })
    };
    rows.into_iter().map(question).collect()
}

/// A sentence about packets that NAT does not rewrite: those that it does go on to elsewhere.
fn sentence(words: &str) -> Result<Assertion, Problem> {
    let mut assertion = Assertion::parse(words)?;
    assertion.traffic = assertion.traffic.without_nat();
    Ok(assertion)
}

/// One of each of these addresses reaches itself by TCP and by UDP, at some port.
fn loopback_core(way: &str, addresses: &[Vec<&str>]) -> Result<Vec<CoreGroup>, Problem> {
    let mut core = Vec::new();
    for examples in addresses {
        for protocol in ["tcp", "udp"] {
            let mut group = Vec::new();
            for address in examples {
                for port in SERVICES {
                    let from = 40_000 + port / 2;
                    group.push(sentence(&format!(
                        "{protocol} {way} from {address}:{from} to {address}:{port} new,established is accepted"
                    ))?);
                }
            }
            core.push(group);
        }
    }
    Ok(core)
}

/// From some peer replies of TCP and UDP arrive, and errors that belong to a connection; or they go there.
fn reply_core(
    surroundings: &Surroundings,
    v6: bool,
    goes: bool,
) -> Result<Vec<CoreGroup>, Problem> {
    let mut peers: Vec<(IpAddr, u16, u16)> = Vec::new();
    let usual = if v6 { PEERS_V6 } else { PEERS_V4 };
    for (address, port, own) in usual {
        if let Ok(address) = address.parse() {
            peers.push((address, *port, *own));
        }
    }
    let leads_out = peers
        .iter()
        .any(|(address, ..)| way_to(surroundings, *address).is_some());
    if !leads_out {
        let near = neighbours(surroundings, v6).into_iter().take(MOST_NEAR);
        let usual = peers.clone().into_iter().cycle();
        let near = near
            .zip(usual)
            .map(|(address, (_, port, own))| (address, port, own));
        peers.extend(near.collect::<Vec<_>>());
    }
    let error = if v6 {
        "icmpv6 type 1,2,3"
    } else {
        "icmp type 3,11"
    };
    let mut core = vec![Vec::new(); 3];
    for (at, (address, port, own)) in peers.into_iter().enumerate() {
        let door = way_to(surroundings, address);
        let (comes, leaves) = door_words(door.as_deref());
        // What leaves by lo comes back, and is asked about elsewhere.
        let leaves = if leaves.is_empty() {
            "out not lo".to_owned()
        } else {
            leaves
        };
        let peer = end(address);
        for (group, protocol) in core.iter_mut().zip(["tcp", "udp"]) {
            group.push(sentence(&if goes {
                let service = SERVICES[at % SERVICES.len()];
                format!(
                    "{protocol} out {leaves} from :{service} to {peer}:{own} established reply is accepted"
                )
            } else {
                format!(
                    "{protocol} {comes} from {peer}:{port} to :{own} established reply is accepted"
                )
            })?);
        }
        core[2].push(sentence(&if goes {
            format!("{error} out {leaves} to {peer} related reply is accepted")
        } else {
            format!("{error} {comes} from {peer} related reply is accepted")
        })?);
    }
    Ok(core)
}

/// The addresses of this machine that are not loopback's own, as sentences write them before a port.
fn own_addresses(surroundings: &Surroundings) -> Vec<String> {
    let interfaces = surroundings.interfaces.iter().flatten();
    let addresses = interfaces.flat_map(|interface| &interface.addresses);
    let mut own: Vec<String> = Vec::new();
    for (address, _) in addresses {
        let address = address.to_canonical();
        let is_link_local = matches!(address, IpAddr::V6(six) if six.is_unicast_link_local());
        if !address.is_loopback() && !is_link_local && own.len() < MOST_OWN {
            own.push(end(address));
        }
    }
    own
}

/// An address in each network that an interface is in.
fn neighbours(surroundings: &Surroundings, v6: bool) -> Vec<IpAddr> {
    let interfaces = surroundings.interfaces.iter().flatten();
    let others = interfaces.filter(|interface| !interface.loopback);
    let addresses = others.flat_map(|interface| &interface.addresses);
    let mut found = Vec::new();
    for (address, _) in addresses {
        match address.to_canonical() {
            IpAddr::V4(four) if !v6 => found.push(IpAddr::V4((four.to_bits() ^ 2).into())),
            IpAddr::V6(six) if v6 && !six.is_unicast_link_local() => {
                found.push(IpAddr::V6((six.to_bits() ^ 2).into()));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use surefoot_firewall::LoadedRules;
    use surefoot_ruleset::{Format, Input};

    use super::*;
    use crate::verdict::{AccessVerdict, prove_access};

    /// What becomes of the questions of this file, of those that are not kept.
    fn verdicts(old: &str, new: &str) -> Vec<(String, AccessVerdict)> {
        let rules = |text: &str| {
            LoadedRules::of_texts(vec![Input {
                name: "rules".to_owned(),
                text: text.to_owned(),
                format: Some(Format::NftText),
            }])
        };
        let questions = staying_questions(&Surroundings::default()).unwrap();
        let answers = prove_access(&rules(old), &rules(new), &questions).unwrap();
        answers
            .into_iter()
            .filter(|answer| answer.verdict != AccessVerdict::Kept)
            .map(|answer| (answer.about, answer.verdict))
            .collect()
    }

    fn input(policy: &str, rules: &str) -> String {
        format!(
            "table inet f {{ chain i {{ type filter hook input priority 0; policy {policy}; {rules} }}\n\
             chain o {{ type filter hook output priority 0; policy accept; }}; }}\n"
        )
    }

    const USUAL: &str = "iif lo accept; ct state established,related accept; tcp dport 22 accept;";

    fn is_in_part(found: &[(String, AccessVerdict)]) -> bool {
        let is_part =
            |(_, verdict): &(String, AccessVerdict)| *verdict == AccessVerdict::ChangedInPart;
        !found.is_empty() && found.iter().all(is_part)
    }

    #[test]
    fn a_ban_of_an_address_a_network_or_a_port_is_a_change_in_part() {
        for ban in [
            "ip saddr 203.0.113.9 drop;",
            "ip saddr 203.0.113.0/24 drop;",
            "ip saddr { 10.0.0.0/8, 172.16.0.0/12, 1.0.0.0/8 } drop;",
            "ip6 saddr 2001:db8::/32 drop;",
            "tcp dport 5432 drop;",
            "udp sport 1900 drop;",
            "iifname eth7 tcp dport 80 drop;",
            "ip saddr 203.0.113.9 limit rate 5/second drop;",
        ] {
            let found = verdicts(
                &input("drop", USUAL),
                &input("drop", &format!("{ban} {USUAL}")),
            );
            assert!(is_in_part(&found), "{ban} {found:?}");
            let found = verdicts(&input("accept", ""), &input("accept", ban));
            assert!(is_in_part(&found), "{ban} {found:?}");
        }
    }

    #[test]
    fn replies_that_are_all_lost_are_lost_also_where_some_were_dropped_before() {
        let banned = format!("ip saddr 203.0.113.9 drop; {USUAL}");
        for old in [USUAL, &banned] {
            for new in [
                "iif lo accept; tcp dport 22 accept;",
                "iif lo accept; ct state established,related ip saddr 10.0.0.0/8 accept; tcp dport 22 accept;",
                "iif lo accept; ip protocol udp drop; ip6 nexthdr udp drop; ct state established,related accept;",
                "iif lo accept; ct state established accept; tcp dport 22 accept;",
            ] {
                let found = verdicts(&input("drop", old), &input("drop", new));
                let is_lost = |(about, verdict): &(String, AccessVerdict)| {
                    about.starts_with("replies to what") && *verdict == AccessVerdict::Lost
                };
                assert!(found.iter().any(is_lost), "{old} {new} {found:?}");
            }
        }
    }

    #[test]
    fn loopback_that_is_lost_is_lost() {
        let found = verdicts(
            &input("drop", USUAL),
            &input("drop", &USUAL.replace("iif lo accept;", "")),
        );
        let lost = found
            .iter()
            .filter(|(_, verdict)| *verdict == AccessVerdict::Lost);
        assert_eq!(lost.count(), 4, "{found:?}");
        let found = verdicts(
            &input("drop", USUAL),
            &input("drop", &format!("iif lo udp dport 53 drop; {USUAL}")),
        );
        assert!(is_in_part(&found), "{found:?}");
    }

    #[test]
    fn what_was_dropped_in_part_before_and_is_now_is_noted() {
        let banned = format!("ip saddr 203.0.113.9 drop; {USUAL}");
        let found = verdicts(
            &input("drop", &banned),
            &input("drop", &format!("{banned} tcp dport 80 accept;")),
        );
        let is_note = |(_, verdict): &(String, AccessVerdict)| *verdict == AccessVerdict::WasNotSo;
        assert!(!found.is_empty() && found.iter().all(is_note), "{found:?}");
    }
}
