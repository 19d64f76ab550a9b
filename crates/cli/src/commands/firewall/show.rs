//! `surefoot firewall show`: hooks, chains and rules as one picture.

use clap::{Args, ValueEnum};
use std::path::PathBuf;
use surefoot_firewall::show;

use super::Status;
use crate::args::{FactsArgs, RulesFormat};
use crate::error::Failure;
use crate::input;
use crate::output::Output;

/// Draw hooks, chains, policies and counters, with jumps as a tree
///
/// Every backend is read: legacy tables and nft tables can be in force side by side.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall show
  sudo iptables-save > rules.v4
  surefoot firewall show --chain INPUT rules.v4
  surefoot firewall show --hook input rules.v4
  sudo nft list ruleset | surefoot firewall show -
  surefoot firewall show --format svg rules.v4 > rules.svg

Exit status:
  0  answered
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct ShowArgs {
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
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ShowFormat::Text)]
    pub(crate) format: ShowFormat,
    /// Only this table, such as `filter` or `inet filter`
    #[arg(long, value_name = "TABLE")]
    pub(crate) table: Option<String>,
    /// Only this chain and what it jumps to
    #[arg(long, value_name = "CHAIN")]
    pub(crate) chain: Option<String>,
    /// Only chains at this hook, such as `input`
    #[arg(long, value_name = "HOOK")]
    pub(crate) hook: Option<String>,
    /// Do not follow jumps deeper than this
    #[arg(long, value_name = "N")]
    pub(crate) depth: Option<usize>,
    /// Print counters in full, not as 12K or 3M
    #[arg(long)]
    pub(crate) exact: bool,
    /// Print the JSON Schema of what `--format json` writes, and look at nothing
    #[arg(long)]
    pub(crate) schema: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShowFormat {
    Text,
    Json,
    /// A digraph for Graphviz
    Dot,
    /// A drawing for a browser
    Svg,
}

pub(super) fn run(args: &ShowArgs, output: &Output) -> Result<Status, Failure> {
    if args.schema {
        output.answer(&show::schema())?;
        return Ok(Status::Clean);
    }
    let rules = input::rules(
        &[&args.files[..], &args.rules].concat(),
        args.rules_format,
        &args.facts,
        output,
    )?;
    let selection = show::Selection {
        table: args.table.clone(),
        chain: args.chain.clone(),
        hook: args.hook.clone(),
        depth: args.depth,
        exact: args.exact,
    };
    let picture = show::picture(&rules.firewall, &selection);
    if !picture.missing.is_empty() {
        return Err(Failure::input(picture.missing.join("; ")));
    }
    output.answer(&match args.format {
        ShowFormat::Text => show::text(&picture, output.style(), output.width()),
        ShowFormat::Json => show::json(&picture),
        ShowFormat::Dot => show::dot(&picture),
        ShowFormat::Svg => show::svg(&picture),
    })?;
    super::remark_on_gaps(&rules, output);
    Ok(Status::Clean)
}
