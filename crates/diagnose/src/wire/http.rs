//! HTTP/1: one request, and as much of the answer as tells what it is.

use std::fmt::Write as _;

use super::shown;

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// Where it sends the client.
    pub location: Option<String>,
    /// What it says that the server is.
    pub server: Option<String>,
    /// The body as far as it came.
    pub body: Vec<u8>,
    /// Whether all of it is here.
    pub is_whole: bool,
}

/// A request that ends its connection.
pub fn http_request(method: &str, path: &str, host: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: surefoot\r\nAccept: */*\r\nConnection: close\r\n"
    );
    if !body.is_empty() {
        request.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
    }
    if !body.is_empty() || !matches!(method, "GET" | "HEAD") {
        let _ = write!(request, "Content-Length: {}\r\n", body.len());
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Reads an answer: nothing while its head is not whole, an error if it is no HTTP.
pub fn read_http(bytes: &[u8]) -> Result<Option<HttpReply>, String> {
    let start = b"HTTP/1.";
    if !bytes.starts_with(
        start
            .get(..bytes.len().min(start.len()))
            .unwrap_or_default(),
    ) {
        return Err(shown(bytes));
    }
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() > 1 << 16 {
            Err(shown(bytes))
        } else {
            Ok(None)
        };
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let Some(status) = status else {
        return Err(shown(bytes));
    };
    let mut reply = HttpReply {
        status,
        body: bytes.get(end + 4..).unwrap_or_default().to_vec(),
        ..HttpReply::default()
    };
    let mut length = None;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "location" => reply.location = Some(value.to_owned()),
            "server" => reply.server = Some(value.to_owned()),
            "content-length" => length = value.parse::<usize>().ok(),
            _ => {}
        }
    }
    if status < 200 {
        // An interim answer: the real one follows.
        return read_http(bytes.get(end + 4..).unwrap_or_default());
    }
    reply.is_whole =
        matches!(status, 204 | 304) || length.is_some_and(|length| reply.body.len() >= length);
    Ok(Some(reply))
}
