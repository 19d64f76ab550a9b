//! Programs that wait for connections on every address, and what the firewall does about them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use surefoot_firewall::model::{Family, Field, ct_state};
use surefoot_firewall::packet::{Interface, Packet, Path};
use surefoot_firewall::semantics::{End, Record, evaluate};
use surefoot_host::{Host, Socket, SocketKind};
use surefoot_report::{Area, Certainty, Evidence, Finding, Page, Place, Remedy, Severity, quoted};

use crate::{Rules, finding};

/// More listeners of one program than this are counted, not asked about one by one.
const ASKED_OF_EACH: usize = 24;

/// As many of them are shown as evidence.
const SHOWN_OF_EACH: usize = 8;

pub(crate) const PAGES: &[Page] = &[
    Page {
        code: "EX001",
        title: "a service meant for this host or a private network listens on every address",
        severity: Severity::High,
        text: "\
What it is
  A database, cache or control port is bound to 0.0.0.0 or [::], so every interface answers,
  and the firewall does not certainly keep strangers out.

Why it matters
  Such services often ask for no password, or for a weak one: redis, memcached, mongodb,
  elasticsearch and docker's port hand over the data, or the machine, to whoever connects.
  On a provider's \"private\" network the strangers are the other customers.

See it yourself
  ss -tulpn                      a local address of 0.0.0.0, * or [::] means every address
  surefoot firewall explain tcp to :6379 in eth0 new

Mend it
  Bind the service to 127.0.0.1, or to the one address that needs it, and restart it; then
  close the port in the firewall for everybody but your own instances. Binding to a private
  address alone does not keep neighbours on another interface out: Linux answers for all its
  addresses on all its interfaces (the weak host model).

When it is fine
  When a firewall outside of this machine filters the port. surefoot cannot see it.
",
    },
    Page {
        code: "EX002",
        title: "a program listens on every address",
        severity: Severity::Note,
        text: "\
What it is
  A program is bound to 0.0.0.0 or [::]. Every interface answers, also one that is added later:
  a second network card, a VPN, a container bridge.

Why it matters
  Nothing is wrong with a web server that does this. It is listed so that you know what this
  machine offers; a name that you do not recognise deserves a look.

See it yourself
  ss -tulpn
  surefoot firewall explain tcp to :PORT in eth0 new

Mend it
  Stop and disable what is not needed; bind the rest to the address that needs it; filter it.

When it is fine
  For services that are meant for everybody.
",
    },
];

/// Services that are not made for strangers, by protocol and port, with the setting that binds
/// them (from their own manuals).
const PRIVATE: &[(u8, u16, &str, &str)] = &[
    (
        6,
        111,
        "rpcbind",
        "systemctl disable --now rpcbind.socket rpcbind.service",
    ),
    (
        17,
        111,
        "rpcbind",
        "systemctl disable --now rpcbind.socket rpcbind.service",
    ),
    (6, 389, "LDAP", ""),
    (
        6,
        445,
        "SMB",
        "set `interfaces = lo eth1` and `bind interfaces only = yes` in /etc/samba/smb.conf",
    ),
    (
        6,
        631,
        "CUPS",
        "set `Listen localhost:631` in /etc/cups/cupsd.conf",
    ),
    (
        17,
        161,
        "SNMP",
        "set `agentaddress 127.0.0.1` in /etc/snmp/snmpd.conf",
    ),
    (
        6,
        2049,
        "NFS",
        "set `host=` to the private address in the [nfsd] section of /etc/nfs.conf",
    ),
    (
        6,
        2375,
        "docker's API",
        "remove `tcp://0.0.0.0:2375` from `hosts` in /etc/docker/daemon.json",
    ),
    (
        6,
        2379,
        "etcd",
        "set `listen-client-urls` to http://127.0.0.1:2379",
    ),
    (
        6,
        3306,
        "MySQL or MariaDB",
        "set `bind-address = 127.0.0.1` in /etc/mysql/mariadb.conf.d/50-server.cnf",
    ),
    (
        6,
        5432,
        "PostgreSQL",
        "set `listen_addresses = 'localhost'` in postgresql.conf",
    ),
    (
        6,
        5984,
        "CouchDB",
        "set `bind_address = 127.0.0.1` in local.ini",
    ),
    (
        6,
        6379,
        "redis",
        "set `bind 127.0.0.1 ::1` in /etc/redis/redis.conf",
    ),
    (
        6,
        9042,
        "Cassandra",
        "set `rpc_address: localhost` in cassandra.yaml",
    ),
    (
        6,
        9200,
        "Elasticsearch",
        "set `network.host: 127.0.0.1` in elasticsearch.yml",
    ),
    (6, 10250, "the kubelet's API", ""),
    (
        6,
        11211,
        "memcached",
        "set `-l 127.0.0.1` in /etc/memcached.conf",
    ),
    (
        17,
        11211,
        "memcached",
        "set `-l 127.0.0.1` and `-U 0` in /etc/memcached.conf",
    ),
    (6, 15672, "RabbitMQ's console", ""),
    (
        6,
        27017,
        "MongoDB",
        "set `bindIp: 127.0.0.1` under `net:` in /etc/mongod.conf",
    ),
];

/// What the firewall does to a stranger's first packet to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gate {
    /// It never arrives.
    Closed,
    /// It depends on what is not known: where from, by which interface, an unread rule.
    Depends,
    /// Not all rules could be read.
    Unknown,
    /// It arrives, whoever sends it.
    Open,
}

impl Gate {
    fn words(self) -> &'static str {
        match self {
            Self::Closed => "the firewall keeps strangers out",
            Self::Depends => "the firewall may let strangers in, depending on where they come from",
            Self::Unknown => "whether the firewall lets strangers in is not known",
            Self::Open => "the firewall lets everybody in",
        }
    }
}

/// A listener on every address of one or both families.
struct Open<'a> {
    socket: &'a Socket,
    gate: Gate,
}

/// One finding for each program, and one for each service that is not made for strangers.
pub(crate) fn check(host: &Host, rules: &Rules) -> Vec<Finding> {
    let Some(sockets) = &host.sockets else {
        return Vec::new();
    };
    let mut by_program: BTreeMap<(String, Option<u16>), Vec<&Socket>> = BTreeMap::new();
    for socket in sockets.iter().filter(|socket| is_everywhere(socket)) {
        let private = private(socket).map(|(_, port, _, _)| *port);
        by_program
            .entry((program(host, socket), private))
            .or_default()
            .push(socket);
    }
    by_program
        .into_iter()
        .map(|((program, _), sockets)| {
            let asked: Vec<Open<'_>> = sockets
                .iter()
                .take(ASKED_OF_EACH)
                .map(|socket| Open {
                    socket,
                    gate: gate(rules, socket),
                })
                .collect();
            describe(host, &program, &asked, sockets.len())
        })
        .collect()
}

fn is_everywhere(socket: &Socket) -> bool {
    // UDP sockets on ports that the kernel chose are clients waiting for an answer.
    const FIRST_EPHEMERAL: u16 = 32_768;
    let client = socket.kind != SocketKind::Tcp && socket.port >= FIRST_EPHEMERAL;
    socket.waits() && !client && socket.local.is_some_and(|address| address.is_unspecified())
}

fn program(host: &Host, socket: &Socket) -> String {
    let owner = socket.owners.first().and_then(|pid| host.process(*pid));
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

fn private(socket: &Socket) -> Option<&'static (u8, u16, &'static str, &'static str)> {
    PRIVATE
        .iter()
        .find(|(proto, port, _, _)| (*proto, *port) == (protocol(socket), socket.port))
}

/// Asks the firewall about a stranger's first packet, on every interface that strangers reach.
fn gate(rules: &Rules, socket: &Socket) -> Gate {
    let v6 = socket.local.is_some_and(|address| address.is_ipv6());
    let both = v6 && socket.v6only != Some(true);
    let mut families = vec![if v6 { Family::Ip6 } else { Family::Ip }];
    if both {
        families.push(Family::Ip);
    }
    let gates: Vec<Gate> = families
        .into_iter()
        .flat_map(|family| interfaces(rules).into_iter().map(move |it| (family, it)))
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

/// The interfaces by which strangers come; one unknown where there are many or they are not known.
fn interfaces(rules: &Rules) -> Vec<Interface> {
    const MANY: usize = 8;
    let known = rules.surroundings.interfaces.iter().flatten();
    let outside: Vec<Interface> = known
        .filter(|interface| interface.up && !interface.loopback)
        .map(|interface| Interface::named(&interface.name))
        .collect();
    if outside.is_empty() || outside.len() > MANY {
        vec![Interface::Unknown]
    } else {
        outside
    }
}

fn ask(rules: &Rules, socket: &Socket, family: Family, interface: Interface) -> Gate {
    if !rules.complete {
        return Gate::Unknown;
    }
    let mut packet = Packet::new(Path::Input)
        .with(Field::L4Proto, protocol(socket))
        .with(Field::DstPort, socket.port)
        .with(
            Field::NfProto,
            if family == Family::Ip6 { 10_u8 } else { 2_u8 },
        )
        .with(Field::CtState, ct_state::NEW);
    packet.input = interface;
    let packet = packet.settle(&rules.surroundings);
    let firewall = &rules.loaded.firewall;
    let answer = evaluate(
        firewall,
        &rules.index,
        &rules.surroundings,
        &packet,
        Record::Nothing,
    );
    match answer.certain() {
        Some(End::Accepted) => Gate::Open,
        Some(End::Dropped | End::Rejected) => Gate::Closed,
        _ => Gate::Depends,
    }
}

fn describe(host: &Host, program: &str, asked: &[Open<'_>], count: usize) -> Finding {
    let gate = asked
        .iter()
        .map(|open| open.gate)
        .max()
        .unwrap_or(Gate::Unknown);
    let service = asked.first().and_then(|open| private(open.socket));
    let page = if service.is_some() && gate > Gate::Closed {
        &PAGES[0]
    } else {
        &PAGES[1]
    };
    let certainty = if matches!(gate, Gate::Depends | Gate::Unknown) {
        Certainty::Possibly
    } else {
        Certainty::Certainly
    };
    let title = format!(
        "{program} listens on every address ({})",
        ports(asked, count)
    );
    let impact = match service {
        Some((_, _, name, _)) if gate > Gate::Closed => format!(
            "{name} is not made for strangers, and {}. Whoever reaches it may read or change its data.",
            gate.words()
        ),
        _ => format!("Every interface answers; {}.", gate.words()),
    };
    let mut found = finding(page, Area::Exposure, certainty, title, &impact);
    found.evidence = asked
        .iter()
        .take(SHOWN_OF_EACH)
        .map(|open| evidence(host, open))
        .collect();
    found.remedies = remedies(host, asked, service);
    found
}

fn ports(asked: &[Open<'_>], count: usize) -> String {
    let mut ports: Vec<String> = asked
        .iter()
        .map(|open| format!("{}/{}", open.socket.port, kind_word(open.socket)))
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

fn kind_word(socket: &Socket) -> &'static str {
    match socket.kind {
        SocketKind::Tcp => "tcp",
        SocketKind::Udp => "udp",
        SocketKind::Udplite => "udplite",
        SocketKind::Raw => "raw",
        SocketKind::Packet => "packet",
    }
}

fn evidence(host: &Host, open: &Open<'_>) -> Evidence {
    let socket = open.socket;
    let address = match (socket.local, socket.v6only) {
        (Some(IpAddr::V6(_)), Some(true)) => "[::]".to_owned(),
        (Some(IpAddr::V6(_)), _) => "*".to_owned(),
        (address, _) => address
            .map(|address| address.to_string())
            .unwrap_or_default(),
    };
    let owners: Vec<String> = socket
        .owners
        .iter()
        .take(3)
        .map(|pid| {
            let unit = host
                .process(*pid)
                .and_then(|process| process.unit.as_deref());
            unit.map_or_else(|| format!("pid {pid}"), |unit| format!("pid {pid}, {unit}"))
        })
        .collect();
    let owners = if owners.is_empty() {
        "owner not known".to_owned()
    } else {
        owners.join("; ")
    };
    Evidence {
        place: Place::Kernel {
            name: format!("{} {address}:{}", kind_word(socket), socket.port),
        },
        what: format!("{owners}; {}", open.gate.words()),
        packets: None,
    }
}

/// An interface by which strangers come, for the words of a question.
fn example(host: &Host) -> &str {
    let interfaces = host.network.iter().flat_map(|network| &network.interfaces);
    let outside = interfaces
        .filter(|it| it.is_up() && !it.is_loopback())
        .map(|it| it.name.as_str());
    outside.take(1).next().unwrap_or("eth0")
}

fn remedies(
    host: &Host,
    asked: &[Open<'_>],
    service: Option<&(u8, u16, &'static str, &'static str)>,
) -> Vec<Remedy> {
    let Some(first) = asked.first() else {
        return Vec::new();
    };
    let (port, kind) = (first.socket.port, kind_word(first.socket));
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
            format!(
                "surefoot firewall explain {kind} to :{port} in {} new",
                quoted(example(host))
            ),
        ],
    });
    remedies
}
