//! Whether the place of a file is still the one in which it was changed.

use std::path::Path;

use crate::change::GivingUp;
use crate::error::JournalError;
use crate::file_plan::is_mount_point;
use crate::file_set::FileItem;
use crate::file_state::{FileState, FolderPlace};
use crate::file_swap::FileWork;

impl FileWork<'_> {
    /// Whether an item's folder is there to put it back. Refuses to work in a folder over which something
    /// was mounted, on a file on which something was mounted, and where a file system is missing: what is
    /// seen there is not what became of the file.
    pub(crate) fn can_be_reached(&self, item: &FileItem) -> Result<bool, JournalError> {
        let covered = || JournalError::Covered {
            path: item.path.clone(),
        };
        if is_mount_point(&item.path) {
            return Err(covered());
        }
        let folder = item.path.parent().unwrap_or(&item.path);
        // A folder that the change itself makes or removes is another each time.
        let is_own = self.change.files.iter().any(|other| {
            let missing = FileState::Missing;
            folder == other.path && (other.before == missing || other.after == missing)
        });
        if is_own {
            return Ok(true);
        }
        let planned = item.place.filter(|_| self.room.is_same_boot());
        if item.before != FileState::Missing && !folder.is_dir() {
            return self.give_up_folder(item, folder, planned).map(|()| false);
        }
        let (Some(planned), Some(now)) = (planned, FolderPlace::of(folder)) else {
            return Ok(true);
        };
        if now.inode == planned.inode {
            return Ok(true);
        }
        if now.mount != planned.mount {
            return Err(covered());
        }
        // Links were followed when the change was planned: one that is in the way now leads elsewhere.
        if std::fs::canonicalize(folder).is_ok_and(|there| there != folder) {
            return Err(JournalError::ChangedMeanwhile {
                path: folder.to_owned(),
            });
        }
        self.room.warn(format!(
            "{} is another folder than at the change; what became of the one that was there is unknown: \
             it may hold the changed file, and the old one under a name that begins with .surefoot-",
            folder.display()
        ));
        Ok(true)
    }

    /// Ends what can have no end, as the folder is not there any more, once it was waited for.
    fn give_up_folder(
        &self,
        item: &FileItem,
        folder: &Path,
        planned: Option<FolderPlace>,
    ) -> Result<(), JournalError> {
        let nearest = folder.ancestors().find(|above| above.is_dir());
        let is_mounted = planned.is_some_and(|planned| {
            let now = nearest.and_then(FolderPlace::of);
            now.is_some_and(|now| now.mount == planned.mount)
        });
        let is_given_up = match self.room.giving_up() {
            GivingUp::Never => false,
            GivingUp::WhereRemoved => is_mounted,
            GivingUp::Anywhere => true,
        };
        if !is_given_up {
            return Err(JournalError::FolderGone {
                path: folder.to_owned(),
            });
        }
        self.room.warn_left(format!(
            "{} is gone, so {} cannot be put back; {}",
            folder.display(),
            item.path.display(),
            self.where_old_is(item)
        ));
        Ok(())
    }
}
