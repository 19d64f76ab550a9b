//! A test with an iperf 2 server. Over TCP it never says what it received, so the time runs until
//! it has acknowledged all.

use std::cell::Cell;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use surefoot_sys::CpuTime;

use super::answer::answer_for;
use super::progress::ProgressWatch;
use super::{ClientError, ClientEvent, ClientOptions, TestLength, TrafficPattern};
use crate::cpu_quota::CpuQuotaWatch;
use crate::engine::{
    ByteBudget, DatagramCodec, LONGEST_SILENCE, RunningStream, SendWaiting, StreamPlan,
    StreamSocket, Wakeup, accept_pending, connect_tcp, connect_udp, has_data, listen_tcp, open_udp,
    wait_for, wait_until_acknowledged, watch_for_death,
};
use crate::iperf2_streams::{
    DEFAULT_BLOCK, DEFAULT_DATAGRAM, OUR_VERSION, SendOrder, answer_ending, end_datagrams,
    figures_of, figures_of_report, report_of,
};
use crate::iperf3_streams::silence_limit;
use crate::summary::{
    ProtocolKind, StreamDirection, StreamSummary, TestOutcome, TestSummary, TrafficFigures,
    TransportName,
};
use crate::wire::iperf2::{
    ClientHeader, DatagramShape, HeaderExtension, HeaderFlags, TestAmount, UpperFlags,
};

const SHAPE: DatagramShape = DatagramShape::Long { wide: true };
/// How long a server may take to close after our last byte.
const CLOSE_TIME: Duration = Duration::from_secs(5);
/// How long a server may take to connect back.
const BACK_TIME: Duration = Duration::from_secs(10);

/// Runs a test.
pub(super) fn run(
    options: &ClientOptions,
    server: SocketAddr,
    tell: &mut dyn FnMut(ClientEvent),
    is_interrupted: &dyn Fn() -> bool,
) -> Result<TestSummary, ClientError> {
    Iperf2Client::new(options, server, is_interrupted)?.run(tell)
}

/// Where the server's traffic comes to, if not to our own connections.
enum ReplyPort {
    None,
    Tcp(TcpListener),
    Udp(UdpSocket),
}

struct Iperf2Client<'a> {
    options: &'a ClientOptions,
    server: SocketAddr,
    block: usize,
    amount: TestAmount,
    reply: ReplyPort,
    wakeup: Arc<Wakeup>,
    begin: Instant,
    is_interrupted: &'a dyn Fn() -> bool,
    was_interrupted: Cell<bool>,
    quota: CpuQuotaWatch,
}

/// Names what was to be done when the system refused.
fn system(what: &'static str) -> impl Fn(io::Error) -> ClientError {
    move |source| ClientError::System { what, source }
}

impl<'a> Iperf2Client<'a> {
    fn new(
        options: &'a ClientOptions,
        server: SocketAddr,
        is_interrupted: &'a dyn Fn() -> bool,
    ) -> Result<Self, ClientError> {
        let default = match options.transport {
            TransportName::Tcp => DEFAULT_BLOCK,
            TransportName::Udp if server.is_ipv6() => DEFAULT_DATAGRAM - 20,
            TransportName::Udp => DEFAULT_DATAGRAM,
        };
        let block = options
            .block
            .map_or(default, |block| usize::try_from(block).unwrap_or(default));
        if !options.omit.is_zero() {
            return Err(ClientError::Impossible(
                "an iperf 2 server has no way to omit the start of a test (-O)".to_owned(),
            ));
        }
        if options.transport == TransportName::Udp && block < 16 {
            return Err(ClientError::Impossible(
                "a datagram of iperf 2 has at least 16 bytes (-l)".to_owned(),
            ));
        }
        let bytes = |bytes: u64| {
            const MOST: u64 = 0x7fff_ffff;
            if bytes > MOST && options.pattern != TrafficPattern::Forward {
                return Err(ClientError::Impossible(format!(
                    "the header of iperf 2 has no room for {bytes} bytes, at most {MOST} (-n)"
                )));
            }
            Ok(TestAmount::Bytes(bytes))
        };
        let amount = match options.length {
            TestLength::Time(time) => {
                TestAmount::Centiseconds(u32::try_from(time.as_millis() / 10).unwrap_or(u32::MAX))
            }
            TestLength::Bytes(number) => bytes(number)?,
            TestLength::Blocks(blocks) => bytes(blocks.saturating_mul(block as u64))?,
        };
        Ok(Self {
            options,
            server,
            block,
            amount,
            reply: reply_port(options, server)?,
            wakeup: Arc::new(Wakeup::new().map_err(system("make a wake-up"))?),
            begin: Instant::now(),
            is_interrupted,
            was_interrupted: Cell::new(false),
            quota: CpuQuotaWatch::start(),
        })
    }

    fn run(mut self, tell: &mut dyn FnMut(ClientEvent)) -> Result<TestSummary, ClientError> {
        let sockets = self.connect()?;
        let known = sockets.first().and_then(StreamSocket::statistics);
        let idle = known.map(|known| known.least_round_trip);
        let idle = idle.filter(|time| *time < u32::MAX);
        self.begin = Instant::now();
        let cpu = CpuTime::of_process().unwrap_or_default();
        let parallel = u32::try_from(sockets.len()).unwrap_or(0);
        let local = |socket: &StreamSocket| socket.local().unwrap_or(self.server);
        tell(ClientEvent::Connected {
            protocol: ProtocolKind::Iperf2,
            server: self.server,
            streams: (1..=parallel).zip(sockets.iter().map(local)).collect(),
            block: u32::try_from(self.block).unwrap_or(0),
            cookie: None,
            segment_size: sockets[0].statistics().map(|known| known.send_segment),
            buffers: sockets[0].buffer_sizes(),
            beginnings: sockets.iter().map(StreamSocket::beginning).collect(),
        });
        let mut streams = Vec::new();
        for socket in &sockets {
            self.start(socket, &mut streams)?;
        }
        let at_once = self.options.pattern == TrafficPattern::BothAtOnce;
        if at_once {
            self.accept_replies(parallel, parallel + 1, &mut streams, tell)?;
        }
        let ids = |streams: &[RunningStream]| -> Vec<u32> {
            (1..=u32::try_from(streams.len()).unwrap_or(0)).collect()
        };
        let interval = self.options.interval;
        let zero = Duration::ZERO;
        let mut watch = ProgressWatch::new(self.begin, zero, interval, ids(&streams), tell);
        let mut waiting = Vec::new();
        let mut summaries = self.watch(&mut streams, &mut watch, &mut waiting)?;
        drop(watch);
        if self.options.pattern == TrafficPattern::InTurns && !self.was_interrupted.get() {
            let mut replies = Vec::new();
            self.accept_replies(parallel, parallel + 1, &mut replies, tell)?;
            self.begin = Instant::now();
            let numbers = (parallel + 1..=2 * parallel).collect();
            let mut watch = ProgressWatch::new(self.begin, zero, interval, numbers, tell);
            summaries.extend(self.watch(&mut replies, &mut watch, &mut Vec::new())?);
        }
        for (place, summary) in summaries.iter_mut().enumerate() {
            summary.id = u32::try_from(place + 1).unwrap_or(u32::MAX);
        }
        let elapsed = self.begin.elapsed().as_secs_f64().max(1e-6);
        let spent = CpuTime::of_process().unwrap_or_default();
        let user = (spent.user.saturating_sub(cpu.user)).as_secs_f64() * 100.0 / elapsed;
        let kernel = (spent.system.saturating_sub(cpu.system)).as_secs_f64() * 100.0 / elapsed;
        let congestion = match sockets.first() {
            Some(StreamSocket::Tcp(stream)) => rustix::net::sockopt::tcp_congestion(&**stream).ok(),
            _ => None,
        };
        let mut summary = TestSummary {
            limiter: None,
            peer_output: None,
            peer_document: None,
            protocol: ProtocolKind::Iperf2,
            transport: self.options.transport,
            local: sockets
                .first()
                .and_then(StreamSocket::local)
                .unwrap_or(self.server),
            peer: self.server,
            title: self.options.title.clone(),
            streams: summaries,
            cpu_percent: [user + kernel, user, kernel],
            peer_cpu_percent: None,
            congestion,
            peer_congestion: None,
            outcome: if self.was_interrupted.get() {
                TestOutcome::Interrupted
            } else {
                TestOutcome::Complete
            },
        };
        summary.limiter = Some(answer_for(
            &summary,
            &waiting,
            self.options,
            idle,
            &self.quota,
        ));
        Ok(summary)
    }

    fn connect(&self) -> Result<Vec<StreamSocket>, ClientError> {
        let settings = self.options.settings();
        let local = self.options.bind.map(|ip| SocketAddr::new(ip, 0));
        let connect = || match self.options.transport {
            TransportName::Tcp => {
                let stream = connect_tcp(self.server, local, &settings, self.options.patience())?;
                watch_for_death(&stream)?;
                Ok(StreamSocket::Tcp(Arc::new(stream)))
            }
            TransportName::Udp => connect_udp(self.server, local, &settings)
                .map(|socket| StreamSocket::Udp(Arc::new(socket))),
        };
        (0..self.options.parallel)
            .map(|_| connect())
            .collect::<io::Result<_>>()
            .map_err(|error| self.refused_or(error))
    }

    fn refused_or(&self, error: io::Error) -> ClientError {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => ClientError::Refused(vec![self.server]),
            io::ErrorKind::TimedOut => ClientError::Unreachable {
                address: self.server,
                why: "no answer".to_owned(),
            },
            _ => ClientError::System {
                what: "connect to the server",
                source: error,
            },
        }
    }

    fn header(&self) -> Vec<u8> {
        let udp = self.options.transport == TransportName::Udp;
        let mut flags = HeaderFlags::EXTEND;
        let mut upper = 0;
        match self.options.pattern {
            TrafficPattern::Forward => {}
            TrafficPattern::Reverse => {
                flags |= HeaderFlags::VERSION2;
                upper |= UpperFlags::REVERSE;
            }
            TrafficPattern::FullDuplex => {
                flags |= HeaderFlags::VERSION2;
                upper |= UpperFlags::FULL_DUPLEX;
            }
            TrafficPattern::BothAtOnce => flags |= HeaderFlags::VERSION1 | HeaderFlags::RUN_NOW,
            TrafficPattern::InTurns => flags |= HeaderFlags::VERSION1,
        }
        if udp {
            flags |= HeaderFlags::WIDE_SEQUENCE;
            if self.options.pattern == TrafficPattern::Reverse {
                flags |= HeaderFlags::UDP_TESTS;
            }
        }
        let rate = self.options.rate_limit();
        if rate.is_some() && !udp {
            upper |= UpperFlags::RATE_IS_SET;
        }
        let reply_port = match &self.reply {
            ReplyPort::None => 0,
            ReplyPort::Tcp(listener) => listener.local_addr().map_or(0, |ours| ours.port()),
            ReplyPort::Udp(socket) => socket.local_addr().map_or(0, |ours| ours.port()),
        };
        let header = ClientHeader {
            flags: HeaderFlags(flags),
            thread_count: self.options.parallel,
            reply_port,
            block_length: self.options.block.unwrap_or(0),
            window_or_rate: 0,
            amount: self.amount,
            extension: Some(HeaderExtension {
                upper: UpperFlags(upper),
                lower: 0,
                version: OUR_VERSION,
                type_of_service: self.options.type_of_service,
                rate: rate.unwrap_or(0),
            }),
        };
        header.to_wire(0, if udp { SHAPE.length() } else { 0 })
    }

    fn plan(&self, head: Vec<u8>) -> StreamPlan {
        let (deadline, budget) = match self.amount {
            TestAmount::Centiseconds(0) => (None, None),
            TestAmount::Centiseconds(number) => (
                Some(self.begin + Duration::from_millis(u64::from(number) * 10)),
                None,
            ),
            TestAmount::Bytes(bytes) => (None, Some(Arc::new(ByteBudget::new(bytes)))),
        };
        let rate = self.options.rate_limit();
        StreamPlan {
            block: self.block,
            rate,
            deadline,
            budget,
            codec: DatagramCodec::Iperf2(SHAPE),
            head,
            copy: self.options.copy,
            segmentation: self.options.segmentation,
            silence: Some(silence_limit(u32::try_from(self.block).unwrap_or(0), rate)),
        }
    }

    /// Starts the threads of a connection.
    fn start(
        &self,
        socket: &StreamSocket,
        streams: &mut Vec<RunningStream>,
    ) -> Result<(), ClientError> {
        let head = self.header();
        let mut spawn = |sends: bool, head: Vec<u8>| {
            let plan = self.plan(head);
            let stream = RunningStream::start(socket.clone(), sends, plan, self.wakeup.clone());
            stream
                .map(|stream| streams.push(stream))
                .map_err(system("start the thread of a stream"))
        };
        match self.options.pattern {
            TrafficPattern::Forward | TrafficPattern::BothAtOnce | TrafficPattern::InTurns => {
                spawn(true, head)
            }
            TrafficPattern::FullDuplex => {
                spawn(true, head)?;
                spawn(false, Vec::new())
            }
            TrafficPattern::Reverse => {
                self.ask_for_traffic(socket, &head)?;
                spawn(false, Vec::new())
            }
        }
    }

    /// Sends the header alone; over UDP again until the server sends.
    fn ask_for_traffic(&self, socket: &StreamSocket, head: &[u8]) -> Result<(), ClientError> {
        match socket {
            StreamSocket::Tcp(stream) => {
                let deadline = Instant::now() + LONGEST_SILENCE;
                crate::engine::write_fully(stream, head, deadline)
                    .map_err(|error| self.refused_or(error))
            }
            StreamSocket::Udp(socket) => {
                let codec = DatagramCodec::Iperf2(SHAPE);
                let mut datagram = vec![0; self.block.max(SHAPE.length() + head.len())];
                datagram[SHAPE.length()..SHAPE.length() + head.len()].copy_from_slice(head);
                for _ in 0..100 {
                    codec.stamp(&mut datagram, 1, codec.clock());
                    socket
                        .send(&datagram)
                        .map_err(|error| self.refused_or(error))?;
                    let came = has_data(&**socket, Duration::from_millis(20));
                    if came.map_err(|error| self.refused_or(error))? {
                        return Ok(());
                    }
                }
                Err(ClientError::Unreachable {
                    address: self.server,
                    why: "no iperf 2 server answers over UDP".to_owned(),
                })
            }
        }
    }

    /// Takes the connections or flows that the server makes back to us.
    fn accept_replies(
        &self,
        count: u32,
        first: u32,
        streams: &mut Vec<RunningStream>,
        tell: &mut dyn FnMut(ClientEvent),
    ) -> Result<(), ClientError> {
        let deadline = Instant::now() + BACK_TIME;
        let mut come = Vec::new();
        while u32::try_from(come.len()).unwrap_or(count) < count {
            let left = deadline.saturating_duration_since(Instant::now());
            let socket = match &self.reply {
                ReplyPort::None => return Ok(()),
                ReplyPort::Tcp(listener) => {
                    has_data(listener, left).map_err(system("wait for the server"))?;
                    let taken = accept_pending(listener).map_err(system("accept"))?;
                    // Nobody else may send to us here.
                    taken
                        .filter(|(_, peer)| peer.ip() == self.server.ip().to_canonical())
                        .map(|(stream, _)| StreamSocket::Tcp(Arc::new(stream)))
                }
                ReplyPort::Udp(socket) => {
                    has_data(socket, left).map_err(system("wait for the server"))?;
                    accept_flow(socket).map_err(system("take a flow"))?
                }
            };
            match socket {
                Some(socket) => come.push(socket),
                None if Instant::now() >= deadline => {
                    return Err(ClientError::Lost {
                        address: self.server,
                        why: "does not connect back; a firewall or NAT may be in its way \
                              (--bidir and -R use our own connections)"
                            .to_owned(),
                    });
                }
                None => {}
            }
        }
        let addresses = (first..).zip(&come).map(|(id, socket)| {
            let local = socket.local().unwrap_or(self.server);
            (id, local, socket.peer().unwrap_or(self.server))
        });
        tell(ClientEvent::ConnectedBack {
            streams: addresses.collect(),
        });
        for socket in come {
            if let StreamSocket::Tcp(stream) = &socket {
                stream
                    .set_nonblocking(false)
                    .map_err(system("set a socket up"))?;
            }
            let plan = self.plan(Vec::new());
            let stream = RunningStream::start(socket, false, plan, self.wakeup.clone())
                .map_err(system("start the thread of a stream"))?;
            streams.push(stream);
        }
        Ok(())
    }

    /// Watches streams until all are done, and sums each up.
    fn watch(
        &self,
        streams: &mut Vec<RunningStream>,
        watch: &mut ProgressWatch<'_>,
        waited: &mut Vec<SendWaiting>,
    ) -> Result<Vec<StreamSummary>, ClientError> {
        let mut ends: Vec<Option<(TrafficFigures, Option<TrafficFigures>)>> =
            streams.iter().map(|_| None).collect();
        while ends.iter().any(Option::is_none) {
            let mut waiting = [PollFd::new(&self.wakeup, PollFlags::IN)];
            wait_for(&mut waiting, Some(watch.patience())).map_err(system("wait for the test"))?;
            self.wakeup.silence();
            watch.pass(streams);
            if (self.is_interrupted)() {
                // Each ends as at the end of its time.
                self.was_interrupted.set(true);
                for stream in streams.iter() {
                    stream.request_stop();
                }
            }
            for (place, end) in ends.iter_mut().enumerate() {
                if end.is_none() && streams[place].is_finished() {
                    waited.extend(streams[place].waiting());
                    *end = Some(self.conclude(&streams[place])?);
                }
            }
        }
        watch.finish(streams);
        let summaries = streams.iter().zip(ends).map(|(stream, end)| {
            let (ours, theirs) = end.unwrap_or_default();
            let direction = if stream.sends {
                StreamDirection::ToServer
            } else {
                StreamDirection::ToClient
            };
            StreamSummary {
                id: 0,
                direction,
                local: stream.socket.local(),
                peer: stream.socket.peer().or(Some(self.server)),
                sent: if stream.sends { Some(ours) } else { theirs },
                received: if stream.sends { theirs } else { Some(ours) },
            }
        });
        let summaries = summaries.collect();
        streams.clear();
        Ok(summaries)
    }

    /// Ends a stream whose thread is done.
    fn conclude(
        &self,
        stream: &RunningStream,
    ) -> Result<(TrafficFigures, Option<TrafficFigures>), ClientError> {
        if let Some((kind, why)) = stream.failure() {
            return Err(self.stream_error(kind, &why));
        }
        let transport = self.options.transport;
        let mut theirs = None;
        let mut elapsed = self.begin.elapsed();
        match (&stream.socket, stream.sends) {
            (StreamSocket::Tcp(socket), true) => {
                stream.shut_down(Shutdown::Write);
                wait_until_acknowledged(std::slice::from_ref(stream), CLOSE_TIME);
                elapsed = self.begin.elapsed();
                // Its FIN says that the server has read all. On a connection of both directions the
                // thread that receives sees it; where the server connects back it comes when all is
                // over.
                let late = [
                    TrafficPattern::FullDuplex,
                    TrafficPattern::BothAtOnce,
                    TrafficPattern::InTurns,
                ];
                if !late.contains(&self.options.pattern) {
                    let meter = crate::engine::StreamMeter::default();
                    let end = crate::engine::receive_tcp(socket, false, Some(CLOSE_TIME), &meter);
                    let is_reset =
                        end.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset);
                    // What a server takes to the end it acknowledges; one that turns us away resets.
                    if is_reset && stream.read_at_end().bytes < stream.read().bytes {
                        return Err(
                            self.stream_error(io::ErrorKind::ConnectionReset, "it is reset")
                        );
                    }
                }
            }
            (StreamSocket::Tcp(_), false) => {
                // Other streams may have been concluded in the meantime.
                let last = stream.meter.last_counted();
                elapsed = last.saturating_duration_since(self.begin);
            }
            (StreamSocket::Udp(socket), true) => {
                let order = SendOrder {
                    amount: self.amount,
                    block: self.block,
                    rate: None,
                    head: self.header(),
                    silence: None,
                };
                let last = i64::try_from(stream.read().packets).unwrap_or(0);
                theirs = end_datagrams(socket, SHAPE, &order, last, true).map(figures_of_report);
            }
            (StreamSocket::Udp(socket), false) => {
                if self.options.pattern != TrafficPattern::Reverse {
                    answer_ending(socket, SHAPE, report_of(stream.read(), elapsed));
                }
            }
        }
        let retransmits = if stream.sends {
            stream.retransmits()
        } else {
            None
        };
        let ours = figures_of(
            stream.read_at_end(),
            elapsed,
            transport,
            retransmits,
            !stream.sends,
        );
        Ok((ours, theirs))
    }

    fn stream_error(&self, kind: io::ErrorKind, why: &str) -> ClientError {
        match kind {
            io::ErrorKind::ConnectionRefused => ClientError::Refused(vec![self.server]),
            io::ErrorKind::TimedOut => ClientError::Lost {
                address: self.server,
                why: "says nothing any more".to_owned(),
            },
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => ClientError::Lost {
                address: self.server,
                why: "closed the connection".to_owned(),
            },
            _ => ClientError::System {
                what: "move data",
                source: io::Error::new(kind, why.to_owned()),
            },
        }
    }
}

/// One socket takes one flow: it is connected to the first sender.
fn accept_flow(socket: &UdpSocket) -> io::Result<Option<StreamSocket>> {
    let mut first = [0; 1];
    let Ok((_, peer)) = socket.peek_from(&mut first) else {
        return Ok(None);
    };
    let flow = socket.try_clone()?;
    flow.connect(peer)?;
    flow.set_nonblocking(false)?;
    Ok(Some(StreamSocket::Udp(Arc::new(flow))))
}

/// A port for the server to connect back to.
fn reply_port(options: &ClientOptions, server: SocketAddr) -> Result<ReplyPort, ClientError> {
    let back = [TrafficPattern::BothAtOnce, TrafficPattern::InTurns];
    if !back.contains(&options.pattern) {
        return Ok(ReplyPort::None);
    }
    let any = options.bind.unwrap_or(match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    });
    // A port that is taken, perhaps by the server on this machine, is no obstacle: the server is told
    // which one it is.
    let listen = || {
        let asked = options.reply_port.unwrap_or(0);
        listen_tcp(SocketAddr::new(any, asked), true)
            .or_else(|_| listen_tcp(SocketAddr::new(any, 0), true))
    };
    let open = || {
        let asked = options.reply_port.unwrap_or(0);
        open_udp(SocketAddr::new(any, asked), true)
            .or_else(|_| open_udp(SocketAddr::new(any, 0), true))
    };
    let made = match options.transport {
        TransportName::Tcp => listen().map(ReplyPort::Tcp),
        TransportName::Udp if options.parallel > 1 => {
            return Err(ClientError::Impossible(
                "traffic back from an iperf 2 server over UDP is for one stream; leave -P out or use -R"
                    .to_owned(),
            ));
        }
        TransportName::Udp => open().map(ReplyPort::Udp),
    };
    made.map_err(system("listen for the server's traffic"))
}
