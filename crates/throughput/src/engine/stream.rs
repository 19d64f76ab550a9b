//! A stream that runs: its socket, its thread, its counters.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use surefoot_sys::{CpuTime, TcpStatistics, unacknowledged_bytes};

use crate::summary::TcpBeginning;

use super::{
    ByteBudget, DatagramCodec, MeterReading, PATIENCE, StreamMeter, TcpSendPlan, UdpSendPlan,
    Wakeup, canonical, receive_tcp, receive_udp, send_tcp, send_udp,
};

/// What the kernel knows of a connection that has just been made.
pub(crate) fn beginning_of(known: TcpStatistics) -> TcpBeginning {
    TcpBeginning {
        congestion_window: u64::from(known.congestion_window) * u64::from(known.send_segment),
        segment_size: known.send_segment,
        round_trip_us: known.round_trip,
    }
}

/// The socket of a stream.
#[derive(Clone, Debug)]
pub(crate) enum StreamSocket {
    /// TCP.
    Tcp(Arc<TcpStream>),
    /// UDP, connected.
    Udp(Arc<UdpSocket>),
}

impl StreamSocket {
    /// The state in which a stream of TCP begins.
    pub(crate) fn beginning(&self) -> Option<TcpBeginning> {
        self.statistics().map(beginning_of)
    }

    /// Our address.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.local_addr().ok(),
            Self::Udp(socket) => socket.local_addr().ok(),
        }
    }

    /// The peer's address.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok().map(canonical),
            Self::Udp(socket) => socket.peer_addr().ok().map(canonical),
        }
    }

    /// Bytes of the send and the receive buffer.
    pub(crate) fn buffer_sizes(&self) -> [u64; 2] {
        use rustix::net::sockopt::{socket_recv_buffer_size, socket_send_buffer_size};
        let sizes = match self {
            Self::Tcp(stream) => [
                socket_send_buffer_size(&**stream),
                socket_recv_buffer_size(&**stream),
            ],
            Self::Udp(socket) => [
                socket_send_buffer_size(&**socket),
                socket_recv_buffer_size(&**socket),
            ],
        };
        sizes.map(|size| size.map_or(0, |size| size as u64))
    }

    /// What the kernel knows of the connection, for TCP.
    pub(crate) fn statistics(&self) -> Option<TcpStatistics> {
        match self {
            Self::Tcp(stream) => TcpStatistics::of(&**stream).ok(),
            Self::Udp(_) => None,
        }
    }
}

/// What a stream does, for either protocol.
#[derive(Clone, Debug)]
pub(crate) struct StreamPlan {
    /// Bytes of a block or of a datagram.
    pub(crate) block: usize,
    /// Bit/s, if it is limited.
    pub(crate) rate: Option<u64>,
    /// When to stop sending.
    pub(crate) deadline: Option<Instant>,
    /// What may be sent.
    pub(crate) budget: Option<Arc<ByteBudget>>,
    /// How datagrams are stamped.
    pub(crate) codec: DatagramCodec,
    /// What follows the stamp of each datagram, or what stands at the head of a TCP stream.
    pub(crate) head: Vec<u8>,
    /// Received bytes are copied out of the kernel.
    pub(crate) copy: bool,
    /// Several datagrams may go in one call.
    pub(crate) segmentation: bool,
    /// How long the peer may be silent.
    pub(crate) silence: Option<Duration>,
}

/// A stream with its thread.
#[derive(Debug)]
pub(crate) struct RunningStream {
    /// Whether we send.
    pub(crate) sends: bool,
    /// The counters.
    pub(crate) meter: Arc<StreamMeter>,
    /// The socket.
    pub(crate) socket: StreamSocket,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Mutex<StreamEnd>>,
    before: TcpStatistics,
}

/// What TCP waited for while it sent: microseconds, of which the latter two are parts of the first.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SendWaiting {
    /// There was something to send.
    pub(crate) busy: u64,
    /// The receiver's window was full.
    pub(crate) window: u64,
    /// The send buffer was full.
    pub(crate) buffer: u64,
    /// The smoothed round-trip time at the end, microseconds.
    pub(crate) round_trip: u32,
    /// Bytes of a segment.
    pub(crate) segment: u32,
}

/// How a stream ended.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamEnd {
    /// The CPU time of its thread.
    pub(crate) cpu: CpuTime,
    /// Whether it is over.
    pub(crate) is_over: bool,
    /// The error that ended it.
    pub(crate) failure: Option<(io::ErrorKind, String)>,
}

impl RunningStream {
    /// Starts the thread; it rings when it is done.
    pub(crate) fn start(
        socket: StreamSocket,
        sends: bool,
        plan: StreamPlan,
        wakeup: Arc<Wakeup>,
    ) -> io::Result<Self> {
        let meter = Arc::new(StreamMeter::default());
        let shared = Arc::new(Mutex::new(StreamEnd::default()));
        let before = socket.statistics().unwrap_or_default();
        let thread = {
            let (meter, shared, socket) = (meter.clone(), shared.clone(), socket.clone());
            std::thread::Builder::new()
                .name("stream".to_owned())
                .stack_size(256 * 1024)
                .spawn(move || {
                    let outcome = run_stream(&socket, sends, &plan, &meter);
                    if let Ok(mut end) = shared.lock() {
                        end.is_over = true;
                        end.cpu = CpuTime::of_thread().unwrap_or_default();
                        end.failure = outcome.err().map(|error| (error.kind(), error.to_string()));
                    }
                    wakeup.ring();
                })?
        };
        Ok(Self {
            sends,
            meter,
            socket,
            thread: Some(thread),
            shared,
            before,
        })
    }

    /// Segments that TCP sent again since the start.
    pub(crate) fn retransmits(&self) -> Option<u64> {
        let now = self.socket.statistics()?.retransmits;
        Some(u64::from(now.wrapping_sub(self.before.retransmits)))
    }

    /// What TCP waited for since the start, if we send.
    pub(crate) fn waiting(&self) -> Option<SendWaiting> {
        let now = self.socket.statistics().filter(|_| self.sends)?;
        Some(SendWaiting {
            busy: now.busy.saturating_sub(self.before.busy),
            window: now
                .limited_by_window
                .saturating_sub(self.before.limited_by_window),
            buffer: now
                .limited_by_buffer
                .saturating_sub(self.before.limited_by_buffer),
            round_trip: now.round_trip,
            segment: now.send_segment,
        })
    }

    /// Reads the counters.
    pub(crate) fn read(&self) -> MeterReading {
        self.meter.read()
    }

    /// Reads the counters of a test that ends now. What TCP has taken from us and the peer has not
    /// acknowledged is not sent: it may never arrive.
    pub(crate) fn read_at_end(&self) -> MeterReading {
        let mut reading = self.meter.read();
        if let (StreamSocket::Tcp(stream), true) = (&self.socket, self.sends) {
            // The end of a stream counts as a byte there.
            let waiting = unacknowledged_bytes(&**stream).unwrap_or(0);
            let waiting = u64::from(waiting).saturating_sub(1);
            reading.bytes = reading.bytes.saturating_sub(waiting);
        }
        reading
    }

    /// Whether the thread is done.
    pub(crate) fn is_finished(&self) -> bool {
        self.shared.lock().is_ok_and(|end| end.is_over)
    }

    /// Asks the thread to stop.
    pub(crate) fn request_stop(&self) {
        self.meter.request_stop();
    }

    /// Ends a direction of a connection, which wakes a thread that is blocked in it.
    pub(crate) fn shut_down(&self, how: Shutdown) {
        match &self.socket {
            StreamSocket::Tcp(stream) => {
                let _ = stream.shutdown(how);
            }
            // Nothing goes over the network; the thread wakes all the same.
            StreamSocket::Udp(socket) => {
                if matches!(how, Shutdown::Read | Shutdown::Both) {
                    let _ = rustix::net::shutdown(&**socket, rustix::net::Shutdown::Read);
                }
            }
        }
    }

    /// Waits for the thread and says how it ended.
    pub(crate) fn join(&mut self) -> StreamEnd {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.shared
            .lock()
            .map(|end| end.clone())
            .unwrap_or_default()
    }

    /// How it ended, if it has.
    pub(crate) fn failure(&self) -> Option<(io::ErrorKind, String)> {
        self.shared.lock().ok()?.failure.clone()
    }
}

/// Stops the streams that send and waits until they have. `shut` ends their direction at once, which
/// also wakes one that is blocked.
pub(crate) fn stop_senders(streams: &[RunningStream], shut: bool) {
    let senders = || streams.iter().filter(|stream| stream.sends);
    for stream in senders() {
        stream.request_stop();
        if shut {
            stream.shut_down(Shutdown::Write);
        }
    }
    let end = Instant::now() + 2 * PATIENCE;
    for stream in senders() {
        while !stream.is_finished() && Instant::now() < end {
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Waits until the peers have acknowledged all that TCP streams sent, at most so long.
pub(crate) fn wait_until_acknowledged(streams: &[RunningStream], most: Duration) {
    let end = Instant::now() + most;
    for stream in streams.iter().filter(|stream| stream.sends) {
        let StreamSocket::Tcp(socket) = &stream.socket else {
            continue;
        };
        while unacknowledged_bytes(&**socket).is_ok_and(|waiting| waiting > 0) {
            if Instant::now() >= end {
                return;
            }
            std::thread::sleep(Duration::from_micros(100));
        }
    }
}

impl Drop for RunningStream {
    /// A thread never outlives its test.
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.request_stop();
            self.shut_down(Shutdown::Both);
            self.join();
        }
    }
}

fn run_stream(
    socket: &StreamSocket,
    sends: bool,
    plan: &StreamPlan,
    meter: &StreamMeter,
) -> io::Result<()> {
    match (socket, sends) {
        (StreamSocket::Tcp(stream), true) => {
            let plan = TcpSendPlan {
                block: plan.block,
                rate: plan.rate,
                deadline: plan.deadline,
                budget: plan.budget.as_deref(),
                preamble: &plan.head,
                silence: plan.silence,
            };
            send_tcp(stream, &plan, meter)
        }
        (StreamSocket::Tcp(stream), false) => {
            receive_tcp(stream, plan.copy, plan.silence, meter).map(|_| ())
        }
        (StreamSocket::Udp(socket), true) => {
            let plan = UdpSendPlan {
                length: plan.block,
                rate: plan.rate,
                deadline: plan.deadline,
                budget: plan.budget.as_deref(),
                head: &plan.head,
                codec: &plan.codec,
                segmentation: plan.segmentation,
            };
            send_udp(socket, &plan, meter).map(|_| ())
        }
        (StreamSocket::Udp(socket), false) => {
            receive_udp(socket, &plan.codec, plan.silence, &[], meter).map(|_| ())
        }
    }
}
