//! `surefoot throughput --as iperf3 -- ...`, and being called by that name: the command line and the
//! output that scripts know.
//!
//! Its exit status is that program's: 0, or 1 if anything failed.

mod iperf2;
mod iperf3;

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use clap::ValueEnum;
use surefoot_throughput::client::ClientEvent;
use surefoot_throughput::server::{Server, ServerError, ServerEvent, ServerStopper};

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

/// Numbers of signal(7).
const HANG_UP: i32 = 1;
const INTERRUPT: i32 = 2;
const TERMINATE: i32 = 15;

impl ImitatedProgram {
    /// Has the signals that end the program remembered, so that it says what it says then. iperf3 takes them even
    /// where they were ignored, as in what a script runs in the background; iperf does not.
    fn heed_endings(self) {
        let (always, unless_ignored): (&[i32], &[i32]) = match self {
            Self::Iperf3 => (&[INTERRUPT, TERMINATE, HANG_UP], &[]),
            Self::Iperf => (&[], &[INTERRUPT, TERMINATE]),
        };
        // Where they cannot be heeded they end the program.
        let _ = surefoot_sys::watch_endings(always, unless_ignored);
    }

    /// The same for a client, once data flow: before there is nothing to tell.
    fn heed_endings_of(self, event: &ClientEvent) {
        if matches!(event, ClientEvent::Connected { .. }) {
            self.heed_endings();
        }
    }
}

/// How often it is looked whether a signal came.
const BETWEEN_GLANCES: Duration = Duration::from_millis(50);

/// The events of a server, until it has ended; a signal ends it.
struct ServedEvents {
    events: Receiver<ServerEvent>,
    /// Given up once it was used: the server's end shows by what is held of it.
    stopper: Option<ServerStopper>,
    thread: JoinHandle<Result<(), ServerError>>,
    was_interrupted: bool,
}

impl ServedEvents {
    fn of(
        server: Server,
        events: Receiver<ServerEvent>,
        program: ImitatedProgram,
    ) -> Result<Self, Failure> {
        program.heed_endings();
        let stopper = Some(server.stopper());
        let thread = std::thread::Builder::new()
            .name("server".to_owned())
            .spawn(move || server.run())
            .map_err(|error| Failure::io("cannot start a thread", &error))?;
        Ok(Self {
            events,
            stopper,
            thread,
            was_interrupted: false,
        })
    }

    /// The next event; none when there are no more.
    fn next(&mut self) -> Option<ServerEvent> {
        loop {
            if surefoot_sys::take_interrupt()
                && let Some(stopper) = self.stopper.take()
            {
                self.was_interrupted = true;
                stopper.stop();
            }
            match self.events.recv_timeout(BETWEEN_GLANCES) {
                Ok(event) => return Some(event),
                Err(RecvTimeoutError::Timeout) => {
                    if self.thread.is_finished() {
                        self.stopper = None;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
    }

    /// How the server ended, and whether a signal ended it.
    fn end(self) -> (Result<(), ServerError>, bool) {
        match self.thread.join() {
            Ok(ended) => (ended, self.was_interrupted),
            Err(panic) => std::panic::resume_unwind(panic),
        }
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
