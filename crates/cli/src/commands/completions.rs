//! `surefoot completions`: what a shell needs to complete our words.

use std::fmt::Write as _;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Status};
use crate::error::Failure;
use crate::output::Output;

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  surefoot completions bash |
    sudo tee /etc/bash_completion.d/surefoot > /dev/null
  surefoot completions zsh |
    sudo tee /usr/local/share/zsh/site-functions/_surefoot > /dev/null
  mkdir -p ~/.config/fish/completions
  surefoot completions fish > ~/.config/fish/completions/surefoot.fish

Exit status:
  0  printed
  2  bad usage")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, output: &Output) -> Result<Status, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "surefoot", &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if args.shell == Shell::Fish {
        fish_values(&mut script);
    }
    output.answer(&script)?;
    Ok(Status::Clean)
}

/// Adds the values of what is not an option, which the generator for fish leaves out.
fn fish_values(script: &mut String) {
    let command = Cli::command();
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_name();
        for (value, help) in positional_values(subcommand) {
            let _ = writeln!(
                script,
                "complete -c surefoot -n \"__fish_surefoot_using_subcommand {name}\" -f -a {} -d {}",
                quoted(&value),
                quoted(&help)
            );
        }
    }
}

fn positional_values(command: &Command) -> Vec<(String, String)> {
    let values = command
        .get_positionals()
        .flat_map(clap::Arg::get_possible_values);
    values
        .map(|value| {
            let help = value.get_help().map(ToString::to_string);
            (value.get_name().to_owned(), help.unwrap_or_default())
        })
        .collect()
}

/// A word in fish's single quotes.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\\', "\\\\").replace('\'', "\\'"))
}
