//! What another program put in the place of a file after the change: kept before it is replaced.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::JournalError;
use crate::file_set::FileItem;
use crate::file_state::{FileState, SeenFile, look_at};
use crate::file_swap::FileWork;
use crate::vault::write_synced;

/// How many versions of one file are kept at most; more are in the way of the reversal.
const MOST_VERSIONS: usize = 1000;

/// Looks at a name; nothing if it stands for something that no backup can hold, such as a socket.
pub(crate) fn look_or_special(path: &Path) -> Result<Option<SeenFile>, JournalError> {
    match look_at(path) {
        Err(JournalError::TargetRefused { .. }) => Ok(None),
        other => other.map(Some),
    }
}

impl FileWork<'_> {
    /// Keeps what stands in the way of an item's old state, and says where.
    pub(crate) fn keep_displaced(
        &self,
        at: usize,
        item: &FileItem,
        seen: Option<&SeenFile>,
    ) -> Result<(), JournalError> {
        let place = match seen.map(|seen| &seen.state) {
            Some(FileState::Missing) => return Ok(()),
            Some(FileState::Regular { .. }) => {
                let content = seen.and_then(|seen| seen.content.as_deref());
                self.keep_content(at, item, content.unwrap_or_default())?
            }
            Some(FileState::Link { target, .. }) => self.keep_link(at, item, target)?,
            // What has no content is moved aside as it is.
            Some(FileState::Folder { .. }) | None => self.move_aside(at, item)?,
        };
        let shown = item.path.display();
        self.room.warn(format!(
            "{shown} had been changed by another program since; that version is kept: {}",
            place.display()
        ));
        Ok(())
    }

    /// Keeps the old file, to which a program wrote that had it open. It gets another name and stays the
    /// same file: that program may go on writing to it.
    pub(crate) fn keep_written_aside(
        &self,
        at: usize,
        item: &FileItem,
        aside: &Path,
    ) -> Result<(), JournalError> {
        let beside = |name: String| self.room.name_beside(&item.path, name);
        let (FreeName::Kept(place) | FreeName::Free(place)) =
            free_name(at, "written", &|_| false, beside)?;
        self.storage()
            .rename_over(aside, &place)
            .map_err(|error| JournalError::io("move aside", aside, error))?;
        let shown = item.path.display();
        self.room.warn(format!(
            "a program that had {shown} open since before the change wrote to the old file; \
             that version is kept: {}",
            place.display()
        ));
        Ok(())
    }

    fn keep_content(
        &self,
        at: usize,
        item: &FileItem,
        content: &[u8],
    ) -> Result<PathBuf, JournalError> {
        let is_it =
            |path: &Path| crate::file_state::read_quietly(path).is_ok_and(|it| it == content);
        let place = match free_name(at, "displaced", &is_it, |name| {
            self.room.vault.folder().join(name)
        }) {
            Ok(FreeName::Kept(path)) => return Ok(path),
            Ok(FreeName::Free(path)) => write_synced(self.storage(), &path, content)
                .and_then(|()| self.sync_vault())
                .map(|()| path),
            Err(error) => Err(error),
        };
        place.or_else(|_| {
            // There may be no space in the journal. A name beside the file needs none.
            let same = |path: &Path| same_inode(path, &item.path);
            let beside = |name: String| self.room.name_beside(&item.path, name);
            match free_name(at, "displaced", &same, beside)? {
                FreeName::Kept(path) => Ok(path),
                FreeName::Free(path) => self
                    .storage()
                    .add_name(&item.path, &path)
                    .map(|()| path)
                    .map_err(|error| JournalError::io("keep", &item.path, error)),
            }
        })
    }

    fn keep_link(
        &self,
        at: usize,
        item: &FileItem,
        target: &Path,
    ) -> Result<PathBuf, JournalError> {
        let is_it = |path: &Path| std::fs::read_link(path).is_ok_and(|it| it == target);
        let in_vault = |name: String| self.room.vault.folder().join(name);
        let kept = match free_name(at, "displaced", &is_it, in_vault)? {
            FreeName::Kept(path) => return Ok(path),
            FreeName::Free(path) => self
                .storage()
                .make_link(target, &path)
                .map_err(|error| JournalError::io("keep", &path, error))
                .and_then(|()| self.sync_vault())
                .map(|()| path),
        };
        kept.or_else(|_| self.move_aside(at, item))
    }

    fn move_aside(&self, at: usize, item: &FileItem) -> Result<PathBuf, JournalError> {
        let beside = |name: String| self.room.name_beside(&item.path, name);
        match free_name(at, "displaced", &|_| false, beside)? {
            FreeName::Kept(path) => Ok(path),
            FreeName::Free(path) => self
                .storage()
                .rename_over(&item.path, &path)
                .map(|()| path)
                .map_err(|error| JournalError::io("move aside", &item.path, error)),
        }
    }

    fn sync_vault(&self) -> Result<(), JournalError> {
        let folder = self.room.vault.folder();
        self.storage()
            .sync_folder(folder)
            .map_err(|error| JournalError::io("sync", folder, error))
    }
}

/// The first name that is free, unless one holds the same already: a reversal that is tried again
/// and again keeps one copy.
fn free_name(
    at: usize,
    what: &str,
    is_it: &dyn Fn(&Path) -> bool,
    place: impl Fn(String) -> PathBuf,
) -> Result<FreeName, JournalError> {
    for version in 1..=MOST_VERSIONS {
        let path = place(match version {
            1 => format!("{at}-{what}"),
            _ => format!("{at}-{what}-{version}"),
        });
        if is_it(&path) {
            return Ok(FreeName::Kept(path));
        }
        match std::fs::symlink_metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(FreeName::Free(path));
            }
            Err(error) => return Err(JournalError::io("look at", &path, error)),
        }
    }
    let path = place(format!("{at}-{what}"));
    Err(JournalError::io(
        "keep one more version as",
        &path,
        io::Error::from(io::ErrorKind::AlreadyExists),
    ))
}

enum FreeName {
    /// The same is kept under this name already.
    Kept(PathBuf),
    /// Nothing has this name.
    Free(PathBuf),
}

fn same_inode(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| look_at(path).ok().and_then(|seen| seen.identity);
    identity(one).is_some() && identity(one) == identity(other)
}
