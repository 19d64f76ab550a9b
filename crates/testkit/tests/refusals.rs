//! What the kernel drops besides the rules: packets that are odd in one way or another, under
//! settings drawn by chance, meet no rules. The evaluator says of each whether it gets through, and
//! the kernel is the referee.

#![expect(clippy::unwrap_used, reason = "a test may die")]

#[path = "agreement/chance.rs"]
mod chance;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use chance::Chance;
use surefoot_netfilter::packet::{Packet, PacketInterface, PacketPath};
use surefoot_netfilter::semantics::{
    Decider, End, Evaluation, RecordLevel, Refusal, RuleIndex, evaluate,
};
use surefoot_netfilter::{Interface, Route, Surroundings};
use surefoot_ruleset::model::{Backend, Family, Field, Firewall};
use surefoot_ruleset::{Format, Input};
use surefoot_testkit::{Frame, Port, Referee, Transport, Wire, or_fail};

/// Settings drawn by chance, and packets under each.
const SETTINGS: usize = 40;
const PACKETS: usize = 250;

const SOURCES: &[&str] = &[
    "203.0.113.7",
    "192.0.2.77",
    "198.51.100.77",
    "192.0.2.1",
    "198.51.100.1",
    "192.0.2.255",
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "224.0.0.5",
    "240.1.1.1",
    "255.255.255.255",
    "10.9.1.1",
    "10.66.1.1",
    "10.7.1.1",
    "2001:db8:9::7",
    "2001:db8:0:1::1",
    "2001:db8:0:2::77",
    "::1",
    "::",
    "fe80::77",
    "ff02::5",
];
const DESTINATIONS: &[&str] = &[
    "192.0.2.1",
    "198.51.100.1",
    "198.51.100.77",
    "203.0.113.50",
    "10.66.2.2",
    "192.0.2.255",
    "255.255.255.255",
    "224.0.0.1",
    "127.0.0.1",
    "2001:db8:0:1::1",
    "2001:db8:0:2::77",
    "2001:db8:9::50",
    "2001:db8:66::50",
    "224.0.0.251",
    "239.1.1.1",
    "ff02::1",
    "ff02::fb",
    "ff05::fb",
    "ff01::1",
    "::1",
];
/// Routes beside those that the kernel makes for addresses.
const ROUTES: &str = "\
route add default dev eth0
route add 10.9.0.0/16 dev eth1
route add blackhole 10.66.0.0/16
-6 route add default dev eth0
-6 route add unreachable 2001:db8:66::/48
";
/// What some hosts have in addition: a table that policy routing chooses.
const POLICY: &str = "\
rule add pref 100 from 192.0.2.1 lookup 77
route add 10.7.0.0/16 dev eth1 table 77
";

fn ports() -> Vec<Port> {
    let port = |name: &str, last: u8, four: [u8; 4]| Port {
        name: name.to_owned(),
        mac: [2, 0, 0, 0, 0, last],
        addresses: vec![
            (IpAddr::from(four), 24),
            (format!("2001:db8:0:{last}::1").parse().unwrap(), 64),
        ],
    };
    vec![
        port("eth0", 1, [192, 0, 2, 1]),
        port("eth1", 2, [198, 51, 100, 1]),
    ]
}

fn surroundings(ports: &[Port], policy: bool) -> Surroundings {
    let lo = Interface {
        name: "lo".into(),
        loopback: true,
        up: true,
        addresses: vec![
            (IpAddr::from([127, 0, 0, 1]), 8),
            ("::1".parse().unwrap(), 128),
        ],
    };
    let others = ports.iter().map(|port| Interface {
        name: port.name.clone(),
        loopback: false,
        up: true,
        addresses: port.addresses.clone(),
    });
    let mut routes = vec![
        route("127.0.0.0", 8, Some("lo"), 255, 2),
        route("0.0.0.0", 0, Some("eth0"), 254, 1),
        route("10.9.0.0", 16, Some("eth1"), 254, 1),
        route("10.66.0.0", 16, None, 254, 6),
        route("::", 0, Some("eth0"), 254, 1),
        route("2001:db8:66::", 48, None, 254, 7),
        route("ff00::", 8, Some("eth0"), 255, 5),
        route("ff00::", 8, Some("eth1"), 255, 5),
    ];
    for port in ports {
        for (address, length) in &port.addresses {
            let host = if address.is_ipv6() { 128 } else { 32 };
            let words = address.to_string();
            routes.push(route(&words, host, Some(&port.name), 255, 2));
            if let IpAddr::V4(address) = address {
                let network = Ipv4Addr::from_bits(address.to_bits() & 0xffff_ff00).to_string();
                routes.push(route(&network, *length, Some(&port.name), 254, 1));
                let all = Ipv4Addr::from_bits(address.to_bits() | 0xff).to_string();
                routes.push(route(&all, 32, Some(&port.name), 255, 3));
            } else {
                routes.push(route(&words, *length, Some(&port.name), 254, 1));
            }
        }
    }
    if policy {
        routes.push(route("10.7.0.0", 16, Some("eth1"), 77, 1));
    }
    // Of those that are asked about, the kernel joins these by itself.
    let groups = ports.iter().flat_map(|port| {
        let group = |group: &str| (port.name.clone(), group.parse().unwrap());
        [group("224.0.0.1"), group("ff02::1"), group("ff01::1")]
    });
    Surroundings {
        interfaces: Some(std::iter::once(lo).chain(others).collect()),
        routes: Some(routes),
        groups: Some(groups.collect()),
        ..Surroundings::default()
    }
}

fn route(destination: &str, length: u8, interface: Option<&str>, table: u32, kind: u8) -> Route {
    Route {
        destination: (destination.parse().unwrap(), length),
        interface: interface.map(str::to_owned),
        table,
        metric: 0,
        kind,
    }
}

fn settings(chance: &mut Chance) -> BTreeMap<String, String> {
    let mut chosen = BTreeMap::new();
    let mut set = |name: String, value: usize| {
        chosen.insert(name, value.to_string());
    };
    // This one sets those of all interfaces, so it comes first in the order of names that matters.
    set(
        "net.ipv4.ip_forward".into(),
        usize::from(chance.percent(80)),
    );
    set(
        "net.ipv6.conf.all.forwarding".into(),
        usize::from(chance.percent(80)),
    );
    for interface in ["all", "eth0", "eth1"] {
        let ipv4 = |setting: &str| format!("net.ipv4.conf.{interface}.{setting}");
        set(ipv4("rp_filter"), chance.below(4) % 3);
        for setting in ["accept_local", "route_localnet"] {
            set(ipv4(setting), usize::from(chance.percent(25)));
        }
        if interface != "all" {
            set(ipv4("forwarding"), usize::from(chance.percent(70)));
        }
        for family in ["ipv4", "ipv6"] {
            let name = format!("net.{family}.conf.{interface}.drop_unicast_in_l2_multicast");
            set(name, usize::from(chance.percent(25)));
        }
    }
    chosen
}

fn frame(chance: &mut Chance, own: [u8; 6]) -> (Frame, u128) {
    let source: IpAddr = chance.pick(SOURCES).unwrap().parse().unwrap();
    let all = DESTINATIONS.iter().map(|text| text.parse().unwrap());
    let all: Vec<IpAddr> = all
        .filter(|one: &IpAddr| one.is_ipv6() == source.is_ipv6())
        .collect();
    let destination = *chance.pick(&all).unwrap();
    let (to, kind) = match chance.below(10) {
        0 => ([0xff; 6], 1),
        1 => ([0x01, 0, 0x5e, 0, 0, 1], 2),
        2 => ([2, 0, 0, 0, 9, 9], 3),
        _ => (own, 0),
    };
    let packet = Wire {
        source,
        destination,
        protocol: 17,
        transport: Transport::Ports {
            source: 1000,
            destination: 2000,
        },
        ttl: *chance.pick(&[1, 2, 64, 64, 64]).unwrap(),
        tos: 0,
        id: 1,
        fragment: 0,
        payload: 10,
        broken: false,
        options: false,
    };
    let from = [2, 0, 0, 0, 0, 0x99];
    (Frame { to, from, packet }, kind)
}

fn as_asked(frame: &Frame, kind: u128, interface: &str, surroundings: &Surroundings) -> Packet {
    let wire = &frame.packet;
    let hops = if wire.is_v6() {
        Field::HopLimit
    } else {
        Field::Ttl
    };
    let mut packet = Packet::new(PacketPath::Input)
        .from(wire.source)
        .to(wire.destination)
        .with(Field::L4Proto, wire.protocol)
        .with(Field::SrcPort, 1000_u16)
        .with(Field::DstPort, 2000_u16)
        .with(Field::PacketType, kind)
        .with(hops, wire.ttl);
    packet.path_assumed = true;
    packet.input = PacketInterface::named(interface);
    packet.settle(surroundings)
}

/// Makes the two ports and their routes.
fn plain_host(ports: &[Port], policy: bool) -> Referee {
    let referee = or_fail(Referee::on_plain_host(ports.to_vec()));
    let extra = if policy { POLICY } else { "" };
    for line in ROUTES.lines().chain(extra.lines()) {
        let words: Vec<&str> = std::iter::once("ip").chain(line.split(' ')).collect();
        referee.namespace().run(&words).unwrap();
    }
    referee
}

/// What came of the packets.
#[derive(Default)]
struct AnswerTally {
    wrong: String,
    sure: usize,
    open: usize,
    /// Why packets were refused.
    met: BTreeSet<Refusal>,
}

impl AnswerTally {
    /// Sends packets, and holds the answers about them against the kernel's.
    fn compare(
        &mut self,
        referee: &mut Referee,
        (firewall, index): (&Firewall, &RuleIndex),
        (ports, surroundings): (&[Port], &Surroundings),
        chance: &mut Chance,
    ) {
        for _ in 0..PACKETS {
            let port = chance.pick(ports).unwrap();
            let (frame, kind) = frame(chance, port.mac);
            let seen = referee.receive(&port.name, &frame).unwrap();
            let packet = as_asked(&frame, kind, &port.name, surroundings);
            let nothing = RecordLevel::Nothing;
            let answer = evaluate(firewall, index, surroundings, &packet, nothing);
            self.met.extend(reasons(&answer));
            match answer.certain() {
                None => self.open += 1,
                Some(end) if (end == End::Accepted) == seen.passed => self.sure += 1,
                Some(end) => {
                    let _ = writeln!(
                        self.wrong,
                        "{end:?} {:?}, the kernel says {}: {} to {}, ttl {}, frame {kind}, by {}, under {:?}{}",
                        reasons(&answer),
                        seen.passed,
                        frame.packet.source,
                        frame.packet.destination,
                        frame.packet.ttl,
                        port.name,
                        surroundings.sysctls,
                        firewall
                            .sources
                            .iter()
                            .map(|source| source.text.as_str())
                            .collect::<String>(),
                    );
                }
            }
        }
    }

    fn check(&self) {
        let lines = self.wrong.lines().count();
        let first: Vec<&str> = self.wrong.lines().take(12).collect();
        assert!(
            lines == 0,
            "{lines} lines of differences:\n{}",
            first.join("\n")
        );
        assert!(
            self.open * 20 < self.sure,
            "{} certain answers, {} others",
            self.sure,
            self.open
        );
    }
}

/// Rules that ask for the way back to a source: what loads them, and how they are read.
fn rules_about_ways() -> Vec<(Vec<&'static str>, Format, String)> {
    let mut rules = Vec::new();
    for asked in [
        "fib saddr . iif oif missing drop",
        "fib saddr . mark . iif oif missing drop",
        "meta nfproto ipv6 fib saddr . iif oif missing drop",
        "fib saddr . iif oif exists drop",
    ] {
        let chain = format!(
            "table inet f {{\n chain pre {{\n type filter hook prerouting priority -290; policy accept;\n \
             {asked}\n }}\n}}\n"
        );
        rules.push((vec!["nft", "-f", "-"], Format::NftText, chain));
    }
    for options in [
        "--invert",
        "--loose --invert",
        "--accept-local --invert",
        "",
    ] {
        for (program, family) in [
            ("iptables-legacy-restore", Family::Ip),
            ("ip6tables-legacy-restore", Family::Ip6),
        ] {
            let text = format!(
                "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m rpfilter {options} -j DROP\nCOMMIT\n"
            );
            let backend = Backend::IptablesLegacy;
            rules.push((vec![program], Format::Iptables { family, backend }, text));
        }
    }
    rules
}

#[test]
fn the_way_back_that_a_rule_asks_for_is_the_kernels() {
    let mut chance = Chance::new("ways back");
    let mut tally = AnswerTally::default();
    for (load, format, text) in rules_about_ways() {
        let ports = ports();
        let mut referee = plain_host(&ports, false);
        referee.namespace().feed(&load, &text).unwrap();
        let legacy: &[String] = &["raw".to_owned()];
        referee
            .ready(match format {
                Format::Iptables {
                    family: Family::Ip, ..
                } => [legacy, &[]],
                Format::Iptables { .. } => [&[], legacy],
                _ => [&[], &[]],
            })
            .unwrap();
        let mut surroundings = surroundings(&ports, false);
        surroundings.sysctls = settings(&mut chance);
        for (name, value) in &mut surroundings.sysctls {
            if name.ends_with("rp_filter") {
                "0".clone_into(value);
            }
        }
        let forwards = &surroundings.sysctls["net.ipv4.ip_forward"];
        let first = std::iter::once(("net.ipv4.ip_forward", forwards));
        let all = surroundings.sysctls.iter();
        let others = all.map(|(name, value)| (name.as_str(), value));
        for (name, value) in first.chain(others.filter(|one| one.0 != "net.ipv4.ip_forward")) {
            referee.namespace().set(name, value).unwrap();
        }
        let input = Input {
            name: load.join(" "),
            text: text.clone(),
            format: Some(format),
        };
        let mut firewall = surefoot_ruleset::load(vec![input]).firewall;
        surefoot_netfilter::resolve_source_routes(&mut firewall, &surroundings);
        let index = RuleIndex::new(&firewall);
        tally.compare(
            &mut referee,
            (&firewall, &index),
            (&ports, &surroundings),
            &mut chance,
        );
    }
    tally.check();
}

#[test]
fn what_the_kernel_refuses_is_refused() {
    let mut chance = Chance::new("refusals");
    let firewall = Firewall::default();
    let index = RuleIndex::new(&firewall);
    let mut tally = AnswerTally::default();
    for policy in [false, true] {
        let ports = ports();
        let mut referee = plain_host(&ports, policy);
        referee.ready([&[], &[]]).unwrap();
        for _ in 0..SETTINGS / 2 {
            let mut surroundings = surroundings(&ports, policy);
            surroundings.sysctls = settings(&mut chance);
            let forwards = &surroundings.sysctls["net.ipv4.ip_forward"].clone();
            referee
                .namespace()
                .set("net.ipv4.ip_forward", forwards)
                .unwrap();
            for (name, value) in &surroundings.sysctls {
                if name != "net.ipv4.ip_forward" {
                    referee.namespace().set(name, value).unwrap();
                }
            }
            tally.compare(
                &mut referee,
                (&firewall, &index),
                (&ports, &surroundings),
                &mut chance,
            );
        }
    }
    tally.check();
    // Frames for other machines are not let in by a tap device that is not promiscuous.
    let all = [
        Refusal::FrameToAll,
        Refusal::LoopbackOutside,
        Refusal::ImpossibleAddress,
        Refusal::OwnSource,
        Refusal::ReversePath,
        Refusal::NotForwarding,
        Refusal::NoHopLeft,
        Refusal::LinkLocalSource,
        Refusal::NoRoute,
        Refusal::NotInGroup,
    ];
    for one in all {
        assert!(tally.met.contains(&one), "no packet was refused: {one}");
    }
}

fn reasons(answer: &Evaluation) -> Vec<Refusal> {
    let outcomes = answer.outcomes.iter();
    let reason = |by: Decider| match by {
        Decider::Refusal(why) => Some(why),
        _ => None,
    };
    outcomes.filter_map(|outcome| reason(outcome.by)).collect()
}
