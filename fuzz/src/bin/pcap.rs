//! Captured packets: no panic, whatever the file holds.
//!
//! Seeds: .pcap .pcapng
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_netfilter::packet::pcap;

fuzz_target!(|bytes: &[u8]| {
    for number in [1, 2, 1000] {
        let _ = pcap::read(bytes, number);
    }
});
