//! A file that is whole or not there, whatever ends the program while it is written.
//!
//! The file has no name until it is complete (`O_TMPFILE`), so that even `kill -9` leaves nothing
//! behind. Where the file system has no such files it is written beside its place and renamed; a
//! kill then leaves a file `.tmp…` there.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

/// Writes a file that only its owner can read. A file that is there is replaced if `replace` is
/// given, else it is an error of the kind [`io::ErrorKind::AlreadyExists`].
pub(crate) fn write(
    path: &Path,
    replace: bool,
    mut content: impl FnMut(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match nameless(folder) {
        Ok(mut file) => {
            content(&mut file)?;
            file.sync_all()?;
            name(&file, folder, path, replace)
        }
        // No such files here, or a kernel before 3.11 that takes the flag for `O_DIRECTORY`.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
            beside(folder, path, replace, content)
        }
        Err(errno) => Err(errno.into()),
    }
}

fn nameless(folder: &Path) -> rustix::io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::openat(CWD, folder, flags, Mode::RUSR | Mode::WUSR)?;
    Ok(File::from(file))
}

/// Gives the file its name. One that replaces another needs a name of its own for a moment, as no
/// system call links over a file.
fn name(file: &File, folder: &Path, path: &Path, replace: bool) -> io::Result<()> {
    let linked = link(file, path);
    if !(replace && linked == Err(Errno::EXIST)) {
        return Ok(linked?);
    }
    let mut tries = 0..16;
    let beside = loop {
        let candidate = name_beside(folder, tries.next().unwrap_or(16));
        match link(file, &candidate) {
            Ok(()) => break candidate,
            Err(Errno::EXIST) if !tries.is_empty() => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    std::fs::rename(&beside, path).inspect_err(|_| {
        let _ = std::fs::remove_file(&beside);
    })
}

fn link(file: &File, path: &Path) -> rustix::io::Result<()> {
    let descriptor = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, &descriptor, CWD, path, AtFlags::SYMLINK_FOLLOW)
}

fn name_beside(folder: &Path, nth: u32) -> PathBuf {
    let mut name = OsString::from(".tmp");
    name.push(format!("{}-{nth}", std::process::id()));
    folder.join(name)
}

fn beside(
    folder: &Path,
    path: &Path,
    replace: bool,
    mut content: impl FnMut(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(without_path)?;
    content(file.as_file_mut())?;
    file.as_file().sync_all()?;
    let persisted = if replace {
        file.persist(path)
    } else {
        file.persist_noclobber(path)
    };
    persisted
        .map(drop)
        .map_err(|error| without_path(error.error))
}

/// The error without the name of a file that the user did not name.
fn without_path(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(_) => error,
        None => error.kind().into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn put(text: &'static str) -> impl FnMut(&mut File) -> io::Result<()> {
        move |file| file.write_all(text.as_bytes())
    }

    fn names(folder: &Path) -> Vec<OsString> {
        let entries = std::fs::read_dir(folder).expect("it can be listed");
        entries
            .map(|entry| entry.expect("it can be listed").file_name())
            .collect()
    }

    type Way = fn(&Path, bool, &'static str) -> io::Result<()>;

    const WAYS: [Way; 2] = [
        |path, replace, text| write(path, replace, put(text)),
        |path, replace, text| {
            let folder = path.parent().expect("the test gives one");
            beside(folder, path, replace, put(text))
        },
    ];

    #[test]
    fn both_ways_write_whole_files_and_leave_nothing_else() {
        for way in WAYS {
            let folder = tempfile::tempdir().expect("a folder for scratch");
            let path = folder.path().join("facts");
            way(&path, false, "one").expect("it is written");
            let again = way(&path, false, "two").expect_err("it is there");
            assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(std::fs::read(&path).expect("it can be read"), b"one");
            way(&path, true, "three").expect("it is replaced");
            assert_eq!(std::fs::read(&path).expect("it can be read"), b"three");
            let text = way(&folder.path().join("no/facts"), false, "x")
                .expect_err("there is no such folder")
                .to_string();
            assert!(!text.contains(".tmp"), "{text}");
            assert_eq!(names(folder.path()), ["facts"]);
        }
    }

    #[test]
    fn a_failure_half_way_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder for scratch");
        let failed = write(&folder.path().join("facts"), false, |file| {
            file.write_all(b"half")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        assert_eq!(
            failed.expect_err("it failed").kind(),
            io::ErrorKind::StorageFull
        );
        assert!(names(folder.path()).is_empty());
    }
}
