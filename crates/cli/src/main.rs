//! `surefoot`: change a Linux server without slipping.

mod args;
mod commands;
mod error;
mod input;
mod mistaken;
mod output;
mod progress;
mod whole_file;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}
