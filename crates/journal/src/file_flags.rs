//! The flags that `chattr` sets and `lsattr` shows, as far as a file can be given them again.
//!
//! Immutable and append-only files are refused before; what a file system sets by itself (extents,
//! inline data, encryption, verity) is not a person's to set.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{CWD, IFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Flags of a file or folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileFlags(u32);

/// The letters of `chattr`.
const LETTERS: [(char, IFlags); 9] = [
    ('A', IFlags::NOATIME),
    ('C', IFlags::NOCOW),
    ('D', IFlags::DIRSYNC),
    ('P', IFlags::PROJECT_INHERIT),
    ('S', IFlags::SYNC),
    ('T', IFlags::TOPDIR),
    ('c', IFlags::COMPRESSED),
    ('d', IFlags::NODUMP),
    ('j', IFlags::JOURNALING),
];

fn known() -> IFlags {
    LETTERS
        .iter()
        .fold(IFlags::empty(), |all, (_, flag)| all | *flag)
}

impl FileFlags {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Reads letters; nothing if one is unknown.
    pub fn from_letters(letters: &str) -> Option<Self> {
        let mut flags = IFlags::empty();
        for letter in letters.chars() {
            let (_, flag) = LETTERS.iter().find(|(known, _)| *known == letter)?;
            flags |= *flag;
        }
        Some(Self(flags.bits()))
    }

    pub(crate) fn without(self, letters: &str) -> Self {
        let gone = Self::from_letters(letters).unwrap_or_default();
        Self(self.0 & !gone.0)
    }

    /// The flags of a file or folder, not following a link. None where the file system has no such
    /// thing, or does not tell.
    pub(crate) fn of(path: &Path) -> Self {
        let flags = open(path).and_then(|file| Ok(rustix::fs::ioctl_getflags(&file)?));
        flags.map_or_else(|_| Self::default(), |flags| Self((flags & known()).bits()))
    }

    /// Gives a file or folder these flags, and leaves alone those that are not ours.
    pub(crate) fn give(self, path: &Path) -> io::Result<()> {
        let file = open(path)?;
        let there = match rustix::fs::ioctl_getflags(&file) {
            Err(Errno::NOTTY | Errno::OPNOTSUPP | Errno::INVAL) if self.is_empty() => return Ok(()),
            other => other?,
        };
        let wanted = (there - known()) | IFlags::from_bits_retain(self.0);
        Ok(rustix::fs::ioctl_setflags(&file, wanted)?)
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(CWD, path, flags, Mode::empty())?.into())
}

impl fmt::Display for FileFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (letter, flag) in LETTERS {
            if self.0 & flag.bits() != 0 {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for FileFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FileFlags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_letters(&text)
            .ok_or_else(|| serde::de::Error::custom("letters of chattr are expected"))
    }
}
