//! Documents, stamps and states of iperf3: no panic; what is read is written back the same.
//!
//! Seeds: .iperf3
//! Dictionary: iperf3
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_throughput::wire::iperf3::{ControlState, CounterWidth, DatagramStamp, ServerFault, TestParameters, TestResults};

fuzz_target!(|bytes: &[u8]| {
    let _ = bytes.first().map(|byte| ControlState::from_byte(*byte));
    let _ = ServerFault::from_wire(bytes).map(ServerFault::meaning);
    if let Ok(parameters) = TestParameters::from_json(bytes) {
        let again = TestParameters::from_json(parameters.to_json().as_bytes());
        assert_eq!(again, Ok(parameters));
    }
    if let Ok(results) = TestResults::from_json(bytes) {
        let again = TestResults::from_json(results.to_json().as_bytes()).expect("what we write");
        assert_eq!(again.streams.len(), results.streams.len());
        assert_eq!(again.congestion, results.congestion);
    }
    for width in [CounterWidth::Narrow, CounterWidth::Wide] {
        if let Some(stamp) = DatagramStamp::from_wire(bytes, width) {
            let mut written = [0; 16];
            stamp.write(&mut written, width);
            assert_eq!(DatagramStamp::from_wire(&written, width), Some(stamp));
        }
    }
});
