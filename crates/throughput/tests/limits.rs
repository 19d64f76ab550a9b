//! Tests whose limit was built: the answer names it, or says that it does not know.

mod common;

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use common::{Bench, localhost, namespace, options};
use surefoot_testkit::Namespace;
use surefoot_throughput::client::{
    ClientOptions, ProtocolChoice, RandomBytes, TestLength, run_client,
};
use surefoot_throughput::limiter::{LimiterAnswer, LimiterCertainty, LimiterKind};
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

fn answer_in(namespace: &Namespace, options: &ClientOptions) -> LimiterAnswer {
    let mut outcome = None;
    namespace
        .within(|| {
            outcome = Some(run_client(options, &mut Sequence(1), &mut |_| {}));
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
        let answer = answer_in(&bench.namespace, &paced);
        check(&answer, LimiterKind::AskedRate, LimiterCertainty::Certainly);
    }
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
    let answer = answer_in(&bench.namespace, &udp);
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
