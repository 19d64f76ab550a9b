//! `surefoot consoles set`, `add` and `remove`: planned, shown, made through the journal, looked at.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use surefoot_consoles::{
    ChangeError, ConsoleChange, ConsoleError, ConsolePlan, ConsoleRequest, ConsoleWish,
    PromptOutcome, TerminalList, missing_programs, plan_change, plan_consoles, wait_for_prompts,
};
use surefoot_journal::{ChangeRequest, JournalEntry};
use surefoot_report::escape;

use super::Status;
use crate::args::AnswerFormat;
use crate::error::Failure;
use crate::input;
use crate::journal::{self, StateDirArgs, escape_lines, failure};
use crate::output::Output;

/// How long the prompts may take to run.
const LONGEST_START: Duration = Duration::from_secs(10);

/// What the three commands have in common.
#[derive(Clone, Debug, Args)]
struct ChangeArgs {
    /// Change a directory tree, such as a mounted disk, instead of this machine
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    root: Option<PathBuf>,
    /// Show what would be changed, and change nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Take the prompt from a terminal although a user is logged in there
    #[arg(long)]
    end_sessions: bool,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
    #[command(flatten)]
    state: StateDirArgs,
}

/// What commands that set prompts up have on top.
#[derive(Clone, Debug, Args)]
struct StartArgs {
    /// The speed of the serial terminals that are named; without it the kernel's, else 115200
    #[arg(long, value_name = "SPEED", value_parser = clap::value_parser!(u32).range(50..=4_000_000))]
    baud: Option<u32>,
    /// Set a prompt up on a terminal that does not exist here, or with a program that is missing or
    /// cannot be started, for another place where this boots
    #[arg(long)]
    missing: bool,
}

/// Set which terminals get a login prompt, and take it from all others
///
/// One number is a count of virtual terminals, and the others stay as they are. A list names all
/// terminals that get a prompt at boot: tty1, tty1-tty3, hvc0, ttyS0, console, or `serial` for the kernel's
/// serial console. The files are changed as one, through the journal; then the init system is told, and
/// the prompts are looked at until they run. Where root would be refused on a terminal, /etc/securetty
/// gets it, too.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot consoles set 1 --dry-run
  sudo surefoot consoles set tty1,hvc0 --root /mnt
  sudo surefoot consoles set tty1-tty3,serial --root /mnt
  sudo surefoot undo                        # put everything back

Exit status:
  0  set, or all was so already
  1  refused, or a prompt does not run
  2  bad usage or bad input
  3  not permitted
  4  the change failed and was rolled back
  5  the change failed and the machine is not as it was before")]
pub(crate) struct SetConsolesArgs {
    /// A number of virtual terminals, or the terminals
    #[arg(value_name = "TERMINALS", required = true)]
    terminals: Vec<String>,
    #[command(flatten)]
    start: StartArgs,
    /// Start prompts on so many virtual terminals when you switch there (systemd)
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(0..=63))]
    on_demand: Option<u32>,
    /// Leave no terminal with a prompt, if that is what the list says
    #[arg(long)]
    none: bool,
    /// Leave the kernel's console, and others that are needed, without a prompt
    #[arg(long)]
    no_console: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Give more terminals a login prompt
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot consoles add hvc0 --root /mnt
  sudo surefoot consoles add ttyS0 --baud 115200 --root /mnt
  sudo surefoot consoles add serial --root /mnt --dry-run

Exit status:
  0  added, or all was so already
  1  refused, or a prompt does not run
  2  bad usage or bad input
  3  not permitted
  4  the change failed and was rolled back
  5  the change failed and the machine is not as it was before")]
pub(crate) struct AddConsolesArgs {
    /// The terminals
    #[arg(value_name = "TERMINALS", required = true)]
    terminals: Vec<String>,
    #[command(flatten)]
    start: StartArgs,
    #[command(flatten)]
    change: ChangeArgs,
}

/// Take the login prompt from terminals
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot consoles remove tty5 --root /mnt
  sudo surefoot consoles remove tty2-tty6 --root /mnt --dry-run
  sudo surefoot consoles remove ttyS0 --root /mnt --no-console

Exit status:
  0  removed, or all was so already
  1  refused, or a prompt runs on
  2  bad usage or bad input
  3  not permitted
  4  the change failed and was rolled back
  5  the change failed and the machine is not as it was before")]
pub(crate) struct RemoveConsolesArgs {
    /// The terminals
    #[arg(value_name = "TERMINALS", required = true)]
    terminals: Vec<String>,
    /// Leave no terminal with a prompt, if none is left
    #[arg(long)]
    none: bool,
    /// Take it from the kernel's console, and from others that are needed, as well
    #[arg(long)]
    no_console: bool,
    #[command(flatten)]
    change: ChangeArgs,
}

pub(super) fn set(args: &SetConsolesArgs, output: &Output) -> Result<Status, Failure> {
    let wish = match list(&args.terminals)? {
        TerminalList::Count(count) => ConsoleWish::Count(count),
        TerminalList::Names(names) => ConsoleWish::Set(names),
    };
    let request = ConsoleRequest {
        speed: args.start.baud,
        on_demand: args.on_demand,
        may_be_missing: args.start.missing,
        may_leave_none: args.none,
        may_lose_console: args.no_console,
        may_end_sessions: args.change.end_sessions,
        ..ConsoleRequest::new(wish)
    };
    carry_out(&request, &args.change, output)
}

pub(super) fn add(args: &AddConsolesArgs, output: &Output) -> Result<Status, Failure> {
    let request = ConsoleRequest {
        speed: args.start.baud,
        may_be_missing: args.start.missing,
        ..ConsoleRequest::new(ConsoleWish::Add(names(&args.terminals)?))
    };
    carry_out(&request, &args.change, output)
}

pub(super) fn remove(args: &RemoveConsolesArgs, output: &Output) -> Result<Status, Failure> {
    let request = ConsoleRequest {
        may_leave_none: args.none,
        may_lose_console: args.no_console,
        may_end_sessions: args.change.end_sessions,
        ..ConsoleRequest::new(ConsoleWish::Remove(names(&args.terminals)?))
    };
    carry_out(&request, &args.change, output)
}

fn list(words: &[String]) -> Result<TerminalList, Failure> {
    TerminalList::parse(words).map_err(|error| refused(&error))
}

/// A list in which a number is no terminal.
fn names(words: &[String]) -> Result<Vec<String>, Failure> {
    match list(words)? {
        TerminalList::Names(names) => Ok(names),
        TerminalList::Count(count) => {
            let error = ConsoleError::NoTerminal {
                word: count.to_string(),
            };
            Err(refused(&error).hint(format!(
                "`surefoot consoles set {count}` sets how many there are"
            )))
        }
    }
}

fn refused(error: &ConsoleError) -> Failure {
    let unchanged = "Nothing was changed.";
    match error {
        ConsoleError::NoTerminal { .. }
        | ConsoleError::NoSerial
        | ConsoleError::Impossible { .. } => Failure::input(error.to_string()),
        ConsoleError::NoDevice { .. } => {
            Failure::refused(error.to_string()).hint("set it up all the same with --missing")
        }
        ConsoleError::InUse { .. } => Failure::refused(error.to_string())
            .hint("log out there first, or end it with --end-sessions"),
        ConsoleError::NoneLeft => {
            Failure::refused(error.to_string()).hint("leave none with --none, if that is meant")
        }
        _ => Failure::refused(error.to_string()),
    }
    .left(unchanged)
}

/// The answer as JSON.
#[derive(Serialize)]
struct ChangeAnswer<'a> {
    plan: &'a ConsolePlan,
    diff: String,
    entry: Option<u64>,
    outcome: Option<PromptOutcome>,
}

fn carry_out(
    request: &ConsoleRequest,
    args: &ChangeArgs,
    output: &Output,
) -> Result<Status, Failure> {
    args.state.remind(output);
    let journal = args.state.journal();
    if !args.dry_run {
        // Makes the journal if need be, and settles what is half-done before the files are read.
        drop(journal::lock(&journal, output)?);
    }
    let host = match &args.root {
        Some(root) => input::tree(root)?,
        None => super::live(),
    };
    let mut plan = plan_consoles(&host, request).map_err(|error| {
        let failure = refused(&error);
        match (&error, &request.wish) {
            (ConsoleError::ConsoleLost { .. }, ConsoleWish::Remove(_)) => {
                failure.hint("take its prompt with --no-console, if that is meant")
            }
            (ConsoleError::ConsoleLost { terminal, .. }, _) => failure.hint(format!(
                "name {terminal} as well, or take its prompt with --no-console"
            )),
            _ => failure,
        }
    })?;
    let place = match &args.root {
        Some(root) => root
            .canonicalize()
            .map_err(|error| Failure::io(format!("cannot find `{}`", root.display()), &error))?,
        None => Path::new("/").to_owned(),
    };
    let starts_prompts = !matches!(request.wish, ConsoleWish::Remove(_));
    if starts_prompts && !request.may_be_missing {
        for error in missing_programs(&plan, &place) {
            // A tree may be a part of a system, such as a disk whose /usr is another one; what is there counts.
            if args.root.is_none() || matches!(error, ChangeError::SpoiltProgram { .. }) {
                return Err(of_change(&error).hint("set it up all the same with --missing"));
            }
            plan.notes.push(error.to_string());
        }
    }
    let is_text = args.format == AnswerFormat::Text;
    if plan.edits.is_empty() {
        if is_text {
            output.answer(&summary(&plan, true))?;
            tell_notes(&plan, output);
        } else {
            answer_json(&plan, None, None, output)?;
        }
        return Ok(Status::Clean);
    }
    let title = format!("login prompts on {}", or_none(&plan.wanted));
    let change = plan_change(&plan, &place, &title, args.root.is_none(), journal.now())
        .map_err(|error| of_change(&error))?;
    if is_text {
        output.answer(&summary(&plan, false))?;
        output.answer(&escape_lines(&plan.diff()))?;
        tell_notes(&plan, output);
    }
    if args.dry_run {
        if is_text {
            for words in plan.acts.apply.iter().filter(|_| args.root.is_none()) {
                output.remark(&format!("would run: {}\n", escape(&words.join(" "))));
            }
            output.remark("nothing was changed (--dry-run)\n");
        } else {
            answer_json(&plan, None, None, output)?;
        }
        return Ok(Status::Clean);
    }
    let entry = perform(&journal, change, output)?;
    let number = entry.number;
    let outcome = args
        .root
        .is_none()
        .then(|| wait_for_prompts(&plan, LONGEST_START, input::now()));
    if is_text {
        output.remark(&format!(
            "entry {number} is in force; put it back: surefoot undo {number}\n"
        ));
        tell_outcome(outcome.as_ref(), &entry, output);
    } else {
        answer_json(&plan, Some(number), outcome.clone(), output)?;
    }
    Ok(match outcome {
        Some(outcome) if !outcome.is_complete() => Status::Findings,
        _ => Status::Clean,
    })
}

fn answer_json(
    plan: &ConsolePlan,
    entry: Option<u64>,
    outcome: Option<PromptOutcome>,
    output: &Output,
) -> Result<(), Failure> {
    let answer = ChangeAnswer {
        plan,
        diff: plan.diff(),
        entry,
        outcome,
    };
    output.answer(&output.json_answer("consoles-change", &answer)?)
}

fn perform(
    journal: &surefoot_journal::Journal,
    change: ConsoleChange,
    output: &Output,
) -> Result<JournalEntry, Failure> {
    let session = journal::lock(journal, output)?;
    let request = ChangeRequest {
        origin: journal::origin(),
        command: journal::command_line(),
        arm: None,
    };
    session
        .perform(Box::new(change), request)
        .map_err(|error| failure(&error).left_unless("Nothing was changed."))
}

fn of_change(error: &ChangeError) -> Failure {
    match error {
        ChangeError::Journal(error) => failure(error),
        other => Failure::refused(other.to_string()),
    }
    .left_unless("Nothing was changed.")
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() {
        "no terminal".to_owned()
    } else {
        names.join(", ")
    }
}

fn summary(plan: &ConsolePlan, is_so: bool) -> String {
    let wanted = escape(&or_none(&plan.wanted)).into_owned();
    if is_so {
        return format!("login prompts at boot: {wanted}, as it is set up already\n");
    }
    let mut changes = Vec::new();
    if !plan.added.is_empty() {
        changes.push(format!("added {}", plan.added.join(", ")));
    }
    if !plan.removed.is_empty() {
        changes.push(format!("removed {}", plan.removed.join(", ")));
    }
    let changes = if changes.is_empty() {
        String::new()
    } else {
        format!(" ({})", escape(&changes.join("; ")))
    };
    format!("login prompts at boot: {wanted}{changes}\n")
}

fn tell_notes(plan: &ConsolePlan, output: &Output) {
    for note in &plan.notes {
        output.remark(&format!("note: {}\n", escape(note)));
    }
}

/// What runs now.
fn tell_outcome(outcome: Option<&PromptOutcome>, entry: &JournalEntry, output: &Output) {
    let Some(outcome) = outcome else {
        output.remark("the tree does not run: its next boot starts the prompts\n");
        return;
    };
    output.remark(&format!(
        "running: {}\n",
        escape(&or_none(&outcome.running))
    ));
    if outcome.is_complete() {
        return;
    }
    for step in &entry.log {
        output.complain(&format!("note: {}\n", escape(&step.step)));
    }
    if !outcome.silent.is_empty() {
        output.complain(&format!(
            "not running yet: {}; the init system may need a reboot to start it\n",
            escape(&outcome.silent.join(", "))
        ));
    }
    if !outcome.lingering.is_empty() {
        output.complain(&format!(
            "still running: {}; it goes with its end, or with a reboot\n",
            escape(&outcome.lingering.join(", "))
        ));
    }
}
