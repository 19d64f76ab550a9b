//! First datagrams: a flow gets a socket of its own, connected to its sender.
//!
//! Between the moment when that socket takes the port and the moment when it is connected, it gets
//! datagrams of other senders too. They are taken out and looked at like those of the main socket,
//! so that no hello of another client is lost.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use surefoot_sys::receive_datagrams;

use super::admission::ServerState;
use super::iperf2_udp;
use crate::engine::{canonical, is_timeout, open_flow};
use crate::wire::first_bytes::{DatagramOpening, recognise_datagram};
use crate::wire::iperf2::DatagramShape;
use crate::wire::iperf3;

/// Datagrams that are taken at once, so that a flood cannot fill the memory.
const MOST_AT_ONCE: usize = 1024;

/// A datagram that came to the main socket.
#[derive(Debug)]
struct FirstDatagram {
    source: SocketAddr,
    destination: Option<IpAddr>,
    bytes: Vec<u8>,
}

/// A flow of an iperf 2 client that is about to be served.
struct OpenedFlow {
    source: SocketAddr,
    socket: UdpSocket,
    shape: DatagramShape,
    datagrams: Vec<Vec<u8>>,
}

/// Opens the flows of one port.
#[derive(Debug)]
pub(super) struct FlowOpener {
    state: Arc<ServerState>,
    port: u16,
    buffer: Vec<u8>,
}

impl FlowOpener {
    pub(super) fn new(state: Arc<ServerState>, port: u16) -> Self {
        Self {
            state,
            port,
            buffer: vec![0; 65_536],
        }
    }

    /// Takes all datagrams that are there.
    pub(super) fn serve(&mut self, main: &UdpSocket) {
        let mut queue = VecDeque::new();
        let mut opened: Vec<OpenedFlow> = Vec::new();
        self.take_all(main, &mut queue);
        while let Some(datagram) = queue.pop_front() {
            if let Some(flow) = opened
                .iter_mut()
                .find(|flow| flow.source == datagram.source)
            {
                flow.datagrams.push(datagram.bytes);
                continue;
            }
            if !self.state.allows(datagram.source) {
                continue;
            }
            match recognise_datagram(&datagram.bytes) {
                DatagramOpening::Iperf3Hello => self.open_iperf3(main, &datagram, &mut queue),
                DatagramOpening::Iperf2(shape) => {
                    if let Some(socket) = self.open(&datagram) {
                        // What is in the main socket came before what is in the flow's.
                        self.take_all(main, &mut queue);
                        self.take_all(&socket, &mut queue);
                        opened.push(OpenedFlow {
                            source: datagram.source,
                            socket,
                            shape,
                            datagrams: vec![datagram.bytes],
                        });
                    }
                }
                DatagramOpening::Iperf2Late | DatagramOpening::Foreign => {}
            }
        }
        for flow in opened {
            self.start(flow);
        }
    }

    fn start(&self, flow: OpenedFlow) {
        let OpenedFlow {
            source,
            socket,
            shape,
            datagrams,
        } = flow;
        self.state.spawn("iperf2 udp", move |state| {
            iperf2_udp::serve(state, &Arc::new(socket), source, shape, &datagrams);
        });
    }

    fn open_iperf3(
        &mut self,
        main: &UdpSocket,
        hello: &FirstDatagram,
        queue: &mut VecDeque<FirstDatagram>,
    ) {
        let ip = hello.source.ip();
        if !self.state.expects_flow(ip, self.port) {
            return;
        }
        let Some(socket) = self.open(hello) else {
            return;
        };
        self.take_all(main, queue);
        let mut strayed = VecDeque::new();
        self.take_all(&socket, &mut strayed);
        // A second hello of the same sender says nothing new; data cannot come before our reply.
        queue.extend(
            strayed
                .into_iter()
                .filter(|other| other.source != hello.source),
        );
        if socket.set_nonblocking(false).is_ok() && socket.send(&iperf3::REPLY).is_ok() {
            self.state.deliver_flow(ip, self.port, socket);
        }
    }

    /// Makes the socket; without room for one, the client gets no answer.
    fn open(&self, datagram: &FirstDatagram) -> Option<UdpSocket> {
        let local = datagram.destination.unwrap_or(match datagram.source.ip() {
            IpAddr::V4(_) => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        });
        let mut local = SocketAddr::new(local.to_canonical(), self.port);
        // An address that is valid on one link only needs to say on which.
        if let (SocketAddr::V6(local), SocketAddr::V6(source)) = (&mut local, datagram.source) {
            local.set_scope_id(source.scope_id());
        }
        let socket = open_flow(local, datagram.source).ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(socket)
    }

    fn take_all(&mut self, socket: &UdpSocket, queue: &mut VecDeque<FirstDatagram>) {
        let peer = socket.peer_addr().ok();
        while queue.len() < MOST_AT_ONCE {
            let received = match receive_datagrams(socket, &mut self.buffer) {
                Ok(received) => received,
                Err(error) if is_timeout(&error) => return,
                // The answer to a datagram that we sent; there is one for each.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => continue,
                Err(_) => return,
            };
            let Some(source) = received.source.or(peer).map(canonical) else {
                continue;
            };
            queue.push_back(FirstDatagram {
                source,
                destination: received.destination,
                bytes: self.buffer[..received.length].to_vec(),
            });
        }
    }
}
