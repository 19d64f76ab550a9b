//! `surefoot`: change a Linux server without slipping.

mod args;
mod commands;
mod edit_leftovers;
mod error;
mod included_files;
mod input;
mod journal;
mod known_checks;
mod mistaken;
mod output;
mod progress;
mod whole_file;

use std::process::ExitCode;

/// Without memory there is a word and an exit status, not a signal.
#[global_allocator]
static ALLOCATOR: surefoot_sys::OrEnd = surefoot_sys::OrEnd;

fn main() -> ExitCode {
    commands::run()
}
