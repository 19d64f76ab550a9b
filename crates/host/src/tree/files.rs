//! Reading below a root: links never lead out of it, and nothing but plain files is read.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, openat, openat2};

/// No configuration file is as large as this; what is larger is not read.
const LARGEST: u64 = 64 << 20;

/// A directory tree that is read as if it were the root.
pub(super) struct Files {
    root: PathBuf,
    /// Paths that are there and could not be read.
    refused: RefCell<Vec<(String, String)>>,
}

impl Files {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            refused: RefCell::default(),
        }
    }

    /// The text of a file by its absolute path in the tree; none if it is not there.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        match self.read(path) {
            Ok(text) => text,
            Err(error) => {
                let mut refused = self.refused.borrow_mut();
                if refused.iter().all(|(before, _)| before != path) {
                    refused.push((path.to_owned(), error.to_string()));
                }
                None
            }
        }
    }

    fn read(&self, path: &str) -> io::Result<Option<String>> {
        let file = match self.open(path, OFlags::RDONLY | OFlags::NONBLOCK) {
            Ok(file) => file,
            Err(error) if is_absent(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        if kind != FileType::RegularFile {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        File::from(file).take(LARGEST + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > LARGEST {
            return Err(io::Error::other("it is larger than 64 MiB"));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Whether something is there, be it a link that leads nowhere.
    pub(super) fn exists(&self, path: &str) -> bool {
        self.open(path, OFlags::PATH | OFlags::NOFOLLOW).is_ok()
    }

    /// Where a link points, as it is written.
    pub(super) fn link(&self, path: &str) -> Option<String> {
        let file = self.open(path, OFlags::PATH | OFlags::NOFOLLOW).ok()?;
        let target = rustix::fs::readlinkat(file, "", Vec::new()).ok()?;
        target.into_string().ok()
    }

    /// The names in a directory, sorted; none if it is not there.
    pub(super) fn names(&self, path: &str) -> Vec<String> {
        let Ok(folder) = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY) else {
            return Vec::new();
        };
        let Ok(entries) = Dir::new(folder) else {
            return Vec::new();
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str().ok().map(ToOwned::to_owned))
            .filter(|name| name != "." && name != "..")
            .collect();
        names.sort();
        names
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

    fn open(&self, path: &str, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC;
        if self.root == Path::new("/") {
            return Ok(openat(CWD, path, flags, Mode::empty())?);
        }
        let root = openat(
            CWD,
            &self.root,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(openat2(
            root,
            path,
            flags,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        )?)
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
