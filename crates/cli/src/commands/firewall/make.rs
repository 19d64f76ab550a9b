//! `surefoot firewall make`: from a sentence to the rule that makes it true.

use clap::Args;
use surefoot_apply::{RuleState, files_with_rules};
use surefoot_firewall::ask::{self, MadeRules, MakeOutcome};
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::traffic::Assertion;
use surefoot_report::{Source, escape};

use super::apply::{ApplyOptions, RulesRequest, RulesSource, apply_rules};
use super::apply_words::apply_failure;
use super::{Status, prove};
use crate::args::{AnswerFormat, RulesArgs};
use crate::error::Failure;
use crate::output::Output;
use crate::progress::Progress;

/// Make the rule that a sentence asks for, and prove that nothing else changes
///
/// The rule goes into the table and chain that decide about these packets, before what decides
/// otherwise. It is shown only if it is proved that the sentence holds afterwards for every packet, and
/// that nothing changes for a packet that the sentence does not mean. Then it is loaded as `surefoot
/// firewall apply` loads rules: tried in a network of its own, and taken back unless `surefoot firewall
/// confirm` comes from a new connection. Of rules in files, and where ufw keeps the rules, only the
/// commands are shown.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Sentences are those of `surefoot firewall prove --help`, with the verdicts
accepted, dropped, rejected and blocked.

Examples:
  sudo surefoot firewall make https from anywhere is accepted
  sudo surefoot firewall confirm            # from a new connection: it stays
  sudo surefoot firewall make tcp from 10.0.0.0/24 to :5432 is accepted
  sudo surefoot firewall make --dry-run 203.0.113.9 is dropped
  sudo iptables-save > rules.v4
  surefoot firewall make --rules rules.v4 --print tcp to :8080 is accepted

Exit status:
  0  in force and confirmed, or so already; --dry-run, --print: made
  1  not made, refused, or not confirmed and taken back
  2  bad usage or bad input
  3  not permitted
  4  the change failed and was rolled back
  5  the change failed and the machine is not as it was before")]
pub(crate) struct MakeArgs {
    /// The sentence
    #[arg(value_name = "SENTENCE", num_args = 1.., required = true)]
    pub(crate) sentence: Vec<String>,
    /// Leave bans and other rules that decide before about some of the packets where they are, and name
    /// them
    #[arg(long)]
    pub(crate) with_exceptions: bool,
    /// Show the rule and what is proved of it, and load nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the commands alone, and load nothing
    #[arg(long)]
    pub(crate) print: bool,
    /// Do not save the rule when it is confirmed
    #[arg(long)]
    no_save: bool,
    #[command(flatten)]
    options: ApplyOptions,
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
    super::remark_on_gaps(&rules, output);
    warn_of_bans(&made, output);
    if made.outcome == MakeOutcome::Made && args.loads(&made) {
        if args.format == AnswerFormat::Text {
            output.answer(&made.text(output.style(), output.width()))?;
        }
        return load(args, &made, output);
    }
    match args.format {
        AnswerFormat::Json => output.answer(&output.json_answer("make", &made)?)?,
        AnswerFormat::Text if args.print && made.outcome == MakeOutcome::Made => {
            let commands = made.commands().join("\n") + "\n";
            output.answer(&commands)?;
        }
        AnswerFormat::Text => output.answer(&made.text(output.style(), output.width()))?,
    }
    Ok(if made.outcome == MakeOutcome::Refused {
        Status::Findings
    } else {
        Status::Clean
    })
}

/// Loads the rules in their places.
fn load(args: &MakeArgs, made: &MadeRules, output: &Output) -> Result<Status, Failure> {
    let insert = |state: &RuleState| {
        files_with_rules(state, &made.insertions).map_err(|error| apply_failure(&error))
    };
    let request = RulesRequest {
        title: format!("firewall rules so that {}", made.assertion),
        source: RulesSource::Changed(&insert),
        dry_run: false,
        saves: !args.no_save,
        made: Some(made),
        options: &args.options,
        format: args.format,
    };
    apply_rules(request, output)
}

/// Names the rules about sources that the new one goes before: a ban ends there for these packets.
fn warn_of_bans(made: &MadeRules, output: &Output) {
    let passed = made.decided_before.iter().filter(|one| one.is_by_source());
    let names: Vec<&str> = passed.map(|one| one.name.as_str()).collect();
    if made.outcome == MakeOutcome::Made && !names.is_empty() {
        output.complain(&format!(
            "note: such packets will no longer reach {}: if that is a ban, `--with-exceptions` leaves it in front\n",
            escape(&names.join(", "))
        ));
    }
}

impl MakeArgs {
    /// Whether the rules are loaded: where they are those in force, and no program keeps them.
    fn loads(&self, made: &MadeRules) -> bool {
        !self.dry_run && !self.print && !self.rules.is_elsewhere() && made.keeper.is_none()
    }
}
