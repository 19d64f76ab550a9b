//! Programs that belong to a change: what they read, and how they ended.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::error::JournalError;

/// Runs a program with an input and gives its output. Fails if the program does.
pub(crate) fn run_command(words: &[String], input: &[u8]) -> Result<Vec<u8>, JournalError> {
    let failed = |how: String| JournalError::CommandFailed {
        command: words.join(" "),
        how,
    };
    let Some((program, arguments)) = words.split_first() else {
        return Err(failed("names no program".to_owned()));
    };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    let mut stdin = child.stdin.take();
    // The input is written beside the reading, so that neither side can wait for the other.
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(stdin) = stdin.as_mut() {
                // A program that ends before it has read all says so by its exit status.
                let _ = stdin.write_all(input);
            }
            drop(stdin);
        });
        child.wait_with_output()
    })
    .map_err(|error| failed(format!("cannot be waited for: {error}")))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    Err(failed(if said.is_empty() {
        format!("ended with {}", output.status)
    } else {
        format!("ended with {}: {said}", output.status)
    }))
}
