//! Our `-J` beside that of iperf3: every key that scripts may read there is here, with a value of the
//! same kind.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Bench, options};
use serde_json::Value;
use surefoot_throughput::client::{
    ClientOptions, RandomBytes, TestLength, TrafficPattern, run_client,
};
use surefoot_throughput::iperf3_json::Iperf3Document;
use surefoot_throughput::summary::TransportName;

struct Sequence(u8);

impl RandomBytes for Sequence {
    fn fill(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            self.0 = self.0.wrapping_mul(13).wrapping_add(7);
            *byte = self.0 >> 2;
        }
    }
}

/// The paths of a document, with the kinds of what is there; places in lists do not count.
fn paths(value: &Value, path: &str, found: &mut BTreeMap<String, &'static str>) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                paths(value, &format!("{path}.{key}"), found);
            }
        }
        Value::Array(values) => {
            for value in values {
                paths(value, &format!("{path}[]"), found);
            }
        }
        Value::Null => {
            found.insert(path.to_owned(), "null");
        }
        Value::Bool(_) => {
            found.insert(path.to_owned(), "a flag");
        }
        Value::Number(_) => {
            found.insert(path.to_owned(), "a number");
        }
        Value::String(_) => {
            found.insert(path.to_owned(), "text");
        }
    }
}

fn our_document(bench: &Bench, options: &ClientOptions) -> Value {
    let mut document = Iperf3Document::new(options, 1_795_798_296, "Linux");
    let mut outcome = None;
    bench
        .namespace
        .within(|| {
            let tell = &mut |event: &_| document.event(event);
            outcome = Some(run_client(options, &mut Sequence(1), tell));
            Ok(())
        })
        .expect("a thread in the namespace");
    let report = outcome.expect("an outcome").expect("a test");
    document.report(&report)
}

fn compare(words: &[&str], change: impl Fn(&mut ClientOptions)) {
    let bench = Bench::new(options());
    let mut command = vec!["iperf3", "-J", "-c", "127.0.0.1", "-t", "1", "-b", "20M"];
    command.extend(words);
    let theirs: Value = serde_json::from_str(&bench.client(&command)).expect("JSON");
    let mut options = ClientOptions {
        length: TestLength::Time(Duration::from_secs(1)),
        rate: Some(20_000_000),
        ..ClientOptions::new("127.0.0.1")
    };
    change(&mut options);
    let ours = our_document(&bench, &options);
    let (mut wanted, mut given) = (BTreeMap::new(), BTreeMap::new());
    paths(&theirs, "", &mut wanted);
    paths(&ours, "", &mut given);
    let missing: Vec<_> = wanted
        .iter()
        .filter(|(path, kind)| given.get(*path) != Some(*kind))
        .collect();
    assert!(missing.is_empty(), "{words:?}: {missing:?}");
    // What scripts read most; iperf3 sends whole blocks of 128 KB, of which 20 Mbit/s are 19.
    let rate = |document: &Value| document["end"]["sum_received"]["bits_per_second"].as_f64();
    let (one, other) = (rate(&theirs).expect("a rate"), rate(&ours).expect("a rate"));
    assert!(
        (one / other - 1.0).abs() < 0.2,
        "{words:?}: {one} and {other}"
    );
}

#[test]
fn tcp() {
    compare(&[], |_| {});
    compare(&["-P", "2"], |options| options.parallel = 2);
    compare(&["-R"], |options| options.pattern = TrafficPattern::Reverse);
    compare(&["--bidir"], |options| {
        options.pattern = TrafficPattern::FullDuplex;
    });
}

#[test]
fn udp() {
    let udp = |options: &mut ClientOptions| options.transport = TransportName::Udp;
    compare(&["-u"], udp);
    compare(&["-u", "-P", "2"], |options| {
        udp(options);
        options.parallel = 2;
    });
    compare(&["-u", "-R"], |options| {
        udp(options);
        options.pattern = TrafficPattern::Reverse;
    });
    compare(&["-u", "--bidir"], |options| {
        udp(options);
        options.pattern = TrafficPattern::FullDuplex;
    });
}

#[test]
fn an_error_is_in_the_document() {
    let document = Iperf3Document::new(&ClientOptions::new("192.0.2.1"), 0, "Linux");
    let failed = document.failure("the server is busy running a test");
    assert_eq!(failed["error"], "the server is busy running a test");
    assert_eq!(failed["start"]["connecting_to"]["port"], 5201);
    assert!(
        failed["end"]
            .as_object()
            .is_some_and(serde_json::Map::is_empty)
    );
}
