//! A network namespace, and running things in it.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use surefoot_sys::NetworkNamespace;
use tempfile::NamedTempFile;

/// A network of its own for a test.
#[derive(Debug)]
pub struct Namespace {
    network: NetworkNamespace,
    /// In a user namespace no process may write where `iptables-legacy` has its lock.
    lock: NamedTempFile,
}

impl Namespace {
    /// Makes an empty one; only `lo` is there, and it is down.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            network: NetworkNamespace::new()?,
            lock: NamedTempFile::new()?,
        })
    }

    /// Calls the function on a thread that is in the namespace. Sockets and devices that it opens
    /// stay in the namespace wherever they are used later.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.network.enter()?;
                work()
            });
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs a command in the namespace and gives what it prints. Fails if the command does.
    pub fn run(&self, words: &[&str]) -> io::Result<String> {
        self.feed(words, "")
    }

    /// Likewise, with text for the command to read.
    pub fn feed(&self, words: &[&str], text: &str) -> io::Result<String> {
        self.within(|| {
            let (program, arguments) = words
                .split_first()
                .ok_or_else(|| io::Error::other("no command"))?;
            let mut child = Command::new(program)
                .args(arguments)
                .env("XTABLES_LOCKFILE", self.lock.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .map_err(|error| io::Error::other(format!("cannot run `{program}`: {error}")))?;
            if let Some(mut input) = child.stdin.take() {
                // A command that refuses its input closes the pipe early, and says why itself.
                let _ = input.write_all(text.as_bytes());
            }
            let output = child.wait_with_output()?;
            if output.status.success() {
                return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
            }
            Err(io::Error::other(format!(
                "`{}` ended with {}: {}",
                words.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            )))
        })
    }

    /// Sets a kernel setting by its dotted name. A dot in an interface's name is written `/`.
    pub fn set(&self, setting: &str, value: &str) -> io::Result<()> {
        let path: String = setting
            .chars()
            .map(|letter| match letter {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect();
        self.within(|| {
            std::fs::write(format!("/proc/sys/{path}"), value)
                .map_err(|error| io::Error::other(format!("cannot set {setting}: {error}")))
        })
    }
}
