//! The order of system calls in which files change and change back.
//!
//! Each function may run again after it was interrupted anywhere: it looks at what is there and does
//! what is left.

use std::io;
use std::path::{Path, PathBuf};

use crate::change::EntryRoom;
use crate::displaced::look_or_special;
use crate::error::JournalError;
use crate::file_make::{make_link, make_regular, remove_if_there, set_attributes};
use crate::file_set::{FileItem, FileSetChange};
use crate::file_state::{FileState, SeenFile, look_at};
use crate::storage::Storage;

/// A change of files and what it works with.
pub(crate) struct FileWork<'a> {
    pub(crate) change: &'a FileSetChange,
    pub(crate) room: &'a EntryRoom<'a>,
}

/// Which of an item's two states is made.
#[derive(Clone, Copy)]
enum WantedSide {
    Before,
    After,
}

/// Makes the change.
pub(crate) fn apply_files(work: &FileWork<'_>) -> Result<(), JournalError> {
    let items = work.change.files.iter().enumerate();
    for item in sorted_by_depth(work.change) {
        if item.after.is_folder() && item.before == FileState::Missing {
            work.make_folder(item, &item.after)?;
        }
    }
    // All that needs space comes before anything that can be seen.
    for (at, item) in items.clone() {
        let there = look_at(&item.path)?.state;
        if !item.is_after(&there) && !item.after.is_folder() && item.after != FileState::Missing {
            work.stage(at, WantedSide::After)?;
        }
    }
    for (at, item) in items {
        work.replace(at, item)?;
    }
    for item in &work.change.files {
        if item.before.is_folder() && item.after.is_folder() {
            work.set_folder(item, &item.after)?;
        }
    }
    for item in sorted_by_depth(work.change).into_iter().rev() {
        if item.before.is_folder() && item.after == FileState::Missing {
            work.remove_folder(item)?;
        }
    }
    work.sync_parents()
}

/// Takes the change back.
pub(crate) fn revert_files(work: &FileWork<'_>) -> Result<(), JournalError> {
    for item in sorted_by_depth(work.change) {
        if item.before.is_folder() && item.after == FileState::Missing {
            work.make_folder(item, &item.before)?;
        }
    }
    // In this order, as a second name is given to what the first one has.
    for (at, item) in work.change.files.iter().enumerate() {
        if item.before.is_folder() && item.after.is_folder() {
            work.put_folder_back(item)?;
        } else if !item.before.is_folder() && !item.after.is_folder() {
            work.put_back(at, item)?;
        }
    }
    for item in sorted_by_depth(work.change).into_iter().rev() {
        if item.after.is_folder() && item.before == FileState::Missing {
            work.remove_new_folder(item)?;
        }
    }
    work.sync_parents()
}

/// Parents before what is in them.
fn sorted_by_depth(change: &FileSetChange) -> Vec<&FileItem> {
    let mut items: Vec<_> = change.files.iter().collect();
    items.sort_by_key(|item| item.path.components().count());
    items
}

impl FileWork<'_> {
    pub(crate) fn storage(&self) -> &dyn Storage {
        self.room.storage()
    }

    /// The temporary name of an item.
    fn beside(&self, at: usize) -> PathBuf {
        self.room.name_beside(&self.change.files[at].path, at)
    }

    /// The second temporary name, where two names cannot be swapped in one step.
    fn beside_old(&self, at: usize) -> PathBuf {
        self.room
            .name_beside(&self.change.files[at].path, format_args!("{at}-old"))
    }

    /// The temporary name of an old file that is made again from the vault. It is never the one that
    /// was swapped out: what is half-made must not be taken for that.
    fn beside_again(&self, at: usize) -> PathBuf {
        self.room
            .name_beside(&self.change.files[at].path, format_args!("{at}-again"))
    }

    /// Makes a state under a temporary name and brings it to the disk.
    fn stage(&self, at: usize, side: WantedSide) -> Result<(), JournalError> {
        let item = &self.change.files[at];
        let name = |at| match side {
            WantedSide::Before => self.beside_again(at),
            WantedSide::After => self.beside(at),
        };
        let path = name(at);
        let (state, same_as) = match side {
            WantedSide::Before => (&item.before, item.same_before),
            WantedSide::After => (&item.after, item.same_after),
        };
        remove_if_there(self.storage(), &path)?;
        if let Some(first) = same_as.filter(|first| *first < at) {
            // The first name has the file under its temporary or already under its own name.
            let places = [name(first), self.change.files[first].path.clone()];
            let existing = places
                .into_iter()
                .find(|place| {
                    look_at(place).is_ok_and(|seen| seen.state.equals_but_for_times(state))
                })
                .ok_or_else(|| JournalError::ChangedMeanwhile {
                    path: item.path.clone(),
                })?;
            return self
                .storage()
                .add_name(&existing, &path)
                .map_err(|error| JournalError::io("link", &path, error));
        }
        match state {
            FileState::Regular {
                content,
                attributes,
            } => {
                let bytes = self.change.content(self.room, content)?;
                make_regular(self.storage(), &path, &bytes, attributes)
            }
            FileState::Link { target, attributes } => {
                make_link(self.storage(), &path, target, attributes)
            }
            FileState::Missing | FileState::Folder { .. } => Ok(()),
        }
    }

    /// Puts an item's new state in the place of the old one, if that is what is there.
    fn replace(&self, at: usize, item: &FileItem) -> Result<(), JournalError> {
        if item.before.is_folder() || item.after.is_folder() {
            return Ok(());
        }
        let staged = self.beside(at);
        let there = look_at(&item.path)?.state;
        if item.is_after(&there) {
            return Ok(());
        }
        let changed = || JournalError::ChangedMeanwhile {
            path: item.path.clone(),
        };
        if !item.is_before(&there) {
            return Err(changed());
        }
        let storage = self.storage();
        let failed = |error: io::Error| JournalError::io("replace", &item.path, error);
        if item.before == FileState::Missing {
            return match storage.rename_new(&staged, &item.path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(changed()),
                Err(error) if lacks_flags(&error) => storage
                    .add_name(&staged, &item.path)
                    .and_then(|()| storage.remove_file(&staged))
                    .map_err(failed),
                other => other.map_err(failed),
            };
        }
        if item.after == FileState::Missing {
            storage.rename_over(&item.path, &staged).map_err(failed)?;
        } else {
            match storage.swap_names(&staged, &item.path) {
                Err(error) if lacks_flags(&error) => self.replace_in_steps(at, item)?,
                other => other.map_err(failed)?,
            }
        }
        // What was swapped out is what matters: another program may have been quicker.
        let taken = look_at(&staged)?.state;
        if item.is_before(&taken) || taken == FileState::Missing {
            return Ok(());
        }
        self.put_other_back(item, &staged)?;
        Err(changed())
    }

    fn put_other_back(&self, item: &FileItem, staged: &Path) -> Result<(), JournalError> {
        let failed = |error: io::Error| JournalError::io("put back", &item.path, error);
        if item.after == FileState::Missing {
            return self
                .storage()
                .rename_new(staged, &item.path)
                .map_err(failed);
        }
        self.storage()
            .swap_names(staged, &item.path)
            .map_err(failed)
    }

    /// For file systems that cannot swap two names: the old file gets a second name first.
    fn replace_in_steps(&self, at: usize, item: &FileItem) -> Result<(), JournalError> {
        let (staged, old) = (self.beside(at), self.beside_old(at));
        let failed = |error: io::Error| JournalError::io("replace", &item.path, error);
        remove_if_there(self.storage(), &old)?;
        // Without hard links the old file is in the vault only, which is enough to put it back.
        let kept = self.storage().add_name(&item.path, &old).is_ok();
        self.storage()
            .rename_over(&staged, &item.path)
            .map_err(failed)?;
        if kept {
            self.storage().rename_over(&old, &staged).map_err(failed)?;
        }
        Ok(())
    }

    /// Puts an item's old state back, from the temporary name or from the vault.
    fn put_back(&self, at: usize, item: &FileItem) -> Result<(), JournalError> {
        let storage = self.storage();
        if !self.can_be_reached(item)? {
            return Ok(());
        }
        let staged = self.beside(at);
        remove_if_there(storage, &self.beside_old(at))?;
        remove_if_there(storage, &self.beside_again(at))?;
        let there = look_or_special(&item.path)?;
        let state = there.as_ref().map(|seen| &seen.state);
        let aside = self.settle_aside(at, item)?;
        if state.is_some_and(|state| item.is_before(state)) {
            return remove_if_there(storage, &staged);
        }
        let failed = |error: io::Error| JournalError::io("put back", &item.path, error);
        let ours = state.is_some_and(|state| item.is_after(state));
        let shown = item.path.display();
        if !ours && !self.room.is_complete() && !item.is_before(&aside) {
            // The swap never happened: what another program wrote is not ours to take back.
            self.room.note_left(format!(
                "{shown} was changed by another program and is left as it is"
            ));
            return remove_if_there(storage, &staged);
        }
        if !ours && self.room.leaves_foreign() {
            self.leave_foreign(item);
            return remove_if_there(storage, &staged);
        }
        if !ours {
            self.keep_displaced(at, item, there.as_ref())?;
        }
        if item.before == FileState::Missing {
            remove_if_there(storage, &item.path)?;
            return remove_if_there(storage, &staged);
        }
        if item.is_before(&aside) {
            return storage.rename_over(&staged, &item.path).map_err(failed);
        }
        if ours && aside != FileState::Missing && !item.is_after(&aside) {
            // Another program wrote it at the last moment, before it was seen to be the old one.
            self.warn_of_late_write(item);
            return storage.rename_over(&staged, &item.path).map_err(failed);
        }
        self.stage(at, WantedSide::Before)?;
        storage
            .rename_over(&self.beside_again(at), &item.path)
            .map_err(failed)?;
        remove_if_there(storage, &staged)
    }

    /// Looks at what is under the temporary name. Once the change was complete that is the old file: what a
    /// program wrote to it since, as it had it open, is kept under another name.
    fn settle_aside(&self, at: usize, item: &FileItem) -> Result<FileState, JournalError> {
        let staged = self.beside(at);
        if !self.room.is_complete() {
            return Ok(look_at(&staged)?.state);
        }
        // It may have become too large to be looked at.
        if let Some(SeenFile { state: aside, .. }) = look_or_special(&staged)?
            && (aside == FileState::Missing || item.is_before(&aside) || item.is_after(&aside))
        {
            return Ok(aside);
        }
        self.keep_written_aside(at, item, &staged)?;
        Ok(FileState::Missing)
    }

    /// Says that what is put back is not what was recorded.
    fn warn_of_late_write(&self, item: &FileItem) {
        let shown = item.path.display();
        self.room.warn_left(format!(
            "{shown} was written to by another program while it was changed; it is put back with that; {}",
            self.where_old_is(item)
        ));
    }

    /// Says that what another program wrote after the change stays, and where the old version is.
    fn leave_foreign(&self, item: &FileItem) {
        let (shown, old) = (item.path.display(), self.where_old_is(item));
        self.room.warn_left(format!(
            "{shown} was changed by another program since and is left as it is; {old}"
        ));
    }

    /// Where the old state can be found, in words.
    pub(crate) fn where_old_is(&self, item: &FileItem) -> String {
        match &item.before {
            FileState::Missing => "there was none before".to_owned(),
            FileState::Regular { content, .. } => format!(
                "the version before is kept: {}",
                self.room.vault.folder().join(&content.file).display()
            ),
            FileState::Link { target, .. } => {
                format!("before, it was a link to {}", target.display())
            }
            FileState::Folder { .. } => "before, it was a folder".to_owned(),
        }
    }

    fn make_folder(&self, item: &FileItem, state: &FileState) -> Result<(), JournalError> {
        let failed = |error: io::Error| JournalError::io("make the folder", &item.path, error);
        match self.storage().make_folder(&item.path, 0o700) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if !look_at(&item.path)?.state.is_folder() {
                    return Err(JournalError::ChangedMeanwhile {
                        path: item.path.clone(),
                    });
                }
            }
            Err(error) => return Err(failed(error)),
        }
        self.set_folder(item, state)
    }

    fn set_folder(&self, item: &FileItem, state: &FileState) -> Result<(), JournalError> {
        let Some(attributes) = state.attributes() else {
            return Ok(());
        };
        let there = look_at(&item.path)?.state;
        if there.equals_but_for_times(state) {
            return Ok(());
        }
        if !there.is_folder() {
            return Err(JournalError::ChangedMeanwhile {
                path: item.path.clone(),
            });
        }
        set_attributes(self.storage(), &item.path, attributes, false)
            .map_err(|error| JournalError::io("set the attributes of", &item.path, error))?;
        self.storage()
            .sync_folder(&item.path)
            .map_err(|error| JournalError::io("sync", &item.path, error))
    }

    fn put_folder_back(&self, item: &FileItem) -> Result<(), JournalError> {
        let there = look_or_special(&item.path)?.map(|seen| seen.state);
        let ours = there.as_ref().is_some_and(|state| item.is_after(state));
        let is_before = there.as_ref().is_some_and(|state| item.is_before(state));
        if !ours && !is_before && self.room.leaves_foreign() && self.room.is_complete() {
            self.leave_foreign(item);
            return Ok(());
        }
        self.set_folder(item, &item.before)
    }

    /// Removes a folder that the change made, unless something is in it that another program wrote.
    fn remove_new_folder(&self, item: &FileItem) -> Result<(), JournalError> {
        match self.remove_folder(item) {
            Err(JournalError::Io { source, .. })
                if source.kind() == io::ErrorKind::DirectoryNotEmpty =>
            {
                self.room.warn_left(format!(
                    "{} is left, as another program put something into it since",
                    item.path.display()
                ));
                Ok(())
            }
            other => other,
        }
    }

    fn remove_folder(&self, item: &FileItem) -> Result<(), JournalError> {
        // Old files stay under temporary names until the change is final: not in a folder that goes.
        for at in 0..self.change.files.len() {
            let staged = self.beside(at);
            if staged.parent() == Some(item.path.as_path()) {
                remove_if_there(self.storage(), &staged)?;
            }
        }
        match self.storage().remove_folder(&item.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(JournalError::io("remove the folder", &item.path, error))
            }
            _ => Ok(()),
        }
    }

    fn sync_parents(&self) -> Result<(), JournalError> {
        for folder in self.change.parents() {
            self.storage()
                .sync_folder(folder)
                .map_err(|error| JournalError::io("sync", folder, error))?;
        }
        Ok(())
    }

    /// Removes all temporary names.
    pub(crate) fn remove_leftovers(&self) -> Result<(), JournalError> {
        for (at, item) in self.change.files.iter().enumerate() {
            self.settle_aside(at, item)?;
            remove_if_there(self.storage(), &self.beside(at))?;
            remove_if_there(self.storage(), &self.beside_old(at))?;
            remove_if_there(self.storage(), &self.beside_again(at))?;
        }
        // Before the entry counts as settled: a power loss must not bring the names back unseen.
        self.sync_parents()
    }
}

/// Whether a file system does not know the flags of `renameat2`.
fn lacks_flags(error: &io::Error) -> bool {
    use rustix::io::Errno;
    [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
