//! An armed entry as its watchdog holds it: by its folder, not by the name of that.
//!
//! The folder of the journal may be moved while the watchdog waits, or removed. Neither is a confirmation:
//! what was moved is still read and written, and for what was removed all that is needed is in memory.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};

use crate::entry::{EntryState, JournalEntry};
use crate::error::JournalError;
use crate::journal::Journal;
use crate::lock::say_who;

/// The mode of the watchdog's file once its change was given up before it was begun. Changing a mode needs
/// no space, and it is seen wherever the file is.
const CALLED_OFF: u32 = 0o400;

/// An armed entry and the file that says that its watchdog lives.
pub(crate) struct HeldEntry {
    number: u64,
    folder: OwnedFd,
    /// The file of the first watchdog. It holds it for life: a watchdog whose file is held by none is gone.
    ready: File,
    /// The file of the second one, which holds that.
    _second: Option<File>,
}

impl HeldEntry {
    /// Takes hold of an entry, which says to others that its watchdog is ready.
    pub(crate) fn take(journal: &Journal, number: u64) -> Result<Self, JournalError> {
        let folder = open_folder(&journal.entry_folder(number))?;
        let path = journal.ready_file(number);
        let ready = make_or_open(journal, &path)?;
        lock_file(&ready, &path)?;
        say_who(&ready);
        Ok(Self {
            number,
            folder,
            ready,
            _second: None,
        })
    }

    /// Takes hold of an entry for the watchdog that watches the first; nothing if another does already.
    pub(crate) fn join(journal: &Journal, number: u64) -> Result<Option<Self>, JournalError> {
        let folder = open_folder(&journal.entry_folder(number))?;
        let path = journal.ready_file(number);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let ready = rustix::fs::openat(CWD, &path, flags, Mode::empty())
            .map_err(|error| JournalError::io("open", &path, error))?;
        let path = journal.second_file(number);
        let second = make_or_open(journal, &path)?;
        if lock_file(&second, &path).is_err() {
            return Ok(None);
        }
        Ok(Some(Self {
            number,
            folder,
            ready: ready.into(),
            _second: Some(second),
        }))
    }

    /// The entry as it is stored now, if it is there and can be read.
    pub(crate) fn entry(&self) -> Option<JournalEntry> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.folder, "entry.json", flags, Mode::empty()).ok()?;
        let mut text = Vec::new();
        File::from(opened).read_to_end(&mut text).ok()?;
        let entry = JournalEntry::from_text(&text).ok()?;
        (entry.number == self.number).then_some(entry)
    }

    /// Whether the entry was confirmed or taken back, or given up before its change was begun. That it
    /// cannot be read says neither.
    pub(crate) fn is_settled(&self) -> bool {
        let mode = self.ready.metadata().map(|found| found.mode() & 0o777);
        mode.is_ok_and(|mode| mode == CALLED_OFF)
            || self
                .entry()
                .is_some_and(|entry| entry.state != EntryState::Armed)
    }

    /// Whether this path is the entry's folder.
    pub(crate) fn is_in(&self, path: &Path) -> bool {
        let Ok(held) = rustix::fs::fstat(self.folder.as_fd()) else {
            return false;
        };
        std::fs::metadata(path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (held.st_dev, held.st_ino))
    }

    /// The folder of the journal in which the entry is now; nothing if it was removed.
    pub(crate) fn state_dir(&self) -> Option<PathBuf> {
        let link = format!("/proc/self/fd/{}", self.folder.as_raw_fd());
        let folder = std::fs::read_link(link).ok()?;
        if !self.is_in(&folder) {
            return None;
        }
        folder.parent()?.parent().map(Path::to_owned)
    }
}

fn open_folder(path: &Path) -> Result<OwnedFd, JournalError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, path, flags, Mode::empty())
        .map_err(|error| JournalError::io("open", path, error))
}

/// The file of a watchdog: one that was killed and is started again finds it there.
fn make_or_open(journal: &Journal, path: &Path) -> Result<File, JournalError> {
    match journal.storage().make_file(path, 0o600) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            rustix::fs::openat(CWD, path, flags, Mode::empty())
                .map(File::from)
                .map_err(|error| JournalError::io("open", path, error))
        }
        made => made.map_err(|error| JournalError::io("write", path, error)),
    }
}

fn lock_file(file: &File, path: &Path) -> Result<(), JournalError> {
    let lock = FlockOperation::NonBlockingLockExclusive;
    rustix::fs::flock(file, lock).map_err(|error| JournalError::io("lock", path, error))
}

impl Journal {
    /// Tells the watchdog of an entry whose change is given up that there is nothing to reverse.
    pub(crate) fn call_off(&self, number: u64) -> Result<(), JournalError> {
        let path = self.ready_file(number);
        match self.storage().set_mode(&path, CALLED_OFF) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(JournalError::io("mark", &path, error))
            }
            _ => Ok(()),
        }
    }
}
