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

use super::{FieldValue, Packet, PacketInterface, PacketPath};
use file::{CapturedFrame, FrameDirection};
use link::LinkPayload;
use surefoot_ruleset::model::Field;

pub use ip::{FlowTuple, IpHeaders, TransportHeader};
pub use link::LinkFields;
pub(crate) use state::STATE_NOTE;
pub use stream::FrameStream;

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
pub struct CapturedPacket {
    /// What the IP headers hold.
    pub headers: IpHeaders,
    /// What the link header holds.
    pub link: LinkFields,
    /// Whether the file says that it came in, or that it went out.
    pub incoming: Option<bool>,
    /// The interface, where the file names it.
    pub interface: Option<Arc<str>>,
    /// When it was captured, in seconds since 1970, where the file says so.
    pub time: Option<u64>,
    /// How long it was on the wire.
    pub length: usize,
}

impl<R: std::io::Read> FrameStream<R> {
    /// The next packet; the inner error tells why a frame holds none that can be read.
    pub fn packet(&mut self) -> Result<Option<Result<CapturedPacket, CaptureError>>, CaptureError> {
        let Some(frame) = self.next()? else {
            return Ok(None);
        };
        let read = |frame: CapturedFrame<'_>| {
            let payload = link::payload_of(&frame)?;
            let direction = frame.about.direction;
            Ok(CapturedPacket {
                headers: IpHeaders::read(payload.ip, frame.about.length)?,
                link: payload.link,
                incoming: direction.map(|direction| direction == FrameDirection::In),
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
    let payload = link::payload_of(frame)?;
    let mut packet = Packet::new(PacketPath::Input);
    packet.path_assumed = true;
    let headers = IpHeaders::read(payload.ip, frame.about.length)?;
    headers.put(&mut packet);
    link_facts(frame, &payload, &mut packet);
    match &headers.transport {
        Some(transport) => state::guess_state(&frames[..before], transport, &mut packet),
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

fn link_facts(frame: &CapturedFrame<'_>, payload: &LinkPayload<'_>, packet: &mut Packet) {
    let outgoing = payload.link.outgoing || frame.about.direction == Some(FrameDirection::Out);
    if outgoing {
        let Packet { input, output, .. } = Packet::new(PacketPath::Output);
        packet.path = PacketPath::Output;
        packet.path_assumed = false;
        packet.input = input;
        packet.output = output;
        packet.notes.push(
            "captured on its way out: taken as sent by this host; say `in IFACE out IFACE` if it was forwarded".into(),
        );
    }
    if let Some(name) = &frame.about.interface {
        match frame.about.direction {
            Some(FrameDirection::In) => packet.input = PacketInterface::named(name),
            Some(FrameDirection::Out) => packet.output = PacketInterface::named(name),
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
        packet.put(Field::Length, FieldValue::Known(length));
    }
}

#[cfg(test)]
mod tests;
