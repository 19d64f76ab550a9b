//! Debian's iperf and iperf3 as clients of our server, in every mode that both have.

mod common;

use common::{Bench, agree, options};
use serde_json::Value;
use surefoot_throughput::summary::{StreamDirection, TestOutcome, TestSummary};

/// Runs iperf3 against a server of ours and compares the counts of both.
fn iperf3(words: &[&str]) {
    let bench = Bench::new(options());
    let mut command = vec!["iperf3", "-J", "-c"];
    command.push(if words.contains(&"-6") {
        "::1"
    } else {
        "127.0.0.1"
    });
    let seconds = common::seconds();
    command.extend(
        words
            .iter()
            .map(|word| if *word == "1" { seconds.as_str() } else { word }),
    );
    let percent = common::percent();
    let text = bench.client(&command);
    let json: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(json["error"], Value::Null, "{words:?}: {}", json["error"]);
    let summary = bench.ended();
    assert_eq!(summary.outcome, TestOutcome::Complete, "{words:?}");
    let udp = words.contains(&"-u");
    for (direction, suffix) in directions(words) {
        let (sent, received) = totals(&summary, direction);
        if udp {
            // What is in flight when the client says that it is done is in neither count.
            agree(&format!("{words:?} {direction:?}"), sent, received, percent);
        } else {
            let number = |key: &str| json["end"][format!("{key}{suffix}")]["bytes"].as_u64();
            let client_sent = number("sum_sent").expect("bytes");
            let client_received = number("sum_received").expect("bytes");
            agree(
                &format!("{words:?} client"),
                client_sent,
                client_received,
                percent,
            );
            agree(&format!("{words:?} sent"), client_sent, sent, 0.01);
            agree(
                &format!("{words:?} received"),
                client_received,
                received,
                percent,
            );
        }
    }
}

fn directions(words: &[&str]) -> Vec<(StreamDirection, &'static str)> {
    if words.contains(&"--bidir") {
        return vec![
            (StreamDirection::ToServer, ""),
            (StreamDirection::ToClient, "_bidir_reverse"),
        ];
    }
    if words.contains(&"-R") {
        vec![(StreamDirection::ToClient, "")]
    } else {
        vec![(StreamDirection::ToServer, "")]
    }
}

fn totals(summary: &TestSummary, direction: StreamDirection) -> (u64, u64) {
    let streams = summary
        .streams
        .iter()
        .filter(|stream| stream.direction == direction);
    streams.fold((0, 0), |(sent, received), stream| {
        (
            sent + stream.sent.map_or(0, |figures| figures.bytes),
            received + stream.received.map_or(0, |figures| figures.bytes),
        )
    })
}

macro_rules! iperf3_cells {
    ($($name:ident: $words:expr;)*) => {
        $(#[test] fn $name() { iperf3(&$words); })*
    };
}

// A client that stops leaves unread what its kernel holds, up to 32 MiB here; so the cells in which
// it receives and is busy with more than that are paced.
iperf3_cells! {
    iperf3_tcp: ["-t", "1"];
    iperf3_tcp_v6: ["-6", "-t", "1"];
    iperf3_tcp_reverse: ["-t", "1", "-R"];
    iperf3_tcp_parallel: ["-t", "1", "-P", "4"];
    iperf3_tcp_bytes: ["-n", "10M"];
    iperf3_tcp_bytes_reverse: ["-n", "10M", "-R"];
    iperf3_tcp_blocks: ["-k", "100", "-l", "64K"];
    iperf3_tcp_omit: ["-t", "1", "-O", "1"];
    iperf3_tcp_options: ["-t", "1", "-N", "-M", "1400", "-w", "64K", "-S", "16"];
    iperf3_tcp_other_port: ["-t", "1", "-p", "5001"];
}

/// Beside one another, each in a namespace of its own.
#[test]
fn iperf3_paced() {
    let cells: &[&[&str]] = &[
        &["-t", "1", "-b", "200M", "--bidir"],
        &["-t", "1", "-b", "100M", "-P", "4", "-R"],
        &["-t", "1", "-b", "100M", "-P", "2", "--bidir"],
        &["-n", "1K"],
        &["-t", "1", "-b", "50M"],
        &["-t", "1", "-b", "50M", "-R"],
        &["-u", "-t", "1"],
        &["-6", "-u", "-t", "1", "-b", "20M"],
        &["-u", "-t", "1", "-b", "20M", "-R"],
        &["-u", "-t", "1", "-b", "20M", "--bidir"],
        &["-u", "-t", "1", "-b", "10M", "-P", "8"],
        &["-u", "-t", "1", "-b", "10M", "-P", "4", "-R"],
        &["-u", "-t", "1", "-b", "10M", "-l", "100"],
        &["-u", "-t", "1", "-b", "10M", "--udp-counters-64bit"],
        &["-u", "-n", "1M", "-b", "50M"],
    ];
    std::thread::scope(|scope| {
        for cell in cells {
            scope.spawn(move || iperf3(cell));
        }
    });
}

/// Runs iperf 2 against a server of ours; `tests` is how many the server sees.
fn iperf2(words: &[&str], tests: usize) {
    let bench = Bench::new(options());
    let mut command = vec!["iperf", "-c"];
    command.push(if words.contains(&"-V") {
        "::1"
    } else {
        "127.0.0.1"
    });
    command.extend(words);
    command.extend(["-y", "C"]);
    let text = bench.client(&command);
    let (mut to_server, mut to_client) = (0, 0);
    for _ in 0..tests {
        let summary = bench.ended();
        assert_eq!(summary.outcome, TestOutcome::Complete, "{words:?}: {text}");
        to_server += totals(&summary, StreamDirection::ToServer).1;
        to_client += totals(&summary, StreamDirection::ToClient).0;
    }
    // The rows of the client hold each direction as it counted it; the one named -1 is their sum.
    let mut counted = 0;
    for line in text.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        if let (Some(id), Some(bytes)) = (fields.get(5), fields.get(7))
            && *id != "-1"
        {
            counted += bytes.parse::<u64>().expect("bytes");
            // What a slow client loses in its own buffer was sent all the same.
            let lost = fields.get(9).and_then(|lost| lost.parse::<u64>().ok());
            counted += lost.unwrap_or(0) * 1470;
        }
    }
    // The client counts the datagram that ends a stream; that may be one of 90.
    let percent = if words.contains(&"-u") { 1.2 } else { 1.0 };
    agree(
        &format!("{words:?}: {text}"),
        counted,
        to_server + to_client,
        percent,
    );
}

macro_rules! iperf2_cells {
    ($($name:ident: $words:expr, $tests:expr;)*) => {
        $(#[test] fn $name() { iperf2(&$words, $tests); })*
    };
}

iperf2_cells! {
    iperf2_tcp: ["-t", "1"], 1;
    iperf2_tcp_v6: ["-V", "-t", "1"], 1;
    iperf2_tcp_bytes: ["-n", "10M"], 1;
    iperf2_tcp_no_header: ["-t", "1", "-C"], 1;
    iperf2_tcp_peer_detect: ["-t", "1", "-X"], 1;
    iperf2_tcp_trip_times: ["-t", "1", "--trip-times"], 1;
    iperf2_tcp_dual: ["-t", "1", "-d", "-L", "6001"], 1;
    iperf2_tcp_tradeoff: ["-t", "1", "-r", "-L", "6001"], 1;
    iperf2_tcp_reverse: ["-t", "1", "-R"], 1;
    iperf2_tcp_full_duplex: ["-t", "1", "--full-duplex"], 1;
    iperf2_tcp_parallel: ["-t", "1", "-P", "4"], 4;
    iperf2_tcp_parallel_dual: ["-t", "1", "-P", "2", "-d", "-L", "6001"], 2;
    iperf2_tcp_other_port: ["-t", "1", "-p", "5201"], 1;
}

/// Beside one another, each in a namespace of its own.
#[test]
fn iperf2_paced() {
    let cells: &[(&[&str], usize)] = &[
        (&["-n", "1K"], 1),
        (&["-t", "1", "-b", "20M"], 1),
        (&["-u", "-t", "1"], 1),
        (&["-V", "-u", "-t", "1", "-b", "20M"], 1),
        (&["-u", "-t", "1", "-b", "100M"], 1),
        (&["-u", "-t", "1", "-b", "1M", "-l", "18"], 1),
        (&["-u", "-t", "1", "-b", "10M", "-P", "4"], 4),
        (&["-u", "-t", "1", "-b", "10M", "-d", "-L", "6001"], 1),
        (&["-u", "-t", "1", "-b", "10M", "-r", "-L", "6001"], 1),
        (&["-u", "-t", "1", "-b", "10M", "-R"], 1),
    ];
    std::thread::scope(|scope| {
        for cell in cells {
            let (words, tests) = *cell;
            scope.spawn(move || iperf2(words, tests));
        }
    });
}
