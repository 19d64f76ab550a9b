//! The logs of package managers: what was installed, changed and removed, and when. Pure.

use crate::wire::days_since_1970;

/// A package that was installed, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageChange {
    /// Seconds since 1970.
    pub at: i64,
    /// What was done, such as `nginx upgraded from 1.22.1-9 to 1.22.1-10`.
    pub what: String,
}

/// Which package manager wrote a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageLog {
    /// `dpkg.log`.
    Dpkg,
    /// `dnf.rpm.log`.
    Dnf,
    /// `pacman.log`.
    Pacman,
    /// zypper's `history`.
    Zypper,
}

/// Reads the end of a log. Where its lines are in local time, the last of them was written at `written`, and that
/// gives the zone; without it they are taken for UTC.
pub fn read_package_log(log: PackageLog, text: &str, written: i64) -> Vec<PackageChange> {
    let mut found = Vec::new();
    let mut last = None;
    for line in text.lines() {
        let Some(at) = time_of(line) else {
            continue;
        };
        last = Some(at.seconds);
        let what = match log {
            PackageLog::Dpkg => dpkg_words(line),
            PackageLog::Dnf => dnf_words(line),
            PackageLog::Pacman => pacman_words(line),
            PackageLog::Zypper => zypper_words(line),
        };
        found.extend(what.map(|what| (at, what)));
    }
    // Zones differ from UTC by quarters of an hour.
    let off = last.map_or(0, |last| written - last);
    let off = (off + if off < 0 { -450 } else { 450 }) / 900 * 900;
    let shift = if off.abs() <= 14 * 3600 { off } else { 0 };
    found
        .into_iter()
        .map(|(at, what)| PackageChange {
            at: at.seconds + if at.is_utc { 0 } else { shift },
            what,
        })
        .collect()
}

/// A time as a line has it.
#[derive(Clone, Copy)]
struct WrittenTime {
    seconds: i64,
    /// Whether the line says its zone.
    is_utc: bool,
}

/// `2026-11-27 10:00:00`, or `2026-11-27T10:00:00+0100`, in brackets or not.
fn time_of(line: &str) -> Option<WrittenTime> {
    let line = line.strip_prefix('[').unwrap_or(line);
    let number = |from: usize, to: usize| line.get(from..to)?.parse::<i64>().ok();
    let separators = [(4, "-"), (7, "-"), (13, ":"), (16, ":")];
    if !separators
        .iter()
        .all(|(at, wanted)| line.get(*at..at + 1) == Some(wanted))
        || !matches!(line.get(10..11), Some(" " | "T"))
    {
        return None;
    }
    let days = days_since_1970(number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let seconds = days * 86_400 + number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let zone = line.get(19..24).filter(|it| it.starts_with(['+', '-']));
    let zone = zone.and_then(|zone| {
        let hours: i64 = zone.get(1..3)?.parse().ok()?;
        let minutes: i64 = zone.get(3..5)?.parse().ok()?;
        let off = hours * 3600 + minutes * 60;
        Some(if zone.starts_with('-') { -off } else { off })
    });
    let is_utc = zone.is_some() || line.get(19..20) == Some("Z");
    Some(WrittenTime {
        seconds: seconds - zone.unwrap_or(0),
        is_utc,
    })
}

/// `2026-11-27 10:00:00 upgrade nginx:amd64 1.22.1-9 1.22.1-10`
fn dpkg_words(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().skip(2);
    let act = words.next()?;
    let package = words.next()?.split(':').next()?;
    let (old, new) = (words.next()?, words.next()?);
    match act {
        "install" => Some(format!("{package} {new} installed")),
        "upgrade" => Some(format!("{package} upgraded from {old} to {new}")),
        "remove" | "purge" => Some(format!("{package} {old} removed")),
        _ => None,
    }
}

/// `2026-11-27T10:00:00+0000 SUBDEBUG Upgrade: nginx-1.22-1.x86_64`
fn dnf_words(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().skip(1);
    words.next()?;
    let act = words.next()?.trim_end_matches(':');
    let package = words.next()?;
    let done = match act {
        "Installed" | "Install" => "installed",
        "Upgrade" | "Upgraded" => "upgraded",
        "Downgrade" | "Downgraded" => "downgraded",
        "Erase" | "Erased" | "Removed" => "removed",
        _ => return None,
    };
    Some(format!("{package} {done}"))
}

/// `[2026-11-27T10:00:00+0000] [ALPM] upgraded nginx (1.22-1 -> 1.24-1)`
fn pacman_words(line: &str) -> Option<String> {
    let rest = line.split_once("[ALPM] ")?.1;
    let is_act = ["upgraded", "installed", "removed", "downgraded"]
        .iter()
        .any(|act| rest.starts_with(act));
    let (act, package) = rest.split_once(' ')?;
    is_act.then(|| format!("{package} {act}"))
}

/// `2026-11-27 10:00:00|install|nginx|1.24-1|x86_64|...`
fn zypper_words(line: &str) -> Option<String> {
    let mut parts = line.split('|').skip(1);
    let act = parts.next()?.trim();
    let (package, version) = (parts.next()?, parts.next()?);
    match act {
        "install" => Some(format!("{package} {version} installed")),
        "remove" => Some(format!("{package} {version} removed")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_are_put_right_by_the_last_line() {
        let text = "2026-11-27 10:00:00 startup archives unpack\n\
            2026-11-27 10:00:01 upgrade nginx:amd64 1.22.1-9 1.22.1-10\n\
            2026-11-27 10:00:02 status installed nginx:amd64 1.22.1-10\n\
            2026-11-27 10:00:03 remove php8.2-fpm:amd64 8.2.1 <none>\n";
        // 2026-11-27 10:00:03 in UTC, and the same written down two hours east of it.
        let utc = 1_795_773_603;
        let changes = read_package_log(PackageLog::Dpkg, text, utc + 1);
        assert_eq!(changes[0].at, utc - 2);
        assert_eq!(changes[0].what, "nginx upgraded from 1.22.1-9 to 1.22.1-10");
        assert_eq!(changes[1].what, "php8.2-fpm 8.2.1 removed");
        assert_eq!(changes.len(), 2);
        let east = read_package_log(PackageLog::Dpkg, text, utc - 7200);
        assert_eq!(east[0].at, utc - 7202);
    }

    #[test]
    fn each_manager_has_its_words() {
        let words = |log, line: &str| {
            let changes = read_package_log(log, line, 0);
            changes.first().map(|it| (it.at, it.what.clone()))
        };
        let (at, what) = words(
            PackageLog::Dnf,
            "2026-11-27T11:00:03+0100 SUBDEBUG Upgrade: nginx-1.24-1.x86_64",
        )
        .unwrap();
        assert_eq!(
            (at, what.as_str()),
            (1_795_773_603, "nginx-1.24-1.x86_64 upgraded")
        );
        let (_, what) = words(
            PackageLog::Pacman,
            "[2026-11-27T10:00:03+0000] [ALPM] upgraded nginx (1 -> 2)",
        )
        .unwrap();
        assert_eq!(what, "nginx (1 -> 2) upgraded");
        let (_, what) = words(
            PackageLog::Zypper,
            "2026-11-27 10:00:03|install|nginx|1.24-1|x86_64||repo|",
        )
        .unwrap();
        assert_eq!(what, "nginx 1.24-1 installed");
        for other in ["", "2026-11-27", "2026-11-27 10:00:03 \u{e9}", "x"] {
            assert_eq!(words(PackageLog::Dpkg, other), None, "{other}");
        }
    }
}
