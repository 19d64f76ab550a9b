//! A server of ours in a network namespace of its own, and the real clients.
#![allow(dead_code, reason = "each test program uses a part")]

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use surefoot_testkit::Namespace;
use surefoot_throughput::server::{Server, ServerEvent, ServerOptions, ServerStopper};
use surefoot_throughput::summary::TestSummary;

/// A namespace with a server in it. Nothing of it is left when it goes.
pub(crate) struct Bench {
    pub(crate) namespace: Namespace,
    pub(crate) events: Receiver<ServerEvent>,
    stopper: ServerStopper,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// A namespace whose loopback device is up.
pub(crate) fn namespace() -> Namespace {
    let namespace = Namespace::new().expect("root, or unshare -Urnm");
    namespace
        .run(&["ip", "link", "set", "lo", "up"])
        .expect("ip");
    namespace
}

impl Bench {
    /// Starts a server.
    pub(crate) fn new(options: ServerOptions) -> Self {
        Self::within(namespace(), options)
    }

    pub(crate) fn within(namespace: Namespace, options: ServerOptions) -> Self {
        let (sender, events) = channel();
        // A thread stays in the namespace of the thread that made it.
        let (stopper, thread) = namespace
            .within(|| {
                let server = Server::bind(options, sender).map_err(io::Error::other)?;
                let stopper = server.stopper();
                let thread = std::thread::spawn(move || server.run().expect("the server runs"));
                Ok((stopper, thread))
            })
            .expect("a server");
        Self {
            namespace,
            events,
            stopper,
            thread: Some(thread),
        }
    }

    /// Runs a client to its end; it must succeed within a time.
    pub(crate) fn client(&self, words: &[&str]) -> String {
        let output = self.attempt(words);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{words:?} ended with {}: {text}{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// Runs a client to its end, at most 30 seconds.
    pub(crate) fn attempt(&self, words: &[&str]) -> Output {
        let child = self.start(words);
        wait_at_most(child, Duration::from_secs(30), words)
    }

    /// Starts a program in the namespace.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        start_in(&self.namespace, words)
    }

    /// The next test that ended.
    pub(crate) fn ended(&self) -> TestSummary {
        self.ended_within(Duration::from_secs(15))
            .expect("a test that ends")
    }

    pub(crate) fn ended_within(&self, time: Duration) -> Option<TestSummary> {
        let end = Instant::now() + time;
        loop {
            match self
                .events
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(ServerEvent::Ended { summary, .. }) => return Some(*summary),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// The next client that was turned away.
    pub(crate) fn turned_away_within(&self, time: Duration) -> Option<String> {
        let end = Instant::now() + time;
        loop {
            match self
                .events
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(ServerEvent::TurnedAway { why, .. }) => return Some(why),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(crate) fn start_in(namespace: &Namespace, words: &[&str]) -> Child {
    namespace
        .within(|| {
            Command::new(words[0])
                .args(&words[1..])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
        })
        .expect("the program of a Debian package")
}

/// Waits for a program, and ends it if it takes too long.
pub(crate) fn wait_at_most(mut child: Child, time: Duration, words: &[&str]) -> Output {
    let end = Instant::now() + time;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() >= end {
            let _ = child.kill();
            let output = child.wait_with_output().expect("output");
            panic!(
                "{words:?} did not end: {}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("output")
}

/// A server on ports that are its own in the namespace.
pub(crate) fn options() -> ServerOptions {
    ServerOptions::default()
}

pub(crate) fn localhost(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)
}

/// Whether two counts differ by at most so many percent of the larger.
#[track_caller]
#[expect(clippy::cast_precision_loss, reason = "counts as percentages")]
pub(crate) fn agree(what: &str, one: u64, other: u64, percent: f64) {
    let (one, other) = (one as f64, other as f64);
    let apart = (one - other).abs() * 100.0 / one.max(other).max(1.0);
    assert!(
        apart <= percent,
        "{what}: {one} and {other} are {apart:.2} % apart"
    );
}

/// How long the tests with foreign programs measure; the long run sets more.
pub(crate) fn seconds() -> String {
    std::env::var("SUREFOOT_THROUGHPUT_SECONDS").unwrap_or_else(|_| "1".to_owned())
}

/// How far the counts of both sides may be apart. Within one second a moment in which a busy machine
/// did not let one side run is soon a percent.
pub(crate) fn percent() -> f64 {
    if seconds() == "1" { 3.0 } else { 1.0 }
}
