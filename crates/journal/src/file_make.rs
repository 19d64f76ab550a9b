//! Making one file or link with everything that it has: content, mode, owner, times, attributes, flags.

use std::io;
use std::path::Path;

use crate::error::JournalError;
use crate::file_flags::FileFlags;
use crate::file_state::{FileAttributes, xattr_names};
use crate::storage::{Storage, write_whole};

/// Removes a file if it is there.
pub(crate) fn remove_if_there(storage: &dyn Storage, path: &Path) -> Result<(), JournalError> {
    match std::fs::symlink_metadata(path) {
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(());
        }
        _ => {}
    }
    match storage.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(JournalError::io("remove", path, error))
        }
        _ => Ok(()),
    }
}

/// Makes a file with everything that it has, and brings it to the disk.
pub(crate) fn make_regular(
    storage: &dyn Storage,
    path: &Path,
    bytes: &[u8],
    attributes: &FileAttributes,
) -> Result<(), JournalError> {
    let failed = |error: io::Error| JournalError::io("write", path, error);
    let file = storage.make_file(path, 0o600).map_err(failed)?;
    // Before the content: some flags say how it is stored.
    set_flags(storage, path, attributes.flags).map_err(failed)?;
    write_whole(storage, &file, path, bytes).map_err(failed)?;
    set_attributes(storage, path, attributes, false).map_err(failed)?;
    storage.sync_file(&file, path).map_err(failed)
}

/// Makes a link with everything that it has.
pub(crate) fn make_link(
    storage: &dyn Storage,
    path: &Path,
    target: &Path,
    attributes: &FileAttributes,
) -> Result<(), JournalError> {
    let failed = |error: io::Error| JournalError::io("make the link", path, error);
    storage.make_link(target, path).map_err(failed)?;
    set_attributes(storage, path, attributes, true).map_err(failed)
}

fn set_flags(storage: &dyn Storage, path: &Path, flags: FileFlags) -> io::Result<()> {
    if FileFlags::of(path) == flags {
        return Ok(());
    }
    storage.set_flags(path, flags)
}

/// Sets everything but the content. The order matters: a new owner clears set-user-ID and file
/// capabilities, an access control list sets the group's bits of the mode, and all of it is newer
/// than the times.
pub(crate) fn set_attributes(
    storage: &dyn Storage,
    path: &Path,
    attributes: &FileAttributes,
    is_link: bool,
) -> io::Result<()> {
    storage.set_owner(path, attributes.user, attributes.group)?;
    for name in xattr_names(path)? {
        // Labels that the kernel gives by itself stay where none is asked for.
        let ours = name.starts_with("user.") || name.starts_with("system.posix_acl");
        if ours && !attributes.xattrs.contains_key(&name) {
            storage.remove_xattr(path, &name)?;
        }
    }
    if !is_link {
        set_flags(storage, path, attributes.flags)?;
        storage.set_mode(path, attributes.mode)?;
    }
    for (name, value) in &attributes.xattrs {
        storage.set_xattr(path, name, value)?;
    }
    storage.set_times(path, attributes.times)
}
