//! What is sent to a hop and what its answer means, for each protocol. Pure: bytes in, an outcome out.
//!
//! Every question is one that a daemon answers to everybody, changes nothing, and needs no password.

mod der;
mod dns;
mod http;
mod tls;

use std::collections::BTreeMap;

use crate::chain::HopProtocol;
use crate::observation::ReplyOutcome;

pub(crate) use der::days_since_1970;
pub use dns::{dns_query, read_dns_addresses, read_dns_reply};
pub use http::{HttpReply, http_request, read_http};
pub use tls::{TlsReply, client_hello, read_tls_reply};

/// An answer, read as far as it goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadReply {
    /// What it is.
    pub outcome: ReplyOutcome,
    /// Figures that stand in it.
    pub figures: BTreeMap<String, String>,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the readers return nothing while more is to come"
)]
impl ReadReply {
    fn good(text: impl Into<String>) -> Option<Self> {
        Some(Self {
            outcome: ReplyOutcome::Good(text.into()),
            figures: BTreeMap::new(),
        })
    }

    fn complaint(code: impl Into<String>, text: impl Into<String>) -> Option<Self> {
        Some(Self {
            outcome: ReplyOutcome::Complaint {
                code: code.into(),
                text: text.into(),
            },
            figures: BTreeMap::new(),
        })
    }

    fn garbled(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            outcome: ReplyOutcome::Garbled(shown(bytes)),
            figures: BTreeMap::new(),
        })
    }
}

/// The beginning of bytes as text.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let bytes = bytes.get(..200).unwrap_or(bytes);
    String::from_utf8_lossy(bytes).trim().to_owned()
}

/// What is sent first; nothing where the daemon speaks first.
pub fn opening(protocol: HopProtocol) -> &'static [u8] {
    match protocol {
        HopProtocol::Redis => b"PING\r\nINFO\r\n",
        HopProtocol::Memcached => b"version\r\n",
        // `FCGI_GET_VALUES` of `FCGI_MAX_CONNS`: a worker answers it without running a script.
        HopProtocol::FastCgi => b"\x01\x09\x00\x00\x00\x10\x00\x00\x0e\x00FCGI_MAX_CONNS",
        // `SSLRequest`: answered before anybody has to say who they are.
        HopProtocol::Postgres => b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        _ => b"",
    }
}

/// What an answer means; nothing while more of it is to come.
pub fn read_reply(protocol: HopProtocol, bytes: &[u8], is_end: bool) -> Option<ReadReply> {
    if bytes.is_empty() {
        return None;
    }
    match protocol {
        HopProtocol::Mysql => read_mysql(bytes, is_end),
        HopProtocol::Redis => read_redis(bytes, is_end),
        HopProtocol::Memcached => read_line(bytes, is_end, |line| {
            if line.starts_with("VERSION") {
                ReadReply::good(line)
            } else if line.starts_with("ERROR Too many open connections") {
                ReadReply::complaint("MAXCONNS", line)
            } else {
                ReadReply::garbled(line.as_bytes())
            }
        }),
        HopProtocol::Smtp => read_line(bytes, is_end, |line| match line.get(..3) {
            Some("220") => ReadReply::good(line),
            Some(code) if code.starts_with(['4', '5']) => ReadReply::complaint(code, line),
            _ => ReadReply::garbled(line.as_bytes()),
        }),
        HopProtocol::FastCgi => match bytes {
            [1, _, ..] => ReadReply::good("a worker answers"),
            _ => ReadReply::garbled(bytes),
        },
        HopProtocol::Postgres => match bytes {
            [b'S' | b'N', ..] => ReadReply::good("takes connections"),
            [b'E', ..] => read_postgres_error(bytes, is_end),
            _ => ReadReply::garbled(bytes),
        },
        HopProtocol::Http | HopProtocol::Https | HopProtocol::Dns | HopProtocol::Tcp => {
            ReadReply::garbled(bytes)
        }
    }
}

fn read_line(
    bytes: &[u8],
    is_end: bool,
    read: impl Fn(&str) -> Option<ReadReply>,
) -> Option<ReadReply> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    if end.is_none() && !is_end && bytes.len() < 4096 {
        return None;
    }
    let line = bytes.get(..end.unwrap_or(bytes.len()))?;
    read(String::from_utf8_lossy(line).trim())
}

/// The greeting packet: version 10 of the protocol, or an error.
fn read_mysql(bytes: &[u8], is_end: bool) -> Option<ReadReply> {
    let (Some([low, middle, high, _]), Some(body)) = (bytes.get(..4), bytes.get(4..)) else {
        return is_end.then(|| ReadReply::garbled(bytes)).flatten();
    };
    let length = usize::from(*low) | usize::from(*middle) << 8 | usize::from(*high) << 16;
    if length > 4096 {
        return ReadReply::garbled(bytes);
    }
    if body.len() < length && !is_end {
        return None;
    }
    let body = body.get(..length).unwrap_or(body);
    match body {
        [10, rest @ ..] => {
            let version = rest.split(|byte| *byte == 0).next().unwrap_or_default();
            ReadReply::good(shown(version))
        }
        [0xff, low, high, text @ ..] => {
            let code = u16::from_le_bytes([*low, *high]);
            // A client that is known gets `#` and five characters first.
            let text = match text {
                [b'#', _, _, _, _, _, rest @ ..] => rest,
                other => other,
            };
            ReadReply::complaint(code.to_string(), shown(text))
        }
        _ => ReadReply::garbled(bytes),
    }
}

/// The answer to `PING`, then that to `INFO`.
fn read_redis(bytes: &[u8], is_end: bool) -> Option<ReadReply> {
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        return (is_end || bytes.len() > 4096)
            .then(|| ReadReply::garbled(bytes))
            .flatten();
    };
    let (line, rest) = (bytes.get(..end)?, bytes.get(end + 2..)?);
    let text = shown(line);
    let is_good = text == "+PONG";
    if !is_good && !text.starts_with('-') {
        return ReadReply::garbled(bytes);
    }
    let figures = redis_figures(rest);
    if figures.is_none() && !is_end && rest.len() < 1 << 16 {
        return None;
    }
    let words = text.trim_start_matches('-');
    let first = words.split(' ').next().unwrap_or_default();
    let outcome = if is_good || matches!(first, "NOAUTH" | "NOPERM") {
        ReplyOutcome::Good(text)
    } else {
        let code = if words.contains("max number of clients") {
            "MAXCLIENTS"
        } else {
            first
        };
        ReplyOutcome::Complaint {
            code: code.to_owned(),
            text: words.to_owned(),
        }
    };
    Some(ReadReply {
        outcome,
        figures: figures.unwrap_or_default(),
    })
}

/// Figures of `INFO`; nothing while its text is not whole.
fn redis_figures(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    if bytes.first() == Some(&b'-') && bytes.ends_with(b"\r\n") {
        return Some(BTreeMap::new());
    }
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let length: usize = std::str::from_utf8(bytes.get(1..end)?).ok()?.parse().ok()?;
    let text = bytes.get(end + 2..)?.get(..length)?;
    let wanted = [
        "maxmemory",
        "used_memory",
        "maxmemory_policy",
        "rdb_last_bgsave_status",
        "maxclients",
        "connected_clients",
        "role",
        "config_file",
    ];
    let text = String::from_utf8_lossy(text);
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    Some(
        pairs
            .filter(|(name, _)| wanted.contains(name))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
    )
}

/// `ErrorResponse`: fields of a letter and a text.
fn read_postgres_error(bytes: &[u8], is_end: bool) -> Option<ReadReply> {
    let length = bytes.get(1..5).and_then(|it| it.try_into().ok());
    let length = length.map(u32::from_be_bytes);
    let whole = length.is_some_and(|length| bytes.len() > length as usize);
    if !whole && !is_end && bytes.len() < 4096 {
        return None;
    }
    let fields = bytes.get(5..).unwrap_or_default().split(|byte| *byte == 0);
    let (mut code, mut text) = (String::new(), String::new());
    for field in fields {
        match field {
            [b'C', rest @ ..] => code = shown(rest),
            [b'M', rest @ ..] => text = shown(rest),
            _ => {}
        }
    }
    ReadReply::complaint(code, text)
}

#[cfg(test)]
mod tests;
