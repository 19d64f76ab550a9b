//! `ipset save`: no panic, and print after parse is a fixpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_firewall::parse::ipset;

fuzz_target!(|text: &str| {
    let (file, mut problems) = ipset::parse(text);
    let once = ipset::print(&file);
    let (again, _) = ipset::parse(&once);
    assert_eq!(ipset::print(&again), once);
    ipset::lower(&file, 0, &mut problems);
});
