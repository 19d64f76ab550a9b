//! Reading below a root: links never lead out of it, and nothing but plain files is read.
//!
//! Every step of a path is taken by itself, so that this holds on kernels without `openat2`, too,
//! and no device or FIFO of a tree is ever opened: opening alone can start a watchdog.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, Stat, fstat, major, minor, openat, readlinkat};
use rustix::io::Errno;

/// No configuration file is as large as this; what is larger is not read.
const LARGEST: u64 = 64 << 20;

/// No machine has as much configuration as this.
const LARGEST_SUM: u64 = 512 << 20;

/// No directory of configuration has more entries.
const MOST_NAMES: usize = 100_000;

/// As many links as the kernel follows in one path (`MAXSYMLINKS`).
const MOST_LINKS: usize = 40;

/// A directory tree that is read as if it were the root.
pub(super) struct Files {
    root: io::Result<OwnedFd>,
    /// How many bytes may still be read.
    left: Cell<u64>,
    /// Paths that are there and could not be read.
    refused: RefCell<Vec<(String, String)>>,
}

impl Files {
    pub(super) fn new(root: &Path) -> Self {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self {
            root: openat(CWD, root, flags, Mode::empty()).map_err(Into::into),
            left: Cell::new(LARGEST_SUM),
            refused: RefCell::default(),
        }
    }

    /// Why nothing of the tree can be read.
    pub(super) fn failure(&self) -> Option<String> {
        self.root.as_ref().err().map(ToString::to_string)
    }

    /// The text of a file by its absolute path in the tree; none if it is not there.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.note(path, self.read(path)).flatten()
    }

    /// The bytes of a plain file, or none.
    pub(super) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        self.note(path, self.read_bytes(path)).flatten()
    }

    /// Whether a link leads to a folder, or there is one.
    pub(super) fn is_folder(&self, path: &str) -> bool {
        self.find(path, true)
            .is_ok_and(|found| FileType::from_raw_mode(found.stat.st_mode) == FileType::Directory)
    }

    fn read(&self, path: &str) -> io::Result<Option<String>> {
        let bytes = self.read_bytes(path)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn read_bytes(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let found = self.find(path, true)?;
        match FileType::from_raw_mode(found.stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Ok(None),
            _ if is_null(&found.stat) => return Ok(Some(Vec::new())),
            _ => return Err(io::Error::other("it is no plain file")),
        }
        let limit = LARGEST.min(self.left.get());
        let mut bytes = Vec::new();
        File::from(found.open()?)
            .take(limit + 1)
            .read_to_end(&mut bytes)?;
        let length = bytes.len() as u64;
        if length > LARGEST {
            return Err(io::Error::other("it is larger than 64 MiB"));
        }
        if length > limit {
            return Err(io::Error::other("all files together have over 512 MiB"));
        }
        self.left.set(self.left.get().saturating_sub(length));
        Ok(Some(bytes))
    }

    /// Whether something is there, even a link that leads nowhere.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.note(path, self.find(path, false)).is_some()
    }

    /// Where a link points, as it is written.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let found = self.note(path, self.find(path, false))?;
        let target = readlinkat(found.itself, "", Vec::new()).ok()?;
        target.into_string().ok()
    }

    /// The names in a directory, sorted; none if it is not there.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        self.note(path, self.list(path)).unwrap_or_default()
    }

    fn list(&self, path: &str) -> io::Result<Vec<String>> {
        let found = self.find(path, true)?;
        if FileType::from_raw_mode(found.stat.st_mode) != FileType::Directory {
            return Err(Errno::NOTDIR.into());
        }
        let mut names = Vec::new();
        for entry in Dir::read_from(found.open()?)? {
            let entry = entry?;
            match entry.file_name().to_str() {
                Ok("." | "..") => {}
                Ok(name) => names.push(name.to_owned()),
                Err(_) => self.refuse(path, "the name of something in it is not UTF-8"),
            }
            if names.len() > MOST_NAMES {
                return Err(io::Error::other("there are over 100,000 files in it"));
            }
        }
        names.sort();
        Ok(names)
    }

    /// The paths of the files in a directory, sorted.
    pub(super) fn paths(&self, folder: &str) -> Vec<String> {
        let join = |name: &String| format!("{folder}/{name}");
        self.names(folder).iter().map(join).collect()
    }

    /// What is there and could not be read, with the reason.
    pub(super) fn refused(&self) -> Vec<(String, String)> {
        self.refused.borrow().clone()
    }

    /// Remembers a failure that is not the plain absence of the file.
    fn note<T>(&self, path: &str, result: io::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                if !is_absent(&error) && self.root.is_ok() {
                    self.refuse(path, &error.to_string());
                }
                None
            }
        }
    }

    fn refuse(&self, path: &str, why: &str) {
        let mut refused = self.refused.borrow_mut();
        if refused.iter().all(|(before, _)| before != path) {
            refused.push((path.to_owned(), why.to_owned()));
        }
    }

    /// Walks to a path as the kernel would after a `chroot`, without opening anything.
    fn find(&self, path: &str, follow: bool) -> io::Result<FoundFile<'_>> {
        let root = match &self.root {
            Ok(root) => root.as_fd(),
            Err(error) => return Err(error.kind().into()),
        };
        let mut ahead = steps(path.as_bytes());
        let mut folders: Vec<OwnedFd> = Vec::new();
        let mut links = 0;
        while let Some(step) = ahead.pop() {
            if step == b".." {
                folders.pop();
                continue;
            }
            let here = folders.last().map_or(root, AsFd::as_fd);
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let itself = openat(here, step.as_slice(), flags, Mode::empty())?;
            let stat = fstat(&itself)?;
            let kind = FileType::from_raw_mode(stat.st_mode);
            if kind == FileType::Symlink && (follow || !ahead.is_empty()) {
                links += 1;
                if links > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = readlinkat(&itself, "", Vec::new())?;
                if target.as_bytes().starts_with(b"/") {
                    folders.clear();
                }
                ahead.extend(steps(target.as_bytes()));
            } else if ahead.is_empty() {
                return Ok(FoundFile {
                    folder: folders.pop(),
                    root,
                    name: step,
                    itself,
                    stat,
                });
            } else if kind == FileType::Directory {
                folders.push(itself);
            } else {
                return Err(Errno::NOTDIR.into());
            }
        }
        // The path ends at a folder that was passed, such as the root.
        let here = folders.last().map_or(root, AsFd::as_fd);
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let itself = openat(here, ".", flags, Mode::empty())?;
        let stat = fstat(&itself)?;
        Ok(FoundFile {
            folder: folders.pop(),
            root,
            name: b".".to_vec(),
            itself,
            stat,
        })
    }
}

/// What is at the end of a path.
struct FoundFile<'root> {
    /// The folder that it is in; none for the root.
    folder: Option<OwnedFd>,
    root: BorrowedFd<'root>,
    name: Vec<u8>,
    /// A descriptor that names it and cannot be read from.
    itself: OwnedFd,
    stat: Stat,
}

impl FoundFile<'_> {
    /// Opens it to be read, if it is still what it was.
    fn open(&self) -> io::Result<OwnedFd> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let folder = self.folder.as_ref().map_or(self.root, AsFd::as_fd);
        let file = openat(folder, self.name.as_slice(), flags, Mode::empty())?;
        let now = fstat(&file)?;
        if (now.st_dev, now.st_ino) != (self.stat.st_dev, self.stat.st_ino) {
            return Err(io::Error::other("it was replaced while it was read"));
        }
        Ok(file)
    }
}

/// The steps of a path, the first one last.
fn steps(path: &[u8]) -> Vec<Vec<u8>> {
    path.split(|byte| *byte == b'/')
        .filter(|step| !step.is_empty() && *step != b".")
        .map(<[u8]>::to_vec)
        .rev()
        .collect()
}

/// `/dev/null`, to which a link says that a file is empty on purpose.
fn is_null(stat: &Stat) -> bool {
    let device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
    device && (major(stat.st_rdev), minor(stat.st_rdev)) == (1, 3)
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
