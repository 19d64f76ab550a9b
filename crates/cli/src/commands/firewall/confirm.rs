//! `surefoot firewall confirm` and `rollback`: keeping new rules, from a connection that shows that new ones get
//! in, and taking them back.

use std::net::{IpAddr, UdpSocket};

use clap::Args;
use surefoot_apply::{ConfirmProblem, LoginRecord, RulesChange};
use surefoot_host::{Host, LiveOptions};
use surefoot_journal::{EntryState, Journal, JournalEntry, JournalError, JournalSession};
use surefoot_report::escape;

use super::Status;
use crate::error::Failure;
use crate::input;
use crate::journal::{self, StateDirArgs, failure};
use crate::output::Output;

/// Keep the rules that `surefoot firewall apply` loaded
///
/// They are saved then, as `surefoot firewall save` does, unless they were loaded with `--no-save`.
/// Type it in a new ssh connection: that one shows that you still get in. The connection in which the rules were
/// loaded, and those that are older than the rules, show nothing and are refused.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall confirm            # from a new connection
  sudo surefoot firewall confirm --same-session

Exit status:
  0  confirmed: they stay
  1  refused, or there is nothing to confirm: too late, or never
  2  bad usage, or the journal cannot be read
  3  not permitted")]
pub(crate) struct ConfirmRulesArgs {
    /// Confirm from a console, from tmux or mosh, or from an old connection, which shows nothing
    #[arg(long)]
    same_session: bool,
    #[command(flatten)]
    state: StateDirArgs,
}

/// Put the old rules back now, without waiting for the deadline
///
/// What other programs changed in the same tables and sets meanwhile is said. Elements that they added to sets or
/// took out stay so where the old rules have the same set; their rules do not.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall rollback

Exit status:
  0  rolled back: the old rules are in force
  1  there is nothing to roll back
  2  bad usage, or the journal cannot be read
  3  not permitted
  5  it could not be rolled back")]
pub(crate) struct RollBackRulesArgs {
    #[command(flatten)]
    state: StateDirArgs,
}

pub(super) fn run(args: &ConfirmRulesArgs, output: &Output) -> Result<Status, Failure> {
    let journal = args.state.existing_journal()?;
    let session = journal::lock(&journal, output)?;
    let entry = armed_entry(&journal, "confirmed")?;
    confirm_rules(&journal, &session, (&entry, args.same_session), output)?;
    Ok(Status::Clean)
}

/// Confirms an entry that loaded rules, if this connection shows that new ones get in.
pub(crate) fn confirm_rules(
    journal: &Journal,
    session: &JournalSession<'_>,
    (entry, same_session): (&JournalEntry, bool),
    output: &Output,
) -> Result<JournalEntry, Failure> {
    if !same_session {
        check_connection(entry).map_err(|problem| {
            let failure = Failure::refused(problem.to_string());
            let failure = match problem {
                ConfirmProblem::NoConnection => failure,
                _ => failure.hint("log in anew, in a second window, and type it there"),
            };
            failure
                .hint("if you know that you get in: surefoot firewall confirm --same-session")
                .left(until_deadline(entry))
        })?;
    }
    let confirmed = session
        .confirm(entry.number)
        .map_err(|error| failure(&error).left(until_deadline(entry)))?;
    output.remark(&format!(
        "{} is confirmed: the new rules stay; `surefoot undo {}` brings the old ones back\n",
        journal::call(&confirmed),
        confirmed.number
    ));
    let change = RulesChange::from_record(&entry.change);
    if change.is_some_and(|change| change.is_to_be_saved()) {
        super::save::save_confirmed(journal, session, output)?;
    }
    Ok(confirmed)
}

pub(super) fn roll_back(args: &RollBackRulesArgs, output: &Output) -> Result<Status, Failure> {
    let journal = args.state.existing_journal()?;
    let session = journal::lock(&journal, output)?;
    let entry = armed_entry(&journal, "rolled back")?;
    put_back(&session, &entry, output)?;
    output.remark(&format!(
        "{} is rolled back: the old rules are in force\n",
        journal::call(&entry)
    ));
    Ok(Status::Clean)
}

/// Rolls an entry back, and tells what has to be told.
fn put_back(
    session: &JournalSession<'_>,
    entry: &JournalEntry,
    output: &Output,
) -> Result<(), Failure> {
    let (_, warnings) = session.roll_back(entry.number).map_err(|error| {
        failure(&error).left_unless("The watchdog tries again at the deadline.")
    })?;
    for warning in warnings {
        output.complain(&format!("note: {}\n", escape(&warning)));
    }
    Ok(())
}

fn until_deadline(entry: &JournalEntry) -> String {
    let deadline = entry.arming.as_ref().map_or(entry.begun, |it| it.deadline);
    format!(
        "The new rules are in force until {}, then the old ones come back.",
        journal::local_text(deadline)
    )
}

/// The newest armed entry that loaded rules.
pub(super) fn armed_entry(
    journal: &Journal,
    wanted: &'static str,
) -> Result<JournalEntry, Failure> {
    let nothing = || failure(&JournalError::NothingThere { wanted }).left("Nothing was changed.");
    let numbers = journal.numbers().map_err(|error| failure(&error))?;
    for number in numbers {
        if let Ok(entry) = journal.entry(number)
            && entry.kind == RulesChange::KIND
        {
            if entry.state == EntryState::Armed {
                return Ok(entry);
            }
            let state = entry.state;
            return Err(nothing().because(format!(
                "the newest change of rules, entry {number}, is {state}"
            )));
        }
    }
    Err(nothing())
}

/// Whether the connection in which this is typed shows that new ones get in.
fn check_connection(entry: &JournalEntry) -> Result<(), ConfirmProblem> {
    let options = LiveOptions {
        now: input::now(),
        keep_secrets: false,
    };
    let host = Host::live_processes(&options);
    let change = RulesChange::from_record(&entry.change);
    let then = change
        .map(|change| change.logins().clone())
        .unwrap_or_default();
    let now = LoginRecord::of_host(&host);
    // What can be bound to is this machine's own, such as the other address of `ssh -b`.
    let is_own = |address: IpAddr| UdpSocket::bind((address, 0)).is_ok();
    then.judge(&now, loaded_ticks(entry), &is_own)
}

/// When the rules were in force, in ticks of 10 ms since the kernel was started: the last step of the entry so
/// far, told by how long ago it was.
fn loaded_ticks(entry: &JournalEntry) -> u64 {
    let Some(step) = entry.log.last() else {
        return u64::MAX;
    };
    let at = f64::from(u32::try_from(step.at.seconds).unwrap_or(u32::MAX))
        + f64::from(step.at.nanoseconds) / 1e9;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64());
    let uptime = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let uptime: f64 = uptime
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok())
        .unwrap_or(f64::MAX);
    let ticks = (uptime - (now - at)) * 100.0;
    // A negative or an immense number is cut to the end of the range.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let ticks = ticks as u64;
    ticks
}
