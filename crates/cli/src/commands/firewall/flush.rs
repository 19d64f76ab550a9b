//! `surefoot firewall flush`: what a flush would leave behind, and flushing with a way back.

use clap::Args;
use surefoot_apply::{FlushWishes, RuleState, emptied_rules};
use surefoot_firewall::ask;
use surefoot_netfilter::exact::Budget;

use super::Status;
use super::apply::{ApplyOptions, RulesRequest, RulesSource, UNTOUCHED, apply_rules};
use crate::args::{AnswerFormat, RulesArgs};
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// Delete the rules in force, and put them back unless you confirm that
///
/// What that opens and cuts is shown first, and it is refused where you might not stay in, as with `surefoot
/// firewall apply`: a policy that drops stays unless `--accept` is given. Tables that translate addresses (NAT) stay
/// unless `--nat` is given; sets stay, and so does what is saved for the next boot. With `--dry-run` nothing is deleted: `iptables -F` keeps the policies, `nft
/// flush ruleset` takes everything away, and each way to flush is compared with the rules as they are.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall flush --dry-run
  sudo surefoot firewall flush --accept
  sudo surefoot firewall confirm            # from a new connection: it stays
  surefoot firewall flush --dry-run --rules rules.v4
  surefoot firewall flush --dry-run --facts web1.surefoot --format json

Exit status:
  0  flushed and confirmed, or nothing would change; --dry-run: no way to flush
     would change anything
  1  refused, as you might not stay in, or not confirmed and taken back;
     --dry-run: a way to flush would change something
  2  bad usage or bad input
  3  not permitted
  4  the change failed and was rolled back
  5  the change failed and the machine is not as it was before")]
pub(crate) struct FlushArgs {
    /// Only say what each way to flush would change
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Set the policies of chains to accept, too
    #[arg(long, conflicts_with = "dry_run")]
    accept: bool,
    /// Delete rules that translate addresses, too
    #[arg(long, conflicts_with = "dry_run")]
    nat: bool,
    /// Show every part of every change
    #[arg(long, requires = "dry_run")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    #[command(flatten)]
    options: ApplyOptions,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Parts of a change that are shown, unless all are asked for.
const PARTS: usize = 6;
/// Parts that are looked for if all are asked for.
const ALL_PARTS: usize = 1000;

pub(super) fn run(args: &FlushArgs, output: &Output) -> Result<Status, Failure> {
    if args.dry_run {
        compare(args, output)
    } else {
        flush(args, output)
    }
}

/// Deletes the rules in force.
fn flush(args: &FlushArgs, output: &Output) -> Result<Status, Failure> {
    if args.rules.is_elsewhere() {
        return Err(Failure::input("only the rules in force can be flushed")
            .hint("add `--dry-run` to ask about other rules")
            .left(UNTOUCHED));
    }
    let wishes = FlushWishes {
        accept: args.accept,
        nat: args.nat,
    };
    let empty = |state: &RuleState| Ok(emptied_rules(state, wishes));
    let request = RulesRequest {
        title: "a flush of the firewall rules".to_owned(),
        source: RulesSource::Changed(&empty),
        dry_run: false,
        saves: false,
        made: None,
        options: &args.options,
        format: args.format,
    };
    apply_rules(request, output)
}

/// Says what each way to flush would change.
fn compare(args: &FlushArgs, output: &Output) -> Result<Status, Failure> {
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
