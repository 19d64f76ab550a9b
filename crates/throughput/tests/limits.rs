//! Tests whose limit was built: the answer names it, or says that it does not know.

mod common;

use std::io::Read;
use std::net::TcpListener;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use common::{Bench, localhost, namespace, options};
use surefoot_testkit::Namespace;
use surefoot_throughput::client::{
    ClientOptions, ProtocolChoice, RandomBytes, TestLength, TrafficPattern, run_client,
};
use surefoot_throughput::limiter::{LimiterAnswer, LimiterCertainty, LimiterKind};
use surefoot_throughput::summary::TransportName;

struct Sequence(u8);

static SEED: AtomicU8 = AtomicU8::new(1);

impl RandomBytes for Sequence {
    fn fill(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            self.0 = self.0.wrapping_mul(13).wrapping_add(7);
            *byte = self.0 >> 2;
        }
    }
}

fn answer_in(namespace: &Namespace, options: &ClientOptions) -> LimiterAnswer {
    let mut outcome = None;
    namespace
        .within(|| {
            // The server may still hold the cookie of the test before.
            let seed = SEED.fetch_add(3, Ordering::Relaxed);
            outcome = Some(run_client(options, &mut Sequence(seed), &mut |_| {}));
            Ok(())
        })
        .expect("a thread in the namespace");
    let mut report = outcome.expect("an outcome").expect("a test");
    report.tests.remove(0).limiter.expect("an answer")
}

fn client() -> ClientOptions {
    ClientOptions {
        length: TestLength::Time(Duration::from_secs(1)),
        interval: Duration::ZERO,
        ..ClientOptions::new("127.0.0.1")
    }
}

#[track_caller]
fn check(answer: &LimiterAnswer, limiter: LimiterKind, certainty: LimiterCertainty) {
    assert_eq!(
        (answer.limiter, answer.certainty),
        (limiter, certainty),
        "{answer:?}"
    );
}

#[test]
fn the_rate_asked_for() {
    let bench = Bench::new(options());
    for transport in [TransportName::Tcp, TransportName::Udp] {
        let paced = ClientOptions {
            transport,
            rate: Some(10_000_000),
            ..client()
        };
        let answer = settled_answer(&bench.namespace, &paced, &[LimiterKind::AskedRate]);
        check(&answer, LimiterKind::AskedRate, LimiterCertainty::Certainly);
    }
}

/// The first of some answers that is as expected, else the last: beside other work of the machine something
/// else may be the limit for a while.
fn settled_answer(
    namespace: &Namespace,
    options: &ClientOptions,
    expected: &[LimiterKind],
) -> LimiterAnswer {
    let mut answer = answer_in(namespace, options);
    for _ in 0..4 {
        if expected.contains(&answer.limiter) {
            break;
        }
        answer = answer_in(namespace, options);
    }
    answer
}

#[test]
fn a_tiny_window_is_not_taken_for_loss() {
    let bench = Bench::new(options());
    let small = ClientOptions {
        window: Some(4096),
        ..client()
    };
    let answer = answer_in(&bench.namespace, &small);
    assert_ne!(answer.limiter, LimiterKind::Loss, "{answer:?}");
    assert_ne!(answer.limiter, LimiterKind::Path, "{answer:?}");
}

#[test]
fn a_receiver_that_reads_slowly() {
    let namespace = namespace();
    let listener = namespace
        .within(|| TcpListener::bind(localhost(5001)))
        .expect("a port");
    let reader = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut some = vec![0; 64 * 1024];
        for _ in 0..30 {
            if stream.read(&mut some).expect("data") == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        while stream.read(&mut some).is_ok_and(|length| length > 0) {}
    });
    let slow = ClientOptions {
        protocol: ProtocolChoice::Iperf2,
        ..client()
    };
    let answer = answer_in(&namespace, &slow);
    reader.join().expect("the reader");
    check(
        &answer,
        LimiterKind::ReceiveWindow,
        LimiterCertainty::Probably,
    );
}

#[test]
fn datagrams_that_are_dropped_on_the_way() {
    let bench = Bench::new(options());
    let rules = "table ip t { chain c { type filter hook input priority 0; \
                 udp dport 5201 numgen random mod 10 0 drop\n}\n}\n";
    let udp = ClientOptions {
        transport: TransportName::Udp,
        rate: Some(10_000_000),
        block: Some(1000),
        segmentation: false,
        ..client()
    };
    // The first run shows that nothing but the rule makes the loss.
    let answer = settled_answer(&bench.namespace, &udp, &[LimiterKind::AskedRate]);
    check(&answer, LimiterKind::AskedRate, LimiterCertainty::Certainly);
    bench
        .namespace
        .feed(&["nft", "-f", "-"], rules)
        .expect("nft");
    let answer = answer_in(&bench.namespace, &udp);
    check(&answer, LimiterKind::Loss, LimiterCertainty::Probably);
}

#[test]
fn what_is_too_short_is_unknown() {
    let bench = Bench::new(options());
    let short = ClientOptions {
        length: TestLength::Bytes(1000),
        ..client()
    };
    let answer = answer_in(&bench.namespace, &short);
    check(&answer, LimiterKind::Unknown, LimiterCertainty::Unknown);
}

#[test]
fn without_a_limit_no_answer_is_certain() {
    let bench = Bench::new(options());
    let answer = answer_in(&bench.namespace, &client());
    assert_ne!(answer.certainty, LimiterCertainty::Certainly, "{answer:?}");
}

/// One of several answers that name what was built, or none that is sure.
#[track_caller]
fn check_one_of(answer: &LimiterAnswer, limiters: &[LimiterKind]) {
    let unknown = answer.limiter == LimiterKind::Unknown;
    assert!(unknown || limiters.contains(&answer.limiter), "{answer:?}");
}

#[test]
fn the_pacing_of_the_kernel() {
    let bench = Bench::new(options());
    let paced = ClientOptions {
        pacing_rate: Some(20_000_000),
        ..client()
    };
    let answer = settled_answer(&bench.namespace, &paced, &[LimiterKind::AskedRate]);
    check(&answer, LimiterKind::AskedRate, LimiterCertainty::Certainly);
}

#[test]
fn segments_that_are_dropped_on_the_way() {
    let bench = Bench::new(options());
    let rules = "table ip t { chain c { type filter hook input priority 0; \
                 tcp dport 5201 numgen random mod 20 0 drop\n}\n}\n";
    bench
        .namespace
        .feed(&["nft", "-f", "-"], rules)
        .expect("nft");
    // One that backs off when segments are lost.
    let reno = ClientOptions {
        congestion: Some("reno".to_owned()),
        ..client()
    };
    let answer = settled_answer(&bench.namespace, &reno, &[LimiterKind::Loss]);
    check(&answer, LimiterKind::Loss, LimiterCertainty::Probably);
}

#[test]
fn a_path_with_a_rate_and_a_queue() {
    let bench = Bench::new(options());
    let shaped = [
        "tc", "qdisc", "add", "dev", "lo", "root", "tbf", "rate", "50mbit", "burst", "128kb",
        "latency", "200ms",
    ];
    bench.namespace.run(&shaped).expect("tc");
    let answer = answer_in(&bench.namespace, &client());
    check_one_of(&answer, &[LimiterKind::Path, LimiterKind::Loss]);
    assert_ne!(answer.certainty, LimiterCertainty::Certainly, "{answer:?}");
}

#[test]
fn tiny_writes_use_up_the_sender() {
    let bench = Bench::new(options());
    let tiny = ClientOptions {
        block: Some(16),
        no_delay: true,
        ..client()
    };
    let expected = [LimiterKind::SenderCpu, LimiterKind::Unknown];
    let answer = settled_answer(&bench.namespace, &tiny, &expected);
    check_one_of(&answer, &[LimiterKind::SenderCpu]);
}

#[test]
fn a_receiving_host_without_room() {
    let bench = Bench::new(options());
    let flooded = ClientOptions {
        transport: TransportName::Udp,
        pattern: TrafficPattern::Reverse,
        rate: Some(20_000_000_000),
        block: Some(1400),
        window: Some(4096),
        ..client()
    };
    let answer = answer_in(&bench.namespace, &flooded);
    assert_eq!(answer.limiter, LimiterKind::ReceivingHost, "{answer:?}");
}
