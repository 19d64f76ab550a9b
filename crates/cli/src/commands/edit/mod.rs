//! `surefoot edit`: files changed by an editor or a command on a copy, checked, and replaced through the
//! journal.

mod copies;
mod syntax;

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use surefoot_journal::{ArmRequest, ChangeRequest, FileSetChange, JournalEntry, JournalError};

use super::Status;
use crate::args::AnswerFormat;
use crate::error::Failure;
use crate::journal::{self, StateDirArgs, escape_lines, failure};
use crate::output::Output;
use copies::EditCopies;
use syntax::{CheckFailure, FileCheck};

/// Edit files on a copy, check them, and replace them as one change that can be undone
///
/// The editor (`$SUDO_EDITOR`, `$VISUAL`, `$EDITOR`, else `editor` or `vi`), or the command behind `--`, works
/// on private copies. The result is checked by the daemon's own check where surefoot knows it (sshd,
/// nginx, Apache, sudoers, BIND, Postfix, PHP-FPM, `HAProxy`, fstab, systemd units), in a private view of
/// the file system in which the copy is in its place. Then every file is the old or the new one, at any
/// moment, whatever interrupts it. Mode, owner, access control lists and labels stay.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot edit /etc/hosts -- sed -i s/old/new/
  sudo surefoot edit /etc/hosts --dry-run -- sed -i s/new/newer/
  sudo surefoot edit /etc/motd --confirm-within 60s -- sed -i s/a/b/
  sudo surefoot confirm                     # it stays; else it is reversed
  sudo surefoot undo                        # put everything back

Exit status:
  0  replaced, or nothing was changed by the editor
  1  refused: the syntax check failed, or the file was changed meanwhile
  2  bad usage or bad input
  3  not permitted
  4  the change failed and was rolled back
  5  the change failed and the machine is not as it was before")]
pub(crate) struct EditArgs {
    /// The files
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::FilePath)]
    files: Vec<PathBuf>,
    /// A command that changes the copies; their names are put wherever it says `{}`, else at its end
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Reverse the change after so long unless `surefoot confirm` comes first, such as 60s
    #[arg(long, value_name = "TIME", value_parser = journal::parse_duration)]
    confirm_within: Option<u64>,
    /// Run this in a shell, in `/`, after the files are replaced and after they are put back, such as
    /// `systemctl reload nginx`; if it fails, or takes longer than two minutes or than the time to
    /// confirm, the files are put back
    #[arg(long, value_name = "COMMAND")]
    reload: Option<String>,
    /// Replace the files without a syntax check
    #[arg(long)]
    no_check: bool,
    /// Show the difference and check it, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    state: StateDirArgs,
    /// The form of the answer; `surefoot changes --schema` prints the JSON Schema
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
}

/// What an edit came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum EditOutcome {
    /// The editor changed nothing.
    Unchanged,
    /// Shown and checked only.
    DryRun,
    /// The files are replaced.
    Applied,
    /// The files are replaced until the deadline, unless that is confirmed.
    Armed,
}

/// An edit as JSON.
#[derive(Serialize)]
struct EditAnswer<'a> {
    outcome: EditOutcome,
    diff: &'a str,
    checks: &'a [FileCheck],
    entry: Option<&'a JournalEntry>,
}

impl EditArgs {
    fn answer(&self, answer: &EditAnswer<'_>, output: &Output) -> Result<Status, Failure> {
        if self.format == AnswerFormat::Json {
            output.answer(&output.json_answer("edit", answer)?)?;
            return Ok(Status::Clean);
        }
        let number = answer.entry.map_or(0, |entry| entry.number);
        let arming = answer.entry.and_then(|entry| entry.arming.as_ref());
        if let (EditOutcome::Armed, Some(arming)) = (answer.outcome, arming) {
            // The deadline is the answer, not a remark: `--quiet` does not hide it.
            output.complain(&format!(
                "entry {number} is in force until {}; keep it: surefoot confirm {number}; put it back now: surefoot rollback {number}\n",
                journal::local_text(arming.deadline)
            ));
            return Ok(Status::Clean);
        }
        output.remark(&match answer.outcome {
            EditOutcome::Unchanged if self.command.is_empty() => {
                "the editor changed nothing; neither did surefoot\n".to_owned()
            }
            EditOutcome::Unchanged => {
                "the command did not change the copy that it was given; surefoot changed nothing\n"
                    .to_owned()
            }
            EditOutcome::DryRun => "nothing was changed (--dry-run)\n".to_owned(),
            EditOutcome::Armed | EditOutcome::Applied => {
                format!("entry {number} is in force; put it back: surefoot undo {number}\n")
            }
        });
        Ok(Status::Clean)
    }
}

impl EditArgs {
    /// What a command made it makes again; what was typed is kept.
    fn keep_typed(&self, copies: &EditCopies, failure: Failure) -> Failure {
        if self.command.is_empty() && !self.dry_run {
            failure.hint(format!("your version is kept: {}", copies.keep()))
        } else {
            failure
        }
    }

    /// Refuses a command that stands where files are meant, as `--` was forgotten before it.
    fn refuse_lost_dashes(&self) -> Result<(), Failure> {
        let lost = self.files.iter().skip(1).find(|file| {
            let is_name = file.components().count() == 1;
            is_name && self.command.is_empty() && !file.exists() && is_program(file)
        });
        let Some(lost) = lost else { return Ok(()) };
        let shown = lost.display();
        Err(
            Failure::input(format!("there is no file `{shown}` here, and a program"))
                .hint(format!(
                    "a command is given behind `--`: surefoot edit FILE -- {shown} ..."
                ))
                .hint(format!(
                    "a new file of that name: surefoot edit FILE ./{shown}"
                ))
                .left("Nothing was changed."),
        )
    }
}

/// Whether the shell would find a program of this name.
fn is_program(name: &Path) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

pub(super) fn run(args: &EditArgs, output: &Output) -> Result<Status, Failure> {
    args.refuse_lost_dashes()?;
    args.state.remind(output);
    let journal = args.state.journal();
    let copies = {
        // Makes the journal if need be, and settles what is half-done before the files are copied.
        let _session = journal::lock(&journal, output)?;
        EditCopies::make(&args.files, &args.state.state_dir)
            .map_err(|failure| failure.left("Nothing was changed."))?
    };
    let unchanged = |failure: Failure| copies.say_what_is_left(failure);
    copies.edit(&args.command, args.format).map_err(unchanged)?;
    // Editors have a use of their own for Ctrl-C.
    let was_interrupted = surefoot_sys::take_interrupt() && !args.command.is_empty();
    if was_interrupted {
        return Err(unchanged(Failure::refused("it was interrupted")));
    }
    let wanted = copies.wanted().map_err(unchanged)?;
    let mut answer = EditAnswer {
        outcome: EditOutcome::Unchanged,
        diff: "",
        checks: &[],
        entry: None,
    };
    let title = format!("edit {}", copies.names());
    let mut change = match FileSetChange::plan(title, wanted, journal.now()) {
        Err(JournalError::NothingToChange) => return args.answer(&answer, output),
        other => other.map_err(|error| {
            unchanged(match error {
                // The command may have changed the file itself, and its copy not at all.
                JournalError::ChangedMeanwhile { .. } if copies.hold_originals() => failure(&error),
                JournalError::ChangedMeanwhile { .. } => {
                    failure(&error).hint(format!("your version is kept: {}", copies.keep()))
                }
                _ => failure(&error),
            })
        })?,
    };
    if let Some(reload) = &args.reload {
        let words = ["/bin/sh", "-c", reload].map(str::to_owned);
        change = change.with_command_after(words.to_vec());
    }
    let diff = change.diff();
    answer.diff = &diff;
    let is_text = args.format == AnswerFormat::Text;
    if is_text {
        output.answer(&escape_lines(&diff))?;
    }
    let checks = if args.no_check {
        vec![]
    } else {
        syntax::check(&copies).map_err(|found| unchanged(refusal(args, &copies, &found)))?
    };
    for check in checks.iter().filter(|_| is_text) {
        output.remark(&check.line());
    }
    answer.checks = &checks;
    if surefoot_sys::take_interrupt() {
        return Err(unchanged(
            args.keep_typed(&copies, Failure::refused("it was interrupted")),
        ));
    }
    if args.dry_run {
        answer.outcome = EditOutcome::DryRun;
        return args.answer(&answer, output);
    }
    let entry = perform(args, &journal, change, output)
        .map_err(|failure| args.keep_typed(&copies, failure))?;
    answer.outcome = match &entry.arming {
        Some(_) => EditOutcome::Armed,
        None => EditOutcome::Applied,
    };
    answer.entry = Some(&entry);
    args.answer(&answer, output)
}

/// A version that the daemon's own check refuses.
fn refusal(args: &EditArgs, copies: &EditCopies, found: &CheckFailure) -> Failure {
    let mut refused = Failure::refused(format!("`{}` refuses the new version", found.command));
    for line in found.said.lines().filter(|line| !line.trim().is_empty()) {
        refused = refused.because(line.trim_end());
    }
    if args.dry_run {
        return refused;
    }
    refused
        .hint(format!("your version is kept: {}", copies.keep()))
        .hint("mend it, or replace the file all the same with --no-check")
}

fn perform(
    args: &EditArgs,
    journal: &surefoot_journal::Journal,
    change: FileSetChange,
    output: &Output,
) -> Result<JournalEntry, Failure> {
    let watchdog = args.state.watchdog()?;
    let start = |entry: &JournalEntry| watchdog.start(journal, entry);
    let session = journal::lock(journal, output)?;
    let request = ChangeRequest {
        origin: journal::origin(),
        command: journal::command_line(),
        arm: args.confirm_within.map(|within| ArmRequest {
            within,
            start: &start,
        }),
    };
    session
        .perform(Box::new(change), request)
        .map_err(|error| failure(&error).left_unless("Nothing was changed."))
}
