//! The watchdog: reverse entry N unless it is confirmed by T.
//!
//! It is a process of its own that is ready before the change is made. All that it needs is in memory
//! that cannot be swapped out, and on the disk under names that need no space to be renamed; so it
//! works when the program that started it is gone, when the file system is full, and, by making it
//! writable for a moment, when it is read-only. A surefoot that holds the lock when the time is over,
//! stopped or stuck, is killed: the machine comes first. A second one watches the first, which may be killed or
//! stopped itself.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::mm::MlockAllFlags;
use rustix::mount::MountFlags;
use rustix::process::Signal;

use crate::change::{Change, EntryRoom, GivingUp};
use crate::entry::{EntryState, JournalEntry, WorkUnderWay};
use crate::error::JournalError;
use crate::file_state::read_quietly;
use crate::held_entry::HeldEntry;
use crate::journal::Journal;
use crate::lock::{JournalSession, is_stopped};
use crate::perform::{WarningListener, revert_and_check};

/// How often a confirmation is looked for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// How long another surefoot may hold the lock when the time is over.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long a surefoot that is putting the entry back itself may hold it then.
const WHILE_REVERTING: Duration = Duration::from_secs(15);

/// How long to wait before the second try at a reversal; then longer and longer.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// How long to wait between tries at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// How long to wait between tries where the record was removed.
const AFTER_REMOVAL: Duration = Duration::from_secs(1);

/// How long the watchdog tries to get the lock from what it cannot end.
const LOCK_WITHIN: Duration = Duration::from_secs(3600);

/// How long after the deadline the second watchdog looks whether the first has done its work, in milliseconds.
const SECOND_AFTER: u64 = 1000;

/// Which of the two watchdogs of an entry it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WatchRank {
    First,
    Second,
}

/// How a watch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchOutcome {
    /// The entry was confirmed or rolled back by another process.
    Settled,
    /// The entry was reversed.
    Reversed,
}

impl Journal {
    pub(crate) fn ready_file(&self, number: u64) -> PathBuf {
        self.entry_folder(number).join("watchdog")
    }

    /// The file of the second watchdog.
    pub(crate) fn second_file(&self, number: u64) -> PathBuf {
        self.entry_folder(number).join("watchdog-2")
    }

    /// Watches an armed entry until it is settled, and reverses it when its time is over.
    pub fn watch(&self, number: u64) -> Result<WatchOutcome, JournalError> {
        self.watch_as(number, WatchRank::First)
    }

    /// Watches the watchdog of an armed entry: reverses the entry a little after its time is over, where the first
    /// watchdog was killed or is stopped.
    pub fn watch_as_second(&self, number: u64) -> Result<WatchOutcome, JournalError> {
        self.watch_as(number, WatchRank::Second)
    }

    fn watch_as(&self, number: u64, rank: WatchRank) -> Result<WatchOutcome, JournalError> {
        let entry = self.entry(number)?;
        let Some(arming) = entry.arming.clone() else {
            return Ok(WatchOutcome::Settled);
        };
        let change = self.change_of(&entry)?;
        let mut room = self.room(&entry);
        change.load(&mut room)?;
        let held = match rank {
            WatchRank::First => Some(HeldEntry::take(self, number)?),
            WatchRank::Second => HeldEntry::join(self, number)?,
        };
        let Some(held) = held else {
            return Ok(WatchOutcome::Settled);
        };
        let deadline = match rank {
            WatchRank::First => arming.deadline_uptime,
            WatchRank::Second => arming.deadline_uptime + SECOND_AFTER,
        };
        while self.options.clock.uptime() < deadline {
            if held.is_settled() {
                return Ok(WatchOutcome::Settled);
            }
            let left = deadline.saturating_sub(self.options.clock.uptime());
            std::thread::sleep(BETWEEN_LOOKS.min(Duration::from_millis(left)));
        }
        while rank == WatchRank::Second && self.first_is_at_work(&held, number) {
            if held.is_settled() {
                return Ok(WatchOutcome::Settled);
            }
            std::thread::sleep(BETWEEN_LOOKS);
        }
        let moved = held
            .state_dir()
            .filter(|_| !held.is_in(&self.entry_folder(number)))
            .map(|folder| self.moved_to(folder));
        if let Some(moved) = &moved {
            let mut there = moved.room(&entry);
            if change.load(&mut there).is_ok() {
                return moved.reverse_until_done(&held, &entry, &*change, there);
            }
        }
        let journal = moved.as_ref().unwrap_or(self);
        journal.reverse_until_done(&held, &entry, &*change, room)
    }

    /// Whether the first watchdog lives and is not stopped.
    fn first_is_at_work(&self, held: &HeldEntry, number: u64) -> bool {
        let moved = held.state_dir().map(|folder| self.moved_to(folder));
        let journal = moved.as_ref().unwrap_or(self);
        if !journal.is_watched(number) {
            return false;
        }
        let text = read_quietly(&journal.ready_file(number)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut words = text.split_whitespace();
        let process = words.next().and_then(|word| word.parse().ok());
        // Where the disk was full it could not write who it is.
        process.is_none_or(|process| !is_stopped(process))
    }

    /// Reverses an entry; tries again while something is in the way.
    fn reverse_until_done(
        &self,
        held: &HeldEntry,
        armed: &JournalEntry,
        change: &dyn Change,
        mut room: EntryRoom<'_>,
    ) -> Result<WatchOutcome, JournalError> {
        let number = armed.number;
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut hindrance = String::new();
        let mut is_last = false;
        loop {
            let session = self.lock_or_kill(number)?;
            if held.is_settled() {
                return Ok(WatchOutcome::Settled);
            }
            // Where the entry was removed, another may have its number now.
            let record = session
                .as_ref()
                .filter(|_| held.is_in(&self.entry_folder(number)));
            // What cannot be read now was read when the watch began.
            let mut entry = held.entry().unwrap_or_else(|| armed.clone());
            room.set_complete(entry.complete);
            if hindrance.is_empty() {
                entry.note(
                    self.now(),
                    "was not confirmed in time; the watchdog reverses it",
                );
            }
            let done = self.at_any_rate(&mut entry, &|entry| match record {
                Some(session) => session
                    .take_back(entry, change, &room, WarningListener::NextStart)
                    .map(drop),
                None => revert_and_check(change, &room),
            });
            let Err(error) = done else {
                return Ok(WatchOutcome::Reversed);
            };
            // What was noted on the way is noted again when it succeeds.
            room.take_notes();
            let why = error.with_causes();
            if why != hindrance {
                entry.note(
                    self.now(),
                    format!("cannot be reversed yet: {why}; the watchdog tries again"),
                );
                if record.is_some() {
                    let _ = self.write_entry(&entry);
                }
                hindrance = why;
            }
            drop(session);
            let is_forgotten = held.state_dir().is_none();
            if is_forgotten && begun.elapsed() >= self.options.retry_without_record {
                // A file system that may come back is waited for all the same.
                room.set_giving_up(GivingUp::WhereRemoved);
                pause = pause.min(AFTER_REMOVAL);
            }
            if begun.elapsed() + pause > self.options.retry_for {
                if is_last {
                    return Err(error);
                }
                is_last = true;
                room.set_giving_up(GivingUp::WhereRemoved);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether the watchdog of an entry is there and waits.
    pub(crate) fn is_watched(&self, number: u64) -> bool {
        is_held(&self.ready_file(number))
    }

    /// Whether the second watchdog of an entry is there and waits.
    pub fn is_watched_twice(&self, number: u64) -> bool {
        self.is_watched(number) && is_held(&self.second_file(number))
    }

    /// Takes the lock; ends what holds it for too long. Gives none where the journal was removed.
    fn lock_or_kill(&self, number: u64) -> Result<Option<JournalSession<'_>>, JournalError> {
        let begun = Instant::now();
        loop {
            match self.lock_only(PATIENCE) {
                Err(JournalError::JournalLocked { holder }) => {
                    if begun.elapsed() > LOCK_WITHIN {
                        return Err(JournalError::JournalLocked { holder });
                    }
                    let on_its_way = begun.elapsed() < WHILE_REVERTING
                        && self
                            .entry(number)
                            .is_ok_and(|entry| entry.under_way == Some(WorkUnderWay::Reverting));
                    self.end_lock_holder(on_its_way);
                }
                Err(JournalError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound =>
                {
                    return Ok(None);
                }
                other => return other.map(Some),
            }
        }
    }

    /// Does something, on a file system that is read-only too.
    fn at_any_rate(
        &self,
        entry: &mut JournalEntry,
        attempt: &dyn Fn(&mut JournalEntry) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let mut opened = Vec::new();
        let outcome = loop {
            let Err(error) = attempt(entry) else {
                break Ok(());
            };
            match read_only_mount(&error) {
                Some(mount) if opened.len() < 4 && !opened.contains(&mount) => {
                    if let Err(errno) = mount.make_writable() {
                        break Err(JournalError::io("make writable", &mount.place, errno));
                    }
                    entry.note(
                        self.now(),
                        format!("{} was made writable for this", mount.place.display()),
                    );
                    opened.push(mount);
                }
                _ => break Err(error),
            }
        };
        for mount in opened {
            let _ = mount.make_read_only();
        }
        outcome
    }
}

impl JournalSession<'_> {
    /// The armed entries whose watchdog is gone, as it was killed or the machine is a container that
    /// was started again.
    pub fn unwatched(&self) -> Result<Vec<JournalEntry>, JournalError> {
        let open = self.journal.open_numbers()?.into_iter();
        let entries = open.filter_map(|number| self.journal.entry(number).ok());
        Ok(entries
            .filter(|entry| entry.state == EntryState::Armed)
            .filter(|entry| !self.journal.is_watched(entry.number))
            .collect())
    }
}

/// Whether a process holds a file.
fn is_held(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, path, flags, Mode::empty());
    opened.is_ok_and(|file| {
        let lock = FlockOperation::NonBlockingLockExclusive;
        rustix::fs::flock(&file, lock) == Err(Errno::WOULDBLOCK)
    })
}

/// Makes this process hard to end: a session of its own, no effect of the signals that end a terminal or a
/// session, memory that stays, nothing for the kernel to choose when memory runs out. For a process that
/// does nothing but [`Journal::watch`].
///
/// It outlives SIGHUP, SIGTERM, SIGINT and the like. It does not outlive SIGKILL, of which a service
/// manager that ends a whole control group makes use; therefore it is a unit of its own where systemd runs.
pub fn become_watchdog() {
    // Each may fail where this is not root, and none is needed on a machine that has enough of all.
    let _ = rustix::process::setsid();
    let passing = [
        Signal::HUP,
        Signal::INT,
        Signal::QUIT,
        Signal::TERM,
        Signal::PIPE,
        Signal::ALARM,
        Signal::USR1,
        Signal::USR2,
        Signal::XCPU,
        Signal::XFSZ,
    ];
    let _ = surefoot_sys::outlive_signals(&passing.map(Signal::as_raw));
    let _ = std::fs::write("/proc/self/oom_score_adj", "-1000");
    let _ = rustix::mm::mlockall(MlockAllFlags::CURRENT);
    // Root of a user namespace may lock a little only, and would then be refused all further memory.
    let users = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let of_all = users.split_whitespace().eq(["0", "0", "4294967295"]);
    if of_all && rustix::process::geteuid().is_root() {
        let _ = rustix::mm::mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE);
    }
}

/// A mount that is read-only.
#[derive(Debug, PartialEq)]
struct ReadOnlyMount {
    place: PathBuf,
    /// Its other flags.
    flags: MountFlags,
    /// Whether the file system itself is read-only, under all its mounts, and not this mount alone.
    whole: bool,
}

/// `MS_BIND` and `MS_NOSYMFOLLOW` of `<linux/mount.h>`, which rustix does not name for a remount.
const BIND: MountFlags = MountFlags::from_bits_retain(0x1000);
const NO_SYMLINK_FOLLOW: MountFlags = MountFlags::from_bits_retain(0x100);

impl ReadOnlyMount {
    fn make_writable(&self) -> rustix::io::Result<()> {
        self.remount(self.flags)
    }

    fn make_read_only(&self) -> rustix::io::Result<()> {
        self.remount(self.flags | MountFlags::RDONLY)
    }

    /// Without `MS_BIND` the flags are those of the file system, for its other mounts as well.
    fn remount(&self, flags: MountFlags) -> rustix::io::Result<()> {
        let flags = if self.whole { flags } else { flags | BIND };
        rustix::mount::mount_remount(&self.place, flags, "")
    }
}

/// The mount that an error is about, if it is that it is read-only.
fn read_only_mount(error: &JournalError) -> Option<ReadOnlyMount> {
    let JournalError::Io { path, source, .. } = error else {
        return None;
    };
    if source.kind() != io::ErrorKind::ReadOnlyFilesystem {
        return None;
    }
    let folder = path.ancestors().find(|folder| folder.exists())?;
    let device = std::fs::metadata(folder).ok()?.dev();
    let text = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let folder = folder.canonicalize().ok()?;
    text.lines()
        .filter_map(parse_mount)
        .filter(|(number, mount)| *number == device && folder.starts_with(&mount.place))
        .map(|(_, mount)| mount)
        .max_by_key(|mount| mount.place.as_os_str().len())
}

/// A line of `/proc/self/mountinfo`: the device, and the mount.
fn parse_mount(line: &str) -> Option<(u64, ReadOnlyMount)> {
    let mut words = line.split(' ').skip(2);
    let (major, minor) = words.next()?.split_once(':')?;
    let device = rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?);
    let place = unescape(words.nth(1)?);
    let mut flags = MountFlags::empty();
    for option in words.next()?.split(',') {
        flags |= match option {
            "nosuid" => MountFlags::NOSUID,
            "nodev" => MountFlags::NODEV,
            "noexec" => MountFlags::NOEXEC,
            "noatime" => MountFlags::NOATIME,
            "nodiratime" => MountFlags::NODIRATIME,
            "relatime" => MountFlags::RELATIME,
            "nosymfollow" => NO_SYMLINK_FOLLOW,
            _ => MountFlags::empty(),
        };
    }
    // Optional fields end with a dash; type, source and the options of the file system follow.
    let (_, of_whole) = line.split_once(" - ")?;
    let mut whole = false;
    for option in of_whole.split(' ').nth(2)?.split(',') {
        whole |= option == "ro";
        flags |= match option {
            "sync" => MountFlags::SYNCHRONOUS,
            "dirsync" => MountFlags::DIRSYNC,
            _ => MountFlags::empty(),
        };
    }
    let mount = ReadOnlyMount {
        place,
        flags,
        whole,
    };
    Some((device, mount))
}

/// Undoes the kernel's `\040` for a blank and the like.
fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|_| *first == b'\\');
        let value = octal
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(value.unwrap_or(*first));
        rest = if value.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_read_with_its_flags_and_blanks() {
        let line = r"36 35 98:0 /mnt1 /mnt\040two ro,noatime,nosuid master:1 - ext3 /dev/root ro";
        let (device, mount) = parse_mount(line).expect("it is a mount");
        assert_eq!(device, rustix::fs::makedev(98, 0));
        assert_eq!(mount.place, Path::new("/mnt two"));
        assert_eq!(mount.flags, MountFlags::NOATIME | MountFlags::NOSUID);
        assert!(mount.whole);
        let line = "36 35 98:0 /a /b ro,nosymfollow,relatime - tmpfs none rw,sync";
        let (_, mount) = parse_mount(line).expect("it is a mount");
        let flags = NO_SYMLINK_FOLLOW | MountFlags::RELATIME | MountFlags::SYNCHRONOUS;
        assert_eq!((mount.flags, mount.whole), (flags, false));
    }
}
