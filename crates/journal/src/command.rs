//! Programs that belong to a change: what they read, and how they ended.
//!
//! A program works in `/`, in a process group of its own, with an input and an output that are memory:
//! a daemon that it leaves behind keeps none of our descriptors that anything waits for. A program that
//! takes too long is ended, with its group.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::fs::MemfdFlags;
use rustix::process::{Pid, Signal};

use crate::error::JournalError;

/// How long a program may take.
pub(crate) const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// How much of what a program wrote is kept.
const LONGEST_OUTPUT: u64 = 256 << 20;

/// How long a program has to end by itself once it was interrupted.
const AFTER_INTERRUPT: Duration = Duration::from_secs(2);

/// What ends a program before it ends by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandBounds {
    /// The longest that it may take.
    pub(crate) longest: Duration,
    /// Whether the person who waits for it has had enough; asking clears it.
    pub(crate) interrupted: fn() -> bool,
}

/// How the wait for a program ended.
enum WaitEnd {
    Ended(ExitStatus),
    TookTooLong,
    Interrupted,
}

/// Runs a program with an input, for at most so long, and gives its output.
pub fn run_program(
    words: &[String],
    input: &[u8],
    longest: Duration,
) -> Result<Vec<u8>, JournalError> {
    let bounds = CommandBounds {
        longest,
        interrupted: || false,
    };
    run_command(words, input, bounds)
}

/// Runs a program with an input and gives its output. Fails if the program does, or if its bounds end it.
pub(crate) fn run_command(
    words: &[String],
    input: &[u8],
    bounds: CommandBounds,
) -> Result<Vec<u8>, JournalError> {
    let failed = |how: String| JournalError::CommandFailed {
        command: words.join(" "),
        how,
    };
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed("names no program".to_owned()));
    };
    let unable = |error: io::Error| failed(format!("cannot be run: {error}"));
    let stdin = memory_file(input).map_err(unable)?;
    let stdout = memory_file(b"").map_err(unable)?;
    let stderr = memory_file(b"").map_err(unable)?;
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir("/")
        .process_group(0)
        .stdin(stdin)
        .stdout(stdout.try_clone().map_err(unable)?)
        .stderr(stderr.try_clone().map_err(unable)?)
        .spawn()
        .map_err(unable)?;
    let end = wait_within(&mut child, bounds)
        .map_err(|error| failed(format!("cannot be waited for: {error}")))?;
    let status = match end {
        WaitEnd::Ended(status) => status,
        WaitEnd::Interrupted => return Err(failed("was interrupted".to_owned())),
        WaitEnd::TookTooLong => {
            return Err(failed(format!(
                "did not end within {} and was ended",
                in_seconds(bounds.longest)
            )));
        }
    };
    if status.success() {
        return read_back(&stdout)
            .map_err(|error| failed(format!("wrote what cannot be read: {error}")));
    }
    let said = read_back(&stderr).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let said = said.trim();
    Err(failed(if said.is_empty() {
        format!("ended with {status}")
    } else {
        format!("ended with {status}: {said}")
    }))
}

/// Waits for a program; ends it with all its group when its time is over, and asks it to end when it is
/// interrupted.
fn wait_within(child: &mut Child, bounds: CommandBounds) -> io::Result<WaitEnd> {
    let mut end = Instant::now() + bounds.longest;
    let mut was_interrupted = false;
    let mut pause = Duration::from_millis(1);
    // The child is not waited for yet, so its number is still its own.
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let signal_group = |signal| {
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    };
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(if was_interrupted {
                WaitEnd::Interrupted
            } else {
                WaitEnd::Ended(status)
            });
        }
        if (bounds.interrupted)() {
            was_interrupted = true;
            end = end.min(Instant::now() + AFTER_INTERRUPT);
            signal_group(Signal::INT);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            signal_group(Signal::KILL);
            child.kill()?;
            child.wait()?;
            return Ok(if was_interrupted {
                WaitEnd::Interrupted
            } else {
                WaitEnd::TookTooLong
            });
        }
        std::thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// A file in memory that holds these bytes, read and written from its beginning.
fn memory_file(bytes: &[u8]) -> io::Result<File> {
    let mut file = File::from(rustix::fs::memfd_create("surefoot", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

/// What was written so far. A child that was left behind may write on: its place is not moved.
fn read_back(file: &File) -> io::Result<Vec<u8>> {
    let length = file.metadata()?.len().min(LONGEST_OUTPUT);
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn in_seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, input: &[u8], limit: Duration) -> Result<Vec<u8>, String> {
        let words = ["sh", "-c", script].map(str::to_owned);
        let bounds = CommandBounds {
            longest: limit,
            interrupted: || false,
        };
        run_command(&words, input, bounds).map_err(|error| error.to_string())
    }

    #[test]
    fn a_program_reads_writes_and_fails_with_what_it_said() {
        let many = vec![b'x'; 1 << 20];
        assert_eq!(
            run("cat; pwd", &many, COMMAND_LIMIT).map(|out| out.len()),
            Ok((1 << 20) + 2)
        );
        let error = run("echo no >&2; exit 3", b"", COMMAND_LIMIT).expect_err("it fails");
        assert!(error.ends_with("ended with exit status: 3: no"), "{error}");
    }

    #[test]
    fn a_child_that_keeps_the_output_is_not_waited_for() {
        let begun = Instant::now();
        let out = run("sleep 8 & echo done", b"", COMMAND_LIMIT);
        assert_eq!(out.as_deref(), Ok(&b"done\n"[..]));
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
    }

    #[test]
    fn what_takes_too_long_is_ended_with_its_group() {
        let begun = Instant::now();
        let error = run("sleep 20; echo late", b"", Duration::from_millis(300));
        assert_eq!(
            error.expect_err("it takes too long"),
            "`sh -c sleep 20; echo late` did not end within 0.3 s and was ended"
        );
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{:?}",
            begun.elapsed()
        );
    }
}
