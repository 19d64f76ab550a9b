//! `surefoot man`: the manual pages, from the definition of the command line.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Args, Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, italic, roman};

use super::{Cli, Status};
use crate::error::Failure;
use crate::output::Output;

/// Write the manual pages
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  surefoot man | man -l -
  sudo mkdir -p /usr/local/share/man/man8
  sudo surefoot man /usr/local/share/man/man8

Exit status:
  0  printed, or written
  2  bad usage, or the folder cannot be written
  3  not permitted")]
pub(crate) struct ManArgs {
    /// The folder to write one page per command to; without it, the main page is printed
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
}

/// Values beyond this many are not named in the synopsis, only below.
const MOST_VALUES: usize = 8;

pub(super) fn run(args: &ManArgs, output: &Output) -> Result<Status, Failure> {
    let mut command = Cli::command();
    command.build();
    let Some(directory) = &args.directory else {
        output.answer(&String::from_utf8_lossy(&page(&command, "surefoot")?))?;
        return Ok(Status::Clean);
    };
    write_pages(&command, "surefoot", directory)?;
    Ok(Status::Clean)
}

/// Writes the page of a command and those of its subcommands.
fn write_pages(command: &Command, name: &str, directory: &Path) -> Result<(), Failure> {
    let path = directory.join(format!("{name}.8"));
    std::fs::write(&path, page(command, name)?)
        .map_err(|error| Failure::io(format!("cannot write `{}`", path.display()), &error))?;
    for subcommand in command
        .get_subcommands()
        .filter(|command| command.get_name() != "help" && !command.is_hide_set())
    {
        write_pages(
            subcommand,
            &format!("{name}-{}", subcommand.get_name()),
            directory,
        )?;
    }
    Ok(())
}

fn page(command: &Command, name: &str) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let man = Man::new(command.clone().name(name.to_owned()))
        .section("8")
        .manual("System administration")
        .date("");
    let mut render = || {
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        synopsis(command).to_writer(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        if command.has_subcommands() {
            man.render_subcommands_section(&mut page)?;
        }
        more(command).to_writer(&mut page)?;
        man.render_version_section(&mut page)
    };
    render().map_err(|error| Failure::io("cannot render the manual page", &error))?;
    Ok(page)
}

/// How the command is typed, with the values that an option knows.
fn synopsis(command: &Command) -> Roff {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let mut line = vec![bold(name)];
    let shown = |arg: &&Arg| !arg.is_hide_set();
    // Options that every command has are described on the page of `surefoot`.
    let own = |arg: &&Arg| !arg.is_global_set() || !name.contains(' ');
    for option in command.get_opts().filter(shown).filter(own) {
        line.push(roman(" ["));
        line.extend(switch(option));
        line.push(roman(" "));
        line.extend(values(option));
        line.push(roman(if repeats(option) { "]..." } else { "]" }));
    }
    let flags = command
        .get_arguments()
        .filter(|arg| !arg.is_positional() && !arg.get_action().takes_values());
    for flag in flags
        .filter(shown)
        .filter(own)
        .filter(|flag| says_something(flag))
    {
        line.push(roman(" ["));
        line.extend(switch(flag));
        line.push(roman("]"));
    }
    for positional in command.get_positionals().filter(shown) {
        let required = positional.is_required_set();
        line.push(roman(if required { " " } else { " [" }));
        line.extend(values(positional));
        line.push(roman(if required { "" } else { "]" }));
        line.push(roman(if repeats(positional) { "..." } else { "" }));
    }
    if command.has_subcommands() {
        line.push(roman(" "));
        line.push(italic("COMMAND"));
    }
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text(line);
    roff
}

fn says_something(flag: &Arg) -> bool {
    !matches!(
        flag.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    )
}

fn repeats(arg: &Arg) -> bool {
    let many = arg
        .get_num_args()
        .is_some_and(|range| range.max_values() > 1);
    many || matches!(arg.get_action(), ArgAction::Append)
}

fn switch(arg: &Arg) -> Vec<Inline> {
    let short = arg.get_short().map(|short| bold(format!("-{short}")));
    let long = arg.get_long().map(|long| bold(format!("--{long}")));
    match (short, long) {
        (Some(short), Some(long)) => vec![short, roman("|"), long],
        (one, other) => one.into_iter().chain(other).collect(),
    }
}

/// The values that are known, else the name of the value.
fn values(arg: &Arg) -> Vec<Inline> {
    let known = arg.get_possible_values();
    if !known.is_empty() && known.len() <= MOST_VALUES {
        let mut line = Vec::new();
        for value in known.iter().filter(|value| !value.is_hide_set()) {
            if !line.is_empty() {
                line.push(roman("|"));
            }
            line.push(bold(value.get_name()));
        }
        return line;
    }
    let names = arg.get_value_names().unwrap_or_default();
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    vec![italic(names.join(" "))]
}

/// What stands below the options in the long help, a section for each of its headings.
fn more(command: &Command) -> Roff {
    let mut roff = Roff::new();
    let Some(help) = command.get_after_long_help() else {
        return roff;
    };
    let mut open = false;
    for line in help.to_string().lines() {
        match line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            Some(heading) => {
                if open {
                    roff.control("fi", []);
                }
                roff.control("SH", [heading.to_uppercase().as_str()]);
                roff.control("nf", []);
                open = true;
            }
            None => {
                roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
            }
        }
    }
    if open {
        roff.control("fi", []);
    }
    roff
}
