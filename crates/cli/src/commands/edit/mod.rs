//! `surefoot edit`: files changed by an editor or a command on a copy, checked, and replaced through the
//! journal.

mod copies;
mod syntax;

use std::path::PathBuf;

use clap::Args;
use surefoot_journal::{ArmRequest, ChangeRequest, FileSetChange, JournalEntry, JournalError};

use super::Status;
use crate::error::Failure;
use crate::journal::{self, StateDirArgs, escape_lines, failure};
use crate::output::Output;
use copies::EditCopies;

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
    /// A command that changes the copies; their names are put where it says `{}`, else at its end
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Reverse the change after so long unless `surefoot confirm` comes first, such as 60s
    #[arg(long, value_name = "TIME", value_parser = journal::parse_duration)]
    confirm_within: Option<u64>,
    /// Run this in a shell after the files are replaced and after they are put back, such as
    /// `systemctl reload nginx`; if it fails the files are put back
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
}

pub(super) fn run(args: &EditArgs, output: &Output) -> Result<Status, Failure> {
    args.state.remind(output);
    let journal = args.state.journal();
    // Makes the journal if need be, and settles what is half-done before anyone looks at the files.
    drop(journal::lock(&journal, output)?);
    let unchanged = |failure: Failure| failure.left("Nothing was changed.");
    let copies = EditCopies::make(&args.files, &args.state.state_dir).map_err(unchanged)?;
    copies.edit(&args.command).map_err(unchanged)?;
    let wanted = copies.wanted().map_err(unchanged)?;
    let title = format!("edit {}", copies.names());
    let mut change = match FileSetChange::plan(title, wanted, journal.now()) {
        Err(JournalError::NothingToChange) => {
            output.remark("the editor changed nothing; neither did surefoot\n");
            return Ok(Status::Clean);
        }
        other => other.map_err(|error| {
            unchanged(match error {
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
    output.answer(&escape_lines(&change.diff()))?;
    if !args.no_check {
        for line in syntax::check(&copies).map_err(|found| {
            let mut refused =
                Failure::refused(format!("`{}` refuses the new version", found.command));
            for line in found.said.lines().filter(|line| !line.trim().is_empty()) {
                refused = refused.because(line.trim_end());
            }
            unchanged(
                refused
                    .hint(format!("your version is kept: {}", copies.keep()))
                    .hint("mend it, or replace the file all the same with --no-check"),
            )
        })? {
            output.remark(&format!("{line}\n"));
        }
    }
    if args.dry_run {
        output.remark("nothing was changed (--dry-run)\n");
        return Ok(Status::Clean);
    }
    let entry = perform(args, &journal, change, output)?;
    let number = entry.number;
    match &entry.arming {
        Some(arming) => output.remark(&format!(
            "entry {number} is in force until {}; keep it: surefoot confirm {number}\n",
            journal::to_the_second(arming.deadline)
        )),
        None => output.remark(&format!(
            "entry {number} is in force; put it back: surefoot undo {number}\n"
        )),
    }
    Ok(Status::Clean)
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
