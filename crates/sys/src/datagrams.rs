//! Receiving UDP datagrams with what the kernel says about them: where they were sent, how they
//! were coalesced, how many had no room.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

/// What one call received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceivedDatagrams {
    /// Bytes in the buffer.
    pub length: usize,
    /// Bytes of each datagram in the buffer, the last one excepted; `length` if there is only one.
    pub segment: usize,
    /// How many datagrams the socket had no room for since it was made, if the kernel says so.
    pub overflows: Option<u32>,
    /// Who sent them.
    pub source: Option<SocketAddr>,
    /// The address to which they were sent, if the socket was asked to say it.
    pub destination: Option<IpAddr>,
}

/// Room for the control messages that are asked for.
const CONTROL_ROOM: usize = 256;

/// The control messages must be aligned as the kernel's structure is.
#[repr(C, align(8))]
struct ControlBuffer([u8; CONTROL_ROOM]);

/// Receives one datagram, or several of one sender if the socket coalesces.
pub fn receive_datagrams(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<ReceivedDatagrams> {
    let mut control = ControlBuffer([0; CONTROL_ROOM]);
    // SAFETY: all-zero bytes are a valid value of these plain structures.
    let (mut name, mut message): (libc::sockaddr_storage, libc::msghdr) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    message.msg_name = (&raw mut name).cast();
    message.msg_namelen = crate::socket_options::socket_length(size_of_val(&name));
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = CONTROL_ROOM;
    // SAFETY: every pointer of `message` is to a live buffer of the length that stands beside it.
    let length = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, 0) };
    let Ok(length) = usize::try_from(length) else {
        return Err(io::Error::last_os_error());
    };
    let mut received = ReceivedDatagrams {
        length,
        segment: length,
        overflows: None,
        source: source_address(&name),
        destination: None,
    };
    // SAFETY: the macros walk the control messages that the kernel wrote, within
    // `msg_controllen`; each value is read unaligned after its length was checked.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            read_control_message(header, &mut received);
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok(received)
}

/// Takes what one control message says.
///
/// # Safety
///
/// The header and as many bytes as its length says must be readable.
unsafe fn read_control_message(header: *const libc::cmsghdr, received: &mut ReceivedDatagrams) {
    // SAFETY: the caller promises that the header is readable.
    let (level, kind, total) = unsafe {
        (
            (*header).cmsg_level,
            (*header).cmsg_type,
            (*header).cmsg_len,
        )
    };
    // SAFETY: the data begins behind the header.
    let data = unsafe { libc::CMSG_DATA(header) };
    let room = total.saturating_sub(data.addr() - header.addr());
    match (level, kind) {
        (libc::SOL_UDP, libc::UDP_GRO) if room >= size_of::<libc::c_int>() => {
            // SAFETY: the length was checked.
            let segment = unsafe { data.cast::<libc::c_int>().read_unaligned() };
            match usize::try_from(segment) {
                Ok(segment) if segment > 0 => received.segment = segment,
                _ => {}
            }
        }
        (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) if room >= size_of::<u32>() => {
            // SAFETY: the length was checked.
            received.overflows = Some(unsafe { data.cast::<u32>().read_unaligned() });
        }
        (libc::SOL_IP, libc::IP_PKTINFO) if room >= size_of::<libc::in_pktinfo>() => {
            // SAFETY: the length was checked.
            let info = unsafe { data.cast::<libc::in_pktinfo>().read_unaligned() };
            let address = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
            received.destination = Some(IpAddr::V4(address));
        }
        (libc::SOL_IPV6, libc::IPV6_PKTINFO) if room >= size_of::<libc::in6_pktinfo>() => {
            // SAFETY: the length was checked.
            let info = unsafe { data.cast::<libc::in6_pktinfo>().read_unaligned() };
            let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
            received.destination = Some(IpAddr::V6(address));
        }
        _ => {}
    }
}

fn source_address(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let place = &raw const *name;
    match libc::c_int::from(name.ss_family) {
        libc::AF_INET => {
            // SAFETY: the storage is as large as any address, and of this family.
            let name = unsafe { place.cast::<libc::sockaddr_in>().read() };
            let address = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
            let port = u16::from_be(name.sin_port);
            Some(SocketAddr::V4(SocketAddrV4::new(address, port)))
        }
        libc::AF_INET6 => {
            // SAFETY: the storage is as large as any address, and of this family.
            let name = unsafe { place.cast::<libc::sockaddr_in6>().read() };
            let address = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            let address = SocketAddrV6::new(address, port, 0, name.sin6_scope_id);
            Some(SocketAddr::V6(address))
        }
        _ => None,
    }
}
