//! A UDP flow of an iperf 2 client.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admission::ServerState;
use super::iperf2_tcp::{
    first_directions, refuse_ourselves, request_of, stream_number, take_stream,
};
use super::meter_watch::MeterWatch;
use super::{OpenedStream, OpenedTest, ServerEvent};
use crate::engine::{
    DatagramCodec, LONGEST_SILENCE, SocketSettings, StreamMeter, UdpStop, connect_udp, receive_udp,
};
use crate::iperf2_streams::{
    DEFAULT_DATAGRAM, DEFAULT_RATE, SendOrder, StreamPlace, answer_ending, elapsed_of,
    end_datagrams, figures_of, figures_of_report, join_or_stop, new_summary, report_of,
    send_datagrams,
};
use crate::iperf3_streams::silence_limit;
use crate::summary::{
    ProtocolKind, StreamDirection, StreamSummary, TestOutcome, TestSummary, TransportName,
};
use crate::wire::iperf2::{ClientHeader, DatagramShape, TestMode, UpperFlags};

/// Serves a flow of which some datagrams have been read.
pub(super) fn serve(
    state: &Arc<ServerState>,
    socket: &Arc<UdpSocket>,
    peer: SocketAddr,
    shape: DatagramShape,
    datagrams: &[Vec<u8>],
) {
    let local = socket.local_addr().unwrap_or(peer);
    if socket.set_nonblocking(false).is_err() {
        return;
    }
    // Tiny datagrams hold no whole header, and then none is needed.
    let first = datagrams.first().map(Vec::as_slice).unwrap_or_default();
    let header = first
        .get(shape.length()..)
        .and_then(|bytes| ClientHeader::from_wire(bytes).ok())
        .unwrap_or_default();
    let flow = Flow {
        state,
        test: state.next_test(),
        socket,
        peer,
        shape,
        header,
        length: first.len(),
    };
    let place = |direction: &StreamDirection| OpenedStream {
        id: stream_number(*direction),
        direction: *direction,
        local: Some(local),
        peer: Some(peer),
    };
    state.tell(ServerEvent::Opened(Box::new(OpenedTest {
        test: flow.test,
        protocol: ProtocolKind::Iperf2,
        transport: TransportName::Udp,
        local,
        peer,
        request: request_of(&header),
        cookie: None,
        segment_size: None,
        buffers: [0; 2],
        beginning: None,
        streams: first_directions(header.mode()).iter().map(place).collect(),
    })));
    let mut summary = new_summary(TransportName::Udp, local, peer);
    match header.mode() {
        TestMode::Forward => flow.receive(datagrams, &mut summary),
        TestMode::Reverse => {
            let stream = flow.send(socket, false);
            take_stream(&mut summary, stream);
        }
        TestMode::FullDuplex => std::thread::scope(|scope| {
            let sender = scope.spawn(|| flow.send(socket, false));
            flow.receive(datagrams, &mut summary);
            if let Ok(stream) = sender.join() {
                take_stream(&mut summary, stream);
            }
        }),
        TestMode::Dual => std::thread::scope(|scope| {
            let sender = scope.spawn(|| flow.send_back());
            flow.receive(datagrams, &mut summary);
            if let Ok(stream) = sender.join() {
                take_stream(&mut summary, stream);
            }
        }),
        TestMode::Tradeoff => {
            flow.receive(datagrams, &mut summary);
            if summary.outcome == TestOutcome::Complete {
                let stream = flow.send_back();
                take_stream(&mut summary, stream);
            }
        }
    }
    state.finish(flow.test, summary);
}

struct Flow<'a> {
    state: &'a Arc<ServerState>,
    test: u64,
    socket: &'a Arc<UdpSocket>,
    peer: SocketAddr,
    shape: DatagramShape,
    header: ClientHeader,
    length: usize,
}

impl Flow<'_> {
    fn rate(&self) -> u64 {
        let length = u64::try_from(self.length).unwrap_or(0);
        self.header.rate(length).unwrap_or(DEFAULT_RATE).max(1)
    }

    fn receive(&self, datagrams: &[Vec<u8>], summary: &mut TestSummary) {
        let meter = Arc::new(StreamMeter::default());
        let codec = DatagramCodec::Iperf2(self.shape);
        let length = u32::try_from(self.length).unwrap_or(0);
        let silence = silence_limit(length, Some(self.rate()));
        let begin = Instant::now();
        let thread = {
            let (socket, meter) = (self.socket.clone(), meter.clone());
            let first = datagrams.to_vec();
            std::thread::spawn(move || receive_udp(&socket, &codec, Some(silence), &first, &meter))
        };
        let mut watch = self.meter_watch(StreamDirection::ToServer);
        let stop = join_or_stop(thread, &meter, || {
            watch.pass(&meter);
            self.state.is_stopping()
        });
        let stop = match stop {
            Some(Ok(stop)) => stop,
            _ => UdpStop::Asked,
        };
        let elapsed = elapsed_of(stop, begin);
        let reading = meter.read();
        match stop {
            UdpStop::Ended { .. } => {
                let extension = self.header.extension.unwrap_or_default();
                if !extension.upper.has(UpperFlags::NO_UDP_FIN) {
                    answer_ending(self.socket, self.shape, report_of(reading, elapsed));
                }
            }
            UdpStop::Silent { .. } => summary.outcome = TestOutcome::PeerSilent,
            UdpStop::Asked => summary.outcome = TestOutcome::Interrupted,
        }
        let figures = figures_of(reading, elapsed, TransportName::Udp, None, true);
        let place = self.place(StreamDirection::ToServer, self.socket);
        summary.streams.push(place.with(None, Some(figures)));
    }

    fn meter_watch(&self, direction: StreamDirection) -> MeterWatch<'_> {
        let id = stream_number(direction);
        MeterWatch::new(self.state, self.test, id, direction, TransportName::Udp)
    }

    fn place(&self, direction: StreamDirection, socket: &UdpSocket) -> StreamPlace {
        StreamPlace {
            id: stream_number(direction),
            direction,
            local: socket.local_addr().ok(),
            peer: Some(self.peer),
        }
    }

    /// Sends to the port on which the client waits.
    fn send_back(&self) -> Result<StreamSummary, TestOutcome> {
        let peer = SocketAddr::new(self.peer.ip(), self.header.reply_port);
        let ours = self.socket.local_addr();
        if let Ok(ours) = ours {
            refuse_ourselves(self.state, ours, peer)?;
        }
        let local = ours.map(|ours| SocketAddr::new(ours.ip(), 0));
        let socket =
            connect_udp(peer, local.ok(), &SocketSettings::default()).map_err(|error| {
                TestOutcome::Refused(format!("cannot send back to {peer}: {error}"))
            })?;
        self.send(&socket, true)
    }

    fn send(&self, socket: &UdpSocket, wants_report: bool) -> Result<StreamSummary, TestOutcome> {
        let limits = &self.state.options.limits;
        let block = usize::try_from(self.header.block_length).unwrap_or(0);
        let order = SendOrder {
            amount: self.header.amount,
            block: if block == 0 {
                DEFAULT_DATAGRAM
            } else {
                block.clamp(18, 65_507)
            },
            rate: Some(limits.rate.unwrap_or(u64::MAX).min(self.rate())),
            head: Vec::new(),
            silence: Some(LONGEST_SILENCE),
        };
        let meter = StreamMeter::default();
        let begin = Instant::now();
        let mut watch = self.meter_watch(StreamDirection::ToClient);
        let last = std::thread::scope(|scope| {
            let thread = scope.spawn(|| send_datagrams(socket, self.shape, &order, &meter));
            while !thread.is_finished() {
                watch.pass(&meter);
                std::thread::sleep(Duration::from_millis(2));
            }
            thread.join()
        });
        let last = last
            .map_err(|_| TestOutcome::PeerVanished)?
            .map_err(|_| TestOutcome::PeerVanished)?;
        let elapsed = begin.elapsed();
        let report = end_datagrams(socket, self.shape, &order, last, wants_report);
        let figures = figures_of(meter.read(), elapsed, TransportName::Udp, None, false);
        let place = self.place(StreamDirection::ToClient, socket);
        Ok(place.with(Some(figures), report.map(figures_of_report)))
    }
}
