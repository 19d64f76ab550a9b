//! HTTP/1: one request, and as much of the answer as tells what it is.

use std::fmt::Write as _;

use super::shown;

/// No head is longer.
const LONGEST_HEAD: usize = 1 << 16;
/// So many interim answers may come before the real one.
const MOST_INTERIM: usize = 100;

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpReply {
    /// The status.
    pub status: u16,
    /// Where it sends the client.
    pub location: Option<String>,
    /// What it says that the server is.
    pub server: Option<String>,
    /// The body as far as it came, without the marks of its chunks.
    pub body: Vec<u8>,
    /// Whether all of it is here.
    pub is_whole: bool,
    /// Whether nothing but the end of the connection ends it.
    pub ends_with_connection: bool,
    /// How many bytes it will be with its head, where it says so.
    pub length: Option<usize>,
}

/// A request that ends its connection; `headers` come in the place of those that are usual.
pub fn http_request(
    method: &str,
    path: &str,
    host: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Vec<u8> {
    let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    let is_given = |name: &str| {
        headers
            .iter()
            .any(|(given, _)| given.eq_ignore_ascii_case(name))
    };
    for (name, value) in [("User-Agent", "surefoot"), ("Accept", "*/*")] {
        if !is_given(name) {
            let _ = write!(request, "{name}: {value}\r\n");
        }
    }
    for (name, value) in headers {
        let _ = write!(request, "{name}: {value}\r\n");
    }
    if !body.is_empty() && !is_given("Content-Type") {
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
    let mut at = 0;
    for _ in 0..MOST_INTERIM {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some((reply, end)) = read_one(rest)? else {
            return Ok(None);
        };
        if !(100..200).contains(&reply.status) {
            return Ok(Some(HttpReply {
                length: reply.length.and_then(|length| length.checked_add(at)),
                ..reply
            }));
        }
        // An interim answer: the real one follows.
        at += end;
    }
    Err(format!(
        "{MOST_INTERIM} interim answers, and no end of them"
    ))
}

/// Where a head ends, and where what follows it begins.
fn head_end(bytes: &[u8]) -> Option<(usize, usize)> {
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\n' {
            continue;
        }
        let rest = bytes.get(at + 1..).unwrap_or_default();
        if rest.starts_with(b"\n") {
            return Some((at, at + 2));
        }
        if rest.starts_with(b"\r\n") {
            return Some((at, at + 3));
        }
    }
    None
}

/// Reads the answer at the beginning of some bytes, and says where its head ends.
fn read_one(bytes: &[u8]) -> Result<Option<(HttpReply, usize)>, String> {
    let start = b"HTTP/1.";
    if !bytes.starts_with(
        start
            .get(..bytes.len().min(start.len()))
            .unwrap_or_default(),
    ) {
        return Err(shown(bytes));
    }
    let searched = bytes
        .get(..bytes.len().min(LONGEST_HEAD))
        .unwrap_or_default();
    let Some((end, body)) = head_end(searched) else {
        return if bytes.len() > LONGEST_HEAD {
            Err("a head without an end".to_owned())
        } else {
            Ok(None)
        };
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.trim().parse().ok());
    let Some(status) = status else {
        return Err(shown(bytes));
    };
    let mut reply = HttpReply {
        status,
        ..HttpReply::default()
    };
    let mut length: Option<usize> = None;
    let mut is_chunked = false;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "location" => reply.location = Some(value.to_owned()),
            "server" => reply.server = Some(value.to_owned()),
            "content-length" => {
                let bad = || format!("a length that is none: {}", shown(value.as_bytes()));
                let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
                let told: usize = value.parse().ok().filter(|_| is_number).ok_or_else(bad)?;
                if length.is_some_and(|other| other != told) {
                    return Err("two lengths that differ".to_owned());
                }
                length = Some(told);
            }
            "transfer-encoding" => {
                is_chunked |= value.to_ascii_lowercase().contains("chunked");
            }
            _ => {}
        }
    }
    let rest = bytes.get(body..).unwrap_or_default();
    if matches!(status, 100..200 | 204 | 304) {
        reply.is_whole = true;
    } else if is_chunked {
        (reply.body, reply.is_whole) = read_chunks(rest)?;
    } else if let Some(length) = length {
        reply.is_whole = rest.len() >= length;
        reply.body = rest
            .get(..rest.len().min(length))
            .unwrap_or_default()
            .to_vec();
        reply.length = body.checked_add(length);
    } else {
        reply.body = rest.to_vec();
        reply.ends_with_connection = true;
    }
    Ok(Some((reply, body)))
}

/// The body that is in chunks, and whether its end is here.
fn read_chunks(mut bytes: &[u8]) -> Result<(Vec<u8>, bool), String> {
    let mut body = Vec::new();
    loop {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return Ok((body, false));
        };
        let line = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
        let size = line.split(';').next().unwrap_or_default().trim();
        let is_number = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_hexdigit());
        let size = u64::from_str_radix(size, 16).ok().filter(|_| is_number);
        let Some(size) = size else {
            return Err(format!(
                "a chunk without a size: {}",
                shown(line.as_bytes())
            ));
        };
        bytes = bytes.get(end + 1..).unwrap_or_default();
        if size == 0 {
            return Ok((body, true));
        }
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some(chunk) = bytes.get(..size) else {
            body.extend_from_slice(bytes);
            return Ok((body, false));
        };
        body.extend_from_slice(chunk);
        let rest = bytes.get(size..).unwrap_or_default();
        bytes = rest
            .strip_prefix(b"\r\n")
            .or_else(|| rest.strip_prefix(b"\n"))
            .unwrap_or(rest);
    }
}
