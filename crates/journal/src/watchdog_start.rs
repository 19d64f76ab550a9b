//! Starting the two watchdogs of an entry: as units of systemd where that runs, else as processes of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::entry::JournalEntry;
use crate::error::JournalError;
use crate::file_make::remove_if_there;
use crate::journal::Journal;

/// How long the start of a watchdog may take.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// How long the second one is waited for.
const SECOND_READY_WITHIN: Duration = Duration::from_secs(2);

/// Which of the two watchdogs of an entry is started.
#[derive(Clone, Copy)]
enum WatchRank {
    First,
    Second,
}

impl WatchRank {
    fn suffix(self) -> &'static str {
        match self {
            Self::First => "",
            Self::Second => "-second",
        }
    }

    /// The words behind the number.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::First => &[],
            Self::Second => &["--second"],
        }
    }
}

/// How a watchdog is started.
#[derive(Clone, Debug)]
pub struct WatchdogStarter {
    /// The program, which calls [`Journal::watch`] when it is given these words and the number, and
    /// [`Journal::watch_as_second`] if `--second` follows.
    pub program: PathBuf,
    /// The words before the number.
    pub words: Vec<String>,
    /// Whether systemd runs here and keeps the watchdog as a unit of its own.
    pub systemd: bool,
}

impl WatchdogStarter {
    /// Starts the watchdog of an entry and returns when it is ready.
    pub fn start(&self, journal: &Journal, entry: &JournalEntry) -> Result<(), JournalError> {
        let number = entry.number;
        let ready = journal.ready_file(number);
        remove_if_there(journal.storage(), &ready)?;
        let by_systemd = self.systemd && self.run_under_systemd(entry, WatchRank::First).is_ok();
        if !by_systemd {
            self.run_alone(number, WatchRank::First)?;
        }
        let begun = Instant::now();
        while !ready.exists() {
            if begun.elapsed() > READY_WITHIN {
                return Err(JournalError::WatchdogFailed {
                    why: format!("it is not ready after {} s", READY_WITHIN.as_secs()),
                });
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.start_second(journal, entry);
        Ok(())
    }

    /// Starts the watchdog that watches the first. The change is guarded without it, too.
    fn start_second(&self, journal: &Journal, entry: &JournalEntry) {
        let by_systemd = self.systemd && self.run_under_systemd(entry, WatchRank::Second).is_ok();
        if !by_systemd && self.run_alone(entry.number, WatchRank::Second).is_err() {
            return;
        }
        let begun = Instant::now();
        while !journal.is_watched_twice(entry.number) && begun.elapsed() < SECOND_READY_WITHIN {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// As a transient unit: it survives a logout with `KillUserProcesses`, and what ends the session.
    fn run_under_systemd(&self, entry: &JournalEntry, rank: WatchRank) -> Result<(), JournalError> {
        let mut command = Command::new("systemd-run");
        command
            // It passes over SIGTERM. The end of the machine must not wait for it: the next start reverses.
            .args(["--quiet", "--collect", "--property=OOMScoreAdjust=-1000"])
            .args([
                "--property=KillSignal=SIGKILL",
                "--property=WorkingDirectory=/",
            ])
            // One that was killed is started again.
            .args([
                "--property=Restart=on-failure",
                "--property=RestartSec=100ms",
            ])
            .arg(format!(
                "--unit=surefoot-watchdog-{}{}",
                entry.tag,
                rank.suffix()
            ))
            .arg("--")
            .arg(&self.program)
            .args(&self.words)
            .arg(entry.number.to_string())
            .args(rank.words())
            .stdin(Stdio::null());
        let failed = |why: String| JournalError::WatchdogFailed { why };
        let output = command
            .output()
            .map_err(|error| failed(format!("`systemd-run` cannot be run: {error}")))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(failed(format!("`systemd-run`: {}", said.trim())))
    }

    /// As a process that makes a session of its own.
    fn run_alone(&self, number: u64, rank: WatchRank) -> Result<(), JournalError> {
        let mut command = Command::new(&self.program);
        // It outlives this process by far: a pipe or a file that it kept open would be held that long.
        surefoot_sys::keep_files_from(&mut command);
        command
            .args(&self.words)
            .arg(number.to_string())
            .args(rank.words())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(drop)
            .map_err(|error| JournalError::WatchdogFailed {
                why: format!("`{}` cannot be run: {error}", self.program.display()),
            })
    }
}

/// Whether systemd runs this machine, and sees the files and the network that this process sees.
pub fn systemd_runs() -> bool {
    let space = |process: &str, kind| std::fs::read_link(format!("/proc/{process}/ns/{kind}")).ok();
    let is_shared = |kind| space("self", kind) == space("1", kind);
    Path::new("/run/systemd/system").is_dir() && is_shared("mnt") && is_shared("net")
}
