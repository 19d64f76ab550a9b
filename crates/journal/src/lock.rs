//! One surefoot at a time: the lock on the journal, and the session that holds it.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::error::JournalError;
use crate::file_state::read_quietly;
use crate::journal::Journal;
use crate::recover::RecoveryReport;

/// How often a lock that is held is tried again.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// The right to change things. While it lives no other surefoot changes this machine.
pub struct JournalSession<'a> {
    pub(crate) journal: &'a Journal,
    /// What was found half-done and settled when the session began.
    pub recovered: Vec<RecoveryReport>,
    _lock: File,
}

impl Journal {
    /// Waits for the lock, then settles what an interrupted surefoot left half-done.
    pub fn lock(&self) -> Result<JournalSession<'_>, JournalError> {
        if !self.options.state_dir.is_dir() {
            self.make_root()?;
        }
        let mut session = self.lock_only(self.options.lock_wait)?;
        self.make_folders()?;
        session.recovered = session.recover()?;
        Ok(session)
    }

    /// Takes the lock, and settles nothing.
    pub(crate) fn lock_only(&self, wait: Duration) -> Result<JournalSession<'_>, JournalError> {
        let path = self.options.state_dir.join("lock");
        let file = open_lock(&path)?;
        take_lock(&file, &path, wait)?;
        say_who(&file);
        Ok(JournalSession {
            journal: self,
            recovered: vec![],
            _lock: file,
        })
    }

    /// Whether some surefoot holds the lock.
    pub fn is_locked(&self) -> bool {
        let path = self.options.state_dir.join("lock");
        open_lock(&path).is_ok_and(|file| take_lock(&file, &path, Duration::ZERO).is_err())
    }

    /// Ends the process that holds the lock, if it says so and is still that process; one that is busy
    /// with what the lock is wanted for only if it is stopped.
    pub(crate) fn end_lock_holder(&self, is_busy: bool) -> Option<()> {
        let text = read_quietly(&self.options.state_dir.join("lock")).ok()?;
        let text = String::from_utf8_lossy(&text);
        let mut words = text.split_whitespace();
        let process: u32 = words.next()?.parse().ok()?;
        let begun: u64 = words.next()?.parse().ok()?;
        let number = Pid::from_raw(i32::try_from(process).ok()?)?;
        // The descriptor stays that of one process, even if its number is given to another.
        let holder = rustix::process::pidfd_open(number, PidfdFlags::empty());
        if start_of(process) != Some(begun) || (is_busy && !is_stopped(process)) {
            return None;
        }
        match holder {
            Ok(holder) => rustix::process::pidfd_send_signal(holder, Signal::KILL).ok(),
            // Before Linux 5.3.
            Err(Errno::NOSYS) => rustix::process::kill_process(number, Signal::KILL).ok(),
            Err(_) => None,
        }
    }
}

/// Whether a process is stopped, and so does nothing more by itself.
pub(crate) fn is_stopped(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    matches!(rest.split_whitespace().next(), Some("T" | "t"))
}

fn open_lock(path: &Path) -> Result<File, JournalError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mode = Mode::RUSR | Mode::WUSR;
    match rustix::fs::openat(CWD, path, flags, mode) {
        // A lock needs no write.
        Err(Errno::ROFS | Errno::NOSPC | Errno::DQUOT) => {
            let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
            rustix::fs::openat(CWD, path, flags, Mode::empty())
        }
        other => other,
    }
    .map(File::from)
    .map_err(|errno| JournalError::io("open", path, errno))
}

fn take_lock(file: &File, path: &Path, wait: Duration) -> Result<(), JournalError> {
    let begun = Instant::now();
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) if begun.elapsed() < wait => {
                std::thread::sleep(BETWEEN_TRIES);
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(JournalError::JournalLocked {
                    holder: read_holder(file),
                });
            }
            Err(errno) => return Err(JournalError::io("lock", path, errno)),
        }
    }
}

/// Writes the process down, for people and for the watchdog. The lock itself does not need it, so
/// a full disk is no matter.
pub(crate) fn say_who(file: &File) {
    let process = std::process::id();
    let begun = start_of(process).unwrap_or(0);
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let command: Vec<String> = words.collect();
    let text = format!("{process} {begun} {}\n", command.join(" "));
    let mut file = file;
    let _ = file
        .set_len(0)
        .and_then(|()| file.seek(io::SeekFrom::Start(0)))
        .and_then(|_| file.write_all(text.as_bytes()));
}

fn read_holder(mut file: &File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    let mut words = text.trim().splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some(process), Some(_), Some(command)) => format!("process {process}, `{command}`"),
        _ => "its process is unknown".to_owned(),
    }
}

/// When a process was started, in clock ticks since boot; with its number that names it.
pub(crate) fn start_of(process: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The command's name may hold anything; what follows its last parenthesis may not.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}
