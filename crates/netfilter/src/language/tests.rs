//! Both readers know every word, and mean the same by it.

use super::vocabulary::{FLAGS, KEYS, LINKS, PROTOCOLS, SINGLE, STATES};
use super::{service_names, type_names};
use crate::Surroundings;
use crate::packet::words;
use crate::traffic::Traffic;

/// What may stand behind a key.
fn value_for(key: &str) -> &'static str {
    match key {
        "from" | "to" => "192.0.2.9",
        "proto" => "tcp",
        "in" | "out" => "eth7",
        "state" => "established",
        "flags" => "syn,ack",
        "type" => "echo-request",
        "code" => "4",
        "mac" => "02:00:5e:10:00:01",
        "pkttype" => "broadcast",
        "dscp" => "ef",
        _ => "22",
    }
}

/// What else has to be said for the word to make sense.
fn beside(key: &str) -> &'static str {
    match key {
        "sport" | "dport" | "port" => "tcp",
        "code" => "icmp type 3",
        _ => "",
    }
}

/// The packet is one of those that the same words mean.
#[track_caller]
fn check(text: &str) {
    let given: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let packet = words::parse(&given).unwrap_or_else(|error| panic!("{text}: {error}"));
    let packet = packet.settle(&Surroundings::default());
    let traffic = Traffic::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem:?}"));
    assert_ne!(traffic.of_any_state().fits(&packet), Some(false), "{text}");
    let said = packet.words();
    let own = Traffic::parse(&said).unwrap_or_else(|problem| panic!("{said}: {problem:?}"));
    assert_ne!(
        own.of_any_state().fits(&packet),
        Some(false),
        "{text}: {said}"
    );
}

#[test]
fn every_word_is_known_to_both_readers() {
    for (key, others) in KEYS {
        for word in std::iter::once(key).chain(*others) {
            check(&format!("{} {word} {}", beside(key), value_for(key)));
        }
    }
    for (single, others) in SINGLE {
        for word in std::iter::once(single).chain(*others) {
            check(word);
        }
    }
    let names = PROTOCOLS.iter().map(|(name, _)| *name);
    let names = names.chain(STATES.iter().map(|(name, _)| *name));
    let names = names.chain(FLAGS.iter().map(|(name, _)| *name));
    let names = names.chain(LINKS.iter().map(|(name, _)| *name));
    for word in names.chain(service_names()).chain(type_names()) {
        check(word);
    }
}

#[test]
fn the_value_decides_whether_a_packet_is_meant() {
    let fits = |sentence: &str, packet: &str| {
        let given: Vec<String> = packet.split(' ').map(str::to_owned).collect();
        let packet = words::parse(&given)
            .unwrap()
            .settle(&Surroundings::default());
        Traffic::parse(sentence)
            .unwrap()
            .of_any_state()
            .fits(&packet)
    };
    assert_eq!(
        fits("tcp --dport 22 -i eth0", "tcp to :22 in eth0"),
        Some(true)
    );
    assert_eq!(
        fits("tcp --dport 22 -i eth0", "tcp to :23 in eth0"),
        Some(false)
    );
    assert_eq!(fits("mark 1-5", "tcp mark 7"), Some(false));
    assert_eq!(fits("flags syn,ack", "tcp flags syn,ack"), Some(true));
    assert_eq!(fits("syn ack", "tcp syn"), Some(false));
    assert_eq!(
        fits("--tcp-flags SYN,ACK SYN", "tcp flags syn,psh"),
        Some(true)
    );
    assert_eq!(fits("dscp ef,10", "udp dscp 10"), Some(true));
    assert_eq!(
        fits("mac 02:00:5e:10:00:01", "tcp in eth0 mac 02:00:5e:10:00:02"),
        Some(false)
    );
    assert_eq!(fits("multicast", "udp broadcast"), Some(false));
    assert_eq!(
        fits("icmp type 3 code 1-3", "icmp type 3 code 4"),
        Some(false)
    );
}
