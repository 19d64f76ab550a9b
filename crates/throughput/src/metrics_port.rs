//! A port on which monitoring systems fetch metrics over HTTP.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::metrics::METRICS_MEDIA_TYPE;

/// A request, with its headers, is no longer than this.
const LONGEST_REQUEST: usize = 8192;
/// How long one may take to come. They are taken one after the other.
const REQUEST_TIME: Duration = Duration::from_secs(1);

/// A port that has been taken.
#[derive(Debug)]
pub struct MetricsPort(TcpListener);

impl MetricsPort {
    /// Takes the port.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).map(Self)
    }

    /// The address.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Answers requests, as long as connections can be taken.
    pub fn serve(&self, text: impl Fn() -> String) {
        loop {
            match self.0.accept() {
                Ok((stream, _)) => {
                    // A client that goes away is no trouble of ours.
                    let _ = answer(&stream, &text);
                }
                // Too many descriptors, or a client that has gone already.
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

fn answer(mut stream: &TcpStream, text: &impl Fn() -> String) -> io::Result<()> {
    stream.set_write_timeout(Some(REQUEST_TIME))?;
    let request = read_request(stream)?;
    let line = request
        .split(|byte| *byte == b'\r')
        .next()
        .unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let (status, kind, body) = match (method, path) {
        (Some(b"GET" | b"HEAD"), b"/metrics" | b"/") => ("200 OK", METRICS_MEDIA_TYPE, text()),
        (Some(b"GET" | b"HEAD"), _) => (
            "404 Not Found",
            "text/plain; charset=utf-8",
            "the metrics are at /metrics\n".to_owned(),
        ),
        _ => (
            "405 Method Not Allowed",
            "text/plain; charset=utf-8",
            "GET only\n".to_owned(),
        ),
    };
    let length = body.len();
    let mut response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    if method != Some(b"HEAD") {
        response.push_str(&body);
    }
    stream.write_all(response.as_bytes())
}

/// Reads up to the empty line.
fn read_request(mut stream: &TcpStream) -> io::Result<Vec<u8>> {
    let end = Instant::now() + REQUEST_TIME;
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|four| four == b"\r\n\r\n") {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || request.len() >= LONGEST_REQUEST {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut part)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => request.extend(&part[..count]),
        }
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("the port");
        stream
            .set_read_timeout(Some(Duration::from_secs(5)))
            .expect("a time");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn requests_are_answered_whatever_came_before() {
        let port = MetricsPort::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let address = port.address().expect("an address");
        std::thread::spawn(move || port.serve(|| "a 1\n# EOF\n".to_owned()));
        // One that says nothing delays the next by its time only.
        let silent = TcpStream::connect(address).expect("the port");
        let began = Instant::now();
        let answer = ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(began.elapsed() < Duration::from_secs(4));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\na 1\n# EOF\n"), "{answer}");
        drop(silent);
        assert!(ask(address, "GET /x HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404"));
        assert!(ask(address, "POST / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405"));
        assert!(ask(address, "HEAD / HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
        assert_eq!(ask(address, &"x".repeat(20_000)), "");
        assert!(ask(address, "GET / HTTP/1.0\r\n\r\n").contains("# EOF"));
    }
}
