//! What a name in a file system stands for, with everything that has to come back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::as_text;
use crate::error::{JournalError, TargetProblem};
use crate::file_flags::FileFlags;
use crate::moment::UnixMoment;

/// The largest content that the journal keeps.
const LARGEST_CONTENT: u64 = 256 << 20;

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Nothing has the name.
    Missing,
    /// A regular file.
    Regular {
        /// Where its content is kept.
        content: StoredContent,
        /// All the rest.
        attributes: FileAttributes,
    },
    /// A symbolic link.
    Link {
        /// What it says.
        #[serde(with = "as_text")]
        target: PathBuf,
        /// All the rest.
        attributes: FileAttributes,
    },
    /// A folder, without what is in it.
    Folder {
        /// All the rest.
        attributes: FileAttributes,
    },
}

/// A content in the vault of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredContent {
    /// The name of the file in the vault.
    pub file: String,
    /// Its length in bytes.
    pub length: u64,
    /// Its checksum (CRC-32, as `gzip` uses it).
    pub crc32: u32,
}

impl StoredContent {
    /// What is to be kept for a content, under a name.
    pub(crate) fn of(file: String, bytes: &[u8]) -> Self {
        Self {
            file,
            length: bytes.len() as u64,
            crc32: crc32fast::hash(bytes),
        }
    }
}

/// Mode, owner, times, extended attributes and flags. Access control lists, `SELinux` labels and file
/// capabilities are extended attributes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileAttributes {
    /// The permission bits, with set-user-ID, set-group-ID and sticky.
    #[serde(with = "as_text::octal")]
    pub mode: u32,
    /// The owner.
    pub user: u32,
    /// The group.
    pub group: u32,
    /// When it was read and modified.
    pub times: FileTimes,
    /// The extended attributes.
    #[serde(with = "as_text::hex_values", default)]
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// The flags of `chattr`.
    #[serde(default, skip_serializing_if = "FileFlags::is_empty")]
    pub flags: FileFlags,
}

/// When a file was read and modified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTimes {
    /// When it was read.
    pub read: UnixMoment,
    /// When it was modified.
    pub modified: UnixMoment,
}

impl FileTimes {
    pub(crate) fn to_system(self) -> rustix::fs::Timestamps {
        let system = |moment: UnixMoment| rustix::fs::Timespec {
            tv_sec: moment.seconds,
            tv_nsec: i64::from(moment.nanoseconds),
        };
        rustix::fs::Timestamps {
            last_access: system(self.read),
            last_modification: system(self.modified),
        }
    }
}

/// What was seen under a name.
#[derive(Clone, Debug)]
pub struct SeenFile {
    /// The state; a content has no name in a vault yet.
    pub state: FileState,
    /// The content of a regular file.
    pub content: Option<Vec<u8>>,
    /// Device and inode, for hard links.
    pub identity: Option<(u64, u64)>,
    /// How many names it has.
    pub names: u64,
}

/// Which folder it is, as the kernel numbers folders and mounts until the next boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FolderPlace {
    pub(crate) mount: u64,
    /// Device and inode.
    pub(crate) inode: (u64, u64),
}

impl FolderPlace {
    /// The place of a folder; nothing if it is not there, or the kernel does not number mounts (before
    /// Linux 5.8).
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let flags = AtFlags::NO_AUTOMOUNT;
        let wanted = StatxFlags::INO | StatxFlags::MNT_ID;
        let seen = rustix::fs::statx(CWD, folder, flags, wanted).ok()?;
        let known = StatxFlags::from_bits_retain(seen.stx_mask).contains(wanted);
        known.then(|| Self {
            mount: seen.stx_mnt_id,
            inode: (
                rustix::fs::makedev(seen.stx_dev_major, seen.stx_dev_minor),
                seen.stx_ino,
            ),
        })
    }
}

impl FileState {
    /// Whether both are the same but for times. Contents are compared by length and checksum.
    pub fn equals_but_for_times(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Missing, Self::Missing) => true,
            (
                Self::Regular {
                    content,
                    attributes,
                },
                Self::Regular {
                    content: other_content,
                    attributes: other_attributes,
                },
            ) => {
                content.length == other_content.length
                    && content.crc32 == other_content.crc32
                    && attributes.equals_but_for_times(other_attributes)
            }
            (
                Self::Link { target, attributes },
                Self::Link {
                    target: other_target,
                    attributes: other_attributes,
                },
            ) => target == other_target && attributes.equals_but_for_times(other_attributes),
            (
                Self::Folder { attributes },
                Self::Folder {
                    attributes: other_attributes,
                },
            ) => attributes.equals_but_for_times(other_attributes),
            _ => false,
        }
    }

    /// The attributes of what is there.
    pub fn attributes(&self) -> Option<&FileAttributes> {
        match self {
            Self::Missing => None,
            Self::Regular { attributes, .. }
            | Self::Link { attributes, .. }
            | Self::Folder { attributes } => Some(attributes),
        }
    }

    /// Whether it is a folder.
    pub(crate) fn is_folder(&self) -> bool {
        matches!(self, Self::Folder { .. })
    }
}

impl FileAttributes {
    fn equals_but_for_times(&self, other: &Self) -> bool {
        (self.mode, self.user, self.group, &self.xattrs, self.flags)
            == (
                other.mode,
                other.user,
                other.group,
                &other.xattrs,
                other.flags,
            )
    }
}

/// Looks at what has a name, following no link.
pub fn look_at(path: &Path) -> Result<SeenFile, JournalError> {
    let failed = |error: io::Error| JournalError::io("read", path, error);
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(SeenFile {
                state: FileState::Missing,
                content: None,
                identity: None,
                names: 0,
            });
        }
        Err(error) => return Err(failed(error)),
    };
    let kind = metadata.file_type();
    let attributes = |metadata: &std::fs::Metadata| -> Result<_, JournalError> {
        Ok(FileAttributes {
            mode: metadata.mode() & 0o7777,
            user: metadata.uid(),
            group: metadata.gid(),
            times: FileTimes {
                read: moment(metadata.atime(), metadata.atime_nsec()),
                modified: moment(metadata.mtime(), metadata.mtime_nsec()),
            },
            xattrs: read_xattrs(path).map_err(failed)?,
            flags: if kind.is_symlink() {
                FileFlags::default()
            } else {
                FileFlags::of(path)
            },
        })
    };
    let (state, content) = if kind.is_file() {
        if metadata.len() > LARGEST_CONTENT {
            return Err(JournalError::refused(path, TargetProblem::TooLarge));
        }
        let content = read_quietly(path).map_err(failed)?;
        let state = FileState::Regular {
            content: StoredContent::of(String::new(), &content),
            attributes: attributes(&metadata)?,
        };
        (state, Some(content))
    } else if kind.is_symlink() {
        let state = FileState::Link {
            target: std::fs::read_link(path).map_err(failed)?,
            attributes: attributes(&metadata)?,
        };
        (state, None)
    } else if kind.is_dir() {
        let state = FileState::Folder {
            attributes: attributes(&metadata)?,
        };
        (state, None)
    } else {
        return Err(JournalError::refused(path, special_kind(kind)));
    };
    Ok(SeenFile {
        state,
        content,
        identity: Some((metadata.dev(), metadata.ino())),
        names: metadata.nlink(),
    })
}

/// Why a file of a special kind is refused.
pub(crate) fn special_kind(kind: std::fs::FileType) -> TargetProblem {
    use std::os::unix::fs::FileTypeExt;
    if kind.is_socket() {
        TargetProblem::Socket
    } else if kind.is_fifo() {
        TargetProblem::Pipe
    } else {
        TargetProblem::Device
    }
}

fn moment(seconds: i64, nanoseconds: i64) -> UnixMoment {
    UnixMoment {
        seconds,
        nanoseconds: u32::try_from(nanoseconds).unwrap_or(0),
    }
}

/// Reads a regular file without leaving a trace in the time of its last reading, where that is allowed.
/// Anything else that has its name, such as a pipe, is refused without waiting for it.
pub(crate) fn read_quietly(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let opened = match rustix::fs::openat(CWD, path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::openat(CWD, path, flags, Mode::empty()),
        other => other,
    }?;
    let file = File::from(opened);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file",
        ));
    }
    let mut content = Vec::new();
    file.take(LARGEST_CONTENT + 1).read_to_end(&mut content)?;
    Ok(content)
}

fn read_xattrs(path: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut values = BTreeMap::new();
    for name in xattr_names(path)? {
        match xattr_value(path, &name) {
            Ok(value) => {
                values.insert(name, value);
            }
            // It went away between the two calls, or is listed and yet not to be read.
            Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(values)
}

/// The names of the extended attributes.
pub(crate) fn xattr_names(path: &Path) -> io::Result<Vec<String>> {
    loop {
        let length = match rustix::fs::llistxattr_query(path) {
            Ok(length) => length,
            Err(Errno::OPNOTSUPP) => return Ok(vec![]),
            Err(errno) => return Err(errno.into()),
        };
        let mut buffer = vec![0; length + 64];
        match rustix::fs::llistxattr(path, buffer.as_mut_slice()) {
            Ok(length) => {
                return Ok(buffer
                    .get(..length)
                    .unwrap_or_default()
                    .split(|byte| *byte == 0)
                    .filter(|name| !name.is_empty())
                    .map(|name| String::from_utf8_lossy(name).into_owned())
                    .collect());
            }
            Err(Errno::RANGE) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn xattr_value(path: &Path, name: &str) -> Result<Vec<u8>, Errno> {
    loop {
        let length = rustix::fs::lgetxattr_query(path, name)?;
        let mut buffer = vec![0; length + 64];
        match rustix::fs::lgetxattr(path, name, buffer.as_mut_slice()) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(Errno::RANGE) => {}
            Err(errno) => return Err(errno),
        }
    }
}
