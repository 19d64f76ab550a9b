//! `surefoot changes`: the journal, listed, shown and pruned.

use std::fmt::Write as _;

use clap::{Args, Subcommand};
use serde::Serialize;
use surefoot_journal::{EntryState, JournalEntry, JournalError, ListedEntry, PrunePolicy};
use surefoot_report::escape;

use super::Status;
use crate::args::AnswerFormat;
use crate::edit_leftovers::{has_edits, kept_before};
use crate::error::Failure;
use crate::journal::{self, StateDirArgs, escape_lines, failure};
use crate::output::Output;

/// List the changes that surefoot made to this machine, newest first
///
/// Every change is written down with what it replaced before anything is touched: who made it, from
/// where, by which command, and each step. `surefoot undo` takes one back.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "\
Examples:
  sudo surefoot changes
  sudo surefoot changes --all --format json
  sudo surefoot changes show                # the newest: its diff and log
  sudo surefoot changes prune --older-than 365d

Exit status:
  0  listed
  2  bad usage, or the journal cannot be read
  3  not permitted"
)]
pub(crate) struct ChangesArgs {
    #[command(subcommand)]
    command: Option<ChangesCommand>,
    #[command(flatten)]
    state: StateDirArgs,
    /// List so many
    #[arg(short = 'n', long, value_name = "COUNT", default_value_t = 20)]
    most: usize,
    /// List all
    #[arg(long, conflicts_with = "most")]
    all: bool,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
    /// Print the JSON Schema of what `--format json` writes, and look at nothing
    #[arg(long)]
    schema: bool,
}

#[derive(Debug, Subcommand)]
enum ChangesCommand {
    Show(ShowChangeArgs),
    Prune(PruneArgs),
}

/// Show one change: its state, diff and log
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot changes show                # the newest
  sudo surefoot changes show 1
  sudo surefoot changes show 1 --format json

Exit status:
  0  shown
  2  bad usage, no such entry, or it is damaged
  3  not permitted")]
struct ShowChangeArgs {
    /// The number of the entry; without one, the newest
    #[arg(value_name = "N")]
    number: Option<u64>,
    #[command(flatten)]
    state: StateDirArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
}

/// Forget old changes; they can no longer be undone
///
/// An entry goes when none of the options keeps it. The newest entry, armed entries and entries that
/// need attention always stay. Versions of files that `surefoot edit` kept for you go by their age.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot changes prune --older-than 365d --dry-run
  sudo surefoot changes prune --older-than 365d --keep 100

Exit status:
  0  forgotten, or there is nothing to forget
  2  bad usage, or the journal cannot be read
  3  not permitted")]
struct PruneArgs {
    /// Forget what is older than this, such as 90d
    #[arg(long, value_name = "AGE", value_parser = journal::parse_duration, required_unless_present = "keep")]
    older_than: Option<u64>,
    /// Keep so many of the newest
    #[arg(long, value_name = "COUNT")]
    keep: Option<usize>,
    /// Say what would be forgotten, and forget nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    state: StateDirArgs,
}

pub(super) fn run(args: &ChangesArgs, output: &Output) -> Result<Status, Failure> {
    match &args.command {
        None if args.schema => {
            output.answer(include_str!("changes.schema.json"))?;
            Ok(Status::Clean)
        }
        None => list(args, output),
        Some(ChangesCommand::Show(args)) => show(args, output),
        Some(ChangesCommand::Prune(args)) => prune(args, output),
    }
}

/// The list as JSON.
#[derive(Serialize)]
struct ListAnswer {
    entries: Vec<ListedAnswer>,
    /// How many older entries are not listed.
    left_out: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ListedAnswer {
    Readable(Box<JournalEntry>),
    Unreadable { number: u64, unreadable: String },
}

fn list(args: &ChangesArgs, output: &Output) -> Result<Status, Failure> {
    let journal = args.state.existing_journal()?;
    settle(&journal, output);
    let most = if args.all { usize::MAX } else { args.most };
    let (listed, left_out) = journal
        .list_and_count(most)
        .map_err(|error| failure(&error))?;
    if args.format == AnswerFormat::Json {
        let entries = listed
            .into_iter()
            .map(|entry| match entry {
                ListedEntry::Readable(entry) => ListedAnswer::Readable(entry),
                ListedEntry::Unreadable { number, why } => ListedAnswer::Unreadable {
                    number,
                    unreadable: why,
                },
            })
            .collect();
        let answer = ListAnswer { entries, left_out };
        output.answer(&output.json_answer("changes", &answer)?)?;
        return Ok(Status::Clean);
    }
    if listed.is_empty() && left_out == 0 {
        output.remark("no changes yet: surefoot has changed nothing on this machine\n");
    }
    let mut text = String::new();
    for entry in &listed {
        match entry {
            ListedEntry::Readable(entry) => {
                let begun = journal::local_text(entry.begun);
                let _ = writeln!(
                    text,
                    "{:>5}  {begun}  {:<11}  {}",
                    entry.number,
                    state_word(entry),
                    escape(&entry.title)
                );
            }
            ListedEntry::Unreadable { number, why } => {
                let _ = writeln!(text, "{number:>5}  cannot be read: {}", escape(why));
            }
        }
    }
    output.answer(&text)?;
    if left_out > 0 {
        output.remark(&format!("{left_out} older changes are left out (--all)\n"));
    }
    Ok(Status::Clean)
}

/// Settles what is half-done if no other surefoot is at work; the list shows the rest as it is.
fn settle(journal: &surefoot_journal::Journal, output: &Output) {
    let to_do = journal.has_open().is_ok_and(|has_open| has_open) || has_edits(journal.folder());
    if to_do && !journal.is_locked() {
        // The next command that reads the journal reports why it cannot be locked.
        let _ = journal::lock(journal, output);
    }
}

fn state_word(entry: &JournalEntry) -> String {
    match (&entry.under_way, entry.state) {
        (Some(_), _) => "half-done".to_owned(),
        (None, state) => state.to_string(),
    }
}

/// One entry as JSON.
#[derive(Serialize)]
struct ShowAnswer<'a> {
    entry: &'a JournalEntry,
    diff: &'a str,
    superseded_by: &'a [u64],
}

fn show(args: &ShowChangeArgs, output: &Output) -> Result<Status, Failure> {
    let journal = args.state.existing_journal()?;
    settle(&journal, output);
    let number = journal::number_or(args.number, || {
        let newest = journal.numbers()?.first().copied();
        newest.ok_or(JournalError::NothingThere { wanted: "shown" })
    })?;
    let mut entry = journal.entry(number).map_err(|error| failure(&error))?;
    let diff = journal.diff(number).map_err(|error| failure(&error))?;
    let (state, later) = journal
        .standing_of(&entry)
        .map_err(|error| failure(&error))?;
    entry.state = state;
    if args.format == AnswerFormat::Json {
        let answer = ShowAnswer {
            entry: &entry,
            diff: &diff,
            superseded_by: &later,
        };
        output.answer(&output.json_answer("change", &answer)?)?;
        return Ok(Status::Clean);
    }
    output.answer(&entry_text(&entry, &diff, &later))?;
    Ok(Status::Clean)
}

fn entry_text(entry: &JournalEntry, diff: &str, later: &[u64]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<9} {}", escape(value));
    };
    line("entry", &format!("{}: {}", entry.number, entry.title));
    line("state", &state_word(entry));
    if entry.state == EntryState::Superseded {
        let later: Vec<String> = later.iter().map(u64::to_string).collect();
        line("by", &later.join(", "));
    }
    let origin = &entry.origin;
    let mut who = origin.user.clone();
    for (word, value) in [
        ("login", &origin.login),
        ("on", &origin.terminal),
        ("from", &origin.ssh_client),
    ] {
        if let Some(value) = value {
            let _ = write!(who, ", {word} {value}");
        }
    }
    line("who", &who);
    line("command", &entry.command.join(" "));
    if let Some(arming) = &entry.arming {
        line("deadline", &journal::local_text(arming.deadline));
    }
    for (word, number) in [("undoes", entry.undoes), ("undone by", entry.undone_by)] {
        if let Some(number) = number {
            line(word, &number.to_string());
        }
    }
    text.push('\n');
    text.push_str(&escape_lines(diff));
    text.push('\n');
    for step in &entry.log {
        let _ = writeln!(
            text,
            "{}  {}",
            journal::local_text(step.at),
            escape(&step.step)
        );
    }
    text
}

fn prune(args: &PruneArgs, output: &Output) -> Result<Status, Failure> {
    let journal = args.state.existing_journal()?;
    let session = journal::lock(&journal, output)?;
    let now = journal.now();
    let policy = PrunePolicy {
        keep_since: args.older_than.map(|age| surefoot_journal::UnixMoment {
            seconds: now
                .seconds
                .saturating_sub(i64::try_from(age).unwrap_or(i64::MAX)),
            ..now
        }),
        keep_newest: args.keep,
    };
    let prunable = session.prunable(&policy).map_err(|error| failure(&error))?;
    if !args.dry_run {
        session.prune(&prunable).map_err(|error| {
            failure(&error).left("Entries that were not forgotten yet are whole.")
        })?;
    }
    let since = policy.keep_since;
    let kept = since.map_or_else(Vec::new, |since| kept_before(journal.folder(), since));
    if !args.dry_run {
        for folder in &kept {
            std::fs::remove_dir_all(folder).map_err(|error| {
                Failure::io(format!("cannot remove {}", folder.display()), &error)
            })?;
        }
    }
    let verb = if args.dry_run {
        "would forget"
    } else {
        "forgot"
    };
    output.remark(&format!("{verb} {} changes\n", prunable.len()));
    if !kept.is_empty() {
        output.remark(&format!("{verb} {} kept versions\n", kept.len()));
    }
    Ok(Status::Clean)
}
