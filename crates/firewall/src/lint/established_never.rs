//! Answers that never arrive, or never leave: no rule tests the state of a connection.

use surefoot_report::{Finding, Page, Severity};

use super::established_late::begins_with_loopback;
use super::evidence::{FindingExt, finding, full_name};
use super::probe::{TCP, UDP, stranger_addresses};
use crate::LoadedRules;
use crate::commands::add_rule;
use surefoot_netfilter::packet::{Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{End, Outcome};
use surefoot_ruleset::model::{Field, Hook, ct_state, ct_status};

pub(super) const PAGE: Page = Page {
    code: "FW024",
    title: "answers of connections are dropped",
    severity: Severity::High,
    text: "\
## What it is
A connection has packets both ways. A firewall that refuses unsolicited packets must let in the
answers to what this host asked, and let out the answers to what it accepted. Nothing here does:
no rule accepts packets by the state of their connection, nor in another way.

## Why it matters
Names are not resolved, updates do not come, mail does not leave; or a client's request is
accepted and the answer to it is thrown away. It looks as if the network were broken.

## How to see it yourself
    dig +time=2 debian.org
    surefoot firewall explain udp from 203.0.113.53:53 established in eth0
    conntrack -L | grep UNREPLIED

## How to mend it
Accept packets of connections that exist, early in the chain:
    iptables -I INPUT 1 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
    iptables -I OUTPUT 1 -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
In nft: `ct state established,related accept`.

## When it is fine
On a machine that must neither send requests nor answer any. A family that is closed both ways
is not reported for IPv6.
",
};

/// A request of the host, and the answer to it.
struct Answers {
    protocol: u8,
    port: u16,
    what: &'static str,
}

const WANTED: &[Answers] = &[
    Answers {
        protocol: TCP,
        port: 443,
        what: "over TCP (updates, the web)",
    },
    Answers {
        protocol: UDP,
        port: 53,
        what: "over UDP (names, time)",
    },
];

/// Services whose answers have to leave.
const SERVED: [u16; 4] = [22, 80, 443, 25];

pub(super) fn check(loaded: &LoadedRules) -> Vec<Finding> {
    let mut findings = Vec::new();
    for v6 in [false, true] {
        if loaded.family_used(v6) && loaded.family_known(v6) {
            findings.extend(kept_out(loaded, v6));
            findings.extend(kept_in(loaded, v6));
        }
    }
    findings
}

/// Answers to what this host asked.
fn kept_out(loaded: &LoadedRules, v6: bool) -> Option<Finding> {
    if loaded.filters_at(Hook::Input, v6).is_empty() || v6 && !serves_family(loaded, true) {
        return None;
    }
    let mut lost = Vec::new();
    let mut by: Option<Outcome> = None;
    for wanted in WANTED {
        let access = loaded.access_from_outside(v6, |door, from| {
            answer_packet(
                loaded.opening_packet(door, from, wanted.protocol, 40_000),
                wanted.port,
            )
        });
        if let Some(closed) = access.closed {
            lost.push(wanted.what);
            by = Some(closed);
        }
    }
    let by = by?;
    let (t, c) = loaded.base_of(by.by, Hook::Input, v6)?;
    let name = full_name(
        &loaded.firewall.tables[t],
        &loaded.firewall.tables[t].chains[c],
    );
    let title = format!(
        "{name} drops the answers to what this host asks {}{}",
        lost.join(" and "),
        family_word(loaded, v6)
    );
    Some(answers_finding(
        loaded,
        title,
        "this host can send requests, and gets no answer",
        &by,
        (t, c),
    ))
}

/// Answers to what this host accepted.
fn kept_in(loaded: &LoadedRules, v6: bool) -> Option<Finding> {
    if loaded.filters_at(Hook::Output, v6).is_empty() {
        return None;
    }
    let open = |port: &&u16| loaded.port_access(v6, TCP, **port).open.is_some();
    let port = *SERVED.iter().find(open)?;
    let door = loaded.outer_interfaces().first()?.clone();
    let to = stranger_addresses(v6).first().copied()?;
    let mut packet = Packet::new(PacketPath::Output)
        .to(to)
        .with(Field::L4Proto, TCP)
        .with(Field::DstPort, 40_000_u16)
        .with(Field::PacketType, 0_u8);
    if let Some(own) = loaded.own_address(&door, v6) {
        packet = packet.from(own);
    }
    packet.output = PacketInterface::named(&door);
    let packet = answer_packet(packet, port).settle(&loaded.surroundings);
    let outcome = loaded.certain_end(&packet)?;
    if !matches!(outcome.end, End::Dropped | End::Rejected) {
        return None;
    }
    let (t, c) = loaded.base_of(outcome.by, Hook::Output, v6)?;
    let name = full_name(
        &loaded.firewall.tables[t],
        &loaded.firewall.tables[t].chains[c],
    );
    let title = format!(
        "{name} drops the answers of connections to port {port} that are accepted{}",
        family_word(loaded, v6)
    );
    Some(answers_finding(
        loaded,
        title,
        "a client is let in and never gets an answer",
        &outcome,
        (t, c),
    ))
}

fn family_word(loaded: &LoadedRules, v6: bool) -> &'static str {
    match (v6, loaded.family_known(!v6)) {
        (_, false) => "",
        (false, true) => " (IPv4)",
        (true, true) => " (IPv6)",
    }
}

/// Whether strangers get in over the family at all.
fn serves_family(loaded: &LoadedRules, v6: bool) -> bool {
    SERVED
        .iter()
        .any(|port| loaded.port_access(v6, TCP, *port).open.is_some())
}

/// The packet as one of a connection that was set up.
fn answer_packet(packet: Packet, from_port: u16) -> Packet {
    let tcp = packet.known(Field::L4Proto) == Some(TCP.into());
    let packet = packet
        .with(Field::SrcPort, from_port)
        .with(Field::CtState, ct_state::ESTABLISHED)
        .with(Field::CtDirection, 1_u8)
        .with(
            Field::CtStatus,
            ct_status::SEEN_REPLY | ct_status::ASSURED | ct_status::CONFIRMED,
        );
    if tcp {
        packet.with(Field::TcpFlags, 0x10_u8)
    } else {
        packet
    }
}

fn answers_finding(
    loaded: &LoadedRules,
    title: String,
    impact: &str,
    by: &Outcome,
    (t, c): (usize, usize),
) -> Finding {
    let table = &loaded.firewall.tables[t];
    let chain = &table.chains[c];
    finding(&PAGE, title, impact)
        .shown_by(loaded.show_decider(by.by))
        .mend(
            "Accept packets of connections that exist, right behind loopback",
            add_rule(
                table,
                chain,
                Some(usize::from(begins_with_loopback(chain))),
                "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                "ct state established,related accept",
            ),
        )
}
