//! A disk that loses what was not synced.
//!
//! Calls are recorded while they run on the real file system. Then any prefix of them is played onto
//! a model in which each inode has a state that is safe and one that is not, and each folder has
//! names that are safe and changes of names that wait, in order. A power loss keeps what is safe and
//! any part of the rest; what is left is built up again as real files.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use surefoot_journal::{FileFlags, FileState, FileTimes, RealStorage, Storage, look_at};

use super::Chance;

/// A call that changed something.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    MakeFolder(PathBuf, u32),
    MakeFile(PathBuf, u32),
    Write(PathBuf, Vec<u8>),
    SyncFile(PathBuf),
    SyncFolder(PathBuf),
    RenameOver(PathBuf, PathBuf),
    Swap(PathBuf, PathBuf),
    Remove(PathBuf),
    MakeLink(PathBuf, PathBuf),
    AddName(PathBuf, PathBuf),
    SetOwner(PathBuf, u32, u32),
    SetMode(PathBuf, u32),
    SetTimes(PathBuf, FileTimes),
    SetXattr(PathBuf, String, Vec<u8>),
    RemoveXattr(PathBuf, String),
    SetFlags(PathBuf, FileFlags),
}

/// The real storage, with a list of what it did. It may forget one sync.
#[derive(Default)]
pub(crate) struct RecordingStorage {
    pub(crate) calls: Mutex<Vec<Call>>,
    /// Which sync, counted from 0, is not done.
    pub(crate) forget: Option<usize>,
    syncs: Mutex<usize>,
}

impl RecordingStorage {
    pub(crate) fn forgetting(sync: usize) -> Self {
        Self {
            forget: Some(sync),
            ..Self::default()
        }
    }

    fn done<T>(&self, result: io::Result<T>, call: impl FnOnce() -> Call) -> io::Result<T> {
        if result.is_ok() {
            let mut calls = self.calls.lock().expect("no test panics with it");
            calls.push(call());
        }
        result
    }

    fn sync(&self, call: Call) {
        let mut syncs = self.syncs.lock().expect("no test panics with it");
        let number = *syncs;
        *syncs += 1;
        if self.forget != Some(number) {
            self.calls
                .lock()
                .expect("no test panics with it")
                .push(call);
        }
    }
}

impl Storage for RecordingStorage {
    fn make_folder(&self, path: &Path, mode: u32) -> io::Result<()> {
        let result = RealStorage.make_folder(path, mode);
        self.done(result, || Call::MakeFolder(path.into(), mode))
    }
    fn make_file(&self, path: &Path, mode: u32) -> io::Result<File> {
        let result = RealStorage.make_file(path, mode);
        self.done(result, || Call::MakeFile(path.into(), mode))
    }
    fn write_some(&self, file: &File, path: &Path, bytes: &[u8]) -> io::Result<usize> {
        let result = RealStorage.write_some(file, path, bytes);
        let written = *result.as_ref().unwrap_or(&0);
        self.done(result, || {
            Call::Write(path.into(), bytes[..written].to_vec())
        })
    }
    // What the model loses need not be kept by this machine's disk: nothing is really synced.
    fn sync_file(&self, _file: &File, path: &Path) -> io::Result<()> {
        self.sync(Call::SyncFile(path.into()));
        Ok(())
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.sync(Call::SyncFolder(path.into()));
        Ok(())
    }
    fn rename_over(&self, from: &Path, to: &Path) -> io::Result<()> {
        let result = RealStorage.rename_over(from, to);
        self.done(result, || Call::RenameOver(from.into(), to.into()))
    }
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let result = RealStorage.rename_new(from, to);
        self.done(result, || Call::RenameOver(from.into(), to.into()))
    }
    fn swap_names(&self, one: &Path, other: &Path) -> io::Result<()> {
        let result = RealStorage.swap_names(one, other);
        self.done(result, || Call::Swap(one.into(), other.into()))
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let result = RealStorage.remove_file(path);
        self.done(result, || Call::Remove(path.into()))
    }
    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let result = RealStorage.remove_folder(path);
        self.done(result, || Call::Remove(path.into()))
    }
    fn make_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        let result = RealStorage.make_link(target, path);
        self.done(result, || Call::MakeLink(target.into(), path.into()))
    }
    fn add_name(&self, existing: &Path, path: &Path) -> io::Result<()> {
        let result = RealStorage.add_name(existing, path);
        self.done(result, || Call::AddName(existing.into(), path.into()))
    }
    fn set_owner(&self, path: &Path, user: u32, group: u32) -> io::Result<()> {
        let result = RealStorage.set_owner(path, user, group);
        self.done(result, || Call::SetOwner(path.into(), user, group))
    }
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        let result = RealStorage.set_mode(path, mode);
        self.done(result, || Call::SetMode(path.into(), mode))
    }
    fn set_times(&self, path: &Path, times: FileTimes) -> io::Result<()> {
        let result = RealStorage.set_times(path, times);
        self.done(result, || Call::SetTimes(path.into(), times))
    }
    fn set_xattr(&self, path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
        let result = RealStorage.set_xattr(path, name, value);
        self.done(result, || {
            Call::SetXattr(path.into(), name.into(), value.into())
        })
    }
    fn remove_xattr(&self, path: &Path, name: &str) -> io::Result<()> {
        let result = RealStorage.remove_xattr(path, name);
        self.done(result, || Call::RemoveXattr(path.into(), name.into()))
    }
    fn set_flags(&self, path: &Path, flags: FileFlags) -> io::Result<()> {
        let result = RealStorage.set_flags(path, flags);
        self.done(result, || Call::SetFlags(path.into(), flags))
    }
}

/// What an inode holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Held {
    content: Vec<u8>,
    mode: u32,
    owner: (u32, u32),
    times: FileTimes,
    xattrs: BTreeMap<String, Vec<u8>>,
    flags: FileFlags,
}

#[derive(Clone, Debug)]
enum Kind {
    File,
    Link(PathBuf),
    Folder {
        safe: BTreeMap<String, usize>,
        /// Each is made of names that change in one step.
        waiting: Vec<Vec<(String, Option<usize>)>>,
    },
}

#[derive(Clone, Debug)]
struct Inode {
    kind: Kind,
    safe: Held,
    now: Held,
}

/// The model of a disk, below one folder.
#[derive(Clone, Debug)]
pub(crate) struct ModelDisk {
    root: PathBuf,
    inodes: Vec<Inode>,
}

/// How much of what was not synced survives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Survival {
    /// Nothing.
    Nothing,
    /// All: as if surefoot was killed.
    All,
    /// All names, no content: what ext4 was once infamous for.
    Names,
    /// All content, no names.
    Contents,
    /// Any part, by chance; contents may be torn.
    Chance(u64),
}

impl ModelDisk {
    /// A disk that holds what is below a folder, all of it safe.
    pub(crate) fn of(root: &Path) -> Self {
        let mut disk = Self {
            root: root.to_owned(),
            inodes: vec![],
        };
        disk.read(root, &mut HashMap::new());
        disk
    }

    fn read(&mut self, path: &Path, known: &mut HashMap<(u64, u64), usize>) -> usize {
        let seen = look_at(path).expect("it can be read");
        let identity = seen.identity.expect("it is there");
        if let Some(number) = known.get(&identity) {
            return *number;
        }
        let attributes = seen.state.attributes().expect("it is there");
        let held = Held {
            content: seen.content.unwrap_or_default(),
            mode: attributes.mode,
            owner: (attributes.user, attributes.group),
            times: attributes.times,
            xattrs: attributes.xattrs.clone(),
            flags: attributes.flags,
        };
        let kind = match &seen.state {
            FileState::Link { target, .. } => Kind::Link(target.clone()),
            FileState::Folder { .. } => Kind::Folder {
                safe: BTreeMap::new(),
                waiting: vec![],
            },
            _ => Kind::File,
        };
        let number = self.inodes.len();
        self.inodes.push(Inode {
            kind,
            safe: held.clone(),
            now: held,
        });
        known.insert(identity, number);
        if let FileState::Folder { .. } = seen.state {
            let mut names = BTreeMap::new();
            for entry in fs::read_dir(path).expect("it can be read") {
                let entry = entry.expect("it can be read");
                let name = entry.file_name().into_string().expect("UTF-8");
                names.insert(name, self.read(&entry.path(), known));
            }
            if let Kind::Folder { safe, .. } = &mut self.inodes[number].kind {
                *safe = names;
            }
        }
        number
    }

    fn names_now(&self, folder: usize) -> BTreeMap<String, usize> {
        match &self.inodes[folder].kind {
            Kind::Folder { safe, waiting } => with_changes(safe, waiting),
            _ => panic!("it is a folder"),
        }
    }

    fn find(&self, path: &Path) -> Option<usize> {
        let below = path.strip_prefix(&self.root).expect("below the root");
        let mut at = 0;
        for name in below {
            let name = name.to_str().expect("UTF-8");
            at = *self.names_now(at).get(name)?;
        }
        Some(at)
    }

    fn inode(&mut self, path: &Path) -> &mut Inode {
        let number = self
            .find(path)
            .unwrap_or_else(|| panic!("no {}", path.display()));
        &mut self.inodes[number]
    }

    fn change_names(&mut self, folder: &Path, change: Vec<(&Path, Option<usize>)>) {
        let named = change
            .into_iter()
            .map(|(path, inode)| {
                let name = path.file_name().and_then(|name| name.to_str());
                (name.expect("UTF-8").to_owned(), inode)
            })
            .collect();
        match &mut self.inode(folder).kind {
            Kind::Folder { waiting, .. } => waiting.push(named),
            _ => panic!("it is a folder"),
        }
    }

    fn add(&mut self, path: &Path, kind: Kind, mode: u32) {
        let held = Held {
            mode,
            ..Held::default()
        };
        self.inodes.push(Inode {
            kind,
            safe: held.clone(),
            now: held,
        });
        let number = self.inodes.len() - 1;
        self.change_names(parent(path), vec![(path, Some(number))]);
    }

    /// Plays a call.
    pub(crate) fn play(&mut self, call: &Call) {
        match call {
            Call::MakeFolder(path, mode) => {
                let kind = Kind::Folder {
                    safe: BTreeMap::new(),
                    waiting: vec![],
                };
                self.add(path, kind, *mode);
            }
            Call::MakeFile(path, mode) => self.add(path, Kind::File, *mode),
            Call::MakeLink(target, path) => self.add(path, Kind::Link(target.clone()), 0o777),
            Call::Write(path, bytes) => self.inode(path).now.content.extend(bytes),
            Call::SyncFile(path) => {
                let inode = self.inode(path);
                inode.safe = inode.now.clone();
            }
            Call::SyncFolder(path) => {
                if !path.starts_with(&self.root) {
                    return;
                }
                let names = self.names_now(self.find(path).expect("it is there"));
                let inode = self.inode(path);
                inode.safe = inode.now.clone();
                inode.kind = Kind::Folder {
                    safe: names,
                    waiting: vec![],
                };
            }
            Call::RenameOver(from, to) => {
                assert_eq!(from.parent(), to.parent(), "no rename between folders");
                let number = self.find(from).expect("it is there");
                self.change_names(parent(to), vec![(from, None), (to, Some(number))]);
            }
            Call::Swap(one, other) => {
                let (first, second) = (self.find(one), self.find(other));
                self.change_names(parent(one), vec![(one, second), (other, first)]);
            }
            Call::Remove(path) => self.change_names(parent(path), vec![(path, None)]),
            Call::AddName(existing, path) => {
                let number = self.find(existing).expect("it is there");
                self.change_names(parent(path), vec![(path, Some(number))]);
            }
            Call::SetOwner(path, user, group) => self.inode(path).now.owner = (*user, *group),
            Call::SetMode(path, mode) => self.inode(path).now.mode = *mode,
            Call::SetTimes(path, times) => self.inode(path).now.times = *times,
            Call::SetFlags(path, flags) => self.inode(path).now.flags = *flags,
            Call::SetXattr(path, name, value) => {
                let xattrs = &mut self.inode(path).now.xattrs;
                xattrs.insert(name.clone(), value.clone());
            }
            Call::RemoveXattr(path, name) => {
                self.inode(path).now.xattrs.remove(name);
            }
        }
    }

    /// Makes real files of what a power loss leaves.
    pub(crate) fn lose_power(&self, survival: Survival) {
        if self.root.exists() {
            fs::remove_dir_all(&self.root).expect("it is removed");
        }
        let mut chance = match survival {
            Survival::Chance(seed) => Chance(seed),
            _ => Chance(0),
        };
        self.build(0, &self.root, survival, &mut chance, &mut HashMap::new());
    }

    fn build(
        &self,
        number: usize,
        path: &Path,
        survival: Survival,
        chance: &mut Chance,
        built: &mut HashMap<usize, PathBuf>,
    ) {
        let inode = &self.inodes[number];
        if let (Some(other), Kind::File) = (built.get(&number), &inode.kind) {
            fs::hard_link(other, path).expect("it is linked");
            return;
        }
        built.insert(number, path.to_owned());
        let mut held = match survival {
            Survival::Nothing | Survival::Names => inode.safe.clone(),
            Survival::All | Survival::Contents => inode.now.clone(),
            Survival::Chance(_) => match chance.below(3) {
                0 => inode.safe.clone(),
                1 => inode.now.clone(),
                _ if inode.safe == inode.now => inode.now.clone(),
                _ => {
                    let mut torn = inode.now.clone();
                    torn.content.truncate(torn.content.len() / 2);
                    torn
                }
            },
        };
        match &inode.kind {
            Kind::File => fs::write(path, &held.content).expect("it is written"),
            Kind::Link(target) => {
                // A link's inode is written with its name.
                held = inode.now.clone();
                std::os::unix::fs::symlink(target, path).expect("it is linked");
            }
            Kind::Folder { safe, waiting } => {
                fs::create_dir(path).expect("it is made");
                let surviving = match survival {
                    Survival::Nothing | Survival::Contents => 0,
                    Survival::All | Survival::Names => waiting.len(),
                    Survival::Chance(_) => chance.below(waiting.len() + 1),
                };
                for (name, child) in with_changes(safe, &waiting[..surviving]) {
                    self.build(child, &path.join(name), survival, chance, built);
                }
            }
        }
        let (user, group) = held.owner;
        RealStorage.set_owner(path, user, group).expect("it is set");
        for (name, value) in &held.xattrs {
            RealStorage.set_xattr(path, name, value).expect("it is set");
        }
        if !matches!(inode.kind, Kind::Link(_)) {
            RealStorage.set_mode(path, held.mode).expect("it is set");
        }
        if !held.flags.is_empty() {
            RealStorage.set_flags(path, held.flags).expect("it is set");
        }
        RealStorage.set_times(path, held.times).expect("it is set");
    }
}

fn with_changes(
    safe: &BTreeMap<String, usize>,
    changes: &[Vec<(String, Option<usize>)>],
) -> BTreeMap<String, usize> {
    let mut names = safe.clone();
    for (name, inode) in changes.iter().flatten() {
        match inode {
            Some(inode) => {
                names.insert(name.clone(), *inode);
            }
            None => {
                names.remove(name);
            }
        }
    }
    names
}

fn parent(path: &Path) -> &Path {
    path.parent().expect("it is in a folder")
}
