//! `surefoot firewall explain`: one packet, followed to its verdict.

use std::path::{Path, PathBuf};

use clap::Args;
use surefoot_firewall::ask;
use surefoot_netfilter::packet::{Packet, pcap, words};

use super::Status;
use crate::args::{AnswerFormat, RulesArgs};
use crate::error::Failure;
use crate::input;
use crate::output::Output;

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

pub(super) fn run(args: &ExplainPacketArgs, output: &Output) -> Result<Status, Failure> {
    let packet = match &args.pcap {
        Some(path) => from_file(path, args.number, &args.packet, output)?,
        None => from_words(&args.packet)?,
    };
    let rules = super::rules(&args.rules, output)?;
    super::check_packet(&rules, &packet)?;
    let answer = ask::explain(&rules, &packet, args.all || output.verbose());
    output.answer(&match args.format {
        AnswerFormat::Text => answer.text(output.style(), output.width()),
        AnswerFormat::Json => output.json_answer("explain", &answer)?,
    })?;
    super::remark_on_gaps(&rules, output);
    Ok(Status::Clean)
}

/// The packet that words describe.
pub(super) fn from_words(given: &[String]) -> Result<Packet, Failure> {
    if given.iter().all(|word| word.trim().is_empty()) {
        return Err(Failure::input("no packet is given")
            .hint("say it in words, such as `ssh from 203.0.113.9`")
            .hint("`surefoot firewall explain --help` lists the words"));
    }
    words::parse(given).map_err(|error| Failure::word(given, &error))
}

fn from_file(
    path: &Path,
    number: usize,
    given: &[String],
    output: &Output,
) -> Result<Packet, Failure> {
    let bytes = input::packets(path)?;
    let (packet, summary) = pcap::read(&bytes, number).map_err(|error| {
        Failure::input(format!(
            "cannot read packet {number} of `{}`",
            path.display()
        ))
        .caused_by(&error)
    })?;
    output.remark(&format!("{}\n", surefoot_report::escape(&summary)));
    words::add_to(packet, given).map_err(|error| Failure::word(given, &error))
}
