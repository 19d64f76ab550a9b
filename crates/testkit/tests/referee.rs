//! The referee sees what the kernel does.

#![expect(clippy::unwrap_used, reason = "a test may die")]

use std::net::IpAddr;

use surefoot_testkit::{Frame, Observation, Port, Referee, Toward, Transport, What, Wire, or_fail};

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];

fn referee() -> Referee {
    let port = |name: &str, last: u8, address: &str| Port {
        name: name.to_owned(),
        mac: [2, 0, 0, 0, 0, last],
        addresses: vec![(address.parse().unwrap(), 24)],
    };
    or_fail(Referee::new(vec![
        port("eth0", 1, "192.0.2.1"),
        port("eth1", 2, "198.51.100.1"),
    ]))
}

fn packet(port: u16) -> Wire {
    Wire {
        source: IpAddr::from([203, 0, 113, 9]),
        destination: IpAddr::from([203, 0, 113, 99]),
        protocol: 17,
        transport: Transport::Ports {
            source: 1000,
            destination: port,
        },
        ttl: 64,
        tos: 0,
        id: 1,
        fragment: 0,
        payload: 10,
        broken: false,
        options: false,
    }
}

fn frame(port: u16) -> Frame {
    Frame {
        to: OWN,
        from: [2, 0, 0, 0, 0, 0x99],
        packet: packet(port),
    }
}

fn steps(seen: &Observation) -> Vec<(String, Option<usize>, What)> {
    seen.steps
        .iter()
        .map(|step| (step.chain.clone(), step.rule, step.what))
        .collect()
}

const RULES: &str = "*filter\n:INPUT DROP\n:FORWARD DROP\n:OUTPUT ACCEPT\n:user -\n\
    -A INPUT -p udp -j user\n-A INPUT -p udp --dport 54 -j ACCEPT\n\
    -A FORWARD -p udp -j user\n\
    -A OUTPUT -p udp --dport 55 -j DROP\n\
    -A user -p udp --dport 53 -j ACCEPT\nCOMMIT\n";

#[test]
fn nft_tells_every_rule_in_order() {
    let mut referee = referee();
    let namespace = referee.namespace();
    namespace.feed(&["iptables-nft-restore"], RULES).unwrap();
    referee.ready([&[], &[]]).unwrap();

    referee.route(Toward::Here).unwrap();
    let seen = referee.receive("eth0", &frame(53)).unwrap();
    assert!(seen.passed);
    let accepted = vec![
        ("INPUT".to_owned(), Some(0), What::On),
        ("user".to_owned(), Some(0), What::Accept),
    ];
    assert_eq!(steps(&seen), accepted);
    let seen = referee.receive("eth0", &frame(52)).unwrap();
    assert!(!seen.passed);
    assert_eq!(
        steps(&seen).last().unwrap(),
        &("INPUT".to_owned(), None, What::Drop)
    );

    referee.route(Toward::Interface("eth1")).unwrap();
    let seen = referee.receive("eth0", &frame(53)).unwrap();
    assert!(seen.passed);
    assert_eq!(steps(&seen)[0].0, "FORWARD");

    let seen = referee.send("eth1", &packet(54)).unwrap();
    assert!(seen.passed);
    assert_eq!(steps(&seen), [("OUTPUT".to_owned(), None, What::Accept)]);
    let seen = referee.send("eth1", &packet(55)).unwrap();
    assert!(!seen.passed);
}

#[test]
fn legacy_tells_what_it_counts() {
    let mut referee = referee();
    let namespace = referee.namespace();
    namespace.feed(&["iptables-legacy-restore"], RULES).unwrap();
    referee.ready([&["filter".to_owned()], &[]]).unwrap();
    referee.route(Toward::Here).unwrap();
    for round in 0..100 {
        let seen = referee.receive("eth0", &frame(52 + round % 3)).unwrap();
        assert_eq!(seen.passed, round % 3 != 0);
        let mut expected = vec![("INPUT".to_owned(), Some(0), What::Counted)];
        expected.push(match round % 3 {
            0 => ("INPUT".to_owned(), None, What::Counted),
            1 => ("user".to_owned(), Some(0), What::Counted),
            _ => ("INPUT".to_owned(), Some(1), What::Counted),
        });
        assert_eq!(steps(&seen), expected);
    }
}
