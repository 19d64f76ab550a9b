//! `surefoot firewall init`: a good set of rules to begin with, for this machine as it is.

use clap::{Args, ValueEnum};
use surefoot_apply::{StartingForm, starting_rules};

use super::Status;
use crate::args::FactsArgs;
use crate::error::Failure;
use crate::input;
use crate::output::Output;

/// Print a good set of rules to begin with, for this machine as it is
///
/// Loopback, established connections, the ICMP types that IPv4 and IPv6 need, ssh, and the services that listen for
/// everyone are accepted, each with a comment; the rest is refused with an answer, so that what was forgotten is
/// seen. A service that listens but may not be meant for everyone is a comment. Nothing is loaded: read it, then
/// give it to `surefoot firewall apply`.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall init > rules.nft
  sudo surefoot firewall apply rules.nft --dry-run
  sudo surefoot firewall init --as iptables > rules.v4
  sudo surefoot firewall init --as ip6tables > rules.v6

Exit status:
  0  printed
  2  bad usage, or what listens here cannot be read
  3  not permitted")]
pub(crate) struct InitArgs {
    /// The form of the rules
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t = InitForm::Nft)]
    form: InitForm,
    #[command(flatten)]
    facts: FactsArgs,
}

/// The form of the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum InitForm {
    /// For nft, both families in one
    Nft,
    /// For iptables-restore
    Iptables,
    /// For ip6tables-restore
    Ip6tables,
}

pub(super) fn run(args: &InitArgs, output: &Output) -> Result<Status, Failure> {
    let host = input::host(&args.facts, output)?;
    if host.sockets.is_none() {
        return Err(Failure::input("what listens on this machine is unknown")
            .hint("run it on the machine itself, as root"));
    }
    let form = match args.form {
        InitForm::Nft => StartingForm::Nft,
        InitForm::Iptables => StartingForm::Iptables,
        InitForm::Ip6tables => StartingForm::Ip6tables,
    };
    output.answer(&starting_rules(&host, form))?;
    if host
        .rules
        .iter()
        .any(|listing| listing.text.contains("-A ") || listing.text.contains("hook "))
    {
        output.complain(
            "note: this machine has rules already: those of iptables would be replaced by a file for it, and those \
             of nft stay beside\n",
        );
    }
    Ok(Status::Clean)
}
