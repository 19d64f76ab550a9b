//! `surefoot throughput --as iperf3 -- ...`, and being called by that name: the command line and the
//! output that scripts know.
//!
//! Its exit status is that program's: 0, or 1 if anything failed.

mod iperf2;
mod iperf3;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use clap::ValueEnum;

use super::Status;
use super::daemon::{self, DaemonStep, ServingDaemon};
use crate::error::Failure;
use crate::output::Output;

/// A program that surefoot can stand in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImitatedProgram {
    /// iperf 2, version 2.1.8
    Iperf,
    /// iperf3, version 3.12
    Iperf3,
}

impl ImitatedProgram {
    /// The program whose name a path ends in.
    pub(crate) fn called_by(path: &Path) -> Option<Self> {
        match path.file_name()?.to_str()? {
            "iperf" => Some(Self::Iperf),
            "iperf3" => Some(Self::Iperf3),
            _ => None,
        }
    }
}

/// Does what the program would do with its arguments.
pub(crate) fn run(program: ImitatedProgram, words: &[String], output: &Output) -> Status {
    match program {
        ImitatedProgram::Iperf => iperf2::run(words, output),
        ImitatedProgram::Iperf3 => iperf3::run(words, output),
    }
}

/// The exit status of the program: 0 or 1.
fn conclude(outcome: Result<bool, Failure>, output: &Output) -> Status {
    match outcome {
        Ok(true) => Status::Clean,
        Ok(false) => Status::Findings,
        Err(failure) => match failure.message() {
            // The reader has seen enough.
            None => Status::Clean,
            Some(message) => {
                output.complain(&message);
                Status::Findings
            }
        },
    }
}

/// Goes into the background if it is asked to; says whether that is all, and whether it worked.
fn detach(
    wanted: bool,
    output: &Output,
) -> Result<std::ops::ControlFlow<bool, Option<ServingDaemon>>, Failure> {
    use std::ops::ControlFlow::{Break, Continue};
    if !wanted {
        return Ok(Continue(None));
    }
    // What it prints is what the program prints: nothing.
    Ok(match daemon::start(output)? {
        DaemonStep::AtTerminal(worked) => Break(worked),
        DaemonStep::Serving(daemon) => Continue(Some(daemon)),
    })
}

/// Where the lines go: standard output, or a file that they are added to.
pub(super) enum LineSink<'a> {
    Standard(&'a Output),
    File(std::fs::File),
}

impl<'a> LineSink<'a> {
    pub(super) fn open(log: Option<&Path>, output: &'a Output) -> Result<Self, Failure> {
        match log {
            None => Ok(Self::Standard(output)),
            Some(path) => OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map(Self::File)
                .map_err(|error| Failure::io(format!("cannot open {}", path.display()), &error)),
        }
    }

    pub(super) fn write(&mut self, text: &str) -> Result<(), Failure> {
        match self {
            Self::Standard(output) => output.answer(text),
            Self::File(file) => file
                .write_all(text.as_bytes())
                .map_err(|error| Failure::io("cannot write to the log file", &error)),
        }
    }
}
