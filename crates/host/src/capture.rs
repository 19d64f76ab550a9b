//! A capture: the facts of one machine as gzip-compressed JSON. `docs/capture.md` describes it.

use std::cmp::Ordering;
use std::io::{self, BufReader, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use crate::{Host, Missing};

/// The version of the format that this surefoot writes. It goes up when an old surefoot would
/// misread a new capture; a new field with a default leaves it as it is.
const VERSION: u32 = 1;

/// The largest document that is read, unpacked; a million sockets take a quarter of it.
const LARGEST: u64 = 1 << 30;

/// The most values that are read; a million sockets have half of them. A value of two bytes can
/// take a hundred in memory.
const MOST_VALUES: usize = 30_000_000;

/// The document.
#[derive(Serialize, Deserialize)]
struct CaptureDocument<H> {
    /// Tells a capture from any other JSON.
    surefoot_capture: u32,
    host: H,
}

/// Only the version, to say more about what cannot be read.
#[derive(Deserialize)]
struct Header {
    surefoot_capture: u32,
}

/// Why a file is not a capture.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It cannot be read, or is not whole.
    #[error("it cannot be unpacked; it may be cut short")]
    Unpack(#[source] io::Error),
    /// It is no JSON, or not ours.
    #[error("it is not a capture")]
    Parse(#[source] serde_json::Error),
    /// It was written by a newer surefoot.
    #[error("it has version {found}, and this surefoot reads version {VERSION}; use a newer one")]
    Version {
        /// The version that it says.
        found: u32,
    },
    /// It says a version that there never was.
    #[error("it has version {found}, which no surefoot ever wrote; the first is version {VERSION}")]
    NoVersion {
        /// The version that it says.
        found: u32,
    },
    /// It unpacks to more than a machine can have.
    #[error("it unpacks to more than 1 GiB")]
    TooLarge,
    /// It holds more single values than a machine can have.
    #[error("it holds more than 30 million values")]
    TooMany,
}

impl Host {
    /// Writes the facts as a capture.
    pub fn write_capture(&self, to: impl Write) -> io::Result<()> {
        let mut packed = GzEncoder::new(to, Compression::default());
        let document = CaptureDocument {
            surefoot_capture: VERSION,
            host: self,
        };
        serde_json::to_writer(&mut packed, &document)?;
        packed.write_all(b"\n")?;
        packed.finish()?.flush()
    }

    /// Reads the facts of a capture; plain JSON is read, too.
    pub fn from_capture(from: impl Read) -> Result<Self, CaptureError> {
        let mut from = BufReader::new(from);
        let start = io::BufRead::fill_buf(&mut from).map_err(CaptureError::Unpack)?;
        let text = if start.starts_with(&[0x1f, 0x8b]) {
            unpack(GzDecoder::new(from))?
        } else {
            unpack(from)?
        };
        if values(&text) > MOST_VALUES {
            return Err(CaptureError::TooMany);
        }
        let header: Header = serde_json::from_slice(&text).map_err(CaptureError::Parse)?;
        let found = header.surefoot_capture;
        match found.cmp(&VERSION) {
            Ordering::Less => return Err(CaptureError::NoVersion { found }),
            Ordering::Equal => {}
            Ordering::Greater => return Err(CaptureError::Version { found }),
        }
        let document: CaptureDocument<Self> =
            serde_json::from_slice(&text).map_err(CaptureError::Parse)?;
        let mut host = document.host;
        host.missing.iter_mut().for_each(Missing::settle_kind);
        host.put_in_order();
        Ok(host)
    }

    /// Sorts what is looked up by number, and what has no order of its own.
    pub(crate) fn put_in_order(&mut self) {
        if let Some(processes) = &mut self.processes {
            processes.sort_by_key(|process| process.pid);
        }
        if let Some(sockets) = &mut self.sockets {
            for socket in &mut *sockets {
                socket.owners.sort_unstable();
                socket.owners.dedup();
            }
            sockets.sort_by_key(|socket| {
                (
                    socket.kind,
                    socket.port,
                    socket.local,
                    socket.peer,
                    socket.inode,
                )
            });
        }
        if let Some(vsock) = &mut self.vsock {
            vsock.sort_by_key(|socket| (socket.port, socket.cid, socket.inode));
        }
        if let Some(network) = &mut self.network {
            network.interfaces.sort_by_key(|interface| interface.index);
            for interface in &mut network.interfaces {
                interface.addresses.sort();
            }
            // Most specific first within a table, as the kernel chooses.
            network.routes.sort_by_key(|route| {
                let longest_first = u8::MAX - route.prefix;
                (
                    route.destination.is_ipv6(),
                    route.table,
                    longest_first,
                    route.destination,
                    route.metric,
                )
            });
            network.rules.sort_by_key(|rule| (rule.v6, rule.priority));
            network
                .neighbours
                .sort_by_key(|neighbour| (neighbour.interface, neighbour.address));
        }
        self.missing.sort();
    }
}

/// How many values a JSON text has at most: commas and brackets outside of strings.
fn values(text: &[u8]) -> usize {
    let mut count = 0;
    let (mut in_string, mut escaped) = (false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b',' | b'[' | b'{' if !in_string => count += 1,
            _ => {}
        }
    }
    count
}

fn unpack(from: impl Read) -> Result<Vec<u8>, CaptureError> {
    let mut text = Vec::new();
    from.take(LARGEST + 1)
        .read_to_end(&mut text)
        .map_err(CaptureError::Unpack)?;
    if text.len() as u64 > LARGEST {
        return Err(CaptureError::TooLarge);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed() -> Vec<u8> {
        let mut host = Host {
            name: Some("web1".into()),
            taken: 1,
            ..Host::default()
        };
        host.miss("sockets", "no permission", "who listens");
        let mut bytes = Vec::new();
        host.write_capture(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let host = Host::from_capture(packed().as_slice()).unwrap();
        assert_eq!(host.name.as_deref(), Some("web1"));
        assert_eq!(host.missing.len(), 1);
        let mut again = Vec::new();
        host.write_capture(&mut again).unwrap();
        assert_eq!(again, packed());
    }

    #[test]
    fn a_capture_cut_short_is_refused() {
        let whole = packed();
        for length in 0..whole.len() {
            assert!(Host::from_capture(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn another_version_is_named() {
        let text = r#"{"surefoot_capture":2,"host":{"other":1}}"#;
        let error = Host::from_capture(text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("version 2"), "{error}");
        let text = r#"{"surefoot_capture":0,"host":{"other":1}}"#;
        let error = Host::from_capture(text.as_bytes()).unwrap_err();
        assert!(!error.to_string().contains("newer"), "{error}");
    }

    #[test]
    fn values_are_counted_outside_of_strings() {
        assert_eq!(values(br#"{"a,[":[1,2,"\",{"],"b":"\\"}"#), 5);
        assert_eq!(values(b"\",\\"), 0);
    }

    #[test]
    fn other_json_is_refused() {
        for text in ["{}", "[]", "nonsense", "", "\u{1f}"] {
            assert!(Host::from_capture(text.as_bytes()).is_err(), "{text}");
        }
    }
}
