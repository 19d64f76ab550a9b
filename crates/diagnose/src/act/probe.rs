//! Connecting to a hop and asking in its own protocol, within a deadline.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::chain::{HopAddress, HopProtocol};
use crate::observation::{CertificateFacts, ConnectOutcome, LACKS_TEXT, ProbeFacts, ReplyOutcome};
use crate::wire::{
    HttpReply, ReadReply, TlsReply, client_hello, dns_query, http_request, opening, read_dns_reply,
    read_http, read_reply, read_tls_reply,
};

/// No probe takes longer.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);
/// No more of an answer is read.
const LONGEST_ANSWER: usize = 64 << 10;
/// So much of a body is looked through for a text.
const LONG_BODY: usize = 1 << 20;
/// So much of a body tells what a hop's answer is.
pub(super) const SHORT_BODY: usize = 16 << 10;

/// What is asked of a hop that speaks HTTP.
#[derive(Clone, Debug, Default)]
pub(super) struct HttpQuestion {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) host: String,
    /// Other headers.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    /// A text that a good answer holds.
    pub(super) expect: Option<String>,
    /// Whether the address is one that was given, and not the one that the name leads to.
    pub(super) is_resolved: bool,
    /// Whether it is the very request that shows the symptom.
    pub(super) is_replay: bool,
}

/// A connection over either kind of socket.
pub(super) enum HopStream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl HopStream {
    fn wait_at_most(&self, left: Duration) -> std::io::Result<()> {
        let left = Some(left.max(Duration::from_millis(1)));
        match self {
            Self::Tcp(stream) => stream
                .set_read_timeout(left)
                .and_then(|()| stream.set_write_timeout(left)),
            Self::Unix(stream) => stream
                .set_read_timeout(left)
                .and_then(|()| stream.set_write_timeout(left)),
        }
    }
}

impl Read for HopStream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for HopStream {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Connects; what came of it if that failed.
pub(super) fn connect(
    address: &HopAddress,
    patience: Duration,
) -> Result<HopStream, ConnectOutcome> {
    let failed = |error: &std::io::Error| match error.kind() {
        ErrorKind::ConnectionRefused => ConnectOutcome::Refused,
        ErrorKind::TimedOut => ConnectOutcome::TimedOut,
        ErrorKind::NotFound => ConnectOutcome::Missing,
        ErrorKind::WouldBlock => ConnectOutcome::QueueFull,
        _ => ConnectOutcome::Failed(words_of(error)),
    };
    match address {
        HopAddress::Tcp(address) | HopAddress::Udp(address) => {
            TcpStream::connect_timeout(address, patience)
                .map(HopStream::Tcp)
                .map_err(|error| failed(&error))
        }
        HopAddress::Unix(path) => connect_unix(path)
            .map(HopStream::Unix)
            .map_err(|error| failed(&error)),
        HopAddress::Named(name, _) => Err(ConnectOutcome::Unresolved(name.clone())),
    }
}

/// An error without the number that the library adds.
pub(super) fn words_of(error: &std::io::Error) -> String {
    let text = error.to_string();
    let end = text.find(" (os error").unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_owned()
}

/// Connects without waiting: a full queue is an answer of its own.
fn connect_unix(path: &str) -> std::io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Reads until `read` has an answer, or the other end ends it, or the time is up.
fn converse<T>(
    stream: &mut HopStream,
    first: &[u8],
    deadline: Instant,
    longest: usize,
    mut read: impl FnMut(&[u8], bool) -> Option<T>,
) -> Result<T, ReplyOutcome> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    let left = || deadline.saturating_duration_since(Instant::now());
    let wrote = stream
        .wait_at_most(left())
        .and_then(|()| stream.write_all(first));
    if let Err(error) = wrote
        && error.kind() == ErrorKind::WouldBlock
    {
        return Err(ReplyOutcome::Silent);
    }
    loop {
        if left().is_zero() {
            return read(&bytes, true).ok_or(ReplyOutcome::Silent);
        }
        let got = stream
            .wait_at_most(left())
            .and_then(|()| stream.read(&mut buffer));
        match got {
            Ok(0) => return read(&bytes, true).ok_or(ReplyOutcome::Closed),
            Ok(length) => {
                bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
                if let Some(answer) = read(&bytes, bytes.len() >= longest) {
                    return Ok(answer);
                }
            }
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                    return read(&bytes, true).ok_or(ReplyOutcome::Silent);
                }
                _ => return read(&bytes, true).ok_or(ReplyOutcome::Closed),
            },
        }
    }
}

/// An answer over HTTP, and how it ended.
pub(super) struct PageReply {
    pub(super) reply: HttpReply,
    /// Milliseconds between the last bytes of it and the end of the wait.
    pub(super) still_for: u64,
    /// Whether it is longer than what is read.
    pub(super) is_cut: bool,
    /// Whether nothing more can come.
    pub(super) is_over: bool,
}

/// Asks over HTTP, and reads so much of the body.
pub(super) fn ask_http(
    address: &HopAddress,
    question: &HttpQuestion,
    patience: Duration,
    most: usize,
) -> (ConnectOutcome, Result<PageReply, ReplyOutcome>) {
    let deadline = Instant::now() + patience;
    let mut stream = match connect(address, patience) {
        Ok(stream) => stream,
        Err(outcome) => return (outcome, Err(ReplyOutcome::NotAsked)),
    };
    let request = http_request(
        &question.method,
        &question.path,
        &question.host,
        &question.headers,
        &question.body,
    );
    let is_bodyless = question.method == "HEAD";
    let mut known: Option<HttpReply> = None;
    let (mut seen, mut last) = (0, Instant::now());
    let page = converse(
        &mut stream,
        &request,
        deadline,
        most + LONGEST_ANSWER,
        |bytes, is_end| {
            let has_grown = bytes.len() > seen;
            if has_grown {
                (seen, last) = (bytes.len(), Instant::now());
            }
            // A long body is not read anew with each part of it.
            let is_ready = known.as_ref().is_none_or(|known| {
                known.length.is_some_and(|length| bytes.len() >= length)
                    || bytes.ends_with(b"0\r\n\r\n")
                    || bytes.len() >= most
            });
            if !is_end && !is_ready {
                return None;
            }
            let mut reply = match read_http(bytes) {
                Ok(Some(reply)) => reply,
                Ok(None) => return None,
                Err(text) => return Some(Err(ReplyOutcome::Garbled(text))),
            };
            reply.is_whole |= is_bodyless;
            let is_cut = !reply.is_whole && bytes.len() >= most;
            if reply.is_whole || is_end || is_cut {
                let still_for = u64::try_from(last.elapsed().as_millis()).unwrap_or(u64::MAX);
                return Some(Ok(PageReply {
                    reply,
                    still_for,
                    is_cut,
                    is_over: false,
                }));
            }
            known = Some(reply);
            None
        },
    );
    // The end of the connection is the end of a body without a length.
    let page = page.map(|page| {
        page.map(|mut page| {
            page.is_over = Instant::now() < deadline && !page.is_cut;
            page.reply.is_whole |= page.reply.ends_with_connection && page.is_over;
            page
        })
    });
    (ConnectOutcome::Connected, page.and_then(|page| page))
}

/// Asks for the certificate.
pub(super) fn ask_certificate(
    address: &HopAddress,
    name: Option<&str>,
    random: [u8; 32],
    patience: Duration,
) -> (ConnectOutcome, Result<CertificateFacts, ReplyOutcome>) {
    let deadline = Instant::now() + patience;
    let mut stream = match connect(address, patience) {
        Ok(stream) => stream,
        Err(outcome) => return (outcome, Err(ReplyOutcome::NotAsked)),
    };
    let hello = client_hello(random, name);
    let reply = converse(&mut stream, &hello, deadline, LONGEST_ANSWER, |bytes, _| {
        match read_tls_reply(bytes) {
            TlsReply::Unfinished => None,
            TlsReply::Certificate(facts) => Some(Ok(facts)),
            // 70: no version that we know; 40: no cipher. It is alive and speaks TLS.
            TlsReply::Alert(alert) => Some(Err(ReplyOutcome::Good(format!(
                "speaks TLS, and shows no certificate to version 1.2 (alert {alert})"
            )))),
            TlsReply::Garbled => Some(Err(ReplyOutcome::Garbled(crate::wire::shown(bytes)))),
        }
    });
    (ConnectOutcome::Connected, reply.and_then(|reply| reply))
}

fn ask_dns(address: SocketAddr) -> ProbeFacts {
    let ask = || -> std::io::Result<Option<ReadReply>> {
        let here: IpAddr = if address.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        };
        let socket = UdpSocket::bind(SocketAddr::new(here, 0))?;
        socket.connect(address)?;
        socket.set_read_timeout(Some(DEADLINE))?;
        socket.send(&dns_query(17, "localhost", 1))?;
        let mut buffer = [0; 1024];
        let length = socket.recv(&mut buffer)?;
        Ok(read_dns_reply(17, buffer.get(..length).unwrap_or_default()))
    };
    let (connect, reply) = match ask() {
        Ok(Some(reply)) => (ConnectOutcome::Connected, reply.outcome),
        Ok(None) => (
            ConnectOutcome::Connected,
            ReplyOutcome::Garbled(String::new()),
        ),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            (ConnectOutcome::Refused, ReplyOutcome::NotAsked)
        }
        Err(_) => (ConnectOutcome::Connected, ReplyOutcome::Silent),
    };
    ProbeFacts {
        connect,
        reply,
        ..ProbeFacts::default()
    }
}

/// Asks a hop in its protocol.
pub(super) fn probe_hop(
    address: &HopAddress,
    protocol: HopProtocol,
    question: &HttpQuestion,
    random: [u8; 32],
) -> ProbeFacts {
    let began = Instant::now();
    let mut facts = probe_protocol(address, protocol, question, random);
    facts.millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    facts
}

fn probe_protocol(
    address: &HopAddress,
    protocol: HopProtocol,
    question: &HttpQuestion,
    random: [u8; 32],
) -> ProbeFacts {
    match (protocol, address) {
        (HopProtocol::Dns, HopAddress::Udp(address) | HopAddress::Tcp(address)) => {
            ask_dns(*address)
        }
        (HopProtocol::Http, _) => {
            let most = if question.expect.is_some() {
                LONG_BODY
            } else {
                SHORT_BODY
            };
            let (connect, page) = ask_http(address, question, DEADLINE, most);
            ProbeFacts {
                connect,
                reply: match page {
                    Ok(page) if is_broken_off(&page) => ReplyOutcome::Complaint {
                        code: "cut".to_owned(),
                        text: format!("{}, and does not finish its answer", page.reply.status),
                    },
                    Ok(page) => judge_content(&page, question.expect.as_deref())
                        .unwrap_or_else(|| judge_http(&page.reply)),
                    Err(outcome) => outcome,
                },
                is_replay: question.is_replay,
                ..ProbeFacts::default()
            }
        }
        (HopProtocol::Https, _) => {
            let name = question
                .host
                .split(':')
                .next()
                .filter(|host| host.parse::<IpAddr>().is_err());
            let (connect, reply) = ask_certificate(address, name, random, DEADLINE);
            let (reply, certificate) = match reply {
                Ok(facts) => (
                    ReplyOutcome::Good("serves a certificate".to_owned()),
                    Some(facts),
                ),
                Err(outcome) => (outcome, None),
            };
            ProbeFacts {
                connect,
                reply,
                certificate,
                ..ProbeFacts::default()
            }
        }
        (HopProtocol::Tcp, _) => ProbeFacts {
            connect: match connect(address, DEADLINE) {
                Ok(_) => ConnectOutcome::Connected,
                Err(outcome) => outcome,
            },
            ..ProbeFacts::default()
        },
        _ => probe_bytes(address, protocol),
    }
}

fn probe_bytes(address: &HopAddress, protocol: HopProtocol) -> ProbeFacts {
    let deadline = Instant::now() + DEADLINE;
    let mut stream = match connect(address, DEADLINE) {
        Ok(stream) => stream,
        Err(connect) => {
            return ProbeFacts {
                connect,
                ..ProbeFacts::default()
            };
        }
    };
    let reply = converse(
        &mut stream,
        opening(protocol),
        deadline,
        LONGEST_ANSWER,
        |bytes, is_end| read_reply(protocol, bytes, is_end),
    );
    let (reply, figures) = match reply {
        Ok(reply) => (reply.outcome, reply.figures),
        Err(outcome) => (outcome, BTreeMap::new()),
    };
    ProbeFacts {
        connect: ConnectOutcome::Connected,
        reply,
        figures,
        ..ProbeFacts::default()
    }
}

/// Whether an answer ended before it was whole, or stopped coming.
pub(super) fn is_broken_off(page: &PageReply) -> bool {
    !page.reply.is_whole
        && !page.is_cut
        && (!page.reply.ends_with_connection || page.still_for > 500)
}

/// Whether a whole answer with a good status lacks the text that a good one holds.
fn judge_content(page: &PageReply, expect: Option<&str>) -> Option<ReplyOutcome> {
    let reply = &page.reply;
    let lacks = !String::from_utf8_lossy(&reply.body).contains(expect?);
    // Another status is an answer of its own, and a redirection has no text.
    let is_page = (200..300).contains(&reply.status) && reply.is_whole && !page.is_cut;
    (lacks && is_page).then(|| ReplyOutcome::Complaint {
        code: LACKS_TEXT.to_owned(),
        text: format!("{} without the text that was expected", reply.status),
    })
}

/// Whether a status is that of a failure.
pub(super) fn judge_http(reply: &HttpReply) -> ReplyOutcome {
    let server = reply.server.as_deref().unwrap_or("an unnamed server");
    if reply.status < 400 {
        ReplyOutcome::Good(format!("{} of {server}", reply.status))
    } else {
        ReplyOutcome::Complaint {
            code: reply.status.to_string(),
            text: format!("{} of {server}", reply.status),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_hop_that_says_nothing_is_silent_within_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = HopAddress::Tcp(listener.local_addr().unwrap());
        let question = HttpQuestion::default();
        let facts = probe_hop(&address, HopProtocol::Mysql, &question, [0; 32]);
        assert_eq!(facts.connect, ConnectOutcome::Connected);
        assert_eq!(facts.reply, ReplyOutcome::Silent);
        assert!((1900..3500).contains(&facts.millis), "{}", facts.millis);
        drop(listener);
        let facts = probe_hop(&address, HopProtocol::Mysql, &question, [0; 32]);
        assert_eq!(facts.connect, ConnectOutcome::Refused);
        let missing = HopAddress::Unix("/nowhere/at/all.sock".to_owned());
        let facts = probe_hop(&missing, HopProtocol::FastCgi, &question, [0; 32]);
        assert_eq!(facts.connect, ConnectOutcome::Missing);
    }
}
