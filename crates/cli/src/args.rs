//! Groups of arguments that several commands have: where facts and rules come from, in which form
//! the answer is given.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// The heading of the options that every command has.
const EVERYWHERE: &str = "Options of every command";

/// How surefoot talks, whatever the command.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Voice {
    /// When to use colour; `auto` means on a terminal, unless `NO_COLOR` is set
    #[arg(long, global = true, help_heading = EVERYWHERE, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    pub(crate) color: ColorWhen,
    /// Say more: the pages behind findings, rules that did not match
    #[arg(short, long, global = true, help_heading = EVERYWHERE, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
    /// Say only the answer: no progress, no notes on standard error
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    #[default]
    Auto,
    Always,
    Never,
}

/// Where the facts come from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct FactsArgs {
    /// Read the facts from a capture instead of this machine; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "root", value_hint = clap::ValueHint::FilePath)]
    pub(crate) facts: Option<PathBuf>,
    /// Read the facts from a directory tree: a mounted disk, a container's root
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: Option<PathBuf>,
}

/// Where rules come from.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct RulesArgs {
    /// Read rules from this file instead of this machine: iptables-save, ip6tables-save,
    /// ipset save, `nft list ruleset` or its JSON; `-` is standard input; may be repeated
    #[arg(long = "rules", value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["facts", "root"])]
    pub(crate) rules: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) facts: FactsArgs,
    /// The format of the rules, where the text does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) rules_format: Option<RulesFormat>,
}

impl RulesArgs {
    /// Whether they are not those in force on this machine.
    pub(crate) fn is_elsewhere(&self) -> bool {
        !self.rules.is_empty() || self.facts.facts.is_some() || self.facts.root.is_some()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RulesFormat {
    /// iptables-save
    V4,
    /// ip6tables-save
    V6,
    /// What `nft list ruleset` prints
    Nft,
    /// What `nft -j list ruleset` prints
    NftJson,
    /// What `ipset save` prints
    Ipset,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    Text,
    Json,
}
