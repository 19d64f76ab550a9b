//! What is called dead is never matched, whatever the packet: asked of the evaluator.

use std::fmt::Write;

use super::cover::{changed_fields, covered};
use crate::model::{Backend, Family, Field};
use crate::packet::{Interface, Packet, Path};
use crate::semantics::{Happened, Index, Record, evaluate};
use crate::{Format, Input, Surroundings, load};

/// Small domains, so that rules meet often.
const SOURCES: [&str; 8] = [
    "",
    "-s 10.0.0.0/8",
    "-s 10.1.0.0/16",
    "-s 10.1.2.3",
    "! -s 10.0.0.0/8",
    "-s 192.0.2.7",
    "! -s 10.1.2.3",
    "-s 0.0.0.0/1",
];
const DOORS: [&str; 5] = ["", "-i eth0", "! -i eth0", "-i eth+", "-i wan0"];
const PORTS: [&str; 8] = [
    "",
    "-p tcp",
    "-p udp",
    "! -p tcp",
    "-p tcp --dport 22",
    "-p tcp --dport 1:1023",
    "-p tcp -m multiport --dports 22,80",
    "-p tcp -m multiport ! --dports 22,80",
];
const ENDS: [&str; 6] = [
    "-j ACCEPT",
    "-j DROP",
    "-j RETURN",
    "-m limit --limit 1/s -j ACCEPT",
    "-j MARK --set-mark 1",
    "-m mark --mark 1 -j DROP",
];

fn packets() -> Vec<Packet> {
    let mut packets = Vec::new();
    for source in [
        "10.1.2.3",
        "10.1.9.9",
        "10.9.9.9",
        "192.0.2.7",
        "203.0.113.1",
    ] {
        for door in ["eth0", "eth1", "wan0", "lo"] {
            for (protocol, port) in [
                (6_u8, 22_u16),
                (6, 80),
                (6, 443),
                (6, 8080),
                (17, 22),
                (1, 0),
            ] {
                let mut packet = Packet::new(Path::Input)
                    .from(source.parse().unwrap())
                    .to("198.51.100.1".parse().unwrap())
                    .with(Field::L4Proto, protocol);
                if protocol != 1 {
                    packet = packet
                        .with(Field::SrcPort, 40_000_u16)
                        .with(Field::DstPort, port);
                }
                packet.input = Interface::named(door);
                packets.push(packet.settle(&Surroundings::default()));
            }
        }
    }
    packets
}

#[test]
fn a_dead_rule_is_matched_by_no_packet() {
    let mut state = 0x9e37_79b9_u64;
    let mut pick = |words: &[&'static str]| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        words[usize::try_from(state >> 33).unwrap() % words.len()]
    };
    let packets = packets();
    let mut dead = 0;
    for _ in 0..150 {
        let mut text = String::from("*filter\n:INPUT DROP [0:0]\n");
        for _ in 0..14 {
            let (source, door, port) = (pick(&SOURCES), pick(&DOORS), pick(&PORTS));
            let end = pick(&ENDS);
            writeln!(text, "-A INPUT {source} {door} {port} {end}").unwrap();
        }
        text.push_str("COMMIT\n");
        let loaded = load(vec![Input {
            name: "rules".into(),
            text: text.clone(),
            format: Some(Format::Iptables {
                family: Family::Ip,
                backend: Backend::IptablesNft,
            }),
        }]);
        assert_eq!(loaded.problems, [], "{text}");
        let index = Index::new(&loaded.firewall);
        let table = &loaded.firewall.tables[0];
        let at = table.chains.iter().position(|chain| chain.name == "INPUT");
        let chain = &table.chains[at.unwrap()];
        let pairs = covered(table, chain, &changed_fields(table));
        dead += pairs.len();
        for packet in &packets {
            let evaluation = evaluate(
                &loaded.firewall,
                &index,
                &Surroundings::default(),
                packet,
                Record::All,
            );
            for event in &evaluation.events {
                let hit = matches!(event.what, Happened::Matched | Happened::Perhaps(_));
                let called_dead = pairs.iter().find(|pair| Some(pair.dead) == event.rule);
                if let (true, Some(pair)) = (hit, called_dead) {
                    panic!(
                        "rule {} was called dead because of {}, and matches:\n{text}{packet:?}",
                        pair.dead + 1,
                        pair.by + 1
                    );
                }
            }
        }
    }
    assert!(dead > 100, "only {dead} dead rules: the test shows little");
}
