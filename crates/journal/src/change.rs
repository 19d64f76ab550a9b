//! What a change is: five acts and the data that they need, whatever it is that changes.
//!
//! A kind of change implements [`Change`]; `FileSetChange` and `LoadedTextChange` are built in. The
//! journal records its data ([`Change::to_record`]) so that another process, the watchdog or the
//! next start, can take the change back; [`ChangeKinds`] lists how to read it.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::command::{COMMAND_LIMIT, CommandBounds, run_command};
use crate::error::JournalError;
use crate::storage::Storage;
use crate::vault::ContentVault;

/// A change of the machine that can be taken back.
pub trait Change: Send {
    /// The name of the kind, as in [`ChangeKinds`].
    fn kind(&self) -> &'static str;
    /// Describes the change.
    fn describe(&self, room: &EntryRoom<'_>) -> Result<ChangeDescription, JournalError>;
    /// Keeps what apply and revert need in the vault. Nothing is changed yet.
    fn back_up(&mut self, room: &mut EntryRoom<'_>) -> Result<(), JournalError>;
    /// Makes the change. Must do no harm if it was made already, in part or as a whole.
    fn apply(&self, room: &EntryRoom<'_>) -> Result<(), JournalError>;
    /// Says how the machine stands.
    fn verify(&self, room: &EntryRoom<'_>) -> Result<ChangeStanding, JournalError>;
    /// Takes the change back. Must do no harm if that was done already, in part or as a whole.
    fn revert(&self, room: &EntryRoom<'_>) -> Result<(), JournalError>;
    /// Removes what only a quick reversal needs; called when the change is final.
    fn clean_up(&self, _room: &EntryRoom<'_>) -> Result<(), JournalError> {
        Ok(())
    }
    /// Reads into memory what [`Change::revert`] needs from the disk.
    fn load(&self, _room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        Ok(())
    }
    /// A change from what is there now to what was there before this change.
    fn reversal(&self, room: &EntryRoom<'_>) -> Result<Box<dyn Change>, JournalError>;
    /// The data of the change, without the contents that the vault keeps.
    fn to_record(&self) -> Value;
}

/// A change in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeDescription {
    /// What it does, in a few words.
    pub title: String,
    /// From before to after, as a unified diff.
    pub diff: String,
    /// The things that it touches; two changes that touch the same one supersede each other.
    pub touches: Vec<String>,
}

/// How the machine stands towards a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeStanding {
    /// All is as before the change.
    Before,
    /// All is as after it.
    After,
    /// Part is before, part is after.
    Between,
    /// Something is neither.
    Elsewhere {
        /// From after the change to what is there now.
        diff: String,
    },
}

/// What a change works with: the storage, the entry's vault, names of its own.
pub struct EntryRoom<'a> {
    storage: &'a dyn Storage,
    /// The contents that the entry keeps.
    pub vault: ContentVault,
    tag: String,
    is_complete: bool,
    leaves_foreign: bool,
    same_boot: bool,
    giving_up: GivingUp,
    bounds: CommandBounds,
    notes: RefCell<Vec<RoomNote>>,
}

/// When a file whose folder is gone is not waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum GivingUp {
    /// It may come back.
    Never,
    /// Where the file system is there, and so the folder was renamed or removed.
    WhereRemoved,
    /// A person says that it is gone for good.
    Anywhere,
}

/// A sentence for the log of an entry.
struct RoomNote {
    step: String,
    /// Whether the user must see it.
    is_warning: bool,
    /// Whether it says that something is not as before, and stays so.
    is_about_rest: bool,
}

impl<'a> EntryRoom<'a> {
    pub(crate) fn new(
        storage: &'a dyn Storage,
        folder: PathBuf,
        tag: &str,
        is_complete: bool,
    ) -> Self {
        Self {
            storage,
            vault: ContentVault::at(folder),
            tag: tag.to_owned(),
            is_complete,
            leaves_foreign: false,
            same_boot: false,
            giving_up: GivingUp::Never,
            bounds: CommandBounds {
                longest: COMMAND_LIMIT,
                interrupted: || false,
            },
            notes: RefCell::default(),
        }
    }

    /// The system calls that change something.
    pub fn storage(&self) -> &'a dyn Storage {
        self.storage
    }

    /// Whether the change was made as a whole once, so that all of it is the entry's to take back.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    pub(crate) fn set_complete(&mut self, is_complete: bool) {
        self.is_complete = is_complete;
    }

    /// Whether what another program wrote since stays. Otherwise it is kept, and then replaced: so at a
    /// deadline, which promises the old state.
    pub fn leaves_foreign(&self) -> bool {
        self.leaves_foreign
    }

    pub(crate) fn set_leaves_foreign(&mut self) {
        self.leaves_foreign = true;
    }

    /// Whether the machine runs since before the change was made, so that numbers of the kernel mean
    /// what they meant.
    pub fn is_same_boot(&self) -> bool {
        self.same_boot
    }

    pub(crate) fn set_same_boot(&mut self, same_boot: bool) {
        self.same_boot = same_boot;
    }

    /// When a file whose folder is gone is not waited for.
    pub(crate) fn giving_up(&self) -> GivingUp {
        self.giving_up
    }

    /// Whether a person says that a folder which is not there is gone for good.
    pub fn gives_up_anywhere(&self) -> bool {
        self.giving_up == GivingUp::Anywhere
    }

    pub(crate) fn set_giving_up(&mut self, giving_up: GivingUp) {
        self.giving_up = giving_up;
    }

    /// How long a program that belongs to the change may take.
    pub fn command_limit(&self) -> Duration {
        self.bounds.longest
    }

    /// Runs a program that belongs to the change, with an input, and gives its output. It is ended when it
    /// takes longer than [`EntryRoom::command_limit`].
    pub fn run_program(&self, words: &[String], input: &[u8]) -> Result<Vec<u8>, JournalError> {
        run_command(words, input, self.bounds)
    }

    pub(crate) fn command_bounds(&self) -> CommandBounds {
        self.bounds
    }

    pub(crate) fn limit_commands(&mut self, limit: Duration) {
        self.bounds.longest = self.bounds.longest.min(limit);
    }

    pub(crate) fn heed_interrupt(&mut self, interrupted: fn() -> bool) {
        self.bounds.interrupted = interrupted;
    }

    /// Keeps a content in the vault.
    pub fn keep(
        &mut self,
        name: &str,
        bytes: &[u8],
    ) -> Result<crate::file_state::StoredContent, JournalError> {
        self.vault.keep(self.storage, name, bytes)
    }

    /// A name beside a file that belongs to this entry alone.
    pub fn name_beside(&self, path: &Path, what: impl std::fmt::Display) -> PathBuf {
        path.with_file_name(format!(".surefoot-{}-{what}", self.tag))
    }

    /// Adds a sentence to the entry's log.
    pub fn note(&self, step: impl Into<String>) {
        self.add_note(step.into(), false, false);
    }

    /// Adds a sentence about something that is not as before and stays so, as it is another program's.
    pub fn note_left(&self, step: impl Into<String>) {
        self.add_note(step.into(), false, true);
    }

    /// Adds a sentence to the entry's log that the user must see as well.
    pub fn warn(&self, step: impl Into<String>) {
        self.add_note(step.into(), true, false);
    }

    /// As [`EntryRoom::note_left`], for a sentence that the user must see as well.
    pub fn warn_left(&self, step: impl Into<String>) {
        self.add_note(step.into(), true, true);
    }

    fn add_note(&self, step: String, is_warning: bool, is_about_rest: bool) {
        self.notes.borrow_mut().push(RoomNote {
            step,
            is_warning,
            is_about_rest,
        });
    }

    /// Whether a sentence says that something stays as it is, not as before.
    pub(crate) fn says_what_is_left(&self) -> bool {
        self.notes.borrow().iter().any(|note| note.is_about_rest)
    }

    /// The notes so far, each with whether it is a warning; they are taken.
    pub(crate) fn take_notes(&self) -> Vec<(String, bool)> {
        let notes = self.notes.take().into_iter();
        notes.map(|note| (note.step, note.is_warning)).collect()
    }
}

/// The kinds of change that a program knows.
#[derive(Clone)]
pub struct ChangeKinds(Vec<(&'static str, ReadRecord)>);

type ReadRecord = fn(Value) -> Result<Box<dyn Change>, serde_json::Error>;

impl Default for ChangeKinds {
    /// Those that are built in.
    fn default() -> Self {
        Self(vec![])
            .with::<crate::file_set::FileSetChange>(crate::file_set::FILE_SET)
            .with::<crate::loaded_text::LoadedTextChange>(crate::loaded_text::LOADED_TEXT)
    }
}

impl ChangeKinds {
    /// Adds a kind.
    #[must_use]
    pub fn with<T: Change + DeserializeOwned + 'static>(mut self, kind: &'static str) -> Self {
        self.0.push((kind, |record| {
            Ok(Box::new(serde_json::from_value::<T>(record)?))
        }));
        self
    }

    /// Reads the record of a change; nothing if the kind is unknown.
    pub(crate) fn read(
        &self,
        kind: &str,
        record: Value,
    ) -> Option<Result<Box<dyn Change>, serde_json::Error>> {
        let (_, read) = self.0.iter().find(|(name, _)| *name == kind)?;
        Some(read(record))
    }
}
