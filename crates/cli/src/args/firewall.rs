//! `surefoot firewall`: its commands, and where rules come from.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::questions::{
    DiffArgs, FindArgs, FlushArgs, ProveArgs, ReachArgs, ReplayArgs, SimplifyArgs, SpoofArgs,
};
use super::{AnswerFormat, FactsArgs, FindingsArgs};

/// Understand a rule set: what it holds, what it does, what is wrong with it
#[derive(Debug, Subcommand)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall show
  sudo surefoot firewall explain ssh from 203.0.113.9
  sudo surefoot firewall why-not https from 203.0.113.9
  sudo surefoot firewall check

Exit status:
  0  nothing to say, or the answer is yes
  1  findings at or above --fail-on, or the answer is no
  2  bad usage or bad input
  3  not permitted")]
pub(crate) enum FirewallCommand {
    Show(ShowArgs),
    Explain(ExplainPacketArgs),
    WhyNot(WhyNotArgs),
    Prove(ProveArgs),
    Find(FindArgs),
    Diff(DiffArgs),
    Flush(FlushArgs),
    Reach(ReachArgs),
    Replay(ReplayArgs),
    Spoof(SpoofArgs),
    Simplify(SimplifyArgs),
    Check(FirewallCheckArgs),
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

/// Follow one packet through every table and hook, down to its verdict
///
/// The packet is given in words, in any order. What is left out stays open, and the answer says
/// `certainly` or `possibly` accordingly. Nothing is sent.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Words:
  tcp udp icmp icmpv6, proto N   the protocol
  ssh dns http https ntp smtp    a service: port and protocol; also `tcp dns`
  from ADDR[:PORT]               where from; IPv6 as [2001:db8::1]:22
  to ADDR[:PORT]                 where to; `to :22` is this host
  from me, to me:80              this host, by whichever of its addresses
  from port 53, to port 22       the ports alone
  in IFACE, out IFACE            interfaces; both together: forwarded
  in, out, forwarded             the direction, by whichever interface
  new established related invalid untracked
  syn, flags syn,ack             TCP flags
  ping, ping6, type 3/4          ICMP, also by the names of iptables and nft
  uid 1000, mark 0x1, length 1500, ttl 64, mac aa:bb:cc:dd:ee:ff, fragment

Examples:
  sudo surefoot firewall explain ssh from 203.0.113.9
  sudo surefoot firewall explain tcp from 203.0.113.9 to :22 in eth0 new
  sudo surefoot firewall explain --all https in eth0  # also what did not match
  sudo iptables-save > rules.v4
  surefoot firewall explain --rules rules.v4 ping from 198.51.100.7 in eth0
  sudo tcpdump -c 12 -w trace.pcap
  surefoot firewall explain --rules rules.v4 --pcap trace.pcap in eth0

Exit status:
  0  answered
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct ExplainPacketArgs {
    /// The packet, in words
    #[arg(id = "words", value_name = "PACKET", num_args = 0..)]
    pub(crate) packet: Vec<String>,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// Take the packet from this capture file; the words add what it does not hold
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) pcap: Option<PathBuf>,
    /// Which packet of the capture file, from 1
    #[arg(
        long = "packet",
        value_name = "N",
        default_value_t = 1,
        requires = "pcap"
    )]
    pub(crate) number: usize,
    /// Show the rules that did not match, too, and why
    #[arg(long)]
    pub(crate) all: bool,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

/// Name the smallest set of rules that stands between a packet and the verdict you want
///
/// Exits with 0 if the packet certainly gets that verdict already, else with 1.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall why-not https from 203.0.113.9
  sudo surefoot firewall why-not tcp from 203.0.113.9 to :443 in eth0
  sudo iptables-save > rules.v4
  surefoot firewall why-not --want drop --rules rules.v4 mysql in eth1

Exit status:
  0  the packet certainly gets that verdict already
  1  it does not, or not certainly
  2  bad usage or bad input
  3  not permitted")]
pub(crate) struct WhyNotArgs {
    /// The packet, in words; see `surefoot firewall explain --help`
    #[arg(value_name = "PACKET", num_args = 0..)]
    pub(crate) packet: Vec<String>,
    /// The verdict that you want
    #[arg(long, value_enum, value_name = "VERDICT", default_value_t = Want::Accept)]
    pub(crate) want: Want,
    #[command(flatten)]
    pub(crate) rules: RulesArgs,
    /// The form of the answer
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = AnswerFormat::Text)]
    pub(crate) format: AnswerFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Want {
    Accept,
    Drop,
    Reject,
}

/// List what is wrong with a rule set, worst first
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  sudo surefoot firewall check
  sudo iptables-save > rules.v4
  sudo ip6tables-save > rules.v6
  surefoot firewall check rules.v4 rules.v6
  sudo nft list ruleset | surefoot firewall check -
  surefoot explain FW004                    # what a finding means

Exit status:
  0  no finding at or above --fail-on
  1  at least one finding at or above --fail-on
  2  bad usage or bad input
  3  not permitted, or nothing found but not all rules could be read")]
pub(crate) struct FirewallCheckArgs {
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
    #[command(flatten)]
    pub(crate) findings: FindingsArgs,
}
