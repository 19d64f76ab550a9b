//! What the kernel holds in a network that the test made, against what was put there and what
//! `ip` says of it.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketType, ipproto, socket};
use serde_json::Value;
use surefoot_host::{Host, LiveOptions, Network, Socket, SocketKind};
use surefoot_testkit::{Namespace, or_fail};

fn look() -> Host {
    Host::live(&LiveOptions::default(), &|_| {})
}

fn json(text: &str) -> Vec<Value> {
    let value: Value = serde_json::from_str(text).expect("ip prints JSON");
    value.as_array().expect("ip prints a list").clone()
}

const ROUTING: &str = "
    ip link set lo up
    ip link add br0 type bridge
    ip link add d0 type veth peer name d1
    ip link set d0 master br0 up
    ip link set d1 up
    ip link set br0 up
    ip addr add 192.0.2.1/24 dev br0
    ip -6 addr add 2001:db8::1/64 dev br0 nodad
    ip route add default via 192.0.2.254
    ip route add 203.0.113.0/24 via inet6 2001:db8::2 dev br0
    ip route add 198.51.100.0/24 nexthop via 192.0.2.2 dev br0 nexthop via 192.0.2.3 dev br0
    ip -6 route add 2001:db8:1::/48 via 2001:db8::2 table 1000 metric 7
    ip route add unreachable 198.51.100.128/25 table 1000
    ip rule add priority 10 from 192.0.2.0/24 table 1000
    ip rule add priority 11 not iif lo table 1000
    ip rule add priority 12 fwmark 0/0xff table 1000
    ip rule add priority 13 table main suppress_prefixlength 0
    ip rule add priority 14 uidrange 5-6 table 1000
    ip rule add priority 15 ipproto tcp dport 22 table 1000
    ip rule add priority 16 table 1000
    ip rule add not priority 17 table 1000
    ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:09 dev br0
    ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:0a dev br0 nud permanent
    ip neigh add 192.0.2.8 dev br0 nud failed
";

fn routing() -> (Network, Namespace) {
    let namespace = or_fail(Namespace::new());
    namespace
        .run(&["sh", "-ec", ROUTING])
        .expect("the network can be made");
    let host = namespace.within(|| Ok(look())).expect("it can be entered");
    (host.network.expect("it can be read"), namespace)
}

#[test]
fn every_selector_of_a_policy_rule_counts() {
    let (network, namespace) = routing();
    let told = json(&namespace.run(&["ip", "-j", "-N", "rule"]).expect("ip runs"));
    // What is left of a rule that asks nothing.
    let plain = ["priority", "src", "table", "protocol"];
    let wanted: Vec<(u64, bool)> = told
        .iter()
        .map(|rule| {
            let fields = rule.as_object().expect("an object");
            let asks = fields.keys().any(|key| !plain.contains(&key.as_str()));
            let from = rule["src"].as_str() != Some("all");
            (rule["priority"].as_u64().expect("a number"), asks || from)
        })
        .collect();
    let ours: Vec<(u64, bool)> = network
        .rules
        .iter()
        .filter(|rule| !rule.v6)
        .map(|rule| (rule.priority.into(), rule.selective))
        .collect();
    assert_eq!(ours, wanted);
    let selective = ours.iter().filter(|(_, selective)| *selective).count();
    assert_eq!((ours.len(), selective), (11, 7));
}

#[test]
fn odd_routes_keep_what_is_odd_about_them() {
    let (network, _namespace) = routing();
    let route = |destination: &str, prefix: u8| {
        let found = network
            .routes
            .iter()
            .find(|route| route.destination.to_string() == destination && route.prefix == prefix);
        found.unwrap_or_else(|| panic!("{destination}: {:?}", network.routes))
    };
    let other_family = route("203.0.113.0", 24).gateway.expect("it has a router");
    assert_eq!(other_family.to_string(), "2001:db8::2");
    let several = route("198.51.100.0", 24);
    assert_eq!((several.interface, several.gateway), (None, None));
    let far = route("2001:db8:1::", 48);
    assert_eq!((far.table, far.metric, far.kind), (1000, 7, 1));
    assert_eq!(route("198.51.100.128", 25).kind, 7);
    let of_main: Vec<u8> = network
        .routes
        .iter()
        .filter(|route| route.table == 254 && route.destination.is_ipv4())
        .map(|route| route.prefix)
        .collect();
    assert_eq!(of_main, [24, 24, 24, 0]);
}

#[test]
fn interfaces_and_neighbours_are_those_that_were_made() {
    let (network, namespace) = routing();
    let of_name = |name: &str| network.interfaces.iter().find(|it| it.name == name);
    let bridge = of_name("br0").expect("it was made");
    assert_eq!(bridge.kind.as_deref(), Some("bridge"));
    let port = of_name("d0").expect("it was made");
    assert_eq!((port.master, port.promiscuity), (Some(bridge.index), 1));
    assert_eq!(
        of_name("d1").and_then(|it| it.kind.as_deref()),
        Some("veth")
    );
    let lo = of_name("lo").expect("every network has it");
    assert!(
        lo.is_loopback() && lo.is_up() && lo.addresses.len() == 2,
        "{lo:?}"
    );
    let told = json(
        &namespace
            .run(&["ip", "-j", "neigh", "show", "nud", "all"])
            .expect("ip runs"),
    );
    let mut told: Vec<String> = told
        .iter()
        .filter(|it| it["lladdr"].is_string() && it["state"][0] != "NOARP")
        .map(|it| {
            format!(
                "{} {}",
                it["dst"].as_str().expect("text"),
                it["lladdr"].as_str().expect("text")
            )
        })
        .collect();
    let mut ours: Vec<String> = network
        .neighbours
        .iter()
        .filter(|it| !it.mac.is_empty() && it.state != 0x40)
        .map(|it| format!("{} {}", it.address, it.mac))
        .collect();
    told.sort();
    ours.sort();
    assert_eq!(ours, told);
    assert!(ours.len() >= 2, "{ours:?}");
    let failed = network.neighbours.iter().find(|it| it.state == 0x20);
    assert_eq!(failed.map(|it| it.mac.as_str()), Some(""));
}

#[test]
fn lists_that_the_kernel_keeps_in_hash_tables_come_in_order() {
    let (network, namespace) = routing();
    let more =
        "for n in $(seq 20 60); do ip neigh add 192.0.2.$n lladdr 02:00:00:00:00:01 dev br0; done";
    namespace.run(&["sh", "-ec", more]).expect("ip runs");
    let host = namespace.within(|| Ok(look())).expect("it can be entered");
    let neighbours = host.network.expect("it can be read").neighbours;
    assert!(neighbours.len() > 40, "{neighbours:?}");
    assert!(
        neighbours.is_sorted_by_key(|it| (it.interface, it.address)),
        "{neighbours:?}"
    );
    assert!(network.rules.is_sorted_by_key(|it| (it.v6, it.priority)));
}

#[test]
fn sockets_tell_their_device_their_queues_and_their_owner() {
    let namespace = or_fail(Namespace::new());
    namespace
        .run(&[
            "sh",
            "-ec",
            "ip link set lo up; ip -6 addr add fe80::7/64 dev lo nodad",
        ])
        .expect("the network can be made");
    let host = namespace.within(|| {
        let link_local: Ipv6Addr = [0xfe80, 0, 0, 0, 0, 0, 0, 7].into();
        let _bound = TcpListener::bind(SocketAddrV6::new(link_local, 5001, 0, 1))?;
        let waiting = TcpListener::bind((Ipv4Addr::LOCALHOST, 5002))?;
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, 5002))?;
        io::Write::write_all(&mut stream, b"twelve bytes")?;
        let _connected = UdpSocket::bind((Ipv4Addr::LOCALHOST, 5003))?;
        let lite = socket(
            AddressFamily::INET,
            SocketType::DGRAM,
            Some(ipproto::UDPLITE),
        )?;
        rustix::net::bind(
            &lite,
            &std::net::SocketAddr::from((Ipv4Addr::LOCALHOST, 5004)),
        )?;
        let _raw6 = socket(AddressFamily::INET6, SocketType::RAW, Some(ipproto::ICMPV6))?;
        let mapped = socket(AddressFamily::INET6, SocketType::STREAM, None)?;
        let to: Ipv6Addr = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        rustix::net::connect(&mapped, &SocketAddrV6::new(to, 5002, 0, 0))?;
        // Loopback delivers at once, yet not within the call.
        std::thread::sleep(Duration::from_millis(50));
        let host = look();
        drop(waiting);
        Ok(host)
    });
    let host = host.expect("the sockets can be opened");
    let sockets = host.sockets.as_deref().expect("they can be read");
    let all = |kind: SocketKind, port: u16| -> Vec<&Socket> {
        let wanted = |it: &&Socket| it.kind == kind && it.port == port;
        sockets.iter().filter(wanted).collect()
    };
    // A child of another test holds them, too, until it runs its own program.
    let me = std::process::id();
    assert_eq!(all(SocketKind::Tcp, 5001)[0].device, Some(1));
    let listener = all(SocketKind::Tcp, 5002)
        .into_iter()
        .find(|it| it.waits())
        .expect("it listens");
    assert_eq!((listener.receive_queue, listener.device), (2, None));
    assert!(
        listener.send_queue >= 128 && listener.owners.contains(&me),
        "{listener:?}"
    );
    let unread = all(SocketKind::Tcp, 5002)
        .into_iter()
        .find(|it| it.receive_queue == 12);
    // Nobody has accepted it, so no process has it.
    let unread = unread.expect("twelve bytes wait");
    assert!(
        unread.state == 1 && unread.inode == 0 && unread.owners.is_empty(),
        "{unread:?}"
    );
    let from_v6 = sockets
        .iter()
        .find(|it| it.peer.is_some_and(|(to, _)| to.is_ipv6()));
    let from_v6 = from_v6.expect("a mapped address stays one");
    assert!(from_v6.owners.contains(&me));
    for (kind, port) in [
        (SocketKind::Udp, 5003),
        (SocketKind::Udplite, 5004),
        (SocketKind::Raw, 58),
    ] {
        let found = all(kind, port);
        assert_eq!(found.len(), 1, "{kind:?}: {sockets:?}");
        assert_eq!(
            (found[0].owners.contains(&me), found[0].uid),
            (true, 0),
            "{kind:?}"
        );
    }
    assert!(all(SocketKind::Udp, 5003)[0].waits() && all(SocketKind::Udplite, 5004)[0].waits());
    assert_eq!(
        all(SocketKind::Raw, 58)[0].local,
        Some(Ipv6Addr::UNSPECIFIED.into())
    );
}

#[test]
fn protocols_that_are_not_listed_are_told() {
    let namespace = or_fail(Namespace::new());
    let (before, during) = namespace
        .within(|| {
            let before = look();
            let _held = socket(AddressFamily::XDP, SocketType::RAW, None)?;
            Ok((before, look()))
        })
        .expect("the socket can be opened");
    let told = |host: &Host| host.missing.iter().any(|it| it.fact == "XDP sockets");
    assert!(!told(&before) && told(&during), "{:?}", during.missing);
}

#[test]
fn thousands_of_sockets_are_read_at_once() {
    let namespace = or_fail(Namespace::new());
    namespace
        .run(&["ip", "link", "set", "lo", "up"])
        .expect("ip runs");
    let (found, taken) = namespace
        .within(|| {
            let held: io::Result<Vec<UdpSocket>> = (0..800)
                .map(|at| UdpSocket::bind((Ipv4Addr::LOCALHOST, 10_000 + at)))
                .collect();
            let held = held?;
            let begun = Instant::now();
            let host = look();
            Ok((
                host.sockets.map_or(0, |it| it.len()).min(held.len()),
                begun.elapsed(),
            ))
        })
        .expect("the sockets can be opened");
    assert_eq!(found, 800, "more than one message holds");
    // Far above what it takes, and far below what a quadratic look would take.
    assert!(taken < Duration::from_secs(10), "{taken:?}");
}
