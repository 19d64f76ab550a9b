//! `surefoot undo`, `confirm` and `rollback`: taking changes back, and keeping them.

use clap::Args;
use serde::Serialize;
use surefoot_apply::RulesChange;
use surefoot_journal::{ArmRequest, ChangeRequest, EntryState, JournalEntry, JournalError};

use super::Status;
use super::firewall::arming::say_armed;
use super::firewall::confirm::confirm_rules;
use crate::args::AnswerFormat;
use crate::error::Failure;
use crate::journal::{self, StateDirArgs, call, failure};
use crate::output::Output;

/// Undo a change: put back what it replaced
///
/// Content, mode, owner, times, attributes and links come back exactly. Undo is a change of its own,
/// so it can be undone in turn; without a number, repeated undo goes further back. If what the change
/// left was changed since by another program, undo refuses and shows the difference. Old firewall rules are taken
/// back again unless `surefoot firewall confirm` comes from a new connection.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot undo                        # the newest change
  sudo surefoot undo 1 --force              # overwrite what came since
  sudo surefoot changes                     # what can be undone

Exit status:
  0  undone
  1  refused, as it was changed since, or nothing can be undone
  2  bad usage, or the journal cannot be read
  3  not permitted
  4  the undo failed and was rolled back
  5  the undo failed and the machine is not as it was before")]
pub(crate) struct UndoArgs {
    /// The number of the entry; without one, the newest that is in force
    #[arg(value_name = "N")]
    number: Option<u64>,
    /// Overwrite what another program changed since; it is kept in the journal
    #[arg(long)]
    force: bool,
    /// Of firewall rules: take the undo back after so long unless it is confirmed
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = journal::parse_duration)]
    confirm_within: u64,
    #[command(flatten)]
    state: StateDirArgs,
    /// The form of the answer; `surefoot changes --schema` prints the JSON Schema
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
}

/// Keep an armed change, which would be reversed at its deadline
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot confirm                     # the newest armed change
  sudo surefoot confirm 1

Exit status:
  0  confirmed: it stays
  1  the entry is not armed: too late, or never
  2  bad usage, or the journal cannot be read
  3  not permitted")]
pub(crate) struct ConfirmArgs {
    /// The number of the entry; without one, the newest that is armed
    #[arg(value_name = "N")]
    number: Option<u64>,
    #[command(flatten)]
    state: StateDirArgs,
    /// The form of the answer; `surefoot changes --schema` prints the JSON Schema
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
}

/// Reverse an armed change now, before its deadline
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot rollback                    # the newest armed change
  sudo surefoot rollback 1

Exit status:
  0  rolled back: all is as it was before
  1  the entry is not armed
  2  bad usage, or the journal cannot be read
  3  not permitted
  5  it could not be rolled back, or the reload failed then")]
pub(crate) struct RollbackArgs {
    /// The number of the entry; without one, the newest that is armed
    #[arg(value_name = "N")]
    number: Option<u64>,
    #[command(flatten)]
    state: StateDirArgs,
    /// The form of the answer; `surefoot changes --schema` prints the JSON Schema
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
}

/// An undo as JSON.
#[derive(Serialize)]
struct UndoAnswer<'a> {
    undone: u64,
    /// Whether nothing had to be done, as another program had undone it.
    already: bool,
    entry: &'a JournalEntry,
}

/// A confirmation or a rollback as JSON.
#[derive(Serialize)]
struct SettledAnswer<'a> {
    entry: &'a JournalEntry,
    warnings: &'a [String],
}

pub(super) fn run(args: &UndoArgs, output: &Output) -> Result<Status, Failure> {
    let journal = args.state.existing_journal()?;
    args.state.remind(output);
    let session = journal::lock(&journal, output)?;
    let number = journal::number_or(args.number, || journal.newest_undoable())?;
    // Rules that were in force once may lock you out now: they have to be confirmed as new ones.
    let is_of_rules = journal
        .entry(number)
        .is_ok_and(|entry| entry.kind == RulesChange::KIND);
    let starter = args.state.watchdog()?;
    let start = |entry: &JournalEntry| starter.start(&journal, entry);
    let request = ChangeRequest {
        origin: journal::origin(),
        command: journal::command_line(),
        arm: is_of_rules.then_some(ArmRequest {
            within: args.confirm_within,
            start: &start,
        }),
    };
    let entry = session
        .undo(number, args.force, request)
        .map_err(|error| failure(&error).left_unless("Nothing was changed."))?;
    let already = entry.number == number;
    if args.format == AnswerFormat::Json {
        let answer = UndoAnswer {
            undone: number,
            already,
            entry: &entry,
        };
        output.answer(&output.json_answer("undo", &answer)?)?;
    } else if already {
        output.remark(&format!("{} was undone already\n", call(&entry)));
    } else {
        let undone = journal
            .entry(number)
            .map_or_else(|_| format!("entry {number}"), |undone| call(&undone));
        output.remark(&format!(
            "{undone} is undone; `surefoot undo {}` brings it back\n",
            entry.number
        ));
        if entry.state == EntryState::Armed {
            say_armed(&entry, output);
        }
    }
    Ok(Status::Clean)
}

pub(super) fn confirm(args: &ConfirmArgs, output: &Output) -> Result<Status, Failure> {
    let journal = args.state.existing_journal()?;
    args.state.remind(output);
    let session = journal::lock(&journal, output)?;
    let number = journal::number_or(args.number, || journal.newest_armed("confirmed"))?;
    if let Ok(entry) = journal.entry(number)
        && entry.kind == RulesChange::KIND
        && entry.state == EntryState::Armed
    {
        // Only a connection that shows that new ones get in may confirm them.
        let entry = confirm_rules(&journal, &session, (&entry, false), output)?;
        if args.format == AnswerFormat::Json {
            let answer = SettledAnswer {
                entry: &entry,
                warnings: &[],
            };
            output.answer(&output.json_answer("confirm", &answer)?)?;
        }
        return Ok(Status::Clean);
    }
    let entry = session.confirm(number).map_err(|error| {
        let left = match journal.entry(number) {
            Ok(entry) if entry.under_way.is_some() => {
                "The change is put back as soon as nothing is in the way."
            }
            Ok(entry) if entry.state == EntryState::Armed => {
                "The change is in force and will be reversed at its deadline."
            }
            _ => "Nothing was changed.",
        };
        failure(&error).left(left)
    })?;
    if args.format == AnswerFormat::Json {
        let answer = SettledAnswer {
            entry: &entry,
            warnings: &[],
        };
        output.answer(&output.json_answer("confirm", &answer)?)?;
    } else {
        output.remark(&format!("{} is confirmed: it stays\n", call(&entry)));
    }
    Ok(Status::Clean)
}

pub(super) fn roll_back(args: &RollbackArgs, output: &Output) -> Result<Status, Failure> {
    let journal = args.state.existing_journal()?;
    args.state.remind(output);
    let session = journal::lock(&journal, output)?;
    let number = journal::number_or(args.number, || journal.newest_armed("rolled back"))?;
    let (entry, warnings) = session.roll_back(number).map_err(|error| {
        let nothing_done = matches!(
            error,
            JournalError::UnknownEntry { .. } | JournalError::WrongState { .. }
        );
        failure(&error).left_unless(if nothing_done {
            "Nothing was changed.".to_owned()
        } else {
            format!("See `surefoot changes show {number}`.")
        })
    })?;
    if args.format == AnswerFormat::Json {
        let answer = SettledAnswer {
            entry: &entry,
            warnings: &warnings,
        };
        output.answer(&output.json_answer("rollback", &answer)?)?;
    }
    if warnings.is_empty() && args.format == AnswerFormat::Json {
        return Ok(Status::Clean);
    }
    if warnings.is_empty() {
        output.remark(&format!(
            "{} is rolled back: all is as it was before\n",
            call(&entry)
        ));
        return Ok(Status::Clean);
    }
    let mut failure = Failure::half_done(format!(
        "{} is rolled back, but not all is well",
        call(&entry)
    ));
    for warning in warnings {
        failure = failure.because(warning);
    }
    Err(failure.left(format!("See `surefoot changes show {number}`.")))
}
