//! The command line, defined once: the parser, `--help`, the man pages and the completions all
//! come from here.

use std::path::PathBuf;

use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use surefoot_report::Severity;

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AnswerFormat {
    Text,
    Json,
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
