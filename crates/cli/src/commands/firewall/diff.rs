//! `surefoot firewall diff`: the packets whose verdict changes.

use std::path::{Path, PathBuf};

use clap::Args;
use surefoot_firewall::LoadedRules;
use surefoot_firewall::ask::{self, DiffSide, DiffVerdict};
use surefoot_netfilter::exact::Budget;
use surefoot_netfilter::traffic::Traffic;
use surefoot_report::Source;

use super::Status;
use crate::args::{AnswerFormat, FactsArgs, RulesFormat};
use crate::error::Failure;
use crate::input;
use crate::output::Output;
use crate::progress::Progress;

/// Show every packet whose verdict changes from one rule set to another
///
/// Both are followed over all packets at once, through every table and hook. An iptables file can be
/// compared with its intended nft replacement. `equal` is reported only if it is proved.
#[derive(Debug, Args)]
#[command(after_long_help = "\
OLD and NEW are rule files as in `--rules`; several for one side have commas between them.
With one file alone it is compared with what this machine has loaded.

Examples:
  sudo surefoot firewall diff --live rules.new
  surefoot firewall diff rules.v4 ruleset.nft
  surefoot firewall diff old.v4,old.v6,old.ipset new.nft
  surefoot firewall diff --only 'ssh in eth0' rules.v4 rules.new
  surefoot firewall diff --strict rules.v4 rules.new
  surefoot firewall diff --facts web1.surefoot rules.new

Exit status:
  0  equal, proved
  1  different, or not proved to be equal
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct DiffArgs {
    /// The old rules and the new ones; with one alone, the new ones
    #[arg(value_name = "OLD NEW", num_args = 1..=2, required = true, value_hint = clap::ValueHint::FilePath)]
    pub(crate) files: Vec<String>,
    /// The old rules are those that are loaded
    #[arg(long)]
    pub(crate) live: bool,
    /// Compare these packets only, in the words of `surefoot firewall prove --help`
    #[arg(long, value_name = "PACKETS")]
    pub(crate) only: Option<String>,
    /// Show every part of every change
    #[arg(long)]
    pub(crate) all: bool,
    /// Count another form of the same end as a difference: another answer to who is refused,
    /// another queue, another TCP option
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) facts: FactsArgs,
    /// The format of the rules, where the text does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) rules_format: Option<RulesFormat>,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Parts of a change that are shown, unless all are asked for.
const PARTS: usize = 8;
/// Parts that are looked for if all are asked for.
const ALL_PARTS: usize = 1000;

pub(super) fn run(args: &DiffArgs, output: &Output) -> Result<Status, Failure> {
    let about = about(args.only.as_deref(), output)?;
    let (old, new) = match args.files.as_slice() {
        [old, new] if !args.live => (Some(old), new),
        [_, _] => {
            return Err(Failure::input(
                "with `--live` the old rules are those that are loaded: give the new ones alone",
            ));
        }
        [new] => (None, new),
        _ => return Err(Failure::input("give the old rules and the new ones")),
    };
    let format = args.rules_format;
    let new = input::rules(&files(new), format, &args.facts, output)?;
    let (old, given) = match old {
        Some(old) => (
            input::rules(&files(old), format, &args.facts, output)?,
            true,
        ),
        None => (input::rules(&[], format, &args.facts, output)?, false),
    };
    let progress = Progress::new(output.quiet());
    progress.step("comparing");
    let surroundings = if given && has_facts(&args.facts) {
        surefoot_check::loaded_rules(&input::host(&args.facts, output)?).surroundings
    } else {
        old.surroundings.clone()
    };
    let most = if args.all { ALL_PARTS } else { PARTS };
    let mut difference = ask::diff(
        side(&old, !given && old.are_complete()),
        side(&new, false),
        &surroundings,
        &about,
        (most, Budget::default()),
    );
    drop(progress);
    if args.strict {
        difference.be_strict();
    }
    if about.taken_as_new {
        difference.notes.push(
            "taken as first packets of connections, as no state is named: `state any` means all"
                .into(),
        );
    }
    output.answer(&match args.format {
        AnswerFormat::Text => difference.text(output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("diff", &difference)?,
    })?;
    super::remark_on_gaps(&old, output);
    Ok(if difference.verdict == DiffVerdict::Equal {
        Status::Clean
    } else {
        Status::Findings
    })
}

pub(super) fn side(rules: &LoadedRules, whole: bool) -> DiffSide<'_> {
    DiffSide { rules, whole }
}

pub(super) fn has_facts(facts: &FactsArgs) -> bool {
    facts.facts.is_some() || facts.root.is_some()
}

/// One file, or several with commas between them.
pub(super) fn files(given: &str) -> Vec<PathBuf> {
    if given == "-" || Path::new(given).exists() {
        return vec![PathBuf::from(given)];
    }
    given.split(',').map(PathBuf::from).collect()
}

/// The packets that are meant; all, if none are named.
pub(super) fn about(only: Option<&str>, output: &Output) -> Result<Traffic, Failure> {
    let Some(words) = only else {
        return Ok(Traffic::default());
    };
    Traffic::parse(words).map_err(|problem| {
        let source = Source::new("--only", words.to_owned());
        Failure::input("the packets are not understood")
            .picture(surefoot_report::problems(
                &source,
                &[problem],
                output.error_style(),
            ))
            .hint("`surefoot firewall prove --help` lists the words")
    })
}
