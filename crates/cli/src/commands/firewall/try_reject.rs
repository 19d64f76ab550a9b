//! `surefoot firewall try-reject`: an answer for what the rules in force drop, for a trial.

use clap::Args;
use surefoot_apply::{RuleState, rejecting_rules};
use surefoot_report::escape;

use super::Status;
use super::apply::{ApplyOptions, RulesRequest, RulesSource, apply_rules};
use crate::args::AnswerFormat;
use crate::error::Failure;
use crate::output::Output;

/// Answer what the rules in force drop, so that what was forgotten is seen at once
///
/// Each rule that drops becomes one that rejects: a reset for TCP, the ICMP error for the rest; a policy that drops
/// gets two last rules. What a limit or its like decides, and what is dropped as invalid, stays. The rules are loaded
/// as `surefoot firewall apply` does; `surefoot undo` brings those that drop back, exactly. Nothing of it is saved.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall try-reject --dry-run
  sudo surefoot firewall try-reject
  sudo surefoot firewall confirm            # from a new connection: it stays
  sudo surefoot firewall rollback           # drop again, without waiting

Exit status:
  0  in force and confirmed, or nothing would change
  1  refused, as you might not stay in, or not confirmed and taken back
  2  bad usage, or the rules cannot be read
  3  not permitted
  4  the change failed and was rolled back
  5  the change failed and the machine is not as it was before")]
pub(crate) struct TryRejectArgs {
    /// Try, prove and compare, and load nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    options: ApplyOptions,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    format: AnswerFormat,
}

pub(super) fn run(args: &TryRejectArgs, output: &Output) -> Result<Status, Failure> {
    let answer = |state: &RuleState| {
        let rules = rejecting_rules(state);
        for rule in &rules.kept {
            output.remark(&format!(
                "note: this rule goes on dropping: {}\n",
                escape(rule)
            ));
        }
        Ok(rules.files)
    };
    let request = RulesRequest {
        title: "a trial of REJECT in the place of DROP".to_owned(),
        source: RulesSource::Changed(&answer),
        dry_run: args.dry_run,
        saves: false,
        made: None,
        options: &args.options,
        format: args.format,
    };
    apply_rules(request, output)
}
