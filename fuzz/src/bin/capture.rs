//! Captures: no panic, and what was read is written and read again.
//!
//! Seeds: .surefoot
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_host::Host;

fuzz_target!(|bytes: &[u8]| {
    let Ok(host) = Host::from_capture(bytes) else {
        return;
    };
    let mut written = Vec::new();
    host.write_capture(&mut written).expect("a vector takes everything");
    let again = Host::from_capture(written.as_slice()).expect("our own capture can be read");
    assert_eq!(host, again);
});
