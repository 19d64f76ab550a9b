//! Which files of a chain, packages and entries of surefoot's own journal changed since a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use surefoot_journal::{Journal, ListedEntry};

use crate::discover::{PackageLog, read_package_log};
use crate::recent::RecentChange;

/// The logs of package managers.
const PACKAGE_LOGS: &[(PackageLog, &str)] = &[
    (PackageLog::Dpkg, "/var/log/dpkg.log"),
    (PackageLog::Dnf, "/var/log/dnf.rpm.log"),
    (PackageLog::Pacman, "/var/log/pacman.log"),
    (PackageLog::Zypper, "/var/log/zypp/history"),
];
/// So much of the end of such a log is read.
const TAIL: u64 = 256 << 10;
/// Of more files of one daemon than this only the count is told.
const MOST_OF_ONE: usize = 4;
/// A program that replaces a file changes its folder at the same time.
const SAME_TIME: i64 = 2;

/// A file of a hop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WatchedFile {
    pub(super) hop: usize,
    /// Whether it is one of many of a program, of which the latest is enough.
    pub(super) is_program: bool,
    pub(super) path: PathBuf,
}

/// The files that changed since a moment, and the folders in which one came or went.
pub(super) fn changed_files(files: &BTreeSet<WatchedFile>, since: u64) -> Vec<RecentChange> {
    let since = since.cast_signed();
    let changed_at = |path: &Path| {
        let seen = std::fs::metadata(path).ok()?;
        Some(seen.mtime().max(0)).filter(|at| *at >= since)
    };
    let mut found = Vec::new();
    let mut told: BTreeSet<&Path> = BTreeSet::new();
    let mut of_program: BTreeMap<usize, Vec<(i64, &Path)>> = BTreeMap::new();
    let mut folders: BTreeMap<&Path, (usize, Option<i64>)> = BTreeMap::new();
    for file in files {
        let at = changed_at(&file.path);
        if let Some(folder) = file.path.parent().filter(|_| !file.is_program) {
            let (_, latest) = folders.entry(folder).or_insert((file.hop, None));
            *latest = (*latest).max(at);
        }
        let Some(at) = at else { continue };
        if !told.insert(&file.path) {
            continue;
        }
        if file.is_program {
            of_program
                .entry(file.hop)
                .or_default()
                .push((at, &file.path));
            continue;
        }
        found.push(change(
            at,
            format!("{} was written", file.path.display()),
            Some(file.hop),
        ));
    }
    for (hop, mut changed) in of_program {
        changed.sort_unstable();
        let count = changed.len();
        if count <= MOST_OF_ONE {
            for (at, path) in changed {
                found.push(change(
                    at,
                    format!("{} was written", path.display()),
                    Some(hop),
                ));
            }
        } else if let Some((at, path)) = changed.last() {
            let what = format!("{count} files of the program, the last {}", path.display());
            found.push(change(*at, what, Some(hop)));
        }
    }
    for (folder, (hop, latest)) in folders {
        let Some(at) = changed_at(folder) else {
            continue;
        };
        let is_told = latest.is_some_and(|latest| (latest - at).abs() <= SAME_TIME);
        // What is at the top is changed by all and everyone.
        if !is_told && folder.components().count() > 2 {
            let what = format!(
                "something in {} was added, renamed or removed",
                folder.display()
            );
            found.push(change(at, what, Some(hop)));
        }
    }
    found
}

fn change(at: i64, what: String, hop: Option<usize>) -> RecentChange {
    RecentChange {
        at: at.max(0).cast_unsigned(),
        what,
        hop,
    }
}

/// The packages that were changed since a moment. One that bears the name of a hop's program is its.
pub(super) fn changed_packages(since: u64, programs: &[(usize, String)]) -> Vec<RecentChange> {
    let since = since.cast_signed();
    let mut found = Vec::new();
    for (log, path) in PACKAGE_LOGS {
        let Some((text, written)) = tail_of(Path::new(path)) else {
            continue;
        };
        let recent = read_package_log(*log, &text, written);
        for package in recent.into_iter().filter(|it| it.at >= since) {
            let name = package.what.split(' ').next().unwrap_or_default();
            let is_its = |program: &str| {
                let letters =
                    program.trim_end_matches(|letter: char| !letter.is_ascii_alphabetic());
                letters.len() > 3 && name.starts_with(letters)
            };
            let hop = programs.iter().find(|(_, program)| is_its(program));
            let hop = hop.map(|(hop, _)| *hop);
            found.push(change(package.at, format!("package {}", package.what), hop));
        }
    }
    found
}

/// The end of a log, and when it was written last.
fn tail_of(path: &Path) -> Option<(String, i64)> {
    let mut file = std::fs::File::open(path).ok()?;
    let seen = file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    file.seek(SeekFrom::Start(seen.len().saturating_sub(TAIL)))
        .ok()?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes).ok()?;
    Some((String::from_utf8_lossy(&bytes).into_owned(), seen.mtime()))
}

/// The changes of surefoot's own since a moment.
pub fn own_changes(journal: &Journal, since: u64) -> Vec<RecentChange> {
    let since = since.cast_signed();
    let entries = journal.list(100).unwrap_or_default();
    let entries = entries.into_iter().filter_map(|listed| match listed {
        ListedEntry::Readable(entry) => Some(entry),
        ListedEntry::Unreadable { .. } => None,
    });
    entries
        .filter(|entry| entry.begun.seconds >= since && entry.state.is_in_force())
        .map(|entry| {
            let what = format!("surefoot, entry {}: {}", entry.number, entry.title);
            change(entry.begun.seconds, what, None)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_written_and_one_that_went_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("a/conf.d");
        std::fs::create_dir_all(&inside).unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        let file = |name: &str| {
            let path = inside.join(name);
            std::fs::write(&path, "x").unwrap();
            let handle = std::fs::File::options().write(true).open(&path).unwrap();
            handle.set_modified(old).unwrap();
            path
        };
        let watched: BTreeSet<WatchedFile> = ["one", "two"]
            .map(|name| WatchedFile {
                hop: 3,
                is_program: false,
                path: file(name),
            })
            .into();
        let set_folder = || {
            let handle = std::fs::File::open(&inside).unwrap();
            handle.set_modified(old).unwrap();
        };
        set_folder();
        assert_eq!(changed_files(&watched, 2000), []);
        std::fs::write(inside.join("one"), "y").unwrap();
        set_folder();
        let changed = changed_files(&watched, 2000);
        assert_eq!(changed.len(), 1, "{changed:?}");
        assert!(changed[0].what.ends_with("conf.d/one was written"));
        assert_eq!(changed[0].hop, Some(3));
        std::fs::remove_file(inside.join("one")).unwrap();
        let changed = changed_files(&watched, 2000);
        assert_eq!(changed.len(), 1, "{changed:?}");
        assert!(changed[0].what.contains("added, renamed or removed"));
    }
}
