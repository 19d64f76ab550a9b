//! What an interrupted edit leaves: the copies of the files. A copy that nothing was typed into is removed;
//! every other one is kept and reported, as it may be all that is left of a user's work.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use surefoot_journal::{FileState, UnixMoment, look_at};
use surefoot_report::escape;

use crate::output::Output;

/// How the folders of copies are called.
pub(crate) const PREFIX: &str = "edit-";
/// The end of the name of copies that are kept for a person.
const KEPT: &str = "kept";
/// What was copied, beside the copies.
const ORIGINALS: &str = "originals.json";

/// Locks a folder of copies.
pub(crate) fn hold(folder: &Path) -> io::Result<File> {
    let file = File::open(folder)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Writes down what each copy is a copy of.
pub(crate) fn write_originals<'a>(
    folder: &Path,
    originals: impl Iterator<Item = (&'a Path, &'a FileState)>,
) -> io::Result<()> {
    let list: Vec<(String, &FileState)> = originals
        .map(|(copy, state)| (copy.to_string_lossy().into_owned(), state))
        .collect();
    fs::write(folder.join(ORIGINALS), serde_json::to_vec(&list)?)
}

/// Whether there are copies of an edit that goes on or was interrupted.
pub(crate) fn has_edits(state_dir: &Path) -> bool {
    !folders(state_dir, |name| !name.ends_with(KEPT)).is_empty()
}

/// Settles what interrupted edits left. The journal is locked meanwhile.
pub(crate) fn settle_edits(state_dir: &Path, output: &Output) {
    for folder in folders(state_dir, |name| !name.ends_with(KEPT)) {
        // An edit that goes on holds it.
        let Ok(_lock) = hold(&folder) else { continue };
        if is_untouched(&folder) {
            let _ = fs::remove_dir_all(&folder);
            continue;
        }
        let kept = folder.with_extension(KEPT);
        if fs::rename(&folder, &kept).is_ok() {
            output.complain(&format!(
                "note: an edit was interrupted; what it had written is kept: {}\n",
                escape(&kept.display().to_string())
            ));
        }
    }
}

/// The kept copies that were left before a moment.
pub(crate) fn kept_before(state_dir: &Path, moment: UnixMoment) -> Vec<PathBuf> {
    let mut old = folders(state_dir, |name| name.ends_with(KEPT));
    old.retain(|folder| {
        let seen = fs::symlink_metadata(folder);
        seen.is_ok_and(|seen| seen.ctime() < moment.seconds)
    });
    old
}

fn folders(state_dir: &Path, is_meant: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = fs::read_dir(state_dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.starts_with(PREFIX) && is_meant(&name)
        })
        .map(|entry| entry.path())
        .collect()
}

/// Whether every file in the folder is the copy that was made, as far as is known.
fn is_untouched(folder: &Path) -> bool {
    let Some(files) = files_in(folder) else {
        return false;
    };
    let originals = fs::read(folder.join(ORIGINALS)).unwrap_or_default();
    let originals: Vec<(String, FileState)> =
        serde_json::from_slice(&originals).unwrap_or_default();
    files.iter().all(|file| {
        let shown = file.to_string_lossy();
        let original = originals.iter().find(|(copy, _)| *copy == shown);
        match (look_at(file).map(|seen| seen.state), original) {
            (
                Ok(FileState::Regular { content, .. }),
                Some((
                    _,
                    FileState::Regular {
                        content: before, ..
                    },
                )),
            ) => (content.length, content.crc32) == (before.length, before.crc32),
            _ => false,
        }
    })
}

/// All files below the folder but our own; nothing if it cannot be read.
fn files_in(folder: &Path) -> Option<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).ok()? {
        let path = entry.ok()?.path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(files_in(&path)?);
        } else if path.file_name() != Some(ORIGINALS.as_ref()) {
            files.push(path);
        }
    }
    Some(files)
}
