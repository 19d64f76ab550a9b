//! Clients that are silent, vanish, lie or come by the thousand: the server notices within five
//! seconds and serves the others meanwhile.

mod common;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use common::{Bench, localhost, options, wait_at_most};
use surefoot_throughput::server::{ServerEvent, ServerLimits, ServerOptions};
use surefoot_throughput::summary::TestOutcome;
use surefoot_throughput::wire::iperf3::{
    ControlState, Cookie, TestParameters, TestResults, frame_document,
};

/// Five seconds, and what a busy machine may add.
const NOTICED: Duration = Duration::from_millis(6500);

/// The points of the protocol at which a client may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    HalfCookie,
    Cookie,
    HalfLength,
    HalfParameters,
    NoStream,
    HalfTheStreams,
    Running,
    TestEnd,
    HalfResults,
    Results,
    Displayed,
}

const POINTS: [Point; 11] = [
    Point::HalfCookie,
    Point::Cookie,
    Point::HalfLength,
    Point::HalfParameters,
    Point::NoStream,
    Point::HalfTheStreams,
    Point::Running,
    Point::TestEnd,
    Point::HalfResults,
    Point::Results,
    Point::Displayed,
];

/// A client that goes as far as a point and gives the connections that it has then.
fn go_as_far_as(point: Point, server: SocketAddr, number: u8) -> io::Result<Vec<TcpStream>> {
    let cookie = Cookie::from_random(&[number; 36]).to_wire();
    let mut control = TcpStream::connect(server)?;
    control.set_read_timeout(Some(NOTICED))?;
    let expect = |control: &mut TcpStream, state: ControlState| -> io::Result<()> {
        let mut byte = [0];
        control.read_exact(&mut byte)?;
        assert_eq!(ControlState::from_byte(byte[0]), Some(state), "{point:?}");
        Ok(())
    };
    if point == Point::HalfCookie {
        control.write_all(&cookie[..20])?;
        return Ok(vec![control]);
    }
    control.write_all(&cookie)?;
    expect(&mut control, ControlState::ParameterExchange)?;
    if point == Point::Cookie {
        return Ok(vec![control]);
    }
    let parameters = TestParameters {
        time: 3600,
        parallel: 2,
        block_length: 1 << 17,
        ..TestParameters::default()
    };
    let document = frame_document(&parameters.to_json());
    let part = match point {
        Point::HalfLength => 2,
        Point::HalfParameters => 20,
        _ => document.len(),
    };
    control.write_all(&document[..part])?;
    if part < document.len() {
        return Ok(vec![control]);
    }
    expect(&mut control, ControlState::CreateStreams)?;
    let mut all = vec![control];
    let streams = match point {
        Point::NoStream => 0,
        Point::HalfTheStreams => 1,
        _ => 2,
    };
    for _ in 0..streams {
        let mut stream = TcpStream::connect(server)?;
        stream.write_all(&cookie)?;
        all.push(stream);
    }
    if streams < 2 {
        return Ok(all);
    }
    expect(&mut all[0], ControlState::TestStart)?;
    expect(&mut all[0], ControlState::TestRunning)?;
    all[1].write_all(&[0; 1000])?;
    if point == Point::Running {
        return Ok(all);
    }
    all[0].write_all(&[ControlState::TestEnd.to_byte()])?;
    expect(&mut all[0], ControlState::ExchangeResults)?;
    if point == Point::TestEnd {
        return Ok(all);
    }
    let results = frame_document(&TestResults::default().to_json());
    let part = if point == Point::HalfResults {
        7
    } else {
        results.len()
    };
    all[0].write_all(&results[..part])?;
    if point == Point::HalfResults {
        return Ok(all);
    }
    let mut length = [0; 4];
    all[0].read_exact(&mut length)?;
    let mut theirs = vec![0; usize::try_from(u32::from_be_bytes(length)).expect("a length")];
    all[0].read_exact(&mut theirs)?;
    if point == Point::Displayed {
        expect(&mut all[0], ControlState::DisplayResults)?;
    }
    Ok(all)
}

/// Counts what ended or was turned away until there are so many, or a time is over.
fn count_noticed(bench: &Bench, wanted: usize, time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut noticed = 0;
    while noticed < wanted {
        let left = end.saturating_duration_since(Instant::now());
        match bench.events.recv_timeout(left) {
            Ok(ServerEvent::Ended { .. } | ServerEvent::TurnedAway { .. }) => noticed += 1,
            Ok(_) => {}
            Err(_) => return noticed,
        }
    }
    noticed
}

#[test]
fn a_client_that_falls_silent_at_any_point_is_noticed() {
    let bench = Bench::new(options());
    let mut held = Vec::new();
    for (number, point) in POINTS.into_iter().enumerate() {
        let number = u8::try_from(number).expect("few points");
        let go = || go_as_far_as(point, localhost(5201), number);
        held.push(bench.namespace.within(go).expect("a server that answers"));
    }
    // Another client is served at once.
    let begin = Instant::now();
    bench.client(&["iperf3", "-c", "127.0.0.1", "-n", "1K"]);
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
    // The last two have their results; what they leave out is their farewell.
    let noticed = count_noticed(&bench, POINTS.len() + 1, NOTICED);
    assert_eq!(noticed, POINTS.len() + 1);
    drop(held);
}

#[test]
fn a_client_that_is_killed_at_any_point_is_noticed() {
    let bench = Bench::new(options());
    for (number, point) in POINTS.into_iter().enumerate() {
        let number = u8::try_from(number).expect("few points");
        let go = || go_as_far_as(point, localhost(5201), number);
        drop(bench.namespace.within(go).expect("a server that answers"));
    }
    bench.client(&["iperf3", "-c", "127.0.0.1", "-n", "1K"]);
    // A connection that closes with half a cookie is not worth an event.
    let noticed = count_noticed(&bench, POINTS.len(), Duration::from_secs(3));
    assert_eq!(noticed, POINTS.len());
}

#[test]
fn a_machine_that_vanishes_is_noticed() {
    let bench = Bench::new(options());
    let clients: Vec<_> = [
        vec!["iperf3", "-c", "127.0.0.1", "-t", "60", "-b", "10M"],
        vec!["iperf3", "-c", "127.0.0.1", "-t", "60", "-b", "10M", "-R"],
        vec!["iperf3", "-u", "-c", "127.0.0.1", "-t", "60", "-b", "10M"],
        vec![
            "iperf3",
            "-u",
            "-c",
            "127.0.0.1",
            "-t",
            "60",
            "-b",
            "10M",
            "-R",
        ],
        vec!["iperf", "-c", "127.0.0.1", "-t", "60", "-b", "10M"],
        vec!["iperf", "-c", "127.0.0.1", "-t", "60", "-b", "10M", "-R"],
        vec!["iperf", "-u", "-c", "127.0.0.1", "-t", "60", "-b", "10M"],
    ]
    .iter()
    .map(|words| bench.start(words))
    .collect();
    let mut started = 0;
    while started < clients.len() {
        match bench.events.recv_timeout(Duration::from_secs(5)) {
            Ok(ServerEvent::Opened(_)) => started += 1,
            Ok(_) => {}
            Err(error) => panic!("{started} started: {error}"),
        }
    }
    thread::sleep(Duration::from_millis(300));
    let rules = "table ip t { chain c { type filter hook output priority 0; policy drop; }\n}\n";
    bench
        .namespace
        .feed(&["nft", "-f", "-"], rules)
        .expect("nft");
    let noticed = count_noticed(&bench, clients.len(), NOTICED);
    for mut client in clients {
        let _ = client.kill();
        let _ = client.wait();
    }
    assert_eq!(noticed, 7);
}

#[test]
fn sixteen_clients_at_once_are_all_served() {
    let bench = Bench::new(options());
    let commands: Vec<Vec<&str>> = (0..16)
        .map(|number| match number % 4 {
            0 => vec!["iperf3", "-c", "127.0.0.1", "-t", "1", "-b", "20M"],
            1 => vec![
                "iperf3",
                "-c",
                "127.0.0.1",
                "-u",
                "-t",
                "1",
                "-b",
                "5M",
                "-P",
                "2",
            ],
            2 => vec!["iperf", "-c", "127.0.0.1", "-t", "1", "-b", "20M"],
            _ => vec!["iperf3", "-c", "127.0.0.1", "-t", "1", "-R", "-b", "20M"],
        })
        .collect();
    let clients: Vec<_> = commands.iter().map(|words| bench.start(words)).collect();
    for (client, words) in clients.into_iter().zip(&commands) {
        let output = wait_at_most(client, Duration::from_secs(15), words);
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
    for _ in 0..16 {
        assert_eq!(bench.ended().outcome, TestOutcome::Complete);
    }
}

#[test]
fn a_thousand_silent_connections_delay_no_other() {
    let bench = Bench::new(options());
    let connect = || {
        (0..1000)
            .map(|number| TcpStream::connect(localhost(if number % 2 == 0 { 5201 } else { 5001 })))
            .collect::<io::Result<Vec<_>>>()
    };
    let held = bench.namespace.within(connect).expect("1000 connections");
    let begin = Instant::now();
    bench.client(&["iperf3", "-c", "127.0.0.1", "-n", "1K"]);
    bench.client(&["iperf", "-c", "127.0.0.1", "-n", "1K"]);
    assert!(
        begin.elapsed() < Duration::from_secs(3),
        "{:?}",
        begin.elapsed()
    );
    // The two tests, and all that were silent.
    assert_eq!(
        count_noticed(&bench, 1002, NOTICED + Duration::from_secs(2)),
        1002
    );
    drop(held);
}

/// What no iperf sends, or what one sends to do harm.
fn garbage() -> Vec<Vec<u8>> {
    let cookie = Cookie::from_random(&[7; 36]).to_wire();
    let after_cookie = |number: u8, rest: &[u8]| {
        let mut bytes = Cookie::from_random(&[number; 36]).to_wire().to_vec();
        bytes.extend(rest);
        bytes
    };
    let document = |number: u8, text: &str| after_cookie(number, &frame_document(text));
    let noise: Vec<u8> = (0..4096_u32)
        .map(|place| u8::try_from(place.wrapping_mul(2_654_435_761) >> 24).expect("a byte"))
        .collect();
    let nested = "[".repeat(8000);
    vec![
        noise,
        b"GET / HTTP/1.1\r\nHost: example\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        vec![0xff; 1000],
        vec![b'a'; 1000],
        b"\x80\x00\x00\x01\x7f\xff\xff\xff".to_vec(),
        vec![0; 23],
        cookie[..36].to_vec(),
        after_cookie(20, &[0x7f, 0xff, 0xff, 0xff]),
        after_cookie(21, &[0xff; 4]),
        after_cookie(22, &[0; 4]),
        after_cookie(23, &[0, 0, 0, 9]),
        document(24, ""),
        document(25, "{"),
        document(26, "null"),
        document(27, &nested),
        document(28, r#"{"tcp":true,"parallel":1000000}"#),
        document(29, r#"{"tcp":true,"parallel":-1}"#),
        document(30, r#"{"tcp":true,"len":99999999}"#),
        document(31, r#"{"udp":true,"len":1}"#),
        document(32, r#"{"tcp":true,"time":1e308}"#),
        document(33, r#"{"sctp":true}"#),
        document(34, r#"{"tcp":true,"MSS":40000}"#),
        document(35, r#"{"tcp":true,"congestion":"no-such-thing"}"#),
        document(
            36,
            &format!("{{\"tcp\":true,\"title\":\"{}\"}}", "x".repeat(7000)),
        ),
    ]
}

#[test]
fn garbage_closed_or_held_open_harms_nothing() {
    let bench = Bench::new(options());
    let mut held = Vec::new();
    for bytes in garbage() {
        for port in [5001, 5201] {
            let send = || {
                let mut stream = TcpStream::connect(localhost(port))?;
                // The server may have closed before all is written.
                let _ = stream.write_all(&bytes);
                Ok(stream)
            };
            drop(bench.namespace.within(send).expect("a connection"));
            held.push(bench.namespace.within(send).expect("a connection"));
        }
    }
    let send = || {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        for number in 0..500_usize {
            let bytes = vec![u8::try_from(number % 251).expect("a byte"); number * 3 % 1400];
            socket.send_to(&bytes, localhost(if number % 2 == 0 { 5001 } else { 5201 }))?;
        }
        Ok(())
    };
    bench.namespace.within(send).expect("datagrams");
    let begin = Instant::now();
    for words in [
        ["iperf3", "-c", "127.0.0.1", "-n", "1K"].as_slice(),
        &["iperf3", "-u", "-c", "127.0.0.1", "-n", "100K", "-b", "10M"],
        &["iperf", "-c", "127.0.0.1", "-n", "1K"],
        &["iperf", "-u", "-c", "127.0.0.1", "-n", "100K", "-b", "10M"],
    ] {
        bench.client(words);
    }
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "{:?}",
        begin.elapsed()
    );
    drop(held);
}

#[test]
fn a_bare_connection_is_told() {
    let bench = Bench::new(options());
    let connect = || TcpStream::connect(localhost(5001)).map(drop);
    bench.namespace.within(connect).expect("a connection");
    let event = bench.events.recv_timeout(Duration::from_secs(2));
    assert!(
        matches!(event, Ok(ServerEvent::BareConnection { port: 5001, .. })),
        "{event:?}"
    );
}

#[test]
fn limits_are_said_to_the_client() {
    let limits = ServerLimits {
        rate: Some(100_000_000),
        duration: Some(Duration::from_secs(2)),
        streams: 2,
        ..ServerLimits::default()
    };
    let bench = Bench::new(ServerOptions {
        limits,
        ..options()
    });
    for words in [
        ["iperf3", "-J", "-c", "127.0.0.1", "-t", "3", "-b", "1M"].as_slice(),
        &["iperf3", "-J", "-c", "127.0.0.1", "-t", "1", "-b", "200M"],
        &[
            "iperf3",
            "-J",
            "-c",
            "127.0.0.1",
            "-t",
            "1",
            "-b",
            "1M",
            "-P",
            "3",
        ],
    ] {
        let output = bench.attempt(words);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("\"error\""), "{words:?}: {text}");
        assert!(
            bench.turned_away_within(Duration::from_secs(2)).is_some(),
            "{words:?}"
        );
    }
    bench.client(&[
        "iperf3",
        "-c",
        "127.0.0.1",
        "-t",
        "1",
        "-b",
        "1M",
        "-P",
        "2",
    ]);
}

#[test]
fn strangers_are_turned_away() {
    let allow = vec!["192.0.2.0/24".parse().expect("a network")];
    let bench = Bench::new(ServerOptions { allow, ..options() });
    assert!(
        !bench
            .attempt(&["iperf3", "-c", "127.0.0.1", "-n", "1K"])
            .status
            .success()
    );
    let why = bench
        .turned_away_within(Duration::from_secs(2))
        .expect("an event");
    assert!(why.contains("allowed"), "{why}");
}

#[test]
fn one_test_is_the_last_if_the_server_serves_one() {
    let bench = Bench::new(ServerOptions {
        one_off: true,
        ..options()
    });
    bench.client(&["iperf3", "-c", "127.0.0.1", "-n", "1K"]);
    assert_eq!(bench.ended().outcome, TestOutcome::Complete);
    thread::sleep(Duration::from_millis(200));
    assert!(
        !bench
            .attempt(&["iperf3", "-c", "127.0.0.1", "-n", "1K"])
            .status
            .success()
    );
}

#[test]
fn replies_come_from_the_address_that_was_addressed() {
    let bench = Bench::new(options());
    let add = ["ip", "address", "add", "192.0.2.7/32", "dev", "lo"];
    bench.namespace.run(&add).expect("an address");
    bench.client(&["iperf3", "-u", "-c", "192.0.2.7", "-n", "100K", "-b", "10M"]);
    let local = bench.ended().streams[0].local.expect("an address");
    assert_eq!(local.ip().to_string(), "192.0.2.7");
    bench.client(&["iperf", "-u", "-c", "192.0.2.7", "-n", "100K", "-b", "10M"]);
    let local = bench.ended().streams[0].local.expect("an address");
    assert_eq!(local.ip().to_string(), "192.0.2.7");
}
