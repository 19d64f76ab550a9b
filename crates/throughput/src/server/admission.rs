//! What the threads of a server share: which tests wait for streams, how much room is left, where
//! events go.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{ServerEvent, ServerOptions};
use crate::engine::Wakeup;
use crate::summary::TestSummary;
use crate::wire::iperf3::Cookie;

/// A connection that belongs to a test.
#[derive(Debug)]
pub(super) struct ArrivedStream {
    /// Its place among all connections of the server.
    pub(super) sequence: u64,
    /// The connection.
    pub(super) stream: TcpStream,
}

/// What the threads share.
#[derive(Debug)]
pub(super) struct ServerState {
    /// What was asked for.
    pub(super) options: ServerOptions,
    /// Wakes the thread that waits on the listeners.
    pub(super) wakeup: Wakeup,
    events: Mutex<Sender<ServerEvent>>,
    stopping: AtomicBool,
    tests: AtomicU64,
    threads: AtomicUsize,
    sessions: AtomicUsize,
    waiting_for_tcp: Mutex<HashMap<Cookie, Sender<ArrivedStream>>>,
    waiting_for_udp: Mutex<HashMap<(IpAddr, u16), Sender<UdpSocket>>>,
    udp_gate: Mutex<HashSet<(IpAddr, u16)>>,
    udp_gate_opens: Condvar,
}

/// A thread that panicked holding a lock leaves plain data that is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ServerState {
    pub(super) fn new(options: ServerOptions, events: Sender<ServerEvent>) -> io::Result<Self> {
        Ok(Self {
            options,
            wakeup: Wakeup::new()?,
            events: Mutex::new(events),
            stopping: AtomicBool::new(false),
            tests: AtomicU64::new(0),
            threads: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            waiting_for_tcp: Mutex::default(),
            waiting_for_udp: Mutex::default(),
            udp_gate: Mutex::default(),
            udp_gate_opens: Condvar::new(),
        })
    }

    /// Tells what happened. If there is no listener any more, the event is lost.
    pub(super) fn tell(&self, event: ServerEvent) {
        let _ = lock(&self.events).send(event);
    }

    /// A number for a new test.
    pub(super) fn next_test(&self) -> u64 {
        self.tests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Tells that a test is over; the only one, if the server serves one.
    pub(super) fn finish(&self, test: u64, summary: TestSummary) {
        let summary = Box::new(summary);
        self.tell(ServerEvent::Ended { test, summary });
        if self.options.one_off {
            self.request_stop();
        }
    }

    pub(super) fn request_stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.wakeup.ring();
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Whether an address is served.
    pub(super) fn allows(&self, peer: SocketAddr) -> bool {
        let allow = &self.options.allow;
        allow.is_empty() || allow.iter().any(|network| network.contains(peer.ip()))
    }

    /// Takes room for some threads; it is given back when the value goes.
    pub(super) fn take_room(self: &Arc<Self>, count: usize) -> Option<ThreadRoom> {
        let before = self.threads.fetch_add(count, Ordering::AcqRel);
        let room = ThreadRoom {
            state: self.clone(),
            count,
        };
        (before + count <= self.options.limits.threads).then_some(room)
    }

    /// Runs a session on a thread of its own, if there is room.
    pub(super) fn spawn(
        self: &Arc<Self>,
        name: &str,
        work: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> bool {
        let Some(room) = self.take_room(1) else {
            return false;
        };
        let state = self.clone();
        state.sessions.fetch_add(1, Ordering::AcqRel);
        let spawned = std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(512 * 1024)
            .spawn(move || {
                let guard = SessionGuard(state);
                work(&guard.0);
                drop(room);
            });
        if spawned.is_err() {
            self.sessions.fetch_sub(1, Ordering::AcqRel);
        }
        spawned.is_ok()
    }

    /// Waits until no session is left, or so long.
    pub(super) fn wait_for_sessions(&self, most: Duration) {
        let end = Instant::now() + most;
        while self.sessions.load(Ordering::Acquire) > 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Lets the streams of a test come, as long as the value lives.
    pub(super) fn expect_streams(
        self: &Arc<Self>,
        cookie: Cookie,
    ) -> Option<(Receiver<ArrivedStream>, Expectation)> {
        let (sender, receiver) = mpsc::channel();
        let mut waiting = lock(&self.waiting_for_tcp);
        if waiting.contains_key(&cookie) {
            return None;
        }
        waiting.insert(cookie, sender);
        let expectation = Expectation {
            state: self.clone(),
            subject: Expected::Streams(cookie),
        };
        Some((receiver, expectation))
    }

    /// Hands a connection to the test that waits for it; gives it back if there is none.
    pub(super) fn deliver_stream(
        &self,
        cookie: Cookie,
        stream: ArrivedStream,
    ) -> Option<ArrivedStream> {
        match lock(&self.waiting_for_tcp).get(&cookie) {
            Some(sender) => sender.send(stream).err().map(|back| back.0),
            None => Some(stream),
        }
    }

    /// Lets the flows of a test come. A hello carries no name, so that of all tests of an address
    /// only one can wait for flows at a time; the others wait here for at most so long.
    pub(super) fn expect_flows(
        self: &Arc<Self>,
        peer: IpAddr,
        port: u16,
        most: Duration,
    ) -> Option<(Receiver<UdpSocket>, Expectation)> {
        let key = (peer, port);
        let busy = |taken: &mut HashSet<(IpAddr, u16)>| taken.contains(&key);
        let gate = lock(&self.udp_gate);
        let (mut gate, timeout) = self
            .udp_gate_opens
            .wait_timeout_while(gate, most, busy)
            .unwrap_or_else(PoisonError::into_inner);
        if timeout.timed_out() {
            return None;
        }
        gate.insert(key);
        drop(gate);
        let (sender, receiver) = mpsc::channel();
        lock(&self.waiting_for_udp).insert(key, sender);
        let expectation = Expectation {
            state: self.clone(),
            subject: Expected::Flows(key),
        };
        Some((receiver, expectation))
    }

    /// Whether a test waits for flows of an address.
    pub(super) fn expects_flow(&self, peer: IpAddr, port: u16) -> bool {
        lock(&self.waiting_for_udp).contains_key(&(peer, port))
    }

    /// Hands a flow to the test that waits for it.
    pub(super) fn deliver_flow(&self, peer: IpAddr, port: u16, flow: UdpSocket) {
        if let Some(sender) = lock(&self.waiting_for_udp).get(&(peer, port)) {
            let _ = sender.send(flow);
        }
    }
}

/// Room for threads.
#[derive(Debug)]
pub(super) struct ThreadRoom {
    state: Arc<ServerState>,
    count: usize,
}

impl Drop for ThreadRoom {
    fn drop(&mut self) {
        self.state.threads.fetch_sub(self.count, Ordering::AcqRel);
    }
}

/// Counts a session for as long as it lives, even if it panics.
struct SessionGuard(Arc<ServerState>);

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::AcqRel);
    }
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    Streams(Cookie),
    Flows((IpAddr, u16)),
}

/// A test that waits for its streams.
#[derive(Debug)]
pub(super) struct Expectation {
    state: Arc<ServerState>,
    subject: Expected,
}

impl Drop for Expectation {
    fn drop(&mut self) {
        match self.subject {
            Expected::Streams(cookie) => {
                lock(&self.state.waiting_for_tcp).remove(&cookie);
            }
            Expected::Flows(key) => {
                lock(&self.state.waiting_for_udp).remove(&key);
                lock(&self.state.udp_gate).remove(&key);
                self.state.udp_gate_opens.notify_all();
            }
        }
    }
}
