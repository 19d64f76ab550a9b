//! The way back of one file, for every process that goes it: the search, the guard, the watchdog, the next
//! start.
//!
//! The file itself waits under the name beside it. It swaps names with what stands in its place, so nothing
//! is replaced unseen: a candidate is removed then, and what another program wrote is kept and told.

use std::path::{Path, PathBuf};

use surefoot_journal::{EntryRoom, FileState, JournalError, StoredContent, look_at};

use super::candidates::{keep_foreign, was_candidate};
use super::intervention::{
    InterventionFile, failed, folder_of, fresh_name, inode_of, remove_if_there, write_like,
};

/// One file on its way back. May be interrupted anywhere, and gone again.
pub(super) struct FileWayBack<'a> {
    pub(super) room: &'a EntryRoom<'a>,
    pub(super) number: usize,
    pub(super) file: &'a InterventionFile,
}

impl FileWayBack<'_> {
    /// Puts the file back, if it is not.
    pub(super) fn go(&self) -> Result<(), JournalError> {
        let path = &self.file.path;
        if inode_of(path) == Some(self.file.inode) || self.is_waiting() {
            self.finish()
        } else if self.is_folder_there()? {
            self.settle_name(&self.beside(fresh_name(self.number)))?;
            self.settle_name(&self.beside(self.number))?;
            self.replace_lost()?;
            self.sync()
        } else {
            Ok(())
        }
    }

    /// Ends what [`FileWayBack::go`] began, and does nothing where the file itself does not wait.
    pub(super) fn finish(&self) -> Result<(), JournalError> {
        let path = &self.file.path;
        let aside = self.beside(self.number);
        let storage = self.room.storage();
        let fresh = self.beside(fresh_name(self.number));
        let is_there = |path: &Path| inode_of(path).is_some();
        if !is_there(&aside) && !is_there(&fresh) {
            return Ok(());
        }
        if self.is_waiting() {
            let moved = if is_there(path) {
                storage.swap_names(&aside, path)
            } else {
                self.room.warn(format!(
                    "{} had been removed by another program; it is back",
                    path.display()
                ));
                storage.rename_new(&aside, path)
            };
            moved.map_err(|error| failed("put back", path, error))?;
        }
        self.settle_name(&fresh)?;
        self.settle_name(&aside)?;
        self.sync()
    }

    fn beside(&self, what: impl std::fmt::Display) -> PathBuf {
        self.room.name_beside(&self.file.path, what)
    }

    /// Whether the file itself is under the name beside it.
    fn is_waiting(&self) -> bool {
        inode_of(&self.beside(self.number)) == Some(self.file.inode)
    }

    fn sync(&self) -> Result<(), JournalError> {
        let Some(folder) = self.file.path.parent() else {
            return Ok(());
        };
        let synced = self.room.storage().sync_folder(folder);
        synced.map_err(|error| failed("sync", folder, error))
    }

    /// Whether the folder is the one that was there. Where it is not, nothing is made in it, and that is said.
    fn is_folder_there(&self) -> Result<bool, JournalError> {
        let path = &self.file.path;
        let folder = path.parent().unwrap_or(path);
        let (Some(then), shown) = (self.file.folder, folder.display()) else {
            return Ok(true);
        };
        let same_boot = self.room.is_same_boot();
        match folder_of(path) {
            // Devices are numbered anew at a boot.
            Some(now) if now.1 == then.1 && (now.0 == then.0 || !same_boot) => Ok(true),
            Some(now) if now.0 != then.0 && same_boot => {
                Err(JournalError::Covered { path: path.clone() })
            }
            Some(_) => {
                self.room.warn_left(format!(
                    "{shown} is another folder than at the start; what became of the one that was there is \
                     unknown: it may hold a candidate, and {} itself under a name that begins with .surefoot-; {}",
                    path.display(),
                    self.where_old_is()
                ));
                Ok(false)
            }
            None => {
                let nearest = folder.ancestors().find(|above| above.is_dir());
                let device = nearest.and_then(|above| rustix::fs::stat(above).ok());
                let is_removed = same_boot && device.is_some_and(|seen| seen.st_dev == then.0);
                if !is_removed && !self.room.gives_up_anywhere() {
                    return Err(JournalError::FolderGone {
                        path: folder.to_owned(),
                    });
                }
                self.room.warn_left(format!(
                    "{shown} is gone, so {} cannot be put back; {}",
                    path.display(),
                    self.where_old_is()
                ));
                Ok(false)
            }
        }
    }

    /// The file itself is gone: one like it is made of what the vault keeps, in the place of a candidate only.
    fn replace_lost(&self) -> Result<(), JournalError> {
        let path = &self.file.path;
        let FileState::Regular {
            content,
            attributes,
        } = &self.file.before
        else {
            return Ok(());
        };
        let (there, shown) = (self.look(path), path.display());
        if there.content().is_some_and(|there| is_same(there, content)) {
            self.room.warn_left(format!(
                "{shown} itself was gone; a file with its content is there"
            ));
            return Ok(());
        }
        if !matches!(there, PlaceState::Empty | PlaceState::Ours(_)) {
            self.room.warn_left(format!(
                "{shown} was changed by another program and is left as it is; {}",
                self.where_old_is()
            ));
            return Ok(());
        }
        let (storage, bytes) = (self.room.storage(), self.room.vault.fetch(content)?);
        let fresh = self.beside(fresh_name(self.number));
        write_like(storage, &fresh, &bytes, attributes)?;
        let aside = self.beside(self.number);
        storage
            .set_times(&fresh, attributes.times)
            .and_then(|()| storage.rename_over(&fresh, &aside))
            .and_then(|()| match there {
                PlaceState::Empty => storage.rename_new(&aside, path),
                _ => storage.swap_names(&aside, path),
            })
            .map_err(|error| failed("put back", path, error))?;
        self.settle_name(&aside)?;
        self.room
            .warn_left(format!("{shown} itself was gone; a file like it was made"));
        Ok(())
    }

    /// Removes what stands under a name of this entry; what another program wrote is kept.
    fn settle_name(&self, name: &Path) -> Result<(), JournalError> {
        let storage = self.room.storage();
        let content = match self.look(name) {
            PlaceState::Empty => return Ok(()),
            PlaceState::Ours(_) => return remove_if_there(storage, name),
            // Half-written: it never had the name of the file.
            PlaceState::Foreign(..) if name == self.beside(fresh_name(self.number)) => {
                return remove_if_there(storage, name);
            }
            PlaceState::Foreign(_, content) => Some(content),
            PlaceState::NoFile => None,
        };
        let vault = self.room.vault.folder();
        let kept = content.and_then(|bytes| keep_foreign(vault, self.number, &bytes).ok());
        let place = if let Some(kept) = kept {
            remove_if_there(storage, name)?;
            kept
        } else {
            // A name beside the file needs no space.
            let mut free =
                (1..).map(|version| self.beside(format!("foreign-{}-{version}", self.number)));
            let place = free.find(|place| inode_of(place).is_none());
            let place = place.unwrap_or_else(|| name.to_owned());
            storage
                .rename_new(name, &place)
                .map_err(|error| failed("keep", name, error))?;
            place
        };
        self.room.warn(format!(
            "{} had been changed by another program; that version is kept: {}",
            self.file.path.display(),
            place.display()
        ));
        Ok(())
    }

    /// What a name stands for.
    fn look(&self, name: &Path) -> PlaceState {
        let Ok(seen) = look_at(name) else {
            return PlaceState::NoFile;
        };
        let (content, bytes) = match (seen.state, seen.content) {
            (FileState::Missing, _) => return PlaceState::Empty,
            (FileState::Regular { content, .. }, Some(bytes)) => (content, bytes),
            _ => return PlaceState::NoFile,
        };
        let is_before = matches!(&self.file.before, FileState::Regular { content: before, .. }
            if is_same(before, &content));
        if is_before || was_candidate(self.room.vault.folder(), self.number, &content) {
            PlaceState::Ours(content)
        } else {
            PlaceState::Foreign(content, bytes)
        }
    }

    fn where_old_is(&self) -> String {
        match &self.file.before {
            FileState::Regular { content, .. } => format!(
                "the version before is kept: {}",
                self.room.vault.folder().join(&content.file).display()
            ),
            _ => "no version before is kept".to_owned(),
        }
    }
}

/// What stands under a name.
enum PlaceState {
    /// Nothing.
    Empty,
    /// A candidate, or the content before.
    Ours(StoredContent),
    /// A content of another program.
    Foreign(StoredContent, Vec<u8>),
    /// What is no regular file, or cannot be read.
    NoFile,
}

impl PlaceState {
    fn content(&self) -> Option<&StoredContent> {
        match self {
            Self::Ours(content) | Self::Foreign(content, _) => Some(content),
            _ => None,
        }
    }
}

fn is_same(one: &StoredContent, other: &StoredContent) -> bool {
    (one.length, one.crc32) == (other.length, other.crc32)
}
