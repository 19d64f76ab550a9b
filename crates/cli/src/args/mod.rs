//! The command line, defined once: the parser, `--help`, the man pages and the completions all
//! come from here.

mod firewall;
mod questions;

use std::path::PathBuf;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use surefoot_report::Severity;

pub(crate) use firewall::{
    ExplainPacketArgs, FirewallCheckArgs, FirewallCommand, RulesArgs, RulesFormat, ShowArgs,
    ShowFormat, Want, WhyNotArgs,
};
pub(crate) use questions::{
    DiffArgs, FindArgs, FlushArgs, ProveArgs, ReachArgs, ReachFormat, ReplayArgs, SimplifyArgs,
    SpoofArgs,
};

/// Find out what is true, exposed and broken on a Linux server, and change it without slipping
#[derive(Debug, Parser)]
#[command(
    name = "surefoot",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit status: 0 nothing to say; 1 findings at or above --fail-on, or the answer is no;\n\
                  2 bad usage, bad input or too little memory; 3 not permitted, or rules unread.",
    after_long_help = "\
Examples:
  sudo surefoot check                       # what matters here, worst first
  sudo surefoot capture web1.surefoot       # take this machine's facts along
  surefoot check --facts web1.surefoot      # the same answer, anywhere
  sudo surefoot firewall show               # hooks, chains, rules: one picture
  sudo surefoot firewall explain ssh from 203.0.113.9
  sudo surefoot firewall why-not https from 203.0.113.9
  surefoot explain FW004                    # what a finding means

Exit status:
  0  nothing to say, or the answer is yes
  1  findings at or above --fail-on, or the answer is no
  2  bad usage or bad input, or too little memory
  3  not permitted"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) voice: Voice,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The heading of the options that every command has.
const EVERYWHERE: &str = "Options of every command";

/// How surefoot talks, whatever the command.
#[derive(Clone, Debug, Args)]
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Check(CheckArgs),
    Capture(CaptureArgs),
    #[command(subcommand)]
    Firewall(FirewallCommand),
    Explain(ExplainArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Look at this machine once and list what matters, worst first
///
/// Reads interfaces, routes, sockets and their owners, processes, every firewall backend, the
/// saved rules and what loads them, wrappers, fstab and consoles. Nothing is changed and no
/// packet is sent. Each finding comes with its evidence and the exact command that mends it.
/// Run it as root: without, it says which facts are missing and what that leaves unknown.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot check
  sudo surefoot check --explain             # with the page behind each finding
  sudo surefoot capture web1.surefoot
  surefoot check --facts web1.surefoot      # the same answer, anywhere
  sudo surefoot check --root /mnt           # a mounted disk, not running
  sudo surefoot check --format sarif > surefoot.sarif
  sudo surefoot check --least high --fail-on high

Exit status:
  0  no finding at or above --fail-on
  1  at least one finding at or above --fail-on
  2  bad usage or bad input
  3  not permitted, or nothing found but not all rules could be read")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) facts: FactsArgs,
    #[command(flatten)]
    pub(crate) findings: FindingsArgs,
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

/// How findings are given.
#[derive(Clone, Debug, Args)]
pub(crate) struct FindingsArgs {
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = FindingsFormat::Text)]
    pub(crate) format: FindingsFormat,
    /// Exit with 1 if a finding is at least this bad
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Threshold::Warning)]
    pub(crate) fail_on: Threshold,
    /// Leave out findings milder than this; what is left out does not count for --fail-on
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = Least::Note)]
    pub(crate) least: Least,
    /// Print the page of each finding's code under it
    #[arg(long)]
    pub(crate) explain: bool,
    /// Print the JSON Schema of what `--format json` writes, and look at nothing
    #[arg(long)]
    pub(crate) schema: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FindingsFormat {
    Text,
    Json,
    Sarif,
}

/// The mildest findings that are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Least {
    Note,
    Warning,
    High,
    Critical,
}

impl Least {
    /// The severity of this name.
    pub(crate) fn severity(self) -> Severity {
        match self {
            Self::Note => Severity::Note,
            Self::Warning => Severity::Warning,
            Self::High => Severity::High,
            Self::Critical => Severity::Critical,
        }
    }
}

/// A line between findings that count and findings that do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Threshold {
    Note,
    Warning,
    High,
    Critical,
    /// No finding is bad enough
    Never,
}

impl Threshold {
    /// Whether a finding of this severity is at or above the line.
    pub(crate) fn is_met_by(self, severity: Severity) -> bool {
        match self {
            Self::Note => severity >= Severity::Note,
            Self::Warning => severity >= Severity::Warning,
            Self::High => severity >= Severity::High,
            Self::Critical => severity >= Severity::Critical,
            Self::Never => false,
        }
    }
}

/// Write the facts of this machine to a file that `--facts` reads anywhere
///
/// A capture is one gzip-compressed JSON document, so `zcat FILE | jq .` shows all of it. It holds
/// addresses, process command lines and firewall rules; words that look like passwords and tokens
/// in command lines are taken out unless `--keep-secrets` is given. The file is made readable by
/// its owner only.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot capture web1.surefoot
  surefoot check --facts web1.surefoot
  ssh web1 sudo surefoot capture - > web1.surefoot   # of another machine
  zcat web1.surefoot | jq .host.name                 # what is in it

Exit status:
  0  the file is written, whole
  2  bad usage, or the file cannot be written
  3  not permitted")]
pub(crate) struct CaptureArgs {
    /// The file to write; `-` is standard output
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) file: PathBuf,
    /// Read the facts from a directory tree instead of this machine
    #[arg(long, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) root: Option<PathBuf>,
    /// Keep command lines as they are
    #[arg(long)]
    pub(crate) keep_secrets: bool,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    Text,
    Json,
}

/// Print the pages behind findings' codes, or list all codes
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  surefoot explain
  surefoot explain FW004
  surefoot explain FW004 FW006 | less

Exit status:
  0  printed
  2  no finding has the code")]
pub(crate) struct ExplainArgs {
    /// The codes, such as FW004; without one, all codes are listed
    #[arg(value_name = "CODE", value_parser = Codes, hide_possible_values = true)]
    pub(crate) codes: Vec<String>,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  surefoot completions bash |
    sudo tee /etc/bash_completion.d/surefoot > /dev/null
  surefoot completions zsh |
    sudo tee /usr/local/share/zsh/site-functions/_surefoot > /dev/null
  mkdir -p ~/.config/fish/completions
  surefoot completions fish > ~/.config/fish/completions/surefoot.fish

Exit status:
  0  printed
  2  bad usage")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: clap_complete::Shell,
}

/// Write the manual pages
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  surefoot man | man -l -
  sudo mkdir -p /usr/local/share/man/man8
  sudo surefoot man /usr/local/share/man/man8

Exit status:
  0  printed, or written
  2  bad usage, or the folder cannot be written
  3  not permitted")]
pub(crate) struct ManArgs {
    /// The folder to write one page per command to; without it, the main page is printed
    #[arg(value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) directory: Option<PathBuf>,
}

/// Takes any word as a code and offers those that there are; the command says more about a wrong
/// one than the parser could.
#[derive(Clone)]
struct Codes;

impl TypedValueParser for Codes {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let pages = surefoot_check::pages().into_iter();
        Some(Box::new(
            pages.map(|page| PossibleValue::new(page.code).help(page.title)),
        ))
    }
}
