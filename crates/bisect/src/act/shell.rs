//! Commands of the administrator: run in a shell, in a process group of their own, never for longer than
//! their limit.
//!
//! A command waits at a gate until the guard knows its number: so no command can run on after this program
//! was killed without the guard waiting for its end.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, MemfdFlags};
use rustix::process::{Pid, Signal};

/// How much of what a command wrote is kept.
const LONGEST_OUTPUT: u64 = 64 << 10;

/// How much of a line is shown.
const LONGEST_LINE: usize = 200;

/// How a command ended.
#[derive(Clone, Debug)]
pub(super) struct CommandEnd {
    /// Its status; nothing if a signal ended it or its time was over.
    pub(super) status: Option<i32>,
    /// What it wrote.
    pub(super) output: Vec<u8>,
    /// Whether its time was over.
    pub(super) was_late: bool,
    pub(super) took: Duration,
}

impl CommandEnd {
    pub(super) fn is_success(&self) -> bool {
        self.status == Some(0)
    }

    /// How it ended, with the end of what it wrote.
    pub(super) fn describe(&self) -> String {
        let how = match self.status {
            _ if self.was_late => {
                format!("did not end within {} s and was ended", self.took.as_secs())
            }
            Some(status) => format!("ended with {status}"),
            None => "was ended by a signal".to_owned(),
        };
        let said = self.last_lines(6);
        if said.is_empty() {
            how
        } else {
            format!("{how}: {said}")
        }
    }

    /// The last lines of what it wrote, in one.
    pub(super) fn last_lines(&self, most: usize) -> String {
        let text = String::from_utf8_lossy(&self.output);
        let lines: Vec<&str> = text.trim().lines().collect();
        let from = lines.len().saturating_sub(most);
        let lines = lines[from..].iter().map(|line| shorten(line));
        lines.collect::<Vec<_>>().join(" | ")
    }
}

/// The beginning of a line that may be of any length.
pub(super) fn shorten(line: &str) -> String {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Tells the guard that a command runs, and that none does.
pub(super) trait CommandLog {
    fn begins(&mut self, process: u32) -> io::Result<()>;
    fn ended(&mut self) -> io::Result<()>;
}

/// Where no guard is.
pub(super) struct NoLog;

impl CommandLog for NoLog {
    fn begins(&mut self, _process: u32) -> io::Result<()> {
        Ok(())
    }
    fn ended(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for a line before it becomes the command; without one it ends.
const GATE: &str = "read -r go || exit 125; exec sh -c \"$1\" </dev/null";

/// Runs a command in this process's working folder.
pub(super) fn run_shell(
    command: &str,
    limit: Duration,
    log: &mut dyn CommandLog,
) -> io::Result<CommandEnd> {
    run_shell_in(None, command, limit, log)
}

/// Runs a command in a folder.
pub(super) fn run_shell_in(
    folder: Option<&Path>,
    command: &str,
    limit: Duration,
    log: &mut dyn CommandLog,
) -> io::Result<CommandEnd> {
    let output = File::from(rustix::fs::memfd_create("surefoot", MemfdFlags::CLOEXEC)?);
    let begun = Instant::now();
    let mut shell = Command::new("sh");
    if let Some(folder) = folder {
        shell.current_dir(folder);
    }
    let mut child = shell
        .args(["-c", GATE, "sh", command])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(output.try_clone()?)
        .stderr(output.try_clone()?)
        .spawn()?;
    let gate = child.stdin.take();
    let opened = log.begins(child.id()).and_then(|()| match gate {
        Some(mut gate) => gate.write_all(b"go\n"),
        None => Ok(()),
    });
    if let Err(error) = opened {
        end_group(&mut child)?;
        return Err(error);
    }
    let status = wait_until(&mut child, begun + limit, &output)?;
    log.ended()?;
    let length = output.metadata()?.len();
    let kept = length.min(LONGEST_OUTPUT);
    let mut bytes = vec![0; usize::try_from(kept).unwrap_or(0)];
    output.read_exact_at(&mut bytes, length - kept)?;
    Ok(CommandEnd {
        was_late: status.is_none(),
        status: status.and_then(|status| status.code()),
        output: bytes,
        took: begun.elapsed(),
    })
}

fn wait_until(
    child: &mut Child,
    end: Instant,
    output: &File,
) -> io::Result<Option<std::process::ExitStatus>> {
    let mut pause = Duration::from_micros(500);
    let mut dropped = 0;
    loop {
        // Only the end is kept: what is far behind it takes no memory.
        let old = output.metadata()?.len().saturating_sub(LONGEST_OUTPUT);
        if old > dropped + LONGEST_OUTPUT {
            let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(output, how, 0, old)?;
            dropped = old;
        }
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            end_group(child)?;
            return Ok(None);
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}

/// Ends a command with its group. It is not waited for yet, so its number is still its own.
fn end_group(child: &mut Child) -> io::Result<()> {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_ends_with_its_status_and_what_it_wrote() {
        let end = run_shell(
            "echo a; echo b >&2; exit 3",
            Duration::from_secs(20),
            &mut NoLog,
        );
        let end = end.expect("it runs");
        assert_eq!((end.status, end.was_late), (Some(3), false));
        assert_eq!(end.describe(), "ended with 3: a | b");
    }

    #[test]
    fn of_what_a_command_wrote_the_end_is_kept() {
        let write = "head -c 30000000 /dev/zero; sleep 0.1; echo; echo end; printf '%0999d' 0";
        let end = run_shell(write, Duration::from_secs(20), &mut NoLog).expect("it runs");
        assert_eq!(end.output.len() as u64, LONGEST_OUTPUT);
        let said = end.last_lines(2);
        assert_eq!(said, format!("end | {}…", "0".repeat(LONGEST_LINE)));
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended_with_its_group() {
        let end = run_shell(
            "sleep 60; echo late",
            Duration::from_millis(200),
            &mut NoLog,
        );
        let end = end.expect("it runs");
        assert!(end.was_late && end.took < Duration::from_secs(10));
    }

    #[test]
    fn a_command_does_not_begin_where_the_guard_does_not_know_it() {
        struct Refusing;
        impl CommandLog for Refusing {
            fn begins(&mut self, _process: u32) -> io::Result<()> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn ended(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("file");
        let command = format!("touch {}", file.display());
        assert!(run_shell(&command, Duration::from_secs(20), &mut Refusing).is_err());
        assert!(!file.exists());
    }
}
