//! TCP streams: sending, and receiving without a copy.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::pacer::Pacer;
use super::{LONGEST_SILENCE, PATIENCE, StreamMeter, is_timeout};

/// Bytes that may still be sent, shared by the streams that send them.
#[derive(Debug)]
pub(crate) struct ByteBudget(AtomicI64);

impl ByteBudget {
    /// So many bytes.
    pub(crate) fn new(bytes: u64) -> Self {
        Self(AtomicI64::new(i64::try_from(bytes).unwrap_or(i64::MAX)))
    }

    /// Takes at most so many bytes; 0 is the end.
    pub(crate) fn take(&self, most: usize) -> usize {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let before = self.0.fetch_sub(most, Ordering::Relaxed);
        let given = before.clamp(0, most);
        if given < most {
            self.0.fetch_add(most - given, Ordering::Relaxed);
        }
        usize::try_from(given).unwrap_or(0)
    }

    /// Gives back what could not be sent.
    pub(crate) fn give_back(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(0);
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// What a stream sends.
#[derive(Clone, Debug)]
pub(crate) struct TcpSendPlan<'a> {
    /// Bytes of one call.
    pub(crate) block: usize,
    /// Bit/s, if it is limited.
    pub(crate) rate: Option<u64>,
    /// When to stop at the latest.
    pub(crate) deadline: Option<Instant>,
    /// What may be sent.
    pub(crate) budget: Option<&'a ByteBudget>,
    /// What stands at the head of the stream; it counts.
    pub(crate) preamble: &'a [u8],
    /// Gives up if the peer takes nothing for so long.
    pub(crate) silence: Option<Duration>,
}

/// Sends until the plan or the meter ends it. A peer that is gone ends it too, with an error.
pub(crate) fn send_tcp(
    stream: &TcpStream,
    plan: &TcpSendPlan<'_>,
    meter: &StreamMeter,
) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let block = payload(plan.block);
    let begin = Instant::now();
    let mut pacer = plan.rate.map(Pacer::new);
    let mut progress = begin;
    let mut rest = plan.preamble;
    loop {
        let now = Instant::now();
        if meter.is_stopping() || plan.deadline.is_some_and(|end| now >= end) {
            return Ok(());
        }
        if let Some(pacer) = &pacer {
            let wait = pacer.wait(now - begin);
            if !wait.is_zero() {
                let left = plan.deadline.map_or(PATIENCE, |end| end - now);
                std::thread::sleep(wait.min(PATIENCE).min(left));
                progress = Instant::now();
                continue;
            }
        }
        let most = pacer.as_ref().map_or(block.len(), |pacer| {
            pacer.burst(SMALL_WRITE.min(block.len()), block.len())
        });
        let piece = if rest.is_empty() {
            &block[..most]
        } else {
            rest
        };
        let allowed = plan
            .budget
            .map_or(piece.len(), |budget| budget.take(piece.len()));
        if allowed == 0 {
            return Ok(());
        }
        let sent = match (&*stream).write(&piece[..allowed]) {
            Ok(sent) => sent,
            Err(error) if is_timeout(&error) => 0,
            Err(error) => return Err(error),
        };
        if let Some(budget) = plan.budget {
            budget.give_back(allowed - sent);
        }
        if sent > 0 {
            progress = Instant::now();
        } else if plan
            .silence
            .is_some_and(|limit| progress.elapsed() >= limit)
        {
            return Err(io::ErrorKind::TimedOut.into());
        }
        rest = &rest[sent.min(rest.len())..];
        meter.add_bytes(sent);
        if let Some(pacer) = &mut pacer {
            pacer.note(sent, begin.elapsed());
        }
    }
}

/// A paced write is at least this, so that slow rates do not make tiny segments.
const SMALL_WRITE: usize = 8 * 1024;

/// Random bytes, so that nothing on the way can compress them.
fn payload(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_ne_bytes());
    }
    bytes.truncate(length.max(1));
    bytes
}

/// The least that a receiver asks for at once.
const LARGE_READ: usize = 1 << 20;

/// Receives until the peer has sent all (`true`) or the meter says stop (`false`). Unless `copy`
/// asks for the classic way, the kernel discards the bytes and nothing is copied.
///
/// A peer that sends nothing for so long as `silence` is an error of kind `TimedOut`.
pub(crate) fn receive_tcp(
    stream: &TcpStream,
    copy: bool,
    silence: Option<Duration>,
    meter: &StreamMeter,
) -> io::Result<bool> {
    stream.set_read_timeout(Some(PATIENCE))?;
    // Never touched when the kernel discards, so the pages are never there.
    let mut buffer = vec![0; if copy { 128 * 1024 } else { LARGE_READ }];
    let mut progress = Instant::now();
    while !meter.is_stopping() {
        match receive_some(stream, &mut buffer, copy, RecvFlags::empty()) {
            Ok(0) => return Ok(true),
            Ok(received) => {
                meter.add_bytes(received);
                if silence.is_some() {
                    progress = Instant::now();
                }
            }
            Err(error) if is_timeout(&error) => {
                if silence.is_some_and(|limit| progress.elapsed() >= limit) {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn receive_some(
    stream: &TcpStream,
    buffer: &mut [u8],
    copy: bool,
    flags: RecvFlags,
) -> io::Result<usize> {
    if copy && flags.is_empty() {
        return (&*stream).read(buffer);
    }
    match rustix::net::recv(stream, &mut *buffer, flags | RecvFlags::TRUNC) {
        Ok((_, received)) => Ok(received),
        Err(Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
        Err(error) => Err(error.into()),
    }
}

/// Takes what has arrived and what keeps arriving without a pause, after the sender has said that
/// it is done; at most for so long. Another thread may read beside.
pub(crate) fn drain_tcp(
    stream: &TcpStream,
    expected: Option<u64>,
    most: Duration,
    meter: &StreamMeter,
) {
    let mut buffer = vec![0; LARGE_READ];
    let begin = Instant::now();
    let mut progress = begin;
    let mut seen = meter.read().bytes;
    let usual_pause = if seen < A_LOT {
        SHORT_PAUSE
    } else {
        LONG_PAUSE
    };
    while begin.elapsed() < most {
        match receive_some(stream, &mut buffer, false, RecvFlags::DONTWAIT) {
            Ok(0) => return,
            Ok(received) => meter.add_bytes(received),
            Err(error) if is_timeout(&error) => std::thread::sleep(Duration::from_micros(200)),
            Err(_) => return,
        }
        let bytes = meter.read().bytes;
        if bytes != seen {
            seen = bytes;
            progress = Instant::now();
        }
        let missing = expected.is_some_and(|expected| bytes < expected);
        let pause = if missing { most } else { usual_pause };
        if expected == Some(bytes) || progress.elapsed() >= pause {
            return;
        }
    }
}

/// A sender that is done has nothing under way after a pause of this length, if it sent little.
const SHORT_PAUSE: Duration = Duration::from_millis(2);
/// If it sent a lot, what it left in its buffer may take turns with other work.
const LONG_PAUSE: Duration = Duration::from_millis(20);
/// What is a lot.
const A_LOT: u64 = 1 << 20;

/// Ends our side of a connection and waits until the peer has ended its own, so that what it may
/// still send does not make the kernel reset the connection.
pub(crate) fn close_politely(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let meter = StreamMeter::default();
    let _ = receive_tcp(stream, false, Some(LONGEST_SILENCE), &meter);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_to_the_byte() {
        let budget = ByteBudget::new(10);
        assert_eq!((budget.take(8), budget.take(8), budget.take(8)), (8, 2, 0));
        budget.give_back(3);
        assert_eq!((budget.take(8), budget.take(1)), (3, 0));
    }
}
