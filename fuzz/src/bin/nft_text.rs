//! nft's text: no panic, and what is read without error prints as a fixpoint.
//!
//! Seeds: .nft.in .nft
//! Dictionary: nft
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_ruleset::parse::nft;
use surefoot_report::Level;

fuzz_target!(|text: &str| {
    let (ruleset, mut problems) = nft::parse_text(text);
    nft::lower(&ruleset, 0, &mut problems);
    let once = nft::print(&ruleset);
    if problems.iter().all(|problem| problem.level != Level::Error) {
        let (again, _) = nft::parse_text(&once);
        assert_eq!(nft::print(&again), once);
    }
});
