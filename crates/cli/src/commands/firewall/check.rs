//! `surefoot firewall check`: what is wrong with a rule set.

use std::path::PathBuf;

use clap::Args;

use crate::args::{FactsArgs, RulesFormat};
use crate::commands::Status;
use crate::commands::findings::{self, FindingsArgs};
use crate::error::Failure;
use crate::input;
use crate::output::Output;

/// List what is wrong with a rule set, worst first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall check
  sudo iptables-save > rules.v4
  sudo ip6tables-save > rules.v6
  surefoot firewall check rules.v4 rules.v6
  sudo nft list ruleset | surefoot firewall check -
  surefoot explain FW004                    # what a finding means

Exit status:
  0  no finding at or above --fail-on
  1  at least one finding at or above --fail-on
  2  bad usage or bad input
  3  not permitted, or nothing found but not all rules could be read")]
pub(crate) struct FirewallCheckArgs {
    /// Rule files to read instead of this machine's rules; `-` is standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["facts", "root"])]
    pub(crate) files: Vec<PathBuf>,
    /// The same as FILE, as `explain` and `why-not` have it
    #[arg(long = "rules", value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["facts", "root"])]
    pub(crate) rules: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) facts: FactsArgs,
    /// The format of the rules, where the text does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) rules_format: Option<RulesFormat>,
    #[command(flatten)]
    pub(crate) findings: FindingsArgs,
}

pub(super) fn run(args: &FirewallCheckArgs, output: &Output) -> Result<Status, Failure> {
    if args.findings.schema {
        return findings::print_schema(output);
    }
    let rules = input::rules(
        &[&args.files[..], &args.rules].concat(),
        args.rules_format,
        &args.facts,
        output,
    )?;
    let report = surefoot_check::check_rules(&rules);
    findings::print(report, rules.are_withheld(), &args.findings, output)
}
