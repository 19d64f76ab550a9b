//! `surefoot capture`: this machine's facts in one file.

use super::Status;
use crate::error::Failure;
use crate::input;
use crate::output::Output;
use crate::progress::Progress;
use clap::Args;
use std::path::PathBuf;
use surefoot_host::{Host, LiveOptions};

/// Write the facts of this machine to a file that `--facts` reads anywhere
///
/// A capture is one gzip-compressed JSON document, so `zcat FILE | jq .` shows all of it. It holds
/// addresses, process command lines and firewall rules; words that look like passwords and tokens
/// in command lines are taken out unless `--keep-secrets` is given. The file is made readable by
/// its owner only.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot capture web1.surefoot
  surefoot check --facts web1.surefoot
  ssh web1 sudo surefoot capture - > web1.surefoot   # of another machine
  zcat web1.surefoot | jq .host.name                 # what is in it

Exit status:
  0  the file is written, whole
  2  bad usage, or the file cannot be written
  3  not permitted")]
pub(crate) struct CaptureArgs {
    /// The file to write; `-` is standard output
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Read the facts from a directory tree instead of this machine
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: Option<PathBuf>,
    /// Keep command lines as they are
    #[arg(long)]
    pub(crate) keep_secrets: bool,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
}

pub(super) fn run(args: &CaptureArgs, output: &Output) -> Result<Status, Failure> {
    let host = if let Some(root) = &args.root {
        input::tree(root)?
    } else {
        let progress = Progress::new(output.quiet());
        let options = LiveOptions {
            now: input::now(),
            keep_secrets: args.keep_secrets,
        };
        Host::live(&options, &|step| progress.step(format!("reading {step}")))
    };
    input::write_capture(&host, &args.file, args.force)?;
    for missing in &host.missing {
        output.remark(&format!(
            "not in the capture: {} ({})\n",
            surefoot_report::escape(&missing.fact),
            surefoot_report::escape(&missing.why)
        ));
    }
    Ok(Status::Clean)
}
