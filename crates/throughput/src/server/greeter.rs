//! Connections that have not said yet what they are.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::admission::{ArrivedStream, ServerState};
use super::{ServerEvent, iperf2_tcp, iperf3};
use crate::engine::{LONGEST_SILENCE, is_timeout, watch_for_death};
use crate::wire::first_bytes::{StreamOpening, recognise_stream};
use crate::wire::iperf3::{COOKIE_LENGTH, ControlState, Cookie, ServerFault};

/// How long a client that is not served may take to read that.
const REFUSAL_TIME: Duration = Duration::from_secs(1);
/// More connections than this do not wait; the oldest goes.
const MOST_PENDING: usize = 4096;

/// A connection with what it has sent so far.
#[derive(Debug)]
pub(super) struct PendingConnection {
    stream: TcpStream,
    peer: SocketAddr,
    port: u16,
    deadline: Instant,
    sequence: u64,
    bytes: Vec<u8>,
    /// It has been told that it is not served.
    refused: bool,
}

impl PendingConnection {
    /// What to wait on.
    pub(super) fn socket(&self) -> &TcpStream {
        &self.stream
    }
}

/// Keeps the connections that have not said yet what they are, oldest first.
#[derive(Debug)]
pub(super) struct Greeter {
    state: Arc<ServerState>,
    pending: Vec<PendingConnection>,
    sequence: u64,
}

/// What to do with a connection.
enum Judgement {
    Wait,
    Serve(StreamOpening),
    Close,
    Bare,
    TurnAway(&'static str),
}

impl Greeter {
    pub(super) fn new(state: Arc<ServerState>) -> Self {
        Self {
            state,
            pending: Vec::new(),
            sequence: 0,
        }
    }

    /// The connections, in the order in which [`Self::look_at`] takes them.
    pub(super) fn pending(&self) -> &[PendingConnection] {
        &self.pending
    }

    /// When the next connection has been silent for too long.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.pending.iter().map(|pending| pending.deadline).min()
    }

    /// Takes a new connection.
    pub(super) fn add(&mut self, stream: TcpStream, peer: SocketAddr) {
        let refused = !self.state.allows(peer);
        if refused {
            self.turn_away(peer, "its address is not among the allowed networks");
        }
        let ready = stream
            .set_nonblocking(true)
            .and_then(|()| watch_for_death(&stream));
        let port = stream.local_addr().map_or(0, |address| address.port());
        if ready.is_err() {
            return;
        }
        if refused {
            tell_refusal(&stream);
        }
        if self.pending.len() >= MOST_PENDING {
            self.drop_oldest();
        }
        self.sequence += 1;
        self.pending.push(PendingConnection {
            stream,
            peer,
            port,
            deadline: Instant::now()
                + if refused {
                    REFUSAL_TIME
                } else {
                    LONGEST_SILENCE
                },
            sequence: self.sequence,
            bytes: Vec::with_capacity(COOKIE_LENGTH),
            refused,
        });
    }

    /// Gives up the connection that has been silent for longest, if there is one.
    pub(super) fn drop_oldest(&mut self) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let oldest = self.pending.remove(0);
        self.turn_away(oldest.peer, "there is no room for more connections");
        true
    }

    /// Looks at the connections where there is something to read, and at those whose time is up.
    pub(super) fn look_at(&mut self, ready: &[bool]) {
        let now = Instant::now();
        let mut kept = Vec::with_capacity(self.pending.len());
        for (place, mut pending) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            // A connection that was accepted after the wait has had no look yet.
            let looked = ready.get(place).copied().unwrap_or(true);
            let judgement = if looked {
                judge(&mut pending)
            } else {
                Judgement::Wait
            };
            match judgement {
                Judgement::Wait if pending.refused && now >= pending.deadline => {}
                Judgement::Wait if now >= pending.deadline => {
                    self.turn_away(pending.peer, "it sent too little to tell what it wants");
                }
                Judgement::Wait => kept.push(pending),
                Judgement::Serve(opening) => self.serve(opening, pending),
                Judgement::Close => {}
                Judgement::Bare => self.state.tell(ServerEvent::BareConnection {
                    peer: pending.peer,
                    port: pending.port,
                }),
                Judgement::TurnAway(why) => self.turn_away(pending.peer, why),
            }
        }
        self.pending = kept;
    }

    fn turn_away(&self, peer: SocketAddr, why: &str) {
        self.state.tell(ServerEvent::TurnedAway {
            peer,
            why: why.to_owned(),
        });
    }

    fn serve(&self, opening: StreamOpening, pending: PendingConnection) {
        let PendingConnection {
            stream,
            peer,
            sequence,
            bytes,
            ..
        } = pending;
        if stream.set_nonblocking(false).is_err() {
            return;
        }
        if opening != StreamOpening::Iperf3 {
            let work = move |state: &Arc<ServerState>| {
                iperf2_tcp::serve(state, &stream, peer, bytes);
            };
            if !self.state.spawn("iperf2", work) {
                self.turn_away(peer, "there is no room for more streams");
            }
            return;
        }
        let Ok(cookie) = <[u8; COOKIE_LENGTH]>::try_from(&bytes[..]) else {
            return;
        };
        let cookie = Cookie::from_wire(&cookie);
        let arrived = ArrivedStream { sequence, stream };
        let Some(ArrivedStream { stream, .. }) = self.state.deliver_stream(cookie, arrived) else {
            return;
        };
        let spare = stream.try_clone();
        let work = move |state: &Arc<ServerState>| iperf3::serve(state, stream, peer, cookie);
        if !self.state.spawn("iperf3", work) {
            if let Ok(stream) = spare {
                let _ = rustix::io::write(&stream, &[ControlState::AccessDenied.to_byte()]);
            }
            self.turn_away(peer, "there is no room for more tests");
        }
    }
}

/// Says to a client of iperf3 that it is not served; that of iperf 2 has no words for it.
fn tell_refusal(stream: &TcpStream) {
    let fault = ServerFault {
        code: ServerFault::NOT_AUTHORISED,
        errno: 0,
    };
    let mut bytes = vec![ControlState::ServerError.to_byte()];
    bytes.extend(fault.to_wire());
    let _ = rustix::io::write(stream, &bytes);
    let _ = stream.shutdown(Shutdown::Write);
}

/// Reads what has come and says what it means.
fn judge(pending: &mut PendingConnection) -> Judgement {
    if pending.refused {
        // What it sends is taken: unread, it would make the kernel reset the connection before the
        // client has read why.
        let mut rest = [0; 4096];
        return match (&pending.stream).read(&mut rest) {
            Ok(0) => Judgement::Close,
            Ok(count) => {
                let room = COOKIE_LENGTH.saturating_sub(pending.bytes.len());
                pending.bytes.extend(&rest[..count.min(room)]);
                match recognise_stream(&pending.bytes) {
                    StreamOpening::Undecided | StreamOpening::Iperf3 => Judgement::Wait,
                    // A client that reads nothing: what it sends is left unread, and the reset tells it.
                    _ => Judgement::Close,
                }
            }
            Err(error) if is_timeout(&error) => Judgement::Wait,
            Err(_) => Judgement::Close,
        };
    }
    let mut buffer = [0; COOKIE_LENGTH];
    let room = COOKIE_LENGTH - pending.bytes.len();
    match (&pending.stream).read(&mut buffer[..room]) {
        Ok(0) if pending.bytes.is_empty() => return Judgement::Bare,
        Ok(0) => return Judgement::Close,
        Ok(count) => pending.bytes.extend(&buffer[..count]),
        Err(error) if is_timeout(&error) => return Judgement::Wait,
        Err(error)
            if error.kind() == io::ErrorKind::ConnectionReset && pending.bytes.is_empty() =>
        {
            return Judgement::Bare;
        }
        Err(_) => return Judgement::Close,
    }
    match recognise_stream(&pending.bytes) {
        StreamOpening::Undecided => Judgement::Wait,
        StreamOpening::Foreign => Judgement::TurnAway("what it sent is of no iperf"),
        opening => Judgement::Serve(opening),
    }
}
