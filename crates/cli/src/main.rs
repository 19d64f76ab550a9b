//! `surefoot`: change a Linux server without slipping.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    let _ = writeln!(
        std::io::stderr(),
        "error: no command is built in yet; see README.md, \"What is there\""
    );
    ExitCode::from(2)
}
