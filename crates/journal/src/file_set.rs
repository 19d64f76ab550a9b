//! The change of a set of files: planned, shown as a diff, made so that every file is the old or the
//! new one at any moment, taken back with everything that a file has.
//!
//! The new file is made under a temporary name beside the old one and brought to the disk; then the
//! two names are swapped in one step (`RENAME_EXCHANGE`). So the old file itself, inode and all,
//! stays under the temporary name until the change is final, and the way back is one rename, which
//! needs no space. What was swapped out is compared with what was expected: if another program
//! changed the file at the last moment, the names are swapped back and nothing is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::as_text;
use crate::change::{Change, ChangeDescription, ChangeStanding, EntryRoom};
use crate::command::run_command;
use crate::displaced::look_or_special;
use crate::error::{JournalError, TargetProblem};
use crate::file_diff::diff_states;
use crate::file_plan::{WantedFile, plan_files};
use crate::file_state::{FileState, FolderPlace, SeenFile, StoredContent};
use crate::file_swap::{FileWork, apply_files, revert_files};
use crate::moment::UnixMoment;

/// The name of this kind of change.
pub(crate) const FILE_SET: &str = "files";

/// A change of files, links and folders, made as one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSetChange {
    /// The title of the change.
    pub(crate) title: String,
    /// Each name that changes.
    pub(crate) files: Vec<FileItem>,
    /// Programs that run after the files are changed and after they are put back.
    #[serde(default)]
    pub(crate) commands_after: Vec<Vec<String>>,
    /// Contents that are not in a vault yet, by their name there.
    #[serde(skip)]
    pub(crate) contents: BTreeMap<String, Vec<u8>>,
}

/// A name that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileItem {
    #[serde(with = "as_text")]
    pub(crate) path: PathBuf,
    pub(crate) before: FileState,
    pub(crate) after: FileState,
    /// An earlier item that was the same file before (a hard link).
    #[serde(default)]
    pub(crate) same_before: Option<usize>,
    /// An earlier item that will be the same file.
    #[serde(default)]
    pub(crate) same_after: Option<usize>,
    /// The folder in which it was when the change was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) place: Option<FolderPlace>,
}

impl FileItem {
    /// Whether what was seen is this item's state before.
    pub(crate) fn is_before(&self, seen: &FileState) -> bool {
        matches(seen, &self.before, &self.after)
    }

    /// Whether what was seen is this item's state after.
    pub(crate) fn is_after(&self, seen: &FileState) -> bool {
        matches(seen, &self.after, &self.before)
    }
}

/// Times do not count, unless the two states differ in nothing else.
fn matches(seen: &FileState, state: &FileState, other: &FileState) -> bool {
    if !seen.equals_but_for_times(state) {
        return false;
    }
    let modified = |state: &FileState| state.attributes().map(|a| a.times.modified);
    !state.equals_but_for_times(other) || state.is_folder() || modified(seen) == modified(state)
}

impl FileSetChange {
    /// Plans a change: looks at each file, refuses what cannot be changed safely, and keeps what is
    /// there now. Nothing is changed.
    pub fn plan(
        title: impl Into<String>,
        wanted: Vec<WantedFile>,
        now: UnixMoment,
    ) -> Result<Self, JournalError> {
        plan_files(title.into(), wanted, now)
    }

    /// Runs a program after the files are changed, and again after they are put back; it is the
    /// way to reload a daemon.
    #[must_use]
    pub fn with_command_after(mut self, words: Vec<String>) -> Self {
        self.commands_after.push(words);
        self
    }

    /// The difference that the change makes, as it was planned.
    pub fn diff(&self) -> String {
        let content = |state: &FileState| match state {
            FileState::Regular { content, .. } => self.contents.get(&content.file),
            _ => None,
        };
        let diffs = self.files.iter().map(|item| {
            let (old, new) = (content(&item.before), content(&item.after));
            diff_states(
                &item.path,
                (&item.before, old.map(Vec::as_slice)),
                (&item.after, new.map(Vec::as_slice)),
            )
        });
        diffs.collect()
    }

    /// The content of a state: from memory, else from the vault.
    pub(crate) fn content(
        &self,
        room: &EntryRoom<'_>,
        content: &StoredContent,
    ) -> Result<Vec<u8>, JournalError> {
        match self.contents.get(&content.file) {
            Some(bytes) => Ok(bytes.clone()),
            None => room.vault.fetch(content),
        }
    }

    fn content_of(
        &self,
        room: &EntryRoom<'_>,
        state: &FileState,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        match state {
            FileState::Regular { content, .. } => self.content(room, content).map(Some),
            _ => Ok(None),
        }
    }

    /// The folders whose names change and that are there.
    pub(crate) fn parents(&self) -> BTreeSet<&Path> {
        self.files
            .iter()
            .filter_map(|item| item.path.parent())
            .filter(|folder| folder.is_dir())
            .collect()
    }

    fn run_commands(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        for words in &self.commands_after {
            run_command(words, b"", room.command_bounds())?;
            room.note(format!("ran `{}`", words.join(" ")));
        }
        Ok(())
    }

    fn work<'a>(&'a self, room: &'a EntryRoom<'a>) -> FileWork<'a> {
        FileWork { change: self, room }
    }
}

impl Change for FileSetChange {
    fn kind(&self) -> &'static str {
        FILE_SET
    }

    fn describe(&self, room: &EntryRoom<'_>) -> Result<ChangeDescription, JournalError> {
        let mut diff = String::new();
        for item in &self.files {
            let old = self.content_of(room, &item.before)?;
            let new = self.content_of(room, &item.after)?;
            diff.push_str(&diff_states(
                &item.path,
                (&item.before, old.as_deref()),
                (&item.after, new.as_deref()),
            ));
        }
        Ok(ChangeDescription {
            title: self.title.clone(),
            diff,
            touches: self
                .files
                .iter()
                .map(|item| item.path.display().to_string())
                .collect(),
        })
    }

    fn back_up(&mut self, room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        for (name, bytes) in &self.contents {
            room.keep(name, bytes)?;
        }
        Ok(())
    }

    fn apply(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        apply_files(&self.work(room))?;
        self.run_commands(room)
    }

    fn verify(&self, room: &EntryRoom<'_>) -> Result<ChangeStanding, JournalError> {
        let (mut before, mut after) = (true, true);
        let mut diff = String::new();
        for item in &self.files {
            let Some(SeenFile { state, content, .. }) = look_or_special(&item.path)? else {
                (before, after) = (false, false);
                let shown = item.path.display();
                let _ = writeln!(
                    diff,
                    "kind of {shown}: no file, no link and no folder any more"
                );
                continue;
            };
            let (is_before, is_after) = (item.is_before(&state), item.is_after(&state));
            before &= is_before;
            after &= is_after;
            if !is_before && !is_after {
                let new = self.content_of(room, &item.after)?;
                diff.push_str(&diff_states(
                    &item.path,
                    (&item.after, new.as_deref()),
                    (&state, content.as_deref()),
                ));
            }
        }
        Ok(if !diff.is_empty() {
            ChangeStanding::Elsewhere { diff }
        } else if after {
            ChangeStanding::After
        } else if before {
            ChangeStanding::Before
        } else {
            ChangeStanding::Between
        })
    }

    fn revert(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        revert_files(&self.work(room))?;
        // The files are back. A daemon that cannot be reloaded is no reason to call that undone.
        if let Err(error) = self.run_commands(room) {
            room.warn(format!("the files are back, but {error}"));
        }
        Ok(())
    }

    fn clean_up(&self, room: &EntryRoom<'_>) -> Result<(), JournalError> {
        self.work(room).remove_leftovers()
    }

    fn load(&self, room: &mut EntryRoom<'_>) -> Result<(), JournalError> {
        for item in &self.files {
            if let FileState::Regular { content, .. } = &item.before {
                room.vault.load(content)?;
            }
        }
        Ok(())
    }

    fn reversal(&self, room: &EntryRoom<'_>) -> Result<Box<dyn Change>, JournalError> {
        Ok(Box::new(self.reversed(room)?))
    }

    fn to_record(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

impl FileSetChange {
    /// The change of the same files from what is there now to what was there before this change; for a
    /// kind of change that has files and more.
    pub fn reversed(&self, room: &EntryRoom<'_>) -> Result<Self, JournalError> {
        let mut wanted = Vec::new();
        for item in &self.files {
            let content = self.content_of(room, &item.before)?;
            wanted.push(WantedFile::exactly(
                item.path.clone(),
                item.before.clone(),
                content,
                item.same_before,
            ));
        }
        let mut change = plan_files(String::new(), wanted, UnixMoment::default())?;
        change.commands_after.clone_from(&self.commands_after);
        Ok(change)
    }
}

/// The name of the file that is meant: a symbolic link is followed as long as it stays in the tree
/// (the folder below `/`) in which it is.
pub fn resolve_target(path: &Path) -> Result<PathBuf, JournalError> {
    let absolute =
        std::path::absolute(path).map_err(|error| JournalError::io("find", path, error))?;
    let metadata = match std::fs::symlink_metadata(&absolute) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(absolute),
        Err(error) => return Err(JournalError::io("read", path, error)),
    };
    if !metadata.is_symlink() {
        return Ok(absolute);
    }
    let Some(folder) = absolute
        .parent()
        .and_then(|folder| folder.canonicalize().ok())
    else {
        return Err(JournalError::refused(path, TargetProblem::NoFolder));
    };
    let Ok(target) = absolute.canonicalize() else {
        return Err(JournalError::refused(path, TargetProblem::LinkToNowhere));
    };
    let tree: PathBuf = folder.components().take(2).collect();
    if target.starts_with(&tree) {
        Ok(target)
    } else {
        Err(JournalError::refused(path, TargetProblem::LinkOutOfTree))
    }
}
