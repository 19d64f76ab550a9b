//! A capture that is replayed against the evaluator, which is asked about one packet after another.

#![expect(clippy::unwrap_used, reason = "a test may die")]

use std::collections::BTreeMap;

use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::{DiffSide, FateGroup, Replay, Replayed};
use surefoot_netfilter::packet::{conntrack, pcap};
use surefoot_netfilter::semantics::{End, RecordLevel};
use surefoot_netfilter::{Interface, Surroundings};
use surefoot_ruleset::Input;

const OLD: &str = "\
*filter
:INPUT DROP [0:0]
:FORWARD ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:guests - [0:0]
-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A INPUT -s 203.0.113.0/25 -p tcp -j guests
-A INPUT -p udp --dport 53 -m limit --limit 5/sec -j ACCEPT
-A INPUT -p icmp --icmp-type 8 -j ACCEPT
-A guests -p tcp -m multiport --dports 22,80,443 -j ACCEPT
-A guests -m length --length 60:70 -j REJECT
-A FORWARD -d 198.51.100.0/26 -j DROP
COMMIT
";
const NEW: &str = "\
table ip filter {
	chain input {
		type filter hook input priority 0; policy drop;
		ct state established,related accept
		tcp flags & (fin | syn) == fin | syn ip saddr 203.0.113.0-203.0.113.9 drop
		ip saddr 203.0.113.0/26 tcp dport { 22, 80, 8080 } accept
		ip ttl < 40 drop
		udp dport 53 accept
		icmp type echo-request ip length > 80 drop
		icmp type echo-request accept
	}
	chain forward {
		type filter hook forward priority 0; policy accept;
		tcp dport 443 reject
	}
	chain output {
		type filter hook output priority 0; policy accept;
		meta mark set 7
		udp sport 53 ct state new drop
		tcp sport 80 ip daddr 203.0.113.20-203.0.113.40 drop
	}
}
";

fn read(text: &str) -> LoadedRules {
    let loaded = LoadedRules::of_texts(vec![Input {
        name: "rules".into(),
        text: text.into(),
        format: None,
    }]);
    assert_eq!(loaded.problems, []);
    loaded.on_host(host())
}

fn host() -> Surroundings {
    Surroundings {
        interfaces: Some(vec![Interface {
            name: "eth0".into(),
            loopback: false,
            up: true,
            addresses: vec![("192.0.2.1".parse().unwrap(), 24)],
        }]),
        routes: Some(Vec::new()),
        ..Surroundings::default()
    }
}

fn replay(work: impl FnOnce(&mut Replay)) -> Replayed {
    let (old, new) = (read(OLD), read(NEW));
    let host = host();
    let [old, new] = [&old, &new].map(|rules| DiffSide {
        rules,
        whole: false,
    });
    let mut replay = Replay::new(old, new, &host, None);
    work(&mut replay);
    replay.finish(1000)
}

#[test]
fn every_packet_meets_the_fates_that_the_evaluator_finds() {
    for seed in 1..8 {
        let capture = capture(seed);
        let replayed = replay(|replay| replay.replay_capture(capture.as_slice(), |_| {}).unwrap());
        let (old, new) = (read(OLD), read(NEW));
        let host = host();
        let mut groups: BTreeMap<FateGroup, u64> = BTreeMap::new();
        for number in 1..=PACKETS {
            let (packet, _) = pcap::read(&capture, number).unwrap();
            let packet = packet.settle(&host);
            let [before, after] =
                [&old, &new].map(|rules| rules.evaluate(&packet, RecordLevel::Nothing).certain());
            let group = match (before, after) {
                (Some(End::Accepted), Some(End::Accepted)) => FateGroup::StillAccepted,
                (Some(End::Accepted), Some(_)) => FateGroup::NewlyBlocked,
                (Some(_), Some(End::Accepted)) => FateGroup::NewlyAccepted,
                (Some(_), Some(_)) => FateGroup::StillBlocked,
                _ => FateGroup::Perhaps,
            };
            *groups.entry(group).or_default() += 1;
        }
        for counted in &replayed.groups {
            let expected = groups.remove(&counted.group).unwrap_or_default();
            assert_eq!(
                counted.totals.packets, expected,
                "{seed}: {:?}",
                counted.group
            );
            assert!(expected > 0, "{seed}: no packet is {:?}", counted.group);
        }
        let connections: u64 = replayed.groups.iter().map(|it| it.connections).sum();
        assert_eq!(connections, replayed.connections);
        assert!(replayed.whole && !replayed.elsewhere);
    }
}

#[test]
fn a_connection_that_was_idle_begins_anew() {
    let packet = |from: [u8; 4], to: [u8; 4], ports: [u8; 4]| {
        let mut packet = vec![0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0];
        packet.extend(from);
        packet.extend(to);
        packet.extend(ports);
        packet.extend([0, 8, 0, 0]);
        packet
    };
    let (client, host) = ([203, 0, 113, 9], [192, 0, 2, 1]);
    let asks = packet(client, host, [0x20, 0, 0, 53]);
    let answers = packet(host, client, [0, 53, 0x20, 0]);
    // A short exchange is kept for 30 seconds, a stream for 120.
    for (times, blocked) in [
        ([0, 0, 25], 0),
        ([0, 0, 31], 1),
        ([0, 5, 100], 0),
        ([0, 5, 126], 1),
    ] {
        let mut file = head();
        for (time, packet) in times.into_iter().zip([&asks, &answers, &answers]) {
            add(&mut file, time, packet);
        }
        let replayed = replay(|replay| replay.replay_capture(file.as_slice(), |_| {}).unwrap());
        let group = &replayed.groups[0];
        assert_eq!(group.group, FateGroup::NewlyBlocked);
        assert_eq!(group.totals.packets, blocked, "{times:?}");
    }
}

#[test]
fn a_capture_counts_as_far_as_it_can_be_read() {
    let capture = capture(1);
    let cut = &capture[..capture.len() - 5];
    let replayed = replay(|replay| replay.replay_capture(cut, |_| {}).unwrap());
    assert_eq!(replayed.all.packets, PACKETS as u64 - 1);
    assert!(!replayed.whole);
    let none = replay(|replay| assert!(replay.replay_capture(&b"no capture"[..], |_| {}).is_err()));
    assert_eq!(none.all.packets, 0);
}

#[test]
fn a_listed_connection_is_judged_by_its_first_packet_and_by_later_ones() {
    let list = conntrack::parse(
        "tcp 6 9 ESTABLISHED src=203.0.113.9 dst=192.0.2.1 sport=4000 dport=443 src=192.0.2.1 dst=203.0.113.9 sport=443 dport=4000 [ASSURED] use=1\n\
         tcp 6 9 ESTABLISHED src=203.0.113.30 dst=192.0.2.1 sport=4000 dport=80 src=192.0.2.1 dst=203.0.113.30 sport=80 dport=4000 [ASSURED] use=1\n\
         tcp 6 9 ESTABLISHED src=203.0.113.9 dst=192.0.2.1 sport=4000 dport=22 src=192.0.2.1 dst=203.0.113.9 sport=22 dport=4000 [ASSURED] use=1\n",
    )
    .unwrap();
    let replayed = replay(|replay| {
        for listed in &list {
            replay.judge_connection(listed);
        }
    });
    let changes: Vec<(&str, bool, bool)> = replayed
        .changes
        .iter()
        .map(|one| (one.to.as_str(), one.first_packets, one.later_packets))
        .collect();
    assert_eq!(
        changes,
        [
            ("192.0.2.1:443", true, false),
            ("192.0.2.1:80", false, true)
        ]
    );
    assert_eq!(replayed.connections, 3);
}

const PACKETS: usize = 400;

/// A classic capture of raw IPv4 packets, by chance.
fn capture(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = move |limit: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % limit
    };
    let byte = |number: u64| u8::try_from(number).unwrap();
    let mut file = head();
    let host = [192, 0, 2, 1];
    for _ in 0..PACKETS {
        let client = [203, 0, 113, byte(below(48))];
        let port = u16::try_from(4000 + below(4)).unwrap();
        let service = [22_u16, 80, 443, 8080, 53][usize::try_from(below(5)).unwrap()];
        let passing = [198, 51, 100, byte(below(128))];
        let ((from, source), (to, destination)) = match below(10) {
            0..=4 => ((client, port), (host, service)),
            5..=7 => ((host, service), (client, port)),
            _ => ((client, port), (passing, service)),
        };
        let (protocol, mut transport): (u8, Vec<u8>) = match below(8) {
            0..=4 => {
                let flags = [2, 2, 2, 3][usize::try_from(below(4)).unwrap()];
                (
                    6,
                    vec![0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0],
                )
            }
            5 | 6 => (17, vec![0, 8, 0, 0]),
            _ => (1, vec![0, 0, 0, byte(below(3))]),
        };
        let ports = if protocol == 1 {
            // A question from afar, or an answer to it.
            vec![if from == host { 0 } else { 8 }, 0, 0, 0]
        } else {
            [source.to_be_bytes(), destination.to_be_bytes()].concat()
        };
        transport.splice(0..0, ports);
        transport.resize(transport.len() + usize::try_from(below(60)).unwrap(), 0);
        let length = u16::try_from(20 + transport.len()).unwrap();
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([
            0,
            1,
            0,
            0,
            [64, 30][usize::from(below(9) == 0)],
            protocol,
            0,
            0,
        ]);
        packet.extend(from);
        packet.extend(to);
        packet.extend(transport);
        add(&mut file, 0, &packet);
    }
    file
}

fn head() -> Vec<u8> {
    let words = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 101];
    words.into_iter().flat_map(u32::to_le_bytes).collect()
}

fn add(file: &mut Vec<u8>, time: u32, packet: &[u8]) {
    let length = u32::try_from(packet.len()).unwrap();
    let words = [time, 0, length, length];
    file.extend(words.into_iter().flat_map(u32::to_le_bytes));
    file.extend(packet);
}
