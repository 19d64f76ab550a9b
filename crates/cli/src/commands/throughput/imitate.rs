//! `surefoot throughput --as iperf3 -- ...`, and being called by that name: the command line and the
//! output that scripts know.
//!
//! Its exit status is that program's: 0, or 1 if anything failed.

mod iperf3;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use clap::ValueEnum;

use super::Status;
use crate::error::Failure;
use crate::output::Output;

/// A program that surefoot can stand in for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImitatedProgram {
    /// Version 3.12
    Iperf3,
}

impl ImitatedProgram {
    /// The program whose name a path ends in.
    pub(crate) fn called_by(path: &Path) -> Option<Self> {
        match path.file_name()?.to_str()? {
            "iperf3" => Some(Self::Iperf3),
            _ => None,
        }
    }
}

/// Does what the program would do with its arguments.
pub(crate) fn run(program: ImitatedProgram, words: &[String], output: &Output) -> Status {
    match program {
        ImitatedProgram::Iperf3 => iperf3::run(words, output),
    }
}

/// Where the lines go: standard output, or a file that they are added to.
enum LineSink<'a> {
    Standard(&'a Output),
    File(std::fs::File),
}

impl<'a> LineSink<'a> {
    fn open(log: Option<&Path>, output: &'a Output) -> std::io::Result<Self> {
        match log {
            None => Ok(Self::Standard(output)),
            Some(path) => OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map(Self::File),
        }
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        match self {
            Self::Standard(output) => output.answer(text),
            Self::File(file) => file
                .write_all(text.as_bytes())
                .map_err(|error| Failure::io("cannot write to the log file", &error)),
        }
    }
}
