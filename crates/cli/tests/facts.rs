//! The facts of a network that the test made, held against what `ip` and `ss` say of it.

mod common;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::Command;

use rustix::net::{AddressFamily, RawProtocol, SocketType, ipproto, sockopt};
use serde_json::Value;
use surefoot_testkit::{Namespace, or_fail};

use common::{program, ran};

/// A network with one of each thing, but no link-local addresses, which come by themselves while the
/// machine is looked at.
const SETUP: &str = "
    ip link set lo up
    ip link add d0 type veth peer name eth7
    ip link set d0 addrgenmode none
    ip link set eth7 addrgenmode none
    ip link set d0 up promisc on
    ip link set eth7 up address 02:00:00:00:00:07 mtu 1400
    ip addr add 192.0.2.1/24 dev eth7
    ip addr add 198.51.100.1 peer 198.51.100.2/32 dev eth7
    ip -6 addr add 2001:db8::1/64 dev eth7 nodad
    ip route add 203.0.113.0/24 via 192.0.2.254 dev eth7 metric 5
    ip route add blackhole 203.0.113.128/25
    ip route add default via 192.0.2.254 dev eth7 table 100
    ip rule add fwmark 1 table 100 priority 77
    ip neigh add 192.0.2.254 lladdr 02:00:00:00:00:fe dev eth7 nud permanent
";

/// Everything that is kept open while the machine is looked at.
struct Open {
    _listeners: Vec<TcpListener>,
    _others: Vec<OwnedFd>,
    _udp: Vec<UdpSocket>,
    _streams: Vec<TcpStream>,
}

fn open() -> io::Result<Open> {
    let any6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 4002));
    let only6 = rustix::net::socket(AddressFamily::INET6, SocketType::STREAM, None)?;
    sockopt::set_ipv6_v6only(&only6, true)?;
    rustix::net::bind(&only6, &any6)?;
    rustix::net::listen(&only6, 7)?;
    let raw = rustix::net::socket(AddressFamily::INET, SocketType::RAW, Some(ipproto::ICMP))?;
    let every_frame =
        RawProtocol::new(3_u32.swap_bytes() >> 16).map(rustix::net::Protocol::from_raw);
    let packet = rustix::net::socket(AddressFamily::PACKET, SocketType::RAW, every_frame)?;
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 4000))?;
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 4000))?;
    let connected = UdpSocket::bind((Ipv4Addr::LOCALHOST, 4004))?;
    connected.connect((Ipv4Addr::LOCALHOST, 9))?;
    Ok(Open {
        _listeners: vec![listener, TcpListener::bind((Ipv6Addr::UNSPECIFIED, 4001))?],
        _others: vec![only6, raw, packet],
        _udp: vec![UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 4003))?, connected],
        _streams: vec![stream],
    })
}

/// What the program and what the system's own tools say of one network.
struct Both {
    host: Value,
    links: Value,
    routes: [Value; 2],
    rules: Value,
    neighbours: Value,
    sockets: String,
}

fn look() -> Both {
    let namespace = or_fail(Namespace::new());
    let tool = |words: &[&str]| namespace.run(words).expect("the tool is there");
    tool(&["sh", "-ec", SETUP]);
    let both = namespace.within(|| {
        let _held = open()?;
        let capture = ran(program()
            .args(["capture", "-q", "-"])
            .output()?
            .into_plain());
        let print = |words: &[&str]| -> io::Result<String> {
            let output = Command::new(words[0]).args(&words[1..]).output()?;
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let json =
            |words: &[&str]| -> io::Result<Value> { Ok(serde_json::from_str(&print(words)?)?) };
        Ok(Both {
            host: serde_json::from_str::<Value>(&capture.out)?["host"].clone(),
            links: json(&["ip", "-j", "-d", "addr"])?,
            routes: [
                json(&["ip", "-j", "-N", "-4", "route", "show", "table", "all"])?,
                json(&["ip", "-j", "-N", "-6", "route", "show", "table", "all"])?,
            ],
            rules: json(&["ip", "-j", "-N", "rule"])?,
            neighbours: json(&["ip", "-j", "neigh"])?,
            sockets: print(&["ss", "-H", "-n", "-a", "-t", "-u", "-e"])?,
        })
    });
    both.expect("the namespace can be used")
}

/// Unpacks the output of `capture -`, which is compressed.
trait Plain {
    fn into_plain(self) -> std::process::Output;
}

impl Plain for std::process::Output {
    fn into_plain(mut self) -> Self {
        let mut text = Vec::new();
        io::Read::read_to_end(
            &mut flate2::read::GzDecoder::new(self.stdout.as_slice()),
            &mut text,
        )
        .expect("a capture is compressed");
        self.stdout = text;
        self
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[test]
fn interfaces_and_addresses_are_those_that_ip_shows() {
    let both = look();
    let ours: BTreeSet<String> = list(&both.host["network"]["interfaces"])
        .iter()
        .flat_map(|it| {
            let mut lines = vec![format!(
                "{} {} {} {} {} {}",
                it["index"],
                text(&it["name"]),
                it["mtu"],
                text(&it["mac"]),
                it["promiscuity"],
                it["kind"].as_str().unwrap_or("-")
            )];
            for address in list(&it["addresses"]) {
                lines.push(format!(
                    "{} {}/{}",
                    it["index"],
                    text(&address["address"]),
                    address["prefix"]
                ));
            }
            lines
        })
        .collect();
    let theirs: BTreeSet<String> = list(&both.links)
        .iter()
        .flat_map(|it| {
            let mut lines = vec![format!(
                "{} {} {} {} {} {}",
                it["ifindex"],
                text(&it["ifname"]),
                it["mtu"],
                text(&it["address"]),
                it["promiscuity"],
                it["linkinfo"]["info_kind"].as_str().unwrap_or("-")
            )];
            for address in list(&it["addr_info"]) {
                lines.push(format!(
                    "{} {}/{}",
                    it["ifindex"],
                    text(&address["local"]),
                    address["prefixlen"]
                ));
            }
            lines
        })
        .collect();
    assert_eq!(ours, theirs);
    assert!(
        theirs.len() >= 8,
        "the network has something to show: {theirs:?}"
    );
}

#[test]
fn routes_rules_and_neighbours_are_those_that_ip_shows() {
    let both = look();
    let number = |value: &Value, other: u64| -> u64 {
        value
            .as_u64()
            .or_else(|| value.as_str()?.parse().ok())
            .unwrap_or(other)
    };
    let ours: BTreeSet<String> = list(&both.host["network"]["routes"])
        .iter()
        .map(|it| {
            format!(
                "{}/{} via {} table {} metric {} kind {}",
                text(&it["destination"]),
                it["prefix"],
                it["gateway"].as_str().unwrap_or("-"),
                it["table"],
                it["metric"],
                it["kind"]
            )
        })
        .collect();
    let mut theirs = BTreeSet::new();
    for (routes, zero, full) in [
        (&both.routes[0], "0.0.0.0", 32),
        (&both.routes[1], "::", 128),
    ] {
        for it in list(routes) {
            let destination = text(&it["dst"]).replace("default", &format!("{zero}/0"));
            let destination = if destination.contains('/') {
                destination
            } else {
                format!("{destination}/{full}")
            };
            let kind = number(&it["type"], 1);
            theirs.insert(format!(
                "{destination} via {} table {} metric {} kind {kind}",
                it["gateway"].as_str().unwrap_or("-"),
                number(&it["table"], 254),
                number(&it["metric"], 0)
            ));
        }
    }
    assert_eq!(ours, theirs);
    assert!(
        theirs.iter().any(|route| route.ends_with("kind 6")),
        "{theirs:?}"
    );

    let ours: BTreeSet<(u64, u64)> = list(&both.host["network"]["rules"])
        .iter()
        .filter(|rule| rule["v6"] == false)
        .map(|rule| (number(&rule["priority"], 0), number(&rule["table"], 0)))
        .collect();
    let theirs: BTreeSet<(u64, u64)> = list(&both.rules)
        .iter()
        .map(|rule| (number(&rule["priority"], 0), number(&rule["table"], 0)))
        .collect();
    assert_eq!(ours, theirs);
    assert!(ours.contains(&(77, 100)));

    let permanent: Vec<(String, String)> = list(&both.host["network"]["neighbours"])
        .iter()
        .filter(|it| it["state"] == 0x80)
        .map(|it| (text(&it["address"]), text(&it["mac"])))
        .collect();
    let told = list(&both.neighbours)
        .iter()
        .filter(|it| it["state"][0] == "PERMANENT");
    let told: Vec<_> = told
        .map(|it| (text(&it["dst"]), text(&it["lladdr"])))
        .collect();
    assert_eq!(permanent, told);
    assert_eq!(told.len(), 1);
}

#[test]
fn sockets_are_those_that_ss_shows() {
    let both = look();
    let sockets = list(&both.host["sockets"]);
    let of_kind = |kinds: &[&str]| -> Vec<&Value> {
        sockets
            .iter()
            .filter(|it| kinds.contains(&it["kind"].as_str().expect("a kind")))
            .collect()
    };
    let ours: BTreeSet<String> = of_kind(&["tcp", "udp"])
        .iter()
        .map(|it| format!("{} {} {}", text(&it["kind"]), it["port"], it["inode"]))
        .collect();
    let theirs: BTreeSet<String> = both
        .sockets
        .lines()
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let port = fields[4].rsplit(':').next().expect("a port");
            let inode = fields
                .iter()
                .find_map(|field| field.strip_prefix("ino:"))
                .unwrap_or("0");
            format!("{} {port} {inode}", fields[0])
        })
        .collect();
    assert_eq!(ours, theirs);

    let one = |port: u64| {
        sockets
            .iter()
            .find(|it| it["port"] == port && (it["kind"] == "udp" || it["state"] == 10))
            .expect("it is open")
    };
    let me = u64::from(std::process::id());
    for port in [4000, 4001, 4002, 4003, 4004] {
        let owners = list(&one(port)["owners"]);
        assert!(
            owners.iter().any(|pid| *pid == me),
            "port {port}: {}",
            one(port)
        );
    }
    assert_eq!(
        (&one(4001)["v6only"], &one(4001)["local"]),
        (&Value::Bool(false), &Value::from("::"))
    );
    assert_eq!(
        (&one(4002)["v6only"], &one(4002)["send_queue"]),
        (&Value::Bool(true), &Value::from(7))
    );
    assert_eq!(
        (of_kind(&["raw"]).len(), of_kind(&["packet"]).len()),
        (1, 1)
    );
    let streams = sockets
        .iter()
        .filter(|it| it["kind"] == "tcp" && it["state"] == 1)
        .count();
    assert_eq!(streams, 2, "both ends of the connection");
}
