//! The guard: a process that puts everything back at once when the one that bisects is gone.
//!
//! The watchdog of the journal does so at the deadline, and the next start after a boot; the guard does not
//! wait. It reads from a pipe which command runs, and a pipe ends with its writer, whatever ended that.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal};
use surefoot_journal::{EntryState, Journal, JournalError};

use super::shell::CommandLog;
use crate::error::BisectError;

/// How long the start of a guard may take.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// How long a command that was running may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a guard is started: it must print a line when it is ready, and then call [`guard_bisection`] with its
/// standard input.
#[derive(Clone, Debug)]
pub struct GuardStarter {
    /// The program.
    pub program: PathBuf,
    /// The words before the number of the entry.
    pub words: Vec<String>,
}

/// The way to a guard. The guard puts everything back when it is gone while the entry is still armed.
#[derive(Debug)]
pub struct GuardLink {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl GuardStarter {
    /// Starts a guard for an entry, and returns when it is ready.
    pub fn start(&self, number: u64) -> Result<GuardLink, BisectError> {
        let failed = |why: String| BisectError::GuardFailed { why };
        let mut child = Command::new(&self.program)
            .args(&self.words)
            .arg(number.to_string())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("`{}`: {error}", self.program.display())))?;
        let pipe = child.stdin.take();
        let Some(mut said) = child.stdout.take() else {
            return Err(failed("it has no output".to_owned()));
        };
        let link = GuardLink { child, pipe };
        let limit = Timespec::try_from(READY_WITHIN).map_err(|_| failed("the limit".to_owned()))?;
        let mut wanted = [PollFd::new(&said, PollFlags::IN)];
        poll(&mut wanted, Some(&limit)).map_err(|errno| failed(errno.to_string()))?;
        let mut first = [0];
        let has_spoken = !wanted[0].revents().is_empty();
        if has_spoken && said.read(&mut first).is_ok_and(|length| length == 1) {
            Ok(link)
        } else {
            Err(failed("it is not ready in time".to_owned()))
        }
    }
}

impl CommandLog for GuardLink {
    fn begins(&mut self, process: u32) -> io::Result<()> {
        self.say(&format!("run {process}\n"))
    }

    fn ended(&mut self) -> io::Result<()> {
        self.say("end\n")
    }
}

impl GuardLink {
    fn say(&mut self, line: &str) -> io::Result<()> {
        match &mut self.pipe {
            Some(pipe) => pipe.write_all(line.as_bytes()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for GuardLink {
    fn drop(&mut self) {
        drop(self.pipe.take());
        // It ends at once, as the entry is settled by now; if not, it is not waited for.
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A link that is made while the journal arms an entry.
#[derive(Default)]
pub(super) struct GuardSlot(RefCell<Option<GuardLink>>);

impl GuardSlot {
    pub(super) fn fill(&self, link: GuardLink) {
        self.0.replace(Some(link));
    }

    pub(super) fn take(&self) -> Option<GuardLink> {
        self.0.take()
    }
}

/// How a guard's work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuardOutcome {
    /// The entry was settled.
    Settled,
    /// Everything was put back.
    PutBack {
        /// Which kind of change it was.
        kind: String,
        /// What a person has to be told.
        told: Vec<String>,
    },
}

/// Waits until the process that writes to `input` is gone, and puts back what it left.
pub fn guard_bisection(
    journal: &Journal,
    number: u64,
    input: impl Read,
) -> Result<GuardOutcome, JournalError> {
    let mut running: Option<RunningCommand> = None;
    for line in BufReader::new(input).lines() {
        let Ok(line) = line else { break };
        running = line
            .strip_prefix("run ")
            .and_then(|process| process.parse().ok())
            .and_then(RunningCommand::of);
    }
    if let Some(command) = running {
        command.wait_or_end();
    }
    // The usual end: it was settled, and the lock may still be held.
    if let Ok(entry) = journal.entry(number)
        && entry.state != EntryState::Armed
        && entry.under_way.is_none()
    {
        return Ok(GuardOutcome::Settled);
    }
    let begun = Instant::now();
    let session = loop {
        match journal.lock() {
            Ok(session) => break session,
            // Another surefoot that began meanwhile settles it itself, or waits for nothing.
            Err(JournalError::JournalLocked { .. }) if begun.elapsed() < 6 * PATIENCE => {}
            Err(error) => return Err(error),
        }
    };
    let entry = journal.entry(number)?;
    if entry.state != EntryState::Armed {
        let recovered = session.recovered.iter();
        let told: Vec<String> = recovered
            .filter(|report| report.number == number)
            .map(|report| report.what.clone())
            .collect();
        return Ok(if told.is_empty() {
            GuardOutcome::Settled
        } else {
            GuardOutcome::PutBack {
                kind: entry.kind,
                told,
            }
        });
    }
    let (entry, told) = session.roll_back(number)?;
    Ok(GuardOutcome::PutBack {
        kind: entry.kind,
        told,
    })
}

/// A command of another process.
struct RunningCommand {
    process: u32,
    /// When it was started, in clock ticks; with its number that names it.
    begun: u64,
}

impl RunningCommand {
    fn of(process: u32) -> Option<Self> {
        Some(Self {
            process,
            begun: start_of(process)?,
        })
    }

    /// Waits for its end; ends it with its group when that takes too long.
    fn wait_or_end(&self) {
        let since = Instant::now();
        while start_of(self.process) == Some(self.begun) {
            if since.elapsed() > PATIENCE {
                let group = i32::try_from(self.process).ok().and_then(Pid::from_raw);
                if let Some(group) = group {
                    let _ = rustix::process::kill_process_group(group, Signal::KILL);
                }
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// When a process was started; nothing for one that has ended and was not collected yet.
fn start_of(process: u32) -> Option<u64> {
    let path = Path::new("/proc").join(process.to_string()).join("stat");
    let stat = std::fs::read_to_string(path).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut words = rest.split_whitespace();
    if matches!(words.next(), Some("Z" | "X")) {
        return None;
    }
    words.nth(18)?.parse().ok()
}
