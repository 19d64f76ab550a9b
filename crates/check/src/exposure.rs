//! Programs that wait for other machines, and what the firewall does about them.

mod beside;
pub(crate) mod elsewhere;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use surefoot_host::{Host, Socket, SocketKind};
use surefoot_netfilter::packet::{Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{End, RecordLevel, evaluate};
use surefoot_report::{Area, Certainty, Evidence, Finding, Page, Place, Remedy, Severity, quoted};
use surefoot_ruleset::model::{Family, Field, ct_state};

use crate::sockets;
use crate::surroundings::devices;
use services::{Service, private};
use surefoot_firewall::LoadedRules;

/// More listeners of one program than this are counted, not asked about one by one.
const ASKED_OF_EACH: usize = 24;

/// As many of them are shown as evidence.
const SHOWN_OF_EACH: usize = 8;

/// The area of these findings.
pub(crate) static AREA: Area = Area {
    word: "exposure",
    pages: PAGES,
    advice: None,
};

const PAGES: &[Page] = &[
    Page {
        code: "EX001",
        title: "a service meant for this host or a private network waits for strangers",
        severity: Severity::High,
        text: "\
What it is
  A database, cache or control port is bound to 0.0.0.0 or [::], so every interface answers, or
  to an address that other machines reach, and the firewall does not certainly keep strangers
  out. On an address of a private network it is a warning only.

Why it matters
  Such services often ask for no password, or for a weak one: redis, memcached, mongodb,
  elasticsearch and docker's port hand over the data, or the machine, to any host that connects.
  On a provider's \"private\" network the strangers are the other customers.

See it yourself
  ss -tulpn                      a local address of 0.0.0.0, * or [::] means every address
  surefoot firewall explain tcp to :6379 in eth0 new

Mend it
  Bind the service to 127.0.0.1, or to the one address that needs it, and restart it; then
  close the port in the firewall for all but your own instances. Binding to a private
  address alone does not keep neighbours on another interface out: Linux answers for all its
  addresses on all its interfaces (the weak host model).

When it is fine
  When a firewall outside of this machine filters the port. surefoot cannot see it.
",
    },
    Page {
        code: "EX002",
        title: "a program listens for other machines",
        severity: Severity::Note,
        text: "\
What it is
  A program is bound to an address that other machines reach. On 0.0.0.0 or [::] every interface
  answers, also one that is added later: a second network card, a VPN, a container bridge.
  A UDP socket on a port that the kernel may have chosen can be a client that waits for an
  answer; then the finding is a possible one.

Why it matters
  Nothing is wrong with a web server that does this. It is listed so that you know what this
  machine offers; a name that you do not recognise deserves a look.

See it yourself
  ss -tulpn
  surefoot firewall explain tcp to :PORT in eth0 new

Mend it
  Stop and disable what is not needed; bind the rest to the address that needs it; filter it.

When it is fine
  For services that are meant to be public.
",
    },
    beside::PAGE,
];

/// What the firewall does to a stranger's first packet to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gate {
    /// It never arrives.
    Closed,
    /// It depends on what is unknown: where from, by which interface, an unread rule.
    Depends,
    /// Not all rules could be read.
    Unknown,
    /// It arrives from every sender.
    Open,
}

impl Gate {
    fn words(self) -> &'static str {
        match self {
            Self::Closed => "the firewall keeps strangers out",
            Self::Depends => "the firewall may let strangers in, depending on where they come from",
            Self::Unknown => "it is unknown whether the firewall lets strangers in",
            Self::Open => "the firewall lets every host in",
        }
    }
}

/// A listener that other machines may reach.
struct Open<'a> {
    socket: &'a Socket,
    gate: Gate,
}

/// What of a program is told in one finding.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    program: String,
    /// The port of a service that is not made for strangers.
    private: Option<u16>,
    /// Whether these may be clients.
    maybe_client: bool,
}

/// One finding for each program, and one for each service that is not made for strangers.
pub(crate) fn check(host: &Host, rules: &LoadedRules) -> Vec<Finding> {
    let mut found = listeners(host, rules);
    found.extend(beside::check(host));
    found
}

/// Programs that take packets, each with the ports that it has, and what the firewall does.
fn listeners(host: &Host, rules: &LoadedRules) -> Vec<Finding> {
    let Some(sockets) = &host.sockets else {
        return Vec::new();
    };
    let clients = sockets::maybe_clients(host);
    let mut groups: BTreeMap<Group, Vec<&Socket>> = BTreeMap::new();
    for socket in sockets.iter().filter(|socket| is_exposed(host, socket)) {
        let group = Group {
            program: program(host, socket),
            private: service(socket).map(|(_, port, _, _)| *port),
            maybe_client: clients.contains(&(socket.kind, socket.port)),
        };
        groups.entry(group).or_default().push(socket);
    }
    groups
        .into_iter()
        .map(|(group, sockets)| {
            let asked: Vec<Open<'_>> = sockets
                .iter()
                .take(ASKED_OF_EACH)
                .map(|socket| Open {
                    socket,
                    gate: gate(host, rules, socket),
                })
                .collect();
            describe(host, &group, &asked, &sockets)
        })
        .collect()
}

/// Whether other machines may send to it, were there no firewall.
fn is_exposed(host: &Host, socket: &Socket) -> bool {
    let on_loopback = socket
        .device
        .and_then(|index| host.interface(index))
        .is_some_and(surefoot_host::Interface::is_loopback);
    socket.waits() && !on_loopback && address(socket).is_some_and(|it| !it.is_loopback())
}

/// The address that it is bound to. An IPv6 socket on `::ffff:192.0.2.1` is an IPv4 one.
fn address(socket: &Socket) -> Option<IpAddr> {
    socket.local.map(|address| address.to_canonical())
}

fn is_everywhere(socket: &Socket) -> bool {
    address(socket).is_some_and(|address| address.is_unspecified())
}

/// Whether an address belongs to a private network or a link, which only some hosts can reach.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64;
            v4.is_private() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn service(socket: &Socket) -> Option<&'static Service> {
    private(protocol(socket), socket.port)
}

fn program(host: &Host, socket: &Socket) -> String {
    if socket.kind != SocketKind::Tcp && sockets::is_the_kernels(host, socket) {
        return "the kernel (a tunnel, such as WireGuard)".to_owned();
    }
    name(host, &socket.owners)
}

/// The name of the first of these processes.
fn name(host: &Host, pids: &[u32]) -> String {
    let owner = pids.first().and_then(|pid| host.process(*pid));
    owner.map_or_else(
        || "an unknown program".to_owned(),
        |process| process.name.clone(),
    )
}

fn protocol(socket: &Socket) -> u8 {
    match socket.kind {
        SocketKind::Tcp => 6,
        SocketKind::Udp => 17,
        SocketKind::Udplite => 136,
        SocketKind::Raw | SocketKind::Packet => 255,
    }
}

/// Asks the firewall about a stranger's first packet, on every interface that strangers reach.
fn gate(host: &Host, rules: &LoadedRules, socket: &Socket) -> Gate {
    let v6 = address(socket).is_some_and(|address| address.is_ipv6());
    let both = v6 && is_everywhere(socket) && socket.v6only != Some(true);
    let mut families = vec![if v6 { Family::Ip6 } else { Family::Ip }];
    if both {
        families.push(Family::Ip);
    }
    let doors = match socket.device {
        Some(index) => devices(host, index)
            .iter()
            .map(|name| match name.as_str() {
                "" => PacketInterface::Unknown,
                name => PacketInterface::named(name),
            })
            .collect(),
        None => interfaces(rules),
    };
    let gates: Vec<Gate> = families
        .into_iter()
        .flat_map(|family| doors.iter().map(move |it| (family, it.clone())))
        .map(|(family, interface)| ask(rules, socket, family, interface))
        .collect();
    let first = gates.iter().min().copied().unwrap_or(Gate::Unknown);
    let last = gates.iter().max().copied().unwrap_or(Gate::Unknown);
    if last == Gate::Open || first == last {
        last
    } else {
        Gate::Depends
    }
}

/// The interfaces by which strangers come; one unknown where there are many or they are unknown.
fn interfaces(rules: &LoadedRules) -> Vec<PacketInterface> {
    const MANY: usize = 8;
    let known = rules.surroundings.interfaces.iter().flatten();
    let outside: Vec<PacketInterface> = known
        .filter(|interface| interface.up && !interface.loopback)
        .map(|interface| PacketInterface::named(&interface.name))
        .collect();
    if outside.is_empty() || outside.len() > MANY {
        vec![PacketInterface::Unknown]
    } else {
        outside
    }
}

fn ask(rules: &LoadedRules, socket: &Socket, family: Family, interface: PacketInterface) -> Gate {
    if !rules.are_complete() {
        return Gate::Unknown;
    }
    let mut packet = Packet::new(PacketPath::Input)
        .with(Field::L4Proto, protocol(socket))
        .with(Field::DstPort, socket.port)
        .with(
            Field::NfProto,
            if family == Family::Ip6 { 10_u8 } else { 2_u8 },
        )
        .with(Field::CtState, ct_state::NEW);
    packet.input = interface;
    if let Some(to) = address(socket).filter(|to| !to.is_unspecified()) {
        packet = packet.to(to);
    }
    let packet = packet.settle(&rules.surroundings);
    let firewall = &rules.firewall;
    let answer = evaluate(
        firewall,
        &rules.index,
        &rules.surroundings,
        &packet,
        RecordLevel::Nothing,
    );
    match answer.certain() {
        Some(End::Accepted) => Gate::Open,
        Some(End::Dropped | End::Rejected) => Gate::Closed,
        _ => Gate::Depends,
    }
}

fn describe(host: &Host, group: &Group, asked: &[Open<'_>], all: &[&Socket]) -> Finding {
    let gate = asked
        .iter()
        .map(|open| open.gate)
        .max()
        .unwrap_or(Gate::Unknown);
    let service = asked.first().and_then(|open| service(open.socket));
    let reached = service.is_some() && gate > Gate::Closed;
    let page = if reached { &PAGES[0] } else { &PAGES[1] };
    let doubt = group.maybe_client || matches!(gate, Gate::Depends | Gate::Unknown);
    let certainty = if doubt {
        Certainty::Possibly
    } else {
        Certainty::Certainly
    };
    let program = &group.program;
    let (ports, on) = (ports(asked, all.len()), places(all));
    let title = if group.maybe_client {
        format!("{program} takes datagrams on {on}, as a client or a server ({ports})")
    } else {
        format!("{program} listens on {on} ({ports})")
    };
    let reach = if all.iter().any(|socket| is_everywhere(socket)) {
        "Every interface answers"
    } else {
        "Other machines may reach it there"
    };
    let impact = match service {
        Some((_, _, name, _)) if reached => format!(
            "{name} is not made for strangers, and {}. Any host that reaches it may read or change its data.",
            gate.words()
        ),
        _ => format!("{reach}; {}.", gate.words()),
    };
    let mut found = AREA.finding(page.code, certainty, title, impact);
    if reached
        && all
            .iter()
            .all(|socket| address(socket).is_some_and(is_private))
    {
        found.severity = Severity::Warning;
    }
    found.evidence = asked
        .iter()
        .take(SHOWN_OF_EACH)
        .map(|open| evidence(host, open))
        .collect();
    found.remedies = remedies(host, asked, service);
    found
}

/// Where they listen: `every address`, `192.0.2.1`, `3 addresses`.
fn places(sockets: &[&Socket]) -> String {
    if sockets.iter().any(|socket| is_everywhere(socket)) {
        return "every address".to_owned();
    }
    let addresses: BTreeSet<IpAddr> = sockets.iter().filter_map(|it| address(it)).collect();
    match addresses.first() {
        Some(one) if addresses.len() == 1 => one.to_string(),
        _ => format!("{} addresses", addresses.len()),
    }
}

fn ports(asked: &[Open<'_>], count: usize) -> String {
    let mut ports: Vec<String> = asked
        .iter()
        .map(|open| format!("{}/{}", open.socket.port, sockets::word(open.socket.kind)))
        .collect();
    ports.dedup();
    let shown = ports.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    let more = count.saturating_sub(4);
    if ports.len() > 4 {
        format!("{shown} and {more} more")
    } else {
        shown
    }
}

fn evidence(host: &Host, open: &Open<'_>) -> Evidence {
    let socket = open.socket;
    let address = match address(socket) {
        Some(IpAddr::V6(v6)) if v6.is_unspecified() && socket.v6only != Some(true) => {
            "*".to_owned()
        }
        Some(IpAddr::V6(v6)) => format!("[{v6}]"),
        Some(IpAddr::V4(v4)) => v4.to_string(),
        None => String::new(),
    };
    let device = socket.device.map(|index| {
        let bound = host.interface(index);
        bound.map_or_else(|| format!("%{index}"), |it| format!("%{}", it.name))
    });
    let owners = owners(host, &socket.owners);
    Evidence {
        place: Place::Kernel {
            name: format!(
                "{} {address}{}:{}",
                sockets::word(socket.kind),
                device.unwrap_or_default(),
                socket.port
            ),
        },
        what: format!("{owners}; {}", open.gate.words()),
        packets: None,
    }
}

/// Who has a socket: `pid 7, redis.service`.
fn owners(host: &Host, pids: &[u32]) -> String {
    let owners: Vec<String> = pids
        .iter()
        .take(3)
        .map(|pid| {
            let unit = host
                .process(*pid)
                .and_then(|process| process.unit.as_deref());
            unit.map_or_else(|| format!("pid {pid}"), |unit| format!("pid {pid}, {unit}"))
        })
        .collect();
    if owners.is_empty() {
        return "owner unknown".to_owned();
    }
    owners.join("; ")
}

/// An interface by which strangers come, for the words of a question.
fn example(host: &Host) -> &str {
    let interfaces = host.network.iter().flat_map(|network| &network.interfaces);
    let outside = interfaces
        .filter(|it| it.is_up() && !it.is_loopback())
        .map(|it| it.name.as_str());
    outside.take(1).next().unwrap_or("eth0")
}

fn remedies(host: &Host, asked: &[Open<'_>], service: Option<&Service>) -> Vec<Remedy> {
    let Some(first) = asked.first() else {
        return Vec::new();
    };
    let (port, kind) = (first.socket.port, sockets::word(first.socket.kind));
    let to = address(first.socket)
        .filter(|to| !to.is_unspecified())
        .map_or_else(
            || format!(":{port}"),
            |to| SocketAddr::new(to, port).to_string(),
        );
    let bound = first.socket.device.and_then(|index| host.interface(index));
    let device = quoted(bound.map_or_else(|| example(host), |it| it.name.as_str()));
    let mut remedies = Vec::new();
    if let Some((_, _, name, setting)) = service
        && !setting.is_empty()
    {
        let what = format!("Bind {name} to this host, then restart it");
        let command = if setting.starts_with("systemctl") {
            (*setting).to_owned()
        } else {
            format!("# {setting}")
        };
        remedies.push(Remedy {
            what,
            commands: vec![command],
        });
    }
    remedies.push(Remedy {
        what: "See who holds the port, and which rule decides about strangers".to_owned(),
        commands: vec![
            format!("ss -Hlnp '( sport = :{port} )'"),
            format!("surefoot firewall explain {kind} to {to} in {device} new"),
        ],
    });
    remedies
}
