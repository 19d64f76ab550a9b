//! Runs a program that prints facts, with bounds on its time and on what it prints.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// More than this no program prints: 700,000 rules of kube-proxy take 100 MiB.
const LARGEST: u64 = 1 << 30;

/// As much as is kept of what a program complains of.
const COMPLAINT: u64 = 1 << 16;

/// The standard output of a program that ends well and in time; else why there is none.
pub(super) fn run(
    program: &Path,
    arguments: &[&str],
    path: &str,
    patience: Duration,
) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let output = child.stdout.take().map(|pipe| collect(pipe, LARGEST + 1));
    let errors = child.stderr.take().map(|pipe| collect(pipe, COMPLAINT));
    let (output, errors) = match (output.transpose(), errors.transpose()) {
        (Ok(output), Ok(errors)) => (output, errors),
        (Err(error), _) | (_, Err(error)) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(format!("what it prints cannot be read: {error}"));
        }
    };
    let begun = Instant::now();
    let late = || format!("no answer within {} s", patience.as_secs_f32());
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if begun.elapsed() > patience => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(late());
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(1)),
            Err(error) => return Err(error.to_string()),
        }
    };
    // A process that the program left behind may hold its end of the pipe for ever.
    let left = || {
        patience
            .saturating_sub(begun.elapsed())
            .max(Duration::from_millis(100))
    };
    let whole = |pipe: Option<Receiver<io::Result<Vec<u8>>>>| match pipe {
        Some(pipe) => pipe
            .recv_timeout(left())
            .map_err(|_| late())?
            .map_err(|error| error.to_string()),
        None => Ok(Vec::new()),
    };
    if status.success() {
        let output = whole(output)?;
        if output.len() as u64 > LARGEST {
            return Err("it prints more than 1 GiB".to_owned());
        }
        return Ok(String::from_utf8(output)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()));
    }
    let errors = whole(errors).unwrap_or_default();
    let errors = String::from_utf8_lossy(&errors);
    if !rustix::process::geteuid().is_root() {
        return Err("only root may ask for them".to_owned());
    }
    let first = errors.lines().map(str::trim).find(|line| !line.is_empty());
    Err(first.map_or_else(|| status.to_string(), ToOwned::to_owned))
}

/// Reads a pipe in a thread of its own, so that no program waits for room in it. Output
/// beyond `limit` is not kept; the program notices a broken pipe.
fn collect(
    pipe: impl Read + Send + 'static,
    limit: u64,
) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (give, take) = channel();
    std::thread::Builder::new().spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.take(limit).read_to_end(&mut bytes);
        // The caller may have stopped waiting.
        let _ = give.send(read.map(|_| bytes));
    })?;
    Ok(take)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<String, String> {
        let patience = Duration::from_millis(500);
        run(
            Path::new("/bin/sh"),
            &["-c", script],
            "/usr/bin:/bin",
            patience,
        )
    }

    #[test]
    fn what_is_printed_is_taken_only_from_a_success() {
        assert_eq!(shell("echo yes; echo no >&2"), Ok("yes\n".to_owned()));
        assert_eq!(
            shell("echo part; echo; echo ' why' >&2; exit 3"),
            Err("why".to_owned())
        );
        assert_eq!(shell("echo part; exit 3"), Err("exit status: 3".to_owned()));
        let killed = shell("echo part; kill -9 $$").unwrap_err();
        assert!(killed.contains("signal: 9"), "{killed}");
        assert!(run(Path::new("/no/such"), &[], "", Duration::ZERO).is_err());
    }

    #[test]
    fn nobody_is_waited_for_without_end() {
        let begun = Instant::now();
        // `exec`, so that nothing is left behind by the test.
        let hanging = shell("exec sleep 3").unwrap_err();
        assert!(hanging.starts_with("no answer within 0.5"), "{hanging}");
        let left_behind = shell("sleep 3 & echo started").unwrap_err();
        assert!(left_behind.starts_with("no answer"), "{left_behind}");
        assert!(begun.elapsed() < Duration::from_secs(3));
    }

    #[test]
    fn more_than_a_pipe_holds_is_read_and_endless_complaints_are_cut() {
        assert_eq!(
            shell("head -c 300000 /dev/zero").map(|text| text.len()),
            Ok(300_000)
        );
        assert!(shell("head -c 300000 /dev/zero >&2; exit 1").is_err());
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        assert_eq!(shell("printf 'a\\377b'"), Ok("a\u{fffd}b".to_owned()));
    }
}
