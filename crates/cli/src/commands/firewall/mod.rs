//! `surefoot firewall`: one file per question about rules.

mod apply;
mod apply_words;
pub(super) mod arming;
mod check;
pub(super) mod confirm;
mod diff;
mod explain;
mod flush;
mod init;
mod make;
mod prove;
mod reach;
mod replay;
mod save;
mod show;
mod simplify;
mod spoof;
mod try_reject;
mod why_not;

use clap::Subcommand;

use surefoot_firewall::LoadedRules;
use surefoot_netfilter::language::did_you_mean;
use surefoot_netfilter::packet::{Packet, PacketInterface};
use surefoot_netfilter::traffic::Traffic;

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
    Make(make::MakeArgs),
    Diff(diff::DiffArgs),
    Flush(flush::FlushArgs),
    Reach(reach::ReachArgs),
    Replay(replay::ReplayArgs),
    Spoof(spoof::SpoofArgs),
    Simplify(simplify::SimplifyArgs),
    Check(check::FirewallCheckArgs),
    Apply(apply::ApplyArgs),
    Confirm(confirm::ConfirmRulesArgs),
    Rollback(confirm::RollBackRulesArgs),
    Save(save::SaveArgs),
    Init(init::InitArgs),
    TryReject(try_reject::TryRejectArgs),
}

/// Runs the command.
pub(super) fn run(command: &FirewallCommand, output: &Output) -> Result<Status, Failure> {
    match command {
        FirewallCommand::Show(args) => show::run(args, output),
        FirewallCommand::Explain(args) => explain::run(args, output),
        FirewallCommand::WhyNot(args) => why_not::run(args, output),
        FirewallCommand::Prove(args) => prove::run(args, output),
        FirewallCommand::Find(args) => prove::find(args, output),
        FirewallCommand::Make(args) => make::run(args, output),
        FirewallCommand::Diff(args) => diff::run(args, output),
        FirewallCommand::Flush(args) => flush::run(args, output),
        FirewallCommand::Reach(args) => reach::run(args, output),
        FirewallCommand::Replay(args) => replay::run(args, output),
        FirewallCommand::Spoof(args) => spoof::run(args, output),
        FirewallCommand::Simplify(args) => simplify::run(args, output),
        FirewallCommand::Check(args) => check::run(args, output),
        FirewallCommand::Apply(args) => apply::run(args, output),
        FirewallCommand::Confirm(args) => confirm::run(args, output),
        FirewallCommand::Rollback(args) => confirm::roll_back(args, output),
        FirewallCommand::Save(args) => save::run(args, output),
        FirewallCommand::Init(args) => init::run(args, output),
        FirewallCommand::TryReject(args) => try_reject::run(args, output),
    }
}

/// Reports the rules of a machine that are unknown, as an answer depends on them.
fn remark_on_gaps(rules: &LoadedRules, output: &Output) {
    for unknown in rules.unknowns() {
        output.remark(&format!(
            "unknown: {} ({})\n",
            surefoot_report::escape(&unknown.fact),
            surefoot_report::escape(&unknown.why)
        ));
    }
}

/// The rules that a question is about.
fn rules(args: &RulesArgs, output: &Output) -> Result<LoadedRules, Failure> {
    crate::input::rules(&args.rules, args.rules_format, &args.facts, output)
}

/// Refuses a packet that comes or leaves by an interface that nothing knows.
fn check_packet(rules: &LoadedRules, packet: &Packet) -> Result<(), Failure> {
    for interface in [&packet.input, &packet.output] {
        if let PacketInterface::Named(name) = interface {
            check_interface(rules, name)?;
        }
    }
    Ok(())
}

/// Refuses packets of an interface that nothing knows.
fn check_traffic(rules: &LoadedRules, traffic: &Traffic) -> Result<(), Failure> {
    let names = traffic.names();
    let mut whole = names.iter().filter(|name| !name.prefix);
    whole.try_for_each(|name| check_interface(rules, &name.text))
}

fn check_interface(rules: &LoadedRules, name: &str) -> Result<(), Failure> {
    if !rules.lack_interface(name) {
        return Ok(());
    }
    let known = rules.surroundings.interfaces.iter().flatten();
    let known: Vec<&str> = known.map(|interface| interface.name.as_str()).collect();
    let what = format!(
        "{} has no interface `{}`, and no rule names one",
        rules.subject,
        name.escape_debug()
    );
    let failure = Failure::input(what);
    Err(match did_you_mean(name, known.iter().copied()) {
        Some(hint) => failure.hint(hint),
        None => failure.hint(format!("the interfaces are: {}", known.join(", "))),
    })
}
