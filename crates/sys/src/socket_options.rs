//! Options of sockets that the standard library and rustix do not have.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// An option whose value is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberOption {
    /// Cut what is sent at once into datagrams of so many bytes.
    UdpSegment,
    /// Receive several datagrams of a sender at once.
    UdpCoalesce,
    /// Say with each datagram to which IPv4 address it was sent.
    Ipv4Destination,
    /// Say with each datagram to which IPv6 address it was sent.
    Ipv6Destination,
    /// Say with each datagram how many the socket had no room for.
    Overflows,
    /// The receive buffer, beyond the system's limit; for root.
    ForcedReceiveBuffer,
    /// The send buffer, beyond the system's limit; for root.
    ForcedSendBuffer,
    /// Bytes per second for the kernel's pacing.
    PacingRate,
    /// The maximum segment size of TCP.
    SegmentSize,
    /// Milliseconds after which a TCP peer that acknowledges nothing is given up.
    UserTimeout,
    /// Never fragment datagrams over IPv4; the value is `IP_PMTUDISC_DO`.
    Ipv4PathDiscovery,
    /// The type of service of IPv4.
    Ipv4TypeOfService,
    /// The traffic class of IPv6.
    Ipv6TrafficClass,
}

impl NumberOption {
    fn names(self) -> (libc::c_int, libc::c_int) {
        match self {
            Self::UdpSegment => (libc::SOL_UDP, libc::UDP_SEGMENT),
            Self::UdpCoalesce => (libc::SOL_UDP, libc::UDP_GRO),
            Self::Ipv4Destination => (libc::SOL_IP, libc::IP_PKTINFO),
            Self::Ipv6Destination => (libc::SOL_IPV6, libc::IPV6_RECVPKTINFO),
            Self::Overflows => (libc::SOL_SOCKET, libc::SO_RXQ_OVFL),
            Self::ForcedReceiveBuffer => (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE),
            Self::ForcedSendBuffer => (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE),
            Self::PacingRate => (libc::SOL_SOCKET, libc::SO_MAX_PACING_RATE),
            Self::SegmentSize => (libc::IPPROTO_TCP, libc::TCP_MAXSEG),
            Self::UserTimeout => (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
            Self::Ipv4PathDiscovery => (libc::SOL_IP, libc::IP_MTU_DISCOVER),
            Self::Ipv4TypeOfService => (libc::SOL_IP, libc::IP_TOS),
            Self::Ipv6TrafficClass => (libc::SOL_IPV6, libc::IPV6_TCLASS),
        }
    }
}

/// Sets a number on a socket.
pub fn set_number(socket: impl AsFd, option: NumberOption, value: u32) -> io::Result<()> {
    let (level, name) = option.names();
    let value = libc::c_int::try_from(value).unwrap_or(libc::c_int::MAX);
    // SAFETY: the kernel reads the number, which lives during the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            socket_length(size_of::<libc::c_int>()),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Reads a number of a socket.
pub fn get_number(socket: impl AsFd, option: NumberOption) -> io::Result<u32> {
    let (level, name) = option.names();
    let mut value: libc::c_int = 0;
    let mut length = socket_length(size_of::<libc::c_int>());
    // SAFETY: the kernel writes at most `length` bytes into the number.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(u32::try_from(value).unwrap_or(0))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Bytes that a TCP socket was given and its peer has not acknowledged.
pub fn unacknowledged_bytes(socket: impl AsFd) -> io::Result<u32> {
    queue_length(socket, libc::TIOCOUTQ)
}

/// Bytes that a TCP socket was given and that were not sent yet.
pub fn unsent_bytes(socket: impl AsFd) -> io::Result<u32> {
    // `SIOCOUTQNSD` of <linux/sockios.h>, which the library does not name.
    const NOT_SENT: libc::Ioctl = 0x894B;
    queue_length(socket, NOT_SENT)
}

fn queue_length(socket: impl AsFd, request: libc::Ioctl) -> io::Result<u32> {
    let mut value: libc::c_int = 0;
    // SAFETY: either request writes one number.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), request, &raw mut value) };
    if result == 0 {
        Ok(u32::try_from(value).unwrap_or(0))
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Bytes of a name or value for the socket calls.
pub(crate) fn socket_length(length: usize) -> libc::socklen_t {
    libc::socklen_t::try_from(length).unwrap_or(0)
}
