//! nft's text: no panic, and print after parse is a fixpoint.
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_firewall::parse::nft;

fuzz_target!(|text: &str| {
    let (ruleset, mut problems) = nft::parse_text(text);
    nft::lower(&ruleset, 0, &mut problems);
    let once = nft::print(&ruleset);
    let (again, _) = nft::parse_text(&once);
    assert_eq!(nft::print(&again), once);
});
