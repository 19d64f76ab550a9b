//! `surefoot capture`: this machine's facts in one file.

use super::Status;
use crate::args::CaptureArgs;
use crate::error::Failure;
use crate::input;
use crate::output::Output;
use crate::progress::Progress;
use surefoot_host::{Host, LiveOptions};

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
