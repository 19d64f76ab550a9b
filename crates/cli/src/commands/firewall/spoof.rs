//! `surefoot firewall spoof`: forged sources that are accepted.

use clap::Args;
use surefoot_firewall::ask;
use surefoot_netfilter::exact::Budget;

use super::Status;
use crate::args::{AnswerFormat, FactsArgs};
use crate::error::Failure;
use crate::input;
use crate::output::Output;
use crate::progress::Progress;

/// Say from which interfaces packets with a forged source are accepted
///
/// A source is forged where the answer to it would leave by another interface. Packets
/// that the kernel refuses by itself (`rp_filter`) are left out. It needs the machine's routes.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall spoof
  surefoot firewall spoof --facts web1.surefoot

Exit status:
  0  no forged packet is accepted
  1  one is, or that is unknown
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct SpoofArgs {
    /// Show every part of what is accepted
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) facts: FactsArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Parts that are shown, unless all are asked for.
const PARTS: usize = 6;
/// Parts that are looked for if all are asked for.
const ALL_PARTS: usize = 1000;

pub(super) fn run(args: &SpoofArgs, output: &Output) -> Result<Status, Failure> {
    let rules = input::rules(&[], None, &args.facts, output)?;
    let progress = Progress::new(output.quiet());
    progress.step("following all packets");
    let most = if args.all { ALL_PARTS } else { PARTS };
    let limits = (most, Budget::default());
    let found = ask::spoof(&rules, limits);
    drop(progress);
    let Some(found) = found else {
        return Err(
            Failure::input("the interfaces or the routes of this machine are unknown")
                .hint("a capture has them: `surefoot capture FILE`, then `--facts FILE`"),
        );
    };
    output.answer(&match args.format {
        AnswerFormat::Text => ask::spoof_text(&found, output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("spoof", &found)?,
    })?;
    super::remark_on_gaps(&rules, output);
    Ok(if found.iter().all(ask::SpoofAnswer::is_safe) {
        Status::Clean
    } else {
        Status::Findings
    })
}
