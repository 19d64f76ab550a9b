//! `surefoot firewall reach`: who can reach what.

use clap::{Args, ValueEnum};
use surefoot_firewall::ask;
use surefoot_netfilter::exact::Budget;

use super::{Status, diff};
use crate::args::RulesArgs;
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// List who can reach which service: every kind of source that the rules tell apart
///
/// Sources and services are not guessed: they are what all the rules together treat alike.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Without PACKETS first packets to this host are meant. The words are those of
`surefoot firewall prove --help`.

Examples:
  sudo surefoot firewall reach
  surefoot firewall reach --rules rules.v4
  surefoot firewall reach --rules rules.v4 forwarded in eth0
  surefoot firewall reach --rules rules.v4 ssh
  surefoot firewall reach --rules rules.v4 --format svg > reach.svg

Exit status:
  0  answered
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct ReachArgs {
    /// The packets that are meant
    #[arg(value_name = "PACKETS", num_args = 0..)]
    pub(crate) packets: Vec<String>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReachFormat::Text)]
    pub(crate) format: ReachFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReachFormat {
    Text,
    Json,
    /// A picture of the matrix
    Svg,
}

pub(super) fn run(args: &ReachArgs, output: &Output) -> Result<Status, Failure> {
    let about = diff::about(Some(&args.packets.join(" ")), output)?;
    let rules = super::rules(&args.rules, output)?;
    super::check_traffic(&rules, &about)?;
    let progress = Progress::new(output.quiet());
    progress.step("following all packets");
    let all = ask::reach(&rules, &about, Budget::default());
    drop(progress);
    output.answer(&match args.format {
        ReachFormat::Text => {
            let texts = all
                .iter()
                .map(|one| one.text(output.style(), output.width()));
            texts.collect::<Vec<_>>().join("\n")
        }
        ReachFormat::Json => output.json_answer("reach", &all)?,
        ReachFormat::Svg => ask::reach_svg(&all),
    })?;
    super::remark_on_gaps(&rules, output);
    Ok(Status::Clean)
}
