//! The server: iperf 2 and iperf3 clients on any port, as many at once as there is room for.
//!
//! One thread waits on all listeners and on the connections that have not said yet what they are;
//! so a connection that stays silent costs a descriptor and delays nothing. What is recognised gets
//! a thread of its own.

mod admission;
mod flows;
mod greeter;
mod iperf2_tcp;
mod iperf2_udp;
mod iperf3;
mod meter_watch;
mod opened;
mod options;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use thiserror::Error;

use crate::client::IntervalReport;
use crate::engine;
use crate::summary::{TestSummary, TransportName};
use admission::ServerState;
use greeter::{Greeter, PendingConnection};
pub use opened::{OpenedStream, OpenedTest, TestRequest};
pub use options::{AddressFamilies, NetworkParseError, NetworkPrefix, ServerLimits, ServerOptions};

/// Why a server cannot start or go on.
#[derive(Debug, Error)]
pub enum ServerError {
    /// A port that cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The system refuses something that the server needs.
    #[error("the server cannot go on: {0}")]
    System(#[from] io::Error),
}

/// What a server has to say.
#[derive(Debug)]
pub enum ServerEvent {
    /// A test has its streams and begins.
    Opened(Box<OpenedTest>),
    /// An interval of a test is over.
    Interval {
        /// The number of the test.
        test: u64,
        /// What went.
        report: IntervalReport,
    },
    /// A test is over.
    Ended {
        /// The number of the test.
        test: u64,
        /// What came of it.
        summary: Box<TestSummary>,
    },
    /// A connection that closed without a byte.
    BareConnection {
        /// The peer.
        peer: SocketAddr,
        /// The port that it reached.
        port: u16,
    },
    /// A connection that was closed because of what it sent, or sent not.
    TurnedAway {
        /// The peer.
        peer: SocketAddr,
        /// Why.
        why: String,
    },
}

/// Ends a server from another thread or a signal handler's thread.
#[derive(Clone, Debug)]
pub struct ServerStopper(Arc<ServerState>);

impl ServerStopper {
    /// Asks the server to end. Tests that run are ended, and their clients told.
    pub fn stop(&self) {
        self.0.request_stop();
    }
}

/// A server that has its ports.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    datagrams: Vec<(UdpSocket, u16)>,
    state: Arc<ServerState>,
}

impl Server {
    /// Takes the ports.
    pub fn bind(options: ServerOptions, events: Sender<ServerEvent>) -> Result<Self, ServerError> {
        raise_descriptor_limit();
        let mut listeners = Vec::new();
        let mut datagrams = Vec::new();
        for port in &options.ports {
            let (listener, socket, port) = bind_port(&options, *port)?;
            listeners.extend(listener);
            datagrams.extend(socket.map(|socket| (socket, port)));
        }
        let state = ServerState::new(options, events)?;
        Ok(Self {
            listeners,
            datagrams,
            state: Arc::new(state),
        })
    }

    /// The addresses that it listens on.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let of_datagrams = self
            .datagrams
            .iter()
            .filter(|_| self.listeners.is_empty())
            .filter_map(|(socket, _)| socket.local_addr().ok());
        self.listeners
            .iter()
            .filter_map(|listener| listener.local_addr().ok())
            .chain(of_datagrams)
            .collect()
    }

    /// Bytes of the receive buffer of the first port.
    pub fn receive_buffer(&self) -> u64 {
        let size = match (self.listeners.first(), self.datagrams.first()) {
            (Some(listener), _) => rustix::net::sockopt::socket_recv_buffer_size(listener),
            (None, Some((socket, _))) => rustix::net::sockopt::socket_recv_buffer_size(socket),
            (None, None) => Ok(0),
        };
        u64::try_from(size.unwrap_or(0)).unwrap_or(0)
    }

    /// What ends it.
    pub fn stopper(&self) -> ServerStopper {
        ServerStopper(self.state.clone())
    }

    /// Serves until it is stopped, or after one test if the options say so.
    pub fn run(self) -> Result<(), ServerError> {
        let mut greeter = Greeter::new(self.state.clone());
        let mut flows: HashMap<usize, flows::FlowOpener> = self
            .datagrams
            .iter()
            .enumerate()
            .map(|(place, (_, port))| (place, flows::FlowOpener::new(self.state.clone(), *port)))
            .collect();
        while !self.state.is_stopping() {
            let ready = self.wait(&greeter)?;
            self.state.wakeup.silence();
            for (place, listener) in self.listeners.iter().enumerate() {
                if ready.listeners[place] {
                    accept_all(listener, &mut greeter)?;
                }
            }
            for (place, (socket, _)) in self.datagrams.iter().enumerate() {
                if let (true, Some(opener)) = (ready.datagrams[place], flows.get_mut(&place)) {
                    opener.serve(socket);
                }
            }
            greeter.look_at(&ready.pending);
        }
        // Sessions notice that the server stops and tell their clients.
        self.state.wait_for_sessions(Duration::from_secs(2));
        Ok(())
    }

    fn wait(&self, greeter: &Greeter) -> io::Result<ReadySockets> {
        let mut waiting = vec![PollFd::new(&self.state.wakeup, PollFlags::IN)];
        waiting.extend(
            self.listeners
                .iter()
                .map(|socket| PollFd::new(socket, PollFlags::IN)),
        );
        let sockets = self.datagrams.iter();
        waiting.extend(sockets.map(|(socket, _)| PollFd::new(socket, PollFlags::IN)));
        let streams = greeter.pending().iter().map(PendingConnection::socket);
        waiting.extend(streams.map(|stream| PollFd::new(stream, PollFlags::IN)));
        let timeout = greeter
            .next_deadline()
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        engine::wait_for(&mut waiting, timeout)?;
        let mut ready = waiting
            .iter()
            .skip(1)
            .map(|poll| !poll.revents().is_empty());
        let mut take = |count: usize| ready.by_ref().take(count).collect::<Vec<bool>>();
        Ok(ReadySockets {
            listeners: take(self.listeners.len()),
            datagrams: take(self.datagrams.len()),
            pending: take(greeter.pending().len()),
        })
    }
}

/// Where there is something to do.
struct ReadySockets {
    listeners: Vec<bool>,
    datagrams: Vec<bool>,
    pending: Vec<bool>,
}

fn accept_all(listener: &TcpListener, greeter: &mut Greeter) -> io::Result<()> {
    // Bounded, so that a flood on one port does not starve the rest.
    for _ in 0..256 {
        match engine::accept_pending(listener) {
            Ok(Some((stream, peer))) => greeter.add(stream, peer),
            Ok(None) => return Ok(()),
            Err(error) if is_shortage(&error) => {
                if !greeter.drop_oldest() {
                    std::thread::sleep(Duration::from_millis(10));
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether descriptors or memory ran out.
fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// TCP and UDP on one port, or one of them; port 0 takes one that is free.
fn bind_port(
    options: &ServerOptions,
    port: u16,
) -> Result<(Option<TcpListener>, Option<UdpSocket>, u16), ServerError> {
    let (address, only_v6) = match (options.bind, options.families) {
        (Some(ip), _) => (ip, true),
        (None, AddressFamilies::OnlyV4) => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), false),
        (None, AddressFamilies::OnlyV6) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), true),
        (None, AddressFamilies::Both) => (IpAddr::V6(Ipv6Addr::UNSPECIFIED), false),
    };
    let attempt = |ip: IpAddr| {
        let mut port = port;
        let mut listener = None;
        if options.transport != Some(TransportName::Udp) {
            let taken = engine::listen_tcp(SocketAddr::new(ip, port), only_v6)?;
            port = taken.local_addr()?.port();
            listener = Some(taken);
        }
        let mut socket = None;
        if options.transport != Some(TransportName::Tcp) {
            let taken = engine::open_udp(SocketAddr::new(ip, port), only_v6)?;
            port = taken.local_addr()?.port();
            socket = Some(taken);
        }
        Ok((listener, socket, port))
    };
    let wanted_both = options.bind.is_none() && options.families == AddressFamilies::Both;
    let outcome = attempt(address).or_else(|error: io::Error| {
        // A system without IPv6.
        let absent = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
        if wanted_both && error.raw_os_error() == Some(absent) {
            attempt(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
        } else {
            Err(error)
        }
    });
    outcome.map_err(|source| ServerError::Listen {
        address: SocketAddr::new(address, port),
        source,
    })
}

/// The usual limit of 1,024 descriptors is soft.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: limit.maximum.map(|most| most.min(65_536)).or(Some(65_536)),
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, wanted);
}
