//! `surefoot firewall simplify`: a smaller rule set that does the same.

use clap::Args;
use std::path::PathBuf;
use surefoot_firewall::ask;
use surefoot_netfilter::Surroundings;
use surefoot_netfilter::exact::Budget;

use super::Status;
use crate::args::{AnswerFormat, RulesFormat};
use crate::error::Failure;
use crate::input;
use crate::output::Output;
use crate::progress::Progress;

/// Remove rules that no packet can match, and prove that the others do the same
///
/// The smaller rules go to standard output, a list of what was removed to standard error. Only
/// rules that no packet can match and chains that nothing leads to are removed: every counter keeps
/// its meaning, and the other lines stay as they were written.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  surefoot firewall simplify rules.v4 > rules.new
  sudo nft list ruleset | surefoot firewall simplify - > ruleset.new
  surefoot firewall simplify --format json rules.v4

Exit status:
  0  answered
  2  bad usage or bad input, or the rules are too many for an exact answer
  3  not permitted")]
pub(crate) struct SimplifyArgs {
    /// The rule file; `-` is standard input
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// The format of the rules, where the text does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) rules_format: Option<RulesFormat>,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

pub(super) fn run(args: &SimplifyArgs, output: &Output) -> Result<Status, Failure> {
    let given = input::rule_text(&args.file, args.rules_format, output)?;
    let progress = Progress::new(output.quiet());
    progress.step("following all packets");
    let simpler = ask::simplify(&given, &Surroundings::default(), Budget::default())
        .map_err(|why| Failure::input(why.words()))?;
    drop(progress);
    match args.format {
        AnswerFormat::Text => {
            output.answer(&simpler.text)?;
            output.remark(&simpler.summary(output.error_style(), output.width()));
        }
        AnswerFormat::Json => output.answer(&output.json_answer("simplify", &simpler)?)?,
    }
    Ok(Status::Clean)
}
