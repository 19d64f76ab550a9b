//! iptables-save: no panic, and what is read without error prints as a fixpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_firewall::parse::iptables;
use surefoot_report::Level;

fuzz_target!(|text: &str| {
    let (file, problems) = iptables::parse(text);
    let once = iptables::print(&file);
    if problems.iter().all(|problem| problem.level != Level::Error) {
        let (again, _) = iptables::parse(&once);
        assert_eq!(iptables::print(&again), once);
    }
});
