//! Who uses a file, a mount or a terminal, and which number a user has.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, statx};

/// The processes that use a file, or anything on a mount if the path is a mount point: open, mapped,
/// as program, as working or root directory.
pub fn processes_using(path: &str) -> io::Result<Vec<u32>> {
    let wanted = fs::canonicalize(path)?;
    let metadata = fs::metadata(&wanted)?;
    let mount = is_mount_point(&wanted, metadata.dev());
    let is_it = |found: &fs::Metadata| {
        found.dev() == metadata.dev() && (mount || found.ino() == metadata.ino())
    };
    let uses = |link: &Path| fs::metadata(link).is_ok_and(|found| is_it(&found));
    let mut users = Vec::new();
    for pid in super::process::pids()? {
        let folder = format!("/proc/{pid}");
        let place = Path::new(&folder);
        let plain = ["exe", "cwd", "root"]
            .iter()
            .any(|name| uses(&place.join(name)));
        let files = |part: &str| {
            let entries = fs::read_dir(place.join(part));
            entries.is_ok_and(|entries| entries.flatten().any(|entry| uses(&entry.path())))
        };
        if plain || files("fd") || files("map_files") {
            users.push(pid);
        }
    }
    Ok(users)
}

fn is_mount_point(path: &Path, device: u64) -> bool {
    /// `STATX_ATTR_MOUNT_ROOT` of `linux/stat.h`.
    const MOUNT_ROOT: u64 = 0x2000;
    let asked = statx(CWD, path, AtFlags::empty(), StatxFlags::BASIC_STATS);
    if let Ok(asked) = asked
        && asked.stx_attributes_mask.bits() & MOUNT_ROOT != 0
    {
        return asked.stx_attributes.bits() & MOUNT_ROOT != 0;
    }
    let above = path.parent().and_then(|parent| fs::metadata(parent).ok());
    above.is_none_or(|above| above.dev() != device)
}

/// The number of a user, by name or number.
pub fn user_number(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let text = fs::read_to_string("/etc/passwd").ok()?;
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

/// The name of a user.
pub fn user_name(number: u32) -> Option<String> {
    let text = fs::read_to_string("/etc/passwd").ok()?;
    text.lines()
        .find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields.get(2)?.parse() == Ok(number)).then(|| fields.first().copied())?
        })
        .map(ToOwned::to_owned)
}

/// The device number of a terminal as `/proc/PID/stat` shows it, by `pts/3`, `tty1` or a path.
pub fn terminal_device(name: &str) -> Option<u32> {
    let path = if name.starts_with('/') {
        name.to_owned()
    } else {
        format!("/dev/{name}")
    };
    let status = rustix::fs::stat(path).ok()?;
    (FileType::from_raw_mode(status.st_mode) == FileType::CharacterDevice).then_some(())?;
    let (major, minor) = (
        rustix::fs::major(status.st_rdev),
        rustix::fs::minor(status.st_rdev),
    );
    // `new_encode_dev` of the kernel.
    Some((minor & 0xff) | (major << 8) | ((minor & !0xff) << 12))
}
