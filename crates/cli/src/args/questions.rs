//! The questions about all packets at once that `surefoot firewall` answers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::firewall::{RulesArgs, RulesFormat};
use super::{AnswerFormat, FactsArgs};

/// Prove that a sentence holds for all packets, or show one for which it does not
///
/// All packets are followed at once through every table and hook, NAT included. What no rule set
/// tells (a limit, a set that packets fill) is taken both ways: a sentence holds only if it does so
/// whatever the answer is.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Sentences:
  PACKETS is [not] accepted | dropped | rejected | blocked | queued
  PACKETS is accepted as PACKETS     what they have become, after NAT
  PACKETS is [not] decided by RULE   rule 4 of filter INPUT, or INPUT:4

Packets, in any order; what is left out may be anything:
  tcp   udp,icmp   proto 47          protocols
  ssh   https   dns                  services: protocol and port
  from ENDS   to ENDS                ends: 10.0.0.0/8   10.0.0.1-10.0.0.9   me
                                     {10.0.0.0/8, 192.0.2.7}:22,80   :1024-65535
                                     [2001:db8::/32]:22   @NAME, a set of the rules
  in eth0,eth+   out eth1            interfaces; both together: forwarded
  forwarded   out                    the way; else packets to this host are meant
  new   established,related          states; without one, first packets are meant;
                                     `state any` means all; original, reply
  syn   ping   type 3/4   ipv6   uid 1000   ctmark 1   ttl 64   length 0-1500
  not                                turns the next of these round

A policy file has one sentence on each line; `#` begins a comment.

Examples:
  sudo surefoot firewall prove ssh from 10.0.0.0/8 is accepted
  sudo surefoot firewall prove 'not from 10.0.0.0/8 to :22,3306 new is blocked'
  sudo iptables-save > rules.v4
  surefoot firewall prove --rules rules.v4 telnet in eth0 is blocked
  sudo surefoot firewall prove --all --policy firewall.policy

Exit status:
  0  every sentence holds
  1  one does not, or is not proved
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct ProveArgs {
    /// A sentence; without one the policy is read
    #[arg(value_name = "SENTENCE", num_args = 0.., conflicts_with = "policy")]
    pub(crate) assertion: Vec<String>,
    /// Read the sentences from this file [default: /etc/surefoot/firewall.policy]
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) policy: Option<PathBuf>,
    /// Go on behind a sentence that does not hold
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Find a packet for which a sentence is so
///
/// The opposite of `prove`: one packet is enough. It is shown with its way through the rules.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Sentences are those of `surefoot firewall prove --help`.

Examples:
  sudo surefoot firewall find not from 10.0.0.0/8 to :22 is accepted
  sudo iptables-save > rules.v4
  surefoot firewall find --rules rules.v4 udp in eth0 is rejected
  surefoot firewall find --rules rules.v4 forwarded new is accepted

Exit status:
  0  there certainly is one
  1  there is none, or it hangs on what is not known
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct FindArgs {
    /// The sentence
    #[arg(value_name = "SENTENCE", num_args = 1.., required = true)]
    pub(crate) sentence: Vec<String>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Show every packet whose fate changes from one rule set to another
///
/// Both are followed over all packets at once, through every table and hook. An iptables file can be
/// compared with the nft file that shall replace it. `equal` is said only if it is proved.
#[derive(Debug, Args)]
#[command(after_long_help = "\
OLD and NEW are rule files as in `--rules`; several for one side have commas between them.
With one file alone it is compared with what this machine has loaded.

Examples:
  sudo surefoot firewall diff --live rules.new
  surefoot firewall diff rules.v4 ruleset.nft
  surefoot firewall diff old.v4,old.v6,old.ipset new.nft
  surefoot firewall diff --only 'ssh in eth0' rules.v4 rules.new
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
    #[command(flatten)]
    pub(crate) facts: FactsArgs,
    /// The format of the rules, where the text does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) rules_format: Option<RulesFormat>,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Say what a flush would cut off and what it would open, without doing it
///
/// `iptables -F` keeps the policies, `nft flush ruleset` takes everything away: each way to flush
/// is compared with the rules as they are, over all packets.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall flush --dry-run
  surefoot firewall flush --dry-run --rules rules.v4
  surefoot firewall flush --dry-run --facts web1.surefoot --format json

Exit status:
  0  no way to flush would change anything
  1  one would
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct FlushArgs {
    /// Only say it; surefoot does not flush
    #[arg(long, required = true)]
    pub(crate) dry_run: bool,
    /// Show every part of every change
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// List who can reach which service: every kind of source that the rules tell apart
///
/// Sources and services are not guessed: they are what all the rules together treat alike.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Without PACKETS first packets to this host are meant. The words are those of
`surefoot firewall prove --help`.

Examples:
  sudo surefoot firewall reach
  surefoot firewall reach --rules rules.v4
  surefoot firewall reach --rules rules.v4 forwarded in eth0
  surefoot firewall reach --rules rules.v4 ssh
  surefoot firewall reach --rules rules.v4 --format svg > reach.svg

Exit status:
  0  answered
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct ReachArgs {
    /// The packets that are meant
    #[arg(value_name = "PACKETS", num_args = 0..)]
    pub(crate) packets: Vec<String>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = ReachFormat::Text)]
    pub(crate) format: ReachFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReachFormat {
    Text,
    Json,
    /// A picture of the matrix
    Svg,
}

/// Say what new rules would have done to traffic that was seen
///
/// Every packet of a capture is followed through the old rules and the new ones, in the state that
/// conntrack would have given it. Connections of a list, or those that this machine has now, are
/// judged by their first packet and by later ones.
#[derive(Debug, Args)]
#[command(after_long_help = "\
CAPTURE is a pcap or pcapng file, as tcpdump writes it; `-` is standard input. NEW is a rule file as
in `--rules`; several have commas between them.

Examples:
  sudo surefoot firewall replay monday.pcap rules.new
  sudo tcpdump -i eth0 -w - | sudo surefoot firewall replay - rules.new
  surefoot firewall replay --old rules.v4 --me 192.0.2.1 monday.pcap rules.new
  sudo conntrack -L | sudo surefoot firewall replay --conntrack - rules.new
  sudo surefoot firewall replay --sockets rules.new

Exit status:
  0  nothing of this traffic would change
  1  something would, or that is not known
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct ReplayArgs {
    /// The capture and the new rules; with `--conntrack` or `--sockets` the new rules alone
    #[arg(value_name = "CAPTURE NEW", num_args = 1..=2, required = true, value_hint = clap::ValueHint::FilePath)]
    pub(crate) files: Vec<String>,
    /// Judge the connections that `conntrack -L` or `/proc/net/nf_conntrack` lists
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with = "sockets")]
    pub(crate) conntrack: Option<PathBuf>,
    /// Judge the connections that the machine has now
    #[arg(long)]
    pub(crate) sockets: bool,
    /// The old rules [default: those that are loaded]
    #[arg(long, value_name = "FILES", value_hint = clap::ValueHint::FilePath)]
    pub(crate) old: Option<String>,
    /// Addresses of the host that the traffic was seen on [default: this machine's]
    #[arg(long, value_name = "ADDRESS", value_delimiter = ',')]
    pub(crate) me: Vec<std::net::IpAddr>,
    /// The interface that was captured on, where the capture does not name it
    #[arg(long, value_name = "IFACE")]
    pub(crate) on: Option<String>,
    /// Show so many connections of each kind, and so many rules that decide
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) facts: FactsArgs,
    /// The format of the rules, where the text does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) rules_format: Option<RulesFormat>,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Say from which interfaces packets with a forged source come through
///
/// A source is forged where the answer to it would leave by another interface. What the kernel
/// refuses by itself (`rp_filter`) is taken off. It needs the machine's routes.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall spoof
  surefoot firewall spoof --facts web1.surefoot

Exit status:
  0  no forged packet is accepted
  1  one is, or that is not known
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct SpoofArgs {
    /// Show every part of what is accepted
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) facts: FactsArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Take away what no packet ever meets, and prove that the rest does the same
///
/// The smaller rules go to standard output, what was taken away to standard error. Only rules that no
/// packet can match and chains that nothing leads to are taken: every counter keeps its meaning, and
/// what stays is as it was written.
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
