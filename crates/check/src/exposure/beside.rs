//! Programs that wait beside the ports: packet sockets, raw sockets, vsock.

use std::collections::{BTreeMap, BTreeSet};

use surefoot_host::{Host, Socket, SocketKind};
use surefoot_report::{Certainty, Evidence, Finding, Page, Place, Remedy, Severity};

use super::AREA;

use super::{name, owners};

/// As many sockets are shown as evidence.
const SHOWN: usize = 8;

/// `VMADDR_CID_ANY` and `VMADDR_CID_LOCAL` of `linux/vm_sockets.h`.
const ANY_CID: u32 = u32::MAX;
const LOCAL_CID: u32 = 1;

pub(super) const PAGE: Page = Page {
    code: "EX004",
    title: "a program waits beside the ports: frames, raw packets, vsock",
    severity: Severity::Note,
    text: "\
What it is
  A packet socket gets frames as they come from the wire, before any rule of iptables or of an nft
  input chain drops them. A raw socket gets IP packets of one protocol that the rules let in. A
  vsock listener waits for the hypervisor, or for virtual machines, and no firewall sees that.

Why it matters
  None of them has a port, so port lists do not show them. DHCP clients, routing daemons and
  intrusion detection need them; sniffers and back doors that wait for a magic packet use them,
  too. A name that you do not recognise deserves a look.

See it yourself
  ss -np0                        packet sockets
  ss -npw                        raw sockets
  ss -npl --vsock

Mend it
  Find out which package the program is from, and stop what is not needed.

When it is fine
  For dhclient, NetworkManager, systemd-networkd, lldpd, keepalived, suricata and their like; on a
  virtual machine, vsock for sshd (systemd-ssh-generator) or a guest agent.
",
};

/// A thing that a program waits for, and how it is shown.
struct Beside<'a> {
    what: String,
    place: String,
    owners: &'a [u32],
    command: &'static str,
}

/// One finding for each program.
pub(super) fn check(host: &Host) -> Vec<Finding> {
    let sockets = host.sockets.iter().flatten();
    let vsock = host.vsock.iter().flatten();
    let all = sockets.filter_map(|socket| beside(host, socket)).chain(
        vsock.filter(|it| it.cid != LOCAL_CID).map(|it| {
            let cid = match it.cid {
                ANY_CID => "*".to_owned(),
                cid => cid.to_string(),
            };
            Beside {
                what: format!(
                    "waits for the hypervisor or its guests on vsock port {}",
                    it.port
                ),
                place: format!("vsock {cid}:{}", it.port),
                owners: &it.owners,
                command: "ss -Hnpl --vsock",
            }
        }),
    );
    let mut programs: BTreeMap<String, Vec<Beside<'_>>> = BTreeMap::new();
    for one in all {
        programs
            .entry(name(host, one.owners))
            .or_default()
            .push(one);
    }
    programs
        .into_iter()
        .map(|(program, sockets)| describe(host, &program, &sockets))
        .collect()
}

fn beside<'a>(host: &Host, socket: &'a Socket) -> Option<Beside<'a>> {
    let device = socket.device.map(|index| {
        let bound = host.interface(index);
        bound.map_or_else(|| format!("interface {index}"), |it| it.name.clone())
    });
    let on = device
        .as_ref()
        .map_or_else(|| "every interface".to_owned(), Clone::clone);
    match (socket.kind, socket.port) {
        // Without a protocol a packet socket gets nothing; raw protocol 255 only sends.
        (SocketKind::Packet, 0) | (SocketKind::Raw, 255) => None,
        (SocketKind::Packet, protocol) => Some(Beside {
            what: format!("reads {} on {on} before the firewall", frames(protocol)),
            place: format!("packet 0x{protocol:04x} on {on}"),
            owners: &socket.owners,
            command: "ss -Hnp0",
        }),
        (SocketKind::Raw, protocol) => Some(Beside {
            what: format!("reads raw {}", packets(protocol)),
            place: format!(
                "raw {}{}:{protocol}",
                socket
                    .local
                    .map(|it| it.to_canonical().to_string())
                    .unwrap_or_default(),
                device.map(|name| format!("%{name}")).unwrap_or_default()
            ),
            owners: &socket.owners,
            command: "ss -Hnpw",
        }),
        _ => None,
    }
}

fn frames(protocol: u16) -> String {
    match protocol {
        0x0003 => "every frame".to_owned(),
        0x0800 => "IPv4 frames".to_owned(),
        0x0806 => "ARP frames".to_owned(),
        0x86dd => "IPv6 frames".to_owned(),
        0x88cc => "LLDP frames".to_owned(),
        0x888e => "EAPOL frames".to_owned(),
        other => format!("frames of type 0x{other:04x}"),
    }
}

fn packets(protocol: u16) -> String {
    match protocol {
        1 => "ICMP packets".to_owned(),
        2 => "IGMP packets".to_owned(),
        6 => "TCP packets".to_owned(),
        17 => "UDP packets".to_owned(),
        58 => "ICMPv6 packets".to_owned(),
        89 => "OSPF packets".to_owned(),
        112 => "VRRP packets".to_owned(),
        other => format!("packets of IP protocol {other}"),
    }
}

fn describe(host: &Host, program: &str, sockets: &[Beside<'_>]) -> Finding {
    let whats: BTreeSet<&str> = sockets.iter().map(|it| it.what.as_str()).collect();
    let mut shown: Vec<&str> = whats.iter().take(3).copied().collect();
    if whats.len() > shown.len() {
        shown.push("and more");
    }
    let mut found = AREA.finding(
        "EX004",
        Certainty::Certainly,
        format!("{program} {}", shown.join(", ")),
        "It has no port, so no list of ports shows it.",
    );
    found.evidence = sockets
        .iter()
        .take(SHOWN)
        .map(|one| Evidence {
            place: Place::Kernel {
                name: one.place.clone(),
            },
            what: owners(host, one.owners),
            packets: None,
        })
        .collect();
    let commands: BTreeSet<&str> = sockets.iter().map(|it| it.command).collect();
    found.remedies = vec![Remedy {
        what: "See who it is, and stop what is not needed".to_owned(),
        commands: commands.into_iter().map(ToOwned::to_owned).collect(),
    }];
    found
}
