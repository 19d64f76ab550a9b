//! The files: pcap with its one link type, pcapng with its blocks.

use super::CaptureError;
use super::bytes::Order;

/// A captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// `LINKTYPE_*`.
    pub(super) link: u32,
    /// The byte order of the machine that captured.
    pub(super) order: Order,
    /// What was captured of it.
    pub(super) bytes: &'a [u8],
    /// How long it was on the wire.
    pub(super) length: usize,
    /// The interface, where the file names it.
    pub(super) interface: Option<String>,
    /// Which way it went, where the file says so.
    pub(super) direction: Option<Direction>,
}

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
}

/// What was read, and what ended the reading early.
type Frames<'a> = (Vec<Frame<'a>>, Option<CaptureError>);

/// Reads frames up to a number of them.
pub(super) fn frames(bytes: &[u8], most: usize) -> Result<Frames<'_>, CaptureError> {
    match bytes.get(..4) {
        Some([0x0a, 0x0d, 0x0d, 0x0a]) => Ok(pcapng(bytes, most)),
        Some(magic) => {
            let (order, extra) = pcap_kind(magic).ok_or_else(|| no_capture(magic))?;
            pcap(bytes, order, extra, most)
        }
        None => Err(CaptureError::at(0, "the file is too short for a capture")),
    }
}

fn no_capture(magic: &[u8]) -> CaptureError {
    let mut error = CaptureError::at(0, "neither a pcap nor a pcapng file");
    error.hint = Some(match magic {
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] | [0xfd, b'7', ..] => {
            "it is compressed: unpack it first".into()
        }
        _ => "write one with `tcpdump -w FILE`".into(),
    });
    error
}

/// The byte order, and the bytes that a record's header has beside the usual ones.
fn pcap_kind(magic: &[u8]) -> Option<(Order, usize)> {
    Some(match magic {
        // Microseconds and nanoseconds.
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, 0),
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, 0),
        // A patched libpcap of old, with the interface's index in each record.
        [0xa1, 0xb2, 0xcd, 0x34] => (Order::Big, 8),
        [0x34, 0xcd, 0xb2, 0xa1] => (Order::Little, 8),
        _ => return None,
    })
}

fn pcap(bytes: &[u8], order: Order, extra: usize, most: usize) -> Result<Frames<'_>, CaptureError> {
    let Some(link) = order.u32(bytes, 20) else {
        return Err(CaptureError::at(
            bytes.len(),
            "the file ends inside its header",
        ));
    };
    let mut frames = Vec::new();
    let mut at = 24;
    while frames.len() < most && at < bytes.len() {
        let start = at + 16 + extra;
        let (Some(captured), Some(length)) =
            (order.length(bytes, at + 8), order.length(bytes, at + 12))
        else {
            return Ok((frames, Some(ends_early(at))));
        };
        let body = start
            .checked_add(captured)
            .and_then(|end| bytes.get(start..end));
        let Some(body) = body else {
            return Ok((frames, Some(ends_early(at))));
        };
        frames.push(Frame {
            // The upper bits tell of checksums at the end of frames.
            link: link & 0xffff,
            order,
            bytes: body,
            length: length.max(captured),
            interface: None,
            direction: None,
        });
        at = start + captured;
    }
    Ok((frames, None))
}

fn ends_early(at: usize) -> CaptureError {
    let mut error = CaptureError::at(at, "the capture ends inside a packet");
    error.hint = Some("it may still be written, or was cut short".into());
    error
}

struct Described {
    link: u32,
    snap: usize,
    name: Option<String>,
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;

fn pcapng(bytes: &[u8], most: usize) -> Frames<'_> {
    let mut frames = Vec::new();
    let mut interfaces: Vec<Described> = Vec::new();
    let mut order = Order::Little;
    let mut at = 0;
    while frames.len() < most && at < bytes.len() {
        let kind = order.u32(bytes, at);
        if kind == Some(SECTION) {
            order = match bytes.get(at + 8..at + 12) {
                Some([0x1a, 0x2b, 0x3c, 0x4d]) => Order::Big,
                Some([0x4d, 0x3c, 0x2b, 0x1a]) => Order::Little,
                _ => {
                    let what = "a section of the capture has no byte order";
                    return (frames, Some(CaptureError::at(at, what)));
                }
            };
            interfaces.clear();
        }
        let (Some(kind), Some(length)) = (kind, order.length(bytes, at + 4)) else {
            return (frames, Some(ends_early(at)));
        };
        if length < 12 || length % 4 != 0 {
            let what = "a block of the capture has an impossible length";
            return (frames, Some(CaptureError::at(at, what)));
        }
        let end = at.checked_add(length).filter(|end| *end <= bytes.len());
        let Some(end) = end else {
            return (frames, Some(ends_early(at)));
        };
        let body = &bytes[at + 8..end - 4];
        match kind {
            INTERFACE => interfaces.push(Described {
                link: order.u16(body, 0).map_or(u32::MAX, u32::from),
                snap: order
                    .length(body, 4)
                    .filter(|snap| *snap > 0)
                    .unwrap_or(usize::MAX),
                name: name_option(order, body.get(8..).unwrap_or_default()),
            }),
            PACKET | OLD_PACKET | SIMPLE_PACKET => {
                let Some(frame) = block_frame(kind, order, body, &interfaces) else {
                    let what = "a packet's block does not hold what it says, or its interface is not described";
                    return (frames, Some(CaptureError::at(at, what)));
                };
                frames.push(frame);
            }
            // Names, statistics, secrets, and what others have added.
            _ => {}
        }
        at = end;
    }
    (frames, None)
}

fn block_frame<'a>(
    kind: u32,
    order: Order,
    body: &'a [u8],
    interfaces: &[Described],
) -> Option<Frame<'a>> {
    let (index, captured, length, start) = match kind {
        SIMPLE_PACKET => {
            let length = order.length(body, 0)?;
            let snap = interfaces.first()?.snap;
            (0, length.min(snap).min(body.len() - 4), length, 4)
        }
        OLD_PACKET => (
            usize::from(order.u16(body, 0)?),
            order.length(body, 12)?,
            order.length(body, 16)?,
            20,
        ),
        _ => (
            order.length(body, 0)?,
            order.length(body, 12)?,
            order.length(body, 16)?,
            20,
        ),
    };
    let interface = interfaces.get(index)?;
    let end = captured.checked_add(start)?;
    let bytes = body.get(start..end)?;
    let options = end
        .checked_next_multiple_of(4)
        .and_then(|end| body.get(end..));
    let direction = if kind == SIMPLE_PACKET {
        None
    } else {
        direction_option(order, options.unwrap_or_default())
    };
    Some(Frame {
        link: interface.link,
        order,
        bytes,
        length: length.max(captured),
        interface: interface.name.clone(),
        direction,
    })
}

/// The option of that code: `if_name` and `epb_flags` are both 2.
fn option_2(order: Order, mut options: &[u8]) -> Option<&[u8]> {
    loop {
        let code = order.u16(options, 0)?;
        let length = usize::from(order.u16(options, 2)?);
        let value = options.get(4..4 + length)?;
        match code {
            0 => return None,
            2 => return Some(value),
            _ => options = options.get(4 + length.next_multiple_of(4)..)?,
        }
    }
}

fn name_option(order: Order, options: &[u8]) -> Option<String> {
    let name = String::from_utf8_lossy(option_2(order, options)?).into_owned();
    let name = name.trim_end_matches('\0').to_owned();
    // `any` is no interface, and a name that the kernel would not take is none either.
    let plain = name.len() <= 15 && !name.is_empty() && !name.contains(['/', ' ']);
    (plain && name != "any" && !name.chars().any(char::is_control)).then_some(name)
}

fn direction_option(order: Order, options: &[u8]) -> Option<Direction> {
    match order.u32(option_2(order, options)?, 0)? & 3 {
        1 => Some(Direction::In),
        2 => Some(Direction::Out),
        _ => None,
    }
}
