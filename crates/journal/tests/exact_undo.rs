//! Undo brings everything back: content, mode, owner, times, attributes, links; over generated trees
//! and changes. Undo of undo brings the change back.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::faults::UnsyncedStorage;
use common::{Chance, NOW, journal};
use surefoot_journal::{
    ChangeRequest, EntryState, FileAttributes, FileFlags, FileSetChange, FileState, FileTimes,
    JournalError, RealStorage, SeenFile, Storage, UnixMoment, WantedFile, look_at,
};

/// How many trees and changes the long run takes.
const TREES: usize = 1000;

/// How many an ordinary run takes.
const SOME: usize = 60;

fn moment(chance: &mut Chance) -> UnixMoment {
    UnixMoment {
        seconds: i64::try_from(chance.next() % 2_000_000_000).expect("it fits"),
        nanoseconds: u32::try_from(chance.next() % 1_000_000_000).expect("it fits"),
    }
}

fn attributes(chance: &mut Chance, is_link: bool) -> FileAttributes {
    let mut xattrs = BTreeMap::new();
    if !is_link && chance.below(3) == 0 {
        xattrs.insert("user.one".to_owned(), chance.next().to_le_bytes().to_vec());
    }
    if !is_link && chance.below(4) == 0 {
        // An access control list: owner, user 0, group, mask, others, as `setfacl -m u:0:r` sets it.
        let entry = |tag: u16, rights: u16, id: u32| {
            let mut bytes = tag.to_le_bytes().to_vec();
            bytes.extend(rights.to_le_bytes());
            bytes.extend(id.to_le_bytes());
            bytes
        };
        let none = u32::MAX;
        let mut list = 2_u32.to_le_bytes().to_vec();
        for part in [
            entry(1, 6, none),
            entry(2, 4, 0),
            entry(4, 4, none),
            entry(16, 4, none),
            entry(32, 0, none),
        ] {
            list.extend(part);
        }
        xattrs.insert("system.posix_acl_access".to_owned(), list);
    }
    let user = if chance.below(2) == 0 {
        0
    } else {
        common::other_user()
    };
    let modes = [0o644, 0o600, 0o4755, 0o2711, 0o1777, 0o000, 0o440];
    // The list says what the mode's lower bits are.
    let has_list = xattrs.contains_key("system.posix_acl_access");
    let mode = if has_list {
        0o640
    } else {
        modes[chance.below(modes.len())]
    };
    FileAttributes {
        mode,
        user,
        group: user,
        times: FileTimes {
            read: moment(chance),
            modified: moment(chance),
        },
        xattrs,
        flags: FileFlags::default(),
    }
}

fn give(path: &Path, attributes: &FileAttributes, is_link: bool) {
    let set = |done: std::io::Result<()>| done.expect("it is set");
    set(RealStorage.set_owner(path, attributes.user, attributes.group));
    if !is_link {
        set(RealStorage.set_mode(path, attributes.mode));
    }
    for (name, value) in &attributes.xattrs {
        set(RealStorage.set_xattr(path, name, value));
    }
    set(RealStorage.set_times(path, attributes.times));
}

fn content(chance: &mut Chance) -> Vec<u8> {
    let length = [0, 1, 40, 300][chance.below(4)];
    let mut bytes = Vec::new();
    while bytes.len() < length {
        bytes.extend(chance.next().to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// A tree of up to nine names, some of them hard links of others.
fn build(root: &Path, chance: &mut Chance) -> Vec<PathBuf> {
    fs::create_dir(root).expect("it is made");
    fs::create_dir(root.join("d")).expect("it is made");
    let mut paths = Vec::new();
    for number in 0..3 + chance.below(6) {
        let folder = if chance.below(3) == 0 { "d" } else { "" };
        let path = root.join(folder).join(format!("f{number}"));
        match chance.below(5) {
            0 => {
                std::os::unix::fs::symlink(format!("t{number}"), &path).expect("it is linked");
                give(&path, &attributes(chance, true), true);
            }
            1 if paths
                .iter()
                .any(|path: &PathBuf| path.is_file() && !path.is_symlink()) =>
            {
                let first = paths
                    .iter()
                    .find(|path| path.is_file() && !path.is_symlink())
                    .expect("just seen");
                fs::hard_link(first, &path).expect("it is linked");
            }
            _ => {
                fs::write(&path, content(chance)).expect("it is written");
                give(&path, &attributes(chance, false), false);
            }
        }
        paths.push(path);
    }
    paths
}

/// A change of some names; all names of a file are in it if one is.
fn draw_change(root: &Path, paths: &[PathBuf], chance: &mut Chance) -> Vec<WantedFile> {
    let mut wanted = Vec::new();
    let mut same_content: BTreeMap<u64, Option<Vec<u8>>> = BTreeMap::new();
    for path in paths {
        let seen = look_at(path).expect("it is seen");
        let inode = common::inode(path);
        let many = seen.names > 1 && matches!(seen.state, FileState::Regular { .. });
        if many {
            let fate = same_content
                .entry(inode)
                .or_insert_with(|| match chance.below(3) {
                    0 => None,
                    _ => Some(content(chance)),
                });
            if let Some(content) = fate {
                wanted.push(WantedFile::content(path, content.clone()));
            }
            continue;
        }
        match chance.below(6) {
            0 => wanted.push(WantedFile::gone(path)),
            1 => wanted.push(WantedFile::link(path, format!("n{}", chance.below(9)))),
            2 => wanted.push(WantedFile::content(path, content(chance))),
            3 if matches!(seen.state, FileState::Regular { .. }) => {
                wanted.push(WantedFile::attributes(path, attributes(chance, false)));
            }
            _ => {}
        }
    }
    if chance.below(2) == 0 {
        wanted.push(WantedFile::content_and_mode(
            root.join("new"),
            content(chance),
            0o640,
        ));
    }
    if chance.below(3) == 0 {
        wanted.push(WantedFile::folder(root.join("n"), 0o710));
        wanted.push(WantedFile::content(root.join("n/in"), content(chance)));
    }
    wanted
}

/// Everything, times of reading and hard links included; only folders' times are left out.
fn exact(root: &Path) -> Vec<(PathBuf, SeenFile, Vec<PathBuf>)> {
    fn walk(folder: &Path, all: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() && !path.is_symlink() {
                walk(&path, all);
            }
            all.push(path);
        }
    }
    let mut paths = Vec::new();
    walk(root, &mut paths);
    paths.sort();
    let seen: Vec<(PathBuf, SeenFile)> = paths
        .into_iter()
        .map(|path| (path.clone(), look_at(&path).expect("it is seen")))
        .collect();
    let twins = |identity| {
        seen.iter()
            .filter(|(_, file)| file.identity == identity)
            .map(|(path, _)| path.clone())
            .collect::<Vec<_>>()
    };
    seen.iter()
        .map(|(path, file)| {
            let mut shown = file.clone();
            if let FileState::Folder { attributes } = &mut shown.state {
                attributes.times = FileTimes::default();
                shown.names = 0;
            }
            // To read a link is to change the time of its last reading; nothing avoids that.
            if let FileState::Link { attributes, .. } = &mut shown.state {
                attributes.times.read = UnixMoment::default();
            }
            let twins = twins(file.identity);
            shown.identity = None;
            (path.clone(), shown, twins)
        })
        .collect()
}

#[track_caller]
fn same(what: &str, one: &Path, was: &[(PathBuf, SeenFile, Vec<PathBuf>)]) {
    let now = exact(one);
    let lines = |all: &[(PathBuf, SeenFile, Vec<PathBuf>)]| -> Vec<String> {
        all.iter().map(|entry| format!("{entry:?}")).collect()
    };
    let (now, was) = (lines(&now), lines(was));
    for (now, was) in now.iter().zip(&was) {
        assert_eq!(now, was, "{what}");
    }
    assert_eq!(now.len(), was.len(), "{what}");
}

#[test]
fn undo_and_undo_of_undo_are_exact() {
    let scratch = common::scratch_folder();
    let mut changes = 0;
    let seeds = common::sample(TREES, SOME);
    for &seed in &seeds {
        let scene = scratch.path().join(format!("{seed}"));
        fs::create_dir(&scene).expect("it is made");
        let root = scene.join("etc");
        let mut chance = Chance(seed as u64);
        let paths = build(&root, &mut chance);
        let before = exact(&root);
        let wanted = draw_change(&root, &paths, &mut chance);
        let journal = journal(&scene, Arc::new(UnsyncedStorage), 5);
        let session = journal.lock().expect("it is locked");
        let change = match FileSetChange::plan("by chance", wanted, UnixMoment::at(NOW)) {
            Err(JournalError::NothingToChange) => continue,
            other => other.expect("it is planned"),
        };
        let request = ChangeRequest::default;
        session
            .perform(Box::new(change), request())
            .unwrap_or_else(|error| {
                panic!(
                    "tree {seed}: {error:?}, {}",
                    journal.diff(1).unwrap_or_default()
                )
            });
        let after = exact(&root);
        session.undo(1, false, request()).expect("it is undone");
        same(&format!("tree {seed}, undone"), &root, &before);
        session.undo(2, false, request()).expect("it is redone");
        same(&format!("tree {seed}, undone twice"), &root, &after);
        assert_eq!(
            journal.entry(1).expect("it is there").state,
            EntryState::Applied
        );
        session.undo(3, false, request()).expect("it is undone");
        same(&format!("tree {seed}, undone thrice"), &root, &before);
        changes += 1;
        fs::remove_dir_all(&scene).expect("it is removed");
    }
    println!("{changes} changes of {} trees", seeds.len());
    assert!(changes > seeds.len() * 9 / 10, "{changes}");
}
