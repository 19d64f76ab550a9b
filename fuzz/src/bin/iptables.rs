//! iptables-save: no panic, and what is read without error prints as a fixpoint.
//!
//! Seeds: .in .v4 .v6
//! Dictionary: iptables
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_ruleset::parse::iptables;
use surefoot_report::{Level, Problem};

fuzz_target!(|text: &str| {
    let (file, problems) = iptables::parse(text);
    let once = iptables::print(&file);
    // Which options a strange match has cannot be told, so its words may move between matches.
    let strange = |problem: &Problem| problem.what.ends_with("is unknown");
    if problems.iter().all(|problem| problem.level != Level::Error && !strange(problem)) {
        let (again, _) = iptables::parse(&once);
        assert_eq!(iptables::print(&again), once);
    }
});
