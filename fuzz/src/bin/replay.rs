//! Captures and lists of connections that are replayed: no panic, whatever they hold.
//!
//! Seeds: .pcap .pcapng
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::{DiffSide, Replay};
use surefoot_netfilter::packet::conntrack;
use surefoot_ruleset::Input;
use surefoot_netfilter::{Interface, Surroundings};

const RULES: &str = "table inet t { chain i { type filter hook input priority 0; policy drop;
ct state established accept
ip ttl < 5 drop
tcp flags syn tcp option maxseg exists meta length 40-60 accept
icmpv6 type 128 accept
} }";

fuzz_target!(|bytes: &[u8]| {
    let input = Input {
        name: "rules".into(),
        text: RULES.into(),
        format: None,
    };
    let rules = LoadedRules::of_texts(vec![input]);
    let host = Surroundings {
        interfaces: Some(vec![Interface {
            name: "eth0".into(),
            loopback: false,
            up: true,
            addresses: vec![(std::net::Ipv4Addr::new(192, 0, 2, 1).into(), 24)],
        }]),
        ..Surroundings::default()
    };
    let side = DiffSide {
        rules: &rules,
        whole: true,
    };
    let mut replay = Replay::new(side, side, &host, Some("eth0"));
    let _ = replay.replay_capture(bytes, |_| {});
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(list) = conntrack::parse(text)
    {
        for listed in &list {
            replay.judge_connection(listed);
        }
    }
    let replayed = replay.finish(3);
    assert!(replayed.changes.iter().all(|one| one.before == one.after));
});
