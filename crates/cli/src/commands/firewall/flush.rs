//! `surefoot firewall flush --dry-run`: what a flush would leave behind.

use clap::Args;
use surefoot_firewall::ask;
use surefoot_netfilter::exact::Budget;

use super::Status;
use crate::args::{AnswerFormat, RulesArgs};
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// Say what a flush would cut off and what it would open, without doing it
///
/// `iptables -F` keeps the policies, `nft flush ruleset` takes everything away: each way to flush
/// is compared with the rules as they are, over all packets.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall flush --dry-run
  surefoot firewall flush --dry-run --rules rules.v4
  surefoot firewall flush --dry-run --facts web1.surefoot --format json

Exit status:
  0  no way to flush would change anything
  1  one would
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct FlushArgs {
    /// Only say it; surefoot does not flush
    #[arg(long, required = true)]
    pub(crate) dry_run: bool,
    /// Show every part of every change
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Parts of a change that are shown, unless all are asked for.
const PARTS: usize = 6;
/// Parts that are looked for if all are asked for.
const ALL_PARTS: usize = 1000;

pub(super) fn run(args: &FlushArgs, output: &Output) -> Result<Status, Failure> {
    let rules = super::rules(&args.rules, output)?;
    let progress = Progress::new(output.quiet());
    progress.step("comparing");
    let most = if args.all { ALL_PARTS } else { PARTS };
    let ways = ask::flush(&rules, (most, Budget::default()));
    drop(progress);
    output.answer(&match args.format {
        AnswerFormat::Text => ask::flush_text(&ways, output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("flush", &ways)?,
    })?;
    super::remark_on_gaps(&rules, output);
    let changes = |way: &ask::FlushedRules| way.difference.verdict != ask::DiffVerdict::Equal;
    Ok(if ways.iter().any(changes) {
        Status::Findings
    } else {
        Status::Clean
    })
}
