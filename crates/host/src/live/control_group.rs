//! Control groups: which one a process is in, who is in one, and whether its freezer is on.

use std::fs;
use std::path::{Path, PathBuf};

use super::detail::unescape;
use crate::detail::FrozenGroup;

/// The path of the group that has a process, by its `/proc/PID/cgroup`: of the unified hierarchy,
/// or else of systemd's own.
pub(super) fn path_of(groups: &str) -> Option<String> {
    let lines = || groups.lines().map(|line| line.splitn(3, ':'));
    let find = |wanted: &str| {
        lines().find_map(|mut parts| {
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            (controllers == wanted && path != "/").then(|| path.to_owned())
        })
    };
    find("").or_else(|| find("name=systemd"))
}

/// The frozen group above a process, by its `/proc/PID/cgroup`.
pub(super) fn frozen(groups: &str) -> Option<FrozenGroup> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    groups.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        if controllers.is_empty() {
            frozen_two(&folder_of(&mounts, "cgroup2", "", path)?)
        } else if controllers.split(',').any(|it| it == "freezer") {
            frozen_one(&folder_of(&mounts, "cgroup", "freezer", path)?)
        } else {
            None
        }
    })
}

/// The processes in a group and the groups below it; the group is named by its folder, or by its
/// path as `/proc/PID/cgroup` shows it.
pub fn control_group_members(name: &str) -> std::io::Result<Vec<u32>> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let missing = || {
        let message = format!("there is no control group `{name}`");
        std::io::Error::new(std::io::ErrorKind::NotFound, message)
    };
    let mut folders: Vec<PathBuf> = if Path::new(name).join("cgroup.procs").exists() {
        vec![PathBuf::from(name)]
    } else {
        let path = format!("/{}", name.trim_matches('/'));
        let points = mounts.lines().filter_map(hierarchy);
        let there = points.filter_map(|point| point.folder(&path));
        there
            .filter(|folder| folder.join("cgroup.procs").exists())
            .collect()
    };
    if folders.is_empty() {
        return Err(missing());
    }
    let mut pids = Vec::new();
    while let Some(folder) = folders.pop() {
        let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
        pids.extend(text.lines().filter_map(|line| line.parse::<u32>().ok()));
        if let Ok(entries) = fs::read_dir(&folder) {
            folders.extend(
                entries
                    .flatten()
                    .map(|entry| entry.path())
                    .filter(|path| path.is_dir()),
            );
        }
    }
    pids.retain(|pid| *pid != 0);
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// A mounted hierarchy of control groups.
struct HierarchyMount {
    point: String,
    root: String,
    kind: String,
    options: String,
}

impl HierarchyMount {
    /// The folder of a group, if the mount shows it.
    fn folder(&self, path: &str) -> Option<PathBuf> {
        let rest = if self.root == "/" {
            path
        } else {
            path.strip_prefix(self.root.as_str())?
        };
        Some(Path::new(&self.point).join(rest.trim_start_matches('/')))
    }
}

fn hierarchy(line: &str) -> Option<HierarchyMount> {
    let (left, right) = line.split_once(" - ")?;
    let left: Vec<&str> = left.split(' ').collect();
    let right: Vec<&str> = right.split(' ').collect();
    let kind = (*right.first()?).to_owned();
    kind.starts_with("cgroup").then_some(())?;
    Some(HierarchyMount {
        point: unescape(left.get(4)?),
        root: unescape(left.get(3)?),
        kind,
        options: (*right.get(2)?).to_owned(),
    })
}

fn folder_of(mounts: &str, kind: &str, controller: &str, path: &str) -> Option<PathBuf> {
    let mut all = mounts.lines().filter_map(hierarchy);
    let mount = all.find(|mount| {
        let has = mount.options.split(',').any(|option| option == controller);
        mount.kind == kind && (controller.is_empty() || has)
    })?;
    mount.folder(path)
}

fn first_word(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().to_owned()
}

/// Of version 1: `freezer.state` is not `THAWED`, here or above.
fn frozen_one(folder: &Path) -> Option<FrozenGroup> {
    let state = first_word(&folder.join("freezer.state"));
    if !matches!(state.as_str(), "FROZEN" | "FREEZING") {
        return None;
    }
    // The group that was told to freeze may be one above.
    let told = folder
        .ancestors()
        .find(|above| first_word(&above.join("freezer.self_freezing")) == "1");
    let folder = told.unwrap_or(folder);
    Some(FrozenGroup {
        version: 1,
        folder: folder.display().to_string(),
        file: folder.join("freezer.state").display().to_string(),
        thaw: "THAWED".to_owned(),
    })
}

/// Of version 2: `cgroup.freeze` is 1, here or above.
fn frozen_two(folder: &Path) -> Option<FrozenGroup> {
    let told = folder
        .ancestors()
        .find(|above| first_word(&above.join("cgroup.freeze")) == "1")?;
    Some(FrozenGroup {
        version: 2,
        folder: told.display().to_string(),
        file: told.join("cgroup.freeze").display().to_string(),
        thaw: "0".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_of_the_unified_hierarchy_or_of_systemds() {
        let both = "9:name=systemd:/system.slice/a.service\n0::/system.slice/b.service\n";
        assert_eq!(path_of(both), Some("/system.slice/b.service".into()));
        let old = "9:name=systemd:/system.slice/a.service\n4:memory:/x\n0::/\n";
        assert_eq!(path_of(old), Some("/system.slice/a.service".into()));
        assert_eq!(path_of("0::/\n"), None);
    }

    #[test]
    fn a_group_is_found_below_the_root_of_its_mount() {
        let mounts = "34 28 0:30 /docker/a /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n";
        let folder = |path| folder_of(mounts, "cgroup", "freezer", path);
        assert_eq!(
            folder("/docker/a/b"),
            Some("/sys/fs/cgroup/freezer/b".into())
        );
        assert_eq!(folder("/elsewhere"), None);
        assert_eq!(folder_of(mounts, "cgroup2", "", "/"), None);
    }
}
