//! Sentences about packets: no panic, whatever stands in a policy.
//!
//! Seeds: .policy
//! Dictionary: sentences
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_netfilter::packet::{Packet, PacketPath};
use surefoot_netfilter::traffic::{Traffic, policy};

fuzz_target!(|text: &str| {
    let packet = Packet::new(PacketPath::Input);
    if let Ok(assertions) = policy(text) {
        for assertion in &assertions {
            let _ = assertion.traffic.fits(&packet);
        }
    }
    if let Ok(traffic) = Traffic::parse(text) {
        let _ = traffic.fits(&packet);
    }
});
