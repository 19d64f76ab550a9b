//! `surefoot firewall`: one file per question about rules.

mod check;
mod diff;
mod explain;
mod flush;
mod prove;
mod reach;
mod replay;
mod show;
mod simplify;
mod spoof;
mod why_not;

use clap::Subcommand;

use super::Status;
use crate::args::RulesArgs;
use crate::error::Failure;
use crate::output::Output;

/// Understand a rule set: what it holds, what it does, what is wrong with it
#[derive(Debug, Subcommand)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall show
  sudo surefoot firewall explain ssh from 203.0.113.9
  sudo surefoot firewall why-not https from 203.0.113.9
  sudo surefoot firewall check

Exit status:
  0  nothing to say, or the answer is yes
  1  findings at or above --fail-on, or the answer is no
  2  bad usage or bad input
  3  not permitted")]
pub(crate) enum FirewallCommand {
    Show(show::ShowArgs),
    Explain(explain::ExplainPacketArgs),
    WhyNot(why_not::WhyNotArgs),
    Prove(prove::ProveArgs),
    Find(prove::FindArgs),
    Diff(diff::DiffArgs),
    Flush(flush::FlushArgs),
    Reach(reach::ReachArgs),
    Replay(replay::ReplayArgs),
    Spoof(spoof::SpoofArgs),
    Simplify(simplify::SimplifyArgs),
    Check(check::FirewallCheckArgs),
}

/// Runs the command.
pub(super) fn run(command: &FirewallCommand, output: &Output) -> Result<Status, Failure> {
    match command {
        FirewallCommand::Show(args) => show::run(args, output),
        FirewallCommand::Explain(args) => explain::run(args, output),
        FirewallCommand::WhyNot(args) => why_not::run(args, output),
        FirewallCommand::Prove(args) => prove::run(args, output),
        FirewallCommand::Find(args) => prove::find(args, output),
        FirewallCommand::Diff(args) => diff::run(args, output),
        FirewallCommand::Flush(args) => flush::run(args, output),
        FirewallCommand::Reach(args) => reach::run(args, output),
        FirewallCommand::Replay(args) => replay::run(args, output),
        FirewallCommand::Spoof(args) => spoof::run(args, output),
        FirewallCommand::Simplify(args) => simplify::run(args, output),
        FirewallCommand::Check(args) => check::run(args, output),
    }
}

/// Says what of a machine's rules is not known, as an answer about them hangs on it.
fn remark_on_gaps(rules: &surefoot_firewall::LoadedRules, output: &Output) {
    for unknown in rules.unknowns() {
        output.remark(&format!(
            "unknown: {} ({})\n",
            surefoot_report::escape(&unknown.fact),
            surefoot_report::escape(&unknown.why)
        ));
    }
}

/// The rules that a question is about.
fn rules(args: &RulesArgs, output: &Output) -> Result<surefoot_firewall::LoadedRules, Failure> {
    crate::input::rules(&args.rules, args.rules_format, &args.facts, output)
}
