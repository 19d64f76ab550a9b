//! The command lines of iperf 2 and iperf3: no panic, and what is accepted is within bounds.
//!
//! Seeds: .iperf-arguments
#![no_main]

use libfuzzer_sys::fuzz_target;
use surefoot_throughput::imitation::{
    Iperf2Order, Iperf3Order, read_iperf2_arguments, read_iperf3_arguments,
};

fuzz_target!(|text: &str| {
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let client = match read_iperf3_arguments(&words) {
        Ok(Iperf3Order::Client(options, _)) => Some(options),
        _ => None,
    };
    let other = match read_iperf2_arguments(&words) {
        Ok(Iperf2Order::Client(options, _)) => Some(options),
        _ => None,
    };
    for options in client.into_iter().chain(other) {
        assert!((1..=128).contains(&options.parallel));
        assert!(
            options
                .block
                .is_none_or(|block| (1..=1 << 20).contains(&block))
        );
        assert!(options.port != Some(0));
    }
});
