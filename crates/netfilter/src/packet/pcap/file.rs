//! The files: pcap with its one link type, pcapng with its blocks.

use std::ops::Range;
use std::sync::Arc;

use super::CaptureError;
use super::bytes::ByteOrder;

/// A captured frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CapturedFrame<'a> {
    /// What was captured of it.
    pub(super) bytes: &'a [u8],
    pub(super) about: FrameInfo,
}

/// What the file says of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FrameInfo {
    /// `LINKTYPE_*`.
    pub(super) link: u32,
    /// The byte order of the machine that captured.
    pub(super) order: ByteOrder,
    /// When it was captured, in seconds since 1970, where the file says so.
    pub(super) time: Option<u64>,
    /// How long it was on the wire.
    pub(super) length: usize,
    /// The interface, where the file names it.
    pub(super) interface: Option<Arc<str>>,
    /// Which way it went, where the file says so.
    pub(super) direction: Option<FrameDirection>,
}

/// Which way a frame went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum FrameDirection {
    In,
    Out,
}

/// What was read, and what ended the reading early.
type Frames<'a> = (Vec<CapturedFrame<'a>>, Option<CaptureError>);

/// Reads frames up to a number of them.
pub(super) fn frames(bytes: &[u8], most: usize) -> Result<Frames<'_>, CaptureError> {
    let mut blocks = BlockReader::default();
    let mut frames = Vec::new();
    let mut at = 0;
    while frames.len() < most {
        match blocks.next(&bytes[at..])? {
            NextBlock::More if at == bytes.len() && at > 0 => return Ok((frames, None)),
            NextBlock::More if blocks.begun() => return Ok((frames, Some(ends_early(at)))),
            NextBlock::More => return Err(too_short(bytes.len())),
            NextBlock::Stop(error) => return Ok((frames, Some(error))),
            NextBlock::Skip(length) => at += length,
            NextBlock::Frame {
                body,
                about,
                length,
            } => {
                let bytes = &bytes[at + body.start..at + body.end];
                frames.push(CapturedFrame { bytes, about });
                at += length;
            }
        }
    }
    Ok((frames, None))
}

/// What stands next in a file.
pub(super) enum NextBlock {
    /// It is not known without more bytes.
    More,
    /// So many bytes that hold no frame.
    Skip(usize),
    /// A frame.
    Frame {
        /// Where its bytes are.
        body: Range<usize>,
        about: FrameInfo,
        /// How many bytes the record takes.
        length: usize,
    },
    /// Nothing that can be read.
    Stop(CaptureError),
}

/// Reads a file block by block, from as much of it as is there.
#[derive(Debug, Default)]
pub(super) struct BlockReader {
    kind: FileKind,
    /// How many bytes were read.
    at: usize,
}

#[derive(Debug, Default)]
enum FileKind {
    #[default]
    Unknown,
    Pcap {
        order: ByteOrder,
        /// The bytes that a record's header has beside the usual ones.
        extra: usize,
        link: u32,
    },
    Pcapng {
        order: ByteOrder,
        interfaces: Vec<DescribedInterface>,
    },
}

/// No frame or block is as long as this; `tcpdump -s` allows 256 KiB.
const LONGEST: usize = 1 << 28;

impl BlockReader {
    /// Whether it is known what kind of file this is.
    pub(super) fn begun(&self) -> bool {
        !matches!(self.kind, FileKind::Unknown)
    }

    /// How many bytes were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Reads on; an error says that this is no capture.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<NextBlock, CaptureError> {
        let next = match &mut self.kind {
            FileKind::Unknown => return self.read_header(bytes),
            FileKind::Pcap { order, extra, link } => {
                read_pcap(bytes, *order, *extra, *link, self.at)
            }
            FileKind::Pcapng { order, interfaces } => {
                read_pcapng(bytes, order, interfaces, self.at)
            }
        };
        match &next {
            NextBlock::Skip(length) | NextBlock::Frame { length, .. } => self.at += length,
            NextBlock::More | NextBlock::Stop(_) => {}
        }
        Ok(next)
    }

    fn read_header(&mut self, bytes: &[u8]) -> Result<NextBlock, CaptureError> {
        let Some(magic) = bytes.get(..4) else {
            return Ok(NextBlock::More);
        };
        if magic == SECTION.to_be_bytes() {
            self.kind = FileKind::Pcapng {
                order: ByteOrder::Little,
                interfaces: Vec::new(),
            };
            return Ok(NextBlock::Skip(0));
        }
        let (order, extra) = pcap_kind(magic).ok_or_else(|| no_capture(magic))?;
        let Some(link) = order.u32(bytes, 20) else {
            return Ok(NextBlock::More);
        };
        // The upper bits tell of checksums at the end of frames.
        let link = link & 0xffff;
        self.kind = FileKind::Pcap { order, extra, link };
        self.at = 24;
        Ok(NextBlock::Skip(24))
    }
}

pub(super) fn too_short(length: usize) -> CaptureError {
    CaptureError::at(length, "the file is too short for a capture")
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
fn pcap_kind(magic: &[u8]) -> Option<(ByteOrder, usize)> {
    Some(match magic {
        // Microseconds and nanoseconds.
        [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => (ByteOrder::Big, 0),
        [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => (ByteOrder::Little, 0),
        // A patched libpcap of old, with the interface's index in each record.
        [0xa1, 0xb2, 0xcd, 0x34] => (ByteOrder::Big, 8),
        [0x34, 0xcd, 0xb2, 0xa1] => (ByteOrder::Little, 8),
        _ => return None,
    })
}

fn read_pcap(bytes: &[u8], order: ByteOrder, extra: usize, link: u32, at: usize) -> NextBlock {
    let start = 16 + extra;
    let (Some(captured), Some(length)) = (order.length(bytes, 8), order.length(bytes, 12)) else {
        return NextBlock::More;
    };
    if captured > LONGEST {
        let what = "a packet of the capture has an impossible length";
        return NextBlock::Stop(CaptureError::at(at, what));
    }
    if bytes.len() < start + captured {
        return NextBlock::More;
    }
    NextBlock::Frame {
        body: start..start + captured,
        about: FrameInfo {
            link,
            order,
            time: order.u32(bytes, 0).map(u64::from),
            length: length.max(captured),
            interface: None,
            direction: None,
        },
        length: start + captured,
    }
}

pub(super) fn ends_early(at: usize) -> CaptureError {
    let mut error = CaptureError::at(at, "the capture ends inside a packet");
    error.hint = Some("it may still be written, or was cut short".into());
    error
}

#[derive(Debug)]
struct DescribedInterface {
    link: u32,
    snap: usize,
    /// How many of its units of time make a second.
    ticks: u64,
    name: Option<Arc<str>>,
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const PACKET: u32 = 6;

fn read_pcapng(
    bytes: &[u8],
    order: &mut ByteOrder,
    interfaces: &mut Vec<DescribedInterface>,
    at: usize,
) -> NextBlock {
    let stop = |what: &str| NextBlock::Stop(CaptureError::at(at, what));
    let Some(kind) = order.u32(bytes, 0) else {
        return NextBlock::More;
    };
    if kind == SECTION {
        if bytes.len() < 12 {
            return NextBlock::More;
        }
        *order = match bytes.get(8..12) {
            Some([0x1a, 0x2b, 0x3c, 0x4d]) => ByteOrder::Big,
            Some([0x4d, 0x3c, 0x2b, 0x1a]) => ByteOrder::Little,
            _ => return stop("a section of the capture has no byte order"),
        };
        interfaces.clear();
    }
    let order = *order;
    let Some(length) = order.length(bytes, 4) else {
        return NextBlock::More;
    };
    if length < 12 || length % 4 != 0 || length > LONGEST {
        return stop("a block of the capture has an impossible length");
    }
    let Some(body) = bytes.get(8..length - 4).filter(|_| bytes.len() >= length) else {
        return NextBlock::More;
    };
    match kind {
        INTERFACE => interfaces.push(DescribedInterface {
            link: order.u16(body, 0).map_or(u32::MAX, u32::from),
            snap: order
                .length(body, 4)
                .filter(|snap| *snap > 0)
                .unwrap_or(usize::MAX),
            ticks: ticks_per_second(order, body.get(8..).unwrap_or_default()),
            name: name_option(order, body.get(8..).unwrap_or_default()),
        }),
        PACKET | OLD_PACKET | SIMPLE_PACKET => {
            let Some((body, about)) = block_frame(kind, order, body, interfaces) else {
                return stop(
                    "a packet's block does not hold what it says, or its interface is not described",
                );
            };
            return NextBlock::Frame {
                body: 8 + body.start..8 + body.end,
                about,
                length,
            };
        }
        // Names, statistics, secrets, and what others have added.
        _ => {}
    }
    NextBlock::Skip(length)
}

fn block_frame(
    kind: u32,
    order: ByteOrder,
    body: &[u8],
    interfaces: &[DescribedInterface],
) -> Option<(Range<usize>, FrameInfo)> {
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
    body.get(start..end)?;
    let options = end
        .checked_next_multiple_of(4)
        .and_then(|end| body.get(end..));
    let direction = if kind == SIMPLE_PACKET {
        None
    } else {
        direction_option(order, options.unwrap_or_default())
    };
    let word = |at| order.u32(body, at).map(u64::from);
    let time = word(4).zip(word(8)).filter(|_| kind != SIMPLE_PACKET);
    let time = time.map(|(high, low)| (high << 32 | low) / interface.ticks);
    let about = FrameInfo {
        link: interface.link,
        order,
        time,
        length: length.max(captured),
        interface: interface.name.clone(),
        direction,
    };
    Some((start..end, about))
}

/// The option of a code: `if_name` and `epb_flags` are both 2.
fn find_option(order: ByteOrder, wanted: u16, mut options: &[u8]) -> Option<&[u8]> {
    loop {
        let code = order.u16(options, 0)?;
        let length = usize::from(order.u16(options, 2)?);
        let value = options.get(4..4 + length)?;
        match code {
            0 => return None,
            code if code == wanted => return Some(value),
            _ => options = options.get(4 + length.next_multiple_of(4)..)?,
        }
    }
}

fn name_option(order: ByteOrder, options: &[u8]) -> Option<Arc<str>> {
    let name = String::from_utf8_lossy(find_option(order, 2, options)?).into_owned();
    let name = name.trim_end_matches('\0').to_owned();
    // `any` is no interface, and a name that the kernel would not take is none either.
    let plain = name.len() <= 15 && !name.is_empty() && !name.contains(['/', ' ']);
    (plain && name != "any" && !name.chars().any(char::is_control)).then(|| name.into())
}

/// `if_tsresol`: a power of 10, or of 2 if the highest bit is set; else microseconds.
fn ticks_per_second(order: ByteOrder, options: &[u8]) -> u64 {
    let power = find_option(order, 9, options).and_then(|value| value.first().copied());
    let power = power.unwrap_or(6);
    let (base, power) = if power & 0x80 == 0 {
        (10_u64, power)
    } else {
        (2, power & 0x7f)
    };
    base.checked_pow(power.into()).unwrap_or(u64::MAX)
}

fn direction_option(order: ByteOrder, options: &[u8]) -> Option<FrameDirection> {
    match order.u32(find_option(order, 2, options)?, 0)? & 3 {
        1 => Some(FrameDirection::In),
        2 => Some(FrameDirection::Out),
        _ => None,
    }
}
