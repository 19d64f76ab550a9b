//! How long the control group of this process was kept from the CPU by its quota.
//!
//! A process that has used up the quota of its group stands still until the next period. Its CPU time is
//! small then, and nothing else that is counted tells why it sends so little.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// The groups of this process and what each had stood still until a moment.
#[derive(Clone, Debug)]
pub(crate) struct CpuQuotaWatch {
    before: Vec<(PathBuf, Duration)>,
}

impl CpuQuotaWatch {
    /// From now on.
    pub(crate) fn start() -> Self {
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let before = statistics_files(&groups)
            .into_iter()
            .filter_map(|path| Some((path.clone(), read_throttled(&path)?)));
        Self {
            before: before.collect(),
        }
    }

    /// The longest that a group has stood still since, added up over its CPUs.
    pub(crate) fn throttled(&self) -> Duration {
        let since = self.before.iter().filter_map(|(path, before)| {
            let now = read_throttled(path)?;
            Some(now.saturating_sub(*before))
        });
        since.max().unwrap_or_default()
    }
}

fn read_throttled(path: &Path) -> Option<Duration> {
    throttled_time(&std::fs::read_to_string(path).ok()?)
}

/// The files with the statistics of the groups that `/proc/self/cgroup` names, and of those above them: a quota
/// may stand at any. Where a hierarchy is mounted elsewhere its files are not there, and nothing is known.
fn statistics_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else {
            continue;
        };
        let roots: Vec<String> = if controllers.is_empty() {
            vec!["/sys/fs/cgroup".into(), "/sys/fs/cgroup/unified".into()]
        } else if controllers.split(',').any(|name| name == "cpu") {
            vec![
                format!("/sys/fs/cgroup/{controllers}"),
                "/sys/fs/cgroup/cpu".into(),
            ]
        } else {
            continue;
        };
        for root in roots {
            let group = Path::new(group.trim_start_matches('/'));
            let above = group.ancestors();
            files.extend(above.map(|group| Path::new(&root).join(group).join("cpu.stat")));
        }
    }
    files.sort();
    files.dedup();
    files
}

/// The time in `cpu.stat` of version 2 (microseconds) or 1 (nanoseconds).
fn throttled_time(text: &str) -> Option<Duration> {
    text.lines().find_map(|line| {
        let (name, number) = line.split_once(' ')?;
        let number = number.trim().parse().ok()?;
        match name {
            "throttled_usec" => Some(Duration::from_micros(number)),
            "throttled_time" => Some(Duration::from_nanos(number)),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_tell_how_long_a_group_stood_still() {
        let one = "nr_periods 20\nnr_throttled 19\nthrottled_time 1500000000\n";
        assert_eq!(throttled_time(one), Some(Duration::from_millis(1500)));
        let two = "usage_usec 9\nuser_usec 4\nsystem_usec 5\nnr_periods 20\nnr_throttled 19\n\
                   throttled_usec 1500000\nnr_bursts 0\n";
        assert_eq!(throttled_time(two), Some(Duration::from_millis(1500)));
        // The root of version 2 has no quota.
        assert_eq!(throttled_time("usage_usec 9\n"), None);
    }

    #[test]
    fn a_quota_of_a_group_above_counts() {
        let groups = "4:cpu,cpuacct:/a/b\n2:memory:/x\n0::/c\n";
        let files = statistics_files(groups);
        for file in [
            "/sys/fs/cgroup/cpu,cpuacct/a/b/cpu.stat",
            "/sys/fs/cgroup/cpu,cpuacct/a/cpu.stat",
            "/sys/fs/cgroup/cpu/a/b/cpu.stat",
            "/sys/fs/cgroup/c/cpu.stat",
            "/sys/fs/cgroup/cpu.stat",
            "/sys/fs/cgroup/unified/c/cpu.stat",
        ] {
            assert!(files.iter().any(|it| it == Path::new(file)), "{files:?}");
        }
        assert!(
            !files
                .iter()
                .any(|it| it.starts_with("/sys/fs/cgroup/memory"))
        );
    }
}
