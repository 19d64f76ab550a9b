//! Captures as a hostile machine could write them: every analysis and every renderer, no panic.
//!
//! Seeds: .surefoot
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_host::Host;
use surefoot_report::{Style, TextOptions};

fuzz_target!(|bytes: &[u8]| {
    let Ok(host) = Host::from_capture(bytes) else {
        return;
    };
    let report = surefoot_check::check(&host);
    let options = TextOptions { style: Style::Plain, width: 80, page: None };
    let text = surefoot_report::text(&report, &options);
    assert!(!text.contains('\u{1b}'), "nothing reaches the terminal raw");
    surefoot_report::json(&report);
    surefoot_report::sarif(&report, &surefoot_check::pages());
});
