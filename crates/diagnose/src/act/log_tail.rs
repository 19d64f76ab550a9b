//! The ends of logs: what was written since a moment, and a little before.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::observation::LogLine;

/// No more of a log is read.
const LONGEST_TAIL: u64 = 256 << 10;
/// So many lines of before are kept.
const LINES_BEFORE: usize = 5;

/// A log, and how long it was when it was first looked at.
#[derive(Clone, Debug)]
pub(super) struct LogMark {
    path: PathBuf,
    shown: String,
    length: u64,
}

impl LogMark {
    /// Marks the end of a log that is there.
    pub(super) fn now(path: &Path, shown: &Path) -> Option<Self> {
        let seen = std::fs::metadata(path)
            .ok()
            .filter(std::fs::Metadata::is_file)?;
        Some(Self {
            path: path.to_owned(),
            shown: shown.display().to_string(),
            length: seen.len(),
        })
    }

    /// The name by which it is shown.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// The lines that were written since, and some of before.
    pub(super) fn lines(&self) -> Vec<LogLine> {
        let Ok(mut file) = File::open(&self.path) else {
            return Vec::new();
        };
        let length = file.metadata().map_or(0, |seen| seen.len());
        // A log that was cut off or replaced begins anew.
        let mark = if length < self.length { 0 } else { self.length };
        let start = length
            .saturating_sub(LONGEST_TAIL)
            .max(mark.saturating_sub(8192));
        let mut bytes = Vec::new();
        if file.seek(SeekFrom::Start(start)).is_err()
            || file
                .take(LONGEST_TAIL + 8192)
                .read_to_end(&mut bytes)
                .is_err()
        {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut at = start;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_fresh = at >= mark;
            at += line.len() as u64;
            let text: String = String::from_utf8_lossy(line)
                .trim()
                .chars()
                .take(400)
                .collect();
            if !text.is_empty() {
                found.push(LogLine {
                    file: self.shown.clone(),
                    text,
                    is_fresh,
                });
            }
        }
        let before = found.iter().filter(|line| !line.is_fresh).count();
        found.split_off(before.saturating_sub(LINES_BEFORE))
    }
}

/// Lines of the kernel's log about processes that it ended for want of memory.
pub(super) fn out_of_memory() -> Vec<String> {
    let Ok(mut file) = rustix::fs::open(
        "/dev/kmsg",
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )
    .map(File::from) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut buffer = vec![0; 8192];
    // One record a read; the ring has an end.
    for _ in 0..100_000 {
        match file.read(&mut buffer) {
            Ok(length) if length > 0 => {
                let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default());
                let line = text.lines().next().unwrap_or_default();
                let message = line.split_once(';').map_or(line, |(_, message)| message);
                if message.contains("Killed process") || message.contains("oom-kill:") {
                    found.push(message.to_owned());
                }
            }
            // A record was overwritten meanwhile.
            Err(error) if error.raw_os_error() == Some(32) => {}
            _ => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_written_after_the_mark_is_fresh() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for number in 0..20 {
            writeln!(file, "old {number}").unwrap();
        }
        let mark = LogMark::now(file.path(), file.path()).unwrap();
        writeln!(file, "new").unwrap();
        let lines = mark.lines();
        let shown: Vec<(&str, bool)> = lines
            .iter()
            .map(|it| (it.text.as_str(), it.is_fresh))
            .collect();
        assert_eq!(shown.len(), 6);
        assert_eq!(shown[4..], [("old 19", false), ("new", true)]);
    }
}
