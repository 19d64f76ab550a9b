//! From what is wanted of files to a change: everything that can be refused is refused here, before
//! anything is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, StatVfsMountFlags, StatxAttributes, StatxFlags};

use crate::error::{JournalError, TargetProblem};
use crate::file_flags::FileFlags;
use crate::file_set::{FileItem, FileSetChange};
use crate::file_state::{
    FileAttributes, FileState, FileTimes, FolderPlace, SeenFile, StoredContent, look_at,
};
use crate::inherited::inherit;
use crate::moment::UnixMoment;

/// What is wanted of a name.
#[derive(Clone, Debug)]
pub struct WantedFile {
    path: PathBuf,
    state: WantedState,
    /// What must be there now, if anything else was not expected.
    expected: Option<FileState>,
    /// An earlier file of the list that is to be the same one.
    same_as: Option<usize>,
}

#[derive(Clone, Debug)]
enum WantedState {
    Content(Vec<u8>),
    ContentAndMode(Vec<u8>, u32),
    Attributes(FileAttributes),
    Link(PathBuf),
    Folder(u32),
    Exactly(FileState, Option<Vec<u8>>),
}

impl WantedFile {
    fn new(path: impl Into<PathBuf>, state: WantedState) -> Self {
        Self {
            path: path.into(),
            state,
            expected: None,
            same_as: None,
        }
    }

    /// A file with this content. Mode, owner and the rest stay; a new file gets mode 644.
    pub fn content(path: impl Into<PathBuf>, content: Vec<u8>) -> Self {
        Self::new(path, WantedState::Content(content))
    }

    /// A file with this content and mode.
    pub fn content_and_mode(path: impl Into<PathBuf>, content: Vec<u8>, mode: u32) -> Self {
        Self::new(path, WantedState::ContentAndMode(content, mode))
    }

    /// What is there, with other attributes.
    pub fn attributes(path: impl Into<PathBuf>, attributes: FileAttributes) -> Self {
        Self::new(path, WantedState::Attributes(attributes))
    }

    /// A symbolic link.
    pub fn link(path: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self::new(path, WantedState::Link(target.into()))
    }

    /// A folder.
    pub fn folder(path: impl Into<PathBuf>, mode: u32) -> Self {
        Self::new(path, WantedState::Folder(mode))
    }

    /// Nothing.
    pub fn gone(path: impl Into<PathBuf>) -> Self {
        Self::new(path, WantedState::Exactly(FileState::Missing, None))
    }

    /// Exactly this.
    pub(crate) fn exactly(
        path: PathBuf,
        state: FileState,
        content: Option<Vec<u8>>,
        same_as: Option<usize>,
    ) -> Self {
        Self {
            same_as,
            ..Self::new(path, WantedState::Exactly(state, content))
        }
    }

    /// Refuses the change unless this is there now: what the caller saw when it began.
    #[must_use]
    pub fn expecting(mut self, state: FileState) -> Self {
        self.expected = Some(state);
        self
    }
}

/// Plans the change of a set of files.
pub(crate) fn plan_files(
    title: String,
    wanted: Vec<WantedFile>,
    now: UnixMoment,
) -> Result<FileSetChange, JournalError> {
    let mut change = FileSetChange {
        title,
        files: vec![],
        commands_after: vec![],
        contents: BTreeMap::new(),
    };
    let new_folders: BTreeSet<PathBuf> = wanted
        .iter()
        .filter(|file| file.makes_folder())
        .map(|file| file.path.clone())
        .collect();
    let mut seen_files: Vec<SeenFile> = Vec::new();
    for (at, file) in wanted.into_iter().enumerate() {
        let path = settled_path(&file.path)?;
        if change.files.iter().any(|item| item.path == path) {
            return Err(JournalError::refused(&path, TargetProblem::Twice));
        }
        check_target(&path, &new_folders)?;
        let mut seen = look_at(&path)?;
        if let Some(expected) = &file.expected
            && !seen.state.equals_but_for_times(expected)
        {
            return Err(JournalError::ChangedMeanwhile { path });
        }
        let keeps_times = matches!(
            file.state,
            WantedState::Attributes(_) | WantedState::Exactly(..)
        );
        let parent = folder_attributes(&change, &path);
        let (mut after, mut new_content) =
            wanted_state(&path, file.state, &seen, parent.as_ref(), now)?;
        if !keeps_times && after.equals_but_for_times(&seen.state) {
            // What would be the same but for its times stays as it is.
            (after, new_content) = (seen.state.clone(), seen.content.clone());
        }
        if seen.state.is_folder() != after.is_folder()
            && seen.state != FileState::Missing
            && after != FileState::Missing
        {
            return Err(JournalError::refused(&path, TargetProblem::KindChange));
        }
        let mut keep = |state: &mut FileState, bytes: Option<Vec<u8>>, side: &str| {
            if let (FileState::Regular { content, .. }, Some(bytes)) = (state, bytes) {
                *content = StoredContent::of(format!("{at}-{side}"), &bytes);
                change.contents.insert(content.file.clone(), bytes);
            }
        };
        let old_content = seen.content.take();
        keep(&mut seen.state, old_content, "before");
        keep(&mut after, new_content, "after");
        let same_before = seen.identity.and_then(|identity| {
            seen_files
                .iter()
                .position(|other| other.identity == Some(identity))
        });
        let same_after = file.same_as.or_else(|| {
            same_before.filter(|first| {
                change
                    .files
                    .get(*first)
                    .is_some_and(|item| item.after.equals_but_for_times(&after))
                    && matches!(after, FileState::Regular { .. })
            })
        });
        change.files.push(FileItem {
            place: path.parent().and_then(FolderPlace::of),
            path,
            before: seen.state.clone(),
            after,
            same_before,
            same_after,
        });
        seen_files.push(seen);
    }
    check_names(&change, &seen_files)?;
    check_removed_folders(&change)?;
    if change
        .files
        .iter()
        .all(|item| item.is_after(&item.before) || (item.before == item.after))
    {
        return Err(JournalError::NothingToChange);
    }
    Ok(change)
}

impl WantedFile {
    fn makes_folder(&self) -> bool {
        matches!(
            self.state,
            WantedState::Folder(_) | WantedState::Exactly(FileState::Folder { .. }, _)
        )
    }
}

/// The path with links in its folders resolved, as far as the folders are there.
fn settled_path(path: &Path) -> Result<PathBuf, JournalError> {
    if !path.is_absolute() {
        return Err(JournalError::refused(path, TargetProblem::Relative));
    }
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => Ok(folder
            .canonicalize()
            .map_or_else(|_| path.to_owned(), |folder| folder.join(name))),
        _ => Err(JournalError::refused(path, TargetProblem::MountPoint)),
    }
}

/// Refuses what the file system would refuse later, and what a rename would break.
fn check_target(path: &Path, new_folders: &BTreeSet<PathBuf>) -> Result<(), JournalError> {
    let refused = |problem| Err(JournalError::refused(path, problem));
    let folder = path.parent().unwrap_or(path);
    if !folder.is_dir() {
        return if new_folders.contains(folder) {
            Ok(())
        } else {
            refused(TargetProblem::NoFolder)
        };
    }
    let failed =
        |errno: rustix::io::Errno| JournalError::io("look at the file system of", path, errno);
    let file_system = rustix::fs::statfs(folder).map_err(failed)?;
    // The numbers are those of <linux/magic.h>: proc and sysfs.
    if [0x9fa0, 0x6265_6572].contains(&file_system.f_type) {
        return refused(TargetProblem::KernelFile);
    }
    let flags = rustix::fs::statvfs(folder).map_err(failed)?.f_flag;
    if flags.contains(StatVfsMountFlags::RDONLY) {
        return refused(TargetProblem::ReadOnly);
    }
    if let Some(attributes) = statx_attributes(folder) {
        if attributes.contains(StatxAttributes::IMMUTABLE) {
            return Err(JournalError::refused(folder, TargetProblem::Immutable));
        }
        if attributes.contains(StatxAttributes::APPEND) {
            return Err(JournalError::refused(folder, TargetProblem::AppendOnly));
        }
    }
    if let Some(attributes) = statx_attributes(path) {
        if attributes.contains(StatxAttributes::IMMUTABLE) {
            return refused(TargetProblem::Immutable);
        }
        if attributes.contains(StatxAttributes::APPEND) {
            return refused(TargetProblem::AppendOnly);
        }
        if attributes.contains(StatxAttributes::MOUNT_ROOT) {
            return refused(TargetProblem::MountPoint);
        }
    }
    Ok(())
}

/// Whether something is mounted on a file.
pub(crate) fn is_mount_point(path: &Path) -> bool {
    statx_attributes(path).is_some_and(|flags| flags.contains(StatxAttributes::MOUNT_ROOT))
}

fn statx_attributes(path: &Path) -> Option<StatxAttributes> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    rustix::fs::statx(CWD, path, flags, StatxFlags::BASIC_STATS)
        .ok()
        .map(|seen| seen.stx_attributes)
}

/// The attributes that the folder of a name has, or will have.
fn folder_attributes(change: &FileSetChange, path: &Path) -> Option<FileAttributes> {
    let folder = path.parent()?;
    let planned = change.files.iter().find(|item| item.path == folder);
    match planned {
        Some(item) => item.after.attributes().cloned(),
        None => look_at(folder).ok()?.state.attributes().cloned(),
    }
}

fn wanted_state(
    path: &Path,
    wanted: WantedState,
    seen: &SeenFile,
    parent: Option<&FileAttributes>,
    now: UnixMoment,
) -> Result<(FileState, Option<Vec<u8>>), JournalError> {
    let fresh = |mode: u32| FileAttributes {
        mode,
        user: rustix::process::geteuid().as_raw(),
        group: rustix::process::getegid().as_raw(),
        times: FileTimes {
            read: now,
            modified: now,
        },
        xattrs: BTreeMap::new(),
        flags: FileFlags::default(),
    };
    let inheriting = |mode: u32, is_folder: bool, mode_is_free: bool| match parent {
        Some(parent) => inherit(fresh(mode), parent, is_folder, mode_is_free),
        None => fresh(mode),
    };
    let kept = |mode: u32, mode_is_free: bool| match &seen.state {
        FileState::Regular { attributes, .. } => FileAttributes {
            times: FileTimes {
                read: now,
                modified: now,
            },
            ..attributes.clone()
        },
        _ => inheriting(mode, false, mode_is_free),
    };
    let regular = |content: Vec<u8>, attributes| {
        let state = FileState::Regular {
            content: StoredContent::of(String::new(), &content),
            attributes,
        };
        (state, Some(content))
    };
    let is_folder = seen.state.is_folder();
    Ok(match wanted {
        WantedState::Content(_) | WantedState::ContentAndMode(..) if is_folder => {
            return Err(JournalError::refused(path, TargetProblem::Folder));
        }
        WantedState::Content(content) => regular(content, kept(0o644, true)),
        WantedState::ContentAndMode(content, mode) => {
            let mut attributes = kept(mode, false);
            if matches!(seen.state, FileState::Regular { .. }) {
                attributes.mode = mode;
            }
            regular(content, attributes)
        }
        WantedState::Attributes(attributes) => {
            let mut state = seen.state.clone();
            match &mut state {
                FileState::Missing => {
                    return Err(JournalError::io(
                        "read",
                        path,
                        std::io::Error::from(std::io::ErrorKind::NotFound),
                    ));
                }
                FileState::Regular {
                    attributes: there, ..
                }
                | FileState::Link {
                    attributes: there, ..
                }
                | FileState::Folder { attributes: there } => *there = attributes,
            }
            (state, seen.content.clone())
        }
        WantedState::Link(target) => {
            let state = FileState::Link {
                target,
                attributes: FileAttributes {
                    xattrs: BTreeMap::new(),
                    flags: FileFlags::default(),
                    mode: 0o777,
                    ..inheriting(0o777, false, false)
                },
            };
            (state, None)
        }
        WantedState::Folder(mode) => {
            let attributes = match &seen.state {
                FileState::Folder { attributes } => FileAttributes {
                    mode,
                    ..attributes.clone()
                },
                _ => inheriting(mode, true, false),
            };
            (FileState::Folder { attributes }, None)
        }
        WantedState::Exactly(state, content) => (state, content),
    })
}

/// Every name of a file with several must be in the change, or the other names would keep the old
/// file and part from it.
fn check_names(change: &FileSetChange, seen: &[SeenFile]) -> Result<(), JournalError> {
    for (item, file) in change.files.iter().zip(seen) {
        let replaced = !item.is_after(&item.before);
        if !replaced || item.before.is_folder() || file.names < 2 {
            continue;
        }
        let known = seen
            .iter()
            .filter(|other| other.identity == file.identity)
            .count() as u64;
        if known < file.names {
            return Err(JournalError::refused(&item.path, TargetProblem::OtherNames));
        }
    }
    Ok(())
}

fn check_removed_folders(change: &FileSetChange) -> Result<(), JournalError> {
    for item in &change.files {
        if !item.before.is_folder() || item.after != FileState::Missing {
            continue;
        }
        let entries = std::fs::read_dir(&item.path)
            .map_err(|error| JournalError::io("read", &item.path, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| JournalError::io("read", &item.path, error))?;
            let goes = change
                .files
                .iter()
                .any(|other| other.path == entry.path() && other.after == FileState::Missing);
            if !goes {
                return Err(JournalError::refused(
                    &item.path,
                    TargetProblem::FolderNotEmpty,
                ));
            }
        }
    }
    Ok(())
}
