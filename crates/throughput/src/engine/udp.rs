//! UDP streams: several datagrams a call where the kernel can, each stamped.

use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use surefoot_sys::{NumberOption, receive_datagrams, set_number};

use super::pacer::Pacer;
use super::{ArrivalLedger, ByteBudget, DatagramCodec, PATIENCE, StreamMeter, is_timeout};

/// The most bytes of one call.
const LARGEST_BURST: usize = 65_000;
/// The most datagrams of one call that the kernel takes.
const MOST_SEGMENTS: usize = 64;
/// Room for what one call may receive.
const RECEIVE_ROOM: usize = 65_536;

/// What a stream sends.
#[derive(Clone, Debug)]
pub(crate) struct UdpSendPlan<'a> {
    /// Bytes of a datagram.
    pub(crate) length: usize,
    /// Bit/s, if it is limited.
    pub(crate) rate: Option<u64>,
    /// When to stop at the latest.
    pub(crate) deadline: Option<Instant>,
    /// What may be sent.
    pub(crate) budget: Option<&'a ByteBudget>,
    /// What follows the stamp of each datagram.
    pub(crate) head: &'a [u8],
    /// How datagrams are stamped.
    pub(crate) codec: &'a DatagramCodec,
    /// Whether several datagrams may go in one call.
    pub(crate) segmentation: bool,
}

/// Sends until the plan or the meter ends it; says how many datagrams went.
pub(crate) fn send_udp(
    socket: &UdpSocket,
    plan: &UdpSendPlan<'_>,
    meter: &StreamMeter,
) -> io::Result<i64> {
    socket.set_write_timeout(Some(PATIENCE))?;
    let begin = Instant::now();
    let mut pacer = plan.rate.map(Pacer::new);
    let length = plan.length.max(1);
    let most = (LARGEST_BURST / length).clamp(1, MOST_SEGMENTS) * length;
    let wanted = pacer
        .as_ref()
        .map_or(most, |pacer| pacer.burst(length, most));
    let mut burst = if plan.segmentation && wanted > length && segment_by(socket, length) {
        wanted
    } else {
        length
    };
    let mut buffer = datagrams(length, burst, plan);
    let mut number: i64 = 0;
    let mut refusals = RefusalWatch::default();
    loop {
        let now = Instant::now();
        if meter.is_stopping() || plan.deadline.is_some_and(|end| now >= end) {
            return Ok(number);
        }
        if let Some(pacer) = &pacer {
            let wait = pacer.wait(now - begin);
            if !wait.is_zero() {
                let left = plan.deadline.map_or(PATIENCE, |end| end - now);
                std::thread::sleep(wait.min(PATIENCE).min(left));
                continue;
            }
        }
        let allowed = plan.budget.map_or(burst, |budget| budget.take(burst));
        if allowed == 0 {
            return Ok(number);
        }
        // The last datagram may be shorter, but has room for its stamp.
        let allowed = allowed.max(SHORTEST.min(length));
        let time = plan.codec.clock();
        let count = stamp_all(&mut buffer[..allowed], length, number, time, plan.codec);
        match socket.send(&buffer[..allowed]) {
            Ok(_) => {
                refusals.note_success();
                number += count;
                meter.add_bytes(allowed);
                meter.add_packets(count.unsigned_abs());
                if let Some(pacer) = &mut pacer {
                    pacer.note(allowed, begin.elapsed());
                }
                continue;
            }
            Err(error) if is_timeout(&error) => {}
            Err(error)
                if error.kind() == io::ErrorKind::ConnectionRefused
                    && !refusals.note_refusal(now) => {}
            Err(error) if is_full(&error) => std::thread::sleep(Duration::from_micros(100)),
            // The device cannot cut what is larger than its MTU.
            Err(_) if burst > length => {
                burst = length;
                set_number(socket, NumberOption::UdpSegment, 0)?;
            }
            Err(error) => return Err(error),
        }
        if let Some(budget) = plan.budget {
            budget.give_back(allowed);
        }
    }
}

/// Tells a port that is shut from one that is shut for a moment: a server of iperf 2 closes and opens
/// its own between two flows.
#[derive(Default)]
struct RefusalWatch {
    first: Option<Instant>,
    successes: u32,
}

impl RefusalWatch {
    fn note_success(&mut self) {
        self.successes += 1;
        if self.successes > 100 {
            self.first = None;
        }
    }

    /// Whether the port has been shut for too long.
    fn note_refusal(&mut self, now: Instant) -> bool {
        const TOO_LONG: Duration = Duration::from_millis(300);
        self.successes = 0;
        now.duration_since(*self.first.get_or_insert(now)) > TOO_LONG
    }
}

/// The shortest datagram: a stamp.
const SHORTEST: usize = 16;

fn is_full(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error())
}

fn segment_by(socket: &UdpSocket, length: usize) -> bool {
    u32::try_from(length)
        .is_ok_and(|length| set_number(socket, NumberOption::UdpSegment, length).is_ok())
}

/// A buffer of datagrams with all but their stamps.
fn datagrams(length: usize, burst: usize, plan: &UdpSendPlan<'_>) -> Vec<u8> {
    let mut buffer: Vec<u8> = (b'0'..=b'9').cycle().take(burst).collect();
    let start = match plan.codec {
        DatagramCodec::Iperf2(shape) => shape.length(),
        DatagramCodec::Iperf3(width) => width.stamp_length(),
    };
    for datagram in buffer.chunks_mut(length) {
        let room = datagram.len().saturating_sub(start).min(plan.head.len());
        if room > 0 {
            datagram[start..start + room].copy_from_slice(&plan.head[..room]);
        }
    }
    buffer
}

/// Stamps each datagram of a burst; says how many there are.
fn stamp_all(
    burst: &mut [u8],
    length: usize,
    sent: i64,
    time: Duration,
    codec: &DatagramCodec,
) -> i64 {
    let mut number = sent;
    for datagram in burst.chunks_mut(length) {
        number += 1;
        codec.stamp(datagram, number, time);
    }
    number - sent
}

/// Why a receiver stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UdpStop {
    /// The meter said so.
    Asked,
    /// A datagram of the sender said that it was the last.
    Ended {
        /// When the last datagram of data came, after the first.
        elapsed: Duration,
    },
    /// Nothing came for too long.
    Silent {
        /// When the last datagram of data came, after the first.
        elapsed: Duration,
    },
}

/// Receives until the meter or the sender ends it, or nothing came for so long as `silence`.
pub(crate) fn receive_udp(
    socket: &UdpSocket,
    codec: &DatagramCodec,
    silence: Option<Duration>,
    first: &[Vec<u8>],
    meter: &StreamMeter,
) -> io::Result<UdpStop> {
    socket.set_read_timeout(Some(PATIENCE))?;
    // Either is an improvement that the kernel need not have.
    let _ = set_number(socket, NumberOption::UdpCoalesce, 1);
    let _ = set_number(socket, NumberOption::Overflows, 1);
    let mut flow = FlowReceiver {
        codec,
        meter,
        ledger: ArrivalLedger::default(),
        begin: None,
        last: Instant::now(),
        drops: 0,
        drops_before: None,
    };
    for datagram in first {
        if flow.take(datagram, datagram.len()) {
            return Ok(flow.ended());
        }
    }
    let mut buffer = vec![0; RECEIVE_ROOM];
    while !meter.is_stopping() {
        let received = match receive_datagrams(socket, &mut buffer) {
            Ok(received) => received,
            Err(error) if is_timeout(&error) => {
                if silence.is_some_and(|limit| flow.last.elapsed() >= limit) {
                    let elapsed = flow.elapsed();
                    return Ok(UdpStop::Silent { elapsed });
                }
                continue;
            }
            // A port of the peer that is shut; what it sends may come all the same.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => continue,
            Err(error) => return Err(error),
        };
        if let Some(drops) = received.overflows {
            let before = *flow.drops_before.get_or_insert(0);
            flow.drops += u64::from(drops.wrapping_sub(before));
            flow.drops_before = Some(drops);
        }
        if flow.take(&buffer[..received.length], received.segment) {
            return Ok(flow.ended());
        }
    }
    Ok(UdpStop::Asked)
}

/// What a receiver knows between two calls.
struct FlowReceiver<'a> {
    codec: &'a DatagramCodec,
    meter: &'a StreamMeter,
    ledger: ArrivalLedger,
    begin: Option<Instant>,
    last: Instant,
    drops: u64,
    drops_before: Option<u32>,
}

impl FlowReceiver<'_> {
    /// Takes the datagrams of one call; says whether the last one of the stream was among them.
    fn take(&mut self, bytes: &[u8], segment: usize) -> bool {
        let now = self.codec.clock();
        let now = i64::try_from(now.as_micros()).unwrap_or(0);
        let mut counted = 0;
        let mut ended = false;
        for datagram in bytes.chunks(segment.max(1)) {
            match self.codec.read(datagram) {
                Some((number, _)) if number < 0 => ended = true,
                Some((number, sent)) => {
                    self.ledger.record(number.unsigned_abs(), now - sent);
                    counted += datagram.len();
                }
                // What is too short for a stamp is a hello that came twice.
                None => {}
            }
        }
        if counted > 0 {
            self.last = Instant::now();
            self.begin.get_or_insert(self.last);
            self.meter.add_bytes(counted);
            self.meter.set_arrivals(self.ledger.reading(self.drops));
        }
        ended
    }

    fn elapsed(&self) -> Duration {
        self.begin.map_or(Duration::ZERO, |begin| self.last - begin)
    }

    fn ended(&self) -> UdpStop {
        UdpStop::Ended {
            elapsed: self.elapsed(),
        }
    }
}
