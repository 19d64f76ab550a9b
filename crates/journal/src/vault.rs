//! The folder of an entry in which it keeps contents: what was there, and what replaces it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::JournalError;
use crate::file_state::{StoredContent, read_quietly};
use crate::storage::{Storage, write_whole};

/// The contents that an entry keeps. Readable by root only.
#[derive(Debug)]
pub struct ContentVault {
    folder: PathBuf,
    /// What was read ahead, so that no disk has to give it when it is needed.
    loaded: BTreeMap<String, Vec<u8>>,
}

impl ContentVault {
    /// The vault in a folder.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self {
            folder,
            loaded: BTreeMap::new(),
        }
    }

    /// Writes a content down and brings it to the disk. One that has the name is replaced.
    pub fn keep(
        &mut self,
        storage: &dyn Storage,
        name: &str,
        bytes: &[u8],
    ) -> Result<StoredContent, JournalError> {
        let path = self.folder.join(name);
        match storage.remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(JournalError::io("replace", &path, error)),
        }
        write_synced(storage, &path, bytes)?;
        Ok(StoredContent::of(name.to_owned(), bytes))
    }

    /// Gives a content, if it is what was kept.
    pub fn fetch(&self, content: &StoredContent) -> Result<Vec<u8>, JournalError> {
        if let Some(bytes) = self.loaded.get(&content.file) {
            return Ok(bytes.clone());
        }
        let path = self.folder.join(&content.file);
        let damaged = |why: &str| JournalError::DamagedBackup {
            path: path.clone(),
            why: why.to_owned(),
        };
        // A damaged entry must not make us read another file.
        if content.file.is_empty() || content.file.contains('/') || content.file.starts_with('.') {
            return Err(damaged(
                "the entry gives it a name that is no plain file name",
            ));
        }
        let bytes = read_quietly(&path)
            .map_err(|error| JournalError::io("read the backup", &path, error))?;
        if bytes.len() as u64 != content.length {
            return Err(damaged("its length is not the one that was written"));
        }
        if crc32fast::hash(&bytes) != content.crc32 {
            return Err(damaged("its checksum is not the one that was written"));
        }
        Ok(bytes)
    }

    /// Reads a content into memory, so that [`ContentVault::fetch`] needs no disk.
    pub fn load(&mut self, content: &StoredContent) -> Result<(), JournalError> {
        let bytes = self.fetch(content)?;
        self.loaded.insert(content.file.clone(), bytes);
        Ok(())
    }

    /// Where the contents are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Writes a new file that only root can read and brings it to the disk; its name is not yet there.
pub(crate) fn write_synced(
    storage: &dyn Storage,
    path: &Path,
    bytes: &[u8],
) -> Result<(), JournalError> {
    let failed = |error: io::Error| JournalError::io("write", path, error);
    let file = storage.make_file(path, 0o600).map_err(failed)?;
    write_whole(storage, &file, path, bytes).map_err(failed)?;
    storage.sync_file(&file, path).map_err(failed)
}
