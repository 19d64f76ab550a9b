//! nft's JSON: no panic, and the text that is made of it can be read.
//!
//! Seeds: .json
//! Dictionary: nft
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_ruleset::parse::nft;

fuzz_target!(|json: &str| {
    if let Ok(text) = nft::json_to_text(json) {
        let (ruleset, mut problems) = nft::parse_text(&text);
        nft::lower(&ruleset, 0, &mut problems);
    }
});
