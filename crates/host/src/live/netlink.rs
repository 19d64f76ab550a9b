//! One question to the kernel over netlink, and all the parts of its answer.

use std::io;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, NetlinkSerializable,
};
use netlink_sys::{Socket, SocketAddr};

/// `NLMSG_ERROR` and `NLMSG_DONE` of `linux/netlink.h`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_DUMP_INTR`: what was listed changed meanwhile, so the list may have holes.
const INTERRUPTED: u16 = 0x10;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// How often a list is asked for again that changed while it was given.
const TRIES: usize = 5;

/// Everything that the kernel lists in answer to a dump request; a message that the library
/// cannot read is an error, as a list with holes is no list.
pub(super) fn dump<M>(protocol: isize, request: M) -> io::Result<Vec<M>>
where
    M: NetlinkSerializable + NetlinkDeserializable,
{
    let mut message = NetlinkMessage::new(
        NetlinkHeader::default(),
        NetlinkPayload::InnerMessage(request),
    );
    message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.finalize();
    let mut request = vec![0; message.buffer_len()];
    message.serialize(&mut request);
    for _ in 0..TRIES {
        let mut list = Vec::new();
        let mut odd = None;
        let asked = ask(
            protocol,
            &request,
            |bytes| match NetlinkMessage::<M>::deserialize(bytes).map(|message| message.payload) {
                Ok(NetlinkPayload::InnerMessage(inner)) => list.push(inner),
                Ok(_) => {}
                Err(error) => odd = Some(error.to_string()),
            },
        );
        match (asked, odd) {
            (Err(error), _) if error.kind() == io::ErrorKind::Interrupted => {}
            (Err(error), _) => return Err(error),
            (Ok(()), Some(odd)) => return Err(io::Error::new(io::ErrorKind::InvalidData, odd)),
            (Ok(()), None) => return Ok(list),
        }
    }
    Err(io::Error::new(
        io::ErrorKind::Interrupted,
        "it changes faster than it can be listed",
    ))
}

/// Sends a whole request and gives every message of the answer to `take`, header included.
///
/// Gives `Interrupted` if the kernel says that what it listed changed while it did.
fn ask(protocol: isize, request: &[u8], mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(request, 0)?;
    let mut interrupted = false;
    // The kernel fills up to 32 KiB at once (`netlink_recvmsg`).
    let mut buffer = Vec::with_capacity(1 << 16);
    loop {
        buffer.clear();
        socket.recv(&mut buffer, 0)?;
        let mut rest = buffer.as_slice();
        if rest.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        while let Some((length, kind, flags)) = header(rest) {
            let message = rest.get(..length).ok_or(io::ErrorKind::InvalidData)?;
            interrupted |= flags & INTERRUPTED != 0;
            match kind {
                DONE | ERROR => {
                    let code = message.get(HEADER..HEADER + 4).map_or(0, |bytes| {
                        i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
                    });
                    return match code {
                        0 if interrupted => Err(io::ErrorKind::Interrupted.into()),
                        0 => Ok(()),
                        code => Err(io::Error::from_raw_os_error(-code)),
                    };
                }
                _ => take(message),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }
}

/// Length, type and flags of the message at the front; none at the end.
fn header(bytes: &[u8]) -> Option<(usize, u16, u16)> {
    let length = u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?);
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let flags = u16::from_ne_bytes(bytes.get(6..8)?.try_into().ok()?);
    let length = usize::try_from(length).ok()?;
    (length >= HEADER).then_some((length, kind, flags))
}
