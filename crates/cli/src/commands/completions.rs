//! `surefoot completions`: what a shell needs to complete our words.

use clap::CommandFactory;

use super::Status;
use crate::args::{Cli, CompletionsArgs};
use crate::error::Failure;
use crate::output::Output;

pub(super) fn run(args: &CompletionsArgs, output: &Output) -> Result<Status, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "surefoot", &mut script);
    output.answer(&String::from_utf8_lossy(&script))?;
    Ok(Status::Clean)
}
