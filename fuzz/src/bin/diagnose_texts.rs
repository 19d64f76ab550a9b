//! What `surefoot diagnose` reads of targets, environments and programs: no panic, and a URL is printed as it is read.
//!
//! Seeds: .env
//! Dictionary: diagnose_texts
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_diagnose::discover::{
    WrittenAddress, addresses_in_program, dsn_of_variables, dsn_of_word, variables_of_text,
};
use surefoot_diagnose::{AskedTarget, parse_target};

fuzz_target!(|text: &str| {
    if let Ok(AskedTarget::Url(url)) = parse_target(text) {
        assert_eq!(parse_target(&url.text()), Ok(AskedTarget::Url(url)));
    }
    let _ = WrittenAddress::read(text, Some(80));
    let _ = dsn_of_word(text);
    let _ = dsn_of_variables(&variables_of_text(text));
    let _ = addresses_in_program(text);
});
