//! What keeps the journal from doing its job, each error with the object that it is about.

use std::io;
use std::path::{Path, PathBuf};

use crate::entry::EntryState;

/// What keeps the journal from doing its job.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A system call failed on a named file.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another surefoot is changing the machine.
    #[error("another surefoot is changing this machine: {holder}")]
    JournalLocked {
        /// The process, as far as it is known.
        holder: String,
    },
    /// The folder of the journal is not safe from other users.
    #[error("{} cannot be the folder of a journal: {why}", path.display())]
    UnsafeFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The journal was written by a newer surefoot.
    #[error("{} has format {version}, which this surefoot does not know", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// The format that it names.
        version: u64,
    },
    /// An entry that cannot be read.
    #[error("{} is damaged: {why}", path.display())]
    DamagedEntry {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A backup that is not what was written.
    #[error("the backup {} is damaged: {why}", path.display())]
    DamagedBackup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No entry has this number.
    #[error("the journal has no entry {number}")]
    UnknownEntry {
        /// The number.
        number: u64,
    },
    /// A file that the journal does not change.
    #[error("{} {problem}", path.display())]
    TargetRefused {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: TargetProblem,
    },
    /// The thing is not what it was when the change was planned.
    #[error("{} was changed by another program meanwhile", path.display())]
    ChangedMeanwhile {
        /// The file.
        path: PathBuf,
    },
    /// The thing is not as the entry left it.
    #[error("what entry {number} changed was changed again since")]
    ChangedSince {
        /// The entry.
        number: u64,
        /// From what the entry left to what is there now.
        diff: String,
        /// Later entries that touch the same things.
        by: Vec<u64>,
    },
    /// The entry is in a state in which this cannot be done.
    #[error("entry {number} is {state}, so it cannot be {wanted}")]
    WrongState {
        /// The entry.
        number: u64,
        /// Its state.
        state: EntryState,
        /// What was asked, as a participle.
        wanted: &'static str,
    },
    /// The entry is on its way back, and something is in the way.
    #[error("entry {number} is being put back, so it cannot be {wanted}")]
    BeingReversed {
        /// The entry.
        number: u64,
        /// What was asked, as a participle.
        wanted: &'static str,
    },
    /// No entry can be undone, confirmed or rolled back.
    #[error("the journal has no entry that can be {wanted}")]
    NothingThere {
        /// What was asked, as a participle.
        wanted: &'static str,
    },
    /// An entry that may be the one that is meant cannot be read.
    #[error("the newest change may be entry {number}, which cannot be read")]
    UnreadableFirst {
        /// The entry.
        number: u64,
        /// Why not.
        source: Box<JournalError>,
    },
    /// An armed entry holds the same thing.
    #[error("entry {number} is armed and holds {thing}")]
    HeldByArmed {
        /// The armed entry.
        number: u64,
        /// What both touch.
        thing: String,
    },
    /// A change refuses, for a reason of its own kind.
    #[error("{why}")]
    KindRefused {
        /// The reason.
        why: String,
    },
    /// The change would change nothing.
    #[error("nothing would change")]
    NothingToChange,
    /// After the change the thing is not as planned.
    #[error("after the change, {what}")]
    NotAsPlanned {
        /// What is different.
        what: String,
    },
    /// A program that belongs to the change failed.
    #[error("`{command}` {how}")]
    CommandFailed {
        /// The command line.
        command: String,
        /// How it ended, with what it wrote.
        how: String,
    },
    /// Something was mounted on a file or over its folder.
    #[error("something was mounted on {} or over its folder since, or unmounted", path.display())]
    Covered {
        /// The file that cannot be reached.
        path: PathBuf,
    },
    /// The folder of a file that is to be put back is not there.
    #[error("the folder {} is not there: it was renamed or removed, or is not mounted", path.display())]
    FolderGone {
        /// The folder.
        path: PathBuf,
    },
    /// The change failed and everything was put back.
    #[error("the change failed and was rolled back (entry {number})")]
    RolledBack {
        /// The entry.
        number: u64,
        /// Why it failed.
        source: Box<JournalError>,
        /// What a person has to know about the way back.
        warnings: Vec<String>,
    },
    /// The change failed and could not be put back.
    #[error("the change failed and could not be rolled back (entry {number})")]
    LeftHalfDone {
        /// The entry.
        number: u64,
        /// Why it failed.
        source: Box<JournalError>,
        /// Why it could not be put back.
        put_back: Box<JournalError>,
    },
    /// The entry's kind is unknown to this program.
    #[error("entry {number} is of the kind `{kind}`, which this surefoot does not know")]
    UnknownKind {
        /// The entry.
        number: u64,
        /// The kind.
        kind: String,
    },
    /// The watchdog could not be started, so that nothing was changed.
    #[error("the watchdog did not start: {why}")]
    WatchdogFailed {
        /// What happened.
        why: String,
    },
}

/// Why a file is not changed by the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetProblem {
    /// A block or character device.
    #[error("is a device")]
    Device,
    /// A socket.
    #[error("is a socket")]
    Socket,
    /// A named pipe.
    #[error("is a named pipe")]
    Pipe,
    /// Something is mounted on it.
    #[error("is a mount point")]
    MountPoint,
    /// A symbolic link that leads out of the tree in which it is.
    #[error("is a symbolic link that leads out of the tree in which it is")]
    LinkOutOfTree,
    /// A symbolic link whose target is missing.
    #[error("is a symbolic link to something that does not exist")]
    LinkToNowhere,
    /// The immutable attribute.
    #[error("is immutable (`chattr +i`)")]
    Immutable,
    /// The append-only attribute.
    #[error("can only be appended to (`chattr +a`)")]
    AppendOnly,
    /// A file with more names than those that were given.
    #[error("has other names (hard links) that were not given")]
    OtherNames,
    /// A folder where a file is meant.
    #[error("is a folder")]
    Folder,
    /// A folder that is not empty.
    #[error("is a folder that is not empty")]
    FolderNotEmpty,
    /// A file system that takes no writes.
    #[error("is on a file system that is read-only")]
    ReadOnly,
    /// The folder that would hold it is missing.
    #[error("has no folder to be in")]
    NoFolder,
    /// Too large to be kept in the journal.
    #[error("is larger than the journal keeps (256 MiB)")]
    TooLarge,
    /// A folder that a file replaces or the reverse.
    #[error("would turn from a folder into something else, or the reverse")]
    KindChange,
    /// A file of a kernel file system.
    #[error("belongs to the kernel (/proc or /sys), which keeps no files")]
    KernelFile,
    /// The path is not absolute.
    #[error("is not an absolute path")]
    Relative,
    /// The same file twice in one change.
    #[error("is in the change twice")]
    Twice,
}

impl JournalError {
    /// The error of a system call.
    pub(crate) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io {
            action,
            path: path.to_owned(),
            source: source.into(),
        }
    }

    /// The error of a file that is refused.
    pub(crate) fn refused(path: &Path, problem: TargetProblem) -> Self {
        Self::TargetRefused {
            path: path.to_owned(),
            problem,
        }
    }

    /// The error with what is under it, in one line.
    pub fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(source) = next {
            text.push_str(": ");
            text.push_str(&source.to_string());
            next = source.source();
        }
        text
    }

    /// What to do next, where there is something.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Io { source, path, .. } => return io_hint(source, path),
            Self::JournalLocked { .. } => {
                "wait until it has ended, or end it; then try again".to_owned()
            }
            Self::NewerFormat { .. } => {
                "use the surefoot that wrote it, or give another place with --state-dir".to_owned()
            }
            Self::DamagedEntry { path, .. } | Self::DamagedBackup { path, .. } => format!(
                "look at what is left of it in {}; the other entries are not affected",
                path.parent().unwrap_or(path).display()
            ),
            Self::UnknownEntry { .. } | Self::NothingThere { .. } => {
                "`surefoot changes` lists the entries".to_owned()
            }
            Self::TargetRefused { path, problem } => return target_hint(*problem, path),
            Self::ChangedMeanwhile { .. } => {
                "look at what the other program wrote, then begin again".to_owned()
            }
            Self::ChangedSince { number, by, .. } => match by.last() {
                Some(later) => format!(
                    "undo the later change first: surefoot undo {later}; or overwrite it (it is \
                     kept in the journal): surefoot undo --force {number}"
                ),
                None => format!(
                    "overwrite it (what is there now is kept in the journal): surefoot undo \
                     --force {number}"
                ),
            },
            Self::UnreadableFirst { .. } => {
                "`surefoot changes` lists the entries; name the one that is meant".to_owned()
            }
            Self::UnsafeFolder { .. } => {
                "give a folder that belongs to root and has mode 0700 (--state-dir)".to_owned()
            }
            Self::WrongState {
                number,
                state: EntryState::Armed,
                ..
            } => format!(
                "`surefoot rollback {number}` reverses it now, `surefoot confirm {number}` keeps it"
            ),
            Self::WrongState { number, .. } => format!("see `surefoot changes show {number}`"),
            Self::BeingReversed { number, .. } => {
                format!("see what is in the way: surefoot changes show {number}")
            }
            Self::HeldByArmed { number, .. } => {
                format!("`surefoot confirm {number}` or `surefoot rollback {number}` first")
            }
            Self::LeftHalfDone { number, .. } => format!(
                "remove the cause, then `surefoot rollback {number}`; the old state is kept in \
                 the journal"
            ),
            Self::Covered { path } => {
                let shown = path.display();
                format!("see what it is, and put it back as it was: findmnt -T {shown}")
            }
            Self::FolderGone { .. } => {
                "put it back, or mount it; if it is gone for good, `surefoot rollback` with the number of the entry \
                 ends that"
                    .to_owned()
            }
            Self::RolledBack { source, .. } => return source.hint(),
            _ => return None,
        })
    }
}

fn io_hint(source: &io::Error, path: &Path) -> Option<String> {
    // EPERM is not about the user where that is root.
    if source.raw_os_error() == Some(1) && rustix::process::geteuid().is_root() {
        let shown = path.display();
        return Some(format!(
            "see whether it is immutable: lsattr -d {shown}; chattr -i {shown}"
        ));
    }
    Some(match source.kind() {
        io::ErrorKind::PermissionDenied => "run it as root".to_owned(),
        io::ErrorKind::StorageFull => {
            format!("free some space: df {}", existing(path).display())
        }
        io::ErrorKind::QuotaExceeded => "the quota is used up: see `quota`".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => format!(
            "see why it is read-only: findmnt -T {}; dmesg | tail",
            existing(path).display()
        ),
        io::ErrorKind::NotFound => "check the name".to_owned(),
        _ => return None,
    })
}

fn existing(path: &Path) -> &Path {
    path.ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(path)
}

fn target_hint(problem: TargetProblem, path: &Path) -> Option<String> {
    let shown = path.display();
    Some(match problem {
        TargetProblem::Immutable => format!("chattr -i {shown}"),
        TargetProblem::AppendOnly => format!("chattr -a {shown}"),
        TargetProblem::LinkOutOfTree | TargetProblem::LinkToNowhere => {
            format!("name the file itself: readlink -m {shown}")
        }
        TargetProblem::MountPoint => format!("see what is mounted there: findmnt {shown}"),
        TargetProblem::OtherNames => {
            format!("give all its names: find / -xdev -samefile {shown}")
        }
        TargetProblem::ReadOnly => format!(
            "see why it is read-only: findmnt -T {}",
            existing(path).display()
        ),
        TargetProblem::NoFolder => format!(
            "make it: mkdir -p {}",
            path.parent().unwrap_or(path).display()
        ),
        TargetProblem::KernelFile => "use sysctl, or the file that sets it at boot".to_owned(),
        _ => return None,
    })
}
