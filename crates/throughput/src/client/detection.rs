//! Finds out which server answers.
//!
//! An iperf3 server asks for parameters once it has the cookie. An iperf 2 server takes the cookie
//! for data and says nothing. Without a port the well-known one of each is tried, iperf3's first.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{ClientError, ClientOptions, ProtocolChoice, RandomBytes, resolve};
use crate::engine::{connect_tcp, has_data, watch_for_death, write_fully};
use crate::summary::TransportName;
use crate::wire::iperf3::{COOKIE_LENGTH, ControlState, Cookie};

const IPERF2_PORT: u16 = 5001;
const IPERF3_PORT: u16 = 5201;

/// How long an iperf3 server may take to ask for parameters, before we think that it is another.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// A server, and the connection that was made to it.
pub(super) enum FoundServer {
    /// iperf3.
    Iperf3 {
        /// The control connection.
        control: TcpStream,
        /// The cookie, if the server has it already.
        greeting: Option<Cookie>,
        /// The address.
        server: SocketAddr,
    },
    /// iperf 2. Over one address the streams themselves find out whether it is there.
    Iperf2 {
        /// The address.
        server: SocketAddr,
        /// Where no server listens.
        refused: Vec<SocketAddr>,
    },
}

/// A cookie to ask with. Its first letters are those in which an iperf 2 server that takes them for
/// flags sees a header that never ends, and nothing to do.
fn asking_cookie(random: &mut dyn RandomBytes) -> Cookie {
    let mut bytes = [0; COOKIE_LENGTH - 1];
    random.fill(&mut bytes[2..]);
    Cookie::from_random(&bytes)
}

/// A new cookie.
pub(super) fn new_cookie(random: &mut dyn RandomBytes) -> Cookie {
    let mut bytes = [0; COOKIE_LENGTH - 1];
    random.fill(&mut bytes);
    Cookie::from_random(&bytes)
}

/// Makes a control connection.
pub(super) fn open_control(
    options: &ClientOptions,
    server: SocketAddr,
) -> Result<TcpStream, ClientError> {
    let local = options.bind.map(|ip| SocketAddr::new(ip, 0));
    let settings = crate::engine::SocketSettings {
        no_delay: true,
        ..Default::default()
    };
    let connect = || {
        let control = connect_tcp(server, local, &settings, options.patience())?;
        watch_for_death(&control)?;
        Ok(control)
    };
    connect().map_err(|error| connect_error(server, &error))
}

fn connect_error(address: SocketAddr, error: &io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ClientError::Refused(vec![address]),
        io::ErrorKind::TimedOut => ClientError::Unreachable {
            address,
            why: "no answer".to_owned(),
        },
        _ => ClientError::Unreachable {
            address,
            why: error.to_string().to_lowercase(),
        },
    }
}

/// Finds the server.
pub(super) fn find_server(
    options: &ClientOptions,
    random: &mut dyn RandomBytes,
) -> Result<FoundServer, ClientError> {
    match options.protocol {
        ProtocolChoice::Iperf3 => {
            let port = options.port.unwrap_or(IPERF3_PORT);
            let (control, server) = open_first(options, &resolve(options, port)?)?;
            Ok(FoundServer::Iperf3 {
                control,
                server,
                greeting: None,
            })
        }
        ProtocolChoice::Iperf2 => {
            let port = options.port.unwrap_or(IPERF2_PORT);
            iperf2_at(options, &resolve(options, port)?)
        }
        ProtocolChoice::Find => match options.port {
            Some(port) => tell_apart(options, &resolve(options, port)?, random),
            None => try_both_ports(options),
        },
    }
}

/// The first address that lets us connect.
fn open_first(
    options: &ClientOptions,
    addresses: &[SocketAddr],
) -> Result<(TcpStream, SocketAddr), ClientError> {
    let mut first_error = None;
    for address in addresses {
        match open_control(options, *address) {
            Ok(control) => return Ok((control, *address)),
            Err(error) => first_error = Some(first_error.unwrap_or(error)),
        }
    }
    Err(first_error.unwrap_or(ClientError::Refused(Vec::new())))
}

fn try_both_ports(options: &ClientOptions) -> Result<FoundServer, ClientError> {
    let addresses = resolve(options, IPERF3_PORT)?;
    match open_first(options, &addresses) {
        Ok((control, server)) => Ok(FoundServer::Iperf3 {
            control,
            server,
            greeting: None,
        }),
        Err(ClientError::Refused(mut refused)) => {
            let others = resolve(options, IPERF2_PORT)?;
            match iperf2_at(options, &others) {
                Ok(FoundServer::Iperf2 { server, .. }) => {
                    Ok(FoundServer::Iperf2 { server, refused })
                }
                Err(ClientError::Refused(more)) => {
                    refused.extend(more);
                    Err(ClientError::Refused(refused))
                }
                other => other,
            }
        }
        Err(error) => Err(error),
    }
}

/// A server of iperf 2 over TCP must accept; over UDP nothing shows before the first datagram.
fn iperf2_at(
    options: &ClientOptions,
    addresses: &[SocketAddr],
) -> Result<FoundServer, ClientError> {
    let server = match (options.transport, addresses) {
        (TransportName::Udp, [first, ..]) => *first,
        // One address: the streams themselves find out.
        (TransportName::Tcp, [only]) => *only,
        _ => open_first(options, addresses)?.1,
    };
    let refused = Vec::new();
    Ok(FoundServer::Iperf2 { server, refused })
}

fn tell_apart(
    options: &ClientOptions,
    addresses: &[SocketAddr],
    random: &mut dyn RandomBytes,
) -> Result<FoundServer, ClientError> {
    let (control, server) = match open_first(options, addresses) {
        Ok(found) => found,
        // A server of iperf 2 that does UDP has no TCP port.
        Err(ClientError::Refused(_)) if options.transport == TransportName::Udp => {
            return iperf2_at(options, addresses);
        }
        Err(error) => return Err(error),
    };
    let cookie = asking_cookie(random);
    let deadline = Instant::now() + options.patience();
    let lost = |error: io::Error| connect_error(server, &error);
    write_fully(&control, &cookie.to_wire(), deadline).map_err(lost)?;
    // An iperf 2 server may take letters for flags and acknowledge them, with a 0 in front.
    let mut answer = [0];
    let answered = has_data(&control, ANSWER_TIME).map_err(lost)?
        && control.peek(&mut answer).is_ok_and(|length| length == 1)
        && ControlState::from_byte(answer[0]).is_some();
    if answered {
        return Ok(FoundServer::Iperf3 {
            control,
            server,
            greeting: Some(cookie),
        });
    }
    let refused = Vec::new();
    Ok(FoundServer::Iperf2 { server, refused })
}
