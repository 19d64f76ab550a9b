//! Captures: every field is documented, and damage is told, never misread.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use surefoot_host::{FactKind, Host, Missing};

fn docs(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                // The names of kernel settings are data.
                if !name.contains('.') {
                    into.insert(name.clone());
                }
                names(field, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, into)),
        _ => {}
    }
}

/// Where there is nothing, not even a first one of a list.
fn hollow(value: &Value, path: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                hollow(field, &format!("{path}.{name}"), into);
            }
        }
        Value::Array(items) => match items.first() {
            Some(first) => hollow(first, &format!("{path}[]"), into),
            None => into.push(path.to_owned()),
        },
        _ => {}
    }
}

#[test]
fn every_field_is_documented() {
    let mut host =
        Host::from_capture(docs("examples/web1.surefoot").as_slice()).expect("a capture");
    // What knows everything has nothing in this list.
    host.missing.push(Missing {
        fact: String::new(),
        why: String::new(),
        leaves_open: String::new(),
        kind: FactKind::Other,
    });
    let mut fields = BTreeSet::new();
    names(
        &serde_json::to_value(&host).expect("facts are JSON"),
        &mut fields,
    );
    assert!(fields.len() > 60, "{fields:?}");
    // A list that is empty in the example would hide the fields of what it holds.
    let value = serde_json::to_value(&host).expect("facts are JSON");
    let mut empty = Vec::new();
    hollow(&value, "host", &mut empty);
    let plain = ["host.processes[].namespace_pids", "host.rule_makers"];
    assert_eq!(empty, plain, "they hold numbers and texts");
    let text = String::from_utf8(docs("capture.md")).expect("text");
    let absent: Vec<&String> = fields
        .iter()
        .filter(|name| !text.contains(&format!("`{name}`")))
        .collect();
    assert!(absent.is_empty(), "not in docs/capture.md: {absent:?}");
}

#[test]
fn a_damaged_capture_is_refused_or_reads_as_something_whole() {
    let plain = docs("examples/web1.surefoot");
    let mut packed = Vec::new();
    let host = Host::from_capture(plain.as_slice()).expect("a capture");
    host.write_capture(&mut packed).expect("memory takes all");
    // A small generator of our own keeps the run the same every time.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below.max(1)
    };
    let mut refused = 0;
    for _ in 0..2000 {
        let mut bytes = packed.clone();
        let at = next(bytes.len());
        match next(3) {
            0 => bytes.truncate(at),
            1 => bytes[at] ^= 1 << next(8),
            _ => drop(bytes.remove(at)),
        }
        match Host::from_capture(bytes.as_slice()) {
            Ok(read) => assert_eq!(read, host, "a flipped bit that gzip did not notice"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 1900, "{refused}");
}

#[test]
fn a_bomb_is_refused_before_it_fills_the_memory() {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..1025 {
        packed.write_all(&zeros).expect("memory takes all");
    }
    let packed = packed.finish().expect("memory takes all");
    let error = Host::from_capture(packed.as_slice()).expect_err("too large");
    assert!(error.to_string().contains("1 GiB"), "{error}");
}

#[test]
fn nesting_without_end_is_refused() {
    let deep = format!("{{\"surefoot_capture\":1,\"host\":{}", "[".repeat(100_000));
    assert!(Host::from_capture(deep.as_bytes()).is_err());
}

#[test]
fn values_without_end_are_refused_before_they_fill_the_memory() {
    let many = format!(
        "{{\"surefoot_capture\":1,\"host\":[{}0]}}",
        "0,".repeat(30_000_000)
    );
    let error = Host::from_capture(many.as_bytes()).expect_err("too many");
    assert!(error.to_string().contains("30 million"), "{error}");
}

#[test]
fn odd_facts_are_refused_or_read_and_written_again() {
    let plain = docs("examples/web1.surefoot");
    let words: &[&[u8]] = &[
        b"-1",
        b"255",
        b"4294967296",
        b"1e99",
        b"null",
        b"{}",
        b"[]",
        b"\"\"",
        b"\"\\ud800\"",
        b"true",
        b"\xff",
        b",",
    ];
    let numbers: Vec<usize> = (0..plain.len())
        .filter(|at| plain[*at].is_ascii_digit() && !plain[at - 1].is_ascii_digit())
        .collect();
    let (mut read, mut refused) = (0, 0);
    for (turn, at) in numbers.iter().enumerate().step_by(3) {
        let word = words[turn / 3 % words.len()];
        let digits = plain[*at..].iter().take_while(|it| it.is_ascii_digit());
        let end = at + digits.count();
        let odd = [&plain[..*at], word, &plain[end..]].concat();
        if let Ok(host) = Host::from_capture(odd.as_slice()) {
            let mut again = Vec::new();
            host.write_capture(&mut again).expect("memory takes all");
            assert_eq!(
                Host::from_capture(again.as_slice()).expect("it was written"),
                host
            );
            read += 1;
        } else {
            refused += 1;
        }
    }
    assert!(read > 20 && refused > 20, "{read} read, {refused} refused");
}
