//! The number of the next entry, without a look at all that there are.
//!
//! `changes/.last` is a symbolic link whose text is the highest number that was given. It is renamed into
//! its place before the folder of that entry is made, in the same folder: no crash can leave an entry
//! with a higher number. Where it does not fit what is there the folder is listed.

use std::path::PathBuf;

use crate::error::JournalError;
use crate::file_make::remove_if_there;
use crate::journal::Journal;

impl Journal {
    fn last_number_link(&self) -> PathBuf {
        self.changes_folder().join(".last")
    }

    /// The number that the next entry gets.
    pub(crate) fn next_number(&self) -> Result<u64, JournalError> {
        let kept = std::fs::read_link(self.last_number_link())
            .ok()
            .and_then(|text| text.to_str()?.parse::<u64>().ok())
            .filter(|last| *last < u64::MAX - 1)
            // An entry that was given up, or pruned by hand, is not there.
            .filter(|last| self.entry_folder(*last).is_dir())
            // A journal that was put together by hand may have more.
            .filter(|last| !self.entry_folder(last + 1).exists());
        match kept {
            Some(last) => Ok(last + 1),
            None => Ok(self.numbers()?.first().copied().unwrap_or(0) + 1),
        }
    }

    /// Keeps the number of an entry that is about to be made.
    pub(crate) fn keep_number(&self, number: u64) -> Result<(), JournalError> {
        let link = self.last_number_link();
        let fresh = self.changes_folder().join(".last.new");
        remove_if_there(self.storage(), &fresh)?;
        let text = PathBuf::from(number.to_string());
        self.storage()
            .make_link(&text, &fresh)
            .and_then(|()| self.storage().rename_over(&fresh, &link))
            .map_err(|error| JournalError::io("write", &link, error))
    }
}
