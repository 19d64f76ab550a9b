//! Measures how many packets a second of a capture file are replayed against two rule sets.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example measures and prints"
)]

#[path = "../../ruleset/examples/rules/mod.rs"]
mod rules;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, Instant};

use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::{DiffSide, Replay};
use surefoot_netfilter::{Interface, Surroundings};
use surefoot_ruleset::Input;

const PACKETS: u32 = 2_000_000;
const RUNS: u32 = 3;

fn main() {
    measure(1000, 100);
    measure(1000, 10);
    measure(1000, 1);
    measure(rules::RULES, 100);
}

fn measure(rules: u32, length: u32) {
    let text = rules::text(rules);
    let read = |text: String| {
        let input = Input {
            name: "rules".into(),
            text,
            format: None,
        };
        LoadedRules::of_texts(vec![input])
    };
    // The new rules refuse what the old ones let through for one network.
    let new = text.replace(
        "-A INPUT -i lo",
        "-A INPUT -s 10.0.0.0/9 -j DROP\n-A INPUT -i lo",
    );
    let (old, new) = (read(text), read(new));
    let surroundings = Surroundings {
        interfaces: Some(vec![Interface {
            name: "eth0".into(),
            loopback: false,
            up: true,
            addresses: vec![("192.0.2.1".parse().unwrap(), 24)],
        }]),
        routes: Some(Vec::new()),
        ..Surroundings::default()
    };
    let path = std::env::temp_dir().join(format!("surefoot-{}.pcap", std::process::id()));
    write(&mut BufWriter::new(File::create(&path).unwrap()), length);
    let mut best = Duration::MAX;
    let mut connections = 0;
    for _ in 0..RUNS {
        let begin = Instant::now();
        let [old, new] = [&old, &new].map(|rules| DiffSide {
            rules,
            whole: false,
        });
        let mut replay = Replay::new(old, new, &surroundings, Some("eth0"));
        replay
            .replay_capture(File::open(&path).unwrap(), |_| {})
            .unwrap();
        let replayed = replay.finish(10);
        assert_eq!(replayed.all.packets, u64::from(PACKETS));
        connections = replayed.connections;
        best = best.min(begin.elapsed());
    }
    std::fs::remove_file(&path).unwrap();
    println!(
        "replay of {PACKETS} packets, {connections:>7} connections, {rules:>6} rules: {:>6.2} million packets a second (goal: 1)",
        f64::from(PACKETS) / best.as_secs_f64() / 1e6,
    );
}

/// Connections from everywhere, a thousand at a time, both ways by turns.
fn write(file: &mut impl Write, length: u32) {
    let header = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1_u32];
    for word in header {
        file.write_all(&word.to_le_bytes()).unwrap();
    }
    let at_once = 1000_u32;
    for number in 0..PACKETS {
        let (round, one) = (number / at_once, number % at_once);
        let connection = round / length * at_once + one;
        let nth = round % length;
        let client = connection.wrapping_mul(2_654_435_761).to_be_bytes();
        let client_port = u16::try_from(connection % 50_000 + 10_000).unwrap();
        let service = [22, 80, 443, 8080][connection as usize % 4];
        let host = [192, 0, 2, 1];
        let (from, to, source, destination) = if nth.is_multiple_of(2) {
            (client, host, client_port, service)
        } else {
            (host, client, service, client_port)
        };
        let flags = match nth {
            0 => 2,
            1 => 18,
            _ => 16,
        };
        let mut frame = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0];
        frame.extend([0x45, 0, 0, 200, 0, 1, 0, 0, 64, 6, 0, 0]);
        frame.extend(from);
        frame.extend(to);
        frame.extend(u16::to_be_bytes(source));
        frame.extend(u16::to_be_bytes(destination));
        frame.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 1, 0, 0, 0, 0, 0]);
        frame.resize(14 + 200, 0);
        let size = u32::try_from(frame.len()).unwrap();
        for word in [0, 0, size, size] {
            file.write_all(&word.to_le_bytes()).unwrap();
        }
        file.write_all(&frame).unwrap();
    }
    file.flush().unwrap();
}
