//! nftables over netlink: the handles of all rules, and the trace of a packet.
//!
//! `nft monitor trace` loses events without a word when there are many; a socket that is emptied
//! after every packet does not, and says so if it ever should.

use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};

/// `NFNL_SUBSYS_NFTABLES`.
const NFTABLES: u16 = 0x0a00;
const NEW_RULE: u16 = NFTABLES | 0x06;
const GET_RULE: u16 = NFTABLES | 0x07;
const TRACE: u16 = NFTABLES | 0x11;
/// `NFNLGRP_NFTRACE`.
const TRACE_GROUP: u32 = 9;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 1 | 0x300;
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `struct nlmsghdr` and `struct nfgenmsg`.
const HEADER: usize = 16;
const FAMILY_HEADER: usize = 4;

/// A rule, as the kernel names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RuleHandle {
    pub(crate) family: u8,
    pub(crate) table: String,
    pub(crate) chain: String,
    pub(crate) handle: u64,
}

/// What a packet met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TraceEvent {
    pub(crate) family: u8,
    pub(crate) id: u32,
    pub(crate) table: String,
    pub(crate) chain: String,
    pub(crate) what: Traced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Traced {
    /// A rule that matched, by its handle, and its verdict: `NF_*`, or a negative `NFT_*`.
    Rule(u64, i32),
    /// The policy of a base chain.
    Policy(i32),
    /// The end of a chain.
    End,
}

/// All rules of nftables, chain by chain in order.
pub(crate) fn rules() -> io::Result<Vec<RuleHandle>> {
    let socket = Socket::new(NETLINK_NETFILTER)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut request = Vec::new();
    request.extend(20_u32.to_ne_bytes());
    request.extend(GET_RULE.to_ne_bytes());
    request.extend(DUMP.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([0; FAMILY_HEADER]);
    socket.send(&request, 0)?;
    let mut rules = Vec::new();
    loop {
        let (answer, _) = socket.recv_from_full()?;
        for (kind, body) in messages(&answer) {
            match kind {
                DONE => return Ok(rules),
                ERROR => return Err(io::Error::other("the kernel refuses to list the rules")),
                NEW_RULE => rules.extend(rule(body)),
                _ => {}
            }
        }
    }
}

fn rule(body: &[u8]) -> Option<RuleHandle> {
    let (mut table, mut chain, mut handle) = (None, None, None);
    for (kind, value) in attributes(body.get(FAMILY_HEADER..)?) {
        match kind {
            1 => table = Some(text(value)),
            2 => chain = Some(text(value)),
            3 => handle = Some(u64::from_be_bytes(value.try_into().ok()?)),
            _ => {}
        }
    }
    Some(RuleHandle {
        family: *body.first()?,
        table: table?,
        chain: chain?,
        handle: handle?,
    })
}

/// Listens to the traces of a namespace.
pub(crate) struct TraceSocket(Socket);

impl TraceSocket {
    /// Opens one in the calling thread's namespace.
    pub(crate) fn new() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.add_membership(TRACE_GROUP)?;
        socket.set_rx_buf_sz(4_000_000)?;
        socket.set_non_blocking(true)?;
        Ok(Self(socket))
    }

    /// Everything that was traced since the last call. Fails if events were lost.
    pub(crate) fn drain(&self) -> io::Result<Vec<TraceEvent>> {
        let mut events = Vec::new();
        let mut buffer = Vec::with_capacity(1 << 16);
        loop {
            buffer.clear();
            match self.0.recv(&mut buffer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(events),
                Err(error) => return Err(error),
            }
            for (kind, body) in messages(&buffer) {
                if kind == TRACE {
                    let event = event(body)
                        .ok_or_else(|| io::Error::other("a trace event that makes no sense"))?;
                    events.push(event);
                }
            }
        }
    }
}

fn event(body: &[u8]) -> Option<TraceEvent> {
    let (mut table, mut chain, mut handle) = (String::new(), String::new(), None);
    let (mut kind_of_event, mut verdict, mut policy, mut id) = (0, 0, 0, 0);
    for (kind, value) in attributes(body.get(FAMILY_HEADER..)?) {
        match kind {
            1 => table = text(value),
            2 => chain = text(value),
            3 => handle = Some(u64::from_be_bytes(value.try_into().ok()?)),
            4 => kind_of_event = number(value)?,
            5 => {
                for (kind, value) in attributes(value) {
                    if kind == 1 {
                        verdict = number(value)?;
                    }
                }
            }
            6 => id = number(value)?,
            16 => policy = number(value)?,
            _ => {}
        }
    }
    let what = match kind_of_event {
        1 => Traced::Policy(policy.cast_signed()),
        // Newer kernels report the end of a chain as a rule without a handle.
        2 | 3 => handle.map_or(Traced::End, |handle| {
            Traced::Rule(handle, verdict.cast_signed())
        }),
        _ => return None,
    };
    Some(TraceEvent {
        family: *body.first()?,
        id,
        table,
        chain,
        what,
    })
}

fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(&value[..end.unwrap_or(value.len())]).into_owned()
}

/// The messages of a datagram: type and what follows the header.
fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = u32::from_ne_bytes(rest.get(..4)?.try_into().ok()?);
        let length = usize::try_from(length).ok()?;
        let kind = u16::from_ne_bytes(rest.get(4..6)?.try_into().ok()?);
        let body = rest.get(HEADER..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// The attributes of a message, without the flags in their types.
fn attributes(body: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body;
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(rest.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(rest.get(2..4)?.try_into().ok()?) & 0x3fff;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}
