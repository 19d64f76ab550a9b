//! `surefoot`: change a Linux server without slipping.

mod args;
mod commands;
mod error;
mod input;
mod output;
mod progress;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
