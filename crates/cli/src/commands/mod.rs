//! One file per command: its arguments, and what it does with them.
//!
//! A new command is a file here, a line in the list of modules, one in [`Command`] and one where
//! [`run`] calls it.

mod bisect;
mod bisect_guard;
mod capture;
mod changes;
mod check;
mod completions;
mod consoles;
mod diagnose;
mod edit;
mod explain;
mod findings;
mod firewall;
mod habits;
mod man;
mod signals;
mod stop;
mod throughput;
mod undo;
mod watchdog;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::args::Voice;
use crate::error::Failure;
use crate::output::Output;

/// Find out what is true, exposed and broken on a Linux server, and change it without slipping
#[derive(Debug, Parser)]
#[command(
    name = "surefoot",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit status: 0 nothing to say; 1 findings at or above --fail-on, or the answer is no;\n\
                  2 bad usage, bad input or too little memory; 3 not permitted, or rules unread;\n\
                  4 a change failed and was rolled back; 5 it failed and is not as it was before.",
    after_long_help = "\
Examples:
  sudo surefoot check                       # what matters here, worst first
  sudo surefoot capture web1.surefoot       # take this machine's facts along
  surefoot check --facts web1.surefoot      # the same answer, anywhere
  sudo surefoot firewall show               # hooks, chains, rules: one picture
  sudo surefoot firewall explain ssh from 203.0.113.9
  sudo surefoot firewall why-not https from 203.0.113.9
  surefoot explain FW004                    # what a finding means
  sudo surefoot edit /etc/hosts -- sed -i s/old/new/
  sudo surefoot undo                        # put back what it replaced

Exit status:
  0  nothing to say, or the answer is yes
  1  findings at or above --fail-on, or the answer is no
  2  bad usage or bad input, or too little memory
  3  not permitted
  4  a change failed and was rolled back
  5  a change failed and the machine is not as it was before"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) voice: Voice,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(check::CheckArgs),
    Capture(capture::CaptureArgs),
    #[command(subcommand)]
    Firewall(firewall::FirewallCommand),
    Consoles(consoles::ConsolesArgs),
    Stop(stop::StopArgs),
    Signals(signals::SignalsArgs),
    Throughput(throughput::ThroughputArgs),
    Diagnose(diagnose::DiagnoseArgs),
    Bisect(bisect::BisectArgs),
    Edit(edit::EditArgs),
    Changes(changes::ChangesArgs),
    Undo(undo::UndoArgs),
    Confirm(undo::ConfirmArgs),
    Rollback(undo::RollbackArgs),
    #[command(hide = true)]
    Watchdog(watchdog::WatchdogArgs),
    #[command(hide = true)]
    BisectGuard(bisect_guard::BisectGuardArgs),
    Explain(explain::ExplainArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// What a command has to say by its exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    /// Nothing to say, or the answer is yes.
    Clean,
    /// Findings, or the answer is no.
    Findings,
    /// Nothing to say, but not everything could be looked at.
    Incomplete,
}

/// Reads the arguments, runs the command, reports a failure.
pub(crate) fn run() -> ExitCode {
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_default();
    if let Some(program) = throughput::ImitatedProgram::called_by(Path::new(&name)) {
        let words: Vec<String> = words
            .map(|word| word.to_string_lossy().into_owned())
            .collect();
        let output = Output::new(Voice::default());
        return conclude(Ok(throughput::imitate(program, &words, &output)), &output);
    }
    let Cli { voice, command } =
        Cli::try_parse().unwrap_or_else(|error| habits::explain(error).exit());
    let output = Output::new(voice);
    let outcome = match command {
        Command::Check(args) => check::run(&args, &output),
        Command::Capture(args) => capture::run(&args, &output),
        Command::Firewall(command) => firewall::run(&command, &output),
        Command::Consoles(args) => consoles::run(&args, &output),
        Command::Stop(args) => stop::run(&args, &output),
        Command::Signals(args) => signals::run(&args, &output),
        Command::Throughput(args) => throughput::run(&args, &output),
        Command::Diagnose(args) => diagnose::run(&args, &output),
        Command::Bisect(args) => bisect::run(&args, &output),
        Command::Edit(args) => edit::run(&args, &output),
        Command::Changes(args) => changes::run(&args, &output),
        Command::Undo(args) => undo::run(&args, &output),
        Command::Confirm(args) => undo::confirm(&args, &output),
        Command::Rollback(args) => undo::roll_back(&args, &output),
        Command::Watchdog(args) => watchdog::run(&args, &output),
        Command::BisectGuard(args) => bisect_guard::run(&args, &output),
        Command::Explain(args) => explain::run(&args, &output),
        Command::Completions(args) => completions::run(&args, &output),
        Command::Man(args) => man::run(&args, &output),
    };
    conclude(outcome, &output)
}

fn conclude(outcome: Result<Status, Failure>, output: &Output) -> ExitCode {
    match outcome {
        Ok(Status::Clean) => ExitCode::SUCCESS,
        Ok(Status::Findings) => ExitCode::from(1),
        Ok(Status::Incomplete) => ExitCode::from(3),
        Err(failure) => fail(&failure, output),
    }
}

fn fail(failure: &Failure, output: &Output) -> ExitCode {
    if let Some(message) = failure.message() {
        output.complain(&message);
    }
    ExitCode::from(failure.status())
}
