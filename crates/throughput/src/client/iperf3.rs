//! A test with an iperf3 server.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::answer::answer_for;
use super::progress::ProgressWatch;
use super::{ClientError, ClientEvent, ClientOptions, TestLength, TrafficPattern};
use crate::cpu_quota::CpuQuotaWatch;
use crate::engine::{
    ByteBudget, LONGEST_SILENCE, PATIENCE, RunningStream, SendersStop, StreamPlan, StreamSocket,
    Wakeup, connect_tcp, connect_udp, has_data, is_timeout, read_exactly, stop_senders, wait_for,
    wait_until_acknowledged, watch_for_death, write_fully,
};
use crate::iperf3_streams::{
    ControlError, FinishedStreams, TestClock, codec_of, results_of, silence_limit, stream_summaries,
};
use crate::summary::{ProtocolKind, TestOutcome, TestSummary, TransportName};
use crate::wire::iperf3::{
    ControlState, Cookie, HELLO, ServerFault, TestParameters, TestResults, TransportKind,
    frame_document, is_reply, read_document_length, stream_id,
};

/// The longest document of results, with the server's output in it.
const LONGEST_RESULTS: usize = 64 << 20;
/// How long the server may take between the states of a test.
const SERVER_TIME: Duration = Duration::from_secs(10);
/// How long our last bytes may take to arrive before we say that the test is over.
const FLUSH_TIME: Duration = Duration::from_secs(1);
/// How long the server's answer to a hello may take; then it is said again.
const HELLO_TIME: Duration = Duration::from_secs(1);
/// How often a hello is said.
const HELLOS: usize = 5;
/// How often it may be refused, and how long to wait then.
const MOST_REFUSALS: usize = 50;
const REFUSAL_PAUSE: Duration = Duration::from_millis(20);

/// A client of an iperf3 server.
pub(super) struct Iperf3Client<'a> {
    options: &'a ClientOptions,
    server: SocketAddr,
    cookie: Cookie,
    pattern: TrafficPattern,
    is_interrupted: &'a dyn Fn() -> bool,
    quota: CpuQuotaWatch,
}

impl<'a> Iperf3Client<'a> {
    pub(super) fn new(
        options: &'a ClientOptions,
        server: SocketAddr,
        cookie: Cookie,
        pattern: TrafficPattern,
        is_interrupted: &'a dyn Fn() -> bool,
    ) -> Self {
        Self {
            options,
            server,
            cookie,
            pattern,
            is_interrupted,
            quota: CpuQuotaWatch::start(),
        }
    }

    /// Runs the test over a connection, on which the server may have the cookie already.
    pub(super) fn run(
        &self,
        control: TcpStream,
        greeted: bool,
        tell: &mut dyn FnMut(ClientEvent),
    ) -> Result<TestSummary, ClientError> {
        if let TestLength::Time(time) = self.options.length
            && time.subsec_nanos() > 0
        {
            return Err(ClientError::Impossible(
                "iperf3 measures whole seconds only (-t)".to_owned(),
            ));
        }
        let session = ControlSession {
            control,
            server: self.server,
            is_interrupted: self.is_interrupted,
        };
        if !greeted {
            session.write(&self.cookie.to_wire())?;
        }
        if session.is_closed_at_once()? {
            return Err(ClientError::Closed(self.server));
        }
        session.expect(ControlState::ParameterExchange)?;
        let parameters = self.parameters(&session.control);
        // Nothing of the test is on its way yet.
        let idle = surefoot_sys::TcpStatistics::of(&session.control);
        let idle = idle.ok().map(|known| known.least_round_trip);
        let idle = idle.filter(|time| *time < u32::MAX);
        session.write(&frame_document(&parameters.to_json()))?;
        session.expect(ControlState::CreateStreams)?;
        let sockets = self.create_streams(&parameters)?;
        session.expect(ControlState::TestStart)?;
        session.expect(ControlState::TestRunning)?;
        let count = u32::try_from(sockets.len()).unwrap_or(0);
        let ids: Vec<u32> = (0..count).map(stream_id).collect();
        let local = |socket: &StreamSocket| socket.local().unwrap_or(self.server);
        tell(ClientEvent::Connected {
            protocol: ProtocolKind::Iperf3,
            server: self.server,
            streams: ids.iter().copied().zip(sockets.iter().map(local)).collect(),
            block: parameters.block_length,
            cookie: Some(self.cookie.to_string()),
            segment_size: sockets[0].statistics().map(|known| known.send_segment),
            buffers: sockets[0].buffer_sizes(),
            beginnings: sockets.iter().map(StreamSocket::beginning).collect(),
        });
        self.measure(&session, sockets, &parameters, (ids, idle), tell)
    }

    fn parameters(&self, control: &TcpStream) -> TestParameters {
        let options = self.options;
        let transport = match options.transport {
            TransportName::Tcp => TransportKind::Tcp,
            TransportName::Udp => TransportKind::Udp,
        };
        let block = options.block.unwrap_or_else(|| match transport {
            TransportKind::Tcp => 128 * 1024,
            TransportKind::Udp if options.steady_datagrams => {
                default_datagram(control).min(steady_datagram(options.rate_limit()))
            }
            TransportKind::Udp => default_datagram(control),
        });
        let (time, bytes, blocks) = match options.length {
            TestLength::Time(time) => (u32::try_from(time.as_secs()).unwrap_or(u32::MAX), 0, 0),
            TestLength::Bytes(bytes) => (0, bytes, 0),
            TestLength::Blocks(blocks) => (0, 0, blocks),
        };
        TestParameters {
            transport,
            omit: u32::try_from(options.omit.as_secs()).unwrap_or(0),
            time,
            bytes,
            blocks,
            segment_size: options.segment_size.unwrap_or(0),
            no_delay: options.no_delay,
            parallel: options.parallel,
            reverse: self.pattern == TrafficPattern::Reverse,
            bidirectional: self.pattern == TrafficPattern::BothAtOnce,
            window: options.window.unwrap_or(0),
            block_length: block,
            bandwidth: options.rate_limit().unwrap_or(0),
            pacing_rate: options.pacing_rate.unwrap_or(0),
            pacing_timer: 1000,
            burst: options.burst,
            type_of_service: u32::from(options.type_of_service),
            title: options.title.clone(),
            congestion: options.congestion.clone(),
            wants_server_output: options.wants_server_output,
            wide_counters: options.wide_counters && transport == TransportKind::Udp,
            repeating_payload: false,
            dont_fragment: options.dont_fragment,
            skip_receive_copy: !options.copy && transport == TransportKind::Tcp,
            // The reference shows the number to people and decides nothing by it.
            client_version: Some(format!("surefoot {}", env!("CARGO_PKG_VERSION"))),
        }
    }

    fn create_streams(
        &self,
        parameters: &TestParameters,
    ) -> Result<Vec<StreamSocket>, ClientError> {
        let directions = if parameters.bidirectional { 2 } else { 1 };
        let settings = self.options.settings();
        let mut sockets = Vec::new();
        for number in 0..parameters.parallel * directions {
            let local = self
                .options
                .bind
                .or(self.options.client_port.map(|_| match self.server {
                    SocketAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
                }));
            let port = self.options.client_port.map_or(0, |port| {
                port.saturating_add(u16::try_from(number).unwrap_or(u16::MAX))
            });
            let local = local.map(|ip| SocketAddr::new(ip, port));
            let made = match parameters.transport {
                TransportKind::Tcp => self.create_tcp(local, &settings),
                TransportKind::Udp => connect_udp(self.server, local, &settings)
                    .and_then(|socket| say_hello(&socket).map(|()| socket))
                    .map(|socket| StreamSocket::Udp(Arc::new(socket))),
            };
            sockets.push(made.map_err(|source| ClientError::System {
                what: "make a stream to the server",
                source,
            })?);
        }
        Ok(sockets)
    }

    fn create_tcp(
        &self,
        local: Option<SocketAddr>,
        settings: &crate::engine::SocketSettings,
    ) -> io::Result<StreamSocket> {
        let stream = connect_tcp(self.server, local, settings, self.options.patience())?;
        watch_for_death(&stream)?;
        write_fully(
            &stream,
            &self.cookie.to_wire(),
            Instant::now() + LONGEST_SILENCE,
        )?;
        Ok(StreamSocket::Tcp(Arc::new(stream)))
    }

    fn measure(
        &self,
        session: &ControlSession<'_>,
        sockets: Vec<StreamSocket>,
        parameters: &TestParameters,
        (ids, idle): (Vec<u32>, Option<u32>),
        tell: &mut dyn FnMut(ClientEvent),
    ) -> Result<TestSummary, ClientError> {
        let wakeup = Arc::new(Wakeup::new().map_err(|source| ClientError::System {
            what: "make a wake-up",
            source,
        })?);
        let sending = match (parameters.bidirectional, parameters.reverse) {
            (true, _) => sockets.len() / 2,
            (false, true) => 0,
            (false, false) => sockets.len(),
        };
        let begin = Instant::now();
        let until = self.ends_at(begin);
        let wanted = match self.options.length {
            TestLength::Time(_) => None,
            TestLength::Bytes(bytes) => Some(bytes),
            TestLength::Blocks(blocks) => {
                Some(blocks.saturating_mul(u64::from(parameters.block_length)))
            }
        };
        let budget = wanted.map(|bytes| Arc::new(ByteBudget::new(bytes)));
        let mut streams = Vec::with_capacity(sockets.len());
        for (place, socket) in sockets.into_iter().enumerate() {
            let sends = place < sending;
            let rate = self.options.rate_limit();
            let plan = StreamPlan {
                block: usize::try_from(parameters.block_length).unwrap_or(1),
                rate,
                deadline: until,
                budget: budget.clone().filter(|_| sends),
                codec: codec_of(parameters),
                head: Vec::new(),
                copy: self.options.copy,
                segmentation: self.options.segmentation,
                silence: (sends || parameters.transport == TransportKind::Tcp)
                    .then(|| silence_limit(parameters.block_length, rate)),
            };
            let stream = RunningStream::start(socket, sends, plan, wakeup.clone());
            streams.push(stream.map_err(|source| ClientError::System {
                what: "start the thread of a stream",
                source,
            })?);
        }
        let time = match self.options.length {
            TestLength::Time(time) => Some(time),
            TestLength::Bytes(_) | TestLength::Blocks(_) => None,
        };
        let mut clock = TestClock::new(begin, self.options.omit, time);
        let mut watch =
            ProgressWatch::new(begin, self.options.omit, self.options.interval, ids, tell);
        let end = session.run_test(&streams, &wakeup, &mut clock, &mut watch, until, wanted)?;
        clock.note_waiting(&streams);
        stop_senders(&streams, false);
        if wanted.is_some() {
            wait_until_acknowledged(&streams, FLUSH_TIME);
            clock.end(&streams, true);
        } else {
            let stopped = SendersStop::now(&streams);
            stopped.wait_until_arrived(&streams, FLUSH_TIME);
            clock.end_senders(&streams, &stopped);
        }
        if end == RunEnd::Interrupted {
            return Ok(self.cut_off(session, streams, &mut clock, &mut watch, idle));
        }
        // A server that reads its connections in turns counts what it has read when this comes.
        std::thread::sleep(Duration::from_millis(1));
        session.say(ControlState::TestEnd)?;
        session.expect(ControlState::ExchangeResults)?;
        // The server has closed its ends; what is on its way still counts.
        for stream in streams.iter().filter(|stream| !stream.sends) {
            if let StreamSocket::Tcp(socket) = &stream.socket {
                crate::engine::drain_tcp(socket, None, FLUSH_TIME, &stream.meter);
            }
        }
        clock.end(&streams, false);
        watch.finish(&streams);
        for stream in &streams {
            stream.request_stop();
            stream.shut_down(Shutdown::Both);
        }
        let finished = clock.collect(&mut streams);
        let theirs = session.exchange_results(&results_of(&finished))?;
        Ok(self.summary(session, finished, Some(theirs), idle))
    }

    /// Ends a test that was interrupted, and sums up what we counted ourselves.
    fn cut_off(
        &self,
        session: &ControlSession<'_>,
        mut streams: Vec<RunningStream>,
        clock: &mut TestClock,
        watch: &mut ProgressWatch<'_>,
        idle: Option<u32>,
    ) -> TestSummary {
        clock.end(&streams, false);
        watch.finish(&streams);
        // The server may be gone; nothing more is asked of it.
        let _ = session.say(ControlState::ClientTerminate);
        for stream in &streams {
            stream.request_stop();
            stream.shut_down(Shutdown::Both);
        }
        let finished = clock.collect(&mut streams);
        self.summary(session, finished, None, idle)
    }

    /// Sums a test up, with the server's results if it was asked for them.
    fn summary(
        &self,
        session: &ControlSession<'_>,
        finished: FinishedStreams,
        theirs: Option<TestResults>,
        idle: Option<u32>,
    ) -> TestSummary {
        let streams = stream_summaries(&finished, theirs.as_ref(), true);
        let outcome = match theirs {
            Some(_) => TestOutcome::Complete,
            None => TestOutcome::Interrupted,
        };
        let peer_cpu_percent = theirs.as_ref().map(|theirs| theirs.cpu_percent);
        let (output, document, congestion) = theirs.map_or((None, None, None), |theirs| {
            (
                theirs.server_output_text,
                theirs.server_output_json,
                theirs.congestion,
            )
        });
        let mut summary = TestSummary {
            limiter: None,
            peer_output: output,
            peer_document: document,
            protocol: ProtocolKind::Iperf3,
            transport: self.options.transport,
            local: session.control.local_addr().unwrap_or(self.server),
            peer: self.server,
            title: self.options.title.clone(),
            streams,
            cpu_percent: finished.cpu_percent,
            peer_cpu_percent,
            congestion: finished.congestion,
            peer_congestion: congestion,
            outcome,
        };
        let waiting = &finished.waiting;
        summary.limiter = Some(answer_for(
            &summary,
            waiting,
            self.options,
            idle,
            &self.quota,
        ));
        summary
    }

    fn ends_at(&self, begin: Instant) -> Option<Instant> {
        match self.options.length {
            TestLength::Time(time) if !time.is_zero() => Some(begin + self.options.omit + time),
            _ => None,
        }
    }
}

/// The payload of a datagram that fills a packet of the path.
fn default_datagram(control: &TcpStream) -> u32 {
    const USUAL: u32 = 1460;
    match surefoot_sys::TcpStatistics::of(control) {
        Ok(known) if known.send_segment >= 536 => known.send_segment.min(65_507),
        _ => USUAL,
    }
}

/// The payload of which a rate sends some eighty a second: with fewer, a test that is a part of a datagram
/// longer is a rate that is not kept. What fits into a packet of Ethernet is never too large.
fn steady_datagram(rate: Option<u64>) -> u32 {
    const ETHERNET: u64 = 1460;
    const A_SECOND: u64 = 80;
    let steady = rate.map_or(u64::MAX, |rate| rate / 8 / A_SECOND);
    u32::try_from(steady.max(ETHERNET)).unwrap_or(u32::MAX)
}

/// Opens a UDP stream.
fn say_hello(socket: &UdpSocket) -> io::Result<()> {
    let mut answer = vec![0; 65_536];
    let mut refusals = 0;
    let mut silences = 0;
    while silences < HELLOS {
        match hear_reply(socket, &mut answer) {
            Ok(true) => return Ok(()),
            Ok(false) => silences += 1,
            // A server that has connected its socket to one stream opens the port anew for the next,
            // and some are not quick about it. What was refused has not been heard.
            Err(error)
                if error.kind() == io::ErrorKind::ConnectionRefused && refusals < MOST_REFUSALS =>
            {
                refusals += 1;
                std::thread::sleep(REFUSAL_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        "the server does not answer over UDP; a firewall may drop it",
    ))
}

/// Says hello and waits for the reply.
fn hear_reply(socket: &UdpSocket, answer: &mut [u8]) -> io::Result<bool> {
    socket.send(&HELLO)?;
    let end = Instant::now() + HELLO_TIME;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || !has_data(socket, left)? {
            return Ok(false);
        }
        let length = match socket.recv(answer) {
            Ok(length) => length,
            Err(error) if is_timeout(&error) => return Ok(false),
            Err(error) => return Err(error),
        };
        if is_reply(&answer[..length]) {
            return Ok(true);
        }
    }
}

/// The control connection.
struct ControlSession<'a> {
    control: TcpStream,
    server: SocketAddr,
    is_interrupted: &'a dyn Fn() -> bool,
}

/// Why streams do not run any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunEnd {
    /// The test is over.
    Over,
    /// It was interrupted here.
    Interrupted,
}

impl ControlSession<'_> {
    fn write(&self, bytes: &[u8]) -> Result<(), ClientError> {
        let outcome = write_fully(&self.control, bytes, Instant::now() + SERVER_TIME);
        // A server that refuses may close before it has read all; what it says comes first.
        match outcome {
            Err(error) if is_timeout(&error) => Err(self.lost(&error.into())),
            Err(_) | Ok(()) => Ok(()),
        }
    }

    fn say(&self, state: ControlState) -> Result<(), ClientError> {
        self.write(&[state.to_byte()])
    }

    /// Whether the first that comes from the server is the end. A server that says nothing is not waited for
    /// any longer.
    fn is_closed_at_once(&self) -> Result<bool, ClientError> {
        match has_data(&self.control, SERVER_TIME) {
            Ok(false) => Err(self.lost(&ControlError::Silent)),
            Ok(true) => Ok(self
                .control
                .peek(&mut [0])
                .map_or(true, |length| length == 0)),
            Err(_) => Ok(false),
        }
    }

    fn lost(&self, error: &ControlError) -> ClientError {
        ClientError::Lost {
            address: self.server,
            why: match error {
                ControlError::Silent => "says nothing any more".to_owned(),
                ControlError::Closed => "closed the connection".to_owned(),
                ControlError::Odd(what) => format!("sent {what}"),
            },
        }
    }

    /// Waits for a state.
    fn expect(&self, state: ControlState) -> Result<(), ClientError> {
        let came = self.read_state(Instant::now() + SERVER_TIME)?;
        if came == state {
            return Ok(());
        }
        let odd = ControlError::Odd(format!("{came:?} where {state:?} was due"));
        Err(self.lost(&odd))
    }

    /// Reads a state; those that end a test are errors.
    fn read_state(&self, deadline: Instant) -> Result<ControlState, ClientError> {
        let mut byte = [0];
        let lost = |error: io::Error| self.lost(&error.into());
        read_exactly(&self.control, &mut byte, deadline).map_err(lost)?;
        match ControlState::from_byte(byte[0]) {
            Some(ControlState::AccessDenied) => Err(ClientError::Busy(self.server)),
            Some(ControlState::ServerTerminate) => Err(ClientError::Interrupted(self.server)),
            Some(ControlState::ServerError) => {
                let mut fault = [0; ServerFault::LENGTH];
                read_exactly(&self.control, &mut fault, deadline).map_err(lost)?;
                let unknown = ServerFault { code: 0, errno: 0 };
                Err(ClientError::Fault {
                    address: self.server,
                    fault: ServerFault::from_wire(&fault).unwrap_or(unknown),
                })
            }
            Some(state) => Ok(state),
            None => Err(self.lost(&ControlError::Odd(format!(
                "the byte {}, which is of no iperf3 server",
                byte[0]
            )))),
        }
    }

    /// Lets the streams run until the time is up or the bytes are there.
    fn run_test(
        &self,
        streams: &[RunningStream],
        wakeup: &Wakeup,
        clock: &mut TestClock,
        watch: &mut ProgressWatch<'_>,
        until: Option<Instant>,
        wanted: Option<u64>,
    ) -> Result<RunEnd, ClientError> {
        loop {
            if (self.is_interrupted)() {
                return Ok(RunEnd::Interrupted);
            }
            let left = until.map(|end| end.saturating_duration_since(Instant::now()));
            let patience = watch
                .patience()
                .min(clock.patience())
                .min(left.unwrap_or(PATIENCE));
            let mut waiting = [
                PollFd::new(&self.control, PollFlags::IN),
                PollFd::new(wakeup, PollFlags::IN),
            ];
            wait_for(&mut waiting, Some(patience)).map_err(|source| ClientError::System {
                what: "wait for the test",
                source,
            })?;
            let said = !waiting[0].revents().is_empty();
            wakeup.silence();
            clock.pass(streams);
            watch.pass(streams);
            if said {
                let state = self.read_state(Instant::now() + PATIENCE)?;
                return Err(self.lost(&ControlError::Odd(format!("{state:?} during the test"))));
            }
            if until.is_some_and(|end| Instant::now() >= end) {
                return Ok(RunEnd::Over);
            }
            if let Some(wanted) = wanted {
                let sum = |sends: bool| -> u64 {
                    let these = streams.iter().filter(|stream| stream.sends == sends);
                    these.map(|stream| stream.read().bytes).sum()
                };
                if sum(true) >= wanted || sum(false) >= wanted {
                    return Ok(RunEnd::Over);
                }
            }
            if !streams.is_empty() && streams.iter().all(|stream| stream.failure().is_some()) {
                let (kind, why) = streams[0]
                    .failure()
                    .unwrap_or((io::ErrorKind::Other, String::new()));
                return Err(ClientError::System {
                    what: "move data",
                    source: io::Error::new(kind, why),
                });
            }
        }
    }

    fn exchange_results(&self, ours: &TestResults) -> Result<TestResults, ClientError> {
        self.write(&frame_document(&ours.to_json()))?;
        let deadline = Instant::now() + SERVER_TIME;
        let lost = |error: io::Error| self.lost(&error.into());
        let mut length = [0; 4];
        read_exactly(&self.control, &mut length, deadline).map_err(lost)?;
        let length = read_document_length(&length).unwrap_or(usize::MAX);
        if length > LONGEST_RESULTS {
            return Err(self.lost(&ControlError::Odd(format!("results of {length} bytes"))));
        }
        let mut document = vec![0; length];
        read_exactly(&self.control, &mut document, deadline).map_err(lost)?;
        let theirs = TestResults::from_json(&document)
            .map_err(|error| self.lost(&ControlError::Odd(error.to_string())))?;
        self.expect(ControlState::DisplayResults)?;
        self.say(ControlState::Done)?;
        Ok(theirs)
    }
}
