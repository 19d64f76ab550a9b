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

use super::{Interface, Packet, Path, Value};
use crate::model::Field;
use file::{Direction, Frame};
use link::Payload;

pub(crate) use state::STATE_NOTE;

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
    let headers = ip::read(payload.ip, frame.length, &mut packet)?;
    link_facts(frame, &payload, &mut packet);
    state::guess(&frames[..before], &headers, &mut packet);
    packet.notes.extend(headers.notes);
    let cut = frame.length.saturating_sub(frame.bytes.len());
    let cut = match cut {
        0 => String::new(),
        cut => format!(", of which the capture left out {cut}"),
    };
    let on = frame.interface.as_deref();
    let on = on.map_or_else(String::new, |name| format!(" on {name}"));
    let summary = format!(
        "packet {number}{on}: {}, {} bytes{cut}",
        packet.words(),
        frame.length
    );
    Ok((packet, summary))
}

fn link_facts(frame: &Frame<'_>, payload: &Payload<'_>, packet: &mut Packet) {
    let outgoing = payload.outgoing || frame.direction == Some(Direction::Out);
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
    if let Some(name) = &frame.interface {
        match frame.direction {
            Some(Direction::In) => packet.input = Interface::named(name),
            Some(Direction::Out) => packet.output = Interface::named(name),
            None => {}
        }
    }
    if let Some(vlan) = payload.vlan {
        packet.notes.push(format!(
            "it carries the tag of VLAN {vlan}: the rules see it on the VLAN's own interface"
        ));
    }
    for (field, number) in &payload.fields {
        packet.put(*field, Value::Known(*number));
    }
    if packet.known(Field::Length).is_none() {
        let length = u128::try_from(payload.ip.len()).unwrap_or_default();
        packet.put(Field::Length, Value::Known(length));
    }
}

#[cfg(test)]
mod tests;
