//! `surefoot check`: one look at a machine, worst first.

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::Status;
use super::findings::{self, FindingsArgs};
use crate::args::FactsArgs;
use crate::error::Failure;
use crate::input;
use crate::output::Output;

/// Look at this machine once and list what matters, worst first
///
/// Reads interfaces, routes, sockets and their owners, processes, every firewall backend, the
/// saved rules and what loads them, wrappers, fstab and consoles. Nothing is changed and no
/// packet is sent. Each finding comes with its evidence and the exact command that mends it.
/// Run it as root: without, it says which facts are missing and what that leaves unknown.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot check
  sudo surefoot check --explain             # with the page behind each finding
  sudo surefoot capture web1.surefoot
  surefoot check --facts web1.surefoot      # the same answer, anywhere
  sudo surefoot check --root /mnt           # a mounted disk, not running
  sudo surefoot check --format sarif > surefoot.sarif
  sudo surefoot check --least high --fail-on high
  sudo surefoot check --area firewall,processes

Exit status:
  0  no finding at or above --fail-on
  1  at least one finding at or above --fail-on
  2  bad usage or bad input
  3  not permitted, or nothing found but not all rules could be read")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) facts: FactsArgs,
    /// Look at these areas only
    #[arg(long = "area", value_name = "AREA", value_delimiter = ',', value_parser = area_words())]
    pub(crate) areas: Vec<String>,
    #[command(flatten)]
    pub(crate) findings: FindingsArgs,
}

/// The areas that there are, as words to choose from.
fn area_words() -> PossibleValuesParser {
    PossibleValuesParser::new(surefoot_check::areas().map(|area| area.word))
}

pub(super) fn run(args: &CheckArgs, output: &Output) -> Result<Status, Failure> {
    if args.findings.schema {
        return findings::print_schema(output);
    }
    let host = input::host(&args.facts, output)?;
    let report = surefoot_check::check_areas(&host, |area| {
        args.areas.is_empty() || args.areas.iter().any(|word| word == area.word)
    });
    let commands = report
        .findings
        .iter()
        .any(|finding| !finding.remedies.is_empty());
    if !host.running && commands {
        output.remark(
            "the commands are for the system in the tree: run them in a chroot, or once it runs\n",
        );
    }
    findings::print(
        report,
        host.running && !host.rules_complete,
        &args.findings,
        output,
    )
}
