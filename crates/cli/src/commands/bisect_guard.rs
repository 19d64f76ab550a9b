//! `surefoot bisect-guard`, which only surefoot itself calls: it puts everything back when `surefoot bisect`
//! or `surefoot diagnose --break` is gone.

use clap::Args;
use surefoot_bisect::{GuardOutcome, GuardStarter, InterventionSetting, guard_bisection};
use surefoot_diagnose::DaemonHold;
use surefoot_journal::{Journal, JournalSession};
use surefoot_report::escape;

use super::Status;
use crate::error::Failure;
use crate::journal::{self, StateDirArgs, failure};
use crate::output::Output;

/// Put back what a bisection left when it was ended
#[derive(Debug, Args)]
pub(crate) struct BisectGuardArgs {
    #[command(flatten)]
    state: StateDirArgs,
    /// The number of the entry
    number: u64,
}

pub(super) fn run(args: &BisectGuardArgs, output: &Output) -> Result<Status, Failure> {
    let journal = args.state.journal();
    surefoot_journal::become_watchdog();
    output.answer("ready\n")?;
    let outcome = guard_bisection(&journal, args.number, std::io::stdin().lock())
        .map_err(|error| failure(&error))?;
    if let GuardOutcome::PutBack { kind, told } = outcome {
        output.complain(if kind == DaemonHold::KIND {
            "\nsurefoot diagnose was ended; the daemon that it held goes on\n"
        } else {
            "\nsurefoot bisect was ended; the configuration is put back as it was\n"
        });
        for line in told {
            output.complain(&format!("  {}\n", escape(&line)));
        }
    }
    Ok(Status::Clean)
}

/// What interventions need of this program: its origin, and the process that puts everything back.
pub(super) fn intervention_setting<'a>(
    journal: &'a Journal,
    session: &'a JournalSession<'a>,
    state: &StateDirArgs,
) -> Result<InterventionSetting<'a>, Failure> {
    let watchdog = state.watchdog()?;
    let mut words = watchdog.words.clone();
    "bisect-guard".clone_into(&mut words[0]);
    Ok(InterventionSetting {
        journal,
        session,
        origin: journal::origin(),
        command: journal::command_line(),
        guard: GuardStarter {
            program: watchdog.program.clone(),
            words,
        },
        watchdog,
        interrupted: surefoot_sys::take_interrupt,
    })
}
