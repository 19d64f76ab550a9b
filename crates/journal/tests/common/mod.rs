//! A small machine in a folder, things that are done to it, and storages that misbehave.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod armed;
pub(crate) mod disk;
pub(crate) mod ext4;
pub(crate) mod faults;
pub(crate) mod points;
pub(crate) mod scenes;
pub(crate) mod unsynced;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use surefoot_journal::{
    ChangeKinds, FileState, Journal, JournalClock, JournalOptions, RealStorage, Storage,
    UnixMoment, look_at,
};

/// The second at which everything happens.
pub(crate) const NOW: i64 = 1_795_794_000;

/// A clock that stands still unless it is moved.
#[derive(Default)]
pub(crate) struct TestClock {
    pub(crate) uptime: AtomicU64,
    pub(crate) boot: AtomicU64,
}

impl JournalClock for TestClock {
    fn now(&self) -> UnixMoment {
        UnixMoment::at(NOW)
    }

    fn uptime(&self) -> u64 {
        self.uptime.load(Ordering::Relaxed)
    }

    fn boot(&self) -> String {
        format!("boot-{}", self.boot.load(Ordering::Relaxed))
    }
}

/// The journal of a scene's folder.
pub(crate) fn journal(scene: &Path, storage: Arc<dyn Storage>, uptime: u64) -> Journal {
    journal_in_boot(1, scene, storage, uptime)
}

/// The journal of a scene's folder after so many boots.
pub(crate) fn journal_in_boot(
    boot: u64,
    scene: &Path,
    storage: Arc<dyn Storage>,
    uptime: u64,
) -> Journal {
    Journal::new(JournalOptions {
        state_dir: scene.join("state"),
        storage,
        clock: Arc::new(TestClock {
            uptime: AtomicU64::new(uptime),
            boot: AtomicU64::new(boot),
        }),
        kinds: ChangeKinds::default(),
        nonce: 0xabc,
        lock_wait: Duration::from_secs(10),
        retry_for: Duration::ZERO,
        retry_without_record: Duration::ZERO,
        interrupted: || false,
    })
}

/// Everything that a name stands for, times of folders and of reading left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) state: FileState,
    pub(crate) content: Option<Vec<u8>>,
}

/// All names below a folder.
pub(crate) fn picture_of(folder: &Path) -> BTreeMap<PathBuf, Picture> {
    let mut all = BTreeMap::new();
    add_pictures(folder, folder, &mut all);
    all
}

fn add_pictures(root: &Path, folder: &Path, all: &mut BTreeMap<PathBuf, Picture>) {
    for entry in std::fs::read_dir(folder).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let mut seen = look_at(&path).expect("it can be looked at");
        let is_folder = matches!(seen.state, FileState::Folder { .. });
        match &mut seen.state {
            FileState::Regular { attributes, .. } | FileState::Link { attributes, .. } => {
                attributes.times.read = UnixMoment::default();
            }
            FileState::Folder { attributes } => {
                attributes.times = surefoot_journal::FileTimes::default();
            }
            FileState::Missing => {}
        }
        let name = path.strip_prefix(root).expect("below the root").to_owned();
        all.insert(
            name,
            Picture {
                state: seen.state,
                content: seen.content,
            },
        );
        if is_folder {
            add_pictures(root, &path, all);
        }
    }
}

/// A user that files can be given to: in a user namespace there may be root only.
pub(crate) fn other_user() -> u32 {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let length = map.split_whitespace().nth(2);
    let many = length.and_then(|number| number.parse::<u64>().ok()) > Some(2000);
    if many { 1234 } else { 0 }
}

/// A folder for scratch: in memory where that has all that the tests need of a file system, since nothing
/// that they do has to reach a disk.
pub(crate) fn scratch_folder() -> tempfile::TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm").ok().filter(|folder| {
        let probe = folder.path().join("probe");
        std::fs::write(&probe, "").is_ok()
            && RealStorage.set_xattr(&probe, "user.probe", b"1").is_ok()
            && std::fs::remove_file(&probe).is_ok()
    });
    in_memory.unwrap_or_else(|| tempfile::tempdir().expect("a folder for scratch"))
}

/// The inode of a file.
pub(crate) fn inode(path: &Path) -> u64 {
    std::fs::symlink_metadata(path)
        .expect("the file is there")
        .ino()
}

/// Numbers that are the same in every run.
pub(crate) struct Chance(pub u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound.max(1) as u64).expect("it is below the bound")
    }
}

/// How many points are tried: a sample, or all with `SUREFOOT_CRASH_POINTS=all`.
pub(crate) fn sample(all: usize, some: usize) -> Vec<usize> {
    let wanted = std::env::var("SUREFOOT_CRASH_POINTS").unwrap_or_default();
    if wanted == "all" || some >= all {
        return (0..all).collect();
    }
    // Spread over the whole, first and last included.
    let mut points: Vec<usize> = (0..some)
        .map(|at| at * (all - 1) / (some - 1).max(1))
        .collect();
    points.dedup();
    points
}
