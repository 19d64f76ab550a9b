//! A capture that is read on and on, however long it is.

use std::io::Read;

use super::CaptureError;
use super::file::{BlockReader, CapturedFrame, NextBlock, ends_early, too_short};

/// Bytes that are read at once.
const WINDOW: usize = 1 << 20;

/// The frames of a capture, one after another.
pub struct FrameStream<R> {
    from: R,
    blocks: BlockReader,
    window: Vec<u8>,
    start: usize,
    end: usize,
}

impl<R: Read> FrameStream<R> {
    /// Reads a pcap or pcapng file from its first byte.
    pub fn new(from: R) -> Self {
        Self {
            from,
            blocks: BlockReader::default(),
            window: vec![0; WINDOW],
            start: 0,
            end: 0,
        }
    }

    /// Whether it is known that this is a capture.
    pub fn begun(&self) -> bool {
        self.blocks.begun()
    }

    /// The next frame; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<CapturedFrame<'_>>, CaptureError> {
        loop {
            match self.blocks.next(&self.window[self.start..self.end])? {
                NextBlock::Skip(length) => self.start += length,
                NextBlock::Stop(error) => return Err(error),
                NextBlock::Frame {
                    body,
                    about,
                    length,
                } => {
                    let at = self.start;
                    self.start += length;
                    let bytes = &self.window[at + body.start..at + body.end];
                    return Ok(Some(CapturedFrame { bytes, about }));
                }
                NextBlock::More if self.fill()? => {}
                NextBlock::More if !self.blocks.begun() => return Err(too_short(self.end)),
                NextBlock::More if self.start == self.end => return Ok(None),
                NextBlock::More => return Err(ends_early(self.blocks.at())),
            }
        }
    }

    /// Reads more; says whether there was any.
    fn fill(&mut self) -> Result<bool, CaptureError> {
        self.window.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.window.len() {
            self.window.resize(2 * self.end, 0);
        }
        loop {
            match self.from.read(&mut self.window[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let what = format!("the capture cannot be read on: {error}");
                    return Err(CaptureError::at(self.blocks.at() + self.end, what));
                }
            }
        }
    }
}
