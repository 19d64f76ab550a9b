//! What a process has open, where it is and what it runs, from `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::observation::StorageFacts;

/// What a process has open.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenFiles {
    /// The numbers of the files; none if they could not be read.
    pub(super) numbers: Option<Vec<u64>>,
    /// The numbers of its sockets.
    pub(super) sockets: BTreeSet<u64>,
    /// Files that it writes to, each with whether it only adds to their end.
    pub(super) written: BTreeMap<PathBuf, bool>,
}

/// Looks at the open files of a process.
pub(super) fn open_files(pid: u32) -> OpenFiles {
    let mut found = OpenFiles::default();
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return found;
    };
    let mut numbers = Vec::new();
    for entry in entries.flatten() {
        numbers.extend(entry.file_name().to_string_lossy().parse::<u64>());

        let Ok(target) = fs::read_link(entry.path()) else {
            continue;
        };
        let text = target.to_string_lossy();
        if let Some(inode) = text.strip_prefix("socket:[") {
            found
                .sockets
                .extend(inode.trim_end_matches(']').parse::<u64>());
            continue;
        }
        if !target.is_absolute() || text.starts_with("/dev/") || text.ends_with(" (deleted)") {
            continue;
        }
        let name = entry.file_name();
        let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{}", name.to_string_lossy()));
        let info = info.unwrap_or_default();
        let flags = info
            .lines()
            .find_map(|line| line.strip_prefix("flags:"))
            .and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok())
            .unwrap_or(0);
        if flags & 3 != 0 {
            let appends = flags & 0o2000 != 0;
            let is_stream = name == "1" || name == "2";
            found.written.insert(target, appends || is_stream);
        }
    }
    found.numbers = Some(numbers);
    found
}

/// How many files a process may have open.
pub(super) fn open_files_limit(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The groups of a process.
pub(super) fn groups(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = |name: &str| -> Vec<u32> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default()
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    let mut groups = numbers("Groups:");
    // The effective one is the second.
    groups.extend(numbers("Gid:").get(1));
    groups
}

/// A text that somebody else put there: only of an ordinary file, without waiting, and never more than a little.
pub(super) fn read_foreign(path: &Path) -> Option<String> {
    const MOST: u64 = 1 << 20;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let seen = file.metadata().ok()?;
    // A file of the kernel's has no size, and may have no end.
    if !seen.is_file() || seen.len() == 0 || seen.len() > MOST {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The environment of a process.
pub(super) fn environment(pid: u32) -> BTreeMap<String, String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    bytes
        .split(|byte| *byte == 0)
        .filter_map(|pair| {
            let text = String::from_utf8_lossy(pair);
            let (name, value) = text.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// The folder that a process works in.
pub(super) fn working_folder(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// A path as a process sees it, from here.
pub(super) fn seen_by(pid: Option<u32>, path: &Path) -> PathBuf {
    let Some(pid) = pid.filter(|pid| !shares_mounts(*pid)) else {
        return path.to_owned();
    };
    let inside = path.strip_prefix("/").unwrap_or(path);
    Path::new(&format!("/proc/{pid}/root")).join(inside)
}

/// Whether a process sees the same files as this one.
pub(super) fn shares_mounts(pid: u32) -> bool {
    let of = |who: &str| {
        let mounts = fs::read_link(format!("/proc/{who}/ns/mnt")).ok()?;
        Some((mounts, fs::read_link(format!("/proc/{who}/root")).ok()?))
    };
    match (of("self"), of(&pid.to_string())) {
        (Some(ours), Some(theirs)) => ours == theirs,
        // Without the right to look, what is here is what there is.
        _ => true,
    }
}

/// The file systems of folders that a process uses, each once.
pub(super) fn storage(pid: Option<u32>, paths: &BTreeSet<PathBuf>) -> Vec<StorageFacts> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for path in paths {
        let real = seen_by(pid, path);
        let (Ok(place), Ok(space)) = (rustix::fs::stat(&real), rustix::fs::statvfs(&real)) else {
            continue;
        };
        let is_read_only = space.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY);
        if is_read_only || space.f_blocks == 0 || !seen.insert(place.st_dev) {
            continue;
        }
        found.push(StorageFacts {
            path: path.display().to_string(),
            free: space.f_bavail.saturating_mul(space.f_frsize),
            size: space.f_blocks.saturating_mul(space.f_frsize),
            free_files: space.f_favail,
            files: space.f_files,
        });
    }
    found
}

/// How often the kernel ended a process of a process's control group for want of memory.
pub(super) fn memory_kills(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let mut kills = 0;
    for line in text.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(kind), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        // The root counts what happens anywhere.
        if path == "/" {
            continue;
        }
        let file = match kind {
            "" => format!("/sys/fs/cgroup{path}/memory.events.local"),
            "memory" => format!("/sys/fs/cgroup/memory{path}/memory.oom_control"),
            _ => continue,
        };
        let text = fs::read_to_string(file).unwrap_or_default();
        let found = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        kills += found.and_then(|it| it.trim().parse().ok()).unwrap_or(0);
    }
    kills
}
