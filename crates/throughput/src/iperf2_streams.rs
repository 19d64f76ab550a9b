//! What both sides of an iperf 2 test do with its streams.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::engine::{
    ByteBudget, DatagramCodec, MeterReading, PATIENCE, StreamMeter, TcpSendPlan, UdpSendPlan,
    UdpStop, has_data, is_timeout, send_tcp, send_udp,
};
use crate::summary::{
    DatagramFigures, ProtocolKind, StreamDirection, StreamSummary, TestOutcome, TestSummary,
    TrafficFigures, TransportName,
};
use crate::wire::iperf2::{DatagramShape, ServerReport, TestAmount};

/// The version that we name in headers: that of the program whose layout we write.
pub(crate) const OUR_VERSION: [u32; 2] = [0x0002_0001, 0x0008_0003];
/// The block of TCP unless another is asked for.
pub(crate) const DEFAULT_BLOCK: usize = 128 * 1024;
/// The payload of a datagram unless another is asked for.
pub(crate) const DEFAULT_DATAGRAM: usize = 1470;
/// The rate of UDP unless another is asked for.
pub(crate) const DEFAULT_RATE: u64 = 1_048_576;

/// When a sender of an amount stops, and what it may send.
pub(crate) fn bounds_of(
    amount: TestAmount,
    begin: Instant,
) -> (Option<Instant>, Option<ByteBudget>) {
    match amount {
        TestAmount::Centiseconds(number) => (
            Some(begin + Duration::from_millis(u64::from(number) * 10)),
            None,
        ),
        TestAmount::Bytes(number) => (None, Some(ByteBudget::new(number))),
    }
}

/// What one direction of a stream is to send.
#[derive(Clone, Debug)]
pub(crate) struct SendOrder {
    /// What ends it.
    pub(crate) amount: TestAmount,
    /// Bytes of a block or datagram.
    pub(crate) block: usize,
    /// Bit/s, if it is limited.
    pub(crate) rate: Option<u64>,
    /// What stands at the head of the stream, or follows the head of each datagram.
    pub(crate) head: Vec<u8>,
    /// Give up if the peer takes nothing for so long.
    pub(crate) silence: Option<Duration>,
}

/// Sends over TCP and ends our direction.
pub(crate) fn send_stream(
    stream: &TcpStream,
    order: &SendOrder,
    meter: &StreamMeter,
) -> io::Result<()> {
    let (deadline, budget) = bounds_of(order.amount, Instant::now());
    let plan = TcpSendPlan {
        block: order.block,
        rate: order.rate,
        deadline,
        budget: budget.as_ref(),
        preamble: &order.head,
        silence: order.silence,
    };
    let outcome = send_tcp(stream, &plan, meter);
    let _ = stream.shutdown(Shutdown::Write);
    outcome
}

/// Sends over UDP; says the number of the last datagram.
pub(crate) fn send_datagrams(
    socket: &UdpSocket,
    shape: DatagramShape,
    order: &SendOrder,
    meter: &StreamMeter,
) -> io::Result<i64> {
    let (deadline, budget) = bounds_of(order.amount, Instant::now());
    let codec = DatagramCodec::Iperf2(shape);
    let plan = UdpSendPlan {
        length: order.block,
        rate: order.rate,
        deadline,
        budget: budget.as_ref(),
        head: &order.head,
        codec: &codec,
        segmentation: true,
    };
    send_udp(socket, &plan, meter)
}

/// How often the end of a UDP stream is said.
const MOST_ENDINGS: i64 = 10;
/// How long the answer to each may take.
const ENDING_WAIT: Duration = Duration::from_millis(250);

/// Says that the last datagram was the last, until the receiver answers with its report.
pub(crate) fn end_datagrams(
    socket: &UdpSocket,
    shape: DatagramShape,
    order: &SendOrder,
    last: i64,
    wants_report: bool,
) -> Option<ServerReport> {
    let codec = DatagramCodec::Iperf2(shape);
    let _ = surefoot_sys::set_number(socket, surefoot_sys::NumberOption::UdpSegment, 0);
    let mut datagram = vec![0; order.block.max(shape.length() + order.head.len())];
    let start = shape.length();
    datagram[start..start + order.head.len()].copy_from_slice(&order.head);
    let mut answer = vec![0; 65_536];
    for attempt in 0..MOST_ENDINGS {
        codec.stamp(&mut datagram, -(last + 1 + attempt), codec.clock());
        let sent = socket.send(&datagram);
        if sent.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) && attempt > 0
        {
            return None;
        }
        let end = Instant::now() + ENDING_WAIT;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() || !has_data(socket, left).unwrap_or(false) {
                break;
            }
            let Ok(length) = socket.recv(&mut answer) else {
                break;
            };
            if let Some(report) = ServerReport::from_wire(&answer[..length], shape) {
                return Some(report);
            }
            if !wants_report {
                return None;
            }
        }
    }
    None
}

/// Answers the end of a UDP stream with a report, again as long as the sender says it again.
pub(crate) fn answer_ending(socket: &UdpSocket, shape: DatagramShape, report: ServerReport) {
    let datagram = report.to_wire(shape);
    let mut rest = vec![0; 65_536];
    for _ in 0..MOST_ENDINGS {
        if socket.send(&datagram).is_err() {
            return;
        }
        if !has_data(socket, ENDING_WAIT).unwrap_or(false) {
            return;
        }
        // What is still in the buffer is taken at once, so that it counts as one repetition.
        while has_data(socket, Duration::from_millis(1)).unwrap_or(false) {
            match socket.recv(&mut rest) {
                Ok(_) => {}
                Err(error) if is_timeout(&error) => break,
                Err(_) => return,
            }
        }
    }
}

/// The figures of a receiver as a report.
pub(crate) fn report_of(reading: MeterReading, elapsed: Duration) -> ServerReport {
    let microseconds = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(0);
    ServerReport {
        bytes: reading.bytes,
        microseconds: microseconds(elapsed),
        lost: reading.lost,
        out_of_order: reading.out_of_order,
        datagrams: reading.packets,
        jitter_microseconds: microseconds(reading.jitter),
    }
}

/// A report as figures.
pub(crate) fn figures_of_report(report: ServerReport) -> TrafficFigures {
    let seconds = |microseconds: u64| Duration::from_micros(microseconds).as_secs_f64();
    TrafficFigures {
        bytes: report.bytes,
        seconds: seconds(report.microseconds),
        retransmits: None,
        datagrams: Some(DatagramFigures {
            packets: report.datagrams,
            lost: report.lost,
            lost_in_host: None,
            out_of_order: report.out_of_order,
            jitter_ms: seconds(report.jitter_microseconds) * 1000.0,
        }),
    }
}

/// Our counters as figures.
pub(crate) fn figures_of(
    reading: MeterReading,
    elapsed: Duration,
    transport: TransportName,
    retransmits: Option<u64>,
    received: bool,
) -> TrafficFigures {
    TrafficFigures {
        bytes: reading.bytes,
        seconds: elapsed.as_secs_f64(),
        retransmits,
        datagrams: (transport == TransportName::Udp).then(|| DatagramFigures {
            packets: reading.packets,
            lost: reading.lost,
            lost_in_host: received.then_some(reading.host_drops),
            out_of_order: reading.out_of_order,
            jitter_ms: reading.jitter.as_secs_f64() * 1000.0,
        }),
    }
}

/// Where the counters of a stream come from and go to.
#[derive(Clone, Debug)]
pub(crate) struct StreamPlace {
    /// Its number.
    pub(crate) id: u32,
    /// Which way it goes.
    pub(crate) direction: StreamDirection,
    /// Our address.
    pub(crate) local: Option<SocketAddr>,
    /// The peer's address.
    pub(crate) peer: Option<SocketAddr>,
}

impl StreamPlace {
    /// The stream with the figures of its two ends.
    pub(crate) fn with(
        self,
        sent: Option<TrafficFigures>,
        received: Option<TrafficFigures>,
    ) -> StreamSummary {
        StreamSummary {
            id: self.id,
            direction: self.direction,
            local: self.local,
            peer: self.peer,
            sent,
            received,
        }
    }
}

/// A test of a server, so far without streams.
pub(crate) fn new_summary(
    transport: TransportName,
    local: SocketAddr,
    peer: SocketAddr,
) -> TestSummary {
    TestSummary {
        limiter: None,
        peer_output: None,
        peer_document: None,
        protocol: ProtocolKind::Iperf2,
        transport,
        local,
        peer,
        title: None,
        streams: Vec::new(),
        cpu_percent: [0.0; 3],
        peer_cpu_percent: None,
        congestion: None,
        peer_congestion: None,
        outcome: TestOutcome::Complete,
    }
}

/// How long a UDP stream took, by why its receiver stopped.
pub(crate) fn elapsed_of(stop: UdpStop, begin: Instant) -> Duration {
    match stop {
        UdpStop::Ended { elapsed } | UdpStop::Silent { elapsed } => elapsed,
        UdpStop::Asked => begin.elapsed(),
    }
}

/// Waits for a thread that shares a meter, looking whether it is to stop.
pub(crate) fn join_or_stop<T>(
    thread: std::thread::JoinHandle<T>,
    meter: &Arc<StreamMeter>,
    mut stop: impl FnMut() -> bool,
) -> Option<T> {
    while !thread.is_finished() {
        if stop() {
            meter.request_stop();
        }
        std::thread::sleep(PATIENCE / 20);
    }
    thread.join().ok()
}
