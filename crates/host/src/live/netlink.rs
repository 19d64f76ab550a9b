//! One question to the kernel over netlink, and all the parts of its answer.
//!
//! The few fields that are facts are read by their place (`linux/netlink.h`), and what a later
//! kernel adds is passed over: an attribute that was not asked for must not hide a whole list.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind,
    netlink::SocketAddrNetlink, recv, sendto, socket_with,
};

/// `NLMSG_ERROR` and `NLMSG_DONE`.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x301;
/// `NLM_F_DUMP_INTR`: what was listed changed meanwhile, so the list may have holes.
const INTERRUPTED: u16 = 0x10;
/// Length of `struct nlmsghdr`.
const HEADER: usize = 16;

/// How often a list is asked for again that changed while it was given.
const TRIES: usize = 5;

/// The kernel answers at once; a silent one must not hold us up for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the kernel listed.
#[derive(Debug)]
pub(super) struct List<T> {
    pub(super) items: Vec<T>,
    /// Whether nothing changed while it was listed, so that nothing can be left out.
    pub(super) whole: bool,
}

/// Everything that the kernel lists in answer to a dump request of this type and body. `read` is
/// given the type and body of each message.
pub(super) fn dump<T>(
    protocol: Option<Protocol>,
    kind: u16,
    body: &[u8],
    mut read: impl FnMut(u16, &[u8]) -> Option<T>,
) -> io::Result<List<T>> {
    let request = request(kind, body);
    let mut list = List {
        items: Vec::new(),
        whole: false,
    };
    for _ in 0..TRIES {
        list.items.clear();
        list.whole = ask(protocol, &request, |kind, body| {
            list.items.extend(read(kind, body));
        })?;
        if list.whole {
            break;
        }
    }
    Ok(list)
}

fn request(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + body.len()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

/// Sends a whole request and gives the type and body of every message of the answer to `take`.
/// Whether nothing changed meanwhile is the answer.
fn ask(
    protocol: Option<Protocol>,
    request: &[u8],
    mut take: impl FnMut(u16, &[u8]),
) -> io::Result<bool> {
    let kernel = SocketAddrNetlink::new(0, 0);
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        protocol,
    )?;
    bind(&socket, &kernel)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
    sendto(&socket, request, SendFlags::empty(), &kernel)?;
    let mut whole = true;
    // The kernel fills up to 32 KiB at once (`netlink_recvmsg`).
    let mut buffer = vec![0; 1 << 16];
    loop {
        // With TRUNC, the length is the message's own even if the buffer is too small for it.
        let received = match recv(&socket, &mut *buffer, RecvFlags::TRUNC) {
            Ok((_, received)) => received,
            Err(rustix::io::Errno::INTR) => continue,
            Err(rustix::io::Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error.into()),
        };
        let mut rest = buffer.get(..received).ok_or_else(broken)?;
        while !rest.is_empty() {
            let (length, kind, flags) = header(rest).ok_or_else(broken)?;
            let body = rest.get(HEADER..length).ok_or_else(broken)?;
            whole &= flags & INTERRUPTED == 0;
            match kind {
                // An error's number is at the front of the body; so is that of a list that ends.
                DONE | ERROR => {
                    return match u32_at(body, 0).map_or(0, u32::cast_signed) {
                        0 => Ok(whole),
                        code => Err(io::Error::from_raw_os_error(code.saturating_neg())),
                    };
                }
                _ => take(kind, body),
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        if received == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer is broken")
}

/// Length, type and flags of the message at the front.
fn header(bytes: &[u8]) -> Option<(usize, u16, u16)> {
    let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
    (length >= HEADER).then_some((length, u16_at(bytes, 4)?, u16_at(bytes, 6)?))
}

/// The attributes (`struct nlattr`) that follow a fixed part of this length: type and value.
pub(super) fn attributes(body: &[u8], fixed: usize) -> impl Iterator<Item = (u16, &[u8])> {
    /// `NLA_TYPE_MASK`: the two upper bits say how the value is written.
    const TYPE: u16 = 0x3fff;
    let mut rest = body.get(fixed..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)? & TYPE;
        let value = rest.get(4..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The byte at this place.
pub(super) fn u8_at(bytes: &[u8], at: usize) -> Option<u8> {
    bytes.get(at).copied()
}

/// The number at this place, in the machine's byte order.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_ne_bytes(*bytes))
}

/// The number at this place, in the machine's byte order.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// An address of four or sixteen bytes.
pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| Ipv4Addr::from(bytes).into());
    let v6 = <[u8; 16]>::try_from(bytes).map(|bytes| Ipv6Addr::from(bytes).into());
    v4.or(v6).ok()
}

/// A name that ends with a zero byte.
pub(super) fn name(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0);
    let bytes = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_end_where_they_are_broken() {
        let bytes = [
            0, 0, 0, 0, 5, 0, 1, 0x80, 7, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4, 9, 0, 3, 0, 1,
        ];
        let bytes: Vec<u8> = if cfg!(target_endian = "little") {
            bytes.to_vec()
        } else {
            return;
        };
        let found: Vec<_> = attributes(&bytes, 4).collect();
        assert_eq!(found, [(1, &[7][..]), (2, &[1, 2, 3, 4][..])]);
        for length in [[0, 0, 1, 0], [3, 0, 1, 0], [255, 255, 1, 0]] {
            assert_eq!(attributes(&length, 0).count(), 0, "{length:?}");
        }
        assert_eq!(attributes(&bytes, 99).count(), 0);
    }

    #[test]
    fn an_error_of_the_kernel_keeps_its_number() {
        // No such type of message: EOPNOTSUPP.
        let error = dump(None, 0x3ff0, &[0; 16], |_, _| Some(())).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(95), "{error}");
    }
}
