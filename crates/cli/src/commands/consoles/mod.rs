//! `surefoot consoles`: which terminals get a login prompt, and setting them.

mod change;

use clap::{Args, Subcommand};
use surefoot_consoles::{ConsoleTable, console_table_text};
use surefoot_host::{Host, LiveOptions};

use super::Status;
use crate::args::{AnswerFormat, FactsArgs};
use crate::error::Failure;
use crate::input;
use crate::output::Output;

/// Show which terminals get a login prompt, and which is the machine's console
///
/// Reads what the init system is set up to start: /etc/inittab, upstart's jobs, /etc/sysconfig/init,
/// systemd's units, generator and logind, `OpenRC`, runit. LOGIN says when a prompt is started: `at boot`,
/// `generated` for a console of the kernel, `on demand` when you switch to it. ROOT follows securetty, KERNEL
/// says where /dev/console leads (`console`) and where the kernel's messages go: `messages` always, `in front`
/// while that virtual terminal is the one on the screen. NEEDED says what the place where the machine runs
/// shows.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_long_help = "\
Examples:
  sudo surefoot consoles
  surefoot consoles --root /mnt             # a mounted disk
  surefoot consoles --facts web1.surefoot --format json
  sudo surefoot consoles set 1              # one virtual terminal is enough

Exit status:
  0  shown
  2  bad usage or bad input
  3  not permitted"
)]
pub(crate) struct ConsolesArgs {
    #[command(subcommand)]
    command: Option<ConsolesCommand>,
    #[command(flatten)]
    facts: FactsArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
    /// Print the JSON Schema of what `--format json` writes, and look at nothing
    #[arg(long)]
    schema: bool,
}

#[derive(Debug, Subcommand)]
enum ConsolesCommand {
    Set(change::SetConsolesArgs),
    Add(change::AddConsolesArgs),
    Remove(change::RemoveConsolesArgs),
}

pub(super) fn run(args: &ConsolesArgs, output: &Output) -> Result<Status, Failure> {
    match &args.command {
        Some(ConsolesCommand::Set(args)) => change::set(args, output),
        Some(ConsolesCommand::Add(args)) => change::add(args, output),
        Some(ConsolesCommand::Remove(args)) => change::remove(args, output),
        None if args.schema => {
            output.answer(include_str!("../consoles.schema.json"))?;
            Ok(Status::Clean)
        }
        None => show(args, output),
    }
}

fn show(args: &ConsolesArgs, output: &Output) -> Result<Status, Failure> {
    let host = if args.facts.facts.is_none() && args.facts.root.is_none() {
        live()
    } else {
        input::host(&args.facts, output)?
    };
    let table = ConsoleTable::of(&host);
    output.answer(&match args.format {
        AnswerFormat::Text => console_table_text(&table),
        AnswerFormat::Json => output.json_answer("consoles", &table)?,
    })?;
    Ok(Status::Clean)
}

/// The facts of this machine that consoles depend on.
fn live() -> Host {
    Host::live_consoles(&LiveOptions {
        now: input::now(),
        keep_secrets: false,
    })
}
