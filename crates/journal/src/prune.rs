//! Forgetting old entries, one rename each: an entry is there as a whole or gone.

use std::path::{Path, PathBuf};

use crate::entry::EntryState;
use crate::error::JournalError;
use crate::file_make::remove_if_there;
use crate::lock::JournalSession;
use crate::moment::UnixMoment;
use crate::storage::Storage;

/// The beginning of the name of a folder that is being removed.
const GONE: &str = ".gone-";

/// Which entries are forgotten: those that are old, or beyond a count. Both ask for an entry to be
/// kept; it goes when none does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrunePolicy {
    /// Entries begun at or after this moment stay.
    pub keep_since: Option<UnixMoment>,
    /// So many of the newest entries stay.
    pub keep_newest: Option<usize>,
}

impl JournalSession<'_> {
    /// The entries that a policy forgets, oldest first. Armed entries, entries that need attention,
    /// entries that cannot be read and the newest one stay.
    pub fn prunable(&self, policy: &PrunePolicy) -> Result<Vec<u64>, JournalError> {
        let journal = self.journal;
        let open = journal.open_numbers()?;
        let mut prunable = Vec::new();
        for (rank, number) in journal.numbers()?.into_iter().enumerate() {
            let kept_by_count = policy.keep_newest.is_some_and(|most| rank < most);
            if rank == 0 || kept_by_count || open.contains(&number) {
                continue;
            }
            let Ok(entry) = journal.entry(number) else {
                continue;
            };
            let kept_by_age = policy.keep_since.is_some_and(|since| entry.begun >= since);
            if !kept_by_age && entry.state != EntryState::Armed {
                prunable.push(number);
            }
        }
        prunable.reverse();
        Ok(prunable)
    }

    /// Forgets entries that [`JournalSession::prunable`] names.
    pub fn prune(&self, numbers: &[u64]) -> Result<(), JournalError> {
        self.remove_entry_folders(numbers)
    }

    /// Removes the folders of entries: each is renamed, and only when that is on the disk emptied.
    pub(crate) fn remove_entry_folders(&self, numbers: &[u64]) -> Result<(), JournalError> {
        let journal = self.journal;
        self.remove_pruned()?;
        // Tells the next start to look for what an interruption leaves. If a power loss takes it, the
        // next removal finds that; until then it is in the way of nothing.
        let sign = self.removal_sign();
        if !sign.exists() {
            journal
                .storage()
                .make_file(&sign, 0o600)
                .map_err(|error| JournalError::io("write", &sign, error))?;
        }
        for number in numbers {
            let folder = journal.entry_folder(*number);
            if !folder.exists() {
                continue;
            }
            let gone = journal.changes_folder().join(format!("{GONE}{number:06}"));
            journal
                .storage()
                .rename_over(&folder, &gone)
                .map_err(|error| JournalError::io("remove", &folder, error))?;
        }
        journal.sync_folder(&journal.changes_folder())?;
        self.remove_pruned()?;
        remove_if_there(journal.storage(), &sign)
    }

    fn removal_sign(&self) -> PathBuf {
        self.journal.open_folder().join("removal")
    }

    /// Completes a removal that was interrupted, if there was one.
    pub(crate) fn complete_removal(&self) -> Result<(), JournalError> {
        let sign = self.removal_sign();
        if !sign.exists() {
            return Ok(());
        }
        self.remove_pruned()?;
        remove_if_there(self.journal.storage(), &sign)
    }

    /// Removes what an interrupted removal left.
    fn remove_pruned(&self) -> Result<(), JournalError> {
        let folder = self.journal.changes_folder();
        let failed = |error| JournalError::io("read", &folder, error);
        for entry in std::fs::read_dir(&folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().to_string_lossy().starts_with(GONE) {
                remove_tree(self.journal.storage(), &entry.path())?;
            }
        }
        Ok(())
    }
}

fn remove_tree(storage: &dyn Storage, folder: &Path) -> Result<(), JournalError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(JournalError::io("read", folder, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|error| JournalError::io("read", folder, error))?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            remove_tree(storage, &entry.path())?;
        } else {
            remove_if_there(storage, &entry.path())?;
        }
    }
    storage
        .remove_folder(folder)
        .map_err(|error| JournalError::io("remove", folder, error))
}
