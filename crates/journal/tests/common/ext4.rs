//! A small ext4 of its own, in an image on a loop device, seen by one thread alone.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use surefoot_journal::{FileFlags, FileTimes, RealStorage, Storage};

/// How large an image is; its journal takes the smallest size that there is.
const SIZE: u64 = 8 << 20;

/// Does something in a private view of the file system: what is mounted in it is gone with it.
pub(crate) fn in_private_view<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    surefoot_sys::with_files_covered(&[], work)
        .expect("this test needs root, for a mount namespace of its own")
}

/// Runs a program that must succeed.
#[track_caller]
pub(crate) fn must_run(words: &[&str]) {
    let output = Command::new(words[0]).args(&words[1..]).output();
    let output = output.unwrap_or_else(|error| panic!("`{}`: {error}", words.join(" ")));
    assert!(
        output.status.success(),
        "this test needs root and loop devices: `{}` {output:?}",
        words.join(" ")
    );
}

/// Makes an empty ext4 in an image.
pub(crate) fn make_image(image: &Path) {
    let file = File::create(image).expect("it is made");
    file.set_len(SIZE).expect("it is set");
    let shown = image.display().to_string();
    must_run(&["mkfs.ext4", "-q", "-b", "1024", "-I", "256", &shown]);
}

/// An image that is mounted; unmounted with this value.
pub(crate) struct MountedImage {
    pub(crate) place: PathBuf,
}

impl MountedImage {
    pub(crate) fn new(image: &Path, place: &Path) -> Self {
        let (image, shown) = (image.display().to_string(), place.display().to_string());
        must_run(&["mount", "-o", "loop,user_xattr,acl", &image, &shown]);
        Self {
            place: place.to_owned(),
        }
    }
}

impl Drop for MountedImage {
    fn drop(&mut self) {
        let done = Command::new("umount").arg(&self.place).status();
        let good = done.is_ok_and(|status| status.success());
        assert!(
            good || std::thread::panicking(),
            "{} cannot be unmounted",
            self.place.display()
        );
    }
}

/// The real storage, syncs included, which copies the image of its disk after every call: what the disk
/// holds if the power goes then. Equal copies are kept once. It may forget its syncs.
pub(crate) struct CopyingStorage {
    image: PathBuf,
    copies: PathBuf,
    forgets: bool,
    calls: AtomicUsize,
    /// After how many calls each copy was made.
    pub(crate) made: Mutex<Vec<(usize, PathBuf)>>,
}

impl CopyingStorage {
    pub(crate) fn new(image: &Path, copies: &Path, forgets: bool) -> Self {
        let storage = Self {
            image: image.to_owned(),
            copies: copies.to_owned(),
            forgets,
            calls: AtomicUsize::new(0),
            made: Mutex::default(),
        };
        storage.copy(0);
        storage
    }

    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn copy(&self, calls: usize) {
        // The kernel may be writing. Two readings that are the same are one moment.
        let read = || fs::read(&self.image).expect("the image is read");
        let mut bytes = read();
        for _ in 0..100 {
            let again = read();
            if again == bytes {
                break;
            }
            bytes = again;
        }
        let mut made = self.made.lock().expect("no test panics with it");
        let same = made
            .last()
            .is_some_and(|(_, last)| fs::read(last).expect("it is read") == bytes);
        if !same {
            let path = self.copies.join(format!("after-{calls}.img"));
            fs::write(&path, bytes).expect("it is written");
            made.push((calls, path));
        }
    }

    fn pass<T>(&self, result: io::Result<T>) -> io::Result<T> {
        let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        self.copy(calls);
        result
    }
}

impl Storage for CopyingStorage {
    fn make_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.pass(RealStorage.make_folder(path, mode))
    }
    fn make_file(&self, path: &Path, mode: u32) -> io::Result<File> {
        self.pass(RealStorage.make_file(path, mode))
    }
    fn write_some(&self, file: &File, path: &Path, bytes: &[u8]) -> io::Result<usize> {
        self.pass(RealStorage.write_some(file, path, bytes))
    }
    fn sync_file(&self, file: &File, path: &Path) -> io::Result<()> {
        if self.forgets {
            return Ok(());
        }
        self.pass(RealStorage.sync_file(file, path))
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        if self.forgets {
            return Ok(());
        }
        self.pass(RealStorage.sync_folder(path))
    }
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.pass(RealStorage.rename_over(from, to))
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.pass(RealStorage.rename_new(from, to))
    }
    fn swap_names(&self, one: &Path, other: &Path) -> io::Result<()> {
        self.pass(RealStorage.swap_names(one, other))
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.pass(RealStorage.remove_file(path))
    }
    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        self.pass(RealStorage.remove_folder(path))
    }
    fn make_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.pass(RealStorage.make_link(target, path))
    }
    fn add_name(&self, existing: &Path, path: &Path) -> io::Result<()> {
        self.pass(RealStorage.add_name(existing, path))
    }
    fn set_owner(&self, path: &Path, user: u32, group: u32) -> io::Result<()> {
        self.pass(RealStorage.set_owner(path, user, group))
    }
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.pass(RealStorage.set_mode(path, mode))
    }
    fn set_times(&self, path: &Path, times: FileTimes) -> io::Result<()> {
        self.pass(RealStorage.set_times(path, times))
    }
    fn set_xattr(&self, path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
        self.pass(RealStorage.set_xattr(path, name, value))
    }
    fn remove_xattr(&self, path: &Path, name: &str) -> io::Result<()> {
        self.pass(RealStorage.remove_xattr(path, name))
    }
    fn set_flags(&self, path: &Path, flags: FileFlags) -> io::Result<()> {
        self.pass(RealStorage.set_flags(path, flags))
    }
}
