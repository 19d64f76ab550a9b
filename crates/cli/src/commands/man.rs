//! `surefoot man`: the manual pages, from the definition of the command line.

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::Status;
use crate::args::{Cli, ManArgs};
use crate::error::Failure;
use crate::output::Output;

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
        .filter(|command| command.get_name() != "help")
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
    Man::new(command.clone().name(name.to_owned()))
        .section("8")
        .manual("System administration")
        .date("")
        .render(&mut page)
        .map_err(|error| Failure::io("cannot render the manual page", &error))?;
    Ok(page)
}
