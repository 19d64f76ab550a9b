//! `ipset save`: no panic, and what is read without error prints as a fixpoint.
//!
//! Seeds: .ipset.in .ipset
//! Dictionary: ipset
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_ruleset::parse::ipset;
use surefoot_report::Level;

fuzz_target!(|text: &str| {
    let (file, mut problems) = ipset::parse(text);
    let once = ipset::print(&file);
    if problems.iter().all(|problem| problem.level != Level::Error) {
        let (again, _) = ipset::parse(&once);
        assert_eq!(ipset::print(&again), once);
    }
    ipset::lower(&file, 0, &mut problems);
});
