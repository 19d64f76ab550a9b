//! What `systemctl show` prints of a unit: no panic, and the last word on a key counts.
//!
//! Seeds: .unit
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_processes::UnitState;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let unit = UnitState::parse(&text);
    let later = UnitState::parse(&format!("{text}\nMainPID=7\n"));
    assert_eq!(later.main, 7, "the last word on a key counts");
    let _ = unit.comes_back();
});
