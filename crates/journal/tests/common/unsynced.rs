//! The real storage without its waits for the disk, for tests and for the benchmark.

use std::fs::File;
use std::io;
use std::path::Path;

use surefoot_journal::{FileFlags, FileTimes, RealStorage, Storage};

/// The real storage without its waits for the disk, which matter only if the power goes.
pub(crate) struct UnsyncedStorage;

impl Storage for UnsyncedStorage {
    fn sync_file(&self, _file: &File, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::read_dir(path).map(drop)
    }
    fn make_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        RealStorage.make_folder(path, mode)
    }
    fn make_file(&self, path: &Path, mode: u32) -> io::Result<File> {
        RealStorage.make_file(path, mode)
    }
    fn write_some(&self, file: &File, path: &Path, bytes: &[u8]) -> io::Result<usize> {
        RealStorage.write_some(file, path, bytes)
    }
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealStorage.rename_over(from, to)
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealStorage.rename_new(from, to)
    }
    fn swap_names(&self, one: &Path, other: &Path) -> io::Result<()> {
        RealStorage.swap_names(one, other)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        RealStorage.remove_file(path)
    }
    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        RealStorage.remove_folder(path)
    }
    fn make_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        RealStorage.make_link(target, path)
    }
    fn add_name(&self, existing: &Path, path: &Path) -> io::Result<()> {
        RealStorage.add_name(existing, path)
    }
    fn set_owner(&self, path: &Path, user: u32, group: u32) -> io::Result<()> {
        RealStorage.set_owner(path, user, group)
    }
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        RealStorage.set_mode(path, mode)
    }
    fn set_times(&self, path: &Path, times: FileTimes) -> io::Result<()> {
        RealStorage.set_times(path, times)
    }
    fn set_xattr(&self, path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
        RealStorage.set_xattr(path, name, value)
    }
    fn remove_xattr(&self, path: &Path, name: &str) -> io::Result<()> {
        RealStorage.remove_xattr(path, name)
    }
    fn set_flags(&self, path: &Path, flags: FileFlags) -> io::Result<()> {
        RealStorage.set_flags(path, flags)
    }
}
