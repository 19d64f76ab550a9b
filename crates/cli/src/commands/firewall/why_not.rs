//! `surefoot firewall why-not`: what stands between a packet and the wanted verdict.

use clap::{Args, ValueEnum};
use surefoot_firewall::ask;

use super::{Status, explain};
use crate::args::{AnswerFormat, RulesArgs};
use crate::error::Failure;
use crate::output::Output;

/// Name the smallest set of rules that stands between a packet and the verdict you want
///
/// Exits with 0 if the packet certainly gets that verdict already, else with 1.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall why-not https from 203.0.113.9
  sudo surefoot firewall why-not tcp from 203.0.113.9 to :443 in eth0
  sudo iptables-save > rules.v4
  surefoot firewall why-not --want drop --rules rules.v4 mysql in eth1

Exit status:
  0  the packet certainly gets that verdict already
  1  it does not, or not certainly
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct WhyNotArgs {
    /// The packet, in words; see `surefoot firewall explain --help`
    #[arg(value_name = "PACKET", num_args = 0..)]
    pub(crate) packet: Vec<String>,
    /// The verdict that you want
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = Want::Accept)]
    pub(crate) want: Want,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Want {
    Accept,
    Drop,
    Reject,
}

pub(super) fn run(args: &WhyNotArgs, output: &Output) -> Result<Status, Failure> {
    let packet = explain::from_words(&args.packet)?;
    let rules = super::rules(&args.rules, output)?;
    super::check_packet(&rules, &packet)?;
    let want = match args.want {
        Want::Accept => ask::WantedEnd::Accept,
        Want::Drop => ask::WantedEnd::Drop,
        Want::Reject => ask::WantedEnd::Reject,
    };
    let answer = ask::why_not(&rules, &packet, want);
    output.answer(&match args.format {
        AnswerFormat::Text => answer.text(output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("why-not", &answer)?,
    })?;
    super::remark_on_gaps(&rules, output);
    Ok(if answer.already {
        Status::Clean
    } else {
        Status::Findings
    })
}
