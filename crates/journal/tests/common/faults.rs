//! Storages that kill the program or fail at a chosen call.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use surefoot_journal::{FileFlags, FileTimes, RealStorage, Storage};

pub(crate) use super::unsynced::UnsyncedStorage;

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// SIGKILL before the call.
    KillBefore,
    /// SIGKILL after it.
    KillAfter,
    /// It fails with this error, once.
    FailOnce(i32),
    /// It fails with this error, and so does every later one.
    FailFrom(i32),
    /// Every call fails from the second swap of names on.
    FailFromSecondSwap,
    /// Every rename and swap of names fails.
    FailRenames,
}

/// The real storage with a fault at one call, counted from 0.
pub(crate) struct FaultyStorage {
    pub(crate) calls: AtomicUsize,
    at: usize,
    fault: Fault,
    swaps: AtomicUsize,
}

impl FaultyStorage {
    pub(crate) fn new(at: usize, fault: Fault) -> Self {
        Self {
            calls: AtomicUsize::new(0),
            at,
            fault,
            swaps: AtomicUsize::new(0),
        }
    }

    fn pass<T>(&self, call: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let here = number == self.at;
        match self.fault {
            Fault::KillBefore if here => end_by_kill(),
            Fault::KillAfter if here => {
                let _ = call();
                end_by_kill()
            }
            Fault::FailOnce(errno) if here => Err(io::Error::from_raw_os_error(errno)),
            Fault::FailFrom(errno) if number >= self.at => Err(io::Error::from_raw_os_error(errno)),
            Fault::FailFromSecondSwap if self.swaps.load(Ordering::SeqCst) >= 2 => {
                Err(io::Error::from_raw_os_error(5))
            }
            _ => call(),
        }
    }
}

fn end_by_kill() -> ! {
    let own = rustix::process::getpid();
    rustix::process::kill_process(own, rustix::process::Signal::KILL).expect("it can be sent");
    unreachable!("nothing outlives SIGKILL")
}

impl Storage for FaultyStorage {
    fn make_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.pass(|| RealStorage.make_folder(path, mode))
    }
    fn make_file(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.pass(|| RealStorage.make_file(path, mode))
    }
    fn write_some(&self, file: &File, path: &Path, bytes: &[u8]) -> io::Result<usize> {
        self.pass(|| RealStorage.write_some(file, path, bytes))
    }
    fn sync_file(&self, file: &File, path: &Path) -> io::Result<()> {
        self.pass(|| UnsyncedStorage.sync_file(file, path))
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.pass(|| UnsyncedStorage.sync_folder(path))
    }
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.fault == Fault::FailRenames {
            return Err(io::Error::from_raw_os_error(16));
        }
        self.pass(|| RealStorage.rename_over(from, to))
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.pass(|| RealStorage.rename_new(from, to))
    }
    fn swap_names(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.swaps.fetch_add(1, Ordering::SeqCst);
        self.pass(|| RealStorage.swap_names(one, other))
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.pass(|| RealStorage.remove_file(path))
    }
    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.pass(|| RealStorage.remove_folder(path))
    }
    fn make_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.pass(|| RealStorage.make_link(target, path))
    }
    fn add_name(&self, existing: &Path, path: &Path) -> io::Result<()> {
        self.pass(|| RealStorage.add_name(existing, path))
    }
    fn set_owner(&self, path: &Path, user: u32, group: u32) -> io::Result<()> {
        self.pass(|| RealStorage.set_owner(path, user, group))
    }
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.pass(|| RealStorage.set_mode(path, mode))
    }
    fn set_times(&self, path: &Path, times: FileTimes) -> io::Result<()> {
        self.pass(|| RealStorage.set_times(path, times))
    }
    fn set_xattr(&self, path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
        self.pass(|| RealStorage.set_xattr(path, name, value))
    }
    fn remove_xattr(&self, path: &Path, name: &str) -> io::Result<()> {
        self.pass(|| RealStorage.remove_xattr(path, name))
    }
    fn set_flags(&self, path: &Path, flags: FileFlags) -> io::Result<()> {
        self.pass(|| RealStorage.set_flags(path, flags))
    }
}
