//! A test of an iperf3 client, from its cookie to its end.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::admission::ServerState;
use super::{OpenedStream, OpenedTest, ServerEvent, TestRequest};
use crate::client::{ClientEvent, ProgressWatch};
use crate::engine::{
    ByteBudget, LONGEST_SILENCE, PATIENCE, RunningStream, SocketSettings, StreamPlan, StreamSocket,
    Wakeup, drain_tcp, has_data, prepare_tcp, prepare_udp, read_exactly, stop_senders, wait_for,
    write_fully,
};
use crate::imitation::{Iperf3Lines, UnitLetter};
use crate::iperf3_streams::{self, ControlError, results_of, stream_summaries};
use crate::summary::{ProtocolKind, StreamDirection, TestOutcome, TestSummary, TransportName};
use crate::wire::iperf3::{
    ControlState, Cookie, ServerFault, TestParameters, TestResults, TransportKind, frame_document,
    read_document_length, stream_id,
};

/// The longest document of parameters, as the reference has it.
const LONGEST_PARAMETERS: usize = 8192;
/// The longest document of results: 256 streams of long numbers, and the client's wish to repeat
/// itself.
const LONGEST_RESULTS: usize = 1 << 20;
/// How much longer than asked a test may take before the server ends it.
const GRACE: Duration = Duration::from_secs(5);

/// Serves a control connection.
pub(super) fn serve(
    state: &Arc<ServerState>,
    control: TcpStream,
    peer: SocketAddr,
    cookie: Cookie,
) {
    let local = control.local_addr().unwrap_or(peer);
    // States are single bytes; without this each would wait for the acknowledgement of the last.
    let _ = control.set_nodelay(true);
    let mut session = Session {
        state,
        control,
        peer,
        local,
        cookie,
        test: state.next_test(),
        parameters: None,
    };
    let Some((arrivals, _expectation)) = state.expect_streams(cookie) else {
        let _ = session.say(ControlState::AccessDenied);
        return;
    };
    match session.run(&arrivals) {
        Ok(summary) => state.finish(session.test, summary),
        Err(SessionEnd::Nothing(outcome)) => state.tell(ServerEvent::TurnedAway {
            peer,
            why: describe(&outcome).to_owned(),
        }),
        Err(SessionEnd::Refused(code, why)) => {
            session.refuse(code);
            state.tell(ServerEvent::TurnedAway { peer, why });
        }
    }
}

fn describe(outcome: &TestOutcome) -> &str {
    match outcome {
        TestOutcome::Complete => "it ended",
        TestOutcome::PeerVanished => "the client went away before the test began",
        TestOutcome::PeerSilent => "the client fell silent before the test began",
        TestOutcome::PeerInterrupted => "the client was interrupted before the test began",
        TestOutcome::Interrupted => "the server was interrupted before the test began",
        TestOutcome::Refused(why) => why,
    }
}

/// Why there is no test to sum up.
enum SessionEnd {
    /// The client ended it, one way or another.
    Nothing(TestOutcome),
    /// We refuse, with the number that the client shows and our words.
    Refused(i32, String),
}

impl From<ControlError> for SessionEnd {
    fn from(error: ControlError) -> Self {
        Self::Nothing(outcome_of(&error))
    }
}

fn outcome_of(error: &ControlError) -> TestOutcome {
    match error {
        ControlError::Silent => TestOutcome::PeerSilent,
        ControlError::Closed => TestOutcome::PeerVanished,
        ControlError::Odd(why) => TestOutcome::Refused(why.clone()),
    }
}

struct Session<'a> {
    state: &'a Arc<ServerState>,
    control: TcpStream,
    peer: SocketAddr,
    local: SocketAddr,
    cookie: Cookie,
    test: u64,
    parameters: Option<TestParameters>,
}

impl Session<'_> {
    fn run(
        &mut self,
        arrivals: &Receiver<super::admission::ArrivedStream>,
    ) -> Result<TestSummary, SessionEnd> {
        self.say(ControlState::ParameterExchange)?;
        let document = self.read_document(LONGEST_PARAMETERS)?;
        let parameters = TestParameters::from_json(&document)
            .map_err(|error| SessionEnd::Refused(ServerFault::PARAMETERS, error.to_string()))?;
        self.check_limits(&parameters)?;
        self.parameters = Some(parameters.clone());
        let directions = if parameters.bidirectional { 2 } else { 1 };
        let count = usize::try_from(parameters.parallel).unwrap_or(1) * directions;
        let Some(_room) = self.state.take_room(count) else {
            let _ = self.say(ControlState::AccessDenied);
            let why = "there is no room for so many streams".to_owned();
            return Err(SessionEnd::Nothing(TestOutcome::Refused(why)));
        };
        let sockets = match parameters.transport {
            TransportKind::Tcp => {
                self.say(ControlState::CreateStreams)?;
                self.collect_streams(arrivals, count)?
            }
            TransportKind::Udp => self.collect_flows(count)?,
        };
        self.apply_settings(&sockets, &parameters)?;
        let opened = self.opened(&sockets, &parameters);
        self.state
            .tell(ServerEvent::Opened(Box::new(opened.clone())));
        self.say(ControlState::TestStart)?;
        self.measure(sockets, &parameters, &opened)
    }

    fn opened(&self, sockets: &[StreamSocket], parameters: &TestParameters) -> OpenedTest {
        let receiving = receiving_streams(sockets.len(), parameters);
        let streams = (0..).zip(sockets).map(|(place, socket)| OpenedStream {
            id: stream_id(place),
            direction: if usize::try_from(place).unwrap_or(usize::MAX) >= receiving {
                StreamDirection::ToClient
            } else {
                StreamDirection::ToServer
            },
            local: socket.local(),
            peer: socket.peer(),
        });
        let first = sockets.first();
        OpenedTest {
            test: self.test,
            protocol: ProtocolKind::Iperf3,
            transport: transport_of(parameters),
            local: self.local,
            peer: self.peer,
            request: TestRequest {
                reverse: parameters.reverse,
                both: parameters.bidirectional,
                parallel: parameters.parallel,
                block: parameters.block_length,
                omit: parameters.omit,
                seconds: parameters.time,
                bytes: parameters.bytes,
                blocks: parameters.blocks,
                rate: parameters.bandwidth,
                window: parameters.window,
                type_of_service: parameters.type_of_service,
            },
            cookie: Some(self.cookie.to_string()),
            segment_size: first
                .and_then(StreamSocket::statistics)
                .map(|known| known.send_segment),
            buffers: first.map(StreamSocket::buffer_sizes).unwrap_or_default(),
            beginning: first.and_then(StreamSocket::beginning),
            streams: streams.collect(),
        }
    }

    fn say(&self, state: ControlState) -> Result<(), ControlError> {
        let deadline = Instant::now() + LONGEST_SILENCE;
        Ok(write_fully(&self.control, &[state.to_byte()], deadline)?)
    }

    fn refuse(&self, code: i32) {
        let fault = ServerFault { code, errno: 0 };
        let mut bytes = vec![ControlState::ServerError.to_byte()];
        bytes.extend(fault.to_wire());
        let deadline = Instant::now() + PATIENCE;
        let _ = write_fully(&self.control, &bytes, deadline);
        let _ = self.control.shutdown(Shutdown::Write);
        // What the client may still send must not make the kernel reset the connection before
        // the client has read why.
        let end = Instant::now() + Duration::from_millis(500);
        let mut rest = [0; 4096];
        while Instant::now() < end && has_data(&self.control, PATIENCE).unwrap_or(false) {
            match io::Read::read(&mut &self.control, &mut rest) {
                Ok(count) if count > 0 => {}
                _ => return,
            }
        }
    }

    fn read_document(&self, longest: usize) -> Result<Vec<u8>, ControlError> {
        let deadline = Instant::now() + LONGEST_SILENCE;
        let mut length = [0; 4];
        read_exactly(&self.control, &mut length, deadline)?;
        let length = read_document_length(&length).unwrap_or(usize::MAX);
        if length > longest {
            return Err(ControlError::Odd(format!(
                "a document of {length} bytes is longer than {longest}"
            )));
        }
        let mut document = vec![0; length];
        read_exactly(&self.control, &mut document, deadline)?;
        Ok(document)
    }

    fn check_limits(&self, parameters: &TestParameters) -> Result<(), SessionEnd> {
        let limits = &self.state.options.limits;
        let refused = |code: i32, why: &str| Err(SessionEnd::Refused(code, why.to_owned()));
        if parameters.parallel > limits.streams {
            return refused(ServerFault::PARAMETERS, "it asks for too many streams");
        }
        if let Some(longest) = limits.duration {
            let wanted = Duration::from_secs(u64::from(parameters.time + parameters.omit));
            if wanted > longest || parameters.time == 0 {
                return refused(ServerFault::MAX_DURATION, "it asks for too long a test");
            }
        }
        if let Some(most) = limits.rate {
            let rate = parameters
                .bandwidth
                .saturating_mul(u64::from(parameters.parallel));
            if rate > most || rate == 0 {
                return refused(ServerFault::TOTAL_RATE, "it asks for too high a rate");
            }
        }
        Ok(())
    }

    /// Waits for the connections of the test, and looks whether the client is still there.
    fn collect_streams(
        &self,
        arrivals: &Receiver<super::admission::ArrivedStream>,
        count: usize,
    ) -> Result<Vec<StreamSocket>, ControlError> {
        let mut arrived = Vec::with_capacity(count);
        let mut deadline = Instant::now() + LONGEST_SILENCE;
        while arrived.len() < count {
            match arrivals.recv_timeout(PATIENCE) {
                Ok(stream) => {
                    deadline = Instant::now() + LONGEST_SILENCE;
                    arrived.push(stream);
                }
                Err(RecvTimeoutError::Timeout) => self.check_presence(deadline)?,
                Err(RecvTimeoutError::Disconnected) => return Err(ControlError::Closed),
            }
        }
        // The client made them one after the other; their first bytes may have come otherwise.
        arrived.sort_by_key(|stream| stream.sequence);
        Ok(arrived
            .into_iter()
            .map(|arrived| StreamSocket::Tcp(Arc::new(arrived.stream)))
            .collect())
    }

    fn collect_flows(&self, count: usize) -> Result<Vec<StreamSocket>, ControlError> {
        let peer = self.peer.ip();
        let port = self.local.port();
        // As long as another test of the same address may take to get its flows.
        let gate = self.state.expect_flows(peer, port, 2 * LONGEST_SILENCE);
        let Some((arrivals, _expectation)) = gate else {
            return Err(ControlError::Odd(
                "other tests of the same address wait for their flows".to_owned(),
            ));
        };
        self.say(ControlState::CreateStreams)?;
        let mut flows = Vec::with_capacity(count);
        let mut deadline = Instant::now() + LONGEST_SILENCE;
        while flows.len() < count {
            match arrivals.recv_timeout(PATIENCE) {
                Ok(flow) => {
                    deadline = Instant::now() + LONGEST_SILENCE;
                    flows.push(StreamSocket::Udp(Arc::new(flow)));
                }
                Err(RecvTimeoutError::Timeout) => self.check_presence(deadline)?,
                Err(RecvTimeoutError::Disconnected) => return Err(ControlError::Closed),
            }
        }
        Ok(flows)
    }

    /// An error if the client has closed its connection, said that it ends, or taken too long.
    fn check_presence(&self, deadline: Instant) -> Result<(), ControlError> {
        if has_data(&self.control, Duration::ZERO)? {
            let mut byte = [0];
            read_exactly(&self.control, &mut byte, Instant::now() + PATIENCE)?;
            return Err(match ControlState::from_byte(byte[0]) {
                Some(ControlState::ClientTerminate) => ControlError::Closed,
                _ => ControlError::Odd(format!("a state {} that is not due", byte[0])),
            });
        }
        if self.state.is_stopping() {
            let _ = self.say(ControlState::ServerTerminate);
            return Err(ControlError::Odd("the server ends".to_owned()));
        }
        if Instant::now() >= deadline {
            return Err(ControlError::Silent);
        }
        Ok(())
    }

    fn apply_settings(
        &self,
        sockets: &[StreamSocket],
        parameters: &TestParameters,
    ) -> Result<(), SessionEnd> {
        let settings = SocketSettings {
            window: parameters.window,
            segment_size: parameters.segment_size,
            no_delay: parameters.no_delay,
            congestion: parameters.congestion.clone(),
            type_of_service: parameters.type_of_service,
            pacing_rate: parameters.pacing_rate,
            dont_fragment: parameters.dont_fragment,
        };
        let outcome = sockets.iter().try_for_each(|socket| match socket {
            StreamSocket::Tcp(stream) => {
                crate::engine::watch_for_death(stream)?;
                prepare_tcp(stream, &settings)
            }
            StreamSocket::Udp(socket) => prepare_udp(socket, self.peer.is_ipv6(), &settings),
        });
        outcome.map_err(|error| {
            let why = format!("cannot set a socket up as it asks: {error}");
            SessionEnd::Refused(ServerFault::CREATE_STREAM, why)
        })
    }

    fn measure(
        &self,
        sockets: Vec<StreamSocket>,
        parameters: &TestParameters,
        opened: &OpenedTest,
    ) -> Result<TestSummary, SessionEnd> {
        let wakeup = Arc::new(Wakeup::new().map_err(ControlError::from)?);
        let receiving = receiving_streams(sockets.len(), parameters);
        self.say(ControlState::TestRunning)?;
        let begin = Instant::now();
        let mut streams = Vec::with_capacity(sockets.len());
        let budget = sending_budget(parameters);
        for (place, socket) in sockets.into_iter().enumerate() {
            let sends = place >= receiving;
            let plan = StreamPlan {
                budget: budget.clone().filter(|_| sends),
                // Told by the client it would be one way through the network later, and counted.
                deadline: sends_until(parameters, begin),
                ..self.plan(parameters, sends)
            };
            let stream = RunningStream::start(socket, sends, plan, wakeup.clone())
                .map_err(ControlError::from)?;
            streams.push(stream);
        }
        let omit = Duration::from_secs(u64::from(parameters.omit));
        let time = (parameters.time > 0).then(|| Duration::from_secs(u64::from(parameters.time)));
        let mut clock = iperf3_streams::TestClock::new(begin, omit, time);
        let mut lines = parameters
            .wants_server_output
            .then(|| Iperf3Lines::of_server(opened, UnitLetter::FITTING, false));
        let mut output = lines
            .as_ref()
            .map(|lines| lines.opened(opened))
            .unwrap_or_default();
        let interval = match (self.state.options.interval, &lines) {
            (Duration::ZERO, Some(_)) => Duration::from_secs(1),
            (interval, _) => interval,
        };
        let mut tell = |event| {
            let ClientEvent::Interval(report) = event else {
                return;
            };
            if let Some(lines) = &mut lines {
                output.push_str(&lines.interval(&report));
            }
            if !self.state.options.interval.is_zero() {
                let test = self.test;
                self.state.tell(ServerEvent::Interval { test, report });
            }
        };
        let ids = opened.streams.iter().map(|stream| stream.id).collect();
        let mut watch = ProgressWatch::new(begin, omit, interval, ids, &mut tell).at_server();
        let outcome = self.await_end(&mut streams, parameters, &mut clock, &mut watch, &wakeup);
        stop_senders(&streams, true);
        clock.end(&streams, true);
        if outcome == TestOutcome::Complete {
            let expected = (parameters.bytes > 0 && streams.len() == 1).then_some(parameters.bytes);
            drain_received(&streams, expected);
        }
        clock.end(&streams, false);
        watch.finish(&streams);
        for stream in &streams {
            stream.request_stop();
            stream.shut_down(if stream.sends {
                Shutdown::Write
            } else {
                Shutdown::Read
            });
        }
        let finished = clock.collect(&mut streams);
        let mut summary = TestSummary {
            limiter: None,
            peer_output: None,
            peer_document: None,
            protocol: ProtocolKind::Iperf3,
            transport: transport_of(parameters),
            local: self.local,
            peer: self.peer,
            title: parameters.title.clone(),
            streams: Vec::new(),
            cpu_percent: finished.cpu_percent,
            peer_cpu_percent: None,
            congestion: finished.congestion.clone(),
            peer_congestion: None,
            outcome,
        };
        // Before 13 the reference closes the sockets of the streams.
        drop(streams);
        let mut theirs = None;
        match summary.outcome {
            TestOutcome::Complete => {
                let mut results = results_of(&finished);
                if let Some(lines) = &lines {
                    summary.streams = stream_summaries(&finished, None, false);
                    output.push_str(&lines.server_end(&summary));
                    results.server_output_text = Some(output);
                }
                let exchanged = self.exchange(&results);
                match exchanged {
                    Ok(results) => theirs = Some(results),
                    Err(error) => summary.outcome = outcome_of(&error),
                }
            }
            TestOutcome::Interrupted => {
                let _ = self.say(ControlState::ServerTerminate);
            }
            TestOutcome::PeerSilent => self.refuse(ServerFault::NO_MESSAGE),
            _ => {}
        }
        summary.peer_congestion = theirs.as_ref().and_then(|theirs| theirs.congestion.clone());
        summary.peer_cpu_percent = theirs.as_ref().map(|results| results.cpu_percent);
        summary.streams = stream_summaries(&finished, theirs.as_ref(), false);
        Ok(summary)
    }

    fn plan(&self, parameters: &TestParameters, sends: bool) -> StreamPlan {
        let rate = (parameters.bandwidth > 0).then_some(parameters.bandwidth);
        // A client that sends slowly is silent between two blocks.
        let silence = iperf3_streams::silence_limit(parameters.block_length, rate);
        let udp_sender = sends && parameters.transport == TransportKind::Udp;
        StreamPlan {
            block: usize::try_from(parameters.block_length).unwrap_or(1),
            rate,
            deadline: None,
            budget: None,
            codec: iperf3_streams::codec_of(parameters),
            head: Vec::new(),
            copy: self.state.options.copy,
            segmentation: true,
            // A UDP sender has no way to know.
            silence: (!udp_sender).then_some(silence),
        }
    }

    /// Waits until the client says that the test is over, or something else ends it.
    fn await_end(
        &self,
        streams: &mut [RunningStream],
        parameters: &TestParameters,
        clock: &mut iperf3_streams::TestClock,
        watch: &mut ProgressWatch<'_>,
        wakeup: &Wakeup,
    ) -> TestOutcome {
        let seconds = u64::from(parameters.time) + u64::from(parameters.omit);
        let limit =
            (parameters.time > 0).then(|| clock.begin + Duration::from_secs(seconds) + GRACE);
        loop {
            let mut waiting = [
                PollFd::new(&self.control, PollFlags::IN),
                PollFd::new(wakeup, PollFlags::IN),
            ];
            let patience = clock.patience().min(watch.patience());
            if wait_for(&mut waiting, Some(patience)).is_err() {
                return TestOutcome::PeerVanished;
            }
            let said = !waiting[0].revents().is_empty();
            wakeup.silence();
            clock.pass(streams);
            watch.pass(streams);
            if said {
                let mut byte = [0];
                let deadline = Instant::now() + PATIENCE;
                if read_exactly(&self.control, &mut byte, deadline).is_err() {
                    return TestOutcome::PeerVanished;
                }
                return match ControlState::from_byte(byte[0]) {
                    Some(ControlState::TestEnd) => TestOutcome::Complete,
                    Some(ControlState::ClientTerminate) => TestOutcome::PeerInterrupted,
                    _ => TestOutcome::Refused(format!("a state {} that is not due", byte[0])),
                };
            }
            if self.state.is_stopping() {
                return TestOutcome::Interrupted;
            }
            if limit.is_some_and(|limit| Instant::now() >= limit) {
                return TestOutcome::PeerSilent;
            }
            let silent = |stream: &RunningStream| {
                stream
                    .failure()
                    .is_some_and(|(kind, _)| kind == io::ErrorKind::TimedOut)
            };
            // One silent stream may be a path of its own that is shut; all of them are a client.
            if !streams.is_empty() && streams.iter().all(silent) {
                return TestOutcome::PeerSilent;
            }
        }
    }

    fn exchange(&self, ours: &TestResults) -> Result<TestResults, ControlError> {
        self.say(ControlState::ExchangeResults)?;
        let document = self.read_document(LONGEST_RESULTS)?;
        let theirs = TestResults::from_json(&document)
            .map_err(|error| ControlError::Odd(error.to_string()))?;
        let deadline = Instant::now() + LONGEST_SILENCE;
        write_fully(&self.control, &frame_document(&ours.to_json()), deadline)?;
        self.say(ControlState::DisplayResults)?;
        // The client says that it is done, or just closes; the figures are known either way.
        let mut byte = [0];
        let _ = read_exactly(&self.control, &mut byte, deadline);
        Ok(theirs)
    }
}

/// How many of the streams go to us; they are the first.
fn receiving_streams(count: usize, parameters: &TestParameters) -> usize {
    match (parameters.bidirectional, parameters.reverse) {
        (true, _) => count / 2,
        (false, true) => 0,
        (false, false) => count,
    }
}

fn transport_of(parameters: &TestParameters) -> TransportName {
    match parameters.transport {
        TransportKind::Tcp => TransportName::Tcp,
        TransportKind::Udp => TransportName::Udp,
    }
}

/// When a sender of a timed test stops by itself.
fn sends_until(parameters: &TestParameters, begin: Instant) -> Option<Instant> {
    let seconds = u64::from(parameters.time) + u64::from(parameters.omit);
    (parameters.time > 0).then(|| begin + Duration::from_secs(seconds))
}

/// What the server sends in a TCP test that bytes or blocks end. Over UDP some may be lost, and the
/// client ends the test when it has got what it wanted.
fn sending_budget(parameters: &TestParameters) -> Option<Arc<ByteBudget>> {
    let blocks = parameters
        .blocks
        .saturating_mul(u64::from(parameters.block_length));
    let bytes = if parameters.bytes > 0 {
        parameters.bytes
    } else {
        blocks
    };
    let counted = bytes > 0 && parameters.time == 0 && parameters.transport == TransportKind::Tcp;
    counted.then(|| Arc::new(ByteBudget::new(bytes)))
}

/// Counts what is still on its way when the client says that it has sent all.
fn drain_received(streams: &[RunningStream], expected: Option<u64>) {
    const MOST: Duration = Duration::from_secs(1);
    for stream in streams.iter().filter(|stream| !stream.sends) {
        match &stream.socket {
            StreamSocket::Tcp(socket) => drain_tcp(socket, expected, MOST, &stream.meter),
            StreamSocket::Udp(_) => stream.meter.wait_for_quiet(MOST),
        }
    }
}
