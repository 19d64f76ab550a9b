//! Rules of any format, as a user gives them: loaded, linted and asked about a packet, no panic.
//!
//! Seeds: .in .v4 .nft .rules
//! Dictionary: iptables
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_firewall::LoadedRules;
use surefoot_ruleset::Input;
use surefoot_netfilter::packet::words;
use surefoot_netfilter::semantics::RecordLevel;

const PACKETS: &[&str] =
    &["tcp from 192.0.2.1 to 192.0.2.9:22 in eth0 new", "icmpv6 echo-request", "udp out eth1"];

fuzz_target!(|text: &str| {
    let input = Input { name: "rules".to_owned(), text: text.to_owned(), format: None };
    let rules = LoadedRules::of_texts(vec![input]);
    if !rules.are_complete() {
        return;
    }
    surefoot_check::check_rules(&rules);
    for packet in PACKETS {
        let given: Vec<String> = packet.split(' ').map(str::to_owned).collect();
        let packet = words::parse(&given).expect("these words are right");
        let packet = packet.settle(&rules.surroundings);
        let evaluation = rules.evaluate(&packet, RecordLevel::All);
        assert!(!evaluation.outcomes.is_empty(), "every packet comes to some end");
    }
});
