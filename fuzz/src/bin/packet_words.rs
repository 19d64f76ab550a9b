//! A packet in words: no panic, whatever is typed.
//!
//! Seeds: .packet
//! Dictionary: packet_words
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::packet::words;

fuzz_target!(|text: &str| {
    let given: Vec<String> = text.split(' ').map(str::to_owned).collect();
    if let Ok(packet) = words::parse(&given) {
        let _ = packet.settle(&Surroundings::default());
    }
});
