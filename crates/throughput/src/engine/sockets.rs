//! Making sockets and setting them up.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};
use surefoot_sys::{NumberOption, set_number};

/// The receive buffer of UDP unless another is asked for. The system's default holds two
/// milliseconds of 1 Gbit/s, which is where most "loss" comes from.
const LARGE_BUFFER: u32 = 8 << 20;

/// How a socket is set up; 0 and `None` leave the system's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SocketSettings {
    /// The size of both buffers.
    pub(crate) window: u32,
    /// The maximum segment size.
    pub(crate) segment_size: u32,
    /// Whether Nagle's algorithm is off.
    pub(crate) no_delay: bool,
    /// The congestion control algorithm.
    pub(crate) congestion: Option<String>,
    /// Type of service.
    pub(crate) type_of_service: u32,
    /// Bit/s for the kernel's pacing.
    pub(crate) pacing_rate: u64,
    /// Datagrams are not fragmented.
    pub(crate) dont_fragment: bool,
}

/// Whether a call ended because its time was up, not because of an error.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}

fn family_of(address: SocketAddr) -> AddressFamily {
    match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    }
}

fn new_socket(address: SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let protocol = match kind {
        SocketType::STREAM => ipproto::TCP,
        _ => ipproto::UDP,
    };
    let family = family_of(address);
    Ok(rustix::net::socket_with(
        family,
        kind,
        SocketFlags::CLOEXEC,
        Some(protocol),
    )?)
}

/// Listens; an unspecified IPv6 address takes IPv4 too, unless `only_v6`.
pub(crate) fn listen_tcp(address: SocketAddr, only_v6: bool) -> io::Result<TcpListener> {
    let socket = new_socket(address, SocketType::STREAM)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, only_v6)?;
    }
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, 1024)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Accepts a connection if there is one.
pub(crate) fn accept_pending(
    listener: &TcpListener,
) -> io::Result<Option<(TcpStream, SocketAddr)>> {
    match listener.accept() {
        Ok((stream, peer)) => Ok(Some((stream, canonical(peer)))),
        Err(error) if is_timeout(&error) => Ok(None),
        // The peer was gone before we took it.
        Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => Ok(None),
        Err(error) => Err(error),
    }
}

/// An IPv4 address that IPv6 wraps, as an IPv4 address.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

/// A UDP socket that waits for first datagrams and says to which address they were sent. Sockets
/// for the flows take the same port beside it.
pub(crate) fn open_udp(address: SocketAddr, only_v6: bool) -> io::Result<UdpSocket> {
    let socket = new_socket(address, SocketType::DGRAM)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, only_v6)?;
    }
    rustix::net::bind(&socket, &address)?;
    // Only after binding: a port that is taken must be an error here.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if address.is_ipv6() {
        set_number(&socket, NumberOption::Ipv6Destination, 1)?;
    }
    if address.is_ipv4() || !only_v6 {
        set_number(&socket, NumberOption::Ipv4Destination, 1)?;
    }
    enlarge_buffers(&socket, 0);
    let socket = UdpSocket::from(socket);
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A socket for one flow of a server: from the address that was addressed, to the peer.
pub(crate) fn open_flow(local: SocketAddr, peer: SocketAddr) -> io::Result<UdpSocket> {
    let socket = new_socket(local, SocketType::DGRAM)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    enlarge_buffers(&socket, 0);
    rustix::net::bind(&socket, &local)?;
    rustix::net::connect(&socket, &peer)?;
    Ok(UdpSocket::from(socket))
}

/// Connects within a time.
pub(crate) fn connect_tcp(
    peer: SocketAddr,
    local: Option<SocketAddr>,
    settings: &SocketSettings,
    timeout: Duration,
) -> io::Result<TcpStream> {
    let socket = new_socket(peer, SocketType::STREAM)?;
    if let Some(local) = local {
        sockopt::set_socket_reuseaddr(&socket, true)?;
        rustix::net::bind(&socket, &local)?;
    }
    // The window scale is settled by the first segment, so buffers come before it.
    apply_tcp(&socket, peer.is_ipv6(), settings)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    match rustix::net::connect(&socket, &peer) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            let mut waiting = [PollFd::new(&socket, PollFlags::OUT)];
            if wait_for(&mut waiting, Some(timeout))? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
            sockopt::socket_error(&socket)??;
        }
        Err(error) => return Err(error.into()),
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(TcpStream::from(socket))
}

/// A UDP socket of a client.
pub(crate) fn connect_udp(
    peer: SocketAddr,
    local: Option<SocketAddr>,
    settings: &SocketSettings,
) -> io::Result<UdpSocket> {
    let socket = new_socket(peer, SocketType::DGRAM)?;
    if let Some(local) = local {
        rustix::net::bind(&socket, &local)?;
    }
    let socket = UdpSocket::from(socket);
    prepare_udp(&socket, peer.is_ipv6(), settings)?;
    rustix::net::connect(&socket, &peer)?;
    Ok(socket)
}

/// Sets an accepted connection up.
pub(crate) fn prepare_tcp(stream: &TcpStream, settings: &SocketSettings) -> io::Result<()> {
    let v6 = stream.local_addr()?.is_ipv6();
    apply_tcp(stream, v6, settings)
}

fn apply_tcp(socket: impl AsFd + Copy, v6: bool, settings: &SocketSettings) -> io::Result<()> {
    if settings.window > 0 {
        let window = usize::try_from(settings.window).unwrap_or(usize::MAX);
        sockopt::set_socket_send_buffer_size(socket, window)?;
        sockopt::set_socket_recv_buffer_size(socket, window)?;
    }
    if settings.segment_size > 0 {
        set_number(socket, NumberOption::SegmentSize, settings.segment_size)?;
    }
    if settings.no_delay {
        sockopt::set_tcp_nodelay(socket, true)?;
    }
    if let Some(congestion) = &settings.congestion {
        sockopt::set_tcp_congestion(socket, congestion)?;
    }
    apply_common(socket, v6, settings)
}

/// Sets a UDP socket up: large buffers unless others are asked for.
pub(crate) fn prepare_udp(
    socket: &UdpSocket,
    v6: bool,
    settings: &SocketSettings,
) -> io::Result<()> {
    enlarge_buffers(socket, settings.window);
    if settings.dont_fragment && !v6 {
        const ALWAYS: u32 = 2;
        set_number(socket, NumberOption::Ipv4PathDiscovery, ALWAYS)?;
    }
    apply_common(socket, v6, settings)
}

fn apply_common(socket: impl AsFd + Copy, v6: bool, settings: &SocketSettings) -> io::Result<()> {
    if settings.type_of_service > 0 {
        let option = if v6 {
            NumberOption::Ipv6TrafficClass
        } else {
            NumberOption::Ipv4TypeOfService
        };
        set_number(socket, option, settings.type_of_service)?;
    }
    if settings.pacing_rate > 0 {
        let bytes = u32::try_from(settings.pacing_rate / 8).unwrap_or(u32::MAX);
        set_number(socket, NumberOption::PacingRate, bytes)?;
    }
    Ok(())
}

/// Makes both buffers of a UDP socket as large as asked, or as large as is useful. What the system
/// does not allow is left.
fn enlarge_buffers(socket: impl AsFd + Copy, window: u32) {
    let size = if window > 0 { window } else { LARGE_BUFFER };
    for (forced, plain) in [
        (NumberOption::ForcedReceiveBuffer, true),
        (NumberOption::ForcedSendBuffer, false),
    ] {
        if set_number(socket, forced, size).is_err() {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let _ = if plain {
                sockopt::set_socket_recv_buffer_size(socket, size)
            } else {
                sockopt::set_socket_send_buffer_size(socket, size)
            };
        }
    }
}

/// Lets the kernel notice within five seconds that the machine at the other end is gone.
pub(crate) fn watch_for_death(stream: &TcpStream) -> io::Result<()> {
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, Duration::from_secs(1))?;
    sockopt::set_tcp_keepintvl(stream, Duration::from_secs(1))?;
    sockopt::set_tcp_keepcnt(stream, 3)?;
    sockopt::set_tcp_user_timeout(stream, 4500)?;
    Ok(())
}

/// Waits for events; says on how many there are some.
pub(crate) fn wait_for(waiting: &mut [PollFd<'_>], timeout: Option<Duration>) -> io::Result<usize> {
    let timeout = timeout.map(|timeout| Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(timeout.subsec_nanos()),
    });
    match poll(waiting, timeout.as_ref()) {
        Ok(count) => Ok(count),
        Err(Errno::INTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Whether there is something to read, the end included, within a time.
pub(crate) fn has_data(socket: impl AsFd, timeout: Duration) -> io::Result<bool> {
    let mut waiting = [PollFd::new(&socket, PollFlags::IN)];
    Ok(wait_for(&mut waiting, Some(timeout))? > 0)
}

/// Reads so many bytes before a deadline.
pub(crate) fn read_exactly(
    mut stream: &TcpStream,
    buffer: &mut [u8],
    deadline: Instant,
) -> io::Result<()> {
    let mut filled = 0;
    while filled < buffer.len() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        if !has_data(stream, left)? {
            continue;
        }
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all bytes before a deadline.
pub(crate) fn write_fully(
    mut stream: &TcpStream,
    mut bytes: &[u8],
    deadline: Instant,
) -> io::Result<()> {
    stream.set_write_timeout(Some(super::PATIENCE))?;
    while !bytes.is_empty() {
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
