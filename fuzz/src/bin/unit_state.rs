//! What `systemctl show` prints of a unit: no panic, and the last word on a key counts.
//!
//! Seeds: .unit
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_processes::UnitState;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let unit = UnitState::parse(&text);
    let again = format!(
        "{text}\nId={}\nMainPID={}\nRestart={}\nTriggeredBy={}\nActiveState={}\nLoadState={}\n",
        unit.id,
        unit.main,
        unit.restart,
        unit.triggered_by.join(" "),
        unit.active,
        unit.load
    );
    assert_eq!(UnitState::parse(&again), unit);
    let _ = unit.comes_back();
});
