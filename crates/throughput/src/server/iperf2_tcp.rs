//! A TCP connection of an iperf 2 client.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use surefoot_sys::TcpStatistics;

use super::admission::ServerState;
use super::meter_watch::MeterWatch;
use super::{OpenedStream, OpenedTest, ServerEvent, TestRequest};
use crate::engine::{
    LONGEST_SILENCE, SocketSettings, StreamMeter, beginning_of, close_politely, connect_tcp,
    prepare_tcp, read_exactly, receive_tcp, watch_for_death, write_fully,
};
use crate::iperf2_streams::{
    DEFAULT_BLOCK, OUR_VERSION, SendOrder, StreamPlace, figures_of, new_summary, send_stream,
};
use crate::iperf3_streams::silence_limit;
use crate::summary::{
    ProtocolKind, StreamDirection, StreamSummary, TestOutcome, TestSummary, TransportName,
};
use crate::wire::iperf2::{
    AckLayout, ClientHeader, HeaderFlags, TestAmount, TestMode, UpperFlags, header_acknowledgement,
};

/// Serves a connection of which some bytes have been read.
pub(super) fn serve(
    state: &Arc<ServerState>,
    stream: &TcpStream,
    peer: SocketAddr,
    first: Vec<u8>,
) {
    let local = stream.local_addr().unwrap_or(peer);
    let mut bytes = first;
    let header = match read_header(stream, &mut bytes) {
        Ok(header) => header,
        Err(why) => {
            state.tell(ServerEvent::TurnedAway { peer, why });
            return;
        }
    };
    let connection = Connection {
        state,
        test: state.next_test(),
        stream,
        peer,
        local,
        header,
        begin: Instant::now(),
    };
    let mut summary = new_summary(TransportName::Tcp, local, peer);
    connection.tell_opened();
    if let Some(why) = connection.breach_of_limits() {
        summary.outcome = TestOutcome::Refused(why);
        state.finish(connection.test, summary);
        return;
    }
    connection.run(bytes.len(), &mut summary);
    summary.congestion = rustix::net::sockopt::tcp_congestion(stream).ok();
    state.finish(connection.test, summary);
}

/// Reads the header of a client that sends one.
fn read_header(stream: &TcpStream, bytes: &mut Vec<u8>) -> Result<Option<ClientHeader>, String> {
    if bytes.starts_with(b"0123") {
        return Ok(None);
    }
    let word = bytes.first_chunk::<4>().copied().unwrap_or_default();
    let length = HeaderFlags(u32::from_be_bytes(word)).header_length();
    if HeaderFlags(u32::from_be_bytes(word)).has(HeaderFlags::BOUNCE_BACK) {
        return Err("it asks for a bounce-back test, which this server does not have".to_owned());
    }
    let had = bytes.len();
    if had < length {
        bytes.resize(length, 0);
        let deadline = Instant::now() + LONGEST_SILENCE;
        read_exactly(stream, &mut bytes[had..], deadline)
            .map_err(|error| format!("its header does not come: {error}"))?;
    }
    let header = ClientHeader::from_wire(bytes).map_err(|error| error.to_string())?;
    Ok(Some(header))
}

struct Connection<'a> {
    state: &'a Arc<ServerState>,
    test: u64,
    stream: &'a TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    header: Option<ClientHeader>,
    begin: Instant,
}

impl Connection<'_> {
    fn tell_opened(&self) {
        let header = self.header.unwrap_or_default();
        let place = |direction: StreamDirection| OpenedStream {
            id: stream_number(direction),
            direction,
            local: Some(self.local),
            peer: Some(self.peer),
        };
        let known = TcpStatistics::of(self.stream).ok();
        let opened = OpenedTest {
            test: self.test,
            protocol: ProtocolKind::Iperf2,
            transport: TransportName::Tcp,
            local: self.local,
            peer: self.peer,
            request: request_of(&header),
            cookie: None,
            segment_size: known.map(|known| known.send_segment),
            buffers: [0; 2],
            beginning: known.map(beginning_of),
            streams: first_directions(header.mode())
                .iter()
                .copied()
                .map(place)
                .collect(),
        };
        self.state.tell(ServerEvent::Opened(Box::new(opened)));
    }

    fn breach_of_limits(&self) -> Option<String> {
        let limits = &self.state.options.limits;
        let header = self.header?;
        match (limits.duration, header.amount) {
            (Some(longest), TestAmount::Centiseconds(number))
                if Duration::from_millis(u64::from(number) * 10) > longest =>
            {
                return Some("it asks for too long a test".to_owned());
            }
            _ => {}
        }
        if header.thread_count > limits.streams {
            return Some("it asks for too many streams".to_owned());
        }
        None
    }

    fn run(&self, counted: usize, summary: &mut TestSummary) {
        let Some(header) = self.header else {
            self.receive(counted, summary);
            return;
        };
        if header.wants_acknowledgement() {
            let times = header
                .extension
                .is_some_and(|extension| extension.upper.has(UpperFlags::TRIP_TIME));
            let layout = if times {
                AckLayout::WithTimes
            } else {
                AckLayout::Plain
            };
            let deadline = Instant::now() + LONGEST_SILENCE;
            // Most clients never read it, so that it matters to nobody if it does not arrive.
            let _ = write_fully(
                self.stream,
                &header_acknowledgement(layout, OUR_VERSION),
                deadline,
            );
        }
        match header.mode() {
            TestMode::Forward => self.receive(counted, summary),
            TestMode::Reverse => {
                let sent = self.send(self.stream, &header);
                take_stream(summary, sent);
            }
            TestMode::FullDuplex => std::thread::scope(|scope| {
                let sender = scope.spawn(|| self.send(self.stream, &header));
                self.receive(counted, summary);
                if let Ok(sent) = sender.join() {
                    take_stream(summary, sent);
                }
            }),
            TestMode::Dual => std::thread::scope(|scope| {
                let sender = scope.spawn(|| self.connect_back(&header));
                self.receive(counted, summary);
                if let Ok(sent) = sender.join() {
                    take_stream(summary, sent);
                }
            }),
            TestMode::Tradeoff => {
                self.receive(counted, summary);
                if summary.outcome == TestOutcome::Complete {
                    let sent = self.connect_back(&header);
                    take_stream(summary, sent);
                }
            }
        }
    }

    /// The bytes of the header count as received, as they do in 2.1.8.
    fn receive(&self, counted: usize, summary: &mut TestSummary) {
        let meter = StreamMeter::default();
        meter.add_bytes(counted);
        let block = self.header.map_or(0, |header| header.block_length);
        let block = block.max(u32::try_from(DEFAULT_BLOCK).unwrap_or(0));
        let rate = self
            .header
            .and_then(|header| header.extension?.rate.checked_sub(0));
        let silence = silence_limit(block, rate);
        let outcome = self.receive_until_end(silence, &meter);
        let elapsed = self.begin.elapsed();
        match outcome {
            Ok(true) => {}
            Ok(false) => summary.outcome = TestOutcome::Interrupted,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                summary.outcome = TestOutcome::PeerSilent;
            }
            Err(_) => summary.outcome = TestOutcome::PeerVanished,
        }
        let figures = figures_of(meter.read(), elapsed, TransportName::Tcp, None, true);
        let place = self.place(StreamDirection::ToServer, self.stream);
        summary.streams.push(place.with(None, Some(figures)));
    }

    /// Receives, and stops when the server does.
    fn receive_until_end(&self, silence: Duration, meter: &StreamMeter) -> io::Result<bool> {
        let copy = self.state.options.copy;
        self.watch(StreamDirection::ToServer, meter, || {
            receive_tcp(self.stream, copy, Some(silence), meter)
        })
        .unwrap_or(Ok(false))
    }

    /// Does something on a thread of its own, reports its intervals, and stops it when the server
    /// stops.
    fn watch<T: Send>(
        &self,
        direction: StreamDirection,
        meter: &StreamMeter,
        work: impl FnOnce() -> T + Send,
    ) -> Option<T> {
        let id = stream_number(direction);
        let transport = TransportName::Tcp;
        let mut watch = MeterWatch::new(self.state, self.test, id, direction, transport);
        std::thread::scope(|scope| {
            let thread = scope.spawn(work);
            while !thread.is_finished() {
                if self.state.is_stopping() {
                    meter.request_stop();
                }
                watch.pass(meter);
                std::thread::sleep(Duration::from_millis(2));
            }
            thread.join().ok()
        })
    }

    fn place(&self, direction: StreamDirection, stream: &TcpStream) -> StreamPlace {
        StreamPlace {
            id: stream_number(direction),
            direction,
            local: stream.local_addr().ok(),
            peer: Some(self.peer),
        }
    }

    /// Connects to the port on which the client waits, and sends.
    fn connect_back(&self, header: &ClientHeader) -> Result<StreamSummary, TestOutcome> {
        let peer = SocketAddr::new(self.peer.ip(), header.reply_port);
        refuse_ourselves(self.state, self.local, peer)?;
        let local = SocketAddr::new(self.local.ip().to_canonical(), 0);
        let settings = SocketSettings::default();
        let stream =
            connect_tcp(peer, Some(local), &settings, LONGEST_SILENCE).map_err(|error| {
                TestOutcome::Refused(format!("cannot connect back to {peer}: {error}"))
            })?;
        let _ = watch_for_death(&stream);
        let summary = self.send(&stream, header);
        close_politely(&stream);
        summary
    }

    fn send(
        &self,
        stream: &TcpStream,
        header: &ClientHeader,
    ) -> Result<StreamSummary, TestOutcome> {
        let extension = header.extension.unwrap_or_default();
        let settings = SocketSettings {
            type_of_service: u32::from(extension.type_of_service),
            ..SocketSettings::default()
        };
        let _ = prepare_tcp(stream, &settings);
        let block = usize::try_from(header.block_length).unwrap_or(0);
        let limits = &self.state.options.limits;
        let rate = match (header.extension.and_then(|_| header.rate(0)), limits.rate) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        };
        let order = SendOrder {
            amount: header.amount,
            block: if block == 0 {
                DEFAULT_BLOCK
            } else {
                block.min(1 << 20)
            },
            rate,
            head: Vec::new(),
            silence: Some(LONGEST_SILENCE),
        };
        let meter = StreamMeter::default();
        let before = TcpStatistics::of(stream).unwrap_or_default().retransmits;
        let begin = Instant::now();
        let outcome = self
            .watch(StreamDirection::ToClient, &meter, || {
                send_stream(stream, &order, &meter)
            })
            .unwrap_or(Ok(()));
        let elapsed = begin.elapsed();
        let after = TcpStatistics::of(stream).map(|known| known.retransmits);
        let retransmits = after
            .ok()
            .map(|after| u64::from(after.wrapping_sub(before)));
        let figures = figures_of(
            meter.read(),
            elapsed,
            TransportName::Tcp,
            retransmits,
            false,
        );
        let place = self.place(StreamDirection::ToClient, stream);
        if let Err(error) = outcome.or_else(|error| forgive_early_close(error, header, elapsed)) {
            return Err(if error.kind() == io::ErrorKind::TimedOut {
                TestOutcome::PeerSilent
            } else {
                TestOutcome::PeerVanished
            });
        }
        if header.mode() == TestMode::Reverse {
            wait_for_close(stream);
        }
        Ok(place.with(Some(figures), None))
    }
}

/// The number of the stream of a direction.
pub(super) fn stream_number(direction: StreamDirection) -> u32 {
    u32::from(direction == StreamDirection::ToClient) + 1
}

/// The directions in which a connection or flow of the client is used.
pub(super) fn first_directions(mode: TestMode) -> &'static [StreamDirection] {
    match mode {
        TestMode::Forward | TestMode::Dual | TestMode::Tradeoff => &[StreamDirection::ToServer],
        TestMode::Reverse => &[StreamDirection::ToClient],
        TestMode::FullDuplex => &[StreamDirection::ToServer, StreamDirection::ToClient],
    }
}

/// What a header asks for.
pub(super) fn request_of(header: &ClientHeader) -> TestRequest {
    let (seconds, bytes) = match header.amount {
        TestAmount::Centiseconds(number) => (number / 100, 0),
        TestAmount::Bytes(bytes) => (0, bytes),
    };
    TestRequest {
        reverse: header.mode() == TestMode::Reverse,
        both: header.mode() == TestMode::FullDuplex,
        parallel: header.thread_count,
        block: header.block_length,
        seconds,
        bytes,
        ..TestRequest::default()
    }
}

/// Adds a stream, or the reason why there is none if nothing worse has happened.
pub(super) fn take_stream(summary: &mut TestSummary, stream: Result<StreamSummary, TestOutcome>) {
    match stream {
        Ok(stream) => summary.streams.push(stream),
        Err(outcome) if summary.outcome == TestOutcome::Complete => summary.outcome = outcome,
        Err(_) => {}
    }
}

/// A client that measures for a time closes when its own time is up, which is before ours: it began
/// earlier.
fn forgive_early_close(
    error: io::Error,
    header: &ClientHeader,
    elapsed: Duration,
) -> io::Result<()> {
    let TestAmount::Centiseconds(number) = header.amount else {
        return Err(error);
    };
    let wanted = Duration::from_millis(u64::from(number) * 10);
    let closed = error.kind() != io::ErrorKind::TimedOut;
    if closed && elapsed + Duration::from_millis(500) >= wanted {
        Ok(())
    } else {
        Err(error)
    }
}

/// A client on this machine that waits on the port of the server gets nothing: we would connect to
/// ourselves.
pub(super) fn refuse_ourselves(
    state: &ServerState,
    local: SocketAddr,
    peer: SocketAddr,
) -> Result<(), TestOutcome> {
    let same = local.ip().to_canonical() == peer.ip();
    if same && state.options.ports.contains(&peer.port()) {
        return Err(TestOutcome::Refused(format!(
            "the client on this machine waits on our own port {}; it needs another (-L)",
            peer.port()
        )));
    }
    Ok(())
}

/// Waits until the client has read all and closed, so that nothing is cut off.
fn wait_for_close(mut stream: &TcpStream) {
    let _ = stream.set_read_timeout(Some(LONGEST_SILENCE));
    let mut rest = [0; 4096];
    while stream.read(&mut rest).is_ok_and(|count| count > 0) {}
}
