//! One file per command: arguments in, an answer and an exit status out.

mod capture;
mod check;
mod completions;
mod explain;
mod firewall_check;
mod firewall_diff;
mod firewall_explain;
mod firewall_flush;
mod firewall_prove;
mod firewall_reach;
mod firewall_replay;
mod firewall_show;
mod firewall_simplify;
mod firewall_spoof;
mod firewall_why_not;
mod man;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command, FirewallCommand};
use crate::error::Failure;
use crate::output::Output;

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
    let Cli { voice, command } = Cli::parse();
    let output = Output::new(voice);
    let outcome = match command {
        Command::Check(args) => check::run(&args, &output),
        Command::Capture(args) => capture::run(&args, &output),
        Command::Firewall(FirewallCommand::Show(args)) => firewall_show::run(&args, &output),
        Command::Firewall(FirewallCommand::Explain(args)) => firewall_explain::run(&args, &output),
        Command::Firewall(FirewallCommand::WhyNot(args)) => firewall_why_not::run(&args, &output),
        Command::Firewall(FirewallCommand::Prove(args)) => firewall_prove::run(&args, &output),
        Command::Firewall(FirewallCommand::Find(args)) => firewall_prove::find(&args, &output),
        Command::Firewall(FirewallCommand::Diff(args)) => firewall_diff::run(&args, &output),
        Command::Firewall(FirewallCommand::Flush(args)) => firewall_flush::run(&args, &output),
        Command::Firewall(FirewallCommand::Reach(args)) => firewall_reach::run(&args, &output),
        Command::Firewall(FirewallCommand::Replay(args)) => firewall_replay::run(&args, &output),
        Command::Firewall(FirewallCommand::Spoof(args)) => firewall_spoof::run(&args, &output),
        Command::Firewall(FirewallCommand::Simplify(args)) => {
            firewall_simplify::run(&args, &output)
        }
        Command::Firewall(FirewallCommand::Check(args)) => firewall_check::run(&args, &output),
        Command::Explain(args) => explain::run(&args, &output),
        Command::Completions(args) => completions::run(&args, &output),
        Command::Man(args) => man::run(&args, &output),
    };
    match outcome {
        Ok(Status::Clean) => ExitCode::SUCCESS,
        Ok(Status::Findings) => ExitCode::from(1),
        Ok(Status::Incomplete) => ExitCode::from(3),
        Err(failure) => fail(&failure, &output),
    }
}

fn fail(failure: &Failure, output: &Output) -> ExitCode {
    if let Some(message) = failure.message() {
        output.complain(&message);
    }
    ExitCode::from(failure.status())
}

/// Says what of a machine's rules is not known, as an answer about them hangs on it.
fn remark_on_gaps(rules: &surefoot_check::Rules, output: &Output) {
    for unknown in rules.unknowns() {
        output.remark(&format!(
            "not known: {} ({})\n",
            surefoot_report::escape(&unknown.fact),
            surefoot_report::escape(&unknown.why)
        ));
    }
}
