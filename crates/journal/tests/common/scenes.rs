//! What surefoot does in the crash tests, and what must hold afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use surefoot_journal::{
    ArmRequest, ChangeRequest, EntryState, FileAttributes, FileSetChange, FileState, FileTimes,
    Journal, JournalEntry, JournalError, PrunePolicy, RealStorage, Storage, UnixMoment, WantedFile,
    look_at,
};

use super::faults::{Fault, FaultyStorage, UnsyncedStorage};
use super::{NOW, Picture, journal, journal_in_boot, picture_of};

/// What is done, with all that was done before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scene {
    Edit,
    ArmedEdit,
    Confirm,
    RollBack,
    Undo,
    UndoOfUndo,
    Prune,
    Recovery,
    RecoveryOfExpired,
    Watchdog,
}

pub(crate) const SCENES: [Scene; 10] = [
    Scene::Edit,
    Scene::ArmedEdit,
    Scene::Confirm,
    Scene::RollBack,
    Scene::Undo,
    Scene::UndoOfUndo,
    Scene::Prune,
    Scene::Recovery,
    Scene::RecoveryOfExpired,
    Scene::Watchdog,
];

const OLD: FileTimes = FileTimes {
    read: UnixMoment {
        seconds: 1_600_000_000,
        nanoseconds: 5,
    },
    modified: UnixMoment {
        seconds: 1_500_000_000,
        nanoseconds: 123_456_789,
    },
};

impl Scene {
    pub(crate) fn by_name(name: &str) -> Self {
        let found = SCENES
            .into_iter()
            .find(|scene| format!("{scene:?}") == name);
        found.expect("the name of a scene")
    }

    /// Makes the machine and does what comes before.
    pub(crate) fn prepare(self, folder: &Path) {
        build_tree(&folder.join("etc"));
        let real = || -> Arc<dyn Storage> { Arc::new(UnsyncedStorage) };
        let now = journal(folder, real(), 1000);
        match self {
            // The journal is there already: its first making is part of `ArmedEdit`.
            Self::Edit => drop(now.lock().expect("it is locked")),
            Self::ArmedEdit => {}
            Self::Confirm | Self::RollBack | Self::RecoveryOfExpired | Self::Watchdog => {
                armed_edit(&now, folder).expect("it is made");
            }
            Self::Undo => drop(edit(&now, folder).expect("it is made")),
            Self::UndoOfUndo => {
                edit(&now, folder).expect("it is made");
                undo(&now, 1).expect("it is undone");
            }
            Self::Prune => {
                edit(&now, folder).expect("it is made");
                undo(&now, 1).expect("it is undone");
                edit(&now, folder).expect("it is made");
            }
            Self::Recovery => {
                drop(now.lock().expect("it is locked"));
                let cut = FaultyStorage::new(0, Fault::FailFromSecondSwap);
                let cut = journal(folder, Arc::new(cut), 1000);
                edit(&cut, folder).expect_err("it is cut off");
                let hosts = fs::read(folder.join("etc/hosts")).expect("it is there");
                let gone = folder.join("etc/gone").exists();
                assert!(
                    hosts.ends_with(b"::1 localhost\n") && gone,
                    "cut off among the renames"
                );
            }
        }
    }

    /// Does it.
    pub(crate) fn act(self, folder: &Path, storage: Arc<dyn Storage>) -> Result<(), JournalError> {
        let later = if matches!(self, Self::RecoveryOfExpired | Self::Watchdog) {
            1_000_000
        } else {
            2000
        };
        let journal = journal(folder, storage, later);
        match self {
            Self::Edit => edit(&journal, folder).map(drop),
            Self::ArmedEdit => armed_edit(&journal, folder).map(drop),
            Self::Confirm => journal.lock()?.confirm(1).map(drop),
            Self::RollBack => journal.lock()?.roll_back(1).map(drop),
            Self::Undo => undo(&journal, 1).map(drop),
            Self::UndoOfUndo => undo(&journal, 2).map(drop),
            Self::Prune => {
                let session = journal.lock()?;
                let policy = PrunePolicy {
                    keep_newest: Some(1),
                    keep_since: None,
                };
                session.prune(&session.prunable(&policy)?)
            }
            Self::Recovery | Self::RecoveryOfExpired => journal.lock().map(drop),
            Self::Watchdog => journal.watch(1).map(drop),
        }
    }

    /// Whether the journal says that the action is done, or nothing if it may say neither.
    fn is_done(self, journal: &Journal) -> bool {
        let state = |number| journal.entry(number).map(|entry| entry.state);
        let in_force = |number| state(number).is_ok_and(EntryState::is_in_force);
        match self {
            Self::Edit | Self::ArmedEdit => in_force(1),
            Self::Confirm => state(1).is_ok_and(|state| state == EntryState::Confirmed),
            Self::RollBack | Self::Recovery | Self::RecoveryOfExpired | Self::Watchdog => {
                state(1).is_ok_and(|state| state == EntryState::RolledBack)
            }
            Self::Undo => {
                let undone = state(1).is_ok_and(|state| state == EntryState::Undone);
                assert_eq!(undone, in_force(2), "both entries say the same");
                undone
            }
            Self::UndoOfUndo => {
                let done = in_force(3);
                assert_eq!(done, in_force(1), "the first entry is in force again");
                assert_ne!(done, in_force(2), "its undo is not");
                done
            }
            Self::Prune => journal.numbers().expect("it is read").len() == 1,
        }
    }

    /// Whether the journal in a folder says that the action is done.
    pub(crate) fn is_done_in(self, folder: &Path) -> bool {
        self.is_done(&journal(folder, Arc::new(UnsyncedStorage), 3000))
    }

    /// Where the times of two runs would differ, or a half-done edit is the old state, the old
    /// picture is another one than that of the prepared machine.
    pub(crate) fn pictures(self, scratch: &Path) -> (Tree, Tree) {
        let folder = scratch.join("reference");
        fs::create_dir(&folder).expect("it is made");
        self.prepare(&folder);
        let mut old = picture_of(&folder.join("etc"));
        if self == Self::Recovery {
            old = tree_before(&folder);
        }
        self.act(&folder, Arc::new(UnsyncedStorage))
            .expect("it works");
        let new = picture_of(&folder.join("etc"));
        fs::remove_dir_all(&folder).expect("it is removed");
        if self != Self::Recovery {
            without_temporary(&mut old);
        }
        let mut new = new;
        without_temporary(&mut new);
        (old, new)
    }

    /// Checks what must hold after an interruption anywhere: before and after the next start.
    pub(crate) fn check(self, folder: &Path, pictures: &(Tree, Tree), context: &str) {
        self.check_in_boot(1, folder, pictures, context);
    }

    /// The same, when the machine was started so many times.
    pub(crate) fn check_in_boot(
        self,
        boot: u64,
        folder: &Path,
        (old, new): &(Tree, Tree),
        context: &str,
    ) {
        let etc = folder.join("etc");
        if self != Self::Recovery {
            every_file_is_old_or_new(&picture_of(&etc), old, new, context);
        }
        let later = if matches!(self, Self::RecoveryOfExpired | Self::Watchdog) {
            1_000_000
        } else {
            3000
        };
        let journal = journal_in_boot(boot, folder, Arc::new(UnsyncedStorage), later);
        let session = journal
            .lock()
            .unwrap_or_else(|error| panic!("{context}: the next start: {error}"));
        for report in &session.recovered {
            assert!(report.settled, "{context}: {report:?}");
        }
        drop(session);
        let mut there = picture_of(&etc);
        let temporary = without_temporary(&mut there);
        let done = self.is_done(&journal);
        if self == Self::Prune {
            // Each entry goes by itself; the files stay.
            for number in journal.numbers().expect("it is read") {
                journal.entry(number).expect("what is there is whole");
            }
        }
        let reversed = self == Self::Confirm && !done && boot != 1;
        let before = reversed.then(|| tree_before(folder));
        let wanted = before.as_ref().unwrap_or(if done { new } else { old });
        if &there != wanted {
            let differing: Vec<_> = there
                .iter()
                .filter(|(path, picture)| wanted.get(*path) != Some(picture))
                .map(|(path, _)| path)
                .chain(wanted.keys().filter(|path| !there.contains_key(*path)))
                .collect();
            panic!("{context}: the journal says done = {done}, but these differ: {differing:?}");
        }
        let armed = journal
            .entry(1)
            .is_ok_and(|entry| entry.state == EntryState::Armed);
        if !armed {
            assert!(temporary.is_empty(), "{context}: {temporary:?} is left");
            let open = fs::read_dir(folder.join("state/open")).expect("it is there");
            assert_eq!(open.count(), 0, "{context}: an entry is open");
            if self == Self::Edit && done {
                // What was kept is whole: all of it comes back.
                undo(&journal, 1).unwrap_or_else(|error| panic!("{context}: undo: {error}"));
                assert!(&picture_of(&etc) == old, "{context}: undo brings all back");
            }
            // Life goes on.
            let session = journal.lock().expect("it is locked");
            let wanted = WantedFile::content(etc.join("hosts"), b"later\n".to_vec());
            let change = FileSetChange::plan("later", vec![wanted], UnixMoment::at(NOW + 9));
            let change = Box::new(change.expect("it is planned"));
            session
                .perform(change, ChangeRequest::default())
                .unwrap_or_else(|error| panic!("{context}: a later change: {error}"));
        }
    }
}

/// Everything below a folder.
pub(crate) type Tree = BTreeMap<PathBuf, Picture>;

fn every_file_is_old_or_new(there: &Tree, old: &Tree, new: &Tree, context: &str) {
    let names = there.keys().chain(old.keys()).chain(new.keys());
    for name in names.filter(|name| !is_temporary(name)) {
        let state = there.get(name);
        // A folder gets its mode after its name; the next start settles it.
        let is_folder = |picture: Option<&Picture>| {
            picture.is_some_and(|picture| matches!(picture.state, FileState::Folder { .. }))
        };
        let good = state == old.get(name) || state == new.get(name) || is_folder(state);
        assert!(good, "{context}: {} is {state:?}", name.display());
    }
}

fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(".surefoot-")
}

fn without_temporary(tree: &mut Tree) -> Vec<PathBuf> {
    let temporary: Vec<PathBuf> = tree
        .keys()
        .filter(|path| is_temporary(path))
        .cloned()
        .collect();
    tree.retain(|path, _| !is_temporary(path));
    temporary
}

/// The tree of a scene before anything was done.
fn tree_before(scratch: &Path) -> Tree {
    let folder = scratch.with_file_name("before");
    build_tree(&folder);
    let tree = picture_of(&folder);
    fs::remove_dir_all(&folder).expect("it is removed");
    tree
}

/// A few files of every kind.
pub(crate) fn build_tree(etc: &Path) {
    fs::create_dir_all(etc.join("old.d")).expect("it is made");
    fs::create_dir_all(etc.join("mode.d")).expect("it is made");
    let write = |name: &str, content: &str, mode: u32| {
        let path = etc.join(name);
        fs::write(&path, content).expect("it is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is set");
        RealStorage.set_times(&path, OLD).expect("it is set");
    };
    write("hosts", "127.0.0.1 localhost\n", 0o644);
    write("shadow", "root:*:1::::::\n", 0o640);
    write("gone", "to be removed\n", 0o600);
    write("mode", "the same\n", 0o600);
    write("old.d/one", "in a folder that goes\n", 0o644);
    write("untouched", "stays\n", 0o644);
    RealStorage
        .set_xattr(&etc.join("shadow"), "user.note", b"kept")
        .expect("the file system has attributes");
    write("twin", "two names\n", 0o644);
    fs::hard_link(etc.join("twin"), etc.join("twin2")).expect("it is linked");
    symlink("hosts", etc.join("link")).expect("it is linked");
    RealStorage
        .set_times(&etc.join("link"), OLD)
        .expect("it is set");
    let folder = fs::Permissions::from_mode(0o755);
    fs::set_permissions(etc.join("mode.d"), folder.clone()).expect("it is set");
    fs::set_permissions(etc.join("old.d"), folder).expect("it is set");
}

/// A change of everything at once.
pub(crate) fn big_change(etc: &Path) -> Result<FileSetChange, JournalError> {
    let mode = match look_at(&etc.join("mode"))?.state.attributes() {
        Some(attributes) => FileAttributes {
            mode: 0o4755,
            user: super::other_user(),
            ..attributes.clone()
        },
        None => unreachable!("the file is there"),
    };
    let wanted = vec![
        WantedFile::content(
            etc.join("hosts"),
            b"127.0.0.1 localhost\n::1 localhost\n".to_vec(),
        ),
        WantedFile::content(etc.join("shadow"), b"root:x:1::::::\n".to_vec()),
        WantedFile::content(etc.join("new"), b"a new file\n".to_vec()),
        WantedFile::gone(etc.join("gone")),
        WantedFile::attributes(etc.join("mode"), mode),
        WantedFile::link(etc.join("link"), "shadow"),
        WantedFile::content(etc.join("twin"), b"two names, one file\n".to_vec()),
        WantedFile::content(etc.join("twin2"), b"two names, one file\n".to_vec()),
        WantedFile::folder(etc.join("new.d"), 0o750),
        WantedFile::content(etc.join("new.d/two"), b"in a new folder\n".to_vec()),
        WantedFile::folder(etc.join("mode.d"), 0o700),
        WantedFile::gone(etc.join("old.d/one")),
        WantedFile::gone(etc.join("old.d")),
    ];
    FileSetChange::plan("everything at once", wanted, UnixMoment::at(NOW))
}

fn edit(journal: &Journal, folder: &Path) -> Result<JournalEntry, JournalError> {
    let session = journal.lock()?;
    let change = big_change(&folder.join("etc"))?;
    session.perform(Box::new(change), ChangeRequest::default())
}

fn armed_edit(journal: &Journal, folder: &Path) -> Result<JournalEntry, JournalError> {
    let session = journal.lock()?;
    let change = big_change(&folder.join("etc"))?;
    let request = ChangeRequest {
        arm: Some(ArmRequest {
            within: 60,
            start: &|_| Ok(()),
        }),
        ..ChangeRequest::default()
    };
    session.perform(Box::new(change), request)
}

fn undo(journal: &Journal, number: u64) -> Result<JournalEntry, JournalError> {
    let session = journal.lock()?;
    session.undo(number, false, ChangeRequest::default())
}
