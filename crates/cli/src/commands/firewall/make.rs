//! `surefoot firewall make`: from a sentence to the rule that makes it true.

use clap::Args;
use surefoot_firewall::ask::{self, MakeOutcome};
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::traffic::Assertion;
use surefoot_report::Source;

use super::{Status, prove};
use crate::args::{AnswerFormat, RulesArgs};
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// Make the rule that a sentence asks for, and prove that nothing else changes
///
/// The rule goes into the table and chain that decide about these packets, before what decides
/// otherwise. It is shown only if it is proved that the sentence holds afterwards for every packet, and
/// that no packet which the sentence does not mean comes to another end. Nothing is changed: the commands
/// that insert the rule are printed.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Sentences are those of `surefoot firewall prove --help`, with the verdicts
accepted, dropped, rejected and blocked.

Examples:
  sudo surefoot firewall make https from anywhere is accepted
  sudo surefoot firewall make tcp from 10.0.0.0/24 to :5432 is accepted
  sudo surefoot firewall make 203.0.113.9 is dropped
  sudo iptables-save > rules.v4
  surefoot firewall make --rules rules.v4 --print tcp to :8080 is accepted

Exit status:
  0  made, or so already
  1  not made
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct MakeArgs {
    /// The sentence
    #[arg(value_name = "SENTENCE", num_args = 1.., required = true)]
    pub(crate) sentence: Vec<String>,
    /// Leave bans and other rules that decide before about some of the packets where they are, and name
    /// them
    #[arg(long)]
    pub(crate) with_exceptions: bool,
    /// Print the commands alone
    #[arg(long)]
    pub(crate) print: bool,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text, conflicts_with = "print")]
    pub(crate) format: AnswerFormat,
}

pub(super) fn run(args: &MakeArgs, output: &Output) -> Result<Status, Failure> {
    let source = Source::new("arguments", args.sentence.join(" "));
    let assertion = Assertion::parse(&source.text)
        .map_err(|problem| prove::unread(&source, &[problem], output))?;
    let rules = super::rules(&args.rules, output)?;
    super::check_traffic(&rules, &assertion.traffic)?;
    let progress = Progress::new(output.quiet());
    progress.step("looking for a place");
    let made = ask::make(&rules, &assertion, args.with_exceptions, Budget::default())
        .map_err(|problem| prove::unread(&source, &[problem], output))?;
    drop(progress);
    match args.format {
        AnswerFormat::Json => output.answer(&output.json_answer("make", &made)?)?,
        AnswerFormat::Text if args.print && made.outcome == MakeOutcome::Made => {
            let commands = made.commands().join("\n") + "\n";
            output.answer(&commands)?;
        }
        AnswerFormat::Text => output.answer(&made.text(output.style(), output.width()))?,
    }
    super::remark_on_gaps(&rules, output);
    Ok(if made.outcome == MakeOutcome::Refused {
        Status::Findings
    } else {
        Status::Clean
    })
}
