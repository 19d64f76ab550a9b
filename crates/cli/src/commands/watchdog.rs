//! `surefoot watchdog`, which only surefoot itself calls: it reverses an entry at its deadline.

use clap::Args;

use super::Status;
use crate::error::Failure;
use crate::journal::{StateDirArgs, failure};
use crate::output::Output;

/// Reverse an armed entry at its deadline unless it is confirmed
#[derive(Debug, Args)]
pub(crate) struct WatchdogArgs {
    #[command(flatten)]
    state: StateDirArgs,
    /// The number of the entry
    number: u64,
    /// Watch the first watchdog of the entry
    #[arg(long)]
    second: bool,
}

pub(super) fn run(args: &WatchdogArgs, _output: &Output) -> Result<Status, Failure> {
    let journal = args.state.journal();
    surefoot_journal::become_watchdog();
    let watched = if args.second {
        journal.watch_as_second(args.number)
    } else {
        journal.watch(args.number)
    };
    watched.map_err(|error| failure(&error))?;
    Ok(Status::Clean)
}
