//! Packets out of captures: classic pcap and pcapng, as tcpdump and Wireshark write them.
//!
//! A capture holds what goes over the wire. What it does not hold, the interfaces and what
//! conntrack knows, is said in words beside it; the state is guessed from the packets before.
//! The headers are read here and not by a library, as we want the ports of a first fragment and
//! the fields of a packet that was cut short, just as the kernel sees them.

mod bytes;
mod file;
mod ip;
mod link;
mod state;
mod stream;

use std::sync::Arc;

use super::{Interface, Packet, Path, Value};
use file::{Direction, Frame};
use link::Payload;
use surefoot_ruleset::model::Field;

pub use ip::{Ends, Headers, Transport};
pub use link::Link;
pub(crate) use state::STATE_NOTE;
pub use stream::Stream;

/// Why a packet could not be had from a capture.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CaptureError {
    /// The byte of the file at which reading stopped, where there is one.
    pub byte: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl CaptureError {
    fn new(what: impl Into<String>) -> Self {
        Self {
            byte: None,
            what: what.into(),
            hint: None,
        }
    }

    /// Whether the packet is none that rules for IP see, so that they change nothing for it.
    pub fn beside_ip(&self) -> bool {
        self.what.ends_with("the rules for IP do not see it")
    }

    fn at(byte: usize, what: impl Into<String>) -> Self {
        Self {
            byte: Some(byte),
            ..Self::new(what)
        }
    }
}

impl std::fmt::Display for CaptureError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)?;
        match self.byte {
            Some(byte) => write!(f, " (at byte {byte})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CaptureError {}

/// A packet out of a capture, as far as it was read.
#[derive(Clone, Debug)]
pub struct Captured {
    /// What the IP headers hold.
    pub headers: Headers,
    /// What the link header holds.
    pub link: Link,
    /// Whether the file says that it came in, or that it went out.
    pub incoming: Option<bool>,
    /// The interface, where the file names it.
    pub interface: Option<Arc<str>>,
    /// When it was captured, in seconds since 1970, where the file says so.
    pub time: Option<u64>,
    /// How long it was on the wire.
    pub length: usize,
}

impl<R: std::io::Read> Stream<R> {
    /// The next packet; the inner error tells why a frame holds none that can be read.
    pub fn packet(&mut self) -> Result<Option<Result<Captured, CaptureError>>, CaptureError> {
        let Some(frame) = self.next()? else {
            return Ok(None);
        };
        let read = |frame: Frame<'_>| {
            let payload = link::payload(&frame)?;
            let direction = frame.about.direction;
            Ok(Captured {
                headers: Headers::read(payload.ip, frame.about.length)?,
                link: payload.link,
                incoming: direction.map(|direction| direction == Direction::In),
                interface: frame.about.interface,
                time: frame.about.time,
                length: frame.about.length,
            })
        };
        Ok(Some(read(frame)))
    }
}

/// Reads one packet, counted from 1, and says in a line what it is.
pub fn read(bytes: &[u8], number: usize) -> Result<(Packet, String), CaptureError> {
    let Some(before) = number.checked_sub(1) else {
        return Err(CaptureError::new("packets are counted from 1"));
    };
    let (frames, stopped) = file::frames(bytes, number)?;
    let Some(frame) = frames.get(before) else {
        return Err(stopped.unwrap_or_else(|| {
            let count = frames.len();
            let noun = if count == 1 { "packet" } else { "packets" };
            CaptureError::new(format!(
                "there is no packet {number}: the capture holds {count} {noun}"
            ))
        }));
    };
    let payload = link::payload(frame)?;
    let mut packet = Packet::new(Path::Input);
    packet.path_assumed = true;
    let headers = Headers::read(payload.ip, frame.about.length)?;
    headers.put(&mut packet);
    link_facts(frame, &payload, &mut packet);
    match &headers.transport {
        Some(transport) => state::guess(&frames[..before], transport, &mut packet),
        None => packet
            .notes
            .push("the capture ends before its transport header".into()),
    }
    let cut = frame.about.length.saturating_sub(frame.bytes.len());
    let cut = match cut {
        0 => String::new(),
        cut => format!(", of which the capture left out {cut}"),
    };
    let on = frame.about.interface.as_deref();
    let on = on.map_or_else(String::new, |name| format!(" on {name}"));
    let summary = format!(
        "packet {number}{on}: {}, {} bytes{cut}",
        packet.words(),
        frame.about.length
    );
    Ok((packet, summary))
}

fn link_facts(frame: &Frame<'_>, payload: &Payload<'_>, packet: &mut Packet) {
    let outgoing = payload.link.outgoing || frame.about.direction == Some(Direction::Out);
    if outgoing {
        let Packet { input, output, .. } = Packet::new(Path::Output);
        packet.path = Path::Output;
        packet.path_assumed = false;
        packet.input = input;
        packet.output = output;
        packet.notes.push(
            "captured on its way out: taken as sent by this host; say `in IFACE out IFACE` if it was forwarded".into(),
        );
    }
    if let Some(name) = &frame.about.interface {
        match frame.about.direction {
            Some(Direction::In) => packet.input = Interface::named(name),
            Some(Direction::Out) => packet.output = Interface::named(name),
            None => {}
        }
    }
    if let Some(vlan) = payload.link.vlan {
        packet.notes.push(format!(
            "it carries the tag of VLAN {vlan}: the rules see it on the VLAN's own interface"
        ));
    }
    payload.link.put(packet);
    if packet.known(Field::Length).is_none() {
        let length = u128::try_from(payload.ip.len()).unwrap_or_default();
        packet.put(Field::Length, Value::Known(length));
    }
}

#[cfg(test)]
mod tests;
