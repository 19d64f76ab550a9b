//! Connections, put into the kernel's table as if they had been seen.
//!
//! The tool of that name would do, but it needs a process each time, and packets come by the
//! hundred thousand.

use std::io;
use std::net::IpAddr;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

use crate::Namespace;

/// `NFNL_SUBSYS_CTNETLINK`, `IPCTNL_MSG_CT_NEW`.
const NEW: u16 = 0x0100;
/// `NLM_F_REQUEST | NLM_F_ACK`.
const CHANGE: u16 = 1 | 4;
/// Also `NLM_F_CREATE | NLM_F_EXCL`.
const INSERT: u16 = CHANGE | 0x400 | 0x200;
/// `NLM_F_NESTED`, as the kernel calls it in the type of an attribute.
const NESTED: u16 = 0x8000;
const ERROR: u16 = 2;
/// `IPS_SEEN_REPLY | IPS_ASSURED | IPS_CONFIRMED`.
const STATUS: u32 = 2 | 4 | 8;
/// `TCP_CONNTRACK_ESTABLISHED`.
const ESTABLISHED: u8 = 3;
const SECONDS: u32 = 3600;

/// A connection that has seen packets both ways.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who began it.
    pub source: IpAddr,
    /// Its other end, of the same family.
    pub destination: IpAddr,
    /// 6 or 17.
    pub protocol: u8,
    /// The port of the source and that of the destination.
    pub ports: (u16, u16),
    /// The connection's mark.
    pub mark: u32,
}

/// The connections of a namespace.
pub struct Connections(Socket);

impl Connections {
    /// Opens the table of the namespace.
    pub fn new(namespace: &Namespace) -> io::Result<Self> {
        namespace.within(|| {
            let socket = Socket::new(NETLINK_NETFILTER)?;
            socket.connect(&SocketAddr::new(0, 0))?;
            Ok(Self(socket))
        })
    }

    /// Adds a connection that is not there yet.
    pub fn insert(&self, connection: &Connection) -> io::Result<()> {
        let mut body = connection.key();
        let turned = connection.tuple(true);
        put(&mut body, 2 | NESTED, &turned);
        put(&mut body, 3, &STATUS.to_be_bytes());
        if connection.protocol == 6 {
            let mut tcp = Vec::new();
            put(&mut tcp, 1, &[ESTABLISHED]);
            let mut information = Vec::new();
            put(&mut information, 1 | NESTED, &tcp);
            put(&mut body, 4 | NESTED, &information);
        }
        put(&mut body, 7, &SECONDS.to_be_bytes());
        put(&mut body, 8, &connection.mark.to_be_bytes());
        self.tell(INSERT, connection, &body)
    }

    /// Takes back what rules have done to a connection's mark.
    pub fn renew(&self, connection: &Connection) -> io::Result<()> {
        let mut body = connection.key();
        put(&mut body, 8, &connection.mark.to_be_bytes());
        self.tell(CHANGE, connection, &body)
    }

    fn tell(&self, flags: u16, connection: &Connection, attributes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(20 + attributes.len()).map_err(io::Error::other)?;
        let mut message = Vec::new();
        message.extend(length.to_ne_bytes());
        message.extend(NEW.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend([0; 8]);
        message.extend([if connection.source.is_ipv6() { 10 } else { 2 }, 0, 0, 0]);
        message.extend(attributes);
        self.0.send(&message, 0)?;
        let (answer, _) = self.0.recv_from_full()?;
        // `struct nlmsghdr`, then `struct nlmsgerr`, which begins with the negative error.
        let kind = answer.get(4..6).map(|bytes| [bytes[0], bytes[1]]);
        let code = answer
            .get(16..20)
            .map(|bytes| [bytes[0], bytes[1], bytes[2], bytes[3]]);
        match (kind.map(u16::from_ne_bytes), code.map(i32::from_ne_bytes)) {
            (Some(ERROR), Some(0)) => Ok(()),
            (Some(ERROR), Some(code)) => Err(io::Error::from_raw_os_error(-code)),
            _ => Err(io::Error::other("conntrack's answer makes no sense")),
        }
    }
}

impl Connection {
    fn key(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put(&mut body, 1 | NESTED, &self.tuple(false));
        body
    }

    /// `CTA_TUPLE_*` of one direction.
    fn tuple(&self, turned: bool) -> Vec<u8> {
        let ends = [
            (self.source, self.ports.0),
            (self.destination, self.ports.1),
        ];
        let [from, to] = if turned { [ends[1], ends[0]] } else { ends };
        let mut addresses = Vec::new();
        for (at, address) in (1..).zip([from.0, to.0]) {
            match address {
                IpAddr::V4(address) => put(&mut addresses, at, &address.octets()),
                IpAddr::V6(address) => put(&mut addresses, at + 2, &address.octets()),
            }
        }
        let mut transport = Vec::new();
        put(&mut transport, 1, &[self.protocol]);
        put(&mut transport, 2, &from.1.to_be_bytes());
        put(&mut transport, 3, &to.1.to_be_bytes());
        let mut tuple = Vec::new();
        put(&mut tuple, 1 | NESTED, &addresses);
        put(&mut tuple, 2 | NESTED, &transport);
        tuple
    }
}

/// Adds an attribute, filled up to four bytes.
fn put(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    to.extend(length.to_ne_bytes());
    to.extend(kind.to_ne_bytes());
    to.extend(value);
    to.resize(to.len().next_multiple_of(4), 0);
}
