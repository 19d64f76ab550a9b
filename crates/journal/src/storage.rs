//! Every system call that changes something, behind one trait.
//!
//! What is written, renamed, synced or removed by the journal goes through [`Storage`], one method
//! a system call, so that tests can stop the program before and after each, let each fail, and
//! replay what a disk holds after a power loss. Reading does not go through it.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, XattrFlags};

use crate::file_flags::FileFlags;
use crate::file_state::FileTimes;

/// The system calls that change a file system.
pub trait Storage: Send + Sync {
    /// Makes a folder.
    fn make_folder(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Makes a file that must not exist, for writing.
    fn make_file(&self, path: &Path, mode: u32) -> io::Result<File>;
    /// Writes bytes at the file's position and says how many were written.
    fn write_some(&self, file: &File, path: &Path, bytes: &[u8]) -> io::Result<usize>;
    /// Brings a file's content and attributes to the disk.
    fn sync_file(&self, file: &File, path: &Path) -> io::Result<()>;
    /// Brings a folder's names and attributes to the disk.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Renames, replacing what has the name.
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Renames to a name that must not exist.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Swaps two names in one step.
    fn swap_names(&self, one: &Path, other: &Path) -> io::Result<()>;
    /// Removes a name that is not a folder's.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes a symbolic link.
    fn make_link(&self, target: &Path, path: &Path) -> io::Result<()>;
    /// Gives a file a second name.
    fn add_name(&self, existing: &Path, path: &Path) -> io::Result<()>;
    /// Sets owner and group, of a link itself.
    fn set_owner(&self, path: &Path, user: u32, group: u32) -> io::Result<()>;
    /// Sets the mode, of what is no link.
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// Sets the times, of a link itself.
    fn set_times(&self, path: &Path, times: FileTimes) -> io::Result<()>;
    /// Sets an extended attribute, of a link itself.
    fn set_xattr(&self, path: &Path, name: &str, value: &[u8]) -> io::Result<()>;
    /// Removes an extended attribute, of a link itself.
    fn remove_xattr(&self, path: &Path, name: &str) -> io::Result<()>;
    /// Sets the flags of `chattr`, of what is no link.
    fn set_flags(&self, path: &Path, flags: FileFlags) -> io::Result<()>;
}

/// Writes all bytes.
pub(crate) fn write_whole(
    storage: &dyn Storage,
    file: &File,
    path: &Path,
    mut bytes: &[u8],
) -> io::Result<()> {
    while !bytes.is_empty() {
        match storage.write_some(file, path, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The file systems of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealStorage;

impl Storage for RealStorage {
    fn make_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        Ok(rustix::fs::mkdirat(
            CWD,
            path,
            Mode::from_raw_mode(mode & 0o7777),
        )?)
    }

    fn make_file(&self, path: &Path, mode: u32) -> io::Result<File> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(CWD, path, flags, Mode::from_raw_mode(mode & 0o7777))?;
        Ok(File::from(file))
    }

    fn write_some(&self, file: &File, _path: &Path, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(file, bytes)?)
    }

    fn sync_file(&self, file: &File, _path: &Path) -> io::Result<()> {
        Ok(rustix::fs::fsync(file)?)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(rustix::fs::fsync(folder)?)
    }

    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat(CWD, from, CWD, to)?)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(
            CWD,
            from,
            CWD,
            to,
            RenameFlags::NOREPLACE,
        )?)
    }

    fn swap_names(&self, one: &Path, other: &Path) -> io::Result<()> {
        Ok(rustix::fs::renameat_with(
            CWD,
            one,
            CWD,
            other,
            RenameFlags::EXCHANGE,
        )?)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(CWD, path, AtFlags::empty())?)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
    }

    fn make_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(target, CWD, path)?)
    }

    fn add_name(&self, existing: &Path, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::linkat(
            CWD,
            existing,
            CWD,
            path,
            AtFlags::empty(),
        )?)
    }

    fn set_owner(&self, path: &Path, user: u32, group: u32) -> io::Result<()> {
        let user = Some(rustix::fs::Uid::from_raw(user));
        let group = Some(rustix::fs::Gid::from_raw(group));
        Ok(rustix::fs::chownat(
            CWD,
            path,
            user,
            group,
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        let mode = Mode::from_raw_mode(mode & 0o7777);
        // chmod(2) follows links, and kernels before 6.6 have no form of it that does not: in a folder
        // that another user owns, a link could have taken the file's place.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
        Ok(rustix::fs::fchmod(file, mode)?)
    }

    fn set_times(&self, path: &Path, times: FileTimes) -> io::Result<()> {
        Ok(rustix::fs::utimensat(
            CWD,
            path,
            &times.to_system(),
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    }

    fn set_xattr(&self, path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::lsetxattr(
            path,
            name,
            value,
            XattrFlags::empty(),
        )?)
    }

    fn remove_xattr(&self, path: &Path, name: &str) -> io::Result<()> {
        Ok(rustix::fs::lremovexattr(path, name)?)
    }

    fn set_flags(&self, path: &Path, flags: FileFlags) -> io::Result<()> {
        flags.give(path)
    }
}
