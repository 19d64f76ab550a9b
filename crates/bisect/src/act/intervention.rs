//! The change by which candidates come into force: an armed entry of the journal that is always taken back.
//!
//! Each file is replaced by a copy of itself, and the file itself, inode and all, waits under a name beside
//! it. Candidates replace the copy. The way back is one swap of names, which needs no space and brings back
//! content, mode, owner, times and attributes, as nothing ever touched them. The watchdog, the guard and the
//! next start can all go that way, with nothing but the entry.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, CWD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use surefoot_journal::{
    Change, ChangeDescription, ChangeStanding, EntryRoom, FileAttributes, FileSetChange, FileState,
    JournalError, Storage, UnixMoment, WantedFile, look_at,
};

use super::shell::{NoLog, run_shell_in};
use super::way_back::FileWayBack;

/// A configuration under intervention.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConfigIntervention {
    title: String,
    files: Vec<InterventionFile>,
    /// Tells the daemon that its files are back.
    reload: Option<ReloadCommand>,
    #[serde(skip)]
    contents: Vec<Vec<u8>>,
}

/// How the daemon is told: as in the search, whichever process does it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReloadCommand {
    /// What a shell runs.
    pub(super) command: String,
    /// The working folder.
    pub(super) folder: PathBuf,
    /// How long it may take.
    pub(super) limit: Duration,
}

/// A file that candidates replace.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct InterventionFile {
    pub(super) path: PathBuf,
    pub(super) before: FileState,
    /// The inode by which the file itself is known.
    pub(super) inode: u64,
    /// Device and inode of its folder.
    pub(super) folder: Option<(u64, u64)>,
}

impl ConfigIntervention {
    /// The name of this kind of change.
    pub const KIND: &'static str = "intervention";

    /// Plans an intervention in these files. What cannot be replaced is refused here.
    pub(super) fn plan(
        title: String,
        paths: &[PathBuf],
        reload: Option<ReloadCommand>,
    ) -> Result<Self, JournalError> {
        let mut change = Self {
            title,
            files: vec![],
            reload,
            contents: vec![],
        };
        let mut probes = Vec::new();
        for path in paths {
            let seen = look_at(path)?;
            let (Some(content), Some((_, inode))) = (seen.content, seen.identity) else {
                return Err(JournalError::ChangedMeanwhile { path: path.clone() });
            };
            let other = [&content[..], b"\n"].concat();
            probes.push(WantedFile::content(path, other));
            change.files.push(InterventionFile {
                path: path.clone(),
                before: seen.state,
                inode,
                folder: folder_of(path),
            });
            change.contents.push(content);
        }
        FileSetChange::plan("probe", probes, UnixMoment::default())?;
        Ok(change)
    }

    /// Puts the files back, as far as they are not. One that cannot be put back does not keep the others.
    fn put_back(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        let mut failed = Ok(());
        for (number, file) in self.files.iter().enumerate() {
            let back = FileWayBack { room, number, file }.go();
            failed = failed.and(back);
        }
        failed
    }

    /// Tells the daemon; what goes wrong is for a person to know.
    fn run_reload(&self, room: &EntryRoom<'_>) {
        let Some(reload) = &self.reload else { return };
        let command = &reload.command;
        let mut how = String::new();
        for _ in 0..2 {
            match run_shell_in(Some(&reload.folder), command, reload.limit, &mut NoLog) {
                Ok(end) if end.is_success() => {
                    room.note(format!("ran `{command}`"));
                    return;
                }
                Ok(end) => how = end.describe(),
                Err(error) => how = format!("cannot be run: {error}"),
            }
        }
        room.warn(format!(
            "the files are back, but the daemon may not run: `{command}` {how}"
        ));
    }
}

/// What a new content is called until it takes a file's place.
pub(super) fn fresh_name(number: usize) -> String {
    format!("{number}-new")
}

/// Makes a file with a content and the attributes of another, but for its times.
pub(super) fn write_like(
    storage: &dyn Storage,
    path: &Path,
    content: &[u8],
    attributes: &FileAttributes,
) -> Result<(), JournalError> {
    remove_if_there(storage, path)?;
    let written = (|| {
        let file = storage.make_file(path, 0o600)?;
        let mut rest = content;
        while !rest.is_empty() {
            let written = storage.write_some(&file, path, rest)?;
            if written == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            rest = &rest[written..];
        }
        storage.set_owner(path, attributes.user, attributes.group)?;
        storage.set_mode(path, attributes.mode)?;
        for (name, value) in &attributes.xattrs {
            storage.set_xattr(path, name, value)?;
        }
        storage.sync_file(&file, path)
    })();
    written.map_err(|error| failed("write", path, error))
}

/// The inode of a name, links not followed.
pub(super) fn inode_of(path: &Path) -> Option<u64> {
    let seen = rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(seen.st_ino)
}

/// Device and inode of the folder of a file.
pub(super) fn folder_of(path: &Path) -> Option<(u64, u64)> {
    let seen = rustix::fs::stat(path.parent()?).ok()?;
    Some((seen.st_dev, seen.st_ino))
}

pub(super) fn remove_if_there(storage: &dyn Storage, path: &Path) -> Result<(), JournalError> {
    match storage.remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(failed("remove", path, error))
        }
        _ => Ok(()),
    }
}

pub(super) fn failed(action: &'static str, path: &Path, source: std::io::Error) -> JournalError {
    JournalError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

impl Change for ConfigIntervention {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn describe(&self, _room: &EntryRoom<'_>) -> Result<ChangeDescription, JournalError> {
        Ok(ChangeDescription {
            title: self.title.clone(),
            diff: String::new(),
            touches: self
                .files
                .iter()
                .map(|file| file.path.display().to_string())
                .collect(),
        })
    }

    fn back_up(&mut self, room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        for (number, bytes) in self.contents.iter().enumerate() {
            let kept = room.keep(&format!("{number}-before"), bytes)?;
            if let FileState::Regular { content, .. } = &mut self.files[number].before {
                *content = kept;
            }
        }
        Ok(())
    }

    fn apply(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        let storage = room.storage();
        for (number, file) in self.files.iter().enumerate() {
            let aside = room.name_beside(&file.path, number);
            if inode_of(&aside) == Some(file.inode) {
                continue;
            }
            if inode_of(&file.path) != Some(file.inode) {
                return Err(JournalError::ChangedMeanwhile {
                    path: file.path.clone(),
                });
            }
            let FileState::Regular {
                content,
                attributes,
            } = &file.before
            else {
                continue;
            };
            let bytes = room.vault.fetch(content)?;
            // A name that is only ever given to a whole content: half of one would pass for another program's.
            let fresh = room.name_beside(&file.path, fresh_name(number));
            write_like(storage, &fresh, &bytes, attributes)?;
            storage
                .rename_over(&fresh, &aside)
                .and_then(|()| storage.swap_names(&aside, &file.path))
                .map_err(|error| failed("swap", &file.path, error))?;
            if let Some(folder) = file.path.parent() {
                storage
                    .sync_folder(folder)
                    .map_err(|error| failed("sync", folder, error))?;
            }
        }
        Ok(())
    }

    fn verify(&self, room: &EntryRoom<'_>) -> Result<ChangeStanding, JournalError> {
        let (mut before, mut after) = (true, true);
        for (number, file) in self.files.iter().enumerate() {
            let aside = inode_of(&room.name_beside(&file.path, number));
            let own = inode_of(&file.path);
            before &= own == Some(file.inode) && aside.is_none();
            after &= aside == Some(file.inode);
        }
        Ok(if after {
            ChangeStanding::After
        } else if before {
            ChangeStanding::Before
        } else {
            ChangeStanding::Between
        })
    }

    fn revert(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        self.put_back(room)?;
        self.run_reload(room);
        Ok(())
    }

    fn clean_up(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        // Nothing of an intervention stays, whatever becomes of its entry. Where the file itself does not
        // wait any more the way back is behind us, and what has its name is no matter of this entry.
        for (number, file) in self.files.iter().enumerate() {
            FileWayBack { room, number, file }.finish()?;
        }
        Ok(())
    }

    fn load(&self, room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        for file in &self.files {
            if let FileState::Regular { content, .. } = &file.before {
                room.vault.load(content)?;
            }
        }
        Ok(())
    }

    fn reversal(&self, _room: &EntryRoom<'_>) -> Result<Box<dyn Change>, JournalError> {
        Err(JournalError::NothingToChange)
    }

    fn to_record(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
