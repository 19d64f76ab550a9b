//! iptables-save: no panic, and print after parse is a fixpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_firewall::parse::iptables;

fuzz_target!(|text: &str| {
    let (dump, _) = iptables::parse(text);
    let once = iptables::print(&dump);
    let (again, _) = iptables::parse(&once);
    assert_eq!(iptables::print(&again), once);
});
