//! Runs the program the way a user does.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit status.
    pub(crate) status: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

/// The program in the folder of the workspace, with nothing of the caller's settings.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_surefoot"));
    command
        .env_remove("NO_COLOR")
        .env("LC_ALL", "C.UTF-8")
        .current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command
}

/// Runs with these words and no input.
pub(crate) fn run(words: &[&str]) -> Ran {
    run_with(words, b"")
}

/// Runs with these words and a text as standard input.
pub(crate) fn run_with(words: &[&str], input: &[u8]) -> Ran {
    let mut child = program()
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that has seen enough closes its end; what is left is of no interest then.
    let _ = child
        .stdin
        .take()
        .expect("it has an input")
        .write_all(input);
    ran(child.wait_with_output().expect("the program ends"))
}

/// The status and texts of a run.
pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        status: output.status.code().expect("no signal ended it"),
        out: String::from_utf8(output.stdout).expect("it prints UTF-8"),
        err: String::from_utf8(output.stderr).expect("it prints UTF-8"),
    }
}

/// What a script said on standard output, then what it complained of.
pub(crate) fn both_outputs(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    format!("{said}\n{errors}\n")
}

/// Looks for words in what was said.
#[track_caller]
pub(crate) fn check(said: &str, wanted: &[&str]) {
    for words in wanted {
        assert!(said.contains(words), "no `{words}` in:\n{said}");
    }
}
