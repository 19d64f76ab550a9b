//! Whether you stay in: what must be accepted under new rules, proved for all packets. No I/O.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;
use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::{Proof, ProofVerdict, prove};
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::traffic::Assertion;
use surefoot_report::Problem;

/// A sentence that must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessQuestion {
    /// What it is about, in a person's words.
    pub about: String,
    /// The sentence.
    pub assertion: Assertion,
    /// Whether it only has to stay as it is: nothing is lost that was not there.
    pub only_stays: bool,
}

/// What becomes of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessVerdict {
    /// It holds.
    Kept,
    /// It did not hold before either, and does not now.
    WasNotSo,
    /// It depends on what cannot be known.
    Unsure,
    /// It does not hold.
    Lost,
}

/// A sentence and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessAnswer {
    /// What it is about.
    pub about: String,
    /// What becomes of it.
    pub verdict: AccessVerdict,
    /// The proof under the new rules.
    pub proof: Proof,
}

/// What a sentence may cost: some seconds. One that costs more is not certain.
const BUDGET: Budget = Budget {
    nodes: 1 << 25,
    steps: 1 << 27,
};
/// TCP flags of a connection's first packet: SYN, with and without the offer of ECN.
const OPENING: &[u8] = &[0x02, 0xc2];
/// TCP flags of the packets that follow: ACK with and without PSH and FIN.
const FOLLOWING: &[u8] = &[0x10, 0x18, 0x11, 0x19];
/// TCP flags of the answer to the first packet, and of those that follow.
const ANSWERING: &[u8] = &[0x12, 0x52, 0x10, 0x18, 0x11, 0x19];

/// What must be accepted: the connections of `sessions` (client, this host), new ones from the same
/// addresses, the loopback interface, and replies.
pub fn access_questions(
    surroundings: &Surroundings,
    sessions: &[(SocketAddr, SocketAddr)],
) -> Result<Vec<AccessQuestion>, Problem> {
    let mut questions = Vec::new();
    for (client, server) in sessions {
        let doors = doors_of(surroundings, client.ip(), server.ip());
        for door in doors {
            let (comes, goes) = match &door {
                Some(name) => (format!("in {name}"), format!("out {name}")),
                None => (String::new(), String::new()),
            };
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
                    only_stays: false,
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
                format!(
                    "tcp out {goes} from {to}:{own} to {from}:1024-65535 established is accepted"
                ),
                ANSWERING,
            )?;
        }
    }
    for (about, words) in STAYING {
        let mut assertion = Assertion::parse(words)?;
        // What NAT rewrites goes on to elsewhere.
        assertion.traffic = assertion.traffic.without_nat();
        questions.push(AccessQuestion {
            about: (*about).to_owned(),
            assertion,
            only_stays: true,
        });
    }
    Ok(questions)
}

/// What is accepted on most machines, and must not be lost where it is.
const STAYING: &[(&str, &str)] = &[
    (
        "what this machine sends to itself (IPv4)",
        "in lo from 127.0.0.0/8 to 127.0.0.0/8 new,established is accepted",
    ),
    (
        "what this machine sends to itself (IPv6)",
        "in lo from ::1 to ::1 new,established is accepted",
    ),
    (
        "what this machine sends to itself by its other addresses",
        "in lo new,established is accepted",
    ),
    (
        "what this machine sends by lo",
        "out out lo new,established is accepted",
    ),
    (
        "replies to what this machine began (IPv4)",
        "ipv4 established,related reply is accepted",
    ),
    (
        "replies to what this machine began (IPv6)",
        "ipv6 established,related reply is accepted",
    ),
    (
        "replies of this machine (IPv4)",
        "ipv4 out established,related reply is accepted",
    ),
    (
        "replies of this machine (IPv6)",
        "ipv6 out established,related reply is accepted",
    ),
];

/// The sentences of a policy, which must hold.
pub fn policy_questions(assertions: Vec<Assertion>) -> Vec<AccessQuestion> {
    let question = |assertion: Assertion| AccessQuestion {
        about: "the policy".to_owned(),
        assertion,
        only_stays: false,
    };
    assertions.into_iter().map(question).collect()
}

/// An address as sentences write it before a port.
fn end(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// The interfaces by which a client's packets may come: the one that has the address which they are sent to,
/// and the one to which the way back leads. None means that any may be.
fn doors_of(surroundings: &Surroundings, client: IpAddr, server: IpAddr) -> Vec<Option<String>> {
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
fn way_to(surroundings: &Surroundings, address: IpAddr) -> Option<String> {
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

/// Proves each sentence under the new rules, and where it does not hold looks whether it did before.
pub fn prove_access(
    old: &LoadedRules,
    new: &LoadedRules,
    questions: &[AccessQuestion],
) -> Result<Vec<AccessAnswer>, Problem> {
    let mut answers = Vec::new();
    for question in questions {
        let proof = prove(new, &question.assertion, BUDGET)?;
        let verdict = match (proof.verdict, question.only_stays) {
            (ProofVerdict::Holds, _) | (ProofVerdict::Empty, true) => AccessVerdict::Kept,
            (ProofVerdict::Fails, false) => AccessVerdict::Lost,
            (_, false) => AccessVerdict::Unsure,
            (now, true) => {
                let before = prove(old, &question.assertion, BUDGET)?.verdict;
                match (before, now) {
                    (ProofVerdict::Fails, _)
                    | (ProofVerdict::Open | ProofVerdict::Unknown, ProofVerdict::Open) => {
                        AccessVerdict::WasNotSo
                    }
                    (_, ProofVerdict::Fails) => AccessVerdict::Lost,
                    _ => AccessVerdict::Unsure,
                }
            }
        };
        answers.push(AccessAnswer {
            about: question.about.clone(),
            verdict,
            proof,
        });
    }
    Ok(answers)
}
