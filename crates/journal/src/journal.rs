//! The folder of the journal: where entries are, how they are written and read.
//!
//! ```text
//! /var/lib/surefoot/            0700
//!   format                      "surefoot journal 1"
//!   lock                        held while something changes
//!   open/000012                 entry 12 needs attention: half-done, armed, or not cleaned up
//!   changes/.last               a link whose text is the highest number given
//!   changes/000012/entry.json   the entry
//!   changes/000012/diff         what it changes
//!   changes/000012/vault/       contents: what was there, what replaces it
//! ```
//!
//! An entry is written under another name, brought to the disk, renamed, and its folder is brought to
//! the disk; so it is the old or the new one at any moment.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::change::{Change, ChangeKinds, EntryRoom};
use crate::clock::{JournalClock, SystemClock};
use crate::entry::{EntryProblem, EntryState, JournalEntry};
use crate::error::JournalError;
use crate::file_make::remove_if_there;
use crate::file_state::read_quietly;
use crate::moment::UnixMoment;
use crate::standing::{mark_superseded, supersedes};
use crate::storage::{RealStorage, Storage};
use crate::vault::write_synced;

/// The first words of the file `format`.
const FORMAT: &str = "surefoot journal ";
/// The version of the folder's form.
const FORMAT_VERSION: u64 = 1;

/// What a journal is made of.
pub struct JournalOptions {
    /// The folder.
    pub state_dir: PathBuf,
    /// The system calls that change something.
    pub storage: Arc<dyn Storage>,
    /// The time.
    pub clock: Arc<dyn JournalClock>,
    /// The kinds of change that are known.
    pub kinds: ChangeKinds,
    /// A number of chance.
    pub nonce: u64,
    /// How long to wait for another surefoot.
    pub lock_wait: Duration,
    /// How long the watchdog tries to reverse an entry that something keeps it from reversing.
    pub retry_for: Duration,
    /// How long it waits for a folder that was removed together with the record of its entry, so that nothing
    /// is left to be put back or to tell.
    pub retry_without_record: Duration,
    /// Whether the person who waits has interrupted since this was last asked: it ends a program that
    /// belongs to a change, and so takes that back. Between two programs a change is made as a whole.
    pub interrupted: fn() -> bool,
}

impl JournalOptions {
    /// The journal in a folder, on this machine's clocks and file systems.
    pub fn at(state_dir: impl Into<PathBuf>) -> Self {
        let clock = SystemClock;
        let now = clock.now();
        let nonce = now.seconds.unsigned_abs() << 32
            | u64::from(now.nanoseconds) ^ u64::from(std::process::id()) << 16;
        Self {
            state_dir: state_dir.into(),
            storage: Arc::new(RealStorage),
            clock: Arc::new(clock),
            kinds: ChangeKinds::default(),
            nonce,
            lock_wait: Duration::from_secs(5),
            retry_for: Duration::from_secs(24 * 3600),
            retry_without_record: Duration::from_secs(30),
            interrupted: || false,
        }
    }
}

/// The journal of a machine.
pub struct Journal {
    pub(crate) options: JournalOptions,
}

/// An entry, or why it cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListedEntry {
    /// One that can be read.
    Readable(Box<JournalEntry>),
    /// One that cannot.
    Unreadable {
        /// Its number.
        number: u64,
        /// Why.
        why: String,
    },
}

impl Journal {
    /// The journal with these options. Nothing is read or made yet.
    pub fn new(options: JournalOptions) -> Self {
        Self { options }
    }

    /// The same journal in another place.
    pub(crate) fn moved_to(&self, state_dir: PathBuf) -> Self {
        let options = &self.options;
        Self::new(JournalOptions {
            state_dir,
            storage: Arc::clone(&options.storage),
            clock: Arc::clone(&options.clock),
            kinds: options.kinds.clone(),
            ..*options
        })
    }

    /// The folder of the journal.
    pub fn folder(&self) -> &Path {
        &self.options.state_dir
    }

    /// The wall clock.
    pub fn now(&self) -> UnixMoment {
        self.options.clock.now()
    }

    pub(crate) fn storage(&self) -> &dyn Storage {
        &*self.options.storage
    }

    pub(crate) fn changes_folder(&self) -> PathBuf {
        self.options.state_dir.join("changes")
    }

    /// The folder of an entry.
    pub fn entry_folder(&self, number: u64) -> PathBuf {
        self.changes_folder().join(format!("{number:06}"))
    }

    pub(crate) fn open_folder(&self) -> PathBuf {
        self.options.state_dir.join("open")
    }

    pub(crate) fn marker(&self, number: u64) -> PathBuf {
        self.open_folder().join(format!("{number:06}"))
    }

    /// Makes the folder of the journal, without which there is no lock.
    pub(crate) fn make_root(&self) -> Result<(), JournalError> {
        self.make_folder(&self.options.state_dir)
    }

    fn make_folder(&self, folder: &Path) -> Result<(), JournalError> {
        match self.storage().make_folder(folder, 0o700) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                Err(JournalError::io("make the folder", folder, error))
            }
            _ => Ok(()),
        }
    }

    /// Makes the folders that are missing, and refuses those of a newer surefoot.
    pub(crate) fn make_folders(&self) -> Result<(), JournalError> {
        let root = &self.options.state_dir;
        let format = root.join("format");
        let folders = [self.changes_folder(), self.open_folder()];
        if self.check_format()? && folders.iter().all(|folder| folder.is_dir()) {
            return Ok(());
        }
        self.make_folder(&self.changes_folder())?;
        self.make_folder(&self.open_folder())?;
        let fresh = root.join("format.new");
        remove_if_there(self.storage(), &fresh)?;
        write_synced(
            self.storage(),
            &fresh,
            format!("{FORMAT}{FORMAT_VERSION}\n").as_bytes(),
        )?;
        self.storage()
            .rename_over(&fresh, &format)
            .map_err(|error| JournalError::io("write", &format, error))?;
        self.sync_folder(root)?;
        self.sync_folder(root.parent().unwrap_or(root))
    }

    /// Whether there is a journal in the folder.
    pub fn exists(&self) -> Result<bool, JournalError> {
        self.check_format()
    }

    /// Whether the journal is there, in a form that is known.
    fn check_format(&self) -> Result<bool, JournalError> {
        self.check_folders()?;
        let path = self.options.state_dir.join("format");
        let text = match read_quietly(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(JournalError::io("read", &path, error)),
        };
        let version = String::from_utf8_lossy(&text)
            .strip_prefix(FORMAT)
            .and_then(|rest| rest.trim().parse::<u64>().ok());
        match version {
            Some(version) if version > FORMAT_VERSION => {
                Err(JournalError::NewerFormat { path, version })
            }
            Some(_) => Ok(true),
            None => Err(JournalError::DamagedEntry {
                path,
                why: "it does not say that this is a journal".to_owned(),
            }),
        }
    }

    /// Refuses folders in which another user can write: what an entry says is done by root.
    fn check_folders(&self) -> Result<(), JournalError> {
        for path in [
            self.options.state_dir.clone(),
            self.changes_folder(),
            self.open_folder(),
        ] {
            // The folder itself may be a link of the administrator's; what is in it may not.
            let found = if path == self.options.state_dir {
                std::fs::metadata(&path)
            } else {
                std::fs::symlink_metadata(&path)
            };
            let found = match found {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(JournalError::io("look at", &path, error)),
            };
            let me = rustix::process::geteuid().as_raw();
            let why = if !found.is_dir() {
                "it is not a folder"
            } else if found.uid() != 0 && found.uid() != me {
                "it belongs to another user"
            } else if found.mode() & 0o022 != 0 {
                "other users can write to it"
            } else {
                continue;
            };
            return Err(JournalError::UnsafeFolder { path, why });
        }
        Ok(())
    }

    pub(crate) fn sync_folder(&self, folder: &Path) -> Result<(), JournalError> {
        self.storage()
            .sync_folder(folder)
            .map_err(|error| JournalError::io("sync", folder, error))
    }

    /// The numbers of all entries, newest first.
    pub fn numbers(&self) -> Result<Vec<u64>, JournalError> {
        let mut numbers = self.numbered(&self.changes_folder())?;
        numbers.reverse();
        Ok(numbers)
    }

    /// The entries that need attention, oldest first.
    pub(crate) fn open_numbers(&self) -> Result<Vec<u64>, JournalError> {
        self.numbered(&self.open_folder())
    }

    fn numbered(&self, folder: &Path) -> Result<Vec<u64>, JournalError> {
        if !self.check_format()? {
            return Ok(vec![]);
        }
        let failed = |error: io::Error| JournalError::io("read", folder, error);
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number = name.to_str().and_then(|name| name.parse::<u64>().ok());
            // The next entry needs a number, too.
            numbers.extend(number.filter(|number| *number < u64::MAX));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Reads an entry as it is stored.
    pub fn entry(&self, number: u64) -> Result<JournalEntry, JournalError> {
        let path = self.entry_folder(number).join("entry.json");
        let text = match read_quietly(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.check_format()?;
                // Without the sign that it was never begun, something was lost.
                let is_lost = self.entry_folder(number).is_dir() && !self.marker(number).exists();
                return Err(if is_lost {
                    JournalError::DamagedEntry {
                        path,
                        why: "it is missing".to_owned(),
                    }
                } else {
                    JournalError::UnknownEntry { number }
                });
            }
            Err(error) => return Err(JournalError::io("read", &path, error)),
        };
        let entry = JournalEntry::from_text(&text).map_err(|problem| match problem {
            EntryProblem::Damaged(why) => JournalError::DamagedEntry {
                path: path.clone(),
                why,
            },
            EntryProblem::Newer(version) => JournalError::NewerFormat {
                path: path.clone(),
                version,
            },
        })?;
        if entry.number == number {
            Ok(entry)
        } else {
            Err(JournalError::DamagedEntry {
                path,
                why: format!("it says that it is entry {}", entry.number),
            })
        }
    }

    /// The newest entries, newest first, with what later entries superseded called so.
    pub fn list(&self, most: usize) -> Result<Vec<ListedEntry>, JournalError> {
        self.list_and_count(most).map(|(listed, _)| listed)
    }

    /// As [`Journal::list`], and how many older entries are left out.
    pub fn list_and_count(&self, most: usize) -> Result<(Vec<ListedEntry>, usize), JournalError> {
        let mut numbers = self.numbers()?;
        let left_out = numbers.len().saturating_sub(most);
        numbers.truncate(most);
        let mut listed = self.read_all(&numbers);
        mark_superseded(&mut listed);
        Ok((listed, left_out))
    }

    /// Whether something needs attention: it is armed, half-done, or not reported yet.
    pub fn has_open(&self) -> Result<bool, JournalError> {
        if !self.check_format()? {
            return Ok(false);
        }
        let folder = self.open_folder();
        let failed = |error: io::Error| JournalError::io("read", &folder, error);
        let first = std::fs::read_dir(&folder).map_err(failed)?.next();
        first
            .transpose()
            .map(|first| first.is_some())
            .map_err(failed)
    }

    /// Reads entries on as many threads as there are processors.
    fn read_all(&self, numbers: &[u64]) -> Vec<ListedEntry> {
        let read = |numbers: &[u64]| -> Vec<ListedEntry> {
            let entries = numbers.iter().filter_map(|number| self.listed(*number));
            entries.collect()
        };
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if numbers.len() < 200 || threads == 1 {
            return read(numbers);
        }
        std::thread::scope(|scope| {
            let parts: Vec<_> = numbers
                .chunks(numbers.len().div_ceil(threads))
                .map(|part| scope.spawn(move || read(part)))
                .collect();
            parts
                .into_iter()
                .flat_map(|part| part.join().unwrap_or_default())
                .collect()
        })
    }

    fn listed(&self, number: u64) -> Option<ListedEntry> {
        match self.entry(number) {
            Ok(entry) => Some(ListedEntry::Readable(Box::new(entry))),
            // A folder without an entry is what is left of a change that was never begun.
            Err(JournalError::UnknownEntry { .. }) => None,
            Err(error) => Some(ListedEntry::Unreadable {
                number,
                why: error.to_string(),
            }),
        }
    }

    /// The state of an entry with later ones in view, and the later entries that touch the same.
    pub fn standing_of(
        &self,
        entry: &JournalEntry,
    ) -> Result<(EntryState, Vec<u64>), JournalError> {
        let mut later = self.numbers()?;
        later.retain(|number| *number > entry.number);
        let touching: Vec<u64> = self
            .read_all(&later)
            .iter()
            .filter_map(|listed| match listed {
                ListedEntry::Readable(other) if supersedes(other, entry) => Some(other.number),
                _ => None,
            })
            .collect();
        let state = if touching.is_empty() || !entry.state.is_in_force() {
            entry.state
        } else {
            EntryState::Superseded
        };
        Ok((state, touching))
    }

    /// The diff of an entry, as it was shown when the change was made.
    pub fn diff(&self, number: u64) -> Result<String, JournalError> {
        let path = self.entry_folder(number).join("diff");
        let bytes = read_quietly(&path).map_err(|error| JournalError::io("read", &path, error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Writes an entry: whole, or not at all.
    pub(crate) fn write_entry(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        let folder = self.entry_folder(entry.number);
        let path = folder.join("entry.json");
        let fresh = folder.join("entry.json.new");
        remove_if_there(self.storage(), &fresh)?;
        write_synced(self.storage(), &fresh, entry.to_text().as_bytes())?;
        self.storage()
            .rename_over(&fresh, &path)
            .map_err(|error| JournalError::io("write", &path, error))?;
        self.sync_folder(&folder)
    }

    /// Where the text of a later state waits, written while there was space.
    fn prewritten(&self, number: u64, state: EntryState) -> Option<PathBuf> {
        let name = match state {
            EntryState::Confirmed => "confirmed.json",
            EntryState::RolledBack => "rolled-back.json",
            _ => return None,
        };
        Some(self.entry_folder(number).join(name))
    }

    /// Writes down what an armed entry will become, so that a full disk cannot be in the way.
    pub(crate) fn prewrite(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        for (state, step) in [
            (EntryState::Confirmed, "confirmed"),
            (EntryState::RolledBack, "rolled back"),
        ] {
            let mut later = entry.clone();
            later.state = state;
            later.under_way = None;
            let at = entry.arming.as_ref().map_or(entry.begun, |a| a.deadline);
            later.note(at, format!("{step}, with no space left to say more"));
            if let Some(path) = self.prewritten(entry.number, state) {
                write_synced(self.storage(), &path, later.to_text().as_bytes())?;
            }
        }
        Ok(())
    }

    /// Writes an entry that has reached its last state; without space, takes the prewritten text.
    pub(crate) fn write_final(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        let written = self.write_entry(entry);
        let Some(prewritten) = self
            .prewritten(entry.number, entry.state)
            .filter(|path| written.is_err() && path.exists())
        else {
            return written;
        };
        let folder = self.entry_folder(entry.number);
        let path = folder.join("entry.json");
        self.storage()
            .rename_over(&prewritten, &path)
            .map_err(|error| JournalError::io("write", &path, error))?;
        self.sync_folder(&folder)
    }

    /// Removes what is prewritten, and what the watchdog left.
    pub(crate) fn drop_prewritten(&self, number: u64) -> Result<(), JournalError> {
        for state in [EntryState::Confirmed, EntryState::RolledBack] {
            if let Some(path) = self.prewritten(number, state) {
                remove_if_there(self.storage(), &path)?;
            }
        }
        remove_if_there(self.storage(), &self.second_file(number))?;
        remove_if_there(self.storage(), &self.ready_file(number))
    }

    /// The room in which the change of an entry works.
    pub(crate) fn room(&self, entry: &JournalEntry) -> EntryRoom<'_> {
        let vault = self.entry_folder(entry.number).join("vault");
        let mut room = EntryRoom::new(self.storage(), vault, &entry.tag, entry.complete);
        let armed_in = entry.arming.as_ref().map(|arming| &arming.boot);
        room.heed_interrupt(self.options.interrupted);
        room.set_same_boot(armed_in.is_some_and(|boot| *boot == self.options.clock.boot()));
        room
    }

    /// The change of an entry.
    pub(crate) fn change_of(&self, entry: &JournalEntry) -> Result<Box<dyn Change>, JournalError> {
        match self.options.kinds.read(&entry.kind, entry.change.clone()) {
            Some(Ok(change)) => Ok(change),
            Some(Err(error)) => Err(JournalError::DamagedEntry {
                path: self.entry_folder(entry.number).join("entry.json"),
                why: error.to_string(),
            }),
            None => Err(JournalError::UnknownKind {
                number: entry.number,
                kind: entry.kind.clone(),
            }),
        }
    }
}
